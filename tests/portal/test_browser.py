"""The pages in a real Chromium: signing in, forms, no sideways scroll at 320 px, and what axe finds (nothing)."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from salus.node.requests import AskAccess, ask_access
from salus.node.signing_in import caller_of
from salus.node.usecase import LOCAL_OPERATOR, NOBODY
from tests.portal.conftest import Site

OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TAGS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
PAINT = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block", "target-size"]}}
"""What depends on colours: the other rules find the same in the dark."""
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
    "/wallet",
)
OPERATOR = ("/operator", "/operator/proposals", "/operator/waiting", "/operator/people")
PATIENT = ("/passkeys", "/my/record", "/my/sharing", "/my/looked", "/my/share", "/my/requests", "/my/summary", "/apps")


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_no_page_breaks_a_rule_of_access_or_scrolls_sideways(chromium, address, sites, scheme, width) -> None:
    north = sites["north"]
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    page = context.new_page()
    enter(page, address, north)
    page.get_by_label("Name", exact=True).fill("canary")
    with page.expect_navigation():
        page.get_by_role("button", name="Find").click()
    rules = TAGS if scheme == "light" else PAINT
    looked = [("found", look(page, rules))]
    with page.expect_navigation():
        page.get_by_role("link", name="Ada Canary").click()
    chart = page.url
    for path in ("", "/timeline", "/apps", "/results"):
        page.goto(chart + path)
        looked.append((f"chart{path}", look(page, rules)))
    with page.expect_navigation():
        page.get_by_role("link", name="Heart rate").click()
    looked.append(("measure", look(page, rules)))
    with page.expect_navigation():
        page.get_by_role("link", name="73.50").click()
    looked.append(("record", look(page, rules)))
    for path in STAFF:
        page.goto(address + path)
        looked.append((path, look(page, rules)))
    token = north.node.sessions.open(ends=north.node.now() + 3_600_000, wallet="ada")
    context.add_cookies([{"name": "salus-north", "value": token, "url": address}])
    for path in PATIENT:
        page.goto(address + path)
        looked.append((path, look(page, rules)))
    page.goto(f"{address}/my/share")
    page.get_by_label("Code").fill(asked_by(sites["clinic"]))
    page.get_by_role("button", name="See who asks").click()
    page.get_by_role("button", name="Show what would be seen").click()
    page.get_by_role("heading", name="This is what they would see").wait_for()
    looked.append(("preview", look(page, rules)))
    operator = north.node.sessions.open(LOCAL_OPERATOR, north.node.now() + 3_600_000)
    context.add_cookies([{"name": "salus-north", "value": operator, "url": address}])
    for path in OPERATOR:
        page.goto(address + path)
        looked.append((path, look(page, rules)))
    context.close()
    assert [(name, found) for name, found in looked if found] == []


def test_by_keyboard_alone_and_without_javascript_a_patient_is_found(chromium, address, sites) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    enter(page, address, sites["north"])
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("canary")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Ada Canary").wait_for(timeout=60_000)
    assert "canary" not in page.url.lower()
    context.close()


def look(page, options=None) -> list[str]:
    """Return what is wrong with a page: violations, and how far it scrolls sideways."""
    over = page.evaluate(OVER)
    found = Axe().run(page, options=options or TAGS).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found] + ([f"{over} px wide"] if over else [])


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
