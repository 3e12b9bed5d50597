"""The pages of staff, patients and anyone: what each shows, and what none gives away."""

import re
from importlib import resources

import pytest

from salus.node.errors import Unavailable
from salus.node.signing_in import SignIn, caller_of, sign_in
from salus.portal.app import GET
from salus.portal.rendering import ASSETS, HEADERS, asset, number, scripts, text, texts
from tests.portal.conftest import SCRIPT, form, links

PERSONAL = ("Canary", "1970-05-05", "4711", "Heart rate")


def found(browser, **asked):
    page = browser.get("/patients")
    return browser.post("/patients", data={**form(page.text, "/patients"), **asked})


def test_a_stranger_sees_the_first_page_the_sign_in_and_the_ledger_alone(north) -> None:
    browser = north.browser()
    for path, _ in GET:
        if path in {
            "/",
            "/assets/{digest}/{name}",
            "/scripts/{digest}/{name:path}",
            "/wallet",
            "/confirm",
        } or path.startswith(("/ledger", "/sign-in")):
            continue
        sent = browser.get(re.sub(r"\{\w+\}", "0" * 20, path), follow_redirects=False)
        if path == "/smart/authorize":
            assert (sent.status_code, "smart.program" in sent.text) == (404, True)
            continue
        assert sent.status_code == 303, path
        assert sent.headers["location"].partition("?")[0] == "/sign-in", path
    assert browser.get("/").status_code == browser.get("/sign-in").status_code == 200


def test_every_page_carries_the_strict_headers_and_no_script(north) -> None:
    staff, patient = north.staff(), north.patient()
    pages = [
        staff.get(path) for path in ("/patients", "/access", "/emergency", "/worklist", "/ledger", "/nothing-here")
    ]
    pages += [patient.get(path) for path in ("/my/record", "/my/sharing", "/my/looked", "/my/none")]
    for page in pages[:5] + pages[6:]:
        assert {name: page.headers.get(name) for name in HEADERS} == dict(HEADERS), page.url.path
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert "onclick" not in page.text
    assert "default-src 'none'" in HEADERS["content-security-policy"]
    assert HEADERS["cache-control"] == "no-store"


def test_staff_find_by_name_birth_date_and_number(north) -> None:
    browser = north.staff()
    for asked in ({"name": "ada can"}, {"birth_date": "1970-05"}, {"system": "urn:mrn:north", "identifier": "4711"}):
        page = found(browser, **asked)
        assert page.url.path == "/patients"
        assert page.url.query == b""
        assert "Ada Canary" in page.text
        assert "Bob Other" not in page.text
    assert "Nobody was found" in found(browser, name="zz").text
    nothing = found(browser)
    assert (nothing.status_code, "nothing to look for" in nothing.text.lower()) == (400, True)


def test_the_chart_shows_summary_timeline_results_and_the_proof_of_each_fact(north) -> None:
    browser = north.staff()
    chart = links(found(browser, name="canary").text, "/chart/")[0]
    summary = browser.get(chart)
    assert "Allergies" in summary.text
    assert SCRIPT not in summary.text
    assert "&lt;script&gt;" in summary.text
    timeline = browser.get(f"{chart}/timeline", params={"type": "Observation", "since": "2026-02"})
    assert "2 of 2 records" in timeline.text
    results = browser.get(f"{chart}/results")
    assert "<strong>73.50</strong> /min" in results.text  # as it was written
    measure = browser.get(links(results.text, f"{chart}/results/")[0])
    assert "<polyline" in measure.text
    assert "Values: 3" in measure.text
    record = browser.get(links(measure.text, "/record/")[0])
    assert "73.50" in record.text
    proof = links(record.text, "/ledger/transactions/")[0]
    assert "records.anchor" in north.browser().get(proof).text
    assert len(north.browser().get(f"{proof}/receipt").content) > 100
    for page in (summary, timeline, results, measure, record):
        title = re.search(r"<title>(.*?)</title>", page.text)
        assert title is not None
        assert not [word for word in PERSONAL if word in str(page.url) + title[1]]


def test_an_address_of_one_session_means_nothing_in_another(north) -> None:
    chart = links(found(north.staff(), name="canary").text, "/chart/")[0]
    other = north.staff()
    for path in (chart, f"{chart}/timeline", f"{chart}/results", f"{chart}/results/{'0' * 20}", f"/record/{'0' * 20}"):
        sent = other.get(path)
        assert (sent.status_code, "session.address" in sent.text, "Canary" in sent.text) == (404, True, False)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
def test_a_form_from_elsewhere_is_refused(north, headers) -> None:
    browser = north.staff()
    token = form(browser.get("/patients").text, "/patients")
    sent = browser.post("/patients", data={**token, "name": "canary"}, headers=headers)
    assert (sent.status_code, "form.foreign" in sent.text, "Canary" in sent.text) == (403, True, False)


def test_a_form_without_its_token_or_with_that_of_another_form_is_refused(north) -> None:
    browser = north.staff()
    other = form(browser.get("/access").text, "/access")
    for data in ({"name": "canary"}, {"name": "canary", "form": ""}, {"name": "canary", **other}):
        sent = browser.post("/patients", data=data)
        assert (sent.status_code, "form.foreign" in sent.text) == (403, True)
    assert "Canary" not in browser.get("/patients").text


