"""Erasure at a holder, the physical part; and the list of erasures that outlives every backup.

Order: the list (durable) -> segments rewritten without the link's records -> rows, salts, wraps, secret, link map and
link key deleted in the commit that adopts the new segments -> old files deleted -> write-ahead log truncated. A crash
in between is finished at the next start, because the list says so.

    list    "SALUSERA" | u8 format = 1 | entry*
    entry   u64 number | link id 16 | case id 16 (zeros if none) | u64 Unix ms | mac 32
    mac     mac(list key, "salus/v1/erasure-entry", the 48 bytes before)
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast

import msgspec

from salus.core.proof.digest import mac
from salus.vault.errors import Erased, Refused, RestoreRefused
from salus.vault.links import Standing, link_info
from salus.vault.segments import sync_folder
from salus.vault.store import Store

_MAGIC: Final = b"SALUSERA\x01"
_ENTRY: Final = 80
_CHUNK: Final = 8 * 1024 * 1024
"""Bytes of a segment copied at a time."""


class ErasureEntry(msgspec.Struct, frozen=True):
    """One erasure, as the list keeps it."""

    number: int
    link: bytes
    case: bytes
    time: int
    """Unix milliseconds."""


class ErasureReport(msgspec.Struct, frozen=True):
    """What an erasure removed: for the member's attestation."""

    records: int
    bytes: int
    segments: int
    """Rewritten."""


