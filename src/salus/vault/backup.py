"""Backup and restore. A backup opens only with the key of its day, which lies outside it and dies after 30 days.

    backup      manifest | vault.db.sealed | segments/00000001.seg ...
    sealed      random 32 | AES-256-GCM(mac(day key, "salus/v1/backup", random, name, file digest), 12 zeros, bytes)
                with file digest 32 between random and ciphertext; the name is associated data
    manifest    sealed like it: msgpack [format, member, day, files [name, size, digest]...]
    day keys    "SALUSDAY" | u8 format = 1 | (u32 day | AES-KW(mac(backup key, "salus/v1/day-key"), day key))*

Segments are ciphertext already, below keys in vault.db. Once a day key is destroyed, nothing in that day's backups
opens: that is when an erasure is ERASED rather than DELETED.
"""

import os
import shutil
import threading
from pathlib import Path
from typing import Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.vault.erasure import ErasureList, apply_list
from salus.vault.errors import RestoreRefused
from salus.vault.sealing import Entropy
from salus.vault.segments import FileSegments, sync_folder
from salus.vault.store import Store

DAY: Final = 24 * 3600 * 1000
"""Milliseconds."""
KEEP_DAYS: Final = 29
"""After so many days a backup's key is destroyed, and with it whatever was erased since: within the ledger's 30."""
_FILE: Final = threading.Lock()
"""Held while day keys are read and written back: one file, two threads that make and destroy them."""
_MAGIC: Final = b"SALUSDAY\x01"


class BackupFile(Value, frozen=True):
    """A file in a backup."""

    name: str
    size: int
    digest: bytes


class Manifest(Value, frozen=True):
    """What a backup consists of."""

    format: int
    member: str
    day: int
    """Days since 1970-01-01."""
    files: tuple[BackupFile, ...]


class DayKeys:
    """The keys of the last days' backups, in a file of its own beside the keystore, never in a backup."""

    def __init__(self, path: Path, key: bytes, entropy: Entropy) -> None:
        """`key` is the keystore's backup key."""
        self._path, self._entropy = path, entropy
        self._wrapping = mac(key, "salus/v1/day-key")

    def of(self, day: int) -> bytes:
        """Return the key of a day, made at first use."""
        with _FILE:
            keys = self._read()
            if day not in keys:
                keys[day] = aes_key_wrap(self._wrapping, self._entropy(32))
                self._write(keys)
            return self._unwrapped(keys[day])

    def known(self, day: int) -> bytes:
        """Return the key of a day that has one. Raises RestoreRefused once it was destroyed."""
        if not self._path.exists():
            raise RestoreRefused(f"{self._path.name} is not in the data folder: put its copy there first")
        keys = self._read()
        if day not in keys:
            raise RestoreRefused("the key of this backup's day was destroyed: the backup has expired")
        return self._unwrapped(keys[day])

    def expire(self, today: int) -> list[int]:
        """Destroy keys that are 29 days old or older; return their days."""
        with _FILE:
            keys = self._read()
            gone = [day for day in keys if day + KEEP_DAYS <= today]
            if gone:
                self._write({day: wrap for day, wrap in keys.items() if day not in gone})
            return gone

    def days(self) -> list[int]:
        """Return the days (since 1970) on which backups were made that still open, in order."""
        return sorted(self._read())

    def oldest(self) -> int | None:
        """Return the oldest day whose backups still open, or None."""
        return min(self._read(), default=None)

    def _unwrapped(self, wrap: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._wrapping, wrap)
        except InvalidUnwrap:
            raise RestoreRefused("the day keys do not open under this backup key") from None

    def _read(self) -> dict[int, bytes]:
        if not self._path.exists():
            return {}
        data = self._path.read_bytes()
        if not data.startswith(_MAGIC) or (len(data) - len(_MAGIC)) % 44:
            raise RestoreRefused("this file holds no day keys of format 1")
        return {
            int.from_bytes(data[at : at + 4], "big"): data[at + 4 : at + 44] for at in range(len(_MAGIC), len(data), 44)
        }

    def _write(self, keys: dict[int, bytes]) -> None:
        body = b"".join(day.to_bytes(4, "big") + wrap for day, wrap in sorted(keys.items()))
        write_file(self._path.with_name(self._path.name + ".new"), _MAGIC + body)
        self._path.with_name(self._path.name + ".new").replace(self._path)
        sync_folder(self._path.parent)


