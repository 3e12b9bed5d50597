"""A FHIR server that is followed: asked at its own pace, signed in anew when a token ends, at its own origin and those named.

Busy (429, 503): the time that `Retry-After` names is waited for, else a growing one; together at most PATIENCE_SECONDS a
question. Signed in by SMART Backend Services; times in assertions are the server's, told by its `Date`, so that clocks may differ.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from salus.node.errors import Malformed, Unavailable

FHIR: Final = "application/fhir+json"
NDJSON: Final = "application/fhir+ndjson"
PAGES: Final = 100_000
ANSWER_BYTES: Final = 64 << 20
SCOPE: Final = "system/*.rs"
BUSY: Final = frozenset({429, 503})
PATIENCE_SECONDS: Final = 900.0  # of one question; then the run ends, and the next one goes on from here
TRIES: Final = 5  # of a question that finds nobody, or no time named: 1 + 2 + 4 + 8 s
ASSERTION_SECONDS: Final = 240  # SMART allows 300


class Entry(msgspec.Struct):
    """An entry of a page: its resource as it stands."""

    resource: msgspec.Raw = msgspec.Raw(b"")
    request: dict[str, Any] = {}


class Page(msgspec.Struct):
    """A Bundle of a search or history."""

    entry: list[Entry] = []
    link: list[dict[str, Any]] = []


PAGE: Final = msgspec.json.Decoder(Page)


class Server:
    """One server. `now` is in Unix ms, `pause` waits so many seconds.

    Asked are its own origin and the origins of `also`: where it signs people in, or keeps an export's files. The token
    is told to its own origin alone, and to the others for files of which the export says that they need it.
    """

    def __init__(
        self,
        base: str,
        client: httpx.Client,
        now: Callable[[], int],
        pause: Callable[[float], None] = time.sleep,
        also: Iterable[str] = (),
    ) -> None:
        """Ask nothing yet. Raises Malformed for an address that is not safe."""
        self.base = base.rstrip("/")
        self._origin = _safe_origin(base)
        self._origins = {self._origin, *map(_safe_origin, also)}
        self._client = client
        self._now, self.pause = now, pause
        self._token = ""
        self._signing: tuple[str, Path] | None = None

    def sign_in(self, client: str, key: Path) -> None:
        """Fetch a token, and a new one whenever it ends. Raises Malformed for the key, Unavailable for the server."""
        self._signing = None
        told = self.get(f"{self.base}/.well-known/smart-configuration")
        endpoint = str(document(told).get("token_endpoint", ""))
        form = {
            "grant_type": "client_credentials", "scope": SCOPE,
            "client_assertion": self._assertion(client, key, endpoint, date_of(told) or self._now()),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }  # fmt: skip
        answer = self._ask("POST", endpoint, data=form)
        if answer.status_code != 200:
            raise Unavailable("attach.refused", "the server gives no token", got=f"status {answer.status_code}")
        self._token = str(document(answer).get("access_token", ""))
        self._signing = (client, key)

    def get(self, url: str, **headers: str) -> httpx.Response:
        """Ask for one document of the server. Raises Unavailable."""
        return self._ask("GET", url, headers=headers)

    def stream(self, url: str, *, token: bool = False) -> Iterator[bytes]:
        """Yield a file's pieces; token: whether it is shown to another origin, too. Raises Unavailable."""
        target = self._own(url)
        for attempt in _Attempts(self):
            told = {"accept": NDJSON, **self._authorization(self.base if token else target)}
            try:
                with self._client.stream("GET", target, headers=told) as answer:
                    if attempt.again(answer):
                        continue
                    if answer.status_code != 200:
                        raise Unavailable(
                            "attach.answer", "a file cannot be fetched", got=f"status {answer.status_code}"
                        )
                    yield from answer.iter_bytes()
                    return
            except httpx.HTTPError as error:
                raise _away(error) from error

    def pages(self, url: str) -> Iterator[tuple[str, Page]]:
        """Yield the pages of a search or history, each with the address of the next, "" at the end. Raises Unavailable."""
        seen: set[str] = set()
        while url and url not in seen and len(seen) < PAGES:
            seen.add(url)
            answer = self.get(url)
            if answer.status_code != 200:
                raise Unavailable("attach.answer", "a page cannot be fetched", got=f"status {answer.status_code}")
            try:
                page = PAGE.decode(answer.content)
            except msgspec.DecodeError as error:
                raise Unavailable("attach.answer", "a page is no Bundle") from error
            url = next((str(one.get("url", "")) for one in page.link if one.get("relation") == "next"), "")
            yield url, page

    def renewed(self) -> bool:
        """Sign in anew if this server was signed in to; return whether. Raises as `sign_in`."""
        if self._signing is None:
            return False
        self.sign_in(*self._signing)
        return True

    def _assertion(self, client: str, key: Path, endpoint: str, now: int) -> str:
        """Return the signed assertion of RFC 7523 as SMART Backend Services wants it. Raises Malformed."""
        try:
            material = msgspec.json.decode(key.read_bytes())
            curve = material.get("kty") == "EC"
            private: ECKey | RSAKey = ECKey.import_key(material) if curve else RSAKey.import_key(material)
            header = {"alg": "ES384" if curve else "RS384", "typ": "JWT", "kid": material.get("kid", "")}
            claims = {
                "iss": client, "sub": client, "aud": endpoint, "exp": now // 1000 + ASSERTION_SECONDS,
                "jti": f"{now}-{time.monotonic_ns()}",
            }  # fmt: skip
            return jwt.encode(header, claims, private, algorithms=["ES384", "RS384"])
        except (OSError, ValueError, AttributeError, JoseError) as error:
            raise Malformed(
                "attach.key", "the private key cannot be read", expected="a JWK of ES384 or RS384"
            ) from error

    def _authorization(self, target: str) -> dict[str, str]:
        own = _origin(target) == self._origin
        return {"authorization": f"Bearer {self._token}"} if self._token and own else {}

    def _own(self, url: str) -> str:
        target = urljoin(self.base + "/", url)
        if _origin(target) not in self._origins:
            raise Unavailable(
                "attach.elsewhere",
                "the server names an address of another host",
                todo="ask its operator; if it is right, name the host with --also",
            )
        return target

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, data: Any = None) -> httpx.Response:
        target = self._own(url)
        for attempt in _Attempts(self):
            told = {"accept": FHIR, **self._authorization(target), **(headers or {})}
            try:
                with self._client.stream(method, target, headers=told, data=data) as answer:
                    if attempt.again(answer):
                        continue
                    return _whole(answer)
            except httpx.InvalidURL as error:
                raise _away(error) from error
            except httpx.HTTPError as error:
                attempt.failed(error)
        raise Unavailable("attach.away", "the server cannot be reached", todo="try again")  # pragma: no cover


