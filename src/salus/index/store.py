"""`index.db`: encrypted SQLite, derived from the vault, dropped and rebuilt at will.

The cipher is the vault's (ChaCha20 per page, secure_delete), so that purged rows leave no pages behind. A commit is
not forced to disk: it is atomic, and what is lost is caught up; what is forgotten is forced (`truncate`). What was learnt from
the vault may wait for its commit until somebody asks. Questions run on connections of their own, read-only and with a time limit.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import apsw

from salus.index.errors import TimedOut, Unusable
from salus.index.search_tables import NAMES as SEARCH_NAMES
from salus.index.search_tables import TABLES as SEARCH_TABLES
from salus.index.search_tables import WORDS, settle, unsettled

SCHEMA: Final = 8
STEPS: Final = 2_000
"""Virtual-machine steps between looks at the clock: about 0.1 ms."""
READERS: Final = 4
LOG_PAGES: Final = 16_000
"""Pages of the write-ahead log, 64 MB, that are moved into the file together: most were written more than once."""
STATEMENTS: Final = 512
"""Compiled statements of a connection, the most there can be. One that is run moves to the next place and drops what
stands there: a batch must run fewer, lest all are compiled anew for the next.
"""
CACHE_KB: Final = 32_000
"""Decrypted pages that a reader keeps."""
WRITER_CACHE_KB: Final = 128_000
"""Those that the writer keeps: a record's values go to pages all over the file."""
WAITING: Final = 2_000
"""Records that may wait for their commit: a page that several batches change is written once. As many are read anew after a
crash, in some 1 s, and committed in some 0.1 s.
"""
KEPT: Final = 1_000
"""Answers that are kept for the next question: some of each asker."""

TABLES: Final = (
    """CREATE TABLE state (vault_number INTEGER NOT NULL, rules TEXT NOT NULL, unread INTEGER NOT NULL)""",
    """CREATE TABLE link (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, lease INTEGER NOT NULL,
        hidden INTEGER NOT NULL, terms BLOB NOT NULL)""",
    """CREATE INDEX link_terms ON link (lease, terms)""",
    """CREATE TABLE consent (entry INTEGER PRIMARY KEY, link INTEGER NOT NULL, told BLOB NOT NULL)""",
    """CREATE INDEX consent_link ON consent (link)""",
    """CREATE TABLE terms (key BLOB NOT NULL PRIMARY KEY, told BLOB NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE policy_class (number INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, sensitivity INTEGER NOT NULL,
        author TEXT NOT NULL, labels TEXT NOT NULL, UNIQUE (type, sensitivity, author, labels))""",
    """CREATE TABLE entry (number INTEGER PRIMARY KEY, link INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
        id TEXT NOT NULL, version INTEGER NOT NULL, class INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
        status TEXT NOT NULL, encounter TEXT NOT NULL, label TEXT NOT NULL, recorded INTEGER NOT NULL)""",
    """CREATE UNIQUE INDEX entry_name ON entry (link, name)""",
    """CREATE INDEX entry_time ON entry (link, lo, number)""",
    """CREATE INDEX entry_class ON entry (link, class)""",
    """CREATE TABLE code (entry INTEGER NOT NULL, code TEXT NOT NULL, system TEXT NOT NULL, display TEXT NOT NULL,
        PRIMARY KEY (entry, code, system)) WITHOUT ROWID""",
    """CREATE TABLE identifier (value TEXT NOT NULL, system TEXT NOT NULL, entry INTEGER NOT NULL,
        PRIMARY KEY (value, system, entry)) WITHOUT ROWID""",
    """CREATE INDEX identifier_entry ON identifier (entry)""",
    """CREATE TABLE reference (entry INTEGER NOT NULL, target TEXT NOT NULL, made INTEGER NOT NULL,
        PRIMARY KEY (entry, target)) WITHOUT ROWID""",
    """CREATE INDEX reference_target ON reference (target, entry)""",
    """CREATE TABLE membership (entry INTEGER NOT NULL, member TEXT NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
        PRIMARY KEY (member, entry, lo, hi)) WITHOUT ROWID""",
    """CREATE INDEX membership_entry ON membership (entry)""",
    """CREATE TABLE person (entry INTEGER PRIMARY KEY, birth_lo INTEGER NOT NULL, birth_hi INTEGER NOT NULL,
        birth_date TEXT NOT NULL, gender TEXT NOT NULL)""",
    """CREATE INDEX person_birth ON person (birth_lo)""",
    """CREATE TABLE name_word (word TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (word, entry)) WITHOUT ROWID""",
    """CREATE INDEX name_word_entry ON name_word (entry)""",
    """CREATE TABLE view (number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, used INTEGER NOT NULL)""",
    """CREATE TABLE view_rows (entry INTEGER NOT NULL, view INTEGER NOT NULL, rows BLOB NOT NULL,
        PRIMARY KEY (entry, view)) WITHOUT ROWID""",
    *SEARCH_TABLES,
)
JOINED: Final = "CREATE TABLE IF NOT EXISTS joined (link BLOB NOT NULL PRIMARY KEY, party BLOB NOT NULL) WITHOUT ROWID"
"""Which links people have found to be of one patient: told by the node, not derived, so that it outlives `clear`."""
NAMES: Final = (
    *SEARCH_NAMES,
    "state",
    "link",
    "consent",
    "terms",
    "policy_class",
    "entry",
    "code",
    "identifier",
    "reference",
    "membership",
    "person",
    "name_word",
    "view",
    "view_rows",
)

