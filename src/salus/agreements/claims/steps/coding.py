"""Step 8: coding edits. Pairs of one day (PTP, indicators 0, 1, 9), units (MUE), age, sex and place."""

from typing import Final

from salus.agreements.claims.plan import PairEdit, UnitEdit
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.calendar import age_on

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
    """Deny what the edits in force do not allow."""
    for pair in work.plan.coding.pairs:
        _pair(work, pair)
    for edit in work.plan.coding.units:
        _units(work, edit)
    for line in work.going():
        _person(work, line)


def _pair(work: Work, pair: PairEdit) -> None:
    if pair.indicator == 9:
        return
    clause = work.plan.coding.clause
    for second in work.going():
        if second.line.procedure != pair.second:
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


def _units(work: Work, edit: UnitEdit) -> None:
    clause = work.plan.coding.clause
    lines = [line for line in work.going() if line.line.procedure == edit.procedure]
    for line in lines:
        same = [other for other in lines if other.line.first == line.line.first] if edit.per == "day" else [line]
        if sum(other.line.units for other in same) > edit.most:
            work.deny(NAME, line, "CO-151", clause, f"more than {edit.most} thousandths per {edit.per}")


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
