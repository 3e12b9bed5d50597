"""The gate judges what a step's sums speak of: its columns add up to the sums, and no combination rests on few."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.research import gate, models, noisy, scaling
from salus.agreements.research.document import read

RNG = np.random.default_rng(7)


def rows(count, width=3, seed=1):
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(count), rng.uniform(-1, 1, (count, width - 1))])
    return design, (rng.uniform(size=count) < 0.5).astype(float), rng.integers(1, 5, count).astype(float)


def flat(sums):
    upper = np.triu_indices(len(sums.gradient))
    return np.concatenate([sums.gradient, sums.information[upper], [sums.likelihood]])


@pytest.mark.parametrize("seed", range(5))
def test_the_columns_of_a_logistic_step_span_its_sums(seed):
    design, outcome, _ = rows(60, seed=seed)
    beta = np.array([0.3, -0.7, 0.4])
    columns = np.column_stack([gate.released(design, outcome), gate.stepped(design, beta)])
    known = columns.sum(axis=0)
    sums = flat(models.logistic(design, outcome)(beta))
    design_outcome = design.T @ outcome
    step = gate.stepped(design, beta).sum(axis=0)
    told = np.concatenate([design_outcome - step[:3], step[3:9], [design_outcome @ beta - step[9]]])
    assert np.allclose(sums, told, atol=1e-9)
    assert len(known) == columns.shape[1]


@pytest.mark.parametrize("seed", range(5))
def test_the_columns_of_a_cox_step_add_up_to_its_sums(seed):
    design, event, time = rows(60, seed=seed)
    beta = np.array([0.2, 0.5])
    columns, fewest = gate.hazards(design[:, 1:], time, event, beta)
    sums = flat(models.cox(design[:, 1:], time, event)(beta))
    assert np.allclose(columns.sum(axis=0), sums, atol=1e-9)
    assert fewest == min(int((time >= at).sum()) for at in time[event != 0])


def one_death_after_another(design, time, event, beta):
    """The columns of a Cox step, death by death: what each person at risk adds, and who died beside them in part."""
    risk = np.exp(design @ beta)
    left, right = np.triu_indices(design.shape[1])
    gradient, information, likelihood = (
        np.zeros(design.shape),
        np.zeros((len(design), len(left))),
        np.zeros(len(design)),
    )
    for at in np.unique(time[event != 0]):
        died = (time == at) & (event != 0)
        for place in range(died.sum()):
            weight = np.where(time >= at, risk, 0.0) * np.where(died, 1 - place / died.sum(), 1.0)
            away = design - weight @ design / weight.sum()
            information += (weight / weight.sum())[:, None] * away[:, left] * away[:, right]
            gradient[died] += away[died] / died.sum()
            likelihood[died] += np.log(risk[died] / weight.sum()) / died.sum()
    return np.column_stack([gradient, information, likelihood])


def test_the_columns_of_a_cox_step_are_those_of_its_deaths_one_by_one():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        count, width = rng.integers(1, 30), rng.integers(1, 4)
        design, beta = rng.uniform(-1, 1, (count, width)), 2 * rng.normal(size=width)
        time = rng.integers(1, 7, count).astype(float)
        event = (rng.uniform(size=count) < rng.choice([0.0, 0.4, 1.0])).astype(float)
        columns, _ = gate.hazards(design, time, event, beta)
        assert np.allclose(columns, one_death_after_another(design, time, event, beta), rtol=0, atol=1e-12), seed


def test_a_base_grown_step_by_step_judges_as_all_columns_at_once():
    design, outcome, _ = rows(80)
    base, seen = np.zeros((80, 0)), []
    for beta in (np.zeros(3), np.array([0.3, -0.7, 0.4]), np.array([-0.9, 0.5, 1.4])):
        columns = np.column_stack([gate.released(design, outcome), gate.stepped(design, beta)])
        base = gate.extended(base, columns)
        seen.append(columns)
        together = gate.check(np.column_stack(seen), columns[:, :0], 10)
        assert gate.judge(base, 10).largest >= together.largest - 1e-6  # weak directions are kept sooner


def test_steps_speak_of_more_than_the_design_alone():
    """Without the weights the gate would pass what the weights of two steps tell of one person."""
    count = 400
    design = np.column_stack([np.ones(count), RNG.choice([-1.0, 0.0, 1.0], count)])
    design[0, 1] = 0.5  # one person with a value of its own
    outcome = (RNG.uniform(size=count) < 0.5).astype(float)
    plain = gate.extended(np.zeros((count, 0)), gate.released(design, outcome)[:, :2])
    assert gate.judge(plain, 10).passes
    base = plain
    for slope in (0.5, 1.0, 2.0):
        base = gate.extended(base, gate.stepped(design, np.array([0.1, slope])))
    assert gate.judge(base, 10).largest == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 12))
def test_by_brute_force_no_combination_of_what_passed_rests_on_fewer_than_k(seed, count):
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(count), rng.integers(0, 2, count)]).astype(float)
    outcome = rng.integers(0, 2, count).astype(float)
    base = np.zeros((count, 0))
    for beta in (np.zeros(2), rng.normal(size=2)):
        base = gate.extended(base, np.column_stack([gate.released(design, outcome), gate.stepped(design, beta)]))
    smallest = 3
    if not gate.judge(base, smallest).passes:
        return
    for _ in range(200):
        combination = base @ rng.normal(size=base.shape[1])
        share = combination**2 / (combination @ combination)
        assert share.max() <= 1 / smallest + 1e-6
    # the combination that leans most on one person is the projection of that person onto the base
    for person in range(count):
        combination = base @ base[person]
        if combination @ combination > 1e-12:
            assert np.count_nonzero(np.abs(combination) > 1e-9) >= smallest


def document(statistic, **bounds):
    view = {
        "resourceType": "ViewDefinition",
        "name": "v",
        "resource": "Patient",
        "status": "active",
        "select": [{"column": [{"name": "patient", "path": "getResourceKey()"}]}],
    }
    columns = [
        {"kind": "reduce", "name": name, "view": "v", "by": "max", "column": "c", "bounds": list(each)}
        for name, each in bounds.items()
    ]
    return read(
        json.dumps(
            {"format": 1, "title": "t", "persons": "v", "views": [view], "columns": columns, "statistic": statistic}
        ).encode()
    )


def test_an_estimate_on_the_common_scale_comes_back_in_the_documents_units():
    query = document({"kind": "ols", "outcome": "y", "on": ["a", "b"]}, a=(10, 30), b=(-5, 0), y=(0, 200))
    model = scaling.model_of(query)
    terms = scaling.terms(query, model)
    rng = np.random.default_rng(3)
    plain = np.column_stack([np.ones(50), rng.uniform(10, 30, 50), rng.uniform(-5, 0, 50)])
    outcome = plain @ np.array([40.0, 2.0, -3.0]) + rng.normal(size=50)
    design = scaling.scaled(plain, terms)
    assert np.max(np.abs(design)) <= 1
    centre, half = scaling.outcome_scale(query, model)
    fit = models.newton(models.least_squares(design, (outcome - centre) / half), 3)
    spread = -2 * fit.likelihood / 47
    coefficients, covariance = scaling.restored(fit, terms, (centre, half), spread)
    direct = models.solve_linear(*models.linear(plain, outcome))
    assert np.allclose(coefficients, direct.coefficients, atol=1e-9)
    assert np.allclose(covariance, direct.covariance, atol=1e-9)


def test_sensitivity_is_that_of_one_person():
    count = document({"kind": "count"}, a=(0, 1))
    mean = document({"kind": "mean", "of": "a"}, a=(0, 1))
    assert (noisy.sensitivity(count), noisy.sensitivity(mean)) == (1, 2_000_000)
    assert noisy.figures_of(mean) == 2
    (line,) = noisy.lines(mean, (3000, 1500), variance=1, custodians=1, smallest=3)
    assert (line["count"], line["mean"]) == (3, 0.75)
