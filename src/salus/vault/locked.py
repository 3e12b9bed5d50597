"""A small file locked by a passphrase: the keystore, a patient's wallet.

file     magic 8 | u8 format = 1 | u8 algorithm = 1 | u8 log2 N | u8 r | u8 p | salt 32 | nonce 12 | sealed
sealed   AES-256-GCM(scrypt(passphrase, salt, N, r, p), nonce, content, associated data = all before it)
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from salus.vault.errors import WrongKey
from salus.vault.sealing import Entropy
from salus.vault.segments import sync_folder

COST: Final = 17
"""log2 N of scrypt: 128 MiB and some tenths of a second for each guess."""
_R: Final = 8
_P: Final = 1
_VERSION: Final = b"\x01\x01"
_MAGIC_BYTES: Final = 8
_HEAD: Final = _MAGIC_BYTES + len(_VERSION) + 3 + 32 + 12


@dataclass(frozen=True, slots=True, repr=False)
class Lock:
    """A stretched passphrase, so that a file is written again without stretching again."""

    head: bytes
    """Everything before the nonce."""
    key: bytes

    @classmethod
    def new(cls, magic: bytes, passphrase: bytes, *, entropy: Entropy, cost: int | None = None) -> Self:
        """Return a fresh lock for a kind of file; `cost` is log2 N, 14 to 20; `COST` if not said. Raises WrongKey."""
        cost = cost or COST
        if len(magic) != _MAGIC_BYTES or not 14 <= cost <= 20 or not passphrase:
            raise WrongKey("a locked file takes a passphrase and a cost of 14 to 20")
        head = magic + _VERSION + bytes((cost, _R, _P)) + entropy(32)
        return cls(head, _stretch(head, passphrase))

    def seal(self, content: bytes, *, entropy: Entropy) -> bytes:
        """Return the file's bytes."""
        head = self.head + entropy(12)
        return head + AESGCM(self.key).encrypt(head[-12:], content, head)


def unlock(data: bytes, magic: bytes, passphrase: bytes, what: str) -> tuple[Lock, bytes]:
    """Return lock and content of a file; `what` names it in refusals. Raises WrongKey."""
    head, sealed = data[:_HEAD], data[_HEAD:]
    if not head.startswith(magic + _VERSION) or len(head) < _HEAD or not 14 <= head[10] <= 20:
        raise WrongKey(f"{what} of format 1")
    if head[11:13] != bytes((_R, _P)):
        raise WrongKey(f"{what} of format 1")
    lock = Lock(head[:-12], _stretch(head[:-12], passphrase))
    try:
        return lock, AESGCM(lock.key).decrypt(head[-12:], sealed, head)
    except InvalidTag:
        raise WrongKey(f"{what.split(maxsplit=1)[0]} does not open: wrong passphrase or damaged file") from None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, durably: what stood there before is replaced only by a complete one. Raises OSError."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with contextlib.closing(os.fdopen(handle, "wb")) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _stretch(head: bytes, passphrase: bytes) -> bytes:
    return Scrypt(salt=head[-32:], length=32, n=1 << head[10], r=_R, p=_P).derive(passphrase)
