"""Who a person is: a member's credential for one of its people, checked under the keys that the ledger names.

A person credential is a JWS (RFC 7515, alg Ed25519 of RFC 9864) of a member:

    header   {"alg": "Ed25519", "typ": "salus-person"}
    payload  {"iss": member, "sub": pairwise subject, "role": ..., "purposes": [...], "cnf": {"jkt": thumbprint}, "iat": ..., "exp": ...}

valid for at most 12 h (times in Unix seconds). It names a subject that only the member can resolve; roles and purposes
are the member's word.
"""

import base64
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec import Meta

from salus.node.errors import Unauthenticated
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, use_case

TYPE: Final = "salus-person"
# A shift: who was dismissed in the morning is out by the evening without a revocation list.
LIFETIME_SECONDS: Final = 12 * 3600
AHEAD_SECONDS: Final = 15  # how far the member's clock may be ahead of ours


class IssuePerson(Message, frozen=True):
    """Who is to act in the member's name."""

    subject: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            description="Name that only this member can resolve: an account number, never a person's name.",
            examples=["staff-0042"],
        ),
    ]
    role: Annotated[str, Meta(min_length=1, max_length=64, description="Role of the person.", examples=["physician"])]
    purposes: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Z]{2,16}$")], ...],
        Meta(min_length=1, description="What the person may read for: codes of v3-ActReason.", examples=[["TREAT"]]),
    ]
    key: Annotated[
        str,
        Meta(pattern="^[0-9a-f]{64}$", description="The person's own Ed25519 public key.", examples=["0" * 64]),
    ]
    hours: Annotated[int, Meta(ge=1, le=12, description="How long it holds: a shift at most.", examples=[8])] = 8


class Issued(Message, frozen=True):
    """A credential, bound to the person's key."""

    credential: Annotated[str, Meta(description="The credential (JWS), sent as `Authorization: Person …`.")]
    expires: Annotated[int, Meta(description="When it ends, Unix seconds.")]
    thumbprint: Annotated[str, Meta(description="Thumbprint of the key (RFC 7638).")]


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key that a credential is bound to (RFC 7800, RFC 9449 section 6.1)."""

    jkt: str


class PersonClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a member says of one of its people, without their name."""

    iss: str
    sub: Annotated[str, Meta(min_length=1, max_length=128)]
    role: Annotated[str, Meta(min_length=1, max_length=64)]
    purposes: tuple[str, ...]
    cnf: Confirmation
    iat: int
    exp: int


def _okp(key: bytes) -> OKPKey:
    """Return an Ed25519 public key (32 bytes) as a JWK (RFC 8037)."""
    x = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})


def thumbprint(key: bytes) -> str:
    """Return the RFC 7638 thumbprint of an Ed25519 public key (32 bytes), as a credential names it."""
    return _okp(key).thumbprint()


def issue(claims: PersonClaims, key: OKPKey) -> str:
    """Return the credential that a member's signing key makes of the claims. Raises ValueError beyond 12 h."""
    if claims.exp - claims.iat > LIFETIME_SECONDS:
        raise ValueError("a person credential lives at most 12 h")
    return jws.serialize_compact(
        {"alg": "Ed25519", "typ": TYPE}, msgspec.json.encode(claims), key, algorithms=["Ed25519"]
    )


@use_case("person.issue", who=OPERATOR)
def issue_person(node: MemberNode, request: IssuePerson) -> Issued:
    """Sign a credential for one of this member's people, bound to the person's own key.

    Who shows it, and signs the request with that key, acts in this role for these purposes until it ends. There is no
    revocation: keep it short.
    """
    now = node.now() // 1000
    jkt = thumbprint(bytes.fromhex(request.key))
    expires = now + request.hours * 3600
    claims = PersonClaims(
        iss=node.member,
        sub=request.subject,
        role=request.role,
        purposes=request.purposes,
        cnf=Confirmation(jkt),
        iat=now,
        exp=expires,
    )
    return Issued(credential=issue(claims, _signer(node)), expires=expires, thumbprint=jkt)


def _signer(node: MemberNode) -> OKPKey:
    """Return the member's signing key as a JWK (RFC 8037)."""
    seed = base64.urlsafe_b64encode(node.signing_key.private_bytes_raw()).rstrip(b"=").decode()
    public = base64.urlsafe_b64encode(node.signing_key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": public, "d": seed})


def claims_of(credential: str, member: str, keys: Sequence[bytes], now: int) -> PersonClaims:
    """Check a credential of `member` against its current keys and the clock (Unix ms). Raises Unauthenticated."""
    claims = next((found for key in keys if (found := _opened(credential, key))), None)
    if claims is None or claims.iss != member:
        raise Unauthenticated("person.credential", "the credential is not one of this member", todo="sign in again")
    seconds = now // 1000
    if not (claims.iat <= seconds + AHEAD_SECONDS and seconds < claims.exp <= claims.iat + LIFETIME_SECONDS):
        raise Unauthenticated(
            "person.expired", "the credential is not valid now", expected="at most 12 h old", todo="sign in again"
        )
    return claims


def _opened(credential: str, key: bytes) -> PersonClaims | None:
    """Return the claims of a credential if this key signed it in the one form."""
    try:
        opened = jws.deserialize_compact(credential, _okp(key), algorithms=["Ed25519"])
        if opened.protected.get("typ") != TYPE:
            return None
        return msgspec.json.decode(opened.payload, type=PersonClaims)
    except (JoseError, ValueError, msgspec.DecodeError):
        return None
