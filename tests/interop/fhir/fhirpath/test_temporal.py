"""Dates and times: round trip, order, arithmetic, against the standard library and by properties."""

import datetime as dt
import itertools
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath.temporal import (
    Date,
    add,
    compare,
    parse_date,
    parse_date_time,
    parse_time,
    to_precision,
)

DATES = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
MOMENTS = st.datetimes(  # the bounds have no zone: the strategy adds one
    dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-12 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
)  # fmt: skip
WRITTEN = st.builds(lambda text, size: text[:size], DATES.map(str), st.sampled_from([4, 7, 10])) | MOMENTS.map(
    lambda moment: moment.isoformat(timespec="milliseconds")
)


@settings(deadline=None)
@given(WRITTEN)
def test_text_comes_back_as_written(text):
    assert str(parse_date_time(text)) == text.replace("+00:00", "Z")


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_instants_are_ordered_as_in_the_standard_library(one, two):
    left, right = (parse_date_time(moment.isoformat(timespec="microseconds")) for moment in (one, two))
    assert compare(left, right) == (one > two) - (one < two)


@settings(deadline=None)
@given(WRITTEN, WRITTEN)
def test_order_turns_round(one, two):
    left, right = parse_date_time(one), parse_date_time(two)
    found, turned = compare(left, right), compare(right, left)
    assert (found is None and turned is None) or found == -turned


@settings(deadline=None)
@given(WRITTEN, WRITTEN)
def test_what_is_decided_holds_for_every_completion(one, two):
    left, right = parse_date_time(one), parse_date_time(two)
    found = compare(left, right)
    if not found:
        return
    if left.zone is None and right.zone is None:  # both are of one zone, whichever it is
        earlier, later = (left, right) if found < 0 else (right, left)
        assert earlier.bounds[1] <= later.bounds[0]
        return
    for first, second in itertools.product((False, True), repeat=2):
        assert compare(to_precision(left, 17, upper=first), to_precision(right, 17, upper=second)) == found


@settings(deadline=None)
@given(DATES, st.integers(-100_000, 100_000))
def test_days_are_added_as_in_the_standard_library(day, count):
    try:
        expected = str(day + dt.timedelta(days=count))
    except OverflowError:
        expected = "None"
    assert str(add(parse_date(str(day)), Decimal(count), "day")) == expected


@settings(deadline=None)
@given(MOMENTS, st.integers(-(10**6), 10**6), st.sampled_from(["hour", "minute", "second"]))
def test_clock_units_are_added_as_in_the_standard_library(moment, count, unit):
    found = add(parse_date_time(moment.isoformat(timespec="milliseconds")), Decimal(count), unit)
    expected = moment.replace(microsecond=moment.microsecond // 1000 * 1000) + dt.timedelta(**{f"{unit}s": count})
    assert str(found) == expected.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("start", "amount", "unit", "end"),
    [
        ("2020-01-31", "1", "month", "2020-02-29"),
        ("2019-01-31", "1", "month", "2019-02-28"),
        ("2020-02-29", "1", "year", "2021-02-28"),
        ("2020-03-31", "-1", "month", "2020-02-29"),
        ("2014", "24", "month", "2016"),
        ("2014", "23", "month", "2015"),
        ("2016", "-12", "month", "2015"),
        ("2014", "365", "day", "2015"),
        ("2014-03", "-31", "day", "2014-02"),
        ("9999-12-31", "1", "day", "None"),
        ("0001-01-01", "-1", "month", "None"),
    ],
)
def test_partial_dates_and_ends_of_months(start, amount, unit, end):
    assert str(add(parse_date(start), Decimal(amount), unit)) == end


@pytest.mark.parametrize(("start", "unit", "end"), [("23:30", "hour", "00:30"), ("23:59:59", "second", "00:00:00")])
def test_times_of_day_wrap(start, unit, end):
    assert str(add(parse_time(start), Decimal(1), unit)) == end


@pytest.mark.parametrize(
    "text",
    ["2015-02-30", "2015-00", "2015-1", "20150101", "0000", "2015-01-01T24:00", "2015-01-01T10:00+15:00", "²⁰¹⁵", ""],
)
def test_what_is_no_date_is_none(text):
    assert parse_date(text) is None
    assert parse_date_time(text) is None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@2020-01-01 < @2020-01-02T00:00:00Z", []),  # the date may be one of a zone in which it is the later
        ("@2020-01-01 < @2020-01-03T00:00:00Z", [True]),
        ("@2020-01-02T12:00:00 > @2020-01-01T21:59:59Z", [True]),  # noon is at 22:00 UTC the day before at the earliest
        ("@2020-01-02T12:00:00 > @2020-01-01T22:00:00Z", []),
        ("@2020-01-02T12:00:00 < @2020-01-03T00:00:01Z", [True]),  # and at midnight UTC at the latest
        ("@2020-01-02T12:00:00 < @2020-01-03T00:00:00Z", []),
        ("@2020-06 = @2020-06-15", []),
        ("@2020-05 < @2020-06-15", [True]),
        ("@T10:30 = @2020-06-15", [False]),
    ],
)
def test_what_precision_or_zone_leave_open_is_empty(expression, expected):
    assert fhirpath.compile(expression)({}) == expected


def test_equal_dates_are_one_key():
    assert len({Date((2020, 1, 1, 0, 0, 0), 2), Date((2020, 1, 1, 0, 0, 0), 2)}) == 1
