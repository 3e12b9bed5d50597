"""Sealing one record: data key, ciphertext, key commitment, chain, leaf. Pure; randomness comes in as bytes.

Every byte is specified, with vectors, in `docs/explain/keys-and-sealing.md`. In short:

    header      u8 format = 1 | u8 algorithm = 1 | link id 16 | u8 len | writer (ASCII member id)
    plaintext   u32 len | meta (msgpack) | u32 len | body | zeros up to PADMÉ, at least 2 KB
    data key    mac(32 random bytes, "salus/v1/data-key", header, plaintext digest)
    ciphertext  AES-256-GCM(data key, nonce = 12 zero bytes, plaintext, associated data = header)
    commitment  mac(data key, "salus/v1/key-commitment", header)
    chain       mac(chain salt, "salus/v1/chain", u64 sequence, previous leaf)
    leaf        mac(salt, "salus/v1/record-leaf", header, ciphertext digest, commitment, chain)
    sealed      header | commitment 32 | chain 32 | ciphertext
    wrap        AES-KW(mac(link secret, "salus/v1/wrap"), data key), kept beside, never inside

A data key depends on the plaintext as well as on randomness, and is used once: a cloned machine that repeats its
randomness repeats a ciphertext, never a key and nonce for two plaintexts.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.vault.errors import SealBroken, TooLarge

FORMAT: Final = 1
ALGORITHM: Final = 1
"""AES-256-GCM, HMAC-SHA-256, AES-KW (RFC 3394)."""
LINK_BYTES: Final = 16
SECRET_BYTES: Final = 32
RANDOM_BYTES: Final = 96
"""Randomness that one record takes: for the data key, the leaf's salt and the chain's salt, 32 each."""
FLOOR: Final = 2048
"""Smallest padded plaintext: a short note and a long one look alike."""
MAX_BODY: Final = 64 * 1024 * 1024
"""A body is held in memory whole while it is sealed; larger documents are stored in parts by their owner."""
MAX_NAME: Final = 128
_NONCE: Final = bytes(12)
_TAG: Final = 16

Entropy = Callable[[int], bytes]
"""Returns that many random bytes."""
Clock = Callable[[], int]
"""Returns Unix milliseconds."""


class Kind(IntEnum):
    """What a record is."""

    RESOURCE = 1
    """A version of a FHIR resource."""
    DOCUMENT = 2
    """Any other document: a message, an image, a file as received."""
    TOMBSTONE = 3
    """The end of a resource under this link: deleted, or filed under the wrong patient."""


class Content(msgspec.Struct, frozen=True):
    """What a writer seals. Type and id are at most 128 characters, the media type too; the body at most 64 MiB."""

    type: str
    """FHIR resource type, or the owner's name for a kind of document: `Observation`."""
    id: str
    """Logical id, unique in its type and link: `bp-1`."""
    body: bytes
    """The bytes as received; empty in a tombstone."""
    media: str = "application/fhir+json"
    """Media type of the body."""
    kind: Kind = Kind.RESOURCE
    source: bytes = b""
    """Digest of the file or message that it came in, 32 bytes, or empty."""


class Meta(Value, frozen=True):
    """The sealed part of a record that is not its body, in this order."""

    kind: int
    type: str
    id: str
    version: int
    """Counts from 1 in its link, type and id."""
    recorded: int
    """When the writer sealed it, Unix milliseconds."""
    media: str
    source: bytes


class Sealed(msgspec.Struct, frozen=True):
    """A sealed record taken apart."""

    header: bytes
    link: bytes
    writer: str
    commitment: bytes
    chain: bytes
    ciphertext: bytes


class Fresh(msgspec.Struct, frozen=True):
    """What sealing yields: `sealed` goes into a segment, the rest into the encrypted database."""

    sealed: bytes
    wrap: bytes
    salt: bytes
    chain_salt: bytes
    leaf: bytes


def header_of(link: bytes, writer: str) -> bytes:
    """Return a record's header: format, algorithm, link id (16 bytes), writer (member id)."""
    name = writer.encode("ascii")
    if len(link) != LINK_BYTES or not 1 <= len(name) <= 32:
        raise TooLarge("a header takes a link id of 16 bytes and a member id of 1 to 32 characters")
    return bytes((FORMAT, ALGORITHM)) + link + bytes((len(name),)) + name


