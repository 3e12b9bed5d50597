"""Rows put into a table by few statements: what a statement costs beside its rows is as much as a row."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import apsw

TOGETHER: Final = 16
"""Rows of one statement; what is left over is inserted one by one."""


def insert(db: apsw.Connection, head: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of one width; `head` is the statement up to VALUES."""
    if not rows:
        return
    width, whole = len(rows[0]), len(rows) // TOGETHER * TOGETHER
    if whole:
        groups = (rows[at : at + TOGETHER] for at in range(0, whole, TOGETHER))
        db.executemany(_statement(head, width, TOGETHER), [[one for row in group for one in row] for group in groups])
    if whole < len(rows):
        db.executemany(_statement(head, width, 1), rows[whole:])


@cache
def _statement(head: str, width: int, many: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * many)}"
