"""Who a person is at the HTTP edge: a member's credential for them, and their own key's signature over the request.

A request carries the credential (`salus.node.people`) as `Authorization: Person <JWS>`, the person's
Ed25519 key in `Salus-Person-Key` (base64url), whose thumbprint (RFC 7638) the credential names, and a message signature
by that key that covers both fields, so that a stolen credential alone opens nothing.
"""

import base64
import binascii
from typing import Final

from starlette.requests import Request

from salus.core.proof.httpsig import HttpRequest
from salus.node.errors import Unauthenticated
from salus.node.exchange.signatures import Nonces, verify
from salus.node.people import claims_of, thumbprint
from salus.node.usecase import NOBODY, Caller, Kind, Node

SCHEME: Final = "Person "
TAG: Final = "salus-person"
ALSO: Final = ("authorization", "salus-person-key")


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
        member = self._node.config.member
        claims = claims_of(shown.removeprefix(SCHEME), member, self._node.signing_keys(member), self._node.now())
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
        credential = shown.removeprefix(SCHEME)
        return Caller(Kind.PERSON, claims.iss, claims.sub, claims.role, claims.purposes, credential)


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
