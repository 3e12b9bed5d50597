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


def remaining(plan: Plan, taken: Mapping[Cell, int], bucket: str, tier: str, *, family: bool) -> int | None:
    """Return how many cents a bucket still takes; None where the plan has no such maximum."""
    rooms = [
        max(0, most - taken.get(Cell(bucket, scope, tier, year_of(plan)), 0))
        for rule in _rules(plan, bucket, tier)
        for scope, most in _scopes(rule, family=family)
    ]
    return min(rooms) if rooms else None


def cells_of(plan: Plan, kind: str, tier: str, *, family: bool) -> list[Cell]:
    """Return the cells that a share counts in: a deductible counts also towards the out-of-pocket maximum."""
    buckets = ["deductible", "out-of-pocket"] if kind == "deductible" else ["out-of-pocket"]
    cells: list[Cell] = []
    for bucket in buckets:
        for rule in _rules(plan, bucket, tier):
            scopes: list[Scope] = ["member", "family"] if family and rule.family else ["member"]
            cells.extend(Cell(bucket, scope, tier, year_of(plan)) for scope in scopes)
    return cells


def reserve(plan: Plan, taken: dict[Cell, int], kind: str, tier: str, amount: int, *, family: bool) -> None:
    """Count a share in all its cells."""
    for cell in cells_of(plan, kind, tier, family=family):
        taken[cell] = taken.get(cell, 0) + amount


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


def moves_of(plan: Plan, shares: Iterator[tuple[str, str, int]], *, family: bool) -> tuple[Move, ...]:
    """Return the moves of a decision from its shares (kind, tier, cents), one per cell, ordered."""
    total: dict[Cell, int] = {}
    for kind, tier, amount in shares:
        reserve(plan, total, kind, tier, amount, family=family)
    return tuple(Move(cell, amount) for cell, amount in sorted(total.items()) if amount)


def returned(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """Return the moves that take back exactly what was taken."""
    return tuple(Move(move.cell, -move.amount) for move in moves)
