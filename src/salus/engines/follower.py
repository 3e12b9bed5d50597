"""The follower: a member in another process that replays the owner's blocks, checks every one, and cosigns.

It computes what the owner computed and compares. That the owner showed the same blocks to everybody is not its to
know: it believes the order until the others' cosignatures agree. A block that gives another digest here, or a
rewritten past, ends the exchange for good, and both sides' digests are in the error.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Protocol

from salus.core.errors import InvariantBroken, Rejected, SalusError
from salus.core.kernel import MAX_BLOCK_TRANSACTIONS, Block, Kernel
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.rules import UnsupportedRules
from salus.core.transaction import Transaction
from salus.engines.checkpoints import Cosigning
from salus.engines.door import Verdicts
from salus.engines.errors import Diverged, EngineError, NotKept, OtherLedger, Stopped, StoreDamaged, StoreFailed
from salus.engines.ledger import StoredLedger
from salus.engines.ports import Ledger, Outcome
from salus.engines.store import LedgerStore, StoredBlock

VERIFY_THREADS: Final = 2
POLL_SECONDS: Final = 1.0  # how long a source may keep us waiting for news before it answers that there is none
RETRY_SECONDS: Final = 1.0
MAX_TIME_AHEAD_MS: Final = 24 * 3600 * 1000  # an owner's clock this far ahead of ours is wrong, or a trick


class SourceUnavailable(EngineError):
    """The owner does not answer. The follower tries again."""


class BlockSource(Protocol):
    """Where a follower gets blocks, and hands in transactions and cosignatures: the owner's node.

    Every method raises SourceUnavailable if the owner does not answer. The node implements it over HTTP.
    """

    def document(self) -> bytes:
        """Return the genesis document."""
        ...

    def founded(self) -> int:
        """Return the time of block 0, Unix milliseconds."""
        ...

    def block(self, height: int) -> StoredBlock | None:
        """Return one block, or None if the owner has none of that height."""
        ...

    def blocks(self, from_height: int, timeout: float) -> Iterator[StoredBlock]:
        """Yield blocks from `from_height` on; if there are none, wait for news up to `timeout` seconds."""
        ...

    def submit(self, wire: bytes) -> Future[Outcome]:
        """Send a transaction to the owner."""
        ...

    def offer(self, checkpoint: Checkpoint) -> None:
        """Hand in our cosignature."""
        ...

    def offer_change(self, change: CosignerChange) -> None:
        """Hand in our signature of a change of the cosigners."""
        ...

    def checkpoints(self, from_size: int) -> list[Checkpoint]:
        """Return checkpoints that others signed, from a log size on, ascending."""
        ...

    def release(self) -> None:
        """End a wait for news that is under way, and every later one: the follower stops."""
        ...


class LedgerSource:
    """The in-process twin: the owner's ledger itself."""

    def __init__(self, ledger: Ledger, cosigning: Cosigning) -> None:
        self._ledger = ledger
        self._cosigning = cosigning
        self._news = threading.Event()
        self._released = False

    def document(self) -> bytes:
        """Return the genesis document."""
        return self._ledger.store.document

    def founded(self) -> int:
        """Return the time of block 0, Unix milliseconds."""
        return self._ledger.store.header(0).time

    def block(self, height: int) -> StoredBlock | None:
        """Return one block, or None."""
        return self._ledger.store.block(height) if height <= self._ledger.head().height else None

    def blocks(self, from_height: int, timeout: float) -> Iterator[StoredBlock]:
        """Yield blocks from `from_height` on; if there are none, wait for news up to `timeout` seconds."""
        if self._ledger.head().height < from_height:
            news = self._news = threading.Event()
            end = self._ledger.subscribe(lambda _: news.set())
            if self._ledger.head().height < from_height and not self._released:
                news.wait(timeout)
            end()
        return self._ledger.blocks(from_height)

    def submit(self, wire: bytes) -> Future[Outcome]:
        """Send a transaction to the owner."""
        return self._ledger.submit(wire)

    def offer(self, checkpoint: Checkpoint) -> None:
        """Hand in a cosignature."""
        self._cosigning.offer(checkpoint)

    def offer_change(self, change: CosignerChange) -> None:
        """Hand in a signature of a change of the cosigners."""
        self._cosigning.offer_change(change)

    def checkpoints(self, from_size: int) -> list[Checkpoint]:
        """Return checkpoints that others signed, from a log size on."""
        return self._cosigning.book.since(from_size)

    def release(self) -> None:
        """End a wait for news."""
        self._released = True
        self._news.set()


