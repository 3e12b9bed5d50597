"""Amounts, quantities, days and check digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.npi import npi_valid
from salus.interop.x12.calendar import age_on, date_of, day_number, is_date, is_period
from salus.interop.x12.codes import routing_valid
from salus.interop.x12.money import MAX_CENTS, BadAmount, amount, cents, quantity, thousandths


@given(st.integers(-MAX_CENTS, MAX_CENTS))
def test_an_amount_survives_being_written(value: int) -> None:
    assert cents(amount(value)) == value
    assert thousandths(quantity(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("1", 100), ("1.5", 150), (".5", 50), ("-0.01", -1), ("12.340", 1234), ("", 0), ("00012", 1200)],
)
def test_amounts_are_read_exactly(text: str, value: int) -> None:
    assert cents(text) == value


@pytest.mark.parametrize("text", ["1.005", "1e3", "--1", "1,00", "NaN", "1.2.3", "9" * 20, "+1", "٣"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BadAmount):
        cents(text)


@given(st.integers(-200_000, 370_000))
def test_days_and_their_numbers_go_both_ways(number: int) -> None:
    text = date_of(number)
    assert day_number(text) == number
    assert day_number(date_of(number + 1)) - number == 1


@pytest.mark.parametrize(
    ("text", "known"),
    [("19700101", 0), ("20000229", 11016), ("20240229", 19782), ("20250301", 20148), ("19691231", -1)],
)
def test_known_days_have_known_numbers(text: str, known: int) -> None:
    assert day_number(text) == known


@pytest.mark.parametrize("text", ["20250229", "19000229", "20251301", "20250431", "2025030", "00000101"])
def test_days_that_do_not_exist_are_refused(text: str) -> None:
    assert not is_date(text)
    with pytest.raises(ValueError, match="calendar"):
        day_number(text)


def test_periods_do_not_run_backwards() -> None:
    assert is_period("RD8", "20250101-20250102")
    assert not is_period("RD8", "20250102-20250101")
    assert not is_period("D8", "202501")
    assert is_period("DT", "202501012359")
    assert not is_period("TM", "2460")
    assert not is_period("ZZ", "20250101")


def test_age_counts_full_years() -> None:
    assert age_on("20000301", "20250228") == 24
    assert age_on("20000301", "20250301") == 25


@given(st.integers(0, 8), st.integers(1, 9), st.integers(10**8, 2 * 10**8))
def test_one_wrong_digit_breaks_an_npi(place: int, change: int, start: int) -> None:
    good = next(f"{start}{digit}" for digit in range(10) if npi_valid(f"{start}{digit}"))
    wrong = good[:place] + str((int(good[place]) + change) % 10) + good[place + 1 :]
    assert not npi_valid(wrong)


def test_published_check_digits() -> None:
    assert npi_valid("1234567893")
    assert not npi_valid("1234567890")
    assert not npi_valid("123456789")
    assert routing_valid("011000015")
    assert not routing_valid("011000016")
    assert not routing_valid("000000000")
