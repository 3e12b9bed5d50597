"""What a patient does at the pages of the member that keeps the wallet: share with a preview, correct, erase, take along."""

import html
import json
import re

import pytest

from salus.contracts.records.port import RetentionReason
from salus.node.corrections import AskCorrectionList, list_requests
from salus.node.erasing import retain
from salus.node.errors import EdgeError
from salus.node.patient import messages as m
from salus.node.patient.wishes import MAX_WAITING
from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.wallet.sharing import AnswerRequest, grant
from salus.node.wallet.wishing import ErasureTold
from salus.portal.rendering import page
from tests.portal.conftest import form, links

ASKED = ("general", "medication", "laboratory")


@pytest.fixture
def code(clinic):
    caller, _ = caller_of(clinic.node, "physician-1", "physician", ("TREAT",))
    return ask_access(clinic.node, AskAccess(purpose="TREAT", classes=ASKED), caller=caller).code


def read_code(browser, code):
    page = browser.get("/my/share").text
    return browser.post("/my/share", data={**form(page, "/my/share"), "code": code})


def previewed(browser, page, **chosen):
    return browser.post("/my/share/preview", data={**form(page.text, "/my/share/preview"), **chosen})


def rows(page):
    return [html.unescape(re.sub("<[^>]+>", " ", one)) for one in re.findall(r"<tr><td.*?</tr>", page.text)]


def test_a_patient_sees_exactly_what_would_be_seen_then_shares_that(north, clinic, code) -> None:
    browser = north.patient()
    page = read_code(browser, code)
    assert "Lake Clinic asks to see" in page.text
    assert "given" not in page.text
    every = previewed(browser, page, days="7", **{"class": ASKED, "from": "north"})
    narrow = previewed(
        browser, page, days="7", since="2026-02-01", until="2026-03-01", **{"class": "general", "from": "north"}
    )
    assert (len(rows(every)), sum("Heart rate" in row for row in rows(every))) == (5, 3)
    measured = [row for row in rows(narrow) if "Heart rate" in row]  # what has no date is seen all the same
    assert ["2 Feb 2026" in row for row in measured] == [True]
    assert clinic.node.desk.held() == []
    given = form(narrow.text, "/my/share/give")
    fields = {**given, "class": "general", "from": "north"}
    first, second = (browser.post("/my/share/give", data=fields) for _ in range(2))
    assert (first.status_code, first.url.path, second.url.path) == (200, "/my/sharing", "/my/sharing")
    permissions = north.wallet.holder.permissions()
    assert [one.grantee for one in permissions if not one.revoked].count("clinic") == 1
    north.wallet.holder.stop(permissions[-1].id, through="north")


def test_only_what_is_asked_for_can_be_given(north, code) -> None:
    browser = north.patient()
    for empty in ({"class": "general"}, {"from": "north"}):
        sent = previewed(browser, read_code(browser, code), **empty)
        assert (sent.status_code, "share.nothing" in sent.text) == (400, True)
    sent = previewed(browser, read_code(browser, code), **{"class": "mental-health", "from": "north"})
    assert (sent.status_code, "wallet.classes" in sent.text) == (400, True)
    with pytest.raises(EdgeError, match="not asked for"):
        grant(north.wallet, AnswerRequest(code=code, days=1, classes=("genetic",)))
    bad = previewed(browser, read_code(browser, code), since="2026-02-31", **{"class": "general", "from": "north"})
    assert (bad.status_code, "wallet.day" in bad.text) == (400, True)
    assert read_code(browser, "salus-access:nonsense").status_code == 400
    other = north.patient()
    name = form(read_code(browser, code).text, "/my/share/preview")["request"]
    assert other.get(f"/my/share/{name}").status_code == 404


def test_a_patient_asks_for_a_correction_and_sees_the_answer(north) -> None:
    browser, staff = north.patient(), north.staff()
    own = browser.get(links(browser.get("/my/record?kind=AllergyIntolerance").text, "/my/record/")[0])
    sent = browser.post("/my/correct", data={**form(own.text, "/my/correct"), "text": "It was <b>negative</b>"})
    assert (sent.url.path, "not answered yet" in sent.text) == ("/my/requests", True)
    assert "&lt;b&gt;" in sent.text
    assert re.search("days left: (29|30)<", staff.get("/reviews").text)
    assert "Answer the patient" in staff.get("/worklist").text
    queue = staff.get("/reviews").text
    fields = {**form(queue, "/reviews/correction"), "outcome": "amended", "reason": "After the test of 2025"}
    assert staff.post("/reviews/correction", data=fields).url.path == "/reviews"
    assert staff.post("/reviews/correction", data=fields).status_code == 409
    told = browser.get("/my/requests").text
    assert "Put right" in told
    assert "After the test of 2025" in told
    assert "Asked to put right" in browser.get("/my/looked?own=1").text


