"""The state map: updated once a block, paged from disk, every old root still provable. Pure: nodes in, nodes out.

The tree itself (hashes, compactness, proofs) is `salus.core.proof.statemap`. This file is how it lies on disk:

All nodes that one block changes are one value, stored under the block's version (`node_key`): nodes are written in
sequence, never changed, and found by (version, place). The root is the last page of its version's value.

A page holds three levels of the tree: the hashes of its root, 2 + 4 + 8 nodes in heap order, and where the 8 subtrees
below continue. A leaf is (path, value hash). Layout, integers little-endian:

    page  576 bytes   0..4 bit k set: heap node k is one leaf | 4..32 zero | 32 k .. 32 k + 32 hash of heap node k,
                      k = 1..15 | 512 + 8 s: pointer of slot s, 0..7
    leaf   64 bytes   path | value hash
    pointer           version << 24 | place << 1 | 1 if a leaf; place in units of 64 bytes; 0 if the slot is empty
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from salus.core.errors import InvariantBroken
from salus.core.proof.statemap import EMPTY, MapProof

PAGE_BITS: Final = 3
SLOTS: Final = 1 << PAGE_BITS
POINTERS: Final = 64 * SLOTS  # where the pointers begin: 2 * SLOTS hashes of 32 bytes precede them
PAGE_BYTES: Final = POINTERS + 8 * SLOTS
UNIT: Final = 64
LEAF_BYTES: Final = 64
MAX_PLACE: Final = 1 << 23  # 512 MB of nodes a version: over a million changes in one block
MAX_VERSION: Final = 1 << 40  # one version a second for 34,000 years

_POINTERS = struct.Struct(f"<{SLOTS}Q")
_BITS = struct.Struct("<I")
_TOP = 256 - PAGE_BITS
_MASK = SLOTS - 1
_BLANK = bytes(PAGE_BYTES)
_sha256 = hashlib.sha256


class NodeReader(Protocol):
    """Stored values by key: LMDB in a node, a dict in a test."""

    def get(self, key: bytes, /) -> bytes | memoryview | None:
        """Return the value under the key, or None. The buffer must stay valid for the call that asked for it."""
        ...


@dataclass(frozen=True, slots=True)
class Root:
    """A state of the map: its root hash, and the version (block height) that wrote it last."""

    version: int = 0
    digest: bytes = EMPTY


def node_key(version: int) -> bytes:
    """Return the key of a version's nodes: u64 big-endian, so that writes are in sequence."""
    return version.to_bytes(8, "big")


def update(
    store: NodeReader, root: Root, version: int, changes: Iterable[tuple[bytes, bytes]]
) -> tuple[Root, list[tuple[bytes, bytes]]]:
    """Return the root after the changes, and the (key, value) pairs to store for it.

    `changes` are (path 32, value hash 32), each path once, in any order. Changes that change nothing give the same
    root and no nodes. Raises ValueError on a wrong size, a path given twice or a version that does not rise;
    InvariantBroken on a missing node, and on a value hash of zeros: the first rule version deletes no rows.
    """
    if not root.version < version < MAX_VERSION:
        raise ValueError("the version does not rise")
    items = sorted(changes)
    before = b""
    for path, value_hash in items:
        if len(path) != 32 or len(value_hash) != 32 or path == before:
            raise ValueError("a path or value hash of a wrong size, or a path given twice")
        if value_hash == EMPTY:
            raise InvariantBroken("a row was to be deleted from the state map")
        before = path
    writer = _Writer(store, version)
    page = bytearray(_BLANK if root.version == 0 else writer.root_page(root))
    work = [(int.from_bytes(path, "big") << PAGE_BITS, path + value_hash) for path, value_hash in items]
    if not writer.change(page, 0, work):
        return root, []
    writer.add(page)
    return Root(version, bytes(page[32:64])), [(node_key(version), b"".join(writer.parts))]


class _Writer:
    """One update on its way: the values read so far, and the nodes written so far."""

    def __init__(self, store: NodeReader, version: int) -> None:
        self.parts: list[bytes | bytearray] = []
        self._values = _Values(store)
        self._version = version << 24
        self._place = 0

    def root_page(self, root: Root) -> bytes | memoryview:
        return self._values.root_page(root)

    def add(self, node: bytes | bytearray) -> int:
        """Write a node and return its pointer, as that of a page."""
        pointer = self._version | self._place << 1
        self._place += len(node) // UNIT
        if self._place >= MAX_PLACE:
            raise ValueError("too many changes for one version")
        self.parts.append(node)
        return pointer

    def change(self, page: bytearray, depth: int, work: list[tuple[int, bytes]]) -> bool:
        """Apply the work, sorted (path as an integer shifted by PAGE_BITS, leaf), to the page at `depth` bits.

        Returns whether anything changed. The page's root hash is then in its heap node 1.
        """
        shift = _TOP + PAGE_BITS - depth
        if len(work) == 1:
            slot = work[0][0] >> shift & _MASK
            if not self._change_slot(page, depth, slot, work):
                return False
            _rehash(page, slot)
            return True
        touched: list[int] = []
        start, end = 0, len(work)
        while start < end:
            slot = work[start][0] >> shift & _MASK
            stop = start + 1
            while stop < end and work[stop][0] >> shift & _MASK == slot:
                stop += 1
            if self._change_slot(page, depth, slot, work[start:stop]):
                touched.append(slot)
            start = stop
        if len(touched) == 1:
            _rehash(page, touched[0])
        elif touched:
            _rehash_all(page, touched)
        return bool(touched)

    def _change_slot(self, page: bytearray, depth: int, slot: int, work: list[tuple[int, bytes]]) -> bool:
        at = POINTERS + 8 * slot
        old = int.from_bytes(page[at : at + 8], "little")
        if old & 1:
            leaf = bytes(self._values.leaf(old))
            if len(work) == 1 and work[0][1] == leaf:
                return False
            work = _joined(leaf, work)
        if len(work) == 1 and (old & 1 or not old):
            leaf = work[0][1]
            pointer, single = self.add(leaf) | 1, 1
            node: bytes | bytearray = _sha256(b"\x02" + leaf).digest()
        else:
            below = bytearray(_BLANK if old & 1 or not old else self._values.page(old))
            if not self.change(below, depth + PAGE_BITS, work):
                return False
            node, pointer, single = below[32:64], self.add(below), 0
        k = SLOTS + slot
        page[32 * k : 32 * k + 32] = node
        page[at : at + 8] = pointer.to_bytes(8, "little")
        _mark(page, k, single)
        return True


