"""Step 9: is the service a benefit, is it excluded, is its limit reached? What no benefit covers is denied."""

from salus.agreements.claims.decision import UnitMove
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.money import quantity

NAME = "benefits"


def apply(work: Work) -> None:
    """Deny lines without benefit, excluded ones and those beyond a limit; count units of limits."""
    limits = {limit.name: limit for limit in work.plan.limits}
    used = {part.limit: part.units for part in work.facts.used}
    for line in work.going():
        benefit = line.benefit
        if benefit is None:
            where = line.category or "no category"
            work.deny(NAME, line, "PR-204", "benefits", f"no benefit for {where} in tier {work.tier}", remark="N130")
        elif not benefit.covered:
            work.deny(NAME, line, _excluded(work), benefit.clause, f"{benefit.category} is excluded", remark="N130")
        elif benefit.limit:
            limit = limits[benefit.limit]
            before = used.get(limit.name, 0)
            if before + line.line.units > limit.units:
                rule = f"limit {limit.name}: {quantity(before)} of {quantity(limit.units)} units used per {limit.per}"
                work.deny(NAME, line, "PR-119", limit.clause, rule, remark="N362")
                continue
            used[limit.name] = before + line.line.units
            work.units.append((line, UnitMove("limit", limit.name, line.line.units)))
            _note(work, line, f"limit {limit.name}: {quantity(used[limit.name])} of {quantity(limit.units)} units used")


def _excluded(work: Work) -> str:
    return "CO-96" if work.tier != work.plan.tiers[-1] else "PR-96"


def _note(work: Work, line: LineWork, rule: str) -> None:
    clause = line.benefit.clause if line.benefit is not None else "benefits"
    work.note(NAME, line, rule, clause)
