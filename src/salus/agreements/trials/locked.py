"""Locked rows: what analyses run over (`locking`: what a lock's root is over), and the tables made of them.

    row     [site, subject, visit, activity, repeat, item, value, entries, day], JSON, ascending: one value each. A visit
            is an item VISIT; what belongs to no visit has none: activity `disposition` (ENROLMENT, ENDED) and `adverse`
            (AETERM, AESER, AESAID, AEREL; repeat: number of the act). `day` is the clinical date.
    DM      one row for each subject: USUBJID, SITEID, ARM (id of the arm; empty of who has none), SITEGR (its site, or
            POOLED) and, for each population that terms declare, Y or N
    ITEMS   one row for each locked value: USUBJID, SITEID, VISIT, ACTIVITY, REPEAT, ITEM (ids), AVALC, AVAL where it is a number,
            ADAY (day of the trial, where terms name its reference) and, of the same item, BASE at the baseline visit
            that terms name, CHG = AVAL - BASE and PCHG in percent after it
    WINDOWS one row for each subject, item and analysis window that terms declare (`derive`)

Each row of a table knows the locked rows that it is made of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from salus.agreements.trials.analysis import Row, Table
from salus.agreements.trials.conduct import State, Status
from salus.agreements.trials.derive import Derivation, Derivations, Value
from salus.core.proof.batch import batch_root
from salus.core.proof.digest import digest

VISIT: Final = "VISIT"
DISPOSITION: Final = "disposition"
ADVERSE: Final = "adverse"
MOST_SIGNS: Final = 40  # of a number: what is longer is text
Person = tuple[str, str]
"""(site, subject)."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Tables, and for each of their rows the numbers of locked rows, from 0."""

    tables: Mapping[str, Table]
    places: Mapping[str, tuple[tuple[int, ...], ...]]


class LockedRow(msgspec.Struct, frozen=True, array_like=True):
    """One locked value."""

    site: str
    subject: str
    visit: str
    activity: str
    repeat: str
    item: str
    value: str
    entries: int
    """How often it was entered; of a visit 1 if it is signed, else 0."""
    day: str
    """When it happened, ISO 8601; empty if nobody said."""

    @property
    def person(self) -> Person:
        """Whose it is."""
        return self.site, self.subject


def rows_of(found: Sequence[tuple[str, bytes, State]]) -> tuple[bytes, ...]:
    """Return the canonical rows of what chains tell: (site, subject, state) each."""
    return tuple(
        sorted(msgspec.json.encode(row) for site, subject, state in found for row in _rows(site, subject.hex(), state))
    )


def _rows(site: str, subject: str, state: State) -> Iterator[LockedRow]:
    for item, entries in state.items.items():
        visit, activity, repeat, name = item.split("/", 3)
        newest = entries[-1]
        yield LockedRow(site, subject, visit, activity, repeat, name, newest.value, len(entries), newest.happened)
    for visit, day in state.visits.items():
        yield LockedRow(site, subject, visit, "", "", VISIT, day, int(visit in state.signed), day)
    if state.enrolment:
        yield LockedRow(site, subject, "", DISPOSITION, "", "ENROLMENT", state.enrolment, 1, state.enrolled_on)
    ended = {Status.FAILED: "screen failure", Status.WITHDRAWN: "withdrawn"}.get(state.status, state.ended)
    if ended:
        yield LockedRow(site, subject, "", DISPOSITION, "", "ENDED", ended, 1, state.ended_on)
    for one in state.adverse:
        told = {
            "AETERM": one.term,
            "AESER": "Y" if one.serious else "N",
            "AESAID": one.said,
            "AEREL": {True: "Y", False: "N", None: ""}[one.related],
        }
        for name, value in told.items():
            yield LockedRow(site, subject, "", ADVERSE, str(one.number), name, value, 1, one.happened)


def rows_root(rows: Sequence[bytes]) -> bytes:
    """Return the root of rows, the first half of what a lock commits to."""
    return batch_root([digest("salus/v1/trial-row", row) for row in rows])


def read_row(row: bytes) -> LockedRow:
    """Return a locked row."""
    return msgspec.json.decode(row, type=LockedRow)


def enrolments(rows: Sequence[bytes]) -> dict[Person, str]:
    """Return the enrolment, hexadecimal, of everyone that has one, as locked rows tell it."""
    read = (read_row(row) for row in rows)
    return {each.person: each.value for each in read if (each.activity, each.item) == (DISPOSITION, "ENROLMENT")}


def number_of(text: str) -> Decimal | None:
    """Return the number that a value is written as, or None."""
    if len(text) > MOST_SIGNS:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    # 1e999999999 has few signs and is no measure: what is computed with it has no end
    return found if found.is_finite() and abs(found.adjusted()) < MOST_SIGNS else None


def tables_of(
    rows: Sequence[bytes], arms: Mapping[Person, str], baseline: str, declared: Derivations | None = None
) -> Locked:
    """Return the tables of locked rows. `arms` gives ids of arms by (site, subject); `baseline` is a visit's id, or empty."""
    read = [read_row(row) for row in rows]
    values = [
        Value(number, each.person, each.visit, each.item, each.value, number_of(each.value), each.day)
        for number, each in enumerate(read)
    ]
    derived = Derivation(values, arms, declared or Derivations(reference=""))
    subjects: dict[Person, list[int]] = {}
    for number, each in enumerate(read):
        subjects.setdefault(each.person, []).append(number)
    people: list[Row] = [
        {
            "USUBJID": _usubjid(person),
            "SITEID": person[0],
            "ARM": arms.get(person, ""),
            "SITEGR": derived.site(person),
            **derived.populations(person),
        }
        for person in subjects
    ]
    items, places = _items(read, baseline, derived)
    windowed = list(derived.windows())
    kept: list[Row] = [{"USUBJID": _usubjid(each.person), "SITEID": each.person[0], **each.row} for each in windowed]
    return Locked(
        {
            "DM": Table(tuple(people)),
            "ITEMS": Table(tuple(items)),
            "WINDOWS": Table(tuple(kept)),
        },
        {
            "DM": tuple(tuple(each) for each in subjects.values()),
            "ITEMS": tuple(places),
            "WINDOWS": tuple(each.places for each in windowed),
        },
    )


def _usubjid(person: Person) -> str:
    return f"{person[0]}.{person[1]}"


def _items(read: Sequence[LockedRow], baseline: str, derived: Derivation) -> tuple[list[Row], list[tuple[int, ...]]]:
    """Return the rows of ITEMS, and the locked rows that each is made of."""

    def key(each: LockedRow) -> tuple[str, ...]:
        return (*each.person, each.activity, each.repeat, each.item)

    at_base = {
        key(each): number for number, each in enumerate(read) if baseline and each.visit == baseline != each.item
    }
    items: list[Row] = []
    places: list[tuple[int, ...]] = []
    for number, each in enumerate(read):
        if each.item == VISIT:
            continue
        first = at_base.get(key(each))
        aval, start = number_of(each.value), None if first is None else number_of(read[first].value)
        change = aval - start if each.visit != baseline and aval is not None and start is not None else None
        items.append(
            {
                "USUBJID": _usubjid(each.person),
                "SITEID": each.site,
                "VISIT": each.visit,
                "ACTIVITY": each.activity,
                "REPEAT": each.repeat,
                "ITEM": each.item,
                "AVALC": each.value,
                "AVAL": aval,
                "ADAY": derived.day(each.person, each.day),
                "BASE": start,
                "CHG": change,
                "PCHG": 100 * change / start if change is not None and start else None,
            }
        )
        places.append((first, number) if change is not None and first is not None else (number,))
    return items, places
