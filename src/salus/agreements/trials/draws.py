"""Random allocation that anyone can replay: from the signature over a draw to an arm, in integers.

The number behind a draw is the digest of the unique threshold signature over (trial, package, stratum, place,
enrolment): nobody chooses it, and fewer than the threshold of trustees foresee none. Schemes: simple, permuted blocks
of hidden sizes, and the big stick (Soares and Wu 1983), each without replacement within its own bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from salus.agreements.trustees import message
from salus.core.errors import SalusError
from salus.core.proof.digest import digest, mac

BITS: Final = 512  # of the number drawn from: against any number of slots the bias is below 2 ** -400


class DrawRefused(SalusError):
    """A scheme that is none, or an allocation that the draws do not give."""


@dataclass(frozen=True, slots=True)
class Simple:
    """Each draw alone, by the ratio."""

    ratio: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Permuted blocks. `sizes` are multiples of the ratio's sum and are chosen block by block from `size_key`."""

    ratio: tuple[int, ...]
    sizes: tuple[int, ...]
    size_key: bytes
    """32 bytes, committed before the first draw and kept from all but the dispensers."""


@dataclass(frozen=True, slots=True)
class BigStick:
    """Two arms, 1:1: a fair coin, unless one arm is `bound` ahead, when the other is due."""

    bound: int


Scheme = Simple | Blocks | BigStick


def draw_message(trial: bytes, package: bytes, stratum: bytes, place: int, enrolment: bytes) -> bytes:
    """Return what trustees sign for one draw. `place` counts the stratum's enrolments from 0."""
    return message("draw", trial, package, stratum, place.to_bytes(8, "big"), enrolment)


def seal_message(trial: bytes, package: bytes, stratum: bytes, place: int, enrolment: bytes) -> bytes:
    """Return what trustees sign for the key of one allocation: it opens this one and no other."""
    return message("seal", trial, package, stratum, place.to_bytes(8, "big"), enrolment)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an enrolment stands: what trustees sign."""

    study: bytes
    package: bytes
    """Root of the study definition in force at the site."""
    stratum: bytes
    """The stratum's opaque tag, 32 bytes."""
    place: int
    transaction: bytes
    """Id of the transaction that enrolled."""

    @property
    def draw(self) -> bytes:
        """The message of the draw."""
        return draw_message(self.study, self.package, self.stratum, self.place, self.transaction)

    @property
    def seal(self) -> bytes:
        """The message of the seal: its signature opens this allocation and no other."""
        return seal_message(self.study, self.package, self.stratum, self.place, self.transaction)


def stratum_tag(key: bytes, stratum: str) -> bytes:
    """Return the opaque tag of a stratum under the trial's 32-byte key."""
    return mac(key, "salus/v1/trial-stratum", stratum.encode())


def number(signature: bytes) -> int:
    """Return the integer of `BITS` bits that a draw's signature (48 bytes) gives."""
    halves = [digest("salus/v1/trial-draw", half, signature) for half in (b"\0", b"\1")]
    return int.from_bytes(b"".join(halves), "big")


def check_scheme(scheme: Scheme) -> None:
    """Check a scheme before anything is drawn by it. Raises DrawRefused."""
    if isinstance(scheme, BigStick):
        if scheme.bound < 1:
            raise DrawRefused("a big stick needs a bound of at least 1")
        return
    if len(scheme.ratio) < 2 or min(scheme.ratio) < 1:
        raise DrawRefused("a ratio has at least two arms, each with at least 1")
    if isinstance(scheme, Blocks):
        if not scheme.sizes or any(size < 1 or size % sum(scheme.ratio) for size in scheme.sizes):
            raise DrawRefused("a block's size is a multiple of the ratio's sum")
        if len(scheme.size_key) != 32:
            raise DrawRefused("the key of the block sizes has 32 bytes")


def next_arm(scheme: Scheme, stratum: bytes, before: Sequence[int], drawn: int) -> int:
    """Return the arm (from 0) of the next enrolment of a stratum, after the arms `before` of the same stratum."""
    if isinstance(scheme, BigStick):
        ahead = before.count(0) - before.count(1)
        if abs(ahead) >= scheme.bound:
            return int(ahead > 0)
        return drawn % 2
    left = list(scheme.ratio)
    if isinstance(scheme, Blocks):
        start, size = _block(scheme, stratum, len(before))
        parts = size // sum(scheme.ratio)
        left = [each * parts - before[start:].count(arm) for arm, each in enumerate(scheme.ratio)]
    slot = drawn % sum(left)
    arm = 0
    while slot >= left[arm]:
        slot -= left[arm]
        arm += 1
    return arm


def _block(scheme: Blocks, stratum: bytes, place: int) -> tuple[int, int]:
    """Return (first place, size) of the block that holds a place."""
    start = count = 0
    while True:
        size = _size(scheme.sizes, scheme.size_key, stratum, count)
        if place < start + size:
            return start, size
        start, count = start + size, count + 1


@lru_cache(maxsize=4096)
def _size(sizes: tuple[int, ...], key: bytes, stratum: bytes, count: int) -> int:
    """Return the size of a stratum's block; each draw of the stratum asks for all before its own."""
    chosen = digest("salus/v1/trial-block", key, stratum, count.to_bytes(8, "big"))
    return sizes[int.from_bytes(chosen, "big") % len(sizes)]


def replay(
    scheme: Scheme, draws: Mapping[bytes, Sequence[bytes]], arms: Mapping[bytes, Sequence[int]]
) -> tuple[tuple[bytes, int], ...]:
    """Return the (stratum, place) of every allocation that the signatures of its draws do not give.

    `draws` and `arms` hold, by stratum, verified signatures and recorded arms in order of place. After a wrong arm the
    replay goes on from what the draws give, so that one altered arm names one place. Raises DrawRefused for a scheme
    that is none, and for strata whose counts differ.
    """
    check_scheme(scheme)
    if draws.keys() != arms.keys() or any(len(draws[stratum]) != len(arms[stratum]) for stratum in draws):
        raise DrawRefused("there are not as many draws as allocations")
    wrong = []
    for stratum in sorted(draws):
        given: list[int] = []
        for signature in draws[stratum]:
            given.append(next_arm(scheme, stratum, given, number(signature)))
        recorded = arms[stratum]
        wrong += [(stratum, place) for place, arm in enumerate(given) if arm != recorded[place]]
    return tuple(wrong)
