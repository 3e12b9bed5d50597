"""The wallet in the browser: made, opened, used and brought back in a real Chromium with a virtual authenticator."""

import json
import os
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from playwright.sync_api import TimeoutError as NotReached
from playwright.sync_api import expect

from salus.contracts.consent.port import GRANTS
from salus.contracts.membership.port import MEMBERS
from salus.contracts.records.port import RetentionReason
from salus.core.proof.cli import main as verify
from salus.node.erasing import retain
from salus.node.invitation import FORMAT, Invitation, write
from salus.node.network.directory import AskTrust, trust_file
from salus.node.records.intake import Intake
from salus.portal.rendering import script_path
from salus.vault.opener import Opener, read_sheet
from salus.vault.wallet import Wallet
from tests.portal.authenticator import data_of
from tests.portal.conftest import form, links
from tests.portal.test_browser import look
from tests.portal.test_script_everywhere import CANARY

PATIENT = ("urn:mrn:north", "4712")
AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
    "hasPrf": True,
}


def device(page, **options):
    """Give a page's browser an authenticator; return how to speak to it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    told = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, **options}})
    return devtools, told["authenticatorId"]


def invitation(site, patient=PATIENT):
    node = site.node
    link = node.vault.find_link(*patient)
    return write(Invitation(FORMAT, node.network, node.member, site.origin, node.vault.invite(link)))


def heading(page, words):
    page.get_by_role("heading", name=words, exact=True, level=1).wait_for()


YIELDED = """for (const name of ["create", "get"]) {
  const asked = navigator.credentials[name].bind(navigator.credentials);
  navigator.credentials[name] = async (options) => {
    const found = await asked(options);
    const first = found.getClientExtensionResults().prf?.results?.first;
    if (first) await tellPrf(Array.from(new Uint8Array(first)));
    return found;
  };
}"""
SENT: list[tuple[str, bytes]] = []
"""Address and body of whatever a browser sent, and what it wrote to its console."""
PRF: list[bytes] = []
"""What passkeys yielded to a page."""


class Phone:
    """A patient's browser with the wallet's page of a member open."""

    def __init__(self, chromium, address: str, **options) -> None:
        self.context = chromium.new_context(accept_downloads=True)
        self.context.expose_binding("tellPrf", lambda _source, told: PRF.append(bytes(told)))
        self.context.add_init_script(YIELDED)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("request", lambda request: SENT.append((request.url, request.post_data_buffer or b"")))
        self.page.on("console", lambda line: SENT.append(("console", line.text.encode())))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.devtools, self.authenticator = device(self.page, **options)
        self.page.goto(f"{address}/wallet")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def at(self, words: str) -> None:
        try:
            heading(self.page, words)
        except NotReached:
            pytest.fail(f"{words!r} was not reached: {self.faults} {self.text()}")

    def to(self, tab: str) -> None:
        self.page.get_by_role("navigation", name="Parts of my wallet").get_by_role("link", name=tab).click()
        self.at(tab)

    def problem(self) -> str:
        told = self.page.get_by_role("alert")
        told.wait_for()
        return told.inner_text()

    def text(self) -> str:
        return self.page.locator("main").inner_text()


@pytest.fixture(scope="module")
def phone(chromium, address, elsewhere, sites):
    """A patient who has just enrolled."""
    assert address != elsewhere
    made = Phone(chromium, address)
    made.page.get_by_label("Invitation").fill(invitation(sites["north"]))
    made.press("Make my wallet")
    made.at("Keys")
    yield made
    assert made.faults == []
    made.context.close()


@pytest.fixture(scope="module")
def sheet(phone):
    """The patient's recovery sheet."""
    phone.to("Keys")
    phone.press("Make a recovery sheet")
    phone.at("Your recovery sheet")
    return phone.page.locator("#sheet").inner_text()


