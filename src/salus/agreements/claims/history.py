"""A payer's own history, and the second pure function: which facts of it one claim needs.

The provider gets plan, its rates and the facts, never the history; who may see the history recomputes the facts too.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, Literal

import msgspec

from salus.agreements.claims.decide import net_moves
from salus.agreements.claims.decision import Approval, Balance, Cell, DayLine, Decision, Facts, Used
from salus.agreements.claims.duplicates import find, rule_for
from salus.agreements.claims.members import Holders, Member, Members, person_of
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.same_day import beside, counted
from salus.agreements.claims.tables import Table, edits_of, prices_of
from salus.interop.x12.calendar import date_of, day_number
from salus.interop.x12.claim import Claim
from salus.interop.x12.shelf import Shelf

NO_TABLES: Final[Mapping[str, Table]] = {}
Coverage = Literal["active", "before", "after", "unknown", "other-payer"]


class Granted(msgspec.Struct, frozen=True, gc=False):
    """An approval and the person (key of `members`) whom it is for."""

    person: str
    approval: Approval


def _stands(decision: Decision) -> bool:
    """Tell whether a decision leaves a claim on file: no void does, nor what refers to a claim that is not known."""
    lost = any(reason.code == "129" for line in decision.lines for reason in line.reasons)
    return decision.claim.frequency != "8" and not lost


LONGEST: Final = 400
"""Days of a line by which another is found: no bill is for more than a year."""
NEAR_BIRTH: Final = 245
"""Days of eight months at most."""


def _days(person: str, claim: Claim) -> dict[int, None]:
    """Return the keys of a claim's days of service, each once, in order: short ones, for each claim on file has some.

    Two that fall together bring a claim too many before the comparisons, which look at all of it.
    """
    days = dict.fromkeys(line.first for line in claim.lines)
    for line in claim.lines:
        if line.last > line.first:
            first = day_number(line.first)
            days |= dict.fromkeys(date_of(one) for one in range(first, min(day_number(line.last), first + LONGEST) + 1))
    return _keys(person, days)


def _around_birth(person: str, claim: Claim, plan: Plan) -> dict[int, None]:
    """Return the keys of the days on which another delivery of the person would be too near to one of a claim."""
    if plan.duplicates != "tricare":
        return {}
    births = [day_number(line.first) for line in claim.lines if line.procedure in plan.deliveries]
    return _keys(person, (date_of(day + shift) for day in births for shift in range(-NEAR_BIRTH, NEAR_BIRTH + 1)))


def _keys(person: str, days: Iterable[str]) -> dict[int, None]:
    return dict.fromkeys(int.from_bytes(blake2b(f"{person}|{day}".encode(), digest_size=8).digest()) for day in days)


def _served(decision: Decision) -> str:
    """Return a day of service of a decision that took units: all its lines that go are of one plan year."""
    lines = zip(decision.claim.lines, decision.lines, strict=True)
    return next(line.first for line, decided in lines if not decided.denied)


def _used(plan: Plan, held: Mapping[tuple[str, str], int]) -> tuple[Used, ...]:
    """Return what counts towards the plan's limits: of a person's life, of the plan year, of the claim alone nothing."""
    found = {
        limit.name: sum(
            units
            for (name, day), units in held.items()
            if name == limit.name and (limit.per == "lifetime" or plan.since <= day <= plan.until)
        )
        for limit in plan.limits
        if limit.per != "claim"
    }
    return tuple(Used(name, units) for name, units in sorted(found.items()) if units)


class History:
    """Decisions in the order in which they were made, and what they add up to."""

    def __init__(
        self,
        members: Members,
        granted: tuple[Granted, ...] = (),
        shelf: Shelf[Decision] | None = None,
        tables: Mapping[str, Table] = NO_TABLES,
    ) -> None:
        """Begin without decisions. `shelf` takes every decision recorded, in order; a list where none is given.

        `tables` are the tables and fee schedules at hand, by digest.
        """
        self._tables = tables
        self._members: dict[str, list[Member]] = {}
        self._families: dict[str, int] = {}
        self._holders = Holders(members)
        for member in members.members:
            self._members.setdefault(member.person, []).append(member)
            self._families[member.subscriber] = self._families.get(member.subscriber, 0) + 1
        self._shelf: Shelf[Decision] = [] if shelf is None else shelf
        self._places: dict[str, int] = {}
        """By the payer's number: where the decision stands, of claims on file."""
        self._days: dict[int, str | tuple[str, ...]] = {}
        """By person and first day of a line: the payer's number of the claim with such a line, or the numbers."""
        self._cells: dict[str, dict[Cell, int]] = {}
        self._names: dict[Cell, Cell] = {}
        """One object for equal names of cells: there are few, and each person has them."""
        self._used: dict[str, dict[tuple[str, str], int]] = {}
        """By person: units of a limit, by its name and the day of service that they were taken for."""
        self._approvals: dict[str, dict[str, Approval]] = {}
        self._persons = {part.approval.number: part.person for part in granted}
        for part in granted:
            self._approvals.setdefault(part.person, {})[part.approval.number] = part.approval

    def record(self, decision: Decision) -> None:
        """Add a decision; what it reverses is no longer a claim on file. Pended ones stay on file for duplicates."""
        person = person_of(decision.claim)
        family = decision.claim.subscriber.member
        if decision.reverses is not None:
            self._forget(person, decision.reverses)
        place = len(self._shelf)
        self._shelf.append(decision)
        if _stands(decision):
            self._places[decision.control] = place
            for key in _days(person, decision.claim):
                numbers = self._at(key)
                if decision.control not in numbers:
                    self._days[key] = (*numbers, decision.control) if numbers else decision.control
        for move in net_moves(decision):
            cells = self._cells.setdefault(person if move.cell.scope == "member" else family, {})
            cell = self._names.setdefault(move.cell, move.cell)
            cells[cell] = cells.get(cell, 0) + move.amount
        if decision.reverses is not None:
            self._count(person, decision.reverses, -1)
        self._count(person, decision, 1)

    def _count(self, person: str, decision: Decision, sign: int) -> None:
        """Count the units of a decision, or take them back."""
        for unit in decision.units:
            if unit.kind == "limit":
                used = self._used.setdefault(person, {})
                key = (unit.name, _served(decision))
                used[key] = used.get(key, 0) + sign * unit.units
            elif unit.name in self._persons:
                approvals = self._approvals[self._persons[unit.name]]
                held = approvals[unit.name]
                approvals[unit.name] = msgspec.structs.replace(held, units=held.units - sign * unit.units)

    def _forget(self, person: str, reversed_: Decision) -> None:
        self._places.pop(reversed_.control, None)
        for key in _days(person, reversed_.claim):
            left = tuple(number for number in self._at(key) if number != reversed_.control)
            if left:
                self._days[key] = left
            else:
                self._days.pop(key, None)

    def _at(self, key: int) -> tuple[str, ...]:
        found = self._days.get(key, ())
        return (found,) if isinstance(found, str) else found

    def _on_file(self, number: str, person: str) -> Decision | None:
        """Return the decision under a number, if it stands and is this person's."""
        place = self._places.get(number)
        found = self._shelf[place] if place is not None else None
        return found if found is not None and person_of(found.claim) == person else None

    def taken(self, holder: str, cell: Cell) -> int:
        """Return what a person's or family's cell has taken, cents."""
        return self._cells.get(holder, {}).get(cell, 0)

    def set_taken(self, holder: str, cell: Cell, cents: int) -> None:
        """Set what a cell has taken by a keeper's word: the takes of all payers of the plan."""
        self._cells.setdefault(holder, {})[cell] = cents

    def draw(
        self,
        claim: Claim,
        plan: Plan,
        rates: Rates | None,
        *,
        received: str,
        decided: str,
        control: str,
        again: str = "",
    ) -> Facts:
        """Draw the facts of one claim. What it takes back counts as returned.

        `again` is the payer's number of the decision that this one follows on an appeal or correction; a replacement
        or void names it itself.
        """
        person, family = person_of(claim), claim.subscriber.member
        refers = again or (claim.original if claim.frequency in {"7", "8"} else "")
        original = self._on_file(refers, person)
        cells = {**self._cells.get(person, {}), **self._cells.get(family, {})}
        used = dict(self._used.get(person, {}))
        approvals = dict(self._approvals.get(person, {}))
        if original is not None:
            for move in original.moves:
                cells[move.cell] -= move.amount
            for unit in original.units:
                if unit.kind == "limit":
                    used[unit.name, _served(original)] -= unit.units
                elif unit.name in approvals:
                    held = approvals[unit.name]
                    approvals[unit.name] = msgspec.structs.replace(held, units=held.units + unit.units)
        others = self._beside(person, _days(person, claim) | _around_birth(person, claim, plan), original)
        lines = beside(claim, others)
        edits = edits_of(plan, claim, self._tables, lines)
        member, coverage = self._coverage(person, claim)
        contract = rates if rates is not None and rates.since <= claim.first <= rates.until else None
        return Facts(
            received=received,
            decided=decided,
            control=control,
            coverage=coverage if claim.payer.identifier == plan.payer else "other-payer",
            provider="contracted" if contract is not None else "outside",
            family=self._families.get(family, 0) > 1,
            balances=tuple(Balance(cell, taken) for cell, taken in sorted(cells.items()) if taken),
            used=_used(plan, used),
            duplicates=find(
                rule_for(plan.duplicates, claim), claim, ((one.control, one.claim) for one in others), plan.deliveries
            ),
            approvals=tuple(approvals[number] for number in sorted(approvals)),
            covers=self._holders.covers(member, claim.first) if member is not None else (),
            original=original,
            edits=edits,
            same_day=counted(plan, claim, edits, lines),
            schedules=prices_of(plan, claim, contract, self._tables),
        )

    def lines_beside(self, claim: Claim, original: Decision | None) -> tuple[DayLine, ...]:
        """Return the lines of other claims on file that edits may hold against a claim; `original` is what it takes back."""
        return beside(claim, self._beside(person := person_of(claim), _days(person, claim), original))

    def _beside(self, person: str, days: Iterable[int], original: Decision | None) -> list[Decision]:
        """Return a person's decisions on file with a line on one of these days, what a claim takes back left out."""
        numbers = dict.fromkeys(number for day in days for number in self._at(day))
        if original is not None:
            numbers.pop(original.control, None)
        found = (self._shelf[self._places[number]] for number in numbers)
        return [one for one in found if person_of(one.claim) == person]

    def _coverage(self, person: str, claim: Claim) -> tuple[Member | None, Coverage]:
        spans = self._members.get(person, [])
        if not spans:
            return None, "unknown"
        for member in spans:
            if member.since <= claim.first and claim.last <= member.until:
                return member, "active"
        first = min(spans, key=lambda member: member.since)
        return None, "before" if claim.first < first.since else "after"
