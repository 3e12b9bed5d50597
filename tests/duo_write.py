"""Write `contracts/research/duo_table.py` from the ontology's OWL file: `python -m tests.duo_write FILE`.

The OWL of the Data Use Ontology (EBISPOT/DUO, CC BY 4.0) has all 39 classes; its CSV has 25. One class is spelt
`DUO_00000044` in the OWL and `DUO:0000044` in the CSV: both are number 44.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

TABLE = Path(__file__).parents[1] / "src/salus/contracts/research/duo_table.py"
OWL = "{http://www.w3.org/2002/07/owl#}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
RDFS = "{http://www.w3.org/2000/01/rdf-schema#}"
ROOTS = {1: "PERMISSION", 17: "MODIFIER"}
INVESTIGATION = "OBI_0000066"
HEAD = '''"""The 39 classes of the Data Use Ontology (EBISPOT/DUO, CC BY 4.0). Written by `python -m tests.duo_write`; do not edit."""

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a class is for."""

    ROOT = "root"
    PERMISSION = "permission"
    MODIFIER = "modifier"
    INVESTIGATION = "investigation"
    OBSOLETE = "obsolete"


class DuoClass(NamedTuple):
    """A class: its kind, shorthand (may be empty), label, and the numbers of its parents within the ontology."""

    kind: Kind
    shorthand: str
    label: str
    parents: tuple[int, ...]


CLASSES: Final[dict[int, DuoClass]] = {
'''


def classes(owl: bytes) -> dict[int, dict]:
    found = {}
    for each in ET.fromstring(owl).findall(f"{OWL}Class"):
        name = (each.get(f"{RDF}about") or "").rsplit("/", 1)[-1]
        if not name.startswith("DUO_"):
            continue
        parents = [p.get(f"{RDF}resource", "").rsplit("/", 1)[-1] for p in each.findall(f"{RDFS}subClassOf")]
        shorthand = [x.text or "" for x in each if "shorthand" in x.tag.lower()]
        label = each.findtext(f"{RDFS}label") or ""
        found[int(name[4:])] = {"label": label, "shorthand": shorthand[0] if shorthand else "", "parents": parents}
    return found


def kind(number: int, found: dict[int, dict]) -> str:
    if number in ROOTS:
        return "ROOT"
    for parent in found[number]["parents"]:
        if parent.endswith("ObsoleteClass"):
            return "OBSOLETE"
        if parent == INVESTIGATION:
            return "INVESTIGATION"
        if parent.startswith("DUO_"):
            above = int(parent[4:])
            return ROOTS.get(above) or kind(above, found)
    raise ValueError(f"class {number} has no known root")


def table(owl: bytes) -> str:
    found = classes(owl)
    lines = []
    for number, row in sorted(found.items()):
        parents = tuple(sorted(int(p[4:]) for p in row["parents"] if p.startswith("DUO_")))
        short = "" if kind(number, found) == "INVESTIGATION" else row["shorthand"]
        told = f'"{short}", "{row["label"]}", {parents}'
        lines.append(f"    {number}: DuoClass(Kind.{kind(number, found)}, {told}),\n")
    return HEAD + "".join(lines) + "}\n"


if __name__ == "__main__":
    TABLE.write_text(table(Path(sys.argv[1]).read_bytes()))
