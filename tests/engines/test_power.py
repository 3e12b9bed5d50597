"""Power loss at the store's file: unsynced sectors lost, torn and reordered, at every commit.

LMDB commits in three steps: data pages are written, the file is synced, then one meta page is written through a
descriptor that syncs by itself. `test_the_steps_of_a_commit` observes that order where system calls can be traced.
From the file before and after each commit, the states that a power cut can leave are built: before the sync any part
of the data pages' sectors with the old meta page and, if the file grew, perhaps its old length; after it all data with
the old or the new meta page. Not covered: disks that lie about a sync (their states are built too, to see that the
check has teeth), bit rot, and the file system's own journal.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from salus.core.kernel import Kernel
from salus.engines.embedded import Embedded, found
from salus.engines.errors import StoreDamaged
from salus.engines.replay import replay
from salus.engines.store import lmdb_store
from tests.engines import small

pytestmark = pytest.mark.unmeasured

PAGE, SECTOR = 4096, 512
META = 2 * PAGE


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The file after every commit of a lively ledger: [(content, length, head)], cut to what LMDB counts as used."""
    folder = tmp_path_factory.mktemp("power") / "ledger"
    store = lmdb_store(folder)
    kernel = Kernel(small.REGISTRY)
    found(store, kernel, small.document(), small.START)
    engine = Embedded(store, kernel, small.Clock())
    chosen = random.Random(5)
    states = []
    engine.subscribe(lambda head: states.append(seen(folder / "data.mdb", head)))
    for _ in range(40):
        size = chosen.choice((1, 1, 3, 20))
        time = engine.head().time
        notes = [small.Note(b"%d" % chosen.randrange(60), os.urandom(chosen.choice((10, 6000)))) for _ in range(size)]
        wires = [small.sign(engine.network, note, time=time) for note in notes]
        for future in [engine.submit(wire) for wire in wires]:
            assert future.result(10).applied
    engine.close()
    return states


def seen(file, head):
    content = file.read_bytes()
    used = max(int.from_bytes(content[at + 136 : at + 144], "little") for at in (0, PAGE)) + 1
    return content[: used * PAGE], len(content), head


def cut(before, after, chosen, *, lying=False):
    """A state that a power cut between two commits can leave: (content, length)."""
    (old, old_length, _), (new, new_length, _) = before, after
    padded = old.ljust(len(new), b"\0")
    written = [at for at in range(META, len(new), SECTOR) if padded[at : at + SECTOR] != new[at : at + SECTOR]]
    synced = chosen.random() < 0.3
    share = chosen.random()
    kept = written if synced and not lying else [at for at in written if chosen.random() < share]
    content = bytearray(padded)
    for at in kept:
        content[at : at + SECTOR] = new[at : at + SECTOR]
    if lying or (synced and chosen.random() < 0.5):
        content[:META] = new[:META]
    length = old_length if not synced and not lying and chosen.random() < 0.3 else new_length
    return bytes(content)[:length], length


def state_file(folder, content, length):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with (folder / "data.mdb").open("wb") as file:
        file.write(content)
        file.truncate(length)


def check(folder, before, after):
    """The head must be the one before or after the cut, whole: returns which."""
    store = lmdb_store(folder)
    try:
        head = store.head()
        assert head in (before[2], after[2]), "neither the commit before nor the one after"
        for height in range(max(0, head.height - 3), head.height + 1):
            block = store.block(height)
            assert len(block.transactions) == store.header(height).transactions
        assert store.leaf(head.log_size - 1)
        return head == after[2]
    finally:
        store.close()


@pytest.mark.parametrize(("states", "seed"), [(1000, 1), pytest.param(50_000, 2, marks=pytest.mark.soak)])
def test_every_state_that_a_power_cut_leaves_is_whole(history, tmp_path, states, seed):
    chosen = random.Random(seed)
    newer = 0
    for number in range(states):
        at = chosen.randrange(len(history) - 1)
        before, after = history[at], history[at + 1]
        state_file(tmp_path / "cut", *cut(before, after, chosen))
        newer += check(tmp_path / "cut", before, after)
        if number % 100 == 0:
            store = lmdb_store(tmp_path / "cut")
            replay(store, Kernel(small.REGISTRY))
            store.close()
    assert 0 < newer < states


def test_a_disk_that_lies_about_the_sync_is_found_out(history, tmp_path):
    """The check has teeth: with the new meta page and half of the data, the loss shows at the latest in a replay."""
    chosen = random.Random(3)
    found_out = 0
    for _ in range(20):
        at = chosen.randrange(20, len(history) - 1)
        state_file(tmp_path / "cut", *cut(history[at], history[at + 1], chosen, lying=True))
        try:
            store = lmdb_store(tmp_path / "cut")
        except StoreDamaged:
            found_out += 1
            continue
        try:
            replay(store, Kernel(small.REGISTRY))
        except StoreDamaged:
            found_out += 1
        store.close()
    assert found_out > 10


def test_the_steps_of_a_commit(tmp_path):
    """Data, sync, meta page through a descriptor that syncs by itself: in this order, in every commit."""
    script = f"""
        import os
        from pathlib import Path
        from salus.core.kernel import Kernel
        from salus.engines.embedded import Embedded, found
        from salus.engines.store import lmdb_store
        from tests.engines import small
        store = lmdb_store(Path({str(tmp_path / "ledger")!r}))
        kernel = Kernel(small.REGISTRY)
        found(store, kernel, small.document(), small.START)
        engine = Embedded(store, kernel, small.Clock())
        for n in range(5):
            os.write(2, b"")
            wire = small.sign(engine.network, small.Note(b"%d" % n, b"x"), time=engine.head().time)
            assert engine.submit(wire).result(10).applied
        engine.close()
    """
    trace = tmp_path / "trace"
    calls = "trace=openat,pwrite64,pwritev,writev,fdatasync,fsync,msync"
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    run = subprocess.run(
        ["strace", "-f", "-y", "-o", str(trace), "-e", calls, sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": "src:."},
    )
    if run.returncode or not trace.exists():
        pytest.skip("system calls may not be traced here")
    lines = [line for line in trace.read_text().splitlines() if "data.mdb" in line]
    dsync = {int(m.group(1)) for line in lines if "O_DSYNC" in line and (m := re.search(r"= (\d+)", line))}
    assert dsync
    steps = []
    for line in lines:
        call = re.search(r"(pwrite64|pwritev|writev|fdatasync)\((\d+)", line)
        if call:
            meta = int(call.group(2)) in dsync
            steps.append("meta" if meta else "sync" if call.group(1) == "fdatasync" else "data")
    told = " ".join(steps)
    commits = re.findall(r"(?:data )+sync meta", told)
    assert len(commits) >= 6, json.dumps(steps)
    assert not re.search(r"data meta", told)
