"""Index facts of a resource: what a member's index, search and consent need, extracted once at intake.

Dates follow R4 search: half-open, at their own precision, an open side of a Period infinite. Two rules are ours:
a standing fact (an allergy, an active condition, prescription, coverage) lasts until something ends it, so that a
period of two years does not lose what still holds; an event without any date lies in no period.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from salus.interop.fhir.elements import ELEMENTS
from salus.interop.fhir.gate import Resource
from salus.interop.fhir.survey import Coding
from salus.interop.fhir.times import EARLIEST, LATEST, interval
from salus.interop.fhir.tokens import Tree


class Person(msgspec.Struct, frozen=True):
    """Who a Patient resource describes: names as (family, given), birth date as written (may be partial), gender."""

    names: tuple[tuple[str, str], ...]
    birth_date: str
    gender: str


class Facts(msgspec.Struct, frozen=True):
    """What the index keeps of one resource; "" where a text fact is absent.

    lo, hi: the time it speaks of, [lo, hi) in Unix ms; equal when an event has no date.
    codes: of the elements that say what it is (code, type, category, class, medication, vaccine, reason).
    encounter, author: ids of the Encounter and of the Organization that made it. references: "Type/id" targets.
    authors: those of them that stand where an author does (author, performer, recorder, custodian, ...).
    security: meta.security. label: one line for display. person: of a Patient.
    """

    type: str
    id: str
    lo: int
    hi: int
    codes: tuple[Coding, ...]
    status: str
    encounter: str
    author: str
    label: str
    security: tuple[Coding, ...]
    identifiers: tuple[tuple[str, str], ...]
    references: tuple[str, ...]
    authors: tuple[str, ...]
    person: Person | None


_DATES: Final = (
    "effectivePeriod", "effectiveDateTime", "effectiveInstant", "performedPeriod", "performedDateTime",
    "occurrencePeriod", "occurrenceDateTime", "onsetDateTime", "onsetPeriod", "servicedPeriod", "servicedDate",
    "billablePeriod", "period", "started", "start", "startDate", "authoredOn", "authored", "date", "recordedDate",
    "whenHandedOver", "whenPrepared", "issued", "receivedTime", "created", "recorded", "sent", "dateTime", "timestamp",
)  # fmt: skip
_CODES: Final = (
    "code", "vaccineCode", "medicationCodeableConcept", "type", "category", "class", "reasonCode", "serviceType",
    "procedureCode",
)  # fmt: skip
_LABELS: Final = (
    "code", "vaccineCode", "medicationCodeableConcept", "title", "name", "description", "type", "serviceType",
    "category", "deviceName", "class",
)  # fmt: skip
_AUTHORS: Final = (
    "serviceProvider", "custodian", "managingOrganization", "provider", "author", "performer", "requester",
    "recorder", "asserter", "organization", "sender", "insurer", "owner",
)  # fmt: skip
_STANDING: Final = frozenset(
    {
        "AllergyIntolerance",
        "CarePlan",
        "CareTeam",
        "Condition",
        "Consent",
        "Coverage",
        "Device",
        "DeviceUseStatement",
        "EpisodeOfCare",
        "FamilyMemberHistory",
        "Flag",
        "Goal",
        "MedicationRequest",
        "MedicationStatement",
        "NutritionOrder",
        "Patient",
        "RelatedPerson",
        "ServiceRequest",
    }
)
_ENDED: Final = frozenset(
    {
        "cancelled",
        "completed",
        "ended",
        "entered-in-error",
        "expired",
        "finished",
        "inactive",
        "rejected",
        "remission",
        "resolved",
        "revoked",
        "stopped",
    }
)


def _present(names: tuple[str, ...]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, per resource type, which of `names` it has, with kinds, in the order of `names`."""
    table = {}
    for kind, has in ELEMENTS.items():
        table[kind] = tuple((name, has[name]) for name in names if name in has)
    return table


_DATES_OF: Final = _present(_DATES)
_CODES_OF: Final = _present(_CODES)
_LABELS_OF: Final = _present(_LABELS)
_AUTHORS_OF: Final = _present(_AUTHORS)


def facts(resource: Resource, changed: Mapping[str, str], new_id: str = "") -> Facts:
    """Extract the facts of a resource whose references were rewritten by `changed` and whose id is now `new_id`."""
    tree = resource.tree
    kind = resource.type
    status = _status(tree)
    lo, hi = _period(tree, kind, status)
    meta = tree.get("meta", {})
    references = tuple(dict.fromkeys(changed.get(text, text) for text in resource.references if text[0] != "#"))
    return Facts(
        kind,
        new_id or resource.id,
        lo,
        hi,
        tuple(_codes(tree, kind)),
        status,
        _target(_encounter(tree), changed, "Encounter"),
        _author(tree, kind, changed),
        _label(tree, kind),
        tuple(_codings(meta.get("security"))),
        tuple(_identifiers(tree.get("identifier"))),
        references,
        tuple(_authors(tree, kind, changed)),
        _person(tree) if kind == "Patient" else None,
    )


# ---- time ------------------------------------------------------------------------------------------------------


