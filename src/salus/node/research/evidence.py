"""The steps of research as they stand on the ledger, found in its blocks: what a bundle carries and a custodian looks up."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from salus.contracts.research import port
from salus.core.encoding import MalformedBytes, decode
from salus.core.proof import leaf as leaves
from salus.core.transaction import Body, Envelope
from salus.node.member import MemberNode

Steps: Any = (
    port.Offer | port.Apply | port.Sign | port.Refuse | port.Register | port.Begin | port.Answer | port.Withhold
    | port.Fail | port.Retry | port.Release | port.Attest | port.Publish
)  # fmt: skip
PREFIX: Final = b"research."


class Step(NamedTuple):
    """A transaction of research that was applied."""

    tx_id: bytes
    body: bytes
    submitter: str
    message: Any
    height: int


def steps(node: MemberNode, first: int, last: int) -> Iterator[Step]:
    """Yield the applied transactions of research in the blocks from `first` to `last`, in order. Raises NotKept."""
    store = node.ledger.store
    for height in range(first, last + 1):
        block, header = store.block(height), store.header(height)
        start = header.log_size - 1 - len(block.transactions)
        for at, wire in enumerate(block.transactions):
            if PREFIX not in wire:
                continue
            envelope = decode(wire, Envelope)
            read = message_of(envelope.body)
            entry = leaves.decode(store.leaf(start + at))
            if read is not None and isinstance(entry, leaves.TransactionLeaf) and entry.code == 0:
                yield Step(entry.tx_id, envelope.body, read[0].submitter, read[1], height)


def message_of(body: bytes) -> tuple[Body, Any] | None:
    """Return a transaction's body and its message if that is one of research, else None. Raises MalformedBytes."""
    read = decode(body, Body)
    try:
        return read, decode(bytes(read.message), Steps)
    except MalformedBytes:
        return None
