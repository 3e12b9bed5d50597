"""Partial dates, date-times and times: text, precision, comparison, arithmetic (FHIRPath N1 sections 4.1, 6.2, 6.6.7).

A value keeps the precision it was written with. Two values of different precision, or of which one has a time zone and
the other has none, compare only where every instant that one may stand for lies before every instant of the other.
"""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

YEAR, MONTH, DAY, HOUR, MINUTE, SECOND = range(6)

_SECOND_NS: Final = 1_000_000_000
_DIGITS: Final = {4: YEAR, 6: MONTH, 8: DAY, 10: HOUR, 12: MINUTE, 14: SECOND, 17: SECOND}
_UNIT_NS: Final = {DAY: 86_400 * _SECOND_NS, HOUR: 3_600 * _SECOND_NS, MINUTE: 60 * _SECOND_NS}
_EAST_NS: Final = 14 * 3_600 * _SECOND_NS  # the widest offsets in use, which FHIR dates may be written in
_WEST_NS: Final = 12 * 3_600 * _SECOND_NS

_CLOCK: Final = r"(?P<hour>[01]\d|2[0-3])(?::(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d|60)(?:\.(?P<fraction>\d+))?)?)?"
_CALENDAR: Final = r"(?P<year>\d{4})(?:-(?P<month>0[1-9]|1[0-2])(?:-(?P<day>0[1-9]|[12]\d|3[01]))?)?"
_ZONE: Final = r"(?P<zone>Z|[+-](?:0\d|1[0-4]):[0-5]\d)"
_DATE: Final = re.compile(_CALENDAR + r"\Z", re.ASCII)
_DATE_TIME: Final = re.compile(_CALENDAR + r"(?P<mark>T(?:" + _CLOCK + _ZONE + r"?)?)?\Z", re.ASCII)
_TIME: Final = re.compile(_CLOCK + r"\Z", re.ASCII)
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def month_days(year: int, month: int) -> int:
    """Count the days of a month of the proleptic Gregorian calendar."""
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return 29
    return _MONTH_DAYS[month - 1]


