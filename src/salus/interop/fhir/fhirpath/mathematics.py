"""Math functions and the boundary functions (FHIRPath N1 5.7; boundaries as in the STU part, used by SQL on FHIR).

Everything is decimal: square roots, logarithms and powers are computed with 34 digits and keep eight places.
"""

import decimal
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from salus.interop.fhir.fhirpath import temporal
from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.errors import EvaluationFailed
from salus.interop.fhir.fhirpath.operators import integer, is_number, number, rounded, single, type_label
from salus.interop.fhir.fhirpath.quantity import CONTEXT, Quantity, compare
from salus.interop.fhir.fhirpath.registry import function
from salus.interop.fhir.fhirpath.temporal import Date, Temporal, Time

MAX_PLACES: Final = 31  # decimal places that the boundary functions may be asked for
_WIDE: Final = decimal.Context(prec=900)


def _numeric(items: list[Any], what: str) -> Any:
    value = single(items, what)
    if value is None or is_number(value) or isinstance(value, Quantity):
        return value
    raise EvaluationFailed(f"{what} takes a number, not {type_label(value)}")


def _apply(items: list[Any], what: str, operation: Callable[[Decimal], Any]) -> list[Any]:
    """Apply to a number, or to the value of a quantity; undefined results are empty."""
    value = _numeric(items, what)
    if value is None:
        return []
    try:
        if isinstance(value, Quantity):
            changed = Decimal(operation(value.value))
            return [Quantity(changed, value.code, calendar=value.calendar, written=value.written)]
        found = number(operation(Decimal(value)))
    except decimal.DecimalException:
        return []
    return [] if found is None else [found]


@function("abs")
def absolute(items: list[Any], _: Frame) -> list[Any]:
    """5.7.1."""
    value = _numeric(items, "abs()")
    return [abs(value)] if value.__class__ is int else _apply(items, "abs()", Decimal.copy_abs)


def _integral(rounding: str) -> Callable[[Decimal], int]:
    return lambda value: int(value.to_integral_value(rounding))


@function("ceiling")
def ceiling(items: list[Any], _: Frame) -> list[Any]:
    """5.7.2."""
    return _apply(items, "ceiling()", _integral(decimal.ROUND_CEILING))


@function("floor")
def floor(items: list[Any], _: Frame) -> list[Any]:
    """5.7.4."""
    return _apply(items, "floor()", _integral(decimal.ROUND_FLOOR))


@function("truncate")
def truncate(items: list[Any], _: Frame) -> list[Any]:
    """5.7.10."""
    return _apply(items, "truncate()", _integral(decimal.ROUND_DOWN))


@function("exp")
def exponential(items: list[Any], _: Frame) -> list[Any]:
    """5.7.3."""
    return _apply(items, "exp()", lambda value: rounded(CONTEXT.exp(value)))


@function("ln")
def natural_logarithm(items: list[Any], _: Frame) -> list[Any]:
    """5.7.5: empty for what is not above zero."""
    return _apply(items, "ln()", lambda value: rounded(CONTEXT.ln(value)) if value > 0 else None)


@function("log", 1)
def logarithm(items: list[Any], _: Frame, base: list[Any]) -> list[Any]:
    """5.7.6."""
    root = _numeric(base, "log()")
    if root is None or isinstance(root, Quantity) or root <= 0 or root == 1:
        return []
    divisor = CONTEXT.ln(Decimal(root))
    return _apply(
        items, "log()", lambda value: rounded(CONTEXT.divide(CONTEXT.ln(value), divisor)) if value > 0 else None
    )


@function("power", 1)
def power(items: list[Any], _: Frame, exponent: list[Any]) -> list[Any]:
    """5.7.7: empty where there is no real result."""
    value, by = _numeric(items, "power()"), _numeric(exponent, "power()")
    if value is None or by is None or isinstance(value, Quantity) or isinstance(by, Quantity):
        return []
    if value.__class__ is int and by.__class__ is int and 0 <= by <= 64:
        found = number(value**by)
        return [] if found is None else [found]
    try:
        return [rounded(CONTEXT.power(Decimal(value), Decimal(by)))]
    except decimal.DecimalException:
        return []


