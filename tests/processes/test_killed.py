"""A node killed (SIGKILL) between two durable acts: nothing acknowledged is lost, nothing is half there, the work goes on."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from salus.engines.replay import replay
from salus.node import erasing
from salus.node.config import read
from salus.node.member import MemberNode
from salus.node.opening import KERNEL, open_node
from tests.processes.dying import Dying
from tests.processes.members import Member, certificate, member

pytestmark = pytest.mark.unmeasured

KEPT = ("keys.salus", "passphrase", "backup.keys", "vault.erasures")
ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
DAY_MS = 24 * 3600 * 1000
FHIR = "".join(
    f'{{"resourceType":"Patient","id":"p{n}","identifier":[{{"system":"urn:mrn","value":"{n}"}}]}}\n'
    f'{{"resourceType":"Observation","id":"o{n}","status":"final","subject":{{"reference":"Patient/p{n}"}},'
    f'"code":{{"text":"pulse"}}}}\n'
    for n in (1, 2)
)


@pytest.fixture
def alone(tmp_path: Path) -> Member:
    """One member on a ledger of its own, with two patients in a file."""
    one = member(tmp_path, "north")
    card = one.told("network", "card", "--name", "North", "--roles", "provider", "--jurisdiction", "DE")["card"]
    one.told("network", "found", "--network", "lake-county", "--card", card, "--accept-forgetting")
    (one.home / "in.ndjson").write_text(FHIR)
    return one


def taken_in(one: Member) -> dict[str, int]:
    told: dict[str, int] = one.told("records", "import", "in.ndjson", "--source", "urn:ehr")
    return told


@contextlib.contextmanager
def opened(one: Member) -> Iterator[MemberNode]:
    node = open_node(read(None, {name: text for name, text in one.environment.items() if name.startswith("SALUS_")}))
    assert isinstance(node, MemberNode)
    try:
        yield node
    finally:
        node.close()


def whole(one: Member, records: int) -> None:
    """Nothing is damaged, everything is anchored and indexed, the ledger gives its digests again."""
    with opened(one) as node:
        found = node.vault.check()
        assert (found.records, found.damage, node.vault.unanchored()) == (records, (), [])
        assert node.vault.since(node.index.position(), 1) == []
        assert replay(node.ledger.store, KERNEL).height == node.ledger.head().height


@pytest.mark.parametrize("step", ["sealed, not submitted", "committed, not noted"])
def test_amid_an_import(alone: Member, dying: Dying, step: str) -> None:
    assert dying.run(alone, step, "records", "import", "in.ndjson", "--source", "urn:ehr") == KILLED
    again = taken_in(alone)
    assert (again["stored"], again["unchanged"]) == (0, 4)
    whole(alone, 4)


@pytest.mark.parametrize(
    "step", ["desk copied, ledger missing", pytest.param("vault copied, rest missing", marks=pytest.mark.soak)]
)
def test_amid_a_backup(alone: Member, dying: Dying, step: str) -> None:
    taken_in(alone)
    assert dying.run(alone, step, "backup", "make", "cut") == KILLED
    whole(alone, 4)
    refused = alone.run("backup", "make", "cut")
    assert (refused.returncode, refused.stderr.partition(":")[0]) == (1, "vault.restore")
    alone.told("backup", "make", "second")

    data = alone.home / "data"
    lost = data.rename(alone.home / "lost")
    data.mkdir(mode=0o700)
    for name in KEPT:
        (lost / name).rename(data / name)
    refused = alone.run("backup", "restore", "cut")
    assert (refused.returncode, refused.stderr.partition(":")[0]) == (1, "backup.none")
    assert not {one.name for one in data.iterdir()} - {*KEPT, "owner.lock"}

    assert dying.run(alone, "vault restored, ledger missing", "backup", "restore", "second") == KILLED
    assert alone.run("records", "check").stderr.startswith("node.stage:")
    alone.told("backup", "restore", "second")
    whole(alone, 4)


@pytest.mark.parametrize(
    "step",
    [
        "deleted, not attested",
        pytest.param("listed, not removed", marks=pytest.mark.soak),
        pytest.param("removed, files left", marks=pytest.mark.soak),
    ],
)
def test_amid_an_erasure(alone: Member, dying: Dying, step: str) -> None:
    taken_in(alone)
    with opened(alone) as node:
        link = node.vault.find_link("urn:mrn", "1")
        assert link is not None
        erasing.begin(node, link, bytes(16))

    assert dying.run(alone, step, "erasure", "advance", ahead=8 * DAY_MS) == KILLED
    assert dying.run(alone, "never", "erasure", "advance", ahead=8 * DAY_MS) == 0

    (case,) = alone.told("erasure", "list")["cases"]
    assert case["status"] == "deleted"
    whole(alone, 2)
    with opened(alone) as node:
        assert node.vault.of_link(link) == []
        assert node.vault.find_link("urn:mrn", "1") is None
        assert len(node.vault.erasures.read()) == 1


# Two members, each serving in a process of its own -----------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Member, Member, Path]]:
    """A hospital that orders the ledger and holds a patient, a clinic that follows, and the patient's wallet."""
    tls = certificate(tmp_path)
    north = member(tmp_path, "north", tls=tls)
    clinic = member(tmp_path, "clinic", north, tls)
    cards = [
        one.told(
            *("network", "card", "--name", one.id, "--roles", "provider", "--jurisdiction", "DE"),
            *("--endpoint", one.environment["SALUS_HTTP_PUBLIC_URL"]),
        )["card"]
        for one in (north, clinic)
    ]
    found = north.told("network", "found", "--network", "lake-county", "--card", cards[0], "--others", cards[1])
    north.serve()
    clinic.told("network", "join", "--network", found["network"])
    clinic.serve()
    (north.home / "in.ndjson").write_text(FHIR)
    assert taken_in(north)["stored"] == 4
    until(lambda: len(north.told("network", "status")["cosigned_by"]) == 2)
    (tmp_path / "trust.json").write_text(north.told("network", "trust")["trust"])
    (tmp_path / "words").write_text("correct horse battery staple")
    wallet(tmp_path, north, "new", "--trust", str(tmp_path / "trust.json"))
    invited = north.told("link", "invite", "--system", "urn:mrn", "--value", "1")
    wallet(tmp_path, north, "join", invited["invitation"])
    try:
        yield north, clinic, tmp_path
    finally:
        for one in (clinic, north):
            one.end()


