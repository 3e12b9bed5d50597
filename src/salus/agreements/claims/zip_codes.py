"""CMS's files of ZIP codes and the localities that they are in: which indices price a service at a place.

Both have one row of 80 characters for each code; columns as in the layouts that CMS puts into the zip (ZIP5lyout, ZIP9lyout):

    1-2 state, 3-7 ZIP code, 8-12 contractor, 13-14 locality, 21 whether four more digits decide, 76-80 year and quarter
    22-25 in the ZIP9 file: the four digits

A code that lies in several localities stands in the ZIP5 file with the flag, and with each of its endings in the ZIP9 file.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from salus.agreements.claims.plan import DocumentRefused

_ROW: Final = re.compile(r"([A-Z]{2})(\d{5})(\d{5})(\d{2}).{6}([01 ])(.{4}).{50}(\d{4}[1-4])\s*", re.ASCII)
_FOUR: Final = re.compile(r"\d{4}", re.ASCII)


class Located(msgspec.Struct, frozen=True):
    """Where a ZIP code is."""

    state: str
    contractor: str
    number: str
    """Of the locality."""
    quarter: str
    """For which the file stands, YYYYQ."""


def locate(zip_code: str, lines: Iterable[str]) -> Located:
    """Return where a ZIP code of five or nine digits is, by the lines of CMS's files. Raises DocumentRefused."""
    five, four = zip_code[:5], zip_code[5:]
    found: set[Located] = set()
    split = False
    for place, flag, ending in _rows(five, lines):
        if _FOUR.fullmatch(ending) is None and flag == "1":
            split = True
        elif _FOUR.fullmatch(ending) is None or ending == four:
            found.add(place)
    if len(found) > 1:
        raise DocumentRefused("the files place the ZIP code twice, differently; expected files of one quarter")
    for one in found:
        return one
    if split:
        raise DocumentRefused("the ZIP code lies in several localities; expected all nine digits, and the ZIP9 file")
    raise DocumentRefused("the files do not have the ZIP code")


def _rows(five: str, lines: Iterable[str]) -> Iterator[tuple[Located, str, str]]:
    """Yield place, flag and what stands where a ZIP9 row has four digits, of the rows of five digits."""
    for number, text in enumerate(lines, 1):
        row = _ROW.fullmatch(text)
        if row is not None and row[2] == five:
            state, _, contractor, locality, flag, ending, quarter = row.groups()
            yield Located(state, contractor, locality, quarter), flag, ending
        elif row is None and text.strip():
            raise DocumentRefused(
                f"line {number} is no row of CMS's ZIP codes; expected 80 characters as in its layout"
            )
