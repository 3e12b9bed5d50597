"""`Patient/$summary`: one patient as a document in the form of the International Patient Summary (IPS 2.0.0).

It holds what the asker may see of each section, the current versions, as they were received. The three sections that IPS
requires are always there; one that holds nothing says so without saying why. Where links are joined (ADR 263) it is of all of them,
each entry with its origin, and a section of its own says which Patients are one and what contradicts what.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import msgspec

from salus.index.search import Hit
from salus.interop.fhir.bundle import urn_of
from salus.node.errors import Fault
from salus.node.fhir.answers import Answer, FhirRefused, Request
from salus.node.fhir.asking import Asking
from salus.node.fhir.joining import outcome, party_of
from salus.node.fhir.presenting import instant, raw
from salus.node.fhir.reading import Reading

LOINC: Final = "http://loinc.org"
MOST: Final = 2_000
"""Resources of one document; a longer record is read by $everything, page by page."""
LINES: Final = 200
"""Lines of one section's text; the entries are all there."""
# Title, LOINC code, types, whether IPS requires it
SECTIONS: Final = (
    ("Problems", "11450-4", ("Condition",), True),
    ("Allergies and intolerances", "48765-2", ("AllergyIntolerance",), True),
    ("Medication", "10160-0", ("MedicationStatement", "MedicationRequest"), True),
    ("Immunizations", "11369-6", ("Immunization",), False),
    ("Results", "30954-2", ("DiagnosticReport", "Observation"), False),
    ("Procedures", "47519-4", ("Procedure",), False),
    ("Devices", "46264-8", ("DeviceUseStatement",), False),
    ("Care plans", "18776-5", ("CarePlan",), False),
)
_TYPES: Final = frozenset(kind for *_, kinds, _ in SECTIONS for kind in kinds)
ORIGINS: Final = "Origins and contradictions"
_EMPTY: Final = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "unavailable"}],
    "text": "Nothing is available to the reader.",
}


class Summarising:
    """Answers $summary for one server. `base` is the URL of its FHIR root."""

    def __init__(self, base: str, reading: Reading) -> None:
        self._base = base
        self._reading = reading

    def answer(self, asking: Asking, request: Request, own: str) -> Answer:
        """Return a patient's summary as a document Bundle. Raises FhirRefused: not found, more than a document holds."""
        if request.pairs:
            raise FhirRefused(Fault(400, "not-supported"), "fhir.parameter", "$summary has no parameters here")
        node = asking.node
        patient = self._reading.current(asking, f"Patient/{own}")
        party = party_of(asking, patient)
        hits, total = node.index.search.of_patient(
            party.links, asking.scope, house=node.vault.house_link(), since=0, after=0, limit=MOST + 1
        )
        if total > MOST:
            raise FhirRefused(
                Fault(400, "too-costly"), "fhir.too-long", "the record is too long for one document",
                expected=f"at most {MOST} resources", todo="read Patient/$everything, page by page",
            )  # fmt: skip
        others = [hit for hit in party.patients if hit.number != patient.number]
        chosen = [patient, *others, *(hit for hit in hits if hit.type in _TYPES)]
        bodies = self._reading.bodies(asking, chosen, "summary", joined=party.joined)
        told = outcome(asking, party, "summary")
        now = instant(node.now())
        address = urn_of(f"{patient.name}|{now}")
        names = _names(chosen, address)
        shown = [(hit, name, body) for hit, name, body in zip(chosen, names, bodies, strict=True)]
        entries = [
            {"fullUrl": name if ":" in name else f"{self._base}/{name}", "resource": msgspec.Raw(body)}
            for _, name, body in shown
        ]
        about = self._composition(asking, patient, shown[1 + len(others) :], now)
        if told is not None:
            of_origins = urn_of(f"origins|{address}")
            about["section"].append(_origins(told, of_origins))
            entries.append({"fullUrl": of_origins, "resource": told})
        document = {
            "resourceType": "Bundle",
            "type": "document",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": address},
            "timestamp": now,
            "entry": [{"fullUrl": urn_of(f"composition|{address}"), "resource": about}, *entries],
        }
        return Answer(200, bytes(raw(document)))

    def _composition(
        self, asking: Asking, patient: Hit, shown: Sequence[tuple[Hit, str, bytes]], now: str
    ) -> dict[str, Any]:
        sections = []
        for title, code, kinds, required in SECTIONS:
            entries = [(name, body) for hit, name, body in shown if hit.type in kinds]
            if not entries and not required:
                continue
            section: dict[str, Any] = {
                "title": title,
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "text": {"status": "generated", "div": _narrative(title, [line(body) for _, body in entries])},
            }
            if entries:
                section["entry"] = [{"reference": name} for name, _ in entries]
            else:
                section["emptyReason"] = _EMPTY
            sections.append(section)
        return {
            "resourceType": "Composition",
            "status": "final",
            "type": {"coding": [{"system": LOINC, "code": "60591-5", "display": "Patient summary Document"}]},
            "subject": {"reference": patient.name},
            "date": now,
            "author": [{"display": asking.node.member}],
            "title": "Patient summary",
            "section": sections,
        }


def _names(hits: Sequence[Hit], address: str) -> list[str]:
    """Return what each resource is called in the document: Type/id, or a URN where another has that already."""
    taken: set[str] = set()
    told = []
    for hit in hits:
        told.append(hit.name if hit.name not in taken else urn_of(f"{address}|{hit.number}"))
        taken.add(hit.name)
    return told


def _origins(told: msgspec.Raw, name: str) -> dict[str, Any]:
    """Return the section that says which Patients are one, and what contradicts what, in words."""
    issues = msgspec.json.decode(told)["issue"]
    lines = [f"{one['details']['text']} ({', '.join(one.get('expression', [one['diagnostics']]))})" for one in issues]
    return {
        "title": ORIGINS,
        "text": {"status": "generated", "div": _narrative(ORIGINS, lines)},
        "entry": [{"reference": name}],
    }


def line(body: bytes) -> str:
    """Return one line about a resource: what it is, its value, its status."""
    tree = msgspec.json.decode(body)
    told = [_text(tree.get(name)) for name in ("code", "vaccineCode", "medicationCodeableConcept", "category")]
    what = next((one for one in told if one), tree.get("resourceType", ""))
    amount = tree.get("valueQuantity")
    value = f"{amount.get('value', '')} {amount.get('unit', '')}".strip() if isinstance(amount, dict) else ""
    status = tree.get("status") or _text(tree.get("clinicalStatus"))
    return ", ".join(part for part in (what, value, status if isinstance(status, str) else "") if part)


def _text(concept: Any) -> str:
    """Return a CodeableConcept, or the first of several, in words."""
    if isinstance(concept, list):
        concept = concept[0] if concept else None
    if not isinstance(concept, dict):
        return ""
    codings = [one for one in concept.get("coding", ()) if isinstance(one, dict)]
    shown = [concept.get("text"), *(one.get("display") for one in codings), *(one.get("code") for one in codings)]
    return str(next((one for one in shown if one), ""))


def _narrative(title: str, lines: list[str]) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in lines[:LINES])
    more = f"<p>and {len(lines) - LINES} more</p>" if len(lines) > LINES else ""
    inner = f"<ul>{items}</ul>{more}" if lines else "<p>Nothing is available to the reader.</p>"
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(title)}</p>{inner}</div>'
