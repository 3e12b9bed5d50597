"""Step 6: did the claim come in time? For a secondary claim the first payer's decision starts the clock."""

from salus.agreements.claims.work import Work
from salus.interop.x12.calendar import day_number

NAME = "filing"


def apply(work: Work) -> None:
    """Deny lines that came after the limit."""
    limit = work.plan.filing
    received = day_number(work.facts.received)
    decisions = [other.decided for other in work.claim.others if other.decided]
    decisions += [part.decided for line in work.claim.lines for part in line.decisions if part.decided]
    moved = max(decisions, default="") if work.secondary else ""
    for line in work.going():
        end = day_number(line.line.last) + limit.days
        if moved:
            end = max(end, day_number(moved) + limit.secondary_days)
        if received > end:
            work.deny(NAME, line, "CO-29", limit.clause, f"{received - end} days after the limit")
