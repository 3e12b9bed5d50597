"""What a resource has to be found by: the values of its search parameters, as rows of one table per kind of value.

token      code, system ("*" where the element's binding implies one, "" for none)
string     folded (see `fold`), exact
date       lo, hi: half-open, Unix ms, at the value's own precision
number     lo, hi: equal unless the element is a range
quantity   lo, hi, system, code, unit
reference  target: "Type/id", or an absolute URL as written
uri        uri

Each row begins with the parameter's number and ends with a place, which tells the parts of one element of a composite
from those of the next; it is 0 elsewhere, and where a composite's element is the resource itself. What stands under the
numbers of others (`Parameter.numbers`) is made once, by these. A token's text (display, concept text) is a string under its own number.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from salus.interop.fhir.fhirpath import Environment, Expression, Node, compile, r4  # noqa: A004 -- its name there
from salus.interop.fhir.fhirpath.errors import FhirPathError
from salus.interop.fhir.search.definitions import IDENTIFIER, OF_TYPE, Parameter, alternatives, parameters
from salus.interop.fhir.search.paths import End, Leaf, NoPath, Paths, Steps, met, named_type, walk
from salus.interop.fhir.search.sounds import sounds
from salus.interop.fhir.times import EARLIEST, LATEST, interval

TABLES: Final = ("token", "string", "date", "number", "quantity", "reference", "uri")
MAX_TEXT: Final = 1_000
"""Characters of a string that are searched: longer ones are narrative."""
MAX_VALUES: Final = 5_000
"""Rows of one resource: the largest real ones (a Bundle-like Questionnaire, an EOB of 200 items) stay below."""
INFINITE: Final = 1e300
"""Stands for an open side of a range: JSON numbers of records are smaller by far."""

Rows = dict[str, list[tuple[Any, ...]]]
Rename = Callable[[str], str]
"""From a reference as written to the name under which its target is kept here ("Type/id")."""


def as_written(reference: str) -> str:
    """Keep a reference as it is."""
    return reference


def fold(text: str) -> str:
    """Return a string for comparison without case and accents (R4 search on strings): NFKD, no marks, case folded."""
    text = text[:MAX_TEXT]
    if text.isascii():
        return " ".join(text.lower().split())
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join(plain.casefold().split())


class Found:
    """The rows found so far, and how references are renamed."""

    __slots__ = (*TABLES, "rename")

    def __init__(self, rename: Rename) -> None:
        self.rename = rename
        self.token: list[tuple[Any, ...]] = []
        self.string: list[tuple[Any, ...]] = []
        self.date: list[tuple[Any, ...]] = []
        self.number: list[tuple[Any, ...]] = []
        self.quantity: list[tuple[Any, ...]] = []
        self.reference: list[tuple[Any, ...]] = []
        self.uri: list[tuple[Any, ...]] = []

    def rows(self) -> Rows:
        """Return the rows of each table that has any, each once."""
        told = ((table, getattr(self, table)) for table in TABLES)
        return {table: list(dict.fromkeys(many))[:MAX_VALUES] for table, many in told if many}


Take = Callable[[Found, tuple[int, ...], Any, int], None]
"""Makes rows of one item under each of some numbers, with a place."""


class _Alternative(NamedTuple):
    """One alternative of a composite: the steps to its elements (None: the resource itself), and those to its parts."""

    elements: Steps | None
    parts: tuple[Steps, ...]

    def met(self, keys: frozenset[str]) -> "_Alternative | None":
        """Return what is left of it on a resource with these elements."""
        if self.elements is not None:
            elements = met(self.elements, keys)
            return _Alternative(elements, self.parts) if elements else None
        parts = tuple(met(part, keys) for part in self.parts)
        return _Alternative(None, parts) if all(parts) else None

    def take(self, tree: dict[str, Any], found: Found, place: int) -> int:
        """Make the rows of all elements, numbered from `place`; return the next place. The resource itself is no. 0."""
        if self.elements is None:
            self._take(tree, tree, found, 0)
            return place
        elements: list[tuple[End, Any]] = []
        walk(tree, self.elements, tree, elements)
        for _, element in elements:
            if element.__class__ is dict:
                self._take(element, tree, found, place)
            place += 1
        return place

    def _take(self, element: dict[str, Any], tree: dict[str, Any], found: Found, place: int) -> None:
        told: list[tuple[End, Any]] = []
        for part in self.parts:
            before = len(told)
            walk(element, part, tree, told)
            if len(told) == before:  # an element that lacks a part is found by none
                return
        for (take, numbers), item in told:
            take(found, numbers, item, place)


class _Evaluated:
    """A parameter whose expression is no path, left to the evaluator: it may find something where no element stands."""

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter
        self._expression = compile(parameter.expression)
        self._parts = [(part, compile(part.expression)) for part in parameter.components]

    def take(self, tree: dict[str, Any], found: Found) -> None:
        """Make the rows. An expression that fails on the resource finds nothing."""
        environment = Environment(resource=tree, resolve=_stub)
        items = _evaluated(self._expression, tree, environment)
        if not self._parts:
            _take_all(self._parameter, items, found, 0, texts=True)
            return
        for place, item in enumerate(items, start=1):
            told = [(part, _evaluated(expression, item, environment)) for part, expression in self._parts]
            if all(of_part for _, of_part in told):
                for part, of_part in told:
                    _take_all(part, of_part, found, place, texts=False)


def _evaluated(expression: Expression, focus: Any, environment: Environment) -> list[Any]:
    try:
        return expression.items(focus, environment)
    except FhirPathError:
        return []


def _take_all(parameter: Parameter, items: Iterable[Any], found: Found, place: int, *, texts: bool) -> None:
    for item in items:
        is_node = item.__class__ is Node
        kind = item.type.name if is_node and item.type else ""
        taker(parameter.type, kind, texts=texts)(found, (parameter.number,), item.value if is_node else item, place)


def _stub(address: str) -> Any:
    """Answer resolve() with the type that a reference names: no expression of a search parameter asks for more."""
    kind = named_type(address)
    return {"resourceType": kind} if kind in r4().resources else None


class _Plan(NamedTuple):
    """How the values of a type's resources are found, or of those with certain elements."""

    steps: Steps
    composites: tuple[tuple[_Alternative, ...], ...]
    evaluated: tuple[_Evaluated, ...]


