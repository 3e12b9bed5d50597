"""When two lines are the same service.

Medicare: CR 8121, Claims Processing Manual ch. 1 s. 120. TRICARE: Operations Manual 6010.62-M ch. 8 s. 9. Compared are a line and every finished, waiting and own line.
"""

from collections.abc import Iterable
from typing import Final, Literal

from salus.agreements.claims.decision import Duplicate
from salus.interop.x12.claim import Claim, Line

Rule = Literal["medicare-professional", "medicare-institutional", "tricare"]
DISTINCT: Final = frozenset({"76", "77", "59", "XE", "XP", "XS", "XU", "RT", "LT"})
"""Modifiers that say: done again, or done elsewhere on the body."""
OWN: Final = "this claim"


def rule_for(rule: Rule, claim: Claim) -> Rule:
    """Return the rule for a claim: Medicare has one for each form, TRICARE's is for individual providers."""
    if claim.kind == "I":
        return "medicare-institutional"
    return "medicare-professional" if rule == "medicare-institutional" else rule


def exact_key(rule: Rule, claim: Claim, line: Line) -> tuple[object, ...]:
    """Return what must be equal for an exact duplicate under a rule."""
    who = (claim.patient.member, claim.patient.birth, claim.patient.first, claim.billing.identifier)
    when = (line.first, line.last)
    if rule == "medicare-institutional":
        return (*who, claim.facility, *when, line.charge, line.procedure, line.revenue, line.modifiers)
    place = line.place or claim.facility
    if rule == "tricare":
        return (*who, *when, line.procedure, place, line.charge)
    return (*who, *when, claim.kind, line.procedure, place, line.charge)


def suspect_key(rule: Rule, claim: Claim, line: Line) -> tuple[object, ...]:
    """Return what makes a line suspicious when equal."""
    who = (claim.patient.member, claim.patient.birth, claim.patient.first, claim.billing.identifier)
    if rule == "medicare-institutional":
        return (*who, line.first, line.last)
    return (*who, line.first, line.last, line.procedure)


def defeated(one: Line, other: Line) -> bool:
    """Tell whether modifiers make two lines distinct: one that only one of them carries says so."""
    return bool(DISTINCT & (frozenset(one.modifiers) ^ frozenset(other.modifiers)))


def find(rule: Rule, claim: Claim, known: Iterable[tuple[str, Claim]]) -> tuple[Duplicate, ...]:
    """Match each line with lines of known claims (payer's number, claim) and with earlier lines of its own claim.

    An institutional suspect needs the same procedure or revenue code besides: stays are compared by exact key only.
    """
    others = [(number, other, part) for number, other in known for part in other.lines]
    found: list[Duplicate] = []
    for place, line in enumerate(claim.lines):
        own = [(OWN, claim, part) for part in claim.lines[:place]]
        hit: Duplicate | None = None
        for number, other, part in [*others, *own]:
            if defeated(line, part):
                continue
            if exact_key(rule, claim, line) == exact_key(rule, other, part):
                crossed = number != OWN and bool(claim.others) != bool(other.others)
                hit = Duplicate(line.number, "crossover" if crossed else "exact", number)
                break
            same = suspect_key(rule, claim, line) == suspect_key(rule, other, part)
            if same and (line.procedure, line.revenue) == (part.procedure, part.revenue):
                hit = hit or Duplicate(line.number, "suspect", number)
        if hit is not None:
            found.append(hit)
    return tuple(found)
