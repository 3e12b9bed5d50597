"""Envelopes: how a secret travels. HPKE base mode under X-Wing, everything it is about bound in, signed by its sender.

    suite      HPKE (RFC 9180) base mode, ML-KEM-768 + X25519 (X-Wing), HKDF-SHA256, AES-256-GCM
    public key ML-KEM-768 key 1184 | X25519 key 32
    seed       32 bytes; SHAKE256(seed, 96) = ML-KEM-768 seed 64 | X25519 private key 32
    info       digest("salus/v1/envelope", u8 format | u8 algorithm, network, sender, recipient public key,
                      purpose, object id)
    signature  Ed25519(sender key, framed("salus/v1/envelope-signature", info, sealed))

Base mode says nothing about who sent: only the signature does. An envelope opened for another network, sender,
recipient, purpose or object than it was sealed for does not open.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof import ed25519
from salus.core.proof.digest import digest, framed
from salus.vault.errors import EnvelopeRefused, TooLarge

FORMAT: Final = 1
ALGORITHM: Final = 1
"""X-Wing, HKDF-SHA256, AES-256-GCM; Ed25519."""
PUBLIC_BYTES: Final = 1216
MAX_PLAINTEXT: Final = 16 * 1024 * 1024
"""A pull's keys are 40 bytes a record; a wallet's file some hundred kilobytes."""
_MLKEM_BYTES: Final = 1184
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Context(Value, frozen=True):
    """What an envelope is bound to."""

    network: bytes
    """Network id, 32 bytes."""
    sender: bytes
    """Who signs: a member id in ASCII, or the 32-byte public key of a patient's link, grant or wallet."""
    purpose: str
    """ASCII, named by its use: `grant`, `pull`, `wallet`, `invitation`."""
    object_id: bytes
    """The id of what is inside: a grant id, a request id, a locator."""


class Envelope(Value, frozen=True):
    """An envelope as it travels."""

    format: int
    algorithm: int
    context: Context
    sealed: bytes
    signature: bytes


class ReceiveKey:
    """An X-Wing private key, made from a 32-byte seed, with those that it replaced."""

    def __init__(self, seed: bytes, retired: Sequence[bytes] = ()) -> None:
        """`retired` are the seeds before this one: what is sealed to them and on its way still opens."""
        if len(seed) != 32:
            raise TooLarge("an X-Wing seed has 32 bytes")
        expanded = hashlib.shake_256(seed).digest(96)
        kem, curve = (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            X25519PrivateKey.from_private_bytes(expanded[64:]),
        )
        self._key = MLKEM768X25519PrivateKey(kem, curve)
        self.public: Final = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        """The public key, 1216 bytes."""
        self.retired: Final = tuple(ReceiveKey(one) for one in retired)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of a seed (32 bytes)."""
        return cls(seed)

    def decrypt(self, sealed: bytes, info: bytes) -> bytes:
        """Open HPKE output. Raises EnvelopeRefused."""
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            raise EnvelopeRefused("the envelope does not open under this key and context") from None


def info_of(context: Context, recipient: bytes) -> bytes:
    """Return what HPKE and the signature bind: 32 bytes over context and the recipient's public key."""
    return digest(
        "salus/v1/envelope",
        bytes((FORMAT, ALGORITHM)),
        context.network,
        context.sender,
        recipient,
        context.purpose.encode("ascii"),
        context.object_id,
    )


def seal_envelope(plaintext: bytes, context: Context, *, recipient: bytes, sign: Ed25519PrivateKey) -> bytes:
    """Seal to a public key (1216 bytes) and sign. Randomness is the library's. Raises TooLarge, EnvelopeRefused."""
    if len(plaintext) > MAX_PLAINTEXT:
        raise TooLarge(f"an envelope holds at most {MAX_PLAINTEXT} bytes")
    info = info_of(context, recipient)
    try:
        sealed = _SUITE.encrypt(plaintext, _public(recipient), info)
    except ValueError:
        raise EnvelopeRefused("the receive key is of small order: a secret with it is none") from None
    signature = sign.sign(framed("salus/v1/envelope-signature", (info, sealed)))
    return encode(Envelope(FORMAT, ALGORITHM, context, sealed, signature))


def open_envelope(envelope: bytes, context: Context, *, key: ReceiveKey, sender_key: bytes) -> bytes:
    """Return the plaintext of an envelope that says, and is bound to, exactly `context`.

    `sender_key` is the sender's Ed25519 public key, known from elsewhere (the ledger, the link). Raises EnvelopeRefused.
    """
    told = _read(envelope)
    if (told.format, told.algorithm) != (FORMAT, ALGORITHM):
        raise EnvelopeRefused(f"format {told.format}, algorithm {told.algorithm} is not known here")
    for name in Context.__struct_fields__:
        if getattr(told.context, name) != getattr(context, name):
            raise EnvelopeRefused(f"the envelope is for another {name}")
    for one in (key, *key.retired):  # the signature tells to which it was sealed
        info = info_of(context, one.public)
        if ed25519.verify(sender_key, framed("salus/v1/envelope-signature", (info, told.sealed)), told.signature):
            return one.decrypt(told.sealed, info)
    raise EnvelopeRefused("the envelope is not signed by its sender for this recipient")


def sign_anew(
    envelope: bytes, recipients: Iterable[bytes], signed_by: Iterable[bytes], *, sign: Ed25519PrivateKey
) -> bytes:
    """Return a member's own envelope signed with its key in force, if an earlier one of its keys has signed it.

    `recipients` are the keys (1216 bytes each) to which it may be sealed, `signed_by` the sender's earlier keys. What
    none of them signed stays as it is. Raises EnvelopeRefused on bytes that are no envelope.
    """
    told, earlier = _read(envelope), tuple(signed_by)
    for recipient in recipients:
        signed = framed("salus/v1/envelope-signature", (info_of(told.context, recipient), told.sealed))
        if any(ed25519.verify(key, signed, told.signature) for key in earlier):
            return encode(Envelope(told.format, told.algorithm, told.context, told.sealed, sign.sign(signed)))
    return envelope


def sealed_digest(envelope: bytes) -> bytes:
    """Return a digest of an envelope without its signature, 32 bytes. Raises EnvelopeRefused on bytes that are none."""
    told = _read(envelope)
    return digest("salus/v1/envelope-sealed", encode(told.context), told.sealed)


def context_of(envelope: bytes) -> Context:
    """Return what an envelope says it is about, unverified: to find keys by. Raises EnvelopeRefused."""
    return _read(envelope).context


def _read(envelope: bytes) -> Envelope:
    try:
        return decode(envelope, Envelope)
    except MalformedBytes:
        raise EnvelopeRefused("these bytes are no envelope") from None


def _public(recipient: bytes) -> MLKEM768X25519PublicKey:
    if len(recipient) != PUBLIC_BYTES:
        raise EnvelopeRefused(f"a receive key has {PUBLIC_BYTES} bytes")
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(recipient[:_MLKEM_BYTES]),
            X25519PublicKey.from_public_bytes(recipient[_MLKEM_BYTES:]),
        )
    except ValueError:
        raise EnvelopeRefused("the receive key is not an X-Wing public key") from None
