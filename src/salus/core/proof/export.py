"""A whole ledger as one file, and its check: every leaf recomputed from what was submitted, up to the checkpoint.

A CBOR sequence (RFC 8742) of deterministic items:

    ["salus/v1/ledger", genesis document]
    [height, time, state root 32, parameters digest 32, [[wire, code, data], ...]]   each block that has leaves
    checkpoint                                                                       (`salus.core.proof.checkpoint`)

The first block is the genesis, height 0, without transactions. What is not recomputed here are the state roots and the
results: that takes the contracts, and is `salus replay`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from salus.core.proof import cbor, merkle, msgpack
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.digest import digest, framed
from salus.core.proof.ed25519 import verify
from salus.core.proof.errors import BadSignature, MalformedProof, ProofMismatch
from salus.core.proof.leaf import MAX_RESULT, BlockLeaf, transaction_entry

LEDGER: Final = "salus/v1/ledger"


@dataclass(frozen=True, slots=True)
class Checked:
    """What an export was found to hold."""

    blocks: int
    transactions: int
    checkpoint: Checkpoint
    """Whose size and root the leaves lead to; who signed it is not yet checked."""


def check_ledger(data: bytes) -> Checked:
    """Recompute an export. Raises MalformedProof, ProofMismatch or BadSignature.

    Checked are: the network id against the genesis document, every signature, every transaction's network, rising
    heights and times, and the root over all leaves.
    """
    items = cbor.sequence(data)
    match next(items, None):
        case ("salus/v1/ledger", bytes(document)):
            network = digest("salus/v1/network", document)
        case _:
            raise MalformedProof("not a ledger export")
    hashes: list[bytes] = []
    blocks = transactions = 0
    height, time = -1, -1
    for item in items:
        match item:
            case (int(next_height), int(next_time), bytes(state_root), bytes(parameters), tuple(listed)):
                if not height < next_height < 1 << 64 or not time < next_time < 1 << 64:
                    raise ProofMismatch("heights and times of blocks must rise")
                if len(state_root) != 32 or len(parameters) != 32 or (not listed) != (next_height == 0):
                    raise MalformedProof("a block's digests, or a block without transactions that is no genesis")
                if (blocks == 0) != (next_height == 0):
                    raise ProofMismatch("the export does not begin with the genesis")
                height, time = next_height, next_time
                hashes.extend(merkle.leaf_hash(_entry(one, network)) for one in listed)
                hashes.append(merkle.leaf_hash(BlockLeaf(height, time, state_root, parameters).encode()))
                blocks += 1
                transactions += len(listed)
            case _:
                return Checked(blocks, transactions, _last(item, items, hashes, network))
    raise MalformedProof("the export ends without a checkpoint")


def _last(item: cbor.Value, rest: Iterator[cbor.Value], hashes: list[bytes], network: bytes) -> Checkpoint:
    checkpoint = Checkpoint.from_cbor(item)
    if next(rest, item) is not item:
        raise MalformedProof("something after the checkpoint")
    if checkpoint.network != network:
        raise ProofMismatch("the checkpoint is not of the network that the genesis document founds")
    if (checkpoint.size, checkpoint.root) != (len(hashes), merkle.root(hashes)):
        raise ProofMismatch("the leaves do not lead to the checkpoint's root")
    return checkpoint


def _entry(listed: cbor.Value, network: bytes) -> bytes:
    """Return a transaction's leaf entry, recomputed from its wire bytes."""
    match listed:
        case (bytes(wire), int(code), bytes(data)) if 0 <= code < 1 << 32 and len(data) <= MAX_RESULT:
            body, submitter, author = _envelope(wire)
        case _:
            raise MalformedProof("not a transaction of a ledger export")
    match msgpack.read(body):
        case (1, bytes(its_network), str(_), bytes(submitter_key), bytes(author_key), *_):
            if its_network != network:
                raise ProofMismatch("a transaction of another network")
        case _:
            raise MalformedProof("not a transaction's body of version 1")
    signed = [(submitter_key, "salus/v1/transaction/submitter", submitter)]
    if author_key:
        signed.append((author_key, "salus/v1/transaction/author", author))
    for key, label, signature in signed:
        if not verify(key, framed(label, (body,)), signature):
            raise BadSignature("a transaction's signature does not hold")
    tx_id = hashlib.sha256(body).digest()
    return transaction_entry(tx_id, digest("salus/v1/signatures", submitter, author), code, data)


def _envelope(wire: bytes) -> tuple[bytes, bytes, bytes]:
    match msgpack.read(wire):
        case (bytes(body), bytes(submitter), bytes(author)):
            return body, submitter, author
    raise MalformedProof("not a transaction's envelope")
