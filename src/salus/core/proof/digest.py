"""The one way Salus hashes and authenticates: SHA-256 over a label and length-prefixed fields.

Every digest has its own versioned label, so that a value computed for one purpose can never be passed off as
another; every field is preceded by its length, so that no two lists of fields give the same bytes.
Layout of the message: u8 len(label) | label | (u32 len(field) | field)*, integers big-endian.
"""

import hashlib
import hmac
from collections.abc import Iterable
from functools import cache
from typing import Final

DIGEST_BYTES: Final = 32


def framed(label: str, fields: Iterable[bytes]) -> bytes:
    """Return `label` and `fields` as one unambiguous byte string (layout in the module's docstring)."""
    parts = [_head(label)]
    for field in fields:
        parts.append(len(field).to_bytes(4, "big"))
        parts.append(field)
    return b"".join(parts)


@cache  # labels are a fixed few, and framing them anew was a third of sealing's own cost
def _head(label: str) -> bytes:
    name = label.encode("ascii")
    return len(name).to_bytes(1, "big") + name


def digest(label: str, *fields: bytes) -> bytes:
    """Return the 32-byte SHA-256 of the framed label and fields."""
    return hashlib.sha256(framed(label, fields)).digest()


def mac(key: bytes, label: str, *fields: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA-256 under `key` (32 bytes) of the framed label and fields."""
    return hmac.digest(key, framed(label, fields), "sha256")
