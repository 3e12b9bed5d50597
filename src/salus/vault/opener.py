"""What brings a wallet back: its root, wrapped for a passkey or for a sheet of paper, kept by any linked member.

    opener     32 bytes: of a passkey digest("salus/v1/passkey-opener", what its PRF yields), of a sheet
               digest("salus/v1/sheet-opener", code 20)
    locator    mac(opener, "salus/v1/opener-locator", member id)
    write key  Ed25519 of seed mac(opener, "salus/v1/opener-write", member id)
    file       u8 format = 1 | u8 algorithm = 1 | random 32 | AES-256-GCM(key, 12 zeros, root), bound to the locator
    key        mac(opener, "salus/v1/opener-key", member id, random, mac(root, "salus/v1/opener-root", member id))
    sheet      "salus-sheet" of 36 characters: Crockford's base32 of code 20 | first 20 bits of
               digest("salus/v1/sheet-check", code); read without case, hyphens and spaces, O as 0, I and L as 1

The file lies where a wallet's state lies, under the same rules: who hosts it sees a locator, a version and a fixed size.
The key depends on the root as well: no key meets two roots, even if randomness repeats; so the file carries the root's mac,
which is another at each member: two members that lay their files side by side find nothing alike.
"""

from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from salus.core.proof.digest import digest, framed, mac
from salus.vault.errors import SealBroken, TooLarge
from salus.vault.sealing import Entropy

FORMAT: Final = 1
CODE_BYTES: Final = 20  # 160 bits: nobody guesses them, so no slow hash has to make up for it
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECK_BITS: Final = 20
_LETTERS: Final = (8 * CODE_BYTES + _CHECK_BITS) // 5
_HEAD: Final = 66


class Opener:
    """Opens a wallet's root at any member that keeps the file."""

    def __init__(self, secret: bytes) -> None:
        """`secret` has 32 bytes."""
        if len(secret) != 32:
            raise TooLarge("an opener has 32 bytes")
        self._secret = secret

    @classmethod
    def of_passkey(cls, yielded: bytes) -> Self:
        """Return the opener of what a passkey's PRF yields (32 bytes)."""
        return cls(digest("salus/v1/passkey-opener", yielded))

    @classmethod
    def of_sheet(cls, text: str) -> Self:
        """Return the opener of a sheet's code as it was typed. Raises SealBroken when a letter is wrong or missing."""
        return cls(digest("salus/v1/sheet-opener", read_sheet(text)))

    def locator(self, member: str) -> bytes:
        """Return where the file lies at a member."""
        return mac(self._secret, "salus/v1/opener-locator", member.encode("ascii"))

    def write_key(self, member: str) -> Ed25519PrivateKey:
        """Return the key that signs writes of the file."""
        return Ed25519PrivateKey.from_private_bytes(mac(self._secret, "salus/v1/opener-write", member.encode("ascii")))

    def seal_root(self, member: str, root: bytes, version: int, *, entropy: Entropy) -> tuple[bytes, bytes]:
        """Return the file for a member as its version, and the signature of the write."""
        head = bytes((FORMAT, 1)) + entropy(32) + mac(root, "salus/v1/opener-root", member.encode("ascii"))
        locator = self.locator(member)
        file = head + AESGCM(self._key(member, head)).encrypt(bytes(12), root, locator)
        return file, self.write_key(member).sign(put_message(locator, version, file))

    def open_root(self, member: str, file: bytes) -> bytes:
        """Return the root in a member's file. Raises SealBroken."""
        head = file[:_HEAD]
        if len(head) < _HEAD or head[:2] != bytes((FORMAT, 1)):
            raise SealBroken("this is no wrapped root of format 1")
        try:
            return AESGCM(self._key(member, head)).decrypt(bytes(12), file[_HEAD:], self.locator(member))
        except InvalidTag:
            raise SealBroken("the wrapped root does not open: another opener or member, or altered") from None

    def _key(self, member: str, head: bytes) -> bytes:
        return mac(self._secret, "salus/v1/opener-key", member.encode("ascii"), head[2:34], head[34:_HEAD])


def write_sheet(code: bytes) -> str:
    """Return the text of a sheet: nine groups of four letters. `code` are 20 random bytes."""
    number = int.from_bytes(code, "big") << _CHECK_BITS | _check(code)
    letters = "".join(ALPHABET[number >> 5 * at & 31] for at in reversed(range(_LETTERS)))
    return "-".join(letters[at : at + 4] for at in range(0, _LETTERS, 4))


def read_sheet(text: str) -> bytes:
    """Return the code in a sheet's text. Raises SealBroken."""
    letters = "".join(text.upper().replace("-", " ").split()).replace("O", "0").replace("I", "1").replace("L", "1")
    if len(letters) != _LETTERS or set(letters) - set(ALPHABET):
        raise SealBroken(f"a sheet has {_LETTERS} letters and digits")
    number = 0
    for letter in letters:
        number = number << 5 | ALPHABET.index(letter)
    code = (number >> _CHECK_BITS).to_bytes(CODE_BYTES, "big")
    if number & (1 << _CHECK_BITS) - 1 != _check(code):
        raise SealBroken("a letter of the sheet is wrong")
    return code


def _check(code: bytes) -> int:
    return int.from_bytes(digest("salus/v1/sheet-check", code)[:3], "big") >> 4


def put_message(locator: bytes, version: int, file: bytes) -> bytes:
    """Return what the write key signs to put `file` as `version`; version 0 with an empty file deletes."""
    return framed("salus/v1/wallet-put", (locator, version.to_bytes(8, "big"), digest("salus/v1/wallet-bytes", file)))
