"""Step 13: what a payer after the first owes. Standard, non-duplication, Medicare secondary (42 CFR 411.33).

The whole charge is accounted for: OA-23 for what the first paid and wrote off, CO-45 for what its patient share is
above our allowed amount, then our payment, then the patient's own share.
"""

from collections.abc import Sequence

from salus.agreements.claims.rounding import allocate
from salus.agreements.claims.steps.cost_share import CODES
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.claim import Adjustment

NAME = "secondary"


def apply(work: Work) -> None:
    """Replace what we would pay as the first payer by what we owe after the others."""
    if not work.secondary:
        return
    lines = work.going()
    before = _before(work)
    owed: list[int] = []
    for line in lines:
        paid, patient = before[line.line.number]
        line.paid_before = paid
        owed.append(_owed(work, line, paid, patient))
    if work.plan.coordination == "medicare-secondary" and work.claim.kind == "I":
        owed = _gross(lines, before)
    for line, amount in zip(lines, owed, strict=True):
        _settle(work, line, before[line.line.number], amount)


def _split(adjustments: Sequence[Adjustment]) -> int:
    return sum(part.amount for part in adjustments if part.group == "PR")


def _before(work: Work) -> dict[int, tuple[int, int]]:
    """Return, by line, what payers before paid and what they left to the patient; claim-level sums are spread."""
    decided = [other for other in work.claim.others if other.paid is not None]
    detailed = all(line.decisions for line in work.claim.lines)
    if detailed:
        return {
            line.number: (sum(part.paid for part in line.decisions), _split(line.decisions[-1].adjustments))
            for line in work.claim.lines
        }
    weights = tuple(line.charge for line in work.claim.lines)
    paid = allocate(sum(other.paid or 0 for other in decided), weights)
    patient = allocate(_split(decided[-1].adjustments), weights)
    return {line.number: (got, left) for line, got, left in zip(work.claim.lines, paid, patient, strict=True)}


def _owed(work: Work, line: LineWork, paid: int, patient: int) -> int:
    own = line.open
    if work.plan.coordination == "non-duplication":
        return max(0, min(own - paid, patient))
    if work.plan.coordination == "medicare-secondary":
        accepted = min(line.line.charge, paid + patient) if patient + paid < line.line.charge else line.line.charge
        highest = max(line.allowed, paid + patient)
        return max(0, min(accepted - paid, own, highest - paid, patient))
    return max(0, min(own, line.allowed - paid, patient))


def _gross(lines: list[LineWork], before: dict[int, tuple[int, int]]) -> list[int]:
    """42 CFR 411.33(e): the lowest of gross - own share, gross - paid, charge - paid, charge - own share."""
    gross = sum(line.allowed for line in lines)
    charge = sum(line.line.charge for line in lines)
    share = sum(sum(line.shares.values()) for line in lines)
    paid = sum(before[line.line.number][0] for line in lines)
    total = max(0, min(gross - share, gross - paid, charge - paid, charge - share))
    owed: list[int] = []
    for line in lines:
        part = min(total, max(0, before[line.line.number][1]))
        owed.append(part)
        total -= part
    return owed


def _settle(work: Work, line: LineWork, before: tuple[int, int], owed: int) -> None:
    """Rewrite the line: our shares and write-off so far give way to what the first payer left."""
    paid, patient = before
    patient = max(0, min(patient, line.line.charge))
    shares = dict(line.shares)
    opened = line.open
    line.reasons.clear()
    line.shares.clear()
    line.open = line.line.charge
    clause = "coordination of benefits"
    if line.line.charge > patient:
        work.take(NAME, line, "OA-23", line.line.charge - patient, (clause, f"first payer paid {paid} cents"))
    ceiling = max(line.allowed, paid + patient) if work.plan.coordination == "medicare-secondary" else line.allowed
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
    work.note(NAME, line, f"{work.plan.coordination}: {owed} cents owed", clause, opened)
