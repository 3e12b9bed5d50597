"""Ordered maps of bytes that commit together: the port under a ledger's store, and its in-memory twin.

A `Part` is one map. A write is all or nothing over all parts, and durable when it returns. Reading happens inside
`reading()`, which pins one commit for its length; keep it short, because a pinned commit keeps pages from reuse.
"""

import bisect
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol


class Part(StrEnum):
    """The maps of a ledger's store. The value is the map's name on disk."""

    CHAIN = "chain"
    """b"format", b"genesis", b"head", b"base" where the store was made from a snapshot."""
    HEADERS = "headers"
    """height u64 → the chain after that block."""
    BLOCKS = "blocks"
    """height u64 → the block's time and transactions as received."""
    ROWS = "rows"
    """state key → height of the last write u64 | value."""
    HISTORY = "history"
    """length of state key u8 | state key | height written u64 → value, for values written over."""
    MAP = "map"
    """version u64 → nodes of the state map."""
    LOG = "log"
    """level u8 | index u64 → hash of a whole subtree of the log."""
    LEAVES = "leaves"
    """index u64 → bytes of the leaf."""
    TRANSACTIONS = "transactions"
    """transaction id → height u64 | leaf index u64 | height of its first appearance u64 | of its latest u64."""


class BookPart(StrEnum):
    """The maps beside a ledger: what is signed about it."""

    BOOK = "book"
    """b"format", b"network", b"height": how far this node has gone through the ledger."""
    CHECKPOINTS = "checkpoints"
    """log size u64 → checkpoint with the cosignatures gathered."""
    CHANGES = "changes"
    """number u32 → change of the cosigner set with the cosignatures gathered."""
    EVIDENCE = "evidence"
    """log size u64 → two signed checkpoints that cannot both be true."""


Writes = Mapping[str, Sequence[tuple[bytes, bytes]]]


class Reading(Protocol):
    """One pinned commit."""

    def get(self, part: str, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        ...

    def view(self, part: str, key: bytes) -> bytes | memoryview | None:
        """Return the value without copying it. The buffer is valid until the reading ends."""
        ...

    def range(self, part: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) ascending, keys that begin with `prefix` and are not below `start`."""
        ...

    def before(self, part: str, key: bytes) -> tuple[bytes, bytes] | None:
        """Return the (key, value) with the greatest key below `key`, or None."""
        ...


class KeyValues(Protocol):
    """Where a ledger's store keeps its bytes."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Pin the newest commit for reading."""
        ...

    def write(self, writes: Writes) -> None:
        """Put all pairs, all or nothing, durable on return. Raises StoreFull or StoreFailed."""
        ...

    def close(self) -> None:
        """Let go of the files. Reading or writing afterwards raises Stopped."""
        ...


class MemoryKeyValues:
    """The in-memory twin. Durable for as long as the object lives."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[bytes, bytes]] = defaultdict(dict)
        self._keys: dict[str, list[bytes]] = defaultdict(list)
        self._lock = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Pin the newest commit for reading: writers wait."""
        with self._lock:
            yield _MemoryReading(self._parts, self._keys)

    def write(self, writes: Writes) -> None:
        """Put all pairs."""
        with self._lock:
            for part, pairs in writes.items():
                values, keys = self._parts[part], self._keys[part]
                for key, value in pairs:
                    if key not in values:
                        bisect.insort(keys, key)
                    values[key] = value

    def close(self) -> None:
        """Do nothing: memory has no files."""


class _MemoryReading:
    def __init__(self, parts: dict[str, dict[bytes, bytes]], keys: dict[str, list[bytes]]) -> None:
        self._parts = parts
        self._keys = keys

    def get(self, part: str, key: bytes) -> bytes | None:
        return self._parts[part].get(key)

    def view(self, part: str, key: bytes) -> bytes | None:
        return self._parts[part].get(key)

    def range(self, part: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        keys = self._keys[part]
        for at in range(bisect.bisect_left(keys, max(prefix, start)), len(keys)):
            if not keys[at].startswith(prefix):
                return
            yield keys[at], self._parts[part][keys[at]]

    def before(self, part: str, key: bytes) -> tuple[bytes, bytes] | None:
        at = bisect.bisect_left(self._keys[part], key)
        return (self._keys[part][at - 1], self._parts[part][self._keys[part][at - 1]]) if at else None
