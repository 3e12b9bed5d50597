"""Segments: append-only runs of sealed records. The port, its files and its in-memory twin.

    segment   "SALUSEG" | u8 format = 1 | u64 number | sealed record*

A segment says nothing about where a record begins: the encrypted database does, and whatever lies behind its last
row was never acknowledged.
"""

import errno
import os
from pathlib import Path
from typing import Final, Protocol

from salus.vault.errors import Damaged

_MAGIC: Final = b"SALUSEG\x01"
HEAD_BYTES: Final = 16


def segment_head(number: int) -> bytes:
    """Return the 16 bytes that every segment begins with."""
    return _MAGIC + number.to_bytes(8, "big")


class SegmentStore(Protocol):
    """Where segments lie. Numbers are positive; offsets and sizes are bytes.

    Writes raise OSError (ENOSPC on a full disk); reads raise Damaged when bytes are missing.
    """

    def create(self, number: int) -> None:
        """Begin a segment with its head; durable, name included, after `sync`."""
        ...

    def append(self, number: int, data: bytes) -> int:
        """Write at the end and return the offset. Not durable before `sync`."""
        ...

    def sync(self, number: int) -> None:
        """Return once everything written to the segment is on the disk."""
        ...

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes."""
        ...

    def size(self, number: int) -> int:
        """Return the segment's length, its head included."""
        ...

    def truncate(self, number: int, size: int) -> None:
        """Cut the segment to `size` bytes, durably."""
        ...

    def remove(self, number: int) -> None:
        """Delete the segment, durably."""
        ...

    def numbers(self) -> list[int]:
        """Return the numbers of all segments, rising."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...


class FileSegments:
    """Segments as files `00000001.seg` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, int] = {}
        self._unnamed: set[int] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, number: int) -> None:
        """Begin a segment."""
        handle = os.open(self._path(number), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._open[number] = handle
        self._unnamed.add(number)
        _write_all(handle, segment_head(number), 0)

    def append(self, number: int, data: bytes) -> int:
        """Write at the end."""
        handle = self._handle(number)
        offset = os.fstat(handle).st_size
        _write_all(handle, data, offset)
        return offset

    def sync(self, number: int) -> None:
        """Make what was written durable, and the file's name with it if it is new."""
        os.fdatasync(self._handle(number))
        if number in self._unnamed:
            sync_folder(self._folder)
            self._unnamed.discard(number)

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes."""
        data = os.pread(self._handle(number), length, offset)
        if len(data) != length:
            raise Damaged(f"segment {number} ends before offset {offset + length}")
        return data

    def size(self, number: int) -> int:
        """Return the file's length."""
        return os.fstat(self._handle(number)).st_size

    def truncate(self, number: int, size: int) -> None:
        """Cut the file."""
        handle = self._handle(number)
        os.ftruncate(handle, size)
        os.fsync(handle)

    def remove(self, number: int) -> None:
        """Delete the file."""
        handle = self._open.pop(number, None)
        if handle is not None:
            os.close(handle)
        self._unnamed.discard(number)
        self._path(number).unlink(missing_ok=True)
        sync_folder(self._folder)

    def numbers(self) -> list[int]:
        """List the files."""
        return sorted(int(path.stem) for path in self._folder.glob("*.seg") if path.stem.isdecimal())

    def close(self) -> None:
        """Close all files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.seg"

    def _handle(self, number: int) -> int:
        handle = self._open.get(number)
        if handle is None:
            try:
                handle = os.open(self._path(number), os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                raise Damaged(f"segment {number} is missing") from None
            self._open[number] = handle
        return handle


class MemorySegments:
    """Segments in memory: the twin for tests and for throw-away networks."""

    def __init__(self) -> None:
        self.data: dict[int, bytearray] = {}

    def create(self, number: int) -> None:
        """Begin a segment."""
        if number in self.data:
            raise FileExistsError(errno.EEXIST, "segment exists", str(number))
        self.data[number] = bytearray(segment_head(number))

    def append(self, number: int, data: bytes) -> int:
        """Write at the end."""
        segment = self._segment(number)
        offset = len(segment)
        segment += data
        return offset

    def sync(self, number: int) -> None:
        """Do nothing: memory has no later."""
        self._segment(number)

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes."""
        data = bytes(self._segment(number)[offset : offset + length])
        if len(data) != length:
            raise Damaged(f"segment {number} ends before offset {offset + length}")
        return data

    def size(self, number: int) -> int:
        """Return the segment's length."""
        return len(self._segment(number))

    def truncate(self, number: int, size: int) -> None:
        """Cut the segment."""
        del self._segment(number)[size:]

    def remove(self, number: int) -> None:
        """Delete the segment."""
        self.data.pop(number, None)

    def numbers(self) -> list[int]:
        """List the segments."""
        return sorted(self.data)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _segment(self, number: int) -> bytearray:
        try:
            return self.data[number]
        except KeyError:
            raise Damaged(f"segment {number} is missing") from None


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: files created, renamed or deleted."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view = view[written:]
        offset += written
