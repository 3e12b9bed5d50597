"""Members with the real CometBFT on this machine: each with its own keys, folder, application and engine process."""

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.contracts.membership.port import ValidatorChange
from salus.contracts.registry import REGISTRY
from salus.core.encoding import encode
from salus.core.kernel import Kernel
from salus.core.transaction import build_body, sign_as_author, sign_body
from salus.engines.book import memory_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.cometbft.home import Peer, Settings, genesis_json, node_id, write_genesis, write_home
from salus.engines.cometbft.ledger import CometLedger
from salus.engines.cometbft.rpc import Rpc
from salus.engines.cometbft.snapshotting import Snapshots
from salus.engines.cometbft.unit import Unit
from salus.engines.embedded import found
from salus.engines.errors import Busy
from salus.engines.store import lmdb_store
from tests.contracts.ledger import genesis, key, public
from tests.needs import cometbft
from tests.ports import free_port

NAMES = ("hospital-a", "hospital-b", "insurer-c", "lab-d")


def now_ms():
    return time.time_ns() // 1_000_000


class Member:
    """One member: its folder outlives its processes. `alter` makes an application that computes otherwise."""

    def __init__(self, cluster, name, home, alter=None):
        self.cluster, self.name, self.home, self.alter = cluster, name, home, alter
        self.events = []
        self.ledger = self.unit = None

    def start(self):
        store = lmdb_store(self.home / "ledger")
        kernel = Kernel(REGISTRY)
        if not store.founded:
            found(store, kernel, self.cluster.document, self.cluster.founded)
        self.told = []

        def report(event, who):
            self.told.append((event, who))

        every, retain = self.cluster.every, self.cluster.retain
        snapshots = Snapshots(store, self.home / "snapshots", every=every, report=report) if every else None
        self.ledger = CometLedger(
            store, kernel, now_ms, Rpc(self.home / "rpc.sock"), snapshots, report=report, retain=retain
        )
        signing = key(self.name)
        self.cosigning = Cosigning(store, memory_book(self.ledger.network), keys={public(self.name): signing.sign})
        self.cosigner = Cosigner(self.ledger, self.cosigning)

        def application():
            made = self.ledger.application("test", 1)
            return self.alter(made) if self.alter else made

        self.unit = Unit(
            application,
            binary=self.cluster.binary,
            home=self.home,
            socket=self.home / "app.sock",
            rpc=self.home / "rpc.sock",
            report=lambda event, facts: self.events.append((event, dict(facts))),
            halted=self.ledger.halt,
        )

    def stop(self):
        if self.unit is not None:
            self.unit.close()
            self.cosigner.close()
            self.ledger.close()
            self.unit = None


class Cluster:
    """`names` as members, all validators. Use as a context: everything ends with it.

    `every` so many blocks each makes a snapshot, if told; `retain` names the lowest block that an engine keeps.
    """

    def __init__(self, names=NAMES, version=None, alter=None, every=0, retain=lambda _head: 0):
        self.every, self.retain = every, retain
        self.binary = cometbft(version) if version else cometbft()
        # A short path: a unix socket's has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="salus-"))
        self.names = sorted(names)
        votes = {name: Ed25519PrivateKey.generate() for name in self.names}
        node_keys = {name: Ed25519PrivateKey.generate() for name in self.names}
        self.founded = now_ms() - 1000
        changes = tuple(ValidatorChange(name, votes[name].public_key().public_bytes_raw(), 10) for name in self.names)
        self.document = encode(genesis(*self.names, time=self.founded, validators=changes))
        ports = {name: free_port() for name in self.names}
        self.members = {}
        self.peers = {name: Peer(node_id(node_keys[name]), f"127.0.0.1:{ports[name]}") for name in self.names}
        for name in self.names:
            home = self.folder / name
            peers = tuple(self.peers[other] for other in self.names if other != name)
            settings = Settings(name, home / "app.sock", home / "rpc.sock", f"127.0.0.1:{ports[name]}", peers)
            write_home(home, node_key=node_keys[name], vote_key=votes[name], settings=settings)
            write_genesis(home, self.genesis())
            self.members[name] = Member(self, name, home, (alter or {}).get(name))
        self.numbers = itertools.count()
        self.key_names = {}
        """Member → the name that its key in force is made from, if not its own."""

    def genesis(self):
        return genesis_json(self.document, chain_id="test-net", time=self.founded + 1, validators=[])

    def __enter__(self):
        for member in self.members.values():
            member.start()
        return self

    def __exit__(self, *_):
        for member in self.members.values():
            member.stop()
        shutil.rmtree(self.folder)

    def sign(self, message, by, author="", expiry=None):
        body = build_body(
            message,
            network=next(iter(self.running())).ledger.network,
            submitter=by,
            submitter_key=public(self.key_names.get(by, by)),
            expiry=expiry or now_ms() + 120_000,
            nonce=os.urandom(16),
            author_key=public(author) if author else b"",
        )
        signing = key(self.key_names.get(by, by))
        return sign_body(body, signing, author_signature=sign_as_author(body, key(author)) if author else b"")

    def running(self):
        return [member for member in self.members.values() if member.unit is not None]

    def send(self, message, by, author="", timeout=180):
        """Submit at a member's own node, again while it starts, and return the outcome."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                wire = self.sign(message, by, author)
                return self.members[by].ledger.submit(wire).result(max(0.1, deadline - time.monotonic()))
            except Busy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def settled(self, height, names=None, timeout=180):
        """Wait until the members have a height."""
        deadline = time.monotonic() + timeout
        for name in names or [member.name for member in self.running()]:
            while self.members[name].ledger.head().height < height:
                assert time.monotonic() < deadline, f"{name} stays at {self.members[name].ledger.head().height}"
                time.sleep(0.02)

    def hashes(self, names=None):
        """Return {height: {app hash}} over the members, for the heights that all have."""
        ledgers = [self.members[name].ledger for name in names or [member.name for member in self.running()]]
        top = min(ledger.head().height for ledger in ledgers)
        return {height: {ledger.store.header(height).app_hash for ledger in ledgers} for height in range(top + 1)}
