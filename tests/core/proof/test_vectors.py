"""Frozen bytes: what a second implementer checks against, and what must never change."""

import json
from pathlib import Path

from salus.core import map as state_map
from salus.core.proof import cose, statemap
from salus.core.proof.digest import digest, mac
from salus.core.proof.leaf import BlockLeaf, TransactionLeaf
from salus.core.proof.opening import disclosure_leaf, record_leaf
from salus.core.proof.receipt import ConsistencyPath, Receipt, StateProof
from salus.core.proof.trust import Trust
from tests.core.proof.test_receipt import CHANGE, NET, RECEIPT, STATE

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/proof/formats.json").read_text())


def made() -> dict[str, str]:
    """The vectors, made by this code."""
    rows = {bytes([number]) * 32: bytes([number + 1]) * 32 for number in range(5)}
    root, _ = state_map.update({}, state_map.Root(), 1, rows.items())
    sealed = b"\x01\x01" + b"l" * 16 + b"\x06clinic" + b"c" * 32 + b"h" * 32 + b"ciphertext"
    return {
        "digest of label salus/v1/test, fields a and bc": digest("salus/v1/test", b"a", b"bc").hex(),
        "mac under 32 bytes k, label salus/v1/test, field a": mac(b"k" * 32, "salus/v1/test", b"a").hex(),
        "key id of 32 bytes k": cose.kid_of(b"k" * 32).hex(),
        "issuer of network 32 bytes n": cose.issuer_of(b"n" * 32),
        "path of row key 0007 then row": statemap.state_path(b"\x00\x07row").hex(),
        "transaction leaf of id 32 bytes t, signatures digest 32 bytes s, code 7001, no data": TransactionLeaf(
            b"t" * 32, b"s" * 32, 7001, b""
        )
        .encode()
        .hex(),
        "block leaf of height 1, time 1000, state root 32 bytes r, parameters digest 32 bytes p": BlockLeaf(
            1, 1_000, b"r" * 32, b"p" * 32
        )
        .encode()
        .hex(),
        "application hash of the log of size 5 and root 32 bytes r": digest(
            "salus/v1/app", (5).to_bytes(8, "big"), b"r" * 32
        ).hex(),
        "change of cosigners": CHANGE.encode().hex(),
        "bytes to sign, change of cosigners, 32 bytes k as key": CHANGE.to_sign(b"k" * 32).hex(),
        "consistency path from size 3": ConsistencyPath(3, NET.log.size, tuple(NET.consistency(3))).encode().hex(),
        "state root of paths 00.. to 04.. with value hashes 01.. to 05..": root.digest.hex(),
        "bytes to sign, checkpoint, 32 bytes k as key": RECEIPT.checkpoint.to_sign(b"k" * 32).hex(),
        "receipt": RECEIPT.encode().hex(),
        "first receipt of RFC 9942": RECEIPT.cose_receipts()[0].hex(),
        "state proof": STATE.encode().hex(),
        "record leaf, salt 32 bytes s": record_leaf(sealed, b"s" * 32).hex(),
        "disclosure leaf of line, salt 32 bytes s": disclosure_leaf(b"line", b"s" * 32).hex(),
    }


def test_nothing_that_was_promised_has_changed():
    assert made() == {name: value for name, value in VECTORS.items() if name != "trust file"}


def test_the_frozen_proofs_hold_under_the_frozen_trust():
    believed = Trust.from_json(json.dumps(VECTORS["trust file"]).encode())
    believed.accept_receipt(Receipt.decode(bytes.fromhex(VECTORS["receipt"])))
    proof = StateProof.decode(bytes.fromhex(VECTORS["state proof"]))
    believed.accept_receipt(proof.receipt)
    proof.check(b"value-1")
    assert believed.cosigners == NET.trust().cosigners
