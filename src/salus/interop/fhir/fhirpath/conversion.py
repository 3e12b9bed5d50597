"""Conversion functions and the toX / convertsToX pairs (FHIRPath N1 5.5)."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from salus.interop.fhir.fhirpath import quantity as measures
from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.operators import is_number, single, text
from salus.interop.fhir.fhirpath.quantity import Quantity
from salus.interop.fhir.fhirpath.registry import function
from salus.interop.fhir.fhirpath.temporal import (
    DAY,
    HOUR,
    Date,
    DateTime,
    Temporal,
    Time,
    parse_date,
    parse_date_time,
    parse_time,
)

_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "0.0"})
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}\Z", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?\Z", re.ASCII)
_QUANTITY: Final = re.compile(
    r"(?P<value>[+-]?\d{1,400}(?:\.\d{1,400})?)\s*(?:'(?P<code>[^']+)'|(?P<word>[A-Za-z]+))?\Z", re.ASCII
)


def to_boolean(value: Any) -> Any:
    """5.5.2."""
    if value.__class__ is bool:
        return value
    if is_number(value):
        return {0: False, 1: True}.get(value)
    if value.__class__ is str:
        lower = value.lower()
        return True if lower in _TRUE else False if lower in _FALSE else None
    return None


def to_integer(value: Any) -> Any:
    """5.5.3."""
    if value.__class__ is bool:
        return int(value)
    if value.__class__ is int:
        return value
    if value.__class__ is str and _INTEGER.match(value):
        return int(value)
    return None


def to_decimal(value: Any) -> Any:
    """5.5.6."""
    if value.__class__ is bool:
        return Decimal(int(value)).quantize(Decimal("0.1"))
    if is_number(value):
        return Decimal(value)
    if value.__class__ is str and _DECIMAL.match(value):
        return Decimal(value)
    return None


def to_string(value: Any) -> Any:
    """5.5.8."""
    if value.__class__ is str:
        return value
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is int:
        return str(value)
    if value.__class__ is Decimal:
        return f"{value:f}"
    return str(value) if isinstance(value, Temporal | Quantity) else None


def to_date(value: Any) -> Any:
    """5.5.4."""
    if isinstance(value, Date):
        return value
    if isinstance(value, DateTime):
        return Date((value.year, value.month, value.day, 0, 0, 0), min(value.precision, DAY))
    if value.__class__ is str:
        moment = parse_date_time(value)
        return to_date(moment) if moment and "T" in value else parse_date(value)
    return None


def to_date_time(value: Any) -> Any:
    """5.5.5."""
    if isinstance(value, DateTime):
        return value
    if isinstance(value, Date):
        return DateTime(value.fields, value.precision)
    return parse_date_time(value) if value.__class__ is str else None


def to_time(value: Any) -> Any:
    """5.5.9."""
    if isinstance(value, Time):
        return value
    return parse_time(value) if value.__class__ is str else None


def to_quantity(value: Any) -> Any:
    """5.5.7: text is a number with a calendar word, or a UCUM code in single quotes."""
    if isinstance(value, Quantity):
        return value
    if value.__class__ is bool:
        return Quantity(to_decimal(value))
    if is_number(value):
        return Quantity(Decimal(value))
    found = _QUANTITY.match(value) if value.__class__ is str else None
    if found is None:
        return None
    number = Decimal(found["value"])
    if found["word"]:
        return measures.named(number, found["word"])
    return Quantity(number, found["code"] or "1")


def _pair(name: str, convert: Callable[[Any], Any]) -> None:
    def to(items: list[Any], _: Frame) -> list[Any]:
        value = single(items, f"to{name}()")
        found = None if value is None else convert(value)
        if found is None and items and value is None and name == "String":
            return []
        return [] if found is None else [found]

    def converts(items: list[Any], _: Frame) -> list[Any]:
        value = single(items, f"convertsTo{name}()")
        return [] if not items else [value is not None and convert(value) is not None]

    function(f"to{name}")(to)
    function(f"convertsTo{name}")(converts)


for _name, _convert in (
    ("Boolean", to_boolean),
    ("Integer", to_integer),
    ("Long", to_integer),
    ("Decimal", to_decimal),
    ("String", to_string),
    ("Date", to_date),
    ("DateTime", to_date_time),
    ("Time", to_time),
):
    _pair(_name, _convert)


def _quantity(items: list[Any], unit: list[Any], what: str) -> Quantity | None:
    value = single(items, what)
    found: Quantity | None = None if value is None else to_quantity(value)
    code = text(unit, what) if unit else None
    if found is None or code is None:
        return found
    return measures.convert(found, code)


@function("toQuantity", 0, 1)
def quantity_of(items: list[Any], _: Frame, unit: list[Any] | None = None) -> list[Any]:
    """5.5.7."""
    found = _quantity(items, unit or [], "toQuantity()")
    return [] if found is None else [found]


@function("convertsToQuantity", 0, 1)
def converts_to_quantity(items: list[Any], _: Frame, unit: list[Any] | None = None) -> list[Any]:
    """5.5.7."""
    return [] if not items else [_quantity(items, unit or [], "convertsToQuantity()") is not None]


def _instant(frame: Frame) -> DateTime | None:
    return parse_date_time(frame.environment.now) if frame.environment.now else None


@function("now")
def now(_: list[Any], frame: Frame) -> list[Any]:
    """5.9.2: the given instant, the same in the whole evaluation; empty when none was given."""
    moment = _instant(frame)
    return [] if moment is None else [moment]


@function("today")
def today(_: list[Any], frame: Frame) -> list[Any]:
    """5.9.2: the date of the given instant, in its zone."""
    moment = _instant(frame)
    return [] if moment is None else [to_date(moment)]


@function("timeOfDay")
def time_of_day(_: list[Any], frame: Frame) -> list[Any]:
    """5.9.2: the time of the given instant, in its zone."""
    moment = _instant(frame)
    if moment is None or moment.precision < HOUR:
        return []
    return [Time((1970, 1, 1, *moment.fields[3:]), moment.precision, moment.fraction)]