def backup(store: Store, destination: Path, keys: DayKeys) -> Manifest:
    """Write a backup of everything committed into an empty or new folder; writing waits meanwhile.

    The manifest is written last: a folder without one is no backup. Raises RestoreRefused (not empty), OSError.
    """
    destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise RestoreRefused("a backup goes into an empty folder")
    day = store.clock() // DAY
    key = keys.of(day)
    files = []
    with store.lock:
        store.truncate_log()
        whole = (store.folder / "vault.db").read_bytes()
        (destination / "segments").mkdir(mode=0o700)
        live = store.rows("SELECT number, size FROM segment WHERE doomed = 0 ORDER BY number")
        for number, size in cast("list[tuple[int, int]]", live):
            name = f"segments/{number:08d}.seg"
            files.append(_copy_segment(store, number, size, destination / name, name))
    sealed = seal_file(key, "vault.db", whole, store.entropy)
    write_file(destination / "vault.db.sealed", sealed)
    files.append(BackupFile("vault.db.sealed", len(sealed), digest("salus/v1/backup-file", sealed)))
    manifest = Manifest(1, store.member, day, tuple(files))
    named = day.to_bytes(4, "big") + seal_file(key, "manifest", encode(manifest), store.entropy)
    sync_folder(destination / "segments")
    write_file(destination / "manifest", named)
    sync_folder(destination)
    return manifest


def restore(
    source: Path, folder: Path, *, member: str, key: bytes, keys: DayKeys, erasures: ErasureList, entropy: Entropy
) -> int:
    """Put a backup back into a new folder, with every listed erasure applied before anybody can open it.

    Returns how many links the list erased. `key` is the database key of the time. Raises RestoreRefused: no list, an
    older list, an expired or altered backup, a folder that exists.
    """
    erasures.read()
    if folder.exists():
        raise RestoreRefused("a vault is restored into a new folder")
    draft = folder.with_name(folder.name + ".restoring")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "segments").mkdir(mode=0o700, parents=True)
    manifest, day_key = _manifest(source, keys)
    if manifest.member != member:
        raise RestoreRefused("this is another member's backup")
    for file in manifest.files:
        data = _checked(source, file)
        if file.name == "vault.db.sealed":
            write_file(draft / "vault.db", open_file(day_key, "vault.db", data))
        else:
            write_file(draft / file.name, data)
    store = Store(
        draft, member=member, key=key, clock=lambda: 0, entropy=entropy, segments=FileSegments(draft / "segments")
    )
    try:
        done = apply_list(store, erasures)
    finally:
        store.close()
    sync_folder(draft)
    draft.rename(folder)
    sync_folder(folder.parent)
    return done


def _manifest(source: Path, keys: DayKeys) -> tuple[Manifest, bytes]:
    try:
        data = (source / "manifest").read_bytes()
    except FileNotFoundError:
        raise RestoreRefused("the folder has no manifest: it is no backup, or an unfinished one") from None
    day_key = keys.known(int.from_bytes(data[:4], "big"))
    return decode(open_file(day_key, "manifest", data[4:]), Manifest), day_key


def _checked(source: Path, file: BackupFile) -> bytes:
    path = source / file.name
    data = path.read_bytes() if path.is_file() else b""
    if len(data) != file.size or digest("salus/v1/backup-file", data) != file.digest:
        raise RestoreRefused(f"{file.name} is not the file that was backed up")
    return data


def _copy_segment(store: Store, number: int, size: int, path: Path, name: str) -> BackupFile:
    data = store.segments.read(number, 0, size)
    write_file(path, data)
    return BackupFile(name, size, digest("salus/v1/backup-file", data))


def seal_file(key: bytes, name: str, data: bytes, entropy: Entropy) -> bytes:
    """Return a file of a backup, sealed under its day's key and bound to its name."""
    head = entropy(32) + digest("salus/v1/backup-plain", data)
    file_key = mac(key, "salus/v1/backup", head[:32], name.encode("ascii"), head[32:])
    return head + AESGCM(file_key).encrypt(bytes(12), data, name.encode("ascii"))


def open_file(key: bytes, name: str, data: bytes) -> bytes:
    """Return what `seal_file` sealed. Raises RestoreRefused."""
    file_key = mac(key, "salus/v1/backup", data[:32], name.encode("ascii"), data[32:64])
    try:
        return AESGCM(file_key).decrypt(bytes(12), data[64:], name.encode("ascii"))
    except InvalidTag:
        raise RestoreRefused(f"the backup's {name} was altered, or is another day's") from None


def write_file(path: Path, data: bytes) -> None:
    """Write a file for its user alone, durably. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
