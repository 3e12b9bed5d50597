"""A lost wallet comes back from its sheet; a health link is fetched by whoever has it, until it ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from starlette.applications import Starlette
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.http.exchange import routes
from salus.node.demo.serving import Hosted
from salus.node.errors import EdgeError
from salus.node.exchange.wire import Answer
from salus.node.network.directory import AskTrust, trust_file
from salus.node.patient import healthlinks
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, Together, found_together
from salus.node.wallet import restoring
from salus.node.wallet.file import NoWallet, OpenWallet
from salus.node.wallet.healthlink import EndOneLink, ListLinks, MakeLink, end_link, id_in, list_links, make_link
from salus.node.wallet.restoring import MakeSheet, RestoreWallet, restore, sheet
from salus.vault.errors import SealBroken
from salus.vault.opener import Opener, read_sheet, write_sheet
from tests.portal.authenticator import data_of

PATIENT = (
    '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"1"}],"birthDate":"1970-05-05"}'
)
ALLERGY = '{"resourceType":"AllergyIntolerance","id":"a1","patient":{"reference":"Patient/p1"},"code":{"text":"Latex"}}'
DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    folder = tmp_path_factory.mktemp("back")
    founders = (Founder("north", "North Hospital", (Role.PROVIDER,)), Founder("south", "South", (Role.PROVIDER,)))
    found = found_together(folder, founders, clock=Clock())
    file = folder / "north.ndjson"
    file.write_text(f"{PATIENT}\n{ALLERGY}\n")
    Intake(found.nodes["north"], "urn:source").run([file])
    yield found
    found.close()


@pytest.fixture(scope="module")
def wallet(together: Together) -> OpenWallet:
    made = Hosted(together)
    made.urls["north"] = "https://north.example"
    vault = together.nodes["north"].vault
    link = vault.find_link("urn:mrn", "1")
    assert link is not None
    made.holder.join("north", vault.invite(link))
    return made


@pytest.fixture
def asked(together: Together, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry what a wallet's file asks over HTTP to the nodes in this process."""

    def post(_client: httpx.Client, member: str, url: str, _headers: object, body: bytes) -> Answer:
        return together.ask(member, url.removeprefix(f"https://{member}.example"), body)

    monkeypatch.setattr(restoring, "post", post)
    monkeypatch.setattr(OpenWallet, "ask", lambda _self, member, path, body: together.ask(member, path, body))


@pytest.mark.usefixtures("asked")
def test_a_lost_wallet_comes_back_from_its_sheet_and_nothing_else(
    together: Together, wallet: OpenWallet, tmp_path: Path
) -> None:
    made = sheet(wallet, MakeSheet())
    assert made.members == ("north",)
    trust = trust_file(together.nodes["north"], AskTrust()).trust.encode()
    place = NoWallet(tmp_path / "new.salus", b"words")

    def back(member: str, told: str) -> RestoreWallet:
        return RestoreWallet(trust=trust, member=member, url=f"https://{member}.example", sheet=told.encode())

    spoiled = made.sheet[:-1] + ("0" if made.sheet[-1] != "0" else "1")
    with pytest.raises(EdgeError, match=r"wallet\.sheet"):
        restore(place, back("north", spoiled))
    with pytest.raises(EdgeError, match=r"wallet\.sheet-unknown"):
        restore(place, back("south", made.sheet))
    assert not (tmp_path / "new.salus").exists()

    told = restore(place, back("north", made.sheet.lower().replace("-", " ")))
    assert (told.members, told.grants) == (("north",), 0)
    assert (tmp_path / "new.salus").stat().st_mode & 0o077 == 0


def test_what_a_member_keeps_for_a_sheet_opens_with_the_sheet_alone(together: Together, wallet: OpenWallet) -> None:
    made = sheet(wallet, MakeSheet())
    opener = Opener.of_sheet(made.sheet)
    _, file = together.nodes["north"].vault.get_wallet(opener.locator("north"))
    root = opener.open_root("north", file)
    assert len(root) == 32
    assert not [secret for secret in (root, read_sheet(made.sheet)) if secret in file]
    with pytest.raises(SealBroken):
        Opener.of_sheet(write_sheet(bytes(20))).open_root("north", file)
    with pytest.raises(SealBroken):
        opener.open_root("south", file)


def test_a_health_link_is_fetched_until_it_ends_and_the_member_cannot_read_it(
    together: Together, wallet: OpenWallet
) -> None:
    north = together.nodes["north"]
    made = make_link(wallet, MakeLink(types=("AllergyIntolerance",)))
    told = json.loads(data_of(made.link.removeprefix("shlink:/")))
    assert (made.records, told["flag"], told["url"].startswith("https://north.example/")) == (1, "U", True)
    path = told["url"].removeprefix("https://north.example")
    id_ = id_in(path.rpartition("/")[2])
    stranger = TestClient(Starlette(routes=routes(north)))
    sent = stranger.get(path, params={"recipient": "Dr. Elsewhere"})
    found = json.loads(jwe.decrypt_compact(sent.text, OctKey.import_key(data_of(told["key"]))).plaintext or b"")
    assert [one["resource"]["id"] for one in found["entry"]] == ["a1"]
    held = north.desk.health_link(id_)
    assert held is not None
    assert not [word for word in (b"Latex", told["key"].encode(), data_of(told["key"])) if word in held[2]]
    (line,) = list_links(wallet, ListLinks()).links
    assert (line.id, line.fetched) == (id_.hex(), 1)

    for asked in ({}, {"recipient": ""}, {"recipient": "x" * 65}, {"recipient": "a\nb"}):
        assert stranger.get(path, params=asked).status_code == 400
    assert stranger.get(f"/health-links/{'A' * 43}", params={"recipient": "x"}).status_code == 404
    assert list_links(wallet, ListLinks()).links[0].fetched == 1

    assert end_link(wallet, EndOneLink(id=line.id)).member == "north"
    assert stranger.get(path, params={"recipient": "x"}).status_code == 404
    assert list_links(wallet, ListLinks()).links == ()
    with pytest.raises(EdgeError, match=r"health-link\.none"):
        end_link(wallet, EndOneLink(id=line.id))
    with pytest.raises(EdgeError, match=r"health-link\.nothing"):
        make_link(wallet, MakeLink(types=("Device",)))


def test_health_links_end_by_themselves_and_are_not_without_limit(together: Together, wallet: OpenWallet) -> None:
    for _ in range(healthlinks.MAX_LINKS):
        make_link(wallet, MakeLink(days=1))
    with pytest.raises(EdgeError, match=r"health-link\.too-many"):
        make_link(wallet, MakeLink(days=1))
    (id_, *_), *_ = together.nodes["north"].desk.health_links(wallet.holder.wallet.state.links[0].link)
    together.clock.advance(DAY)
    with pytest.raises(EdgeError, match=r"health-link\.none"):
        healthlinks.fetch(together.nodes["north"], id_, "late")
    assert list_links(wallet, ListLinks()).links == ()