def day_number(year: int, month: int, day: int) -> int:
    """Count days from 1970-01-01 (Hinnant's days_from_civil)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def calendar_day(number: int) -> tuple[int, int, int]:
    """Invert `day_number`."""
    number += 719_468
    era = number // 146_097
    of_era = number - era * 146_097
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


class Temporal:
    """A date, date-time or time: integer fields up to `precision`, the written fraction digits, the zone in minutes."""

    __slots__ = ("_bounds", "day", "fraction", "hour", "minute", "month", "precision", "second", "year", "zone")
    system = "Temporal"

    def __init__(
        self, fields: tuple[int, int, int, int, int, int], precision: int, fraction: str = "", zone: int | None = None
    ) -> None:
        self.year, self.month, self.day, self.hour, self.minute, self.second = fields
        self.precision = precision
        self.fraction = fraction
        self.zone = zone
        self._bounds: tuple[int, int] | None = None

    @property
    def fields(self) -> tuple[int, int, int, int, int, int]:
        """Year to second; what is finer than the precision stands at its lowest value."""
        return self.year, self.month, self.day, self.hour, self.minute, self.second

    @property
    def bounds(self) -> tuple[int, int]:
        """Nanoseconds since 1970-01-01 UTC, half open, of all instants this may be (zone taken as UTC when absent)."""
        if self._bounds is None:
            self._bounds = self._compute_bounds()
        return self._bounds

    def _compute_bounds(self) -> tuple[int, int]:
        low = self._nanoseconds()
        if self.precision == YEAR:
            return low, day_number(self.year + 1, 1, 1) * _UNIT_NS[DAY]
        if self.precision == MONTH:
            following = (self.year + 1, 1) if self.month == 12 else (self.year, self.month + 1)
            return low, day_number(*following, 1) * _UNIT_NS[DAY]
        # seconds and fractions of a second are one precision (N1 6.2): such a value is an instant
        return low, low + _UNIT_NS.get(self.precision, 1)

    def _nanoseconds(self) -> int:
        seconds = self.hour * 3_600 + self.minute * 60 + self.second - (self.zone or 0) * 60
        fraction = int((self.fraction + "000000000")[:9]) if self.fraction else 0
        return day_number(self.year, self.month, self.day) * _UNIT_NS[DAY] + seconds * _SECOND_NS + fraction

    def key(self) -> tuple[object, ...]:
        """Return equal keys for values that are equal (`=`)."""
        family = "time" if isinstance(self, Time) else "date"
        return family, self.bounds[0], self.precision, self.zone is None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Temporal) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def _clock(self) -> str:
        parts = [f"{self.hour:02d}"]
        if self.precision >= MINUTE:
            parts.append(f"{self.minute:02d}")
        if self.precision >= SECOND:
            parts.append(f"{self.second:02d}" + (f".{self.fraction}" if self.fraction else ""))
        return ":".join(parts)

    def _calendar(self) -> str:
        parts = [f"{self.year:04d}"]
        if self.precision >= MONTH:
            parts.append(f"{self.month:02d}")
        if self.precision >= DAY:
            parts.append(f"{self.day:02d}")
        return "-".join(parts)

    def digits(self) -> int:
        """Count the digits written: the unit of `precision()` and of the boundary functions."""
        base = (4, 6, 8, 10, 12, 14)[self.precision]
        return base + (3 if self.fraction else 0)


class Date(Temporal):
    """A System.Date."""

    __slots__ = ()
    system = "Date"

    def __str__(self) -> str:
        return self._calendar()


class DateTime(Temporal):
    """A System.DateTime; a FHIR dateTime or instant."""

    __slots__ = ()
    system = "DateTime"

    def __str__(self) -> str:
        if self.precision < HOUR:
            return self._calendar()
        zone = ""
        if self.zone == 0:
            zone = "Z"
        elif self.zone is not None:
            zone = f"{'-' if self.zone < 0 else '+'}{abs(self.zone) // 60:02d}:{abs(self.zone) % 60:02d}"
        return f"{self._calendar()}T{self._clock()}{zone}"


class Time(Temporal):
    """A System.Time, a time of day without a zone."""

    __slots__ = ()
    system = "Time"

    def __str__(self) -> str:
        return self._clock()

    def digits(self) -> int:
        """Count the digits written, without those of a date."""
        return super().digits() - 8


def _read(found: re.Match[str]) -> tuple[tuple[int, int, int, int, int, int], int, str, int | None] | None:
    groups = found.groupdict()
    written = [groups.get(name) for name in ("year", "month", "day", "hour", "minute", "second")]
    precision = max(index for index, text in enumerate(written) if text is not None)
    year, month, day = int(written[0] or 1970), int(written[1] or 1), int(written[2] or 1)
    if year < 1 or day > month_days(year, month):
        return None
    zone_text = groups.get("zone")
    zone = None
    if zone_text == "Z":
        zone = 0
    elif zone_text:
        zone = (int(zone_text[1:3]) * 60 + int(zone_text[4:6])) * (-1 if zone_text[0] == "-" else 1)
    fields = (year, month, day, int(written[3] or 0), int(written[4] or 0), int(written[5] or 0))
    return fields, precision, groups.get("fraction") or "", zone


def parse_date(text: str) -> Date | None:
    """Read YYYY, YYYY-MM or YYYY-MM-DD; None if it is no date of the calendar."""
    found = _DATE.match(text)
    read = _read(found) if found else None
    return Date(*read) if read else None


def parse_date_time(text: str) -> DateTime | None:
    """Read a date with or without a time of any precision; None if it is none."""
    found = _DATE_TIME.match(text)
    read = _read(found) if found else None
    return DateTime(*read) if read else None


def parse_time(text: str) -> Time | None:
    """Read HH, HH:MM or HH:MM:SS with fractions; None if it is no time of day."""
    found = _TIME.match(text)
    read = _read(found) if found else None
    return Time(*read) if read else None


def compare(left: Temporal, right: Temporal) -> int | None:
    """Order two values: -1, 0, 1, or None where precision or zone leave it open (N1 6.2, 6.6)."""
    (left_low, left_high), (right_low, right_high) = left.bounds, right.bounds
    if (left.zone is None) != (right.zone is None):
        if left.zone is None:
            left_low, left_high = left_low - _EAST_NS, left_high + _WEST_NS
        else:
            right_low, right_high = right_low - _EAST_NS, right_high + _WEST_NS
    elif left.precision == right.precision:
        return (left_low > right_low) - (left_low < right_low)
    if left_high <= right_low:
        return -1
    return 1 if right_high <= left_low else None


def add(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """Add a calendar duration (N1 6.6.7); None when the result leaves the years 1 to 9999.

    `unit` is singular ("year" ... "millisecond"). What is finer than the value's precision is converted to that
    precision and cut; months end on the last day that exists; times of day wrap around.
    """
    count = int(amount)
    if isinstance(value, Time):
        return _add_clock(value, amount, unit)
    if unit == "week":
        unit, count = "day", count * 7
    if value.precision < DAY and unit not in {"year", "month"}:
        days = count if unit == "day" else int(Fraction(amount) * _CLOCK_NS[unit] / _UNIT_NS[DAY])
        unit, count = ("month", _quotient(days, 30)) if value.precision == MONTH else ("year", _quotient(days, 365))
    if value.precision == YEAR and unit == "month":
        unit, count = "year", _quotient(count, 12)
    if unit in {"year", "month"}:
        return _add_months(value, count * (12 if unit == "year" else 1))
    if unit == "day":
        return _shift(value, count * _UNIT_NS[DAY])
    if value.precision == DAY:
        return _shift(value, int(Fraction(amount) * _CLOCK_NS[unit] / _UNIT_NS[DAY]) * _UNIT_NS[DAY])
    return _add_clock(value, amount, unit)


_CLOCK_NS: Final = {
    "hour": _UNIT_NS[HOUR],
    "minute": _UNIT_NS[MINUTE],
    "second": _SECOND_NS,
    "millisecond": 1_000_000,
}


def _quotient(count: int, by: int) -> int:
    return -(-count // by) if count < 0 else count // by


def _add_months(value: Temporal, months: int) -> Temporal | None:
    total = value.year * 12 + value.month - 1 + months
    year, month = total // 12, total % 12 + 1
    if not 1 <= year <= 9999:
        return None
    day = min(value.day, month_days(year, month))
    return type(value)((year, month, day, *value.fields[3:]), value.precision, value.fraction, value.zone)


def _add_clock(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    if unit not in _CLOCK_NS:
        return None
    exact = unit in {"second", "millisecond"}
    nanoseconds = int(Fraction(amount) * _CLOCK_NS[unit]) if exact else int(amount) * _CLOCK_NS[unit]
    if value.precision < SECOND:
        step = _UNIT_NS[value.precision]
        nanoseconds = _quotient(nanoseconds, step) * step
    return _shift(value, nanoseconds)


def _shift(value: Temporal, nanoseconds: int) -> Temporal | None:
    local = value.bounds[0] + (value.zone or 0) * 60 * _SECOND_NS + nanoseconds
    days, rest = divmod(local, _UNIT_NS[DAY])
    if isinstance(value, Time):
        days = 0
    year, month, day = calendar_day(days)
    if not 1 <= year <= 9999:
        return None
    seconds, fraction = divmod(rest, _SECOND_NS)
    digits = f"{fraction:09d}"
    width = len(value.fraction) if int(digits[len(value.fraction) :] or 0) == 0 else 9
    if width == 9 and len(value.fraction) < 9:
        width = max(len(digits.rstrip("0")), 3)
    fields = (year, month, day, seconds // 3_600, seconds // 60 % 60, seconds % 60)
    return type(value)(fields, value.precision, digits[:width], value.zone)


def to_precision(value: Temporal, digits: int, *, upper: bool) -> Temporal | None:
    """Complete a partial value to so many digits with its lowest or highest fields (lowBoundary, highBoundary).

    The zone of a date-time that has none becomes the one that makes the instant earliest or latest.
    """
    wanted = digits + 8 if isinstance(value, Time) else digits
    precision = _DIGITS.get(wanted)
    if precision is None or (isinstance(value, Date) and precision > DAY):
        return None
    year, month, day, hour, minute, second = value.fields
    fraction = value.fraction
    if upper:
        month = 12 if value.precision < MONTH else month
        day = month_days(year, month) if value.precision < DAY else day
        hour = 23 if value.precision < HOUR else hour
        minute = 59 if value.precision < MINUTE else minute
        second = 59 if value.precision < SECOND else second
    fraction = (fraction + ("999" if upper else "000"))[:3] if wanted == 17 else ""
    fields = (
        year,
        month if precision >= MONTH else 1,
        day if precision >= DAY else 1,
        hour if precision >= HOUR else 0,
        minute if precision >= MINUTE else 0,
        second if precision >= SECOND else 0,
    )
    zone = value.zone
    if isinstance(value, DateTime) and precision >= HOUR and zone is None:
        zone = -12 * 60 if upper else 14 * 60
    return type(value)(fields, precision, fraction, zone if precision >= HOUR else None)
