"""A payer's own history, and the second pure function: which facts of it one claim needs.

The provider gets plan, its rates and the facts, never the history; who may see the history recomputes the facts too.
"""

from typing import Literal

import msgspec

from salus.agreements.claims.decide import net_moves, net_units
from salus.agreements.claims.decision import Approval, Balance, Cell, Decision, Facts, Used
from salus.agreements.claims.duplicates import find
from salus.agreements.claims.members import Holders, Member, Members, person_of
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates
from salus.interop.x12.claim import Claim

Coverage = Literal["active", "before", "after", "unknown", "other-payer"]


class Granted(msgspec.Struct, frozen=True, gc=False):
    """An approval and the person (key of `members`) whom it is for."""

    person: str
    approval: Approval


def _stands(decision: Decision) -> bool:
    """Tell whether a decision leaves a claim on file: no void does, nor what refers to a claim that is not known."""
    lost = any(reason.code == "129" for line in decision.lines for reason in line.reasons)
    return decision.claim.frequency != "8" and not lost


class History:
    """Decisions in the order in which they were made, and what they add up to."""

    def __init__(self, members: Members, granted: tuple[Granted, ...] = ()) -> None:
        self._members: dict[str, list[Member]] = {}
        self._families: dict[str, int] = {}
        self._holders = Holders(members)
        for member in members.members:
            self._members.setdefault(member.person, []).append(member)
            self._families[member.subscriber] = self._families.get(member.subscriber, 0) + 1
        self._decisions: dict[str, dict[str, Decision]] = {}
        self._days: dict[tuple[str, str, str], dict[str, Claim]] = {}
        self._cells: dict[tuple[str, Cell], int] = {}
        self._used: dict[tuple[str, str], int] = {}
        self._approvals = {part.approval.number: part for part in granted}

    def record(self, decision: Decision) -> None:
        """Add a decision; what it reverses is no longer a claim on file. Pended ones stay on file for duplicates."""
        person = person_of(decision.claim)
        family = decision.claim.subscriber.member
        known = self._decisions.setdefault(person, {})
        if decision.reverses is not None:
            known.pop(decision.reverses.control, None)
            for line in decision.reverses.claim.lines:
                self._days[person, line.first, line.last].pop(decision.reverses.control, None)
        if _stands(decision):
            known[decision.control] = decision
            for line in decision.claim.lines:
                self._days.setdefault((person, line.first, line.last), {})[decision.control] = decision.claim
        for move in net_moves(decision):
            key = (person if move.cell.scope == "member" else family, move.cell)
            self._cells[key] = self._cells.get(key, 0) + move.amount
        for unit in net_units(decision):
            if unit.kind == "limit":
                self._used[person, unit.name] = self._used.get((person, unit.name), 0) + unit.units
            elif unit.name in self._approvals:
                granted = self._approvals[unit.name]
                left = msgspec.structs.replace(granted.approval, units=granted.approval.units - unit.units)
                self._approvals[unit.name] = Granted(granted.person, left)

    def taken(self, holder: str, cell: Cell) -> int:
        """Return what a person's or family's cell has taken, cents."""
        return self._cells.get((holder, cell), 0)

    def set_taken(self, holder: str, cell: Cell, cents: int) -> None:
        """Set what a cell has taken by a keeper's word: the takes of all payers of the plan."""
        self._cells[holder, cell] = cents

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
        known = self._decisions.get(person, {})
        refers = again or (claim.original if claim.frequency in {"7", "8"} else "")
        original = known.get(refers)
        cells = {cell: taken for (holder, cell), taken in self._cells.items() if holder in {person, family}}
        used = {name: units for (holder, name), units in self._used.items() if holder == person}
        approvals = {part.approval.number: part.approval for part in self._approvals.values() if part.person == person}
        if original is not None:
            for move in original.moves:
                cells[move.cell] -= move.amount
            for unit in original.units:
                if unit.kind == "limit":
                    used[unit.name] -= unit.units
                elif unit.name in approvals:
                    held = approvals[unit.name]
                    approvals[unit.name] = msgspec.structs.replace(held, units=held.units + unit.units)
        others: dict[str, Claim] = {}
        for line in claim.lines:  # what matches a line, surely or perhaps, has its days
            others.update(self._days.get((person, line.first, line.last), {}))
        if original is not None:
            others.pop(original.control, None)
        member, coverage = self._coverage(person, claim)
        return Facts(
            received=received,
            decided=decided,
            control=control,
            coverage=coverage if claim.payer.identifier == plan.payer else "other-payer",
            provider="contracted" if rates is not None and rates.since <= claim.first <= rates.until else "outside",
            family=self._families.get(family, 0) > 1,
            balances=tuple(Balance(cell, taken) for cell, taken in sorted(cells.items()) if taken),
            used=tuple(Used(name, units) for name, units in sorted(used.items())),
            duplicates=find(plan.duplicates, claim, others.items()),
            approvals=tuple(approvals[number] for number in sorted(approvals)),
            covers=self._holders.covers(member, claim.first) if member is not None else (),
            original=original,
        )

    def _coverage(self, person: str, claim: Claim) -> tuple[Member | None, Coverage]:
        spans = self._members.get(person, [])
        if not spans:
            return None, "unknown"
        for member in spans:
            if member.since <= claim.first and claim.last <= member.until:
                return member, "active"
        first = min(spans, key=lambda member: member.since)
        return None, "before" if claim.first < first.since else "after"
