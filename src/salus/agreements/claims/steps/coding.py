"""Step 8: coding edits. Pairs of one day (PTP, indicators 0, 1, 9) and units (MUE), over all claims of it; age, sex and place."""

from collections.abc import Sequence
from typing import Final

from salus.agreements.claims.categories import place_of
from salus.agreements.claims.decision import DayLine
from salus.agreements.claims.plan import PairEdit, UnitEdit
from salus.agreements.claims.tables import decides
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.calendar import age_on
from salus.interop.x12.claim import Line
from salus.interop.x12.money import quantity

NAME = "coding"
SEPARATE: Final = frozenset(
    [
        "E1",
        "E2",
        "E3",
        "E4",
        "FA",
        "F1",
        "F2",
        "F3",
        "F4",
        "F5",
        "F6",
        "F7",
        "F8",
        "F9",
        "TA",
        "T1",
        "T2",
        "T3",
        "T4",
        "T5",
        "T6",
        "T7",
        "T8",
        "T9",
        "LT",
        "RT",
        "LC",
        "LD",
        "RC",
        "LM",
        "RI",
        "24",
        "25",
        "57",
        "58",
        "78",
        "79",
        "27",
        "59",
        "91",
        "XE",
        "XS",
        "XP",
        "XU",
    ]
)
"""Modifiers that part a pair with indicator 1 (NCCI Policy Manual ch. 1 s. E)."""


def apply(work: Work) -> None:
    """Deny what the edits in force do not allow: the plan's own, then those of its tables, in its order."""
    own = work.plan.coding
    _edits(work, own.pairs, own.units, own.clause)
    rows = {one.digest: one for one in work.facts.edits}
    for table in work.plan.tables:
        if table.digest in rows and decides(table, work.claim):
            found = rows[table.digest]
            _edits(work, found.pairs, found.units, table.title, (table.since, table.until))
    for line in work.going():
        _person(work, line)


def _edits(
    work: Work,
    pairs: tuple[PairEdit, ...],
    units: tuple[UnitEdit, ...],
    clause: str,
    days: tuple[str, str] = ("", "99999999"),
) -> None:
    """Apply edits to the lines of the days of service for which they stand."""
    for pair in pairs:
        _pair(work, pair, clause, (max(days[0], pair.since), min(days[1], pair.until)))
    for edit in units:
        _units(work, edit, clause, days)


def _pair(work: Work, pair: PairEdit, clause: str, days: tuple[str, str]) -> None:
    """Deny the second beside the first, on whichever claim of the day; a person looks where the second was paid before."""
    if pair.indicator == 9:
        return
    code = "CO-97" if pair.indicator == 1 else "CO-236"
    told = f"{pair.second} is part of {pair.first}, indicator {pair.indicator}"
    for second in _of(work, pair.second, days):
        own = [first.line for first in _of(work, pair.first, days) if first.line.first == second.line.first]
        others = _others(work, pair.first, second)
        if own and not _parted(pair, [second.line, *own]):
            work.deny(NAME, second, code, clause, told)
        elif others and not _parted(pair, [second.line, *others]):
            work.deny(NAME, second, code, clause, f"{told}; {pair.first} is on {others[0].other}")
    for first in _of(work, pair.first, days) if work.facts.same_day else ():
        others = _others(work, pair.second, first)
        if others and not _parted(pair, [first.line, *others]):
            work.pend(
                NAME, f"line {first.line.number}: {told}; {pair.second} is on {others[0].other}", first, code=code
            )


def _of(work: Work, procedure: str, days: tuple[str, str]) -> list[LineWork]:
    """Return the lines of a procedure that are not denied, of days for which an edit stands."""
    return [line for line in work.going() if line.line.procedure == procedure and days[0] <= line.line.first <= days[1]]


def _others(work: Work, procedure: str, line: LineWork) -> list[DayLine]:
    """Return the lines of a procedure on other claims of a line's day."""
    return [one for one in work.facts.same_day if (one.procedure, one.day) == (procedure, line.line.first)]


def _parted(pair: PairEdit, lines: Sequence[Line | DayLine]) -> bool:
    """Tell whether a modifier says that the two of a pair are distinct services, where the pair lets one say so."""
    return pair.indicator == 1 and any(SEPARATE.intersection(line.modifiers) for line in lines)


def _units(work: Work, edit: UnitEdit, clause: str, days: tuple[str, str]) -> None:
    """Deny all lines of a procedure together that have too many units, those of other claims of the day counted with them."""
    lines = _of(work, edit.procedure, days)
    for line in lines:
        day = edit.per == "day"
        same = [other for other in lines if other.line.first == line.line.first] if day else [line]
        others = _others(work, edit.procedure, line) if day else []
        before = sum(other.units for other in others)
        if before + sum(other.line.units for other in same) > edit.most:
            rule = f"more than {quantity(edit.most)} units per {edit.per}"
            rule += f"; {quantity(before)} are on {others[0].other}" if others else ""
            work.deny(NAME, line, "CO-151", clause, rule)


def _person(work: Work, line: LineWork) -> None:
    clause = work.plan.coding.clause
    patient = work.claim.patient
    for edit in work.plan.coding.persons:
        if edit.procedure != line.line.procedure or line.denied:
            continue
        age = age_on(patient.birth, line.line.first) if patient.birth else edit.youngest
        place = place_of(work.claim, line.line)
        if not edit.youngest <= age <= edit.oldest:
            work.deny(NAME, line, "CO-6", clause, f"age {edit.youngest} to {edit.oldest}")
        elif edit.sex and patient.sex not in {edit.sex, "U"}:
            work.deny(NAME, line, "CO-7", clause, f"sex {edit.sex}")
        elif edit.places and place and place not in edit.places:
            work.deny(NAME, line, "CO-5", clause, f"place {' or '.join(edit.places)}")
