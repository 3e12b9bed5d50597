"""Step 7: approvals. A live approval that covers a line binds the payer and its units are taken; without one, denied."""

from salus.agreements.claims.decision import Approval, UnitMove
from salus.agreements.claims.work import LineWork, Work

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
                rule = f"approval {wanted} does not reach this line" if wanted else "no approval on file"
                work.deny(NAME, line, "CO-197", benefit.clause, rule)
            continue
        if left[approval.number] < line.line.units:
            clause = benefit.clause if benefit is not None else "approval"
            work.deny(NAME, line, "CO-198", clause, f"{left[approval.number]} thousandths of a unit left")
            continue
        left[approval.number] -= line.line.units
        work.units.append((line, UnitMove("approval", approval.number, line.line.units)))
        work.note(NAME, line, f"approval {approval.number} honoured", "approval")


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
