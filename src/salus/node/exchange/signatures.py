"""HTTP message signatures between members, and of persons towards their node (RFC 9421), over the body's digest (RFC 9530).

One profile, nothing optional: label `salus`, Ed25519, components "@method", "@target-uri", "content-digest" and those
fields that the use asks for, in this order; parameters created, expires, nonce, keyid, alg, tag, in this order, at most
60 s from created to expires. A signature by any other profile is refused, so that there is one form to parse and no
downgrade to choose. All functions are pure; the memory of nonces is `Nonces`.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from salus.core.proof import ed25519
from salus.node.errors import Unauthenticated, Unavailable

LABEL: Final = "salus"
COVERED: Final = ("@method", "@target-uri", "content-digest")
# Long enough for a slow link and clocks that differ, short enough to remember every nonce.
LIFETIME_SECONDS: Final = 60
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
class HttpRequest:
    """What of a request is signed: method, absolute target URI, fields by lower-case name, body."""

    method: str
    target_uri: str
    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Signer:
    """What a verified signature says: by which key, once (nonce), until when (Unix seconds)."""

    keyid: str
    nonce: str
    expires: int


def content_digest(body: bytes) -> str:
    """Return the Content-Digest field of a body (RFC 9530 section 2), SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def component(name: str, request: HttpRequest) -> str:
    """Return the value of a component (RFC 9421 sections 2.1, 2.2). Raises Unauthenticated for a field that is not there."""
    if name == "@method":
        return request.method
    if name == "@target-uri":
        return request.target_uri
    if name == "@authority":
        return urlsplit(request.target_uri).netloc.lower()
    if name == "@path":
        return urlsplit(request.target_uri).path or "/"
    if name.startswith("@") or name not in request.fields:
        raise Unauthenticated("signature.component", "a signed part of the request is missing", expected=name)
    return " ".join(request.fields[name].split("\n")).strip()


def signature_base(components: Sequence[str], parameters: str, request: HttpRequest) -> bytes:
    """Return the bytes that are signed (RFC 9421 section 2.5); `parameters` as they stand in Signature-Input."""
    lines = [f'"{name}": {component(name, request)}' for name in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("ascii", "strict")


def sign(
    request: HttpRequest,
    key: Callable[[bytes], bytes],
    *,
    keyid: str,
    now: int,
    nonce: str,
    tag: str,
    also: Sequence[str] = (),
) -> dict[str, str]:
    """Return the fields that sign a request: content-digest, signature-input, signature.

    `key` signs bytes with Ed25519; `now` in Unix milliseconds; `nonce` 16 to 64 characters of base64url, never used
    before with this key; `also` the names of further fields to cover.
    """
    fields = {**request.fields, "content-digest": content_digest(request.body)}
    created = now // 1000
    names = " ".join(f'"{name}"' for name in (*COVERED, *also))
    parameters = f'({names});created={created};expires={created + LIFETIME_SECONDS};nonce="{nonce}";keyid="{keyid}";alg="ed25519";tag="{tag}"'
    whole = HttpRequest(request.method, request.target_uri, fields, request.body)
    signature = base64.b64encode(key(signature_base((*COVERED, *also), parameters, whole))).decode()
    return {
        "content-digest": fields["content-digest"],
        "signature-input": f"{LABEL}={parameters}",
        "signature": f"{LABEL}=:{signature}:",
    }


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
    base = signature_base(components, form["signed"], request)
    value = base64.b64decode(signature["value"])
    if not any(ed25519.verify(key, base, value) for key in keys(form["keyid"])):
        raise Unauthenticated("signature.invalid", "the signature does not hold under any current key of its signer")
    return Signer(form["keyid"], form["nonce"], expires)


class Nonces:
    """The nonces of signatures that have not expired, by key. Not shared between processes: one process owns a node."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = {}

    def use(self, signer: Signer, now: int) -> None:
        """Use a nonce up, `now` in Unix milliseconds.

        Raises Unauthenticated when it was used, Unavailable when its key has used too many in this minute.
        """
        seen = self._seen.setdefault(signer.keyid, {})
        if signer.nonce in seen:
            raise Unauthenticated("signature.replayed", "this signed request has been here before", todo="sign it anew")
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
