"""Rows of views, kept with the entry that they were made of: what a question reads again without opening records.

A view's rows of one resource depend on its bytes alone, so they are kept of every record that was ever read, whoever may
see it, and go with it: a newer version, a withdrawal or an erasure deletes them in the same commit as the entry. Who may
see what is decided anew in each question, by the join with the scope.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from salus.index.predicates import marks
from salus.index.search_scope import Scope
from salus.index.store import Store

MAX_VIEWS: Final = 32
"""Views kept: each costs some 100 bytes a record. The one that was asked for least recently goes."""
TOGETHER: Final = 500
"""Links in one question."""


Read: TypeAlias = tuple[int, bytes, bytes | None]
"""A permitted record: its number, its link, and its rows as they were kept; None: not kept."""


class Columns:
    """See the module's docstring. Raises the index's errors."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def view(self, digest: bytes) -> int:
        """Return the number of a view, by a digest of all that its rows depend on but the records."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO view (digest, used) VALUES (?1, (SELECT coalesce(max(used), 0) + 1 FROM view)) "
                "ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                (digest,),
            )
            ((number,),) = db.execute("SELECT number FROM view WHERE digest = ?", (digest,))
            gone = "SELECT number FROM view ORDER BY used DESC LIMIT -1 OFFSET ?"
            for table, key in (("view_rows", "view"), ("view", "number")):
                db.execute(f"DELETE FROM {table} WHERE {key} IN ({gone})", (MAX_VIEWS,))  # noqa: S608 -- constants
            return int(number)

    def read(self, view: int, kind: str, scope: Scope, links: Sequence[bytes], until: int) -> list[Read]:
        """Return the own records of a type under some links that the scope holds, up to number `until`, with their rows, in no order."""
        found: list[Any] = []
        for at in range(0, len(links), TOGETHER):
            part = links[at : at + TOGETHER]
            sql = (
                "SELECT e.number, l.id, v.rows FROM link l CROSS JOIN entry e ON e.link = l.number "  # noqa: S608 -- compiled parts
                "LEFT JOIN view_rows v ON v.entry = e.number AND v.view = ? "
                f"WHERE l.id IN ({marks(len(part))}) AND l.lease = 0 AND l.hidden = 0 AND +e.type = ? AND +e.number <= ? "
                f"AND {scope.text}"
            )
            told = [view, *part, kind, until, *scope.values]
            found += self._store.ask(sql, told)
        return found

    def keep(self, view: int, rows: Iterable[tuple[int, bytes]]) -> None:
        """Keep rows with their entries, where these still are the newest version and the view was not put out."""
        sql = (
            "INSERT OR REPLACE INTO view_rows SELECT e.number, w.number, ?3 FROM entry e, view w "
            "WHERE e.number = ?1 AND w.number = ?2"
        )
        with self._store.transaction() as db:
            db.executemany(sql, [(number, view, body) for number, body in rows])
