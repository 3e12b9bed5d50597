"""Checks of a component's content, by the names the syntax dictionary gives them.

A name not here is not checked: company prefixes, currencies, countries and coupons, whose tables belong to others.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from salus.interop.gs1.digits import checks

DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SETS: Final[Mapping[str, re.Pattern[str]]] = {
    "N": re.compile(r"[0-9]*\Z"),
    "X": re.compile(r"""[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z]*\Z"""),
    "Y": re.compile(r"[#\-/0-9A-Z]*\Z"),
    "Z": re.compile(r"[\-0-9A-Z_a-z=]*\Z"),
}


def days_of(year: int, month: int) -> int:
    """Return the number of days of a month, 1 to 12, in the Gregorian calendar."""
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return DAYS[month - 1] + leap


def is_date(text: str, *, zero_day: bool) -> bool:
    """Return whether YYMMDD is a day of the calendar; day 00 stands for the month's last where `zero_day`.

    The century does not change the answer: 00 is taken as 2000, a leap year as is every year divisible by 4 since 1904.
    """
    year, month, day = int(text[:2]), int(text[2:4]), int(text[4:])
    return 1 <= month <= 12 and (0 if zero_day else 1) <= day <= days_of(2000 + year, month)


def _long_date(text: str) -> bool:
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    return 1 <= month <= 12 and 1 <= day <= days_of(year, month)


LINTS: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "csum": (checks, "the check digit of the digits before it"),
    "yymmd0": (lambda text: is_date(text, zero_day=True), "a day of the calendar, YYMMDD, day 00 for the month's last"),
    "yymmdd": (lambda text: is_date(text, zero_day=False), "a day of the calendar, YYMMDD"),
    "yyyymmdd": (_long_date, "a day of the calendar, YYYYMMDD"),
    "hhmi": (lambda text: int(text[:2]) < 24 and int(text[2:]) < 60, "an hour and minute, HHMM"),
    "hh": (lambda text: int(text) < 24, "an hour, 00 to 23"),
    "mi": (lambda text: int(text) < 60, "a minute, 00 to 59"),
    "ss": (lambda text: int(text) < 60, "a second, 00 to 59"),
    "yesno": (lambda text: text in "01", "0 or 1"),
    "nonzero": (lambda text: int(text) != 0, "a number other than zero"),
    "zero": (lambda text: text == "0", "0"),
    "nozeroprefix": (lambda text: text == "0" or not text.startswith("0"), "no leading zero"),
    "pieceoftotal": (lambda text: 0 < int(text[:2]) <= int(text[2:]), "a piece not above the total, neither zero"),
    "hasnondigit": (lambda text: not text.isdigit(), "at least one character that is no digit"),
    "hyphen": (lambda text: text == "-", "a hyphen"),
}
