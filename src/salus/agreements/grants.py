"""Grants: document, slips, commitment; built alike by every wallet, verified alike by every custodian. Pure.

    document    what the grantee may do: who, in which roles, for which purposes, from when to when, with what duties
    slip        its part for one custodian: which of the patient's records there; signed with the link key
    grant id    SHA-256(one-time public key)
    part digest mac(salt, "salus/v1/grant-part", bytes): salts are random, so a digest tells nothing
    commitment  digest("salus/v1/grant-commitment", part digests...): the document's first, then the slips', then
                random ones up to 8, 16 or 32, so that nobody counts the custodians
    signature   Ed25519(link key, framed("salus/v1/slip", slip))

The ledger row {grant id, commitment, expiry} says that a grant lives. Only the slip says whose records it opens: a
custodian obeys a slip signed with the link key that it knows for its own link, and nothing else.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import SalusError
from salus.core.proof import ed25519
from salus.core.proof.digest import digest, framed, mac

FORMAT: Final = 1
SIZES: Final = (8, 16, 32)
"""Numbers of part digests; 31 custodians at most."""
MAX_LIST: Final = 64
"""Entries in a list of a document or slip: more is not a choice a person made."""
MAX_TEXT: Final = 512
"""Characters of one entry: the longest is a FHIR search filter."""


class GrantRefused(SalusError):
    """A grant, slip or commitment does not hold. `code` is stable and says which check failed."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class Document(Value, frozen=True):
    """What a grant allows."""

    format: int
    network: bytes
    """Network id, 32 bytes."""
    grantee: str
    """Member id."""
    roles: tuple[str, ...]
    """Roles of the persons who may read; empty allows every role."""
    purposes: tuple[str, ...]
    """Purposes of use, v3-ActReason codes: `TREAT`."""
    not_before: int
    """Unix milliseconds."""
    expiry: int
    """Unix milliseconds; the last moment is the one before."""
    obligations: tuple[str, ...]
    """Duties of the grantee, v3-ActCode: `NOREDISCLOSURE`."""


class Slip(Value, frozen=True):
    """A grant's part for one custodian."""

    format: int
    network: bytes
    custodian: str
    """Member id."""
    link: bytes
    """The custodian's link id of the patient, 16 bytes."""
    grant: bytes
    """Grant id, 32 bytes."""
    document: bytes
    """`digest_of_document`, 32 bytes."""
    classes: tuple[str, ...]
    """Sensitivity classes shared."""
    since: int
    """Records of clinical time at or after, Unix milliseconds; 0 for all."""
    until: int
    """Records of clinical time before, Unix milliseconds; 0 for no end."""
    filters: tuple[str, ...]
    """FHIR search filters, of which one must match: `Observation?category=laboratory`; empty for all types."""


class SignedSlip(Value, frozen=True):
    """A slip's bytes and the link key's signature over them."""

    slip: bytes
    signature: bytes


class Part(Value, frozen=True):
    """A signed slip with its place in the commitment."""

    custodian: str
    signed: SignedSlip
    salt: bytes
    index: int


class Grant(Value, frozen=True):
    """Everything that the grantee gets, in one envelope."""

    document: bytes
    salt: bytes
    parts: tuple[Part, ...]
    digests: tuple[bytes, ...]
    """8, 16 or 32 part digests."""
    link: bytes
    """The grantee's own link id of the patient, or empty."""
    demographics: bytes
    """What the patient chose to say of themselves instead (FHIR Patient, JSON), or empty."""


class Presented(Value, frozen=True):
    """What the grantee shows one custodian: the document, its slip, digests of the rest."""

    document: bytes
    document_salt: bytes
    signed: SignedSlip
    salt: bytes
    index: int
    digests: tuple[bytes, ...]


T = TypeVar("T", Document, Slip)


def grant_id(one_time_key: bytes) -> bytes:
    """Return the id of the grant that a one-time public key (32 bytes) authors."""
    return hashlib.sha256(one_time_key).digest()


def digest_of_document(document: bytes) -> bytes:
    """Return the digest by which a slip names its document."""
    return digest("salus/v1/grant-document", document)


def sign_slip(slip: Slip, link_key: Ed25519PrivateKey) -> SignedSlip:
    """Sign a slip with the link key of its custodian's link."""
    data = encode(slip)
    return SignedSlip(data, link_key.sign(framed("salus/v1/slip", (data,))))


def commitment_of(digests: Sequence[bytes]) -> bytes:
    """Return the commitment over part digests. Raises GrantRefused(`commitment-shape`)."""
    if len(digests) not in SIZES or any(len(one) != 32 for one in digests):
        raise GrantRefused("commitment-shape", "a commitment is over 8, 16 or 32 digests of 32 bytes")
    return digest("salus/v1/grant-commitment", *digests)


def random_bytes(slips: int) -> int:
    """Return how much randomness `assemble` takes for that many slips. Raises GrantRefused(`too-many`)."""
    return 32 * _size(slips)