class _Attempts:
    """The tries of one question: waits between them, and ends them by raising Unavailable."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waited = 0.0
        self._tries = 0
        self._renewed = False

    def __iter__(self) -> Iterator["_Attempts"]:
        while True:
            self._tries += 1
            yield self

    def again(self, answer: httpx.Response) -> bool:
        """Tell whether to ask again, having waited or signed in for it. Raises Unavailable where patience ends."""
        if answer.status_code == 401 and not self._renewed:
            self._renewed = True
            return self._server.renewed()
        if answer.status_code not in BUSY:
            return False
        named = retry_after(answer)
        seconds = 2.0 ** (self._tries - 1) if named is None else named
        over = self._waited + seconds > PATIENCE_SECONDS or (named is None and self._tries >= TRIES)
        if over:
            raise Unavailable(
                "attach.busy",
                "the server is busy",
                got=f"status {answer.status_code}, to be asked again in {seconds:.0f} s",
                todo="run the command again later: it goes on from here",
            )
        self._wait(seconds)
        return True

    def failed(self, error: httpx.HTTPError) -> None:
        """Wait before the next try of a question that found nobody. Raises Unavailable after the last."""
        if self._tries >= TRIES or not isinstance(error, httpx.TransportError):
            raise _away(error) from error
        self._wait(2.0 ** (self._tries - 1))

    def _wait(self, seconds: float) -> None:
        self._waited += seconds
        self._server.pause(seconds)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _safe_origin(url: str) -> tuple[str, str]:
    """Return the origin of an address that may be asked. Raises Malformed."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme not in {"https", "http"} or not parts.hostname or (parts.scheme == "http" and not local):
        raise Malformed("attach.url", "the server's URL is not safe", expected="https, or http on this machine")
    return _origin(url)


def retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds that `Retry-After` (RFC 9110 10.2.3) names; a date is taken by the server's own clock."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit() and len(told) < 10:
        return float(told)
    moment, now = _date(told), date_of(answer)
    return None if moment is None or now is None else max(0.0, (moment - now) / 1000)


def date_of(answer: httpx.Response) -> int | None:
    """Return the server's clock as it told it, Unix ms; None where it did not."""
    return _date(answer.headers.get("date", ""))


def document(answer: httpx.Response) -> dict[str, Any]:
    """Return an answer's document. Raises Unavailable."""
    if answer.status_code != 200:
        raise Unavailable(
            "attach.answer", "the server does not answer as FHIR does", got=f"status {answer.status_code}"
        )
    try:
        return dict(answer.json())
    except (ValueError, TypeError) as error:
        raise Unavailable("attach.answer", "the server answers with something that is no JSON") from error


def _date(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, IndexError):
        return None


def _whole(answer: httpx.Response) -> httpx.Response:
    """Return an answer read to its end. Raises Unavailable where it is too large."""
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise Unavailable("attach.answer", "an answer is too large", got=f"more than {ANSWER_BYTES} bytes")
    undone = {"content-encoding", "content-length"}
    headers = [(name, value) for name, value in answer.headers.items() if name not in undone]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(body))


def _away(error: Exception) -> Unavailable:
    return Unavailable("attach.away", "the server cannot be reached", got=type(error).__name__, todo="try again")