def join(store: LedgerStore, kernel: Kernel, source: BlockSource, network: bytes) -> None:
    """Found a follower's store from the owner's genesis document, which must be that of `network`.

    Does nothing if the store holds that ledger already. Raises OtherLedger, Diverged or SourceUnavailable.
    """
    if not store.founded:
        document = source.document()
        with store.empty() as empty:
            transition = kernel.genesis(document, source.founded(), empty)
        if transition.chain.network != network:
            raise OtherLedger(f"the owner's network is {transition.chain.network.hex()}, expected {network.hex()}")
        theirs = source.block(0)
        if theirs is None or theirs.app_hash != transition.chain.app_hash:
            raise Diverged(f"the genesis gives {transition.chain.app_hash.hex()} here, another digest at the owner")
        store.found(document, transition)
    if store.chain().network != network:
        raise OtherLedger(f"the store's network is {store.chain().network.hex()}, expected {network.hex()}")


class Follower(StoredLedger):
    """A ledger that another process orders. `join` founds its store first.

    `step` replays what is new; `start` keeps doing so on a thread. `clock` gives Unix milliseconds.
    """

    def __init__(
        self, store: LedgerStore, kernel: Kernel, source: BlockSource, cosigning: Cosigning, clock: Callable[[], int]
    ) -> None:
        super().__init__(store)
        self._kernel = kernel
        self._source = source
        self._cosigning = cosigning
        self._clock = clock
        self._verdicts = Verdicts()
        self._verifiers = ThreadPoolExecutor(VERIFY_THREADS, "ledger-verify")
        self._lock = threading.Lock()
        self._awaited: list[tuple[Outcome, Future[Outcome]]] = []
        self._reason = ""
        self._offered = 0
        self._compared = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stopped(self) -> str:
        """Why the follower takes no more blocks, or nothing."""
        return self._reason

    def start(self) -> None:
        """Follow on a thread until closed."""
        self._thread = threading.Thread(target=self._run, name="ledger-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin to stop: a poll of the owner that is under way is the last. For who closes several, one after the other."""
        self._reason = self._reason or "the ledger is closed"
        self._ended.set()
        self._source.release()

    def close(self) -> None:
        """Stop following and let go of the store."""
        self.stop()
        self._answer()
        if self._thread is not None:
            self._thread.join()
        self._verifiers.shutdown()
        self._store.close()

    def submit(self, wire: bytes) -> Future[Outcome]:
        """Send a transaction to the owner; its outcome is the one computed here. See `Ledger.submit`."""
        answer: Future[Outcome] = Future()
        if self._reason:
            answer.set_exception(Stopped(self._reason))
            return answer
        try:
            sent = self._source.submit(wire)
        except EngineError as error:
            answer.set_exception(error)
            return answer
        sent.add_done_callback(lambda told: self._confirm(told, answer))
        return answer

    def _confirm(self, told: Future[Outcome], answer: Future[Outcome]) -> None:
        """Answer with what this node computed, once it has replayed the block that the owner names."""
        error = told.exception()
        if error is not None:
            answer.set_exception(error)
        elif told.result().height is None:
            answer.set_result(told.result())
        else:
            with self._lock:
                self._awaited.append((told.result(), answer))
            self._answer()

    def _answer(self) -> None:
        """Answer whoever waits for a block that was replayed by now, or for one that will not come any more."""
        head = -1 if self._reason else self._store.head().height
        with self._lock:
            due = [one for one in self._awaited if self._reason or (one[0].height or 0) <= head]
            self._awaited = [one for one in self._awaited if one not in due]
        for theirs, answer in due:
            ours = None if self._reason else self.outcome(theirs.tx_id)
            if ours is None:
                answer.set_exception(Stopped(self._reason or f"block {theirs.height} here lacks what the owner told"))
            else:
                answer.set_result(replace(ours, refusal=theirs.refusal))

    # Following --------------------------------------------------------------------------------------------------

    def step(self, timeout: float = 0) -> int:
        """Replay what is new, cosign, exchange cosignatures; return how many blocks came.

        Raises SourceUnavailable (try again), StoreFull (make room), or stops for good with Diverged or Stopped.
        """
        if self._reason:
            raise Stopped(self._reason)
        try:
            return self._step(timeout)
        except (Diverged, InvariantBroken, UnsupportedRules, StoreFailed, StoreDamaged) as error:
            self._reason = f"the follower stopped: {type(error).__name__}: {error}"
            self._answer()
            raise

    def _step(self, timeout: float) -> int:
        if not self._compared:
            self._compare_past()
        count = 0
        for block in self._source.blocks(self._store.head().height + 1, timeout):
            self._replay(block)
            count += 1
            if self._ended.is_set():
                break
        if count:
            self._cosigning.advance()
        else:
            self._cosigning.quiet()
        self._exchange()
        return count

    def _compare_past(self) -> None:
        """Check that the owner still has the block we ended with. Raises Diverged."""
        ours = self._store.head()
        theirs = self._source.block(ours.height)
        if theirs is None:
            raise Diverged(f"the owner's ledger ends before block {ours.height}, which it gave us")
        if theirs.app_hash != ours.app_hash:
            raise Diverged(
                f"block {ours.height} was {ours.app_hash.hex()} when we replayed it, "
                f"and is {theirs.app_hash.hex()} at the owner now"
            )
        self._compared = True

    def _replay(self, block: StoredBlock) -> None:
        """Execute a block and keep it if it gives the owner's digest. Raises Diverged."""
        head = self._store.head()
        if block.height != head.height + 1 or block.time <= head.time:
            raise Diverged(f"block {block.height} at {block.time} cannot follow {head.height} at {head.time}")
        if block.time > self._clock() + MAX_TIME_AHEAD_MS:
            raise Diverged(f"block {block.height} is dated more than a day ahead of the clock here")
        if len(block.transactions) > MAX_BLOCK_TRANSACTIONS:
            raise Diverged(f"block {block.height} holds {len(block.transactions)} transactions")
        try:
            transactions = tuple(self._verifiers.map(self._receive, block.transactions))
        except Rejected as refusal:
            raise Diverged(f"block {block.height} holds a transaction that never enters one: {refusal}") from refusal
        with self._store.committed() as before:
            transition = self._kernel.transition(before, Block(block.height, block.time, transactions))
        if transition.chain.app_hash != block.app_hash:
            raise Diverged(
                f"block {block.height} gives {transition.chain.app_hash.hex()} here and {block.app_hash.hex()} "
                "at the owner"
            )
        self._store.commit(transition)
        self._answer()
        self.announce(self._store.head())

    def _receive(self, wire: bytes) -> Transaction:
        transaction = self._kernel.decode(wire)
        self._verdicts.authenticate(transaction)
        return transaction

    def _exchange(self) -> None:
        """Hand in what we signed since the last time, and take what others signed. Raises Fork."""
        new = self._cosigning.book.since(self._offered)
        for checkpoint in new:
            self._source.offer(checkpoint)
        for change in self._cosigning.book.changes():
            if change.size >= self._offered:
                self._source.offer_change(change)
        for theirs in self._source.checkpoints(self._offered):
            try:
                self._cosigning.offer(theirs)
            except NotKept:  # newer than what we replayed: it comes again
                break
        if new:
            self._offered = new[-1].size

    def _run(self) -> None:
        ended = False
        try:
            while not self._ended.is_set():
                try:
                    self.step(POLL_SECONDS)
                    self.reachable = True
                except Diverged:
                    break
                except (InvariantBroken, UnsupportedRules, StoreFailed, StoreDamaged, Stopped):
                    break
                except SalusError:  # the owner is away or the disk is full: both may pass
                    self.reachable = False
                    self._ended.wait(RETRY_SECONDS)
            ended = True
        finally:
            if not ended:
                self._reason = self._reason or "the follower ended by a bug; the traceback is in the log"
