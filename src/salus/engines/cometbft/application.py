"""The ledger behind CometBFT: the same kernel, the same store, the same bytes, ordered by the consortium (ABCI 2.0).

FinalizeBlock computes, Commit persists; Info answers from what Commit wrote, in one reading.

Time. A block's time is that of the commit before it, so on an idle chain one proposer could date a transaction of its
own back by the whole pause. Therefore a proposal holds no transaction whose expiry is not in (block time, block time +
10 min], and an honest proposer whose clock is more than 15 s ahead of the block's time, after a halt, proposes an
empty block first: the waiting transactions follow at once, with fresh time.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Final

from salus.core.errors import InvariantBroken, Rejected
from salus.core.kernel import MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS, Block, Committed, Kernel, Transition
from salus.core.reasons import KernelReason
from salus.core.tables import LayeredReader, View
from salus.core.transaction import MAX_LIFE_MS, Transaction
from salus.engines.cometbft.schema import MESSAGES
from salus.engines.cometbft.snapshotting import CHUNK_ABORT, OFFER_ABORT, Snapshots
from salus.engines.door import Verdicts
from salus.engines.embedded import found
from salus.engines.errors import OtherLedger
from salus.engines.store import Header, LedgerStore

APP_VERSION: Final = 1
STALE_MS: Final = 15_000  # a proposal this far behind the proposer's clock follows a halt
TX_OVERHEAD: Final = 5  # protobuf bytes that CometBFT counts for each transaction of a proposal
RECHECK: Final = 1
ACCEPT: Final = 1
REJECT: Final = 2
COMMITTED: Final = 2  # a validator's flag in a commit: it signed this block
MAX_WAITING: Final = 20_000  # the size of the mempool
VERIFYING_THREADS: Final = 2  # more only fight for the interpreter

ValidatorsOf = Callable[[View], Mapping[bytes, int]]
"""The validator set as the ledger's own table has it: power by Ed25519 public key (32 bytes)."""


class Fault(StrEnum):
    """What a validator did, or left undone."""

    PROPOSAL = "proposal"
    """It proposed a block that honest nodes refuse."""
    ABSENT = "absent"
    """It did not sign the block before."""
    MISBEHAVIOR = "misbehavior"
    """It signed two things of which one at most may be signed; CometBFT has the evidence in its block."""