@cache
def _plan(kind: str) -> _Plan:
    paths = Paths(r4().resources[kind], r4())
    composites, evaluated = [], []
    for code, one in sorted(parameters(kind).items()):
        if code in {"_id", "_lastUpdated"}:  # the index has them of its own
            continue
        try:
            if one.components:
                composites.append(_composite(one, kind))
            elif one.number in one.numbers:
                paths.add(one.expression, _leaf(one, texts=True))
        except NoPath:
            evaluated.append(_Evaluated(one))
    return _Plan(paths.steps(), tuple(composites), tuple(evaluated))


def _leaf(parameter: Parameter, *, texts: bool) -> Leaf:
    return lambda kind: (taker(parameter.type, kind, texts=texts), parameter.number)


def _noting(kinds: list[str]) -> Leaf:
    """Return a leaf that notes the types which paths end at."""

    def leaf(kind: str) -> tuple[Any, int]:
        kinds.append(kind)
        return None, 0

    return leaf


def _composite(parameter: Parameter, kind: str) -> tuple[_Alternative, ...]:
    """Return a composite's alternatives, as far as its parts stand under numbers of their own. Raises NoPath."""
    told = []
    own = [part for part in parameter.components if part.number in part.numbers]
    if not own:
        return ()
    for text in alternatives(parameter.expression):
        kinds: list[str] = []
        paths = Paths(r4().types[kind], r4())
        paths.add(text, _noting(kinds))
        if len(set(kinds)) != 1:
            raise NoPath
        parts = []
        for part in own:
            of_part = Paths(r4().types[kinds[0]], r4())
            of_part.add(part.expression, _leaf(part, texts=False))
            parts.append(of_part.steps())
        told.append(_Alternative(None if paths.whole() else paths.steps(), tuple(parts)))
    return tuple(told)


@lru_cache(maxsize=4_096)
def _plan_for(kind: str, keys: frozenset[str]) -> _Plan:
    """Return what is left of a type's plan on a resource with these elements: real ones come in few shapes."""
    whole = _plan(kind)
    composites = (tuple(left for one in many if (left := one.met(keys))) for many in whole.composites)
    return _Plan(met(whole.steps, keys), tuple(many for many in composites if many), whole.evaluated)


