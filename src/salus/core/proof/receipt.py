"""Receipts: one leaf, its path to a checkpoint's root, and the checkpoint. State proofs: a row under a block's leaf.

    receipt      ["salus/v1/receipt", entry, index, path, extension, checkpoint]
    extension    null, or [size, path]: the leaf's tree had this size, and the path (RFC 9162 section 2.1.4) shows
                 that the checkpoint's log begins with it
    state proof  ["salus/v1/state-proof", row key, siblings, end, receipt of the block's leaf]
    end          null, or [path 32, value hash 32] of the leaf at the way's end
    path         ["salus/v1/path", old size, new size, path]: a consistency path by itself

as deterministic CBOR. A path is one byte string of 32-byte nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from salus.core.proof import cbor, cose, merkle, statemap
from salus.core.proof import leaf as leaves
from salus.core.proof.checkpoint import Checkpoint
from salus.core.proof.errors import MalformedProof, ProofMismatch
from salus.core.proof.leaf import BlockLeaf, Leaf

RECEIPT: Final = "salus/v1/receipt"
STATE_PROOF: Final = "salus/v1/state-proof"
PATH: Final = "salus/v1/path"
MAX_ROW_KEY: Final = 512  # table number and the longest key a table may have


@dataclass(frozen=True, slots=True)
class Receipt:
    """An offline proof that the log holds one leaf."""

    entry: bytes
    """The leaf's entry (`salus.core.proof.leaf`)."""
    index: int
    path: tuple[bytes, ...]
    """Inclusion path, nearest sibling first."""
    checkpoint: Checkpoint
    extension: tuple[int, tuple[bytes, ...]] | None = None
    """(size of the tree that `path` is in, consistency path to the checkpoint), if older than the checkpoint."""

    @property
    def size(self) -> int:
        """Size of the tree that the path is in."""
        return self.checkpoint.size if self.extension is None else self.extension[0]

    def leaf(self) -> Leaf:
        """Return the leaf. Raises MalformedProof."""
        return leaves.decode(self.entry)

    def check_path(self) -> None:
        """Check that the leaf leads to the checkpoint's root. Raises MalformedProof or ProofMismatch.

        Says nothing of who signed: that is `salus.core.proof.trust`.
        """
        old_root = merkle.root_from_inclusion(merkle.leaf_hash(self.entry), self.index, self.size, self.path)
        if self.extension is None:
            if old_root != self.checkpoint.root:
                raise ProofMismatch("the leaf does not lead to the checkpoint's root")
        else:
            size, path = self.extension
            merkle.verify_consistency(size, self.checkpoint.size, path, old_root, self.checkpoint.root)

    def cose_receipts(self) -> list[bytes]:
        """Return one RFC 9942 receipt for each cosignature, for verifiers that know nothing of Salus.

        The leaf's entry is what such a verifier takes as the statement. Raises ValueError for an extended receipt:
        RFC 9942 has no receipt of two proofs.
        """
        if self.extension is not None:
            raise ValueError("an extended receipt has no form in RFC 9942")
        return [
            cose.inclusion_receipt(self.checkpoint.header(kid), signature, self.size, self.index, self.path)
            for kid, signature in self.checkpoint.cosignatures
        ]

    def encode(self) -> bytes:
        """Return the receipt's bytes."""
        return cbor.encode(self.to_cbor())

    def to_cbor(self) -> tuple[cbor.Value, ...]:
        """Return the receipt as it stands inside a state proof."""
        extension = None if self.extension is None else (self.extension[0], b"".join(self.extension[1]))
        return (RECEIPT, self.entry, self.index, b"".join(self.path), extension, self.checkpoint.to_cbor())

    @classmethod
    def from_cbor(cls, value: cbor.Value) -> Self:
        """Return the receipt in a decoded value. Raises MalformedProof."""
        match value:
            case ("salus/v1/receipt", bytes(entry), int(index), bytes(path), extension, checkpoint):
                return cls(entry, index, nodes_in(path), Checkpoint.from_cbor(checkpoint), _extension_in(extension))
        raise MalformedProof("not a receipt")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the receipt that the bytes stand for. Raises MalformedProof."""
        return cls.from_cbor(cbor.decode(data))


def _extension_in(value: cbor.Value) -> tuple[int, tuple[bytes, ...]] | None:
    match value:
        case None:
            return None
        case (int(size), bytes(path)):
            return size, nodes_in(path)
    raise MalformedProof("not an extension")


def nodes_in(path: bytes, limit: int = 2 * merkle.MAX_PATH) -> tuple[bytes, ...]:
    """Return the 32-byte nodes of a path. Raises MalformedProof if there is a rest, or more than `limit`."""
    if len(path) % 32 or len(path) > 32 * limit:
        raise MalformedProof("a path is not of 32-byte nodes, or too long")
    return tuple(path[at : at + 32] for at in range(0, len(path), 32))


@dataclass(frozen=True, slots=True)
class StateProof:
    """An offline proof of what one row of the state was, or that there was none, at one block."""

    row_key: bytes
    """u16 big-endian number of the table, then the row's key."""
    proof: statemap.MapProof
    receipt: Receipt
    """Of the block leaf that names the state root."""

    def check(self, value: bytes | None) -> BlockLeaf:
        """Check that the row had exactly these bytes, or with None that there was no row; return the block's leaf.

        Says nothing of who signed the receipt. Raises MalformedProof or ProofMismatch.
        """
        block = self.receipt.leaf()
        if not isinstance(block, BlockLeaf):
            raise MalformedProof("a state proof ends at a block's leaf")
        self.receipt.check_path()
        held = statemap.verify(self.proof, statemap.state_path(self.row_key), block.state_root)
        if held != (None if value is None else statemap.value_digest(value)):
            raise ProofMismatch("the state holds another value at this key" if held else "the state holds no such row")
        return block

    def encode(self) -> bytes:
        """Return the proof's bytes."""
        siblings = b"".join(self.proof.siblings)
        return cbor.encode((STATE_PROOF, self.row_key, siblings, self.proof.found, self.receipt.to_cbor()))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the proof that the bytes stand for. Raises MalformedProof."""
        match cbor.decode(data):
            case ("salus/v1/state-proof", bytes(row_key), bytes(siblings), end, receipt):
                if not 2 <= len(row_key) <= MAX_ROW_KEY:
                    raise MalformedProof("a row key of a wrong size")
                proof = statemap.MapProof(nodes_in(siblings, statemap.PATH_BITS), _end_in(end))
                return cls(row_key, proof, Receipt.from_cbor(receipt))
        raise MalformedProof("not a state proof")


def _end_in(value: cbor.Value) -> tuple[bytes, bytes] | None:
    match value:
        case None:
            return None
        case (bytes(path), bytes(value_hash)) if len(path) == len(value_hash) == 32:
            return path, value_hash
    raise MalformedProof("not the end of a map proof")


def extended(receipt: Receipt, checkpoint: Checkpoint, path: Sequence[bytes]) -> Receipt:
    """Return the receipt carried to a later checkpoint by the consistency path from its own size."""
    return Receipt(receipt.entry, receipt.index, receipt.path, checkpoint, (receipt.size, tuple(path)))


@dataclass(frozen=True, slots=True)
class ConsistencyPath:
    """A consistency path by itself (RFC 9162 section 2.1.4): what carries trust, or an old receipt, to a newer size."""

    old: int
    new: int
    nodes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the path's bytes."""
        return cbor.encode((PATH, self.old, self.new, b"".join(self.nodes)))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the path that the bytes stand for. Raises MalformedProof."""
        match cbor.decode(data):
            case ("salus/v1/path", int(old), int(new), bytes(nodes)) if 0 <= old <= new <= merkle.MAX_SIZE:
                return cls(old, new, nodes_in(nodes))
        raise MalformedProof("not a consistency path")
