"""The store on disk: one owner, nothing half written, damage named before it is believed."""

import os
import subprocess
import sys
import textwrap

import pytest

from salus.core.kernel import Kernel
from salus.core.transaction import decode_transaction
from salus.engines.embedded import Embedded, found
from salus.engines.errors import NotKept, Stopped, StoreDamaged, StoreFailed, StoreFull, StoreLocked
from salus.engines.store import lmdb_store, memory_store
from tests.engines import small


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger"


def fill(folder, blocks=5, **how):
    """A ledger of a few blocks in `folder`; returns its head."""
    store = lmdb_store(folder, **how)
    kernel = Kernel(small.REGISTRY)
    found(store, kernel, small.document(), small.START)
    engine = Embedded(store, kernel, small.Clock())
    for at in range(blocks):
        wire = small.sign(engine.network, small.Note(b"n%d" % at, b"t"), time=engine.head().time)
        assert engine.submit(wire).result(10).applied
    head = engine.head()
    engine.close()
    return head


def test_a_ledger_opens_as_it_was_closed(folder):
    head = fill(folder)
    store = lmdb_store(folder)
    assert store.head() == head
    assert store.document == small.document()
    assert store.read().get(small.NOTES, b"n4").text == b"t"
    assert store.read(head.height - 1).get(small.NOTES, b"n4") is None
    found = store.read(head.height - 1).look_up(small.NOTES, [b"n3", b"n4", b"n0", b"none"])
    assert list(found) == [b"n3", b"n0"]
    assert store.height_of_size(head.log_size) == head.height
    with pytest.raises(NotKept):
        store.height_of_size(head.log_size - 1)
    with pytest.raises(NotKept):
        store.leaf(head.log_size)
    store.close()
    store.close()
    with pytest.raises(Stopped):
        store.head()


def test_two_owners_of_one_folder_are_one_too_many(folder):
    store = lmdb_store(folder)
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        lmdb_store(folder)
    script = f"""
        from pathlib import Path
        from salus.engines.errors import StoreLocked
        from salus.engines.store import lmdb_store
        try:
            lmdb_store(Path({str(folder)!r}))
        except StoreLocked as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert f"process {os.getpid()} owns" in run.stdout
    store.close()
    lmdb_store(folder).close()


@pytest.mark.parametrize("keep", [0.99, 0.5, 0.1, 5000, 100, 1])
def test_a_cut_file_is_refused_before_it_is_mapped(folder, keep):
    fill(folder)
    file = folder / "data.mdb"
    last = int.from_bytes(file.read_bytes()[136:144], "little")
    used = (last + 1) * 4096
    os.truncate(file, keep if isinstance(keep, int) else int(used * keep))
    with pytest.raises(StoreDamaged, match="cut off"):
        lmdb_store(folder)
    with pytest.raises(StoreDamaged):
        lmdb_store(folder)  # and the lock was let go


def test_another_file_in_its_place_is_refused(folder):
    fill(folder)
    (folder / "data.mdb").write_bytes(os.urandom(1 << 20))
    with pytest.raises(StoreDamaged, match="no ledger file"):
        lmdb_store(folder)


def test_a_head_that_does_not_give_its_digest_is_refused(folder):
    head = fill(folder)
    file = folder / "data.mdb"
    content = file.read_bytes()
    assert head.app_hash in content
    file.write_bytes(content.replace(head.app_hash, bytes(32)))
    with pytest.raises(StoreDamaged, match="digest"):
        lmdb_store(folder)


def test_a_full_map_refuses_the_block_and_keeps_the_rest(folder):
    store = lmdb_store(folder, map_bytes=600_000)
    kernel = Kernel(small.REGISTRY)
    found(store, kernel, small.document(), small.START)
    engine = Embedded(store, kernel, small.Clock())
    applied, wire, error = until_refused(engine, 5000)
    assert "larger map" in str(error)
    assert applied
    head = engine.head()
    assert head.height == len(applied)
    with pytest.raises(StoreFull):
        engine.submit(wire).result(10)  # not a replay: nothing of it was written
    engine.close()
    store = lmdb_store(folder, map_bytes=6_000_000)
    assert store.head() == head
    engine = Embedded(store, kernel, small.Clock())
    assert engine.submit(wire).result(10).applied
    assert all(engine.outcome(outcome.tx_id) == outcome for outcome in applied)
    engine.close()


def until_refused(engine, size):
    """Write notes until one is refused: the outcomes, the transaction that was refused, and the error."""
    applied = []
    for at in range(1000):
        wire = small.sign(engine.network, small.Note(b"n%d" % at, os.urandom(size)), time=engine.head().time)
        error = engine.submit(wire).exception(10)
        if error:
            return applied, wire, error
        applied.append(engine.outcome(decode_transaction(wire, small.REGISTRY.messages).id))
    raise AssertionError("there was room for everything")


def full_disk(tmp_path):
    """A disk of 3 MB, if this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    return place


def test_a_full_disk_refuses_the_block_and_keeps_the_rest(tmp_path):
    place = full_disk(tmp_path)
    try:
        store = lmdb_store(place / "ledger")
        kernel = Kernel(small.REGISTRY)
        found(store, kernel, small.document(), small.START)
        engine = Embedded(store, kernel, small.Clock())
        applied, wire, error = until_refused(engine, 20_000)
        assert "disk" in str(error)
        assert applied
        assert engine.head().height == len(applied)
        subprocess.run(["mount", "-o", "remount,size=30m", str(place)], check=True)
        assert engine.submit(wire).result(10).applied
        engine.close()
        store = lmdb_store(place / "ledger")
        assert store.head().height == len(applied) + 1
        store.close()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_file_that_fails_under_us_stops_the_engine(folder, monkeypatch):
    store = lmdb_store(folder)
    kernel = Kernel(small.REGISTRY)
    found(store, kernel, small.document(), small.START)
    engine = Embedded(store, kernel, small.Clock())
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    assert isinstance(until_refused(engine, 60_000)[2], Stopped)
    assert StoreFailed.__name__ in engine.stopped
    engine.close()


def test_a_long_reader_holds_no_pages(folder):
    """A view kept over many commits costs no growth: the file stays as small as without it."""
    sizes = []
    for keep in (False, True):
        where = folder / str(keep)
        store = lmdb_store(where)
        kernel = Kernel(small.REGISTRY)
        found(store, kernel, small.document(), small.START)
        engine = Embedded(store, kernel, small.Clock())
        view = engine.read() if keep else None
        rows = engine.store.rows(b"", 0) if keep else iter(())
        next(rows, None)
        for at in range(100):
            wire = small.sign(engine.network, small.Note(b"a", b"%d" % at), time=engine.head().time)
            engine.submit(wire).result(10)
        if view:
            assert view.get(small.NOTES, b"a") is None
        sizes.append(int.from_bytes((where / "data.mdb").read_bytes()[136:144], "little"))
        engine.close()
    assert sizes[1] <= sizes[0] + 4


def test_memory_and_disk_keep_the_same(folder):
    fill(folder)
    disk, memory = lmdb_store(folder), memory_store()
    kernel = Kernel(small.REGISTRY)
    found(memory, kernel, small.document(), small.START)
    assert memory.header(0) == disk.header(0)
    assert memory.block(0) == disk.block(0)
    disk.close()
