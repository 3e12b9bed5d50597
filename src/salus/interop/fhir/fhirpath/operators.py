"""Equality, equivalence, order, arithmetic and logic over collections (FHIRPath N1 section 6)."""

import decimal
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any, Final

from salus.interop.fhir.fhirpath import quantity as measures
from salus.interop.fhir.fhirpath import temporal
from salus.interop.fhir.fhirpath.environment import MAX_TEXT
from salus.interop.fhir.fhirpath.errors import EvaluationFailed, LimitExceeded
from salus.interop.fhir.fhirpath.model import Node, system_value
from salus.interop.fhir.fhirpath.quantity import CONTEXT, Quantity
from salus.interop.fhir.fhirpath.temporal import Temporal, Time

DECIMALS: Final = Decimal("1e-8")  # quotients and transcendental results keep eight places (N1 2.1.4)
MAX_INTEGER: Final = 2**63  # beyond it an integer result overflows and is empty (N1 6.6)


def single(items: list[Any], what: str) -> Any:
    """Return the System value of the only item, None when there is none. Raises EvaluationFailed for many."""
    if len(items) == 1:
        item = items[0]
        return system_value(item) if item.__class__ is Node else item
    if items:
        raise EvaluationFailed(f"{what} takes one item, found {len(items)}")
    return None


def truth(items: list[Any], what: str = "a condition") -> bool | None:
    """Evaluate as a Boolean (N1 4.5): empty is None, a single item of another type is true."""
    if not items:
        return None
    value = single(items, what)
    if value.__class__ is bool:
        return bool(value)
    # a boolean element that has extensions but no value decides nothing
    is_boolean = items[0].__class__ is Node and items[0].type is not None and items[0].type.system == "Boolean"
    return None if is_boolean else True


def text(items: list[Any], what: str) -> str | None:
    """Return the only item as a string, None when there is none. Raises EvaluationFailed for another type."""
    value = single(items, what)
    if value is None or value.__class__ is str:
        if value is None and items and _is_complex(items[0]):
            raise EvaluationFailed(f"{what} takes a string")
        return value
    raise EvaluationFailed(f"{what} takes a string, not {type_label(value)}")


def _is_complex(item: Any) -> bool:
    return item.__class__ is Node and item.value.__class__ is dict


def integer(items: list[Any], what: str) -> int | None:
    """Return the only item as an integer, None when there is none. Raises EvaluationFailed for another type."""
    value = single(items, what)
    if value is None or value.__class__ is int:
        return value
    raise EvaluationFailed(f"{what} takes an integer, not {type_label(value)}")


def type_label(value: Any) -> str:
    """Name the System type of a value, for messages."""
    names = {bool: "Boolean", int: "Integer", Decimal: "Decimal", str: "String"}
    return names.get(value.__class__, getattr(value, "system", "an element"))


def is_number(value: Any) -> bool:
    """Tell whether a System value is an Integer or a Decimal."""
    return value.__class__ is int or value.__class__ is Decimal


def key(item: Any) -> Hashable:
    """Return a hashable that is equal for items that are equal (`=`)."""
    value = system_value(item)
    if value.__class__ is bool:
        return ("boolean", value)
    if isinstance(value, Temporal | Quantity):
        return value.key()
    if value is None or value.__class__ is dict:
        return (
            ("element", frozen(item.value), frozen(item.extra))
            if item.__class__ is Node
            else ("element", frozen(value))
        )
    return value  # type: ignore[no-any-return]  # str, int, Decimal


def frozen(value: Any) -> Hashable:
    """Make decoded JSON hashable, order of members aside."""
    if value.__class__ is dict:
        return frozenset((name, frozen(one)) for name, one in value.items())
    if value.__class__ is list:
        return tuple(frozen(one) for one in value)
    return ("boolean", value) if value.__class__ is bool else value


def distinct(items: list[Any]) -> list[Any]:
    """Keep the first of equal items."""
    if len(items) < 2:
        return items
    kept: dict[Hashable, Any] = {}
    for item in items:
        kept.setdefault(key(item), item)
    return list(kept.values())


