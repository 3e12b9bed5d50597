"""The tables of FHIR search: one per kind of value, and every version that history tells of.

Keys begin with the parameter's number and the value, so that a search starts from the value; the second index starts
from the entry, for deletion and for tests on what another parameter has found.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw

from salus.index import rows
from salus.interop.fhir.search.units import UCUM, is_kept
from salus.interop.fhir.search.values import Rows
from salus.interop.fhir.search.words import Texts

_KEYS: Final = {
    "token": "param, code, entry, system, place",
    "string": "param, folded, entry, exact, place",
    "date": "param, lo, hi, entry, place",
    "number": "param, lo, hi, entry, place",
    "quantity": "param, lo, hi, entry, system, code, unit, place",
    "reference": "param, target, entry, place",
    "uri": "param, uri, entry, place",
}
_VALUES: Final = {
    "token": (("code", "TEXT"), ("system", "TEXT")),
    "string": (("folded", "TEXT"), ("exact", "TEXT")),
    "date": (("lo", "INTEGER"), ("hi", "INTEGER")),
    "number": (("lo", "REAL"), ("hi", "REAL")),
    "quantity": (("lo", "REAL"), ("hi", "REAL"), ("system", "TEXT"), ("code", "TEXT"), ("unit", "TEXT")),
    "reference": (("target", "TEXT"),),
    "uri": (("uri", "TEXT"),),
}


def _table(kind: str) -> str:
    columns = ", ".join(f"{name} {type_} NOT NULL" for name, type_ in _VALUES[kind])
    return (
        f"CREATE TABLE s_{kind} (entry INTEGER NOT NULL, param INTEGER NOT NULL, {columns}, place INTEGER NOT NULL, "
        f"PRIMARY KEY ({_KEYS[kind]})) WITHOUT ROWID"
    )


TABLES: Final = (
    *(_table(kind) for kind in _VALUES),
    *(f"CREATE INDEX s_{kind}_entry ON s_{kind} (entry, param)" for kind in _VALUES),
    "CREATE INDEX entry_of_type ON entry (type, class, link)",
    "CREATE INDEX entry_in_order ON entry (type, number)",
    "CREATE INDEX entry_by_name ON entry (name)",
    """CREATE TABLE version (number INTEGER PRIMARY KEY, link INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
        id TEXT NOT NULL, version INTEGER NOT NULL, class INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
        encounter TEXT NOT NULL, recorded INTEGER NOT NULL, gone INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX version_of ON version (link, name, version)",
    "CREATE INDEX version_by_name ON version (name)",
    "CREATE INDEX version_in_order ON version (type, number)",
    "CREATE TABLE ucum (code TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID",
    "CREATE VIRTUAL TABLE words USING fts5(narrative, whole, columnsize = 0, tokenize = 'unicode61 remove_diacritics 0')",
    "INSERT INTO words (words, rank) VALUES ('secure-delete', 1)",  # else deleted words stay in the index until a merge
    "CREATE TABLE fresh_words (entry INTEGER PRIMARY KEY, narrative TEXT NOT NULL, whole TEXT NOT NULL)",
    "CREATE TABLE stale_words (entry INTEGER PRIMARY KEY)",
)
NAMES: Final = (*(f"s_{kind}" for kind in _VALUES), "version", "ucum", "words", "fresh_words", "stale_words")
TOGETHER: Final = 64
"""Changes of words that are made together: one alone costs as much as ten, because every word has a place of its own."""
_WORDS: Final = "INSERT INTO words (rowid, narrative, whole) VALUES (?,?,?)"
WORDS: Final = "FROM words"
"""Stands in every question about words, which are settled before."""
_INSERTS: Final = {
    kind: f"INSERT OR IGNORE INTO s_{kind} (entry, param, {', '.join(name for name, _ in columns)}, place)"
    for kind, columns in _VALUES.items()
}


def insert(db: apsw.Connection, many: Iterable[tuple[int, Rows, Texts]]) -> None:
    """Insert the search values and the words of entries, (entry number, rows, words) each."""
    gathered: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in _VALUES}
    words: list[tuple[int, str, str]] = []
    for number, found, texts in many:
        for kind, of_kind in found.items():
            gathered[kind] += [(number, *row) for row in of_kind]
        words.append((number, texts.narrative, texts.whole))
    for kind, values in gathered.items():
        rows.insert(db, _INSERTS[kind], values)
    _note_words(db, words)
    units = {code for *_, system, code, _unit, _place in gathered["quantity"] if system == UCUM}
    db.executemany("INSERT OR IGNORE INTO ucum VALUES (?)", [(code,) for code in sorted(units) if is_kept(code)])


def _note_words(db: apsw.Connection, words: Sequence[tuple[int, str, str]]) -> None:
    """Keep words for later where they are few."""
    if len(words) >= TOGETHER:
        db.executemany(_WORDS, words)
        return
    db.executemany("INSERT INTO fresh_words VALUES (?,?,?)", words)
    if unsettled(db) >= TOGETHER:
        settle(db)


def unsettled(db: apsw.Connection) -> int:
    """Return how many changes of words are kept for later."""
    ((many,),) = db.execute("SELECT (SELECT count(*) FROM fresh_words) + (SELECT count(*) FROM stale_words)")
    return int(many)


def settle(db: apsw.Connection) -> None:
    """Make the changes of words that were kept for later."""
    stale = list(db.execute("SELECT entry FROM stale_words"))
    fresh = list(db.execute("SELECT entry, narrative, whole FROM fresh_words"))
    db.executemany("DELETE FROM words WHERE rowid = ?", stale)
    db.executemany(_WORDS, fresh)
    db.execute("DELETE FROM stale_words")
    db.execute("DELETE FROM fresh_words")


def delete(db: apsw.Connection, numbers: Sequence[tuple[int]]) -> None:
    """Delete the search values of entries, each number as a tuple of one; their words are found by none from now on.

    The words' pages lose them when words are settled.
    """
    for kind in _VALUES:
        db.executemany(f"DELETE FROM s_{kind} WHERE entry = ?", numbers)  # noqa: S608 -- names above
    for number in numbers:
        db.execute("DELETE FROM fresh_words WHERE entry = ?", number)
        if not db.changes():
            db.execute("INSERT OR IGNORE INTO stale_words VALUES (?)", number)
