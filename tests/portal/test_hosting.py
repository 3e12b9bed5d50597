"""A wallet that a member keeps, opened by staff after proofing: used through the pages, and bounded by the patient's word."""

from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.http.app import application, as_operator
from salus.node.accounts import WALLET
from salus.node.errors import EdgeError
from salus.node.exchange.grantee import fetch
from salus.node.host_questions import (
    AnswerHostQuestion,
    ListHostQuestions,
    NoteHost,
    answer_question,
    list_questions,
    note_host,
)
from salus.node.hosted import SayHosted
from salus.node.hosting import (
    EndHosting,
    ListHosted,
    OpenHosting,
    SignInHosted,
    end_hosting,
    list_hosted,
    open_hosting,
    sign_in_hosted,
    wallets_of,
)
from salus.node.links import Invite, SetContact, contact, invite
from salus.node.notices import ToFolder, send_due
from salus.node.patient import messages as m
from salus.node.records.intake import Intake
from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.together import Clock, Founder, found_together
from salus.portal.app import routes
from salus.portal.rendering import text
from salus.portal.visiting import Pages
from tests.portal.conftest import every_cut, form

ADA = '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn:%s","value":"4711"}],"name":[{"family":"Canary"}]}'
SUGAR = '{"resourceType":"Observation","id":"s1","status":"final","subject":{"reference":"Patient/p1"},"code":{"text":"Glucose"},"valueQuantity":{"value":5.30,"unit":"mmol/L"}}'


@pytest.fixture
def two(tmp_path):
    """A hospital that keeps wallets, and a clinic with records of the same patient."""
    founders = tuple(Founder(one, one.title(), (Role.PROVIDER,)) for one in ("north", "clinic"))
    found = found_together(tmp_path, founders, clock=Clock())
    for member, node in found.nodes.items():
        file = tmp_path / f"{member}.ndjson"
        file.write_text(f"{ADA % member}\n{SUGAR}\n")
        Intake(node, f"urn:source:{member}").run([file])
        node.ticking = True
    found.settle()
    yield found
    for node in found.nodes.values():
        node.ticking = False
    found.close()


def pages_of(node):
    """Return the pages as `salus serve` makes them."""
    return application(node, (), as_operator, more=routes(Pages(node, secure=False, wallets=wallets_of(node))))


def registrar(node):
    return caller_of(node, "desk-1", "registrar", ("HOPERAT",))[0]


def entered(node, link):
    browser = TestClient(pages_of(node), base_url="http://site.test")
    sent = browser.post("/sign-in", data={"code": link.partition("code=")[2]})
    return sent, browser


def opened(two):
    """Open a wallet at the hospital, join the clinic through its pages; return the patient's browser."""
    north, clinic = two.nodes.values()
    link = open_hosting(north, OpenHosting(system="urn:mrn:north", value="4711"), caller=registrar(north)).link
    sent, browser = entered(north, link)
    assert (sent.status_code, sent.url.path) == (200, "/my/record")
    given = invite(clinic, Invite(system="urn:mrn:clinic", value="4711"))
    keys = browser.get("/my/keys").text
    joined = browser.post("/my/join", data={**form(keys, "/my/join"), "invitation": given.invitation})
    assert "North, Clinic" in joined.text
    return browser, bytes.fromhex(given.link)


def shared(two, browser, grantee):
    """Answer a request of a member's physician at the pages; return the grant and the physician's caller."""
    node = two.nodes[grantee]
    caller, _ = caller_of(node, "physician-1", "physician", ("TREAT",))
    code = ask_access(node, AskAccess(purpose="TREAT", classes=("general", "laboratory")), caller=caller).code
    page = browser.post("/my/share", data={**form(browser.get("/my/share").text, "/my/share"), "code": code})
    chosen = {"class": ["general", "laboratory"], "from": [one for one in two.nodes if one != grantee], "days": "7"}
    seen = browser.post("/my/share/preview", data={**form(page.text, "/my/share/preview"), **chosen})
    given = browser.post("/my/share/give", data={**form(seen.text, "/my/share/give"), **chosen})
    assert given.url.path == "/my/sharing"
    two.settle()
    return wallets_of(two.nodes["north"])[names(two)[0]].holder.permissions()[-1].id, caller


def names(two):
    return [one.wallet for one in list_hosted(two.nodes["north"], ListHosted()).wallets]