def assemble(
    document: Document,
    signed: Sequence[tuple[str, SignedSlip]],
    *,
    random: bytes,
    link: bytes = b"",
    demographics: bytes = b"",
) -> Grant:
    """Return the grant for its grantee from document and (custodian, signed slip) pairs.

    `random` are `random_bytes(len(signed))` fresh bytes: a salt for each part, then the padding digests.
    Raises GrantRefused(`too-many`).
    """
    size = _size(len(signed))
    pieces = [random[at : at + 32] for at in range(0, 32 * size, 32)]
    told = encode(document)
    digests = [_part(pieces[0], told)]
    parts = []
    for index, (custodian, one) in enumerate(signed, start=1):
        parts.append(Part(custodian, one, pieces[index], index))
        digests.append(_part(pieces[index], one.slip))
    digests += pieces[len(signed) + 1 :]
    return Grant(told, pieces[0], tuple(parts), tuple(digests), link, demographics)


def present(grant: Grant, custodian: str) -> Presented:
    """Return what the grantee shows `custodian`. Raises GrantRefused(`no-slip`)."""
    for part in grant.parts:
        if part.custodian == custodian:
            return Presented(grant.document, grant.salt, part.signed, part.salt, part.index, grant.digests)
    raise GrantRefused("no-slip", "the grant has no slip for this custodian")


def check_document(
    data: bytes, salt: bytes, digests: Sequence[bytes], *, network: bytes, grantee: str, commitment: bytes
) -> Document:
    """Return the document that the ledger row commits to, for this network and grantee.

    Raises GrantRefused: `commitment-shape`, `commitment`, `document`, `network`, `grantee`, `document-shape`.
    """
    if commitment_of(digests) != commitment:
        raise GrantRefused("commitment", "the digests do not give the commitment on the ledger")
    if len(salt) != 32 or _part(salt, data) != digests[0]:
        raise GrantRefused("document", "the document is not the one committed to")
    document = _decoded(data, Document)
    if document.network != network:
        raise GrantRefused("network", "the document is for another network")
    if document.grantee != grantee:
        raise GrantRefused("grantee", "the document is for another grantee")
    texts = (*document.roles, *document.purposes, *document.obligations)
    lists = (document.roles, document.purposes, document.obligations)
    if not document.purposes or not 0 <= document.not_before < document.expiry or not _bounded(lists, texts):
        raise GrantRefused("document-shape", "the document names no purpose, no time, or more than a person chose")
    return document


def check_presented(
    shown: Presented,
    *,
    network: bytes,
    custodian: str,
    grantee: str,
    grant: bytes,
    commitment: bytes,
    link: bytes,
    link_key: bytes,
) -> tuple[Document, Slip]:
    """Return document and slip that a custodian may obey, for the pulling member `grantee`.

    `grant` and `commitment` are the live row's, `link` the custodian's link that the slip names (see `slip_of`) and
    `link_key` the Ed25519 public key it knows for that link. Time, roles and purposes are the caller's to decide on.
    Raises GrantRefused in this order: as `check_document`, then `slip`, `slip-shape`, `network`, `custodian`,
    `grant`, `document-digest`, `link`, `signature`.
    """
    document = check_document(
        shown.document,
        shown.document_salt,
        shown.digests,
        network=network,
        grantee=grantee,
        commitment=commitment,
    )
    data = shown.signed.slip
    if not 1 <= shown.index < len(shown.digests) or len(shown.salt) != 32:
        raise GrantRefused("slip", "the slip has no place in the commitment")
    if _part(shown.salt, data) != shown.digests[shown.index]:
        raise GrantRefused("slip", "the slip is not the one committed to")
    slip = _decoded(data, Slip)
    if not slip.classes or not _bounded((slip.classes, slip.filters), (*slip.classes, *slip.filters)):
        raise GrantRefused("slip-shape", "the slip shares no class, or more than a person chose")
    expected = (
        ("network", slip.network, network),
        ("custodian", slip.custodian, custodian),
        ("grant", slip.grant, grant),
        ("document-digest", slip.document, digest_of_document(shown.document)),
        ("link", slip.link, link),
    )
    for code, got, wanted in expected:
        if got != wanted:
            raise GrantRefused(code, f"the slip is for another {code}")
    if not ed25519.verify(link_key, framed("salus/v1/slip", (data,)), shown.signed.signature):
        raise GrantRefused("signature", "the slip is not signed with the key of this link")
    return document, slip


def slip_of(signed: SignedSlip) -> Slip:
    """Return what a slip says, unverified: to find the link by. Raises GrantRefused(`format`)."""
    return _decoded(signed.slip, Slip)


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        value = decode(data, kind)
    except MalformedBytes:
        raise GrantRefused("format", f"these bytes are no {kind.__name__.lower()}") from None
    if value.format != FORMAT:
        raise GrantRefused("format", f"format {value.format} is not known here")
    return value


def _bounded(lists: Sequence[Sequence[str]], texts: Sequence[str]) -> bool:
    return all(len(one) <= MAX_LIST for one in lists) and all(len(text) <= MAX_TEXT for text in texts)


def _part(salt: bytes, data: bytes) -> bytes:
    return mac(salt, "salus/v1/grant-part", data)


def _size(slips: int) -> int:
    for size in SIZES:
        if slips < size:
            return size
    raise GrantRefused("too-many", f"a grant names at most {SIZES[-1] - 1} custodians")
