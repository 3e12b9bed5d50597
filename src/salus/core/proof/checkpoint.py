"""Checkpoints: the log's size and root at one block, signed by cosigners and witnesses; and changes of the cosigners.

    checkpoint  ["salus/v1/checkpoint", network 32, size, root 32, issued, cosignatures]
    change      ["salus/v1/cosigners", network 32, number, size, root 32, [[member, key 32], ...], cosignatures]

as deterministic CBOR. Cosignatures are one byte string of 72 bytes each, key id 8 | signature 64, by rising key id.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final, Self

from salus.core.proof import cbor, cose
from salus.core.proof.ed25519 import SIGNATURE_BYTES
from salus.core.proof.errors import MalformedProof
from salus.core.proof.merkle import MAX_SIZE

CHECKPOINT: Final = "salus/v1/checkpoint"
CHANGE: Final = "salus/v1/cosigners"
MAX_COSIGNERS: Final = 128  # as many as members there may be: all of them cosign an embedded ledger
MAX_COSIGNATURES: Final = 2 * MAX_COSIGNERS
MAX_MEMBER: Final = 32  # characters of a member id
COSIGNATURE_BYTES: Final = cose.KID_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True)
class Checkpoint:
    """What cosigners sign: the log had this size and root."""

    network: bytes
    """Digest of the first genesis, 32 bytes."""
    size: int
    """Leaves in the log, block leaf included."""
    root: bytes
    """Root of the log, 32 bytes."""
    issued: int
    """Block time in Unix seconds, rounded down (the `iat` claim)."""
    cosignatures: tuple[tuple[bytes, bytes], ...] = ()
    """(key id 8, signature 64), by rising key id."""

    def to_sign(self, key: bytes) -> bytes:
        """Return the bytes that the holder of `key` signs."""
        return cose.to_sign(self.header(cose.kid_of(key)), self.root)

    def to_verify(self, kid: bytes) -> bytes:
        """Return the bytes that the cosignature with this key id is over."""
        return cose.to_sign(self.header(kid), self.root)

    def header(self, kid: bytes) -> bytes:
        """Return the protected header of one cosignature."""
        return self._header(kid)

    @cached_property
    def _header(self) -> Callable[[bytes], bytes]:
        return cose.checkpoint_header(self.network, self.size, self.issued)

    def signed(self, cosignatures: Iterable[tuple[bytes, bytes]]) -> Self:
        """Return the checkpoint with these (key, signature) pairs added; a key that signed already is replaced."""
        return replace(self, cosignatures=_added(self.cosignatures, cosignatures))

    def encode(self) -> bytes:
        """Return the checkpoint's bytes."""
        return cbor.encode(self.to_cbor())

    def to_cbor(self) -> tuple[cbor.Value, ...]:
        """Return the checkpoint as it stands inside a receipt."""
        return (CHECKPOINT, self.network, self.size, self.root, self.issued, _joined(self.cosignatures))

    @classmethod
    def from_cbor(cls, value: cbor.Value) -> Self:
        """Return the checkpoint in a decoded value. Raises MalformedProof."""
        match value:
            case ("salus/v1/checkpoint", bytes(network), int(size), bytes(root), int(issued), bytes(cosignatures)):
                _check(network, size, root)
                if not 0 <= issued < 1 << 40:
                    raise MalformedProof("a time out of range")
                return cls(network, size, root, issued, _split(cosignatures))
        raise MalformedProof("not a checkpoint")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the checkpoint that the bytes stand for. Raises MalformedProof."""
        return cls.from_cbor(cbor.decode(data))


@dataclass(frozen=True)
class CosignerChange:
    """From this size on these members cosign; signed by enough of those before them."""

    network: bytes
    number: int
    """Counts the network's sets: each change raises it by one."""
    size: int
    """Size of the log at which the new set takes over."""
    root: bytes
    """Root of the log at that size, 32 bytes."""
    cosigners: tuple[tuple[str, bytes], ...]
    """(member id, Ed25519 key 32), by rising member id."""
    cosignatures: tuple[tuple[bytes, bytes], ...] = ()

    def to_sign(self, key: bytes) -> bytes:
        """Return the bytes that the holder of `key`, a cosigner of the set before, signs."""
        return self.to_verify(cose.kid_of(key))

    def to_verify(self, kid: bytes) -> bytes:
        """Return the bytes that the cosignature with this key id is over."""
        return cose.to_sign(cose.statement_header(CHANGE)(kid), cbor.encode(self._content()))

    def signed(self, cosignatures: Iterable[tuple[bytes, bytes]]) -> Self:
        """Return the change with these (key, signature) pairs added."""
        return replace(self, cosignatures=_added(self.cosignatures, cosignatures))

    def encode(self) -> bytes:
        """Return the change's bytes."""
        return cbor.encode((*self._content(), _joined(self.cosignatures)))

    def _content(self) -> tuple[cbor.Value, ...]:
        return (CHANGE, self.network, self.number, self.size, self.root, self.cosigners)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the change that the bytes stand for. Raises MalformedProof."""
        match cbor.decode(data):
            case (
                "salus/v1/cosigners",
                bytes(network),
                int(number),
                int(size),
                bytes(root),
                tuple(listed),
                bytes(signatures),
            ):
                _check(network, size, root)
                if not 0 < number < 1 << 32:
                    raise MalformedProof("a number of a cosigner set out of range")
                return cls(network, number, size, root, cosigners_in(listed), _split(signatures))
        raise MalformedProof("not a change of cosigners")


def cosigners_in(listed: Iterable[object]) -> tuple[tuple[str, bytes], ...]:
    """Return a cosigner set as typed pairs. Raises MalformedProof unless it has 1 to 64, each by rising member id."""
    pairs: list[tuple[str, bytes]] = []
    for one in listed:
        match one:
            case (str(member), bytes(key)) if 0 < len(member) <= MAX_MEMBER and len(key) == 32:
                pairs.append((member, key))
            case _:
                raise MalformedProof("a cosigner is a member id and a key of 32 bytes")
    members = [member for member, _ in pairs]
    if not 0 < len(pairs) <= MAX_COSIGNERS or any(one >= two for one, two in pairwise(members)):
        raise MalformedProof("a cosigner set has 1 to 64 members, each once, by rising member id")
    return tuple(pairs)


def _check(network: bytes, size: int, root: bytes) -> None:
    if len(network) != 32 or len(root) != 32 or not 0 < size <= MAX_SIZE:
        raise MalformedProof("a network id, root or size out of range")


def _added(
    before: tuple[tuple[bytes, bytes], ...], new: Iterable[tuple[bytes, bytes]]
) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(sorted((dict(before) | {cose.kid_of(key): signature for key, signature in new}).items()))


def _joined(cosignatures: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join(kid + signature for kid, signature in cosignatures)


def _split(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    count, rest = divmod(len(data), COSIGNATURE_BYTES)
    if rest or count > MAX_COSIGNATURES:
        raise MalformedProof("cosignatures of a wrong size, or too many")
    pairs = tuple(
        (data[at : at + cose.KID_BYTES], data[at + cose.KID_BYTES : at + COSIGNATURE_BYTES])
        for at in range(0, len(data), COSIGNATURE_BYTES)
    )
    if any(one[0] >= two[0] for one, two in pairwise(pairs)):
        raise MalformedProof("cosignatures out of order or twice")
    return pairs