class ErasureList:
    """The list, in a file of its own. Keep it on another disk than the vault; never in a backup."""

    def __init__(self, path: Path, key: bytes) -> None:
        """`key` is the vault's database key; the list's own key is derived from it."""
        self.path, self._key = path, mac(key, "salus/v1/erasure-list")

    def create(self) -> None:
        """Begin an empty list, durably, if there is none."""
        if not self.path.exists():
            self._write(())

    def read(self) -> list[ErasureEntry]:
        """Return all entries. A torn last entry was never acted on and is ignored. Raises RestoreRefused."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            raise RestoreRefused("there is no list of erasures; without it nothing is restored") from None
        if not data.startswith(_MAGIC):
            raise RestoreRefused("this file is no list of erasures of format 1")
        entries = []
        for at in range(len(_MAGIC), len(data) - _ENTRY + 1, _ENTRY):
            plain, check = data[at : at + 48], data[at + 48 : at + _ENTRY]
            if mac(self._key, "salus/v1/erasure-entry", plain) != check:
                raise RestoreRefused("the list of erasures was altered, or belongs to another vault")
            entries.append(
                ErasureEntry(
                    int.from_bytes(plain[:8], "big"), plain[8:24], plain[24:40], int.from_bytes(plain[40:], "big")
                )
            )
        return entries

    def add(self, link: bytes, case: bytes, time: int) -> int:
        """Append an erasure, durably; return its number."""
        entries = self.read()
        number = entries[-1].number + 1 if entries else 1
        self._write((*entries, ErasureEntry(number, link, case, time)))
        return number

    def prune(self, before: int) -> int:
        """Drop entries older than `before` (Unix ms), whose last backup has expired; the newest always stays.

        Returns how many were dropped.
        """
        entries = self.read()
        kept = [entry for entry in entries[:-1] if entry.time >= before] + entries[-1:]
        self._write(kept)
        return len(entries) - len(kept)

    def _write(self, entries: Iterable[ErasureEntry]) -> None:
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("wb") as file:
            file.write(_MAGIC + b"".join(self._packed(entry) for entry in entries))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        sync_folder(self.path.parent)

    def _packed(self, entry: ErasureEntry) -> bytes:
        case = entry.case or bytes(16)
        plain = entry.number.to_bytes(8, "big") + entry.link + case + entry.time.to_bytes(8, "big")
        return plain + mac(self._key, "salus/v1/erasure-entry", plain)


def stand(store: Store, link: bytes, standing: Standing, reason: str = "") -> None:
    """Close a link to grants, reopen it, or retain it for a legal reason class. Raises UnknownLink, Erased, Refused."""
    with store.lock:
        if link_info(store, link).standing == Standing.ERASED:
            raise Erased("the link was erased")
        if standing == Standing.ERASED or bool(reason) != (standing == Standing.RETAINED):
            raise Refused("a link is closed, reopened, or retained for a named reason")
        with store.transaction() as db:
            db.execute("UPDATE link SET standing = ?, reason = ? WHERE id = ?", (int(standing), reason, link))


def erase(store: Store, listed: ErasureList, link: bytes, case: bytes = b"") -> ErasureReport:
    """Erase a link's content for good; durable, and off the disk's live files, when it returns. Idempotent.

    Disclosure lines stay until their own term ends; leaves in batches stay, and without their salts tell nothing.
    Raises UnknownLink, Refused (retained for a legal reason), StorageFull, Stopped.
    """
    with store.lock:
        info = link_info(store, link)
        if info.standing == Standing.RETAINED:
            raise Refused("the link is retained for a legal reason")
        if info.standing == Standing.ERASED:
            return ErasureReport(0, 0, 0)
        if len(case) not in {0, 16}:
            raise Refused("a case id has 16 bytes")
        number = listed.add(link, case, store.clock())
        report = _remove(store, link, number)
        store.sweep_doomed()
        store.truncate_log()
        return report


def apply_list(store: Store, listed: ErasureList) -> int:
    """Erase whatever the list names and this vault still has; return how many links that were.

    Raises RestoreRefused if the list is older than the vault knows it to have been.
    """
    entries = listed.read()
    row = store.row("SELECT value FROM meta WHERE name = 'erasures'")
    known = int.from_bytes(cast("bytes", row[0]), "big") if row else 0
    if known > (entries[-1].number if entries else 0):
        raise RestoreRefused(f"the list of erasures is older than this vault: it must reach number {known}")
    done = 0
    with store.lock:
        for entry in entries:
            if store.row("SELECT 1 FROM link WHERE id = ? AND standing <> ?", (entry.link, int(Standing.ERASED))):
                _remove(store, entry.link, entry.number)
                done += 1
        if done:
            store.sweep_doomed()
            store.truncate_log()
    return done


def _remove(store: Store, link: bytes, number: int) -> ErasureReport:
    (inner,) = cast("tuple[int]", store.row("SELECT number FROM link WHERE id = ?", (link,)))
    segments = [
        cast("int", row[0])
        for row in store.rows("SELECT DISTINCT segment FROM record WHERE link = ? ORDER BY segment", (inner,))
    ]
    records = removed = 0
    for segment in segments:
        gone = store.row("SELECT count(*), sum(length) FROM record WHERE link = ? AND segment = ?", (inner, segment))
        count, size = cast("tuple[int, int]", gone)
        _rewrite(store, segment, inner)
        records, removed = records + count, removed + size
    with store.transaction() as db:
        db.execute("DELETE FROM link_identifier WHERE link = ?", (inner,))
        db.execute("DELETE FROM invitation WHERE link = ?", (link,))
        db.execute("DELETE FROM link_key WHERE link = ?", (link,))
        db.execute("DELETE FROM wallet_day WHERE link = ?", (link,))
        db.execute("UPDATE wallet SET link = NULL WHERE link = ?", (link,))
        db.execute(
            "UPDATE link SET secret = NULL, head = zeroblob(32), standing = ?, reason = '' WHERE number = ?",
            (int(Standing.ERASED), inner),
        )
        db.execute(
            "INSERT INTO meta VALUES ('erasures', ?1) ON CONFLICT (name) DO UPDATE SET value = max(value, ?1)",
            (number.to_bytes(8, "big"),),
        )
    return ErasureReport(records, removed, len(segments))


def _rewrite(store: Store, segment: int, link: int) -> None:
    """Copy a segment without a link's records, and adopt the copy in the commit that deletes their rows."""
    rows = cast(
        "list[tuple[int, int, int]]",
        store.rows(
            "SELECT number, offset, length FROM record WHERE segment = ? AND link <> ? ORDER BY offset",
            (segment, link),
        ),
    )
    successor = store.begin_segment()
    moved: list[tuple[int, int, int]] = []
    end = store.segments.size(successor)
    buffer: list[bytes] = []
    held = 0
    for record, offset, length in rows:
        buffer.append(store.segments.read(segment, offset, length))
        moved.append((successor, end, record))
        end, held = end + length, held + length
        if held >= _CHUNK:
            store.append_to(successor, b"".join(buffer))
            buffer, held = [], 0
    store.append_to(successor, b"".join(buffer))
    store.sync(successor)
    with store.transaction() as db:
        db.execute("DELETE FROM record WHERE segment = ? AND link = ?", (segment, link))
        db.executemany("UPDATE record SET segment = ?, offset = ? WHERE number = ?", moved)
        db.execute("UPDATE segment SET doomed = 1 WHERE number = ?", (segment,))
        store.moved_end(successor, end)
