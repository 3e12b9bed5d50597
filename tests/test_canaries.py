"""Nothing personal in a log, a URL, a metric or an error: marked strings through every use case, by both edges."""

import io
import secrets

import pytest
import structlog
from starlette.testclient import TestClient

from salus.cli import main as program
from salus.http.app import application, as_operator
from salus.node import erasing, log
from salus.node.config import Config, Http
from salus.node.local import Bare
from salus.node.network import founding
from salus.node.notices import ERASURE_OPENED, notify
from salus.node.opening import open_node
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


PATIENT = (
    '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"CANARY"}],'
    '"name":[{"family":"CANARY","given":["Ada"]}],"birthDate":"1970-05-05"}\n'
    '{"resourceType":"Observation","id":"o1","status":"CANARY","subject":{"reference":"Patient/CANARY"}}\n'
    '{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p1"},"note":[{"text":"CANARY"}]}\n'
    '{"resourceType":"CANARY","CANARY":1}\n'
)


def founded(folder):
    """Return the node of a member that founded a ledger alone."""
    config = Config(member="north", data=str(folder), http=Http(public_url="http://testserver"))
    place = open_node(config)
    made = founding.card(place, founding.MakeCard(name="North", roles=("provider",), jurisdiction="DE"))
    founding.found_network(place, founding.Found(network="lake-county", card=made.card, accept_forgetting=True))
    return open_node(config)


def through_everything(node, canary, inbox):
    """Push the word through every use case, and through those that keep it once more with what they find."""
    http = TestClient(application(node, use_cases().values(), as_operator), raise_server_exceptions=False)
    answers = []

    def ask(name, request):
        answers.append((name, http.post(use_cases()[name].path, json=request)))
        return answers[-1][1].json()

    file = inbox / f"{canary}.ndjson"
    file.write_text(PATIENT.replace("CANARY", canary))
    imported = ask("records.import", {"paths": [str(file)], "source": f"urn:{canary}"})
    assert imported["stored"] >= 2
    assert imported["refused"]
    link = ask("link.invite", {"system": "urn:mrn", "value": canary})["link"]
    ask("link.contact", {"link": link, "address": f"{canary}@example.org"})
    notify(node, bytes.fromhex(link), ERASURE_OPENED)
    assert ask("records.find", {"name": canary, "purpose": "TREAT"})["patients"]
    for line in ask("records.chart", {"link": link})["lines"]:
        ask("records.show", {"number": line["number"]})
    erasing.begin(node, bytes.fromhex(link), bytes(16))
    for name, request in CANARIES.items():
        ask(name, request(canary))
    return answers, http.get("/metrics").text


def test_marked_words_through_a_real_node_stay_where_they_belong(logged, tmp_path, monkeypatch):
    canary = f"canary{secrets.token_hex(8)}"
    data, inbox, scratch = (tmp_path / name for name in ("data", "inbox", "scratch"))
    for folder in (data, inbox, scratch):
        folder.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    node = founded(data)
    try:
        answers, metrics = through_everything(node, canary, inbox)
    finally:
        node.close()

    assert {name for name, _ in answers} == set(use_cases())
    assert [name for name, answer in answers if answer.status_code == 500] == []
    assert [name for name, answer in answers if canary in str(answer.url)] == []
    assert [name for name, answer in answers if answer.is_error and canary in answer.text] == []
    assert canary not in metrics + logged.getvalue()
    files = [path for folder in (data, scratch) for path in folder.rglob("*")]
    assert (data / "ledger" / "data.mdb") in files
    marked = canary.encode()
    assert [
        path.name for path in files if canary in path.name or (path.is_file() and marked in path.read_bytes())
    ] == []


def test_a_canary_on_the_command_line_reaches_no_log(logged, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert program.main(["about", "canary-of-the-command-line"]) == 2
    assert "canary" not in logged.getvalue()
    assert "canary" in capsys.readouterr().err  # whoever typed it may read it
