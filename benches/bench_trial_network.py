"""An emergency of a trial on four CometBFT nodes of this machine: answered while the ledger goes on, and while it is halted.

Four members with node, vault and desk in this process, which ask each other in it; each has its own CometBFT engine, so that
what is committed is agreed upon by four. Sites and services on machines of their own add one round trip over HTTPS.
"""

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from benches.bench_consortium import Home
from salus.contracts.membership.port import Genesis, Parameters, Role, ValidatorChange
from salus.core.encoding import encode
from salus.core.proof.digest import digest
from salus.engines.book import lmdb_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.cometbft.binary import find
from salus.engines.cometbft.home import genesis_json
from salus.engines.cometbft.ledger import CometLedger
from salus.engines.cometbft.rpc import Rpc
from salus.engines.cometbft.unit import Unit
from salus.engines.embedded import found
from salus.engines.errors import EngineError
from salus.engines.follower import LedgerSource
from salus.engines.store import lmdb_store
from salus.node.config import Config, Http
from salus.node.demo.trial_scene import Scene
from salus.node.errors import Unavailable
from salus.node.exchange.cosigning import Cosignatures
from salus.node.exchange.wire import InProcess
from salus.node.member import Ports
from salus.node.opening import KERNEL, OnLedger, assemble
from salus.node.patient import door
from salus.node.together import Clock, Founder, Together, candidate
from salus.node.trials import step_site, unblind
from salus.node.trials.founding import StepTrialSite
from salus.node.trials.unblinding import Unblind
from salus.vault.keystore import new_keys

FOUNDERS = (
    Founder("sponsor", "Sample Sponsor", (Role.SPONSOR,)),
    Founder("north", "North Hospital", (Role.PROVIDER, Role.SITE)),
    Founder("pharmacy-a", "Pharmacy A", (Role.DISPENSER, Role.RESEARCHER, Role.REGULATOR)),
    Founder("pharmacy-b", "Pharmacy B", (Role.DISPENSER,)),
)
PARTIES = (
    "SPONSOR=sponsor",
    "COORDINATOR=north",
    "ETHICS=pharmacy-a",
    "REGULATOR=pharmacy-a",
    "STATISTICIAN=north",
    "DISPENSER=pharmacy-a",
    "DISPENSER=pharmacy-b",
    "EMERGENCY=pharmacy-b",
)
EMERGENCIES = 20
MOST_SECONDS = 10.0
STARTED_SECONDS = 60.0


class Network:
    """The four members, on one chain."""

    def __init__(self, root: Path, binary: Path, ends: ExitStack) -> None:
        self.together = Together(Clock(), InProcess())
        ends.callback(self.together.close)
        keys = {one.id: new_keys(one.id, os.urandom) for one in FOUNDERS}
        homes = {one.id: Home(root, one.id) for one in FOUNDERS}
        founded = self.together.clock() - 1000
        document = encode(
            Genesis(
                1,
                "bench",
                founded,
                1,
                Parameters(agreement=digest("salus/v1/agreement", b"bench")),
                tuple(candidate(one, keys[one.id]) for one in sorted(FOUNDERS, key=lambda one: one.id)),
                tuple(ValidatorChange(name, homes[name].vote_key, 10) for name in sorted(homes)),
            )
        )
        genesis = genesis_json(document, chain_id="bench", time=founded + 1, validators=[])
        self.units: dict[str, Unit] = {}
        sources: dict[str, LedgerSource] = {}
        for one in FOUNDERS:
            home = homes[one.id].folder
            homes[one.id].write(list(homes.values()), genesis)
            store = lmdb_store(home / "ledger")
            found(store, KERNEL, document, founded)
            ledger = CometLedger(store, KERNEL, self.together.clock, Rpc(home / "rpc.sock"))
            signing = keys[one.id].signing_key()
            book = lmdb_book(home / "checkpoints", ledger.network)
            cosigning = Cosigning(store, book, keys={signing.public_key().public_bytes_raw(): signing.sign})
            sources[one.id] = LedgerSource(ledger, cosigning)
            exchange = Cosignatures(ledger, cosigning, one.id, sources.__getitem__)
            unit = self.units[one.id] = _unit(ledger, home, binary)
            on = OnLedger(ledger, cosigning, Cosigner(ledger, cosigning), beside=(exchange, unit))
            http = Http(public_url=f"https://{one.id}.example")
            ports = Ports(self.together.clock, os.urandom, self.together.transport)
            node = assemble(Config(member=one.id, data=str(home), http=http), keys[one.id], on, ports, home)
            self.together.nodes[one.id] = node
            self.together.transport.doors[f"https://{one.id}.example"] = node.door
            self.together.transport.wallets[f"https://{one.id}.example"] = partial(door.answer, node)


