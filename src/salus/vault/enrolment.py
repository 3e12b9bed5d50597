"""Enrolment: how a patient's wallet gets a link's secret, and how its link key instructs a member afterwards. Pure.

1. The member proofs the person and hands over an invitation: 16 random bytes, single use, 15 minutes.
2. The wallet, having checked the member's keys under a cosigned checkpoint, seals a *claim* to the member: the
invitation, a fresh receive key, the link key that it sets, its commitments. The link key signs the envelope.
3. The member consumes the invitation and seals a *welcome* to the wallet: link id, link secret, and the
transcript of both sides' contributions, signed by the member.
4. The wallet checks the transcript and signs it with the link key. Only then is the link key obeyed.

transcript  msgpack [format, network, member, member key, link id, link key, recovery contacts, revocation
certificate, invitation digest, claim digest, time]
signatures  Ed25519 over framed("salus/v1/enrolment", transcript), the member's and the link key's
instruction msgpack [format, network, member, link id, counter, action, argument], signed by the link key over
framed("salus/v1/instruction", instruction)
"""

from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof import ed25519
from salus.core.proof.digest import digest, framed
from salus.vault.envelope import Context, ReceiveKey, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused, Refused

FORMAT: Final = 1
INVITATION_BYTES: Final = 16
INVITATION_LIFE: Final = 15 * 60 * 1000
"""Milliseconds: long enough to scan a code at the desk, too short to find one in the bin."""
REVOKING: Final = frozenset({"revoke"})
"""Actions that a link key may still take after its revocation certificate was published."""


class Claim(Value, frozen=True):
    """What a wallet seals to the member."""

    format: int
    invitation: bytes
    receive: bytes
    """X-Wing public key for the welcome, fresh."""
    link_key: bytes
    """Ed25519 public key that will sign every later instruction and slip."""
    contacts: bytes
    """Commitment to the recovery contacts, 32 bytes, or empty."""
    certificate: bytes
    """Digest of the revocation certificate (`certificate_digest`), 32 bytes, or empty."""


class Transcript(Value, frozen=True):
    """What both sign."""

    format: int
    network: bytes
    member: str
    member_key: bytes
    link: bytes
    link_key: bytes
    contacts: bytes
    certificate: bytes
    invitation: bytes
    """Digest of the invitation: the code itself is spent, and worth nothing to a reader."""
    claim: bytes
    """Digest of the claim's plaintext."""
    time: int
    """Unix milliseconds, by the member."""


class Welcome(Value, frozen=True):
    """What the member seals to the wallet."""

    secret: bytes
    """Link secret, 32 bytes."""
    transcript: bytes
    signature: bytes
    """The member's."""


class Instruction(Value, frozen=True):
    """What a link key tells a member to do."""

    format: int
    network: bytes
    member: str
    link: bytes
    counter: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """Rises with every instruction; a refusal returns its current value."""
    action: str
    """`erase`, `restrict`, `revoke`, `contacts`, ..."""
    argument: bytes


class Signed(Value, frozen=True):
    """Bytes with an Ed25519 signature."""

    data: bytes
    signature: bytes


def invitation_digest(invitation: bytes) -> bytes:
    """Return what a member keeps of an invitation."""
    return digest("salus/v1/invitation", invitation)


def certificate_digest(certificate: bytes) -> bytes:
    """Return what a member keeps of a revocation certificate: publishing the preimage proves possession."""
    return digest("salus/v1/revocation-certificate", certificate)


def transcript_message(transcript: bytes) -> bytes:
    """Return what both sides sign."""
    return framed("salus/v1/enrolment", (transcript,))


def public_of(key: Ed25519PrivateKey) -> bytes:
    """Return the 32-byte public key."""
    return key.public_key().public_bytes_raw()


def seal_claim(
    invitation: bytes,
    *,
    network: bytes,
    member_receive: bytes,
    receive: ReceiveKey,
    link_key: Ed25519PrivateKey,
    contacts: bytes = b"",
    certificate: bytes = b"",
) -> bytes:
    """Return the wallet's envelope to the member (step 2). `member_receive` is the member's proven receive key."""
    claim = Claim(FORMAT, invitation, receive.public, public_of(link_key), contacts, certificate)
    context = Context(network, claim.link_key, "enrolment-claim", invitation_digest(invitation))
    return seal_envelope(encode(claim), context, recipient=member_receive, sign=link_key)