def wrap_key(secret: bytes) -> bytes:
    """Return the key under which a link's data keys are wrapped."""
    return mac(secret, "salus/v1/wrap")


def chain_start(link: bytes) -> bytes:
    """Return what stands in place of the previous leaf before a link's first record."""
    return digest("salus/v1/chain-start", link)


def chain_value(chain_salt: bytes, sequence: int, previous: bytes) -> bytes:
    """Return the chain value of record `sequence` (from 1) that follows leaf `previous`."""
    return mac(chain_salt, "salus/v1/chain", sequence.to_bytes(8, "big"), previous)


def padded_length(length: int) -> int:
    """Return the PADMÉ length for `length` bytes (Nikitin et al. 2019): at most 12 % more, at least 2048."""
    if length <= FLOOR:
        return FLOOR
    exponent = length.bit_length() - 1
    low = exponent - exponent.bit_length()
    return (length + (1 << low) - 1) >> low << low


def content_digest(content: Content) -> bytes:
    """Return the digest by which a vault knows that a version says nothing new: kind, media type and body."""
    return digest("salus/v1/content", bytes((content.kind,)), content.media.encode(), content.body)


def plaintext_of(content: Content, version: int, recorded: int) -> tuple[bytes, bytes]:
    """Return the meta bytes and the padded plaintext. Raises TooLarge."""
    if len(content.body) > MAX_BODY or max(len(content.type), len(content.id), len(content.media)) > MAX_NAME:
        raise TooLarge(f"a body is at most {MAX_BODY} bytes; type, id and media type at most {MAX_NAME} characters")
    if len(content.source) not in {0, 32}:
        raise TooLarge("a source is a digest of 32 bytes, or empty")
    meta = encode(Meta(int(content.kind), content.type, content.id, version, recorded, content.media, content.source))
    size = 8 + len(meta) + len(content.body)
    return meta, b"".join(
        (
            len(meta).to_bytes(4, "big"),
            meta,
            len(content.body).to_bytes(4, "big"),
            content.body,
            bytes(padded_length(size) - size),
        )
    )


def seal(
    content: Content,
    content_hash: bytes,
    *,
    header: bytes,
    wrapping: bytes,
    version: int,
    recorded: int,
    sequence: int,
    previous: bytes,
    random: bytes,
) -> Fresh:
    """Seal one version. `wrapping` is `wrap_key(secret)`, `random` are 96 fresh bytes, `recorded` Unix milliseconds.

    Raises TooLarge.
    """
    meta, plaintext = plaintext_of(content, version, recorded)
    secret, salt, chain_salt = random[:32], random[32:64], random[64:96]
    data_key = mac(secret, "salus/v1/data-key", header, digest("salus/v1/plaintext", meta, content_hash))
    ciphertext = AESGCM(data_key).encrypt(_NONCE, plaintext, header)
    commitment = mac(data_key, "salus/v1/key-commitment", header)
    chain = chain_value(chain_salt, sequence, previous)
    leaf = mac(salt, "salus/v1/record-leaf", header, digest("salus/v1/ciphertext", ciphertext), commitment, chain)
    return Fresh(
        sealed=b"".join((header, commitment, chain, ciphertext)),
        wrap=aes_key_wrap(wrapping, data_key),
        salt=salt,
        chain_salt=chain_salt,
        leaf=leaf,
    )


def take_apart(sealed: bytes) -> Sealed:
    """Return the parts of a sealed record. Raises SealBroken on a format, algorithm or length unknown here."""
    if len(sealed) < 19 or sealed[0] != FORMAT or sealed[1] != ALGORITHM:
        raise SealBroken("not a sealed record of format 1, algorithm 1")
    end = 19 + sealed[18]
    if not 20 <= end <= 51 or len(sealed) < end + 64 + FLOOR + _TAG or not sealed[19:end].isascii():
        raise SealBroken("a sealed record is cut short or names no writer")
    return Sealed(
        header=sealed[:end],
        link=sealed[2:18],
        writer=sealed[19:end].decode("ascii"),
        commitment=sealed[end : end + 32],
        chain=sealed[end + 32 : end + 64],
        ciphertext=sealed[end + 64 :],
    )


