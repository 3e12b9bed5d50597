"""Snapshots over ABCI: handed out by one application, taken by another, and a lying peer left at its first bad chunk."""

import time

import pytest

from salus.core.kernel import Kernel
from salus.engines import snapshots as engine
from salus.engines.cometbft.application import Application
from salus.engines.cometbft.snapshotting import (
    CHUNK_ABORT,
    CHUNK_ACCEPT,
    CHUNK_RETRY,
    OFFER_ABORT,
    OFFER_ACCEPT,
    OFFER_REJECT_FORMAT,
    OFFER_REJECT_SENDER,
    Snapshots,
    Wanted,
)
from salus.engines.store import memory_store
from tests.engines import small
from tests.engines.cometbft.consensus import Consensus, nobody

DOCUMENT = small.document("alpha", "beta")
EVERY = 4
BLOCKS = 9


class Node:
    def __init__(self, folder, wanted=None):
        self.store, self.told = memory_store(), []
        self.snapshots = Snapshots(
            self.store, folder / "shelf", wanted=wanted, every=EVERY, report=lambda *what: self.told.append(what)
        )
        self.application = Application(
            Kernel(small.REGISTRY),
            self.store,
            nobody,
            clock=lambda: small.START,
            version="test",
            snapshots=self.snapshots,
        )
        self.consensus = Consensus(self.application, self.store)

    def close(self):
        self.snapshots.close()
        self.application.close()

    def chunk(self, snapshot, index):
        ask = self.consensus.ask
        return ask("load_snapshot_chunk", height=snapshot.height, format=snapshot.format, chunk=index).chunk

    def apply(self, index, chunk, sender="honest"):
        return self.consensus.ask("apply_snapshot_chunk", index=index, chunk=chunk, sender=sender)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(engine, "LEVEL", 2)
    monkeypatch.setattr(engine, "RANGE", 4)
    monkeypatch.setattr(engine, "ROWS_A_CHUNK", 2)


@pytest.fixture
def source(tmp_path):
    node = Node(tmp_path / "source")
    node.consensus.init_chain(DOCUMENT, small.START)
    for number in range(1, BLOCKS + 1):
        network = node.store.chain().network
        wires = [
            small.sign(
                network,
                small.Note(b"%d-%d" % (number, at), b"x"),
                time=small.START + number,
                nonce=(100 * number + at).to_bytes(16, "big"),
            )
            for at in range(3)
        ]
        node.consensus.decide(small.START + number, wires)
    yield node
    node.close()


@pytest.fixture
def joiner(tmp_path, source):
    node = Node(tmp_path / "joiner", Wanted(source.store.chain().network, tmp_path / "incoming"))
    yield node
    node.close()


def offered(source, height=8):
    """Return a snapshot of the source, once it is made, with the digest that CometBFT would have proven."""
    for _ in range(12_000):  # two minutes
        listed = source.consensus.ask("list_snapshots").snapshots
        found = [one for one in listed if one.height == height]
        if found:
            return found[0], source.store.header(height).app_hash
        time.sleep(0.01)
    raise AssertionError("no snapshot was made")


def test_a_node_without_a_ledger_takes_a_snapshot_and_goes_on(source, joiner):
    snapshot, app_hash = offered(source)
    assert {one.height for one in source.consensus.ask("list_snapshots").snapshots} == {4, 8}
    assert joiner.consensus.ask("offer_snapshot", snapshot=snapshot, app_hash=app_hash).result == OFFER_ACCEPT
    for index in range(snapshot.chunks):
        assert joiner.consensus.info() == (0, b"")
        assert joiner.apply(index, source.chunk(snapshot, index)).result == CHUNK_ACCEPT
    assert joiner.consensus.info() == (8, app_hash)
    block = source.store.block(9)
    assert joiner.consensus.decide(block.time, list(block.transactions)).app_hash == source.store.head().app_hash
    again = joiner.consensus.ask("offer_snapshot", snapshot=snapshot, app_hash=app_hash)
    assert again.result == OFFER_ABORT  # a ledger is not replaced
    assert joiner.apply(0, b"").result == CHUNK_ABORT
    assert joiner.told == []


def test_a_lying_peer_is_named_at_its_first_bad_chunk(source, joiner):
    snapshot, app_hash = offered(source)
    joiner.consensus.ask("offer_snapshot", snapshot=snapshot, app_hash=app_hash)
    for index in range(snapshot.chunks):
        chunk = source.chunk(snapshot, index)
        told = joiner.apply(index, chunk[:-1] + bytes([chunk[-1] ^ 1]), "liar")
        assert (told.result, list(told.refetch_chunks), list(told.reject_senders)) == (CHUNK_RETRY, [index], ["liar"])
        assert not joiner.store.founded
        assert joiner.apply(index, chunk).result == CHUNK_ACCEPT
    assert joiner.told == [("snapshot.refused", "liar")] * snapshot.chunks
    assert joiner.consensus.info() == (8, app_hash)


def test_a_snapshot_that_does_not_prove_itself_is_not_begun(source, joiner):
    snapshot, app_hash = offered(source)

    def answer(digest=app_hash, **changed):
        told = {name: changed.get(name, getattr(snapshot, name)) for name in ("height", "format", "chunks", "hash")}
        altered = type(snapshot)(**told, metadata=changed.get("metadata", snapshot.metadata))
        return joiner.consensus.ask("offer_snapshot", snapshot=altered, app_hash=digest).result

    assert answer(bytes(32)) == OFFER_REJECT_SENDER
    assert answer(height=4) == OFFER_REJECT_SENDER
    assert answer(chunks=snapshot.chunks + 1) == OFFER_REJECT_SENDER
    assert answer(hash=bytes(32)) == OFFER_REJECT_SENDER
    assert answer(metadata=b"") == OFFER_REJECT_SENDER
    assert answer(format=2) == OFFER_REJECT_FORMAT
    assert joiner.apply(0, b"").result == CHUNK_ABORT
    assert source.consensus.ask("offer_snapshot", snapshot=snapshot, app_hash=app_hash).result == OFFER_ABORT


def test_what_is_not_kept_is_answered_with_nothing(source):
    snapshot, _ = offered(source)
    assert source.chunk(snapshot, snapshot.chunks) == b""
