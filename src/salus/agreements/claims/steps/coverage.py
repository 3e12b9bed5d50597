"""Step 3: coverage of the person by this plan on the day of service."""

from typing import Final

from salus.agreements.claims.work import Work

NAME = "coverage"
_CODES: Final = {"before": "CO-26", "after": "CO-27", "unknown": "CO-31", "other-payer": "CO-109"}


def apply(work: Work) -> None:
    """Deny the claim of a person without cover, and one outside the plan's own period."""
    state = work.facts.coverage
    if state in _CODES:
        work.deny_all(NAME, _CODES[state], "eligibility", f"coverage on {work.claim.first}: {state}")
        return
    for line in work.going():
        if line.line.first < work.plan.since:
            work.deny(NAME, line, "CO-26", "plan period", f"the plan begins on {work.plan.since}")
        elif line.line.first > work.plan.until:
            work.deny(NAME, line, "CO-27", "plan period", f"the plan ended on {work.plan.until}")
