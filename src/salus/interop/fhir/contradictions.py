"""What two records of one patient, kept apart, say against each other: found and named, never settled.

Compared are statements of different origins alone; what one origin says twice is its own affair. Told are names of
resources and elements, never values. Silence is no contradiction, and a partial date agrees with every date within it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

from salus.interop.fhir.times import interval

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
BLOOD_GROUPS: Final = frozenset({"882-1", "883-9", "10331-7"})
"""ABO and Rh group, ABO group, Rh group [LOINC]: they do not change, so a difference means a wrong patient or a wrong test."""
NO_ALLERGY: Final = {"716186003": "", "409137002": "medication", "429625007": "food", "428607008": "environment"}
"""No known allergy [SNOMED CT], by the category of AllergyIntolerance that it speaks of; "" for all."""
TYPES: Final = ("Patient", "AllergyIntolerance", "Condition", "Observation")
"""The types of resources that are compared."""
_UNSAID: Final = frozenset({"", "unknown"})
_Tree = dict[str, Any]


class Statement(NamedTuple):
    """One resource: where it comes from, its name "Type/id" here, its tree."""

    origin: str
    name: str
    tree: _Tree


class Contradiction(NamedTuple):
    """Two resources that contradict each other. element: FHIRPath of what differs. rule: the kind, in one word."""

    rule: str
    element: str
    names: tuple[str, str]


def contradictions(told: Iterable[Statement]) -> list[Contradiction]:
    """Return what contradicts what, in the order of the statements' names; types that are not compared are passed over."""
    by_type: dict[str, list[Statement]] = {}
    for one in sorted(told, key=lambda each: each.name):
        by_type.setdefault(str(one.tree.get("resourceType")), []).append(one)
    found = []
    for kind in TYPES:
        for one, other in combinations(by_type.get(kind, ()), 2):
            if one.origin != other.origin:
                found += [
                    Contradiction(rule, at, (one.name, other.name)) for rule, at in _RULES[kind](one.tree, other.tree)
                ]
    return found


_Said = Iterator[tuple[str, str]]


def _patients(one: _Tree, other: _Tree) -> _Said:
    if _apart(one.get("birthDate"), other.get("birthDate")):
        yield "birth-date", "Patient.birthDate"
    genders = {str(each.get("gender", "")) for each in (one, other)}
    if len(genders - _UNSAID) > 1:
        yield "gender", "Patient.gender"
    living = [_deceased(each) for each in (one, other)]
    if living in ([False, True], [True, False]) or _apart(one.get("deceasedDateTime"), other.get("deceasedDateTime")):
        yield "deceased", "Patient.deceased"


def _deceased(tree: _Tree) -> bool | None:
    return True if "deceasedDateTime" in tree else tree.get("deceasedBoolean")


def _apart(one: Any, other: Any) -> bool:
    """Tell whether two dates have no moment in common; what is no date says nothing."""
    spans = [interval(each) for each in (one, other) if isinstance(each, str)]
    first, second = spans if len(spans) == 2 else (None, None)
    return first is not None and second is not None and (first[1] <= second[0] or second[1] <= first[0])


def _allergies(one: _Tree, other: _Tree) -> _Said:
    stances = {_stance(one, ended=True), _stance(other, ended=True)}
    if stances == {"present", "denied"} and _alike(one.get("code"), other.get("code")):
        yield "allergy", "AllergyIntolerance.code"
    for none, some in ((one, other), (other, one)):
        spoken = _none_of(none)
        if spoken is not None and stances == {"present"} and _none_of(some) is None:
            known = some.get("category")
            if not spoken or (isinstance(known, list) and spoken in known):
                yield "no-known-allergy", "AllergyIntolerance.code"


def _none_of(tree: _Tree) -> str | None:
    """Return the category that a "no known allergy" speaks of, None for an allergy."""
    codes = [code for system, code in _codings(tree.get("code")) if system == SNOMED and code in NO_ALLERGY]
    return NO_ALLERGY[codes[0]] if codes else None


def _conditions(one: _Tree, other: _Tree) -> _Said:
    stances = {_stance(one, ended=False), _stance(other, ended=False)}
    if stances == {"present", "denied"} and _alike(one.get("code"), other.get("code")):
        yield "condition", "Condition.code"


def _stance(tree: _Tree, *, ended: bool) -> str:
    """Return whether a resource says that there is something (present), that there is not (denied), or neither ("").

    ended: whether what is inactive or resolved counts as denied; a condition may have been present and be over.
    """
    verified = {code for _, code in _codings(tree.get("verificationStatus"))}
    clinical = {code for _, code in _codings(tree.get("clinicalStatus"))}
    if "entered-in-error" in verified:
        return ""
    if "refuted" in verified:
        return "denied"
    if clinical & {"inactive", "resolved", "remission"}:
        return "denied" if ended else ""
    return "present"


def _observations(one: _Tree, other: _Tree) -> _Said:
    groups = [
        {code for system, code in _codings(each.get("code")) if system == LOINC} & BLOOD_GROUPS for each in (one, other)
    ]
    values = [each.get("valueCodeableConcept") or {"text": each.get("valueString")} for each in (one, other)]
    said = all(each.get("status") not in {"entered-in-error", "cancelled"} for each in (one, other))
    if said and groups[0] & groups[1] and all(map(_says, values)) and not _alike(*values):
        yield "blood-group", "Observation.value"


_RULES: Final[dict[str, Callable[[_Tree, _Tree], _Said]]] = {
    "Patient": _patients,
    "AllergyIntolerance": _allergies,
    "Condition": _conditions,
    "Observation": _observations,
}


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two CodeableConcepts share a coding or, where they share no system, their text without case."""
    ours, theirs = set(_codings(one)), set(_codings(other))
    if {system for system, _ in ours} & {system for system, _ in theirs}:
        return bool(ours & theirs)
    return bool(_text(one)) and _text(one) == _text(other)


def _says(concept: Any) -> bool:
    return bool(_text(concept) or _codings(concept))


def _text(concept: Any) -> str:
    text = concept.get("text") if isinstance(concept, dict) else None
    return text.strip().casefold() if isinstance(text, str) else ""


def _codings(concept: Any) -> Sequence[tuple[str, str]]:
    listed = concept.get("coding") if isinstance(concept, dict) else None
    told = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [(str(one.get("system", "")), str(one["code"])) for one in told if "code" in one]
