"""The embedded engine: a ledger in this process, durable before it acknowledges, a block per burst.

Behind the door (see `door`) one writer takes whatever waits, as one block: alone, a transaction is a block at once;
under load, blocks grow while the disk is busy. Nothing waits for company.
"""

import time as clocks
from collections.abc import Callable
from typing import Final

from salus.core.errors import InvariantBroken
from salus.core.kernel import Block, Kernel
from salus.core.rules import UnsupportedRules
from salus.core.transaction import Transaction
from salus.engines.door import Door
from salus.engines.errors import ClockJumped, EngineError, OtherLedger, StoreDamaged, StoreFailed
from salus.engines.ports import Outcome
from salus.engines.store import Header, LedgerStore

BLOCK_TRANSACTIONS: Final = 1_000  # a larger block saves little more in the map and lets its first sender wait longer
MAX_CLOCK_JUMP_MS: Final = 30 * 24 * 3600 * 1000
_LETHAL = (InvariantBroken, UnsupportedRules, StoreFailed, StoreDamaged, OtherLedger)


def day_of(now: int) -> str:
    """Return the day (UTC) of a time in Unix milliseconds, as ISO 8601 writes it."""
    return clocks.strftime("%Y-%m-%d", clocks.gmtime(now // 1000))


def found(store: LedgerStore, kernel: Kernel, document: bytes, time: int) -> Header:
    """Found the ledger of a genesis document at block time `time` (Unix ms). Raises OtherLedger or Rejected."""
    with store.empty() as empty:
        transition = kernel.genesis(document, time, empty)
    store.found(document, transition)
    return store.head()


class Embedded(Door):
    """The ledger of `store`, which is founded, under the kernel's rules.

    `clock` gives Unix milliseconds. Raises NotFounded, or ClockJumped if the clock is more than 30 days from the
    ledger's own time and `accept_clock` does not say that it is right.
    """

    _batch = BLOCK_TRANSACTIONS

    def __init__(
        self, store: LedgerStore, kernel: Kernel, clock: Callable[[], int], *, accept_clock: bool = False
    ) -> None:
        super().__init__(store, kernel, clock)
        self._told = store.head().time  # what the clock is believed against
        self._believe(accept=accept_clock)
        self._open()

    def _carry(self, batch: list[Transaction]) -> bool:
        """Write one block. Returns whether to go on."""
        try:
            header = self._commit(batch)
        except _LETHAL as error:
            self._stop(error)
            return False
        except EngineError as error:
            self._answer(batch, error)
            return True
        self.announce(header)
        return True

    def _commit(self, batch: list[Transaction]) -> Header:
        """Execute and store one block, then answer its senders."""
        now = self._now()
        with self._store.committed() as before:
            height, time = before.chain.height + 1, max(now, before.chain.time + 1)
            transition = self._kernel.transition(before, Block(height, time, tuple(batch)))
        self._store.commit(transition)
        index = transition.chain.log.size - len(transition.leaves)
        with self._lock:
            futures = [self._pending.pop(transaction.id) for transaction in batch]
        for at, (transaction, result, future) in enumerate(zip(batch, transition.results, futures, strict=True)):
            future.set_result(
                Outcome(transaction.id, height, index + at, result.code, result.data, result.refusal),
            )
        return self._store.head()

    def _now(self) -> int:
        """Return the clock's time. Raises ClockJumped if it is not to be believed."""
        return self._believe()

    def _believe(self, *, accept: bool = False) -> int:
        """Return the clock's time. Raises ClockJumped if it is not to be believed."""
        now = self._clock()
        jump = now - self._told
        if abs(jump) > MAX_CLOCK_JUMP_MS and not accept:
            raise ClockJumped(
                f"the clock is {abs(jump) // 86_400_000} days {'ahead of' if jump > 0 else 'behind'} the ledger. "
                f"Set it right, or say that it is: set ledger.accept_clock to its day, {day_of(now)}"
            )
        self._told = now
        return now
