"""What an invariant says of an element follows from the names in it, where it reads none of their values."""

import random

import pytest

from salus.interop.fhir.definitions import r4
from salus.interop.fhir.fhirpath import Environment, EvaluationFailed, FhirPathError, Node, compile  # noqa: A004
from salus.interop.fhir.fhirpath import r4 as model
from salus.interop.fhir.validation import Validator
from salus.interop.fhir.validation.presence import presence
from salus.interop.fhir.validation.shapes import Ruling, Shapes
from tests.interop.fhir.generated import element


def rulings():
    """Return each type with the invariants that are held against its elements."""
    told = {}
    for name, structure in r4().structures.items():
        told.setdefault(name, set()).update(structure.constraints)
        for one in r4().elements(name):
            for kind in one.types:
                told.setdefault(kind, set()).update(one.constraints)
    return {model().types[kind]: keys for kind, keys in told.items() if keys and kind in model().types}


def outcome(expression, node):
    try:
        told = expression.items(node, Environment(resource={"resourceType": "Patient"}, now="2026-01-01T00:00:00Z"))
    except EvaluationFailed:
        return "failed"
    return [one.value if isinstance(one, Node) else one for one in told]


def test_where_no_value_is_read_the_names_decide():
    draw, decided = random.Random(3), 0
    compiled = {}
    for key, constraint in r4().constraints.items():
        try:
            compiled[key] = compile(constraint.expression)
        except FhirPathError:
            continue
    for kind, keys in rulings().items():
        elements = [element(kind, draw, fill=draw.choice((0.1, 0.4, 0.8))) for _ in range(8)]
        for key in keys & compiled.keys():
            looked_at = presence(compiled[key].text, kind)
            if looked_at is None:
                continue
            told = {}
            for one in elements:
                there = frozenset(looked_at.names.intersection(one))
                if there.isdisjoint(looked_at.contents):
                    decided += 1
                    assert told.setdefault(there, found := outcome(compiled[key], Node(one, kind))) == found
    assert decided > 1_000


@pytest.mark.parametrize(
    ("expression", "names", "contents"),
    [
        ("code.empty() or system.exists()", {"code", "_code", "system", "_system"}, set()),
        ("(value.exists()).not() implies unit.contains('m')", {"value", "_value", "unit", "_unit"}, {"unit", "_unit"}),
        ("value > 1", {"value", "_value"}, {"value", "_value"}),
    ],
)
def test_names_and_contents_are_told_apart(expression, names, contents):
    assert presence(expression, model().types["Quantity"]) == (names, contents)


@pytest.mark.parametrize(
    "expression",
    ["%resource.id.exists()", "$this.exists()", "today() > value", "children().exists()", "Quantity.code.empty()", "code.iif(true, 1)",
     "other.exists()", "(code | %resource.id).empty()", "code.union(%resource.id).exists()", "code +"],
)  # fmt: skip
def test_what_looks_beyond_the_element_is_held_each_time(expression):
    assert presence(expression, model().types["Quantity"]) is None


def test_rules_that_read_values_are_left_and_others_settled():
    shapes = Shapes(r4(), model())
    ruling = shapes.shape("Period").ruling
    assert isinstance(ruling, Ruling)
    (rule,) = ruling.left(None)
    both, start = ruling.there({"start": "2020", "end": "2019"}), ruling.there({"start": "2020"})
    for there in (both, start):
        ruling.settle(there, [rule])
        assert ruling.left(there) == (rule,)  # per-1 reads what it compares
    nothing = ruling.there({"id": "x"})
    ruling.settle(nothing, [rule])
    assert ruling.left(nothing) == ()
    assert ruling.there({"start": None}) is None
    assert ruling.there("2020") is None


def test_what_held_for_one_is_found_broken_in_the_next():
    validator = Validator()
    tree = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    good = {**tree, "valueQuantity": {"value": 1, "system": "urn:u", "code": "m"}}
    bad = {**tree, "valueQuantity": {"value": 1, "code": "m"}}
    for _ in range(3):
        assert validator.check(good) == []
        assert [one.rule for one in validator.check(bad)] == ["qty-3"]
        found = validator.check({**good, "dataAbsentReason": {"text": "y"}})
        assert [one.rule for one in found if one.severity == "error"] == ["obs-6"]
