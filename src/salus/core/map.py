"""The state map: updated once a block, paged from disk, every old root still provable. Pure: nodes in, nodes out.

The tree itself (hashes, compactness, proofs) is `salus.core.proof.statemap`. This file is how it lies on disk:

All nodes that one block changes are one value, stored under the block's version (`node_key`): nodes are written in
sequence, never changed, and found by (version, place). The root is the last page of its version's value.

A page holds PAGE_BITS levels of the tree in heap order: node 1 is the page's root, node k has the children 2 k and
2 k + 1, the nodes from SLOTS on are the slots where other pages or leaves follow. Layout, integers little-endian:

    pairs      for j = 1 .. SLOTS - 1: 0x03 | hash of node 2 j | hash of node 2 j + 1: the very bytes that node j hashes
    pointers   for each slot 8 bytes: version << 28 | place << 1 | 1 if a leaf follows; 0 if the slot is empty
    kinds      2 bits for each slot, slot 0 lowest: 0 empty, 1 leaf, 2 page
    zeros      up to a multiple of 8; `place` counts units of 8 bytes from the start of the version's value

    leaf       path 32 | value hash 32
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from salus.core.errors import InvariantBroken
from salus.core.proof.statemap import EMPTY, MapProof

PAGE_BITS: Final = 3
SLOTS: Final = 1 << PAGE_BITS
POINTERS: Final = 65 * (SLOTS - 1)
KINDS: Final = POINTERS + 8 * SLOTS
PAGE_BYTES: Final = (KINDS + 2 + 7) // 8 * 8
LEAF_BYTES: Final = 64
MAX_PLACE: Final = 1 << 27  # 1 GB of nodes a version: some 500,000 changes in one block
MAX_VERSION: Final = 1 << 36  # one version a second for 2,000 years

Work = list[tuple[int, bytes]]
"""(path as an integer shifted left by PAGE_BITS, leaf), sorted."""

_TOP: Final = 256  # the shift that brings the root page's slot to the lowest bits
_SLOT: Final = SLOTS - 1
_IN_VALUE: Final = (MAX_PLACE << 1) - 2
_BLANK: Final = b"".join(b"\x03" + bytes(64) for _ in range(SLOTS - 1)) + bytes(PAGE_BYTES - POINTERS)
_sha256 = hashlib.sha256


def _place_of(k: int) -> int:
    """Return where the hash of heap node k > 1 lies in a page."""
    return 65 * ((k >> 1) - 1) + 1 + 32 * (k & 1)


def _steps(slot: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return for each node from a slot up to below the root: where its hash lies, and the pair that it is in."""
    steps = []
    k = SLOTS + slot
    while k > 1:
        at, pair = _place_of(k), 65 * ((k >> 1) - 1)
        steps.append((at, at + 32, pair, pair + 65))
        k >>= 1
    return tuple(steps)


_PAIRS: Final = tuple(65 * (k - 1) for k in range(SLOTS))
_AT: Final = tuple(_place_of(k) if k > 1 else 0 for k in range(SLOTS))
_STEPS: Final = tuple(_steps(slot) for slot in range(SLOTS))


class NodeReader(Protocol):
    """Stored values by key: LMDB in a node, a dict in a test."""

    def get(self, key: bytes, /) -> bytes | memoryview | None:
        """Return the value under the key, or None. The buffer must stay valid for the call that asked for it."""
        ...


@dataclass(frozen=True, slots=True)
class Root:
    """A state of the map: its root hash, and the version that wrote it last."""

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
    work: Work = []
    before = b""
    for path, value_hash in sorted(changes):
        if len(path) != 32 or len(value_hash) != 32 or path == before:
            raise ValueError("a path or value hash of a wrong size, or a path given twice")
        if value_hash == EMPTY:
            raise InvariantBroken("a row was to be deleted from the state map")
        before = path
        work.append((int.from_bytes(path, "big") << PAGE_BITS, path + value_hash))
    writer = _Writer(store, version)
    page = bytearray(_BLANK if root.version == 0 else writer.values.root_page(root))
    digest = writer.change(page, _TOP, work)
    if digest is None:
        return root, []
    writer.add(page)
    return Root(version, digest), [(node_key(version), b"".join(writer.parts))]


