"""One answer over the joined links of one patient: whose resources it holds, and what contradicts what (ADR 263).

Nothing is merged: each resource stays with the Patient that it is about, with its origin in `meta.source`. What is said of
them stands in an OperationOutcome (`search.mode` outcome) and is made from what the asker may see, and journalled, too.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from salus.index.search import Hit
from salus.interop.fhir.contradictions import BLOOD_GROUPS, LOINC, TYPES, Contradiction, Statement, contradictions
from salus.interop.fhir.search.definitions import parameters, patient_compartment
from salus.interop.fhir.search.query import read_query
from salus.node.fhir.answers import BAD, FhirRefused
from salus.node.fhir.asking import Asking

PARAMETER: Final = "-joined"
"""The server's own parameter of searches (R4 3.1.1.1: such names begin with a hyphen)."""
DOCUMENTATION: Final = "true: a search by one Patient is over all Patients that are one person with it"
COMPARED: Final = 200
"""Resources of one type that are held against each other; of more, the outcome says so."""
_OF_BLOOD: Final = ",".join(f"{LOINC}|{code}" for code in sorted(BLOOD_GROUPS))
Pairs = tuple[tuple[str, str], ...]


class Party(NamedTuple):
    """The links of one patient that an answer is made over, and the Patients under them that the asker may see."""

    links: tuple[bytes, ...] = ()
    patients: tuple[Hit, ...] = ()

    @property
    def joined(self) -> bool:
        """Whether there is more than one Patient to tell apart."""
        return len(self.patients) > 1


def is_joined(kind: str) -> bool:
    """Tell whether searches of a type take `-joined`: those that can name a Patient."""
    return kind == "Patient" or kind in patient_compartment()


def party_of(asking: Asking, patient: Hit) -> Party:
    """Return the party of a Patient that the asker may see."""
    links = asking.party(patient)
    return Party(links, tuple(asking.node.index.search.patients(asking.scope, *links)))


def parties_of(asking: Asking, ids: Sequence[str]) -> list[Party]:
    """Return the parties of own Patients, each once; of ids that the asker may not see, nothing."""
    found: dict[frozenset[bytes], Party] = {}
    for own in ids:
        for hit in asking.node.index.search.named(f"Patient/{own}", asking.scope):
            if not hit.lease:
                party = party_of(asking, hit)
                found.setdefault(frozenset(party.links), party)
    return list(found.values())


def widened(asking: Asking, kind: str, pairs: Pairs, base: str, compartment: str = "") -> tuple[Pairs, Party | None]:
    """Take `-joined` off a search: with true, wherever it names a Patient, it names the Patients of the whole party.

    Raises FhirRefused for another value, and where no Patient, or more than one, is named.
    """
    told = [value for name, value in pairs if name == PARAMETER]
    rest = tuple(pair for pair in pairs if pair[0] != PARAMETER)
    if not told or told == ["false"]:
        return rest, None
    if told != ["true"]:
        raise FhirRefused(
            BAD, "fhir.joined", "the parameter is given twice or has another value", expected="true or false"
        )
    named = {at: name for at, (code, value) in enumerate(rest) if (name := _patient(kind, code, value, base))}
    names = {*named.values(), *([compartment] if compartment else [])}
    if len(names) != 1:
        raise FhirRefused(
            BAD,
            "fhir.joined",
            "-joined is for a search by one Patient",
            expected="patient=ID, subject=Patient/ID or _id=ID",
        )
    hits = asking.node.index.search.named(names.pop(), asking.scope)
    if len(hits) != 1:
        return rest, None
    party = party_of(asking, hits[0])
    every = party.patients or tuple(hits)
    out = [(code, _listed(code, every) if at in named else value) for at, (code, value) in enumerate(rest)]
    return tuple(out), party


def _patient(kind: str, code: str, value: str, base: str) -> str:
    """Return "Patient/x" where a parameter names one Patient, else ""."""
    name, _, modifier = code.partition(":")
    if kind == "Patient" and code == "_id":
        return f"Patient/{value}"
    known = parameters(kind).get(name)
    if known is None or known.type != "reference" or modifier not in {"", "Patient"}:
        return ""
    own = value.removeprefix(f"{base}/")
    bare = "/" not in own and (modifier == "Patient" or tuple(known.targets) == ("Patient",))
    found = f"Patient/{own}" if bare else own
    return found if found.startswith("Patient/") and "," not in found else ""


def _listed(code: str, patients: Sequence[Hit]) -> str:
    bare = code == "_id" or code.endswith(":Patient")
    return ",".join(dict.fromkeys(one.id if bare else one.name for one in patients))


def outcome(asking: Asking, party: Party, action: str) -> msgspec.Raw | None:
    """Return what is to be said of a party as an OperationOutcome, None of a single Patient. Journals what it tells."""
    if not party.joined:
        return None
    hits, whole = _compared(asking, party)
    by_name = {hit.name: hit for hit in hits}
    found = contradictions(_statements(asking, hits))
    told = {name for one in found for name in one.names} | {one.name for one in party.patients}
    asking.journal([by_name[name] for name in sorted(told)], action)
    names = ", ".join(sorted(one.name for one in party.patients))
    issues = [_issue("information", "informational", "joined", f"{names} are one patient; nothing was merged")]
    issues += [_conflict(one) for one in found]
    if not whole:
        issues.append(
            _issue(
                "warning",
                "incomplete",
                "compared",
                f"of some type only the first {COMPARED} were held against each other",
            )
        )
    return msgspec.Raw(msgspec.json.encode({"resourceType": "OperationOutcome", "issue": issues}))


def _compared(asking: Asking, party: Party) -> tuple[list[Hit], bool]:
    """Return what is held against each other, and whether that is all of it."""
    found, whole = list(party.patients), True
    names = ",".join(dict.fromkeys(one.name for one in party.patients))
    for kind in TYPES[1:]:
        asked = [("patient", names), ("_count", str(COMPARED))]
        more = [("code", _OF_BLOOD)] if kind == "Observation" else []
        page = asking.node.index.search.page(read_query(kind, [*asked, *more], now=asking.node.now()), asking.scope)
        found += page.hits
        whole = whole and page.cursor is None
    return found, whole


def _statements(asking: Asking, hits: Sequence[Hit]) -> list[Statement]:
    records = asking.node.vault.open_many([hit.number for hit in hits])
    told = []
    for hit, record in zip(hits, records, strict=True):
        body = record.content.body
        writer = asking.node.writers.writer(hit.link, hit.type, hit.id, body) if hit.lease else ""
        told.append(Statement(f"{hit.link.hex()} {writer}", hit.name, msgspec.json.decode(body)))
    return told


def _conflict(one: Contradiction) -> dict[str, Any]:
    text = f"{one.names[0]} and {one.names[1]} contradict each other"
    return {**_issue("warning", "business-rule", one.rule, text), "expression": [one.element]}


def _issue(severity: str, code: str, rule: str, text: str) -> dict[str, Any]:
    return {"severity": severity, "code": code, "diagnostics": rule, "details": {"text": text}}
