"""A ledger as it lies in a store: every block one commit, every height readable for good.

What a block changes (rows, map nodes, log, leaves, transactions, head) is one write. Rows carry the height that wrote
them, and values written over are kept under theirs, so a state is read at any height without holding a read
transaction open: a view is a height, and each of its calls pins a commit only while it runs.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.kernel import Chain, Committed, Transition
from salus.core.log import Frontier
from salus.core.map import Root
from salus.core.proof import leaf as leaves
from salus.core.proof.digest import digest
from salus.core.proof.merkle import leaf_hash
from salus.core.tables import R, Reader, Table, View
from salus.core.transaction import MAX_LIFE_MS
from salus.engines.errors import NotFounded, NotKept, OtherLedger, StoreDamaged, StoreFailed
from salus.engines.keyvalues import KeyValues, MemoryKeyValues, Part, Reading, Writes
from salus.engines.lmdbfile import MAP_BYTES, LmdbKeyValues

T = TypeVar("T", bound=Value)
FORMAT: Final = b"salus/v1/ledger"
MOST_MET: Final = 20_000  # what waits at most; more are strangers at the door of a ledger that rests
ROWS_AT_ONCE: Final = 512  # a range read pins a commit for this many rows, then lets go


class Header(Value, frozen=True):
    """The chain after one block."""

    height: int
    time: int
    """Block time in Unix milliseconds."""
    transactions: int
    """How many transactions the block holds."""
    state_version: int
    state_root: bytes
    log_size: int
    """Leaves in the log after this block. The last of them is the newest block leaf."""
    peaks: tuple[bytes, ...]
    app_hash: bytes

    @property
    def frontier(self) -> Frontier:
        """The log after this block."""
        return Frontier(self.log_size, self.peaks)


class StoredBlock(Value, frozen=True):
    """A block as it is kept and handed on."""

    height: int
    time: int
    """Block time in Unix milliseconds."""
    transactions: tuple[bytes, ...]
    """Wire bytes as received, in order."""
    app_hash: bytes
    """What the chain's digest is after this block."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction stands."""

    height: int
    index: int
    """Index of its leaf in the log."""
    first: int
    """Height of its first appearance: what was rejected may be applied later."""
    latest: int
    """Height of its latest appearance: a replay is rejected, and stands in the log again."""


