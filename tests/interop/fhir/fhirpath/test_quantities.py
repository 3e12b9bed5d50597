"""Quantities: UCUM factors against values of the standard, arithmetic, calendar durations."""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath.quantity import Quantity, compare, convert
from salus.interop.fhir.fhirpath.units import known, unit


def test_every_unit_of_the_table_is_made_of_known_ones():
    from salus.interop.fhir.fhirpath.units import _ATOMS  # noqa: PLC0415

    assert [code for code in _ATOMS if not known(code)] == []


@pytest.mark.parametrize(
    ("value", "code", "into", "expected"),
    [
        ("1", "mmol/L", "umol/L", "1000"),
        ("120", "mm[Hg]", "kPa", "15.99864"),
        ("1", "[lb_av]", "kg", "0.45359237"),
        ("70", "[in_i]", "cm", "177.8"),
        ("5", "10*3/uL", "10*9/L", "5"),
        ("1", "kg/m2", "g/cm2", "0.1"),
        ("36", "km/h", "m/s", "10"),
        ("2", "mg/kg/d", "ug/(kg.d)", "2000"),
        ("1", "wk", "d", "7"),
        ("50", "%", "1", "0.5"),
        ("1", "U/L", "ukat/L", "0.0166666667"),
        ("10", "mg{creat}", "mg", "10"),
        ("1", "kcal", "J", "4184"),
        ("1", "meq/L", "mmol/L", "1"),
    ],
)
def test_known_conversions(value, code, into, expected):
    found = convert(Quantity(Decimal(value), code), into)
    assert round(found.value, 10) == Decimal(expected)


@pytest.mark.parametrize("code", ["Cel", "[iU]", "nonsense", "mg/nonsense", "((", "m//s", "", "a" * 200, "m1000000000"])
def test_what_cannot_be_converted_equals_only_itself(code):
    assert unit(code).factor == 1
    assert compare(Quantity(Decimal(1), code), Quantity(Decimal(1), code)) == 0
    assert convert(Quantity(Decimal(1), code), "kg") is None


@settings(deadline=None)
@given(
    st.sampled_from(["mg", "g", "kg", "ug", "[lb_av]"]),
    st.sampled_from(["mg", "g", "kg", "ug", "[oz_av]"]),
    st.integers(1, 10**6),
)
def test_order_is_that_of_the_exact_values(one, two, value):
    left, right = Quantity(Decimal(value), one), Quantity(Decimal(7), two)
    exact = Fraction(value) * unit(one).factor - 7 * unit(two).factor
    assert compare(left, right) == (exact > 0) - (exact < 0)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 'g' + 500 'mg' = 1.5 'g'", [True]),
        ("(1 'kg' - 1 'g') = 999 'g'", [True]),
        ("1 'g' + 1 'm'", []),
        ("6 'm' / 2 's' = 3 'm/s'", [True]),
        ("6 'm' / (3 'm/s') = 2 's'", [True]),
        ("2 * 3 'mg' = 6 'mg'", [True]),
        ("1 'm' / 0 's'", []),
        ("1 year = 1 'a'", []),
        ("1 year ~ 1 'a'", [True]),
        ("1 month < 1 year", []),
        ("1 hour = 60 minutes", [True]),
        ("5 'mg' = '5 \\'mg\\''.toQuantity()", [True]),
        ("1 'mg' < 1 'kg'", [True]),
        ("1 'mg' = 1", []),
        ("1 '1' = 1", [True]),
        ("(3 'mg').toString()", ["3 'mg'"]),
        ("1 'g'.toQuantity('mg') = 1000 'mg'", [True]),
    ],
)
def test_arithmetic_and_order(expression, expected):
    assert fhirpath.compile(expression)({}) == expected


def test_a_quantity_with_a_comparator_has_no_value():
    observation = {"resourceType": "Observation", "valueQuantity": {"value": 5, "comparator": "<", "code": "mg"}}
    assert fhirpath.compile("value > 3 'mg'").items({"resourceType": "Observation"}) == []
    with pytest.raises(fhirpath.EvaluationFailed):
        fhirpath.compile("value > 3 'mg'")(observation)


@pytest.mark.parametrize(
    "expression",
    ["-1.23456789", "(-1.23456789).abs()", "1.2345678 * 1.0000001", "1 / 7", "1.2345678 'g' * 2 'm'", "(1.2345678 'kg').toQuantity('g')",
     "1.2345678.round(6)", "1.23456789 + 1.1", "2.sqrt()", "1.2345678.lowBoundary()", "1.23456789 ~ 1.2345678", "1.1 'g' + 1.2345678 'mg'",
     "@2020-01-01T00:00:00.000Z - 12345.678 seconds", "0.00345.lowBoundary(2)"],
)  # fmt: skip
def test_the_decimal_context_of_the_thread_changes_nothing(expression):
    compiled = fhirpath.compile(expression)
    expected = compiled({})
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_UP):
        assert [str(one) for one in fhirpath.compile(expression)({})] == [str(one) for one in expected]
