"""A node put back from an image of its whole folder says nothing about patients before others say that its ledger is the newest."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec import structs
from starlette.testclient import TestClient

from salus.contracts.membership.port import Role
from salus.core.encoding import decode
from salus.core.proof.trust import quorum
from salus.engines.book import lmdb_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.embedded import Embedded
from salus.engines.follower import Follower, LedgerSource
from salus.engines.store import lmdb_store
from salus.http import fhir
from salus.http.app import application, as_operator
from salus.http.exchange import routes
from salus.node import erasing, member
from salus.node.anchoring import anchor
from salus.node.config import Config
from salus.node.confirming import PATH, Confirming, Head, enough, lies_apart
from salus.node.errors import Malformed, Unavailable
from salus.node.exchange.pull import PATH as PULL
from salus.node.exchange.wire import Refusal
from salus.node.fhir.server import FhirServer
from salus.node.listening.taking import Taking
from salus.node.member import MemberNode
from salus.node.network.founding import Found, MakeCard, card, found_network
from salus.node.opening import KERNEL, OnLedger, Unfounded, assemble, open_node
from salus.node.patient import messages
from salus.node.records.charts import ShowChart, show_chart
from salus.node.records.intake import Intake
from salus.node.registry import use_cases
from salus.node.ticking import OF_NO_PATIENT, Job, Ticker
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.journal import Side

DAY_MS = 24 * 3600 * 1000
PATIENT = '{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"one"}]}\n'


@dataclass
class Town:
    """Three members, and those put back from an image."""

    together: Together
    folder: Path
    back: list[MemberNode] = field(default_factory=list)

    def image(self, name: str) -> Path:
        """Copy a member's whole folder."""
        self.together.settle()
        there = self.folder / f"{name}.image"
        shutil.copytree(self.folder / name, there)
        return there

    def put_back(self, name: str, home: Path) -> MemberNode:
        """Close a member's node and open one from the image in its place."""
        old = self.together.nodes[name]
        old.close()
        store, signing = lmdb_store(home / "ledger"), old.keys.signing_key()
        book = lmdb_book(home / "checkpoints", store.chain().network)
        cosigning = Cosigning(store, book, keys={signing.public_key().public_bytes_raw(): signing.sign})
        if name == "north":
            ledger = Embedded(store, KERNEL, self.together.clock)
            on = OnLedger(ledger, cosigning, Cosigner(ledger, cosigning))
        else:
            owner = self.together.owner
            source = LedgerSource(owner.ledger, owner.cosigning)
            follower = Follower(store, KERNEL, source, cosigning, self.together.clock)
            on = OnLedger(follower, cosigning)
        config = structs.replace(old.config, data=str(home))
        node = assemble(config, old.keys, on, old.ports, home)
        node.withholding = Confirming(node)
        if isinstance(on.ledger, Follower):
            on.ledger.start()
        self.together.transport.doors[f"https://{name}.example"] = node.door
        self.back.append(node)
        return node


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    founders = tuple(Founder(one, one, (Role.PROVIDER,)) for one in ("north", "south", "clinic"))
    found = Town(found_together(tmp_path, founders, clock=Clock()), tmp_path)
    yield found
    for node in found.back:
        node.close()
    for node in found.together.nodes.values():
        node.release()


def patient(node: MemberNode, folder: Path) -> bytes:
    file = folder / "in.ndjson"
    file.write_text(PATIENT)
    Intake(node, "urn:in").run([file])
    anchor(node)
    link = node.vault.find_link("urn:mrn", "one")
    assert link is not None
    return link


def erase(town: Town, name: str, link: bytes) -> None:
    node = town.together.nodes[name]
    erasing.begin(node, link, bytes(range(16)))
    town.together.clock.advance(8 * DAY_MS)
    assert erasing.advance(node) == 1
    town.together.settle()


def test_a_follower_from_an_old_image_learns_from_the_others_that_it_forgot_an_erasure(town: Town) -> None:
    link = patient(town.together.nodes["south"], town.folder)
    image = town.image("south")
    erase(town, "south", link)

    node = town.put_back("south", image)
    assert node.vault.find_link("urn:mrn", "one") == link  # the image has the patient
    with pytest.raises(Unavailable, match=r"erasure\.list-old"):
        show_chart(node, ShowChart(link=link.hex(), purpose="TREAT"))
    assert node.trouble() == "erasure.list-old"
    assert node.vault.lines(Side.CUSTODIAN, link) == []


def test_the_owner_from_an_old_image_is_told_by_those_who_followed_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "REPLICA_SECONDS", 0.1)
    link = patient(town.together.owner, town.folder)
    image = town.image("north")
    erase(town, "north", link)

    node = town.put_back("north", image)
    assert node.vault.find_link("urn:mrn", "one") == link  # and its ledger is as old
    with pytest.raises(Unavailable, match=r"node\.behind"):
        show_chart(node, ShowChart(link=link.hex(), purpose="TREAT"))
    assert node.vault.lines(Side.CUSTODIAN, link) == []