def open_claim(envelope: bytes, context: Context, *, key: ReceiveKey) -> Claim:
    """Return the claim in an envelope that the link key it sets has signed. Raises EnvelopeRefused."""
    if context.purpose != "enrolment-claim":
        raise EnvelopeRefused("the envelope is no enrolment claim")
    try:
        claim = decode(open_envelope(envelope, context, key=key, sender_key=context.sender), Claim)
    except MalformedBytes:
        raise EnvelopeRefused("the envelope holds no claim") from None
    sizes = (len(claim.contacts), len(claim.certificate))
    if claim.format != FORMAT or not {*sizes} <= {0, 32}:
        raise EnvelopeRefused("the claim is of another format")
    if claim.link_key != context.sender or invitation_digest(claim.invitation) != context.object_id:
        raise EnvelopeRefused("the claim is not the one that its envelope is about")
    return claim


def seal_welcome(
    claim: Claim, *, secret: bytes, network: bytes, member: str, sign: Ed25519PrivateKey, link: bytes, time: int
) -> tuple[bytes, bytes]:
    """Return transcript and the member's envelope to the wallet (step 3)."""
    told = encode(claim)
    transcript = encode(
        Transcript(
            format=FORMAT,
            network=network,
            member=member,
            member_key=public_of(sign),
            link=link,
            link_key=claim.link_key,
            contacts=claim.contacts,
            certificate=claim.certificate,
            invitation=invitation_digest(claim.invitation),
            claim=digest("salus/v1/enrolment-claim", told),
            time=time,
        )
    )
    welcome = Welcome(secret, transcript, sign.sign(transcript_message(transcript)))
    context = Context(network, member.encode("ascii"), "enrolment-welcome", invitation_digest(claim.invitation))
    return transcript, seal_envelope(encode(welcome), context, recipient=claim.receive, sign=sign)


def open_welcome(
    envelope: bytes,
    invitation: bytes,
    *,
    network: bytes,
    member: str,
    member_key: bytes,
    receive: ReceiveKey,
    link_key: Ed25519PrivateKey,
    contacts: bytes = b"",
    certificate: bytes = b"",
) -> tuple[Transcript, bytes, bytes]:
    """Return transcript, link secret and the link key's signature for step 4. Raises EnvelopeRefused.

    The transcript must tell exactly what this wallet claimed: a member that swapped the link key or a commitment
    is found here. `member_key` is the member's proven Ed25519 key.
    """
    context = Context(network, member.encode("ascii"), "enrolment-welcome", invitation_digest(invitation))
    claim = Claim(FORMAT, invitation, receive.public, public_of(link_key), contacts, certificate)
    try:
        welcome = decode(open_envelope(envelope, context, key=receive, sender_key=member_key), Welcome)
        told = decode(welcome.transcript, Transcript)
    except MalformedBytes:
        raise EnvelopeRefused("the envelope holds no welcome") from None
    expected = Transcript(
        format=FORMAT,
        network=network,
        member=member,
        member_key=member_key,
        link=told.link,
        link_key=claim.link_key,
        contacts=contacts,
        certificate=certificate,
        invitation=invitation_digest(invitation),
        claim=digest("salus/v1/enrolment-claim", encode(claim)),
        time=told.time,
    )
    if told != expected or len(told.link) != 16 or len(welcome.secret) != 32:
        raise EnvelopeRefused("the transcript does not tell what this wallet claimed")
    message = transcript_message(welcome.transcript)
    if not ed25519.verify(member_key, message, welcome.signature):
        raise EnvelopeRefused("the transcript is not signed by the member")
    return told, welcome.secret, link_key.sign(message)


def confirms(transcript: bytes, link_key: bytes, signature: bytes) -> bool:
    """Say whether the link key signed the transcript (step 4)."""
    return ed25519.verify(link_key, transcript_message(transcript), signature)


def sign_instruction(instruction: Instruction, link_key: Ed25519PrivateKey) -> bytes:
    """Return the bytes that a wallet sends."""
    data = encode(instruction)
    return encode(Signed(data, link_key.sign(framed("salus/v1/instruction", (data,)))))


def read_instruction(signed: bytes, *, network: bytes, member: str) -> tuple[Instruction, Signed]:
    """Return an instruction for this member, its signature not verified yet. Raises Refused."""
    try:
        outer = decode(signed, Signed)
        instruction = decode(outer.data, Instruction)
    except MalformedBytes:
        raise Refused("these bytes are no instruction") from None
    if (instruction.format, instruction.network, instruction.member) != (FORMAT, network, member):
        raise Refused("the instruction is for another member, network or format")
    return instruction, outer


def is_signed_by(outer: Signed, link_key: bytes) -> bool:
    """Say whether the link key signed an instruction."""
    return ed25519.verify(link_key, framed("salus/v1/instruction", (outer.data,)), outer.signature)
