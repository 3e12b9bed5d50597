"""The embedded engine: a ledger in this process, durable before it acknowledges, a block per burst.

A transaction is decoded, authenticated and admitted on one of the door's threads (a signature is verified without
the interpreter's lock), then waits for the one writer. The writer takes whatever waits, as one block: alone, a
transaction is a block at once; under load, blocks grow while the disk is busy. Nothing waits for company.
"""

import hashlib
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

from salus.core.errors import InvariantBroken, Rejected, SalusError
from salus.core.kernel import MAX_BLOCK_BYTES, Block, Kernel
from salus.core.reasons import KernelReason
from salus.core.rules import UnsupportedRules
from salus.core.transaction import Transaction
from salus.engines.errors import Busy, ClockJumped, EngineError, OtherLedger, Stopped, StoreDamaged, StoreFailed
from salus.engines.ledger import StoredLedger
from salus.engines.ports import Outcome
from salus.engines.store import Header, LedgerStore

BLOCK_TRANSACTIONS: Final = 1_000  # a larger block saves little more in the map and lets its first sender wait longer
MAX_WAITING: Final = 20_000  # a few seconds of work; a sender that is told so can wait by itself
MAX_CLOCK_JUMP_MS: Final = 30 * 24 * 3600 * 1000
DOOR_THREADS: Final = 2  # one per core verifying; more only fight for the interpreter
DOOR_BATCH: Final = 32  # admitted on one reading of the state
VERDICTS: Final = 65_536  # remembered "this key signed these bytes": twice the mempool, 8 MB
_LETHAL = (InvariantBroken, UnsupportedRules, StoreFailed, StoreDamaged, OtherLedger)


def found(store: LedgerStore, kernel: Kernel, document: bytes, time: int) -> Header:
    """Found the ledger of a genesis document at block time `time` (Unix ms). Raises OtherLedger or Rejected."""
    with store.empty() as empty:
        transition = kernel.genesis(document, time, empty)
    store.found(document, transition)
    return store.head()


class Verdicts:
    """Remembers, under SHA-256 of the whole wire bytes, that the keys in them signed them. Nothing else."""

    def __init__(self, size: int = VERDICTS) -> None:
        self._size = size
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def authenticate(self, transaction: Transaction) -> None:
        """Verify the signatures unless they held before. Raises Rejected(BAD_SIGNATURE)."""
        key = hashlib.sha256(transaction.wire).digest()
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return
        Kernel.authenticate(transaction)
        with self._lock:
            self._known[key] = None
            if len(self._known) > self._size:
                self._known.popitem(last=False)


