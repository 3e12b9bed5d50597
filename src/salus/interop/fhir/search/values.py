"""What a resource has to be found by: the values of its search parameters, as rows of one table per kind of value.

token      code, system ("*" where the element's binding implies one, "" for none)
string     folded (see `fold`), exact
date       lo, hi: half-open, Unix ms, at the value's own precision
number     lo, hi: equal unless the element is a range
quantity   lo, hi, system, code, unit
reference  target: "Type/id", or an absolute URL as written
uri        uri

Each row begins with the parameter's number and ends with a place, which tells the parts of one element of a composite
from those of the next; it is 0 elsewhere. A token's text (display, concept text) is a string under its own number.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from salus.interop.fhir.fhirpath import Environment, Expression, Focus, Node, compile, r4  # noqa: A004 -- its name there
from salus.interop.fhir.fhirpath.errors import FhirPathError
from salus.interop.fhir.search.definitions import IDENTIFIER, OF_TYPE, Parameter, alternatives, parameters
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


class _Rule:
    """One parameter of one type, compiled: the expression, and the JSON names of which one must be there."""

    __slots__ = ("components", "expression", "names", "needed", "parameter")

    def __init__(self, parameter: Parameter, kind: str) -> None:
        self.parameter = parameter
        self.expression: Expression = compile(parameter.expression)
        self.names = _first_names(parameter.expression, kind)
        self.components = [(part, compile(part.expression)) for part in parameter.components]
        whole = parameter.expression == kind
        self.needed = [_first_names(part.expression, kind) for part in parameter.components] if whole else []

    def may_hold(self, keys: frozenset[str]) -> bool:
        """Tell whether the resource has any element that the expression could reach: most parameters, it has not."""
        if self.needed:
            return all(not keys.isdisjoint(names) for names in self.needed)
        return not self.names or not keys.isdisjoint(self.names)


def _first_names(expression: str, kind: str) -> frozenset[str]:
    """Return the JSON names of the first elements that an expression's alternatives step to; empty: any."""
    definition = r4().resources[kind]
    found = set()
    for part in alternatives(expression):
        steps = part.lstrip("(").replace(" as ", ".").replace(" ", ".").replace(")", ".").split(".")
        name = steps[1] if steps[0][:1].isupper() and len(steps) > 1 else steps[0]
        element = definition.elements.get(name.partition("[")[0].partition("(")[0])
        if element is None:
            return frozenset()
        for json_name, extra_name, _ in element.choices:
            found |= {json_name, extra_name}
    return frozenset(found)


@cache
def _rules(kind: str) -> tuple[_Rule, ...]:
    skipped = {"_id", "_lastUpdated"}  # the index has them of its own
    return tuple(_Rule(one, kind) for code, one in sorted(parameters(kind).items()) if code not in skipped)


def _stub(address: str) -> Any:
    """Answer resolve() with the type that a reference names: no expression of a search parameter asks for more."""
    kind = address.rpartition("/")[0].rpartition("/")[2]
    return {"resourceType": kind} if kind in r4().resources else None


@lru_cache(maxsize=4_096)
def _rules_for(kind: str, keys: frozenset[str]) -> tuple[_Rule, ...]:
    """Return the rules of a type that may hold on a resource with these elements: real ones come in few shapes."""
    return tuple(rule for rule in _rules(kind) if rule.may_hold(keys))


_ENVIRONMENT: Final = Environment(resolve=_stub)


def values(tree: Mapping[str, Any], rename: Rename = as_written) -> Rows:
    """Return the rows of a resource that passed the gate. An expression that fails on it finds nothing."""
    rows: Rows = {}
    taker = _Taker(rows, rename)
    whole = _Element(tree)
    for rule in _rules_for(str(tree["resourceType"]), frozenset(tree)):
        if rule.parameter.type != "composite":
            taker.take_all(rule.parameter, whole.run(rule.expression), 0)
            continue
        elements = [whole] if rule.needed else [whole.inner(item) for item in whole.run(rule.expression)]
        for place, element in enumerate(elements):
            for part, told in element.run_all(rule.components):
                taker.take_all(part, told, place, texts=False)
    return {table: list(dict.fromkeys(of_table))[:MAX_VALUES] for table, of_table in rows.items()}


