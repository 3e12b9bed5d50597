"""The one way a transaction takes, on every engine, in seven words. Read this file first.

    decode        bytes → values; bytes that do not re-encode to themselves are refused
    check         what needs no state: limits, network, authored or not, expiry against block time
    authenticate  the signatures, from the bytes alone
    authorise     the submitter, in the state
    apply         the message's handler, to an overlay
    verify        the declared invariants of the tables touched
    commit        the block's writes, state root, log leaves and application hash, as one value

The kernel is pure: it takes the chain as it stands and a block, and returns the chain as it will stand together
with everything a store must write, atomically. It never writes itself. A block without transactions changes nothing,
so the application hash stays (an engine that follows a changed hash with another block would otherwise never rest).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from salus.core.encoding import MalformedBytes, encode
from salus.core.errors import InvariantBroken, Rejected
from salus.core.log import Frontier, NodeId
from salus.core.map import NodeReader, Root, update
from salus.core.proof.digest import digest
from salus.core.proof.ed25519 import verify
from salus.core.proof.leaf import MAX_RESULT, BlockLeaf, TransactionLeaf
from salus.core.proof.merkle import leaf_hash
from salus.core.proof.statemap import state_path, value_digest
from salus.core.reasons import KernelReason
from salus.core.rules import Context, Registry, RuleSet
from salus.core.tables import Overlay, Reader, View
from salus.core.transaction import MAX_LIFE_MS, Transaction, decode_transaction, signing_bytes

MAX_BLOCK_TRANSACTIONS: Final = 10_000  # what one core verifies in about two seconds
MAX_BLOCK_BYTES: Final = 4 * 1024 * 1024  # CometBFT's block.max_bytes on our networks


@dataclass(frozen=True, slots=True)
class Chain:
    """A ledger at one height: all that the next block builds on."""

    network: bytes
    """Digest of the genesis document."""
    height: int
    time: int
    """Block time in Unix milliseconds; rises with every block."""
    state: Root
    """Root of the state map after this block."""
    log: Frontier
    """The log's size and peaks after this block."""

    @property
    def app_hash(self) -> bytes:
        """What consensus agrees on: the log, which holds every state root."""
        return digest("salus/v1/app", self.log.size.to_bytes(8, "big"), self.log.root())


@dataclass(frozen=True, slots=True)
class Committed:
    """The state after `chain`'s block, as a store offers it."""

    chain: Chain
    rows: Reader
    nodes: NodeReader
    seen: Callable[[bytes], bool]
    """Whether a transaction id stands in the log within the last ten minutes of block time."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one transaction. Code and data are part of the log; the refusal's facts are not."""

    code: int
    data: bytes
    refusal: Rejected | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """What an engine asks the kernel to execute. Its transactions are decoded and authenticated."""

    height: int
    time: int
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True, slots=True)
class Transition:
    """The outcome of a block: the next chain, and what a store writes to get there, all or nothing."""

    chain: Chain
    block: Block
    results: tuple[Result, ...]
    rows: dict[bytes, bytes]
    """State rows written, ascending by state key."""
    nodes: tuple[tuple[bytes, bytes], ...]
    """(key, value) of the new nodes of the state map."""
    leaves: tuple[bytes, ...]
    """New leaves of the log: one for each transaction, then the block leaf."""
    log_nodes: dict[NodeId, bytes]
    """New whole nodes of the log's tree, by (level, index)."""


