"""The append-only log: an RFC 9162 tree kept as its frontier, its nodes stored by (level, index).

Node (level, index) is the root over the 2^level leaves from index * 2^level on. Only whole subtrees are stored, so
a stored node never changes; what stands at the ragged right edge is folded from them when needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from salus.core.proof.merkle import (
    EMPTY_ROOT,
    consistency_ranges,
    largest_power_below,
    node_hash,
    pair_up,
    subset_nodes,
)

NodeId = tuple[int, int]
"""(level, index) of a whole subtree."""
ReadNode = Callable[[int, int], bytes]
"""Returns the 32-byte hash of the node at (level, index), which is below the size asked about."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to append: the size and the roots of the whole subtrees at the right edge.

    `peaks` holds one 32-byte hash for each bit set in `size`, the largest subtree first.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf_hashes: Sequence[bytes]) -> tuple[Self, dict[NodeId, bytes]]:
        """Return the frontier after these leaf hashes, and every node that became whole, leaves included.

        About one hash a leaf.
        """
        nodes: dict[NodeId, bytes] = {}
        size = self.size + len(leaf_hashes)
        waiting = list(self.peaks)
        peaks: list[bytes] = []
        new = list(leaf_hashes)
        level = 0
        start = self.size  # index, on this level, of the first new node
        while new or start:
            nodes.update(zip(((level, index) for index in range(start, start + len(new))), new, strict=True))
            if start & 1:  # an old peak of this level becomes the left sibling
                new.insert(0, waiting.pop())
                start -= 1
            if len(new) & 1:
                peaks.append(new[-1])
            new = pair_up(new)
            start >>= 1
            level += 1
        peaks.reverse()
        return type(self)(size, tuple(peaks)), nodes

    def root(self) -> bytes:
        """Return the root over all leaves (RFC 9162 section 2.1.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            node = node_hash(peak, node)
        return node


def prove_inclusion(read_node: ReadNode, index: int, size: int) -> list[bytes]:
    """Return the path of leaf `index` in the tree of the first `size` leaves (RFC 9162 section 2.1.3.1).

    Raises IndexError if the leaf is not among them.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + largest_power_below(end - start)
        if index < middle:
            path.append(_root_of(read_node, middle, end))
            end = middle
        else:
            path.append(_root_of(read_node, start, middle))
            start = middle
    path.reverse()
    return path


def prove_subset(read_node: ReadNode, places: Sequence[int], size: int) -> list[bytes]:
    """Return the nodes that lead from the leaves at rising `places` to the root of the first `size` leaves.

    Raises IndexError if one is not among them.
    """
    return subset_nodes(lambda start, end: _root_of(read_node, start, end), places, size)


def prove_consistency(read_node: ReadNode, old: int, new: int) -> list[bytes]:
    """Return the proof that the first `old` of `new` leaves are unchanged (RFC 9162 section 2.1.4.1).

    Raises IndexError if old is over new.
    """
    if not 0 <= old <= new:
        raise IndexError(old)
    return [_root_of(read_node, start, end) for start, end in consistency_ranges(old, new)]


def root_at(read_node: ReadNode, size: int) -> bytes:
    """Return the root over the first `size` leaves, of a log that may be longer by now."""
    return _root_of(read_node, 0, size) if size else EMPTY_ROOT


def _root_of(read_node: ReadNode, start: int, end: int) -> bytes:
    """Return the root over leaves [start, end), where start is a multiple of the power of two at or over the span."""
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(read_node(level, start >> level))
        start += 1 << level
    node = peaks.pop()
    while peaks:
        node = node_hash(peaks.pop(), node)
    return node
