"""Every expression of R4's SearchParameters and invariants compiles, fits the types it is written for, and runs."""

import json

import pytest

from salus.interop.fhir import fhirpath
from tests.interop.fhir.fhirpath.conformance import CASES, resource

PUBLISHED = json.loads((CASES / "r4-expressions.json").read_bytes())
SEARCH, INVARIANTS = PUBLISHED["search"], PUBLISHED["invariants"]
EXAMPLES = [
    "patient-example.json",
    "observation-example.json",
    "questionnaire-example.json",
    "valueset-example-expansion.json",
]


def context(path, types):
    known = fhirpath.r4().types
    return [path] if path in known else types if types and all(name in known for name in types) else None


def test_every_search_parameter_compiles():
    assert len(SEARCH) == 1374
    for _, bases, expression in SEARCH:
        fhirpath.compile(expression, context=bases if len(bases) == 1 else None)


def test_every_invariant_compiles_and_fits_its_element():
    assert len(INVARIANTS) == 244
    refused = []
    for key, path, expression, types in INVARIANTS:
        try:
            fhirpath.compile(expression, context=context(path, types))
        except fhirpath.ExpressionMalformed:
            refused.append((key, path))
    # published with a fault: ChargeItemDefinition has no element `name`
    assert refused == [("cid-0", "ChargeItemDefinition")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_specification_hold_their_invariants(name):
    record = resource("r4", name)
    broken = [
        key
        for key, path, expression, _ in INVARIANTS
        if path in (record["resourceType"], "DomainResource") and fhirpath.compile(expression).test(record) is False
    ]
    assert broken == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_search_parameter_runs_on_the_examples(name):
    record = resource("r4", name)
    found = {
        code: fhirpath.compile(expression)(record)
        for code, bases, expression in SEARCH
        if record["resourceType"] in bases or "Resource" in bases
    }
    assert found["Resource-id"] == [record["id"]]
    assert len([1 for values in found.values() if values]) >= 5
