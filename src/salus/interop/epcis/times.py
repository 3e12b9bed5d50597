"""Times of EPCIS: XML Schema dateTimeStamp (RFC 3339 with an offset) as Unix milliseconds and back."""

import re
from typing import Any, Final

from salus.interop.epcis.refusal import EpcisRefused

SHAPE: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))\Z", re.ASCII
)
DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def milliseconds(value: Any, at: str) -> int:
    """Return Unix milliseconds, finer fractions cut. Raises EpcisRefused for what is no time with an offset."""
    found = SHAPE.match(value) if isinstance(value, str) else None
    if found is None:
        raise EpcisRefused("epcis.time", at, "a date and time with offset, such as 2026-03-01T12:00:00Z")
    year, month, day, hour, minute, second = (int(found[place]) for place in range(1, 7))
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    east = int(found[9] or 0) * 60 + int(found[10] or 0)
    if not (1 <= month <= 12 and 1 <= day <= DAYS[month - 1] + leap and hour < 24 and minute < 60 and second < 60):
        raise EpcisRefused("epcis.time", at, "a day of the calendar and a time of the day")
    if east > 14 * 60 or year < 1:
        raise EpcisRefused("epcis.time", at, "an offset of at most 14 hours")
    if found[8] == "-":
        east = -east
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute - east) * 60 + second
    return seconds * 1000 + int((found[7] or "").ljust(3, "0")[:3])


def text(time: int) -> str:
    """Return Unix milliseconds as a time in UTC."""
    days, rest = divmod(time, 86_400_000)
    shifted = days + 719_468
    era, of_era = divmod(shifted, 146_097)
    of_400 = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * of_400 + of_400 // 4 - of_400 // 100)
    march = (5 * of_year + 2) // 153
    day, month = of_year - (153 * march + 2) // 5 + 1, (march + 2) % 12 + 1
    year = of_400 + era * 400 + (month <= 2)
    second, fraction = divmod(rest, 1000)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{fraction:03d}Z"
    return f"{year:04d}-{month:02d}-{day:02d}T{clock}"


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a proleptic Gregorian date (Hinnant's algorithm: March-based eras)."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
