"""The operator's pages: how the node stands, ballots, who may come in; and that they show no record."""

import re

import pytest

from salus.node.errors import Unavailable
from salus.node.fhir.server import FhirServer
from salus.node.listening.taking import Taking
from salus.node.network.governing import (
    ListProposals,
    ProposeParameters,
    ProposeSuspend,
    list_proposals,
    propose_parameters,
    propose_suspend,
)
from salus.node.signing_in import DismissPerson, OperatorSignIn, SignIn, dismiss, operator_sign_in, sign_in
from salus.portal.app import GET
from tests.portal.conftest import form


@pytest.fixture
def operator(north):
    with pytest.raises(Unavailable):
        operator_sign_in(north.node, OperatorSignIn())
    return north.operator()


def test_the_operator_sees_how_the_node_stands(north, operator) -> None:
    page = operator.get("/operator").text
    assert str(north.node.ledger.head().height) in page
    assert north.node.signing_key.public_key().public_bytes_raw().hex() in page
    assert "salus backup make" in page
    assert (
        "Nothing waits" in operator.get("/operator/waiting").text or "waiting" in operator.get("/operator/waiting").text
    )
    north.node.ticking = True
    sign_in(north.node, SignIn(subject="porter", role="nurse", purposes=("TREAT",), passkey=True))
    north.node.ticking = False
    listed = operator.get("/operator/people").text
    assert "porter" in listed
    operator.post("/operator/dismiss", data=form(listed, "/operator/dismiss"))
    assert "porter" not in operator.get("/operator/people").text
    dismiss(north.node, DismissPerson(subject="porter"))


def test_a_message_that_was_held_is_listed_without_what_it_says_and_tried_again(north, operator) -> None:
    assert "No message is held" in operator.get("/operator/messages").text
    body = b"MSH|^~\\&|LAB|NORTH|SALUS|NORTH|20260301||ZZZ^Z99|c-17|P|2.5.1\rPID|1||4711^^^NORTH||Canary^Ada\r"
    Taking(north.node, FhirServer(north.node)).take(body)
    page = operator.get("/operator/messages")
    assert ("c-17" in page.text, "LAB" in page.text, "Canary" in page.text) == (True, True, False)
    assert '<a href="/operator/messages">1</a>' in operator.get("/operator").text
    for path, word in (("messages", "c-17"), ("waiting", ""), ("proposals", ""), ("people", ""), ("apps", "")):
        sent = operator.get(f"/operator/{path}.csv")
        assert (sent.status_code, sent.headers["content-type"].partition(";")[0]) == (200, "text/csv")
        assert (word in sent.text, "Canary" in sent.text) == (True, False)
    fields = form(page.text, "/operator/messages")
    for _ in range(2):
        again = operator.post("/operator/messages", data=fields)
        assert (again.url.path, "c-17" in again.text) == ("/operator/messages", True)
    unknown = operator.post("/operator/messages", data={**fields, "message": "0" * 32})
    assert (unknown.status_code, "message.unknown" in unknown.text) == (404, True)
    assert north.staff().post("/operator/messages", data={"message": "0" * 32}).status_code == 403


def test_the_operator_sees_no_record_and_nobody_else_is_the_operator(north, operator) -> None:
    for path, _ in GET:
        if path.startswith(("/patients", "/chart", "/record", "/my", "/access", "/emergency", "/apps", "/reviews")):
            sent = operator.get(path.replace("{name}", "0" * 20).replace("{measure}", "0" * 20))
            assert sent.status_code in {403, 404}, path
    for browser in (north.staff(), north.patient()):
        for path in (one for one, _ in GET if one.startswith("/operator")):
            assert browser.get(path).status_code == 403, path
        assert "Overview" not in browser.get("/ledger").text
    assert north.browser().get("/operator", follow_redirects=False).headers["location"] == "/sign-in"


def test_the_operator_votes_once(north, clinic, operator) -> None:
    assert "There is no proposal" in operator.get("/operator/proposals").text
    asked = propose_suspend(clinic.node, ProposeSuspend(member="north"))
    north.node.wait_for(clinic.node.ledger.head().height)
    page = operator.get("/operator/proposals").text
    fields = {**form(page, "/operator/vote"), "ballot": "reject"}
    assert re.search("<dt>Member</dt><dd>North Hospital</dd>", page)
    told = operator.post("/operator/vote", data=fields)
    assert (told.url.path, "This member has voted" in told.text or "rejected" in told.text) == (
        "/operator/proposals",
        True,
    )
    assert operator.post("/operator/vote", data=fields).status_code == 409
    line = next(
        one for one in list_proposals(north.node, ListProposals(all=True)).proposals if one.proposal == asked.proposal
    )
    assert (line.reject, line.status == "passed") == (1, False)
    propose_parameters(clinic.node, ProposeParameters(changes={"anchor_tick": 2_000}))
    north.node.wait_for(clinic.node.ledger.head().height)
    page = operator.get("/operator/proposals").text
    assert re.search("<dt>How often records are anchored</dt><dd>2 seconds, now 500 ms</dd></dl>", page)
    assert "How long a proposal is open" not in page
