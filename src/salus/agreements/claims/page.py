"""A decision in plain words, line by line: who billed what, who pays, why, what would mend it, how to object.

What is said is a list of parts; it is written as Markdown for a terminal and as HTML for a browser.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from salus.agreements.claims.decision import DecidedLine, Decision
from salus.agreements.claims.plan import Plan
from salus.interop.x12.claim import Line
from salus.interop.x12.money import dollars
from salus.interop.x12.shelf import Row

GROUPS: Final = (
    "CO: the provider writes it off and must not ask the patient for it",
    "PR: the patient owes it",
    "OA: another payer has paid it, or it is settled elsewhere",
    "PI: the payer holds it back",
)
"""What the letters before a reason code say."""
STATES: Final = {
    "paid": "decided: pays, or leaves a share to the patient",
    "denied": "denied in full",
    "pended": "waiting for a person",
    "voided": "taken back at the provider's word",
}
SHOWN: Final = {"pended": "waiting for a person", "voided": "taken back"}
"""How a status reads, where its name does not say it."""
NOT_PAID: Final = "decided, all of it the patient's share or written off"
STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-top: 1px solid; padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; } p, ul, dl { margin: .25rem 0 .75rem; } ul { padding-left: 1.25rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 2rem; } dl div { display: flex; gap: .5rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; font-weight: 600; } summary { cursor: pointer; padding: .25rem 0; }
@media print { details { display: block; } h2 { break-after: avoid; } }
"""
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


class Part(NamedTuple):
    """Something said: a heading, a paragraph, a list, figures with their names, or a list that is shown on request."""

    kind: Literal["h1", "h2", "h3", "p", "list", "figures", "more"]
    text: str
    items: tuple[str, ...] = ()
    """Of a list: its lines. Of figures: name and value in turn."""


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _line(line: Line, decided: DecidedLine) -> Iterator[Part]:
    what = " ".join(filter(None, (line.procedure or f"revenue {line.revenue}", *line.modifiers)))
    yield Part("h3", f"Line {line.number}: {what} on {_day(line.first)}")
    amounts = (
        ("billed", decided.charge),
        ("allowed", decided.allowed),
        ("paid", decided.paid),
        ("patient", decided.patient),
    )
    yield Part("figures", "", tuple(text for name, cents in amounts for text in (name, dollars(cents))))
    said = []
    for reason in decided.reasons:
        remark = f", remark {reason.remark}" if reason.remark else ""
        said.append(
            f"{dollars(reason.amount)} {reason.group}-{reason.code}{remark}: {reason.words} "
            f"(step {reason.step}, clause {reason.clause}). {_remedy(reason.remedy)}."
        )
    if said:
        yield Part("list", "", tuple(said))


def _remedy(text: str) -> str:
    rest = text.removeprefix("nothing: ")
    return f"What would help: {text}" if rest == text else f"Nothing to mend: {rest}"


def _claim(decision: Decision, plan: Plan) -> Iterator[Part]:
    claim = decision.claim
    status = SHOWN.get(decision.status, decision.status) if decision.paid or decision.status != "paid" else NOT_PAID
    yield Part("h2", f"Claim {claim.identifier}, our number {decision.control}: {status}")
    said = [
        (
            f"{claim.billing.name} billed {dollars(claim.charge)} for {_day(claim.first)}; it came on "
            f"{_day(decision.received)} and was decided on {_day(decision.decided)} under {decision.plan}."
        )
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
    yield Part("p", "\n".join(said))
    for line, decided in zip(claim.lines, decision.lines, strict=False):
        yield from _line(line, decided)
    reckoned = []
    for step in decision.trace:
        where = f"line {step.line}" if step.line else "claim"
        clause = f" [{step.clause}]" if step.clause else ""
        reckoned.append(f"{step.step}, {where}: {step.rule}{clause}; {dollars(step.before)} → {dollars(step.after)}")
    yield Part("more", "How it was reckoned", tuple(reckoned))
    if plan.appeals:
        levels = "; then ".join(f"{one.name} within {one.days} days ({one.clause})" for one in plan.appeals)
        yield Part("p", f"To object: {levels}.")
    if plan.clocks:
        told = (f"{one.name}: {one.days} days ({one.origin.law}, as of {_day(one.origin.date)})" for one in plan.clocks)
        yield Part("more", "Deadlines of this plan", tuple(told))


class Sums(msgspec.Struct):
    """What decisions come to, interest included, cents, and how many claims were refused."""

    paid: int = 0
    back: int = 0
    refused: int = 0
    """Claims refused at the door."""
    states: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, decision: Decision) -> None:
        """Count one decision, and what it takes back."""
        self.states[decision.status] += 1
        self.paid += decision.paid + decision.interest
        if decision.reverses is not None:
            self.back += decision.reverses.paid + decision.reverses.interest


def parts_of(decisions: Row[Decision], sums: Sums, plan: Plan, refused: Sequence[str]) -> Iterator[Part]:
    """Yield what a run says: sums, what was refused at the door, then each claim."""
    count = len(decisions)
    yield Part(
        "h1", f"{plan.payer_name}: {count} claim{'' if count == 1 else 's'} decided, {sums.refused} refused at the door"
    )
    if count:
        yield Part("p", f"Paid {dollars(sums.paid)}, taken back {dollars(sums.back)}.")
        states = tuple(f"{sums.states[one]} {words}" for one, words in STATES.items() if sums.states[one])
        yield Part("list", "", states)
        yield Part("more", "What the letters before a reason code say", GROUPS)
    if refused:
        yield Part("h2", "Refused at the door")
        yield Part("p", "Nothing of these was decided. Correct what is named and send it again.")
        yield Part("list", "", tuple(refused))
    for decision in decisions:
        yield from _claim(decision, plan)


def _text(part: Part) -> str:
    """Return a part as Markdown."""
    if part.kind == "p":
        return part.text
    if part.kind == "figures":
        pairs = zip(part.items[::2], part.items[1::2], strict=True)
        words = ", ".join(f"{name} {value}" for name, value in pairs)
        return f"{words[:1].upper()}{words[1:]}."
    if part.kind in {"list", "more"}:
        head = f"{part.text}:\n\n" if part.text else ""
        return head + "\n".join(f"- {item}" for item in part.items)
    return f"{'#' * int(part.kind[1])} {part.text}"


def _element(part: Part) -> str:
    """Return a part as HTML."""
    text = part.text.translate(_ESCAPES)
    if part.kind == "figures":
        pairs = zip(part.items[::2], part.items[1::2], strict=True)
        return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{value}</dd></div>' for name, value in pairs)}</dl>\n"
    if part.kind in {"list", "more"}:
        items = f"<ul>{''.join(f'<li>{item.translate(_ESCAPES)}</li>' for item in part.items)}</ul>"
        return f"<details><summary>{text}</summary>{items}</details>\n" if text else f"{items}\n"
    return f"<{part.kind}>{text}</{part.kind}>\n"


def html_parts(parts: Iterable[Part], title: str) -> Iterator[str]:
    """Yield parts as one page for a browser, piece by piece, with nothing that it would have to fetch."""
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title.translate(_ESCAPES)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    yield from map(_element, parts)
    yield "</main>\n</body>\n</html>\n"


def page(decisions: Row[Decision], plan: Plan) -> str:
    """Return decisions as Markdown, each for itself: sums are of a run."""
    parts = [Part("h1", plan.payer_name), Part("more", "What the letters before a reason code say", GROUPS)]
    parts.extend(part for decision in decisions for part in _claim(decision, plan))
    return "\n\n".join(map(_text, parts)) + "\n"
