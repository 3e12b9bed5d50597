"""Loaders of the official CMS files, as text: geographic indices, relative values, NCCI pairs and units.

A loaded table keeps name, source, date and digest of its text. None keyed by CPT is shipped: members load their own.
"""

import csv
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from salus.agreements.claims.plan import DocumentRefused, PairEdit, UnitEdit
from salus.agreements.claims.rates import Locality
from salus.core.proof.digest import digest

_INDICATORS: Final[dict[str, Literal[0, 1, 9]]] = {"0": 0, "1": 1, "9": 9}


class Table(msgspec.Struct, frozen=True):
    """Where a loaded table comes from."""

    name: str
    source: str
    date: str
    digest: bytes


class Indices(msgspec.Struct, frozen=True):
    """Geographic indices of one locality, thousandths."""

    state: str
    name: str
    work: int
    practice: int
    malpractice: int


def table(name: str, source: str, date: str, text: bytes) -> Table:
    """Describe a table by its origin and the digest of its bytes."""
    return Table(name, source, date, digest("salus/v1/claims-table", text))


def scaled(text: str, places: int) -> int:
    """Read a decimal of at most `places` places as an integer. Raises DocumentRefused."""
    whole, _, fraction = text.strip().partition(".")
    if not (whole + fraction).isdecimal() or len(fraction.rstrip("0")) > places:
        raise DocumentRefused(f"a table has no number where one is expected, with at most {places} decimal places")
    return int((whole or "0") + fraction.rstrip("0").ljust(places, "0"))


def _rows(text: bytes) -> Iterator[list[str]]:
    return csv.reader(text.decode("utf-8-sig").splitlines())


def read_indices(text: bytes) -> Mapping[tuple[str, str], Indices]:
    """Read CMS's GPCI file (Addendum E): (contractor, locality) to indices. Raises DocumentRefused."""
    found: dict[tuple[str, str], Indices] = {}
    for row in _rows(text):
        if len(row) >= 7 and row[0].strip().isdecimal():
            parts = [scaled(cell, 3) for cell in row[4:7]]
            found[row[0].strip(), row[2].strip()] = Indices(row[1].strip(), row[3].strip(" *"), *parts)
    if not found:
        raise DocumentRefused("no locality found; expected rows of contractor, state, locality, name, three indices")
    return found


def locality(name: str, indices: Indices, factor: str) -> Locality:
    """Make the locality of a rates document from indices and a conversion factor like 32.3465."""
    return Locality(
        table=name,
        work=indices.work,
        practice=indices.practice,
        malpractice=indices.malpractice,
        factor=scaled(factor, 4),
    )


def read_pairs(text: bytes) -> tuple[PairEdit, ...]:
    """Read NCCI pairs: first, second, any columns, deletion date (* or empty: in force), indicator as column 6."""
    found: list[PairEdit] = []
    for row in _rows(text):
        pair = len(row) >= 6 and len(row[0].strip()) == 5 and row[5].strip()[:1] in {"0", "1", "9"}
        if pair and row[4].strip() in {"", "*"}:
            found.append(
                PairEdit(first=row[0].strip(), second=row[1].strip(), indicator=_INDICATORS[row[5].strip()[0]])
            )
    return tuple(found)


def read_units(text: bytes) -> tuple[UnitEdit, ...]:
    """Read MUE rows: procedure, most units, adjudication indicator (1 line, 2 and 3 day of service)."""
    found: list[UnitEdit] = []
    for row in _rows(text):
        if len(row) >= 3 and len(row[0].strip()) == 5 and row[1].strip().isdecimal():
            per: Literal["line", "day"] = "line" if row[2].strip().startswith("1") else "day"
            found.append(UnitEdit(procedure=row[0].strip(), most=int(row[1]) * 1000, per=per))
    return tuple(found)