def asked_of(clinic, chromium):
    """Let a physician ask for access; return the physician, the code, and a picture of its QR."""
    physician = clinic.staff()
    page = physician.get("/access")
    asked = {**form(page.text, "/access"), "purpose": "TREAT", "class": ["general", "laboratory"]}
    shown = physician.post("/access", data=asked).text
    code = shown.split('<pre tabindex="0">')[1].split("</pre>")[0]
    context = chromium.new_context(viewport={"width": 700, "height": 700})
    picture = context.new_page()
    drawing = shown[shown.index("<svg", shown.index('class="code"')) : shown.rindex("</svg>") + 6]
    picture.set_content(f"<style>svg {{ width: 600px }} body {{ background: #fff }}</style>{drawing}")
    taken = picture.screenshot()
    context.close()
    return physician, code, taken


def share(phone: Phone, clinic, chromium) -> None:
    """Share with the clinic by a code that is typed."""
    _, code, _ = asked_of(clinic, chromium)
    phone.to("Who can see")
    phone.page.get_by_role("link", name="Share with somebody new").click()
    phone.page.get_by_label("Code", exact=False).last.fill(code)
    phone.press("See who asks")
    phone.at("Lake Clinic asks to see")
    phone.press("Show what would be seen")
    phone.page.get_by_role("heading", name="This is what they would see").wait_for()
    phone.page.get_by_role("button", name="Share this with Lake Clinic").dblclick()
    phone.at("Who can see")


def test_what_is_enrolled_opens_again_with_its_passkey(phone) -> None:
    phone.page.reload()
    phone.press("Open with my passkey")
    phone.at("My record")
    assert "Glucose" in phone.text()
    phone.to("Trends")
    assert phone.page.locator("svg.trend").count() == 1
    assert "5.30 mmol/L" in phone.text()
    stored = phone.page.evaluate("[JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie]")
    assert "salus-trust" in stored[0]
    assert stored[1:] == ["{}", ""]


WATCHED = """() => { window.told = []; const status = document.querySelector("#wallet [role=status]");
new MutationObserver(() => told.push(status.textContent)).observe(status, { childList: true }); }"""


def test_while_it_is_at_work_the_wallet_says_so(phone) -> None:
    phone.page.evaluate(WATCHED)
    for tab in ("Who has looked", "Correct or erase", "My record"):
        phone.to(tab)
    expect(phone.page.locator("#wallet")).not_to_have_attribute("aria-busy", "true")
    said = phone.page.evaluate("told")
    assert (said.count("One moment …") >= 3, said[-1], phone.page.locator("#wallet [role=status]").inner_text()) == (
        True,
        "",
        "",
    )


def test_a_photo_of_the_code_is_shared_read_elsewhere_seen_stopped_and_refused(phone, clinic, chromium, sites) -> None:
    physician, code, picture = asked_of(clinic, chromium)
    phone.to("Who can see")
    phone.page.get_by_role("link", name="Share with somebody new").click()
    phone.at("Share")
    phone.page.get_by_label("Photo of the code").set_input_files(
        {"name": "qr.png", "mimeType": "image/png", "buffer": picture}
    )
    expect(phone.page.locator("[name=code]")).to_have_value(code)
    assert phone.page.locator("[name=code]").input_value() == code
    phone.press("See who asks")
    phone.at("Lake Clinic asks to see")
    phone.press("Show what would be seen")
    phone.page.get_by_role("heading", name="This is what they would see").wait_for()
    assert "Glucose" in phone.text()
    phone.press("Share this with Lake Clinic")
    phone.at("Who can see")
    assert "Stop Lake Clinic" in phone.text()
    sites["north"].together.settle()

    page = physician.get("/access")
    pulled = physician.post("/access/pull", data=form(page.text, "/access/pull"))
    assert "from: North Hospital" in pulled.text
    chart = links(pulled.text, "/chart/")[0]
    assert "5.30" in physician.get(f"{chart}/results").text

    phone.to("Who has looked")
    assert "physician-1" in phone.text()
    assert "does not tell everything" not in phone.text()
    phone.to("Who can see")
    phone.press("Stop Lake Clinic")
    phone.page.get_by_text("Nobody but those who wrote your record").wait_for()
    sites["north"].together.settle()
    refused = physician.get(f"{chart}/results")
    assert (refused.status_code in {403, 404}, "5.30" in refused.text) == (True, False)


