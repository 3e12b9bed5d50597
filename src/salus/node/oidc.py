"""Staff sign in at their organisation's own OpenID provider (OpenID Connect Core 1.0, code flow with PKCE).

1. `start`: the provider's address, with state, nonce and PKCE challenge; the browser keeps a cookie of its own
2. `finish`: state and cookie belong together, the answer is from this provider (RFC 9207), the code is exchanged
3. the id token is signed by a key that the provider publishes, for this node, now, for this nonce
4. one of its claims names groups; the first rule of the configuration that knows one gives role and purposes

Then the member issues the person's credential, as for a link: the provider says who somebody is, the member says as what.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from salus.core.proof.digest import digest
from salus.node.config import Oidc
from salus.node.errors import Forbidden, Malformed, Unauthenticated, Unavailable
from salus.node.member import MemberNode
from salus.node.signing_in import caller_of
from salus.node.smart.expiring import Expiring

PATH: Final = "/sign-in/oidc"
DONE: Final = "/sign-in/oidc/done"
ALGORITHMS: Final = ("RS256", "PS256", "ES256")
HTTP_SECONDS: Final = 10.0
MAX_ANSWER: Final = 1 << 20
PENDING_MS: Final = 10 * 60_000
MOST: Final = 2_000
KNOWN_SECONDS: Final = 3600.0  # how long the provider's document and keys are believed without asking again
AHEAD_SECONDS: Final = 60  # how far the provider's clock may be ahead of ours
HOURS: Final = 8
LABEL: Final = "salus/v1/oidc"


class Pending(msgspec.Struct, frozen=True):
    """A sign-in that has gone to the provider."""

    browser: bytes
    """Digest of the cookie that the browser got."""
    nonce: str
    verifier: str
    next: str
    """Question of a program that waits for it; empty: none."""


class Rule(msgspec.Struct, frozen=True):
    """A group of the provider, and as what its people act here."""

    group: str
    role: str
    purposes: tuple[str, ...]


class Provider:
    """The organisation's provider, as the configuration names it."""

    def __init__(self, node: MemberNode, base: str = "", http: httpx.Client | None = None) -> None:
        """Answer at `base`; empty: the node's public URL. Raises Malformed when the configuration does not hold."""
        self._node = node
        self._config = node.config.oidc
        self._rules = read_rules(self._config)
        self._base = (base or node.config.http.public_url).rstrip("/")
        self._http = http or httpx.Client(timeout=HTTP_SECONDS, follow_redirects=False)
        self._pending: Expiring[Pending] = Expiring(node.now, node.entropy, lasts=PENDING_MS, most=MOST)
        self._known: dict[str, tuple[float, Any]] = {}

    def start(self, next_: str) -> tuple[str, str]:
        """Return (the provider's address to go to, value of the browser's cookie). Raises Unavailable."""
        browser, verifier, nonce = (self._node.entropy(32).hex() for _ in range(3))
        state = self._pending.put(Pending(digest(LABEL, browser.encode()), nonce, verifier, next_))
        asked = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._base + DONE,
            "scope": self._config.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        place = str(self._document()["authorization_endpoint"])
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}", browser

    def finish(self, answer: Mapping[str, str], browser: str) -> tuple[str, str]:
        """Open the session of whom the provider names; return its token and the question that waits.

        Raises Unauthenticated, Forbidden (no role here), Unavailable.
        """
        pending = self._pending.take(answer.get("state", ""))
        if pending is None or not compare_digest(pending.browser, digest(LABEL, browser.encode())):
            raise _refused("this sign-in was not begun in this browser, or is over")
        document = self._document()
        iss = answer.get("iss", "")
        if (iss and iss != self._config.issuer) or (
            not iss and document.get("authorization_response_iss_parameter_supported") is True
        ):
            raise _refused("the answer is from another provider")
        if "code" not in answer:
            raise _refused("the provider did not let you in")
        claims = self._claims(self._exchanged(document, answer["code"], pending.verifier), pending.nonce)
        subject, rule = claims["sub"], self._rule(claims.get(self._config.claim))
        caller, ends = caller_of(self._node, subject, rule.role, rule.purposes, HOURS)
        return self._node.sessions.open(caller, ends), pending.next

    def _exchanged(self, document: Mapping[str, Any], code: str, verifier: str) -> str:
        """Return the id token that a code brings."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._base + DONE,
            "client_id": self._config.client_id,
            "code_verifier": verifier,
        }
        secret = _secret(self._config)
        auth = httpx.BasicAuth(self._config.client_id, secret) if secret else None
        told = self._asked("POST", str(document["token_endpoint"]), data=form, auth=auth)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise _refused("the provider gave no id token")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an id token that holds (OpenID Connect Core 3.1.3.7)."""
        try:
            opened = self._opened(token)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            self._known.pop("jwks", None)  # the provider may have changed its keys
            try:
                opened = self._opened(token)
            except (JoseError, ValueError, KeyError, TypeError, AttributeError):
                raise _refused("the id token is not signed by the provider") from None
        now = self._node.now() // 1000
        audience = opened.get("aud")
        audience = audience if isinstance(audience, list) else [audience]
        good = (
            opened.get("iss") == self._config.issuer
            and self._config.client_id in audience
            and (len(audience) == 1 or opened.get("azp") == self._config.client_id)
            and isinstance(opened.get("exp"), int)
            and now < opened["exp"]
            and isinstance(opened.get("iat"), int)
            and opened["iat"] <= now + AHEAD_SECONDS
            and opened.get("nonce") == nonce
            and isinstance(opened.get("sub"), str)
            and 0 < len(opened["sub"]) <= 128
        )
        if not good:
            raise _refused("the id token is not for this sign-in")
        return opened

    def _opened(self, token: str) -> dict[str, Any]:
        published: Any = self._remembered("jwks", str(self._document()["jwks_uri"]))
        keys = KeySet.import_key_set(published)
        return dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)

    def _rule(self, told: Any) -> Rule:
        """Return the first rule whose group the provider named. Raises Forbidden."""
        groups = told if isinstance(told, list) else [told]
        for rule in self._rules:
            if rule.group in groups:
                return rule
        raise Forbidden("oidc.no-role", "your organisation gave you no role here", todo="ask who keeps the accounts")

    def _document(self) -> dict[str, Any]:
        """Return the provider's metadata (OpenID Connect Discovery 1.0). Raises Unavailable."""
        place = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
        told = self._remembered("document", place)
        ends = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if told.get("issuer") != self._config.issuer or not all(_secure(told.get(name)) for name in ends):
            raise Unavailable("oidc.document", "the provider describes itself as another, or by unsafe addresses")
        return told

    def _remembered(self, name: str, url: str) -> dict[str, Any]:
        known = self._known.get(name)
        if known is None or known[0] < time.monotonic():
            known = self._known[name] = (time.monotonic() + KNOWN_SECONDS, self._asked("GET", url))
        return dict(known[1])

    def _asked(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """Return the JSON object that the provider answers. Raises Unavailable."""
        failed = Unavailable("oidc.unreachable", "the provider did not answer as it should", todo="try again")
        try:
            answer = self._http.request(method, url, **more)
            told = msgspec.json.decode(answer.content[:MAX_ANSWER])
        except (httpx.HTTPError, msgspec.DecodeError, UnicodeDecodeError):
            raise failed from None
        if answer.status_code != 200 or not isinstance(told, dict):
            raise failed
        return told


def read_rules(config: Oidc) -> tuple[Rule, ...]:
    """Return the rules of `group=role:PURPOSE+PURPOSE, …`. Raises Malformed."""
    rules = []
    for part in filter(None, (each.strip() for each in config.roles.split(","))):
        group, _, rest = part.rpartition("=")
        role, _, purposes = rest.partition(":")
        if not (group and role and purposes):
            raise Malformed("oidc.roles", "a rule does not read", expected="group=role:PURPOSE+PURPOSE", got=part)
        rules.append(Rule(group, role, tuple(purposes.split("+"))))
    if not rules or not config.client_id or not _secure(config.issuer):
        raise Malformed("oidc.config", "the provider is not named whole", expected="issuer (https), client_id, roles")
    return tuple(rules)


def _secure(url: Any) -> bool:
    """Tell whether an address is reached over TLS, or on this machine."""
    told = urlsplit(url) if isinstance(url, str) else urlsplit("")
    return bool(told.hostname) and (
        told.scheme == "https" or (told.scheme == "http" and told.hostname in {"127.0.0.1", "localhost", "::1"})
    )


def _secret(config: Oidc) -> str:
    if not config.client_secret_file:
        return ""
    try:
        return Path(config.client_secret_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unavailable("oidc.secret", "the client's secret cannot be read", got=str(error.strerror)) from error


def _refused(message: str) -> Unauthenticated:
    return Unauthenticated("oidc.refused", message, todo="sign in again")
