"""Amounts as X12 writes them (decimal, point only where needed) and as integer cents; quantities in thousandths."""

from functools import lru_cache
from typing import Final

MAX_CENTS: Final = 10**13  # a hundred billion dollars: more than any payment, so an overflow shows as a finding
REMEMBERED: Final = 4096  # an amount stands in a claim some three times, and the same ones in many claims
_SHORT: Final = 11  # digits of whole dollars that are within it


class BadAmount(ValueError):
    """A text that is no amount of money to the cent, or is beyond `MAX_CENTS`."""


def _scaled(text: str, places: int) -> int:
    negative = text[0] == "-"
    whole, _, fraction = (text[1:] if negative else text).partition(".")
    digits = whole + fraction
    if not (digits.isdecimal() and digits.isascii()):
        raise BadAmount("not a decimal number")
    if fraction:
        kept, rest = fraction[:places].ljust(places, "0"), fraction[places:]
        if rest.strip("0"):
            raise BadAmount(f"more than {places} decimal places")
        value = int(whole + kept)
    else:
        value = int(whole) * 10**places
    if value > MAX_CENTS:
        raise BadAmount("beyond the largest amount")
    return -value if negative else value


@lru_cache(maxsize=REMEMBERED)
def cents(text: str) -> int:
    """Return an amount in cents; empty text is zero. Raises BadAmount."""
    whole, point, fraction = text.partition(".")
    if whole.isdecimal() and text.isascii() and len(whole) <= _SHORT:  # most amounts, in a third of the time
        if not point:
            return int(whole) * 100
        if len(fraction) <= 2 and fraction.isdecimal():
            return int(whole + fraction.ljust(2, "0"))
    return _scaled(text, 2) if text else 0


@lru_cache(maxsize=REMEMBERED)
def thousandths(text: str) -> int:
    """Return a quantity in thousandths; empty text is zero. Raises BadAmount."""
    return _scaled(text, 3) if text else 0


@lru_cache(maxsize=REMEMBERED)
def amount(value: int) -> str:
    """Write cents as X12 R: no exponent, no trailing zeros after the point."""
    if value < 0:
        return _written(value, 2)
    whole, part = divmod(value, 100)
    if not part:
        return str(whole)
    return f"{whole}.{part:02d}" if part % 10 else f"{whole}.{part // 10}"


def dollars(value: int) -> str:
    """Write cents for people: $1,234.50."""
    sign, whole = ("-" if value < 0 else ""), abs(value)
    return f"{sign}${whole // 100:,}.{whole % 100:02d}"


@lru_cache(maxsize=REMEMBERED)
def quantity(value: int) -> str:
    """Write thousandths as X12 R."""
    return _written(value, 3)


def _written(value: int, places: int) -> str:
    whole, part = divmod(abs(value), 10**places)
    sign = "-" if value < 0 else ""
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{str(part).rjust(places, '0').rstrip('0')}"
