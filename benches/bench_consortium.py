"""Four validators on this machine, each with application and engine in processes of its own; and joining by a snapshot."""

import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benches.consortium_member import serve
from benches.ledger_load import genesis as genesis_of_one
from benches.ledger_load import mix, now
from salus.contracts.membership.port import (
    Candidate,
    Genesis,
    Parameters,
    Role,
    ValidatorChange,
    possession_bytes,
)
from salus.contracts.registry import REGISTRY
from salus.core.encoding import encode
from salus.core.kernel import Chain, Kernel
from salus.core.log import Frontier
from salus.core.map import Root, update
from salus.core.proof.digest import digest
from salus.core.proof.leaf import BlockLeaf
from salus.core.proof.merkle import leaf_hash
from salus.core.proof.statemap import state_path, value_digest
from salus.engines.cometbft.binary import find
from salus.engines.cometbft.home import Peer, Settings, Validator, genesis_json, node_id, write_genesis, write_home
from salus.engines.cometbft.rpc import Rpc
from salus.engines.embedded import Embedded, found
from salus.engines.errors import EngineError
from salus.engines.keyvalues import Part
from salus.engines.snapshots import Restoring, make
from salus.engines.store import Header, LedgerStore, header_entry, lmdb_store, log_entry, row_entry

NAMES = ("hospital-a", "hospital-b", "insurer-c", "lab-d")
REVOCATIONS = 200
SECONDS = 60.0
KVSTORE_SECONDS = 15.0
OUTSTANDING = 150
RATE = 1_500
"""Transactions a second that are signed beforehand, over all members."""
KEYS = 100_000
Figure = dict[str, Any]


class Home:
    """A member's keys and folder."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.folder = name, root / name
        self.key, self.vote, self.node = (Ed25519PrivateKey.generate() for _ in range(3))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    @property
    def vote_key(self) -> bytes:
        return self.vote.public_key().public_bytes_raw()

    def write(self, others: list["Home"], genesis: dict[str, Any], application: str = "") -> None:
        peers = tuple(Peer(node_id(one.node), one.address) for one in others if one is not self)
        sockets = self.folder / "app.sock", self.folder / "rpc.sock"
        settings = Settings(self.name, *sockets, self.address, peers)
        write_home(self.folder, node_key=self.node, vote_key=self.vote, settings=settings)
        write_genesis(self.folder, genesis)
        if application:
            file = self.folder / "config" / "config.toml"
            file.write_text(file.read_text().replace(f'"unix://{sockets[0]}"', f'"{application}"'))

    def candidate(self) -> Candidate:
        public, receive = self.key.public_key().public_bytes_raw(), hashlib.shake_256(self.name.encode()).digest(1216)
        return Candidate(
            id=self.name,
            name=self.name,
            roles=(Role.PAYER, Role.PROVIDER),
            jurisdiction="DE",
            endpoint="",
            signing_key=public,
            receive_key=receive,
            possession=self.key.sign(possession_bytes(self.name, public, receive)),
        )


@contextmanager
def homes() -> Iterator[list[Home]]:
    root = Path(tempfile.mkdtemp(prefix="salus-"))  # short: a unix socket's path has at most 107 bytes
    try:
        yield [Home(root, name) for name in NAMES]
    finally:
        shutil.rmtree(root)


class Members:
    """The four processes."""

    def __init__(self, ends: ExitStack, binary: Path, serving: Callable[..., None] = serve) -> None:
        places = ends.enter_context(homes())
        founded = now() - 1000
        document = encode(
            Genesis(
                1,
                "bench",
                founded,
                1,
                Parameters(agreement=hashlib.sha256(b"agreement").digest()),
                tuple(one.candidate() for one in places),
                tuple(ValidatorChange(one.name, one.vote_key, 10) for one in places),
            )
        )
        genesis = genesis_json(document, chain_id="bench", time=founded + 1, validators=[])
        spawn = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        for one in places:
            one.write(places, genesis)
            ours, theirs = spawn.Pipe()
            told = {"home": one.folder, "binary": binary, "document": document, "founded": founded}
            process = spawn.Process(target=serving, args=(theirs, one.name, one.key.private_bytes_raw(), told))
            process.start()
            ends.callback(process.join)
            self._pipes.append(ours)
        ends.callback(self.all, "close")

    def all(self, *words: Any) -> list[Any]:
        for pipe in self._pipes:
            pipe.send(words)
        return [self._answer(pipe) for pipe in self._pipes]

    def each(self, words: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Tell each member words of its own; return the answers."""
        for pipe, told in zip(self._pipes, words, strict=True):
            pipe.send(told)
        return [self._answer(pipe) for pipe in self._pipes]

    def one(self, at: int, *words: Any) -> Any:
        self._pipes[at].send(words)
        return self._answer(self._pipes[at])

    @staticmethod
    def _answer(pipe: Connection) -> Any:
        told = pipe.recv()
        if isinstance(told, Exception):
            raise told
        return told


