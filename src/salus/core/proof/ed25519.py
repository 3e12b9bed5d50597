"""Ed25519 under one strict rule, the same on every node and in every verifier.

Libraries disagree on signatures at the edges of RFC 8032, and a network whose nodes disagree forks. The rule:

1. the key's y coordinate is canonical (below 2^255 - 19), and the point is not of small order;
2. S is below the group order L (RFC 8032 section 5.1.7);
3. `cryptography` accepts the signature; it compares the encoding of R as bytes.

The constants are the y coordinates of the eight points of small order (five values), and p and L of RFC 8032.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 1 << 255
_SMALL_ORDER: Final = (
    0,
    1,
    _P - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
)


def is_strict_key(key: bytes) -> bool:
    """Return whether 32 bytes are a canonical encoding of a point that is not of small order (rule 1)."""
    y = int.from_bytes(key, "little") & (_SIGN_BIT - 1)
    return len(key) == 32 and y < _P and y not in _SMALL_ORDER


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) by `key` (32 bytes) over `message` holds under the strict rule."""
    if len(signature) != 64 or not is_strict_key(key) or int.from_bytes(signature[32:], "little") >= _L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
