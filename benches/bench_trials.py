"""Trials: a protocol compiled, against `json.loads` of it; a draw and the audit of draws, against their curve operations.

The protocol is the tests' small one, so that the bench needs no file from elsewhere.
"""

import hashlib
import itertools
import json
import time

from salus.agreements.threshold import combine, hash_to_g1, verify
from salus.agreements.trials import acts as signed_acts
from salus.agreements.trials.acts import read
from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.draws import BigStick, draw_message, next_arm, number, replay
from salus.interop.cdisc.usdm import read_usdm
from salus.vault.threshold import accept, deal, sign
from tests.agreements.trials import sample
from tests.interop.cdisc.protocols import protocol, written

DRAWS = 100
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
    audited = _seconds(lambda: replay(scheme, {b"s": signatures}, {b"s": arms}), 2)
    hashed = _seconds(lambda: [hash_to_g1(draw_message(b"t", b"p", b"s", n, b"e")) for n in range(AUDITED)], 2)
    acts = _chain(200)
    under = sample.under()
    judged = _seconds(lambda: _anew(lambda: conduct(acts, under)), 3)
    verified = _seconds(lambda: _anew(lambda: [read(one.signed) for one in acts]), 3)
    return [
        _figure("an act judged / its bytes and signature checked", judged / len(acts), verified / len(acts), 3),
        _figure("protocol compiled / json.loads", compiled, loaded, 200),
        _figure("draw / verifying its three partials", _seconds(draw, 2) / DRAWS, _seconds(curve, 2) / DRAWS, 2),
        _figure("allocations replayed / hashing their messages", audited / AUDITED, hashed / AUDITED, 2),
    ]


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