def read_in_an_emergency(clinic):
    physician = clinic.staff()
    page = physician.get("/emergency")
    asked = {"name": "bob other", "birth_date": "1980-01-01", "reason": "unconscious", "at": ["north"]}
    assert "Glucose" in physician.post("/emergency", data={**form(page.text, "/emergency"), **asked}).text
    return physician


def test_an_emergency_is_in_the_log_and_reviewed(phone, clinic) -> None:
    physician = read_in_an_emergency(clinic)
    phone.to("Who has looked")
    phone.page.locator("td .chip.stop").first.wait_for()
    queue = physician.get("/reviews")
    sent = physician.post("/emergency/review", data={**form(queue.text, "/emergency/review"), "findings": "in order"})
    assert ">reviewed<" in sent.text


def test_a_correction_is_asked_for_and_answered(phone, north) -> None:
    phone.to("My record")
    phone.page.get_by_role("link", name="Glucose").first.click()
    phone.at("Glucose")
    phone.page.get_by_label("What is wrong, and how should it read?").fill("It was 5.0")
    phone.press("Ask North Hospital")
    phone.at("Correct or erase")
    assert "not answered yet" in phone.text()
    officer = north.staff("privacy-officer", ("TREAT", "HOPERAT"))
    queue = officer.get("/reviews")
    answer = {"outcome": "declined", "reason": "The laboratory confirms it."}
    officer.post("/reviews/correction", data={**form(queue.text, "/reviews/correction"), **answer})
    phone.to("Who can see")
    phone.to("Correct or erase")
    assert "The laboratory confirms it." in phone.text()


def test_what_is_taken_along_is_verified_outside(phone, north, clinic, tmp_path, capsys) -> None:
    read_in_an_emergency(clinic)
    phone.to("Keys")
    with phone.page.expect_download() as saved:
        phone.press("Take it along")
    bundle = json.loads(Path(saved.value.path()).read_bytes())
    assert {one["resource"]["id"] for one in bundle["entry"]} == {"p2", "s1", "s2", "s3"}
    phone.to("Who has looked")
    with phone.page.expect_download() as saved:
        phone.press("Save the proofs")
    (tmp_path / "trust.json").write_text(trust_file(north.node, AskTrust()).trust)
    (tmp_path / "log.json").write_bytes(Path(saved.value.path()).read_bytes())
    assert len(json.loads((tmp_path / "log.json").read_text())["lines"]) > 0
    trust, log = str(tmp_path / "trust.json"), str(tmp_path / "log.json")
    assert verify(["--trust", trust, log]) in {0, 1}
    told = capsys.readouterr().out
    assert "bad" not in told.lower()
    with phone.page.expect_download() as saved:
        phone.press("Save this list (CSV)")
    assert b"physician-1" in Path(saved.value.path()).read_bytes()