class LedgerStore:
    """The store of one ledger, over any `KeyValues`. One writer; any number of readers, on any thread."""

    def __init__(self, values: KeyValues) -> None:
        self._values = values
        with values.reading() as reading:
            document = reading.get(Part.CHAIN, b"genesis")
            found = reading.get(Part.CHAIN, b"format")
            rest = next(reading.range(Part.HEADERS), None)
            base = reading.get(Part.CHAIN, b"base")
        if (document is None) != (found is None) or found not in {None, FORMAT}:
            raise StoreDamaged("the store is not of this program's format")
        if document is None and rest is not None:
            raise StoreDamaged("the store has blocks and no genesis document")
        self._document = document
        self.base = 0 if base is None else _int(base)
        """The lowest height whose state is kept: 0, or the height of the snapshot that the store was made from."""
        self._network = b""
        """The network id, once it was asked for: a digest of the whole document."""
        self._recent: Header | None = None
        """The header read last for the kernel: it is asked for at each transaction."""
        self._window = (-1, 0)
        """(height of a head, lowest height whose transactions that head remembers)."""
        self._met: tuple[int, dict[bytes, bytes | None]] = (-1, {})
        """(height of a head, index entries that were looked up at that head): a block's ids are needed twice."""

    # Founding and committing ------------------------------------------------------------------------------------

    @property
    def document(self) -> bytes:
        """The genesis document. Raises NotFounded."""
        if self._document is None:
            raise NotFounded("there is no ledger here yet")
        return self._document

    @property
    def founded(self) -> bool:
        """Whether the store holds a ledger."""
        return self._document is not None

    @contextmanager
    def empty(self) -> Iterator[Committed]:
        """Pin the state before any ledger, on which the kernel founds one."""
        with self._values.reading() as reading:
            chain = Chain(b"", -1, 0, Root(), Frontier())
            yield Committed(chain, _Rows(reading, -1), _Nodes(reading), lambda _: False)

    def found(self, document: bytes, transition: Transition) -> None:
        """Write the ledger that `document` founds. Raises OtherLedger if the store holds one already."""
        if self._document is not None:
            raise OtherLedger("the store holds a ledger already")
        first = {Part.CHAIN: [(b"format", FORMAT), (b"genesis", document)]}
        with self._values.reading() as reading:
            writes = _writes(reading, transition, {})
        self._values.write({**writes, Part.CHAIN: [*first[Part.CHAIN], *writes[Part.CHAIN]]})
        self._document = document

    def commit(self, transition: Transition) -> None:
        """Write one block, all or nothing, durable on return. Raises StoreFull, StoreFailed or OtherLedger."""
        with self._values.reading() as reading:
            if _head(reading) != transition.chain.height - 1:
                raise OtherLedger(f"block {transition.chain.height} does not follow {_head(reading)}")
            writes = _writes(reading, transition, self._met_at(transition.chain.height - 1))
        self._values.write(writes)

    def fill(self, writes: Writes) -> None:
        """Write a part of a proven snapshot into a store that holds no ledger yet. Raises OtherLedger, StoreFull."""
        if self._document is not None:
            raise OtherLedger("the store holds a ledger already")
        self._values.write(writes)

    def adopt(self, document: bytes, head: Header) -> None:
        """Make what was filled the ledger of `document` at `head`, in one write. Raises OtherLedger."""
        height = _u64(head.height)
        chain = [(b"base", height), (b"format", FORMAT), (b"genesis", document), (b"head", height)]
        self.fill({Part.CHAIN: chain, Part.HEADERS: [header_entry(head)]})
        self._document, self.base = document, head.height

    def close(self) -> None:
        """Let go of the store."""
        self._values.close()

    # Reading ----------------------------------------------------------------------------------------------------

    def head(self) -> Header:
        """Return the newest header. Raises NotFounded."""
        with self._values.reading() as reading:
            return _header(reading, _head(reading))

    def header(self, height: int) -> Header:
        """Return the header of `height`. Raises NotKept."""
        with self._values.reading() as reading:
            return _header(reading, height)

    def block(self, height: int) -> StoredBlock:
        """Return the block of `height`. Raises NotKept."""
        with self._values.reading() as reading:
            return _block(reading, height)

    def leaf(self, index: int) -> bytes:
        """Return the bytes of the log's leaf `index`. Raises NotKept."""
        with self._values.reading() as reading:
            value = reading.get(Part.LEAVES, _u64(index))
        if value is None:
            raise NotKept(f"the log has no leaf {index}")
        return value

    def place(self, tx_id: bytes) -> Place | None:
        """Return where a transaction stands: where it was applied, else where it was first rejected, else None."""
        with self._values.reading() as reading:
            value = reading.get(Part.TRANSACTIONS, tx_id)
        return None if value is None else _place(value)

    def height_of_size(self, size: int) -> int:
        """Return the lowest height whose log has `size` leaves. Raises NotKept if no block ended there."""
        with self._values.reading() as reading:
            height = _first(0, _head(reading) + 1, lambda height: _header(reading, height).log_size >= size)
            if height > _head(reading) or _header(reading, height).log_size != size:
                raise NotKept(f"no block ends at log size {size}")
        return height

    @contextmanager
    def committed(self, height: int | None = None) -> Iterator[Committed]:
        """Pin the state after `height`'s block, the newest if None, for the kernel. Keep it for one block, no longer.

        Raises NotKept.
        """
        with self._values.reading() as reading:
            header = self._with_state(self._header_at(reading, _head(reading) if height is None else height))
            window = self._remembered(reading, header)
            met = self._met_at(header.height)

            def seen(tx_id: bytes) -> bool:
                value = met[tx_id] = reading.get(Part.TRANSACTIONS, tx_id)
                if value is None:
                    return False
                place = _place(value)
                if place.latest < window or place.first > header.height:
                    return False
                known = (place.first, place.height, place.latest)
                return any(window <= at <= header.height for at in known) or _appeared(reading, tx_id, window, header)

            yield Committed(self._chain(header), _Rows(reading, header.height), _Nodes(reading), seen)

    def _header_at(self, reading: Reading, height: int) -> Header:
        recent = self._recent  # a header never changes
        if recent is None or recent.height != height:
            self._recent = recent = _header(reading, height)
        return recent

    def _met_at(self, height: int) -> dict[bytes, bytes | None]:
        known, met = self._met
        if known != height or len(met) > MOST_MET:
            met = {}
            self._met = (height, met)
        return met

    def stored(self, part: Part, key: bytes) -> bytes | None:
        """Return the bytes of one entry of a part, or None."""
        with self._values.reading() as reading:
            return reading.get(part, key)

    def count(self, part: Part) -> int:
        """Return how many entries a part has."""
        return sum(1 for _ in self.entries(part))

    def _remembered(self, reading: Reading, head: Header) -> int:
        """Return the lowest height within the last ten minutes of block time before `head`."""
        known, window = self._window
        if known != head.height:
            since = head.time - MAX_LIFE_MS
            window = _first(0, head.height, lambda height: _header(reading, height).time > since)
            self._window = (head.height, window)
        return window

    @contextmanager
    def nodes(self) -> Iterator["_Nodes"]:
        """Pin the nodes of map and log, for proofs."""
        with self._values.reading() as reading:
            yield _Nodes(reading)

    def read(self, height: int | None = None) -> "StateView":
        """Return the state after `height`'s block, the newest if None. Raises NotFounded or NotKept."""
        header = self.head() if height is None else self._with_state(self.header(height))
        return StateView(self, header)

    def _with_state(self, header: Header) -> Header:
        if header.height < self.base:
            raise NotKept(f"the state of height {header.height} is not kept: this replica begins at {self.base}")
        return header

    def entries(self, part: Part, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield everything of one part in order, pinning a commit for a few hundred entries at a time."""
        yield from self._pages(part, b"", start)

    @contextmanager
    def reading(self, height: int) -> Iterator[Reader]:
        """Pin the rows as they stand after `height`'s block. Raises NotKept."""
        if height < self.base:
            raise NotKept(f"the state of height {height} is not kept: this replica begins at {self.base}")
        with self._values.reading() as reading:
            yield _Rows(reading, height)

    def row(self, key: bytes, height: int) -> bytes | None:
        """Return the value under a state key after `height`'s block, or None. Raises NotKept."""
        found = self.dated_row(key, height)
        return None if found is None else found[1]

    def dated_row(self, key: bytes, height: int) -> tuple[int, bytes] | None:
        """Return (the height that wrote it, the value) under a state key after `height`'s block. Raises NotKept."""
        if height < self.base:
            raise NotKept(f"the state of height {height} is not kept: this replica begins at {self.base}")
        with self._values.reading() as reading:
            return _Rows(reading, height).dated(key)

    def state(self, height: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every (state key, value) after `height`'s block, ascending."""
        for key, stored in self._pages(Part.ROWS, b"", b""):
            value = stored[8:] if _int(stored[:8]) <= height else self.row(key, height)
            if value is not None:
                yield key, value

    def rows(self, prefix: bytes, height: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield (state key, value) after `height`'s block, ascending."""
        for key, _ in self._pages(Part.ROWS, prefix, b""):
            value = self.row(key, height)
            if value is not None:
                yield key, value

    def _pages(self, part: Part, prefix: bytes, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        while True:
            page = []
            with self._values.reading() as reading:
                for entry in reading.range(part, prefix, start):
                    page.append(entry)
                    if len(page) == ROWS_AT_ONCE:
                        break
            yield from page
            if len(page) < ROWS_AT_ONCE:
                return
            start = page[-1][0] + b"\x00"

    def _chain(self, header: Header) -> Chain:
        if not self._network:
            self._network = digest("salus/v1/network", self.document)
        return Chain(
            self._network, header.height, header.time, Root(header.state_version, header.state_root), header.frontier
        )

    def chain(self, height: int | None = None) -> Chain:
        """Return the chain after `height`'s block, the newest if None. Raises NotFounded or NotKept."""
        return self._chain(self.head() if height is None else self.header(height))

    def check_head(self) -> None:
        """Check, quickly, that the newest block is what its digests say. Raises StoreDamaged."""
        with self._values.reading() as reading:
            head = _header(reading, _head(reading))
            _check_header(reading, head)
            if head.height > self.base and _block(reading, head.height).app_hash != head.app_hash:
                raise StoreDamaged(f"block {head.height} and its header do not belong together")


class StateView(View):
    """The state at one height. Holds nothing open, so it may be kept; each call reads by itself."""

    def __init__(self, store: LedgerStore, header: Header) -> None:
        super().__init__(_StoredRows(store, header.height))
        self._store = store
        self.header = header

    def look_up(self, table: Table[R], keys: Iterable[bytes]) -> dict[bytes, R]:
        """Return the rows under keys, of those that are there: read as one."""
        with self._store.reading(self.header.height) as rows:
            at_once = View(rows)
            return {key: row for key in keys if (row := at_once.get(table, key)) is not None}


@dataclass(frozen=True, slots=True)
class _StoredRows:
    store: LedgerStore
    height: int

    def get(self, key: bytes) -> bytes | None:
        return self.store.row(key, self.height)

    def range(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self.store.rows(prefix, self.height)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows as they stand at one height, inside one reading."""

    reading: Reading
    height: int

    def get(self, key: bytes) -> bytes | None:
        return self._at(key, self.reading.get(Part.ROWS, key))

    def dated(self, key: bytes) -> tuple[int, bytes] | None:
        stored = self.reading.get(Part.ROWS, key)
        if stored is None:
            return None
        written = _int(stored[:8])
        return (written, stored[8:]) if written <= self.height else self._older(key)

    def range(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, stored in self.reading.range(Part.ROWS, prefix):
            value = self._at(key, stored)
            if value is not None:
                yield key, value

    def _at(self, key: bytes, stored: bytes | None) -> bytes | None:
        if stored is None or _int(stored[:8]) <= self.height:
            return None if stored is None else stored[8:]
        older = self._older(key)
        return None if older is None else older[1]

    def _older(self, key: bytes) -> tuple[int, bytes] | None:
        older = None
        for found, value in self.reading.range(Part.HISTORY, _history_key(key)):
            written = _int(found[-8:])
            if written > self.height:
                break
            older = written, value
        return older


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The nodes of map and log, inside one reading."""

    reading: Reading

    def get(self, key: bytes, /) -> bytes | memoryview | None:
        return self.reading.view(Part.MAP, key)

    def node(self, level: int, index: int) -> bytes:
        value = self.reading.get(Part.LOG, _log_key(level, index))
        if value is None:
            raise StoreDamaged(f"the log misses node {level}/{index}")
        return value


def memory_store() -> LedgerStore:
    """Return an empty store in memory."""
    return LedgerStore(MemoryKeyValues())


def lmdb_store(folder: Path, *, map_bytes: int = MAP_BYTES) -> LedgerStore:
    """Open the store in `folder`, made if missing, and check its head.

    Raises StoreLocked (another process owns it), StoreDamaged or StoreFailed.
    """
    values = LmdbKeyValues(folder, map_bytes=map_bytes)
    try:
        store = LedgerStore(values)
        if store.founded:
            store.check_head()
    except (StoreDamaged, StoreFailed):
        values.close()
        raise
    except (NotKept, NotFounded) as error:
        values.close()
        raise StoreDamaged(f"{folder}: {error}") from error
    return store


def _writes(reading: Reading, transition: Transition, met: dict[bytes, bytes | None]) -> Writes:
    """Return everything that a block writes."""
    chain, block = transition.chain, transition.block
    height = _u64(chain.height)
    head = Header(
        chain.height,
        chain.time,
        len(block.transactions),
        chain.state.version,
        chain.state.digest,
        chain.log.size,
        chain.log.peaks,
        chain.app_hash,
    )
    wires = tuple(transaction.wire for transaction in block.transactions)
    kept = [
        (_history_key(key) + stored[:8], stored[8:])
        for key in transition.rows
        if (stored := reading.get(Part.ROWS, key)) is not None
    ]
    first = chain.log.size - len(transition.leaves)
    return {
        Part.CHAIN: [(b"head", height)],
        Part.HEADERS: [header_entry(head)],
        Part.BLOCKS: [(height, encode(StoredBlock(chain.height, chain.time, wires, chain.app_hash)))],
        Part.ROWS: [row_entry(key, chain.height, value) for key, value in transition.rows.items()],
        Part.HISTORY: kept,
        Part.MAP: transition.nodes,
        Part.LOG: [log_entry(node, value) for node, value in transition.log_nodes.items()],
        Part.LEAVES: [(_u64(first + at), value) for at, value in enumerate(transition.leaves)],
        Part.TRANSACTIONS: _transactions(reading, transition, first, met),
    }


def header_entry(header: Header) -> tuple[bytes, bytes]:
    """Return a header as it is stored."""
    return _u64(header.height), encode(header)


def row_entry(key: bytes, height: int, value: bytes) -> tuple[bytes, bytes]:
    """Return a state row as it is stored, written by the block of `height`."""
    return key, _u64(height) + value


def log_entry(node: tuple[int, int], value: bytes) -> tuple[bytes, bytes]:
    """Return a node of the log, (level, index), as it is stored."""
    return _log_key(*node), value


def place_entry(height: int, index: int, first: int, latest: int) -> bytes:
    """Return a `Place` as it is stored."""
    return _u64(height) + _u64(index) + _u64(first) + _u64(latest)


def _transactions(
    reading: Reading, transition: Transition, first: int, met: dict[bytes, bytes | None]
) -> list[tuple[bytes, bytes]]:
    """Return the index entries of a block's transactions: what was applied stays findable under its id."""
    height = _u64(transition.chain.height)
    entries: dict[bytes, bytes] = {}
    for at, transaction in enumerate(transition.block.transactions):
        place = height + _u64(first + at)
        known = entries.get(transaction.id)
        if known is None:
            known = met[transaction.id] if transaction.id in met else reading.get(Part.TRANSACTIONS, transaction.id)
        if known is not None and transition.results[at].code:
            place = known[:16]
        entries[transaction.id] = place + (height if known is None else known[16:24]) + height
    return sorted(entries.items())


def _place(value: bytes) -> Place:
    return Place(_int(value[:8]), _int(value[8:16]), _int(value[16:24]), _int(value[24:]))


def _appeared(reading: Reading, tx_id: bytes, window: int, header: Header) -> bool:
    """Return whether an id stands in the leaves from height `window` to `header`'s. For old heights: it reads all."""
    start = _header(reading, window - 1).log_size if window else 0
    for index in range(start, header.log_size):
        entry = reading.get(Part.LEAVES, _u64(index))
        if entry is not None and entry[:33] == b"\x01" + tx_id:
            return True
    return False


def _head(reading: Reading) -> int:
    value = reading.get(Part.CHAIN, b"head")
    if value is None:
        raise NotFounded("there is no ledger here yet")
    return _int(value)


def _header(reading: Reading, height: int) -> Header:
    value = reading.get(Part.HEADERS, _u64(height)) if height >= 0 else None
    if value is None:
        raise NotKept(f"the ledger has no height {height}")
    return _decoded(value, Header, height)


def _block(reading: Reading, height: int) -> StoredBlock:
    value = reading.get(Part.BLOCKS, _u64(height)) if height >= 0 else None
    if value is None:
        raise NotKept(f"the ledger keeps no block {height}")
    return _decoded(value, StoredBlock, height)


def _decoded(value: bytes, kind: type[T], height: int) -> T:
    try:
        return decode(value, kind)
    except MalformedBytes as error:
        raise StoreDamaged(f"the {kind.__name__} of height {height} does not decode") from error


def _check_header(reading: Reading, header: Header) -> None:
    """Check a header against map, log and block leaf. Raises StoreDamaged."""
    log = header.frontier
    chain = Chain(b"", header.height, header.time, Root(header.state_version, header.state_root), log)
    if chain.app_hash != header.app_hash or not log.size:
        raise StoreDamaged(f"the header of height {header.height} does not give its own digest")
    nodes = _Nodes(reading)
    start = 0
    for level, peak in zip((bit for bit in range(63, -1, -1) if log.size >> bit & 1), log.peaks, strict=True):
        if nodes.node(level, start >> level) != peak:
            raise StoreDamaged(f"the log is not the one of height {header.height}")
        start += 1 << level
    entry = reading.get(Part.LEAVES, _u64(log.size - 1))
    if entry is None or leaf_hash(entry) != nodes.node(0, log.size - 1):
        raise StoreDamaged(f"leaf {log.size - 1} is not the one in the log")
    told = leaves.decode(entry)  # its hash is in the log, so it decodes
    if not isinstance(told, leaves.BlockLeaf) or told.state_root != header.state_root or told.height > header.height:
        raise StoreDamaged(f"the last leaf is not the block leaf of height {header.height}")


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the lowest number in [low, high) for which `holds` turns true, or `high`."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _int(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _log_key(level: int, index: int) -> bytes:
    return level.to_bytes(1, "big") + index.to_bytes(8, "big")


def _history_key(key: bytes) -> bytes:
    return len(key).to_bytes(1, "big") + key