def equal_items(left: Any, right: Any) -> bool | None:  # noqa: PLR0911  # one line for each pair of types
    """Compare two items (`=`); None where precision, zone or dimension leaves it open."""
    one, two = system_value(left), system_value(right)
    if one.__class__ is str or two.__class__ is str:
        return bool(one == two)
    if isinstance(one, Temporal) and isinstance(two, Temporal):
        if isinstance(one, Time) != isinstance(two, Time):
            return False
        order = temporal.compare(one, two)
        return None if order is None else order == 0
    if isinstance(one, Quantity) or isinstance(two, Quantity):
        first, second = _measured(one), _measured(two)
        if first is None or second is None:
            return False
        order = measures.compare(first, second)
        return None if order is None else order == 0
    if one.__class__ is bool or two.__class__ is bool:
        return one is two
    if is_number(one) and is_number(two):
        return bool(one == two)
    if one is None and two is None:
        return bool(left == right)
    if one.__class__ is dict and two.__class__ is dict:
        return bool(left == right)
    return False


def _measured(value: Any) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    return Quantity(Decimal(value), "1") if is_number(value) else None


def equal(left: list[Any], right: list[Any]) -> bool | None:
    """Compare two collections (`=`, N1 6.1.1): None when either is empty or an item leaves it open."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answer: bool | None = True
    for one, two in zip(left, right, strict=True):
        found = equal_items(one, two)
        if found is False:
            return False
        if found is None:
            answer = None
    return answer


def equivalent(left: list[Any], right: list[Any]) -> bool:
    """Compare two collections without regard to order (`~`, N1 6.1.2)."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        for position, two in enumerate(rest):
            if equivalent_items(one, two):
                del rest[position]
                break
        else:
            return False
    return True


def equivalent_items(left: Any, right: Any) -> bool:
    """Compare two items loosely: case and white space of strings, least precision of numbers, ids of elements aside."""
    one, two = system_value(left), system_value(right)
    if one.__class__ is str and two.__class__ is str:
        return bool(" ".join(one.split()).casefold() == " ".join(two.split()).casefold())
    if is_number(one) and is_number(two):
        return _near(Decimal(one), Decimal(two))
    if isinstance(one, Quantity) and isinstance(two, Quantity):
        return _near_quantity(one, two)
    if one is None or two is None or one.__class__ is dict:
        return _loose(getattr(left, "value", left)) == _loose(getattr(right, "value", right))
    return equal_items(left, right) is True


def _near(one: Decimal, two: Decimal) -> bool:
    places = min(max(-int(one.as_tuple().exponent), 0), max(-int(two.as_tuple().exponent), 0), 28)
    unit = Decimal(1).scaleb(-places)
    return one.quantize(unit, context=_WIDE) == two.quantize(unit, context=_WIDE)


_WIDE: Final = decimal.Context(prec=900, rounding=decimal.ROUND_HALF_UP)


def _near_quantity(one: Quantity, two: Quantity) -> bool:
    definite = [
        Quantity(item.value, "a" if item.code == "year" else "mo")
        if item.calendar and item.code in {"year", "month"}
        else item
        for item in (one, two)
    ]
    if one.calendar and two.calendar:
        definite = [one, two]
    first, second = definite
    if first.measure().dimensions != second.measure().dimensions:
        return False
    ratio = second.measure().factor / first.measure().factor
    if ratio >= 1:  # compare in the coarser unit, to which the finer one was rounded
        return _near(CONTEXT.multiply(first.value, measures.to_decimal(1 / ratio)), second.value)
    return _near(first.value, CONTEXT.multiply(second.value, measures.to_decimal(ratio)))


def _loose(value: Any) -> Hashable:
    if value.__class__ is dict:
        return frozenset((name, _loose(one)) for name, one in value.items() if name != "id")
    if value.__class__ is list:
        return frozenset(_loose(one) for one in value)
    if value.__class__ is str:
        return " ".join(value.split()).casefold()
    return ("boolean", value) if value.__class__ is bool else value


def order(left: list[Any], right: list[Any], operator: str) -> int | None:
    """Order two single items: -1, 0, 1; None when either is empty or it stays open (N1 6.2)."""
    one, two = single(left, operator), single(right, operator)
    if one is None or two is None:
        if any(_is_complex(items[0]) for items in (left, right) if items):
            raise EvaluationFailed(f"{operator} cannot order elements that have no value")
        return None
    return order_values(one, two, operator)


def order_values(one: Any, two: Any, operator: str) -> int | None:
    """Order two System values. Raises EvaluationFailed for types that have no order between them."""
    if (is_number(one) and is_number(two)) or (one.__class__ is str and two.__class__ is str):
        return int(one > two) - int(one < two)
    if isinstance(one, Temporal) and isinstance(two, Temporal) and isinstance(one, Time) == isinstance(two, Time):
        return temporal.compare(one, two)
    if isinstance(one, Quantity) or isinstance(two, Quantity):
        first, second = _measured(one), _measured(two)
        if first is not None and second is not None:
            return measures.compare(first, second)
    raise EvaluationFailed(f"{operator} cannot compare {type_label(one)} with {type_label(two)}")


