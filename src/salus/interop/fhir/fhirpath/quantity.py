"""System.Quantity: a decimal with a unit, which is a UCUM code or a calendar duration (FHIRPath N1 2.1.6, 6.1, 6.2, 6.6)."""

import decimal
from decimal import Decimal
from fractions import Fraction
from typing import Final

from salus.interop.fhir.fhirpath.units import Unit, known, unit

CONTEXT: Final = decimal.Context(prec=34, rounding=decimal.ROUND_HALF_EVEN, Emax=6_144, Emin=-6_143)

# calendar keyword: the definite UCUM duration it may be compared with. A year and a month have none: their length varies.
CALENDAR: Final = {
    "year": None, "month": None, "week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms",
}  # fmt: skip
PLURALS: Final = {f"{name}s": name for name in CALENDAR}
DEFINITE: Final = {code: name for name, code in CALENDAR.items() if code} | {"a": "year", "mo": "month"}


class Quantity:
    """A value and its unit; `calendar` tells the keyword `day` from the code `'d'`."""

    __slots__ = ("calendar", "code", "value", "written")
    system = "Quantity"

    def __init__(self, value: Decimal, code: str = "1", *, calendar: bool = False, written: str | None = None) -> None:
        self.value = value
        self.code = code
        self.calendar = calendar
        self.written = written if written is not None else code

    def measure(self) -> Unit:
        """Return factor and dimensions; a calendar year or month is a dimension of its own."""
        if self.calendar:
            definite = CALENDAR[self.code]
            return unit(definite) if definite else Unit(Fraction(1), ((f"calendar {self.code}", 1),))
        return unit(self.code)

    def canonical(self) -> tuple[Fraction, tuple[tuple[str, int], ...]]:
        """Return the value in base units, exactly, and the dimensions."""
        measure = self.measure()
        return Fraction(self.value) * measure.factor, measure.dimensions

    def key(self) -> tuple[object, ...]:
        """Return equal keys for quantities that are equal (`=`)."""
        return ("quantity", *self.canonical())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __str__(self) -> str:
        return f"{self.value:f} {self.written if self.calendar else repr_code(self.code)}"

    def __repr__(self) -> str:
        return f"Quantity({self})"


def repr_code(code: str) -> str:
    """Write a unit as FHIRPath does, in single quotes."""
    return "'" + code.replace("\\", "\\\\").replace("'", "\\'") + "'"


def named(value: Decimal, text: str) -> Quantity | None:
    """Make a quantity of a bare calendar word (`day`, `days`); None for any other word."""
    singular = PLURALS.get(text, text)
    return Quantity(value, singular, calendar=True, written=text) if singular in CALENDAR else None


def compare(left: Quantity, right: Quantity) -> int | None:
    """Order two quantities: -1, 0, 1, or None when their dimensions differ."""
    (left_value, left_dimensions), (right_value, right_dimensions) = left.canonical(), right.canonical()
    if left_dimensions != right_dimensions:
        return None
    return (left_value > right_value) - (left_value < right_value)


def convert(value: Quantity, code: str) -> Quantity | None:
    """Express a quantity in another unit of the same dimensions; None when there is no such conversion."""
    source, target = value.measure(), unit(code)
    if source.dimensions != target.dimensions:
        return None
    ratio = Fraction(value.value) * source.factor / target.factor
    return Quantity(to_decimal(ratio), code)


def to_decimal(ratio: Fraction) -> Decimal:
    """Make a decimal of a fraction, to 34 significant digits whatever the thread's context."""
    return CONTEXT.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))


def multiply(left: Quantity, right: Quantity, power: int) -> Quantity | None:
    """Multiply (power 1) or divide (power -1) two quantities; None by zero.

    Equal dimensions cancel through base units; else the result's unit is written as product or quotient.
    """
    if power < 0 and right.value == 0:
        return None
    (left_code, right_code) = (
        CALENDAR[item.code] or item.code if item.calendar else item.code for item in (left, right)
    )
    dimensions = dict(left.measure().dimensions)
    for name, exponent in right.measure().dimensions:
        dimensions[name] = dimensions.get(name, 0) + exponent * power
    if not any(dimensions.values()):
        ratio = left.canonical()[0] * right.canonical()[0] ** power
        return Quantity(to_decimal(ratio), "1")
    if right_code == "1":
        code = left_code
    elif left_code == "1" and power > 0:
        code = right_code
    else:
        code = f"{left_code}{'.' if power > 0 else '/'}{_grouped(right_code)}"
    combine = CONTEXT.multiply if power > 0 else CONTEXT.divide
    return Quantity(combine(left.value, right.value), code)


def _grouped(code: str) -> str:
    return f"({code})" if known(code) and any(mark in code for mark in "./") else code
