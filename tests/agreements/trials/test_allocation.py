"""Two dispensers post one digest, a seal opens its own allocation alone, and an altered allocation is named."""

import dataclasses
import hashlib

import pytest

from salus.agreements.trials.allocation import (
    Drawn,
    Kit,
    Partials,
    Signed,
    _Shelves,
    allocate,
    arm_of,
    audit,
    combined,
    next_kit,
    open_allocation,
)
from salus.agreements.trials.draws import Blocks, DrawRefused, Place, stratum_tag
from salus.agreements.trustees import ThresholdRefused
from salus.vault.threshold import accept, deal, sign

SCHEME = Blocks((1, 1), (4, 6), bytes(32))
KITS = [Kit(f"K-{number:03d}", number % 2) for number in range(20)]
KEY = b"k" * 32


def entropy(seed):
    count = iter(range(1 << 20))
    return lambda size: hashlib.shake_256(f"{seed}-{next(count)}".encode()).digest(size)


DEALT = {dealer: deal(5, 3, entropy(dealer)) for dealer in range(1, 6)}
TRUSTEES = {
    number: accept(number, 5, 3, {dealer: (one.commitments, one.shares[number]) for dealer, one in DEALT.items()})
    for number in range(1, 6)
}
SHARES = TRUSTEES[1].publics


def place(number, stratum=b"s" * 32):
    return Place(b"t" * 16, b"p" * 32, stratum, number, hashlib.sha256(bytes((number,))).digest())


def partials(at, *trustees):
    return {each: Partials(sign(TRUSTEES[each], at.draw), sign(TRUSTEES[each], at.seal)) for each in trustees}


def signed(number):
    at = place(number)
    return combined(at, partials(at, 1, 2, 3), SHARES, 3, TRUSTEES[1].group)[0]


def test_any_three_of_five_give_the_same_signatures():
    at = place(0)
    found = {
        combined(at, partials(at, *trustees), SHARES, 3, TRUSTEES[1].group)[0]
        for trustees in ((1, 2, 3), (2, 4, 5), (1, 3, 4, 5))
    }
    assert len(found) == 1
    with pytest.raises(ThresholdRefused):
        combined(at, partials(at, 1, 5), SHARES, 3, TRUSTEES[1].group)


def test_attack_wrong_partials_are_named_and_do_not_stop_the_draw():
    at = place(0)
    given = partials(at, 1, 2, 3, 4)
    given[2] = partials(place(1), 2)[2]
    given[4] = Partials(given[4].seal, given[4].draw)
    given[9] = given[1]
    with pytest.raises(ThresholdRefused):
        combined(at, given, SHARES, 3, TRUSTEES[1].group)
    both, wrong = combined(at, given | partials(at, 5), SHARES, 3, TRUSTEES[1].group)
    assert sorted(wrong) == [2, 4, 9]
    assert both == signed(0)


def test_a_seal_opens_its_own_allocation_and_no_other():
    enrolments = [hashlib.sha256(bytes((number,))).digest() for number in range(2)]
    one, two = (allocate(enrolments[number], signed(number), number, f"K-{number}") for number in range(2))
    assert open_allocation(enrolments[1], two.ciphertext, signed(1).seal) == (1, "K-1")
    for seal, enrolment in (
        (signed(0).seal, enrolments[1]),
        (signed(1).draw, enrolments[1]),
        (signed(1).seal, enrolments[0]),
    ):
        with pytest.raises(DrawRefused):
            open_allocation(enrolment, two.ciphertext, seal)
    assert len(one.ciphertext) == len(two.ciphertext)
    assert one.posted != two.posted
    with pytest.raises(DrawRefused):
        allocate(enrolments[0], signed(0), 0, "K" * 24)


def test_kits_are_taken_in_an_order_that_tells_no_arm_until_none_is_left():
    taken = []
    for _ in range(10):
        taken.append(next_kit(KEY, "north", KITS, taken, 1).number)
    assert len(set(taken)) == 10
    assert taken != sorted(taken)
    with pytest.raises(DrawRefused):
        next_kit(KEY, "north", KITS, taken, 1)
    assert stratum_tag(KEY, "men") != stratum_tag(KEY, "women")


def test_an_audit_takes_kits_as_the_draws_did():
    """Also where a number stands under two arms: it is given once."""
    kits = [*KITS, Kit(KITS[0].number, 1 - KITS[0].arm)]
    shelves, taken = _Shelves(KEY, {"north": kits}), []
    for arm in (0, 1, 1, 0, 1, 0, 0, 1, 0):
        taken.append(next_kit(KEY, "north", kits, taken, arm).number)
        assert shelves.next("north", arm).number == taken[-1]
    with pytest.raises(DrawRefused):
        shelves.next("south", 0)


def drawn():
    arms, used, found = [], [], []
    for number in range(6):
        at, both = place(number), signed(number)
        arm = arm_of(SCHEME, at.stratum, arms, both)
        arms.append(arm)
        kit = next_kit(KEY, "north", KITS, used, arm).number
        used.append(kit)
        enrolment = bytes((number,)) * 32
        found.append(Drawn(enrolment, "north", at, both, allocate(enrolment, both, arm, kit).posted))
    return found


def test_an_altered_or_redrawn_allocation_is_named():
    group, kits = TRUSTEES[1].group, {"north": KITS}
    sound = drawn()
    assert audit(SCHEME, group, sound, kits, KEY) == ()
    altered = [*sound]
    altered[3] = dataclasses.replace(sound[3], posted=bytes(32))
    assert [one for one, _ in audit(SCHEME, group, altered, kits, KEY)] == [sound[3].enrolment]
    redrawn = [*sound[:5], dataclasses.replace(sound[5], signed=Signed(signed(4).draw, sound[5].signed.seal))]
    ((name, told),) = audit(SCHEME, group, redrawn, kits, KEY)
    both = [*redrawn]
    both[1] = dataclasses.replace(redrawn[1], signed=Signed(sound[1].signed.draw, b"\xff" * 48))
    assert sound[1].enrolment in [one for one, _ in audit(SCHEME, group, both, kits, KEY)]
    assert (name, told) == (sound[5].enrolment, "the signature does not verify")
