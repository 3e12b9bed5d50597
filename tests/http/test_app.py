"""The HTTP edge: routes from use cases, refusals as problems, health, metrics, description."""

import msgspec
import pytest
import structlog
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from salus.core.errors import Rejected
from salus.core.reasons import KernelReason
from salus.http.app import application, as_operator
from salus.http.metrics import HELP, OPENMETRICS, PLAIN, Metrics, content_type
from salus.http.middleware import Guard
from salus.http.problems import BUG, operation_outcome
from salus.node.config import Config, Http
from salus.node.errors import NotFound, Unavailable
from salus.node.mapping import edge_error
from salus.node.usecase import NOBODY
from tests.linting import problems
from tests.sample_cases import CASES, SampleNode


def client(node=None, authenticate=lambda request, body: NOBODY):
    return TestClient(application(node or SampleNode(), CASES, authenticate), raise_server_exceptions=False)


def test_a_route_takes_and_gives_json():
    answer = client().post(
        "/api/shape/make",
        json={"patient": "p", "kind": "square", "content": "eHg=", "parts": [{"name": "a", "size": 1}]},
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "echo": "p square 1 False  None",
        "digest": "eHg=",
        "parts": [{"name": "a", "size": 1}],
        "first": {"name": "a", "size": 1},
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "truncated"),
        (b'{"patient": "p", "kind": "Mrs Canary"}', "Invalid enum value - at `$.kind`"),
        (b'{"patient": "p", "kind": "round", "sise": 1}', "unknown field `sise`"),
        (b'{"kind": "round"}', "missing required field `patient`"),
        (b'{"patient": "\xff"}', "UTF-8"),
    ],
)
def test_a_request_that_does_not_fit_is_told_where(content, told):
    answer = client().post("/api/shape/make", content=content)
    problem = answer.json()
    assert (answer.status_code, problem["code"], answer.headers["content-type"]) == (
        400,
        "request.invalid",
        "application/problem+json",
    )
    assert told in problem["title"]
    assert "Canary" not in answer.text


def test_a_refusal_is_a_problem_document():
    answer = client().post("/api/shape/find", json={})
    assert answer.status_code == 404
    assert answer.json() == {
        "type": "urn:salus:problem:shape.unknown",
        "title": "there is no such shape",
        "status": 404,
        "code": "shape.unknown",
        "expected": "a shape",
        "got": "none",
        "todo": "make one",
    }


@pytest.mark.parametrize("path", ["/api/shape/break", "/api/shape/doubt"])
def test_a_bug_tells_nothing_of_what_was_in_hand(path):
    with structlog.testing.capture_logs() as lines:
        http = client()
        answer = http.post(path, json={})
        page = http.post(path, json={}, headers={"accept": "text/html,*/*"})
    assert (answer.status_code, answer.json()["code"]) == (500, "node.bug")
    assert f'use_case="{path.removeprefix("/api/").replace("/", ".")}",status="500"' in http.get("/metrics").text
    assert (page.status_code, "node.bug" in page.text, 'lang="de"' in page.text) == (500, True, True)
    assert "Canary" not in answer.text + page.text + str(lines)
    assert [line["event"] for line in lines] == ["http.failed"] * 2


def test_a_failure_after_the_answer_has_begun_is_logged_and_cut_off():
    async def half(request):
        async def parts():
            yield b"begun"
            raise KeyError("Mrs Canary")

        return StreamingResponse(parts())

    app = Starlette(routes=[Route("/half", half)], middleware=[Middleware(Guard)])
    with structlog.testing.capture_logs() as lines:
        TestClient(app, raise_server_exceptions=False).get("/half")
    assert [(line["event"], line["type"]) for line in lines] == [("http.failed", "KeyError")]


def test_a_body_beyond_the_limit_is_refused():
    node = SampleNode(Config(http=Http(max_body_bytes=10)))
    answer = client(node).post("/api/shape/find", content=b"x" * 11)
    assert (answer.status_code, answer.json()["code"]) == (400, "http.too-large")


def test_who_may_not_is_refused_before_the_request_is_read():
    anonymous = client().post("/api/caller/operator", content=b"nonsense")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "http.not-for-you")
    assert client(authenticate=as_operator).post("/api/caller/operator", json={}).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/none"), ("GET", "/api/shape/make"), ("POST", "/health")])
def test_what_is_not_there_is_a_problem_too(method, path):
    answer = client().request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "http.no-route")
    page = client().request(method, path, headers={"accept": "text/html"}).text
    assert ("There is nothing here" in page, 'lang="de"' in page, path in page) == (True, True, False)