def test_a_health_link_is_sealed_here_fetched_by_anyone_and_ended(phone, north) -> None:
    phone.to("Keys")
    phone.page.get_by_role("link", name="Share by a link").click()
    phone.at("Share by a link")
    phone.page.get_by_role("checkbox", name="Personal details").uncheck()
    phone.press("Make the link")
    phone.at("Show this code")
    assert phone.page.locator(".code svg").count() == 1
    shown = phone.page.locator("#shlink").inner_text()
    told = json.loads(data_of(shown.removeprefix("shlink:/")))
    assert (told["flag"], len(told["key"]), len(told["url"]) <= 128) == ("U", 43, True)
    path = told["url"].removeprefix(north.origin)
    stranger = north.browser()
    assert stranger.get(path).status_code == 400
    sent = stranger.get(path, params={"recipient": "Dr. Elsewhere"})
    assert (sent.status_code, sent.headers["content-type"]) == (200, "application/jose")
    found = json.loads(jwe.decrypt_compact(sent.text, OctKey.import_key(data_of(told["key"]))).plaintext)
    assert {one["resource"]["id"] for one in found["entry"]} == {"s1", "s2", "s3"}
    assert b"Glucose" not in sent.content
    phone.to("Who has looked")
    phone.page.get_by_label("Show your own visits too").check()
    assert "Dr. Elsewhere" in phone.text()
    phone.to("Keys")
    phone.page.get_by_role("link", name="Share by a link").click()
    phone.at("Share by a link")
    assert "opened: 1." in phone.text()
    phone.press("End this link")
    phone.page.get_by_text("You have no link.").wait_for()
    assert stranger.get(path, params={"recipient": "Dr. Elsewhere"}).status_code == 404


def test_a_new_device_brings_the_wallet_back_from_its_sheet(phone, sheet, clinic, chromium, address) -> None:
    share(phone, clinic, chromium)
    new = Phone(chromium, address)
    new.press("Open with my passkey")
    assert "did not give a passkey" in new.problem()
    new.page.get_by_label("Code on the sheet").fill(sheet[:-1] + ("0" if sheet[-1] != "0" else "1"))
    new.press("Open with this code")
    assert "not what was asked for" in new.problem()
    new.page.get_by_label("Code on the sheet").fill(sheet.lower().replace("-", " "))
    new.press("Open with this code")
    new.at("My record")
    assert "Glucose" in new.text()
    new.to("Who can see")
    assert "Lake Clinic" in new.text()  # what the other device had given
    new.to("Keys")
    new.press("Make a passkey here")
    new.page.locator("#made").wait_for()
    new.page.reload()
    new.press("Open with my passkey")
    new.at("My record")
    assert new.faults == []
    new.context.close()


def test_a_browser_without_prf_says_so_and_a_sheet_does_the_same(chromium, address, sites, tmp_path) -> None:
    file = tmp_path / "canary.ndjson"
    hostile = {"resourceType": "AllergyIntolerance", "id": "a3", "patient": {"reference": "Patient/p3"}}
    texts = {"code": {"text": CANARY}, "clinicalStatus": {"text": CANARY}, "note": [{"text": CANARY}]}
    file.write_text(json.dumps(hostile | texts))
    Intake(sites["north"].node, "urn:source:north").run([file])
    sites["north"].together.settle()
    old = Phone(chromium, address, hasPrf=False)
    text = invitation(sites["north"], ("urn:mrn:north", "4713"))
    old.page.get_by_label("Invitation").fill(text)
    old.press("Make my wallet")
    assert "Use a code on paper instead" in old.problem()
    old.page.get_by_label("with a code on paper").check()
    old.press("Make my wallet")
    old.at("Your recovery sheet")
    sheet = old.page.locator("#sheet").inner_text()
    old.page.reload()
    old.page.get_by_label("Code on the sheet").fill(sheet)
    old.press("Open with this code")
    old.at("My record")
    for view in ("#record/0", "#record/1", "#summary", "#looked", "#requests", "#link"):
        old.page.evaluate("view => { document.querySelector('#view').replaceChildren(); location.hash = view; }", view)
        old.page.locator("#view h1").wait_for()
        assert old.page.locator("#wallet :is(img, script)").count() == 0, view
        assert "[object" not in old.text(), view
        if view == "#summary":  # what a record says is shown, as words
            assert CANARY in old.text()
    assert old.faults == []
    old.context.close()