class _Writer:
    """One update on its way: the values read so far, and the nodes written so far."""

    def __init__(self, store: NodeReader, version: int) -> None:
        self.parts: list[bytes | bytearray] = []
        self.values = _Values(store)
        self._next = version << 28  # the pointer of the node written next

    def add(self, node: bytes | bytearray) -> int:
        """Write a node and return its pointer, as that of a page."""
        pointer = self._next
        self._next += len(node) >> 2
        if (self._next ^ pointer) >> 28:
            raise ValueError("too many changes for one version")
        self.parts.append(node)
        return pointer

    def change(self, page: bytearray, shift: int, work: Work) -> bytes | None:
        """Apply the work to a page whose slot is at `shift`, and return its root hash, or None if nothing changed."""
        touched: list[int] = []
        start, end = 0, len(work)
        while start < end:
            slot = work[start][0] >> shift & _SLOT
            stop = start + 1
            while stop < end and work[stop][0] >> shift & _SLOT == slot:
                stop += 1
            at = POINTERS + 8 * slot
            old = int.from_bytes(page[at : at + 8], "little")
            changed = self._change_slot(old, shift, work[start:stop])
            if changed is not None:
                pointer, node = changed
                page[at : at + 8] = pointer.to_bytes(8, "little")
                at = _STEPS[slot][0][0]
                page[at : at + 32] = node
                if not old or (old ^ pointer) & 1:
                    _set_kind(page, slot, pointer)
                touched.append(slot)
            start = stop
        return _rehash(page, touched) if touched else None

    def _change_slot(self, pointer: int, shift: int, work: Work) -> tuple[int, bytes] | None:
        """Apply the work to what follows a slot; return the new pointer and hash, or None if nothing changed."""
        if len(work) == 1:
            return self._change_one(pointer, shift - PAGE_BITS, *work[0])
        if pointer & 1:
            work = _joined(self.values.leaf(pointer), work)
            pointer = 0
        page = bytearray(self.values.page(pointer) if pointer else _BLANK)
        node = self.change(page, shift - PAGE_BITS, work)
        return None if node is None else (self.add(page), node)

    def _change_one(self, pointer: int, shift: int, key: int, leaf: bytes) -> tuple[int, bytes] | None:
        """Apply one leaf to what is at `pointer`, down in a loop and up again; return as `_change_slot`.

        Most pages of a large map are met this way, so this is the path that is written for speed.
        """
        values, sha256 = self.values, _sha256
        seen = values.seen
        trail: list[tuple[bytearray, int, int]] = []
        while pointer and not pointer & 1:
            value = seen.get(pointer >> 28)
            if value is None:
                value = values.value(pointer >> 28)
            place = (pointer & _IN_VALUE) << 2
            page = bytearray(value[place : place + PAGE_BYTES])
            slot = key >> shift & _SLOT
            at = POINTERS + 8 * slot
            trail.append((page, slot, at))
            pointer = int.from_bytes(page[at : at + 8], "little")
            shift -= PAGE_BITS
        reshaped = not pointer
        old = self.values.leaf(pointer) if pointer else leaf
        if pointer and old == leaf:
            return None
        node = sha256(b"\x02" + leaf).digest()
        if old[:32] == leaf[:32]:
            pointer = self.add(leaf) | 1
        else:
            pair = (int.from_bytes(old[:32], "big") << PAGE_BITS, pointer, sha256(b"\x02" + old).digest())
            pointer, node = self._split(pair, (key, self.add(leaf) | 1, node), shift)
            reshaped = True
        following, parts = self._next, self.parts
        for page, slot, at in reversed(trail):
            page[at : at + 8] = pointer.to_bytes(8, "little")
            if reshaped:
                _set_kind(page, slot, pointer)
                reshaped = False
            lone = lone_nodes(page[KINDS] | page[KINDS + 1] << 8)
            k = SLOTS + slot
            for start, end, begin, stop in _STEPS[slot]:
                page[start:end] = node
                k >>= 1
                if not lone >> k & 1:
                    node = sha256(page[begin:stop]).digest()
            parts.append(page)
            pointer = following
            following += PAGE_BYTES >> 2
        self._next = following
        return pointer, node

    def _split(self, one: tuple[int, int, bytes], two: tuple[int, int, bytes], shift: int) -> tuple[int, bytes]:
        """Return the pointer and hash of a new page that holds two leaves, each (key, pointer, hash)."""
        page = bytearray(_BLANK)
        slot, other = one[0] >> shift & _SLOT, two[0] >> shift & _SLOT
        if slot == other:
            pointer, node = self._split(one, two, shift - PAGE_BITS)
            held = [(slot, pointer, node)]
        else:
            held = [(slot, *one[1:]), (other, *two[1:])]
        for slot, pointer, node in held:
            at = POINTERS + 8 * slot
            page[at : at + 8] = pointer.to_bytes(8, "little")
            at = _STEPS[slot][0][0]
            page[at : at + 32] = node
            _set_kind(page, slot, pointer)
        node = _rehash(page, [slot for slot, _, _ in held])
        return self.add(page), node


def _joined(leaf: bytes, work: Work) -> Work:
    """Return the work with a leaf that stood here before, unless the work replaces it."""
    path = leaf[:32]
    if any(new[:32] == path for _, new in work):
        return work
    return sorted([*work, (int.from_bytes(path, "big") << PAGE_BITS, leaf)])