@function("sqrt")
def square_root(items: list[Any], _: Frame) -> list[Any]:
    """5.7.9: empty for negative numbers."""
    return _apply(items, "sqrt()", lambda value: rounded(CONTEXT.sqrt(value)) if value >= 0 else None)


@function("round", 0, 1)
def round_to(items: list[Any], _: Frame, places: list[Any] | None = None) -> list[Any]:
    """5.7.8: halves away from zero."""
    digits = integer(places, "round()") if places else 0
    if digits is None or not 0 <= digits <= MAX_PLACES:
        raise EvaluationFailed(f"round() takes 0 to {MAX_PLACES} places")
    unit = Decimal(1).scaleb(-digits)
    value = _numeric(items, "round()")
    if value.__class__ is int:
        return [value]
    return _apply(items, "round()", lambda one: one.quantize(unit, rounding=decimal.ROUND_HALF_UP, context=_WIDE))


@function("precision")
def precision(items: list[Any], _: Frame) -> list[Any]:
    """Count the decimal places written, or the digits of a date or time."""
    value = single(items, "precision()")
    if isinstance(value, Temporal):
        return [value.digits()]
    if is_number(value):
        return [max(-int(Decimal(value).as_tuple().exponent), 0)]
    return []


@function("comparable", 1)
def comparable(items: list[Any], _: Frame, other: list[Any]) -> list[Any]:
    """Tell whether two quantities have the same dimensions."""
    one, two = single(items, "comparable()"), single(other, "comparable()")
    if not isinstance(one, Quantity) or not isinstance(two, Quantity):
        return []
    return [compare(one, two) is not None]


@function("lowBoundary", 0, 1)
def low_boundary(items: list[Any], _: Frame, digits: list[Any] | None = None) -> list[Any]:
    """Return the least value that the written one may stand for, to so many places or digits."""
    return _boundary(items, digits or [], "lowBoundary()", upper=False)


@function("highBoundary", 0, 1)
def high_boundary(items: list[Any], _: Frame, digits: list[Any] | None = None) -> list[Any]:
    """Return the greatest value that the written one may stand for, to so many places or digits."""
    return _boundary(items, digits or [], "highBoundary()", upper=True)


def _boundary(items: list[Any], digits: list[Any], what: str, *, upper: bool) -> list[Any]:
    value = single(items, what)
    wanted = integer(digits, what)
    found: Any = None
    if isinstance(value, Temporal):
        usual = 9 if isinstance(value, Time) else 8 if isinstance(value, Date) else 17
        found = temporal.to_precision(value, usual if wanted is None else wanted, upper=upper)
    elif isinstance(value, Quantity):
        bound = decimal_boundary(value.value, wanted, upper=upper)
        found = bound and Quantity(bound, value.code, calendar=value.calendar, written=value.written)
    elif is_number(value):
        found = decimal_boundary(Decimal(value), wanted, upper=upper)
    return [] if found is None else [found]


def decimal_boundary(value: Decimal, places: int | None, *, upper: bool) -> Decimal | None:
    """Move by half of the last written digit, outwards to so many places (8 when not said); None beyond MAX_PLACES.

    A bound whose magnitude is below the last place is zero, as in the specification's cases.
    """
    wanted = 8 if places is None else places
    if not 0 <= wanted <= MAX_PLACES:
        return None
    half = Decimal(5).scaleb(int(value.as_tuple().exponent) - 1)
    bound = _WIDE.add(value, half) if upper else _WIDE.subtract(value, half)
    unit = Decimal(1).scaleb(-wanted)
    if bound.copy_abs() < unit and value.copy_abs() < unit:
        return bound.quantize(unit, rounding=decimal.ROUND_DOWN, context=_WIDE)
    outwards = decimal.ROUND_CEILING if upper else decimal.ROUND_FLOOR
    return bound.quantize(unit, rounding=outwards, context=_WIDE)
