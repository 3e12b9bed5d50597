"""Hostile expressions and records: refused by name, in bounded work, and telling nothing of the record."""

from decimal import Decimal

import pytest

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath import FhirPathError, LimitExceeded

SECRET = "secret-diagnosis"


def nested(depth):
    item = {"linkId": SECRET}
    for _ in range(depth):
        item = {"linkId": "x", "item": [item]}
    return {"resourceType": "Questionnaire", "item": [item]}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "(a*)*(a*)*b", "([a-zA-Z]+)*!", "(x+x+)+y"])
def test_patterns_that_backtrack_elsewhere_end_at_once(pattern):
    subject = ("a" * 5_000) + "?"
    assert fhirpath.compile(f"value.matches('{pattern}')")({"value": subject}) in ([True], [False])


@pytest.mark.parametrize(
    "expression",
    [
        "'a'.matches('((((a{1000}){1000}){1000}){1000})')",
        "'a'.matches('" + "(" * 3_000 + "a" + ")" * 3_000 + "')",
        "'a'.matches('" + "a" * 5_000 + "')",
    ],
)
def test_patterns_that_are_too_large_are_refused(expression):
    with pytest.raises(FhirPathError):
        fhirpath.compile(expression)({})


@pytest.mark.parametrize(
    "expression",
    [
        (
            "(1 | 2 | 3 | 4 | 5 | 6 | 7 | 8).aggregate($total.combine($total).combine($total).combine($total).combine($total)"
            ".combine($total).combine($total).combine($total), %many)"
        ),
        "%many.select(%many.select(%many))",
        "%many.where(%many.where(%many.where($this > 1000).exists()).exists())",
        "%many.all(%many.exists(%many.exists($this > 1000)).not())",
        "'x'.repeat($this & 'x')",
        "1.repeatAll($this)",
        "%many.aggregate($total & $total & $total & $total, '" + "x" * 1_000 + "')",
        "'" + "a" * 8_000 + "'.replace('a', '" + "b" * 8_000 + "')",
        "('" + "a" * 8_000 + "').replaceMatches('a', '" + "b" * 8_000 + "')",
    ],
)
def test_work_that_grows_without_bound_is_stopped(expression):
    environment = fhirpath.Environment(constants={"many": [Decimal(one) for one in range(200)]}, limit=100_000)
    with pytest.raises(LimitExceeded):
        fhirpath.compile(expression)({}, environment)


def test_a_cycle_of_repeat_ends():
    assert fhirpath.compile("(1 | 2).repeat(iif($this > 5, 1, $this + 1)).count()")({}) == [6]


@pytest.mark.parametrize(
    "expression",
    ["2.power(100000000)", "10.power(9999999999)", "9999999999.exp()", "value.value * value.value", "9223372036854775807 + 1",
     "value.value.round(2)", "value.value.toInteger()", "value.value + 1 'mg'", "value.value.lowBoundary()"],
)  # fmt: skip
def test_numbers_beyond_all_measure_give_nothing(expression):
    record = {"resourceType": "Observation", "valueQuantity": {"value": Decimal("1E+999999999"), "code": "mg"}}
    assert fhirpath.compile(expression)(record) == []


def test_a_record_of_any_depth_gives_an_answer_or_a_named_refusal():
    assert fhirpath.compile("repeat(item).count()")(nested(60)) == [61]
    assert fhirpath.compile("descendants().count()")(nested(5_000)) == [10_002]
    with pytest.raises(LimitExceeded, match="nested too deeply"):
        fhirpath.compile("repeat(item).count()")(nested(5_000))


@pytest.mark.parametrize(
    "value", [None, [], {}, "x", 5, [[]], [{}], {"resourceType": 5}, {"resourceType": "Nosuch", "a": [None]}]
)
@pytest.mark.parametrize(
    "expression", ["a.b.c", "descendants()", "name.given", "children().count()", "resolve()", "extension('x')"]
)
def test_shapes_that_no_record_has_are_harmless(value, expression):
    fhirpath.compile(expression)(value)
    fhirpath.compile(expression)({"resourceType": "Patient", "name": value, "extension": value, "_birthDate": value})


@pytest.mark.parametrize(
    "expression",
    ["name.family + 1", "name.family > 1", "name.family.substring('x')", "-name.family", "name.given.single()"],
)
def test_a_refusal_holds_nothing_of_the_record(expression):
    record = {"resourceType": "Patient", "name": [{"family": SECRET, "given": [SECRET, SECRET]}]}
    with pytest.raises(FhirPathError, match=r".") as refusal:
        fhirpath.compile(expression)(record)
    assert SECRET not in str(refusal.value)
