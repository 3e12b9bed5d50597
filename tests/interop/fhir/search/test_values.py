"""One walk finds what the evaluator finds, expression by expression."""

import random
from decimal import Decimal
from functools import cache

import pytest

from salus.interop.fhir import fhirpath
from salus.interop.fhir.search.definitions import alternatives, parameters
from salus.interop.fhir.search.paths import NoPath, Paths
from salus.interop.fhir.search.query import read_query
from salus.interop.fhir.search.units import UCUM, scales
from salus.interop.fhir.search.values import INFINITE, MAX_VALUES, Found, taker, values
from salus.interop.fhir.survey import TYPES
from tests.interop.fhir.generated import resource

OWNER = {
    number: one.number
    for kind in TYPES
    for one in parameters(kind).values()
    for part in one.components
    for number in (part.number, part.number + 1)
}


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
        for place, element in enumerate(told):
            parts = [(part, items(part.expression, element, tree)) for part in parameter.components]
            if all(of_part for _, of_part in parts):
                for part, of_part in parts:
                    take(part, of_part, place, texts=False)
    return found.rows()


def compared(rows):
    """Return rows without order; of a composite's place only what it tells apart."""
    plain, grouped = set(), {}
    for table, many in rows.items():
        for number, *told, place in many:
            if number in OWNER:
                grouped.setdefault((OWNER[number], place), set()).add((table, number, *told))
            else:
                assert place == 0
                plain.add((table, number, *told))
    by_element = {frozenset(one) for one in grouped.values()}
    return plain, by_element


def check(kind, draw, odd, fill):
    tree = resource(kind, draw, odd=odd, fill=fill)
    rename = str.upper if draw.random() < 0.5 else str
    rows = values(tree, rename)
    assert compared(rows) == compared(evaluated(tree, rename))
    return {number for many in rows.values() for number, *_ in many}


def test_every_type_is_found_by_what_the_evaluator_finds():
    draw = random.Random(5)
    met, there = 0, 0
    for kind in sorted(TYPES):
        numbers = {one.number for one in parameters(kind).values()}
        met += len(check(kind, draw, draw.choice((0.0, 0.05)), 0.8) & numbers)
        there += len(numbers)
    assert met > there / 2  # the draw is seeded: it has values for most parameters


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_many_of_every_type_are_found_by_what_the_evaluator_finds(seed):
    draw = random.Random(seed)
    for kind in sorted(TYPES):
        check(kind, draw, draw.choice((0.0, 0.02, 0.2)), draw.choice((0.3, 0.8)))


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