def test_no_door_says_anything_about_patients_before_enough_others_answered(town: Town) -> None:
    link = patient(town.together.nodes["south"], town.folder)
    town.together.transport.down = {"https://north.example", "https://clinic.example"}
    node = town.put_back("south", town.image("south"))
    server = FhirServer(node)
    more = [*routes(node), *fhir.routes(server, as_operator)]
    http = TestClient(application(node, use_cases().values(), as_operator, more=more))

    read = http.post("/api/records/chart", json={"link": link.hex(), "purpose": "TREAT"})
    assert (read.status_code, read.json()["code"], read.json()["expected"]) == (
        503,
        "node.unconfirmed",
        "1 other members",
    )
    searched = http.get("/fhir/Patient").json()
    assert searched["issue"][0]["details"]["coding"][0]["code"] == "node.unconfirmed"
    for path in (PULL, messages.INSTRUCT):
        answer = http.post(path, content=b"")
        assert (answer.status_code, decode(answer.content, Refusal).code) == (503, "node.unconfirmed")
    message = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|1||one^^^B||Doe^Ada\r"
    assert b"|AE|" in Taking(node, server).take(message)
    assert node.vault.lines(Side.CUSTODIAN, link) == []
    assert http.post("/api/network/status", json={}).json()["stopped"] == ""
    assert http.get("/health").status_code == 200

    town.together.transport.down.clear()
    assert http.post("/api/records/chart", json={"link": link.hex(), "purpose": "TREAT"}).json()["total"] == 1
    assert http.get("/fhir/Patient").json()["total"] == 1
    assert node.trouble() == ""


def test_a_member_that_says_it_is_far_ahead_is_named_and_not_believed_to_be_reached(town: Town) -> None:
    node = town.put_back("south", town.image("south"))
    for name in ("north", "clinic"):
        told = town.together.nodes[name].handlers
        told[PATH] = lambda _sender, _body: Head(10**6)  # type: ignore[index]
    refusal = node.withheld(ask=True)
    assert refusal is not None
    assert (refusal.code, refusal.expected.partition(",")[0]) == ("node.behind", "block 1000000")


def test_what_is_no_question_for_a_head_is_refused(town: Town) -> None:
    with pytest.raises(Malformed, match=r"ledger\.bytes"):
        town.together.owner.handlers[PATH]("south", b"?")


def test_a_list_in_another_place_needs_nobody(town: Town) -> None:
    together = town.together
    together.transport.down = {f"https://{name}.example" for name in together.nodes}
    node = together.nodes["south"]
    node.config = structs.replace(node.config, erasures_file=str(town.folder / "elsewhere" / "list"))
    assert Confirming(node)(ask=True) is None
    node.config = structs.replace(node.config, erasures_file=str(town.folder / "south" / "list"))
    assert Confirming(node)(ask=False) is not None


@pytest.mark.parametrize(("members", "others"), [(2, 1), (3, 1), (4, 2), (7, 3), (10, 4), (128, 43)])
def test_who_is_asked_overlaps_every_quorum_of_cosigners(members: int, others: int) -> None:
    assert enough(members) == others
    assert others + quorum(members) > members  # the quorum counts this member; those asked do not


def test_work_about_patients_waits_and_the_rest_goes_on(town: Town) -> None:
    node, turns = town.together.owner, Counter[str]()
    closed = [Unavailable("node.unconfirmed", "not yet")]
    node.withholding = lambda *, ask: closed[0] if closed else None

    class Counting(Ticker):
        def _jobs(self, node: MemberNode) -> list[Job]:
            def job(name: str) -> Job:
                return name, lambda: 0.01, lambda: turns.update((name,))

            return [job(name) for name in ("deliver", *OF_NO_PATIENT)]

    with Counting(node):
        until(lambda: all(turns[name] > 2 for name in OF_NO_PATIENT))
        assert turns["deliver"] == 0
        closed.clear()
        until(lambda: turns["deliver"] > 0)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def found_alone(config: Config, *, accept: bool = False) -> None:
    Path(config.data).mkdir(mode=0o700)
    made = card(Unfounded(config), MakeCard(name="North", roles=(Role.PROVIDER,), jurisdiction="DE"))
    found_network(Unfounded(config), Found(network="alone", card=made.card, accept_forgetting=accept))


def test_who_founds_alone_puts_the_list_elsewhere_or_accepts_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=r"network\.erasures"):
        found_alone(Config(member="north", data=str(tmp_path / "a")))
    assert not (tmp_path / "a" / "ledger").exists()
    inside = Config(member="north", data=str(tmp_path / "b"), erasures_file=str(tmp_path / "b" / "list"))
    assert not lies_apart(inside)
    with pytest.raises(Malformed, match=r"network\.erasures"):
        found_alone(inside)

    found_alone(Config(member="north", data=str(tmp_path / "c"), erasures_file=str(tmp_path / "list")))
    accepted = Config(member="north", data=str(tmp_path / "d"))
    found_alone(accepted, accept=True)
    node = open_node(accepted)
    assert isinstance(node, MemberNode)
    assert node.withheld(ask=False) is None
    node.close()
