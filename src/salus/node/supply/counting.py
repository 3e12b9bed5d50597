"""Use cases of exact counts: open a lot's to a partner, and list what was told."""

from typing import Annotated

from msgspec import Meta

from salus.node.member import MemberNode
from salus.node.supply import commitments
from salus.node.usecase import OPERATOR, Message, use_case


class OpenCount(Message, frozen=True):
    """A lot, and who is to know its size."""

    gtin: Annotated[str, Meta(pattern=r"^\d{14}$", description="GTIN-14.", examples=["09506000134352"])]
    lot: Annotated[str, Meta(description="Lot number.", examples=["A1"])]
    to: Annotated[str, Meta(description="Member id.", examples=["wholesale"])]


class CountOpened(Message, frozen=True):
    """It is on its way, sealed."""

    units: Annotated[int, Meta(description="Units that the lot was commissioned with.")]


class ListCounts(Message, frozen=True):
    """Asks for nothing more."""


class CountsListed(Message, frozen=True):
    """Units that open what the ledger holds, each held against it."""

    lots: Annotated[tuple[str, ...], Meta(description="Product, units, who told, units shipped as records here show.")]
    found: Annotated[tuple[str, ...], Meta(description="Recalled product, units found, who told.")]
    exceeded: Annotated[tuple[str, ...], Meta(description="Products of which more units were shipped than were made.")]


@use_case("supply.open-count", who=OPERATOR)
def open_count(node: MemberNode, request: OpenCount) -> CountOpened:
    """Open the exact size of a lot of this member's making to a partner: it can hold it against the ledger."""
    return CountOpened(units=commitments.open_count(node, request.gtin, request.lot, request.to))


@use_case("supply.counts", who=OPERATOR)
def list_counts(node: MemberNode, request: ListCounts) -> CountsListed:  # noqa: ARG001 -- a use case's shape
    """List sizes of lots and findings under recalls that were told to this member; regulators are told all of them."""
    told = commitments.counts(node)
    lots = [one for one in told if one.subject is commitments.Subject.LOT]
    found = [one for one in told if one.subject is commitments.Subject.FOUND]
    return CountsListed(
        lots=tuple(f"{one.product} {one.units} {one.by} {one.shipped}" for one in lots),
        found=tuple(f"{one.product} {one.units} {one.by}" for one in found),
        exceeded=tuple(one.product for one in lots if one.shipped > one.units),
    )
