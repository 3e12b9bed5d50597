"""Verifying signed HTTP requests (RFC 9421), of members to each other and of persons to their node, each taken once.

The one form is that of `salus.core.proof.httpsig`; a signature of any other is refused, so that there is one to parse
and no downgrade to choose. `verify` is pure; the memory of nonces is `Nonces`.
"""

import base64
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from salus.core.proof import ed25519
from salus.core.proof.httpsig import COVERED, LIFETIME_SECONDS, HttpRequest, content_digest, signature_base
from salus.node.errors import Unauthenticated, Unavailable

# A signer's clock may be this far ahead of ours, as a block's time may be of a node's.
AHEAD_SECONDS: Final = 15
# Per key and lifetime: over 150 requests a second of one signer, 10 MB of memory.
NONCES_PER_KEY: Final = 10_000

_PARAMETERS: Final = re.compile(
    r'salus=(?P<signed>\((?P<components>"[a-z@-]+"(?: "[a-z@-]+")*)\)'
    r';created=(?P<created>[0-9]{1,12});expires=(?P<expires>[0-9]{1,12});nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})"'
    r';keyid="(?P<keyid>[A-Za-z0-9._:/-]{1,128})";alg="ed25519";tag="(?P<tag>[a-z-]{1,32})")'
)
_SIGNATURE: Final = re.compile(r"salus=:(?P<value>[A-Za-z0-9+/]{86}==):")


@dataclass(frozen=True)
class Signer:
    """What a verified signature says: by which key, once (nonce), until when (Unix seconds)."""

    keyid: str
    nonce: str
    expires: int


def verify(
    request: HttpRequest, keys: Callable[[str], Sequence[bytes]], *, now: int, tag: str, also: Sequence[str] = ()
) -> Signer:
    """Check a request's signature in this order: form, coverage, time, body, key, signature.

    `keys` returns the Ed25519 keys (32 bytes each) that a keyid stands for; `now` in Unix milliseconds. The caller
    then uses the nonce up. Raises Unauthenticated with a code that names the step.
    """
    form = _PARAMETERS.fullmatch(request.fields.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(request.fields.get("signature", ""))
    if form is None or signature is None:
        raise Unauthenticated(
            "signature.form",
            "the request is not signed in the one form",
            expected="see docs/reference/http-signatures.md",
        )
    components = tuple(form["components"].replace('"', "").split(" "))
    if components != (*COVERED, *also) or form["tag"] != tag:
        raise Unauthenticated(
            "signature.coverage",
            "the signature does not cover what it must",
            expected=" ".join((*COVERED, *also, f"tag={tag}")),
        )
    created, expires = int(form["created"]), int(form["expires"])
    seconds = now // 1000
    if not (
        created <= expires <= created + LIFETIME_SECONDS and created <= seconds + AHEAD_SECONDS and seconds <= expires
    ):
        raise Unauthenticated(
            "signature.time",
            "the signature is not of this minute",
            expected=f"created and expires within {LIFETIME_SECONDS} s of now",
            todo="check both clocks",
        )
    if request.fields.get("content-digest") != content_digest(request.body):
        raise Unauthenticated("signature.digest", "the body is not the one signed", expected="sha-256 of the body")
    try:
        base = signature_base(components, form["signed"], request)
    except (KeyError, UnicodeEncodeError) as error:
        raise Unauthenticated(
            "signature.component", "a signed part of the request is missing or not ASCII", expected=" ".join(components)
        ) from error
    value = base64.b64decode(signature["value"])
    if not any(ed25519.verify(key, base, value) for key in keys(form["keyid"])):
        raise Unauthenticated("signature.invalid", "the signature does not hold under any current key of its signer")
    return Signer(form["keyid"], form["nonce"], expires)


class Nonces:
    """The nonces of signatures that have not expired, by key. Thread-safe; one process owns a node."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def use(self, signer: Signer, now: int) -> None:
        """Use a nonce up, `now` in Unix milliseconds.

        Raises Unauthenticated when it was used, Unavailable when its key has used too many in this minute.
        """
        with self._lock:
            seen = self._seen.setdefault(signer.keyid, {})
            if signer.nonce in seen:
                raise Unauthenticated(
                    "signature.replayed", "this signed request has been here before", todo="sign it anew"
                )
            if len(seen) >= NONCES_PER_KEY:
                self._forget(now // 1000)
                seen = self._seen.setdefault(signer.keyid, {})
            if len(seen) >= NONCES_PER_KEY:
                raise Unavailable(
                    "signature.too-many",
                    "too many signed requests by one key",
                    expected=f"at most {NONCES_PER_KEY} a minute",
                )
            seen[signer.nonce] = signer.expires

    def _forget(self, seconds: int) -> None:
        """Drop what has expired, and the keys that have nothing left."""
        live = {
            key: {nonce: until for nonce, until in seen.items() if until >= seconds} for key, seen in self._seen.items()
        }
        self._seen = {key: seen for key, seen in live.items() if seen}
