"""Trials: a protocol compiled, against `json.loads` of it; a draw and the audit of draws, against their curve operations.

The protocol is the tests' small one, so that the bench needs no file from elsewhere.
"""

import hashlib
import itertools
import json
import time

from py_arkworks_bls12381 import G2Point, Scalar

from salus.agreements.threshold import combine, hash_to_g1, verify
from salus.agreements.trials import acts as signed_acts
from salus.agreements.trials.acts import read
from salus.agreements.trials.allocation import Drawn, Kit, Signed, _Shelves, allocate, arm_of, audit
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.draws import BigStick, Place, draw_message, next_arm, number, replay
from salus.interop.cdisc.usdm import read_usdm
from salus.vault.threshold import accept, deal, sign
from tests.agreements.trials import sample
from tests.interop.cdisc.protocols import protocol, written

DRAWS = 100
ALLOCATIONS = 10_000
AUDITED = 2_000


def _entropy():
    counter = itertools.count()
    return lambda size: hashlib.shake_256(next(counter).to_bytes(8, "big")).digest(size)


def _seconds(work, count=5):
    best = None
    for _ in range(count):
        start = time.process_time()
        work()
        spent = time.process_time() - start
        best = spent if best is None else min(best, spent)
    return best


def _anew(work):
    """Work as a process does that has seen no act before: signatures that held are remembered."""
    signed_acts._HELD.clear()  # noqa: SLF001 -- there is no other way to forget
    return work()


def run():
    data = written(protocol())
    compiled = _seconds(lambda: compile_plan(read_usdm(data)), 20)
    loaded = _seconds(lambda: [json.loads(data) for _ in range(20)], 20) / 20
    entropy = _entropy()
    dealings = {dealer: deal(5, 3, entropy) for dealer in range(1, 6)}
    keys = {
        own: accept(own, 5, 3, {dealer: (each.commitments, each.shares[own]) for dealer, each in dealings.items()})
        for own in (1, 2, 3)
    }
    messages = [draw_message(b"t", b"p", b"s", place, b"e") for place in range(DRAWS)]
    partials = [{own: sign(key, each) for own, key in keys.items()} for each in messages]
    scheme = BigStick(3)

    def draw():
        arms = []
        for each, given in zip(messages, partials, strict=True):
            arms.append(next_arm(scheme, b"s", arms, number(combine(each, given, keys[1].publics, 3))))

    def curve():
        for each, given in zip(messages, partials, strict=True):
            for own, partial in given.items():
                verify(keys[1].publics[own], each, partial)

    signatures = [hashlib.shake_256(place.to_bytes(8, "big")).digest(48) for place in range(AUDITED)]
    arms = []
    for signature in signatures:
        arms.append(next_arm(scheme, b"s", arms, number(signature)))
    replayed = _seconds(lambda: replay(scheme, {b"s": signatures}, {b"s": arms}), 2)
    hashed = _seconds(lambda: [hash_to_g1(draw_message(b"t", b"p", b"s", n, b"e")) for n in range(AUDITED)], 2)
    acts = _chain(200)
    under = sample.under()
    judged = _seconds(lambda: _anew(lambda: conduct(acts, under)), 3)
    verified = _seconds(lambda: _anew(lambda: [read(one.signed) for one in acts]), 3)
    return [
        _figure("an act judged / its bytes and signature checked", judged / len(acts), verified / len(acts), 3),
        _figure("protocol compiled / json.loads", compiled, loaded, 200),
        _figure("draw / verifying its three partials", _seconds(draw, 2) / DRAWS, _seconds(curve, 2) / DRAWS, 2),
        _figure("allocations replayed / hashing their messages", replayed / AUDITED, hashed / AUDITED, 2),
        _audited(scheme),
    ]


def _audited(scheme):
    """Audit 10,000 allocations at ten sites: both signatures of each, arm, kit and digest."""
    secret = 0x5EED
    group = (G2Point() * Scalar(secret)).to_compressed_bytes()
    places = [Place(b"t", b"p", bytes((at % 10,)) * 32, at, at.to_bytes(32, "big")) for at in range(ALLOCATIONS)]

    def signed_by(message):
        return (hash_to_g1(message) * Scalar(secret)).to_compressed_bytes()

    kits = {
        f"site-{site}": [Kit(f"{site}-{at:05d}", at % 2) for at in range(ALLOCATIONS // 5 + 200)] for site in range(10)
    }
    shelves, arms, drawn = _Shelves(b"k" * 32, kits), {}, []
    for place in places:
        signed = Signed(signed_by(place.draw), signed_by(place.seal))
        before, site = arms.setdefault(place.stratum, []), f"site-{place.stratum[0]}"
        arm = arm_of(scheme, place.stratum, before, signed)
        before.append(arm)
        kit = shelves.next(site, arm)
        enrolment = place.transaction
        drawn.append(Drawn(enrolment, site, place, signed, allocate(enrolment, signed, arm, kit.number).posted))
    hashed = _seconds(lambda: [hash_to_g1(each) for place in places for each in (place.draw, place.seal)], 1)
    if audit(scheme, group, drawn, kits, b"k" * 32):
        raise RuntimeError("a sound draw is called wrong")
    audited = _seconds(lambda: audit(scheme, group, drawn, kits, b"k" * 32), 1)
    return _figure("10,000 allocations audited / hashing their messages", audited, hashed, 2)


def _chain(count):
    chain = sample.Chain().enrolled()
    chain.add("visit", day=14, visit="week2")
    for _ in range(count - 7):
        chain.add("form", day=14, visit="week2", activity="measure", item__PAIN="6", item__PULSE="71")
    return chain.acts


def _figure(name, value, limit, most):
    return {
        "name": name,
        "value": value * 1e3,
        "unit": "ms",
        "limit": limit * 1e3,
        "ratio": value / limit,
        "budget": f"<= {most} x the limit",
        "met": value <= most * limit,
    }
