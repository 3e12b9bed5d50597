"""Threshold BLS signatures on BLS12-381: verify and combine. Signatures in G1 (48 bytes), keys in G2 (96 bytes).

The combined signature of a message is unique: any `threshold` of the trustees give the same 48 bytes, nobody chooses
them, and fewer give nothing. Whoever holds enough partials of a message holds its signature, so each purpose has its
own tag in the message. Hashing to the curve is RFC 9380, BLS12381G1_XMD:SHA-256_SSWU_RO_. Not post-quantum.

Needs the extra `trials` (`py_arkworks_bls12381`); all else of Salus works without it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from salus.agreements.trustees import ORDER, ThresholdRefused, coefficients
from salus.core.proof.digest import digest

SUITE: Final = b"SALUS_V1_BLS12381G1_XMD:SHA-256_SSWU_RO_"
G1_BYTES: Final = 48
G2_BYTES: Final = 96
SECRET_BYTES: Final = 32
_G2: Final = G2Point()


def hash_to_g1(data: bytes, suite: bytes = SUITE) -> G1Point:
    """Return the point of G1 that RFC 9380 gives for `data` under a domain separation tag."""
    return G1Point.hash_to_curve(data, suite)


def signature_point(data: bytes, trustee: int = 0) -> G1Point:
    """Return a signature as a point. Raises ThresholdRefused unless it is a canonical point of the group, not identity."""
    try:
        point = G1Point.from_compressed_bytes(data) if len(data) == G1_BYTES else None
    except ValueError:
        point = None
    if point is None or point == G1Point.identity() or not point.is_in_subgroup():
        raise ThresholdRefused("the signature is no point of the group", trustee)
    return point


def key_point(data: bytes, trustee: int = 0) -> G2Point:
    """Return a public key as a point. Raises ThresholdRefused unless it is a canonical point of the group, not identity."""
    try:
        point = G2Point.from_compressed_bytes(data) if len(data) == G2_BYTES else None
    except ValueError:
        point = None
    if point is None or point == G2Point.identity() or not point.is_in_subgroup():
        raise ThresholdRefused("the key is no point of the group", trustee)
    return point


def verify(key: bytes, data: bytes, signature: bytes, *, suite: bytes = SUITE, trustee: int = 0) -> None:
    """Check a signature, partial or combined, of `data` under a public key. Raises ThresholdRefused."""
    points = [signature_point(signature, trustee), -hash_to_g1(data, suite)]
    if not GT.pairing_check(points, [_G2, key_point(key, trustee)]):
        raise ThresholdRefused("the signature does not verify", trustee)


def verify_all(key: bytes, signed: Sequence[tuple[bytes, bytes]], *, suite: bytes = SUITE) -> None:
    """Check many signatures (message, signature) under one key by one pairing. Raises ThresholdRefused, naming none.

    Each is weighted by 128 bits of a digest over all messages and signatures, so that no signature can be chosen to fit its
    weight: where one does not hold, the sum holds with a probability of 2 to the -128. Points are checked one by one.
    """
    if not signed:
        return
    seed = digest("salus/v1/threshold-batch", key, suite, *(part for each in signed for part in each))
    weights = [
        Scalar(int.from_bytes(digest("salus/v1/threshold-weight", seed, n.to_bytes(4, "big"))[:16]))
        for n in range(len(signed))
    ]
    left = G1Point.multiexp_unchecked([signature_point(signature) for _, signature in signed], weights)
    right = G1Point.multiexp_unchecked([hash_to_g1(data, suite) for data, _ in signed], weights)
    if not GT.pairing_check([left, -right], [_G2, key_point(key)]):
        raise ThresholdRefused("a signature does not verify")


def combine(data: bytes, partials: Mapping[int, bytes], shares: Mapping[int, bytes], threshold: int) -> bytes:
    """Return the one signature of `data` from partials by number of trustee, each checked against its public share.

    Raises ThresholdRefused, naming the trustee, for a partial that does not hold, and when there are too few.
    """
    if len(partials) < threshold:
        raise ThresholdRefused(f"{len(partials)} partial signatures, {threshold} are needed")
    for number, partial in sorted(partials.items()):
        if number not in shares:
            raise ThresholdRefused("no such trustee", number)
        verify(shares[number], data, partial, trustee=number)
    return interpolate(dict(sorted(partials.items())[:threshold]))


def interpolate(partials: Mapping[int, bytes]) -> bytes:
    """Return what partials of exactly the threshold's trustees give, unverified: the caller checks it under the group's key.

    Raises ThresholdRefused for a partial that is no point of the group.
    """
    chosen = sorted(partials)
    total = G1Point.identity()
    for number, factor in zip(chosen, coefficients(chosen), strict=True):
        total += signature_point(partials[number], number) * Scalar(factor)
    return total.to_compressed_bytes()


def public_share(commitments: Sequence[bytes], trustee: int) -> bytes:
    """Return the public share of a trustee from the commitments (96 bytes each) to a dealer's polynomial (Feldman)."""
    total = G2Point.identity()
    for commitment in reversed(commitments):
        total = total * Scalar(trustee) + key_point(commitment)
    return total.to_compressed_bytes()


def check_share(commitments: Sequence[bytes], trustee: int, share: bytes, dealer: int) -> None:
    """Check a received share against its dealer's commitments. Raises ThresholdRefused, naming the dealer."""
    value = int.from_bytes(share, "big")
    if len(share) != SECRET_BYTES or not 0 < value < ORDER:
        raise ThresholdRefused("the share is no scalar", dealer)
    if (G2Point() * Scalar(value)).to_compressed_bytes() != public_share(commitments, trustee):
        raise ThresholdRefused("the share does not fit its dealer's commitments", dealer)


def added(keys: Sequence[bytes]) -> bytes:
    """Return the sum of public keys or shares (96 bytes each): the group's from its dealers'."""
    total = G2Point.identity()
    for key in keys:
        total += key_point(key)
    return total.to_compressed_bytes()
