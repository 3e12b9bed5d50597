"""Passkeys: made in a session, opening the next; and what opens nothing."""

import html
import re

import pytest
from playwright.sync_api import expect

from salus.node.accounts import STAFF
from salus.node.signing_in import DismissPerson, ListAccounts, SignIn, dismiss, list_accounts, sign_in
from tests.portal.authenticator import PRESENT_VERIFIED, Authenticator
from tests.portal.conftest import form


@pytest.fixture
def subject(north, request):
    """A person who may make passkeys, named for the test."""
    name = f"staff-{abs(hash(request.node.name)) % 10**6}"
    yield name
    dismiss(north.node, DismissPerson(subject=name))


def linked(north, subject):
    """Enter by a link that lets its person make a passkey."""
    north.node.ticking = True
    asked = SignIn(subject=subject, role="physician", purposes=("TREAT",), passkey=True)
    code = sign_in(north.node, asked).link.partition("code=")[2]
    north.node.ticking = False
    browser = north.browser()
    browser.post("/sign-in", data={"code": code})
    return browser


def options(browser, path):
    page = browser.get(path).text
    return html.unescape(re.search(r'data-options="([^"]*)"', page)[1])


def registered(north, browser, **told):
    """Make a passkey and return its authenticator."""
    authenticator = Authenticator(north.origin, **told)
    page = browser.get("/passkeys")
    answer = authenticator.make(options(browser, "/passkeys"))
    sent = browser.post(
        "/passkeys",
        data={**form(page.text, "/passkeys"), "label": "My phone", "answer": answer},
        follow_redirects=False,
    )
    return authenticator, sent


def entered(browser, answer):
    return browser.post("/sign-in/passkey", data={"answer": answer}, follow_redirects=False)


def test_a_person_makes_a_passkey_comes_back_with_it_and_is_dismissed(north, subject) -> None:
    browser = linked(north, subject)
    authenticator, made = registered(north, browser)
    assert (made.status_code, "My phone" in browser.get("/passkeys").text) == (303, True)
    again = north.browser()
    assert entered(again, authenticator.use(options(again, "/sign-in"))).headers["location"] == "/"
    assert again.get("/").url.path == "/patients"
    line = next(one for one in list_accounts(north.node, ListAccounts()).accounts if one.name == subject)
    assert (line.role, line.purposes, line.passkeys, line.used != "") == ("physician", ("TREAT",), 1, True)
    assert dismiss(north.node, DismissPerson(subject=subject)).passkeys == 1
    for each in (browser, again):
        assert each.get("/patients", follow_redirects=False).headers["location"] == "/sign-in"
    late = north.browser()
    assert entered(late, authenticator.use(options(late, "/sign-in"))).status_code == 401
    assert late.cookies == {}


def test_a_patient_of_a_hosted_wallet_comes_back_with_a_passkey(north) -> None:
    browser = north.patient()
    authenticator, made = registered(north, browser, seed=2)
    assert made.status_code == 303
    again = north.browser()
    entered(again, authenticator.use(options(again, "/sign-in")))
    assert again.get("/").url.path == "/my/record"
    page = again.get("/passkeys")
    again.post("/passkeys/drop", data=form(page.text, "/passkeys/drop"))
    late = north.browser()
    assert entered(late, authenticator.use(options(late, "/sign-in"))).status_code == 401


def test_a_link_that_does_not_say_so_lets_nobody_make_a_passkey(north) -> None:
    browser = north.staff()
    assert browser.get("/passkeys").status_code == 403
    assert "Passkeys" not in browser.get("/patients").text
    assert north.browser().get("/passkeys", follow_redirects=False).headers["location"] == "/sign-in"


def test_a_session_of_a_passkey_ends_by_idling_and_after_a_shift(north, subject) -> None:
    authenticator, _ = registered(north, linked(north, subject), seed=3)
    browser = north.browser()
    entered(browser, authenticator.use(options(browser, "/sign-in")))
    north.together.clock.advance(31 * 60 * 1000)
    assert browser.get("/patients", follow_redirects=False).headers["location"] == "/sign-in"
    entered(browser, authenticator.use(options(browser, "/sign-in")))
    for _ in range(17):
        north.together.clock.advance(29 * 60 * 1000)
        last = browser.get("/patients", follow_redirects=False)
    assert last.headers["location"] == "/sign-in"


