"""A member goes down in the middle of each journey, at every question in turn: that is said, nothing is lost, doing it again works."""

import pytest

from salus.node import emergency
from salus.node.corrections import AskCorrectionList, list_requests
from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.portal.rendering import text
from tests.node.test_emergency import away
from tests.portal.conftest import Cut, every_cut, form, links

DOWN = text("en", "refusals.again", member="North Hospital", code="")
GONE = text("en", "my.missing", member="North Hospital", why=DOWN).replace("'", "&#39;")


def code_of(clinic) -> str:
    caller, _ = caller_of(clinic.node, "physician-1", "physician", ("TREAT",))
    return ask_access(clinic.node, AskAccess(purpose="TREAT", classes=("general", "laboratory")), caller=caller).code


@pytest.fixture(params=[False, True], ids=["before", "unsaid"])
def done(request):
    """Whether what was asked when the member went down was done there."""
    return request.param


@pytest.mark.parametrize("path", ["/my/record", "/my/requests", "/my/summary"])
def test_what_is_looked_at_names_whose_part_is_missing(north, path, done) -> None:
    patient = north.patient()
    whole = patient.get(path).text
    for said in every_cut(north.wallet.holder, lambda: patient.get(path), done=done):
        assert (said.status_code, GONE in said.text) == (200, True)
        assert patient.get(path).text.count("Heart rate") == whole.count("Heart rate")


def test_the_log_names_the_gap(north, done) -> None:
    patient = north.patient()
    met = [said.text for said in every_cut(north.wallet.holder, lambda: patient.get("/my/looked"), done=done)]
    assert len(met) > 1
    assert all("North Hospital does not tell everything: it does not answer." in one for one in met[1:])


def test_an_export_is_whole_or_asked_for_in_part(north, done) -> None:
    patient = north.patient()
    for said in every_cut(north.wallet.holder, lambda: patient.get("/my/export.json"), done=done):
        assert (said.status_code, DOWN in said.text, "resourceType" in said.text) == (503, True, False)
    north.wallet.holder.members = Cut(north.together, 0, done=False)
    try:
        part, page = patient.get("/my/export.json?partly=1"), patient.get("/my/record")
    finally:
        north.wallet.holder.members = north.together
    assert (part.status_code, b'"entry":[\n\n]' in part.content) == (200, True)
    assert "/my/export.json?partly=1" in page.text


def test_a_permission_is_given_once_the_member_is_back_and_every_one_can_be_stopped(north, clinic, done) -> None:
    patient = north.patient()
    chosen = {"class": ["general", "laboratory"], "from": "north", "days": "7"}
    page = patient.post("/my/share", data={**form(patient.get("/my/share").text, "/my/share"), "code": code_of(clinic)})
    seen = patient.post("/my/share/preview", data={**form(page.text, "/my/share/preview"), **chosen})
    fields = {**form(seen.text, "/my/share/give"), **chosen}
    cut = 0
    for said in every_cut(north.wallet.holder, lambda: patient.post("/my/share/give", data=fields), done=done):
        cut += 1
        assert (said.status_code, DOWN in said.text) == (503, True)
    assert cut >= 3
    physician = clinic.staff()
    north.together.settle()
    held = physician.get("/access").text
    pulled = physician.post("/access/pull", data=form(held, "/access/pull"))
    assert "from: North Hospital" in pulled.text
    north.together.clock.advance(16 * 60_000)
    north.together.settle()
    patient = north.patient()
    while "/my/stop" in (listed := patient.get("/my/sharing").text):
        stopped = patient.post("/my/stop", data=form(listed, "/my/stop"))
        assert (stopped.status_code, stopped.url.path) == (200, "/my/sharing")
    assert all(one.revoked for one in north.wallet.holder.permissions())


