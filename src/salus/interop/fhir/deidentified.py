"""A FHIR R4 resource without what names a person: what an extract for research is made of.

Only elements whose type can hold no free text stay: codes, numbers, dates, references. Names, identifiers, addresses below
the state, contacts, narrative, notes, attachments, extensions and contained resources are not copied, so that no expression
run on the result can reach them. What stays is made coarser, in the terms of 45 CFR 164.514(b)(2):

- ids and references become pseudonyms, the same for the same thing everywhere in one extract;
- every date moves by the person's own number of days and loses its time of day; a date without a day keeps its year;
- a date of birth becomes a year, and ages above 89 one group; a postal code keeps three characters.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from salus.interop.fhir.definitions import PROFILED, r4
from salus.interop.fhir.fhirpath.temporal import calendar_day, day_number

OLDEST: Final = 89
POSTAL: Final = 3
MAX_DEPTH: Final = 64
DATES: Final = frozenset({"date", "dateTime", "instant"})
PLAIN: Final = frozenset({"boolean", "code", "decimal", "integer", "positiveInt", "unsignedInt", "time"})
NAMED: Final = frozenset({
    "Address.country", "Address.state", "Coding.system", "Quantity.code", "Quantity.system",
})  # fmt: skip
"""Elements of a textual type that hold a name of a system or a place, never of a person."""
DROPPED: Final = frozenset({
    "Annotation", "Attachment", "ContactDetail", "ContactPoint", "Contributor", "Expression", "Extension", "HumanName",
    "Identifier", "Meta", "Narrative", "RelatedArtifact", "Resource", "Signature", "base64Binary", "canonical",
    "markdown", "oid", "string", "uri", "url", "uuid", "xhtml",
})  # fmt: skip
"""Types that are not copied: identifiers, free text, and whatever may hold either."""
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T.*)?)?)?", re.ASCII)
_REFERENCE: Final = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?", re.ASCII)
_BIRTH: Final = "birthDate"

Json: TypeAlias = dict[str, Any]


class Person(NamedTuple):
    """How one person's resources are changed."""

    days: int
    """How far dates move; not 0."""
    year: int
    """The year of the extract: who would be older than 89 by its end is put into one group."""
    pseudonym: Callable[[str], str]
    """Pseudonym of `Type/id`, or of a reference that is none such: letters, digits, at most 64 characters."""


def deidentified(resource: Json, person: Person) -> Json:
    """Return what may leave of a resource; its type and a pseudonym as id always stay."""
    kind = resource.get("resourceType")
    told = kind if isinstance(kind, str) and kind in r4().structures else ""
    kept = _of(resource, told, person, 0) if told else {}
    own = resource.get("id")
    out: Json = {"resourceType": kind if told else ""}
    if told and isinstance(own, str):
        out["id"] = person.pseudonym(f"{told}/{own}")
    return out | kept


def shifted(text: str, days: int) -> str:
    """Return a date moved by whole days, without time of day; the year alone where no day is given, empty if it is no date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return ""
    year, month, day = found.groups()
    if month is None or day is None:
        return str(year)
    moved = calendar_day(day_number(int(year), int(month), int(day)) + days)
    return f"{moved[0]:04}-{moved[1]:02}-{moved[2]:02}"


def transformation(types: frozenset[str] | None, expression: str) -> str:
    """Return how values of a column's types were changed, in words for a data dictionary."""
    if expression.endswith(_BIRTH):
        return f"year alone; above {OLDEST} years in one group"
    if expression.endswith("postalCode"):
        return f"first {POSTAL} characters"
    if "Key(" in expression or (types and types <= {"id", "Reference"}):
        return "pseudonym"
    if types and types <= DATES:
        return "moved by the person's own number of days, without time of day"
    return "as recorded"


@cache
def _elements(name: str) -> Mapping[str, tuple[str, str]]:
    """Return JSON name → (type, `Type.element`) of a structure."""
    out: dict[str, tuple[str, str]] = {}
    for element in r4().elements(name):
        stem = element.name.removesuffix("[x]")
        for type_ in element.types:
            spoken = PROFILED.get(type_, type_)
            key = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            out[key] = spoken, f"{name}.{stem}"
    return out


def _of(source: Json, name: str, person: Person, depth: int) -> Json:
    out: Json = {}
    if depth > MAX_DEPTH:
        return out
    for key, (type_, path) in _elements(name).items():
        if key not in source:
            continue
        given = source[key]
        each = given if isinstance(given, list) else [given]
        kept = [one for one in (_value(value, type_, path, person, depth) for value in each) if one is not None]
        if kept:
            out[key] = kept if isinstance(given, list) else kept[0]
    return out


def _value(value: Any, type_: str, path: str, person: Person, depth: int) -> Any:  # noqa: PLR0911 -- one line a kind
    """Return what may leave of one value, or None."""
    if path == "Reference.reference":
        return _reference(value, person)
    if path == "Address.postalCode":
        return value[:POSTAL] if isinstance(value, str) else None
    if path in NAMED:
        return value if isinstance(value, str) else None
    if type_ in DROPPED or type_ == "id":
        return None
    if type_ in DATES:
        return _date(value, path, person)
    if type_ in PLAIN:
        return value if isinstance(value, str | bool | int | float) or hasattr(value, "as_tuple") else None
    if not isinstance(value, dict) or type_ not in r4().structures:
        return None
    kept = _of(value, type_, person, depth + 1)
    if type_ == "Age" and isinstance(kept.get("value"), int | float) and kept["value"] > OLDEST:
        kept["value"] = OLDEST + 1
    return kept or None


def _date(value: Any, path: str, person: Person) -> str | None:
    if not isinstance(value, str):
        return None
    if path.endswith(_BIRTH):
        year = value[:4]
        return str(max(int(year), person.year - OLDEST - 1)) if _DATE.fullmatch(value) else None
    return shifted(value, person.days) or None


def _reference(value: Any, person: Person) -> str | None:
    if not isinstance(value, str):
        return None
    found = _REFERENCE.fullmatch(value)
    if found is None:
        return None
    return f"{found[1]}/{person.pseudonym(f'{found[1]}/{found[2]}')}"
