"""The page of the wallet as it is served: whom it may ask, and how much a first look fetches."""

import gzip

import pytest

from salus.portal.walleting import origin
from tests.portal.weight import reached, weight

MOST = 60_000  # bytes


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://a.example;sandbox",
        "https://a.example,default-src",
        "https://*",
        "https://*.example",
        "https://a.example'self'",
        "https://a@b.example",
        "https://[",
        "https:a.example",
        "javascript:alert(1)",
        "data:,",
        "https://",
        "",
    ],
)
def test_a_member_writes_no_policy_by_its_address(endpoint) -> None:
    assert origin(endpoint) == ""


def test_an_address_is_reached_at_its_origin_alone() -> None:
    assert origin("https://a.example/salus") == "https://a.example"
    assert origin("http://localhost:8480") == "http://localhost:8480"
    assert origin("https://[::1]:8443/") == "https://[::1]:8443"


def test_the_page_asks_members_alone_and_runs_nothing_of_others(north, clinic) -> None:
    sent = north.browser().get("/wallet")
    policy = dict(part.strip().partition(" ")[::2] for part in sent.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert set(policy["connect-src"].split()) == {"'self'", clinic.origin}
    assert (policy["form-action"], policy["frame-ancestors"], policy["base-uri"]) == ("'self'", "'none'", "'none'")
    assert "unsafe" not in sent.headers["content-security-policy"]
    assert sent.headers["cache-control"] == "no-store"
    assert (sent.text.count("<script"), "onclick" in sent.text, "style=" in sent.text) == (1, False, False)


def test_a_first_look_at_the_wallet_or_a_page_with_a_script_is_light(north) -> None:
    browser = north.browser()
    packed = browser.get("/wallet", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    plain = browser.get("/wallet", headers={"accept-encoding": "identity"})
    assert (plain.text, "content-encoding" in plain.headers) == (packed.text, False)
    german = browser.get("/wallet", headers={"accept-encoding": "identity", "accept-language": "de"})
    for page in (plain, german):
        assert weight(gzip.compress(page.content, mtime=0), "mine.js") <= MOST
    for path, script in (("/sign-in", "passkey.js"), ("/ledger/verify", "verify.js"), ("/", "")):
        assert weight(browser.get(path).content, script) <= MOST, path
    assert weight(north.staff().get("/patients").content) <= MOST
    assert weight(north.patient().get("/my/looked").content) <= MOST
    assert "vendor/common/src/hash/sha2.js" in reached("mine.js")
