"""No refusal reaches a patient without words: every code in the code that answers patients has its own, in both languages."""

import ast
import html
import json
import re
from importlib import import_module
from inspect import getsource

import pytest

from salus.contracts.consent.reasons import ConsentReason
from salus.node.errors import EdgeError, reason_name
from salus.portal.refusals import AT_PAGES, KEYS, OTHER, TEXTS, key_of
from salus.portal.rendering import text, texts

ANSWERING = (
    "node.access",
    "node.anchoring",
    "node.hosted",
    "node.invitation",
    "node.member",
    "node.passkeys",
    "node.patient.door",
    "node.patient.healthlinks",
    "node.patient.news",
    "node.patient.proof",
    "node.patient.wishes",
    "node.sessions",
    "node.submitting",
    "node.wallet.holder",
    "node.wallet.joining",
    "node.wallet.restoring",
    "node.wallet.sharing",
    "node.wallet.wishing",
    "portal.entering",
    "portal.giving",
    "portal.keeping",
    "portal.mine",
    "portal.visiting",
    "portal.wishing",
)
"""What answers a wallet's question, or a patient at a page."""
ELSEWHERE = {
    "grant.instruction": "a wallet writes it",
    "grant.signature": "a wallet signs it",
    "health-link.recipient": "whoever opens a link",
    "instruction.action": "a wallet writes it",
    "instruction.grant": "a wallet writes it",
    "instruction.kind": "a wallet writes it",
    "ledger.submitter": "a wallet has it built",
    "oidc.none": "staff's sign-in",
    "patient.bytes": "a wallet writes it",
    "pull.unconfirmed": "a keeper's pull",
    "records.receive": "a wallet makes it",
    "wallet.erase": "a command's option",
    "wallet.sheet": "a command's option",
    "wallet.sheet-unknown": "a command's option",
}
"""Codes in it that no patient meets, unless a program is wrong: then the words that fit any, with the code."""


def codes(module: str) -> set[str]:
    """Return the codes of the errors that a module makes."""
    calls = [
        one for one in ast.walk(ast.parse(getsource(import_module(f"salus.{module}")))) if isinstance(one, ast.Call)
    ]
    named = {kind.__name__ for kind in EdgeError.__subclasses__()}
    made = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id in named and one.args]
    return {one.args[0].value for one in made if isinstance(one.args[0], ast.Constant)}


def test_every_code_that_a_patient_can_meet_has_words() -> None:
    met = {code for module in ANSWERING for code in codes(module)}
    assert len(met) > 70
    met |= {"erasure.open", "erasure.retained"}  # the others there are staff's
    met |= {reason_name(one) for one in ConsentReason if one.name not in {"ALREADY_GRANTED", "NOT_ROUNDED"}}
    assert sorted(met - set(KEYS) - set(ELSEWHERE)) == []
    assert sorted(set(ELSEWHERE) - met) == []
    assert sum(map(len, TEXTS.values())) == len(KEYS)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_text_is_there_and_used(language) -> None:
    said = {key.partition(".")[2] for key in texts(language) if key.startswith("refusals.")}
    assert said == {*TEXTS, OTHER}
    told = text(language, f"refusals.{key_of('never.heard-of')}", member="North", code="never.heard-of")
    assert ("North" in told, "never.heard-of" in told) == (True, True)


def test_a_patient_is_refused_in_plain_words_of_the_language_and_staff_in_those_of_what_refused(north) -> None:
    german = {"accept-language": "de"}
    patient = north.patient().get("/my/record/none", headers=german)
    assert (patient.status_code, texts("de")["refusals.old_page"] in patient.text) == (404, True)
    assert "session.address" in patient.text
    assert "this address" not in patient.text.lower()
    stranger = north.browser().post("/sign-in", data={"code": "0" * 48}, headers=german)
    assert (stranger.status_code, texts("de")["refusals.sign_in"] in stranger.text) == (401, True)
    assert "is not one of this session" in north.staff().get("/chart/none").text


def test_the_wallet_is_handed_the_words_for_what_members_answer(north) -> None:
    page = north.browser().get("/wallet", headers={"accept-language": "de"}).text
    handed = {
        name: json.loads(html.unescape(re.findall(f'data-{name}="([^"]*)"', page)[0])) for name in ("texts", "codes")
    }
    assert handed["codes"]["instruction.refused"] == "key"
    assert {f"refusals.{key}" for key in (*handed["codes"].values(), OTHER)} <= set(handed["texts"])
    assert {code for code, key in KEYS.items() if key not in AT_PAGES} == set(handed["codes"])
