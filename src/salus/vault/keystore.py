"""The keystore: a member's own keys in one file under a passphrase, or handed over by systemd.

    file     `salus.vault.locked`, magic "SALUSKEY", content msgpack keys

A systemd credential (`LoadCredentialEncrypted=salus-keys:...`) holds the msgpack keys alone: systemd seals them.
Link secrets are not here: they lie in the vault's database, below the database key.
"""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.vault.envelope import ReceiveKey
from salus.vault.errors import WrongKey
from salus.vault.locked import Lock, unlock, write_whole
from salus.vault.sealing import Entropy

CREDENTIAL: Final = "salus-keys"
"""File name in a systemd credential directory."""
_MAGIC: Final = b"SALUSKEY"


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
        """Return the key that opens what is sealed to the member, now or before a rotation."""
        return ReceiveKey(self.receive, self.retired)

    def __repr__(self) -> str:
        """Name the member, never a key."""
        return f"Keys(member={self.member!r})"


def new_keys(member: str, entropy: Entropy) -> Keys:
    """Return fresh keys for a member."""
    return Keys(1, member, entropy(32), entropy(32), entropy(32), entropy(32), entropy(32))


def save_keystore(path: Path, keys: Keys, passphrase: bytes, *, entropy: Entropy, cost: int | None = None) -> None:
    """Write the keystore, durably and whole: what stood there before is replaced only by a complete file.

    `cost` is log2 N, 14 to 20; if not said, what guards every file. Raises OSError.
    """
    lock = Lock.new(_MAGIC, passphrase, entropy=entropy, cost=cost)
    write_whole(path, lock.seal(encode(keys), entropy=entropy))


def load_keystore(path: Path, passphrase: bytes) -> Keys:
    """Return the keys in a keystore. Raises WrongKey for a wrong passphrase, a damaged or another file."""
    _, plain = unlock(path.read_bytes(), _MAGIC, passphrase, f"{path.name} is not a keystore")
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
