"""`records anchor`, `records check`: that what is kept stands on the ledger and is what was written."""

from typing import Annotated

from msgspec import Meta

from salus.node.anchoring import anchor
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, Progress, Verdict, use_case


class AnchorRecords(Message, frozen=True):
    """Asks for nothing more."""


class AnchoredRecords(Message, frozen=True):
    """What stands on the ledger now."""

    height: Annotated[int, Meta(description="Block of the newest anchor just sent; 0 if nothing was pending.")]
    transaction: Annotated[str, Meta(description="Its transaction's id, hexadecimal; empty if nothing was pending.")]


class CheckRecords(Message, frozen=True):
    """Asks for nothing more."""


class CheckedRecords(Verdict, frozen=True):
    """What was verified."""

    records: Annotated[int, Meta(description="Records whose bytes, seal, leaf and chain were verified.")]
    disclosures: Annotated[int, Meta(description="Journal lines whose leaf was recomputed.")]
    batches: Annotated[int, Meta(description="Batches whose root was recomputed.")]
    unanchored: Annotated[int, Meta(description="Batches that wait for the ledger.")]
    index_behind: Annotated[bool, Meta(description="Whether the index lacks records that the vault holds.")]
    damage: Annotated[tuple[str, ...], Meta(description="What does not hold, by record, batch, line or file.")]


@use_case("records.anchor", who=OPERATOR)
def anchor_records(node: MemberNode, request: AnchorRecords) -> AnchoredRecords:  # noqa: ARG001 -- a use case
    """Anchor everything that is pending on the ledger, now. A running node does it by itself."""
    outcome = anchor(node)
    if outcome is None:
        return AnchoredRecords(height=0, transaction="")
    return AnchoredRecords(height=outcome.height or 0, transaction=outcome.tx_id.hex())


@use_case("records.check", who=OPERATOR)
def check_records(node: MemberNode, request: CheckRecords, *, progress: Progress) -> CheckedRecords:  # noqa: ARG001
    """Verify every byte that the vault keeps: records, chains, journal, batches, database pages."""
    total = node.index.position()  # the newest record's number: as many, or a few more
    report = node.vault.check(lambda checked: progress(checked, total, "records"))
    return CheckedRecords(
        sound=not report.damage,
        records=report.records,
        disclosures=report.disclosures,
        batches=report.batches,
        unanchored=len(node.vault.unanchored()),
        index_behind=bool(node.vault.since(node.index.position(), 1)),
        damage=report.damage,
    )
