"""Receipts and state proofs: as bytes, under alteration, and before a foreign verifier."""

import contextlib

import pytest
import scitt_cose
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from salus.core import checkpoint as checkpoints
from salus.core import map as state_map
from salus.core import receipt as receipts
from salus.core.proof import cbor, cose, merkle
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.errors import MalformedProof, ProofMismatch, Unproven
from salus.core.proof.leaf import BlockLeaf
from salus.core.proof.receipt import ConsistencyPath, Receipt, StateProof
from salus.core.proof.statemap import MapProof, state_path, value_digest
from salus.core.proof.trust import Trust
from tests.core.proof.consortium import Consortium

NET = Consortium(4)
NET.grow(6)
BELIEVED = NET.trust()
NET.grow(1)
RECEIPT = NET.receipt(3)
CHANGE = NET.change(2, NET.parties[1:])


def state_proof(row: bytes) -> StateProof:
    """A proof of one key in the state of a ledger that holds two rows."""
    rows = {b"\0\7row-1": b"value-1", b"\0\7row-2": b"value-2"}
    changes = [(state_path(key), value_digest(value)) for key, value in rows.items()]
    root, nodes = state_map.update({}, state_map.Root(), 1, changes)
    net = Consortium(4)
    net.grow(2)
    net.add(BlockLeaf(9, 1_700_000_000_000, root.digest, b"p" * 32).encode())
    return receipts.state_proof(dict(nodes), root, row, net.receipt(4))


STATE = state_proof(b"\0\7row-1")


def pem(kid: bytes) -> bytes:
    key = next(party.key for party in NET.parties if cose.kid_of(party.key) == kid)
    return Ed25519PublicKey.from_public_bytes(key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize("index", range(NET.log.size))
def test_a_foreign_verifier_accepts_every_cosignature_as_a_receipt(index: int):
    receipt = NET.receipt(index)
    made = receipt.cose_receipts()
    assert len(made) == 3
    for one, (kid, _) in zip(made, receipt.checkpoint.cosignatures, strict=True):
        result = scitt_cose.verify_receipt(one, leaf_entry_hex=receipt.entry.hex(), log_public_key_pem=pem(kid))
        assert result.ok, result.errors
        assert (result.root, result.tree_size, result.leaf_index) == (NET.log.root().hex(), NET.log.size, index)
        assert (result.iat, result.issuer) == (1_700_000_000, cose.issuer_of(NET.network))
        assert result.protected_header_ext == {cose.KID: kid, cose.SIZE: NET.log.size}
        other = NET.entries[index - 1].hex()
        assert not scitt_cose.verify_receipt(one, leaf_entry_hex=other, log_public_key_pem=pem(kid)).ok


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**62), st.integers(0, 2**40))
def test_the_protected_header_is_deterministic_cbor_of_what_it_says(network: bytes, size: int, issued: int):
    claims = {cose.ISS: cose.issuer_of(network), cose.SUB: "log", cose.IAT: issued}
    header = {cose.ALG: cose.EDDSA, cose.KID: b"k" * 8, cose.CWT_CLAIMS: claims, cose.VDS: 1, cose.SIZE: size}
    assert cose.checkpoint_header(network, size, issued)(b"k" * 8) == cbor.encode(header)


def test_a_foreign_log_s_mistakes_are_not_ours():
    """Our verifier recomputes what the foreign builder of paths makes."""
    path = scitt_cose.merkle.inclusion_proof([entry.hex() for entry in NET.entries], 3)
    assert [node.hex() for node in RECEIPT.path] == path


def test_everything_comes_back_as_it_went():
    assert Receipt.decode(RECEIPT.encode()) == RECEIPT
    assert Checkpoint.decode(RECEIPT.checkpoint.encode()) == RECEIPT.checkpoint
    assert CosignerChange.decode(CHANGE.encode()) == CHANGE
    assert StateProof.decode(STATE.encode()) == STATE


def test_a_receipt_of_seven_cosignatures_in_a_long_log_is_small():
    big = Consortium(10)
    big.grow(3)
    receipt = big.receipt(0)
    assert len(receipt.checkpoint.cosignatures) == 7
    assert len(receipt.encode()) + 32 * (20 - len(receipt.path)) <= 1536


@given(st.data())
def test_a_receipt_altered_anywhere_is_refused(data: st.DataObject):
    whole = RECEIPT.encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    spoilt = bytearray(whole)
    spoilt[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unproven):
        BELIEVED.accept_receipt(Receipt.decode(bytes(spoilt)))


def test_every_bit_of_a_receipt_counts():
    whole = RECEIPT.encode()
    for at in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1
        with pytest.raises(Unproven):
            BELIEVED.accept_receipt(Receipt.decode(bytes(spoilt)))


DECODERS = st.sampled_from([Receipt.decode, Checkpoint.decode, CosignerChange.decode, StateProof.decode])
WHOLE = st.sampled_from([RECEIPT.encode(), RECEIPT.checkpoint.encode(), CHANGE.encode(), STATE.encode()])


@given(DECODERS, st.binary(max_size=80) | WHOLE)
def test_any_bytes_are_a_value_or_the_named_error(decode, data: bytes):
    with contextlib.suppress(MalformedProof):
        assert decode(data).encode() == data


