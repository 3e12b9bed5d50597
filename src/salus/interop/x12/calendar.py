"""Civil dates as X12 writes them (CCYYMMDD) and as day numbers, for arithmetic without a clock.

A day number counts days since 1970-01-01 in the proleptic Gregorian calendar.
"""

import re
from functools import lru_cache
from typing import Final

DATE_PATTERN: Final = (
    r"(?:[12]\d{3}(?:(?:0[13578]|1[02])(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)(?:0[1-9]|[12]\d|30)|02(?:0[1-9]|1\d|2[0-8]))"
    r"|(?:[12]\d(?:0[48]|[2468][048]|[13579][26])|(?:1[26]|20|24|28)00)0229)"
)
TIME_PATTERN: Final = r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d\d{0,2})?"
_DATE: Final = re.compile(DATE_PATTERN, re.ASCII)
_PERIODS: Final = {
    "D8": re.compile(DATE_PATTERN, re.ASCII),
    "RD8": re.compile(DATE_PATTERN + "-" + DATE_PATTERN, re.ASCII),
    "DT": re.compile(DATE_PATTERN + TIME_PATTERN, re.ASCII),
    "TM": re.compile(TIME_PATTERN, re.ASCII),
    "D6": re.compile(r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII),
}


def is_date(text: str) -> bool:
    """Tell whether `text` is a day of the calendar, written CCYYMMDD."""
    return _DATE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def is_period(qualifier: str, text: str) -> bool:
    """Tell whether `text` fits its format qualifier (D8, RD8, DT, TM, D6); a range must not run backwards."""
    pattern = _PERIODS.get(qualifier)
    if pattern is None or pattern.fullmatch(text) is None:
        return False
    return qualifier != "RD8" or text[:8] <= text[9:]


def first_day(text: str) -> str:
    """Return the first day, CCYYMMDD, of a date or of a range of dates."""
    return text[:8]


def last_day(text: str) -> str:
    """Return the last day, CCYYMMDD, of a date or of a range of dates."""
    return text[9:17] if text[8:9] == "-" else text[:8]


@lru_cache(maxsize=4096)
def day_number(text: str) -> int:
    """Return the day number of a date CCYYMMDD. Raises ValueError where the calendar has no such day."""
    if not is_date(text):
        raise ValueError("not a calendar day CCYYMMDD")
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


def date_of(number: int) -> str:
    """Return the date CCYYMMDD of a day number."""
    number += 719468
    era = number // 146097
    day_of_era = number - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return f"{year_of_era + era * 400 + (month <= 2):04d}{month:02d}{day:02d}"


def age_on(birth: str, day: str) -> int:
    """Return full years of age on `day`, both CCYYMMDD."""
    return int(day[:4]) - int(birth[:4]) - (day[4:] < birth[4:])