def refused(run, *given, **told):
    with pytest.raises(EdgeError) as caught:
        run(*given, **told)
    return caught.value.code


def sent_to(folder, node):
    """Send what is due; return the texts of the messages."""
    send_due(node, ToFolder(folder))
    return (
        [message_from_bytes(one.read_bytes(), policy=default).get_content() for one in folder.glob("*.eml")]
        if folder.exists()
        else []
    )


def test_a_place_whose_member_goes_down_while_it_is_joined_is_joined_by_the_next_invitation(two) -> None:
    north, clinic = two.nodes.values()
    link = open_hosting(north, OpenHosting(system="urn:mrn:north", value="4711"), caller=registrar(north)).link
    _, browser = entered(north, link)
    holder = wallets_of(north)[names(two)[0]].holder
    known = dict(holder.known)

    def join():
        holder.known = dict(known)
        fields = form(browser.get("/my/keys").text, "/my/join")
        invitation = invite(clinic, Invite(system="urn:mrn:clinic", value="4711")).invitation
        return browser.post("/my/join", data={**fields, "invitation": invitation})

    down, cut = text("en", "refusals.again", member="Clinic", code=""), 0
    for said in every_cut(holder, join, done=True):
        cut += 1
        assert (said.status_code, down in said.text) == (503, True)
        assert "North, Clinic" not in browser.get("/my/keys").text
    assert cut >= 3
    for said in every_cut(holder, join, done=False):  # joined again: what was tied stays tied
        assert (said.status_code, down in said.text) == (503, True)
        assert "North, Clinic" in browser.get("/my/keys").text
    assert browser.get("/my/record").text.count("Glucose") == 2


def test_a_hosted_wallet_is_used_and_its_keeper_reads_elsewhere_only_after_the_patients_word(two, tmp_path) -> None:
    north, clinic = two.nodes.values()
    browser, link = opened(two)
    assert "keeps your keys for you" in browser.get("/my/record").text
    assert browser.get("/my/record").text.count("Glucose") == 2
    contact(clinic, SetContact(link=link.hex(), address="ada@example.org"))
    grant, caller = shared(two, browser, "north")
    assert fetch(north, grant, "TREAT", caller.credential).failures[0][1] == "pull.unconfirmed"
    assert fetch(north, grant, "TREAT", caller.credential).failures[0][1] == "pull.unconfirmed"
    (message,) = sent_to(tmp_path / "out", clinic)  # asked once, and nothing of the record in it
    assert not [word for word in ("Canary", "Glucose", "north", "North", grant.hex()) if word in message]
    code = message.partition("/confirm?code=")[2].split()[0]
    anyone = TestClient(pages_of(clinic), base_url="http://clinic.test")
    question = anyone.get("/confirm", params={"code": code}).text
    assert ("North" in question, "Treatment" in question, "Canary" in question) == (True, True, False)
    assert anyone.get("/confirm", params={"code": "0" * 32}).status_code == 404
    assert "Thank you" in anyone.post("/confirm", data={"code": code, "word": "yes"}).text
    assert anyone.post("/confirm", data={"code": code, "word": "no"}).status_code == 404  # the first word holds
    assert fetch(north, grant, "TREAT", caller.credential).failures == ()
    looked = browser.get("/my/looked?own=1").text
    assert ("Took your yes" in looked, "Let you into your wallet" in looked, "desk-1" in looked) == (True, True, True)


def test_a_no_holds_and_a_word_in_person_stands_in_the_log(two) -> None:
    north, clinic = two.nodes.values()
    browser, link = opened(two)
    grants = []
    for yes in (False, True):
        grant, caller = shared(two, browser, "north")
        assert fetch(north, grant, "TREAT", caller.credential).failures[0][1] == "pull.unasked"
        (one,) = list_questions(clinic, ListHostQuestions()).questions
        assert (one.grant, one.host, one.told) == (grant.hex(), "north", False)
        asked = AnswerHostQuestion(link=link.hex(), grant=grant.hex(), yes=yes)
        answer_question(clinic, asked, caller=registrar(clinic))
        assert refused(answer_question, clinic, asked, caller=registrar(clinic)) == "host.question"
        grants.append((grant, caller, yes))
    for grant, caller, yes in grants:
        assert [one[1] for one in fetch(north, grant, "TREAT", caller.credential).failures] == (
            [] if yes else ["pull.refused"]
        )
    assert "Took your answer in person" in browser.get("/my/looked?own=1").text


