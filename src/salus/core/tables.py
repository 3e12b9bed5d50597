"""Typed tables over an ordered map of bytes, read through views and written through overlays.

A view reads one committed state. An overlay collects what a transaction or a block writes on top of a view and is
dropped or absorbed whole. Keys order as bytes; a state key is the table's number (u16) before the row's key.
The first rule version deletes no rows: what once stood can be proven at every height.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import InvariantBroken

MAX_KEY_BYTES: Final = 128  # the stores underneath take at most 511, and proofs stay small
MAX_ROW_BYTES: Final = 64 * 1024  # a row larger than this is a document, and documents do not belong on the ledger

R = TypeVar("R", bound=Value)


class Reader(Protocol):
    """One committed state, as bytes."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a state key, or None."""
        ...

    def range(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (state key, value) for every key that starts with `prefix`, in ascending order."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryReader:
    """The in-memory twin of a committed state."""

    rows: Mapping[bytes, bytes]

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a state key, or None."""
        return self.rows.get(key)

    def range(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (state key, value) for every key that starts with `prefix`, in ascending order."""
        return iter(sorted((key, value) for key, value in self.rows.items() if key.startswith(prefix)))


@dataclass(frozen=True, slots=True)
class LayeredReader:
    """Rows that no store holds yet, over a state that one does."""

    above: Mapping[bytes, bytes]
    below: Reader

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a state key, or None."""
        value = self.above.get(key)
        return self.below.get(key) if value is None else value

    def range(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (state key, value) for every key that starts with `prefix`, in ascending order."""
        rows = dict(self.below.range(prefix))
        rows.update((key, value) for key, value in self.above.items() if key.startswith(prefix))
        return iter(sorted(rows.items()))


@dataclass(frozen=True, slots=True)
class Invariant(Generic[R]):
    """What must hold of every row written: `holds(view, key, before, after)`, `before` None for a new row."""

    name: str
    holds: Callable[["View", bytes, R | None, R], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Table(Generic[R]):
    """A named set of rows of one type. `number` is unique on a ledger and never used again."""

    number: int
    name: str
    row: type[R]
    invariants: tuple[Invariant[R], ...] = field(default=())

    def state_key(self, key: bytes) -> bytes:
        """Return the key under which the row stands in the state. Raises InvariantBroken if it is too long."""
        if len(key) > MAX_KEY_BYTES:
            raise InvariantBroken(f"key of {len(key)} bytes in table {self.name}, at most {MAX_KEY_BYTES}")
        return self.number.to_bytes(2, "big") + key


class View:
    """Typed reading of one committed state. Decoded rows are kept, so a view must not outlive its state."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows: dict[bytes, Any] = {}

    def get(self, table: Table[R], key: bytes) -> R | None:
        """Return the row under `key`, or None."""
        state_key = table.state_key(key)
        if state_key in self._rows:
            return self._rows[state_key]  # type: ignore[no-any-return]
        value = self._reader.get(state_key)
        row = None if value is None else decode(value, table.row)
        self._rows[state_key] = row
        return row

    def look_up(self, table: Table[R], keys: Iterable[bytes]) -> dict[bytes, R]:
        """Return the rows under keys, of those that are there."""
        found = ((key, self.get(table, key)) for key in keys)
        return {key: row for key, row in found if row is not None}

    def range(self, table: Table[R], prefix: bytes = b"") -> Iterator[tuple[bytes, R]]:
        """Yield (key, row) for every key of `table` that starts with `prefix`, in ascending order."""
        for state_key, value in self._reader.range(table.state_key(prefix)):
            yield state_key[2:], decode(value, table.row)


@dataclass(frozen=True, slots=True)
class Written(Generic[R]):
    """A row that an overlay holds."""

    table: Table[R]
    key: bytes
    row: R


class Overlay(View):
    """What a transaction or a block writes, on top of a view."""

    def __init__(self, below: View) -> None:
        self._below = below
        self.written: dict[bytes, Written[Any]] = {}

    def get(self, table: Table[R], key: bytes) -> R | None:
        """Return the row under `key` as the overlay has it, or None."""
        own = self.written.get(table.state_key(key))
        return self._below.get(table, key) if own is None else own.row

    def range(self, table: Table[R], prefix: bytes = b"") -> Iterator[tuple[bytes, R]]:
        """Yield (key, row) in ascending order, the overlay's rows before those below. For small prefixes."""
        start = table.state_key(prefix)
        rows = dict(self._below.range(table, prefix))
        rows.update((w.key, w.row) for state_key, w in self.written.items() if state_key.startswith(start))
        return iter(sorted(rows.items()))

    def put(self, table: Table[R], key: bytes, row: R) -> None:
        """Write `row` under `key`, whether or not a row stands there."""
        self.written[table.state_key(key)] = Written(table, key, row)

    def absorb(self, above: "Overlay") -> None:
        """Take over what an overlay on top of this one has written."""
        self.written.update(above.written)

    def outgrown(self) -> str:
        """Return the name of the first table with a row written that breaks its type's limits or is too large, or "".

        A handler adds to counters and tuples of rows that others wrote: the limit is checked here, once for all.
        """
        for written in self.written.values():
            try:
                value = encode(written.row)
                decode(value, written.table.row)
            except (MalformedBytes, OverflowError):
                return written.table.name
            if len(value) > MAX_ROW_BYTES:
                return written.table.name
        return ""

    def verify(self) -> None:
        """Raise InvariantBroken unless every invariant of the tables written holds for every row written."""
        for written in self.written.values():
            before = self._below.get(written.table, written.key)
            for invariant in written.table.invariants:
                if not invariant.holds(self, written.key, before, written.row):
                    raise InvariantBroken(f"{written.table.name}: {invariant.name}")

    def encoded(self) -> dict[bytes, bytes]:
        """Return the written rows, which `outgrown` has seen, as bytes by state key, ascending."""
        return {key: encode(self.written[key].row) for key in sorted(self.written)}
