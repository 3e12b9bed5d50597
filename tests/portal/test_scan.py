"""The scan page: a scanner that types, a verdict in words and colour, scans that wait for the line; with and without script."""

import socket
import threading

import pytest
import uvicorn
from playwright.sync_api import expect
from starlette.testclient import TestClient

from salus.http.app import application, as_operator
from salus.node.signing_in import caller_of
from salus.node.supply.trading import EndGoods, end_goods
from salus.portal.app import routes
from salus.portal.visiting import Pages
from tests.node.supply.members import brought, case_label, label, moved, traders
from tests.portal.conftest import form
from tests.portal.test_browser import look

ELEMENTS = "010950600013435221S000000\x1d10A1\x1d17271231"
HOUR = 3_600_000


@pytest.fixture(scope="module")
def corner(tmp_path_factory):
    together = traders(tmp_path_factory.mktemp("scan"))
    brought(together)
    moved(together, "maker", "whole", case_label(1000))
    moved(together, "whole", "corner", label("S000000"), label("S000001"))
    end_goods(together.nodes["corner"], EndGoods(identifiers=(label("S000001"),), reason="stolen"))
    together.settle()
    yield together.nodes["corner"]
    together.close()


@pytest.fixture(scope="module")
def origin(corner):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app_of(corner), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://localhost:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


def app_of(node):
    return application(node, (), as_operator, more=routes(Pages(node, secure=False)))


def token_of(node, role="pharmacist"):
    return node.sessions.open(*caller_of(node, "s", role, ("TREAT",)))


def browser_of(node, role="pharmacist"):
    browser = TestClient(app_of(node), base_url="http://site.test")
    browser.cookies.set("salus-corner", token_of(node, role))
    return browser


def test_without_a_script_a_scan_is_a_form_and_its_verdict_a_page(corner):
    browser = browser_of(corner)
    page = browser.get("/scan")
    hidden = form(page.text, "/scan")
    for what, kind, words in (
        (ELEMENTS, "good", "Genuine, in circulation, and yours."),
        (label("S000001"), "stop", "It was reported stolen."),
        (label("S000000", lot="B2"), "wait", "The lot on the label is not the maker&#39;s."),
        ("(01)09506000134353(21)1", "stop", "This label cannot be read."),
        ("<script>alert(1)</script>", "stop", "This label cannot be read."),
    ):
        told = browser.post("/scan", data={**hidden, "what": what})
        assert f'<section class="note {kind}">' in told.text
        assert words in told.text
        assert "<script>alert" not in told.text
    assert browser.post("/scan", data={"what": ELEMENTS}).status_code == 403  # not from this page
    told = browser.post("/scan", data={**hidden, "what": ELEMENTS}, headers={"accept": "application/json"}).json()
    assert told == {
        "kind": "good",
        "why": "Genuine, in circulation, and yours.",
        "label": "(01)09506000134352(21)S000000(10)A1(17)271231",
    }


def test_the_page_is_for_those_who_handle_goods(corner):
    refused = browser_of(corner, "physician").get("/scan")
    assert refused.status_code == 403
    assert 'href="/scan"' not in refused.text
    assert 'href="/scan"' in browser_of(corner, "logistics").get("/scan").text
    stranger = TestClient(app_of(corner), base_url="http://site.test", follow_redirects=False)
    assert stranger.get("/scan").headers["location"] == "/sign-in"


@pytest.fixture
def page(chromium, origin, corner):
    context = chromium.new_context(viewport={"width": 320, "height": 900})
    context.add_cookies([{"name": "salus-corner", "value": token_of(corner), "url": origin}])
    page = context.new_page()
    page.faults = []
    page.on("console", lambda told: page.faults.append(told.text) if told.type == "error" else None)
    page.goto(f"{origin}/scan")
    yield page
    context.close()


def scan(page, text):
    """Type as a scanner does: the input has the focus, Enter ends a scan."""
    page.locator("#what:focus").wait_for()
    for part, group in zip(text.split("\x1d"), ["F8"] * text.count("\x1d") + [""], strict=True):
        page.keyboard.type(part)
        if group:
            page.keyboard.press(group)
    page.keyboard.press("Enter")


def test_a_scanner_types_and_each_verdict_comes_in_words_and_colour(page):
    scan(page, ELEMENTS)
    page.locator("#verdict .note.good h2", has_text="In order").wait_for()
    scan(page, label("S000001"))
    page.locator("#verdict .note.stop h2", has_text="Set it aside").wait_for()
    assert page.locator("#list li").count() == 2
    assert page.locator("#what").input_value() == ""
    assert page.evaluate("document.activeElement.id") == "what"
    assert [told for told in page.faults if "Content Security Policy" in told] == []


def test_scans_wait_while_the_line_is_down_and_go_in_order_when_it_is_back(page):
    page.context.set_offline(True)
    scan(page, label("S000000"))
    scan(page, label("S000001"))
    page.locator("#waiting", has_text="2 scans wait for the line.").wait_for()
    assert page.locator("#list li").count() == 0
    page.context.set_offline(False)
    page.locator("#list li").nth(1).wait_for()
    told = page.locator("#list li").all_inner_texts()
    assert [each.partition(":")[0] for each in told] == ["Set it aside", "In order"]
    expect(page.locator("#waiting")).to_have_text("")


@pytest.mark.unmeasured
def test_nothing_breaks_a_rule_of_access(chromium, origin, corner):
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": 320, "height": 900}, bypass_csp=True)
        context.add_cookies([{"name": "salus-corner", "value": token_of(corner), "url": origin}])
        page = context.new_page()
        page.goto(f"{origin}/scan")
        for text, kind in ((ELEMENTS, "good"), (label("S000000", lot="B2"), "wait"), (label("S000001"), "stop")):
            scan(page, text)
            page.locator(f"#verdict .note.{kind}").wait_for()
            if scheme == "light" or kind == "stop":
                assert look(page) == []
        context.close()
