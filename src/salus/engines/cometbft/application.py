"""The ledger behind CometBFT: the same kernel, the same bytes, ordered by the consortium (ABCI 2.0).

FinalizeBlock computes, Commit persists; Info answers from the transaction that Commit wrote. Until the first Commit
the founding of the ledger is only in memory, so that a crash before it runs InitChain again.

Time. A block's time is that of the commit before it, so on an idle chain one proposer could date a transaction of its
own back by the whole pause. Therefore a proposal holds no transaction whose expiry is not in (block time, block time +
10 min], and an honest proposer whose clock is more than 15 s ahead of the block's time, after a halt, proposes an
empty block first: the waiting transactions follow at once, with fresh time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from salus.core.errors import InvariantBroken, Rejected, SalusError
from salus.core.kernel import MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS, Block, Committed, Kernel, Transition
from salus.core.reasons import KernelReason
from salus.core.tables import LayeredReader, View
from salus.core.transaction import MAX_LIFE_MS, Transaction
from salus.engines.cometbft.schema import MESSAGES

ABCI_VERSION: Final = "2.0.0"
APP_VERSION: Final = 1
STALE_MS: Final = 15_000  # a proposal this far behind the proposer's clock follows a halt
TX_OVERHEAD: Final = 5  # protobuf bytes that CometBFT counts for each transaction of a proposal
CHECK_RECHECK: Final = 1
ACCEPT, REJECT = 1, 2
SNAPSHOT_REJECT: Final = 3


class LedgerStore(Protocol):
    """Where the ledger lies. `commit` writes all transitions in one atomic, durable step."""

    def committed(self) -> Committed | None:
        """Return the newest state, or None before the founding."""
        ...

    def commit(self, transitions: Sequence[Transition]) -> None:
        """Persist the transitions, oldest first, all or nothing."""
        ...

    def empty(self) -> Committed:
        """Return the state before the founding."""
        ...


class Authenticator(Protocol):
    """Verifies signatures on threads and remembers, by the digest of the whole wire bytes, which held."""

    def authentic(self, transactions: Sequence[Transaction]) -> Sequence[bool]:
        """Return for each transaction whether its signatures hold."""
        ...


@dataclass(frozen=True, slots=True)
class Validators:
    """The validator set as the ledger's own table has it: power by Ed25519 public key (32 bytes)."""

    of: Callable[[View], Mapping[bytes, int]]


def after(before: Committed, transition: Transition) -> Committed:
    """Return the state after a transition that no store holds yet."""
    nodes = dict(transition.nodes)

    class Nodes:
        def get(self, key: bytes, /) -> bytes | memoryview | None:
            return nodes.get(key) or before.nodes.get(key)

    ids = {transaction.id: None for transaction in transition.block.transactions}
    return Committed(
        transition.chain,
        LayeredReader(transition.rows, before.rows),
        Nodes(),
        lambda tx_id: tx_id in ids or before.seen(tx_id),
    )


