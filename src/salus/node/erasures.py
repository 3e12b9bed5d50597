"""`erasure list`, `retain`, `release`, `cancel`, `advance`: a holder's side of every request to erase."""

from typing import Annotated, Literal

from msgspec import Meta

from salus.contracts.records.port import Rank, RetentionReason
from salus.node import erasing
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, person, use_case

CASE = Annotated[
    str,
    Meta(
        pattern=LINK_PATTERN,
        description="The case, hexadecimal.",
        examples=[LINK_EXAMPLE],
        extra={"positional": True},
    ),
]


class ListErasures(Message, frozen=True):
    """Asks for nothing more."""


class ErasureLine(Message, frozen=True):
    """One erasure at this member."""

    case: Annotated[str, Meta(description="Its case on the ledger, hexadecimal.")]
    about: Annotated[str, Meta(description="`record` of a patient, or `lease`: what was pulled under a grant.")]
    status: Annotated[str, Meta(description="requested, cancelled, retained, deleted or erased.")]
    opened: Annotated[str, Meta(description="When it was opened, UTC.")]
    earliest: Annotated[str, Meta(description="Before this nothing is deleted, UTC.")]
    due: Annotated[str, Meta(description="By when the next step is due, UTC; empty when none remains.")]
    overdue: Annotated[bool, Meta(description="Whether that has passed.")]


class Erasures(Message, frozen=True):
    """The erasures of this member."""

    cases: Annotated[tuple[ErasureLine, ...], Meta(description="Oldest first.")]


class RetainRecords(Message, frozen=True):
    """Which erasure, and why the law lets it wait."""

    case: CASE
    reason: Annotated[
        Literal["legal-obligation", "public-health", "archiving", "legal-claims"],
        Meta(description="Class of the reason (GDPR Art. 17(3)(b) to (e)).", examples=["legal-obligation"]),
    ]


class ReleaseRecords(Message, frozen=True):
    """Which erasure is no longer held up."""

    case: CASE


class RecordsReleased(Message, frozen=True):
    """What becomes of the records."""

    case: Annotated[str, Meta(description="The case.")]
    duty: Annotated[str, Meta(description="The trial's duty that keeps them on; empty: they are deleted.")]


class CancelRequest(Message, frozen=True):
    """Which erasure, and by what it is called off."""

    case: CASE
    rank: Annotated[
        Literal["recovery-contacts", "in-person"],
        Meta(description="What authorises it: more than what authorised the request.", examples=["in-person"]),
    ]


class AdvanceErasures(Message, frozen=True):
    """Asks for nothing more."""


class ErasureStepped(Message, frozen=True):
    """The step stands on the ledger."""

    case: Annotated[str, Meta(description="The case.")]


class ErasuresAdvanced(Message, frozen=True):
    """What was due is done."""

    moved: Annotated[int, Meta(description="Cases that took a step.")]


@use_case("erasure.list", who=person("privacy-officer"))
def list_erasures(node: MemberNode, request: ListErasures) -> Erasures:  # noqa: ARG001 -- a use case
    """List the requests to erase at this member, with what the ledger says of each."""
    return Erasures(cases=tuple(_line(case) for case in erasing.cases(node)))


@use_case("erasure.retain", who=person("privacy-officer"))
def retain_records(node: MemberNode, request: RetainRecords) -> ErasureStepped:
    """Keep what should be erased, for a reason in law: closed to every grant, reviewed yearly."""
    reason = RetentionReason[request.reason.upper().replace("-", "_")]
    erasing.retain(node, bytes.fromhex(request.case), reason)
    return ErasureStepped(case=request.case)


@use_case("erasure.release", who=person("privacy-officer"))
def release_records(node: MemberNode, request: ReleaseRecords) -> RecordsReleased:
    """End the reason to retain what should be erased: it is deleted, unless a trial's duty keeps it on."""
    duty = erasing.release(node, bytes.fromhex(request.case))
    return RecordsReleased(case=request.case, duty="" if duty is None else duty.name)


@use_case("erasure.cancel", who=person("privacy-officer"))
def cancel_erasure(node: MemberNode, request: CancelRequest) -> ErasureStepped:
    """Call an erasure off before anything is deleted, also while it is retained, on a word of higher rank than the request's."""
    erasing.cancel(node, bytes.fromhex(request.case), Rank[request.rank.upper().replace("-", "_")])
    return ErasureStepped(case=request.case)


@use_case("erasure.advance", who=OPERATOR)
def advance_erasures(node: MemberNode, request: AdvanceErasures) -> ErasuresAdvanced:  # noqa: ARG001 -- a use case
    """Delete what has waited long enough, and confirm what is gone for good. A running node does it by itself."""
    return ErasuresAdvanced(moved=erasing.advance(node))


def _line(case: erasing.Case) -> ErasureLine:
    row = case.row
    return ErasureLine(
        case=case.erasing.case.hex(),
        about="lease" if case.erasing.lease else "record",
        status=row.status.name.lower(),
        opened=moment(row.opened),
        earliest=moment(row.earliest),
        due=moment(row.due) if row.due else "",
        overdue=case.overdue,
    )
