# ruff: noqa: INP001 -- a script, not a package
"""Write what independent programs say, for tests to hold Salus's figures to: `python tools/oracles.py WHICH > FILE`.

lifelines and dp-accounting bring some 200 MB of libraries that nothing else here uses, so the tests keep their figures.
Each in a place of its own: `pip install --target DIR lifelines==0.30.3`, then `PYTHONPATH=DIR python tools/oracles.py cox`.
"""

import json
import math
import sys
from importlib.metadata import version
from typing import Any, Final

import numpy as np

SETS, CUSTODIANS, ROWS, WIDTH = 6, 4, 20, 3
RHOS: Final = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
DELTAS: Final = (1e-5, 1e-6, 1e-9)


def cox() -> dict[str, Any]:
    """Return data sets with ties and strata, and lifelines' stratified fits, run until a step changes nothing (its default stops at 1e-5)."""
    from lifelines import CoxPHFitter  # noqa: PLC0415 -- only where it was installed
    from pandas import DataFrame  # noqa: PLC0415

    sets = []
    for seed in range(SETS):
        rng = np.random.default_rng(seed)
        rows = CUSTODIANS * ROWS
        design = np.round(rng.uniform(-1, 1, (rows, WIDTH)), 3)
        time = np.ceil(rng.exponential(np.exp(-design @ np.linspace(-0.5, 0.8, WIDTH))) * 5)
        event = rng.uniform(size=rows) < 0.7
        names = [f"x{place}" for place in range(WIDTH)]
        data = DataFrame(design, columns=names).assign(time=time, event=event, site=np.repeat(range(CUSTODIANS), ROWS))
        fit = CoxPHFitter().fit(
            data, "time", "event", strata=["site"], fit_options={"precision": 1e-20, "r_precision": 1e-20}
        )
        sets.append(
            {
                "design": design.tolist(),
                "time": time.astype(int).tolist(),
                "event": event.astype(int).tolist(),
                "coefficients": fit.params_.tolist(),
                "covariance": fit.variance_matrix_.to_numpy().tolist(),
                "likelihood": float(fit.log_likelihood_),
            }
        )
    return {"made_by": f"lifelines {version('lifelines')}", "custodians": CUSTODIANS, "sets": sets}


def privacy() -> dict[str, Any]:
    """Return epsilon of Gaussian noise by privacy loss distributions: of one answer, and of many discrete ones."""
    from dp_accounting.pld import privacy_loss_distribution as pld  # noqa: PLC0415 -- only where it was installed

    one = [
        [rho, delta, pld.from_gaussian_mechanism(math.sqrt(0.5 / rho)).get_epsilon_for_delta(delta)]
        for rho in RHOS
        for delta in DELTAS
    ]
    many = []
    for variance, questions in ((100, 2), (100, 50), (25, 10), (4, 8)):
        answers = pld.from_discrete_gaussian_mechanism(math.sqrt(variance)).self_compose(questions)
        many += [[variance, questions, delta, answers.get_epsilon_for_delta(delta)] for delta in DELTAS]
    return {"made_by": f"dp-accounting {version('dp-accounting')}", "one": one, "many": many}


if __name__ == "__main__":
    json.dump({"cox": cox, "privacy": privacy}[sys.argv[1]](), sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")
