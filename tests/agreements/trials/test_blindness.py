"""What those who must not know an arm see of a trial, with the arms exchanged and under a classifier that learns.

A trial is drawn by its threshold signatures, posted to the contract and conducted; all that blinded parties can see is kept.
Exchanging the arms everywhere (the list of kits, the draws) must change nothing of it but the posted digests.
"""

import hashlib
from functools import lru_cache
from random import Random

import numpy as np
import pytest

from salus.agreements.trials.allocation import Kit, Signed, allocate, arm_of, next_kit
from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.draws import Blocks, Place
from salus.agreements.trials.trail import audit_trail
from salus.contracts.trials import port
from salus.core.encoding import encode
from tests.contracts import trials_scene as scene

from .sample import Chain, under
from .test_faults import Ledger
from .test_thief import keys, secret_of, signed_by

threshold = pytest.importorskip("salus.agreements.threshold")
pytest.importorskip("py_arkworks_bls12381")

SEEDS = 50
TRIALS = 1_000
PEOPLE = 6
SCHEME = Blocks((1, 1), (2, 4), bytes(range(32)))
OPENED = Ledger(*scene.OPEN)


@lru_cache(1)
def secret():
    return secret_of(keys()[:3])


@lru_cache(4096)
def signed(place):
    """Return the trustees' two signatures of an enrolment."""
    return Signed(*(signed_by(threshold.hash_to_g1(message), secret()) for message in (place.draw, place.seal)))


def quick(place):
    """Return digests in place of signatures: as little to be foreseen, and a thousandth of the time."""
    return Signed(*(hashlib.shake_256(b"trustees" + message).digest(48) for message in (place.draw, place.seal)))


def trial(seed, *, exchanged=False, people=PEOPLE, sign=signed, leak=""):
    """Run a trial; return (what blinded parties see, [(features of an enrolment, arm)])."""
    random = Random(seed)
    ledger = Ledger()
    ledger.rows, ledger.height, ledger.time = dict(OPENED.rows), OPENED.height, OPENED.time
    numbers = [f"N-{number:03d}" for number in random.sample(range(1000), 6 * people)]
    if leak == "numbers":
        numbers.sort()
    half = 3 * people
    kits = [Kit(number, int(at >= half) ^ exchanged) for at, number in enumerate(numbers)]
    before, used, seen, rows = {}, [], [], []
    for number in range(people):
        author, stratum = f"person {seed} {number}", random.choice((b"\1", b"\2")) * 32
        message = port.Enrol(scene.STUDY, stratum, random.randbytes(32), random.randbytes(32))
        told = ledger.send(message, scene.NORTH, author)
        enrolment = told[:32]
        row = port.enrolment(ledger.state, enrolment)
        place = Place(scene.STUDY, scene.ONE, stratum, row.place, hashlib.sha256(enrolment).digest())
        arm = arm_of(SCHEME, stratum, before.setdefault(stratum, []), sign(place))
        before[stratum].append(arm)
        given = arm ^ exchanged
        kit = next_kit(b"k" * 32, "north", kits, used, given)
        used.append(kit.number)
        made = allocate(enrolment, sign(place), given, kit.number)
        first, second = (scene.FIRST, scene.SECOND) if leak != "order" or given else (scene.SECOND, scene.FIRST)
        posted = [ledger.send(port.Allocate(enrolment, made.posted), by) for by in (first, second)]
        chain = conducted(random, enrolment, kit.number) if sign is signed else None
        public = (encode(message), told, len(made.ciphertext), [each[:33] for each in posted], kit.number, chain)
        seen.append((public, row.place, first))
        rows.append((features(made, numbers, number, row, first), given))
    table = [
        (key, encode(row).replace(getattr(row, "allocation", b"") or b"\0", b"c"))
        for key, row in sorted(ledger.rows.items())
    ]
    return (seen, table), rows


def conducted(random, enrolment, kit):
    """Return what a site's chain tells of a participant: trail, deviations, tasks."""
    chain = Chain()
    chain.acts, chain.time = list(SCREENED.acts), SCREENED.time
    chain.add("randomised", enrolment=enrolment.hex(), kit=kit)
    chain.add("adverse", term=random.choice(("headache", "rash", "nausea")))
    state = conduct(chain.acts, under())
    return audit_trail(chain.acts, under()), tuple(state.deviations), state.tasks


SCREENED = Chain().enrolled()
SCREENED.acts = SCREENED.acts[:4]


def features(made, numbers, number, row, first):
    """Return what a classifier sees of an enrolment."""
    ranked = sorted(numbers)
    digits = [int(digit) for digit in made.kit[2:]]
    bits = [made.posted[at] & 1 for at in range(16)]
    sized = (len(made.ciphertext), number, row.place, row.place % 2, row.stratum[0])
    return [*digits, ranked.index(made.kit) / len(ranked), *bits, *sized, first == scene.FIRST]


def test_exchanged_arms_change_nothing_that_blinded_parties_see():
    """Fifty trials: rows, results, sizes, kits, chains and trails are equal byte for byte but for the digests posted."""
    for seed in range(SEEDS):
        (one, rows), (other, exchanged) = trial(seed), trial(seed, exchanged=True)
        assert one == other
        assert all(a != b for (_, a), (_, b) in zip(rows, exchanged, strict=True))


def test_a_leak_is_seen_by_both():
    """Else neither test could fail: an order of posting or kit numbers that follow the arm."""
    assert trial(1, leak="order")[0] != trial(1, leak="order", exchanged=True)[0]
    for leak in ("order", "numbers"):
        assert auc(60, leak=leak) > 0.9


def auc(trials, **changes):
    """Return how well a classifier that learned from half of the trials ranks the arms of the others (0.5: not at all)."""
    told = [row for seed in range(trials) for row in trial(f"auc {seed}", sign=quick, **changes)[1]]
    points, arms = np.array([each for each, _ in told], float), np.array([arm for _, arm in told], bool)
    points = np.hstack([(points - points.mean(0)) / (points.std(0) + 1e-9), np.ones((len(points), 1))])
    half = len(points) // 2
    learned = np.linalg.lstsq(points[:half], arms[:half] * 2.0 - 1, rcond=None)[0]
    scores, truth = points[half:] @ learned, arms[half:]
    order = scores.argsort().argsort() + 1
    ones = truth.sum()
    return (order[truth].sum() - ones * (ones + 1) / 2) / (ones * (len(truth) - ones))


def test_a_classifier_learns_nothing_of_the_arms():
    """200 trials; the seeds are fixed, and so is the outcome."""
    assert abs(auc(200) - 0.5) < 0.06


@pytest.mark.soak
def test_a_classifier_learns_nothing_from_a_thousand_trials():
    assert auc(TRIALS, people=24) <= 0.52
