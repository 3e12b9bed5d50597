"""Research: the leverage gate, a logistic model through masks, the root of a population, the noise, the matcher.

Persons are random rows. The pooled fit runs over the same rows in the same process; the hashing floor is one SHA-256 of 65
bytes for each person, what a Merkle tree needs at least.
"""

import hashlib
import itertools
import secrets
import time

import numpy as np

from salus.agreements.research import gate, masks, models
from salus.agreements.research.population import root_of
from salus.agreements.research.rounds import Site
from salus.contracts.research.port import Applicant, Policy, Purpose, match
from salus.node.research.noise import mechanism

PERSONS, CUSTODIANS, WIDTH = 800_000, 8, 10
GATED, EARLIER = 100_000, 200
COUNTED = 20_000


def run():
    return [*_gate(), *_model(), *_population(), *_rates()]


def _spent(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def _best(work, clock=time.process_time):
    best = float("inf")
    for _ in range(3):
        start = clock()
        result = work()
        best = min(best, clock() - start)
    return best, result


def _gate():
    rng = np.random.default_rng(1)
    columns = rng.integers(0, 2, (GATED, EARLIER + 10)).astype(float)
    seconds, verdict = _best(lambda: gate.check(columns[:, :EARLIER], columns[:, EARLIER:], 10), time.perf_counter)
    name = f"research: gate, {EARLIER} earlier columns, {GATED} persons"
    return [_figure(name, seconds, "s", budget="<= 2 s", met=verdict.passes and seconds <= 2)]


def _model():
    rng = np.random.default_rng(2)
    design = np.column_stack([np.ones(PERSONS), rng.uniform(-1, 1, (PERSONS, WIDTH - 1))])
    outcome = (rng.uniform(size=PERSONS) < 1 / (1 + np.exp(-design @ np.linspace(-0.5, 0.5, WIDTH)))).astype(float)
    pooled, fit = _spent(lambda: models.newton(models.logistic(design, outcome), WIDTH))
    parts = np.array_split(np.arange(PERSONS), CUSTODIANS)
    together, found = _spent(lambda: _together([(design[part], outcome[part]) for part in parts]))
    vector = masks.fixed(np.zeros(WIDTH + WIDTH**2 + 1))
    seeds = {f"peer-{n}": bytes([n]) * 32 for n in range(CUSTODIANS - 1)}

    def masking():
        for turn in range(CUSTODIANS * (fit.steps + 1)):
            masks.masked("own", seeds, vector, query=bytes(16), attempt=1, turn=turn)

    masked, _ = _spent(masking)
    exact = bool(np.max(np.abs(found.coefficients - fit.coefficients)) < 1e-9)
    share, ratio = masked / together, together / pooled
    return [
        _figure("research: masking, share of CPU", share, "", budget="<= 0.1", met=share <= 0.1),
        _figure(
            f"research: logistic, {WIDTH} columns, {PERSONS} persons",
            together,
            "s",
            limit=pooled,
            ratio=ratio,
            budget="<= 1.5 x the pooled fit",
            met=exact and ratio <= 1.5,
        ),
    ]


def _together(parts):
    names = [f"hospital-{n}" for n in range(len(parts))]
    shared = {frozenset(pair): secrets.token_bytes(32) for pair in itertools.combinations(names, 2)}
    sites = {
        name: Site(
            name,
            models.logistic(*part),
            WIDTH,
            {peer: shared[frozenset((name, peer))] for peer in names if peer != name},
            query=bytes(16),
            attempt=1,
        )
        for name, part in zip(names, parts, strict=True)
    }
    beta = np.zeros(WIDTH)
    for turn in itertools.count():
        vectors = {name: site.answer(turn, beta) for name, site in sites.items()}
        steps = [site.take(vectors) for site in sites.values()]
        beta = steps[0]
        if sites[names[0]].fit is not None:
            return sites[names[0]].fit
    raise AssertionError


def _population():
    members = {secrets.token_bytes(32): secrets.token_bytes(32) for _ in range(COUNTED)}
    floor, _ = _best(lambda: [hashlib.sha256(path + value + b"\0").digest() for path, value in members.items()])
    made, _ = _best(lambda: root_of(members))
    ratio = made / (2 * floor)
    return [
        _figure(
            f"research: population root, {COUNTED} persons",
            made,
            "s",
            limit=2 * floor,
            ratio=ratio,
            budget="<= 4 x the hashing floor (leaves and as many inner nodes)",
            met=ratio <= 4,
        )
    ]


def _rates():
    draw = mechanism(2500)
    spent, _ = _spent(lambda: [draw(0) for _ in range(1000)])
    who, study = Applicant("university", "DE", bytes(16), True), Purpose((37,), non_profit=True, commercial=False)
    policy = Policy(6, (15, 21, 44, 46))
    matched, _ = _spent(lambda: [match(policy, study, who) for _ in range(10_000)])
    return [
        _figure("research: noisy figures drawn", 1000 / spent, "1/s"),
        _figure("research: studies matched", 10_000 / matched, "1/s"),
    ]


def _figure(name, value, unit, *, limit=None, ratio=None, budget="", met=True):
    return {"name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio, "budget": budget, "met": met}
