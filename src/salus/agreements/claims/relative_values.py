"""CMS's file of relative values (PPRRVU, CSV) as the prices of a rates document.

Read are the rows that the schedule pays by relative value (status A, R, T), for one setting. Each row's totals must be the
sums of its parts: a file whose columns stand elsewhere is refused, not misread.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from salus.agreements.claims.plan import DocumentRefused
from salus.agreements.claims.rates import Rate
from salus.agreements.claims.tables import cells_of, scaled

Setting = Literal["facility", "office"]
PAID: Final = frozenset({"A", "R", "T"})
"""Status codes of what has a price: active, restricted, injections."""
COLUMNS: Final = 19
HEADING: Final = "HCPCS"
_CODE: Final = re.compile(r"[A-Z0-9]{5}", re.ASCII)
_PRACTICE: Final[dict[Setting, int]] = {"office": 6, "facility": 8}
"""Columns from 0: code, modifier, words, status, -, work, practice in an office, whether none there, the same in a facility,
malpractice, both totals, - (5), whether cuts for several procedures touch it (18)."""


class Schedule(NamedTuple):
    """The prices read, and how many rows have none in the setting."""

    rates: tuple[Rate, ...]
    left_out: int


def read_relative_values(lines: Iterable[str], setting: Setting) -> Schedule:
    """Read the official file: what needs a modifier first, for the first price that fits decides. Raises DocumentRefused."""
    found: list[Rate] = []
    left_out = 0
    for number, row in cells_of(lines):
        cells = [cell.strip() for cell in row]
        if len(cells) < COLUMNS or _CODE.fullmatch(cells[0]) is None or cells[0] == HEADING:
            continue
        practice = _PRACTICE[setting]
        if cells[3] not in PAID or cells[practice + 1] == "NA":
            left_out += 1
            continue
        work, office, facility, malpractice, *totals = (_hundredths(cells[at], number) for at in (5, 6, 8, 10, 11, 12))
        if totals != [work + office + malpractice, work + facility + malpractice]:
            raise DocumentRefused(f"line {number}: the totals are not the sums of work, practice and malpractice")
        found.append(
            Rate(
                method="relative-value",
                clause=f"{cells[0]} {cells[1]}".strip(),
                procedure=cells[0],
                modifier=cells[1],
                work=work,
                practice=office if setting == "office" else facility,
                malpractice=malpractice,
                multiple=cells[18] in {"1", "2", "3"},
            )
        )
    if not found:
        raise DocumentRefused("no row with a price found; expected CMS's relative value file (PPRRVU) as CSV")
    return Schedule(tuple(sorted(found, key=lambda rate: not rate.modifier)), left_out)


def _hundredths(text: str, number: int) -> int:
    try:
        return scaled(text, 2)
    except DocumentRefused:
        raise DocumentRefused(
            f"line {number}: no relative value where one is expected, with two decimal places"
        ) from None
