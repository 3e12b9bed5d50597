"""Cosignatures between the members of a consortium: each hands its own to every other, and asks for what it missed.

They lie beside the ledger, not on it: whoever is away misses some, and the next checkpoint covers what those covered.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.engines.checkpoints import Cosigning
from salus.engines.errors import Diverged, EngineError, NotKept
from salus.engines.follower import SourceUnavailable
from salus.engines.ports import Ledger

ROUND_SECONDS: Final = 0.1  # what is signed within it goes out together
ASK_SECONDS: Final = 1.0  # as long as nothing new is signed, what is missing is asked for this often
THREADS: Final = 4


class Other(Protocol):
    """Another member's node, as far as cosignatures go; every method raises SourceUnavailable."""

    def offer(self, checkpoint: Checkpoint) -> None:
        """Hand in a cosignature."""
        ...

    def offer_change(self, change: CosignerChange) -> None:
        """Hand in a signature of a change of the cosigners."""
        ...

    def checkpoints(self, from_size: int) -> list[Checkpoint]:
        """Return checkpoints that others signed, from a log size on."""
        ...


class Cosignatures:
    """Exchanges cosignatures with every other cosigner, on threads of its own, until closed."""

    def __init__(self, ledger: Ledger, cosigning: Cosigning, member: str, reach: Callable[[str], Other]) -> None:
        """`reach` gives the node of a member, by id."""
        self._ledger = ledger
        self._cosigning = cosigning
        self._member = member
        self._reach = reach
        self._offered: dict[str, tuple[int, int]] = {}
        """Member → (log size, changes) up to which it was given ours."""
        self._running: dict[str, Future[None]] = {}
        self._news = threading.Event()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, "cosignatures")
        self._end = cosigning.subscribe(self._news.set)
        self._thread = threading.Thread(target=self._run, name="cosignatures", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop exchanging."""
        self._end()
        self._ended.set()
        self._news.set()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def _run(self) -> None:
        rests = True
        while not self._ended.is_set():
            for member, _ in self._cosigning.cosigners(self._ledger.head().height):
                running = self._running.get(member)
                if member != self._member and (running is None or running.done()):
                    self._running[member] = self._pool.submit(self._exchange, member, ask=rests)
            rests = not self._news.wait(ASK_SECONDS)
            self._news.clear()
            self._ended.wait(ROUND_SECONDS)

    def _exchange(self, member: str, *, ask: bool) -> None:
        """Hand a member what we signed since the last time; ask for what is missing. Does nothing while it is away."""
        other, book = self._reach(member), self._cosigning.book
        newest = book.newest()
        size, changes = self._offered.get(member, (0 if newest is None else newest.size - 1, 0))
        try:
            for change in book.changes()[changes:]:
                other.offer_change(change)
                changes += 1
            for checkpoint in book.since(size + 1):
                other.offer(checkpoint)
                size = checkpoint.size
            complete = self._cosigning.newest()
            if ask and newest is not None and (complete is None or complete.size < newest.size):
                for theirs in other.checkpoints(newest.size):
                    self._cosigning.offer(theirs)
        except (SourceUnavailable, NotKept):
            pass  # away, behind us or ahead of us: it comes again
        except (Diverged, EngineError):
            self._ended.set()  # kept as `Cosigning.fork`; who signs on would help to hide it
        self._offered[member] = (size, changes)