Row = tuple[Any, ...]


def ticks() -> int:
    """Return monotonic milliseconds."""
    return time.monotonic_ns() // 1_000_000


class Store:
    """The database and its readers. `path` None keeps it in memory: the twin for tests, one connection for all."""

    def __init__(self, path: Path | None, key: bytes, *, limit: int, clock: Callable[[], int] = ticks) -> None:
        """Open or create. `key` has 32 bytes, `limit` is a question's in ms. Raises `Unusable`."""
        self._path, self._key, self._limit, self._clock = path, key, limit, clock
        self._lock = threading.RLock()
        self._writer = self._connect()
        self._idle: list[apsw.Connection] = []
        self._kept: dict[tuple[str, tuple[Any, ...]], list[Row]] = {}
        self._holds = False
        self._depth = self._waiting = 0
        self._asked = False
        self.lost = False
        """What waited could not be committed: records that were found once are missing until they are caught up."""
        version = self._writer.pragma("user_version")
        if version != SCHEMA:
            self.clear()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            with suppress(Unusable):  # what is not committed is caught up
                self._commit()
            for connection in (*self._idle, self._writer):
                connection.close()
            self._idle.clear()

    def clear(self) -> None:
        """Drop every table and make them anew, in one commit."""
        with self.transaction() as db:
            for name in NAMES:
                db.execute(f"DROP TABLE IF EXISTS {name}")
            for table in (*TABLES, JOINED):
                db.execute(table)
            db.execute("INSERT INTO state VALUES (0, '', 0)")
            db.pragma("user_version", SCHEMA)

    @contextmanager
    def transaction(self, *, later: int = 0) -> Iterator[apsw.Connection]:
        """Yield the writer inside one transaction. Raises `Unusable` when the database fails.

        later: how many records of the vault it takes up, whose commit may wait until somebody asks; 0: it is committed.
        """
        with self._lock:
            outer, self._holds = self._holds, False
            self._depth += 1
            try:
                if self._depth == 1:
                    self._begin(later=later > 0)
                with self._writer:
                    yield self._writer
                self._waiting += later * (self._depth == 1)
            except apsw.Error as error:
                raise Unusable(f"the index cannot be written: {type(error).__name__}") from None
            finally:
                if not self._holds:  # a new one: what is asked meanwhile of the state before is put into the old
                    self._kept = {}
                self._holds = outer
                self._depth -= 1
                if not self._depth:
                    self._end()

    def _begin(self, *, later: bool) -> None:
        """Begin a transaction that lasts beyond one batch, or end it before another kind of change."""
        if not later:
            self._commit()
        elif not self._writer.in_transaction:
            self._writer.execute("BEGIN")

    def _end(self) -> None:
        """Commit what waits, if somebody asked meanwhile or if it is enough; notice what the database has dropped."""
        if self._waiting and self._writer.in_transaction and not self._asked and self._waiting < WAITING:
            return
        self._asked = False
        self._commit()

    def _commit(self) -> None:
        """Commit what waits. Raises `Unusable`; where the database has dropped it, it is `lost`."""
        try:
            if self._writer.in_transaction:
                self._writer.execute("COMMIT")
                self._waiting = 0
        except apsw.Error as error:
            raise Unusable(f"the index cannot be written: {type(error).__name__}") from None
        finally:
            if self._waiting and not self._writer.in_transaction:
                self._waiting, self._kept, self.lost = 0, {}, True

    def holds(self) -> None:
        """Say within a transaction that it changes nothing that `kept` answers."""
        self._holds = True

    def kept(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """As `look`, for what seldom changes: who people and teams are, terms, policy classes. The answer is not to be changed."""
        kept, key = self._kept, (sql, tuple(values))
        rows = kept.get(key)
        if rows is None:
            rows = self.look(sql, values)
            if len(kept) >= KEPT:
                kept.clear()
            kept[key] = rows
        return rows

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return a question's rows, within the time limit. Raises `TimedOut`, `Unusable`."""
        if WORDS in sql:
            self._settle()
        self._publish()
        with self._reader() as db:
            deadline = self._clock() + self._limit
            db.set_progress_handler(lambda: self._clock() > deadline, STEPS)
            try:
                return list(db.execute(sql, values))
            except apsw.InterruptError:
                raise TimedOut(f"the question took longer than {self._limit} ms") from None
            except apsw.Error as error:
                raise Unusable(f"the index cannot be read: {type(error).__name__}") from None
            finally:
                db.set_progress_handler(None)

    def look(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """As `ask` for what is found at once by a key, without a time limit.

        While nobody writes it asks the writer's connection, whose pages a commit leaves in memory: those of the readers
        are opened anew after each. Raises `TimedOut`, `Unusable`.
        """
        if self._lock.acquire(blocking=False):
            try:
                if not self._depth:
                    return list(self._writer.execute(sql, values))
            except apsw.Error as error:
                raise Unusable(f"the index cannot be read: {type(error).__name__}") from None
            finally:
                self._lock.release()
        return self.ask(sql, values)

    def _publish(self) -> None:
        """Commit what waits, and let the writer commit at once while questions come: none waits for more than one batch."""
        self._asked = True
        if self._waiting:
            with self._lock:
                if not self._depth:
                    self._commit()

    def _settle(self) -> None:
        """Make the changes of words that were kept for later, before somebody asks for words."""
        with self._lock:
            if unsettled(self._writer):
                with self.transaction() as db:
                    settle(db)
                    self.holds()

    def truncate(self) -> None:
        """Move the write-ahead log into the file and cut it, so that deleted rows leave no copy behind."""
        with self._lock:
            self._commit()
            if self._path is not None:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        if self._path is None:
            with self._lock:
                yield self._writer
            return
        connection = self._idle.pop() if self._idle else self._connect(apsw.SQLITE_OPEN_READONLY)
        try:
            yield connection
        finally:
            if len(self._idle) < READERS:
                self._idle.append(connection)
            else:
                connection.close()

    def _connect(self, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) -> apsw.Connection:
        connection = apsw.Connection(
            ":memory:" if self._path is None else str(self._path), flags=flags, statementcachesize=STATEMENTS
        )
        try:
            if self._path is not None:
                connection.pragma("cipher", "chacha20")
                connection.pragma("key", "raw:" + self._key.hex())
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            connection.set_busy_timeout(5_000)
            connection.pragma("cache_size", -CACHE_KB)
            if flags & apsw.SQLITE_OPEN_READWRITE:
                connection.pragma("cache_size", -WRITER_CACHE_KB)
                connection.pragma("journal_mode", "wal")
                connection.pragma("synchronous", "NORMAL")  # what a power cut takes is caught up from the vault
                connection.pragma("secure_delete", "ON")
                connection.pragma("wal_autocheckpoint", LOG_PAGES)
            connection.pragma("temp_store", "MEMORY")
        except apsw.Error as error:
            connection.close()
            raise Unusable(f"the index does not open: {type(error).__name__}") from None
        return connection
