"""A trustee's side of a threshold key: dealing shares, checking those received, signing (Feldman's scheme).

Every trustee deals. The group's secret is the sum of the dealers' secrets, and nobody ever holds it. A share that does
not fit its dealer's commitments is opened, the dealer is named, and the run is repeated without that dealer.
With one trustee and threshold 1 the scheme is the same, and its draws are *predictable by its trustee*.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from py_arkworks_bls12381 import G2Point, Scalar

from salus.agreements.threshold import SECRET_BYTES, added, check_share, hash_to_g1, public_share
from salus.agreements.trustees import MOST_TRUSTEES, ORDER, ThresholdRefused


@dataclass(frozen=True, slots=True)
class Dealing:
    """What one dealer makes: commitments for all, one secret share for each trustee, to be sent sealed."""

    commitments: tuple[bytes, ...]
    """`threshold` points of G2, 96 bytes each; the first is the dealer's part of the group's key."""
    shares: Mapping[int, bytes] = field(repr=False)
    """Secret shares, 32 bytes each, by number of trustee from 1."""


@dataclass(frozen=True, slots=True)
class TrusteeKey:
    """What a trustee keeps of a threshold key."""

    number: int
    secret: bytes = field(repr=False)
    """32 bytes, big-endian."""
    group: bytes
    """The group's public key, 96 bytes."""
    publics: Mapping[int, bytes]
    """Public share of every trustee, 96 bytes each."""


def deal(trustees: int, threshold: int, entropy: Callable[[int], bytes]) -> Dealing:
    """Deal shares of a fresh secret. Raises ThresholdRefused for numbers that make no threshold."""
    if not 1 <= threshold <= trustees <= MOST_TRUSTEES:
        raise ThresholdRefused(f"{threshold} of {trustees} is no threshold")
    factors = [1 + int.from_bytes(entropy(48), "big") % (ORDER - 1) for _ in range(threshold)]
    commitments = tuple((G2Point() * Scalar(each)).to_compressed_bytes() for each in factors)
    shares = {}
    for number in range(1, trustees + 1):
        value = 0
        for each in reversed(factors):
            value = (value * number + each) % ORDER
        shares[number] = value.to_bytes(SECRET_BYTES, "big")
    return Dealing(commitments, shares)


def accept(
    trustee: int, trustees: int, threshold: int, dealt: Mapping[int, tuple[Sequence[bytes], bytes]]
) -> TrusteeKey:
    """Return a trustee's key from (commitments, own share) of every dealer by number.

    All trustees must accept the same dealers' commitments. Raises ThresholdRefused, naming the first bad dealer.
    """
    for dealer, (commitments, share) in sorted(dealt.items()):
        if len(commitments) != threshold:
            raise ThresholdRefused(f"{len(commitments)} commitments for a threshold of {threshold}", dealer)
        check_share(commitments, trustee, share, dealer)
    secret = sum(int.from_bytes(share, "big") for _, share in dealt.values()) % ORDER
    publics = {
        number: added([public_share(commitments, number) for commitments, _ in dealt.values()])
        for number in range(1, trustees + 1)
    }
    group = added([commitments[0] for commitments, _ in dealt.values()])
    return TrusteeKey(trustee, secret.to_bytes(SECRET_BYTES, "big"), group, publics)


def sign(key: TrusteeKey, message: bytes) -> bytes:
    """Return a trustee's partial signature, 48 bytes. The caller signs only what a final ledger event asks for."""
    return (hash_to_g1(message) * Scalar(int.from_bytes(key.secret, "big"))).to_compressed_bytes()
