"""What a ledger offers, whoever orders its transactions: the port that the node's use cases are written against."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from salus.core.errors import Rejected
from salus.engines.store import Header, LedgerStore, StateView, StoredBlock


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a submitted transaction."""

    tx_id: bytes
    """32 bytes; empty if the bytes did not decode."""
    height: int | None
    """The block it stands in, or None if it was refused at the door and stands in none."""
    index: int | None
    """Index of its leaf in the log, or None."""
    code: int
    """0 if applied, else the code of the reason."""
    data: bytes
    """The handler's result data, at most 1 KB."""
    refusal: Rejected | None
    """The reason with its facts, if it was refused."""

    @property
    def applied(self) -> bool:
        """Whether the transaction took effect."""
        return self.code == 0


class Ledger(Protocol):
    """One ledger, as a node sees it."""

    @property
    def store(self) -> LedgerStore:
        """Where blocks, states and proofs are read."""
        ...

    @property
    def network(self) -> bytes:
        """The network id, 32 bytes."""
        ...

    @property
    def stopped(self) -> str:
        """Why the engine takes no more transactions, or nothing."""
        ...

    @property
    def reachable(self) -> bool:
        """Whether the head is the newest that this node can know of: whoever orders was heard of a moment ago."""
        ...

    def submit(self, wire: bytes) -> Future[Outcome]:
        """Send a transaction. Never blocks for the disk.

        The future holds the outcome once it is durable, or one of Busy, StoreFull, ClockJumped (nothing was written;
        send again), StoreFailed or Stopped (ask for the transaction by its id before sending it again).
        """
        ...

    def outcome(self, tx_id: bytes) -> Outcome | None:
        """Return what became of a transaction that stands in the log, without its refusal's facts, or None."""
        ...

    def blocks(self, from_height: int) -> Iterator[StoredBlock]:
        """Yield the blocks from `from_height` to the head as it stands when asked."""
        ...

    def head(self) -> Header:
        """Return the newest header."""
        ...

    def read(self, height: int | None = None) -> StateView:
        """Return the state after a block, the newest if None. Raises NotKept."""
        ...

    def subscribe(self, callback: Callable[[Header], None]) -> Callable[[], None]:
        """Call back after every commit, in order, on the engine's thread; be quick. Returns what ends it."""
        ...

    def close(self) -> None:
        """Finish what was accepted, then let go of the store. What is sent afterwards is refused."""
        ...
