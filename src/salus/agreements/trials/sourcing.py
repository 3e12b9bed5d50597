"""Criteria and items read from records: FHIRPath over decoded FHIR R4, evaluated alike by everyone who holds the records.

An expression sees no clock but the time that is passed in: whoever evaluates again passes the act's own and gets the same.
Units are converted by the expression itself (`Observation.value.toQuantity('kg')`).
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from salus.core.errors import SalusError
from salus.core.proof.digest import digest
from salus.interop.fhir.fhirpath import Environment, Expression, FhirPathError, Quantity, compile  # noqa: A004 -- its name

EVALUATOR: Final = "salus-fhirpath-1"


class NotEvaluated(SalusError):
    """An expression that is none, or gives no single value on these records. Says nothing of the records."""


@lru_cache(256)
def compiled(expression: str) -> Expression:
    """Return a compiled expression. Raises NotEvaluated."""
    try:
        return compile(expression)
    except FhirPathError as error:
        raise NotEvaluated(str(error)) from None


def criterion_holds(expression: str, resources: Sequence[Any], now: str) -> bool | None:
    """Return whether a criterion holds on a person's decoded resources; None where they do not tell.

    `now` is an instant with zone, ISO 8601. Raises NotEvaluated.
    """
    try:
        return compiled(expression).test(list(resources), Environment(now=now))
    except FhirPathError as error:
        raise NotEvaluated(str(error)) from None


def item_value(expression: str, resource: Any, now: str) -> str:
    """Return the one value that an expression gives on a decoded resource, as text. Raises NotEvaluated."""
    try:
        found = compiled(expression)(resource, Environment(now=now))
    except FhirPathError as error:
        raise NotEvaluated(str(error)) from None
    if len(found) != 1:
        raise NotEvaluated(f"the expression gives {len(found)} values, one is needed")
    (value,) = found
    if isinstance(value, Quantity):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if not isinstance(value, str | int):
        raise NotEvaluated("the expression gives an element, not a value")
    return str(value)


def evidence_digest(expression: str, leaves: Sequence[bytes], answer: str) -> str:
    """Return what a screening act says of a criterion's evidence: evaluator, expression, records, answer; hexadecimal."""
    return digest(
        "salus/v1/trial-criterion", EVALUATOR.encode(), expression.encode(), answer.encode(), *sorted(leaves)
    ).hex()