def test_a_request_that_does_not_hold_is_not_kept(north) -> None:
    before = len(list_requests.run(north.node, AskCorrectionList()).requests)
    holder = north.wallet.holder
    for bad in (
        m.Correct(bytes(16), "Patient", "p2", "another patient's"),
        m.Correct(bytes(16), "Patient", "none", "no record"),
        m.Correct(bytes(16), "Patient", "p1", "  "),
        m.Correct(bytes(16), "Patient", "p1", "x" * 4001),
        m.Correct(b"short", "Patient", "p1", "x"),
    ):
        with pytest.raises(EdgeError, match=r"names no record|correction\.invalid"):
            holder.instruct("north", "correct", bad, m.Done)
    assert len(list_requests.run(north.node, AskCorrectionList()).requests) == before
    twice = m.Correct(bytes([7]) * 16, "Patient", "p1", "sent twice")
    for _ in range(2):
        holder.instruct("north", "correct", twice, m.Done)
    assert len(list_requests.run(north.node, AskCorrectionList()).requests) == before + 1
    for number in range(MAX_WAITING - 1):
        holder.instruct("north", "correct", m.Correct(bytes([9, number]) * 8, "Patient", "p1", f"x{number}"), m.Done)
    with pytest.raises(EdgeError, match="enough"):
        holder.instruct("north", "correct", m.Correct(bytes([8]) * 16, "Patient", "p1", "x"), m.Done)
    link = next(tied.link for tied in holder.wallet.state.links if tied.member == "north")
    north.node.desk.drop_corrections(link)


def test_the_record_leaves_as_a_bundle_with_its_bytes_and_as_a_page_to_print(north) -> None:
    browser = north.patient()
    sent = browser.get("/my/export.json")
    assert "attachment" in sent.headers["content-disposition"]
    assert {one["resource"]["id"] for one in json.loads(sent.content)["entry"]} >= {"p1", "a1", "o1"}
    assert b"71.50" in sent.content  # decimals as they were written
    page = browser.get("/my/summary").text
    assert "72.50 /min" in page
    assert "&lt;script&gt;" in page


def test_who_has_looked_is_filtered_on_the_page_and_in_the_file(north) -> None:
    staff, browser = north.staff(), north.patient()
    staff.post("/patients", data={**form(staff.get("/patients").text, "/patients"), "name": "canary"})
    assert "Treatment" in browser.get("/my/looked?why=TREAT").text
    lines = browser.get("/my/looked.csv?why=TREAT").text.splitlines()
    assert all(",TREAT," in line for line in lines[1:])
    assert len(lines) > 1
    assert browser.get("/my/looked.csv?until=2000-01-01").text == ""
    assert ",PATRQT," in browser.get("/my/looked.csv?own=1").text
    assert ",PATRQT," not in browser.get("/my/looked.csv").text


def test_an_erasure_is_asked_for_once(north) -> None:
    browser = north.patient()
    page = browser.get("/my/requests").text
    assert "Nothing is deleted for 7 days" in page
    fields = form(page, "/my/erase")
    first, second = (browser.post("/my/erase", data=fields) for _ in range(2))
    assert "You asked for it on" in first.text
    assert second.status_code == 200
    assert "You asked for it on" in north.patient().get("/my/requests").text  # in another session too
    cases = north.node.desk.erasures()
    assert len(cases) == 1
    retain(north.node, cases[0].case, RetentionReason.LEGAL_CLAIMS)
    kept = browser.get("/my/requests").text
    assert ("North Hospital must keep it for now" in kept, "Why: a claim at law." in kept) == (True, True)
    assert 'action="/my/erase"' not in kept


@pytest.mark.parametrize("until", ["", "2030-03-17T17:46:40Z"])
def test_a_trials_duty_to_keep_is_named_with_its_end(until) -> None:
    one = ErasureTold(
        member="north",
        status="retained",
        opened="2026-01-01T00:00:00Z",
        earliest="2026-01-08T00:00:00Z",
        due="2027-01-01T00:00:00Z",
        reason="legal-obligation",
        duty="21 CFR 312.62(c)",
        until=until,
    )
    frame = {"session": None, "operator": False, "wallet": True, "home": "North", "here": "/my/requests", "why": str}
    told = page(
        "my_requests", corrections=[], erasures=[("north", one)], missing=(), named=str, token=str, **frame
    ).body.decode()
    assert "a duty of the trial that you take part in: 21 CFR 312.62(c)." in told
    assert ("ends on 17 Mar 2030" in told, "is not set yet" in told) == (bool(until), not until)
