"""Locked rows as tables that analyses run over.

    DM      one row for each subject: USUBJID, SITEID, ARM (id of the arm; empty of who has none)
    ITEMS   one row for each locked value: USUBJID, SITEID, VISIT, ACTIVITY, REPEAT, ITEM (ids), AVALC, AVAL where it is a number,
            and, of the same item, BASE at the baseline visit that terms name, CHG = AVAL - BASE and PCHG in percent after it

Each row of a table knows the locked rows that it is made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from salus.agreements.trials.analysis import Row, Table

VISIT: Final = "VISIT"
MOST_SIGNS: Final = 40  # of a number: what is longer is text


@dataclass(frozen=True, slots=True)
class Locked:
    """Tables, and for each of their rows the numbers of locked rows, from 0."""

    tables: Mapping[str, Table]
    places: Mapping[str, tuple[tuple[int, ...], ...]]


class _LockedRow(msgspec.Struct, frozen=True, array_like=True):
    site: str
    subject: str
    visit: str
    activity: str
    repeat: str
    item: str
    value: str
    entries: int


def read_row(row: bytes) -> tuple[str, str, str, str, str, str, str]:
    """Return (site, subject, visit, activity, repeat, item, value) of a locked row."""
    told = msgspec.json.decode(row, type=_LockedRow)
    return told.site, told.subject, told.visit, told.activity, told.repeat, told.item, told.value


def number_of(text: str) -> Decimal | None:
    """Return the number that a value is written as, or None."""
    if len(text) > MOST_SIGNS:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def tables_of(rows: Sequence[bytes], arms: Mapping[tuple[str, str], str], baseline: str) -> Locked:
    """Return the tables of locked rows. `arms` gives ids of arms by (site, subject); `baseline` is a visit's id, or empty."""
    read = [read_row(row) for row in rows]
    base = {
        (site, subject, activity, repeat, item): number_of(value)
        for site, subject, visit, activity, repeat, item, value in read
        if visit == baseline and item != VISIT
    }
    subjects: dict[tuple[str, str], list[int]] = {}
    items: list[Row] = []
    places: list[tuple[int, ...]] = []
    at_base = {(each[0], each[1], *each[3:6]): number for number, each in enumerate(read) if each[2] == baseline}
    for number, (site, subject, visit, activity, repeat, item, value) in enumerate(read):
        subjects.setdefault((site, subject), []).append(number)
        if item == VISIT:
            continue
        key = (site, subject, activity, repeat, item)
        aval, start = number_of(value), base.get(key)
        after = visit != baseline and aval is not None and start is not None
        change = aval - start if after and aval is not None and start is not None else None
        told: Row = {
            "USUBJID": f"{site}.{subject}",
            "SITEID": site,
            "VISIT": visit,
            "ACTIVITY": activity,
            "REPEAT": repeat,
            "ITEM": item,
            "AVALC": value,
            "AVAL": aval,
            "BASE": start,
            "CHG": change,
            "PCHG": 100 * change / start if change is not None and start else None,
        }
        items.append(told)
        places.append((at_base[key], number) if change is not None else (number,))
    people: list[Row] = [
        {"USUBJID": f"{site}.{subject}", "SITEID": site, "ARM": arms.get((site, subject), "")}
        for site, subject in subjects
    ]
    return Locked(
        {"DM": Table(tuple(people)), "ITEMS": Table(tuple(items))},
        {"DM": tuple(tuple(each) for each in subjects.values()), "ITEMS": tuple(places)},
    )
