"""`ledger blocks`, `block`, `transaction`: what the ledger holds, for anyone. Nothing of it names a person."""

import json
from typing import Annotated, Any

from msgspec import Meta

from salus.contracts.readable import to_readable
from salus.contracts.registry import REGISTRY
from salus.core.errors import reasons
from salus.core.proof import leaf as leaves
from salus.core.transaction import Transaction, decode_transaction
from salus.node.errors import NotFound
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN
from salus.node.records.charts import moment
from salus.node.usecase import ANYONE, Message, use_case


class ListBlocks(Message, frozen=True):
    """Which blocks."""

    before: Annotated[int, Meta(ge=0, description="Blocks below this height; 0: from the newest.", examples=[120])] = 0
    limit: Annotated[int, Meta(ge=1, le=200, description="Blocks at most.", examples=[50])] = 50


class BlockLine(Message, frozen=True):
    """A block."""

    height: Annotated[int, Meta(description="Its height.")]
    time: Annotated[str, Meta(description="Block time, UTC.")]
    transactions: Annotated[int, Meta(description="How many transactions it holds.")]
    log_size: Annotated[int, Meta(description="Leaves of the log after it.")]
    state_root: Annotated[str, Meta(description="Root of the state after it, hexadecimal.")]
    app_hash: Annotated[str, Meta(description="Digest of log size and log root after it, hexadecimal.")]


class Blocks(Message, frozen=True):
    """A page of blocks."""

    head: Annotated[int, Meta(description="Height of the newest block: the ledger has so many.")]
    blocks: Annotated[tuple[BlockLine, ...], Meta(description="Newest first.")]


class AskBlock(Message, frozen=True):
    """Which block."""

    height: Annotated[int, Meta(ge=1, description="Its height.", examples=[12], extra={"positional": True})]


class TransactionLine(Message, frozen=True):
    """A transaction as it stands in a block."""

    id: Annotated[str, Meta(description="Its id, hexadecimal.")]
    kind: Annotated[str, Meta(description="Its message: `records.anchor`.")]
    submitter: Annotated[str, Meta(description="Member that sent it.")]
    authored: Annotated[bool, Meta(description="Whether a one-time key speaks in it.")]
    result: Annotated[str, Meta(description="`applied`, or the reason it was rejected for.")]


class BlockShown(Message, frozen=True):
    """A block with its transactions."""

    block: Annotated[BlockLine, Meta(description="The block.")]
    transactions: Annotated[tuple[TransactionLine, ...], Meta(description="In their order.")]


class AskTransaction(Message, frozen=True):
    """Which transaction."""

    transaction: Annotated[
        str,
        Meta(
            pattern=GRANT_PATTERN,
            description="Its id, hexadecimal.",
            examples=[GRANT_EXAMPLE],
            extra={"positional": True},
        ),
    ]


class TransactionShown(Message, frozen=True):
    """A transaction and what became of it."""

    line: Annotated[TransactionLine, Meta(description="The transaction.")]
    height: Annotated[int, Meta(description="Block that holds it.")]
    time: Annotated[str, Meta(description="Block time, UTC.")]
    index: Annotated[int, Meta(description="Index of its leaf in the log.")]
    data: Annotated[str, Meta(description="Result data, hexadecimal: what its receipt proves.")]
    message: Annotated[str, Meta(description="The message as JSON, bytes in hexadecimal.")]


@use_case("ledger.blocks", who=ANYONE)
def list_blocks(node: MemberNode, request: ListBlocks) -> Blocks:
    """List blocks of this node's replica, newest first."""
    head = node.ledger.head().height
    top = min(head, request.before - 1) if request.before else head
    heights = range(top, max(0, top - request.limit), -1)
    return Blocks(head=head, blocks=tuple(_block(node, height) for height in heights))


@use_case("ledger.block", who=ANYONE)
def show_block(node: MemberNode, request: AskBlock) -> BlockShown:
    """Show a block and its transactions."""
    if request.height > node.ledger.head().height:
        raise NotFound(
            "ledger.no-block",
            "the ledger has no such block yet",
            expected=f"a height up to {node.ledger.head().height}",
            got=str(request.height),
            todo="see `salus ledger blocks`",
        )
    block = node.ledger.store.block(request.height)
    header = node.ledger.store.header(request.height)
    first = header.log_size - 1 - len(block.transactions)
    return BlockShown(
        block=_block(node, request.height),
        transactions=tuple(_line(node, _decoded(wire), first + at) for at, wire in enumerate(block.transactions)),
    )


@use_case("ledger.transaction", who=ANYONE)
def show_transaction(node: MemberNode, request: AskTransaction) -> TransactionShown:
    """Show a transaction: its message, its result, where it stands."""
    id_ = bytes.fromhex(request.transaction)
    outcome = node.ledger.outcome(id_)
    if outcome is None or outcome.height is None or outcome.index is None:
        raise NotFound(
            "ledger.no-transaction",
            "the log of this node holds no such transaction",
            todo="see `salus ledger blocks`; one just sent may still be on its way",
        )
    block = node.ledger.store.block(outcome.height)
    found = next(one for one in map(_decoded, block.transactions) if one.id == id_)
    return TransactionShown(
        line=_line(node, found, outcome.index),
        height=outcome.height,
        time=moment(block.time),
        index=outcome.index,
        data=outcome.data.hex(),
        message=json.dumps(to_readable(found.message), indent=2),
    )


def _block(node: MemberNode, height: int) -> BlockLine:
    header = node.ledger.store.header(height)
    return BlockLine(
        height=height,
        time=moment(header.time),
        transactions=header.transactions,
        log_size=header.log_size,
        state_root=header.state_root.hex(),
        app_hash=header.app_hash.hex(),
    )


def _decoded(wire: bytes) -> Transaction:
    messages: Any = REGISTRY.messages
    return decode_transaction(wire, messages)


def _line(node: MemberNode, one: Transaction, index: int) -> TransactionLine:
    entry = leaves.decode(node.ledger.store.leaf(index))
    code = entry.code if isinstance(entry, leaves.TransactionLeaf) else 0
    reason = reasons().get(code)
    told = reason.name.lower().replace("_", " ") if reason is not None else f"rejected ({code})"
    return TransactionLine(
        id=one.id.hex(),
        kind=str(type(one.message).__struct_config__.tag),
        submitter=one.body.submitter,
        authored=bool(one.body.author_key),
        result=told if code else "applied",
    )