def test_a_sign_in_link_is_good_once_and_a_session_ends(north) -> None:
    code = "0" * 48
    refused = north.browser().post("/sign-in", data={"code": code})
    assert (refused.status_code, "session.code" in refused.text) == (401, True)
    browser = north.staff()
    page = browser.get("/patients")
    browser.post("/sign-out", data=form(page.text, "/sign-out"))
    assert browser.get("/patients", follow_redirects=False).headers["location"] == "/sign-in"


def test_an_operator_makes_the_link_while_the_node_runs(north) -> None:
    asked = SignIn(subject="staff-7", role="nurse", purposes=("TREAT",), hours=1)
    with pytest.raises(Unavailable, match=r"session\.not-serving"):
        sign_in(north.node, asked)
    north.node.ticking = True
    try:
        made = sign_in(north.node, asked)
    finally:
        north.node.ticking = False
    browser = north.browser()
    shown = browser.get(made.link.removeprefix(north.node.config.http.public_url))
    code = re.findall(r'name="code" value="(\w+)"', shown.text)[0]
    assert browser.post("/sign-in", data={"code": code}).url.path == "/patients"
    again = north.browser().post("/sign-in", data={"code": code})
    assert (again.status_code, "session.code" in again.text) == (401, True)


def test_a_session_ends_by_idling_and_by_its_credential(north) -> None:
    for hours, minutes in ((8, 31), (1, 25)):
        browser = north.staff() if hours == 8 else north.browser()
        if hours == 1:
            sessions = north.node.sessions
            token = sessions.open(*caller_of(north.node, "s", "nurse", ("TREAT",), 1))
            browser.cookies.set("salus-north", token)
            for _ in range(2):
                north.together.clock.advance(minutes * 60_000)
                assert browser.get("/worklist", follow_redirects=False).status_code == 200
        north.together.clock.advance(minutes * 60_000)
        assert browser.get("/worklist", follow_redirects=False).headers["location"] == "/sign-in"


def test_pages_for_one_kind_of_person_refuse_the_other(north) -> None:
    for path in ("/my/record", "/my/sharing", "/my/looked", "/my/looked.csv"):
        assert "page.patient" in north.staff().get(path).text
    for path in ("/patients", "/access", "/emergency", "/worklist"):
        assert "page.staff" in north.patient().get(path).text


BY_NAME = (
    "words.",
    "date.",
    "verdicts.",
    "fields.",
    "refusals.",
    "declined.",
    "gap.",
    "carc.",
    "tasks.",
    "task_kinds.",
    "roles.",
    "standing.",
    "contracts.",
    "acts.",
    "outcomes.",
    "span.",
    "parameters.",
    "deliveries.",
)
"""Groups of texts that are named by codes."""


def test_the_catalogue_has_every_text_and_no_more() -> None:
    used: set[str] = set()
    script = b"".join(body for path, body in scripts().items() if not path.startswith("vendor/")).decode()
    said = set(re.findall(r"\w+", script))
    for file in (resources.files("salus.portal") / "templates").iterdir():
        text = file.read_text(encoding="utf-8")
        used |= set(re.findall(r'"((?:[a-z_]+)\.[a-z_]+)"', text))
        handed = re.findall(r'"([a-z_]+)"', " ".join(re.findall(r"catalogue\(([^)]*)\)", text)))
        used |= {key for key in texts() if key.partition(".")[0] in handed and key.partition(".")[2] in said}
    known = {key for key in texts() if not key.startswith(BY_NAME)}
    used = {key for key in used if not key.startswith(BY_NAME)}
    assert used - set(ASSETS) == known


def test_the_style_sheet_is_small_and_kept_for_good(north) -> None:
    path = re.findall(r'href="(/assets/[^"]+)"', north.browser().get("/").text)[0]
    sent = north.browser().get(path)
    assert (sent.content, sent.headers["content-type"]) == (asset("salus.css"), "text/css; charset=utf-8")
    assert "immutable" in sent.headers["cache-control"]
    assert len(asset("salus.css")) < 14_000


def test_both_languages_say_the_same_things_with_the_same_facts() -> None:
    english, german = texts("en"), texts("de")
    own = {key for key in english if not key.startswith("words.")}
    assert own == {key for key in german if not key.startswith("words.")}
    assert {key for key in english if key.startswith("words.")} <= set(german)
    facts = re.compile(r"\{(\w+)\}")
    assert [key for key in own if set(facts.findall(english[key])) != set(facts.findall(german[key]))] == []


def test_a_page_speaks_the_language_that_the_browser_asks_for(north) -> None:
    for asked, lang, word in (
        ("de-AT,en;q=0.5", "de", "Anmelden"),
        ("fr, de;q=0.8", "de", "Anmelden"),
        ("", "en", "Sign in"),
    ):
        page = north.browser().get("/sign-in", headers={"accept-language": asked})
        assert (f'<html lang="{lang}">' in page.text, word in page.text) == (True, True)
        assert (page.headers["content-language"], page.headers["vary"]) == (lang, "accept-language")
    record = north.patient().get("/my/record", headers={"accept-language": "de"}).text
    assert "2. März 2026" in record


def test_amounts_are_written_as_the_language_does() -> None:
    for language, told in (("en", "Found: 12,345"), ("de", "Gefunden: 12.345")):
        assert text(language, "find.caption", count=12_345).startswith(told)
    assert [number(one, 33.5) for one in ("en", "de")] == ["33.5", "33,5"]
    assert "12345" in text("de", "block.title", height=12_345)
