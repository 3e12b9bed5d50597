"""Two organisations with pages: a patient of the first, whose wallet it hosts, and a clinic that reads."""

import html
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from starlette.applications import Starlette
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.http import fhir, smart
from salus.http.app import application
from salus.http.exchange import routes as exchange_routes
from salus.http.person import PersonAuthenticator
from salus.node.demo.serving import Hosted
from salus.node.errors import Unavailable
from salus.node.fhir.server import FhirServer
from salus.node.identity import match
from salus.node.identity.comparing import Match
from salus.node.member import MemberNode
from salus.node.records.intake import Intake
from salus.node.registry import use_cases
from salus.node.signing_in import OperatorSignIn, caller_of, operator_sign_in
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet.holder import Holder, Members
from salus.portal.app import routes
from salus.portal.visiting import Pages
from tests.needs import browser as chromium_path

SCRIPT = "<script>alert('canary')</script>"
PATIENT = '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn:north","value":"4711"}],"name":[{"family":"Canary","given":["Ada"]}],"birthDate":"1970-05-05","gender":"female"}'
OTHER = '{"resourceType":"Patient","id":"p2","identifier":[{"system":"urn:mrn:north","value":"4712"}],"name":[{"family":"Other","given":["Bob"]}],"birthDate":"1980-01-01"}'
PULSE = '{"resourceType":"Observation","id":"o%d","status":"final","subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-0%d-02","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}],"text":"Heart rate"},"valueQuantity":{"value":7%d.50,"unit":"/min"}}'
THIRD = '{"resourceType":"Patient","id":"p3","identifier":[{"system":"urn:mrn:north","value":"4713"}],"name":[{"family":"Third","given":["Cy"]}],"birthDate":"1990-01-01"}'
SUGAR = '{"resourceType":"Observation","id":"s%d","status":"final","subject":{"reference":"Patient/p2"},"effectiveDateTime":"2026-0%d-03","code":{"text":"Glucose"},"valueQuantity":{"value":5.%d0,"unit":"mmol/L"}}'
ALLERGY = '{"resourceType":"AllergyIntolerance","id":"a1","patient":{"reference":"Patient/p1"},"code":{"text":"%s"}}'
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
EIGHT_HOURS = 8 * 3600 * 1000
PATIENCE = 90_000
"""Milliseconds after which what a browser waits for is not coming: only a test that fails waits as long."""


@dataclass
class Site:
    """A member's application, and how a browser gets into it."""

    together: Together
    node: MemberNode
    app: Starlette
    wallet: Hosted
    origin: str
    listening: socket.socket

    def browser(self) -> TestClient:
        return TestClient(self.app, base_url="http://site.test")

    def staff(self, role: str = "physician", purposes: tuple[str, ...] = ("TREAT", "ETREAT")) -> TestClient:
        code = self.node.sessions.invite(*caller_of(self.node, f"{role}-1", role, purposes))
        browser = self.browser()
        sent = browser.post("/sign-in", data={"code": code})
        first = "/duplicates" if role == "registrar" else "/patients"
        assert (sent.status_code, sent.url.path) == (200, first)
        return browser

    def operator(self) -> TestClient:
        self.node.ticking = True
        code = operator_sign_in(self.node, OperatorSignIn()).link.partition("code=")[2]
        self.node.ticking = False
        browser = self.browser()
        assert browser.post("/sign-in", data={"code": code}).url.path == "/operator"
        return browser

    def patient(self) -> TestClient:
        token = self.node.sessions.open(ends=self.node.now() + EIGHT_HOURS, wallet="ada")
        browser = self.browser()
        browser.cookies.set(f"salus-{self.node.member}", token)
        return browser


class Cut:
    """Members of whom the asked one goes down after so many questions: before it does the next, or before it says so."""

    def __init__(self, members: Members, after: int, *, done: bool) -> None:
        self.members, self.left, self.done, self.met = members, after, done, False

    def ask(self, member: str, path: str, body: bytes) -> Any:
        if self.left:
            self.left -= 1
            return self.members.ask(member, path, body)
        if self.done and not self.met:
            self.members.ask(member, path, body)
        self.met = True
        raise Unavailable("exchange.unreachable", "the node cannot be reached", got=member, todo="try again")


