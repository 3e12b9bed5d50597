"""Bytes to a tree: UTF-8 without BOM, JSON of one reading, bounded; each break is a named refusal."""

import re
from decimal import Decimal, DecimalException
from typing import Any, Final

import msgspec

from salus.interop.fhir.refusal import Refused, kind_of

Tree = dict[str, Any]


class Limits(msgspec.Struct, frozen=True):
    """What one input may cost, in bytes and counts."""

    resource_bytes: int = 8 << 20
    """A document of 5 MB in base64, with its frame."""
    bundle_bytes: int = 64 << 20
    """20,000 entries of 3 KB; what is larger comes as NDJSON, which streams."""
    entries: int = 20_000
    """One synthetic life of much illness has 10,031; all of a transaction is sealed before it is answered."""
    depth: int = 64
    """The deepest real resources (questionnaires, nested extensions) reach about 20."""
    number_characters: int = 64
    """R4 promises 18 digits of precision; more would be an attack on arithmetic."""


LIMITS: Final = Limits()


ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
"""A logical id (R4 2.24.0.1)."""
_KEY: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")


def oversized(limit: int, got: str) -> Refused:
    """Return the refusal of input beyond `limit` bytes."""
    return Refused(
        "oversized",
        "",
        expected=f"at most {limit} bytes",
        got=got,
        todo="split the input or store the attachment apart",
    )


def _number(text: str) -> Decimal:
    """Return a number with fraction or exponent exactly. Raises ValueError beyond the limit, which msgspec reports."""
    if len(text) > LIMITS.number_characters:
        raise ValueError("number too long")
    try:
        return Decimal(text)
    except DecimalException as error:
        raise ValueError("number out of range") from error


class _Span(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Spans(msgspec.Struct):
    entry: list[_Span] = []


_TREES: Final = msgspec.json.Decoder(float_hook=_number)
_SPANS: Final = msgspec.json.Decoder(_Spans)
BLANK: Final = b" \t\r\n"


def spans(raw: bytes) -> list[bytes]:
    """Return the exact bytes of each entry's resource, b"" where an entry has none."""
    return [bytes(span.resource) for span in _SPANS.decode(raw).entry]


def decode(raw: bytes, size: int, limits: Limits) -> Tree:
    """Decode one JSON object of at most `size` bytes. Raises `Refused`; duplicate keys are left to `check_keys`."""
    if len(raw) > size:
        raise oversized(size, f"{len(raw)} bytes")
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Refused(
            "byte-order-mark", "", expected="UTF-8 without BOM", got="a BOM", todo="save without BOM (RFC 8259, 8.1)"
        )
    try:
        tree = _TREES.decode(raw)
    except UnicodeDecodeError:
        raise Refused(
            "not-utf8", "", expected="UTF-8", got="other bytes", todo="encode as UTF-8 (RFC 8259, 8.1)"
        ) from None
    except RecursionError:
        raise too_deep(limits.depth) from None
    except ValueError as error:  # msgspec.DecodeError, and ValueError of a number: both come as ValueError
        where = re.search(r"byte [0-9]+", str(error))
        at = f"something else at {where[0]}" if where else "something else or an early end"
        raise Refused("not-json", "", expected="JSON (RFC 8259)", got=at, todo="send well-formed JSON") from None
    if type(tree) is not dict:
        raise Refused("not-an-object", "", expected="one JSON object", got=kind_of(tree), todo="send one resource")
    return tree


def too_deep(limit: int) -> Refused:
    """Return the refusal of nesting beyond `limit` levels."""
    return Refused("too-deep", "", expected=f"at most {limit} levels", got="more", todo="flatten the resource")


def check_keys(raw: bytes, distinct: int, path: str) -> None:
    """Refuse duplicate and escaped keys of bytes that are valid JSON, `distinct` being the decoded trees' keys.

    Colons outside strings are the keys written; with escapes masked (same length), quotes delimit strings exactly.
    """
    masked = raw.replace(b"\\\\", b"\0\0").replace(b'\\"', b"\0\0") if b"\\" in raw else raw
    parts = masked.split(b'"')
    if b"".join(parts[::2]).count(b":") != distinct:
        raise Refused("duplicate-key", path, expected="each key once per object", got="a key twice", todo="remove one")
    if b"\\" in raw:
        for text, after in zip(parts[1::2], parts[2::2], strict=True):
            if after.lstrip(BLANK).startswith(b":") and not _KEY.fullmatch(text):
                raise Refused("bad-key", path, expected="element names", got="another key", todo="write names plainly")
