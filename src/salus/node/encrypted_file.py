"""An encrypted SQLite file of a node, beside the vault, with the vault's settings for durability."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from salus.vault.database import failure, open_database

Value = bytes | int | str | None


class EncryptedFile:
    """One file under one key. What is written is durable when the block ends. Thread-safe."""

    def __init__(self, path: Path, key: bytes, migrations: Sequence[str]) -> None:
        """Open or create the file under its 32-byte key. Raises the vault's WrongKey or Damaged."""
        self._path = path
        self._db = open_database(path, key, migrations=migrations)
        self._lock = threading.RLock()

    def whole(self) -> bytes:
        """Return the file's bytes, encrypted as they lie, with everything that was committed in them."""
        with self._lock:
            self._truncate_log()
            return self._path.read_bytes()

    def _truncate_log(self) -> None:
        """Leave nothing in the write-ahead log: neither what was committed nor what was deleted."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        try:
            with self._lock, self._db:
                yield self._db
        except apsw.Error as error:
            raise failure(error) from None

    def _rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        try:
            with self._lock:
                return list(self._db.execute(sql, tuple(values)))
        except apsw.Error as error:
            raise failure(error) from None
