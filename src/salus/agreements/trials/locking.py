"""What a lock commits to: one root over two sets of rows that follow from the chains.

    rows     Salus's own, one value each (`locked.rows_of`), over which analyses run
    tables   the SDTM tables that are exported: each table's columns and rows (`dataset_json.canonical_rows`), ascending

    root     batch root of two leaves: the root of rows, the root of tables. A path proves one row of either

Tables are made without arms, under one version of the protocol, from participants judged by their acts alone: neither a
clock nor an opened allocation changes them. Each row is of one participant, so that who holds some chains makes their rows.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec

from salus.agreements.trials.domains import usubjid
from salus.agreements.trials.locked import read_row, rows_of, rows_root
from salus.agreements.trials.participants import Participant
from salus.agreements.trials.plan import Plan
from salus.agreements.trials.tabulate import subject_tables
from salus.agreements.trials.terms import Terms
from salus.core.proof.batch import batch_root
from salus.core.proof.digest import digest
from salus.interop.cdisc.dataset_json import canonical_rows

_USUBJID: Final = 2
"""Its place in every row: STUDYID and DOMAIN stand before it."""


class LockedData(NamedTuple):
    """Rows of a lock, each set ascending."""

    rows: Sequence[bytes]
    tables: Sequence[bytes]

    @property
    def root(self) -> bytes:
        """The root that a lock commits to. Raises ValueError if there are no rows, or too many."""
        leaves = [digest("salus/v1/trial-table-row", row) for row in self.tables]
        return batch_root([rows_root(self.rows), batch_root(leaves)])


def locked_data(plan: Plan, terms: Terms, participants: Sequence[Participant]) -> LockedData:
    """Return what a lock of these participants commits to, each judged with `Conditions.now` 0."""
    found = [(one.site, bytes.fromhex(one.subject), one.state) for one in participants]
    reference = terms.derivations.reference if terms.derivations is not None else ""
    tables = subject_tables(plan, participants, {}, "", reference)
    return LockedData(rows_of(found), tuple(sorted(row for table in tables for row in canonical_rows(table))))


def differing(plan: Plan, told: LockedData, mine: LockedData, known: Collection[Participant]) -> int:
    """Return how many rows about the participants known here are told otherwise than they are here, or on one side alone.

    Raises ValueError if what is told holds no rows of a lock.
    """
    people = {(one.site, one.subject) for one in known}
    named = {usubjid(plan, one) for one in known}
    try:
        rows = {row for row in told.rows if read_row(row).person in people}
        tables = {row for row in told.tables if _whose(row) in {None, *named}}
    except (msgspec.DecodeError, IndexError) as error:
        raise ValueError("no rows of a lock") from error
    return len(rows ^ {*mine.rows}) + len(tables ^ {*mine.tables})


def _whose(row: bytes) -> str | None:
    """Return the participant that a row of a table is of, or None for a table's columns."""
    _, kind, cells = msgspec.json.decode(row, type=tuple[str, str, tuple[str | bool | None, ...]])
    return str(cells[_USUBJID]) if kind == "row" else None
