"""Step 7: approvals. A live approval that covers a line binds the payer and its units are taken; without one, denied."""

from typing import Final

from salus.agreements.claims.decision import Approval, UnitMove
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.money import quantity

NAME = "authorisation"


def apply(work: Work) -> None:
    """Check the lines whose benefit needs an approval; take units of those that name or match one."""
    left = {approval.number: approval.units for approval in work.approvals.values()}
    for line in work.going():
        benefit = line.benefit
        wanted = line.line.authorisation or work.claim.authorisation
        approval = _covering(work, line, wanted)
        if approval is None:
            if benefit is not None and benefit.authorisation:
                rule = f"approval {wanted} does not reach this line: {_why(work, line, wanted)}" if wanted else NONE
                work.deny(NAME, line, "CO-197", benefit.clause, rule)
            continue
        if left[approval.number] < line.line.units:
            clause = benefit.clause if benefit is not None else "approval"
            work.deny(NAME, line, "CO-198", clause, f"{quantity(left[approval.number])} units left")
            continue
        left[approval.number] -= line.line.units
        work.units.append((line, UnitMove("approval", approval.number, line.line.units)))
        work.note(NAME, line, f"approval {approval.number} honoured", "approval")


NONE: Final = "no approval on file"
REACHES_NOT: Final = ("other procedure", "other provider", "before it began", "after it ended", "no such approval")
"""Why an approval does not reach a line: this list and no other reason."""


def _why(work: Work, line: LineWork, wanted: str) -> str:
    """Return the first reason of the list that holds."""
    approval = work.approvals.get(wanted)
    if approval is None:
        return REACHES_NOT[4]
    if approval.procedure != line.line.procedure:
        return REACHES_NOT[0]
    if approval.provider not in {"", work.claim.billing.identifier, work.claim.rendering.identifier}:
        return REACHES_NOT[1]
    return REACHES_NOT[2] if line.line.first < approval.since else REACHES_NOT[3]


def _covering(work: Work, line: LineWork, wanted: str) -> Approval | None:
    for approval in work.approvals.values():
        if (
            wanted in {"", approval.number}
            and approval.procedure == line.line.procedure
            and approval.provider in {"", work.claim.billing.identifier, work.claim.rendering.identifier}
            and approval.since <= line.line.first <= line.line.last <= approval.until
        ):
            return approval
    return None
