"""Step 8: coding edits. Pairs of one day (PTP, indicators 0, 1, 9), units (MUE), age, sex and place."""

from typing import Final

from salus.agreements.claims.plan import PairEdit, UnitEdit
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.calendar import age_on
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
        if table.digest in rows:
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
    if pair.indicator == 9:
        return
    for second in work.going():
        if second.line.procedure != pair.second or not days[0] <= second.line.first <= days[1]:
            continue
        beside = [
            first
            for first in work.going()
            if first.line.procedure == pair.first and first.line.first == second.line.first
        ]
        marked = SEPARATE & {modifier for line in [second, *beside] for modifier in line.line.modifiers}
        if not beside or (pair.indicator == 1 and marked):
            continue
        code = "CO-97" if pair.indicator == 1 else "CO-236"
        work.deny(NAME, second, code, clause, f"{pair.second} is part of {pair.first}, indicator {pair.indicator}")


def _units(work: Work, edit: UnitEdit, clause: str, days: tuple[str, str]) -> None:
    lines = [
        line for line in work.going() if line.line.procedure == edit.procedure and days[0] <= line.line.first <= days[1]
    ]
    for line in lines:
        same = [other for other in lines if other.line.first == line.line.first] if edit.per == "day" else [line]
        if sum(other.line.units for other in same) > edit.most:
            work.deny(NAME, line, "CO-151", clause, f"more than {quantity(edit.most)} units per {edit.per}")


def _person(work: Work, line: LineWork) -> None:
    clause = work.plan.coding.clause
    patient = work.claim.patient
    for edit in work.plan.coding.persons:
        if edit.procedure != line.line.procedure or line.denied:
            continue
        age = age_on(patient.birth, line.line.first) if patient.birth else edit.youngest
        place = line.line.place or work.claim.facility
        if not edit.youngest <= age <= edit.oldest:
            work.deny(NAME, line, "CO-6", clause, f"age {edit.youngest} to {edit.oldest}")
        elif edit.sex and patient.sex not in {edit.sex, "U"}:
            work.deny(NAME, line, "CO-7", clause, f"sex {edit.sex}")
        elif edit.places and place not in edit.places:
            work.deny(NAME, line, "CO-5", clause, f"place {' or '.join(edit.places)}")