def test_two_devices_at_once_lose_no_grant(phone, sheet, clinic, chromium, address) -> None:
    other = Phone(chromium, address)
    other.page.get_by_label("Code on the sheet").fill(sheet)
    other.press("Open with this code")
    other.at("My record")
    phone.to("Who can see")
    before = phone.page.get_by_role("button", name="Stop Lake Clinic").count()
    for device_ in (phone, other):
        share(device_, clinic, chromium)
    phone.page.reload()
    phone.press("Open with my passkey")
    phone.at("My record")
    phone.to("Who can see")
    assert phone.page.get_by_role("button", name="Stop Lake Clinic").count() == before + 2
    other.context.close()


def test_a_member_that_is_down_is_named_and_nothing_is_half_done(phone, clinic, chromium) -> None:
    _, code, _ = asked_of(clinic, chromium)
    phone.to("Who can see")
    before = phone.page.get_by_role("button", name="Stop Lake Clinic").count()
    phone.page.get_by_role("link", name="Share with somebody new").click()
    phone.page.get_by_label("Code", exact=False).last.fill(code)
    phone.press("See who asks")
    phone.at("Lake Clinic asks to see")
    phone.press("Show what would be seen")
    phone.page.get_by_role("heading", name="This is what they would see").wait_for()
    phone.page.route("**/patient/**", lambda route: route.abort())
    phone.press("Share this with Lake Clinic")
    assert "does not answer" in phone.problem()
    phone.page.unroute("**/patient/**")
    phone.to("Who can see")
    assert phone.page.get_by_role("button", name="Stop Lake Clinic").count() == before


def test_every_other_journey_says_that_a_member_is_down_and_works_when_it_is_back(phone, clinic, chromium) -> None:
    share(phone, clinic, chromium)
    live = phone.page.get_by_role("button", name="Stop Lake Clinic").count()
    phone.page.route("**/patient/**", lambda route: route.abort())
    phone.to("Who has looked")
    assert "North Hospital does not tell everything: it does not answer." in phone.text()
    phone.to("Correct or erase")
    assert "North Hospital tells nothing now, so its part is missing here." in phone.text()
    phone.to("My record")
    phone.page.get_by_role("link", name="Glucose").first.click()
    phone.at("Glucose")
    phone.page.get_by_label("What is wrong, and how should it read?").fill("It was never 5.0")
    phone.press("Ask North Hospital")
    assert "North Hospital does not answer." in phone.problem()
    phone.page.unroute("**/patient/**")
    phone.press("Ask North Hospital")
    phone.at("Correct or erase")
    assert ("It was never 5.0" in phone.text(), "missing here" in phone.text()) == (True, False)
    asked = []

    def lose(route):
        """Let a body be built; let it be carried, and the answer not come back."""
        asked.append(route.request.url)
        if len(asked) == 1:
            return route.continue_()
        route.fetch()
        return route.abort()

    phone.to("Who can see")
    stops = phone.page.get_by_role("button", name="Stop Lake Clinic")
    phone.page.route("**/patient/**", lose)
    stops.first.click()
    assert "North Hospital does not answer." in phone.problem()
    phone.page.unroute("**/patient/**")
    assert (len(asked), stops.count()) == (2, live)
    stops.first.click()  # the ledger has it: the wallet is shown the row
    expect(stops).to_have_count(live - 1)


ROW = """async ([script, proof, key, value]) => {
  const { checkRow } = await import(script);
  const bytes = (one) => one && Uint8Array.from(one);
  try { return checkRow(bytes(proof), bytes(key), bytes(value)).leaf.height; } catch (error) { return error.name + " " + error.message; }
}"""


