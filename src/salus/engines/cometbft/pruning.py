"""How many blocks the engine keeps: those that a member coming back asks for, no fewer than a joining one needs.

What is dropped is the engine's own copy. The ledger's store keeps every block that it has applied.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from salus.engines.store import Header, LedgerStore

STEP: Final = 100  # heights: dropping this many blocks at once costs the engine milliseconds


class Retention:
    """Names the lowest block to keep: young enough, or from the oldest snapshot on that is handed out."""

    def __init__(self, store: LedgerStore, snapshots: Callable[[], Sequence[int]], keep_ms: int) -> None:
        """`snapshots` returns the heights of those on the shelf; `keep_ms` is the age in block time, ms; 0 keeps all."""
        self._store = store
        self._snapshots = snapshots
        self._keep_ms = keep_ms

    def __call__(self, head: Header) -> int:
        """Return the lowest height to keep after block `head`, for ResponseCommit; 0: keep all that is there."""
        if not self._keep_ms or head.height % STEP:
            return 0
        snapshots = self._snapshots()
        if not snapshots:
            return 0
        kept = range(self._store.base, min(snapshots))
        older = bisect_right(kept, head.time - self._keep_ms, key=lambda height: self._store.header(height).time)
        return kept.start + older
