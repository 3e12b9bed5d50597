"""A claim on its way through the steps: what each line still pays, and everything that was taken off, with why."""

from typing import Final

from salus.agreements.claims.accumulators import Rooms
from salus.agreements.claims.decision import Approval, Cell, Facts, Reason, Trace, UnitMove
from salus.agreements.claims.plan import Benefit, Plan
from salus.agreements.claims.rates import Rates
from salus.core.errors import InvariantBroken
from salus.interop.x12.claim import Claim, Line

DENIED: Final = "CO-18"
"""What a person's denial of a waiting line is told as: what waits is a suspected duplicate."""


class LineWork:
    """One line. `open` is what is still payable: charge less all reasons so far."""

    __slots__ = ("allowed", "benefit", "category", "denied", "line", "open", "paid_before", "reasons", "shares")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.open = line.charge
        self.allowed = line.charge
        self.denied = False
        self.category = ""
        self.benefit: Benefit | None = None
        self.reasons: list[Reason] = []
        self.shares: dict[str, int] = {}
        """What copay, deductible and coinsurance took, cents."""
        self.paid_before = 0
        """What the payer before us paid on this line."""


class Work:
    """One claim. Steps read the documents and take from the lines; nothing else is written."""

    def __init__(self, claim: Claim, plan: Plan, rates: Rates | None, facts: Facts) -> None:
        self.claim = claim
        self.plan = plan
        self.rates = rates
        self.facts = facts
        self.rooms = Rooms(plan, family=facts.family)
        self.lines = [LineWork(line) for line in claim.lines]
        self.trace: list[Trace] = []
        self.pends: list[str] = []
        self.units: list[tuple[LineWork, UnitMove]] = []
        self.taken: dict[Cell, int] = {balance.cell: balance.taken for balance in facts.balances}
        self.approvals: dict[str, Approval] = {approval.number: approval for approval in facts.approvals}
        self.voided = False
        self.interest = 0

    @property
    def tier(self) -> str:
        """The network tier of the provider."""
        contracted = self.rates is not None and self.facts.provider == "contracted"
        return self.rates.tier if contracted and self.rates is not None else self.plan.tiers[-1]

    @property
    def secondary(self) -> bool:
        """Whether a payer before us has decided."""
        return any(other.paid is not None for other in self.claim.others)

    def going(self) -> list[LineWork]:
        """Return the lines that are not denied."""
        return [line for line in self.lines if not line.denied]

    def note(self, step: str, line: LineWork | None, rule: str, clause: str, before: int | None = None) -> None:
        """Record what a step did; `before` is what was payable before it, left out where nothing changed."""
        number, after = (
            (line.line.number, line.open) if line is not None else (0, sum(part.open for part in self.lines))
        )
        self.trace.append(Trace(step, number, rule, clause, after if before is None else before, after))

    def take(
        self, step: str, line: LineWork, code: str, amount: int, why: tuple[str, str], *, remark: str = ""
    ) -> None:
        """Take an amount off a line for a reason (`CO-45`); `why` is clause and rule. Raises InvariantBroken if the line has less."""
        if amount == 0:
            return
        if not 0 < amount <= line.open:
            raise InvariantBroken(f"step {step} takes more than line {line.line.number} has")
        clause, rule = why
        group, _, number = code.partition("-")
        before = line.open
        line.open -= amount
        line.reasons.append(Reason(group, number, amount, step, clause, remark))
        self.note(step, line, rule, clause, before)

    def add(self, step: str, line: LineWork, code: str, amount: int, why: tuple[str, str]) -> None:
        """Add to what a line pays beyond its charge: a reason with a negative amount, as an 835 writes it."""
        clause, rule = why
        group, _, number = code.partition("-")
        before = line.open
        line.open += amount
        line.reasons.append(Reason(group, number, -amount, step, clause))
        self.note(step, line, rule, clause, before)

    def deny(self, step: str, line: LineWork, code: str, clause: str, rule: str, *, remark: str = "") -> None:
        """Deny a line: all of it is taken off for one reason."""
        if line.denied or self._ruled(step, line, "allow", rule):
            return
        line.denied = True
        line.allowed = 0
        if line.open:
            self.take(step, line, code, line.open, (clause, rule), remark=remark)
        else:
            self.note(step, line, rule, clause)

    def _ruled(self, step: str, line: LineWork, verdict: str, rule: str) -> bool:
        """Tell whether a person has ruled so on this step and line, and note it."""
        for one in self.facts.rulings:
            if (one.step, one.verdict) == (step, verdict) and one.line in {0, line.line.number}:
                self.note(step, line, f"{rule}; a person ruled {verdict}: {one.basis}", "a person's ruling")
                return True
        return False

    def deny_all(self, step: str, code: str, clause: str, rule: str, *, remark: str = "") -> None:
        """Deny what is left of the claim."""
        for line in self.going():
            self.deny(step, line, code, clause, rule, remark=remark)

    def pend(self, step: str, rule: str, line: LineWork | None = None, *, code: str = DENIED) -> None:
        """Send the claim to a person, unless one has ruled; a ruling to deny a line is told as `code`."""
        if line is not None and self._ruled(step, line, "allow", rule):
            return
        if line is not None and self._ruled(step, line, "deny", rule):
            self.deny(step, line, code, "a person's ruling", rule)
            return
        if f"{step}: {rule}" not in self.pends:
            self.pends.append(f"{step}: {rule}")
        self.note(step, line, rule, "")
