"""The drill: decrypt every page, log frame and segment with the member's own keys, and look for what must be gone.

A raw scan of encrypted files finds nothing before an erasure or after, and proves nothing. Free pages and the frames
of the write-ahead log are decrypted like all others; so are the bytes of segments, each under every data key that the
database still holds for that place. Bytes that no row accounts for are reported too.

Page cipher (SQLite3 Multiple Ciphers, chacha20): page = text | nonce 12 | u32 counter | tag 16; counter XOR page
number; one-time key = 64 bytes of ChaCha20; text under its second half from the next counter; page 1 keeps 24 bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from salus.vault import records
from salus.vault.errors import Erased, VaultError
from salus.vault.sealing import open_sealed
from salus.vault.segments import HEAD_BYTES
from salus.vault.store import Store

_PAGE: Final = 4096
_WAL_HEAD: Final = 32
_FRAME: Final = 24 + _PAGE
_FIRST: Final = 24


class DrillReport(msgspec.Struct, frozen=True):
    """What was decrypted, and where a needle was found."""

    pages: int
    frames: int
    records: int
    found: tuple[str, ...]
    """Places, named by file and page or record number: never what was found."""


def drill(store: Store, key: bytes, needles: Sequence[bytes]) -> DrillReport:
    """Decrypt everything in the vault's folder and search it. `key` is the database key.

    An honest drill is run before an erasure too, and finds the needles then.
    """
    found: list[str] = []
    with store.lock:
        pages = frames = 0
        for number, text in pages_of(store.folder / "vault.db", key):
            pages += 1
            _look(text, needles, f"vault.db page {number}", found)
        for number, text in frames_of(store.folder / "vault.db-wal", key):
            frames += 1
            _look(text, needles, f"vault.db-wal frame {number}", found)
        count = _search_records(store, needles, found)
        _account(store, found)
    return DrillReport(pages, frames, count, tuple(found))


def pages_of(path: Path, key: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and plain text of every page of a database file, free pages included."""
    data = path.read_bytes()
    for at in range(0, len(data), _PAGE):
        number = at // _PAGE + 1
        yield number, _decrypted(data[at : at + _PAGE], number, key)


def frames_of(path: Path, key: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and plain text of every frame in a write-ahead log, also of those already checkpointed."""
    data = path.read_bytes() if path.exists() else b""
    for count, at in enumerate(range(_WAL_HEAD, len(data) - _FRAME + 1, _FRAME), start=1):
        number = int.from_bytes(data[at : at + 4], "big")
        yield count, _decrypted(data[at + 24 : at + _FRAME], number, key)


def _decrypted(page: bytes, number: int, key: bytes) -> bytes:
    end = len(page) - 32
    nonce = page[end : end + 12]
    counter = int.from_bytes(page[end + 12 : end + 16], "little") ^ number
    one_time = _chacha(key, counter, nonce, bytes(64))
    return _chacha(one_time[32:], counter + 1, nonce, page[_FIRST if number == 1 else 0 : end])


def _chacha(key: bytes, counter: int, nonce: bytes, data: bytes) -> bytes:
    start = (counter & 0xFFFFFFFF).to_bytes(4, "little") + nonce
    return Cipher(algorithms.ChaCha20(key, start), mode=None).encryptor().update(data)


def _search_records(store: Store, needles: Sequence[bytes], found: list[str]) -> int:
    keys: dict[bytes, bytes] = {}
    count = 0
    for (number,) in cast("list[tuple[int]]", store.rows("SELECT number FROM record ORDER BY number")):
        try:
            row = records.stored(store, number)
            if row.ref.withdrawn:
                continue  # no key for these bytes is left
            meta, body = open_sealed(*records.sealed_and_key(store, row, keys))
        except Erased:
            found.append(f"record {number}: its link is erased and the record is not")
            continue
        except VaultError as error:
            found.append(str(error))
            continue
        count += 1
        _look(meta.id.encode() + b"\x00" + meta.type.encode() + b"\x00" + body, needles, f"record {number}", found)
    return count


def _account(store: Store, found: list[str]) -> None:
    """Every byte of every segment must belong to a row."""
    known = {number for (number,) in store.rows("SELECT number FROM segment WHERE doomed = 0")}
    for number in store.segments.numbers():
        if number not in known:
            found.append(f"segment {number}: no row accounts for it")
            continue
        at = HEAD_BYTES
        rows = store.rows("SELECT offset, length FROM record WHERE segment = ? ORDER BY offset", (number,))
        for offset, length in cast("list[tuple[int, int]]", rows):
            if offset != at:
                found.append(f"segment {number}: no row accounts for the bytes from {at}")
            at = offset + length
        if at != store.segments.size(number):
            found.append(f"segment {number}: no row accounts for the bytes from {at}")


def _look(text: bytes, needles: Iterable[bytes], where: str, found: list[str]) -> None:
    if any(needle in text for needle in needles):
        found.append(where)
