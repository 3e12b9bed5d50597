"""Pairs that may be one person, on the pages: compared, decided, taken back, in both logs; nobody else's business."""

import re

import pytest

from salus.node.identity.reviewing import ListPairs, list_pairs
from salus.node.signing_in import caller_of
from salus.node.usecase import LOCAL_OPERATOR
from tests.portal.conftest import form, links, registered_twice


@pytest.fixture(scope="module", autouse=True)
def twice(sites, tmp_path_factory):
    registered_twice(sites["north"].node, tmp_path_factory.mktemp("lab"))


@pytest.fixture
def registrar(north):
    return north.staff("registrar", ("TREAT", "HOPERAT"))


def standing(north) -> str:
    return next(
        one
        for one in ("waiting", "same", "different")
        if list_pairs(north.node, ListPairs(standing=one), caller=LOCAL_OPERATOR).pairs
    )


def lines(north) -> list[int]:
    """Return how many lines the logs of the two have."""
    found = (north.node.vault.find_link(f"urn:mrn:{assigner}", "4711") for assigner in ("north", "lab"))
    return [north.node.vault.link_info(link).lines for link in found]


def pair_of(browser, standing="waiting") -> str:
    return links(browser.get("/duplicates", params={"standing": standing}).text, "/duplicates/")[0]


def test_a_pair_is_compared_joined_and_taken_back_and_each_look_is_in_both_logs(north, registrar) -> None:
    listed = registrar.get("/duplicates").text
    assert ("family name" in listed, "given name" in listed, "Canary" in listed) == (True, True, False)
    assert lines(north) == [0, 0]
    page = registrar.get(pair_of(registrar))
    assert set(re.findall('<th scope="col">(Ada[^<]*)</th>', page.text)) == {"Ada Canary", "Adah Canary"}
    assert ("given name: nearly" in page.text, "birth date: agrees" in page.text) == (True, True)
    assert lines(north) == [1, 1]
    decided = {**form(page.text, "/duplicates/decide"), "standing": "same", "reason": "passport shown"}
    joined = registrar.post("/duplicates/decide", data=decided)
    assert ("One person or two?" in joined.text, "passport shown" in joined.text) == (True, True)
    assert (standing(north), lines(north)) == ("same", [2, 2])
    again = registrar.post("/duplicates/decide", data=decided)
    assert (again.status_code, again.text.count("passport shown")) == (200, 1)
    asked = form(registrar.get("/patients").text, "/patients")
    found = registrar.post("/patients", data={**asked, "name": "canary"}).text
    assert "Allergies" in registrar.get(links(found, "/chart/")[1]).text
    back = {**form(joined.text, "/duplicates/undo"), "reason": "twins"}
    undone = registrar.post("/duplicates/undo", data=back)
    assert ("waits for a decision" in undone.text, "twins" in undone.text, standing(north)) == (True, True, "waiting")
    for name in ("Canary", "1970", "4711", "passport"):
        assert name not in str(undone.url) + re.findall("<title>(.*?)</title>", undone.text)[0]


def test_what_somebody_decided_meanwhile_is_not_decided_over(north, registrar) -> None:
    other = north.staff("registrar", ("HOPERAT",))
    path = pair_of(registrar)
    stale = {**form(registrar.get(path).text, "/duplicates/decide"), "standing": "same", "reason": "passport"}
    fresh = other.get(pair_of(other))
    other.post(
        "/duplicates/decide",
        data={**form(fresh.text, "/duplicates/decide"), "standing": "different", "reason": "two passports"},
    )
    sent = registrar.post("/duplicates/decide", data=stale)
    assert (sent.status_code, "identity.meanwhile" in sent.text, standing(north)) == (409, True, "different")
    page = registrar.get(path).text
    assert ("two passports" in page, "two persons" in page) == (True, True)
    registrar.post("/duplicates/undo", data={**form(page, "/duplicates/undo"), "reason": "looked again"})
    assert standing(north) == "waiting"


