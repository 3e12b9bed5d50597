"""Step 13: what a payer after the first owes. Standard, non-duplication, Medicare secondary (42 CFR 411.33).

The whole charge is accounted for: OA-23 for what the first paid and wrote off, CO-45 for what its patient share is
above our allowed amount, then our payment, then the patient's own share.
"""

from collections.abc import Sequence
from typing import NamedTuple

from salus.agreements.claims.rounding import allocate
from salus.agreements.claims.steps.cost_share import CODES
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.claim import Adjustment
from salus.interop.x12.money import dollars

NAME = "secondary"


def apply(work: Work) -> None:
    """Replace what we would pay as the first payer by what we owe after the others."""
    if not work.secondary:
        return
    lines = work.going()
    before = _before(work)
    owed: list[int] = []
    for line in lines:
        line.paid_before = before[line.line.number].paid
        owed.append(_owed(work, line, before[line.line.number]))
    if work.plan.coordination == "medicare-secondary" and work.claim.kind == "I":
        owed = _gross(lines, before)
    for line, amount in zip(lines, owed, strict=True):
        _settle(work, line, before[line.line.number], amount)


class Before(NamedTuple):
    """What payers before us decided on a line, cents."""

    paid: int
    patient: int
    """Left to the patient: all of group PR."""
    allowed: int
    """Paid, and the patient's deductible, coinsurance and copay."""


def _patient(adjustments: Sequence[Adjustment], *, shares: bool = False) -> int:
    return sum(
        part.amount for part in adjustments if part.group == "PR" and (not shares or part.reason in {"1", "2", "3"})
    )


def _before(work: Work) -> dict[int, Before]:
    """Return, by line, what payers before decided; sums of the whole claim are spread over the charges."""
    if all(line.decisions for line in work.claim.lines):
        found: dict[int, Before] = {}
        for line in work.claim.lines:
            paid, last = sum(part.paid for part in line.decisions), line.decisions[-1].adjustments
            found[line.number] = Before(paid, _patient(last), paid + _patient(last, shares=True))
        return found
    decided = [other for other in work.claim.others if other.paid is not None]
    weights = tuple(line.charge for line in work.claim.lines)
    total, last = sum(other.paid or 0 for other in decided), decided[-1].adjustments
    sums = (total, _patient(last), total + _patient(last, shares=True))
    parts = zip(*(allocate(amount, weights) for amount in sums), strict=True)
    return {line.number: Before(*part) for line, part in zip(work.claim.lines, parts, strict=True)}


def _owed(work: Work, line: LineWork, before: Before) -> int:
    """Return what we owe on a line, never more than the first payer left to the patient.

    That bound is also the first term of 42 CFR 411.33(a), charge less paid, with the charge capped at what the
    provider must accept: what the first payer had it write off is in no PR amount.
    """
    if work.plan.coordination == "non-duplication":
        return max(0, min(line.open - before.paid, before.patient))
    if work.plan.coordination == "medicare-secondary":
        highest = max(line.allowed, before.allowed)
        return max(0, min(before.patient, line.open, highest - before.paid))
    return max(0, min(line.open, line.allowed - before.paid, before.patient))


def _gross(lines: list[LineWork], before: dict[int, Before]) -> list[int]:
    """42 CFR 411.33(e): the lowest of gross - own share, gross - paid, charge - paid, charge - own share.

    A charge counts as far as the provider may collect it: what the first payer paid and left to the patient.
    """
    gross = sum(line.allowed for line in lines)
    charge = sum(
        min(line.line.charge, before[line.line.number].paid + before[line.line.number].patient) for line in lines
    )
    share = sum(sum(line.shares.values()) for line in lines)
    paid = sum(before[line.line.number].paid for line in lines)
    total = max(0, min(gross - share, gross - paid, charge - paid, charge - share))
    owed: list[int] = []
    for line in lines:
        part = min(total, max(0, before[line.line.number].patient))
        owed.append(part)
        total -= part
    return owed


def _settle(work: Work, line: LineWork, before: Before, owed: int) -> None:
    """Rewrite the line: our shares and write-off so far give way to what the first payer left."""
    paid = before.paid
    patient = max(0, min(before.patient, line.line.charge))
    shares = dict(line.shares)
    opened = line.open
    line.reasons.clear()
    line.shares.clear()
    line.open = line.line.charge
    clause = "coordination of benefits"
    if line.line.charge > patient:
        work.take(NAME, line, "OA-23", line.line.charge - patient, (clause, f"first payer paid {dollars(paid)}"))
    ceiling = max(line.allowed, before.allowed) if work.plan.coordination == "medicare-secondary" else line.allowed
    excess = min(max(0, paid + patient - ceiling), line.open - owed)
    if excess:
        work.take(NAME, line, "CO-45", excess, (clause, "above our allowed amount"))
    left = line.open - owed
    for kind in work.plan.cost_share_order:
        part = min(left, shares.get(kind, 0))
        if part:
            line.shares[kind] = part
            work.take(NAME, line, CODES[kind], part, (clause, f"own {kind}"))
            left -= part
    if left:
        work.take(NAME, line, "PR-2", left, (clause, "left by the first payer"))
    work.note(NAME, line, f"{work.plan.coordination}: {dollars(owed)} owed", clause, opened)
