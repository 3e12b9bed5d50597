"""FHIR date, dateTime and instant as half-open intervals of Unix milliseconds (R4 2.24.0.1, search on dates).

A partial date covers its whole year, month or day; a time without zone cannot occur (R4 demands one with a time).
A date alone is read in UTC, as R4 search does on the server's side.
"""

import re
from functools import lru_cache
from typing import Final

EARLIEST: Final = -62_135_596_800_000
"""0001-01-01T00:00Z: the open lower side of a period."""
LATEST: Final = 253_402_300_800_000
"""10000-01-01T00:00Z: the open upper side of a period."""

_DAY: Final = 86_400_000
_LONGEST: Final = 35
"""Characters of a date with nanoseconds and offset; what is longer is neither a date nor to be remembered."""
_SHAPE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?"
)
_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a proleptic Gregorian date (Hinnant's algorithm: March-based eras)."""
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def days_in(year: int, month: int) -> int:
    """Return the number of days of a month (1 to 12)."""
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _MONTHS[month - 1] + leap


def interval(text: str) -> tuple[int, int] | None:
    """Return [lo, hi) in Unix milliseconds of a date, dateTime or instant at its own precision.

    None when the text is no valid one: wrong shape, month 13, 30 February, hour 24, offset beyond 14 hours.
    A leap second (:60) is read as the first of the next minute. Fractions finer than a millisecond are cut.
    """
    return None if len(text) > _LONGEST else _interval(text)


@lru_cache(maxsize=4096)
def _interval(text: str) -> tuple[int, int] | None:
    found = _SHAPE.fullmatch(text)
    if found is None or text.startswith("0000"):
        return None
    year_text, month_text, day_text, hour_text, minute_text, second_text, fraction, zone = found.groups()
    year = int(year_text)
    if month_text is None:
        return _days(year, 1, 1) * _DAY, _days(year + 1, 1, 1) * _DAY
    month, day = int(month_text), int(day_text or "1")
    if not 1 <= month <= 12 or not 1 <= day <= days_in(year, month):
        return None
    first = _days(year, month, 1)
    if day_text is None:
        return first * _DAY, (first + days_in(year, month)) * _DAY
    start = (first + day - 1) * _DAY
    if hour_text is None:
        return start, start + _DAY
    return _clock(start, hour_text, minute_text, second_text, fraction=fraction or "", zone=zone)


def _clock(
    start: int, hour_text: str, minute_text: str, second_text: str, *, fraction: str, zone: str
) -> tuple[int, int] | None:
    """Return the interval of a time of the day that begins at `start` (ms), in its zone."""
    hour, minute, second = int(hour_text), int(minute_text), int(second_text)
    offset = _offset(zone)
    if hour > 23 or minute > 59 or second > 60 or offset is None:
        return None
    start += ((hour * 60 + minute - offset) * 60 + second) * 1000
    if not fraction:
        return start, start + 1000
    start += int(fraction[:3].ljust(3, "0"))
    return start, start + 10 ** (3 - min(3, len(fraction)))


def _offset(zone: str) -> int | None:
    """Return a zone's minutes east of UTC, None beyond the 14 hours that R4 allows."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    if minutes > 840 or zone[4:6] > "59":
        return None
    return -minutes if zone[0] == "-" else minutes