def wallet(folder: Path, one: Member, *arguments: str) -> Any:
    """Run a command of the patient's wallet, which must succeed."""
    file = ("--wallet", str(folder / "patient.wallet"), "--passphrase-file", str(folder / "words"))
    return one.told("wallet", *arguments, *file)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)


@contextlib.contextmanager
def mortal(one: Member, step: str) -> Iterator[None]:
    """Have a member's node die at a step while the block runs, which must bring it there; start it anew afterwards."""
    one.end()
    one.program, honest = (
        [sys.executable, "-c", f"from tests.processes.dying import serving; serving({step!r})"],
        one.program,
    )
    before, one.environment = one.environment, one.environment | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    one.serve()
    try:
        yield
        assert one.process is not None
        assert one.process.wait(180) == KILLED
    finally:
        one.end()
        one.program, one.environment = honest, before
        one.serve()


def granted(north: Member, clinic: Member, folder: Path) -> str:
    asked = clinic.told("access", "ask", "--classes", "general")
    grant: str = wallet(folder, north, "grant", asked["code"], "--days", "30")["grant"]
    return grant


def held(clinic: Member) -> list[str]:
    return [one["grant"] for one in clinic.told("access", "list")["grants"]]


PULL_STEPS = [
    ("north", "disclosure written, not committed"),
    ("north", "disclosure committed, not answered"),
    ("clinic", "answer verified, not kept"),
    ("clinic", "answer kept, place not noted"),
]
DELIVERY_STEPS = [
    ("clinic", "taken, not noted"),
    ("clinic", "noted, not acknowledged"),
    ("north", "acknowledged, not noted"),
]


@pytest.mark.soak
@pytest.mark.parametrize(("who", "step"), PULL_STEPS)
def test_amid_a_pull(pair: tuple[Member, Member, Path], who: str, step: str) -> None:
    north, clinic, folder = pair
    grant = granted(north, clinic, folder)
    until(lambda: held(clinic) == [grant])
    with mortal(north if who == "north" else clinic, step):
        cut = clinic.run("access", "pull", grant, "--json")
        assert cut.returncode == 1 or json.loads(cut.stdout)["failures"]

    until(lambda: clinic.told("access", "pull", grant)["failures"] == [])
    assert clinic.told("records", "chart", "--grant", grant)["total"] == 2
    until(lambda: all(line["proven"] for line in wallet(folder, north, "log")["lines"]))
    log = wallet(folder, north, "log")
    assert log["gaps"] == []
    assert {line["told_by"] for line in log["lines"] if line["action"] == "serve"} == {"north"}
    assert [line["action"] for line in log["lines"] if line["told_by"] == "clinic"].count("pull") >= 1


@pytest.mark.soak
@pytest.mark.parametrize(("who", "step"), DELIVERY_STEPS)
def test_amid_a_delivery(pair: tuple[Member, Member, Path], who: str, step: str) -> None:
    north, clinic, folder = pair
    with mortal(north if who == "north" else clinic, step):
        asked = clinic.told("access", "ask", "--classes", "general")["code"]
        file = ("--wallet", str(folder / "patient.wallet"), "--passphrase-file", str(folder / "words"))
        north.run("wallet", "grant", asked, "--days", "30", *file)

    grant = wallet(folder, north, "grants")["grants"][0]["grant"]
    until(lambda: held(clinic) == [grant])
    until(lambda: north.told("deliveries", "waiting")["deliveries"] == [])
    assert clinic.told("access", "pull", grant)["records"] == 2
