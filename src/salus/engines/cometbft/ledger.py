"""The ledger of a consortium, as its own node sees it: the port `Ledger` over the application and the engine beside it.

A transaction passes the same door as on the embedded engine, with the same refusals; the engine's mempool takes it
from there. Its outcome is what this node's own application persisted in the block that holds it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from salus.contracts.membership.port import validators
from salus.core.errors import Rejected, SalusError
from salus.core.kernel import Kernel, Transition
from salus.core.reasons import KernelReason
from salus.core.tables import View
from salus.core.transaction import Transaction
from salus.engines.cometbft.application import Application, Fault, ValidatorsOf
from salus.engines.cometbft.rpc import MAX_BATCH, EngineAway, EngineSilent
from salus.engines.cometbft.snapshotting import Snapshots
from salus.engines.door import Door, Verdicts, refused
from salus.engines.errors import Busy
from salus.engines.ports import Outcome
from salus.engines.store import Header, LedgerStore

SILENCE_MS: Final = 30_000  # three empty blocks: whoever hears none of them does not know the head
SWEEP_MS: Final = 1000
KNOWN_ALREADY: Final = "tx already exists in cache"


class Mempool(Protocol):
    """Where transactions wait for a block: `Rpc`, or its twin in memory."""

    def broadcast(self, wires: Sequence[bytes], /) -> list[str]:
        """Take transactions, and say of each what stands against it, or nothing. Raises EngineAway or EngineSilent."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def validators_of(view: View) -> Mapping[bytes, int]:
    """Return power by consensus key, as the membership contract has it."""
    return {row.consensus_key: row.power for _, row in validators(view) if row.power}


class CometLedger(Door):
    """The ledger of `store`, which is founded, ordered by CometBFT. `clock` gives Unix milliseconds."""

    _batch = MAX_BATCH

    def __init__(
        self,
        store: LedgerStore,
        kernel: Kernel,
        clock: Callable[[], int],
        mempool: Mempool,
        snapshots: Snapshots | None = None,
        *,
        report: Callable[[str, str], None] = lambda _event, _who: None,
        retain: Callable[[Header], int] = lambda _head: 0,
    ) -> None:
        """`retain` names the lowest block that the engine keeps, 0 for all.

        `report` is told of the first of each kind of fault of each validator (`validator.proposal`, its member id).
        """
        super().__init__(store, kernel, clock, Verdicts())
        self._snapshots = snapshots
        self._report = report
        self._retain = retain
        self._mempool = mempool
        self._sent: dict[bytes, Transaction] = {}
        """What the mempool was given, by id."""
        self._send_again = False
        self.faults: Counter[tuple[str, str]] = Counter()
        """How often which validator (member id) was seen to do or omit what (`Fault`), since this process began."""
        self._swept = 0
        self._heard = 0
        """When this process last saw a block, by its own clock; 0 before."""
        self._open()

    @property
    def reachable(self) -> bool:
        """Whether a block was heard of within the time of three empty ones."""
        return self._up and self._clock() - self._heard <= SILENCE_MS

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._up = value

    def application(self, version: str, initial_height: int, validators: ValidatorsOf = validators_of) -> Application:
        """Return a new application over this ledger's store, for one life of the engine.

        A mempool does not outlive its engine: what waited is handed in again after the first block of the new life.
        """
        self._send_again = True
        return Application(
            self._kernel,
            self._store,
            validators,
            clock=self._clock,
            version=version,
            initial_height=initial_height,
            verdicts=self._verdicts,
            on_commit=self._committed,
            on_refuse=self._refused,
            on_fault=self._fault,
            snapshots=self._snapshots,
            retain=self._retain,
        )

    def halt(self, error: SalusError) -> None:
        """Take no more transactions: the engine ended and will not be started again."""
        self._stop(error)

    def close(self) -> None:
        """Let go of the store. The engine has ended by then; what it has not ordered is answered Stopped."""
        if self._snapshots is not None:
            self._snapshots.close()
        super().close()
        self._mempool.close()

    def _carry(self, batch: list[Transaction]) -> bool:
        """Hand a batch to the mempool. What it keeps waits for its block, or for its expiry."""
        with self._lock:
            fresh = [transaction for transaction in batch if transaction.id not in self._sent]
            self._sent.update((transaction.id, transaction) for transaction in batch)
        try:
            said = self._broadcast([transaction.wire for transaction in batch])
        except EngineAway as error:
            self._give_up(fresh, str(error))
        except EngineSilent:
            pass  # perhaps it has them: a block or the expiry will tell
        else:
            against = {
                one.id: told for one, told in zip(batch, said, strict=True) if told and KNOWN_ALREADY not in told
            }
            self._give_up([one for one in fresh if one.id in against], next(iter(against.values()), ""))
        return True

    def _give_up(self, batch: list[Transaction], why: str) -> None:
        """Answer what the engine never had."""
        with self._lock:
            for transaction in batch:
                self._sent.pop(transaction.id, None)
        self._answer(batch, Busy(why))

    def _broadcast(self, wires: list[bytes]) -> list[str]:
        try:
            return self._mempool.broadcast(wires)
        except (
            EngineSilent
        ) as error:  # often a connection to an engine that is no more; twice sent is once in the mempool
            try:
                return self._mempool.broadcast(wires)
            except EngineAway:
                raise error from None

    # What the application tells, on its thread -------------------------------------------------------------------

    def _committed(self, transition: Transition) -> None:
        """Answer whose transactions the block holds, and whose can stand in none any longer."""
        self._heard = self._clock()
        chain = transition.chain
        first = chain.log.size - len(transition.leaves)
        for at, (transaction, result) in enumerate(zip(transition.block.transactions, transition.results, strict=True)):
            outcome = Outcome(transaction.id, chain.height, first + at, result.code, result.data, result.refusal)
            self._settle(transaction.id, outcome)
        if chain.time - self._swept >= SWEEP_MS:
            self._sweep(chain.time)
        if self._send_again:
            self._send_again = False
            with self._lock:
                waiting = tuple(self._sent.values())
            for transaction in waiting:
                self._admitted.put(transaction)
        self.announce(self._store.head())

    def _refused(self, tx_id: bytes, refusal: Rejected) -> None:
        if refusal.reason is not KernelReason.REPLAYED:  # of that, the block has told already
            self._settle(tx_id, refused(tx_id, refusal))

    def _fault(self, fault: Fault, address: bytes) -> None:
        """Count a fault under the member's name; an address of nobody is one of no validator here any more."""
        for member, row in validators(self.read()):
            if hashlib.sha256(row.consensus_key).digest()[: len(address)] == address:
                self.faults[member, fault.value] += 1
                if self.faults[member, fault.value] == 1:
                    self._report(f"validator.{fault.value}", member)

    def _settle(self, tx_id: bytes, outcome: Outcome) -> None:
        with self._lock:
            future = self._pending.pop(tx_id, None)
            self._sent.pop(tx_id, None)
        if future is not None:
            future.set_result(outcome)

    def _sweep(self, time: int) -> None:
        """Answer what has expired by block time: no honest node lets it into a block any more."""
        self._swept = time
        with self._lock:
            past = [tx_id for tx_id, transaction in self._sent.items() if transaction.body.expiry <= time]
        for tx_id in past:
            refusal = Rejected(KernelReason.EXPIRED, time=time)
            self._settle(tx_id, refused(tx_id, refusal))
