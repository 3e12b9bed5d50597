"""A model's columns on one scale: every number within its declared bounds becomes one of [-1, 1], and estimates come back.

Custodians and analyst read terms, middles and halves from the document alone, so all scale alike. Levels are 0 and 1 already.
"""

from typing import NamedTuple, TypeAlias

import numpy as np

from salus.agreements.research.document import Cox, Linear, Logistic, Query
from salus.agreements.research.models import Fit, Matrix
from salus.agreements.research.noisy import declared, middle

Model: TypeAlias = Linear | Logistic | Cox
CONSTANT = "constant"


class Term(NamedTuple):
    """One column of a design: its name, and the middle and half that scale it."""

    name: str
    middle: float
    half: float


def model_of(query: Query) -> Model | None:
    """Return the model that a query asks for, or None."""
    return query.statistic if isinstance(query.statistic, Linear | Logistic | Cox) else None


def terms(query: Query, model: Model) -> list[Term]:
    """Return the columns of a model's design in their order: of levels one for each but the first."""
    found = [] if isinstance(model, Cox) else [Term(CONSTANT, 0.0, 1.0)]
    for name in model.on:
        column = declared(query, name)
        if column.levels is None:
            found.append(Term(name, *middle(column.bounds or (-1.0, 1.0))))
        else:
            found += [Term(f"{name}={level}", 0.0, 1.0) for level in column.levels[1:]]
    return found


def scaled(design: Matrix, columns: list[Term]) -> Matrix:
    """Return a design on the common scale."""
    result: Matrix = (design - np.array([one.middle for one in columns])) / np.array([one.half for one in columns])
    return result


def outcome_scale(query: Query, model: Model) -> tuple[float, float]:
    """Return middle and half of the outcome; of levels and times 0 and 1."""
    if isinstance(model, Linear):
        return middle(declared(query, model.outcome).bounds or (-1.0, 1.0))
    return 0.0, 1.0


def restored(fit: Fit, columns: list[Term], outcome: tuple[float, float], spread: float = 1.0) -> tuple[Matrix, Matrix]:
    """Return coefficients and covariance in the document's units. `spread` multiplies the covariance (OLS: RSS/(n-p))."""
    centre, half = outcome
    back = np.diag([1.0 / one.half for one in columns])
    if columns and columns[0].name == CONSTANT:
        back[0] = [1.0, *(-one.middle / one.half for one in columns[1:])]
    coefficients: Matrix = half * (back @ fit.coefficients)
    if columns and columns[0].name == CONSTANT:
        coefficients[0] += centre
    covariance: Matrix = (half * half * spread) * (back @ fit.covariance @ back.T)
    return coefficients, covariance
