"""A decision in plain words, line by line: who billed what, who pays, why, what would mend it, how to object."""

from collections.abc import Iterator, Sequence

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.agreements.claims.plan import Plan
from salus.interop.x12.claim import Line
from salus.interop.x12.shelf import Row


def dollars(cents: int) -> str:
    """Write cents for people: $1,234.50."""
    sign, value = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}${value // 100:,}.{value % 100:02d}"


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _line(line: Line, decided: DecidedLine) -> list[str]:
    what = " ".join(filter(None, (line.procedure or f"revenue {line.revenue}", *line.modifiers)))
    said = [
        f"### Line {line.number}: {what} on {_day(line.first)}",
        "",
        (
            f"Billed {dollars(decided.charge)}, allowed {dollars(decided.allowed)}, "
            f"paid {dollars(decided.paid)}, patient {dollars(decided.patient)}."
        ),
        "",
    ]
    for reason in decided.reasons:
        remark = f", remark {reason.remark}" if reason.remark else ""
        said.append(
            f"- {dollars(reason.amount)} {reason.group}-{reason.code}{remark}: {reason.words} "
            f"(step {reason.step}, clause {reason.clause}). What would help: {reason.remedy}."
        )
    return [*said, ""]


def _claim(decision: Decision, plan: Plan) -> list[str]:
    claim = decision.claim
    said = [
        f"## Claim {claim.identifier}, our number {decision.control}: {decision.status}",
        "",
        (
            f"{claim.billing.name} billed {dollars(claim.charge)} for {_day(claim.first)}; it came on "
            f"{_day(decision.received)} and was decided on {_day(decision.decided)} under {decision.plan}."
        ),
    ]
    if decision.reverses is not None:
        said.append(f"The decision {decision.reverses.control} of before is taken back in full.")
    if decision.status != "voided":
        said.append(f"The plan pays {dollars(decision.paid)}; the patient owes {dollars(decision.patient)}.")
    if decision.interest:
        said.append(f"The payment is late; {dollars(decision.interest)} interest is added.")
    if decision.steps_off:
        said.append(f"Steps that this plan does without: {', '.join(decision.steps_off)}.")
    said.extend(f"A person must look at it: {reason}." for reason in decision.pends)
    said.append("")
    for line, decided in zip(claim.lines, decision.lines, strict=False):
        said.extend(_line(line, decided))
    said.extend(["How it was reckoned:", ""])
    for step in decision.trace:
        where = f"line {step.line}" if step.line else "claim"
        clause = f" [{step.clause}]" if step.clause else ""
        said.append(f"- {step.step}, {where}: {step.rule}{clause}; {dollars(step.before)} → {dollars(step.after)}")
    said.append("")
    if plan.appeals:
        first = plan.appeals[0]
        said.extend([f"To object: {first.name} within {first.days} days ({first.clause}).", ""])
    return said


class Sums(msgspec.Struct):
    """What decisions come to, interest included, cents, and how many claims were refused."""

    paid: int = 0
    back: int = 0
    refused: int = 0
    """Claims refused at the door."""

    def add(self, decision: Decision) -> None:
        """Count one decision, and what it takes back."""
        self.paid += decision.paid + decision.interest
        if decision.reverses is not None:
            self.back += decision.reverses.paid + decision.reverses.interest


def page_parts(decisions: Row[Decision], sums: Sums, plan: Plan, refused: Sequence[str]) -> Iterator[str]:
    """Yield one page, Markdown, piece by piece: sums, what was refused at the door, then each claim."""
    said = [
        f"# {plan.payer_name}: {len(decisions)} claims decided, {sums.refused} refused at the door",
        "",
        f"Paid {dollars(sums.paid)}, taken back {dollars(sums.back)}.",
        "",
    ]
    if refused:
        said.extend(["## Refused at the door", "", *(f"- {reason}" for reason in refused), ""])
    yield "\n".join(said)
    for decision in decisions:
        yield "\n" + "\n".join(_claim(decision, plan))


def page(decisions: Row[Decision], plan: Plan) -> str:
    """Return the whole page of decisions."""
    sums = Sums()
    for decision in decisions:
        sums.add(decision)
    return "".join(page_parts(decisions, sums, plan, ()))
