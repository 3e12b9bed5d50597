"""A transaction: one message, sent by a member and, where it speaks for a person or thing, signed by a one-time key.

Wire bytes are the msgpack array [body, submitter's signature, author's signature or empty]; the body is a msgpack
array in the order of `Body`. Both keys stand in the body, so authentication never reads state. The author signs the
same whole body as the submitter, under a label of its own: nobody can lift, split, repeat or forward what it signed.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import MalformedBytes, Message, Value, decode, encode
from salus.core.proof.digest import digest, framed

VERSION: Final = 1
MAX_WIRE_BYTES: Final = 256 * 1024  # a thousand cases under one signature fit; a mempool of 20,000 stays in memory
MAX_LIFE_MS: Final = 10 * 60 * 1000  # how far ahead an expiry may lie; ids are remembered for as long
MAX_MEMBER_ID: Final = 32
SUBMITTER_LABEL: Final = "salus/v1/transaction/submitter"
AUTHOR_LABEL: Final = "salus/v1/transaction/author"


class Body(Value, frozen=True):
    """What is signed."""

    version: int
    """Format of the body, 1."""
    network: bytes
    """Digest of the network's genesis document, 32 bytes: a transaction holds on one ledger only."""
    submitter: str
    """Member id of the member that sends the transaction and answers for it."""
    submitter_key: bytes
    """The submitter's current Ed25519 signing key, 32 bytes."""
    author_key: bytes
    """The one-time Ed25519 key that the message speaks for, 32 bytes, or empty."""
    expiry: int
    """Block time in Unix milliseconds after which the transaction is refused; at most 10 minutes ahead."""
    nonce: bytes
    """16 random bytes: two equal requests have different ids."""
    message: msgspec.Raw
    """The message's own array, its tag first."""


class Envelope(Value, frozen=True):
    """What travels."""

    body: bytes
    submitter_signature: bytes
    author_signature: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A decoded transaction. Nothing about it is checked but its encoding."""

    wire: bytes
    envelope: Envelope
    body: Body
    message: Message
    id: bytes
    """SHA-256 of the body's bytes."""

    @property
    def signatures_digest(self) -> bytes:
        """Digest of both signatures, as it stands in the transaction's leaf."""
        return digest("salus/v1/signatures", self.envelope.submitter_signature, self.envelope.author_signature)


def decode_transaction(wire: bytes, messages: type[Message]) -> Transaction:
    """Return the transaction in `wire`, its message one of the union `messages`. Raises MalformedBytes."""
    if len(wire) > MAX_WIRE_BYTES:
        raise MalformedBytes(f"transaction of {len(wire)} bytes, at most {MAX_WIRE_BYTES}")
    envelope = decode(wire, Envelope)
    body = decode(envelope.body, Body)
    if body.version != VERSION:
        raise MalformedBytes(f"body version {body.version}, expected {VERSION}")
    for name, value, sizes in (
        ("network", body.network, (32,)),
        ("submitter key", body.submitter_key, (32,)),
        ("author key", body.author_key, (0, 32)),
        ("nonce", body.nonce, (16,)),
        ("submitter signature", envelope.submitter_signature, (64,)),
        ("author signature", envelope.author_signature, (64 if body.author_key else 0,)),
    ):
        if len(value) not in sizes:
            raise MalformedBytes(f"{name} of {len(value)} bytes, expected {' or '.join(map(str, sizes))}")
    if not 0 < len(body.submitter) <= MAX_MEMBER_ID or not body.submitter.isascii():
        raise MalformedBytes(f"submitter: expected 1 to {MAX_MEMBER_ID} ASCII characters")
    if not 0 <= body.expiry < 1 << 53:
        raise MalformedBytes("expiry is not a Unix time in milliseconds")
    message = decode(bytes(body.message), messages)
    return Transaction(wire, envelope, body, message, hashlib.sha256(envelope.body).digest())


def signing_bytes(body: bytes, *, author: bool) -> bytes:
    """Return what the submitter, or the author, signs: the whole body under the role's label."""
    return framed(AUTHOR_LABEL if author else SUBMITTER_LABEL, (body,))


def build_body(
    message: Message,
    *,
    network: bytes,
    submitter: str,
    submitter_key: bytes,
    expiry: int,
    nonce: bytes,
    author_key: bytes = b"",
) -> bytes:
    """Return the bytes of a body, to be signed by its author (if any) and its submitter, each where its key lies."""
    return encode(
        Body(
            version=VERSION,
            network=network,
            submitter=submitter,
            submitter_key=submitter_key,
            author_key=author_key,
            expiry=expiry,
            nonce=nonce,
            message=msgspec.Raw(encode(message)),
        )
    )


def sign_body(body: bytes, key: Ed25519PrivateKey, *, author_signature: bytes = b"") -> bytes:
    """Return the wire bytes of a transaction: `body` signed by its submitter, beside the author's signature."""
    return encode(Envelope(body, key.sign(signing_bytes(body, author=False)), author_signature))


def sign_as_author(body: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return the author's signature over `body`, 64 bytes."""
    return key.sign(signing_bytes(body, author=True))
