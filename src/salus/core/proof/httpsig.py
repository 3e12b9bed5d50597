"""Signing HTTP requests (RFC 9421) over the body's digest (RFC 9530): the form that members, persons and clients send.

One profile, nothing optional: label `salus`, Ed25519, components "@method", "@target-uri", "content-digest" and those
fields that the use asks for, in this order; parameters created, expires, nonce, keyid, alg, tag, in this order, at most
60 s from created to expires. `salus.node.exchange.signatures` verifies it and refuses any other.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

LABEL: Final = "salus"
COVERED: Final = ("@method", "@target-uri", "content-digest")
# Long enough for a slow link and clocks that differ, short enough to remember every nonce.
LIFETIME_SECONDS: Final = 60


@dataclass(frozen=True)
class HttpRequest:
    """What of a request is signed: method, absolute target URI, fields by lower-case name, body."""

    method: str
    target_uri: str
    fields: Mapping[str, str]
    body: bytes


def content_digest(body: bytes) -> str:
    """Return the Content-Digest field of a body (RFC 9530 section 2), SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def component(name: str, request: HttpRequest) -> str:
    """Return the value of a component (RFC 9421 sections 2.1, 2.2). Raises KeyError for one that is not there."""
    if name == "@method":
        return request.method
    if name == "@target-uri":
        return request.target_uri
    if name == "@authority":
        return urlsplit(request.target_uri).netloc.lower()
    if name == "@path":
        return urlsplit(request.target_uri).path or "/"
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