def leaf_of(sealed: Sealed, salt: bytes) -> bytes:
    """Return the leaf that stands for a sealed record in its batch."""
    if len(salt) != 32:
        raise SealBroken("a salt has 32 bytes")
    return mac(
        salt,
        "salus/v1/record-leaf",
        sealed.header,
        digest("salus/v1/ciphertext", sealed.ciphertext),
        sealed.commitment,
        sealed.chain,
    )


def leaf_again(
    content: Content, *, header: bytes, version: int, recorded: int, data_key: bytes, salt: bytes, chain: bytes
) -> bytes:
    """Return the leaf of a record that is sealed from its content once more: what shows the leaf without the ciphertext.

    Only the content and key that were sealed give it: the leaf commits to the key, and the key opens the ciphertext to one
    plaintext. Raises SealBroken, TooLarge.
    """
    if len(data_key) != 32 or len(chain) != 32:
        raise SealBroken("a data key and a chain value have 32 bytes")
    _, plaintext = plaintext_of(content, version, recorded)
    ciphertext = AESGCM(data_key).encrypt(_NONCE, plaintext, header)
    commitment = mac(data_key, "salus/v1/key-commitment", header)
    return leaf_of(Sealed(header, b"", "", commitment, chain, ciphertext), salt)


def unwrap(wrapping: bytes, wrap: bytes) -> bytes:
    """Return a data key. Raises SealBroken if the wrap is not of this link."""
    try:
        return aes_key_unwrap(wrapping, wrap)
    except (InvalidUnwrap, ValueError):
        raise SealBroken("a data key does not unwrap under this link") from None


def open_sealed(sealed: Sealed, data_key: bytes) -> tuple[Meta, bytes]:
    """Return meta and body. Raises SealBroken if the key is not the one committed to, or any byte was changed."""
    if len(data_key) != 32 or mac(data_key, "salus/v1/key-commitment", sealed.header) != sealed.commitment:
        raise SealBroken("the data key is not the one that the record commits to")
    try:
        plaintext = AESGCM(data_key).decrypt(_NONCE, sealed.ciphertext, sealed.header)
    except InvalidTag:
        raise SealBroken("the ciphertext was altered") from None
    size = int.from_bytes(plaintext[:4], "big")
    meta = plaintext[4 : 4 + size]
    start = 8 + size
    length = int.from_bytes(plaintext[start - 4 : start], "big")
    end = start + length
    if end > len(plaintext) or len(plaintext) != padded_length(end) or plaintext.count(0, end) != len(plaintext) - end:
        raise SealBroken("the plaintext is not padded as the format says")
    try:
        told = decode(meta, Meta)
        Kind(told.kind)
    except (MalformedBytes, ValueError):
        raise SealBroken("the record's meta is not in its one encoding") from None
    return told, plaintext[start:end]


class Link(Value, frozen=True):
    """One record in a link's chain as its wallet sees it: the leaf, and what opens the chain value."""

    sequence: int
    previous: bytes
    chain_salt: bytes
    chain: bytes
    leaf: bytes


def check_chain(link: bytes, head: tuple[int, bytes], links: Sequence[Link]) -> tuple[int, bytes]:
    """Follow a link's chain from `head` = (sequence, leaf), (0, b"") at first; return the new head.

    Raises SealBroken naming the sequence at which something was altered, withheld or rolled back.
    """
    sequence, leaf = head
    if sequence == 0:
        leaf = chain_start(link)
    for one in links:
        sequence += 1
        if one.sequence != sequence:
            raise SealBroken(f"record {sequence} of the link is missing: {one.sequence} came")
        if one.previous != leaf:
            raise SealBroken(f"record {sequence} does not follow what was shown before")
        if chain_value(one.chain_salt, sequence, leaf) != one.chain:
            raise SealBroken(f"record {sequence} carries another chain value")
        leaf = one.leaf
    return sequence, leaf
