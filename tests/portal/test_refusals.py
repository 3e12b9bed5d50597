"""No refusal reaches a reader without words: every code in the code that answers at pages has its own, in both languages."""

import ast
import html
import json
import re
from importlib import import_module
from inspect import getsource
from typing import get_args

import pytest

from salus.contracts.consent.reasons import ConsentReason
from salus.contracts.membership.port import Act, Parameters, ProposalStatus, Role, Standing
from salus.contracts.membership.reasons import MembershipReason
from salus.contracts.records.reasons import RecordsReason
from salus.contracts.registry import REGISTRY
from salus.core.reasons import KernelReason
from salus.node import mapping, worklist
from salus.node.errors import EdgeError, reason_name
from salus.node.exchange.delivery import deliver
from salus.node.notices import KIND
from salus.node.opening import TAKERS
from salus.portal.refusals import AT_PAGES, AT_WORK, KEYS, KEYS_AT_WORK, OTHER, TEXTS, key_at_work, key_of
from salus.portal.rendering import text, texts
from tests.portal.conftest import form

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
    "pull.unasked": "a keeper's pull",
    "pull.unconfirmed": "a keeper's pull",
    "records.receive": "a wallet makes it",
    "wallet.erase": "a command's option",
    "wallet.sheet": "a command's option",
    "wallet.sheet-unknown": "a command's option",
}
"""Codes in it that no patient meets, unless a program is wrong: then the words that fit any, with the code."""

WORKING = (
    "apps",
    "asking",
    "charting",
    "duplicates",
    "entering",
    "ledger",
    "operating",
    "reviewing",
    "scanning",
    "visiting",
)
"""Modules of the pages of staff, operators and auditors."""
BELOW = (
    "access",
    "anchoring",
    "emergency",
    "exchange.delivery",
    "exchange.disclosed",
    "exchange.grantee",
    "exchange.pull",
    "exchange.wire",
    "identity.comparing",
    "identity.reviewing",
    "pairs",
    "people",
    "reading",
    "submitting",
    "supply.stock",
)
"""What the modules that they ask rest on."""
NOT_AT_PAGES = {
    "access.code": "a wallet reads it",
    "access.expired": "a wallet reads it",
    "access.format": "a wallet reads it",
    "access.signature": "a wallet reads it",
    "app.backend": "a command registers programs",
    "app.keys": "a command registers programs",
    "app.member": "a command registers programs",
    "app.redirect": "a command registers programs",
    "app.scopes": "a command registers programs",
    "app.uri": "a command registers programs",
    "backup.blocks": "a command puts a backup back",
    "backup.folder": "a command makes a backup",
    "backup.none": "a command puts a backup back",
    "backup.not-empty": "a command puts a backup back",
    "network.act": "a command proposes",
    "network.credential": "a command rotates keys",
    "network.running": "a command rotates keys",
    "network.unsigned": "a command founds a network",
    "session.not-serving": "a command makes a link",
    "smart.invalid-grant": "a program's own question",
    "smart.token": "a program's own question",
    "smart.unsupported-grant-type": "a program's own question",
    "token.not-serving": "a command tries a program",
    "token.role": "a command tries a program",
    "token.scope": "a command tries a program",
    "vault.restore": "a command puts a backup back",
    "wallet.file": "a patient's wallet",
    "wallet.format": "a patient's wallet",
    "wallet.no-member": "a patient's wallet",
    "wallet.not-joined": "a patient's wallet",
    "wallet.nowhere": "a patient's wallet",
    "wallet.passphrase": "a patient's wallet",
    "wallet.trust": "a patient's wallet",
}
"""Codes in those modules that no page answers with."""
LOWER = {"encoding", "index", "ledger", "proof", "record", "vault"}
"""What the codes of layers begin with on which every page rests."""


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


def asked_by(module: str) -> set[str]:
    """Return the modules of use cases and edges that a module imports from."""
    found = [one for one in ast.walk(ast.parse(getsource(import_module(module)))) if isinstance(one, ast.ImportFrom)]
    return {one.module for one in found if one.module and one.module.startswith(("salus.http.", "salus.node."))}


