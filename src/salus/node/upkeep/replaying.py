"""`salus replay`, `salus export`: the ledger executed again, and as one file for whoever checks it elsewhere."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from salus.engines.receipts import PATIENCE
from salus.engines.replay import export, replay
from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.node.opening import KERNEL
from salus.node.usecase import OPERATOR, Message, Progress, use_case


class ReplayLedger(Message, frozen=True):
    """Asks for nothing more."""


class LedgerReplayed(Message, frozen=True):
    """Every block gave again what is stored."""

    height: Annotated[int, Meta(description="Newest block.")]
    transactions: Annotated[int, Meta(description="Transactions executed.")]
    rows: Annotated[int, Meta(description="Rows of the state.")]
    digest: Annotated[str, Meta(description="The ledger's digest there: equal at every member, hexadecimal.")]


class ExportLedger(Message, frozen=True):
    """Where to write it."""

    file: Annotated[
        str,
        Meta(
            min_length=1,
            description="File to write.",
            examples=["ledger.cbor"],
            extra={"positional": True, "path": True},
        ),
    ]


class LedgerExported(Message, frozen=True):
    """The ledger is one file, which `salus verify` checks."""

    blocks: Annotated[int, Meta(description="Blocks in it.")]
    size: Annotated[int, Meta(description="Leaves of the checkpoint that ends it.")]


@use_case("replay", who=OPERATOR)
def replay_ledger(node: MemberNode, request: ReplayLedger, *, progress: Progress) -> LedgerReplayed:  # noqa: ARG001
    """Execute every block of the ledger again, from the genesis, and compare all that is stored."""
    total = node.ledger.head().height + 1
    found = replay(node.ledger.store, KERNEL, lambda height: progress(height + 1, total, "blocks"))
    return LedgerReplayed(
        height=found.height, transactions=found.transactions, rows=found.rows, digest=found.app_hash.hex()
    )


@use_case("export", who=OPERATOR)
def export_ledger(node: MemberNode, request: ExportLedger, *, progress: Progress) -> LedgerExported:
    """Write the ledger up to its newest checkpoint as one file. Nothing personal is in it."""
    head = node.ledger.head()
    checkpoint = node.cosigning.covering(head.log_size - 1, PATIENCE)
    try:
        with Path(request.file).open("wb") as out:
            blocks = export(
                node.ledger.store, checkpoint, out, lambda height, last: progress(height + 1, last + 1, "blocks")
            )
    except OSError as error:
        raise Unavailable(
            "export.file", "the file cannot be written", got=str(error.strerror), todo="name another file"
        ) from error
    return LedgerExported(blocks=blocks, size=checkpoint.size)
