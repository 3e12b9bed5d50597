"""Snapshots: the state at one height with the whole log, in chunks of which each is proven on arrival.

Only a ledger's digest has to be believed. The *manifest* shows by itself that it belongs to it: the log's peaks give the
digest, the last leaf (the block leaf of the snapshot's height) lies in that log and names the state root, and the roots
of the chunks fold into peaks and state root. A chunk is then compared with its own root, as it comes:

    log chunks     RANGE leaves each, the last one what is left; a whole range's root is a node of the log
    state chunks   2^depth, all rows whose path begins with the chunk's number; its root is the subtree there

A replica made from one has no blocks and no state before that height, but every leaf: it makes receipts of the whole log.
Snapshots are of heights that the chain itself selects, so that every node makes the same bytes.
"""

import shutil
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.kernel import Chain
from salus.core.log import Frontier, prove_inclusion
from salus.core.map import Root, prove, update
from salus.core.proof import leaf as leaves
from salus.core.proof import statemap
from salus.core.proof.digest import digest
from salus.core.proof.errors import MalformedProof, Unproven
from salus.core.proof.merkle import leaf_hash, verify_inclusion
from salus.core.proof.statemap import EMPTY, inner_node, leaf_node, state_path, value_digest
from salus.engines.errors import EngineError, NotKept, StoreDamaged
from salus.engines.keyvalues import Part
from salus.engines.store import Header, LedgerStore, header_entry, log_entry, place_entry, row_entry

FORMAT: Final = 1
LEVEL: Final = 13
RANGE: Final = 1 << LEVEL
"""Leaves in a chunk: at most 9 MB, of 16 MB that a peer may send."""
ROWS_A_CHUNK: Final = 4096  # about 1 MB of rows
MAX_DEPTH: Final = 12
EVERY: Final = 500  # blocks: about an hour and a half of a chain that rests
KEPT: Final = 2
MANIFEST: Final = "manifest"
FLUSH_BYTES: Final = 256 * 1024
RECHECKED_AT_ONCE: Final = 100_000  # rows whose digests are held at a time: about 20 MB
PATH_BITS: Final = 256


class BadSnapshot(EngineError):
    """A manifest or chunk that does not belong to the digest that is believed. Names what does not fit."""


class Subtree(Value, frozen=True):
    """The root of a chunk of rows."""

    kind: int
    """0: no row, 1: one, 2: more. A subtree of one row is that row's leaf, at whatever depth."""
    digest: bytes


