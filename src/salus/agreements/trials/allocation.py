"""A dispenser's part of a draw: from partial signatures to arm, kit and the digest that two dispensers post alike.

    draw, seal    the trustees' signatures over `draw_message` and `seal_message` of one enrolment
    arm           `draws.next_arm` by the number that the draw's signature gives, after the stratum's earlier arms
    kit           the site's first unused kit of that arm, kits in order of mac(kit key, site, kit)
    ciphertext    AES-256-GCM(digest("salus/v1/trial-seal", seal signature), nonce = 12 zero bytes,
                  u8 arm | kit padded to 24, associated data = enrolment id)
    posted        digest("salus/v1/trial-allocation", enrolment id, ciphertext)

A seal signature is of one enrolment alone, so its key encrypts one plaintext. All ciphertexts have one length.
Needs the extra `trials`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from salus.agreements.threshold import interpolate, verify, verify_all
from salus.agreements.trials.draws import DrawRefused, Place, Scheme, next_arm, number
from salus.agreements.trustees import ThresholdRefused
from salus.core.encoding import Value
from salus.core.proof.digest import digest, mac

KIT_BYTES: Final = 24
_NONCE: Final = bytes(12)


class Partials(Value, frozen=True):
    """What one trustee signed for one enrolment."""

    draw: bytes
    seal: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """The trustees' two signatures of one enrolment, 48 bytes each."""

    draw: bytes
    seal: bytes


@dataclass(frozen=True, slots=True)
class Kit:
    """One pack of treatment at a site."""

    number: str
    """At most 23 bytes; its order tells no arm."""
    arm: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation as its dispenser knows it."""

    arm: int
    kit: str
    ciphertext: bytes
    posted: bytes
    """The digest that stands on the ledger."""


def combined(
    place: Place, partials: Mapping[int, Partials], shares: Mapping[int, bytes], threshold: int, group: bytes
) -> tuple[Signed, dict[int, str]]:
    """Return both signatures, and the trustees whose partials do not hold, with why.

    The first partials are combined and checked under the group's key: a signature is unique, so that nothing else holds.
    Only if that fails is each partial checked against its public share, and who sent a wrong one is named.
    Raises ThresholdRefused when too few sound ones are left.
    """
    known = {trustee: one for trustee, one in partials.items() if trustee in shares}
    if len(known) < threshold:
        raise ThresholdRefused(f"{len(known)} partial signatures, {threshold} are needed")
    try:
        signed = _of(dict(sorted(known.items())[:threshold]))
        verify(group, place.draw, signed.draw)
        verify(group, place.seal, signed.seal)
    except ThresholdRefused:
        sound, wrong = _sound(place, partials, shares)
        if len(sound) < threshold:
            raise ThresholdRefused(f"{len(sound)} partial signatures hold, {threshold} are needed") from None
        return _of(dict(sorted(sound.items())[:threshold])), wrong
    return signed, {}


def sealed_by(
    place: Place, partials: Mapping[int, bytes], shares: Mapping[int, bytes], threshold: int
) -> tuple[bytes, dict[int, str]]:
    """Return the seal's signature from partials of it alone, or empty if too few hold, and whose do not, with why."""
    sound: dict[int, bytes] = {}
    wrong: dict[int, str] = {}
    for trustee, seal in sorted(partials.items()):
        try:
            if trustee not in shares:
                raise ThresholdRefused("no such trustee", trustee)
            verify(shares[trustee], place.seal, seal, trustee=trustee)
        except ThresholdRefused as refused:
            wrong[trustee] = str(refused)
        else:
            sound[trustee] = seal
    if len(sound) < threshold:
        return b"", wrong
    return interpolate(dict(sorted(sound.items())[:threshold])), wrong


def _of(partials: Mapping[int, Partials]) -> Signed:
    return Signed(
        interpolate({trustee: one.draw for trustee, one in partials.items()}),
        interpolate({trustee: one.seal for trustee, one in partials.items()}),
    )


def _sound(
    place: Place, partials: Mapping[int, Partials], shares: Mapping[int, bytes]
) -> tuple[dict[int, Partials], dict[int, str]]:
    sound: dict[int, Partials] = {}
    wrong: dict[int, str] = {}
    for trustee, one in sorted(partials.items()):
        try:
            if trustee not in shares:
                raise ThresholdRefused("no such trustee", trustee)
            verify(shares[trustee], place.draw, one.draw, trustee=trustee)
            verify(shares[trustee], place.seal, one.seal, trustee=trustee)
        except ThresholdRefused as refused:
            wrong[trustee] = str(refused)
        else:
            sound[trustee] = one
    return sound, wrong


def next_kit(key: bytes, site: str, kits: Iterable[Kit], used: Iterable[str], arm: int) -> Kit:
    """Return a site's next kit of an arm. Raises DrawRefused when none is left: the site must be supplied."""
    taken = set(used)
    left = [kit for kit in kits if kit.arm == arm and kit.number not in taken]
    if not left:
        raise DrawRefused("no kit of the arm drawn is left at the site")
    return min(left, key=lambda kit: _rank(key, site, kit))


