"""Proofs in the state map: a compact binary sparse Merkle tree over 256-bit paths.

    leaf      SHA-256(0x02 | path 32 | value hash 32)
    inner     SHA-256(0x03 | left 32 | right 32), left being the subtree of bit 0
    empty     32 zero bytes

A subtree that holds one leaf *is* that leaf, at whatever depth; so the root depends on what the map holds, never on
the order in which it came. The prefixes differ from the log's (0x00, 0x01): no node of one tree is a node of the other.
Bits are taken from the path's first byte on, most significant first.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from salus.core.proof.digest import digest
from salus.core.proof.errors import MalformedProof, ProofMismatch

PATH_BITS: Final = 256
EMPTY: Final = bytes(32)

_sha256 = hashlib.sha256


@dataclass(frozen=True, slots=True)
class MapProof:
    """Where the way to a path ends, and the siblings passed on the way."""

    siblings: tuple[bytes, ...]
    """Hashes of 32 bytes, from the root down; at most 256."""
    found: tuple[bytes, bytes] | None
    """(path, value hash) of the leaf at the end, or None if an empty subtree stands there."""


def leaf_node(path: bytes, value_hash: bytes) -> bytes:
    """Return the hash of a leaf."""
    return _sha256(b"\x02" + path + value_hash).digest()


def inner_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node that has at least two leaves below it."""
    return _sha256(b"\x03" + left + right).digest()


def root_of(proof: MapProof, path: bytes) -> bytes:
    """Return the root that the proof leads to, walking up from its end along `path`."""
    node = EMPTY if proof.found is None else leaf_node(*proof.found)
    bits = int.from_bytes(path, "big") >> (PATH_BITS - len(proof.siblings))
    sha256 = _sha256
    for sibling in reversed(proof.siblings):
        pair = sibling + node if bits & 1 else node + sibling
        node = sha256(b"\x03" + pair).digest()
        bits >>= 1
    return node


def verify(proof: MapProof, path: bytes, root: bytes) -> bytes | None:
    """Return the value hash that the map with this root holds at `path`, or None: it holds none.

    Raises MalformedProof or ProofMismatch.
    """
    depth = len(proof.siblings)
    if depth > PATH_BITS or len(path) != 32 or any(len(sibling) != 32 for sibling in proof.siblings):
        raise MalformedProof("sizes of a map proof")
    if proof.found is not None:
        if len(proof.found[0]) != 32 or len(proof.found[1]) != 32:
            raise MalformedProof("sizes of a map leaf")
        apart = int.from_bytes(proof.found[0], "big") ^ int.from_bytes(path, "big")
        if apart >> (PATH_BITS - depth):
            raise ProofMismatch("the leaf does not stand on the way to this path")
    if root_of(proof, path) != root:
        raise ProofMismatch("the map proof does not lead to the state root")
    return proof.found[1] if proof.found is not None and proof.found[0] == path else None


def state_path(state_key: bytes) -> bytes:
    """Return the path of a state row: its key is the table's number (u16) before the row's own key."""
    return digest("salus/v1/state-key", state_key)


def value_digest(value: bytes) -> bytes:
    """Return what the map holds for a row's bytes."""
    return digest("salus/v1/state-value", value)
