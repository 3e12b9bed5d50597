"""The ledger's bytes in one LMDB environment: one folder, one owner, every block one durable commit.

LMDB maps its file into memory, has no checksums and believes what it maps. Therefore, before it is opened, the file is
compared with its own two meta pages (reading past the end of a truncated map kills the process), and room for a block
is reserved in the file before the block is written, so that a full disk is a refusal and not a failed commit.
"""

import errno
import fcntl
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import lmdb

from salus.engines.errors import Stopped, StoreDamaged, StoreFailed, StoreFull, StoreLocked
from salus.engines.keyvalues import Part, Reading, Writes

MAP_BYTES: Final = 64 << 30
"""Address space, not disk: about forty million transactions. Growing it is opening the folder with a larger number."""
READERS: Final = 126  # LMDB's own default; a reading lasts as long as one call, so threads are what counts
MAX_PARTS: Final = 16
LEAST_ROOM: Final = 1 << 20
MOST_ROOM: Final = 64 << 20
_META = struct.Struct("<QHHI II QQ 96x QQ")
"""Page number, pad, flags, bounds | magic, version | address, map size, two trees | last page, transaction."""
_MAGIC = 0xBEEFC0DE
_PAGE_SIZE_AT = 40  # the first tree's md_pad holds the page size


class LmdbKeyValues:
    """One LMDB environment in `folder`, which is made if missing. Raises StoreLocked, StoreDamaged or StoreFailed."""

    def __init__(self, folder: Path, parts: Iterable[str] = tuple(Part), *, map_bytes: int = MAP_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._file = folder / "data.mdb"
        self._lock = lock_folder(folder)
        self._map_bytes = map_bytes
        self._gate = threading.Condition()
        self._readings = 0
        self._closed = False
        try:
            check_length(self._file)
            # meminit: else the unused part of each page holds whatever the process freed before, records included
            self._environment = lmdb.open(
                str(folder), map_size=map_bytes, max_dbs=MAX_PARTS, max_readers=READERS, mode=0o600, meminit=True
            )
            names = tuple(parts)
            fresh = self._environment.info()["last_txnid"] < len(names)  # each map is made by a commit of its own
            self._parts = {name: self._environment.open_db(str(name).encode(), create=fresh) for name in names}
        except lmdb.Error as error:
            os.close(self._lock)
            raise StoreDamaged(f"{self._file} does not open: {error}") from error
        except StoreDamaged:
            os.close(self._lock)
            raise
        self._page_bytes = self._environment.stat()["psize"]

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Pin the newest commit for reading."""
        with self._gate:
            if self._closed:
                raise Stopped("the ledger's store is closed")
            self._readings += 1
        try:
            with self._environment.begin(buffers=True) as transaction:
                yield _LmdbReading(transaction, self._parts)
        except lmdb.Error as error:
            raise StoreDamaged(f"{self._file}: {error}") from error
        finally:
            with self._gate:
                self._readings -= 1
                self._gate.notify_all()

    def write(self, writes: Writes) -> None:
        """Put all pairs, all or nothing, durable on return. Raises StoreFull or StoreFailed."""
        if self._closed:
            raise Stopped("the ledger's store is closed")
        self._reserve(sum(len(key) + len(value) + 64 for pairs in writes.values() for key, value in pairs))
        try:
            with self._environment.begin(write=True) as transaction:
                for part, pairs in writes.items():
                    with transaction.cursor(self._parts[part]) as cursor:
                        cursor.putmulti(pairs)
        except lmdb.MapFullError as error:
            raise StoreFull(
                f"the map of {self._map_bytes} bytes is full; the block was not written. "
                "Open the ledger with a larger map (ledger.map_bytes)"
            ) from error
        except lmdb.Error as error:
            raise StoreFailed(f"{self._file}: {error}") from error

    def close(self) -> None:
        """Wait for the readings under way, then let go of the folder."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._gate.wait_for(lambda: self._readings == 0)
        self._environment.close()
        os.close(self._lock)

    def _reserve(self, payload: int) -> None:
        """Make the file long enough for a commit of `payload` bytes, on real blocks. Raises StoreFull."""
        used = (self._environment.info()["last_pgno"] + 1) * self._page_bytes
        need = used + LEAST_ROOM // 4 + 4 * payload
        if self._file.stat().st_size >= need:
            return
        goal = min(max(need + LEAST_ROOM, used + min(used // 4, MOST_ROOM)), max(self._map_bytes, used))
        descriptor = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, 0, goal)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise StoreFull(f"no room on the disk of {self._file}; the block was not written") from error
            raise StoreFailed(f"{self._file}: {error.strerror}") from error
        finally:
            os.close(descriptor)


class _LmdbReading:
    def __init__(self, transaction: lmdb.Transaction, parts: dict[str, lmdb._Database]) -> None:
        self._transaction = transaction
        self._parts = parts

    def get(self, part: str, key: bytes) -> bytes | None:
        value = self._transaction.get(key, db=self._parts[part])
        return None if value is None else bytes(value)

    def view(self, part: str, key: bytes) -> bytes | memoryview | None:
        return self._transaction.get(key, db=self._parts[part])

    def range(self, part: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        with self._transaction.cursor(self._parts[part]) as cursor:
            first = max(prefix, start)
            if not (cursor.set_range(first) if first else cursor.first()):
                return
            for key, value in cursor.iternext():
                found = bytes(key)
                if not found.startswith(prefix):
                    return
                yield found, bytes(value)

    def before(self, part: str, key: bytes) -> tuple[bytes, bytes] | None:
        with self._transaction.cursor(self._parts[part]) as cursor:
            found = cursor.prev() if cursor.set_range(key) else cursor.last()
            return (bytes(cursor.key()), bytes(cursor.value())) if found else None


def check_length(file: Path) -> None:
    """Raise StoreDamaged if the file's newest meta page counts more pages than the file has, or is no meta page."""
    if not file.exists() or (size := file.stat().st_size) == 0:
        return
    with file.open("rb") as stream:
        head = stream.read(65536)
    if len(head) < 8192:
        raise StoreDamaged(f"{file} is cut off after {size} bytes")
    page_bytes = int.from_bytes(head[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 4], "little")
    if page_bytes not in {4096, 8192, 16384, 32768} or len(head) < 2 * page_bytes:
        raise StoreDamaged(f"{file} is no ledger file: page size {page_bytes}")
    metas = [_META.unpack_from(head, at) for at in (0, page_bytes)]
    if any(meta[4] != _MAGIC for meta in metas):
        raise StoreDamaged(f"{file} is no ledger file: a meta page is missing")
    last_page = max(metas, key=lambda meta: meta[-1])[-2]
    if size < (last_page + 1) * page_bytes:
        raise StoreDamaged(f"{file} is cut off: {size} bytes, expected {(last_page + 1) * page_bytes}")


def lock_folder(folder: Path) -> int:
    """Return the descriptor of the folder's lock file, locked until it is closed. Raises StoreLocked."""
    descriptor = os.open(folder / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreLocked(f"process {owner} owns {folder}; use its socket, or stop it") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
