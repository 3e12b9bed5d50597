"""The one signature rule of the protocol: strict Ed25519 (RFC 8032), so that no two nodes judge a signature apart.

1. The key's y, sign bit cleared, is below p = 2^255 - 19 (a canonical encoding) and not that of a point of small
   order: for such a key signatures exist that verify for any message.
2. The signature's S is below the group order L: no signature has a second form.
3. `cryptography` verifies: it computes R = S B - k A and compares it with the signature's R as bytes.

Libraries differ on what this rules out. `self_test` runs vectors of each difference, at the start of a node.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_Y: Final = (1 << 255) - 1
_SMALL_ORDER: Final = (
    0,
    1,
    _P - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
)


def is_strict_key(key: bytes) -> bool:
    """Return whether 32 bytes may stand as a key at all (step 1). It need not lie on the curve to pass."""
    y = int.from_bytes(key, "little") & _Y
    return len(key) == KEY_BYTES and y < _P and y not in _SMALL_ORDER


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the signature holds under the rule. Any bytes may be asked about; the GIL is free meanwhile."""
    if len(signature) != SIGNATURE_BYTES or not is_strict_key(key):
        return False
    if int.from_bytes(signature[32:], "little") >= _L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


_HONEST: Final = "6a175b32faa065a68025f3225b91434215224d1afe383d244759d37c5719270e"
_MIXED: Final = "4ff97abdfdd70f8d4c9284640d4985c5a6691779911fac5b4c2ea2d8f5987cce"
EDGES: Final = (
    # What differs, key, signature over b"edge", whether the rule accepts it.
    (
        "an ordinary signature",
        _HONEST,
        "3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a8ee7215882b512f2b1d6883bdfbc22f929e1f085f594c183e6b34e629bd1970e",
        True,
    ),
    (
        "S + L: the same signature in a second form",
        _HONEST,
        "3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a7bbb17b59c18254a887380debdb6010e2ae1f085f594c183e6b34e629bd1971e",
        False,
    ),
    (
        "R the identity: valid, and some libraries refuse it",
        _HONEST,
        "0100000000000000000000000000000000000000000000000000000000000000672c05f584300b0dbee7c514a0d0b935fdb355fa40db00cbcf0d91db6b488e0c",
        True,
    ),
    (
        "R the identity, not canonical: ZIP-215 accepts it",
        _HONEST,
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f72cf3b179c151a4f43e2c95ce0efe063940773b70dd262b0f22a39babb290900",
        False,
    ),
    (
        "R off by a point of order 8: verification with cofactor accepts it",
        _HONEST,
        "607055ca3d4aa8af26961afb12b1e60a75fac88f9c260ff25806631dbb2691597fecafc7d1da6c859b8031327a542a6b8e505f9af29b51a72cdeb277ceb4cc0d",
        False,
    ),
    (
        "A off by a point of order 8: verification with cofactor accepts it",
        _MIXED,
        "b4919caaf564602dee4881fe2f96a5f56b7531a79432ce091d57b3c77eae05ddf9f8749c0f42faca4add782c34b4f1ed87f9baa81825b1b99385907ed4b90101",
        False,
    ),
    (
        "A off by a point of order 8, k a multiple of 8: the equation holds as it stands",
        _MIXED,
        "190c3db06534569a884d4160de233d1743a1711e9bb440d510c81c4508c816671bd946bf593a06395159425e5447626df9523961628b31a103ef1395c68b560d",
        True,
    ),
    (
        "A the identity: R = B^0 and S = 0 verify for every message",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000" + "00" * 32,
        False,
    ),
    (
        "A the identity, not canonical",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000000" + "00" * 32,
        False,
    ),
    (
        "A no point of the curve",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000" + "00" * 32,
        False,
    ),
)


def self_test() -> list[str]:
    """Return which edge vectors the installed library judges otherwise than the rule: empty, or the node must stop."""
    wrong: list[str] = []
    for what, key, signature, accepted in EDGES:
        try:
            judged = verify(bytes.fromhex(key), b"edge", bytes.fromhex(signature))
        except UnsupportedAlgorithm:  # OpenSSL in FIPS mode of an old version
            judged = not accepted
        if judged is not accepted:
            wrong.append(what)
    return wrong