class Embedded(StoredLedger):
    """The ledger of `store`, which is founded, under the kernel's rules.

    `clock` gives Unix milliseconds. Raises NotFounded, or ClockJumped if the clock is more than 30 days from the
    ledger's own time and `accept_clock` does not say that it is right.
    """

    def __init__(
        self, store: LedgerStore, kernel: Kernel, clock: Callable[[], int], *, accept_clock: bool = False
    ) -> None:
        super().__init__(store)
        self._kernel = kernel
        self._clock = clock
        self._told = store.head().time  # what the clock is believed against
        self._now(accept=accept_clock)
        self._verdicts = Verdicts()
        self._lock = threading.Lock()
        self._pending: dict[bytes, Future[Outcome]] = {}
        self._reason = ""
        self._dead = False
        self._arrivals: queue.SimpleQueue[tuple[bytes, Future[Outcome]] | None] = queue.SimpleQueue()
        self._admitted: queue.SimpleQueue[Transaction | None] = queue.SimpleQueue()
        self._doors = [threading.Thread(target=self._door, name=f"ledger-door-{n}") for n in range(DOOR_THREADS)]
        self._writer = threading.Thread(target=self._run, name="ledger-writer")
        for thread in (*self._doors, self._writer):
            thread.daemon = True  # a process that forgets to close still ends; what was acknowledged is durable
            thread.start()

    @property
    def stopped(self) -> str:
        """Why the engine takes no more transactions, or nothing."""
        return self._reason

    def submit(self, wire: bytes) -> Future[Outcome]:
        """Send a transaction; see `Ledger.submit`."""
        future: Future[Outcome] = Future()
        with self._lock:  # so that nothing arrives behind the end
            if not self._reason and self._arrivals.qsize() + len(self._pending) < MAX_WAITING:
                self._arrivals.put((wire, future))
                return future
        error = Stopped(self._reason) if self._reason else Busy(f"{MAX_WAITING} transactions wait already")
        future.set_exception(error)
        return future

    def close(self) -> None:
        """Finish what was accepted, then let go of the store."""
        with self._lock:
            self._reason = self._reason or "the ledger is closed"
            for _ in self._doors:
                self._arrivals.put(None)
        for door in self._doors:
            door.join()
        self._admitted.put(None)
        self._writer.join()
        self._fail(Stopped(self._reason))
        self._store.close()

    # The door ---------------------------------------------------------------------------------------------------

    def _door(self) -> None:
        """Receive arrivals until told to end. Whatever else ends it is our bug, and stops the engine."""
        arrivals: list[tuple[bytes, Future[Outcome]]] = []
        ended = False
        try:
            while (first := self._arrivals.get()) is not None:
                arrivals = [first, *self._company()]
                self._receive(arrivals)
            ended = True
        finally:
            if not ended:
                self._stop(InvariantBroken("a door ended; the traceback is in the log"))
                for _, future in arrivals:
                    if not future.done():
                        future.set_exception(Stopped(self._reason))

    def _company(self) -> Iterator[tuple[bytes, Future[Outcome]]]:
        """Yield a few more arrivals, as many as leave work for the other doors."""
        for _ in range(min(DOOR_BATCH, self._arrivals.qsize() // DOOR_THREADS)):
            try:
                item = self._arrivals.get_nowait()
            except queue.Empty:
                return
            if item is None:
                self._arrivals.put(None)
                return
            yield item

    def _receive(self, arrivals: list[tuple[bytes, Future[Outcome]]]) -> None:
        """Decode, authenticate and admit; what holds goes to the writer, what does not is answered."""
        held: deque[tuple[Transaction, Future[Outcome]]] = deque()
        for wire, future in arrivals:
            if not future.set_running_or_notify_cancel():
                continue
            tx_id = b""
            try:
                transaction = self._kernel.decode(wire)
                tx_id = transaction.id
                self._verdicts.authenticate(transaction)
                held.append((transaction, future))
            except Rejected as refusal:
                future.set_result(_refused(tx_id, refusal))
        if not held:
            return
        try:
            self._admit(held)
        except (EngineError, UnsupportedRules) as error:
            for _, future in held:
                future.set_exception(error)

    def _admit(self, held: deque[tuple[Transaction, Future[Outcome]]]) -> None:
        """Check and authorise against the newest state what was authenticated, taking each from `held`."""
        now = self._now()
        with self._store.committed() as state:
            time = max(now, state.chain.time + 1)
            while held:
                transaction, future = held[0]
                try:
                    self._kernel.admit(transaction, state, time)
                except Rejected as refusal:
                    future.set_result(_refused(transaction.id, refusal))
                else:
                    self._enqueue(transaction, future)
                held.popleft()

    def _enqueue(self, transaction: Transaction, future: Future[Outcome]) -> None:
        with self._lock:
            if not self._dead and transaction.id not in self._pending:
                self._pending[transaction.id] = future
                self._admitted.put(transaction)
                return
        if self._dead:
            future.set_exception(Stopped(self._reason))
        else:
            refusal = Rejected(KernelReason.REPLAYED, tx=transaction.id.hex())
            future.set_result(_refused(transaction.id, refusal))

    # The writer -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Write blocks until told to end. Whatever else ends it is our bug, and stops the engine."""
        ended = False
        try:
            while (first := self._admitted.get()) is not None and self._write(first):
                pass
            ended = True
        finally:
            if not ended:
                self._stop(InvariantBroken("the writer ended; the traceback is in the log"))

    def _write(self, first: Transaction) -> bool:
        """Write one block of what waits. Returns whether to go on."""
        batch, more = self._take(first)
        try:
            header = self._commit(batch)
        except _LETHAL as error:
            self._stop(error)
            return False
        except EngineError as error:
            self._answer(batch, error)
            return more
        self.announce(header)
        return more

    def _take(self, first: Transaction) -> tuple[list[Transaction], bool]:
        """Return what waits, up to a block's limits, and whether more may come."""
        batch, size = [first], len(first.wire)
        while len(batch) < BLOCK_TRANSACTIONS and size < MAX_BLOCK_BYTES // 2:
            try:
                following = self._admitted.get_nowait()
            except queue.Empty:
                return batch, True
            if following is None:
                return batch, False
            batch.append(following)
            size += len(following.wire)
        return batch, True

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

    def _now(self, *, accept: bool = False) -> int:
        """Return the clock's time. Raises ClockJumped if it is not to be believed."""
        now = self._clock()
        jump = now - self._told
        if abs(jump) > MAX_CLOCK_JUMP_MS and not accept:
            raise ClockJumped(
                f"the clock is {abs(jump) // 86_400_000} days {'ahead of' if jump > 0 else 'behind'} the ledger. "
                "Set it right, or start the ledger once with --accept-clock"
            )
        self._told = now
        return now

    def _answer(self, batch: list[Transaction], error: SalusError) -> None:
        with self._lock:
            futures = [self._pending.pop(transaction.id) for transaction in batch]
        for future in futures:
            future.set_exception(error)

    def _stop(self, error: SalusError) -> None:
        """Take no more transactions, and say why for ever after."""
        self._reason = f"the ledger stopped: {type(error).__name__}: {error}"
        self._fail(Stopped(self._reason))

    def _fail(self, error: Stopped) -> None:
        with self._lock:
            self._dead = True
            futures = list(self._pending.values())
            self._pending.clear()
        for future in futures:
            future.set_exception(error)


def _refused(tx_id: bytes, refusal: Rejected) -> Outcome:
    return Outcome(tx_id, None, None, refusal.reason.code, b"", refusal)
