"""Step 4: who pays first? Where another payer does, its decision must come with the claim."""

from salus.agreements.claims.work import Work

NAME = "payer-order"


def apply(work: Work) -> None:
    """Deny what another payer must see first."""
    if work.facts.other_cover and not work.secondary:
        work.deny_all(NAME, "OA-22", "coordination of benefits", "the first payer's decision is missing", remark="MA04")
    elif work.secondary:
        work.note(NAME, None, "another payer has decided before", "coordination of benefits")
