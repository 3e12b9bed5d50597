"""The open folder of a vault: database, segments, lock; what one process owns and every part of the vault shares."""

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import apsw

from salus.vault.database import failure, open_database
from salus.vault.errors import Damaged, Stopped, StorageFull, VaultError
from salus.vault.sealing import Clock, Entropy
from salus.vault.segments import HEAD_BYTES, FileSegments, SegmentStore, segment_head, sync_folder

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""A segment that is longer gets a successor: erasure rewrites at most this much, plus one write, at a time."""

Value = bytes | int | str | None
Row = tuple[Value, ...]


class Store:
    """Database and segments under one lock. Methods that end in a commit are durable when they return."""

    def __init__(
        self,
        folder: Path,
        *,
        member: str,
        key: bytes,
        clock: Clock,
        entropy: Entropy,
        segments: SegmentStore | None = None,
        vfs: str | None = None,
    ) -> None:
        """Open the folder, creating it if there is none, and settle what a crash left.

        Raises WrongKey, Damaged, or Stopped if another process owns the folder.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self.member, self.clock, self.entropy = folder, member, clock, entropy
        self.lock = threading.RLock()
        self._reading = threading.Lock()
        self._doubt = ""
        self._owner = _own(folder / "vault.lock")
        self.segments = segments if segments is not None else FileSegments(folder / "segments")
        fresh = not (folder / "vault.db").exists()
        if fresh and self.segments.numbers() not in ([], [1]):
            os.close(self._owner)
            raise Damaged("there are segments but no vault.db: put back a backup")
        try:
            self.db = open_database(folder / "vault.db", key, vfs=vfs)
            self._reader = open_database(folder / "vault.db", key, vfs=vfs)
        except VaultError:
            os.close(self._owner)
            raise
        try:
            self._claim(member)
            # A new database begins with a rollback journal; were its deletion lost, it would undo what follows.
            sync_folder(folder)
            self._settle_segments()
        except VaultError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder. Idempotent."""
        with self.lock:
            with self._reading:
                self._reader.close()
            self.db.close()
            self.segments.close()
            if self._owner >= 0:
                os.close(self._owner)
                self._owner = -1

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return the rows of a query."""
        try:
            # While another thread writes and waits for the disk, a second connection reads the last commit.
            if self.lock.acquire(blocking=False):
                try:
                    return cast("list[Row]", self.db.execute(sql, tuple(values)).fetchall())
                finally:
                    self.lock.release()
            with self._reading:
                return cast("list[Row]", self._reader.execute(sql, tuple(values)).fetchall())
        except apsw.Error as error:
            raise failure(error) from None

    def row(self, sql: str, values: Sequence[Value] = ()) -> Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Everything within is committed durably, or, on any error, not at all."""
        with self.lock:
            self.refuse_in_doubt()
            try:
                self.db.execute("BEGIN IMMEDIATE")
                try:
                    yield self.db
                    self._commit()
                finally:
                    if self.db.in_transaction:
                        self.db.execute("ROLLBACK")
            except apsw.Error as error:
                raise failure(error) from None

    def append(self, data: bytes) -> tuple[int, int]:
        """Put `data` behind the newest segment, durably; return segment and offset. Call under the lock.

        The bytes count only once a transaction moved the segment's end over them (`moved_end`); on any error before
        that, call `cut_tail`. Raises StorageFull, Stopped.
        """
        self.refuse_in_doubt()
        newest = self.row("SELECT number, size FROM segment WHERE doomed = 0 ORDER BY number DESC LIMIT 1")
        number, size = cast("tuple[int, int]", newest) if newest else (0, SEGMENT_BYTES)
        if size >= SEGMENT_BYTES:
            number = self.begin_segment()
        try:
            offset = self.segments.append(number, data)
        except OSError as error:
            self.cut_tail(number)
            raise self._write_failure(error) from None
        self.sync(number)
        return number, offset

    def begin_segment(self) -> int:
        """Create the next segment's file and return its number; it has no row yet. Call under the lock."""
        top = self.row("SELECT seq FROM sqlite_sequence WHERE name = 'segment'")
        number = 1 + (cast("int", top[0]) if top else 0)
        try:
            self.segments.remove(number)  # left by a write that failed
            self.segments.create(number)
        except OSError as error:
            raise self._write_failure(error) from None
        return number

    def append_to(self, number: int, data: bytes) -> None:
        """Write behind a segment that has no row yet; on a full disk the segment is dropped."""
        try:
            self.segments.append(number, data)
        except OSError as error:
            self.cut_tail(number)
            raise self._write_failure(error) from None

    def sync(self, number: int) -> None:
        """Make a segment durable. After a failure the disk is in doubt and nothing more is written."""
        try:
            self.segments.sync(number)
        except OSError as error:
            self._doubt = f"fdatasync failed on segment {number} ({errno.errorcode.get(error.errno or 0, '?')})"
            raise Stopped(self._doubt) from None

    def moved_end(self, number: int, size: int) -> None:
        """Within a transaction: the segment now ends at `size`."""
        self.db.execute(
            "INSERT INTO segment (number, size, doomed) VALUES (?1, ?2, 0) "
            "ON CONFLICT (number) DO UPDATE SET size = ?2",
            (number, size),
        )

    def cut_tail(self, number: int) -> None:
        """Cut what a failed write left behind the segment's last row."""
        known = self.row("SELECT size FROM segment WHERE number = ?", (number,))
        try:
            if known is None:
                self.segments.remove(number)
            elif self.segments.size(number) > cast("int", known[0]):
                self.segments.truncate(number, cast("int", known[0]))
        except OSError as error:
            self._doubt = f"segment {number} could not be cut back"
            raise Stopped(self._doubt) from error

    def sweep_doomed(self) -> None:
        """Delete the files of segments that a committed erasure has replaced, then their rows."""
        for (number,) in self.rows("SELECT number FROM segment WHERE doomed = 1"):
            self.segments.remove(cast("int", number))
            with self.transaction() as db:
                db.execute("DELETE FROM segment WHERE number = ?", (number,))

    def truncate_log(self) -> None:
        """Move the write-ahead log into the database and cut it to nothing."""
        with self.lock:
            with self._reading:
                busy, _, _ = cast("tuple[int, int, int]", self.row("PRAGMA wal_checkpoint(TRUNCATE)"))
            if busy:
                raise Damaged("the write-ahead log could not be truncated: a reader holds it")

    def refuse_in_doubt(self) -> None:
        """Raise Stopped after a write failure that left the disk in doubt."""
        if self._doubt:
            raise Stopped(self._doubt)

    def _commit(self) -> None:
        try:
            self.db.execute("COMMIT")
        except apsw.IOError as error:
            self._doubt = "the database could not be written or synced"
            raise Stopped(self._doubt) from error

    def _write_failure(self, error: OSError) -> VaultError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return StorageFull("the disk is full; nothing was stored")
        self._doubt = f"a segment could not be written ({errno.errorcode.get(error.errno or 0, '?')})"
        return Stopped(self._doubt)

    def _claim(self, member: str) -> None:
        known = self.row("SELECT value FROM meta WHERE name = 'member'")
        if known is None:
            with self.transaction() as db:
                db.execute("INSERT INTO meta VALUES ('member', ?)", (member.encode("ascii"),))
        elif known[0] != member.encode("ascii"):
            raise Damaged("this folder is another member's vault")

    def _settle_segments(self) -> None:
        """Cut torn tails, drop what was never acknowledged, refuse what is missing."""
        self.sweep_doomed()
        known = dict(cast("list[tuple[int, int]]", self.rows("SELECT number, size FROM segment")))
        top = self.row("SELECT seq FROM sqlite_sequence WHERE name = 'segment'")
        following = 1 + (cast("int", top[0]) if top else 0)
        present = self.segments.numbers()
        for number in present:
            if number in known or number == following:
                continue
            raise Damaged(f"segment {number} has no row in vault.db: the database is older than its segments")
        if following in present:
            self.segments.remove(following)
        for number, size in known.items():
            if number not in present or self.segments.size(number) < size:
                raise Damaged(f"segment {number} is missing or shorter than its {size} bytes")
            if self.segments.read(number, 0, HEAD_BYTES) != segment_head(number):
                raise Damaged(f"segment {number} is not the segment that its name says")
            if self.segments.size(number) > size:
                self.segments.truncate(number, size)


def _own(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Stopped("another process owns this vault") from None
    return handle
