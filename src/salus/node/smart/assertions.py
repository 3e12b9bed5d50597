"""How a program shows at the token endpoint who it is: a signed assertion, or its id alone (SMART 2.2 section 5, RFC 7523)."""

import threading
from typing import Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

from salus.core.proof.digest import digest
from salus.node.errors import Unauthenticated
from salus.node.member import MemberNode
from salus.node.smart.clients import Client, client_of, keys_of

ALGORITHMS: Final = ("RS384", "ES384")
KIND: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_SECONDS: Final = 300
AHEAD_SECONDS: Final = 15  # how far the program's clock may be ahead of ours


class Claims(msgspec.Struct, frozen=True):
    """What an assertion says (SMART 2.2 section 5.1.4); other claims are ignored."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int
    jti: str


class Assertions:
    """Takes each assertion once."""

    def __init__(self, node: MemberNode, audience: str) -> None:
        """`audience` is the token endpoint's URL, which an assertion must name."""
        self._node = node
        self._audience = audience
        self._lock = threading.Lock()
        self._used: dict[bytes, int] = {}

    def client(self, form: dict[str, str], *, keyed: bool = False) -> Client:
        """Return the program that sent a form; `keyed` asks for a signature. Raises Unauthenticated.

        Who has keys is never known without them.
        """
        assertion = form.get("client_assertion", "")
        if not assertion:
            client = client_of(self._node, form.get("client_id", ""))
            if client.jwks or keyed:
                raise _refused()
            return client
        if form.get("client_assertion_type") != KIND:
            raise _refused()
        claims, client = self._opened(assertion)
        if form.get("client_id", client.id) != client.id:
            raise _refused()
        self._take(client.id, claims)
        return client

    def _opened(self, assertion: str) -> tuple[Claims, Client]:
        """Return the claims of an assertion whose signature and times hold, and who made them."""
        try:
            unproven = msgspec.json.decode(jws.extract_compact(assertion.encode()).payload, type=Claims)
            client = client_of(self._node, unproven.iss)
            if not client.jwks:
                raise _refused()
            opened = jws.deserialize_compact(assertion, keys_of(client.jwks.encode()), algorithms=list(ALGORITHMS))
            claims = msgspec.json.decode(opened.payload, type=Claims)
        except (JoseError, ValueError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
            raise _refused() from None
        now = self._node.now() // 1000
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        timely = now < claims.exp <= now + LONGEST_SECONDS + AHEAD_SECONDS
        if claims.iss != claims.sub or claims.iss != client.id or self._audience not in audience or not timely:
            raise _refused()
        if not claims.jti or opened.protected.get("typ", "JWT") != "JWT":
            raise _refused()
        return claims, client

    def _take(self, client: str, claims: Claims) -> None:
        key = digest("salus/v1/smart-assertion", client.encode(), claims.jti.encode())
        now = self._node.now() // 1000
        with self._lock:
            self._used = {one: ends for one, ends in self._used.items() if ends > now}
            if key in self._used:
                raise _refused()
            self._used[key] = claims.exp


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "smart.invalid-client",
        "the program did not show who it is",
        expected="client_id of a public client, or private_key_jwt with RS384 or ES384, for five minutes, used once",
    )