def test_a_permission_is_stopped_once_the_member_is_back(north, clinic, done) -> None:
    holder = north.wallet.holder
    patient = north.patient()
    asked = holder.read_request(code_of(clinic))
    holder.answer(asked, days=7, through="north")
    fields = form(patient.get("/my/sharing").text, "/my/stop")
    for said in every_cut(north.wallet.holder, lambda: patient.post("/my/stop", data=fields), done=done):
        assert (said.status_code, DOWN in said.text) == (503, True)
        assert "Stop Lake Clinic" in patient.get("/my/sharing").text
    assert "Nobody but those who wrote" in patient.get("/my/sharing").text


def test_a_correction_is_asked_for_once(north, done) -> None:
    patient = north.patient()
    own = patient.get(links(patient.get("/my/record?kind=AllergyIntolerance").text, "/my/record/")[0])
    words = f"It was negative ({'done' if done else 'not'})"
    fields = {**form(own.text, "/my/correct"), "text": words}
    for said in every_cut(north.wallet.holder, lambda: patient.post("/my/correct", data=fields), done=done):
        assert DOWN in said.text
    asked = list_requests.run(north.node, AskCorrectionList()).requests
    assert [one.text for one in asked].count(words) == 1


def test_a_sheet_that_nobody_keeps_is_not_shown(north, done) -> None:
    patient = north.patient()
    fields = form(patient.get("/my/keys").text, "/my/sheet")
    for said in every_cut(north.wallet.holder, lambda: patient.post("/my/sheet", data=fields), done=done):
        assert (said.status_code, DOWN in said.text) == (503, True)


def test_an_emergency_is_read_and_reviewed_while_the_ledger_is_away(north, clinic) -> None:
    physician = clinic.staff()
    asked = {"name": "ada canary", "birth_date": "1970-05-05", "reason": "unconscious", "at": ["north"]}
    fields = {**form(physician.get("/emergency").text, "/emergency"), **asked}
    with away(clinic.node), away(north.node):
        read = physician.post("/emergency", data=fields).text
        assert physician.post("/emergency", data=fields).text == read
        waits = physician.get("/reviews").text
    assert ("The ledger is out of reach" in read, "Heart rate" in read) == (True, True)
    assert ("waits for the ledger" in waits, "/emergency/review" in waits) == (True, False)
    emergency.settle(clinic.node)
    review = {**form(physician.get("/reviews").text, "/emergency/review"), "findings": "unconscious, in order"}
    with away(clinic.node):
        for _ in range(2):
            kept = physician.post("/emergency/review", data=review)
            assert (kept.url.path, "goes on the ledger by itself" in kept.text) == ("/reviews", True)
        other = physician.post("/emergency/review", data={**review, "findings": "not in order"})
        assert (other.status_code, "The first review stands" in other.text) == (409, True)
        assert "Review the emergency access" not in physician.get("/worklist").text
    emergency.settle(clinic.node)
    done = physician.get("/reviews").text
    assert (">reviewed<" in done, "goes on the ledger by itself" in done) == (True, False)


def test_what_is_fetched_names_whose_part_is_missing_and_comes_when_the_member_is_back(north, clinic) -> None:
    north.wallet.holder.answer(north.wallet.holder.read_request(code_of(clinic)), days=7, through="north")
    north.together.settle()
    physician = clinic.staff()
    fields = form(physician.get("/access").text, "/access/pull")
    down = north.node.endpoint_of("north")
    north.together.transport.down.add(down)
    try:
        said = physician.post("/access/pull", data=fields)
    finally:
        north.together.transport.down.remove(down)
    assert (said.status_code, "North Hospital does not answer now" in said.text) == (200, True)
    assert "from: North Hospital" in physician.post("/access/pull", data=fields).text


def test_an_erasure_whose_answer_was_lost_is_under_way_once(north) -> None:
    patient = north.patient()
    fields = form(patient.get("/my/requests").text, "/my/erase")
    for said in every_cut(north.wallet.holder, lambda: patient.post("/my/erase", data=fields), done=True):
        assert DOWN in said.text
        assert len(north.node.desk.erasures()) == 1
    assert "You asked for it on" in patient.get("/my/requests").text
