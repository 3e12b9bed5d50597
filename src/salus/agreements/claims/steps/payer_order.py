"""Step 4: who pays first? Computed from the covers on file; where another payer comes first, its decision must be here."""

from salus.agreements.claims.cover_order import before, order
from salus.agreements.claims.work import Work

NAME = "payer-order"
CODE = "OA-22"
CLAUSE = "coordination of benefits"


def apply(work: Work) -> None:
    """Deny what another payer must see first; have a person look where the covers do not say who that is."""
    if work.facts.covers:
        _ordered(work)
    elif work.secondary:
        work.note(NAME, None, "another payer has decided before", CLAUSE)


def _ordered(work: Work) -> None:
    own = work.facts.covers[0].payer
    found = order(work.facts.covers, work.plan.cover_order)
    for one in found.reasons:
        if own in (one.payer, one.than):
            work.note(NAME, None, f"{one.payer} before {one.than}: {one.rule}", CLAUSE)
    if found.undecided:
        _wait(work, found.undecided)
        return
    first = before(own, found)
    decided = {other.payer for other in work.claim.others if other.paid is not None}
    missing = [payer for payer in first if payer not in decided]
    if missing:
        work.deny_all(NAME, CODE, CLAUSE, f"the decision of {missing[0]} is missing", remark="MA04")
        return
    for payer in found.payers:
        if payer in decided and payer not in first:
            _wait(work, f"{payer} decided first, though it comes after {own}")


def _wait(work: Work, rule: str) -> None:
    for line in work.going():
        work.pend(NAME, rule, line, code=CODE)
