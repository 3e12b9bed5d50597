"""The two entries of the log, as bytes that stay readable without Salus.

Transaction: 0x01 | transaction id 32 | digest of its signatures 32 | code u32 | length u32 | result data.
Block:       0x02 | height u64 | time u64 (Unix milliseconds) | state root 32 | parameters digest 32.
Integers are big-endian. One block leaf follows the leaves of the block's transactions.
"""

import struct
from dataclasses import dataclass
from typing import Final

from salus.core.proof.errors import MalformedProof
from salus.core.proof.merkle import leaf_hash

MAX_RESULT: Final = 1024  # bytes of result data: what a receipt shows stays small enough for a QR code or a message

_TRANSACTION: Final = struct.Struct(">B32s32sII")
_BLOCK: Final = struct.Struct(">BQQ32s32s")
_IS_TRANSACTION: Final = 1
_IS_BLOCK: Final = 2


@dataclass(frozen=True, slots=True)
class TransactionLeaf:
    """What the log keeps of one transaction, applied or rejected."""

    tx_id: bytes
    """SHA-256 of the transaction's body, 32 bytes."""
    signatures: bytes
    """Digest of the transaction's signatures, 32 bytes."""
    code: int
    """0 if applied, else the code of the reason."""
    data: bytes
    """The handler's result data, at most 1024 bytes."""

    def encode(self) -> bytes:
        """Return the entry's bytes."""
        return transaction_entry(self.tx_id, self.signatures, self.code, self.data)


@dataclass(frozen=True, slots=True)
class BlockLeaf:
    """What the log keeps of one block, after its transactions."""

    height: int
    time: int
    """Block time, Unix milliseconds."""
    state_root: bytes
    """Root of the state map after the block, 32 bytes."""
    parameters: bytes
    """Digest of the network's parameters after the block, 32 bytes."""

    def encode(self) -> bytes:
        """Return the entry's bytes."""
        return _BLOCK.pack(_IS_BLOCK, self.height, self.time, self.state_root, self.parameters)


Leaf = TransactionLeaf | BlockLeaf


def transaction_entry(tx_id: bytes, signatures: bytes, code: int, data: bytes) -> bytes:
    """Return a transaction's entry. Raises ValueError if a field is over its size."""
    if len(tx_id) != 32 or len(signatures) != 32 or len(data) > MAX_RESULT:
        raise ValueError("a field of a transaction leaf is over its size")
    return _TRANSACTION.pack(_IS_TRANSACTION, tx_id, signatures, code, len(data)) + data


def decode(entry: bytes) -> Leaf:
    """Return the leaf that the bytes stand for; encoding it again gives the same bytes. Raises MalformedProof."""
    if entry[:1] == b"\x01" and _TRANSACTION.size <= len(entry) <= _TRANSACTION.size + MAX_RESULT:
        _, tx_id, signatures, code, length = _TRANSACTION.unpack_from(entry)
        data = entry[_TRANSACTION.size :]
        if length == len(data):
            return TransactionLeaf(tx_id, signatures, code, data)
    elif entry[:1] == b"\x02" and len(entry) == _BLOCK.size:
        _, height, time, state_root, parameters = _BLOCK.unpack(entry)
        return BlockLeaf(height, time, state_root, parameters)
    raise MalformedProof("neither a transaction's leaf nor a block's")


def hash_of(leaf: Leaf) -> bytes:
    """Return the leaf hash under which the log holds the leaf."""
    return leaf_hash(leaf.encode())
