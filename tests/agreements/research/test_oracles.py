"""Figures of independent programs, kept beside the tests (`tools/oracles.py` makes them): Cox by lifelines, epsilon by PLD."""

import json
from pathlib import Path

import numpy as np
import pytest

from salus.agreements.research import accounting, models
from salus.contracts.research.port import charge

ORACLES = Path(__file__).parent / "oracles"
LIFELINES = json.loads((ORACLES / "cox.json").read_text())
PRIVACY = json.loads((ORACLES / "privacy.json").read_text())


@pytest.mark.parametrize("known", LIFELINES["sets"], ids=range(len(LIFELINES["sets"])))
def test_cox_with_ties_and_strata_is_that_of_lifelines(known):
    design, time, event = (np.array(known[name], dtype=float) for name in ("design", "time", "event"))
    parts = [models.cox(*part) for part in zip(*(np.split(one, LIFELINES["custodians"]) for one in (design, time, event)),
                                               strict=True)]  # fmt: skip
    assert len(np.unique(time)) < len(time) / 2  # many ties
    fit = models.newton(models.pooled(parts), design.shape[1])
    assert np.max(np.abs(fit.coefficients - known["coefficients"])) < 1e-8
    assert np.max(np.abs(fit.covariance - known["covariance"])) < 1e-8
    assert fit.likelihood == pytest.approx(known["likelihood"], abs=1e-8)


@pytest.mark.parametrize(("rho", "delta", "least"), PRIVACY["one"])
def test_epsilon_of_a_charge_is_never_below_the_pld_account_and_close(rho, delta, least):
    assert least <= accounting.epsilon(round(rho * 1e6), delta) <= 1.35 * least


@pytest.mark.parametrize(("variance", "questions", "delta", "least"), PRIVACY["many"])
def test_epsilon_of_many_charges_is_never_below_that_of_the_draws_composed(variance, questions, delta, least):
    assert least <= accounting.epsilon(questions * charge(1, variance), delta) <= 1.35 * least
