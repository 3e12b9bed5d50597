"""Replay: a store that says what its blocks do not is found, whatever byte was changed."""

import io
import json
import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from salus.core.errors import SalusError
from salus.core.kernel import Block, Kernel
from salus.core.proof.cli import main as verify
from salus.core.proof.errors import MalformedProof, ProofMismatch
from salus.core.proof.export import check_ledger
from salus.core.proof.merkle import EMPTY_ROOT
from salus.core.reasons import KernelReason
from salus.engines.errors import NotKept, StoreDamaged
from salus.engines.keyvalues import MemoryKeyValues, Part
from salus.engines.replay import export, replay
from salus.engines.store import LedgerStore, lmdb_store
from tests.engines import small
from tests.engines.house import House


def lively(values=None, store=None):
    """A ledger in which rows are written over, transactions are rejected and blocks hold several."""
    house = House("alpha", store=store or LedgerStore(values or MemoryKeyValues()))
    author = small.KEYS["gamma"]
    house.send(small.Seal(b"c"), author=author)
    house.send(small.Seal(b"c"), author=author)
    house.send(small.Break(), author=author)
    time = house.owner.head().time
    wires = [small.sign(house.owner.network, small.Note(b"%d" % (n % 7), b"%d" % n), time=time) for n in range(40)]
    for future in [house.owner.submit(wire) for wire in wires]:
        future.result(10)
    return house


def test_a_ledger_replays_to_the_same_digest():
    house = lively()
    heights = []
    replayed = replay(house.owner.store, house.kernel, heights.append)
    head = house.owner.head()
    assert (replayed.height, replayed.app_hash) == (head.height, head.app_hash)
    assert replayed.transactions == 43
    assert replayed.rows == 1 + 1 + 7
    assert heights == list(range(head.height + 1))
    house.close()


@pytest.mark.parametrize("part", [part for part in Part if part is not Part.CHAIN])
def test_every_change_of_every_part_is_found(part):
    values = MemoryKeyValues()
    house = lively(values)
    chosen = random.Random(part)
    store = house.owner.store
    for _ in range(8):
        key = chosen.choice(list(values._parts[part]))
        before = values._parts[part][key]
        at = chosen.randrange(len(before))
        values._parts[part][key] = before[:at] + bytes([before[at] ^ 1 << chosen.randrange(8)]) + before[at + 1 :]
        with pytest.raises(StoreDamaged, match=r"height|block|entries|node|index"):
            replay(store, house.kernel)
        values._parts[part][key] = before
    replay(store, house.kernel)
    values.write({part: [(b"\xf0" * 9, b"x" * 64)]})
    with pytest.raises(StoreDamaged, match=r"entries|index"):
        replay(store, house.kernel)
    house.close()


def test_a_row_dated_to_another_height_is_found():
    """Also one that no later block reads: the digest would be right, and the answer about an old height wrong."""
    values = MemoryKeyValues()
    house = lively(values)
    rows = values._parts[Part.ROWS]
    dated = {key: int.from_bytes(stored[:8], "big") for key, stored in rows.items()}
    key = max(dated, key=dated.__getitem__)
    before = rows[key]
    for height in (dated[key] - 1, 0, dated[key] + 1):
        rows[key] = height.to_bytes(8, "big") + before[8:]
        with pytest.raises(StoreDamaged, match=r"a row written at height \d+ is not what was written"):
            replay(house.owner.store, house.kernel)
    house.close()


def test_another_program_is_found():
    """A rule that was changed without a version gives another digest, and the height is named."""
    house = lively()

    def other(ctx, message):
        ctx.put(small.NOTES, message.name, small.NoteRow(message.text, ctx.height))
        return message.text[:1]

    changed = replace(small.RULES, rules={**small.RULES.rules, small.Note: small.Rule(other, authored=False)})
    with pytest.raises(StoreDamaged, match="height"):
        replay(house.owner.store, Kernel(replace(small.REGISTRY, versions={1: changed})))
    house.close()


