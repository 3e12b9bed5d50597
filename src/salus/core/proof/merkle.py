"""The Merkle tree of RFC 9162 section 2.1: roots, inclusion paths, consistency paths, and their verification.

Leaf hash = SHA-256(0x00 | entry); inner hash = SHA-256(0x01 | left | right); the tree over n > 1 leaves splits at
the largest power of two below n; the empty tree's root is SHA-256 of nothing. Functions take leaf *hashes* (32 bytes
each). Paths list the sibling nearest the leaf first (RFC 9162 section 2.1.3.1).
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from salus.core.proof.errors import MalformedProof, ProofMismatch

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
MAX_SIZE: Final = 1 << 62  # sizes and positions stay below what any signed 64-bit integer holds
MAX_PATH: Final = 62  # the depth of a tree of MAX_SIZE leaves

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf's entry (RFC 9162 section 2.1.1)."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over its two children's hashes (RFC 9162 section 2.1.1)."""
    return _sha256(b"\x01" + left + right).digest()


def pair_up(level: Sequence[bytes]) -> list[bytes]:
    """Return the parents of neighbouring pairs; an odd last node is left to the caller."""
    sha256 = _sha256
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return every level of the tree, leaves first, root last; an odd last node rises unchanged to the next level.

    Raising an unpaired node gives the same root as splitting at the largest power of two (RFC 9162 section 2.1.1).
    """
    level = list(leaves)
    tree = [level]
    while len(level) > 1:
        above = pair_up(level)
        if len(level) % 2:
            above.append(level[-1])
        tree.append(above)
        level = above
    return tree


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the leaf hashes (RFC 9162 section 2.1.1)."""
    return levels(leaves)[-1][0] if leaves else EMPTY_ROOT


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path of the leaf at `index`, nearest sibling first (RFC 9162 section 2.1.3.1). Raises IndexError."""
    return path_in(levels(leaves), index)


def inclusion_paths(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the path of every leaf, in order: the tree is hashed once."""
    tree = levels(leaves)
    return [path_in(tree, index) for index in range(len(leaves))]


def path_in(tree: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Return the path of the leaf at `index` of a tree's `levels`, nearest sibling first. Raises IndexError."""
    if not 0 <= index < len(tree[0]):
        raise IndexError(index)
    path: list[bytes] = []
    position = index
    for level in tree[:-1]:
        sibling = position ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        position >>= 1
    return path


def consistency_path(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Return the proof that the first `old` leaves were not changed (RFC 9162 section 2.1.4.1). Raises IndexError."""
    if not 0 <= old <= len(leaves):
        raise IndexError(old)
    return [root(leaves[start:end]) for start, end in consistency_ranges(old, len(leaves))]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """Return the leaf ranges [start, end) whose roots make the consistency path from `old` to `new` leaves.

    SUBPROOF of RFC 9162 section 2.1.4.1 as a loop. Empty if old is 0 or equals new.
    """
    if old in (0, new):
        return []
    ranges: list[tuple[int, int]] = []
    start, end, known = 0, new, True
    while end != old:
        middle = start + largest_power_below(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, known = middle, False
    if not known:
        ranges.append((start, end))
    ranges.reverse()
    return ranges


def largest_power_below(size: int) -> int:
    """Return the largest power of two smaller than `size` (which is at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf hash and its path lead to (RFC 9162 section 2.1.3.2).

    Raises MalformedProof if position, size and the path's length do not fit together.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise MalformedProof("position or tree size out of range")
    sha256 = _sha256
    node = leaf
    position, last = index, size - 1
    for sibling in path:
        if len(sibling) != HASH_BYTES:
            raise MalformedProof("a path node is not 32 bytes")
        if not last:
            raise MalformedProof("the path is longer than the tree is high")
        if position & 1 or position == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        position >>= 1
        last >>= 1
    if last:
        raise MalformedProof("the path is shorter than the tree is high")
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Check that a leaf hash stands at `index` in the tree of `size` leaves with root `expected`.

    Raises MalformedProof or ProofMismatch.
    """
    if root_from_inclusion(leaf, index, size, path) != expected:
        raise ProofMismatch("the inclusion path does not lead to the root")


def subset_nodes(read_range: Callable[[int, int], bytes], places: Sequence[int], size: int) -> list[bytes]:
    """Return what is missing between the leaves at `places` (rising) and the root: roots of the ranges that hold none, in order.

    `read_range` returns the root over the leaves [start, end). Raises IndexError if a place is not in the tree, or there is none.
    """
    if not places or not 0 <= places[0] <= places[-1] < size:
        raise IndexError(size)
    nodes: list[bytes] = []

    def walk(start: int, end: int) -> None:
        if bisect_left(places, start) == bisect_left(places, end):
            nodes.append(read_range(start, end))
        elif end - start > 1:
            middle = start + largest_power_below(end - start)
            walk(start, middle)
            walk(middle, end)

    walk(0, size)
    return nodes


def root_from_subset(hashes: Mapping[int, bytes], size: int, nodes: Sequence[bytes]) -> bytes:
    """Return the root that leaf hashes, by their places, and the nodes of `subset_nodes` lead to. Raises MalformedProof."""
    places = sorted(hashes)
    if not places or not 0 <= places[0] <= places[-1] < size <= MAX_SIZE:
        raise MalformedProof("position or tree size out of range")
    if any(len(node) != HASH_BYTES for node in nodes):
        raise MalformedProof("a path node is not 32 bytes")
    rest = iter(nodes)

    def walk(start: int, end: int) -> bytes:
        if bisect_left(places, start) == bisect_left(places, end):
            node = next(rest, b"")
            if not node:
                raise MalformedProof("nodes are missing")
            return node
        if end - start == 1:
            return hashes[start]
        middle = start + largest_power_below(end - start)
        return node_hash(walk(start, middle), walk(middle, end))

    found = walk(0, size)
    if next(rest, b""):
        raise MalformedProof("more nodes than the tree has")
    return found


def ranges_of_path(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaf ranges [start, end) whose roots make a leaf's inclusion path, nearest first."""
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + largest_power_below(end - start)
        ranges.append((middle, end) if index < middle else (start, middle))
        start, end = (start, middle) if index < middle else (middle, end)
    return ranges[::-1]


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162 section 2.1.4.2).

    Raises MalformedProof or ProofMismatch.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise MalformedProof("tree sizes out of range")
    if any(len(node) != HASH_BYTES for node in path):
        raise MalformedProof("a path node is not 32 bytes")
    if old in (0, new):
        if path:
            raise MalformedProof("a path where none is needed")
        if old_root != (new_root if old else EMPTY_ROOT):
            raise ProofMismatch("two roots for one size")
        return
    if not path:
        raise MalformedProof("the path is empty")
    _walk_consistency(old, new, path, old_root, new_root)


def _walk_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    rest = list(path)
    if old & (old - 1) == 0:  # step 2: a whole subtree is its own first node
        rest.insert(0, old_root)
    first, last = old - 1, new - 1
    while first & 1:  # step 4
        first >>= 1
        last >>= 1
    old_node = new_node = rest[0]
    for node in rest[1:]:
        if not last:
            raise MalformedProof("the path is longer than the tree is high")
        if first & 1 or first == last:
            old_node = node_hash(node, old_node)
            new_node = node_hash(node, new_node)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new_node = node_hash(new_node, node)
        first >>= 1
        last >>= 1
    if last:
        raise MalformedProof("the path is shorter than the tree is high")
    if old_node != old_root or new_node != new_root:
        raise ProofMismatch("the consistency path does not lead to both roots")
