"""Step 15: charge = paid + reasons on every line, or the decision does not leave."""

from salus.agreements.claims.work import Work
from salus.core.errors import InvariantBroken

NAME = "balance"


def apply(work: Work) -> None:
    """Check each line. Raises InvariantBroken."""
    for line in work.lines:
        if line.line.charge - sum(reason.amount for reason in line.reasons) != line.open or line.open < 0:
            raise InvariantBroken(f"line {line.line.number} does not balance")
    work.note(NAME, None, "charge = paid + reasons on every line", "balance")