def values(tree: dict[str, Any], rename: Rename = as_written) -> Rows:
    """Return the rows of a resource that passed the gate."""
    plan = _plan_for(str(tree["resourceType"]), frozenset(tree))
    found = Found(rename)
    told: list[tuple[End, Any]] = []
    walk(tree, plan.steps, tree, told)
    for (take, numbers), item in told:
        take(found, numbers, item, 0)
    for many in plan.composites:
        place = 1
        for alternative in many:
            place = alternative.take(tree, found, place)
    for one in plan.evaluated:
        one.take(tree, found)
    return found.rows()


# token ----------------------------------------------------------------------------------------------------------------


def _tokens(kind: str, *, texts: bool) -> Take:
    """Return what makes rows of the tokens of one type. `texts`: also what they read as."""
    of_object = {"Identifier": _identifier, "CodeableConcept": _concept, "ContactPoint": _contact}.get(kind, _coding)
    system = "*" if kind == "code" else ""

    def take(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
        of_class = value.__class__
        if of_class is dict:
            of_object(found, numbers, value, place, texts=texts)
        elif of_class is str or of_class is int:
            found.token += [(number, str(value), system, place) for number in numbers]
        elif of_class is bool:
            found.token += [(number, "true" if value else "false", "*", place) for number in numbers]

    return take


def _coding(found: Found, numbers: tuple[int, ...], value: dict[str, Any], place: int, *, texts: bool) -> None:
    code, system = value.get("code"), value.get("system", "")
    if code.__class__ is str and system.__class__ is str:
        found.token += [(number, code, system, place) for number in numbers]
    if texts:
        _text(found, numbers, value.get("display"), place)


def _concept(found: Found, numbers: tuple[int, ...], value: dict[str, Any], place: int, *, texts: bool) -> None:
    for one in _dicts(value.get("coding")):
        _coding(found, numbers, one, place, texts=texts)
    if texts:
        _text(found, numbers, value.get("text"), place)


def _contact(found: Found, numbers: tuple[int, ...], value: dict[str, Any], place: int, *, texts: bool) -> None:  # noqa: ARG001 -- as the others
    told = value.get("value")
    if told.__class__ is str:
        found.token += [(number, told, "", place) for number in numbers]


def _identifier(found: Found, numbers: tuple[int, ...], value: dict[str, Any], place: int, *, texts: bool) -> None:
    told, system = value.get("value"), value.get("system", "")
    if told.__class__ is not str or system.__class__ is not str:
        return
    found.token += [(number, told, system, place) for number in numbers]
    if (kind := value.get("type")).__class__ is not dict:
        return
    if texts:
        _text(found, numbers, kind.get("text"), place)
    for one in _dicts(kind.get("coding")):
        code, system = f"{one.get('code', '')}|{told}", str(one.get("system", ""))
        found.token += [(number + OF_TYPE, code, system, place) for number in numbers]


# string ---------------------------------------------------------------------------------------------------------------


def _text(found: Found, numbers: tuple[int, ...], text: Any, place: int) -> None:
    if text.__class__ is str and text:
        folded, exact = fold(text), text[:MAX_TEXT]
        found.string += [(number, folded, exact, place) for number in numbers]


def _strings(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
    if value.__class__ is str:
        _text(found, numbers, value, place)
    elif value.__class__ is dict:  # HumanName and Address: any of their parts
        for name in _PARTS:
            part = value.get(name)
            for text in part if part.__class__ is list else (part,):
                _text(found, numbers, text, place)


def _sounds(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
    parts = [value]
    if value.__class__ is dict:
        given = value.get("given")
        parts = [value.get("family"), value.get("text"), *(given if given.__class__ is list else ())]
    for text in parts:
        if isinstance(text, str):
            told = sounds(text[:MAX_TEXT])
            found.string += [(number, code, word, place) for number in numbers for code, word in told]


# date -----------------------------------------------------------------------------------------------------------------


def _dates(kind: str) -> Take:
    of_object = _of_timing if kind == "Timing" else _of_period

    def take(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
        told = interval(value) if value.__class__ is str else of_object(value) if value.__class__ is dict else None
        if told is not None:
            found.date += [(number, *told, place) for number in numbers]

    return take


# number and quantity --------------------------------------------------------------------------------------------------


def _numbers(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
    if isinstance(value, dict):
        lo, hi = _low(value), _high(value)
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        lo = hi = bounded(value)
    else:
        return
    found.number += [(number, lo, hi, place) for number in numbers]


def _quantities(kind: str) -> Take:
    def take(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
        if value.__class__ is not dict:
            return
        if kind == "Range":
            lo, hi = _low(value), _high(value)
            unit = _unit(value.get("low") or value.get("high"))
        elif (told := _float(value.get("value"))) is not None:
            unit = ("urn:iso:std:iso:4217", str(value.get("currency", "")), "") if kind == "Money" else _unit(value)
            mark = value.get("comparator", "")
            lo = -INFINITE if mark in ("<", "<=") else told
            hi = INFINITE if mark in (">", ">=") else told
        else:
            return
        found.quantity += [(number, lo, hi, *unit, place) for number in numbers]

    return take


# reference and uri ----------------------------------------------------------------------------------------------------


def _references(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
    if value.__class__ is str:  # canonical, uri
        targets = (value, value.partition("|")[0]) if "|" in value else (value,)
        for number in numbers:
            found.reference += [(number, target, place) for target in targets]
        return
    if value.__class__ is not dict:
        return
    text = value.get("reference")
    if "resourceType" in value and value.get("id").__class__ is str:  # what a Bundle begins with, not a reference to it
        text = f"{value['resourceType']}/{value['id']}"
    if text.__class__ is str and text[:1] != "#":
        target = found.rename(text.partition("/_history/")[0])
        found.reference += [(number, target, place) for number in numbers]
    if (identifier := value.get("identifier")).__class__ is dict:
        told, system = identifier.get("value"), identifier.get("system", "")
        if told.__class__ is str and system.__class__ is str:
            found.token += [(number + IDENTIFIER, told, system, place) for number in numbers]


def _uris(found: Found, numbers: tuple[int, ...], value: Any, place: int) -> None:
    if value.__class__ is str:
        found.uri += [(number, value, place) for number in numbers]


@cache
def taker(type_: str, kind: str, *, texts: bool) -> Take:
    """Return what makes the rows of a parameter's type from items of a FHIR type ("": a System value).

    texts: also what a token reads as; a part of a composite is not searched by it.
    """
    match type_:
        case "token":
            return _tokens(kind, texts=texts)
        case "date":
            return _dates(kind)
        case "quantity":
            return _quantities(kind)
    return {
        "string": _strings,
        "phonetic": _sounds,
        "number": _numbers,
        "reference": _references,
        "uri": _uris,
    }[type_]


_PARTS: Final = ("family", "given", "prefix", "suffix", "text", "line", "city", "district", "state", "postalCode", "country")  # fmt: skip


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _of_period(value: Mapping[str, Any]) -> tuple[int, int] | None:
    start, end = value.get("start"), value.get("end")
    lo = interval(start) if isinstance(start, str) else None
    hi = interval(end) if isinstance(end, str) else None
    if lo is None and hi is None:
        return None
    return (lo[0] if lo else EARLIEST), (hi[1] if hi else LATEST)


def _of_timing(value: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the outer limits of a Timing (R4 search on dates: details of repetition do not matter)."""
    events = value.get("event")
    found = [
        each for one in (events if isinstance(events, list) else ()) if isinstance(one, str) and (each := interval(one))
    ]
    if found:
        return min(lo for lo, _ in found), max(hi for _, hi in found)
    repeat = value.get("repeat")
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    return _of_period(bounds) if isinstance(bounds, dict) else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return bounded(value)


def bounded(number: Decimal | Fraction | int) -> float:
    """Return a number as the index holds it; one beyond `INFINITE`, which a float may not hold at all, as that."""
    try:
        told = float(number)
    except OverflowError:
        return INFINITE if number > 0 else -INFINITE
    return max(-INFINITE, min(INFINITE, told))


def _low(value: Mapping[str, Any]) -> float:
    low = value.get("low")
    told = _float(low.get("value")) if isinstance(low, dict) else None
    return -INFINITE if told is None else told


def _high(value: Mapping[str, Any]) -> float:
    high = value.get("high")
    told = _float(high.get("value")) if isinstance(high, dict) else None
    return INFINITE if told is None else told


def _unit(value: Any) -> tuple[str, str, str]:
    """Return system, code and unit of a Quantity, "" where absent."""
    if value.__class__ is not dict:
        return "", "", ""
    system, code, unit = (value.get(name) for name in ("system", "code", "unit"))
    return (
        system if isinstance(system, str) else "",
        code if isinstance(code, str) else "",
        unit if isinstance(unit, str) else "",
    )