def run() -> list[Figure]:
    figures = [joining()]
    binary = find(os.environ)
    if binary is None:
        raise EngineError("CometBFT is not here: `salus engine install`")
    with ExitStack() as ends:
        members = Members(ends, binary)
        members.all("seen", max(members.all("begin")))
        figures += revocations(members)
        rate, cpu = throughput(members)
    peer = kvstore(binary)
    embedded = embedded_cpu()
    figures.append(
        figure(
            "four validators, transactions committed a second",
            rate,
            "tx/s",
            None,
            budget=">= 500 tx/s",
            met=rate >= 500,
        )
    )
    ratio = rate / peer
    figures.append(
        figure(
            "four validators against kvstore",
            rate,
            "tx/s",
            peer,
            budget=">= 0.3 x CometBFT's own kvstore",
            met=ratio >= 0.3,
        )
    )
    more = cpu / embedded
    figures.append(
        figure(
            "application CPU a transaction, each node",
            cpu * 1e6,
            "us",
            embedded * 1e6,
            budget="<= 1.2 x embedded",
            met=more <= 1.2,
        )
    )
    return figures


def revocations(members: Members) -> list[Figure]:
    """Revoke one grant after the other, each at another member: committed there, and in force on all four."""
    members.all("grant", REVOCATIONS // len(NAMES))
    committed, everywhere = [], []
    for number in range(REVOCATIONS):
        start, end, height = members.one(number % len(NAMES), "revoke")
        committed.append(end - start)
        everywhere.append(max(members.all("seen", height)) - start)
    half, most = median(committed) * 1000, sorted(everywhere)[REVOCATIONS * 95 // 100] * 1000
    return [
        figure("four validators, commit, p50", half, "ms", None, budget="<= 150 ms", met=half <= 150),
        figure("revocation in force on four nodes, p95", most, "ms", None, budget="<= 2,000 ms", met=most <= 2000),
    ]


def throughput(members: Members) -> tuple[float, float]:
    """Return transactions a second under load, and each application's CPU seconds for a transaction."""
    members.all("load", int(SECONDS) * RATE // len(NAMES))
    start = time.monotonic()
    told = members.all("run", SECONDS, OUTSTANDING)
    spent, done = time.monotonic() - start, sum(count for count, _ in told)
    return done / spent, sum(cpu for _, cpu in told) / len(told) / done


def kvstore(binary: Path) -> float:
    """Return transactions a second of CometBFT's own application on four nodes with the same settings and sizes."""
    with homes() as places, ExitStack() as ends:
        validators = [Validator(one.vote_key, 10, one.name) for one in places]
        genesis = genesis_json(b"", chain_id="kvstore", time=now(), validators=validators)
        del genesis["app_state"]
        genesis["consensus_params"]["version"]["app"] = "1"
        for one in places:
            one.write(places, genesis, "kvstore")
            process = subprocess.Popen(
                [binary, "start", "--home", one.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            ends.callback(process.wait)
            ends.callback(process.terminate)
        rpcs = [ends.enter_context(closing(Rpc(one.folder / "rpc.sock"))) for one in places]
        height = _started(rpcs)
        start = time.monotonic()
        while time.monotonic() - start < KVSTORE_SECONDS:
            for rpc in rpcs:
                if int(rpc.call("num_unconfirmed_txs")["total"]) < OUTSTANDING * len(rpcs):
                    rpc.broadcast([f"{os.urandom(16).hex()}={os.urandom(130).hex()}".encode() for _ in range(100)])
        spent = time.monotonic() - start
        return _counted(rpcs[0], height) / spent


def _started(rpcs: list[Rpc]) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            heights = [int(rpc.call("status")["sync_info"]["latest_block_height"]) for rpc in rpcs]
        except EngineError:
            heights = [0]
        if min(heights) > 0:
            return max(heights)
        time.sleep(0.2)
    raise EngineError("kvstore did not start")


def _counted(rpc: Rpc, after: int) -> int:
    """Return how many transactions the blocks above a height hold."""
    top = int(rpc.call("status")["sync_info"]["latest_block_height"])
    total = 0
    for low in range(after + 1, top + 1, 20):
        told = rpc.call("blockchain", minHeight=str(low), maxHeight=str(min(low + 19, top)))
        total += sum(int(one["num_txs"]) for one in told["block_metas"])
    return total


def embedded_cpu() -> float:
    """Return CPU seconds for a transaction on the embedded engine: same mix, same door, as many at once."""
    with tempfile.TemporaryDirectory() as folder:
        store = lmdb_store(Path(folder) / "ledger")
        document, founded = genesis_of_one()
        found(store, Kernel(REGISTRY), document, founded)
        engine = Embedded(store, Kernel(REGISTRY), now)
        live: list[Ed25519PrivateKey] = []
        mix(engine.network, 1000, live)
        wires = mix(engine.network, 10_000, []).wires
        start = time.process_time()
        for at in range(0, len(wires), OUTSTANDING):
            for one in [engine.submit(wire) for wire in wires[at : at + OUTSTANDING]]:
                one.result(60)
        spent = time.process_time() - start
        engine.close()
    return spent / len(wires)


# Joining ------------------------------------------------------------------------------------------------------------


def joining() -> Figure:
    """Take a snapshot of many rows into an empty store, every chunk proven."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = grown(lmdb_store(folder / "source"))
        head = source.head()
        made = make(source, head.height, folder / "made")
        chunks = [path.read_bytes() for path in sorted(made.glob("[0-9]*"), key=lambda path: int(path.name))]
        manifest = (made / "manifest").read_bytes()
        target = lmdb_store(folder / "target")
        start = time.process_time()
        restoring = Restoring(
            manifest,
            app_hash=head.app_hash,
            network=source.chain().network,
            height=head.height,
            folder=folder / "incoming",
        )
        for index, chunk in enumerate(chunks):
            restoring.take(index, chunk)
        restoring.finish(target)
        spent = (time.process_time() - start) / KEYS * 1e6
        source.close()
        target.close()
    return figure(
        "join, CPU a key of 100,000, proven and stored", spent, "us", None, budget="<= 25 us", met=spent <= 25
    )


def grown(store: LedgerStore) -> LedgerStore:
    """Put rows of a grant's size into a store, as one block would have."""
    document, height = b"bench", 1000
    rows = sorted((b"\x00\x02" + os.urandom(32), os.urandom(72)) for _ in range(KEYS))
    changes = [(state_path(key), value_digest(value)) for key, value in rows]
    root, nodes = update({}, Root(), height + 1, changes)
    leaves = [BlockLeaf(0, 1, bytes(32), bytes(32)).encode(), BlockLeaf(height, 2, root.digest, bytes(32)).encode()]
    log, log_nodes = Frontier().append([leaf_hash(leaf) for leaf in leaves])
    network = digest("salus/v1/network", document)
    app_hash = Chain(network, height, 2, root, log).app_hash
    head = Header(height, 2, 0, root.version, root.digest, log.size, log.peaks, app_hash)
    store.fill(
        {
            Part.ROWS: [row_entry(key, height, value) for key, value in rows],
            Part.MAP: nodes,
            Part.LOG: [log_entry(node, value) for node, value in log_nodes.items()],
            Part.LEAVES: [(at.to_bytes(8, "big"), leaf) for at, leaf in enumerate(leaves)],
            Part.HEADERS: [header_entry(head)],
        }
    )
    store.adopt(document, head)
    return store


def figure(name: str, value: float, unit: str, limit: float | None, *, budget: str, met: bool) -> Figure:
    ratio = value / limit if limit else None
    return {"name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio, "budget": budget, "met": met}


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
