"""Step 11: what the patient pays. Copay, deductible, coinsurance in the plan's order, never beyond a maximum."""

from salus.agreements.claims.plan import Benefit, Share
from salus.agreements.claims.rounding import share
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.money import amount

NAME = "cost-share"
CODES = {"copay": "PR-3", "deductible": "PR-1", "coinsurance": "PR-2"}


def apply(work: Work) -> None:
    """Take the shares line by line, so that a maximum reached in the middle of a claim ends them there."""
    visits: set[tuple[str, str]] = set()
    for line in work.going():
        benefit = line.benefit
        if benefit is None:
            continue
        for kind in work.plan.cost_share_order:
            wanted, rule = _wanted(work, line, benefit, kind, visits)
            if not wanted:
                continue
            room = work.rooms.remaining(work.taken, "out-of-pocket", benefit.tier)
            amount = wanted if room is None else min(wanted, room)
            if amount < wanted:
                rule += ", ended by the out-of-pocket maximum"
                if not amount:
                    work.note(NAME, line, rule, benefit.clause)
            if amount:
                work.rooms.reserve(work.taken, kind, benefit.tier, amount)
                line.shares[kind] = amount
                work.take(NAME, line, CODES[kind], amount, (benefit.clause, rule))


def _wanted(work: Work, line: LineWork, benefit: Benefit, kind: Share, visits: set[tuple[str, str]]) -> tuple[int, str]:
    if kind == "copay":
        visit = (line.line.first, benefit.category)
        if benefit.copay_per == "visit" and visit in visits:
            return 0, ""
        visits.add(visit)
        return min(benefit.copay, line.open), f"copay per {benefit.copay_per}"
    if kind == "deductible":
        if not benefit.deductible:
            return 0, ""
        room = work.rooms.remaining(work.taken, "deductible", benefit.tier)
        return min(room or 0, line.open), "deductible"
    part = share(line.open, benefit.coinsurance, work.plan.rounding.coinsurance)
    return part, f"coinsurance {amount(benefit.coinsurance)} %"
