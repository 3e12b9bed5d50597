"""A recorder of what reaches the disk, below the cipher, and the states that a power loss may leave of it.

Every write, truncate, sync, creation and removal is noted in order and then carried out. A crash cuts the log at a
place: in each file everything before its last sync stays; later writes are cut into sectors, each kept with chance
0.6 in any combination, later truncates and removals with chance 0.5; a file that was never synced may be missing.
"""

import random
from dataclasses import dataclass, field

import apsw

from salus.vault.erasure import ErasureList
from salus.vault.segments import MemorySegments, segment_head


@dataclass
class Log:
    """What happened, in order: (what, file, offset or size, bytes)."""

    events: list[tuple[str, str, int, bytes]] = field(default_factory=list)

    def note(self, what: str, file: str, number: int = 0, data: bytes = b"") -> None:
        self.events.append((what, file, number, data))


def register(log: Log, name: str) -> apsw.VFS:
    """Register the recording file system; open databases through `multipleciphers-<name>`."""

    class File(apsw.VFSFile):
        def __init__(self, path, flags):
            self.short = _short(path)
            super().__init__("unix", path, flags)

        def xWrite(self, data, offset):  # noqa: N802
            log.note("write", self.short, offset, bytes(data))
            super().xWrite(data, offset)

        def xTruncate(self, size):  # noqa: N802
            log.note("truncate", self.short, size)
            super().xTruncate(size)

        def xSync(self, flags):  # noqa: N802
            log.note("sync", self.short)
            super().xSync(flags)

    class System(apsw.VFS):
        def __init__(self):
            super().__init__(name, "unix")

        def xOpen(self, path, flags):  # noqa: N802
            return File(path, flags)

        def xDelete(self, path, sync_folder):  # noqa: N802
            log.note("remove", _short(path))
            super().xDelete(path, sync_folder)

    return System()


class RecordingSegments(MemorySegments):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def create(self, number):
        super().create(number)
        self._log.note("write", f"{number}.seg", 0, segment_head(number))

    def append(self, number, data):
        offset = super().append(number, data)
        self._log.note("write", f"{number}.seg", offset, data)
        return offset

    def sync(self, number):
        self._log.note("sync", f"{number}.seg")

    def truncate(self, number, size):
        super().truncate(number, size)
        self._log.note("truncate", f"{number}.seg", size)
        self._log.note("sync", f"{number}.seg")

    def remove(self, number):
        if number in self.data:
            self._log.note("remove", f"{number}.seg")
        super().remove(number)
        self._log.note("sync", f"{number}.seg")


class RecordingList(ErasureList):
    log: Log

    def _write(self, entries):
        super()._write(entries)
        self.log.note("write", "list", 0, self.path.read_bytes())
        self.log.note("sync", "list")


def state_after(log: Log, cut: int, seed: int) -> dict[str, bytes]:
    """Return the files that a power loss after `cut` events may leave; `seed` chooses one of the possibilities."""
    chance = random.Random(seed)
    sector = chance.choice((512, 4096))
    last_sync: dict[str, int] = {}
    last_folder = -1
    for at, (what, file, _, _) in enumerate(log.events[:cut]):
        if what == "sync":
            last_sync[file] = at
        elif what == "sync folder":
            last_folder = at
    files: dict[str, bytearray] = {}
    for at, (what, file, number, data) in enumerate(log.events[:cut]):
        durable = at < last_sync.get(file, -1)
        if file.endswith("-shm") or what.startswith("sync"):
            continue
        if what == "remove":
            if durable or at < last_folder or chance.random() < 0.5:
                files.pop(file, None)
        elif what == "truncate":
            if durable or chance.random() < 0.5:
                content = files.setdefault(file, bytearray())
                del content[number:]
                content.extend(bytes(number - len(content)))
        elif durable:
            _put(files.setdefault(file, bytearray()), number, data)
        else:
            for start in range(0, len(data), sector):
                if chance.random() < 0.6:
                    _put(files.setdefault(file, bytearray()), number + start, data[start : start + sector])
    return {file: bytes(content) for file, content in files.items()}


def _short(path: str | apsw.URIFilename) -> str:
    return (path.filename() if isinstance(path, apsw.URIFilename) else path).rsplit("/", 1)[-1]


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
