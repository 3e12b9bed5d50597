"""A connection to a node: JSON over HTTP, a person's requests signed, refusals raised with their code."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, TypeVar

import httpx
import msgspec

from salus.core.proof.httpsig import HttpRequest, sign

R = TypeVar("R")
TIMEOUT_SECONDS: Final = 60.0


class Refusal(Exception):
    """The node refused: problem details (RFC 9457) with a stable code and what to do."""

    def __init__(
        self, status: int, code: str, title: str, *, expected: str = "", got: str = "", todo: str = ""
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.expected = expected
        self.got = got
        self.todo = todo
        told = [title, f"expected {expected}" if expected else "", f"got {got}" if got else "", todo]
        super().__init__(f"{code}: " + "; ".join(part for part in told if part))


class Person:
    """Who asks: a credential of the member and the person's own Ed25519 key, which signs every request."""

    def __init__(self, credential: str, key: Callable[[bytes], bytes], public: str, thumbprint: str) -> None:
        """Take the credential (JWS), a function that signs bytes, the public key in base64url and its thumbprint."""
        self._shown = {"authorization": f"Person {credential}", "salus-person-key": public}
        self._key = key
        self._thumbprint = thumbprint

    def fields(self, target: str, body: bytes) -> dict[str, str]:
        """Return the fields that sign a POST of `body` to `target`."""
        request = HttpRequest("POST", target, self._shown, body)
        now = time.time_ns() // 1_000_000
        signed = sign(
            request,
            self._key,
            keyid=self._thumbprint,
            now=now,
            nonce=secrets.token_urlsafe(16),
            tag="salus-person",
            also=tuple(self._shown),
        )
        return {**self._shown, **signed}


class Connection:
    """A node at a URL, or at its unix socket for its operator. Close it, or use it in a `with` block."""

    def __init__(self, url: str, *, person: Person | None = None, socket: Path | None = None) -> None:
        """Connect to `url` (the node's public URL, which signatures name); `socket` in its place carries the bytes."""
        self._url = url.rstrip("/")
        self._person = person
        transport = httpx.HTTPTransport(uds=str(socket)) if socket else None
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, transport=transport)

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def ask(self, path: str, request: msgspec.Struct, response: type[R]) -> R:
        """Send a request and return its response. Raises Refusal, and httpx.TransportError when nobody answers."""
        body = msgspec.json.encode(request)
        target = self._url + path
        fields = self._person.fields(target, body) if self._person else {}
        answer = self._http.post(target, content=body, headers={"content-type": "application/json", **fields})
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=response)
        told = msgspec.json.decode(answer.content, type=dict[str, str | int])
        rest = {name: str(told.get(name, "")) for name in ("expected", "got", "todo")}
        raise Refusal(answer.status_code, str(told.get("code", "")), str(told.get("title", "")), **rest)
