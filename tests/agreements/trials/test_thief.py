"""A thief with the whole ledger and the keys of all trustees but what the threshold lacks guesses arms like a coin."""

import hashlib
import itertools

import pytest

from salus.agreements.threshold import hash_to_g1, interpolate
from salus.agreements.trials.allocation import Signed, allocate
from salus.agreements.trials.draws import Blocks, draw_message, next_arm, number, seal_message
from salus.agreements.trustees import ORDER, coefficients
from salus.vault.threshold import accept, deal

pytestmark = pytest.mark.unmeasured

py_arkworks = pytest.importorskip("py_arkworks_bls12381")

TRUSTEES, THRESHOLD, PER_STRATUM = 5, 3, 250


def keys():
    counter = itertools.count()
    entropy = lambda size: hashlib.shake_256(b"thief%d" % next(counter)).digest(size)  # noqa: E731
    dealt = {dealer: deal(TRUSTEES, THRESHOLD, entropy) for dealer in range(1, TRUSTEES + 1)}
    return [
        accept(own, TRUSTEES, THRESHOLD, {dealer: (one.commitments, one.shares[own]) for dealer, one in dealt.items()})
        for own in range(1, TRUSTEES + 1)
    ]


def secret_of(chosen):
    """Return what the shares of some trustees interpolate to: the group's secret from the threshold on."""
    factors = coefficients([key.number for key in chosen])
    return sum(int.from_bytes(key.secret, "big") * factor for key, factor in zip(chosen, factors, strict=True)) % ORDER


def signed_by(point, secret):
    return (point * py_arkworks.Scalar(secret)).to_compressed_bytes()


def guesses(draws):
    """Return how many of a number of draws are guessed by what the thief's keys sign."""
    all_keys = keys()
    group, forged = secret_of(all_keys[:THRESHOLD]), secret_of(all_keys[: THRESHOLD - 1])
    assert secret_of(all_keys[2:]) == group != forged
    scheme = Blocks((1, 1), (4, 6, 8), bytes(range(32)))
    right = 0
    for place in range(draws):
        stratum = b"%d" % (place // PER_STRATUM)
        if place % PER_STRATUM == 0:
            before: list[int] = []
            believed: list[int] = []
        enrolment = hashlib.sha256(b"enrolment %d" % place).digest()
        point = hash_to_g1(draw_message(b"t", b"p", stratum, place % PER_STRATUM, enrolment))
        drawn = signed_by(point, group)
        arm = next_arm(scheme, stratum, before, number(drawn))
        before.append(arm)
        guess = next_arm(scheme, stratum, believed, number(signed_by(point, forged)))
        believed.append(guess)
        right += guess == arm
    return right


def test_two_keys_of_five_guess_like_a_coin():
    """2,000 draws: within four deviations of one half. The seeds are fixed, and so is the outcome."""
    assert abs(guesses(2_000) - 1_000) <= 4 * 500**0.5


@pytest.mark.soak
def test_two_keys_of_five_guess_like_a_coin_for_long():
    assert abs(guesses(100_000) - 50_000) < 1_000


def test_any_three_of_five_sign_the_same_bytes_and_two_do_not():
    all_keys = keys()
    point = hash_to_g1(seal_message(b"t", b"p", b"s", 0, b"e"))
    partials = {key.number: signed_by(point, int.from_bytes(key.secret, "big")) for key in all_keys}
    threes = {interpolate({n: partials[n] for n in each}) for each in itertools.combinations(partials, THRESHOLD)}
    twos = {interpolate({n: partials[n] for n in each}) for each in itertools.combinations(partials, THRESHOLD - 1)}
    assert (len(threes), threes & twos) == (1, set())


def test_arms_exchanged_change_nothing_but_what_is_sealed():
    """Of an allocation others see a ciphertext and a digest: of the same length whatever the arm."""
    signed = Signed(bytes(48), bytes(range(48)))
    made = [allocate(b"e" * 32, signed, arm, kit) for arm, kit in ((0, "K-1"), (1, "K-1"), (1, "K-22222"))]
    assert len({len(each.ciphertext) for each in made}) == 1
    assert len({each.posted for each in made}) == 3
