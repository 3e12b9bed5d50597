"""One walk finds what the evaluator finds, expression by expression."""

import random
from decimal import Decimal
from functools import cache
from itertools import product

import pytest

from salus.interop.fhir import fhirpath
from salus.interop.fhir.search.definitions import alternatives, parameters
from salus.interop.fhir.search.paths import NoPath, Paths
from salus.interop.fhir.search.query import read_query
from salus.interop.fhir.search.units import UCUM, scales
from salus.interop.fhir.search.values import INFINITE, MAX_VALUES, Found, taker, values
from salus.interop.fhir.survey import TYPES
from tests.interop.fhir.generated import resource


@cache
def compiled(text):
    return [fhirpath.compile(one) for one in alternatives(text)]


def stub(address):
    kind = address.rpartition("/")[0].rpartition("/")[2]
    return {"resourceType": kind} if kind in TYPES else None


def items(text, focus, tree):
    """Evaluate each alternative; what has no value has no row."""
    environment = fhirpath.Environment(resource=tree, resolve=stub)
    found = [item for one in compiled(text) for item in one.items(focus, environment)]
    return [item for item in found if not isinstance(item, fhirpath.Node) or item.value is not None]


def evaluated(tree, rename):
    """Return the rows as the evaluator has them: each parameter from the root."""
    found = Found(rename)

    def take(parameter, many, place, *, texts):
        for item in many:
            node = isinstance(item, fhirpath.Node)
            kind = item.type.name if node and item.type else ""
            taker(parameter.type, kind, texts=texts)(found, (parameter.number,), item.value if node else item, place)

    for code, parameter in parameters(tree["resourceType"]).items():
        if code in {"_id", "_lastUpdated"}:
            continue
        told = items(parameter.expression, tree, tree)
        if not parameter.components:
            take(parameter, told, 0, texts=True)
            continue
        for place, element in enumerate(told, start=1):
            parts = [(part, items(part.expression, element, tree)) for part in parameter.components]
            if all(of_part for _, of_part in parts):
                for part, of_part in parts:
                    take(part, of_part, place, texts=False)
    return found.rows()


def found(kind, made, numbers):
    """Return what each parameter of a type finds: its rows, of a composite the rows that one element has of all parts.

    numbers: tells under which numbers a parameter's rows are sought.
    """
    under = {}
    for table, many in made.items():
        for number, *told, place in many:
            under.setdefault(number, {}).setdefault(place, set()).add((table, *told))
    told = {}
    for code, one in parameters(kind).items():
        if one.components:
            of_parts = [merged(under, numbers(part)) for part in one.components]
            told[code] = {
                rows
                for place in set(of_parts[0]).intersection(*of_parts)
                for rows in product(*(part[place] for part in of_parts))
                if all(
                    row[0] == part.type for row, part in zip(rows, one.components, strict=True)
                )  # no texts of tokens
            }
            continue
        for shift in (0, 1):
            told[code, shift] = merged(under, [number + shift for number in numbers(one)]).get(0, set())
    return told


def merged(under, numbers):
    """Return the rows under some numbers by place."""
    by_place = {}
    for number in numbers:
        for place, rows in under.get(number, {}).items():
            by_place.setdefault(place, set()).update(rows)
    return by_place


def check(kind, draw, odd, fill):
    tree = resource(kind, draw, odd=odd, fill=fill)
    rename = str.upper if draw.random() < 0.5 else str
    rows = values(tree, rename)
    told = found(kind, rows, lambda one: one.numbers)
    assert told == found(kind, evaluated(tree, rename), lambda one: (one.number,))
    return {code for code, shift in (key for key in told if isinstance(key, tuple)) if not shift and told[code, 0]}


def test_every_type_is_found_by_what_the_evaluator_finds():
    draw = random.Random(5)
    met, there = 0, 0
    for kind in sorted(TYPES):
        met += len(check(kind, draw, draw.choice((0.0, 0.05)), 0.8))
        there += len(parameters(kind))
    assert met > there / 2  # the draw is seeded: it has values for most parameters


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_many_of_every_type_are_found_by_what_the_evaluator_finds(seed):
    draw = random.Random(seed)
    for kind in sorted(TYPES):
        check(kind, draw, draw.choice((0.0, 0.02, 0.2)), draw.choice((0.3, 0.8)))


