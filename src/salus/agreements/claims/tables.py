"""The official CMS files: geographic indices, NCCI pairs (PTP) and most units (MUE), as text.

Pairs and units are too many for a plan. A loaded table is a file of sorted rows of one width, named by the SHA-256 of its
bytes: whoever loads the same official files has the same table, whatever they were cut into. It is searched where it
lies. None keyed by CPT is shipped: members load their own.

    pairs   first 5, second 5, first and last day in force 8 + 8, indicator 1, line end
    units   procedure 5, most units 7, adjudication indicator 1, line end
"""

import csv
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, Protocol

import msgspec

from salus.agreements.claims.decision import DayLine, SchedulePrices, TableEdits
from salus.agreements.claims.plan import (
    LIST_LIMIT,
    DocumentRefused,
    PairEdit,
    Plan,
    Reference,
    TableReference,
    UnitEdit,
    read_document,
)
from salus.agreements.claims.rates import FeeSchedule, Locality, Rates, picked
from salus.core.errors import InvariantBroken
from salus.interop.x12.calendar import is_date
from salus.interop.x12.claim import Claim

Kind = Literal["pairs", "units"]
"""Of tables of edits."""
WIDTHS: Final[dict[Kind, int]] = {"pairs": 28, "units": 14}
KEYS: Final[dict[Kind, int]] = {"pairs": 18, "units": 5}
"""What two rows of a table never share: pair and first day, procedure."""
EXPECTED: Final[dict[Kind, str]] = {
    "pairs": "two codes of five characters, a column, effective day CCYYMMDD, deletion day or *, indicator 0, 1 or 9",
    "units": "a code of five characters, the most units, an adjudication indicator 1, 2 or 3",
}
LAST_DAY: Final = "29991231"
_CODE: Final = re.compile(r"[A-Z0-9]{5}", re.ASCII)
MOST_DIGITS: Final = 12
"""Of a decimal: indices and factors have six or seven."""
_UNITS: Final = re.compile(r"\d{1,7}", re.ASCII)
_INDICATORS: Final[dict[str, Literal[0, 1, 9]]] = {"0": 0, "1": 1, "9": 9}


class Indices(msgspec.Struct, frozen=True):
    """Geographic indices of one locality, thousandths."""

    state: str
    name: str
    work: int
    practice: int
    malpractice: int


class RowBytes(Protocol):
    """The rows of a table one after the other: bytes, or a file mapped into memory."""

    def __len__(self) -> int:
        """Return how many bytes there are."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Return some of them."""


def scaled(text: str, places: int) -> int:
    """Read a decimal of at most `places` places as an integer. Raises DocumentRefused."""
    whole, _, fraction = text.strip().partition(".")
    digits = whole + fraction
    if not digits.isdecimal() or len(digits) > MOST_DIGITS or len(fraction.rstrip("0")) > places:
        raise DocumentRefused(f"a table has no number where one is expected, with at most {places} decimal places")
    return int((whole or "0") + fraction.rstrip("0").ljust(places, "0"))


