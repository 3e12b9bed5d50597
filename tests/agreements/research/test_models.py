"""Added sums give the pooled fit of statsmodels; the masks hide and vanish; the gate holds against brute force."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.research import accounting, gate, masks, models

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import statsmodels.api as sm
    from statsmodels.duration.hazard_regression import PHReg

QUERY = bytes(16)


SETS = range(200)
ROWS = 24  # of each custodian: small sets are quick, and rounding tells in them as in large ones


def drawn(seed, custodians=8, rows=ROWS, width=4):
    rng = np.random.default_rng(seed)
    sites = []
    for _ in range(custodians):
        x = np.column_stack([np.ones(rows), rng.uniform(-1, 1, (rows, width - 1))])
        eta = x @ np.linspace(-0.5, 0.8, width)
        y = (rng.uniform(size=rows) < 1 / (1 + np.exp(-eta))).astype(float)
        time = np.minimum(np.ceil(rng.exponential(np.exp(-eta)) * 3), 5)  # few whole numbers: many ties
        event = (rng.uniform(size=rows) < 0.7).astype(float)
        sites.append({"x": x, "y": y, "z": eta + rng.normal(size=rows), "time": time, "event": event})
    return sites


def stacked(sites, name):
    return np.concatenate([site[name] for site in sites])


def seeds(count):
    names = [f"hospital-{n}" for n in range(count)]
    shared = {frozenset(pair): bytes([i]) * 32 for i, pair in enumerate(itertools.combinations(names, 2))}
    return names, {a: {b: shared[frozenset((a, b))] for b in names if b != a} for a in names}


def secure(parts, width, attempt=1):
    """The added sums as they come through masked vectors."""
    names, known = seeds(len(parts))
    turn = itertools.count()

    def at(beta):
        now = next(turn)
        vectors = []
        for name, part in zip(names, parts, strict=True):
            found = part(beta)
            flat = np.concatenate([found.gradient, found.information.ravel(), [found.likelihood]])
            vector = masks.fixed(flat)
            vectors.append(masks.masked(name, known[name], vector, query=QUERY, attempt=attempt, turn=now))
        total = masks.numbers(masks.added(vectors))
        return models.Sums(total[:width], total[width:-1].reshape(width, width), float(total[-1]))

    return at


def fitted(model, sites, width):
    """The fit of eight custodians, and that of six: two drop out after the second turn, and the rest begin anew."""
    parts = [model(site) for site in sites]
    running = secure(parts, width)
    path = models.path(width)
    beta = next(path)
    for _ in range(2):
        beta = path.send(running(beta))
    yield sites, models.newton(secure(parts, width), width)
    yield sites[:6], models.newton(secure(parts[:6], width, attempt=2), width)


def test_least_squares_and_logistic_through_masks_are_the_pooled_fits():
    for seed in SETS:
        for sites, fit in fitted(lambda site: models.logistic(site["x"], site["y"]), drawn(seed), 4):
            known = sm.Logit(stacked(sites, "y"), stacked(sites, "x"))
            known = known.fit(disp=0, tol=1e-14, maxiter=100, method="newton")
            assert np.max(np.abs(fit.coefficients - known.params)) < 1e-9, seed
            assert np.max(np.abs(fit.covariance - known.cov_params())) < 1e-9, seed
            assert fit.likelihood == pytest.approx(known.llf, abs=1e-8), seed
            sums = [models.linear(site["x"], site["z"]) for site in sites]
            least = models.solve_linear(*(sum(part[1:], part[0]) for part in zip(*sums, strict=True)))
            known = sm.OLS(stacked(sites, "z"), stacked(sites, "x")).fit()
            assert np.max(np.abs(least.coefficients - known.params)) < 1e-9, seed
            assert np.max(np.abs(least.covariance - known.cov_params())) < 1e-9, seed


@pytest.mark.parametrize("seeds", [SETS[:30], pytest.param(SETS[30:], marks=pytest.mark.soak)])
def test_cox_with_ties_and_strata_through_masks_is_the_pooled_fit(seeds):
    for seed in seeds:
        for sites, fit in fitted(lambda s: models.cox(s["x"][:, 1:], s["time"], s["event"]), drawn(seed), 3):
            strata = np.repeat(np.arange(len(sites)), ROWS)
            times, x = stacked(sites, "time"), stacked(sites, "x")[:, 1:]
            known = PHReg(times, x, status=stacked(sites, "event"), strata=strata, ties="efron")
            covariance = np.linalg.inv(-known.hessian(fit.coefficients))
            assert np.max(np.abs(covariance - fit.covariance)) < 1e-9, seed
            assert fit.likelihood == pytest.approx(known.loglike(fit.coefficients), abs=1e-8), seed
            step = covariance @ known.score(fit.coefficients)  # the next of the pooled model, from our estimate
            assert np.max(np.abs(step)) < 1e-9, seed


def test_what_has_no_estimate_is_refused():
    x = np.column_stack([np.ones(40), np.linspace(-1, 1, 40)])
    zeros = np.zeros(40)
    twice = np.column_stack([x, x[:, 1]])
    for design, outcome in ((x, (x[:, 1] > 0) * 1.0), (twice, (x[:, 1] ** 2 > 0.3) * 1.0)):
        with pytest.raises(models.NoFit):
            models.newton(models.logistic(design, outcome), design.shape[1])
    with pytest.raises(models.NoFit):
        models.newton(models.cox(x[:, 1:], x[:, 1], zeros), 1)
    with pytest.raises(models.NoFit):
        models.solve_linear(*models.linear(x[:2], zeros[:2]))
    with pytest.raises(models.NoFit):
        models.newton(models.logistic(np.full((40, 1), np.nan), zeros), 1)


def test_a_proper_subset_of_custodians_shows_uniform_words():
    """The same vectors under other seeds: each bit of a subset's sum is set in half of the trials."""
    vector = masks.fixed(np.zeros(64))
    names, _ = seeds(4)
    sums = []
    for trial in range(200):
        known = {
            n: {p: b"".join(sorted((n.encode(), p.encode()))) + bytes([trial]) for p in names if p != n} for n in names
        }
        sent = [masks.masked(n, known[n], vector, query=QUERY, attempt=1, turn=0) for n in names]
        assert not np.any(masks.added(sent))
        sums.append(masks.added(sent[:3]))
    bits = np.unpackbits(np.array(sums).view(np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / math.sqrt(len(bits))


@pytest.mark.parametrize(
    "values", [np.array([np.nan]), np.array([1e300]), np.array([]), np.zeros((2, 2)), np.zeros(masks.MAX_LENGTH + 1)]
)
def test_a_hostile_vector_is_refused(values):
    with pytest.raises(masks.MalformedVector):
        masks.fixed(values)


def test_vectors_of_different_lengths_and_a_seed_with_oneself_are_refused():
    one = masks.fixed(np.zeros(2))
    with pytest.raises(masks.MalformedVector):
        masks.added([one, masks.fixed(np.zeros(3))])
    with pytest.raises(masks.MalformedVector):
        masks.masked("a", {"a": b""}, one, query=QUERY, attempt=1, turn=0)


def test_streams_differ_by_everything_they_are_bound_to():
    told = [
        (b"s", QUERY, 1, 0),
        (b"t", QUERY, 1, 0),
        (b"s", bytes([1]) * 16, 1, 0),
        (b"s", QUERY, 2, 0),
        (b"s", QUERY, 1, 1),
    ]
    assert len({masks.stream(*each, 4).tobytes() for each in told}) == 5


# -- the gate ---------------------------------------------------------------------------------------------------


def supports(columns):
    """The sizes of the smallest nonzero combinations, by brute force: which persons can all be zeroed."""
    n = len(columns)
    rank = np.linalg.matrix_rank(columns)
    for size in range(1, n + 1):
        for kept in itertools.combinations(range(n), size):
            rest = [row for row in range(n) if row not in kept]
            if not rest or np.linalg.matrix_rank(columns[rest]) < rank:
                return size
    return n


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 12), st.integers(1, 3), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_no_released_combination_rests_on_fewer_than_k(n, width, k, seed):
    columns = np.random.default_rng(seed).integers(0, 2, (n, width)).astype(float)
    verdict = gate.check(columns[:, :0], columns, k)
    if verdict.passes and np.any(columns):
        assert supports(columns) >= k


ONES = np.ones((40, 1))


def hot(*rows):
    column = np.zeros((40, 1))
    column[list(rows)] = 1
    return column


@pytest.mark.parametrize(
    ("earlier", "new"),
    [
        (ONES[:, :0], hot(3)),  # one-hot column (dsBase 250)
        (ONES, hot(*range(4))),  # concentration
        (ONES, 1 - hot(7)),  # leave one out (dsBase 251), and growth by one
        (np.column_stack([hot(*range(20)), hot(*range(20, 40))]), hot(*range(21))),  # tracker over cohorts
        (ONES, 1000 * hot(5) + ONES),  # outlier
    ],
)
def test_known_attacks_are_withheld(earlier, new):
    assert not gate.check(earlier, new, 5).passes
    assert gate.check(ONES, hot(*range(20)), 5).passes


def test_too_many_models_are_withheld():
    rng = np.random.default_rng(1)
    columns = ONES
    answers = []
    for _ in range(12):
        new = rng.integers(0, 2, (40, 1)).astype(float)
        verdict = gate.check(columns, new, 5)
        answers.append(verdict.passes)
        columns = np.column_stack([columns, new]) if verdict.passes else columns
    assert answers[0]
    assert not answers[-1]


def test_the_two_ways_to_a_leverage_agree():
    columns = np.random.default_rng(2).normal(size=(60, 5))
    columns = np.column_stack([columns, columns[:, 0], np.zeros(60)])
    hat = columns @ np.linalg.pinv(columns)
    assert np.allclose(gate.leverages(columns), np.diag(hat))
    assert np.allclose(gate.leverages(columns[:12]), np.diag(columns[:12] @ np.linalg.pinv(columns[:12])))
    assert not gate.check(np.zeros((0, 1)), np.zeros((0, 1)), 5).passes
    assert np.all(gate.leverages(np.zeros((3, 2))) == 0)


def test_the_columns_released_hold_every_product():
    found = gate.released(np.array([[1.0, 2.0]]), np.array([3.0]))
    assert sorted(found[0]) == sorted([1, 2, 3, 1, 2, 3, 4, 6, 9])


# -- accounting -------------------------------------------------------------------------------------------------


def gaussian_delta(eps, rho):
    """Balle and Wang 2018: δ of one Gaussian release, a lower bound for any account of it."""
    sigma = math.sqrt(1 / (2 * rho))
    phi = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731
    return phi(1 / (2 * sigma) - eps * sigma) - math.exp(eps) * phi(-1 / (2 * sigma) - eps * sigma)


@pytest.mark.parametrize("micro", [10_000, 100_000, 1_000_000])
def test_epsilon_is_never_below_the_exact_one_and_close(micro):
    found = accounting.epsilon(micro, 1e-6)
    assert gaussian_delta(found, micro / 1e6) <= 1e-6
    assert gaussian_delta(found / 1.35, micro / 1e6) > 1e-6


def test_epsilon_of_nothing_is_nothing():
    assert accounting.epsilon(0, 1e-6) == 0
    with pytest.raises(ValueError, match="between"):
        accounting.epsilon(5, 0)


def test_an_interval_reaches_two_standard_deviations():
    assert accounting.interval(100, 2500) == (2, 198)