class Application:
    """Answers ABCI requests for one ledger. Not thread-safe: the server runs one request at a time."""

    def __init__(
        self,
        kernel: Kernel,
        store: LedgerStore,
        validators: ValidatorsOf,
        *,
        clock: Callable[[], int],
        version: str,
        initial_height: int = 1,
        verdicts: Verdicts | None = None,
        on_commit: Callable[[Transition], None] = lambda _: None,
        on_refuse: Callable[[bytes, Rejected], None] = lambda _id, _refusal: None,
        on_fault: Callable[[Fault, bytes], None] = lambda _fault, _address: None,
        snapshots: Snapshots | None = None,
        retain: Callable[[Header], int] = lambda _head: 0,
    ) -> None:
        """`clock` gives Unix ms and never enters a state transition; `verdicts` may be shared with the node's door.

        `on_commit` hears of what was persisted, `on_refuse` of the id of a transaction that CheckTx refused, and why,
        `on_fault` of what a validator, named by its address in CometBFT, did or left undone.
        `snapshots` answers what is asked about them; without it none is offered or taken.
        `retain` names the lowest block that the engine keeps after a commit, 0 for all.
        `initial_height` is the genesis file's: the height of the first block that CometBFT orders.
        """
        self._kernel = kernel
        self._store = store
        self._validators = validators
        self._clock = clock
        self._version = version
        self._initial_height = initial_height
        self._on_commit = on_commit
        self._on_refuse = on_refuse
        self._on_fault = on_fault
        self._snapshots = snapshots
        self._retain = retain
        self._verdicts = verdicts or Verdicts()
        self._threads = ThreadPoolExecutor(VERIFYING_THREADS, thread_name_prefix="abci-verify")
        self._pending: Transition | None = None
        self._waiting: dict[bytes, Transaction] = {}
        """What is in the mempool, by its wire bytes: decoded once for the mempool, the proposals and the block."""
        self._wires: dict[bytes, bytes] = {}
        """Transaction id → its wire bytes in the mempool."""
        self._time = store.head().time if store.founded else 0
        """Time of the newest block."""

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def answer(self, kind: str, request: Any) -> Any:
        """Carry out one request. Any exception stops the node and its engine."""
        return _ANSWERS[kind](self, request)

    def _authentic(self, transactions: Sequence[Transaction]) -> list[bool]:
        """Return for each transaction whether its signatures hold; each verified once, on threads."""
        fresh = [one for one in transactions if not self._verdicts.known(one)]
        verified = dict(zip((one.wire for one in fresh), self._threads.map(self._holds, fresh), strict=True))
        return [verified.get(one.wire, True) for one in transactions]

    def _decode(self, wire: bytes) -> Transaction:
        """Return the transaction in `wire`. Raises Rejected(MALFORMED)."""
        return self._waiting.get(wire) or self._kernel.decode(wire)

    def _holds(self, transaction: Transaction) -> bool:
        try:
            self._verdicts.authenticate(transaction)
        except Rejected:
            return False
        return True

    # Founding ---------------------------------------------------------------------------------------------------

    def info(self, _request: Any) -> Any:
        """Say what the store holds; height 0 until CometBFT's first block is committed.

        CometBFT panics unless it hears 0 until its first Commit, whatever height an imported ledger has reached.
        """
        head = self._store.head() if self._store.founded else None
        height, app_hash = 0, b""
        if head is not None and head.height >= self._initial_height:
            height, app_hash = head.height, head.app_hash
        return MESSAGES["ResponseInfo"](
            data="salus",
            version=self._version,
            app_version=APP_VERSION,
            last_block_height=height,
            last_block_app_hash=app_hash,
        )

    def init_chain(self, request: Any) -> Any:
        """Found the ledger that `app_state_bytes` names, or go on with it.

        JSON: the genesis document, and the digest of the ledger if another engine has ordered it up to here (both
        hexadecimal). A crash before the first Commit runs InitChain again, on a store that is founded by then.
        """
        told = json.loads(request.app_state_bytes)
        document, app_hash = bytes.fromhex(told["document"]), bytes.fromhex(told["app_hash"])
        if not self._store.founded:
            # The first block has the genesis time itself, and block time must rise.
            found(self._store, self._kernel, document, _milliseconds(request.time) - 1)
        head = self._store.head()
        here = (self._store.document, head.height, head.app_hash)
        if here != (document, self._initial_height - 1, app_hash or head.app_hash):
            raise OtherLedger("the folder holds another ledger, or another height, than CometBFT's genesis names")
        powers = self._validators(self._store.read())
        return MESSAGES["ResponseInitChain"](
            validators=[_update(key, power) for key, power in sorted(powers.items())], app_hash=head.app_hash
        )

    # Mempool ----------------------------------------------------------------------------------------------------

    def check_tx(self, request: Any) -> Any:
        """Say at the door what a block would surely refuse; answer a recheck from what the first check found."""
        waiting = self._waiting.get(request.tx) if request.type == RECHECK else None
        if waiting is not None:
            return MESSAGES["ResponseCheckTx"](code=self._recheck(waiting))
        with self._store.committed() as state:
            now = max(self._clock(), state.chain.time)
            tx_id = b""
            try:
                transaction = self._kernel.decode(request.tx)
                tx_id = transaction.id
                self._verdicts.authenticate(transaction)
                self._kernel.admit(transaction, state, now)
            except Rejected as refusal:
                self._on_refuse(tx_id, refusal)
                return MESSAGES["ResponseCheckTx"](code=refusal.reason.code, log=str(refusal))
        self._waiting[request.tx] = transaction
        self._wires[transaction.id] = request.tx
        return MESSAGES["ResponseCheckTx"]()

    def _recheck(self, transaction: Transaction) -> int:
        """Return a code from memory alone: CometBFT rechecks everything that waits after each block.

        What a block held waits no more (`_settle`), so that its recheck is a first check, which finds it in the log.
        """
        if transaction.body.expiry > max(self._clock(), self._time):
            return 0
        self._drop(transaction)
        return KernelReason.EXPIRED.code

    def _drop(self, transaction: Transaction) -> None:
        self._waiting.pop(transaction.wire, None)
        wire = self._wires.pop(transaction.id, None)  # the same body may wait under another signature
        if wire is not None:
            self._waiting.pop(wire, None)

    # Consensus --------------------------------------------------------------------------------------------------

    def prepare_proposal(self, request: Any) -> Any:
        """Choose from the mempool what an honest proposer proposes: whole, authentic, timely, unseen."""
        time = _milliseconds(request.time)
        if self._clock() - time > STALE_MS:
            return MESSAGES["ResponsePrepareProposal"]()
        candidates: dict[bytes, Transaction] = {}
        with self._store.committed() as state:
            for wire in request.txs:
                try:
                    transaction = self._decode(wire)
                except Rejected:
                    continue
                if _timely(transaction, time) and not state.seen(transaction.id):
                    candidates.setdefault(transaction.id, transaction)
        transactions = list(candidates.values())
        chosen: list[bytes] = []
        size = 0
        for transaction, holds in zip(transactions, self._authentic(transactions), strict=True):
            size += len(transaction.wire) + TX_OVERHEAD
            if size > min(request.max_tx_bytes, MAX_BLOCK_BYTES) or len(chosen) == MAX_BLOCK_TRANSACTIONS:
                break
            if holds:
                chosen.append(transaction.wire)
        return MESSAGES["ResponsePrepareProposal"](txs=chosen)

    def process_proposal(self, request: Any) -> Any:
        """Accept exactly the proposals whose every transaction decodes, is authentic and timely."""
        accepted = self._acceptable(request.txs, _milliseconds(request.time))
        if not accepted:
            self._on_fault(Fault.PROPOSAL, request.proposer_address)
        return MESSAGES["ResponseProcessProposal"](status=ACCEPT if accepted else REJECT)

    def _acceptable(self, wires: Sequence[bytes], time: int) -> bool:
        if len(wires) > MAX_BLOCK_TRANSACTIONS:
            return False
        try:
            transactions = [self._decode(wire) for wire in wires]
        except Rejected:
            return False
        timely = all(_timely(transaction, time) for transaction in transactions)
        return timely and all(self._authentic(transactions))

    def finalize_block(self, request: Any) -> Any:
        """Execute a decided block. Nothing is persisted before Commit."""
        for vote in request.decided_last_commit.votes:
            if vote.block_id_flag != COMMITTED:
                self._on_fault(Fault.ABSENT, vote.validator.address)
        for seen in request.misbehavior:
            self._on_fault(Fault.MISBEHAVIOR, seen.validator.address)
        transactions = tuple(self._decode(wire) for wire in request.txs)
        if not all(self._authentic(transactions)):
            raise InvariantBroken("a decided block holds a signature that does not verify")
        block = Block(request.height, _milliseconds(request.time), transactions)
        with self._store.committed() as before:
            self._pending = transition = self._kernel.transition(before, block)
            updates = self._validator_updates(before, transition)
        result = MESSAGES["ExecTxResult"]
        return MESSAGES["ResponseFinalizeBlock"](
            tx_results=[result(code=one.code, data=one.data) for one in transition.results],
            validator_updates=updates,
            app_hash=transition.chain.app_hash,
        )

    def _validator_updates(self, before: Committed, transition: Transition) -> list[Any]:
        if not transition.rows:
            return []
        old = self._validators(View(before.rows))
        new = self._validators(View(LayeredReader(transition.rows, before.rows)))
        changed = {key: new.get(key, 0) for key in {**old, **new} if old.get(key, 0) != new.get(key, 0)}
        return [_update(key, power) for key, power in sorted(changed.items())]

    def commit(self, _request: Any) -> Any:
        """Persist what FinalizeBlock computed, in one atomic step."""
        if self._pending is None:
            raise InvariantBroken("Commit without FinalizeBlock")
        transition, self._pending = self._pending, None
        self._store.commit(transition)
        self._settle(transition.block)
        self._on_commit(transition)
        head = self._store.head()
        if self._snapshots:
            self._snapshots.heard(head)
        return MESSAGES["ResponseCommit"](retain_height=self._retain(head))

    def _settle(self, block: Block) -> None:
        """Let go of what waited for this block; of what waited too long, once more is known than the mempool holds."""
        self._time = block.time
        for transaction in block.transactions:
            self._drop(transaction)
        if len(self._waiting) > MAX_WAITING:
            for transaction in [one for one in self._waiting.values() if one.body.expiry <= block.time]:
                self._drop(transaction)

    def extend_vote(self, _request: Any) -> Any:
        """Vote extensions are off on our networks; CometBFT may ask all the same."""
        return MESSAGES["ResponseExtendVote"]()

    def verify_vote_extension(self, request: Any) -> Any:
        """Refuse an extension that nobody should have made."""
        return MESSAGES["ResponseVerifyVoteExtension"](status=REJECT if request.vote_extension else ACCEPT)

    # Snapshots --------------------------------------------------------------------------------------------------

    def list_snapshots(self, _request: Any) -> Any:
        """Offer the snapshots that this node keeps."""
        return self._snapshots.listed() if self._snapshots else MESSAGES["ResponseListSnapshots"]()

    def load_snapshot_chunk(self, request: Any) -> Any:
        """Hand out a chunk."""
        return self._snapshots.loaded(request) if self._snapshots else MESSAGES["ResponseLoadSnapshotChunk"]()

    def offer_snapshot(self, request: Any) -> Any:
        """Take a snapshot that proves itself, where one is wanted."""
        if self._snapshots:
            return self._snapshots.offered(request)
        return MESSAGES["ResponseOfferSnapshot"](result=OFFER_ABORT)

    def apply_snapshot_chunk(self, request: Any) -> Any:
        """Take a chunk of the snapshot that was accepted."""
        if self._snapshots:
            return self._snapshots.applied(request)
        return MESSAGES["ResponseApplySnapshotChunk"](result=CHUNK_ABORT)

    # What our networks do not use -------------------------------------------------------------------------------

    def insert_tx(self, _request: Any) -> Any:
        """Refuse: transactions come through CometBFT's own mempool, which asks CheckTx (0.40 knows another kind)."""
        return MESSAGES["ResponseInsertTx"](code=1)

    def reap_txs(self, _request: Any) -> Any:
        """Hold no transactions of our own."""
        return MESSAGES["ResponseReapTxs"]()

    # Queries ----------------------------------------------------------------------------------------------------

    def query(self, request: Any) -> Any:
        """Answer `/head` with the height of the newest committed block; the node's own API answers all else."""
        if request.path != "/head" or not self._store.founded:
            return MESSAGES["ResponseQuery"](code=1, log="only /head is answered here")
        head = self._store.head()
        return MESSAGES["ResponseQuery"](height=head.height, value=head.app_hash)