def test_who_gave_no_address_is_asked_when_one_is_known(two, tmp_path) -> None:
    north, clinic = two.nodes.values()
    browser, link = opened(two)
    grant, caller = shared(two, browser, "north")
    for _ in range(2):
        assert fetch(north, grant, "TREAT", caller.credential).failures[0][1] == "pull.unasked"
    assert sent_to(tmp_path / "out", clinic) == []
    contact(clinic, SetContact(link=link.hex(), address="ada@example.org"))
    for _ in range(2):
        assert fetch(north, grant, "TREAT", caller.credential).failures[0][1] == "pull.unconfirmed"
    (message,) = sent_to(tmp_path / "out", clinic)
    code = message.partition("/confirm?code=")[2].split()[0]
    anyone = TestClient(pages_of(clinic), base_url="http://clinic.test")
    assert "Thank you" in anyone.post("/confirm", data={"code": code, "word": "yes"}).text
    assert fetch(north, grant, "TREAT", caller.credential).failures == ()


def test_another_reader_needs_no_second_word(two) -> None:
    browser, _ = opened(two)
    clinic = two.nodes["clinic"]
    grant, caller = shared(two, browser, "clinic")
    assert fetch(clinic, grant, "TREAT", caller.credential).failures == ()


def test_the_keeper_cannot_take_back_that_it_keeps_the_wallet(two) -> None:
    north, clinic = two.nodes.values()
    _, link = opened(two)
    wallet = wallets_of(north)[names(two)[0]]
    for other in ("clinic", "north"):
        wallet.holder.instruct("clinic", "hosted", SayHosted(other), m.Done)
    assert clinic.desk.host_of(link) == "north"
    with pytest.raises(EdgeError, match="no active member"):
        wallet.holder.instruct("clinic", "hosted", SayHosted("nobody"), m.Done)
    note_host(clinic, NoteHost(link=link.hex()))
    assert clinic.desk.host_of(link) == ""
    with pytest.raises(EdgeError, match="no patient"):
        note_host(clinic, NoteHost(link=clinic.vault.house_link().hex(), host="north"))
    note_host(clinic, NoteHost(link=link.hex(), host="north"))
    clinic.desk.drop_hosting(link)
    assert clinic.desk.host_of(link) == ""


def test_a_wallet_outlives_its_process_and_is_let_in_again_and_ended(two) -> None:
    north = two.nodes["north"]
    browser, _ = opened(two)
    before = wallets_of(north)[names(two)[0]].holder.wallet.state
    north.memory.clear()  # what a restart forgets
    assert wallets_of(north)[names(two)[0]].holder.wallet.state == before
    whose = {"system": "urn:mrn:north", "value": "4711"}
    assert refused(open_hosting, north, OpenHosting(**whose), caller=registrar(north)) == "hosting.enrolled"
    _, second = entered(north, sign_in_hosted(north, SignInHosted(**whose), caller=registrar(north)).link)
    assert "Make a passkey" in second.get("/passkeys").text
    shown = second.post("/my/sheet", data=form(second.get("/my/keys").text, "/my/sheet")).text
    assert shown.count("-") > 8
    ended = end_hosting(north, EndHosting(**whose), caller=registrar(north)).wallet
    assert (names(two), north.accounts.account(WALLET, ended)) == ([], None)
    for one in (browser, second):
        assert one.get("/my/record", follow_redirects=False).headers["location"] == "/sign-in"
    assert refused(sign_in_hosted, north, SignInHosted(**whose), caller=registrar(north)) == "hosting.none"


def test_who_is_no_patient_here_or_where_no_pages_run_gets_no_wallet(two) -> None:
    north = two.nodes["north"]
    unknown = OpenHosting(system="urn:mrn:north", value="none")
    assert refused(open_hosting, north, unknown, caller=registrar(north)) == "link.unknown"
    still = replace(north, ticking=False)
    asked = OpenHosting(system="urn:mrn:north", value="4711")
    assert refused(open_hosting, still, asked, caller=registrar(north)) == "session.not-serving"
    assert str(open_hosting.who) == "registrar"
    assert names(two) == []