def test_no_value_of_an_observation_stands_twice():
    tree = {
        "resourceType": "Observation",
        "code": {"coding": [{"system": "urn:s", "code": "bp"}], "text": "Blood pressure"},
        "valueQuantity": {"value": 5, "code": "mg"},
        "component": [
            {"code": {"coding": [{"system": "urn:s", "code": code}]}, "valueQuantity": {"value": value, "code": "mg"}}
            for code, value in (("sys", 120), ("dia", 80))
        ],
    }
    rows = values(tree)
    assert [row[1] for row in rows["quantity"] if row[1] == 5.0] == [5.0]
    assert [row[1] for row in rows["token"] if row[1] == "bp"] == ["bp"]
    assert len(rows["string"]) == 1
    # a component's values stand twice: alone, and by its place
    assert sorted(row[1] for row in rows["quantity"]) == [5.0, 80.0, 80.0, 120.0, 120.0]
    pairs = found("Observation", rows, lambda one: one.numbers)["combo-code-value-quantity"]
    assert {(code[1], value[1]) for code, value in pairs} == {("bp", 5.0), ("sys", 120.0), ("dia", 80.0)}


def test_what_is_no_path_is_left_to_the_evaluator():
    patient = Paths(fhirpath.r4().types["Patient"], fhirpath.r4())
    for text in (
        "Patient.name.first()",
        "Patient.name[0]",
        "Patient.deceased.exists()",
        "Patient.name.where(use = 'usual' and family = 'x')",
        "Patient.birthDate.extension",
        "Patient.contained",
        "%resource.name",
        "Patient.name.family + 'x'",
    ):
        with pytest.raises(NoPath):
            patient.add(text, lambda kind: (kind, 1))
    assert patient.steps() == ()


def test_a_local_reference_means_what_the_resource_contains():
    tree = {
        "resourceType": "Observation",
        "contained": [{"resourceType": "Patient", "id": "p"}, {"resourceType": "Group", "id": "g"}],
        "subject": {"reference": "#p", "identifier": {"system": "urn:mrn", "value": "1"}},
    }
    number = parameters("Observation")["patient"].number
    assert (number + 1, "1", "urn:mrn", 0) in values(tree)["token"]
    tree["subject"]["reference"] = "#g"
    assert (number + 1, "1", "urn:mrn", 0) not in values(tree)["token"]


def test_who_is_not_known_to_be_dead_is_found_as_alive():
    number = parameters("Patient")["deceased"].number
    alive, dead = ({"resourceType": "Patient"}, {"deceasedDateTime": "2020-02-01", "resourceType": "Patient"})
    assert (number, "false", "*", 0) in values(alive)["token"]
    assert (number, "true", "*", 0) in values(dead)["token"]


@pytest.mark.parametrize(
    "value", [{"low": 3}, {"low": []}, {"value": 1, "comparator": ["<"]}, {"value": 1, "code": {}}]
)
def test_what_the_gate_lets_pass_never_stops_the_index(value):
    for name in ("valueRange", "valueQuantity"):
        context = {"code": {"code": "focus"}, name: value}
        values({"resourceType": "Library", "status": "active", "useContext": [context]})


def test_attack_numbers_that_no_float_holds_never_stop_the_index():
    huge = 10**400
    tree = {"resourceType": "RiskAssessment", "prediction": [{"probabilityDecimal": huge}]}
    assert [row[1:3] for row in values(tree)["number"]] == [(INFINITE, INFINITE)]
    tree = {"resourceType": "Observation", "valueQuantity": {"value": -huge, "system": UCUM, "code": "Ymol99"}}
    assert values(tree)["quantity"][0][1:3] == (-INFINITE, -INFINITE)
    place = {"resourceType": "Location", "position": {"latitude": huge, "longitude": Decimal("1e400")}}
    assert {row[1] for row in values(place)["number"]} == {INFINITE}
    assert scales(["Ymol99", "mg"]) == [("Ymol99", 0.0, INFINITE), ("mg", 0.0, 0.001)]
    ((test),) = read_query("Location", [("near", "1|1|1|Ymol99.m")], now=0).tests
    assert test.terms[0].metres == INFINITE


def test_rows_have_a_limit():
    tree = {"resourceType": "Basic", "identifier": [{"value": str(at)} for at in range(MAX_VALUES + 10)]}
    assert len(values(tree)["token"]) == MAX_VALUES
