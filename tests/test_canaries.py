"""Nothing personal in a log, a URL, a metric or an error: marked strings through every use case, by both edges."""

import io
import secrets
from base64 import b64encode

import msgspec
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
from tests.agreements.claims.cases import MEMBERS, PLAN
from tests.canaries import CANARIES, base64
from tests.interop.x12.test_examine import INSTITUTIONAL, PAID, PROFESSIONAL
from tests.interop.x12.test_guides import MESSAGES, message


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


def marked_files(canary):
    """Yield (name, file): each X12 message that is read, with one of its elements replaced by a canary that no other has."""
    files = {"837P": PROFESSIONAL, "837I": INSTITUTIONAL, "835": PAID, **{name: message(name) for name in MESSAGES}}
    for name, data in files.items():
        segments = data.decode().rstrip("~\n").split("~\n")
        seen = set()
        for place, segment in enumerate(segments[1:-1], 1):
            elements = segment.split("*")
            for at in range(1, len(elements)):
                kind = elements[0], elements[1] * (at > 1), at
                if elements[at] and kind not in seen:
                    seen.add(kind)
                    changed = "*".join((*elements[:at], f"{canary}{place:03d}{at:02d}", *elements[at + 1 :]))
                    yield name, "~\n".join((*segments[:place], changed, *segments[place + 1 :], "")).encode()


def test_a_canary_in_any_element_of_a_claims_message_reaches_no_log_metric_or_refusal(logged, tmp_path):
    """Findings quote a value to its sender; what is refused, logged or counted tells places alone."""
    canary = f"CANARY{secrets.token_hex(4).upper()}"
    plan = base64(msgspec.json.encode(PLAN).decode())
    readers = {
        "837": [("claims.submit", {"payer": "north"})],
        "835": [("claims.audit", {"rates": base64("[]")}), ("claims.post", {})],
        "270": [("claims.eligibility", {"plan": plan})],
        "276": [("claims.status", {})],
        "278": [("claims.ask-approval", {"payer": "north"})],
    }
    check = [("claims.check", {})]
    node = founded(tmp_path)
    try:
        http = TestClient(application(node, use_cases().values(), as_operator), raise_server_exceptions=False)
        asked = answers = 0
        for name, file in marked_files(canary):
            coded = b64encode(file).decode()
            requests = [(case, {"file": coded, **more}) for case, more in readers.get(name[:3], check)]
            if name == "834":
                requests.append(("claims.decide", {"plan": plan, "rates": base64("[]"), "members": coded}))
            if name == "270":
                requests[-1][1]["members"] = base64(msgspec.json.encode(MEMBERS).decode())
            for case, request in requests:
                told = http.post(use_cases()[case].path, json=request)
                asked, answers = asked + 1, answers + (not told.is_error)
                assert told.status_code < 500, (case, told.text)
                assert not told.is_error or canary not in told.text, (case, told.text)
        metrics = http.get("/metrics").text
    finally:
        node.close()
    assert canary not in metrics + logged.getvalue()
    assert asked > answers > asked // 4


def test_a_canary_on_the_command_line_reaches_no_log(logged, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert program.main(["about", "canary-of-the-command-line"]) == 2
    assert "canary" not in logged.getvalue()
    assert "canary" in capsys.readouterr().err  # whoever typed it may read it