def test_every_code_that_who_works_here_can_meet_has_words() -> None:
    asked = {one for name in WORKING for one in asked_by(f"salus.portal.{name}")}
    walked = {*asked, *(f"salus.portal.{name}" for name in WORKING), *(f"salus.node.{name}" for name in BELOW)}
    met = {code for module in walked for code in codes(module.removeprefix("salus."))}
    assert len(met) > 100
    met |= {told.code for told in mapping.TOLD.values() if told.code.partition(".")[0] in LOWER}
    met |= {reason_name(one) for kind in (KernelReason, MembershipReason) for one in kind}
    met |= {
        reason_name(one) for one in RecordsReason if one >= RecordsReason.EMERGENCY_LIMIT
    }  # the others: an erasure's
    assert sorted(met - set(KEYS_AT_WORK) - set(NOT_AT_PAGES)) == []
    assert sorted(set(NOT_AT_PAGES) - met) == []
    assert sum(map(len, AT_WORK.values())) == len(KEYS_AT_WORK)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("group", "keys", "key"), [("refusals", TEXTS, key_of), ("declined", AT_WORK, key_at_work)], ids=["patient", "work"]
)
def test_every_text_is_there_and_used(language, group, keys, key) -> None:
    said = {one.partition(".")[2] for one in texts(language) if one.startswith(f"{group}.")}
    assert said == {*keys, OTHER}
    told = text(language, f"{group}.{key('never.heard-of')}", member="North", code="never.heard-of")
    assert "North" in told


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_task_has_words(language) -> None:
    said = {key.partition(".")[2] for key in texts(language) if key.startswith("tasks.")}
    assert said == set(worklist.TASKS)


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_ledger_says_of_members_proposals_and_transactions_has_words(language) -> None:
    acts = {str(one.__struct_config__.tag) for one in get_args(Act)}
    said = {
        "roles": set(Role),
        "standing": set(Standing),
        "acts": acts,
        "outcomes": {*ProposalStatus, "expired"},
        "deliveries": {*TAKERS, KIND},
        "contracts": {str(one.__struct_config__.tag).partition(".")[0] for one in get_args(REGISTRY.messages)},
    }
    parameters = {key.partition(".")[2] for key in texts(language) if key.startswith("parameters.")}
    assert parameters >= {*Parameters.__struct_fields__} - {"thresholds"}
    assert parameters >= {name for one in get_args(Act) for name in one.__struct_fields__} - {"parameters"}
    for group, codes_ in said.items():
        assert {key.partition(".")[2] for key in texts(language) if key.startswith(f"{group}.")} == codes_


def test_each_is_refused_in_plain_words_of_the_language_and_staff_beside_them_in_those_of_what_refused(north) -> None:
    german = {"accept-language": "de"}
    patient = north.patient().get("/my/record/none", headers=german)
    assert (patient.status_code, texts("de")["refusals.old_page"] in patient.text) == (404, True)
    assert "session.address" in patient.text
    assert "this address" not in patient.text.lower()
    stranger = north.browser().post("/sign-in", data={"code": "0" * 48}, headers=german)
    assert (stranger.status_code, texts("de")["refusals.sign_in"] in stranger.text) == (401, True)
    refused = north.staff().get("/chart/none", headers=german)
    assert texts("de")["declined.old_page"] in refused.text
    assert re.search('<details><summary>[^<]*</summary><dl lang="en">.*is not one of this session', refused.text)
    staff = north.staff()
    wrong = {**form(staff.get("/patients").text, "/patients"), "birth_date": "yesterday"}
    assert texts("de")["declined.search"] in staff.post("/patients", data=wrong, headers=german).text
    unknown = north.browser().get("/ledger/blocks/99999999", headers=german)
    assert (unknown.status_code, texts("de")["declined.height"] in unknown.text) == (404, True)
    assert "<details" not in unknown.text


def test_a_delivery_that_fails_is_told_in_words_with_its_code(north) -> None:
    deliver(north.node, "clinic", "never-heard-of", b"")
    page = north.staff().get("/worklist", headers={"accept-language": "de"}).text
    said = texts("de")["declined.not_taken"].format(member="Lake Clinic")
    assert re.search(f'<td data-name="Art">Sendung</td><td>Lake Clinic .*1-mal.*{said}.*delivery.kind', page)
    waiting = north.operator().get("/operator/waiting").text
    assert re.search(f"Lake Clinic.*{text('en', 'declined.not_taken', member='Lake Clinic')}.*delivery.kind", waiting)


def test_the_wallet_is_handed_the_words_for_what_members_answer(north) -> None:
    page = north.browser().get("/wallet", headers={"accept-language": "de"}).text
    handed = {
        name: json.loads(html.unescape(re.findall(f'data-{name}="([^"]*)"', page)[0])) for name in ("texts", "codes")
    }
    assert handed["codes"]["instruction.refused"] == "key"
    assert {f"refusals.{key}" for key in (*handed["codes"].values(), OTHER)} <= set(handed["texts"])
    assert {code for code, key in KEYS.items() if key not in AT_PAGES} == set(handed["codes"])