def test_the_page_checks_that_the_ledger_holds_a_row_or_none(phone, north) -> None:
    rows = {key: north.node.prover.row(GRANTS, key) for key in (bytes(32), north.node.entropy(32))}
    member = north.node.prover.row(MEMBERS, b"north")

    def told(key, value, proof):
        asked = [script_path("proof.js"), list(proof.encode()), list(key), None if value is None else list(value)]
        return phone.page.evaluate(ROW, asked)

    for key, row in rows.items():
        assert isinstance(told(GRANTS.state_key(key), None, row.proof), int)
        assert "another value" in told(GRANTS.state_key(key), b"row", row.proof)
        assert isinstance(told(GRANTS.state_key(bytes([1]) * 32), None, row.proof), str)
    place = MEMBERS.state_key(b"north")
    assert isinstance(told(place, member.value, member.proof), int)
    assert "another value" in told(place, None, member.proof)


def test_what_the_page_asks_holds_nothing_in_clear(phone) -> None:
    """The root, secrets and words of the record are in no request, address, title or log."""
    sent = []
    phone.page.on("request", lambda request: sent.append((request.url, request.post_data_buffer or b"")))
    phone.to("My record")
    phone.to("Who has looked")
    phone.to("Keys")
    assert len(sent) > 2
    tied = (b"Glucose", b"Canary", b"Bob", b"1980-01-01")
    assert [(url, word) for url, body in sent for word in tied if word in body or word.decode() in url] == []
    assert "Glucose" not in phone.page.title() + phone.page.url


def written(secret: bytes) -> list[bytes]:
    """Return a secret in every spelling that it could leave in."""
    return [secret, secret.hex().encode(), b64encode(secret).rstrip(b"="), urlsafe_b64encode(secret).rstrip(b"=")]


def test_no_secret_left_a_browser_or_stayed_in_it(phone, sheet, north, clinic, chromium) -> None:
    """What was made, opened, shared and brought back sent neither root nor link secret nor what opens them."""
    phone.page.reload()
    phone.press("Open with my passkey")
    phone.at("My record")
    share(phone, clinic, chromium)
    vault, opener = north.node.vault, Opener.of_sheet(sheet)
    root = opener.open_root("north", vault.get_wallet(opener.locator("north"))[1])
    wallet = Wallet(root, clock=north.node.now, entropy=os.urandom)
    state = wallet.open_file("north", *vault.get_wallet(wallet.locator("north")))
    secrets = [root, state.links[0].secret, read_sheet(sheet), *PRF]
    told = [word for one in secrets for word in written(one)] + [sheet.encode(), sheet.replace("-", "").encode()]
    assert (len(PRF) > 1, len(SENT) > 30) == (True, True)
    assert [url for url, body in SENT if any(word in body or word in url.encode() for word in told)] == []
    kept = phone.page.evaluate(
        """async () => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie,
        await indexedDB.databases(), await caches.keys(), history.state, name])"""
    )
    assert [key for key, _ in json.loads(kept)[0]] == [f"salus-trust-{north.node.network.hex()}"]
    assert json.loads(kept)[1:] == [[], "", [], [], None, ""]
    assert [word for word in told if word in kept.encode()] == []


def test_what_was_closed_does_not_come_back_by_the_back_button(phone, address) -> None:
    phone.to("My record")
    phone.to("Trends")
    phone.page.go_back()
    phone.at("My record")
    phone.page.goto(f"{address}/ledger")
    phone.page.go_back()
    phone.at("My wallet")
    assert "Glucose" not in phone.text()
    phone.press("Open with my passkey")
    phone.at("My record")
    phone.press("Close my wallet")
    phone.at("My wallet")
    phone.page.go_back()
    phone.at("My wallet")
    assert "Glucose" not in phone.page.content()
    phone.press("Open with my passkey")
    phone.at("My record")


def focused(page) -> str:
    """Return the words of what has the focus; fail if nothing shows that it has it."""
    name, seen = page.evaluate(
        """() => { const one = document.activeElement, style = getComputedStyle(one);
        return [one.innerText || one.getAttribute("aria-label") || "", style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2]; }"""
    )
    assert seen or page.evaluate("document.activeElement.tabIndex < 0 || document.activeElement === document.body"), (
        name
    )
    return name


