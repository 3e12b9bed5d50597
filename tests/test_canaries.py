"""Nothing personal in a log, a URL, a metric or an error: marked strings through every use case, by both edges."""

import io
import secrets

import pytest
import structlog
from starlette.testclient import TestClient

from salus.cli import main as program
from salus.http.app import application, as_operator
from salus.node import log
from salus.node.config import Config
from salus.node.local import Bare
from salus.node.registry import use_cases
from tests.canaries import CANARIES


@pytest.fixture
def logged():
    stream = io.StringIO()
    log.configure(stream)
    yield stream
    structlog.reset_defaults()


def test_every_use_case_has_its_canary():
    assert set(CANARIES) == set(use_cases()), "add the use case to tests/canaries.py"


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_reaches_no_log_metric_url_or_refusal(name, logged, tmp_path):
    canary = f"canary-{secrets.token_hex(8)}"
    case = use_cases()[name]
    http = TestClient(application(Bare(Config(data=str(tmp_path))), [case], as_operator), raise_server_exceptions=False)
    answer = http.post(case.path, json=CANARIES[name](canary))
    refused = http.post(case.path, json={**CANARIES[name](canary), "no-such-field": canary})
    shown = [str(answer.request.url), http.get("/metrics").text, refused.text, logged.getvalue()]
    shown += [answer.text] if answer.is_error else []
    assert refused.status_code == 400
    assert not [text for text in shown if canary in text]


def test_a_canary_on_the_command_line_reaches_no_log(logged, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert program.main(["about", "canary-of-the-command-line"]) == 2
    assert "canary" not in logged.getvalue()
    assert "canary" in capsys.readouterr().err  # whoever typed it may read it