def _joined(leaf: bytes, work: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the work with a leaf that stood here before, unless the work replaces it."""
    path = leaf[:32]
    if any(new[:32] == path for _, new in work):
        return work
    return sorted([*work, (int.from_bytes(path, "big") << PAGE_BITS, leaf)])


def _mark(page: bytearray, k: int, single: int) -> None:
    bits = int.from_bytes(page[0:4], "little")
    if bits >> k & 1 != single:
        page[0:4] = (bits ^ 1 << k).to_bytes(4, "little")


def _rehash(page: bytearray, slot: int) -> None:
    """Hash the nodes above one slot."""
    k = (SLOTS + slot) >> 1
    while k:
        _rehash_node(page, k)
        k >>= 1


def _rehash_all(page: bytearray, slots: list[int]) -> None:
    """Hash each node above the slots once, children first. Slots are in order."""
    nodes = [(SLOTS + slot) >> 1 for slot in slots]
    while nodes[0]:
        nodes = list(dict.fromkeys(nodes))
        for k in nodes:
            _rehash_node(page, k)
        nodes = [k >> 1 for k in nodes]


def _rehash_node(page: bytearray, k: int) -> None:
    pair = page[64 * k : 64 * k + 64]
    left, right = pair[:32], pair[32:]
    single = 0
    if EMPTY in (left, right):
        child = 2 * k if right == EMPTY else 2 * k + 1
        single = page[child >> 3] >> (child & 7) & 1
    if single:
        page[32 * k : 32 * k + 32] = left if right == EMPTY else right
    else:
        page[32 * k : 32 * k + 32] = _sha256(b"\x03" + pair).digest()
    _mark(page, k, single)


class _Values:
    """What the store holds, each version asked for once."""

    def __init__(self, store: NodeReader) -> None:
        self._store = store
        self._seen: dict[int, memoryview] = {}

    def _value(self, version: int) -> memoryview:
        value = self._seen.get(version)
        if value is None:
            stored = self._store.get(node_key(version))
            if stored is None:
                raise InvariantBroken(f"the state map misses the nodes of version {version}")
            value = self._seen[version] = memoryview(stored)
        return value

    def page(self, pointer: int) -> memoryview:
        place = (pointer >> 1 & MAX_PLACE - 1) * UNIT
        return self._value(pointer >> 24)[place : place + PAGE_BYTES]

    def leaf(self, pointer: int) -> memoryview:
        place = (pointer >> 1 & MAX_PLACE - 1) * UNIT
        return self._value(pointer >> 24)[place : place + LEAF_BYTES]

    def root_page(self, root: Root) -> memoryview:
        page = self._value(root.version)[-PAGE_BYTES:]
        if page[32:64] != root.digest:
            raise InvariantBroken(f"the state map's version {root.version} has another root")
        return page


def prove(store: NodeReader, root: Root, path: bytes) -> MapProof:
    """Return the proof of what the map holds, or does not hold, at `path` (32 bytes) under an old or new root.

    Raises InvariantBroken on a missing node.
    """
    if root.version == 0:
        return MapProof((), None)
    values = _Values(store)
    page = values.root_page(root)
    bits = int.from_bytes(path, "big") << PAGE_BITS
    siblings: list[bytes] = []
    shift = 256 + PAGE_BITS - 1
    k = 1
    while True:
        if page[32 * k : 32 * k + 32] == EMPTY:
            return MapProof(tuple(siblings), None)
        if page[k >> 3] >> (k & 7) & 1:
            leaf = bytes(values.leaf(_only_pointer(page, k)))
            return MapProof(tuple(siblings), (leaf[:32], leaf[32:]))
        if k >= SLOTS:
            page = values.page(_POINTERS.unpack_from(page, POINTERS)[k - SLOTS])
            k = 1
        k = 2 * k + (bits >> shift & 1)
        shift -= 1
        siblings.append(bytes(page[32 * (k ^ 1) : 32 * (k ^ 1) + 32]))


def _only_pointer(page: memoryview, k: int) -> int:
    """Return the one pointer below heap node k, which is a leaf."""
    first = last = k
    while first < SLOTS:
        first, last = 2 * first, 2 * last + 1
    pointers: tuple[int, ...] = _POINTERS.unpack_from(page, POINTERS)
    return next(pointer for pointer in pointers[first - SLOTS : last - SLOTS + 1] if pointer)