def cells_of(lines: Iterable[str], delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each row of a text with separators. Raises DocumentRefused for what is none."""
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        yield from enumerate(rows, 1)
    except csv.Error:
        raise DocumentRefused(f"line {rows.line_num} of the table is no text with separators") from None


def read_indices(text: str) -> Mapping[tuple[str, str], Indices]:
    """Read CMS's GPCI file (Addendum E): (contractor, locality) to indices. Raises DocumentRefused."""
    found: dict[tuple[str, str], Indices] = {}
    for _, row in cells_of(text.splitlines()):
        if len(row) >= 7 and row[0].strip().isdecimal():
            parts = [scaled(cell, 3) for cell in row[4:7]]
            found[row[0].strip(), row[2].strip()] = Indices(row[1].strip(), row[3].strip(" *"), *parts)
    if not found:
        raise DocumentRefused("no locality found; expected rows of contractor, state, locality, name, three indices")
    return found


def locality(name: str, indices: Indices, factor: str, *, source: str, date: str, digest: str) -> Locality:
    """Make the locality of a rates document from indices and a conversion factor like 32.3465. Raises DocumentRefused."""
    return Locality(
        table=name,
        source=source,
        date=date,
        digest=digest,
        work=indices.work,
        practice=indices.practice,
        malpractice=indices.malpractice,
        factor=scaled(factor, 4),
    )


def read_rows(kind: Kind, lines: Iterable[str]) -> Iterator[bytes]:
    """Read an official file, tab or comma between columns: yield its rows as a table holds them, in the file's order.

    What stands above the first row (rights, headings) is passed over; behind it each line that is not empty is a row.
    Raises DocumentRefused with the number of the line that is none.
    """
    begun = False
    for number, text in enumerate(lines, 1):
        try:
            read = [*csv.reader([text.rstrip("\r\n")], delimiter="\t" if "\t" in text else ",")] if text.strip() else []
        except csv.Error:
            raise DocumentRefused(f"line {number} of the table is no text with separators") from None
        cells = [cell.strip() for row in read for cell in row]
        row = _pair_row(cells) if kind == "pairs" else _units_row(cells)
        if row is not None:
            begun = True
            yield row
        elif any(cells) and (begun or _CODE.fullmatch(cells[0]) is not None):
            raise DocumentRefused(f"line {number} of the table is no row of {kind}; expected {EXPECTED[kind]}")
    if not begun:
        raise DocumentRefused(f"the file has no row of {kind}; expected {EXPECTED[kind]}")


def _pair_row(cells: list[str]) -> bytes | None:
    if len(cells) < 6 or not (_CODE.fullmatch(cells[0]) and _CODE.fullmatch(cells[1])):
        return None
    since, until, indicator = cells[3], cells[4], cells[5][:1]
    until = LAST_DAY if until in {"", "*"} else until
    if indicator not in _INDICATORS or not (is_date(since) and is_date(until)):
        return None
    return f"{cells[0]}{cells[1]}{since}{until}{indicator}\n".encode()


def _units_row(cells: list[str]) -> bytes | None:
    if len(cells) < 3 or _CODE.fullmatch(cells[0]) is None or _UNITS.fullmatch(cells[1]) is None:
        return None
    per = cells[2][:1]
    return f"{cells[0]}{int(cells[1]):07d}{per}\n".encode() if per in {"1", "2", "3"} else None


def joined(kind: Kind, rows: Iterable[bytes]) -> Iterator[bytes]:
    """Yield sorted rows, each once. Raises DocumentRefused where two say different things of one."""
    before = b""
    for row in rows:
        if row == before:
            continue
        if row[: KEYS[kind]] == before[: KEYS[kind]]:
            what = " ".join((row[:5].decode(), row[5:10].decode() if kind == "pairs" else "")).strip()
            raise DocumentRefused(f"the table contradicts itself: {what} stands in it twice, with other values")
        before = row
        yield row


class Table:
    """A loaded table, searched where its rows lie."""

    def __init__(self, kind: Kind, rows: RowBytes) -> None:
        self._kind, self._rows, self._width = kind, rows, WIDTHS[kind]

    def __len__(self) -> int:
        return len(self._rows) // self._width

    def _place(self, key: bytes) -> int:
        """Return the place of the first row that does not come before a key."""

        def beginning(place: int) -> bytes:
            return self._rows[place * self._width : place * self._width + len(key)]

        return bisect_left(range(len(self)), key, key=beginning)

    def _under(self, code: str) -> Iterator[bytes]:
        """Yield the rows that begin with a code."""
        key = code.encode()
        place = self._place(key)
        while place < len(self):
            row = self._rows[place * self._width : (place + 1) * self._width]
            if row[:5] != key:
                return
            yield row
            place += 1

    def touching(self, procedures: tuple[str, ...]) -> tuple[tuple[PairEdit, ...], tuple[UnitEdit, ...]]:
        """Return the edits that concern these procedures, each named once, in the order of the procedures."""
        codes = [code for code in procedures if _CODE.fullmatch(code) is not None]
        if self._kind == "units":
            return (), tuple(_units(row) for code in codes for row in self._under(code))
        wanted = frozenset(code.encode() for code in codes)
        rows = (row for code in codes for row in self._under(code)) if len(codes) > 1 else ()
        return tuple(_pair(row) for row in rows if row[5:10] in wanted), ()


def _pair(row: bytes) -> PairEdit:
    text = row.decode()
    return PairEdit(
        first=text[:5], second=text[5:10], since=text[10:18], until=text[18:26], indicator=_INDICATORS[text[26]]
    )


def _units(row: bytes) -> UnitEdit:
    text = row.decode()
    return UnitEdit(procedure=text[:5], most=int(text[5:12]) * 1000, per="line" if text[12] == "1" else "day")


def decides(reference: TableReference, claim: Claim) -> bool:
    """Tell whether a table of edits is for claims of this form and type of bill."""
    bill = claim.kind != "I" or not reference.bills or claim.facility in reference.bills
    return reference.form in {"", claim.kind} and bill


class PriceTable(Table):
    """A loaded fee schedule: no table of edits, it touches none."""

    def __init__(self, schedule: FeeSchedule) -> None:
        super().__init__("pairs", b"")
        self.schedule = schedule


def named(plan: Plan) -> tuple[Reference, ...]:
    """Return the tables and fee schedules that a plan names."""
    return (*plan.tables, *plan.fee_schedules)


def missing(plan: Plan, tables: Mapping[str, Table]) -> tuple[Reference, ...]:
    """Return the tables and fee schedules that a plan names and that are not at hand."""
    return tuple(one for one in named(plan) if one.digest not in tables)


def read_schedule(text: bytes) -> FeeSchedule:
    """Read a fee schedule. Raises DocumentRefused."""
    return read_document(text, FeeSchedule, "the fee schedule", LIST_LIMIT)


def prices_of(
    plan: Plan,
    claim: Claim,
    contract: Rates | None,
    tables: Mapping[str, Table],
    sent: Iterable[SchedulePrices] = (),
) -> tuple[SchedulePrices, ...]:
    """Return the prices of a plan's fee schedules that can fit a claim, in the plan's order.

    Without a contract those of the schedules that price what no rate is agreed for; under one those that it refers to. Of
    schedules that are not at hand those that were sent.
    """
    if not plan.fee_schedules:
        return ()
    names = {rate.schedule for rate in contract.rates if rate.method == "schedule"} if contract is not None else set()
    told = {one.digest: one for one in sent}
    found: dict[str, SchedulePrices] = {}
    for one in plan.fee_schedules:
        wanted = one.name in names if contract is not None else bool(one.percent)
        if not wanted or one.digest in found or not (one.since <= claim.last and claim.first <= one.until):
            continue
        table = tables.get(one.digest)
        if isinstance(table, PriceTable):
            part = SchedulePrices(one.digest, picked(table.schedule.rates, claim), table.schedule.locality)
            if part.rates:
                found[one.digest] = part
        elif one.digest in told:
            found[one.digest] = told[one.digest]
    return tuple(found.values())


def edits_of(
    plan: Plan, claim: Claim, tables: Mapping[str, Table], lines: tuple[DayLine, ...] = ()
) -> tuple[TableEdits, ...]:
    """Return the rows of a plan's tables that touch a claim, also where they pair it with a line beside it.

    `tables` are by digest; InvariantBroken if one is missing.
    """
    if missing(plan, tables):
        raise InvariantBroken("a claim is decided without a table that its plan names")
    if not plan.tables:
        return ()
    return rows_of(plan, claim, (), tables, lines)


def rows_of(
    plan: Plan,
    claim: Claim,
    sent: Iterable[TableEdits],
    tables: Mapping[str, Table],
    lines: tuple[DayLine, ...] = (),
) -> tuple[TableEdits, ...]:
    """Return the rows that touch a claim, in the plan's order: of tables that are not at hand those that were sent."""
    own = dict.fromkeys(line.procedure for line in claim.lines)
    procedures = tuple(dict.fromkeys((*own, *(line.procedure for line in lines))))
    told = {one.digest: one for one in sent}
    found = []
    for one in plan.tables:
        if not decides(one, claim):
            continue
        if one.digest in tables:
            pairs, units = tables[one.digest].touching(procedures)
            pairs = tuple(pair for pair in pairs if pair.first in own or pair.second in own)
            found.append(TableEdits(one.digest, pairs, tuple(edit for edit in units if edit.procedure in own)))
        elif one.digest in told:
            found.append(told[one.digest])
    return tuple(one for one in found if one.pairs or one.units)
