"""COSE_Sign1 (RFC 9052) with Ed25519 and the headers of COSE receipts (RFC 9942), as Salus signs them.

A cosigner signs `Sig_structure` (RFC 9052 section 4.4) over a detached payload: the log's root for a checkpoint.
The protected header is the same for all cosigners but for the key id.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Final

from salus.core.proof import cbor
from salus.core.proof.digest import digest

ALG: Final = 1
CONTENT_TYPE: Final = 3
KID: Final = 4
CWT_CLAIMS: Final = 15  # RFC 9597
VDS: Final = 395  # RFC 9942 section 4: verifiable data structure
VDP: Final = 396  # RFC 9942 section 4: verifiable data structure proofs
SIZE: Final = "salus.size"  # ours: an inclusion proof's tree size is not signed in RFC 9942

EDDSA: Final = -8  # RFC 9053 section 2.2
RFC9162_SHA256: Final = 1  # RFC 9942 section 5
INCLUSION: Final = -1  # RFC 9942 section 5.2
ISS: Final = 1  # RFC 8392 section 3.1
SUB: Final = 2
IAT: Final = 6

KID_BYTES: Final = 8  # a hint that finds the key in a set of at most 64; trust is in the key


def kid_of(key: bytes) -> bytes:
    """Return the key id (8 bytes) of an Ed25519 key."""
    return digest("salus/v1/kid", key)[:KID_BYTES]


def issuer_of(network: bytes) -> str:
    """Return the `iss` claim of a network: its id as a named digest (RFC 6920)."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(network).rstrip(b"=").decode()


def checkpoint_header(network: bytes, size: int, issued: int) -> Callable[[bytes], bytes]:
    """Return the function from key id to the protected header of a checkpoint. `issued` is in Unix seconds.

    Deterministic CBOR of {ALG: EDDSA, KID: key id, CWT_CLAIMS: {ISS: issuer, SUB: "log", IAT: issued},
    VDS: RFC9162_SHA256, SIZE: size}, put together from its parts: every receipt verified needs it.
    """
    issuer, name = cbor.encode(issuer_of(network)), cbor.encode(SIZE)
    after = b"".join(
        (b"\x0f\xa3\x01", issuer, b"\x02\x63log\x06", cbor.encode(issued), b"\x19\x01\x8b\x01", name, cbor.encode(size))
    )
    return lambda kid: b"\xa5\x01\x27\x04\x48" + kid + after


def statement_header(content_type: str) -> Callable[[bytes], bytes]:
    """Return the function from key id to the protected header of a statement that is not a checkpoint."""
    return _around_kid({ALG: EDDSA, CONTENT_TYPE: content_type, KID: b""})


def _around_kid(header: dict[int | str, cbor.Value]) -> Callable[[bytes], bytes]:
    """Return the header's encoding as a function of the key id alone (8 bytes): encoded once for all cosigners."""
    mark = bytes(KID_BYTES)
    before, after = cbor.encode({**header, KID: mark}).split(b"\x04\x48" + mark)
    return lambda kid: before + b"\x04\x48" + kid + after


def to_sign(protected: bytes, payload: bytes) -> bytes:
    """Return the bytes that a signature is over (RFC 9052 section 4.4), without external data."""
    return b"\x84\x6aSignature1" + cbor.encode(protected) + b"\x40" + cbor.encode(payload)


def inclusion_receipt(protected: bytes, signature: bytes, size: int, index: int, path: Sequence[bytes]) -> bytes:
    """Return one cosignature as a receipt that any verifier of RFC 9942 reads: the payload, the root, is detached."""
    proof = cbor.encode((size, index, tuple(path)))
    return cbor.encode(cbor.Sign1((protected, {VDP: {INCLUSION: (proof,)}}, None, signature)))
