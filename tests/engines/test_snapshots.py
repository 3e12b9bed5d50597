"""Snapshots: the same bytes at every node, each chunk proven on arrival, and a replica that goes on from one."""

import random

import pytest

from salus.contracts.registry import REGISTRY
from salus.core.encoding import decode, encode
from salus.core.kernel import Block, Kernel
from salus.engines import snapshots
from salus.engines.book import memory_book
from salus.engines.checkpoints import Cosigning
from salus.engines.embedded import found
from salus.engines.errors import NotKept, OtherLedger, StoreDamaged
from salus.engines.keyvalues import MemoryKeyValues, Part
from salus.engines.replay import replay
from salus.engines.snapshots import BadSnapshot, Entries, Manifest, Restoring, Rows, Shelf, Subtree, make, selected
from salus.engines.store import LedgerStore, lmdb_store, memory_store
from tests.contracts.ledger import key, public
from tests.contracts.workload import FOUNDERS, record

KERNEL = Kernel(REGISTRY)
DOCUMENT, BLOCKS = record(240, 12)
LATER = 3
"""Blocks that come after the snapshot."""


def grown(store, count, empty_after=()):
    """Found the ledger and give it `count` blocks; after some of them comes one without transactions."""
    found(store, KERNEL, DOCUMENT, BLOCKS[0][0] - 1000)
    for number, (time, wires) in enumerate(BLOCKS[:count]):
        grow(store, time, wires)
        if number in empty_after:
            grow(store, time + 1, [])
    return store


def grow(store, time, wires):
    with store.committed() as before:
        block = Block(before.chain.height + 1, time, tuple(map(KERNEL.decode, wires)))
        transition = KERNEL.transition(before, block)
    store.commit(transition)
    return transition


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(snapshots, "LEVEL", 5)
    monkeypatch.setattr(snapshots, "RANGE", 32)
    monkeypatch.setattr(snapshots, "ROWS_A_CHUNK", 20)
    monkeypatch.setattr(snapshots, "FLUSH_BYTES", 500)


@pytest.fixture
def source():
    return grown(memory_store(), len(BLOCKS) - LATER, empty_after=(2, 3, 9))


@pytest.fixture
def made(source, tmp_path):
    return make(source, source.head().height, tmp_path / "made")


def restoring(source, made, tmp_path, manifest=None, **changed):
    head = source.head()
    told = {"app_hash": head.app_hash, "network": source.chain().network, "height": head.height, **changed}
    manifest = (made / "manifest").read_bytes() if manifest is None else manifest
    return Restoring(manifest, folder=tmp_path / "incoming", **told)


def chunks(made):
    return decode((made / "manifest").read_bytes(), Manifest).chunks


def restored(source, made, tmp_path, store):
    incoming = restoring(source, made, tmp_path)
    for index in range(chunks(made)):
        assert not incoming.whole
        incoming.take(index, (made / str(index)).read_bytes())
    assert incoming.finish(store) == store.head()
    return store


def test_a_replica_from_a_snapshot_goes_on_with_the_same_digests(source, made, tmp_path):
    store = restored(source, made, tmp_path, lmdb_store(tmp_path / "ledger"))
    assert (store.base, store.head().app_hash) == (source.head().height, source.head().app_hash)
    assert list(store.state(store.base)) == list(source.state(store.base))
    for part in (Part.LEAVES, Part.LOG, Part.TRANSACTIONS):
        assert list(store.entries(part)) == list(source.entries(part)), part
    for height in range(store.base + 1):
        ours, theirs = store.header(height), source.header(height)
        assert (ours.log_size, ours.peaks, ours.app_hash, ours.transactions) == (
            theirs.log_size,
            theirs.peaks,
            theirs.app_hash,
            theirs.transactions,
        )
        assert ours.time == theirs.time or not theirs.transactions
    for time, wires in BLOCKS[-LATER:]:
        grow(source, time, wires)
        assert grow(store, time, wires).chain.app_hash == source.head().app_hash
    replayed = wires[0]
    for one in (source, store):  # a transaction of before the snapshot is still known
        with one.committed() as state:
            assert state.seen(KERNEL.decode(BLOCKS[-LATER - 1][1][0]).id)
            assert state.seen(KERNEL.decode(replayed).id)
    assert replay(store, KERNEL).app_hash == replay(source, KERNEL).app_hash
    here = (store.base, store.head())
    store.close()
    again = lmdb_store(tmp_path / "ledger")
    assert (again.base, again.head()) == here
    again.close()


@pytest.mark.parametrize("part", [Part.ROWS, Part.LEAVES, Part.LOG, Part.HEADERS])
def test_what_a_replica_took_is_proven_again(part, source, made, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "RECHECKED_AT_ONCE", 30)
    values = MemoryKeyValues()
    store = restored(source, made, tmp_path, LedgerStore(values))
    assert replay(store, KERNEL).height == store.base
    chosen, entries = random.Random(part), values._parts[part]
    for _ in range(6):
        key = chosen.choice(sorted(entries))
        before = entries[key]
        at = chosen.randrange(len(before))
        entries[key] = before[:at] + bytes([before[at] ^ 1 << chosen.randrange(8)]) + before[at + 1 :]
        with pytest.raises(StoreDamaged):
            replay(store, KERNEL)
        entries[key] = before
    replay(store, KERNEL)
    if part is Part.ROWS:  # a row that is gone leads nowhere: the root of what is left tells
        last = values._keys[part].pop()
        del entries[last]
        with pytest.raises(StoreDamaged, match="state root"):
            replay(store, KERNEL)