def test_a_decision_without_a_reason_or_of_an_unknown_kind_is_refused(north, registrar) -> None:
    decided = form(registrar.get(pair_of(registrar)).text, "/duplicates/decide")
    for wrong in ({"standing": "same", "reason": " "}, {"standing": "waiting", "reason": "x"}, {"reason": "x"}):
        sent = registrar.post("/duplicates/decide", data={**decided, **wrong})
        assert (sent.status_code, "form.invalid" in sent.text, standing(north)) == (400, True, "waiting")


def test_pairs_are_for_registrars_and_their_addresses_for_one_session(north, registrar) -> None:
    path = pair_of(registrar)
    before = lines(north)
    registrars = north.staff("registrar", ("HOPERAT",))
    for browser, status in ((north.staff(), 403), (north.patient(), 403), (registrars, 404)):
        sent = browser.get(path)
        assert sent.status_code in {status, 404}
        assert "Canary" not in sent.text
        if status == 403:
            assert browser.get("/duplicates").status_code == 403
            assert "/duplicates" not in browser.get("/ledger").text
    assert north.browser().get("/duplicates", follow_redirects=False).headers["location"] == "/sign-in"
    assert lines(north) == before
    todo = registrar.get("/worklist").text
    assert links(todo, "/duplicates/") == [path]
    assert "/duplicates/" not in north.staff().get("/worklist").text


def test_a_registrar_without_the_purpose_is_led_elsewhere_and_sees_no_pair(north) -> None:
    code = north.node.sessions.invite(*caller_of(north.node, "registrar-2", "registrar", ("TREAT",)))
    browser = north.browser()
    first = browser.post("/sign-in", data={"code": code})
    assert (first.url.path, "/duplicates" in first.text) == ("/patients", False)
    assert browser.get("/duplicates").status_code == 403


def test_two_that_no_match_finds_are_found_by_number_compared_and_decided(north, registrar) -> None:
    links_of = [north.node.vault.find_link("urn:mrn:north", number) for number in ("4712", "4713")]
    before = [north.node.vault.link_info(link).lines for link in links_of]
    page = registrar.get(links(registrar.get("/duplicates").text, "/duplicates/compare")[0]).text
    asked = {**form(page, "/duplicates/find"), "identifier1": "4712", "identifier2": "4713"}
    assert registrar.post("/duplicates/find", data={**asked, "identifier2": ""}).status_code == 400
    found = registrar.post("/duplicates/find", data=asked)
    assert (found.url.path, found.url.query, found.text.count(" checked>")) == ("/duplicates/compare", b"", 2)
    chosen = dict(re.findall('<input type="radio" name="(one|other)" value="([^"]*)"', found.text))
    fields = {**form(found.text, "/duplicates/compare"), **chosen}
    for wrong, status in (({"other": chosen["one"]}, 400), ({"other": "none"}, 404)):
        assert registrar.post("/duplicates/compare", data={**fields, **wrong}).status_code == status
    pair = registrar.post("/duplicates/compare", data=fields)
    assert set(re.findall('<th scope="col">((?:Bob|Cy)[^<]*)</th>', pair.text)) == {"Bob Other", "Cy Third"}
    assert registrar.post("/duplicates/compare", data=fields).url == pair.url
    looks = [north.node.vault.link_info(link).lines - n for link, n in zip(links_of, before, strict=True)]
    assert looks == [5, 5]  # found, and each time compared and shown
    decided = {**form(pair.text, "/duplicates/decide"), "standing": "different", "reason": "two passports"}
    assert "two persons" in registrar.post("/duplicates/decide", data=decided).text


def test_only_registrars_compare_by_hand_and_nobody_is_found_for_others(north) -> None:
    for browser in (north.staff(), north.patient()):
        assert browser.get("/duplicates/compare").status_code == 403
        sent = browser.post("/duplicates/find", data={"identifier1": "4711", "identifier2": "4712"})
        assert (sent.status_code, "Canary" in sent.text) == (403, False)
    registrar = north.staff("registrar", ("TREAT", "HOPERAT"))
    asked = form(registrar.get("/duplicates/compare").text, "/duplicates/find")
    sent = registrar.post("/duplicates/find", data={**asked, "identifier1": "4711", "identifier2": "nobody's"})
    assert ("found 2" in sent.text, "found 0" in sent.text, ">Compare them<" in sent.text) == (True, True, False)
