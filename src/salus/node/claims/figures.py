"""`claims approval-figures`: what a payer publishes each year of its prior authorisations (CMS-0057-F).

42 CFR 422.122(c)(1) asks for shares approved and denied, and mean and median time, of standard and of expedited requests.
How many came and how each was decided is in the payer's own records; when, the ledger says.
"""

from collections.abc import Sequence
from statistics import median_low
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.claims import port
from salus.interop.x12.calendar import date_of
from salus.node.claims.approvals import granted, requests
from salus.node.claims.dossiers import DAY_MS
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, use_case

MINUTE_MS: Final = 60_000
EXPEDITED: Final = port.Clock.DAYS_3
"""72 hours: 42 CFR 422.572."""


class AskFigures(Message, frozen=True):
    """The days on which the requests were decided."""

    first: Annotated[str, Meta(pattern=r"^[0-9]{8}$", description="First day, CCYYMMDD.", examples=["20260101"])]
    last: Annotated[str, Meta(pattern=r"^[0-9]{8}$", description="Last day, CCYYMMDD.", examples=["20261231"])]


class ApprovalFigures(Message, frozen=True):
    """The figures of one kind of request. Shares are of those decided, in hundredths of a percent, rounded down."""

    kind: Annotated[str, Meta(description="standard (7 days) or expedited (72 hours).")]
    decided: Annotated[int, Meta(description="Requests decided in these days.")]
    approved: Annotated[int, Meta(description="Share approved.")]
    denied: Annotated[int, Meta(description="Share denied.")]
    in_time: Annotated[int, Meta(description="Share decided in time.")]
    mean_minutes: Annotated[int, Meta(description="Mean time from acceptance to decision, minutes.")]
    median_minutes: Annotated[int, Meta(description="Median of the same (of two in the middle the lower), minutes.")]


class OwnFigures(Message, frozen=True):
    """What the rule asks a payer to publish, as far as requests are decided here: none is extended or appealed."""

    figures: Annotated[tuple[ApprovalFigures, ...], Meta(description="Standard, then expedited.")]


@use_case("claims.approval-figures", who=OPERATOR)
def approval_figures(node: MemberNode, request: AskFigures) -> OwnFigures:
    """Sum a payer's own prior authorisations as 42 CFR 422.122(c) has them published. Raises Malformed."""
    if request.first > request.last:
        raise Malformed("claims.days", "the first day is after the last", expected="first <= last")
    found: dict[bool, list[tuple[bool, bool, int]]] = {False: [], True: []}
    state, headers = node.ledger.read(), node.ledger.store.header
    for kept in requests(node):
        row = port.case(state, kept.case)
        if not kept.payer_side or row is None or row.status is not port.CaseStatus.DECIDED:
            continue
        decided = headers(row.height).time
        before = port.case(node.ledger.read(row.height - 1), kept.case)
        if before is not None and request.first <= date_of(decided // DAY_MS) <= request.last:
            took = decided - headers(before.height).time
            found[row.clock is EXPEDITED].append((bool(granted(kept)), decided <= before.due, took))
    return OwnFigures(
        figures=(_figures("standard", found[False]), _figures("expedited", found[True])),
    )


def _figures(kind: str, decided: Sequence[tuple[bool, bool, int]]) -> ApprovalFigures:
    count = len(decided)
    approved = sum(given for given, _, _ in decided)
    times = [took for _, _, took in decided]
    return ApprovalFigures(
        kind=kind,
        decided=count,
        approved=_share(approved, count),
        denied=_share(count - approved, count),
        in_time=_share(sum(timely for _, timely, _ in decided), count),
        mean_minutes=_minutes(sum(times) // count) if count else 0,
        median_minutes=_minutes(median_low(times)) if count else 0,
    )


def _minutes(spent: int) -> int:
    return (spent + MINUTE_MS // 2) // MINUTE_MS


def _share(part: int, whole: int) -> int:
    return 10_000 * part // whole if whole else 0