def _set_kind(page: bytearray, slot: int, pointer: int) -> None:
    kinds = page[KINDS] | page[KINDS + 1] << 8
    kinds = kinds & ~(3 << 2 * slot) | (1 if pointer & 1 else 2) << 2 * slot
    page[KINDS : KINDS + 2] = kinds.to_bytes(2, "little")


@cache
def lone_nodes(kinds: int) -> int:
    """Return the bits k of the heap nodes that are one leaf alone, in a page whose slots are of these kinds.

    At most 3^8 = 6561 shapes of a page are ever asked for.
    """
    leaves = [kinds >> 2 * slot & 3 for slot in range(SLOTS)]  # a page counts as two leaves, as it has at least two
    lone, first = 0, SLOTS
    while first:
        lone |= sum(1 << first + place for place, count in enumerate(leaves) if count == 1)
        leaves = [left + right for left, right in zip(leaves[::2], leaves[1::2], strict=True)] if first > 1 else []
        first >>= 1
    return lone


def _rehash(page: bytearray, slots: list[int]) -> bytes:
    """Hash every node above these slots once, children first; return the page's root hash.

    The pointers and hashes of the slots and the bits of lone nodes are in place.
    """
    sha256 = _sha256
    lone = lone_nodes(page[KINDS] | page[KINDS + 1] << 8)
    node = b""
    nodes = [SLOTS + slot >> 1 for slot in slots]
    while nodes[0]:
        last = 0
        above = []
        for k in nodes:
            if k == last:
                continue
            last = k
            begin = _PAIRS[k]
            if lone >> k & 1:
                node = bytes(page[begin + 1 : begin + 33])
                if node == EMPTY:
                    node = bytes(page[begin + 33 : begin + 65])
            else:
                node = sha256(page[begin : begin + 65]).digest()
            at = _AT[k]
            if at:
                page[at : at + 32] = node
            above.append(k >> 1)
        nodes = above
    return node


class _Values:
    """What the store holds, each version asked for once."""

    def __init__(self, store: NodeReader) -> None:
        self._store = store
        self.seen: dict[int, memoryview] = {}

    def value(self, version: int) -> memoryview:
        stored = self._store.get(node_key(version))
        if stored is None:
            raise InvariantBroken(f"the state map misses the nodes of version {version}")
        value = self.seen[version] = memoryview(stored)
        return value

    def page(self, pointer: int) -> memoryview:
        version = pointer >> 28
        value = self.seen.get(version)
        if value is None:
            value = self.value(version)
        place = (pointer & _IN_VALUE) << 2
        return value[place : place + PAGE_BYTES]

    def leaf(self, pointer: int) -> bytes:
        return bytes(self.page(pointer)[:LEAF_BYTES])

    def root_page(self, root: Root) -> memoryview:
        value = self.seen.get(root.version)
        page = (self.value(root.version) if value is None else value)[-PAGE_BYTES:]
        if _root_of(page) != root.digest:
            raise InvariantBroken(f"the state map's version {root.version} has another root")
        return page


def _root_of(page: memoryview) -> bytes:
    left, right = bytes(page[1:33]), bytes(page[33:65])
    if _lone(page) >> 1 & 1:
        return right if left == EMPTY else left
    return _sha256(page[:65]).digest()


def _lone(page: memoryview) -> int:
    return lone_nodes(page[KINDS] | page[KINDS + 1] << 8)


def prove(store: NodeReader, root: Root, path: bytes) -> MapProof:
    """Return the proof of what the map holds, or does not hold, at `path` (32 bytes) under an old or new root.

    Raises InvariantBroken on a missing node.
    """
    if root.version == 0:
        return MapProof((), None)
    values = _Values(store)
    page = values.root_page(root)
    lone = _lone(page)
    bits = int.from_bytes(path, "big") << PAGE_BITS
    siblings: list[bytes] = []
    shift = 256 + PAGE_BITS - 1
    k = 1
    while not lone >> k & 1:
        if k >= SLOTS:
            at = POINTERS + 8 * (k - SLOTS)
            page = values.page(int.from_bytes(page[at : at + 8], "little"))
            lone = _lone(page)
            k = 1
        k = 2 * k + (bits >> shift & 1)
        shift -= 1
        at = _place_of(k ^ 1)
        siblings.append(bytes(page[at : at + 32]))
        at = _place_of(k)
        if page[at : at + 32] == EMPTY:
            return MapProof(tuple(siblings), None)
    leaf = values.leaf(_only_pointer(page, k))
    return MapProof(tuple(siblings), (leaf[:32], leaf[32:]))


def _only_pointer(page: memoryview, k: int) -> int:
    """Return the one pointer below heap node k, which is a leaf."""
    first = last = k
    while first < SLOTS:
        first, last = 2 * first, 2 * last + 1
    ranges = range(POINTERS + 8 * (first - SLOTS), POINTERS + 8 * (last - SLOTS) + 8, 8)
    return next(filter(None, (int.from_bytes(page[at : at + 8], "little") for at in ranges)))
