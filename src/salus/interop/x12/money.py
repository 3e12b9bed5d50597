"""Amounts as X12 writes them (decimal, point only where needed) and as integer cents; quantities in thousandths."""

import re
from typing import Final

MAX_CENTS: Final = 10**13  # a hundred billion dollars: more than any payment, so an overflow shows as a finding
_DECIMAL: Final = re.compile(r"-?(?:\d+\.?\d*|\.\d+)", re.ASCII)


class BadAmount(ValueError):
    """A text that is no amount of money to the cent, or is beyond `MAX_CENTS`."""


def _scaled(text: str, places: int) -> int:
    if _DECIMAL.fullmatch(text) is None:
        raise BadAmount("not a decimal number")
    sign = -1 if text[0] == "-" else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    kept, rest = fraction[:places].ljust(places, "0"), fraction[places:]
    if rest.strip("0"):
        raise BadAmount(f"more than {places} decimal places")
    value = int((whole or "0") + kept)
    if value > MAX_CENTS:
        raise BadAmount("beyond the largest amount")
    return sign * value


def cents(text: str) -> int:
    """Return an amount in cents; empty text is zero. Raises BadAmount."""
    return _scaled(text, 2) if text else 0


def thousandths(text: str) -> int:
    """Return a quantity in thousandths; empty text is zero. Raises BadAmount."""
    return _scaled(text, 3) if text else 0


def amount(value: int) -> str:
    """Write cents as X12 R: no exponent, no trailing zeros after the point."""
    return _written(value, 2)


def quantity(value: int) -> str:
    """Write thousandths as X12 R."""
    return _written(value, 3)


def _written(value: int, places: int) -> str:
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(places + 1, "0")
    fraction = digits[-places:].rstrip("0")
    return sign + digits[:-places] + ("." + fraction if fraction else "")
