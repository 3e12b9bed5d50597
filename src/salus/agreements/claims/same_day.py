"""Lines of a person's other claims that the coding edits hold against a claim.

Pairs and units of a day stand per person, provider and day of service, whatever claims they come on (NCCI Policy Manual ch. 1;
MUE adjudication indicators 2 and 3). One provider: the same billing provider and the same rendering one, or two of one
specialty, who bill as one (Medicare Claims Processing Manual ch. 12 s. 30.6.5). Practitioners and facilities have edits of their
own, so the claims are of one kind.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from salus.agreements.claims.decision import DayLine, Decision, Facts, TableEdits
from salus.agreements.claims.members import person_of
from salus.agreements.claims.plan import PairEdit, Plan, UnitEdit
from salus.interop.x12.claim import Claim, Line, Party


def standing(decision: Decision) -> tuple[Line, ...]:
    """Return the lines of a decision that are not denied: paid, left to the patient, or waiting for a person."""
    denied = {line.number for line in decision.lines if line.denied}
    return tuple(line for line in decision.claim.lines if line.number not in denied) if decision.lines else ()


def beside(claim: Claim, others: Iterable[Decision]) -> tuple[DayLine, ...]:
    """Return the lines that stand of the person's other claims, of this claim's provider and days."""
    days = {line.first for line in claim.lines}
    return tuple(
        DayLine(other.control, line.first, line.procedure, line.modifiers, line.units)
        for other in others
        if other.claim.kind == claim.kind and other.claim.billing.identifier == claim.billing.identifier
        for line in standing(other)
        if line.first in days and any(_one_provider(claim, mine, other.claim, line) for mine in claim.lines)
    )


def _one_provider(claim: Claim, mine: Line, other: Claim, line: Line) -> bool:
    if mine.first != line.first:
        return False
    one, two = _rendering(claim, mine), _rendering(other, line)
    return one.identifier == two.identifier or (bool(one.taxonomy) and one.taxonomy == two.taxonomy)


def _rendering(claim: Claim, line: Line) -> Party:
    return next((one for one in (line.rendering, claim.rendering) if one.identifier), claim.billing)


def counted(plan: Plan, claim: Claim, edits: Iterable[TableEdits], lines: tuple[DayLine, ...]) -> tuple[DayLine, ...]:
    """Return those of the lines beside a claim that one of the plan's edits, or of its tables' rows, holds against it."""
    if not lines:
        return ()
    rows = tuple(edits)
    pairs = [*plan.coding.pairs, *(pair for one in rows for pair in one.pairs)]
    units = [*plan.coding.units, *(edit for one in rows for edit in one.units)]
    own = {(line.procedure, line.first) for line in claim.lines}
    return tuple(line for line in lines if any(True for _ in _holding(line, own, pairs, units)))


def _holding(
    line: DayLine, own: set[tuple[str, str]], pairs: list[PairEdit], units: list[UnitEdit]
) -> Iterator[PairEdit | UnitEdit]:
    """Yield the edits that hold a line against procedures of its day."""
    for pair in pairs:
        partner = {pair.first: pair.second, pair.second: pair.first}.get(line.procedure)
        in_force = pair.indicator != 9 and pair.since <= line.day <= pair.until
        if partner is not None and in_force and (partner, line.day) in own:
            yield pair
    for edit in units:
        if edit.per == "day" and edit.procedure == line.procedure and (edit.procedure, line.day) in own:
            yield edit


Rows = Callable[[Claim, Facts, tuple[DayLine, ...]], tuple[TableEdits, ...]]
"""Which rows of the plan's tables a provider holds a claim with such lines beside it against."""
Seen = tuple[str, str, tuple[str, ...], int]


class OwnCase(msgspec.Struct, frozen=True):
    """Another case of a family as its provider knows it, with the payer whose facts it holds against it."""

    decided: tuple[Decision, ...]
    """Its decisions, oldest first."""
    facts: Facts | None
    """Of the newest, where nothing has reopened the case since."""
    waiting: Claim | None
    """What is still to be decided."""


def counts(plan: Plan) -> bool:
    """Tell whether other claims of a day matter to a plan."""
    edits = plan.tables or plan.coding.pairs or any(one.per == "day" for one in plan.coding.units)
    return bool(edits) and "coding" not in plan.steps_off


def miscounted(plan: Plan, decision: Decision, facts: Facts, others: Sequence[OwnCase], rows: Rows) -> bool:
    """Tell whether facts count other lines of the day than the provider's own claims have.

    Named is a line that no claim has, or none whose decision stood on the day, and a line left out that stood. Where two
    claims were decided on one day, one of the two must count the other: their order is the payer's.
    """
    known = {line for other in others for line in _may_stand(other, decision)}
    if any(_seen(one) not in known for one in facts.same_day):
        return True
    return any(_left_out(plan, decision, facts, other, rows) for other in others)


def _seen(line: DayLine) -> Seen:
    return line.procedure, line.day, line.modifiers, line.units


def _may_stand(other: OwnCase, decision: Decision) -> Iterator[Seen]:
    """Yield the lines of a case that may have stood when a claim was decided: not denied, or still in process."""
    ends = [*(one.decided for one in other.decided[1:]), decision.decided]
    for one, end in zip(other.decided, ends, strict=False):
        if one.decided <= decision.decided <= end and person_of(one.claim) == person_of(decision.claim):
            yield from map(_seen, beside(decision.claim, [one]))
    late = next((one.claim for one in other.decided[:1] if one.decided >= decision.decided), None)
    for claim in (other.waiting, late):  # in process on that day
        if claim is not None and person_of(claim) == person_of(decision.claim):
            yield from ((line.procedure, line.first, line.modifiers, line.units) for line in claim.lines)


def _left_out(plan: Plan, decision: Decision, facts: Facts, other: OwnCase, rows: Rows) -> bool:
    """Tell whether facts lack lines of a case whose newest decision stood when the claim was decided."""
    if other.facts is None:
        return False  # which decision stood is not known
    newest = other.decided[-1]
    if newest.decided > decision.decided or person_of(newest.claim) != person_of(decision.claim):
        return False
    if _expected(plan, decision.claim, facts, newest, rows) <= set(facts.same_day):
        return False
    after = newest.decided == decision.decided
    return not (after and _expected(plan, newest.claim, other.facts, decision, rows) <= set(other.facts.same_day))


def _expected(plan: Plan, claim: Claim, facts: Facts, other: Decision, rows: Rows) -> set[DayLine]:
    lines = beside(claim, [other])
    return set(counted(plan, claim, rows(claim, facts, lines), lines))