def arithmetic(operator: str, left: list[Any], right: list[Any]) -> list[Any]:
    """Apply + - * / div mod & to single items; empty operands and impossible results are empty (N1 6.6)."""
    if operator == "&":
        return [bounded((text(left, "&") or "") + (text(right, "&") or ""))]
    one, two = single(left, operator), single(right, operator)
    if one is None or two is None:
        return []
    try:
        if is_number(one) and is_number(two):
            result = _NUMBERS[operator](one, two)
        elif one.__class__ is str and two.__class__ is str and operator == "+":
            result = bounded(one + two)
        elif isinstance(one, Temporal) and isinstance(two, Quantity) and operator in {"+", "-"}:
            result = _moved(one, two, operator)
        elif isinstance(one, Quantity) or isinstance(two, Quantity):
            result = _quantities(operator, one, two)
        else:
            raise EvaluationFailed(f"{operator} is not defined for {type_label(one)} and {type_label(two)}")
    except decimal.DecimalException:
        return []
    return [] if result is None else [result]


def within(size: int) -> None:
    """Raise LimitExceeded when a string of so many characters, above MAX_TEXT, would be produced."""
    if size > MAX_TEXT:
        raise LimitExceeded(f"a string of more than {MAX_TEXT} characters would be produced")


def bounded(value: str) -> str:
    """Return a produced string. Raises LimitExceeded beyond MAX_TEXT characters."""
    within(len(value))
    return value


def number(value: Any) -> Any:
    """Return a numeric result, None when an integer overflows."""
    return None if value.__class__ is int and abs(value) >= MAX_INTEGER else value


def _exact(
    operation: Callable[[Any, Any], Any], wide: Callable[[Decimal, Decimal], Decimal]
) -> Callable[[Any, Any], Any]:
    def apply(one: Any, two: Any) -> Any:
        if one.__class__ is int and two.__class__ is int:
            return number(operation(one, two))
        return wide(Decimal(one), Decimal(two))

    return apply


def rounded(value: Decimal) -> Decimal:
    """Cut a computed decimal to eight places, without padding."""
    return value.quantize(DECIMALS, context=_WIDE) if int(value.as_tuple().exponent) < -8 else value


def _divide(one: Any, two: Any) -> Any:
    return None if two == 0 else rounded(CONTEXT.divide(Decimal(one), Decimal(two)))


def _whole_quotient(one: Any, two: Any) -> Any:
    return None if two == 0 else number(int(CONTEXT.divide_int(Decimal(one), Decimal(two))))


def _remainder(one: Any, two: Any) -> Any:
    if two == 0:
        return None
    rest = CONTEXT.remainder(Decimal(one), Decimal(two))
    return int(rest) if one.__class__ is int and two.__class__ is int else rest


_NUMBERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": _exact(lambda one, two: one + two, CONTEXT.add),
    "-": _exact(lambda one, two: one - two, CONTEXT.subtract),
    "*": _exact(lambda one, two: one * two, CONTEXT.multiply),
    "/": _divide,
    "div": _whole_quotient,
    "mod": _remainder,
}


def _moved(value: Temporal, amount: Quantity, operator: str) -> Temporal | None:
    name = amount.code if amount.calendar else measures.DEFINITE.get(amount.code)
    if name is None or (not amount.calendar and amount.code in {"a", "mo"}):
        raise EvaluationFailed(f"{operator} takes a calendar duration, or one of weeks or shorter")
    return temporal.add(value, amount.value.copy_negate() if operator == "-" else amount.value, name)


def _quantities(operator: str, one: Any, two: Any) -> Quantity | None:
    left, right = _measured(one), _measured(two)
    if left is None or right is None or operator not in {"+", "-", "*", "/"}:
        raise EvaluationFailed(f"{operator} is not defined for {type_label(one)} and {type_label(two)}")
    if operator == "*":
        return measures.multiply(left, right, 1)
    if operator == "/":
        return measures.multiply(left, right, -1)
    ratio = right.measure().factor / left.measure().factor
    if left.measure().dimensions != right.measure().dimensions:
        return None
    other = CONTEXT.multiply(right.value, measures.to_decimal(ratio))
    total = CONTEXT.add(left.value, other) if operator == "+" else CONTEXT.subtract(left.value, other)
    return Quantity(total, left.code, calendar=left.calendar, written=left.written)
