"""What changes if a plan is replaced: old claims decided again, every decision that differs listed."""

from collections.abc import Iterable, Mapping

import msgspec

from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import DayLine, DecidedLine, Decision, Facts
from salus.agreements.claims.history import NO_TABLES, History
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.same_day import counted
from salus.agreements.claims.tables import Table, edits_of, prices_of
from salus.interop.x12.claim import Claim


class Case(msgspec.Struct, frozen=True):
    """One claim with what it was decided on."""

    claim: Claim
    rates: Rates | None
    facts: Facts
    lines: tuple[DayLine, ...] = ()
    """Of other claims of its days that stood when it was decided: another version may have other edits."""


class Change(msgspec.Struct, frozen=True):
    """One decision that differs."""

    control: str
    before: tuple[str, int, int]
    """Status, paid, patient's share; cents."""
    after: tuple[str, int, int]
    lines: tuple[int, ...]
    """Numbers of the lines that differ."""


def replayed(
    claims: Iterable[Claim], plan: Plan, rates: Iterable[Rates], history: History, day: str
) -> tuple[Case, ...]:
    """Decide claims in turn under a plan, each in the history of the next; return each with what it was decided on."""
    contracts = {part.provider: part for part in rates if part.payer == plan.payer}
    cases: list[Case] = []
    for number, claim in enumerate(claims, 1):
        contract = contracts.get(claim.billing.identifier)
        facts = history.draw(claim, plan, contract, received=day, decided=day, control=f"C{number:08d}")
        cases.append(Case(claim, contract, facts, history.lines_beside(claim, facts.original)))
        history.record(decide(claim, plan, contract, facts))
    return tuple(cases)


def _told(decision: Decision) -> tuple[str, int, int]:
    return decision.status, decision.paid, decision.patient


def _line(line: DecidedLine) -> tuple[object, ...]:
    """Return what of a line's decision is compared: amounts and codes, not the words of clauses."""
    reasons = tuple((one.group, one.code, one.amount) for one in line.reasons)
    return line.allowed, line.paid, line.patient, line.denied, reasons


def compare(old: Plan, new: Plan, cases: Iterable[Case], tables: Mapping[str, Table] = NO_TABLES) -> tuple[Change, ...]:
    """Replay claims under both versions, each on the facts it had; `tables` are those of the new version, by digest."""
    changes: list[Change] = []
    for case in cases:
        before = decide(case.claim, old, case.rates, case.facts)
        edits = edits_of(new, case.claim, tables, case.lines)
        counts = counted(new, case.claim, edits, case.lines)
        contract = case.rates if case.facts.provider == "contracted" else None
        prices = prices_of(new, case.claim, contract, tables)
        facts = msgspec.structs.replace(case.facts, edits=edits, same_day=counts, schedules=prices)
        after = decide(case.claim, new, case.rates, facts)
        differing = tuple(
            one.number for one, two in zip(before.lines, after.lines, strict=True) if _line(one) != _line(two)
        )
        if differing or _told(before) != _told(after):
            changes.append(Change(case.facts.control, _told(before), _told(after), differing))
    return tuple(changes)
