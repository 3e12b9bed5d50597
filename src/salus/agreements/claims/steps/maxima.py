"""Step 12: accumulators. What the shares took is checked against every maximum before it becomes a move."""

from salus.agreements.claims.accumulators import overdrawn
from salus.agreements.claims.work import Work
from salus.core.errors import InvariantBroken

NAME = "accumulators"


def apply(work: Work) -> None:
    """Stop at a maximum that would be exceeded by this claim. Raises InvariantBroken."""
    before = {balance.cell: balance.taken for balance in work.facts.balances}
    for cell in overdrawn(work.plan, before, work.taken):
        raise InvariantBroken(f"a cost share exceeds the maximum of {cell.bucket}, {cell.scope}, {cell.tier}")
    work.note(NAME, None, "maxima hold", "accumulators")
