"""The keystore: a member's own keys in one file under a passphrase, or handed over by systemd.

    file     "SALUSKEY" | u8 format = 1 | u8 algorithm = 1 | u8 log2 N | u8 r | u8 p | salt 32 | nonce 12 | sealed
    sealed   AES-256-GCM(scrypt(passphrase, salt, N, r, p), nonce, msgpack keys, associated data = all before it)

A systemd credential (`LoadCredentialEncrypted=salus-keys:...`) holds the msgpack keys alone: systemd seals them.
Link secrets are not here: they lie in the vault's database, below the database key.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.vault.envelope import ReceiveKey
from salus.vault.errors import WrongKey
from salus.vault.sealing import Entropy
from salus.vault.segments import sync_folder

CREDENTIAL: Final = "salus-keys"
"""File name in a systemd credential directory."""
COST: Final = 17
"""log2 N of scrypt: 128 MiB and some tenths of a second for each guess."""
_MAGIC: Final = b"SALUSKEY\x01\x01"
_HEAD: Final = len(_MAGIC) + 3 + 32 + 12
_R: Final = 8
_P: Final = 1


class Keys(Value, frozen=True):
    """A member's own keys. All are seeds or keys of 32 random bytes."""

    format: int
    member: str
    sign: bytes
    """Ed25519 seed: transactions, manifests, envelopes, requests."""
    receive: bytes
    """X-Wing seed: what is sealed to the member."""
    vault: bytes
    """Key of `vault.db`."""
    index: bytes
    """Key of `index.db`."""
    backup: bytes
    """Key that backups are sealed under."""
    retired: tuple[bytes, ...] = ()
    """Earlier X-Wing seeds, newest first: envelopes on their way at a rotation still open."""

    def signing_key(self) -> Ed25519PrivateKey:
        """Return the key that signs as the member."""
        return Ed25519PrivateKey.from_private_bytes(self.sign)

    def receive_key(self) -> ReceiveKey:
        """Return the key that opens what is sealed to the member."""
        return ReceiveKey(self.receive)

    def __repr__(self) -> str:
        """Name the member, never a key."""
        return f"Keys(member={self.member!r})"


def new_keys(member: str, entropy: Entropy) -> Keys:
    """Return fresh keys for a member."""
    return Keys(1, member, entropy(32), entropy(32), entropy(32), entropy(32), entropy(32))


def save_keystore(path: Path, keys: Keys, passphrase: bytes, *, entropy: Entropy, cost: int = COST) -> None:
    """Write the keystore, durably and whole: what stood there before is replaced only by a complete file.

    `cost` is log2 N, 14 to 20. Raises OSError.
    """
    if not 14 <= cost <= 20 or not passphrase:
        raise WrongKey("a keystore takes a passphrase and a cost of 14 to 20")
    head = _MAGIC + bytes((cost, _R, _P)) + entropy(32) + entropy(12)
    sealed = AESGCM(_stretch(head, passphrase)).encrypt(head[-12:], encode(keys), head)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with contextlib.closing(os.fdopen(handle, "wb")) as file:
        file.write(head + sealed)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def load_keystore(path: Path, passphrase: bytes) -> Keys:
    """Return the keys in a keystore. Raises WrongKey for a wrong passphrase, a damaged or another file."""
    data = path.read_bytes()
    head, sealed = data[:_HEAD], data[_HEAD:]
    if not data.startswith(_MAGIC) or len(head) < _HEAD or not 14 <= head[10] <= 20 or head[11:13] != bytes((_R, _P)):
        raise WrongKey(f"{path.name} is not a keystore of format 1")
    try:
        plain = AESGCM(_stretch(head, passphrase)).decrypt(head[-12:], sealed, head)
    except InvalidTag:
        raise WrongKey(f"{path.name} does not open: wrong passphrase or damaged file") from None
    return _keys(plain, path.name)


def load_credential(folder: Path) -> Keys:
    """Return the keys that systemd put into its credential directory (`$CREDENTIALS_DIRECTORY`). Raises WrongKey."""
    path = folder / CREDENTIAL
    try:
        return _keys(path.read_bytes(), CREDENTIAL)
    except FileNotFoundError:
        raise WrongKey(f"the credential directory has no {CREDENTIAL}") from None


def credential_of(keys: Keys) -> bytes:
    """Return the bytes to hand to `systemd-creds encrypt --name=salus-keys`."""
    return encode(keys)


def _keys(plain: bytes, name: str) -> Keys:
    try:
        keys = decode(plain, Keys)
    except MalformedBytes:
        raise WrongKey(f"{name} holds no keys") from None
    seeds = (keys.sign, keys.receive, keys.vault, keys.index, keys.backup, *keys.retired)
    if keys.format != 1 or any(len(seed) != 32 for seed in seeds):
        raise WrongKey(f"{name} holds keys of another format")
    return keys


def _stretch(head: bytes, passphrase: bytes) -> bytes:
    return Scrypt(salt=head[-44:-12], length=32, n=1 << head[10], r=_R, p=_P).derive(passphrase)