def reach(page, words: str) -> None:
    """Press Tab until something of these words has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page).strip() == words:
            return
    pytest.fail(f"{words!r} is not reached by keyboard")


def test_by_keyboard_alone_with_its_focus_seen(phone, clinic, chromium) -> None:
    share(phone, clinic, chromium)
    phone.page.reload()
    phone.at("My wallet")
    reach(phone.page, "Open with my passkey")
    phone.page.keyboard.press("Enter")
    phone.at("My record")
    before = phone.page.locator("tbody tr").count()
    assert before > 0
    reach(phone.page, "Who can see")
    phone.page.keyboard.press("Enter")
    phone.at("Who can see")
    live = phone.page.get_by_role("button", name="Stop Lake Clinic").count()
    reach(phone.page, "Stop Lake Clinic")
    phone.page.keyboard.press("Enter")
    expect(phone.page.get_by_role("button", name="Stop Lake Clinic")).to_have_count(live - 1)
    reach(phone.page, "Who has looked")
    phone.page.keyboard.press("Enter")
    phone.at("Who has looked")


VIEWS = ("#record", "#record/0", "#trends", "#sharing", "#share", "#looked", "#requests", "#keys", "#summary", "#link")


def test_no_view_of_the_wallet_breaks_a_rule_of_access_or_scrolls_sideways(phone) -> None:
    wrong = []
    for view in VIEWS:
        phone.page.evaluate(
            """view => { document.querySelector('#view').replaceChildren();
            if (location.hash === view) dispatchEvent(new Event('hashchange')); else location.hash = view; }""",
            view,
        )
        phone.page.locator("#view h1").wait_for()
        wrong += [(view, one) for one in look(phone.page)]
        wrong += [(view, "made no words of elements")] if "[object" in phone.text() else []
    assert wrong == []


def test_an_erasure_is_asked_for(phone, north) -> None:
    phone.to("Correct or erase")
    phone.page.get_by_text("Erase my record at North Hospital").click()
    phone.press("Yes, ask North Hospital to erase it")
    phone.page.get_by_text("You asked for it on").wait_for()
    link = north.node.vault.find_link(*PATIENT)
    (case,) = (one.case for one in north.node.desk.erasures() if one.subject == link)
    retain(north.node, case, RetentionReason.PUBLIC_HEALTH)
    phone.to("Keys")
    phone.to("Correct or erase")
    assert "must keep it for now" in phone.text()
    assert "Why: public health." in phone.text()
    assert phone.page.get_by_text("Erase my record at North Hospital").count() == 0


RETAINED = """async ([mine, later, erasures]) => {
  const [{ t, plain, when }, { requests }] = [await import(mine), await import(later)];
  const show = (...parts) => document.querySelector("#view").replaceChildren(...parts.flat(4).filter(Boolean));
  const plainly = { missed: () => [], note: (words) => words, empty: (words) => words, button: () => "", nameOf: (member) => member };
  await requests({ t, plain, when, show, ...plainly, holder: { wishes: async () => ({ corrections: [], erasures, missing: [] }) } });
  return document.querySelector("#view").innerText;
}"""


@pytest.mark.parametrize("until", [0, 1_900_000_000_000])
def test_a_trials_duty_is_named_with_its_end(phone, until) -> None:
    stands = {"status": "retained", "opened": 1, "earliest": 2, "due": 3, "reason": "legal-obligation"}
    told = phone.page.evaluate(
        RETAINED,
        [
            script_path("mine.js"),
            script_path("later.js"),
            [{"member": "north", **stands, "duty": "21 CFR 312.62(c)", "until": until}],
        ],
    )
    assert "a duty of the trial that you take part in: 21 CFR 312.62(c)." in told
    assert ("ends on 17 Mar 2030" in told, "is not set yet" in told) == (bool(until), not until)