class Application:
    """Answers ABCI requests for one ledger. Not thread-safe: the server runs one request at a time."""

    def __init__(
        self,
        kernel: Kernel,
        store: LedgerStore,
        signatures: Authenticator,
        validators: Validators,
        *,
        clock: Callable[[], int],
        version: str,
        on_commit: Callable[[Sequence[Transition]], None] = lambda _: None,
    ) -> None:
        """`clock` gives Unix ms and never enters a state transition; `on_commit` hears of what was persisted."""
        self._kernel = kernel
        self._store = store
        self._signatures = signatures
        self._validators = validators
        self._clock = clock
        self._version = version
        self._on_commit = on_commit
        self._founding: Transition | None = None
        self._pending: Transition | None = None
        self._waiting: dict[bytes, tuple[bytes, int]] = {}  # wire bytes in the mempool → (transaction id, expiry)

    def answer(self, kind: str, request: Any) -> Any:
        """Carry out one request. Any exception stops the node and its engine."""
        return _ANSWERS[kind](self, request)

    # State ----------------------------------------------------------------------------------------------------

    def _base(self) -> Committed:
        """Return the state that the next block builds on."""
        committed = self._store.committed()
        if committed is not None:
            return committed
        if self._founding is None:
            raise InvariantBroken("a block before InitChain")
        return after(self._store.empty(), self._founding)

    def info(self, _request: Any) -> Any:
        """Say what the store holds: exactly the height and hash of the last Commit, 0 before the first."""
        committed = self._store.committed()
        return MESSAGES["ResponseInfo"](
            data="salus",
            version=self._version,
            app_version=APP_VERSION,
            last_block_height=0 if committed is None else committed.chain.height,
            last_block_app_hash=b"" if committed is None else committed.chain.app_hash,
        )

    def init_chain(self, request: Any) -> Any:
        """Found the ledger from the genesis document in `app_state_bytes` (a JSON string of its hex)."""
        document = bytes.fromhex(request.app_state_bytes.decode("ascii").strip('"'))
        time = _milliseconds(request.time) - 1  # the first block has the genesis time itself, and time must rise
        self._founding = self._kernel.genesis(document, time, self._store.empty())
        powers = self._validators.of(View(after(self._store.empty(), self._founding).rows))
        return MESSAGES["ResponseInitChain"](
            validators=[_update(key, power) for key, power in sorted(powers.items())],
            app_hash=self._founding.chain.app_hash,
        )

    # Mempool --------------------------------------------------------------------------------------------------

    def check_tx(self, request: Any) -> Any:
        """Say at the door what a block would surely refuse; answer a recheck from what the first check found."""
        state = self._base()
        now = max(self._clock(), state.chain.time)
        if request.type == CHECK_RECHECK and request.tx in self._waiting:
            tx_id, expiry = self._waiting[request.tx]
            if state.seen(tx_id) or expiry <= now:
                del self._waiting[request.tx]
                return MESSAGES["ResponseCheckTx"](code=KernelReason.EXPIRED.code)
            return MESSAGES["ResponseCheckTx"]()
        try:
            transaction = self._kernel.decode(request.tx)
            if not self._signatures.authentic([transaction])[0]:
                raise Rejected(KernelReason.BAD_SIGNATURE)
            self._kernel.admit(transaction, state, now)
        except Rejected as refusal:
            return MESSAGES["ResponseCheckTx"](code=refusal.reason.code, log=str(refusal))
        self._waiting[request.tx] = (transaction.id, transaction.body.expiry)
        return MESSAGES["ResponseCheckTx"]()

    # Consensus ------------------------------------------------------------------------------------------------

    def prepare_proposal(self, request: Any) -> Any:
        """Choose from the mempool what an honest proposer proposes: whole, authentic, timely, unseen."""
        time, state = _milliseconds(request.time), self._base()
        if self._clock() - time > STALE_MS:
            return MESSAGES["ResponsePrepareProposal"]()
        candidates: dict[bytes, Transaction] = {}
        for wire in request.txs:
            try:
                transaction = self._kernel.decode(wire)
            except Rejected:
                continue
            if _timely(transaction, time) and not state.seen(transaction.id):
                candidates.setdefault(transaction.id, transaction)
        chosen: list[bytes] = []
        size = 0
        transactions = list(candidates.values())
        for transaction, holds in zip(transactions, self._signatures.authentic(transactions), strict=True):
            size += len(transaction.wire) + TX_OVERHEAD
            if size > min(request.max_tx_bytes, MAX_BLOCK_BYTES) or len(chosen) == MAX_BLOCK_TRANSACTIONS:
                break
            if holds:
                chosen.append(transaction.wire)
        return MESSAGES["ResponsePrepareProposal"](txs=chosen)

    def process_proposal(self, request: Any) -> Any:
        """Accept exactly the proposals whose every transaction decodes, is authentic and timely."""
        time = _milliseconds(request.time)
        status = ACCEPT
        if len(request.txs) > MAX_BLOCK_TRANSACTIONS:
            status = REJECT
        try:
            transactions = [self._kernel.decode(wire) for wire in request.txs]
        except Rejected:
            return MESSAGES["ResponseProcessProposal"](status=REJECT)
        if not all(_timely(transaction, time) for transaction in transactions):
            status = REJECT
        if status == ACCEPT and not all(self._signatures.authentic(transactions)):
            status = REJECT
        return MESSAGES["ResponseProcessProposal"](status=status)

    def finalize_block(self, request: Any) -> Any:
        """Execute a decided block. Nothing is persisted before Commit."""
        transactions = tuple(self._kernel.decode(wire) for wire in request.txs)
        if not all(self._signatures.authentic(transactions)):
            raise InvariantBroken("a decided block holds a signature that does not verify")
        before = self._base()
        block = Block(request.height, _milliseconds(request.time), transactions)
        self._pending = self._kernel.transition(before, block)
        result = MESSAGES["ExecTxResult"]
        return MESSAGES["ResponseFinalizeBlock"](
            tx_results=[result(code=found.code, data=found.data) for found in self._pending.results],
            validator_updates=self._validator_updates(before, self._pending),
            app_hash=self._pending.chain.app_hash,
        )

    def _validator_updates(self, before: Committed, transition: Transition) -> list[Any]:
        if not transition.rows:
            return []
        old = self._validators.of(View(before.rows))
        new = self._validators.of(View(after(before, transition).rows))
        changed = {key: new.get(key, 0) for key in {**old, **new} if old.get(key, 0) != new.get(key, 0)}
        return [_update(key, power) for key, power in sorted(changed.items())]

    def commit(self, _request: Any) -> Any:
        """Persist what FinalizeBlock computed, and the founding with the first block, in one atomic step."""
        if self._pending is None:
            raise InvariantBroken("Commit without FinalizeBlock")
        transitions = [self._pending] if self._founding is None else [self._founding, self._pending]
        self._store.commit(transitions)
        self._founding = self._pending = None
        for transaction in transitions[-1].block.transactions:
            self._waiting.pop(transaction.wire, None)
        self._on_commit(transitions)
        return MESSAGES["ResponseCommit"]()

    def extend_vote(self, _request: Any) -> Any:
        """Vote extensions are off on our networks; CometBFT may ask all the same."""
        return MESSAGES["ResponseExtendVote"]()

    def verify_vote_extension(self, request: Any) -> Any:
        """Refuse an extension that nobody should have made."""
        return MESSAGES["ResponseVerifyVoteExtension"](status=REJECT if request.vote_extension else ACCEPT)

    # Queries and application mempool ---------------------------------------------------------------------------

    def query(self, request: Any) -> Any:
        """Answer `/head` with the height of the newest committed block; the node's own API answers all else."""
        committed = self._store.committed()
        if request.path != "/head" or committed is None:
            return MESSAGES["ResponseQuery"](code=1, log="only /head is answered here")
        return MESSAGES["ResponseQuery"](height=committed.chain.height, value=committed.chain.app_hash)


class UnknownRequest(SalusError):
    """A request that belongs to features this network does not use."""


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
    "query": Application.query,
}
