"""One declaration: what the server answers is what the CapabilityStatement and the OpenAPI description say, and nothing else."""

import json

import pytest

from salus.interop.fhir.survey import TYPES
from salus.node.errors import EdgeError
from salus.node.fhir.answers import Request
from salus.node.fhir.capability import capability_statement
from salus.node.fhir.describing import described
from salus.node.fhir.routes import ROUTES, find
from salus.node.usecase import NOBODY

KINDS = tuple(sorted(TYPES))
BASE = "https://north.example/fhir"
OF_ALL = {"validate", "meta", "meta-add", "meta-delete"}
OFFERED = {
    "Patient": {"everything", "summary", "export"},
    "ValueSet": {"expand", "validate-code"},
    "CodeSystem": {"lookup", "validate-code", "subsumes"},
    "ConceptMap": {"translate"},
    "Consent": {"fileConsent", "revokeConsent"},
    "Claim": {"submit", "inquire"},
    "AuditEvent": {"recordDisclosure"},
    "": {"export", "import", "viewdefinition-run"},
}
FILLED = {"{id}": "x", "{version}": "1", "{link}": "x", "{kind}": "Observation"}


def filled(path):
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path.removeprefix("/")


@pytest.fixture(scope="module")
def paths():
    return described(BASE, KINDS)["paths"]


def test_every_route_has_a_handler_and_every_handler_a_route(server):
    assert server.handled == {route.name for route in ROUTES}
    assert len({(route.name) for route in ROUTES}) == len(ROUTES)


def test_the_description_holds_every_route_and_no_other(paths):
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    found = {(method, *_shape(find(method, filled(path)), path)) for method, path in told}
    wanted = {
        (method, route.name, kind)
        for route in ROUTES
        for method in route.methods
        for kind in (KINDS if route.kind == "{kind}" else (route.kind,))
    }
    assert found == wanted
    names = [one["operationId"] for methods in paths.values() for one in methods.values()]
    assert len(set(names)) == len(names)


def _shape(found, path):
    route, _ = found
    kind = path.split("/")[1]
    return route.name, kind if route.kind == "{kind}" or kind in TYPES else ""


def test_the_capability_statement_holds_every_operation_and_no_other():
    (rest,) = capability_statement(BASE, 0)["rest"]
    told = {one["type"]: {each["name"] for each in one["operation"]} for one in rest["resource"]}
    told[""] = {each["name"] for each in rest["operation"]}
    assert told == {kind: OFFERED.get(kind, set()) | (OF_ALL if kind else set()) for kind in (*KINDS, "")}
    declared = {(route.kind, route.operation) for route in ROUTES if route.operation}
    offered = {(kind, name) for kind, names in OFFERED.items() for name in names}
    assert declared == offered | {("{kind}", name) for name in OF_ALL}
    codes = {each["code"] for each in rest["interaction"]} | {
        each["code"] for one in rest["resource"] for each in one["interaction"]
    }
    assert codes == {code for route in ROUTES for code in route.interactions}


def test_what_is_described_is_answered_and_what_is_not_is_no_interaction(operator, paths):
    for path, methods in paths.items():
        if path.split("/")[1] not in {"", "Patient", "Claim", "_history"} and not path.startswith(("/$", "/_")):
            continue
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            codes = set()
            try:
                operator(method, filled(path), {"resourceType": "Parameters"} if method != "GET" else None)
            except EdgeError as refused:
                codes = {refused.code}
            assert (codes <= {"fhir.no-such-interaction", "fhir.unknown-type"} and bool(codes)) == (
                method.lower() not in methods
            ), (method, path)


def test_what_anybody_may_ask_says_so_and_nothing_else_does(server, paths):
    for path, methods in paths.items():
        for method, told in methods.items():
            anybody = told.get("security") == []
            assert anybody == (path in {"/metadata", "/openapi.json"})
            if path in {"/$export", "/Patient/{id}/$summary", "/metadata", "/openapi.json"}:
                request = Request(method.upper(), filled(path))
                if anybody:
                    assert server.answer(NOBODY, "", request).status == 200
                else:
                    with pytest.raises(EdgeError, match="who"):
                        server.answer(NOBODY, "", request)


def test_operations_that_change_nothing_are_answered_when_posted(operator):
    who = operator.create({"resourceType": "Patient", "name": [{"family": "Muster"}]})["id"]
    told = {"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 1}]}
    for body in (None, {"resourceType": "Parameters"}, told):
        found = json.loads(operator("POST", f"Patient/{who}/$everything", body).body)
        assert found["total"] == 1
    assert json.loads(operator("POST", f"Patient/{who}/$summary").body)["type"] == "document"
    wrong = {"resourceType": "Parameters", "parameter": [{"name": "_count", "valueCoding": {"code": "x"}}]}
    with pytest.raises(EdgeError, match=r"fhir\.parameters"):
        operator("POST", f"Patient/{who}/$everything", wrong)


def test_a_compartment_is_searched_by_a_form_too(operator):
    who = operator.create({"resourceType": "Patient", "name": [{"family": "Muster"}]})["id"]
    told = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{who}"},
    }
    for _ in range(3):
        operator.create(told)
    bundle = json.loads(operator("POST", f"Patient/{who}/Observation/_search?_count=2").body)
    assert bundle["total"] == 3
    (link,) = [one["url"] for one in bundle["link"] if one["relation"] == "next"]
    assert len(operator.get(link.removeprefix(operator.server.base + "/"))["entry"]) == 1
