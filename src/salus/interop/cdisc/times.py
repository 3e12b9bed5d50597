"""Dates and durations of ISO 8601, as protocols and tabulations write them, without a clock or a time zone.

A day number counts days since 1970-01-01 in the proleptic Gregorian calendar.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_DURATION: Final = re.compile(
    r"P(?=\d|T\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?",
    re.ASCII,
)
_MOMENT: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?", re.ASCII)
MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time. Months have no fixed length and are added on the calendar."""

    months: int = 0
    days: int = 0
    seconds: int = 0
    clock: bool = False
    """Whether it was written with hours, minutes or seconds, be they zero: then a date alone decides nothing."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A complete date, with or without a time of day."""

    day: int
    """Day number."""
    seconds: int | None = None
    """Seconds since midnight; None for a date alone."""


def duration(text: str) -> Duration:
    """Return an unsigned duration. Raises ValueError for anything else, such as signs, fractions and `P`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("no unsigned ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    clock = "T" in text
    return Duration(years * 12 + months, weeks * 7 + days, hours * 3600 + minutes * 60 + seconds, clock)


@lru_cache(maxsize=65_536)
def moment(text: str) -> Moment | None:
    """Return what a complete ISO 8601 date or date and time says; None where it is partial, has a zone, or is none."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(each) for each in found.groups()[:3])
    if not (1 <= month <= 12 and 1 <= day <= days_of(year, month)):
        return None
    if found[4] is None:
        return Moment(day_number(year, month, day))
    hours, minutes, seconds = (int(each or 0) for each in found.groups()[3:])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return Moment(day_number(year, month, day), hours * 3600 + minutes * 60 + seconds)


def days_of(year: int, month: int) -> int:
    """Return how many days a month has."""
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return MONTH_DAYS[month - 1] + leap


def day_number(year: int, month: int, day: int) -> int:
    """Return the day number of a date of the calendar."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def date_of(number: int) -> tuple[int, int, int]:
    """Return (year, month, day) of a day number."""
    number += 719_468
    era = number // 146_097
    day_of_era = number - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year_of_era + era * 400 + (month <= 2), month, day


def written(number: int) -> str:
    """Return a day number as YYYY-MM-DD."""
    year, month, day = date_of(number)
    return f"{year:04d}-{month:02d}-{day:02d}"


def shifted(number: int, by: Duration, sign: int) -> int:
    """Return the day number `sign` (1 or -1) times the calendar part of `by` away; a month too short gives its last day."""
    if by.months:
        year, month, day = date_of(number)
        months = year * 12 + month - 1 + sign * by.months
        year, month = months // 12, months % 12 + 1
        number = day_number(year, month, min(day, days_of(year, month)))
    return number + sign * by.days
