"""The OpenAPI description of the FHIR server is true: asked at random, nothing fails and nothing answers otherwise."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.http.app import application, as_operator
from salus.http.fhir import routes
from salus.http.person import PersonAuthenticator
from salus.interop.fhir.survey import TYPES
from salus.node.fhir.server import FhirServer
from salus.node.together import Clock, Founder, found_together
from tests.node.fhir.test_rest import patient, pulse

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
COMMON = ("Patient",)


@pytest.fixture
def node(tmp_path):
    together = found_together(tmp_path, (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    yield together.nodes["north"]
    together.close()


def served(node, authenticate=as_operator):
    return application(node, (), authenticate, more=routes(FhirServer(node), authenticate))


def asked_everything(app, kinds, examples, ids=("none",), part=""):
    """Ask every operation of some types whose path holds `part`, with ids that exist among others; return how often which status came."""
    statuses = {}
    schema = schemathesis.openapi.from_asgi(f"/fhir/openapi.json?type={','.join(kinds)}", app)
    for told in schema.get_all_operations():
        operation = told.ok()
        if part not in operation.path:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(case=operation.as_strategy(), own=st.sampled_from(["", *ids]))
        def ask(case, own):
            if own and "id" in case.path_parameters:
                case.path_parameters["id"] = own
            answer = case.call()
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            case.validate_response(answer, checks=CHECKS)

        ask()
    return statuses


def seeded(app):
    """Put a patient and an observation there; return their ids."""
    http = TestClient(app)
    who = http.post("/fhir/Patient", json=patient()).json()["id"]
    return who, http.post("/fhir/Observation", json=pulse(who)).json()["id"]


@pytest.mark.unmeasured
def test_whatever_the_description_allows_is_answered_as_it_says(node):
    app = served(node)
    statuses = asked_everything(app, COMMON, 3, seeded(app))
    assert {200, 201, 400, 404} <= statuses.keys()
    assert not any(status >= 500 for status in statuses)


@pytest.mark.unmeasured
def test_operations_of_other_types_are_answered_as_described(node):
    kinds = ("AuditEvent", "Claim", "CodeSystem", "ConceptMap", "Consent", "ValueSet")
    statuses = asked_everything(served(node), kinds, 1, part="/$")
    assert not any(status >= 500 for status in statuses)
    assert sum(statuses.values()) > 3 * len(kinds)


@pytest.mark.unmeasured
def test_who_has_not_signed_in_is_told_so_by_every_operation(node):
    statuses = asked_everything(served(node, PersonAuthenticator(node)), ("Basic",), 1)
    assert statuses.keys() <= {200, 400, 401, 415}
    assert 1 <= statuses[200] <= 2  # the CapabilityStatement and the description
    assert statuses[401] > 10


def test_the_description_lists_every_type_and_its_parameters(node):
    http = TestClient(served(node))
    told = http.get("/fhir/openapi.json?type=Patient,Observation").json()
    names = {one.get("name") for one in told["paths"]["/Observation"]["get"]["parameters"]}
    assert {"combo-code", "patient", "_id", "_lastUpdated"} <= names
    assert told["components"]["schemas"]["Observation"]["properties"]["status"]["enum"][:2] == ["amended", "cancelled"]
    assert "-joined" in names
    forms = {"application/fhir+json", "application/fhir+xml"}
    assert told["paths"]["/Patient/{id}"]["get"]["responses"]["200"]["content"].keys() == forms
    assert told["components"]["responses"]["404"]["content"].keys() == forms
    whole = json.loads(http.get("/fhir/openapi.json").content)
    assert {path.split("/")[1] for path in whole["paths"]} >= TYPES
    assert http.get("/fhir/openapi.json?type=Nothing").status_code == 400
    assert http.get("/fhir/openapi.json?kind=Patient").status_code == 400


@pytest.mark.soak
@pytest.mark.parametrize("first", sorted({kind[0] for kind in TYPES}))
def test_every_type_is_answered_as_described(node, first):
    app = served(node)
    kinds = [kind for kind in sorted(TYPES) if kind[0] == first]
    asked_everything(app, kinds, 20, seeded(app))
