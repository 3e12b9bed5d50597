"""Accumulators: how much room a maximum leaves, what a share takes, and the moves of a decision.

Member and family cells move together or not at all. Embedded: the smaller room counts; aggregate: the family's alone.
"""

from collections.abc import Iterator, Mapping

from salus.agreements.claims.decision import Cell, Move, Scope
from salus.agreements.claims.plan import Accumulator, Plan


def year_of(plan: Plan) -> str:
    """Return the plan year that cells are named by: its first day."""
    return plan.since


def _scopes(rule: Accumulator, *, family: bool) -> list[tuple[Scope, int]]:
    if not family or not rule.family:
        return [("member", rule.individual)]
    if rule.method == "aggregate":
        return [("family", rule.family)]
    return [("member", rule.individual), ("family", rule.family)]


def _rules(plan: Plan, bucket: str, tier: str) -> Iterator[Accumulator]:
    return (rule for rule in plan.accumulators if rule.bucket == bucket and rule.tier == tier)


class Rooms:
    """The cells of a plan that one claim's shares count in, with their maxima, each found once."""

    def __init__(self, plan: Plan, *, family: bool) -> None:
        """`family`: whether the claim's person is one of several under the plan."""
        self._plan, self._family = plan, family
        self._limits: dict[tuple[str, str], list[tuple[Cell, int]]] = {}
        self._cells: dict[tuple[str, str], list[Cell]] = {}

    def remaining(self, taken: Mapping[Cell, int], bucket: str, tier: str) -> int | None:
        """Return how many cents a bucket still takes; None where the plan has no such maximum."""
        limits = self._limits.get((bucket, tier))
        if limits is None:
            limits = self._limits[bucket, tier] = self._limits_of(bucket, tier)
        room = None
        for cell, most in limits:
            left = most - taken.get(cell, 0)
            if room is None or left < room:
                room = left
        return room if room is None or room > 0 else 0

    def reserve(self, taken: dict[Cell, int], kind: str, tier: str, amount: int) -> None:
        """Count a share in all its cells: a deductible counts also towards the out-of-pocket maximum."""
        cells = self._cells.get((kind, tier))
        if cells is None:
            cells = self._cells[kind, tier] = self._cells_of(kind, tier)
        for cell in cells:
            taken[cell] = taken.get(cell, 0) + amount

    def _limits_of(self, bucket: str, tier: str) -> list[tuple[Cell, int]]:
        year = year_of(self._plan)
        return [
            (Cell(bucket, scope, tier, year), most)
            for rule in _rules(self._plan, bucket, tier)
            for scope, most in _scopes(rule, family=self._family)
        ]

    def _cells_of(self, kind: str, tier: str) -> list[Cell]:
        buckets = ["deductible", "out-of-pocket"] if kind == "deductible" else ["out-of-pocket"]
        cells: list[Cell] = []
        for bucket in buckets:
            for rule in _rules(self._plan, bucket, tier):
                scopes: list[Scope] = ["member", "family"] if self._family and rule.family else ["member"]
                cells.extend(Cell(bucket, scope, tier, year_of(self._plan)) for scope in scopes)
        return cells


def overdrawn(plan: Plan, before: Mapping[Cell, int], after: Mapping[Cell, int]) -> list[Cell]:
    """Return the cells that grew beyond their maximum; member cells of an aggregate rule have none."""
    found: list[Cell] = []
    for rule in plan.accumulators:
        limits: list[tuple[Scope, int]] = [("family", rule.family)] if rule.family else []
        if rule.method == "embedded" or not rule.family:
            limits.append(("member", rule.individual))
        for scope, most in limits:
            cell = Cell(rule.bucket, scope, rule.tier, year_of(plan))
            if after.get(cell, 0) > max(most, before.get(cell, 0)):
                found.append(cell)
    return found


def moves_of(rooms: Rooms, shares: Iterator[tuple[str, str, int]]) -> tuple[Move, ...]:
    """Return the moves of a decision from its shares (kind, tier, cents), one per cell, ordered."""
    total: dict[Cell, int] = {}
    for kind, tier, amount in shares:
        rooms.reserve(total, kind, tier, amount)
    return tuple(Move(cell, amount) for cell, amount in sorted(total.items()) if amount)


def returned(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """Return the moves that take back exactly what was taken."""
    return tuple(Move(move.cell, -move.amount) for move in moves)