def _rank(key: bytes, site: str, kit: Kit) -> bytes:
    return mac(key, "salus/v1/trial-kit", site.encode(), kit.number.encode())


class _Shelves:
    """Kits in the order in which they are given, as `next_kit` gives one after the other."""

    def __init__(self, key: bytes, kits: Mapping[str, Sequence[Kit]]) -> None:
        self._left: dict[tuple[str, int], list[Kit]] = {}
        self._used: dict[str, set[str]] = {site: set() for site in kits}
        for site, each in kits.items():
            for kit in sorted(each, key=lambda kit: _rank(key, site, kit), reverse=True):
                self._left.setdefault((site, kit.arm), []).append(kit)

    def next(self, site: str, arm: int) -> Kit:
        """Take a site's next kit of an arm. Raises DrawRefused when none is left."""
        left = self._left.get((site, arm), [])
        while left:
            kit = left.pop()
            if kit.number not in self._used[site]:
                self._used[site].add(kit.number)
                return kit
        raise DrawRefused("no kit of the arm drawn is left at the site")


def arm_of(scheme: Scheme, stratum: bytes, before: Sequence[int], signed: Signed) -> int:
    """Return the arm that an enrolment draws after the arms `before` of its stratum."""
    return next_arm(scheme, stratum, before, number(signed.draw))


def allocate(enrolment: bytes, signed: Signed, arm: int, kit: str) -> Allocation:
    """Seal an arm and a kit under the seal's signature. Raises DrawRefused for a kit number that is too long."""
    told = kit.encode()
    if len(told) >= KIT_BYTES:
        raise DrawRefused("a kit number has at most 23 bytes")
    plain = bytes((arm,)) + told.ljust(KIT_BYTES, b"\0")
    ciphertext = AESGCM(_seal_key(signed.seal)).encrypt(_NONCE, plain, enrolment)
    return Allocation(arm, kit, ciphertext, posted_digest(enrolment, ciphertext))


def posted_digest(enrolment: bytes, ciphertext: bytes) -> bytes:
    """Return what stands on the ledger of an allocation."""
    return digest("salus/v1/trial-allocation", enrolment, ciphertext)


def open_allocation(enrolment: bytes, ciphertext: bytes, seal: bytes) -> tuple[int, str]:
    """Return (arm, kit) that a seal's signature opens. Raises DrawRefused if it opens nothing."""
    try:
        plain = AESGCM(_seal_key(seal)).decrypt(_NONCE, ciphertext, enrolment)
    except InvalidTag:
        raise DrawRefused("the signature does not open this allocation") from None
    return plain[0], plain[1:].rstrip(b"\0").decode()


def _seal_key(seal: bytes) -> bytes:
    return digest("salus/v1/trial-seal", seal)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One allocation as it is audited after the lock."""

    enrolment: bytes
    site: str
    place: Place
    signed: Signed
    posted: bytes
    """What the ledger holds."""


def audit(
    scheme: Scheme, group_key: bytes, drawn: Sequence[Drawn], kits: Mapping[str, Sequence[Kit]], kit_key: bytes
) -> tuple[tuple[bytes, str], ...]:
    """Return (enrolment id, what is wrong) of every allocation that its signatures do not give.

    `drawn` are in the order of the ledger's log, in which kits are taken. Signatures are checked under the group's key, all at once, and
    one by one where that fails; arms and kits are drawn again, and the digest of what they seal is held against the ledger's.
    """
    unsigned = _unsigned(group_key, drawn)
    wrong: list[tuple[bytes, str]] = []
    arms: dict[bytes, list[int]] = {}
    shelves = _Shelves(kit_key, kits)
    for place, one in enumerate(drawn):
        if place in unsigned:
            wrong.append((one.enrolment, unsigned[place]))
            continue
        before = arms.setdefault(one.place.stratum, [])
        arm = arm_of(scheme, one.place.stratum, before, one.signed)
        before.append(arm)
        kit = shelves.next(one.site, arm)
        if allocate(one.enrolment, one.signed, arm, kit.number).posted != one.posted:
            wrong.append((one.enrolment, "the ledger holds another allocation than the draw gives"))
    return tuple(wrong)


def _unsigned(group_key: bytes, drawn: Sequence[Drawn]) -> dict[int, str]:
    """Return why, by place, of the draws whose signatures do not hold under the group's key."""
    messages = [((one.place.draw, one.signed.draw), (one.place.seal, one.signed.seal)) for one in drawn]
    wrong: dict[int, str] = {}
    try:
        verify_all(group_key, [each for both in messages for each in both])
    except ThresholdRefused:
        for place, both in enumerate(messages):
            try:
                for message, signature in both:
                    verify(group_key, message, signature)
            except ThresholdRefused as refused:
                wrong[place] = str(refused)
    return wrong
