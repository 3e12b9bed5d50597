"""`vault.db`: encrypted SQLite, opened only when every setting that durability and erasure rest on reads back.

Cipher: ChaCha20-Poly1305 per page (SQLite3 Multiple Ciphers), raw 32-byte key, so a page that was altered or put
back elsewhere does not open. WAL with synchronous=FULL: a commit is on the disk before it returns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from salus.vault.errors import Damaged, Stopped, StorageFull, VaultError, WrongKey

MIGRATIONS: Final = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE counter (records INTEGER NOT NULL, entries INTEGER NOT NULL);
    INSERT INTO counter VALUES (0, 0);
    CREATE TABLE segment (number INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, doomed INTEGER NOT NULL);
    CREATE TABLE link (
        number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL, secret BLOB,
        sequence INTEGER NOT NULL, head BLOB NOT NULL, lines INTEGER NOT NULL, standing INTEGER NOT NULL,
        opened INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT '');
    CREATE TABLE link_identifier (
        assigner TEXT NOT NULL, identifier TEXT NOT NULL, link INTEGER NOT NULL REFERENCES link,
        PRIMARY KEY (assigner, identifier)) WITHOUT ROWID;
    CREATE INDEX link_identifier_link ON link_identifier (link);
    CREATE TABLE record (
        number INTEGER PRIMARY KEY, entry INTEGER, link INTEGER NOT NULL, sequence INTEGER NOT NULL,
        kind INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, recorded INTEGER NOT NULL,
        content BLOB NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
        salt BLOB NOT NULL, chain_salt BLOB NOT NULL, previous BLOB NOT NULL, wrap BLOB NOT NULL,
        leaf BLOB NOT NULL);
    CREATE INDEX record_entry ON record (entry);
    CREATE UNIQUE INDEX record_identity ON record (link, type, id, version);
    CREATE INDEX record_segment ON record (segment);
    CREATE TABLE disclosure (
        entry INTEGER PRIMARY KEY, side INTEGER NOT NULL, subject BLOB NOT NULL, line INTEGER NOT NULL,
        time INTEGER NOT NULL, detail BLOB NOT NULL, salt BLOB NOT NULL, leaf BLOB NOT NULL);
    CREATE UNIQUE INDEX disclosure_line ON disclosure (side, subject, line);
    CREATE TABLE pending (entry INTEGER PRIMARY KEY, kind INTEGER NOT NULL, leaf BLOB NOT NULL);
    CREATE TABLE batch (
        number INTEGER PRIMARY KEY, first INTEGER NOT NULL UNIQUE, last INTEGER NOT NULL, records INTEGER NOT NULL,
        disclosures INTEGER NOT NULL, root BLOB NOT NULL, made INTEGER NOT NULL, leaves BLOB NOT NULL,
        tx BLOB, height INTEGER, receipt BLOB);
    """,
    """
    CREATE TABLE invitation (digest BLOB PRIMARY KEY, link BLOB NOT NULL, expires INTEGER NOT NULL, claim BLOB);
    CREATE TABLE link_key (
        link BLOB PRIMARY KEY, key BLOB NOT NULL, standing INTEGER NOT NULL, counter INTEGER NOT NULL,
        contacts BLOB NOT NULL, certificate BLOB NOT NULL, transcript BLOB NOT NULL);
    CREATE TABLE wallet (
        locator BLOB PRIMARY KEY, write_key BLOB NOT NULL, version INTEGER NOT NULL, file BLOB NOT NULL);
    """,
    """
    ALTER TABLE wallet ADD COLUMN link BLOB;
    CREATE INDEX wallet_link ON wallet (link);
    CREATE TABLE wallet_day (link BLOB PRIMARY KEY, day INTEGER NOT NULL, writes INTEGER NOT NULL, bytes INTEGER NOT NULL);
    """,
)
CACHE_KB: Final = 64 * 1024
"""Decrypted pages kept in memory: decrypting one costs as much as sealing a record."""
STATEMENTS: Final = 512
"""Compiled statements of a connection, the most there can be. One that is run moves to the next place and drops what
stands there: a batch must run fewer, lest all are compiled anew for the next.
"""
SCHEMA: Final = len(MIGRATIONS)


def open_database(
    path: Path, key: bytes, *, migrations: Sequence[str] = MIGRATIONS, vfs: str | None = None
) -> apsw.Connection:
    """Open or create the encrypted database at `path`; bring its schema up to date.

    `migrations` are the steps of the schema, each run once; by default the vault's. `key` has 32 bytes; `vfs` names
    another virtual file system (power-loss tests put a recorder there).
    Raises WrongKey, or Damaged if a setting or the schema is not what it must be.
    """
    if len(key) != 32:
        raise WrongKey("a database key has 32 bytes")
    connection = apsw.Connection(str(path), vfs=vfs, statementcachesize=STATEMENTS)
    try:
        connection.pragma("cipher", "chacha20")
        connection.pragma("key", "raw:" + key.hex())
        # The key pragma answers "ok" to any key: only a row that reads proves it.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        _settle(connection)
        _migrate(connection, migrations)
    except apsw.NotADBError:
        connection.close()
        raise WrongKey(f"{path.name} does not open under this key") from None
    except apsw.Error as error:
        connection.close()
        raise failure(error) from None
    except VaultError:
        connection.close()
        raise
    return connection


def failure(error: apsw.Error) -> VaultError:
    """Return what a database error means to the vault's caller."""
    if isinstance(error, apsw.FullError):
        return StorageFull("the disk is full; nothing was stored")
    if isinstance(error, apsw.ConnectionClosedError):
        return Stopped("the vault is closed")
    return Damaged(f"the database cannot be read or written: {type(error).__name__}")


def _settle(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(5_000)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "FULL")
    connection.pragma("secure_delete", "ON")
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("foreign_keys", "ON")
    connection.pragma("cache_size", -CACHE_KB)
    want = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "temp_store": 2, "foreign_keys": 1}
    for name, value in want.items():
        got = connection.pragma(name)
        if got != value:
            raise Damaged(f"the database reads {name} = {got!r} where {value!r} was set")


def _migrate(connection: apsw.Connection, migrations: Sequence[str]) -> None:
    version = connection.pragma("user_version")
    if not isinstance(version, int) or version > len(migrations):
        raise Damaged(f"the database has schema {version}; this program knows up to {len(migrations)}")
    for number in range(version, len(migrations)):
        with connection:
            connection.execute(migrations[number])
            connection.pragma("user_version", number + 1)
