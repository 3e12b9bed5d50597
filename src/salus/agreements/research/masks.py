"""Pairwise masks: vectors that are uniform alone and add up to the true sum together.

Numbers become fixed point 2⁴⁰ in the ring of 64-bit integers. Each pair of custodians shares a seed; the lower of the two
adds the stream of it, the higher subtracts it. The stream is bound to query, attempt, round and pair.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus.agreements.research.errors import MalformedVector
from salus.agreements.research.models import Matrix
from salus.core.proof.digest import digest

BITS: Final = 40
LIMIT: Final = 2.0 ** (63 - BITS - 6)  # 64 custodians may add their vectors without leaving the ring
MAX_LENGTH: Final = 1 << 16  # p² + p + 1 for 255 columns

Ring: TypeAlias = NDArray[np.uint64]


def fixed(values: Matrix) -> Ring:
    """Return numbers as ring elements, rounded to 2⁻⁴⁰. Raises MalformedVector."""
    if values.ndim != 1 or not 0 < len(values) <= MAX_LENGTH:
        raise MalformedVector(f"a vector of shape {values.shape}")
    if not np.all(np.isfinite(values)) or np.max(np.abs(values)) >= LIMIT:
        raise MalformedVector(f"a number is not finite or not below {LIMIT}")
    return np.rint(values * 2.0**BITS).astype(np.int64).view(np.uint64)


def numbers(total: Ring) -> Matrix:
    """Return ring elements as numbers."""
    found: Matrix = total.view(np.int64).astype(np.float64) / 2.0**BITS
    return found


def stream(seed: bytes, query: bytes, attempt: int, turn: int, length: int) -> Ring:
    """Return the mask of one pair: SHAKE-256 over the bound seed, little-endian 64-bit words."""
    bound = digest("salus/v1/research-mask", seed, query, bytes((attempt,)), turn.to_bytes(4, "big"))
    return np.frombuffer(hashlib.shake_256(bound).digest(8 * length), dtype="<u8").astype(np.uint64)


def masked(own: str, seeds: Mapping[str, bytes], vector: Ring, *, query: bytes, attempt: int, turn: int) -> Ring:
    """Return a custodian's vector under the masks with every peer. `seeds` by the peer's member id, own not among them."""
    result = vector.copy()
    for peer, seed in seeds.items():
        if peer == own:
            raise MalformedVector("a custodian has no seed with itself")
        mask = stream(seed, query, attempt, turn, len(vector))
        result = result + mask if own < peer else result - mask
    return result


def added(vectors: Sequence[Ring]) -> Ring:
    """Return the sum of all custodians' masked vectors, in which the masks are gone. Raises MalformedVector."""
    if len({len(vector) for vector in vectors}) != 1:
        raise MalformedVector("the vectors have different lengths")
    total = np.zeros(len(vectors[0]), dtype=np.uint64)
    for vector in vectors:
        total = total + vector
    return total
