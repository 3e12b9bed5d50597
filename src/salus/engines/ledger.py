"""What every engine's ledger reads from its store, and whom it tells of a commit."""

from collections.abc import Callable, Iterator

from salus.core.proof import leaf as leaves
from salus.engines.errors import StoreDamaged
from salus.engines.ports import Outcome
from salus.engines.store import Header, LedgerStore, StateView, StoredBlock


class StoredLedger:
    """The reading half of the port `Ledger`, over a founded store. Raises NotFounded."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._network = store.chain().network
        self._callbacks: tuple[Callable[[Header], None], ...] = ()
        self.reachable = True

    @property
    def store(self) -> LedgerStore:
        """Where blocks, states and proofs are read."""
        return self._store

    @property
    def network(self) -> bytes:
        """The network id, 32 bytes."""
        return self._network

    def outcome(self, tx_id: bytes) -> Outcome | None:
        """Return what became of a transaction in the log, or None."""
        place = self._store.place(tx_id)
        if place is None:
            return None
        entry = leaves.decode(self._store.leaf(place.index))
        if not isinstance(entry, leaves.TransactionLeaf):
            raise StoreDamaged(f"leaf {place.index} is not a transaction's")
        return Outcome(tx_id, place.height, place.index, entry.code, entry.data, None)

    def blocks(self, from_height: int) -> Iterator[StoredBlock]:
        """Yield the blocks from `from_height` to the head as it stands when asked."""
        return (self._store.block(height) for height in range(from_height, self._store.head().height + 1))

    def head(self) -> Header:
        """Return the newest header."""
        return self._store.head()

    def read(self, height: int | None = None) -> StateView:
        """Return the state after a block, the newest if None. Raises NotKept."""
        return self._store.read(height)

    def subscribe(self, callback: Callable[[Header], None]) -> Callable[[], None]:
        """Call back after every commit, in order, on the writer's thread; be quick. Returns what ends it."""
        self._callbacks = (*self._callbacks, callback)

        def end() -> None:
            self._callbacks = tuple(kept for kept in self._callbacks if kept is not callback)

        return end

    def announce(self, header: Header) -> None:
        """Tell the subscribers of a commit. For the engine alone."""
        for callback in self._callbacks:
            callback(header)