def every_cut(holder: Holder, do: Callable[[], httpx.Response], *, done: bool) -> Iterator[httpx.Response]:
    """Do something with a member that goes down at each question in turn; yield what the page said each time."""
    members = holder.members
    for after in count():
        cut = Cut(members, after, done=done)
        holder.members = cut
        try:
            said = do()
        finally:
            holder.members = members
        if not cut.met:
            assert said.status_code == 200
            return
        yield said


def registered_twice(node: MemberNode, folder: Path) -> None:
    """Let another system register the first patient too, nearly alike; the pair waits for a person."""
    file = folder / "lab.ndjson"
    file.write_text(PATIENT.replace('"Ada"', '"Adah"').replace("urn:mrn:north", "urn:mrn:lab"))
    Intake(node, "urn:source:lab").run([file])
    assert match(node, Match()).waiting == 1


def form(page: str, action: str, at: int = 0) -> dict[str, str]:
    """Return the hidden fields of the form with this action."""
    found = re.findall(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)[at]
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', found)
    }


def links(page: str, start: str) -> list[str]:
    """Return the addresses of a page that begin so, in their order."""
    return list(
        dict.fromkeys(html.unescape(each) for each in re.findall(r'href="([^"]+)"', page) if each.startswith(start))
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    founders = (
        Founder("north", "North Hospital", (Role.PROVIDER,)),
        Founder("clinic", "Lake Clinic", (Role.PROVIDER,)),
    )
    folder = tmp_path_factory.mktemp("pages")
    found = found_together(folder, founders, clock=Clock())
    file = folder / "north.ndjson"
    file.write_text(
        "\n".join(
            [
                PATIENT,
                OTHER,
                THIRD,
                ALLERGY % SCRIPT,
                *(PULSE % (n, n, n) for n in range(1, 4)),
                *(SUGAR % (n, n, n) for n in range(1, 4)),
            ]
        )
    )
    Intake(found.nodes["north"], "urn:source:north").run([file])
    yield found
    found.close()


@pytest.fixture(scope="module")
def sites(together: Together) -> Iterator[dict[str, Site]]:
    wallet = Hosted(together)
    north = together.nodes["north"]
    link = north.vault.find_link("urn:mrn:north", "4711")
    assert link is not None
    wallet.holder.join("north", north.vault.invite(link))
    made = {}
    doors = {member: socket.create_server(("127.0.0.1", 0)) for member in together.nodes}
    places = {member: f"http://localhost:{door.getsockname()[1]}" for member, door in doors.items()}
    for member, node in together.nodes.items():
        wallets = {"ada": wallet} if member == "north" else {}
        listening, origin = doors[member], places[member]
        pages = Pages(node, secure=False, wallets=wallets, origin=origin, places=places)
        people = PersonAuthenticator(node)
        server = FhirServer(node, origin)
        more = [
            *exchange_routes(node),
            *smart.routes(pages.programs),
            *fhir.routes(server, smart.BearerAuthenticator(node, people)),
            *routes(pages),
        ]
        app = application(node, use_cases().values(), people, more=more)
        made[member] = Site(together, node, app, wallet, origin, listening)
    yield made
    for site in made.values():
        site.listening.close()


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve a member's pages to a real browser; yield their address."""
    server = uvicorn.Server(uvicorn.Config(site.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [site.listening]})
    thread.start()
    yield site.origin
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def address(sites: dict[str, Site]) -> Iterator[str]:
    """Serve the first member's pages."""
    with served(sites["north"]) as place:
        yield place


@pytest.fixture(scope="module")
def elsewhere(sites: dict[str, Site]) -> Iterator[str]:
    """Serve the second member's pages."""
    with served(sites["clinic"]) as place:
        yield place


class Chromium:
    """One browser for a file of tests; whatever its pages wait for, they wait for patiently."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def new_context(self, **options: Any) -> BrowserContext:
        """Return a fresh profile."""
        made = self.browser.new_context(**options)
        made.set_default_timeout(PATIENCE)
        return made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS, timeout=PATIENCE)
        yield Chromium(browser)
        browser.close()


@pytest.fixture
def north(sites: dict[str, Site]) -> Site:
    return sites["north"]


@pytest.fixture
def clinic(sites: dict[str, Site]) -> Site:
    return sites["clinic"]