class Manifest(Value, frozen=True):
    """What a snapshot holds, proven by itself against the ledger's digest."""

    format: int
    document: bytes
    """The genesis document."""
    size: int
    """Leaves of the log."""
    peaks: tuple[bytes, ...]
    last: bytes
    """The last leaf: the block leaf of the snapshot's height."""
    path: tuple[bytes, ...]
    """Inclusion path of the last leaf."""
    ranges: tuple[bytes, ...]
    """Roots of the whole ranges of leaves."""
    subtrees: tuple[Subtree, ...]
    """Roots of the chunks of rows, a power of two."""

    @property
    def log_chunks(self) -> int:
        """How many chunks hold leaves. They come first."""
        return -(-self.size // RANGE)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return self.log_chunks + len(self.subtrees)


class Entries(Value, frozen=True):
    """A chunk of the log."""

    entries: tuple[bytes, ...]


class Rows(Value, frozen=True):
    """A chunk of the state: (state key, value), by rising path."""

    rows: tuple[tuple[bytes, bytes], ...]


# Making -------------------------------------------------------------------------------------------------------------


def selected(store: LedgerStore, header: Header, every: int = EVERY) -> bool:
    """Tell whether a block is one of which a snapshot is made: the first with transactions in each `every` heights."""
    if not header.transactions or not header.height:
        return False
    before = store.header(header.height - 1)
    grown = store.height_of_size(before.log_size)
    return grown // every < header.height // every


def make(store: LedgerStore, height: int, folder: Path) -> Path:
    """Make the snapshot of a height, which has transactions, in a folder of its own below `folder`; return it.

    Reads the store a few hundred rows at a time; an engine goes on beside it.
    """
    header = store.header(height)
    part, done = folder / f"{height}.part", folder / str(height)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    with store.nodes() as nodes:
        ranges = tuple(nodes.node(LEVEL, at) for at in range(header.log_size >> LEVEL))
        path = tuple(prove_inclusion(nodes.node, header.log_size - 1, header.log_size))
    starts = range(0, header.log_size, RANGE)
    for at, start in enumerate(starts):
        end = min(start + RANGE, header.log_size)
        (part / str(at)).write_bytes(encode(Entries(tuple(store.leaf(index) for index in range(start, end)))))
    depth = _depth(sum(1 for _ in store.state(height)))
    _spread(store, height, depth, part)
    subtrees = []
    for at in range(1 << depth):
        chunk, root = _chunk(part / f"{at}.rows", depth)
        (part / str(len(starts) + at)).write_bytes(chunk)
        subtrees.append(root)
    manifest = Manifest(
        FORMAT,
        store.document,
        header.log_size,
        header.peaks,
        store.leaf(header.log_size - 1),
        path,
        ranges,
        tuple(subtrees),
    )
    (part / MANIFEST).write_bytes(encode(manifest))
    shutil.rmtree(done, ignore_errors=True)
    return part.rename(done)


def _depth(rows: int) -> int:
    """Return into how many chunks (a power of two) that many rows are spread."""
    return min(max(0, (rows - 1) // ROWS_A_CHUNK).bit_length(), MAX_DEPTH)


def _number(path: bytes, depth: int) -> int:
    return int.from_bytes(path[:2], "big") >> (16 - depth)


def _spread(store: LedgerStore, height: int, depth: int, part: Path) -> None:
    """Write each row into the file of its chunk, in the order of the store."""
    waiting: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)

    def flush(at: int) -> None:
        with (part / f"{at}.rows").open("ab") as out:
            block = encode(Rows(tuple(waiting.pop(at))))
            out.write(len(block).to_bytes(4, "big") + block)
        sizes[at] = 0

    for key, value in store.state(height):
        at = _number(state_path(key), depth)
        waiting[at].append((key, value))
        sizes[at] += len(key) + len(value)
        if sizes[at] > FLUSH_BYTES:
            flush(at)
    for at in tuple(waiting):
        flush(at)


def _chunk(file: Path, depth: int) -> tuple[bytes, Subtree]:
    """Return a chunk of rows from what was spread into a file, which is removed, with the root of its subtree."""
    rows: list[tuple[bytes, bytes]] = []
    if file.exists():
        data = file.read_bytes()
        at = 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            rows += decode(data[at + 4 : at + 4 + size], Rows).rows
            at += 4 + size
        file.unlink()
    keyed = sorted((state_path(key), (key, value)) for key, value in rows)
    root = _root([(path, value_digest(row[1])) for path, row in keyed], depth)
    return encode(Rows(tuple(row for _, row in keyed))), root


def _root(pairs: Sequence[tuple[bytes, bytes]], depth: int) -> Subtree:
    """Return the root of the subtree, `depth` bits down, of these (path, value hash), which rise."""
    if not pairs:
        return Subtree(0, EMPTY)
    paths = [int.from_bytes(path, "big") for path, _ in pairs]
    nodes = [leaf_node(*pair) for pair in pairs]

    def node(low: int, high: int, bit: int) -> bytes:
        if high - low == 1:
            return nodes[low]
        shift = PATH_BITS - 1 - bit
        middle = bisect_left(paths, (paths[low] >> shift | 1) << shift, low, high)
        left = node(low, middle, bit + 1) if middle > low else EMPTY
        return inner_node(left, node(middle, high, bit + 1) if high > middle else EMPTY)

    return Subtree(min(len(pairs), 2), node(0, len(pairs), depth))


def _folded(subtrees: Sequence[Subtree]) -> bytes:
    """Return the root of the map whose subtrees, at one depth, these are."""
    level = list(subtrees)
    while len(level) > 1:
        level = [_joined(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0].digest


def _joined(left: Subtree, right: Subtree) -> Subtree:
    if left.kind + right.kind < 2 and 0 in {left.kind, right.kind}:
        return right if left.kind == 0 else left
    return Subtree(2, inner_node(left.digest, right.digest))


class Shelf:
    """The snapshots that a node keeps to hand out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Remove what a process that ended left unfinished."""
        for path in self._folder.glob("*.part"):
            shutil.rmtree(path, ignore_errors=True)

    def heights(self) -> list[int]:
        """Return the heights of those that are whole, the newest first."""
        found = (int(path.name) for path in self._folder.glob("*") if path.name.isdecimal())
        return sorted(found, reverse=True)

    def manifest(self, height: int) -> bytes:
        """Return a snapshot's manifest. Raises NotKept."""
        return self._read(height, MANIFEST)

    def chunk(self, height: int, index: int) -> bytes:
        """Return a chunk. Raises NotKept."""
        return self._read(height, str(index))

    def add(self, store: LedgerStore, height: int) -> None:
        """Make one more, unless it is there, and drop what is older than the newest few."""
        if height in self.heights():
            return
        make(store, height, self._folder)
        for old in self.heights()[KEPT:]:
            shutil.rmtree(self._folder / str(old), ignore_errors=True)

    def _read(self, height: int, name: str) -> bytes:
        try:
            return (self._folder / str(height) / name).read_bytes()
        except OSError as error:
            raise NotKept(f"no snapshot of height {height} has a part {name}") from error


# Taking -------------------------------------------------------------------------------------------------------------


class Restoring:
    """A snapshot on its way in. What was taken is proven; nothing of it is in the store before `finish`."""

    def __init__(self, told: bytes, *, app_hash: bytes, network: bytes, height: int, folder: Path) -> None:
        """Take the manifest of a ledger whose digest at `height` is believed. Raises BadSnapshot."""
        try:
            self._manifest = manifest = decode(told, Manifest)
            self._block = self._proven(manifest, app_hash, network, height)
        except (MalformedBytes, Unproven, ValueError) as error:
            raise BadSnapshot(f"the manifest of height {height}: {error}") from error
        self._app_hash = app_hash
        self._folder = folder
        self._taken: set[int] = set()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)

    @staticmethod
    def _proven(manifest: Manifest, app_hash: bytes, network: bytes, height: int) -> leaves.BlockLeaf:
        if manifest.format != FORMAT or digest("salus/v1/network", manifest.document) != network:
            raise MalformedProof("another format, or another ledger")
        log = Frontier(manifest.size, manifest.peaks)
        if len(log.peaks) != manifest.size.bit_count():
            raise MalformedProof("the log's peaks do not fit its size")
        if Chain(network, height, 0, Root(), log).app_hash != app_hash:
            raise MalformedProof("the log does not give the ledger's digest")
        verify_inclusion(leaf_hash(manifest.last), manifest.size - 1, manifest.size, manifest.path, log.root())
        block = leaves.decode(manifest.last)
        if not isinstance(block, leaves.BlockLeaf) or block.height != height:
            raise MalformedProof("the last leaf is not the block leaf of that height")
        whole, _ = Frontier().append(manifest.ranges)
        if len(manifest.ranges) != manifest.size >> LEVEL or whole.peaks != log.peaks[: len(whole.peaks)]:
            raise MalformedProof("the ranges do not give the log's peaks")
        count = len(manifest.subtrees)
        if not 0 < count <= 1 << MAX_DEPTH or count & (count - 1):
            raise MalformedProof("the state's chunks are no power of two")
        if any(one.kind not in {0, 1, 2} or (one.kind == 0) != (one.digest == EMPTY) for one in manifest.subtrees):
            raise MalformedProof("a subtree of no known kind")
        if _folded(manifest.subtrees) != block.state_root:
            raise MalformedProof("the subtrees do not give the state root")
        return block

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return self._manifest.chunks

    @property
    def whole(self) -> bool:
        """Whether every chunk was taken."""
        return len(self._taken) == self._manifest.chunks

    def take(self, index: int, chunk: bytes) -> None:
        """Take a chunk. Raises BadSnapshot if it is not the one that the manifest names."""
        try:
            if not 0 <= index < self._manifest.chunks:
                raise MalformedProof("no such chunk")
            if index < self._manifest.log_chunks:
                self._check_entries(index, decode(chunk, Entries).entries)
            else:
                self._check_rows(index - self._manifest.log_chunks, decode(chunk, Rows).rows)
        except (MalformedBytes, MalformedProof) as error:
            raise BadSnapshot(f"chunk {index} of height {self._block.height}: {error}") from error
        (self._folder / str(index)).write_bytes(chunk)
        self._taken.add(index)

    def _check_entries(self, index: int, entries: Sequence[bytes]) -> None:
        found, _ = Frontier().append([leaf_hash(entry) for entry in entries])
        whole = len(self._manifest.ranges)
        if index < whole:
            right = found.size == RANGE and found.peaks[0] == self._manifest.ranges[index]
        else:
            peaks = self._manifest.peaks[whole.bit_count() :]
            right = found.size == self._manifest.size % RANGE and found.peaks == peaks
        if not right:
            raise MalformedProof("not the leaves of the log")

    def _check_rows(self, number: int, rows: Sequence[tuple[bytes, bytes]]) -> None:
        depth = len(self._manifest.subtrees).bit_length() - 1
        pairs = [(state_path(key), value_digest(value)) for key, value in rows]
        rising = all(one[0] < other[0] for one, other in pairwise(pairs))
        belong = all(_number(path, depth) == number for path, _ in pairs)
        if not rising or not belong or _root(pairs, depth).digest != self._manifest.subtrees[number].digest:
            raise MalformedProof("not the rows of the state")

    def finish(self, store: LedgerStore) -> Header:
        """Found the ledger in an empty store at the snapshot's height; return its head. Raises BadSnapshot."""
        if not self.whole:
            raise BadSnapshot("chunks are missing")
        height = self._block.height
        root = self._fill_state(store)
        last = self._fill_log(store)
        head = Header(
            height,
            self._block.time,
            last.transactions,
            root.version,
            root.digest,
            last.log_size,
            last.peaks,
            self._app_hash,
        )
        store.adopt(self._manifest.document, head)
        shutil.rmtree(self._folder, ignore_errors=True)
        return head

    def _fill_state(self, store: LedgerStore) -> Root:
        """Write rows and map. Versions rise from chunk to chunk, and end below the next block's."""
        height, root = self._block.height, Root()
        first = self._manifest.log_chunks
        last = first + len(self._manifest.subtrees) - 1
        waiting: list[tuple[bytes, bytes]] = []
        for index in range(first, last + 1):
            waiting += decode((self._folder / str(index)).read_bytes(), Rows).rows
            version = height + 1 - (last - index)
            if version <= root.version or not waiting:  # a very short ledger: more chunks than heights
                continue
            changes = [(state_path(key), value_digest(value)) for key, value in waiting]
            with store.nodes() as nodes:
                root, written = update(nodes, root, version, changes)
            rows = sorted(row_entry(key, height, value) for key, value in waiting)
            store.fill({Part.ROWS: rows, Part.MAP: written})
            waiting = []
        if root.digest != self._block.state_root:
            raise BadSnapshot("the rows do not give the state root")
        return root

    def _fill_log(self, store: LedgerStore) -> Header:
        """Write leaves, log nodes, the index of transactions, and a header of every height; return the last."""
        walk = _Walk()
        for index in range(self._manifest.log_chunks):
            entries = decode((self._folder / str(index)).read_bytes(), Entries).entries
            writes: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
            for entry in entries:
                for part, pairs in walk.take(entry):
                    writes[part] += pairs
            latest = dict(writes[Part.TRANSACTIONS])
            store.fill({**writes, Part.TRANSACTIONS: sorted(latest.items())})
        return walk.last


# Checking again -----------------------------------------------------------------------------------------------------


def recheck(store: LedgerStore) -> None:
    """Check all that a replica took from its snapshot: leaves, log and headers up to it, and the state at its height.

    They must give the digest in the header of that height. Raises StoreDamaged, or what decoding or proving raises.
    """
    base = store.header(store.base)
    own, _ = header_entry(base)  # compared last: it alone names the version of the map
    walk = _Walk()
    for index in range(base.log_size):
        for part, entries in walk.take(store.leaf(index)):
            if part in {Part.LOG, Part.HEADERS}:
                _compare(store, Part(part), [entry for entry in entries if entry[0] != own])
    if replace(walk.last, state_version=base.state_version) != base:
        raise StoreDamaged(f"the leaves up to height {base.height} do not give its header")
    rows = sum(_check_row(store, base, key, value) for key, value in store.state(base.height))
    depth = max(0, (rows - 1) // RECHECKED_AT_ONCE).bit_length()
    subtrees = []
    for number in range(1 << depth):
        pairs = ((state_path(key), value_digest(value)) for key, value in store.state(base.height))
        subtrees.append(_root(sorted(pair for pair in pairs if _number(pair[0], depth) == number), depth))
    if _folded(subtrees) != base.state_root:
        raise StoreDamaged(f"the rows of height {base.height} do not give its state root")


def _compare(store: LedgerStore, part: Part, entries: Sequence[tuple[bytes, bytes]]) -> None:
    if any(store.stored(part, key) != value for key, value in entries):
        raise StoreDamaged(f"{part}: an entry from before height {store.base} is not what the leaves give")


def _check_row(store: LedgerStore, base: Header, key: bytes, value: bytes) -> int:
    """Check a row, and the nodes of the map that lead to it; return how many rows it is: one."""
    path = state_path(key)
    with store.nodes() as nodes:
        proof = prove(nodes, Root(base.state_version, base.state_root), path)
    proven = statemap.verify(proof, path, base.state_root) == value_digest(value)
    if not proven or store.dated_row(key, base.height) != (base.height, value):
        raise StoreDamaged(f"a row of height {base.height} is not the one in the state map")
    return 1


class _Walk:
    """Goes through the leaves, block by block.

    A block without transactions left none: it gets the time of the block before it, which is what its transactions of
    the last ten minutes are told by.
    """

    def __init__(self) -> None:
        self._log = Frontier()
        self._block: list[bytes] = []
        self._places: dict[bytes, tuple[int, int, int]] = {}
        """Transaction id → (height, leaf index, height of its first appearance)."""
        self.last = Header(-1, 0, 0, 0, EMPTY, 0, (), b"")

    def take(self, entry: bytes) -> Iterator[tuple[str, list[tuple[bytes, bytes]]]]:
        """Take the next leaf; yield what is to be written, at the end of its block."""
        self._block.append(entry)
        told = leaves.decode(entry)
        if not isinstance(told, leaves.BlockLeaf):
            return
        first = self._log.size
        self._log, nodes = self._log.append([leaf_hash(one) for one in self._block])
        yield Part.LOG, [log_entry(node, value) for node, value in nodes.items()]
        yield Part.LEAVES, [((first + at).to_bytes(8, "big"), one) for at, one in enumerate(self._block)]
        yield Part.TRANSACTIONS, list(self._index(told.height, first))
        yield Part.HEADERS, list(self._headers(told))
        self._block = []

    def _index(self, height: int, first: int) -> Iterator[tuple[bytes, bytes]]:
        for at, entry in enumerate(self._block[:-1]):
            told = leaves.decode(entry)
            if not isinstance(told, leaves.TransactionLeaf):
                continue
            known = self._places.get(told.tx_id)
            place = (height, first + at, height if known is None else known[2])
            if known is not None and told.code:
                place = known
            self._places[told.tx_id] = place
            yield told.tx_id, place_entry(place[0], place[1], place[2], height)

    def _headers(self, block: leaves.BlockLeaf) -> Iterator[tuple[bytes, bytes]]:
        last = self.last
        for height in range(last.height + 1, block.height):
            yield header_entry(
                Header(height, last.time, 0, 0, last.state_root, last.log_size, last.peaks, last.app_hash)
            )
        app_hash = Chain(b"", block.height, block.time, Root(), self._log).app_hash
        count = len(self._block) - 1
        size, peaks = self._log.size, self._log.peaks
        self.last = Header(block.height, block.time, count, 0, block.state_root, size, peaks, app_hash)
        yield header_entry(self.last)