def _milliseconds(time: Any) -> int:
    return int(time.seconds) * 1000 + int(time.nanos) // 1_000_000


def _timely(transaction: Transaction, time: int) -> bool:
    return time < transaction.body.expiry <= time + MAX_LIFE_MS


def _update(key: bytes, power: int) -> Any:
    return MESSAGES["ValidatorUpdate"](pub_key=MESSAGES["PublicKey"](ed25519=key), power=power)


_ANSWERS: Final[Mapping[str, Callable[[Application, Any], Any]]] = {
    "info": Application.info,
    "init_chain": Application.init_chain,
    "check_tx": Application.check_tx,
    "prepare_proposal": Application.prepare_proposal,
    "process_proposal": Application.process_proposal,
    "finalize_block": Application.finalize_block,
    "commit": Application.commit,
    "extend_vote": Application.extend_vote,
    "verify_vote_extension": Application.verify_vote_extension,
    "list_snapshots": Application.list_snapshots,
    "offer_snapshot": Application.offer_snapshot,
    "load_snapshot_chunk": Application.load_snapshot_chunk,
    "apply_snapshot_chunk": Application.apply_snapshot_chunk,
    "insert_tx": Application.insert_tx,
    "reap_txs": Application.reap_txs,
    "query": Application.query,
}
