"""A batch: the leaves that one anchor commits to, as an RFC 9162 tree whose entries are the 32-byte salted leaves.

A batch holds at most 2^20 leaves, so that a path stays below 20 nodes (640 bytes).
"""

from collections.abc import Sequence
from typing import Final

from salus.core.proof import merkle
from salus.core.proof.errors import MalformedProof

MAX_LEAVES: Final = 1 << 20


def batch_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root that an anchor commits. Raises ValueError if there are no leaves or too many."""
    return merkle.root(_hashes(leaves))


def batch_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of one leaf, nearest sibling first. Raises IndexError or ValueError."""
    return merkle.inclusion_path(_hashes(leaves), index)


def batch_paths(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the path of every leaf, in order; the tree is hashed once. Raises ValueError."""
    return merkle.inclusion_paths(_hashes(leaves))


def root_from_batch(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the batch root that a leaf and its path lead to. Raises MalformedProof."""
    if size > MAX_LEAVES:
        raise MalformedProof("a batch of too many leaves")
    return merkle.root_from_inclusion(merkle.leaf_hash(leaf), index, size, path)


def _hashes(leaves: Sequence[bytes]) -> list[bytes]:
    if not 0 < len(leaves) <= MAX_LEAVES:
        raise ValueError(f"a batch holds 1 to {MAX_LEAVES} leaves, not {len(leaves)}")
    return [merkle.leaf_hash(leaf) for leaf in leaves]
