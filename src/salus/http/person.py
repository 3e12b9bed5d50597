"""Who a person is at the HTTP edge: a member's credential for them, and their own key's signature over the request.

A person credential is a JWS (RFC 7515, alg Ed25519 of RFC 9864) of the member whose node this is:

    header   {"alg": "Ed25519", "typ": "salus-person"}
    payload  {"iss": member, "sub": pairwise subject, "role": ..., "purposes": [...], "cnf": {"jkt": thumbprint}, "iat": ..., "exp": ...}

valid for at most 12 h (times in Unix seconds). A request carries it as `Authorization: Person <JWS>`, the person's
Ed25519 key in `Salus-Person-Key` (base64url), whose thumbprint (RFC 7638) the credential names, and a message signature
by that key that covers both fields, so that a stolen credential alone opens nothing.
"""

import base64
import binascii
from typing import Annotated, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec import Meta
from starlette.requests import Request

from salus.core.proof.httpsig import HttpRequest
from salus.node.errors import Unauthenticated
from salus.node.exchange.signatures import Nonces, verify
from salus.node.usecase import NOBODY, Caller, Kind, Node

SCHEME: Final = "Person "
TYPE: Final = "salus-person"
TAG: Final = "salus-person"
ALSO: Final = ("authorization", "salus-person-key")
# A shift: who was dismissed in the morning is out by the evening without a revocation list.
LIFETIME_SECONDS: Final = 12 * 3600


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


def claims_of(credential: str, node: Node) -> PersonClaims:
    """Check a credential against the member's current keys and the clock. Raises Unauthenticated."""
    claims = next((found for key in node.signing_keys(node.config.member) if (found := _opened(credential, key))), None)
    if claims is None or claims.iss != node.config.member:
        raise Unauthenticated("person.credential", "the credential is not one of this member", todo="sign in again")
    seconds = node.now() // 1000
    if not (claims.iat <= seconds + 15 and seconds < claims.exp <= claims.iat + LIFETIME_SECONDS):
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


class PersonAuthenticator:
    """Tell who sent a request: the person whose credential and signature it carries, or nobody if it carries none."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._nonces = Nonces()

    def __call__(self, request: Request, body: bytes) -> Caller:
        """Authenticate. Raises Unauthenticated when a credential is shown and anything about it does not hold."""
        shown = request.headers.get("authorization", "")
        if not shown.startswith(SCHEME):
            return NOBODY
        claims = claims_of(shown.removeprefix(SCHEME), self._node)
        key = _key(request.headers.get("salus-person-key", ""))
        if thumbprint(key) != claims.cnf.jkt:
            raise Unauthenticated("person.key", "the credential is bound to another key", todo="sign in again")
        target = (
            self._node.config.http.public_url
            + request.url.path
            + (f"?{request.url.query}" if request.url.query else "")
        )
        signed = HttpRequest(request.method, target, dict(request.headers), body)
        signer = verify(
            signed, lambda keyid: [key] if keyid == claims.cnf.jkt else [], now=self._node.now(), tag=TAG, also=ALSO
        )
        self._nonces.use(signer, self._node.now())
        return Caller(Kind.PERSON, claims.iss, claims.sub, claims.role, claims.purposes)


def _key(text: str) -> bytes:
    """Return the 32 bytes of a key in base64url without padding. Raises Unauthenticated."""
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise Unauthenticated(
            "person.key", "the person's key is missing or no key", expected="Salus-Person-Key: 32 bytes in base64url"
        )
    return key
