"""Rules of our own in the form of CDISC's, and the published cases where the sample collection is."""

import csv
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from salus.agreements.trials.judged import Judgements, RuleFinding, protocol_digest, rules_digest
from tests.needs import shared

NAMELESS = "study.versions.studyDesigns.arms[$length(name) < 3].{'path': _path, 'name': name, 'n': $length(name)}"


def rule(check: str = NAMELESS, kind: str = "JSONata", version: str = "4.0", id_: str = "OWN-1") -> bytes:
    """Return a rule; a check of more than one line is indented as a block."""
    body = "|-\n" + "\n".join(f"  {line}" for line in check.splitlines()) if kind == "JSONata" else f"\n{check}"
    return f"""
Authorities:
  - Organization: Us
    Standards:
      - Name: USDM
        Version: "{version}"
Check: {body}
Core:
  Id: {id_}
Outcome:
  Message: The name is short.
  Output Variables: [name, n, error_attribute, message]
Rule Type: {kind}
""".encode()


def conditions(operator: str, value: str, name: str = "validator") -> str:
    return f"  all:\n    - name: {name}\n      operator: {operator}\n      value: {value}"


@dataclass(frozen=True)
class Case:
    """One published case."""

    name: str
    rule: bytes
    protocol: bytes
    rows: tuple[tuple[str, str, str], ...]
    """Path, name, value of what is to be found."""


def cases(members: int | None = None) -> Iterator[Case]:
    """Yield the cases that are whole among the first members of the archive, or all."""
    with tarfile.open(shared("data/trials/usdm-rules.tar.xz"), "r|xz") as archive:
        read = islice((each for each in archive if each.isfile()), members)
        files = {each.name: archive.extractfile(each).read() for each in read}
    for name in sorted(each for each in files if each.endswith("results.csv")):
        case, asked = name.removesuffix("results/results.csv"), f"{'/'.join(name.split('/')[:2])}/rule.yml"
        data = [each for each in files if each.startswith(f"{case}data/") and each.endswith(".json")]
        if data and asked in files:
            table = csv.DictReader(io.StringIO(files[name].decode("utf-8-sig")))
            rows = tuple((row["path"], row["attribute"], row["value"]) for row in table)
            yield Case(case.split("/", 1)[1], files[asked], files[data[0]], rows)


def findings_in(protocol: bytes) -> bytes:
    """Return a file of one finding, as `salus trial check --rules` writes it."""
    found = RuleFinding(rule="OWN-1", path="/study", told="The name is short.")
    return msgspec.json.encode(
        Judgements(
            format=1,
            protocol=protocol_digest(protocol),
            rules=rules_digest([b"a rule"]),
            judged=1,
            found=1,
            findings=(found,),
            unjudged=(),
        )
    )
