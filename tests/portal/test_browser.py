"""The pages in a real Chromium: signing in, forms, no sideways scroll at 320 px, and what axe finds (nothing)."""

import re
from importlib import resources

import pytest
from playwright.sync_api import expect

from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.usecase import LOCAL_OPERATOR, NOBODY
from tests.portal.conftest import Site, registered_twice

pytestmark = pytest.mark.unmeasured

OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TAGS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
PAINT = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block", "target-size"]}}
"""What depends on colours: the other rules find the same in the dark."""
LOOKS = (("light", 1280, TAGS), ("light", 320, TAGS), ("dark", 1280, PAINT), ("dark", 320, PAINT))
FOUND = """async rules => (await axe.run(document, { ...rules, resultTypes: ["violations"] })).violations.map(
    (one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)}`)"""
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
STAFF = (
    "/",
    "/sign-in",
    "/patients",
    "/access",
    "/emergency",
    "/worklist",
    "/ledger",
    "/ledger/members",
    "/ledger/blocks/2",
    "/ledger/verify",
    "/confirm",
    "/wallet",
)
OPERATOR = ("/operator", "/operator/proposals", "/operator/waiting", "/operator/messages", "/operator/people")
PATIENT = (
    "/passkeys",
    "/my/record",
    "/my/sharing",
    "/my/looked",
    "/my/share",
    "/my/requests",
    "/my/keys",
    "/my/summary",
    "/apps",
)


def asked_by(site: Site) -> str:
    """Return the code of a request for access."""
    caller, _ = caller_of(site.node, "physician-1", "physician", ("TREAT",))
    return ask_access(site.node, AskAccess(purpose="TREAT", classes=("general",)), caller=caller).code


def enter(page, address: str, site: Site) -> None:
    """Sign in with a link, as a person does."""
    code = site.node.sessions.invite(*caller_of(site.node, "physician-1", "physician", ("TREAT", "ETREAT")))
    page.goto(f"{address}/sign-in?code={code}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/patients")


@pytest.fixture(scope="module", autouse=True)
def twice(sites, tmp_path_factory):
    registered_twice(sites["north"].node, tmp_path_factory.mktemp("lab"))


def test_no_page_breaks_a_rule_of_access_or_scrolls_sideways(chromium, address, sites) -> None:
    north = sites["north"]
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    enter(page, address, north)
    page.get_by_label("Name", exact=True).fill("canary")
    with page.expect_navigation():
        page.get_by_role("button", name="Find").click()
    looked = [("found", look(page))]
    with page.expect_navigation():
        page.get_by_role("link", name="Ada Canary", exact=True).click()
    chart = page.url
    for path in ("", "/timeline", "/apps", "/results"):
        page.goto(chart + path)
        looked.append((f"chart{path}", look(page)))
    with page.expect_navigation():
        page.get_by_role("link", name="Heart rate").click()
    looked.append(("measure", look(page)))
    with page.expect_navigation():
        page.get_by_role("link", name="73.50").click()
    looked.append(("record", look(page)))
    for path in STAFF:
        page.goto(address + path)
        page.locator("h1").wait_for()  # a page with a script shows it once that runs
        looked.append((path, look(page)))
    token = north.node.sessions.open(ends=north.node.now() + 3_600_000, wallet="ada")
    context.add_cookies([{"name": "salus-north", "value": token, "url": address}])
    for path in PATIENT:
        page.goto(address + path)
        looked.append((path, look(page)))
    page.goto(f"{address}/my/share")
    page.get_by_label("Code").fill(asked_by(sites["clinic"]))
    page.get_by_role("button", name="See who asks").click()
    page.get_by_role("button", name="Show what would be seen").click()
    page.get_by_role("heading", name="This is what they would see").wait_for()
    looked.append(("preview", look(page)))
    registrar, ends = caller_of(north.node, "registrar-1", "registrar", ("HOPERAT",))
    token = north.node.sessions.open(registrar, ends)
    context.add_cookies([{"name": "salus-north", "value": token, "url": address}])
    page.goto(f"{address}/duplicates")
    looked.append(("pairs", look(page)))
    page.goto(f"{address}/duplicates/compare")
    page.get_by_label("Number").first.fill("4711")
    page.get_by_label("Number").last.fill("nobody's")
    with page.expect_navigation():
        page.get_by_role("button", name="Look for both").click()
    looked.append(("by hand", look(page)))
    page.goto(f"{address}/duplicates")
    with page.expect_navigation():
        page.get_by_role("link", name=re.compile("^Compare [0-9a-f]{8}$")).click()
    looked.append(("pair", look(page)))
    operator = north.node.sessions.open(LOCAL_OPERATOR, north.node.now() + 3_600_000)
    context.add_cookies([{"name": "salus-north", "value": operator, "url": address}])
    for path in OPERATOR:
        page.goto(address + path)
        looked.append((path, look(page)))
    context.close()
    assert [(name, found) for name, found in looked if found] == []


def test_by_keyboard_alone_and_without_javascript_a_patient_is_found(chromium, address, sites) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    enter(page, address, sites["north"])
    name = page.get_by_label("Name", exact=True)
    name.focus()
    expect(name).to_be_focused()
    page.keyboard.type("canary")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Ada Canary", exact=True).wait_for()
    assert "canary" not in page.url.lower()
    context.close()


def test_by_keyboard_alone_and_without_javascript_a_pair_is_decided_and_taken_back(chromium, address, sites) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="de-DE", viewport={"width": 320, "height": 900})
    page = context.new_page()
    code = sites["north"].node.sessions.invite(*caller_of(sites["north"].node, "r-1", "registrar", ("HOPERAT",)))
    page.goto(f"{address}/sign-in?code={code}")
    page.get_by_role("button", name="Anmelden").press("Enter")
    page.get_by_role("link", name=re.compile("[0-9a-f]{8} vergleichen$")).press("Enter")
    for button, stands in (("Eine Person", "eine Person"), ("Entscheidung", "wartet auf eine Entscheidung")):
        reason = page.get_by_label(re.compile("^Warum"))
        reason.focus()
        page.keyboard.type("Ausweis")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=re.compile(f"^{button}"))).to_be_focused()
        page.keyboard.press("Enter")
        page.locator(".chip", has_text=re.compile(f"^{stands}$")).wait_for()
    assert page.get_by_role("row", name=re.compile("r-1.*Ausweis")).count() == 2
    context.close()


def look(page) -> list[str]:
    """Return what is wrong with a page as it stands, in each look: violations, and how far it scrolls sideways."""
    page.evaluate(f"window.axe || (() => {{ {AXE} }})()")
    wrong = []
    for scheme, width, rules in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        wrong += [f"{scheme} {width} {one}" for one in page.evaluate(FOUND, rules)]
        over = page.evaluate(OVER)
        wrong += [f"{width}: {over} px wide"] if over else []
    return wrong


def test_in_german_nothing_scrolls_sideways_on_a_phone(chromium, address, sites) -> None:
    north = sites["north"]
    context = chromium.new_context(locale="de-DE", viewport={"width": 320, "height": 900}, bypass_csp=True)
    page = context.new_page()
    wide = []
    for who, paths in (("ada", PATIENT), ("", OPERATOR)):
        caller = LOCAL_OPERATOR if not who else NOBODY
        token = north.node.sessions.open(caller, north.node.now() + 3_600_000, wallet=who)
        context.add_cookies([{"name": "salus-north", "value": token, "url": address}])
        for path in paths:
            page.goto(address + path)
            assert page.locator("html").get_attribute("lang") == "de"
            wide += [path] if page.evaluate(OVER) else []
    context.close()
    assert wide == []