@given(DECODERS, WHOLE, st.integers(0, 2000), st.integers(0, 2000), st.binary(max_size=4))
def test_mutated_bytes_are_a_value_or_the_named_error(decode, data: bytes, start: int, end: int, new: bytes):
    spoilt = data[:start] + new + data[end:]
    with contextlib.suppress(Unproven):
        value = decode(spoilt)
        assert value.encode() == spoilt
        if isinstance(value, Receipt):
            BELIEVED.accept_receipt(value)
            assert value == RECEIPT


def test_a_row_and_the_absence_of_one_are_proven():
    assert STATE.check(b"value-1").height == 9
    for value in (b"value-2", None):
        with pytest.raises(ProofMismatch):
            STATE.check(value)
    absent = state_proof(b"\0\7row-3")
    assert absent.check(None).height == 9
    with pytest.raises(ProofMismatch):
        absent.check(b"value-1")


def test_a_state_proof_ends_at_a_block():
    with pytest.raises(MalformedProof):
        StateProof(b"\0\7row-1", STATE.proof, NET.receipt(0)).check(b"value-1")


def test_every_bit_of_a_state_proof_counts():
    whole = STATE.encode()
    believed = Consortium(4).trust()
    believed.accept_receipt(STATE.receipt)
    for at in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1
        with pytest.raises(Unproven):
            prove(believed, bytes(spoilt))


def prove(believed: Trust, data: bytes) -> None:
    proof = StateProof.decode(data)
    believed.accept_receipt(proof.receipt)
    proof.check(b"value-1")


def test_only_signatures_that_hold_are_gathered_and_no_more_than_asked_for_are_kept():
    head = checkpoints.checkpoint_of(NET.network, NET.log, 5_000)
    assert head.issued == 5
    good = {party.key: checkpoints.cosign(head, party.key, party.private.sign) for party in NET.parties}
    bad = {NET.parties[0].key: bytes(64)}
    gathered = checkpoints.gathered(head, good | bad)
    assert {kid for kid, _ in gathered.cosignatures} == {cose.kid_of(party.key) for party in NET.parties[1:]}
    keys = tuple(party.key for party in NET.parties[:2])
    trimmed = checkpoints.trimmed(head.signed(good.items()), keys, 1)
    assert len(trimmed.cosignatures) == 3
    assert trimmed.size == head.size


def with_item(whole: tuple, place: int, item: object) -> bytes:
    return cbor.encode((*whole[:place], item, *whole[place + 1 :]))


MEMBER = ("a", b"k" * 32)


@pytest.mark.parametrize(
    ("decode", "whole", "place", "items"),
    [
        (Checkpoint.decode, RECEIPT.checkpoint.to_cbor(), 1, [b"short", 1]),
        (Checkpoint.decode, RECEIPT.checkpoint.to_cbor(), 2, [0, -1, 2**63]),
        (Checkpoint.decode, RECEIPT.checkpoint.to_cbor(), 4, [-1, 2**40, None]),
        (Checkpoint.decode, RECEIPT.checkpoint.to_cbor(), 5, [bytes(71), bytes(144), bytes(72 * 129)]),
        (CosignerChange.decode, cbor.decode(CHANGE.encode()), 0, ["salus/v1/checkpoint"]),
        (CosignerChange.decode, cbor.decode(CHANGE.encode()), 2, [0, 2**32]),
        (
            CosignerChange.decode,
            cbor.decode(CHANGE.encode()),
            5,
            [(), (("a", b"short"),), (("", b"k" * 32),), (MEMBER, MEMBER), (7,), (("b", b"k" * 32), MEMBER)],
        ),
        (Receipt.decode, RECEIPT.to_cbor(), 3, [bytes(31), bytes(32 * 125)]),
        (Receipt.decode, RECEIPT.to_cbor(), 4, [7, (7,), (7, bytes(31))]),
        (StateProof.decode, cbor.decode(STATE.encode()), 1, [b"x", bytes(513)]),
        (StateProof.decode, cbor.decode(STATE.encode()), 2, [bytes(32 * 257)]),
        (StateProof.decode, cbor.decode(STATE.encode()), 3, [7, (bytes(32), bytes(31))]),
        (ConsistencyPath.decode, ("salus/v1/path", 1, 2, b""), 1, [3, -1]),
    ],
)
def test_each_part_out_of_range_is_malformed(decode, whole, place: int, items: list[object]):
    decode(cbor.encode(whole))
    for item in items:
        with pytest.raises(MalformedProof):
            decode(with_item(whole, place, item))


def test_a_map_proof_may_end_at_nothing():
    for key in (STATE.row_key, b"\x00\x07", bytes(512)):  # a table's only row has the table's key
        absent = StateProof(key, MapProof((), None), STATE.receipt)
        assert StateProof.decode(absent.encode()) == absent


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (3, 3), (0, merkle.MAX_SIZE)])
def test_a_path_between_any_two_sizes_comes_back_as_it_went(old: int, new: int):
    path = ConsistencyPath(old, new, (b"n" * 32,))
    assert ConsistencyPath.decode(path.encode()) == path


@pytest.mark.parametrize(("old", "new"), [(1, 0), (0, merkle.MAX_SIZE + 1), (-1, 0)])
def test_a_path_between_sizes_that_no_log_has_is_refused(old: int, new: int):
    with pytest.raises(MalformedProof):
        ConsistencyPath.decode(cbor.encode(("salus/v1/path", old, new, b"")))
