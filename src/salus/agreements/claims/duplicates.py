"""When two lines are the same service.

Medicare: CR 8121, Claims Processing Manual ch. 1 s. 120. TRICARE: Operations Manual 6010.62-M ch. 8 s. 9. Compared are a line and every finished, waiting and own line.
"""

from collections.abc import Container, Iterable
from typing import Final, Literal

from salus.agreements.claims.decision import Duplicate
from salus.interop.x12.claim import Claim, Line

Rule = Literal["medicare-professional", "medicare-institutional", "tricare"]
DISTINCT: Final = frozenset({"76", "77", "59", "XE", "XP", "XS", "XU", "RT", "LT"})
"""Modifiers that say: done again, or done elsewhere on the body."""
OWN: Final = "this claim"
BETWEEN_BIRTHS: Final = 8
"""Months within which a second delivery of one person is suspect (6010.62-M ch. 8 s. 9)."""


def rule_for(rule: Rule, claim: Claim) -> Rule:
    """Return the rule for a claim: Medicare has one for each form, TRICARE's is for individual providers."""
    if claim.kind == "I":
        return "medicare-institutional"
    return "medicare-professional" if rule == "medicare-institutional" else rule


def exact_key(rule: Rule, claim: Claim, line: Line) -> tuple[object, ...]:
    """Return what must be equal for an exact duplicate under a rule."""
    who, when = _served(claim), (line.first, line.last)
    if rule == "medicare-institutional":
        return (*who, claim.facility, *when, line.charge, line.procedure, line.revenue, line.modifiers)
    place = line.place or claim.facility
    if rule == "tricare":
        return (*who, *when, line.procedure, place, line.charge)
    return (*who, *when, claim.kind, line.procedure, place, line.charge)


def suspect(claim: Claim, line: Line, other: Claim, part: Line) -> bool:
    """Tell whether two lines look alike: one service of one person and provider on days that overlap."""
    return (
        _served(claim) == _served(other)
        and (line.procedure, line.revenue) == (part.procedure, part.revenue)
        and line.first <= part.last
        and part.first <= line.last
    )


def _served(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.patient.member, claim.patient.birth, claim.patient.first, claim.billing.identifier)


def soon_after_birth(deliveries: Container[str], claim: Claim, line: Line, other: Claim, part: Line) -> bool:
    """Tell whether two lines are deliveries of one person within eight months of each other, whoever bills them."""
    return (
        line.procedure in deliveries
        and part.procedure in deliveries
        and _served(claim)[:3] == _served(other)[:3]
        and _months_later(min(line.first, part.first), BETWEEN_BIRTHS) >= max(line.first, part.first)
    )


def _months_later(day: str, months: int) -> str:
    """Return the same day of a later month, CCYYMMDD, to be compared: the calendar may lack it."""
    month = int(day[:4]) * 12 + int(day[4:6]) - 1 + months
    return f"{month // 12:04d}{month % 12 + 1:02d}{day[6:]}"


def defeated(one: Line, other: Line) -> bool:
    """Tell whether modifiers make two lines distinct: one that only one of them carries says so."""
    return bool(DISTINCT & (frozenset(one.modifiers) ^ frozenset(other.modifiers)))


def find(
    rule: Rule, claim: Claim, known: Iterable[tuple[str, Claim]], deliveries: Container[str] = ()
) -> tuple[Duplicate, ...]:
    """Match each line with lines of known claims (payer's number, claim) and with earlier lines of its own claim.

    A suspect needs the same procedure and revenue code besides person, provider and days: of one stay all lines have its days.
    Under TRICARE's rule a delivery soon after another is one, too.
    """
    births = deliveries if rule == "tricare" else ()
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
            if suspect(claim, line, other, part) or (births and soon_after_birth(births, claim, line, other, part)):
                hit = hit or Duplicate(line.number, "suspect", number)
        if hit is not None:
            found.append(hit)
    return tuple(found)
