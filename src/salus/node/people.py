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

TYPE: Final = "salus-person"
# A shift: who was dismissed in the morning is out by the evening without a revocation list.
LIFETIME_SECONDS: Final = 12 * 3600
AHEAD_SECONDS: Final = 15  # how far the member's clock may be ahead of ours


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
