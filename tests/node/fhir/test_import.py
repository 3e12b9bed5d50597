"""Bulk import: files that another server holds are fetched, sealed and reported; what cannot be taken is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from salus.node.fhir import importing
from salus.node.fhir.answers import Request
from salus.node.fhir.server import FhirServer
from salus.node.usecase import LOCAL_OPERATOR
from tests.node.fhir.conftest import Asker
from tests.node.fhir.test_rest import patient, pulse, refusal

ASYNC = {"prefer": "respond-async"}


@pytest.fixture
def files():
    """Serve files by path on this machine; yields (their dict, base URL)."""
    held = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = held.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield held, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(30)


def ndjson(*trees):
    return b"".join(json.dumps(tree).encode() + b"\n" for tree in trees)


def order(base, *inputs, source="urn:ehr:old"):
    parts = [
        {"name": "input", "part": [{"name": "type", "valueCode": kind}, {"name": "url", "valueUrl": f"{base}{path}"}]}
        for kind, path in inputs
    ]
    told = [
        {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
        {"name": "inputSource", "valueUri": source},
        {"name": "storageDetail", "part": [{"name": "type", "valueCode": "https"}]},
    ]
    return {"resourceType": "Parameters", "parameter": [*told, *parts]}


def began(operator, body):
    answer = operator("POST", "$import", body, **ASYNC)
    assert (answer.status, answer.body) == (202, b"")
    return dict(answer.extra)["content-location"].removeprefix(operator.server.base + "/")


@pytest.fixture
def node(server):
    return server._node


def two_files(held):
    held["/p"] = ndjson(patient(id="p1"), patient("Lark", id="p2"))
    held["/o"] = ndjson(
        pulse("p1", id="o1"), pulse("p2", id="o2"), {"resourceType": "Observation", "id": "o3"}, {"resourceType": "X"}
    )


def test_files_are_fetched_sealed_and_reported_and_the_same_again_is_no_new_version(operator, node, files):
    held, base = files
    two_files(held)
    job = began(operator, order(base, ("Observation", "/o"), ("Patient", "/p"), ("Patient", "/none")))
    waiting = operator("GET", job)
    assert (waiting.status, dict(waiting.extra)["x-progress"]) == (202, "waiting")
    assert importing.advance(node) == 1
    report = operator.get(job)
    assert report["output"] == [
        {"inputUrl": f"{base}/o", "type": "Observation", "count": 3},
        {"inputUrl": f"{base}/p", "type": "Patient", "count": 2},
    ]
    assert report["extension"] == {"stored": 4, "unchanged": 0}
    (error,) = report["error"]
    lines = operator("GET", error["url"].removeprefix(operator.server.base + "/"))
    told = {json.loads(line)["issue"][0]["details"]["coding"][0]["code"] for line in lines.body.splitlines()}
    assert told == {"fhir.no-patient", "fhir.unknown-type", "import.answer"}
    assert error["count"] == len(lines.body.splitlines()) == 3
    assert operator.found("Observation") == {"o1", "o2"}
    assert operator.found("Observation?subject:Patient.family=lark") == {"o2"}
    assert operator("DELETE", job).status == 202
    assert refusal(operator, "GET", job) == (404, "fhir.not-found")
    again = began(operator, order(base, ("Patient", "/p"), ("Observation", "/o")))
    importing.advance(node)
    assert operator.get(again)["extension"] == {"stored": 0, "unchanged": 4}


def test_the_manifest_of_an_export_is_an_order_too(operator, node, files):
    held, base = files
    two_files(held)
    manifest = {"transactionTime": "2026-01-01T00:00:00Z", "request": "x", "requiresAccessToken": False, "error": []}
    began(operator, {**manifest, "output": [{"type": "Patient", "url": f"{base}/p", "count": 2}]})
    draft = {"inputFormat": "application/fhir+ndjson", "inputSource": "urn:x", "inputs": [{"url": f"{base}/o"}]}
    began(operator, draft)
    assert importing.advance(node) == 2
    assert operator.found("Patient") == {"p1", "p2"}


def test_a_file_of_another_type_is_refused_line_by_line(operator, node, files):
    held, base = files
    two_files(held)
    job = began(operator, order(base, ("Organization", "/p")))
    importing.advance(node)
    report = operator.get(job)
    assert report["output"][0]["count"] == 0
    assert report["error"][0]["count"] == 2
    assert operator.found("Patient") == set()


def test_a_job_that_a_stop_cuts_short_begins_again(operator, node, files):
    held, base = files
    two_files(held)
    job = began(operator, order(base, ("Patient", "/p"), ("Observation", "/o")))
    asked = []
    assert importing.advance(node, lambda: bool(asked.append(1)) or len(asked) > 2) == 0
    assert operator("GET", job).status == 202
    again = Asker(FhirServer(node), LOCAL_OPERATOR)
    assert importing.advance(node) == 1
    assert again("GET", job).status == 200
    assert again.found("Observation") == {"o1", "o2"}


def test_a_job_that_is_deleted_while_it_runs_ends(operator, node, files):
    held, base = files
    two_files(held)
    job = began(operator, order(base, ("Patient", "/p"), ("Observation", "/o")))
    seen = []

    def delete():
        seen.append(operator.server.answer(LOCAL_OPERATOR, "", Request("DELETE", job)).status) if not seen else None
        return False

    assert importing.advance(node, delete) == 0
    assert operator.found("Observation") == set()


def test_nobody_but_the_operator_imports_or_learns_of_it(operator, doctor, clerk, node, files):
    held, base = files
    two_files(held)
    job = began(operator, order(base, ("Patient", "/p")))
    for other in (doctor, clerk):
        assert refusal(other, "POST", "$import", order(base, ("Patient", "/p")), **ASYNC) == (403, "fhir.operator")
        assert refusal(other, "GET", job) == refusal(other, "DELETE", job) == (404, "fhir.not-found")
    assert importing.advance(node) == 1


FAULTS = (
    {"parameter": []},
    {"parameter": [{"name": "input", "part": [{"name": "url", "valueUrl": "http://example.org/x"}]}]},
    {"parameter": [{"name": "input", "part": [{"name": "url", "valueUrl": "file:///etc/passwd"}]}]},
    {"parameter": [{"name": "input", "valueUrl": "https://example.org/x"}]},
    {"parameter": [{"name": "inputs", "part": []}]},
    {"parameter": [{"name": "inputFormat", "valueCode": "text/csv"}]},
    {"resourceType": "Patient"},
    {"resourceType": "Parameters", "parameter": "x"},
)


def test_an_order_that_does_not_read_is_refused(operator, files):
    _, base = files
    for fault in FAULTS:
        assert refusal(operator, "POST", "$import", {"resourceType": "Parameters", **fault}, **ASYNC)[0] == 400
    assert refusal(operator, "POST", "$import", order(base, ("Patient", "/p"))) == (400, "fhir.not-async")
    assert refusal(operator, "POST", "$import?x=1", order(base, ("Patient", "/p")), **ASYNC) == (400, "fhir.parameter")
    assert operator.server._node.desk.imports() == []