class _Element:
    """An element with the results of the expressions that ran on it: many parameters ask the same."""

    __slots__ = ("_focus", "_inner", "_known", "_value")

    def __init__(self, item: Any) -> None:
        self._value = _json(item)
        self._focus = Focus(item, _ENVIRONMENT, r4())
        self._known: dict[str, list[Any]] = {}
        self._inner: dict[int, _Element] = {}

    def run(self, expression: Expression) -> list[Any]:
        known = self._known.get(expression.text)
        if known is None:
            try:
                known = expression.run(self._focus)
            except FhirPathError:
                known = []
            self._known[expression.text] = known
        return known

    def run_all(self, parts: Iterable[tuple[Parameter, Expression]]) -> list[tuple[Parameter, list[Any]]]:
        """Return what each part of a composite finds; nothing when one of them finds nothing."""
        found = []
        for part, expression in parts:
            told = self.run(expression)
            if not told:
                return []
            found.append((part, told))
        return found

    def inner(self, item: Any) -> "_Element":
        """Return an element of this one, the same for the same JSON."""
        value = _json(item)
        if value is self._value:
            return self
        known = self._inner.get(id(value))
        if known is None:
            known = self._inner[id(value)] = _Element(item)
        return known


def _json(item: Any) -> Any:
    return item.value if item.__class__ is Node else item