def test_health_follows_the_node():
    node = SampleNode()
    assert client(node).get("/health").json() == {"status": "ok"}
    node.wrong = "ledger.stopped"
    answer = client(node).get("/health")
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger.stopped")


def test_metrics_count_by_use_case_and_status_and_close_with_eof():
    http = client()
    http.post("/api/shape/find", json={})
    http.post("/api/shape/find", json={})
    http.post("/api/shape/make", json={"patient": "Mrs Canary", "kind": "round"})
    answer = http.get("/metrics")
    lines = answer.text.splitlines()
    assert 'salus_requests_total{use_case="shape.find",status="404"} 2' in lines
    assert 'salus_requests_total{use_case="shape.make",status="200"} 1' in lines
    assert 'salus_request_duration_seconds_bucket{use_case="shape.find",le="+Inf"} 2' in lines
    assert "salus_ledger_height 7" in lines
    assert lines[-1] == "# EOF"
    assert "Canary" not in answer.text
    assert answer.headers["content-type"].startswith("application/openmetrics-text")


def test_metrics_are_openmetrics_with_and_without_labels():
    metrics = Metrics()
    metrics.answered("shape.find", 200, 0.02)
    faults = {f'validator_faults_total{{member="{who}",fault="absent"}}': count for who, count in (("b", 2), ("a", 1))}
    text = metrics.text({"ledger_height": 7, "ledger_head_age_seconds": 0.25, **faults})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {sample.labels["member"]: sample.value for sample in families["salus_validator_faults"].samples} == {
        "a": 1,
        "b": 2,
    }
    assert families["salus_requests"].type == families["salus_validator_faults"].type == "counter"
    assert families["salus_request_duration_seconds"].type == "histogram"
    assert [sample.value for sample in families["salus_ledger_height"].samples] == [7]
    assert families["salus_ledger_head_age_seconds"].unit == "seconds"
    assert all(family.documentation for family in families.values())
    with pytest.raises(ValueError, match="EOF"):
        list(text_string_to_metric_families(text.removesuffix("# EOF\n")))


def test_prometheus_finds_nothing_to_mend_in_any_metric():
    metrics = Metrics()
    metrics.answered("shape.find", 200, 0.02)
    counted = {"peer_faults": 'peer_faults_total{member="a",code="c"}', "validator_faults": "validator_faults_total"}
    figures = {counted.get(family, family): 1 for family in HELP}
    plain = metrics.text(figures, PLAIN)
    assert problems(plain) == (0, "")
    # Every family is known under the name of its samples, else these would be untyped and unexplained.
    assert {line.split()[2] for line in plain.splitlines() if line.startswith("# HELP")} == {
        line.split()[2] for line in plain.splitlines() if line.startswith("# TYPE")
    }
    assert "salus_peer_faults_total no help text" in problems(metrics.text(figures, OPENMETRICS))[1]
    assert problems(plain.replace("counter", "counters"))[0] == 1


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", OPENMETRICS),
        ("*/*", OPENMETRICS),
        ("text/html", OPENMETRICS),
        ("text/plain", PLAIN),
        ("text/*;q=0.5", PLAIN),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", PLAIN),
        ("application/openmetrics-text; version=1.0.0, text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPENMETRICS),
        ("Application/OpenMetrics-Text;q=0.2, Text/Plain;q=0.8", PLAIN),
        ("application/openmetrics-text;q=0, text/plain;q=nonsense", PLAIN),
        ("text/plain;q=0", OPENMETRICS),
    ],
)
def test_who_asks_for_the_older_text_gets_it(accept, form):
    assert content_type(accept) == form
    answer = client().get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"] == form
    assert answer.text.endswith("# EOF\n") == (form == OPENMETRICS)


def test_the_description_names_every_route_and_resolves():
    document = client().get("/api/openapi.json").json()
    assert set(document["paths"]) == {case.path for case in CASES}
    text = msgspec.json.encode(document).decode()
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])
    assert document["components"]["schemas"]["Shape"]["properties"]["patient"]["description"] == "Whose it is."


@pytest.mark.parametrize(
    ("error", "status", "severity", "code"),
    [
        (NotFound("a.b", "none"), 404, "error", "not-found"),
        (Unavailable("a.b", "later"), 503, "fatal", "transient"),
        (edge_error(Rejected(KernelReason.EXPIRED)), 409, "error", "conflict"),
        (BUG, 500, "fatal", "exception"),
    ],
)
def test_a_refusal_as_operation_outcome(error, status, severity, code):
    answer = operation_outcome(error)
    (issue,) = msgspec.json.decode(answer.body)["issue"]
    assert (answer.status_code, issue["severity"], issue["code"]) == (status, severity, code)
