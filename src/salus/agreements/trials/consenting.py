"""Consent to a trial: a grant whose commitment holds one more part, the trial part. Pure.

    trial part    what was agreed: study, form, language, options, what stays after withdrawal, and which way
    part digest   mac(salt, "salus/v1/grant-part", encode(trial part)), one of the grant's 8, 16 or 32

Whoever has the proof sees that the grant on the ledger is a consent to this study and this form; nobody else can tell it
from any other grant.
"""

from typing import Final

from msgspec import structs

from salus.agreements.grants import Grant, GrantRefused, commitment_of
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import mac

FORMAT: Final = 1
WAYS: Final = ("wallet", "representative", "host", "paper")
"""Who signed: the participant's wallet, a representative, the member that hosts the wallet, or paper with a witness."""


class TrialPart(Value, frozen=True):
    """What a participant agreed to."""

    format: int
    network: bytes
    study: bytes
    site: str
    """Member id."""
    form: bytes
    """Digest of the form of informed consent, 32 bytes."""
    language: str
    options: tuple[str, ...]
    """Options that were agreed to, such as `samples`."""
    stays: str
    """What stays after withdrawal, as the form says: `collected-data`."""
    way: str
    """One of `WAYS`: always shown."""


class ConsentProof(Value, frozen=True):
    """What shows one trial part in a grant's commitment."""

    grant: bytes
    """Grant id, 32 bytes."""
    part: bytes
    salt: bytes
    index: int
    digests: tuple[bytes, ...]


def part_digest(salt: bytes, part: bytes) -> bytes:
    """Return the digest of a trial part in a grant's commitment."""
    return mac(salt, "salus/v1/grant-part", part)


def on_paper(grant: bytes, part: TrialPart, random: bytes) -> tuple[ConsentProof, bytes]:
    """Return proof and commitment of a consent signed on paper: no slip, no document; `random` are 8 · 32 bytes."""
    pieces = [random[at : at + 32] for at in range(0, 8 * 32, 32)]
    told = encode(part)
    digests = (pieces[0], part_digest(pieces[1], told), *pieces[2:])
    return ConsentProof(grant, told, pieces[1], 1, digests), commitment_of(digests)


def with_part(grant: bytes, made: Grant, part: TrialPart, salt: bytes) -> tuple[Grant, ConsentProof, bytes]:
    """Return a wallet's grant that also holds a trial part, its proof, and its commitment.

    The part takes the place of the last padding digest. Raises GrantRefused(`too-many`) where slips leave none.
    """
    index = len(made.digests) - 1
    if len(made.parts) >= index:
        raise GrantRefused("too-many", "the slips leave no place for a trial part")
    told = encode(part)
    digests = (*made.digests[:index], part_digest(salt, told))
    return (
        structs.replace(made, digests=digests),
        ConsentProof(grant, told, salt, index, digests),
        commitment_of(digests),
    )


def check_consent(proof: ConsentProof, *, network: bytes, commitment: bytes, study: bytes, site: str) -> TrialPart:
    """Return the trial part that a grant's commitment holds.

    Raises GrantRefused: `commitment-shape`, `commitment`, `trial-part`, `network`, `study`, `site`, `way`.
    """
    if commitment_of(proof.digests) != commitment:
        raise GrantRefused("commitment", "the digests do not give the commitment on the ledger")
    inside = 0 <= proof.index < len(proof.digests) and len(proof.salt) == 32
    if not inside or part_digest(proof.salt, proof.part) != proof.digests[proof.index]:
        raise GrantRefused("trial-part", "the trial part is not the one committed to")
    try:
        part = decode(proof.part, TrialPart)
    except MalformedBytes:
        raise GrantRefused("trial-part", "these bytes are no trial part") from None
    if part.format != FORMAT or part.network != network:
        raise GrantRefused("network", "the trial part is for another network or of another format")
    if part.study != study:
        raise GrantRefused("study", "the consent is to another study")
    if part.site != site:
        raise GrantRefused("site", "the consent was given at another site")
    if part.way not in WAYS:
        raise GrantRefused("way", "the consent does not say who signed it")
    return part
