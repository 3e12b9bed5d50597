"""Which payer comes first for a person with more than one cover: computed from the covers, alike by payer and provider.

Covers are held against each other two by two, by the rules of the NAIC's coordination of benefits model regulation
(model 120, section 6, the rules numbered 1 to 5) and of Medicare's secondary payer law, in the order in which the plan
names them; the first rule that decides is the reason. What no rule decides, or what comes out as a circle, waits for
a person.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from salus.agreements.claims.decision import Cover
from salus.agreements.claims.plan import CoverRule
from salus.core.errors import InvariantBroken
from salus.interop.x12.claim import SELF

CHILD: Final = "19"
WORKING_AGED: Final = 20  # employees from which a group plan comes before Medicare: 42 CFR 411.172(a)
LARGE_GROUP: Final = 100  # the same for a disabled person: 42 CFR 411.206(a)
CUSTODY: Final = ("decree", "custodial", "custodial-spouse", "other", "other-spouse")
"""Rule 2 for parents apart: the parent whom a court decree names, the one with custody, its spouse, the other, its spouse."""


class Before(NamedTuple):
    """One cover that comes before another."""

    payer: str
    than: str
    rule: str
    """What decided, in words, with its source."""


class Order(NamedTuple):
    """The covers in the order in which they pay; `undecided` names why there is none."""

    payers: tuple[str, ...]
    reasons: tuple[Before, ...]
    undecided: str = ""


def order(covers: Sequence[Cover], rules: Sequence[CoverRule]) -> Order:
    """Order a person's covers, whose payers differ."""
    found: list[Before] = []
    for place, one in enumerate(covers):
        for two in covers[place + 1 :]:
            first = _before(one, two, covers, rules)
            if first is None:
                return Order((), tuple(found), f"no rule says who of {one.payer} and {two.payer} comes first")
            found.append(first)
    ranks = {cover.payer: sum(one.than == cover.payer for one in found) for cover in covers}
    if sorted(ranks.values()) != list(range(len(covers))):
        return Order((), tuple(found), "the rules put these covers in a circle")
    return Order(tuple(sorted(ranks, key=lambda payer: ranks[payer])), tuple(found))


def _before(one: Cover, two: Cover, covers: Sequence[Cover], rules: Sequence[CoverRule]) -> Before | None:
    for name in rules:
        verdict = RULES[name](one, two, covers)
        if verdict is None:
            continue
        first, why = verdict
        if not why:
            return None
        return Before(one.payer if first else two.payer, two.payer if first else one.payer, why)
    return None


Verdict = tuple[bool, str] | None
"""Whether the first of the two comes first, and why; no words: the rule is the right one and cannot tell; None: another's."""


def _medicare(one: Cover, two: Cover, _covers: Sequence[Cover]) -> Verdict:
    """Medicare and a group plan: 42 CFR 411.172 and 411.206. Kidney disease (411.162) counts months: for a person."""
    if bool(one.medicare) == bool(two.medicare):
        return None
    group, entitled = (two, one.medicare) if one.medicare else (one, two.medicare)
    if entitled == "kidney":
        return (True, "")
    if group.status != "active":
        return (bool(one.medicare), "Medicare before cover without current employment, 42 CFR 411.172 and 411.206")
    if not group.employees:
        return (True, "")
    least, clause = (WORKING_AGED, "42 CFR 411.172") if entitled == "age" else (LARGE_GROUP, "42 CFR 411.206")
    large = group.employees >= least
    told = f"a group of {least} or more before Medicare" if large else f"Medicare before a group of fewer than {least}"
    return (bool(two.medicare) if large else bool(one.medicare), f"{told}, {clause}")


def _dependent(one: Cover, two: Cover, covers: Sequence[Cover]) -> Verdict:
    """Rule 1: who is covered otherwise than as a dependent; turned round where Medicare stands between the two."""
    own = (one.relationship == SELF, two.relationship == SELF)
    if own[0] == own[1]:
        return None
    mine, theirs = (one, two) if own[0] else (two, one)
    turned = any(
        _first(third, mine, covers) and _first(theirs, third, covers)
        for third in covers
        if third.medicare and third not in (one, two)
    )
    if turned:
        return (not own[0], "Medicare stands between: dependent before own cover, NAIC 120 rule 1")
    return (own[0], "own cover before a dependent's, NAIC 120 rule 1")


def _first(one: Cover, two: Cover, covers: Sequence[Cover]) -> bool:
    verdict = _medicare(one, two, covers)
    return verdict is not None and bool(verdict[1]) and verdict[0]


def _child(one: Cover, two: Cover, _covers: Sequence[Cover]) -> Verdict:
    """Rule 2: a child's covers, by court decree and custody where the parents are apart, else by their birthdays."""
    if (one.relationship, two.relationship) != (CHILD, CHILD):
        return None
    return _apart(one, two) if one.custody or two.custody else _together(one, two)


def _apart(one: Cover, two: Cover) -> Verdict:
    if not (one.custody and two.custody) or one.custody == two.custody:
        return (True, "")
    first = CUSTODY.index(one.custody) < CUSTODY.index(two.custody)
    return (first, f"parents apart: {one.custody if first else two.custody} first, NAIC 120 rule 2(b)")


def _together(one: Cover, two: Cover) -> Verdict:
    if not (one.birthday and two.birthday):
        return (True, "")
    if one.birthday != two.birthday:
        return (one.birthday < two.birthday, "the parent whose birthday is earlier in the year, NAIC 120 rule 2(a)")
    if not (one.holder_since and two.holder_since) or one.holder_since == two.holder_since:
        return (True, "")
    return (one.holder_since < two.holder_since, "one birthday: the parent covered longer, NAIC 120 rule 2(a)")


def _active(one: Cover, two: Cover, _covers: Sequence[Cover]) -> Verdict:
    """Rule 3: active before retired or laid off."""
    told = {one.status, two.status}
    if told != {"active", "retired"}:
        return None
    return (one.status == "active", "active before retired, NAIC 120 rule 3")


def _continuation(one: Cover, two: Cover, _covers: Sequence[Cover]) -> Verdict:
    """Rule 4: any cover before one continued by law (COBRA)."""
    if (one.status == "continued") == (two.status == "continued"):
        return None
    return (two.status == "continued", "before cover continued by law, NAIC 120 rule 4")


def _longer(one: Cover, two: Cover, _covers: Sequence[Cover]) -> Verdict:
    """Rule 5: the cover that the person has had longer."""
    if not (one.since and two.since) or one.since == two.since:
        return None
    return (one.since < two.since, "covered longer, NAIC 120 rule 5")


RULES: Final[Mapping[CoverRule, Callable[[Cover, Cover, Sequence[Cover]], Verdict]]] = {
    "medicare": _medicare,
    "dependent": _dependent,
    "child": _child,
    "active": _active,
    "continuation": _continuation,
    "longer": _longer,
}


def before(payer: str, found: Order) -> tuple[str, ...]:
    """Return the payers that come before this one. Raises InvariantBroken if it is not among them."""
    if payer not in found.payers:
        raise InvariantBroken("a payer orders covers of which none is its own")
    return found.payers[: found.payers.index(payer)]
