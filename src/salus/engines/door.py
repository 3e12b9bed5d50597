"""The door of a ledger that takes transactions in this process, whoever orders them then.

A transaction is decoded, authenticated and admitted on one of the door's threads (a signature is verified without the
interpreter's lock), then waits for the one carrier, which takes whatever waits as one batch.
"""

import hashlib
import queue
import threading
from abc import abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

from salus.core.errors import InvariantBroken, Rejected, SalusError
from salus.core.kernel import MAX_BLOCK_BYTES, Kernel
from salus.core.reasons import KernelReason
from salus.core.rules import UnsupportedRules
from salus.core.transaction import Transaction
from salus.engines.errors import Busy, EngineError, Stopped
from salus.engines.ledger import StoredLedger
from salus.engines.ports import Outcome
from salus.engines.store import LedgerStore

MAX_WAITING: Final = 20_000  # a few seconds of work; a sender that is told so can wait by itself
DOOR_THREADS: Final = 2  # one per core verifying; more only fight for the interpreter
DOOR_BATCH: Final = 32  # admitted on one reading of the state
VERDICTS: Final = 65_536  # remembered "this key signed these bytes": twice the mempool, 8 MB


class Verdicts:
    """Remembers, under SHA-256 of the whole wire bytes, that the keys in them signed them. Nothing else."""

    def __init__(self, size: int = VERDICTS) -> None:
        self._size = size
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, transaction: Transaction) -> bool:
        """Return whether the signatures were verified before, and held."""
        with self._lock:
            return hashlib.sha256(transaction.wire).digest() in self._known

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


class Door(StoredLedger):
    """A ledger with a door. What comes through it is `_carry`'d, a batch at a time; `clock` gives Unix milliseconds."""

    _batch: int
    """The most transactions of one batch."""

    def __init__(
        self, store: LedgerStore, kernel: Kernel, clock: Callable[[], int], verdicts: Verdicts | None = None
    ) -> None:
        super().__init__(store)
        self._kernel = kernel
        self._clock = clock
        self._verdicts = verdicts or Verdicts()
        self._lock = threading.Lock()
        self._pending: dict[bytes, Future[Outcome]] = {}
        self._reason = ""
        self._dead = False
        self._arrivals: queue.SimpleQueue[tuple[bytes, Future[Outcome]] | None] = queue.SimpleQueue()
        self._admitted: queue.SimpleQueue[Transaction | None] = queue.SimpleQueue()
        self._doors = [threading.Thread(target=self._door, name=f"ledger-door-{n}") for n in range(DOOR_THREADS)]
        self._carrier = threading.Thread(target=self._run, name="ledger-carrier")

    def _open(self) -> None:
        """Begin to take transactions."""
        for thread in (*self._doors, self._carrier):
            thread.daemon = True  # a process that forgets to close still ends; what was acknowledged is durable
            thread.start()

    @abstractmethod
    def _carry(self, batch: list[Transaction]) -> bool:
        """Take a batch on towards its block. Returns whether to go on."""

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
        self._carrier.join()
        self._fail(Stopped(self._reason))
        self._store.close()

    def _now(self) -> int:
        """Return the clock's time."""
        return self._clock()

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
                future.set_result(refused(tx_id, refusal))
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
                    future.set_result(refused(transaction.id, refusal))
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
            future.set_result(refused(transaction.id, refusal))

    # The carrier ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Carry batches until told to end. Whatever else ends it is our bug, and stops the engine."""
        ended = False
        try:
            more = True
            while more and (first := self._admitted.get()) is not None:
                batch, more = self._take(first)
                more = self._carry(batch) and more
            ended = True
        finally:
            if not ended:
                self._stop(InvariantBroken("the carrier ended; the traceback is in the log"))

    def _take(self, first: Transaction) -> tuple[list[Transaction], bool]:
        """Return what waits, up to a block's limits, and whether more may come."""
        batch, size = [first], len(first.wire)
        while len(batch) < self._batch and size < MAX_BLOCK_BYTES // 2:
            try:
                following = self._admitted.get_nowait()
            except queue.Empty:
                return batch, True
            if following is None:
                return batch, False
            batch.append(following)
            size += len(following.wire)
        return batch, True

    def _answer(self, batch: list[Transaction], error: SalusError) -> None:
        """Tell the senders of a batch what became of it; whose answer came already is left alone."""
        with self._lock:
            futures = [self._pending.pop(transaction.id, None) for transaction in batch]
        for future in futures:
            if future is not None:
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


def refused(tx_id: bytes, refusal: Rejected) -> Outcome:
    """Return the outcome of what was refused and stands in no block."""
    return Outcome(tx_id, None, None, refusal.reason.code, b"", refusal)