def _period(tree: Tree, kind: str, status: str) -> tuple[int, int]:
    for name, letter in _DATES_OF[kind]:
        value = tree.get(name)
        if value is None:
            continue
        found = _of_period(value) if letter == "P" else interval(value) if letter == "d" else None
        if found is not None:
            lo, hi = found
            break
    else:
        return (EARLIEST, LATEST) if kind in _STANDING else (0, 0)
    if kind not in _STANDING:
        return lo, hi
    for name in ("abatementDateTime", "abatementPeriod", "endDate"):
        end = tree.get(name)
        until = _of_period(end) if isinstance(end, dict) else interval(end) if isinstance(end, str) else None
        if until is not None:
            return lo, max(hi, until[1])
    return (lo, hi) if status in _ENDED else (lo, LATEST)


def _of_period(value: Tree) -> tuple[int, int] | None:
    """Return a Period's interval; an open or unreadable side is infinite. None when both are."""
    start = interval(text) if isinstance(text := value.get("start"), str) else None
    end = interval(text) if isinstance(text := value.get("end"), str) else None
    if start is None and end is None:
        return None
    lo = start[0] if start else EARLIEST
    return lo, max(lo, end[1] if end else LATEST)


def _status(tree: Tree) -> str:
    """Return `status`, or the first code of `clinicalStatus` (Condition, AllergyIntolerance), or `lifecycleStatus`."""
    for name in ("status", "clinicalStatus", "lifecycleStatus"):
        value = tree.get(name)
        if isinstance(value, str):
            return value
        for coding in _codings(value):
            return coding.code
    return ""


# ---- codes and texts -------------------------------------------------------------------------------------------


def _codings(value: object) -> list[Coding]:
    """Return the codings in a Coding, a CodeableConcept or a list of either."""
    if isinstance(value, list):
        return [coding for item in value for coding in _codings(item)]
    if not isinstance(value, dict):
        return []
    if "coding" in value:
        return _codings(value["coding"])
    code, system, display = value.get("code"), value.get("system", ""), value.get("display", "")
    return [Coding(system, code, display)] if isinstance(code, str) and code else []


def _codes(tree: Tree, kind: str) -> dict[Coding, None]:
    found: dict[Coding, None] = {}
    for name, letter in _CODES_OF[kind]:
        if name in tree and letter[0] in "CG":
            for coding in _codings(tree[name]):
                found[coding] = None
    return found


def _label(tree: Tree, kind: str) -> str:
    for name, _ in _LABELS_OF[kind]:
        told = _text(tree.get(name))
        if told:
            return told[:200]
    reference = tree.get("medicationReference")
    return _text(reference)[:200] if isinstance(reference, dict) else ""


def _text(value: Any) -> str:
    """Return what a person would read: a string, a concept's text or display, a name."""
    if isinstance(value, list):
        return next((told for item in value if (told := _text(item))), "")
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    for name in ("text", "display", "name"):
        text = value.get(name)
        if isinstance(text, str):
            return text
    if "coding" in value:
        return _text(value["coding"])
    family, given = _name(value)
    code = value.get("code")
    return f"{given} {family}".strip() or (code if isinstance(code, str) else "")


def _name(value: Tree) -> tuple[str, str]:
    """Return (family, given names joined by blanks) of a HumanName."""
    family, given = value.get("family", ""), value.get("given", [])
    told = " ".join(part for part in given if isinstance(part, str)) if isinstance(given, list) else ""
    return (family if isinstance(family, str) else ""), told


def _person(tree: Tree) -> Person:
    names = tuple(_name(name) for name in tree.get("name", ()) if isinstance(name, dict))
    return Person(names, tree.get("birthDate", ""), tree.get("gender", ""))


def _identifiers(value: object) -> list[tuple[str, str]]:
    """Return (system, value) of an Identifier or a list of them; those without value tell nothing."""
    many = value if isinstance(value, list) else [value]
    return [
        (system, told)
        for one in many
        if isinstance(one, dict)
        and isinstance(told := one.get("value"), str)
        and isinstance(system := one.get("system", ""), str)
    ]


# ---- references ------------------------------------------------------------------------------------------------


def _target(value: object, changed: Mapping[str, str], kind: str) -> str:
    """Return the id of a Reference to a `kind`, after rewriting; "" otherwise."""
    text = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return ""
    found, _, own = changed.get(text, text).partition("/")
    return own.partition("/")[0] if found == kind else ""


def _encounter(tree: Tree) -> object:
    """Return the Encounter reference: of most types `encounter`, of documents in `context`, of claims in `item`."""
    if "encounter" in tree:
        return _first(tree["encounter"])
    context = tree.get("context")
    if isinstance(context, dict):
        return context if "reference" in context else _first(context.get("encounter"))
    item = _first(tree.get("item"))
    return _first(item.get("encounter")) if isinstance(item, dict) else None


def _first(value: object) -> object:
    return (value[0] if value else None) if isinstance(value, list) else value


def _authors(tree: Tree, kind: str, changed: Mapping[str, str]) -> dict[str, None]:
    """Return every "Type/id" that an author's element refers to, after rewriting."""
    found: dict[str, None] = {}
    for name, _ in _AUTHORS_OF[kind]:
        value = tree.get(name)
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, dict):
                for part in (one, one.get("actor"), one.get("onBehalfOf")):
                    text = part.get("reference") if isinstance(part, dict) else None
                    if isinstance(text, str):
                        found[changed.get(text, text)] = None
    return found


def _author(tree: Tree, kind: str, changed: Mapping[str, str]) -> str:
    for name, _ in _AUTHORS_OF[kind]:
        value = tree.get(name)
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, dict):
                for part in (one, one.get("actor"), one.get("onBehalfOf")):
                    own = _target(part, changed, "Organization")
                    if own:
                        return own
    return ""
