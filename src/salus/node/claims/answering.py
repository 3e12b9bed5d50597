"""The answers to a file on disk: written beside their folder and put there whole; what must be read again lies in nameless files.

A process that is killed leaves no half answer: the folder is not there, or all of it is. What it had written lies in a
hidden folder beside it, which the next run for the same folder clears.
"""

import fcntl
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import msgspec

from salus.agreements.claims.alone import Desk
from salus.agreements.claims.decision import Decision
from salus.interop.x12.answers import ClaimAnswer
from salus.interop.x12.claim import Claim
from salus.node.errors import Conflict

T = TypeVar("T", bound=msgspec.Struct)
HELD_BYTES: Final = 1 << 18


class FileShelf(Generic[T]):
    """Values in a file without a name, which ends with the process."""

    def __init__(self, folder: Path, kind: type[T]) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 -- lives as long as the shelf
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._encoder = msgspec.msgpack.Encoder()
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._file.truncate(0)
        self._ends = array("Q", [0])
        self._tail = bytearray()
        """What is not in the file yet."""
        self._written = 0

    def append(self, value: T) -> None:
        """Put a value at the end."""
        self._tail += self._encoder.encode(value)
        self._ends.append(self._written + len(self._tail))
        if len(self._tail) > HELD_BYTES:
            _write(self._file.fileno(), self._tail, self._written)
            self._written += len(self._tail)
            self._tail.clear()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> T:
        start, end = self._ends[place], self._ends[place + 1]
        if start >= self._written:
            return self._decoder.decode(memoryview(self._tail)[start - self._written : end - self._written])
        return self._decoder.decode(os.pread(self._file.fileno(), end - start, start))

    def __iter__(self) -> Iterator[T]:
        return (self[place] for place in range(len(self)))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def _write(file: int, data: bytearray, place: int) -> None:
    with memoryview(data) as left:
        done = 0
        while done < len(left):
            done += os.pwrite(file, left[done:], place + done)


class AnswersFolder:
    """A folder of answers in the making. Left without `publish`, nothing of it stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder = folder.resolve()
        self._making = folder.parent / f".{folder.name}.unfinished"
        self._lock = -1
        self._shelves: list[FileShelf[Claim] | FileShelf[ClaimAnswer] | FileShelf[Decision]] = []

    def __enter__(self) -> Self:
        """Begin. Raises Conflict where the folder is not empty or another run is writing it."""
        self._empty()
        self._making.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._making, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._empty()  # what another run has put there meanwhile
        except OSError:
            os.close(self._lock)
            told = "another run is writing the answers of this folder"
            raise Conflict("claims.folder", told, todo="wait for it, or name a new folder") from None
        except Conflict:
            os.close(self._lock)
            raise
        for left in self._making.iterdir():  # of a run that was killed
            left.unlink()
        return self

    def _empty(self) -> None:
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise Conflict("claims.folder", "the folder for the answers is not empty", todo="name a new one")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what is not published goes."""
        for shelf in self._shelves:
            shelf.close()
        shutil.rmtree(self._making, ignore_errors=True)
        os.close(self._lock)

    def desk(self) -> Desk:
        """Return a desk that keeps what it is given in files."""
        waiting, doors = FileShelf(self._making, Claim), FileShelf(self._making, ClaimAnswer)
        decisions = FileShelf(self._making, Decision)
        self._shelves = [waiting, doors, decisions]
        return Desk(waiting, doors, decisions, self)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Write one file."""
        with (self._making / name).open("wb") as file:
            file.writelines(parts)

    def publish(self) -> None:
        """Put the folder in its place. Raises Conflict where it cannot be, and leaves what is there."""
        try:
            self._making.replace(self._folder)
        except OSError as error:
            told = f"the folder of the answers cannot be put in its place: {error.strerror}"
            raise Conflict("claims.folder", told, todo="name a new one") from None