def test_what_a_replica_does_not_keep_it_says(source, made, tmp_path):
    store = restored(source, made, tmp_path, memory_store())
    for ask in (store.read, store.block):
        with pytest.raises(NotKept):
            ask(store.base - 1)
    with pytest.raises(NotKept):
        store.row(b"", store.base - 1)
    with pytest.raises(NotKept), store.committed(store.base - 1):
        pass
    with pytest.raises(OtherLedger):
        store.adopt(DOCUMENT, store.head())


def test_every_node_makes_the_same_bytes_at_the_same_heights(source, made, tmp_path):
    later = grown(memory_store(), len(BLOCKS), empty_after=(2, 3, 9))
    again = make(later, source.head().height, tmp_path / "again")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in made.iterdir()
    }
    heights = [height for height in range(later.head().height + 1) if selected(later, later.header(height), 6)]
    assert heights == [7, 12, 18]  # 6 is a block without transactions
    assert chunks(made) > 8


def test_a_chunk_that_was_altered_is_refused_by_its_number(source, made, tmp_path):
    incoming = restoring(source, made, tmp_path)
    logs = decode((made / "manifest").read_bytes(), Manifest).log_chunks
    for index in range(chunks(made)):
        whole = (made / str(index)).read_bytes()
        kind, field = (Entries, "entries") if index < logs else (Rows, "rows")
        held = getattr(decode(whole, kind), field)
        lies = [b"", whole[:-1], whole + b"\x00", (made / str((index + 1) % chunks(made))).read_bytes()]
        if held:
            lies += [encode(kind(held[1:])), encode(kind((*held, held[0]))), encode(kind(held[::-1]))]
        lies = [lie for lie in lies if lie != whole]
        if index >= logs and held:
            lies += [encode(kind(((held[0][0], held[0][1] + b"\x00"), *held[1:])))]
        for lie in lies:
            with pytest.raises(BadSnapshot, match=f"chunk {index} "):
                incoming.take(index, lie)
        assert not (tmp_path / "incoming" / str(index)).exists()
    with pytest.raises(BadSnapshot, match="chunks are missing"):
        incoming.finish(memory_store())
    with pytest.raises(BadSnapshot, match="no such chunk"):
        incoming.take(chunks(made), b"")


def changed(manifest, **fields):
    return encode(Manifest(**{name: fields.get(name, getattr(manifest, name)) for name in manifest.__struct_fields__}))


def test_a_manifest_proves_itself_against_the_digest(source, made, tmp_path):
    told = decode((made / "manifest").read_bytes(), Manifest)
    subtrees = told.subtrees
    at = next(number for number, one in enumerate(subtrees) if one.kind == 2)
    other = (*subtrees[:at], Subtree(2, bytes(32)), *subtrees[at + 1 :])
    lies = [
        changed(told, format=2),
        changed(told, document=told.document + b"\x00"),
        changed(told, size=told.size + 1),
        changed(told, peaks=told.peaks[1:]),
        changed(told, last=told.last[:-1] + b"\x00"),
        changed(told, path=told.path[1:]),
        changed(told, ranges=told.ranges[1:]),
        changed(told, ranges=(bytes(32), *told.ranges[1:])),
        changed(told, subtrees=other),
        changed(told, subtrees=subtrees[1:]),
        changed(told, subtrees=(*subtrees, *subtrees)),
        changed(told, subtrees=(Subtree(3, subtrees[0].digest), *subtrees[1:])),
        changed(told, subtrees=(Subtree(0, subtrees[0].digest), *subtrees[1:])),
        b"",
    ]
    for lie in lies:
        with pytest.raises(BadSnapshot, match="manifest"):
            restoring(source, made, tmp_path, manifest=lie)
    for field, value in (("app_hash", bytes(32)), ("network", bytes(32)), ("height", 3)):
        with pytest.raises(BadSnapshot, match="manifest"):
            restoring(source, made, tmp_path, **{field: value})


def test_the_newest_few_are_kept(source, tmp_path):
    shelf = Shelf(tmp_path / "shelf")
    assert shelf.heights() == []
    for height in (3, 7, 8, 8):
        shelf.add(source, height)
    assert shelf.heights() == [8, 7]
    (tmp_path / "shelf" / "9.part").mkdir()
    shelf.clear()
    assert sorted(path.name for path in (tmp_path / "shelf").iterdir()) == ["7", "8"]
    assert decode(shelf.manifest(8), Manifest).document == DOCUMENT
    assert decode(shelf.chunk(8, 0), Entries).entries[0] == source.leaf(0)
    with pytest.raises(NotKept):
        shelf.chunk(3, 0)


def statements(store):
    """Return the cosigners' statements up to the head, signed by all founders."""
    signing = {public(name): key(name).sign for name in (*FOUNDERS, "hospital-a-2")}
    cosigning = Cosigning(store, memory_book(store.chain().network), keys=signing)
    cosigning.advance()
    return cosigning


def test_a_replica_cosigns_on_with_the_others(source, made, tmp_path):
    store = restored(source, made, tmp_path, memory_store())
    theirs = statements(source)
    ours = Cosigning(store, memory_book(store.chain().network), keys={})
    ours.adopt(theirs.cosigners(0), theirs.book.changes())
    for time, wires in BLOCKS[-LATER:]:
        grow(source, time, wires)
        grow(store, time, wires)
    theirs.quiet()
    ours.quiet()
    ours.offer(theirs.newest())
    assert ours.newest() == theirs.newest()
    assert ours.trust() == theirs.trust()