ATTACKS = {
    "another site's answer": {"origin": "https://evil.example"},
    "another relying party's answer": {"host": "evil.example"},
    "an answer without the person verified": {"flags": 0x01},
    "an answer without anybody present": {"flags": 0x00},
    "another key under a known id": {"key": 9},
    "another person's handle": {"handle": bytes(32)},
    "a counter that went back": {"counter": -1},
    "a passkey of nobody": {"id": bytes(20)},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_answer_that_does_not_hold_opens_nothing(north, subject, attack) -> None:
    authenticator, _ = registered(north, linked(north, subject), seed=4)
    first = north.browser()
    assert entered(first, authenticator.use(options(first, "/sign-in"))).status_code == 303
    for name, value in ATTACKS[attack].items():
        setattr(authenticator, name, Authenticator("", seed=value).key if name == "key" else value)
    browser = north.browser()
    sent = entered(browser, authenticator.use(options(browser, "/sign-in")))
    assert (sent.status_code, "passkey.refused" in sent.text, browser.cookies == {}) == (401, True, True)


def test_an_answer_is_taken_once_and_not_after_five_minutes(north, subject) -> None:
    authenticator, _ = registered(north, linked(north, subject), seed=5)
    browser = north.browser()
    answer = authenticator.use(options(browser, "/sign-in"))
    assert entered(browser, answer).status_code == 303
    thief = north.browser()
    stolen = entered(thief, answer)
    assert (stolen.status_code, "passkey.challenge" in stolen.text, thief.cookies == {}) == (401, True, True)
    old = options(thief, "/sign-in")
    north.together.clock.advance(5 * 60 * 1000 + 1)
    assert "passkey.challenge" in entered(thief, authenticator.use(old)).text
    made_up = old.replace(re.search(r'"challenge": ?"([^"]+)"', old)[1], "A" * 75)
    assert "passkey.challenge" in entered(thief, authenticator.use(made_up)).text


@pytest.mark.parametrize("answer", ["", "{}", "[]", "null", '{"id":"x"}', "\x00", '{"id":1,"rawId":1,"response":[]}'])
def test_an_answer_that_is_none_is_refused(north, subject, answer) -> None:
    assert entered(north.browser(), answer).status_code == 401
    browser = linked(north, subject)
    page = browser.get("/passkeys").text
    assert browser.post("/passkeys", data={**form(page, "/passkeys"), "answer": answer}).status_code == 401
    assert north.node.accounts.passkeys(north.node.accounts.account(STAFF, subject).handle) == []


def test_a_passkey_made_without_verifying_or_known_already_is_not_kept(north, subject) -> None:
    browser = linked(north, subject)
    assert registered(north, browser, seed=6, flags=0x01)[1].status_code == 401
    assert registered(north, browser, seed=6, flags=PRESENT_VERIFIED)[1].status_code == 303
    known = registered(north, browser, seed=6)[1]
    assert (known.status_code, "passkey.known" in known.text) == (409, True)
    assert len(north.node.accounts.passkeys(north.node.accounts.account(STAFF, subject).handle)) == 1


def test_in_chromium_a_passkey_is_made_and_used_by_keyboard(north, subject, chromium, address) -> None:
    north.node.ticking = True
    asked = SignIn(subject=subject, role="physician", purposes=("TREAT",), passkey=True)
    code = sign_in(north.node, asked).link.partition("code=")[2]
    north.node.ticking = False
    context = chromium.new_context()
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    page.goto(f"{address}/sign-in?code={code}")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/patients")
    page.goto(f"{address}/passkeys")
    page.get_by_label("Name of the device").fill("Test device")
    page.keyboard.press("Enter")
    page.get_by_role("cell", name="Test device").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{address}/")
    page.goto(f"{address}/sign-in")
    use = page.get_by_role("button", name="Use my passkey")
    use.wait_for()  # hidden until the script listens
    use.focus()
    expect(use).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients")
    context.close()


def test_without_script_the_sign_in_page_says_what_to_do(chromium, address) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    assert page.get_by_text("Passkeys need JavaScript").is_visible()
    assert not page.get_by_role("button", name="Use my passkey").is_visible()
    context.close()