class Kernel:
    """The state transition of a ledger under a registry of rules."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    # The way of one transaction ---------------------------------------------------------------------------------

    def decode(self, wire: bytes) -> Transaction:
        """Return the transaction in `wire`. Raises Rejected(MALFORMED)."""
        try:
            return decode_transaction(wire, self._registry.messages)
        except MalformedBytes as error:
            raise Rejected(KernelReason.MALFORMED, where=str(error)) from error

    def check(self, transaction: Transaction, rules: RuleSet, network: bytes, time: int) -> None:
        """Check what needs no state, against block time `time`. Raises Rejected."""
        body = transaction.body
        if body.network != network:
            raise Rejected(KernelReason.OTHER_NETWORK, expected=network.hex()[:16], got=body.network.hex()[:16])
        rule = rules.rules.get(type(transaction.message))
        if rule is None:
            raise Rejected(KernelReason.MALFORMED, where=f"no {type(transaction.message).__name__} in these rules")
        if rule.authored and not body.author_key:
            raise Rejected(KernelReason.AUTHOR_EXPECTED, message=type(transaction.message).__name__)
        if body.author_key and not rule.authored:
            raise Rejected(KernelReason.AUTHOR_UNEXPECTED, message=type(transaction.message).__name__)
        if body.expiry <= time:
            raise Rejected(KernelReason.EXPIRED, expiry=body.expiry, time=time)
        if body.expiry > time + MAX_LIFE_MS:
            raise Rejected(KernelReason.EXPIRES_TOO_LATE, expiry=body.expiry, latest=time + MAX_LIFE_MS)

    @staticmethod
    def authenticate(transaction: Transaction) -> None:
        """Verify the signatures, from the bytes alone. Raises Rejected(BAD_SIGNATURE)."""
        body, envelope = transaction.body, transaction.envelope
        signed = signing_bytes(envelope.body, author=False)
        if not verify(body.submitter_key, signed, envelope.submitter_signature):
            raise Rejected(KernelReason.BAD_SIGNATURE, of="submitter")
        if body.author_key:
            signed = signing_bytes(envelope.body, author=True)
            if not verify(body.author_key, signed, envelope.author_signature):
                raise Rejected(KernelReason.BAD_SIGNATURE, of="author")

    def admit(self, transaction: Transaction, state: Committed, time: int) -> None:
        """Say at the door what would surely be refused in a block: check, replay, authorise. Raises Rejected.

        A later block may still refuse what is admitted. Authentication is the caller's: on threads, once.
        """
        view = View(state.rows)
        rules = self._registry.at(view, state.chain.height + 1)
        self.check(transaction, rules, state.chain.network, time)
        if state.seen(transaction.id):
            raise Rejected(KernelReason.REPLAYED, tx=transaction.id.hex())
        rules.authorise(view, transaction.body.submitter, transaction.body.submitter_key)

    # The way of a block -----------------------------------------------------------------------------------------

    def transition(self, before: Committed, block: Block) -> Transition:
        """Execute `block` on `before`. Raises InvariantBroken (stop the node) or UnsupportedRules (upgrade it)."""
        chain = before.chain
        if block.height != chain.height + 1 or block.time <= chain.time:
            raise InvariantBroken(f"block {block.height} at {block.time} cannot follow {chain.height} at {chain.time}")
        view = View(before.rows)
        rules = self._registry.at(view, block.height)
        overlay = Overlay(view)
        ids: dict[bytes, None] = {}
        results = []
        for transaction in block.transactions:
            seen = transaction.id in ids or before.seen(transaction.id)
            results.append(self._execute(overlay, rules, chain.network, block, transaction, seen=seen))
            ids[transaction.id] = None
        if not block.transactions:
            after = Chain(chain.network, block.height, block.time, chain.state, chain.log)
            return Transition(after, block, (), {}, (), (), {})
        return self._commit(before, block, overlay, rules, results)

    def genesis(self, document: bytes, time: int, empty: Committed) -> Transition:
        """Return the ledger that `document` founds, at height 0 and block time `time`, on an empty state."""
        network = digest("salus/v1/network", document)
        block = Block(0, time, ())
        overlay = Overlay(View(empty.rows))
        self._registry.genesis(Context(0, time, "", b"", network, overlay), document)
        self._fit(overlay)
        overlay.verify()
        chain = Chain(network, 0, time, empty.chain.state, empty.chain.log)
        start = Committed(chain, empty.rows, empty.nodes, empty.seen)
        return self._commit(start, block, overlay, self._registry.at(overlay, 0), ())

    def _execute(
        self, overlay: Overlay, rules: RuleSet, network: bytes, block: Block, transaction: Transaction, *, seen: bool
    ) -> Result:
        """Take one transaction through check, authorise, apply and verify, on top of the block's overlay."""
        body = transaction.body
        own = Overlay(overlay)
        context = Context(block.height, block.time, body.submitter, body.author_key, transaction.id, own)
        try:
            self.check(transaction, rules, network, block.time)
            if seen:
                raise Rejected(KernelReason.REPLAYED, tx=transaction.id.hex())
            rules.authorise(overlay, body.submitter, body.submitter_key)
            data = rules.rules[type(transaction.message)].handle(context, transaction.message)
            self._fit(own)
        except Rejected as refusal:
            return Result(refusal.reason.code, b"", refusal)
        own.verify()
        if len(data) > MAX_RESULT:
            raise InvariantBroken(f"result data of {len(data)} bytes")
        overlay.absorb(own)
        return Result(0, data)

    @staticmethod
    def _fit(overlay: Overlay) -> None:
        """Refuse rows that no later block could read. Raises Rejected(ROW_LIMIT)."""
        table = overlay.outgrown()
        if table:
            raise Rejected(KernelReason.ROW_LIMIT, table=table)

    @staticmethod
    def _commit(
        before: Committed, block: Block, overlay: Overlay, rules: RuleSet, results: Sequence[Result]
    ) -> Transition:
        """Return the next chain and everything that must be written to get there."""
        rows = overlay.encoded()
        changes = [(state_path(key), value_digest(value)) for key, value in rows.items()]
        state, nodes = update(before.nodes, before.chain.state, block.height + 1, changes)  # version 0 is the empty map
        parameters = digest("salus/v1/parameters", encode(rules.parameters(overlay)))
        leaves = [
            TransactionLeaf(transaction.id, transaction.signatures_digest, result.code, result.data).encode()
            for transaction, result in zip(block.transactions, results, strict=True)
        ]
        leaves.append(BlockLeaf(block.height, block.time, state.digest, parameters).encode())
        log, log_nodes = before.chain.log.append([leaf_hash(leaf) for leaf in leaves])
        chain = Chain(before.chain.network, block.height, block.time, state, log)
        return Transition(chain, block, tuple(results), rows, tuple(nodes), tuple(leaves), log_nodes)