class _Taker:
    """Turns items of an expression's result into rows, by the parameter's type and the item's."""

    def __init__(self, rows: Rows, rename: Rename) -> None:
        self._rows = rows
        self._rename = rename
        self._texts = True
        self._takers: Final = {
            "token": self._token,
            "string": self._string,
            "date": self._date,
            "number": self._number,
            "quantity": self._quantity,
            "reference": self._reference,
            "uri": self._uri,
        }

    def take_all(self, parameter: Parameter, items: Iterable[Any], place: int, *, texts: bool = True) -> None:
        """Take items. `texts`: also what a token reads as; a part of a composite is not searched by it."""
        take = self._takers[parameter.type]
        self._texts = texts or parameter.type == "string"
        for item in items:
            if item.__class__ is Node:
                take(parameter.number, item.value, item.type.name if item.type else "", place)
            else:
                take(parameter.number, item, "", place)

    def _add(self, table: str, *row: Any) -> None:
        self._rows.setdefault(table, []).append(row)

    # token --------------------------------------------------------------------------------------------------------

    def _token(self, number: int, value: Any, kind: str, place: int) -> None:
        if isinstance(value, bool):
            self._add("token", number, "true" if value else "false", "*", place)
        elif isinstance(value, str | int):
            self._add("token", number, str(value), "*" if kind == "code" else "", place)
        elif isinstance(value, dict):
            if kind == "Identifier":
                self._identifier(number, value, place)
            elif kind == "CodeableConcept":
                for coding in _dicts(value.get("coding")):
                    self._coding(number, coding, place)
                self._text(number, value.get("text"), place)
            elif kind == "ContactPoint":
                if isinstance(told := value.get("value"), str):
                    self._add("token", number, told, "", place)
            else:
                self._coding(number, value, place)

    def _coding(self, number: int, value: Mapping[str, Any], place: int) -> None:
        code, system = value.get("code"), value.get("system", "")
        if isinstance(code, str) and isinstance(system, str):
            self._add("token", number, code, system, place)
        self._text(number, value.get("display"), place)

    def _identifier(self, number: int, value: Mapping[str, Any], place: int) -> None:
        told, system = value.get("value"), value.get("system", "")
        if not isinstance(told, str) or not isinstance(system, str):
            return
        self._add("token", number, told, system, place)
        kind = value.get("type")
        if isinstance(kind, dict):
            self._text(number, kind.get("text"), place)
            for coding in _dicts(kind.get("coding")):
                code = f"{coding.get('code', '')}|{told}"
                self._add("token", number + OF_TYPE, code, str(coding.get("system", "")), place)

    def _text(self, number: int, text: Any, place: int) -> None:
        if self._texts and isinstance(text, str) and text:
            self._add("string", number, fold(text), text[:MAX_TEXT], place)

    # string -------------------------------------------------------------------------------------------------------

    def _string(self, number: int, value: Any, _kind: str, place: int) -> None:
        if isinstance(value, str):
            self._text(number, value, place)
        elif isinstance(value, dict):  # HumanName and Address: any of their parts
            for name in _PARTS:
                part = value.get(name)
                for text in part if isinstance(part, list) else (part,):
                    self._text(number, text, place)

    # date ---------------------------------------------------------------------------------------------------------

    def _date(self, number: int, value: Any, kind: str, place: int) -> None:
        if isinstance(value, str):
            found = interval(value)
        elif not isinstance(value, dict):
            return
        elif kind == "Timing":
            found = _of_timing(value)
        else:
            found = _of_period(value)
        if found is not None:
            self._add("date", number, *found, place)

    # number and quantity ------------------------------------------------------------------------------------------

    def _number(self, number: int, value: Any, _kind: str, place: int) -> None:
        if isinstance(value, dict):
            self._add("number", number, _low(value), _high(value), place)
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            self._add("number", number, float(value), float(value), place)

    def _quantity(self, number: int, value: Any, kind: str, place: int) -> None:
        if not isinstance(value, dict):
            return
        if kind == "Range":
            side = value.get("low") or value.get("high") or {}
            self._add("quantity", number, _low(value), _high(value), *_unit(side), place)
        elif (told := _float(value.get("value"))) is not None:
            money = ("urn:iso:std:iso:4217", str(value.get("currency", "")), "")
            unit = money if kind == "Money" else _unit(value)
            mark = value.get("comparator", "")
            lo = -INFINITE if mark in {"<", "<="} else told
            hi = INFINITE if mark in {">", ">="} else told
            self._add("quantity", number, lo, hi, *unit, place)

    # reference and uri --------------------------------------------------------------------------------------------

    def _reference(self, number: int, value: Any, _kind: str, place: int) -> None:
        if isinstance(value, str):  # canonical, uri
            self._add("reference", number, value, place)
            if "|" in value:
                self._add("reference", number, value.partition("|")[0], place)
            return
        if not isinstance(value, dict):
            return
        text = value.get("reference")
        if isinstance(text, str) and text[:1] != "#":
            self._add("reference", number, self._rename(text.partition("/_history/")[0]), place)
        if isinstance(identifier := value.get("identifier"), dict):
            told, system = identifier.get("value"), identifier.get("system", "")
            if isinstance(told, str) and isinstance(system, str):
                self._add("token", number + IDENTIFIER, told, system, place)

    def _uri(self, number: int, value: Any, _kind: str, place: int) -> None:
        if isinstance(value, str):
            self._add("uri", number, value, place)


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
    return max(-INFINITE, min(INFINITE, float(value)))


def _low(value: Mapping[str, Any]) -> float:
    low = value.get("low")
    told = _float(low.get("value")) if isinstance(low, dict) else None
    return -INFINITE if told is None else told


def _high(value: Mapping[str, Any]) -> float:
    high = value.get("high")
    told = _float(high.get("value")) if isinstance(high, dict) else None
    return INFINITE if told is None else told


def _unit(value: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return system, code and unit of a Quantity, "" where absent."""
    system, code, unit = (value.get(name) for name in ("system", "code", "unit"))
    return (
        system if isinstance(system, str) else "",
        code if isinstance(code, str) else "",
        unit if isinstance(unit, str) else "",
    )
