"""The FHIR routes: what a client sees of status, headers and forms."""

import base64
import json

import anyio
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from salus.contracts.membership.port import Role
from salus.http.app import application, as_operator
from salus.http.fhir import routes
from salus.http.person import PersonAuthenticator
from salus.interop.fhir.xml_reader import to_json
from salus.interop.fhir.xml_writer import to_xml
from salus.node.fhir.server import FhirServer
from salus.node.together import Clock, Founder, found_together


@pytest.fixture
def node(tmp_path):
    together = found_together(tmp_path, (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
    yield together.nodes["north"]
    together.close()


@pytest.fixture
def http(node):
    return TestClient(
        application(node, (), as_operator, more=routes(FhirServer(node), as_operator)), raise_server_exceptions=False
    )


PATIENT = {"resourceType": "Patient", "name": [{"family": "Canary"}]}


def test_a_resource_comes_with_its_headers(http):
    made = http.post("/fhir/Patient", json=PATIENT)
    assert (made.status_code, made.headers["etag"], made.headers["content-type"]) == (
        201,
        'W/"1"',
        "application/fhir+json",
    )
    own = made.json()["id"]
    assert made.headers["location"].endswith(f"/fhir/Patient/{own}/_history/1")
    read = http.get(f"/fhir/Patient/{own}", headers={"accept": "application/fhir+json"})
    assert (read.status_code, read.json()["id"], read.headers["cache-control"]) == (200, own, "no-store")
    assert http.head(f"/fhir/Patient/{own}").content == b""
    assert http.get(f"/fhir/Patient/{own}", headers={"if-none-match": 'W/"1"'}).status_code == 304
    minimal = http.post("/fhir/Patient", json=PATIENT, headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert "content-type" not in minimal.headers
    assert b'\n  "id"' in http.get(f"/fhir/Patient/{own}?_pretty=true&_format=json").content


def test_a_search_is_asked_in_the_url_or_posted(http):
    http.post("/fhir/Patient", json=PATIENT)
    assert http.get("/fhir/Patient?family=can").json()["total"] == 1
    posted = http.post("/fhir/Patient/_search?_count=5", data={"family": "can"})
    assert posted.json()["total"] == 1
    assert http.post("/fhir/Patient/_search", json={}).status_code == 415


def test_refusals_are_operation_outcomes(http):
    answer = http.get("/fhir/Patient?fmaily=x")
    told = answer.json()
    assert (answer.status_code, told["resourceType"]) == (400, "OperationOutcome")
    assert told["issue"][0]["code"] == "not-supported"
    assert "family" in told["issue"][0]["diagnostics"]
    assert http.get("/fhir/Patient", headers={"accept": "text/turtle"}).status_code == 406
    assert http.post("/fhir/Patient", content=b"a: b", headers={"content-type": "text/turtle"}).status_code == 415
    assert http.put("/fhir/metadata", json={}).status_code in {404, 405}
    bad = http.post("/fhir/Patient", json={**PATIENT, "gendr": "x"})
    assert bad.json()["issue"][0]["expression"] == ["Patient.?"]


def test_the_capability_statement_needs_nobody_to_sign_in(node):
    app = application(node, (), PersonAuthenticator(node), more=routes(FhirServer(node), PersonAuthenticator(node)))
    http = TestClient(app, raise_server_exceptions=False)
    told = http.get("/fhir/metadata").json()
    resources = told["rest"][0]["resource"]
    assert (told["fhirVersion"], len(resources)) == ("4.0.1", 146)
    assert http.get("/fhir/Patient").status_code == 401
    assert http.get("/fhir/Patient").json()["issue"][0]["code"] == "login"


def test_an_export_over_http(http):
    http.post("/fhir/Patient", json=PATIENT)
    asynchronous = {"accept": "application/fhir+json", "prefer": "respond-async"}
    begun = http.get("/fhir/Patient/$export?_outputFormat=application%2Ffhir%2Bndjson", headers=asynchronous)
    assert (begun.status_code, begun.content) == (202, b"")
    job = begun.headers["content-location"].partition("/fhir/")[2]
    manifest = http.get(f"/fhir/{job}", headers={"accept": "application/json"})
    assert manifest.headers["content-type"] == "application/json"
    (one,) = manifest.json()["output"]
    lines = http.get(f"/fhir/{one['url'].partition('/fhir/')[2]}", headers={"accept": "application/fhir+ndjson"})
    assert lines.headers["content-type"] == "application/fhir+ndjson"
    assert len(lines.content.splitlines()) == one["count"] == 1
    assert http.delete(f"/fhir/{job}").status_code == 202
    assert http.get(f"/fhir/{job}").status_code == 404


XML_PATIENT = b'<Patient xmlns="http://hl7.org/fhir"><name><family value="Canary"/></name></Patient>'


def test_a_resource_may_be_sent_as_xml_and_comes_back_as_json(http):
    media = "application/fhir+xml; charset=utf-8"
    made = http.post("/fhir/Patient", content=XML_PATIENT, headers={"content-type": media})
    assert (made.status_code, made.headers["content-type"]) == (201, "application/fhir+json")
    own = made.json()["id"]
    changed = XML_PATIENT.replace(b"<name>", f'<id value="{own}"/><name>'.encode()).replace(b"Canary", b"Lark")
    assert http.put(f"/fhir/Patient/{own}", content=changed, headers={"content-type": media}).status_code == 200
    assert http.get("/fhir/Patient?family=lark").json()["total"] == 1
    for other in ("application/xml", "text/xml"):
        checked = http.post("/fhir/Patient/$validate", content=XML_PATIENT, headers={"content-type": other})
        assert checked.status_code == 200


def test_a_transaction_in_xml_ties_its_entries(http):
    entries = (
        f"<entry><fullUrl value='urn:uuid:9d3b6a0c-6f0e-4d0b-8a55-0e4f3a0b1c2d'/><resource>{XML_PATIENT.decode()}</resource>"
        "<request><method value='POST'/><url value='Patient'/></request></entry>"
        "<entry><resource><Condition><subject><reference value='urn:uuid:9d3b6a0c-6f0e-4d0b-8a55-0e4f3a0b1c2d'/></subject>"
        "</Condition></resource><request><method value='POST'/><url value='Condition'/></request></entry>"
    )
    bundle = f"<Bundle xmlns='http://hl7.org/fhir'><type value='transaction'/>{entries}</Bundle>"
    told = http.post("/fhir", content=bundle.encode(), headers={"content-type": "application/fhir+xml"}).json()
    assert [entry["response"]["status"] for entry in told["entry"]] == ["201 Created", "201 Created"]
    assert http.get("/fhir/Condition?subject:Patient.family=canary").json()["total"] == 1


def test_hostile_xml_is_refused_and_nothing_is_stored(http):
    for attack in (
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + XML_PATIENT.replace(b"Canary", b"&a;"),
        b'<!DOCTYPE x [<!ENTITY a "ha">]>' + XML_PATIENT.replace(b"Canary", b"&a;"),
        XML_PATIENT.replace(b"Canary", b"&a;"),
        b"<Patient xmlns='http://hl7.org/fhir'>" + b"<extension url='x'>" * 5000,
    ):
        answer = http.post("/fhir/Patient", content=attack, headers={"content-type": "application/fhir+xml"})
        assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
        assert "root:" not in answer.text
    assert http.get("/fhir/Patient").json()["total"] == 0


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/fhir+xml", "xml"),
        ("text/xml", "xml"),
        ("application/fhir+json;q=0.5, application/fhir+xml", "xml"),
        ("application/fhir+xml;q=0.5, application/fhir+json", "json"),
        ("application/xml;q=0, */*", "json"),
        ("text/turtle, application/fhir+xml;q=0.2", "xml"),
        ("*/*", "json"),
    ],
)
def test_answers_are_in_the_form_that_is_asked_for(http, accept, form):
    own = http.post("/fhir/Patient", json=PATIENT).json()["id"]
    for path in (f"Patient/{own}", "Patient", "metadata", "Patient/nothing"):
        told = http.get(f"/fhir/{path}", headers={"accept": accept})
        assert told.headers["content-type"] == f"application/fhir+{form}"
        tree = json.loads(to_json(told.content)) if form == "xml" else told.json()
        plain = http.get(f"/fhir/{path}?_format=json", headers={"accept": "application/fhir+xml"}).json()
        for one in (tree, plain):
            one.pop("date", None)
            one.pop("timestamp", None)
            one.pop("meta", None)
            one.pop("link", None)
        assert tree == plain


def test_what_is_taken_in_xml_is_answered_in_xml(http):
    body = to_xml(json.dumps({**PATIENT, "multipleBirthInteger": 2}).encode())
    both = {"content-type": "application/fhir+xml", "accept": "application/fhir+xml"}
    made = http.post("/fhir/Patient", content=body, headers=both)
    assert made.status_code == 201
    told = http.get(f"/fhir/Patient/{json.loads(to_json(made.content))['id']}?_format=xml")
    assert told.content == made.content
    assert told.headers["etag"] == 'W/"1"'
    assert http.get("/fhir/metadata").json()["format"] == ["application/fhir+json", "application/fhir+xml"]
    bad = http.post("/fhir/Patient", content=b"<Patient/>", headers=both)
    assert (bad.status_code, json.loads(to_json(bad.content))["resourceType"]) == (400, "OperationOutcome")


def test_a_table_comes_in_the_form_that_is_asked_for(http):
    http.post("/fhir/Patient", json=PATIENT)
    view = {"resourceType": "ViewDefinition", "name": "names", "status": "active", "resource": "Patient"}
    view |= {"select": [{"forEach": "name", "column": [{"name": "family", "path": "family"}]}]}
    asked = {"resourceType": "Parameters", "parameter": [{"name": "viewResource", "resource": view}]}
    plain = http.post("/fhir/$viewdefinition-run", json=asked)
    assert (plain.headers["content-type"], plain.content) == ("application/x-ndjson", b'{"family":"Canary"}\n')
    in_url = http.post("/fhir/$viewdefinition-run?_format=csv&_pretty=true", json=asked)
    in_header = http.post("/fhir/$viewdefinition-run", json=asked, headers={"accept": "text/csv"})
    assert in_url.content == in_header.content == b"family\r\nCanary\r\n"
    assert in_url.headers["content-type"].startswith("text/csv")
    refused = http.post("/fhir/$viewdefinition-run", json=asked, headers={"accept": "image/png"})
    assert (refused.status_code, refused.json()["resourceType"]) == (406, "OperationOutcome")


def test_a_binary_is_sent_and_fetched_as_its_own_bytes(http):
    who = http.post("/fhir/Patient", json=PATIENT).json()["id"]
    told = {"content-type": "text/html; charset=utf-8", "x-security-context": f"Patient/{who}"}
    page = b"<script>alert(1)</script>"
    made = http.post("/fhir/Binary", content=page, headers=told)
    assert (made.status_code, made.json()["contentType"]) == (201, "text/html")
    path = f"/fhir/Binary/{made.json()['id']}"
    assert base64.b64decode(http.get(path).json()["data"]) == page
    for accept in ("text/html", "text/*", "text/html, application/fhir+json;q=0.5"):
        raw = http.get(path, headers={"accept": accept})
        assert (raw.content, raw.headers["content-type"].partition(";")[0]) == (page, "text/html")
        assert (raw.headers["content-disposition"], raw.headers["x-content-type-options"]) == ("attachment", "nosniff")
        assert raw.headers["content-security-policy"].startswith("sandbox")
        assert raw.headers["etag"] == 'W/"1"'
    assert http.head(path, headers={"accept": "text/html"}).content == b""
    changed = http.put(path, content=b"\x00\xff", headers={**told, "content-type": "image/png"})
    assert (changed.status_code, http.get(path, headers={"accept": "image/*"}).content) == (200, b"\x00\xff")
    assert http.get(f"{path}/_history/1", headers={"accept": "text/html"}).content == page
    assert http.get(path, headers={"accept": "text/html"}).status_code == 406
    assert http.get("/fhir/Binary/none", headers={"accept": "text/html"}).status_code == 404
    assert http.post("/fhir/Binary", content=page, headers={"content-type": "text/html"}).status_code == 422
    assert http.post("/fhir/Binary", content=page, headers={"content-type": "html"}).status_code == 415
    assert http.get("/fhir/Binary", headers={"accept": "text/html"}).status_code == 406


def test_a_client_that_goes_away_amid_its_request_is_no_fault(node):
    app = application(node, (), as_operator, more=routes(FhirServer(node), as_operator))
    body = json.dumps(PATIENT).encode()
    incoming = [{"type": "http.request", "body": body[:20], "more_body": True}, {"type": "http.disconnect"}]
    sent, before = [], node.index.position()

    async def receive():
        return incoming.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/fhir/Patient",
        "raw_path": b"/fhir/Patient",
        "query_string": b"",
        "headers": [(b"content-type", b"application/fhir+json"), (b"content-length", str(len(body)).encode())],
    }
    with capture_logs() as logs:
        anyio.run(app, scope, receive, send)
    assert (sent, incoming) == ([], [])
    assert [(one["event"], one["log_level"]) for one in logs] == [("http.gone", "info")]
    node.catch_up()
    assert node.index.position() == before
