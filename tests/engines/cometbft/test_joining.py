"""A node without a ledger, with a real engine, takes a snapshot from two others of which one lies."""

import contextlib
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.kernel import Kernel
from salus.engines import snapshots as engine
from salus.engines.cometbft.application import Application
from salus.engines.cometbft.home import Settings, Sync, write_genesis, write_home
from salus.engines.cometbft.ledger import validators_of
from salus.engines.cometbft.rpc import Rpc
from salus.engines.cometbft.snapshotting import Snapshots, Wanted
from salus.engines.cometbft.unit import Unit
from salus.engines.store import lmdb_store
from tests.contracts.ledger import REGISTRY
from tests.engines.cometbft.cluster import Cluster, now_ms
from tests.engines.cometbft.test_network import anchor
from tests.ports import free_port

HONEST, LIAR = "hospital-a", "hospital-b"
EVERY = 5
CHUNKS = 24  # so many that the liar is asked for one, whichever peer the engine picks for each
SECONDS = 120


class Lying:
    """An application that alters every chunk it hands out, and counts them."""

    def __init__(self, application):
        self.application = application
        self.close = application.close
        self.lies = 0

    def answer(self, kind, request):
        told = self.application.answer(kind, request)
        if kind == "load_snapshot_chunk" and told.chunk:
            self.lies += 1
            told.chunk = told.chunk[:-1] + bytes([told.chunk[-1] ^ 1])
        return told


class Joiner:
    """A node on its way in."""

    def __init__(self, cluster):
        self.home, self.told, self.halted = cluster.folder / "joiner", [], []
        with contextlib.closing(Rpc(cluster.members[HONEST].home / "rpc.sock")) as rpc:
            signed = rpc.call("commit", height="1")["signed_header"]["commit"]["block_id"]["hash"]
        servers = tuple(f"unix://{cluster.members[name].home}/rpc.sock" for name in (HONEST, LIAR))
        settings = Settings(
            "joiner",
            self.home / "app.sock",
            self.home / "rpc.sock",
            f"127.0.0.1:{free_port()}",
            tuple(cluster.peers.values()),
            sync=Sync(servers, 1, signed),
        )
        write_home(
            self.home,
            node_key=Ed25519PrivateKey.generate(),
            vote_key=Ed25519PrivateKey.generate(),
            settings=settings,
        )
        write_genesis(self.home, cluster.genesis())
        self.store = lmdb_store(self.home / "ledger")
        network = cluster.members[HONEST].ledger.network
        self.snapshots = Snapshots(
            self.store,
            self.home / "shelf",
            wanted=Wanted(network, self.home / "incoming"),
            report=lambda event, who: self.told.append((event, who)),
        )
        self.unit = Unit(
            lambda: Application(
                Kernel(REGISTRY), self.store, validators_of, clock=now_ms, version="test", snapshots=self.snapshots
            ),
            binary=cluster.binary,
            home=self.home,
            socket=self.home / "app.sock",
            rpc=self.home / "rpc.sock",
            halted=self.halted.append,
        )

    def close(self):
        self.unit.close()
        self.snapshots.close()
        self.store.close()


def until(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


@pytest.mark.soak
def test_a_joining_node_leaves_a_liar_at_its_first_bad_chunk_and_takes_the_honest_ones(monkeypatch):
    monkeypatch.setattr(engine, "LEVEL", 1)
    monkeypatch.setattr(engine, "RANGE", 2)
    lying = []

    def alter(application):
        lying.append(Lying(application))
        return lying[-1]

    with Cluster((HONEST, LIAR), alter={LIAR: alter}, every=EVERY) as cluster:
        members = cluster.members.values()
        while True:  # until both have one snapshot that is large enough, and two blocks beyond it
            outcome = cluster.send(anchor(), HONEST)
            cluster.settled(outcome.height)
            common = set.intersection(*(set(one.ledger._snapshots.heights()) for one in members))
            sizes = [cluster.members[HONEST].ledger.store.header(height).log_size for height in common]
            if sizes and min(sizes) > 2 * CHUNKS and outcome.height >= max(common) + 2:
                break
        joiner = Joiner(cluster)
        try:
            until(
                lambda: joiner.store.founded and joiner.store.head().height >= outcome.height,
                lambda: (joiner.told, joiner.halted, (joiner.home / "cometbft.log").read_text()[-2000:]),
            )
            assert joiner.store.base in common
            assert joiner.halted == []
            told = [what for what in joiner.told if what[0] == "snapshot.refused"]
            assert told
            assert {who for _, who in told} == {cluster.peers[LIAR].node_id}
            assert sum(one.lies for one in lying) >= len(told)
            height = joiner.store.head().height
            cluster.settled(height)
            assert joiner.store.header(height).app_hash in cluster.hashes()[height]
        finally:
            joiner.close()
