"""One claim decided: the steps from top to bottom, pure, the same at payer, provider and auditor.

    decision = decide(claim, plan, rates, facts)

Nothing is read but the arguments: no clock, no table, no history. The result balances, or InvariantBroken is raised.
"""

from typing import Final

from salus.agreements.claims import accumulators
from salus.agreements.claims.categories import benefit_of, category_of
from salus.agreements.claims.decision import DecidedLine, Decision, Facts, Move, UnitMove
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.steps import (
    authorisation,
    balance,
    benefits,
    coding,
    cost_share,
    coverage,
    duplicate_lines,
    filing,
    identity,
    maxima,
    payer_order,
    pricing,
    provider,
    secondary,
    withholding,
)
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.claim import Claim

STEPS: Final = (
    identity,
    duplicate_lines,
    coverage,
    payer_order,
    provider,
    filing,
    authorisation,
    coding,
    benefits,
    pricing,
    cost_share,
    maxima,
    secondary,
    withholding,
    balance,
)
ALWAYS: Final = frozenset({"identity", "pricing", "accumulators", "balance"})
"""Steps that no plan can switch off."""
RULABLE: Final = frozenset(
    {"coverage", "duplicates", "payer-order", "filing", "authorisation", "coding", "benefits", "provider"}
)
"""Steps on which a person may rule; prices and shares are the documents' alone."""


def decide(claim: Claim, plan: Plan, rates: Rates | None, facts: Facts) -> Decision:
    """Decide a claim. `rates` is the billing provider's document, None without contract."""
    work = Work(claim, plan, rates, facts)
    for line in work.lines:
        line.category = category_of(plan, claim, line.line)
        line.benefit = benefit_of(plan, line.category, work.tier)
    off = tuple(step.NAME for step in STEPS if step.NAME in plan.steps_off and step.NAME not in ALWAYS)
    for step in STEPS:
        if step.NAME in off:
            work.note(step.NAME, None, "step switched off by the plan", "steps_off")
            continue
        step.apply(work)
        if work.voided:
            return _void(work, off)
    return _decision(work, off)


def _void(work: Work, off: tuple[str, ...]) -> Decision:
    original = work.facts.original
    return Decision(
        control=work.facts.control,
        claim=work.claim,
        status="voided",
        lines=(),
        moves=(),
        units=(),
        trace=tuple(work.trace),
        pends=(),
        interest=0,
        secondary=work.secondary,
        steps_off=off,
        plan=f"{work.plan.name} {work.plan.version}",
        received=work.facts.received,
        decided=work.facts.decided,
        reverses=original,
    )


def _line(line: LineWork, tier: str) -> DecidedLine:
    patient = sum(reason.amount for reason in line.reasons if reason.group == "PR")
    return DecidedLine(
        line.line.number,
        line.line.charge,
        line.allowed,
        line.open,
        patient,
        line.denied,
        line.category,
        line.benefit.tier if line.benefit else tier,
        tuple(line.reasons),
    )


def _decision(work: Work, off: tuple[str, ...]) -> Decision:
    pended = bool(work.pends)
    shares = (
        (kind, line.benefit.tier, amount) for line in work.lines if line.benefit for kind, amount in line.shares.items()
    )
    moves = () if pended else accumulators.moves_of(work.rooms, shares)
    denied = all(line.denied for line in work.lines)
    return Decision(
        control=work.facts.control,
        claim=work.claim,
        status="pended" if pended else ("denied" if denied else "paid"),
        lines=tuple(_line(line, work.tier) for line in work.lines),
        moves=moves,
        units=() if pended else _reaching(work),
        trace=tuple(work.trace),
        pends=tuple(work.pends),
        interest=0 if pended or denied else work.interest,
        secondary=work.secondary,
        steps_off=off,
        plan=f"{work.plan.name} {work.plan.version}",
        received=work.facts.received,
        decided=work.facts.decided,
        reverses=None if pended else work.facts.original,
    )


def _reaching(work: Work) -> tuple[UnitMove, ...]:
    """Return the units taken by lines that no later step denied."""
    return tuple(move for line, move in work.units if not line.denied)


def net_moves(decision: Decision) -> tuple[Move, ...]:
    """Return what a decision changes in the cells: first the stored moves of the one it reverses go back."""
    before = decision.reverses
    return (*(accumulators.returned(before.moves) if before else ()), *decision.moves)