def _unit(ledger: CometLedger, home: Path, binary: Path) -> Unit:
    return Unit(
        lambda: ledger.application("bench", 1),
        binary=binary,
        home=home,
        socket=home / "app.sock",
        rpc=home / "rpc.sock",
        report=lambda _event, _facts: None,
        halted=ledger.halt,
    )


class FourScene(Scene):
    """A trial whose parts are played by four."""

    def open_sites(self) -> None:
        for member, step in (
            ("sponsor", "nominate"),
            ("north", "contract"),
            ("pharmacy-a", "approve"),
            ("north", "train"),
            ("sponsor", "activate"),
        ):
            step_site(self.node(member), StepTrialSite(study=self.id, site="north", step=step))
        self.delegate("north")


def _founded(together: Together) -> FourScene:
    """Found a trial on the chain, once it goes, with one participant who has a kit."""
    scene = FourScene(together, together.owner.entropy(16))
    scene.sites, scene.trustees, scene.threshold = ("north",), ("sponsor", "north", "pharmacy-b"), 2
    end = time.monotonic() + STARTED_SECONDS
    key = scene.deal()
    while True:
        try:
            made = scene.commit(key, PARTIES)
            break
        except Unavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    scene.sign_all(made.waiting)
    for member, step in (("pharmacy-a", "approve"), ("pharmacy-a", "approve"), ("sponsor", "register")):
        scene.step(member, step, "NCT00000000")
    scene.open_sites()
    scene.step("sponsor", "open")
    scene.supply()
    return scene


def run(emergencies=EMERGENCIES):
    """Return how long an emergency takes to be answered."""
    binary = find(os.environ)
    if binary is None:
        raise EngineError("CometBFT is not here: `salus engine install`")
    with tempfile.TemporaryDirectory(prefix="salus-") as root, ExitStack() as ends:
        network = Network(Path(root), binary, ends)
        scene = _founded(network.together)
        subject = scene.screen("north", 1)
        scene.enrol("north", subject, "under-65")
        scene.work()
        asked = [_answered(scene, subject) for _ in range(emergencies)]
        if any(deferred for _, deferred in asked):
            raise RuntimeError("an answer was deferred while the ledger went on")
        for name in ("sponsor", "pharmacy-a"):
            network.units[name].close()
        halted, deferred = _answered(scene, subject)
        if not deferred:
            raise RuntimeError("two of four nodes are down, and the ledger went on")
    times = [each for each, _ in asked]
    figures = [
        _figure("trials on four nodes: emergency answer, slowest", max(times)),
        _figure("trials on four nodes: emergency answer while the ledger is halted", halted),
    ]
    return [_figure("trials on four nodes: emergency answer, median", median(times)), *figures]


def _answered(scene: Scene, subject: str) -> tuple[float, bool]:
    node = scene.together.nodes["north"]
    start = time.perf_counter()
    told = unblind(node, Unblind(study=scene.id, subject=subject, reason="treatment"))
    return time.perf_counter() - start, told.deferred


def _figure(name: str, seconds: float) -> dict[str, object]:
    return {
        "name": name,
        "value": seconds,
        "unit": "s",
        "limit": MOST_SECONDS,
        "ratio": seconds / MOST_SECONDS,
        "budget": "<= 10 s",
        "met": seconds <= MOST_SECONDS,
    }


if __name__ == "__main__":
    for each in run():
        sys.stdout.write(f"{each['name']}: {each['value']:.3f} {each['unit']}\n")
