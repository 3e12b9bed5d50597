"""A decision in plain words, line by line: who billed what, who pays, why, what would mend it, how to object."""

from collections.abc import Sequence

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.agreements.claims.plan import Plan
from salus.interop.x12.claim import Line


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


def page(decisions: Sequence[Decision], plan: Plan, refused: Sequence[str]) -> str:
    """Return one page, Markdown: sums, what was refused at the door, then each claim."""
    paid = sum(decision.paid + decision.interest for decision in decisions)
    back = sum(part.reverses.paid + part.reverses.interest for part in decisions if part.reverses is not None)
    said = [
        f"# {plan.payer_name}: {len(decisions)} claims decided, {len(refused)} refused at the door",
        "",
        f"Paid {dollars(paid)}, taken back {dollars(back)}.",
        "",
    ]
    if refused:
        said.extend(["## Refused at the door", "", *(f"- {reason}" for reason in refused), ""])
    for decision in decisions:
        said.extend(_claim(decision, plan))
    return "\n".join(said)
