"""`salus verify` as its users run it: what holds, what does not, and every file that lies."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salus.core.proof import batch, cbor, cli, export, opening
from salus.core.proof.digest import digest, framed
from salus.core.proof.errors import MalformedProof, Unproven
from salus.core.proof.leaf import BlockLeaf, TransactionLeaf
from salus.core.proof.receipt import ConsistencyPath, Receipt
from salus.core.proof.trust import Trust
from tests.core.proof.consortium import Consortium, Party
from tests.core.proof.test_receipt import STATE

Told = dict[str, object]


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, Told]:
    code = cli.main([*map(str, argv), "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {"usage": captured.err}


def saved(folder: Path, **files: bytes) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


@pytest.fixture
def net() -> Consortium:
    net = Consortium(4)
    net.grow(3)
    return net


def with_trust(folder: Path, net: Consortium, needed: int = 0) -> Path:
    (folder / "trust.json").write_text(net.trust(needed).to_json())
    return folder / "trust.json"


def test_a_receipt_holds_and_a_changed_one_does_not(tmp_path: Path, net: Consortium, capsys):
    trusted = with_trust(tmp_path, net)
    started = trusted.read_text()
    net.grow(1)
    receipt = net.receipt(0)
    good, bad = saved(tmp_path, good=receipt.encode(), bad=receipt.encode()[:-1] + b"\0")
    code, told = run(capsys, good, "--trust", trusted)
    assert (code, told["verdict"], told["exit"]) == (0, "holds", 0)
    assert told["files"][0]["kind"] == "receipt"
    assert told["files"][0]["transaction"] == receipt.leaf().tx_id.hex()
    assert told["files"][0]["issued"] == receipt.checkpoint.issued
    (block,) = saved(tmp_path, block=net.receipt(1).encode())
    code, told = run(capsys, block, "--trust", trusted)
    assert (code, told["files"][0]["height"]) == (0, 1)
    code, told = run(capsys, good, "--trust", with_trust(tmp_path, net))
    assert (code, "issued" in told["files"][0]) == (0, False), "at the pin nobody's signature is asked for"
    trusted.write_text(started)
    code, told = run(capsys, good, bad, "--trust", trusted)
    assert (code, [one["verdict"] for one in told["files"]]) == (1, ["holds", "does not hold"])
    assert cli.main([str(good), "--trust", str(trusted)]) == 0
    assert capsys.readouterr().out.startswith(f"{good}: receipt holds: index 0, size 8")


def test_unwitnessed_is_told_apart(tmp_path: Path, capsys):
    alone = Consortium(1)
    trusted = with_trust(tmp_path, alone)
    alone.grow(1)
    good, bad = saved(tmp_path, good=alone.receipt(0).encode(), bad=b"bad")
    assert run(capsys, good, "--trust", trusted)[0] == 3
    code, told = run(capsys, good, bad, "--trust", trusted)
    assert (code, told["verdict"]) == (1, "does not hold")
    assert told["files"][0]["error"] == "Unwitnessed"


def test_an_old_receipt_holds_with_the_path_to_the_pin(tmp_path: Path, net: Consortium, capsys):
    old = net.receipt(2)
    net.grow(2)
    trusted = with_trust(tmp_path, net)
    path = ConsistencyPath(old.size, net.log.size, tuple(net.consistency(old.size)))
    receipt, carried, checkpoint = saved(
        tmp_path, receipt=old.encode(), path=path.encode(), checkpoint=old.checkpoint.encode()
    )
    assert run(capsys, receipt, "--trust", trusted)[0] == 1
    assert run(capsys, checkpoint, "--trust", trusted)[0] == 1
    code, told = run(capsys, carried, receipt, checkpoint, "--trust", trusted)
    assert code == 0
    assert all("issued" not in one for one in told["files"]), "nobody's signature vouches for it below the pin"


def test_trust_moves_forward_through_a_change_of_cosigners(tmp_path: Path, net: Consortium, capsys):
    trusted = with_trust(tmp_path, net)
    before = net.log.size
    net.grow(2)
    step = ConsistencyPath(before, net.log.size, tuple(net.consistency(before))).encode()
    first = net.checkpoint().encode()
    change = net.change(2, [Party(f"next-{number}") for number in range(4)]).encode()
    net.parties = [Party(f"next-{number}") for number in range(4)]
    net.grow(1)
    files = saved(tmp_path, step=step, first=first, change=change, receipt=net.receipt(8).encode())
    moved = tmp_path / "moved.json"
    assert run(capsys, files[3], "--trust", trusted)[0] == 1
    code, told = run(capsys, *files, "--trust", trusted, "--write", moved)
    assert code == 0, told
    after = Trust.from_json(moved.read_bytes())
    assert (after.number, after.size) == (2, before + 4)
    assert run(capsys, files[3], "--trust", moved)[0] == 0
    assert run(capsys, files[2], "--trust", trusted, "--write", tmp_path / "not.json")[0] == 1
    assert not (tmp_path / "not.json").exists()


def test_a_state_proof_proves_what_it_is_said_to_prove(tmp_path: Path, capsys):
    trusted = with_trust(tmp_path, Consortium(4))
    (proof,) = saved(tmp_path, proof=STATE.encode())
    assert run(capsys, proof, "--trust", trusted, "--value", b"value-1".hex())[0] == 0
    assert run(capsys, proof, "--trust", trusted, "--value", b"value-2".hex())[0] == 1
    assert run(capsys, proof, "--trust", trusted, "--absent")[0] == 1
    assert run(capsys, proof, "--trust", trusted)[0] == 2


# -- openings -----------------------------------------------------------------------------------------------------


def line(number: int, subject: bytes = b"l" * 16) -> bytes:
    what = ("Observation/bp-1/2",)
    return msgspec.msgpack.encode(
        (1, 1, subject, number, 5, "clinic", "p", "", "TREAT", "read", b"", False, what, bytes(32))
    )


def anchored(net: Consortium, leaves: list[bytes], submitter: bytes = b"clinic") -> Receipt:
    data = batch.batch_root(leaves) + b"\x02\x00" + submitter
    net.add(
        TransactionLeaf(batch.batch_root(leaves), b"s" * 32, 0, data).encode(),
        BlockLeaf(net.log.size, net.log.size, b"r" * 32, b"p" * 32).encode(),
    )
    return net.receipt(net.log.size - 2)


def access_log(net: Consortium, numbers: list[int]) -> dict[str, object]:
    salts = [bytes([number]) * 32 for number in numbers]
    lines = [line(number) for number in numbers]
    leaves = [opening.disclosure_leaf(one, salt) for one, salt in zip(lines, salts, strict=True)]
    receipt = anchored(net, leaves)
    paths = batch.batch_paths(leaves)
    return {
        "format": "salus-access-log/1",
        "receipts": [receipt.encode().hex()],
        "lines": [
            {
                "line": one.hex(),
                "salt": salt.hex(),
                "receipt": 0,
                "index": index,
                "size": len(leaves),
                "path": b"".join(paths[index]).hex(),
            }
            for index, (one, salt) in enumerate(zip(lines, salts, strict=True))
        ],
    }


def test_an_access_log_holds_whole_and_a_hidden_line_shows(tmp_path: Path, net: Consortium, capsys):
    trusted = with_trust(tmp_path, net)
    log = access_log(net, [1, 2, 3, 4])
    (whole,) = saved(tmp_path, whole=json.dumps(log).encode())
    code, told = run(capsys, whole, "--trust", trusted)
    assert (code, told["files"][0]["lines"]) == (0, 4)
    hidden = log | {"lines": log["lines"][:1] + log["lines"][2:]}
    twice = log | {"lines": [*log["lines"], log["lines"][0]]}
    for lying in (hidden, twice):
        (file,) = saved(tmp_path, lying=json.dumps(lying).encode())
        code, told = run(capsys, file, "--trust", trusted)
        assert (code, told["files"][0]["error"]) == (1, "ProofMismatch")


@pytest.mark.parametrize(
    "change",
    [
        {"line": line(9).hex()},
        {"salt": "00" * 32},
        {"salt": "00"},
        {"index": 1},
        {"index": 7},
        {"size": 2**40},
        {"receipt": 1},
        {"receipt": -1},
        {"path": ""},
        {"path": "zz"},
        {"path": None},
        {"more": 1},
        {"index": True},
        {"index": "0"},
    ],
)
def test_a_line_that_was_changed_is_refused(change: dict[str, object], net: Consortium):
    log = access_log(net, [1, 2, 3])
    log["lines"][0] |= change
    with pytest.raises(Unproven):
        opening.check_access_log(json.dumps(log).encode(), lambda _: None)


def test_a_line_is_not_passed_off_as_a_record_nor_another_receipt_as_an_anchor(net: Consortium):
    log = access_log(net, [1])
    for wrong in (
        log | {"receipts": [net.receipt(0).encode().hex()]},
        log | {"receipts": [net.receipt(1).encode().hex()]},
        log | {"receipts": "00"},
        log | {"lines": [None]},
        log | {"lines": [{}]},
        log | {"format": "salus-access-log/2"},
        log | {"more": 1},
    ):
        with pytest.raises(Unproven):
            opening.check_access_log(json.dumps(wrong).encode(), lambda _: None)
    salt = b"s" * 32
    odd = msgspec.msgpack.encode((2, 1))
    receipt = anchored(net, [opening.disclosure_leaf(odd, salt)])
    one = {"line": odd.hex(), "salt": salt.hex(), "receipt": 0, "index": 0, "size": 1, "path": ""}
    text = json.dumps(log | {"receipts": [receipt.encode().hex()], "lines": [one]}).encode()
    with pytest.raises(Unproven, match="not a journal line"):
        opening.check_access_log(text, lambda _: None)
    short = msgspec.msgpack.encode((1, 1, b"s", 1, b"x" * 31))
    receipt = anchored(net, [opening.disclosure_leaf(short, salt)])
    one |= {"line": short.hex()}
    text = json.dumps(log | {"receipts": [receipt.encode().hex()], "lines": [one]}).encode()
    with pytest.raises(Unproven, match="not a journal line"):
        opening.check_access_log(text, lambda _: None)
    odd_anchor = anchored(net, [b"x" * 32], b"\xff")
    with pytest.raises(Unproven, match="not that of an anchor"):
        opening.anchor_in(odd_anchor)


def test_a_sealed_record_stands_under_its_anchor(tmp_path: Path, net: Consortium, capsys):
    trusted = with_trust(tmp_path, net)
    sealed = b"\x01\x01" + b"l" * 16 + b"\x06clinic" + b"c" * 64 + b"ciphertext"
    salt = b"s" * 32
    receipt = anchored(net, [b"x" * 32, opening.record_leaf(sealed, salt)])
    path = batch.batch_path([b"x" * 32, opening.record_leaf(sealed, salt)], 1)
    record = {
        "sealed": sealed.hex(),
        "salt": salt.hex(),
        "receipt": 0,
        "index": 1,
        "size": 2,
        "path": b"".join(path).hex(),
    }
    document = {"format": "salus-record/1", "receipts": [receipt.encode().hex()], "record": record}
    good, bad, short, odd = saved(
        tmp_path,
        good=json.dumps(document).encode(),
        bad=json.dumps(document | {"record": record | {"sealed": sealed.hex()[:-2] + "00"}}).encode(),
        short=json.dumps(document | {"record": record | {"sealed": sealed.hex()[:40]}}).encode(),
        odd=json.dumps(document | {"record": []}).encode(),
    )
    code, told = run(capsys, good, "--trust", trusted)
    assert (code, told["files"][0]["submitter"]) == (0, "clinic")
    for file in (bad, short, odd):
        assert run(capsys, file, "--trust", trusted)[0] == 1


def test_a_sealed_record_holds_its_header_a_commitment_and_a_chain():
    head = b"\x01\x01" + bytes(16) + bytes([5]) + b"north"
    assert len(opening.record_leaf(head + bytes(64), bytes(32))) == 32
    for short in (b"", head[:18], head[:19], head, head + bytes(63), b"\x01\x02" + head[2:] + bytes(64)):
        with pytest.raises(MalformedProof):
            opening.record_leaf(short, bytes(32))


# -- a whole ledger -----------------------------------------------------------------------------------------------

DOCUMENT = b"genesis"


def wire(number: int, *, author: bool = False, network: bytes | None = None) -> bytes:
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    key = private.public_key().public_bytes_raw()
    network = digest("salus/v1/network", DOCUMENT) if network is None else network
    body = msgspec.msgpack.encode((1, network, "clinic", key, key if author else b"", 9, b"n" * 16, {"x": number}))
    signature = private.sign(framed("salus/v1/transaction/submitter", (body,)))
    second = private.sign(framed("salus/v1/transaction/author", (body,))) if author else b""
    return msgspec.msgpack.encode((body, signature, second))


def exported(
    blocks: list[list[tuple[bytes, int, bytes]]],
    places: dict[int, tuple[int, int]] | None = None,
    *,
    genesis: bool = True,
) -> tuple[Consortium, list[cbor.Value]]:
    """A ledger of these transactions (wire, code, data) and the items of its export.

    `places` are heights and times of blocks that have others than their own.
    """
    net = Consortium(4, network=digest("salus/v1/network", DOCUMENT))
    items: list[cbor.Value] = [(export.LEDGER, DOCUMENT)]
    for number, listed in enumerate([[], *blocks] if genesis else blocks, 0 if genesis else 1):
        height, time = (places or {}).get(number, (number, number * 10))
        for one, code, data in listed:
            body, first, second = msgspec.msgpack.decode(one)
            signatures = digest("salus/v1/signatures", first, second)
            net.add(TransactionLeaf(sha256(body), signatures, code, data).encode())
        net.add(BlockLeaf(height, time, b"r" * 32, b"p" * 32).encode())
        items.append((height, time, b"r" * 32, b"p" * 32, tuple(listed)))
    items.append(net.checkpoint().to_cbor())
    return net, items


def sha256(data: bytes) -> bytes:
    return __import__("hashlib").sha256(data).digest()


BLOCKS = [[(wire(1), 0, b"one"), (wire(2, author=True), 0, b"")], [(wire(3), 2003, b"")]]


def together(items: list[cbor.Value]) -> bytes:
    return b"".join(map(cbor.encode, items))


def test_a_whole_ledger_is_recomputed(tmp_path: Path, capsys):
    net, items = exported(BLOCKS)
    started = with_trust(tmp_path, Consortium(4, network=net.network))
    (file,) = saved(tmp_path, ledger=together(items))
    code, told = run(capsys, file, "--trust", started)
    assert code == 0, told
    assert (told["files"][0]["blocks"], told["files"][0]["transactions"], told["files"][0]["size"]) == (3, 3, 6)
    before = net.log.size
    net.grow(1)
    path = ConsistencyPath(before, net.log.size, tuple(net.consistency(before)))
    (step,) = saved(tmp_path, step=path.encode())
    later = with_trust(tmp_path, net)
    assert run(capsys, file, "--trust", later)[0] == 1
    assert run(capsys, step, file, "--trust", later)[0] == 0
    other = replace(path, nodes=(bytes(32), *path.nodes[1:]))
    (step,) = saved(tmp_path, step=other.encode())
    code, told = run(capsys, step, file, "--trust", later)
    assert (code, [one["verdict"] for one in told["files"]]) == (1, ["holds", "does not hold"])


def test_a_ledger_altered_cut_reordered_or_grown_is_refused():
    net, items = exported(BLOCKS)
    export.check_ledger(together(items))
    block, last = items[2], items[3]
    other = (wire(1, network=b"m" * 32), 0, b"")
    forged = msgspec.msgpack.encode((msgspec.msgpack.decode(wire(4))[0], b"f" * 64, b""))
    half = msgspec.msgpack.decode(wire(2, author=True))
    for wrong in (
        items[:-1],
        [*items, items[-1]],
        [*items, 7],
        [items[0], items[1], items[3], items[2], items[4]],
        [items[0], items[1], items[2], items[4]],
        [items[0], *items[2:]],
        [("salus/v1/ledger", b"another"), *items[1:]],
        [*items[:1], (*items[1][:4], (other,)), *items[2:]],
        [*items[:2], (*block[:4], (block[4][0],)), *items[3:]],
        [*items[:2], (*block[:4], ((block[4][0][0], 1, b"one"), block[4][1])), *items[3:]],
        [*items[:2], (*block[:4], ((block[4][0][0], 0, b"x" * 1025), block[4][1])), *items[3:]],
        [*items[:2], (*block[:4], (other,)), *items[3:]],
        [*items[:2], (*block[:4], ((forged, 0, b""),)), *items[3:]],
        [*items[:2], (*block[:4], ((msgspec.msgpack.encode((half[0], half[1], b"")), 0, b""),)), *items[3:]],
        [*items[:2], (*block[:4], ((b"\xc0", 0, b""),)), *items[3:]],
        [*items[:2], (*block[:4], ((msgspec.msgpack.encode((b"\xc0", b"", b"")), 0, b""),)), *items[3:]],
        [*items[:2], (*block[:4], ()), *items[3:]],
        [*items[:2], (*block[:3], b"p", block[4]), *items[3:]],
        [*items[:3], (last[0], 10, *last[2:]), items[4]],
        [*items[:3], 5, items[4]],
        [items[0], (5, *items[1][1:]), items[4]],
        [5],
        [],
    ):
        with pytest.raises(Unproven):
            export.check_ledger(together(wrong))
    stranger = replace(net.checkpoint(), network=b"m" * 32)
    with pytest.raises(Unproven, match="genesis document"):
        export.check_ledger(together([*items[:-1], stranger.to_cbor()]))


@pytest.mark.parametrize("place", [(1, 20), (0, 20), (2, 10), (2, 9)])
def test_blocks_whose_heights_or_times_do_not_rise_are_refused_though_their_root_is_signed(place: tuple[int, int]):
    _, items = exported(BLOCKS, {2: place})
    with pytest.raises(Unproven, match="must rise"):
        export.check_ledger(together(items))


def test_a_ledger_whose_blocks_skip_heights_is_whole():
    _, items = exported(BLOCKS, {1: (7, 1), 2: (2**63, 2**63)})
    assert export.check_ledger(together(items)).blocks == 3


def test_a_block_has_digests_and_transactions_unless_it_is_the_genesis():
    _, items = exported(BLOCKS)
    genesis, block = items[1], items[2]
    for place, wrong in (
        (2, (*block[:2], b"r" * 31, *block[3:])),
        (2, (*block[:3], b"p" * 33, block[4])),
        (2, (*block[:4], ())),
        (1, (*genesis[:4], block[4])),
    ):
        with pytest.raises(Unproven, match="a block's digests"):
            export.check_ledger(together([*items[:place], wrong, *items[place + 1 :]]))


def test_a_ledger_begins_with_its_genesis():
    _, items = exported(BLOCKS, genesis=False)
    with pytest.raises(Unproven, match="genesis"):
        export.check_ledger(together(items))


def test_a_ledger_holds_no_transaction_of_another_network():
    _, items = exported([[(wire(1, network=b"m" * 32), 0, b"")]])
    with pytest.raises(Unproven, match="of another network"):
        export.check_ledger(together(items))


# -- usage and hostile bytes --------------------------------------------------------------------------------------


def test_usage(tmp_path: Path, net: Consortium, capsys):
    trusted = with_trust(tmp_path, net)
    good, bad = saved(tmp_path, good=net.receipt(0).encode(), bad=b"{}")
    for argv in (
        [],
        [good],
        ["--trust", trusted],
        [tmp_path / "missing", "--trust", trusted],
        [good, "--trust", bad],
        [good, "--trust", trusted, "--value", "zz"],
        [good, "--trust", trusted, "--value", "00", "--absent"],
        [good, "--trust", trusted, "--write", tmp_path / "no" / "folder"],
        [good, "--trust", trusted, "--unknown"],
    ):
        assert cli.main([*map(str, argv)]) == 2
        assert "salus verify: " in capsys.readouterr().err
    assert cli.main(["--help"]) == 0


def test_a_file_over_the_limit_is_not_read_whole(tmp_path: Path, net: Consortium, capsys, monkeypatch):
    trusted = with_trust(tmp_path, net)
    monkeypatch.setattr(cli, "MAX_FILE", 4096)
    (file,) = saved(tmp_path, file=bytes(4097))
    assert run(capsys, file, "--trust", trusted)[0] == 2
    receipt = net.receipt(0).encode()
    (good,) = saved(tmp_path, good=receipt)
    monkeypatch.setattr(cli, "MAX_FILE", max(len(receipt), trusted.stat().st_size))
    assert run(capsys, good, "--trust", trusted)[0] == 0


def test_it_runs_as_a_module_and_imports_no_more_than_it_says(tmp_path: Path, net: Consortium):
    trusted = with_trust(tmp_path, net)
    (good,) = saved(tmp_path, good=net.receipt(0).encode())
    command = [sys.executable, "-m", "salus.core.proof", str(good), "--trust", str(trusted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    probe = "import sys, salus.core.proof.cli; print([name for name in ('msgspec', 'lmdb', 'httpx') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]"


NET = Consortium(4)
NET.grow(2)
SESSION_TRUST = NET.trust()
NET.grow(1)
WHOLE = [
    NET.receipt(0).encode(),
    NET.checkpoint().encode(),
    NET.change(2, NET.parties).encode(),
    STATE.encode(),
    together(exported(BLOCKS)[1]),
    json.dumps(access_log(NET, [1, 2])).encode(),
    ConsistencyPath(4, 6, ()).encode(),
]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=100) | st.text(max_size=60).map(lambda text: b"{" + text.encode()))
def test_any_bytes_get_a_verdict(data: bytes):
    code, _ = cli.check("file", data, cli.Session(SESSION_TRUST, absent=True))
    assert code == cli.DOES_NOT


@given(st.sampled_from(WHOLE), st.integers(0, 3000), st.integers(0, 3000), st.binary(max_size=3))
def test_any_cut_or_spliced_file_gets_a_verdict(whole: bytes, start: int, end: int, new: bytes):
    code, told = cli.check("file", whole[:start] + new + whole[end:], cli.Session(SESSION_TRUST, absent=True))
    assert told["verdict"] == cli.VERDICTS[code]