def test_flipped_bits_on_disk_are_found_or_refused(tmp_path):
    """Each in a process of its own, because LMDB may take its process down on a broken page."""
    house = lively(store=lmdb_store(tmp_path / "ledger"))
    house.close()
    file = tmp_path / "ledger" / "data.mdb"
    content = file.read_bytes()
    used = (int.from_bytes(content[136:144], "little") + 1) * 4096
    chosen = random.Random(7)
    written = [at for at in range(8192, used) if content[at]]  # zeros are mostly room that no page uses
    script = (
        "import sys; from pathlib import Path; from salus.core.kernel import Kernel\n"
        "from salus.core.errors import SalusError\n"
        "from salus.engines.replay import replay; from salus.engines.store import lmdb_store\n"
        "from tests.engines import small\n"
        "for file in sys.stdin.read().split():\n"
        "    try:\n"
        "        store = lmdb_store(Path(file)); print(replay(store, Kernel(small.REGISTRY)).app_hash.hex(), flush=True)\n"
        "    except SalusError as error:\n"
        "        print(type(error).__name__, flush=True)\n"
    )
    folders = []
    for at in range(60):
        folder = tmp_path / f"flip{at}"
        folder.mkdir()
        where = chosen.choice(written)
        bit = bytes([content[where] ^ 1 << chosen.randrange(8)])
        (folder / "data.mdb").write_bytes(content[:where] + bit + content[where + 1 :])
        folders.append(str(folder))
    head = house_digest(tmp_path)
    verdicts = []
    while len(verdicts) < len(folders):
        run = subprocess.run(
            [sys.executable, "-c", script],
            input="\n".join(folders[len(verdicts) :]),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": "src:."},
        )
        verdicts += run.stdout.split()
        if run.returncode < 0:
            verdicts.append(f"signal {-run.returncode}")
    # a flip in a free page or in padding changes nothing: then, and only then, the digest is the right one
    assert {verdict for verdict in verdicts if len(verdict) == 64} <= {head}
    assert sum(verdict == "StoreDamaged" for verdict in verdicts) >= 3
    assert not any(verdict.startswith("signal") for verdict in verdicts)


def house_digest(tmp_path):
    store = lmdb_store(tmp_path / "ledger")
    digest = store.head().app_hash.hex()
    store.close()
    return digest


def test_an_export_is_verified_by_the_offline_verifier(tmp_path, capsys):
    house = lively()
    house.cosigning.quiet()
    checkpoint = house.cosigning.newest()
    out = io.BytesIO()
    heights = []
    blocks = export(house.owner.store, checkpoint, out, lambda *told: heights.append(told))
    assert (len(heights), heights[-1][0]) == (blocks, heights[-1][1])
    checked = check_ledger(out.getvalue())
    assert (checked.blocks, checked.transactions) == (blocks, 43)
    assert checked.checkpoint == checkpoint
    (tmp_path / "ledger.cbor").write_bytes(out.getvalue())
    (tmp_path / "trust.json").write_text(house.cosigning.trust().to_json())
    unpinned = replace(house.cosigning.trust(), size=0, root=EMPTY_ROOT)
    (tmp_path / "unpinned.json").write_text(unpinned.to_json())
    for trust, code in (("trust.json", 3), ("unpinned.json", 3)):  # one owner, no witness
        assert verify([str(tmp_path / "ledger.cbor"), "--trust", str(tmp_path / trust), "--json"]) == code
        assert json.loads(capsys.readouterr().out)["verdict"] == "unwitnessed"
    spoilt = out.getvalue().replace(b"alpha", b"alphb", 4)
    with pytest.raises((ProofMismatch, MalformedProof)):
        check_ledger(spoilt)
    with pytest.raises(NotKept):
        export(house.owner.store, replace(checkpoint, size=checkpoint.size - 1), io.BytesIO())
    house.close()
    assert issubclass(StoreDamaged, SalusError)


def test_an_id_rejected_first_and_met_again_replays():
    """Blocks built by hand, past the door: the index must lead to the applied one, and every height replay alike."""
    house = lively()
    store, kernel = house.owner.store, house.kernel
    author = small.KEYS["beta"]
    time = house.owner.head().time
    early = small.sign(house.owner.network, small.Break(), time=time, author=author)  # no seal yet: rejected
    seal = small.sign(house.owner.network, small.Seal(b"c"), time=time, author=author)
    late = small.sign(house.owner.network, small.Note(b"z", b"z"), time=time, life=700_000)  # expires too late for now
    outcomes = []
    for wires, pause in (((early, late), 1), ((seal, early), 1), ((late,), 200_000), ((late, seal), 1)):
        with store.committed() as before:
            block = Block(before.chain.height + 1, before.chain.time + pause, tuple(kernel.decode(w) for w in wires))
            transition = kernel.transition(before, block)
        store.commit(transition)
        outcomes.append([result.code % 1000 for result in transition.results])
    assert outcomes[0][1] == KernelReason.EXPIRES_TOO_LATE
    place = store.place(kernel.decode(late).id)
    assert place.first < place.latest
    replay(store, kernel)
    house.close()
