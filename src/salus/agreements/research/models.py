"""Linear, logistic and Cox models by sums: what leaves a custodian adds up to the pooled fit.

Each custodian gives, at a β that all know, a gradient and an information matrix of size p and p²; the sums of these over
custodians are those of the pooled data, so Newton's steps are too. Cox is stratified by custodian with Efron's ties
(Efron 1977): risk sets never cross a custodian, and no event time leaves.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus.agreements.research.errors import NoFit

Matrix: TypeAlias = NDArray[np.float64]
MAX_STEPS: Final = 50  # Newton doubles its digits: a fit that needs more does not exist
SLACK: Final = 1e-9  # relative; the likelihood comes in fixed point and from other machines
TOLERANCE: Final = 1e-11  # largest relative change of a coefficient in the last step
LARGEST: Final = 1e6  # an information whose condition passes 10¹² is collinear at double precision


class Sums(NamedTuple):
    """What one custodian contributes at one β: gradient (p), information (p by p) and log-likelihood."""

    gradient: Matrix
    information: Matrix
    likelihood: float

    def __add__(self, other: object) -> "Sums":
        if not isinstance(other, Sums):
            return NotImplemented
        return Sums(
            self.gradient + other.gradient, self.information + other.information, self.likelihood + other.likelihood
        )


class Fit(NamedTuple):
    """An estimate: coefficients, their covariance, log-likelihood (for OLS the residual sum of squares), steps taken."""

    coefficients: Matrix
    covariance: Matrix
    likelihood: float
    steps: int


Contribution: TypeAlias = Callable[[Matrix], Sums]
"""β → sums of one custodian."""


def linear(design: Matrix, outcome: Matrix) -> tuple[Matrix, Matrix, float, int]:
    """Return X'X, X'y, y'y and n, which determine ordinary least squares."""
    return design.T @ design, design.T @ outcome, float(outcome @ outcome), len(outcome)


def solve_linear(cross: Matrix, moments: Matrix, square: float, count: int) -> Fit:
    """Return ordinary least squares from added sums. Raises NoFit for collinear columns or too few rows."""
    width = len(moments)
    if count <= width:
        raise NoFit(f"{count} rows for {width} columns")
    inverse = _inverse(cross)
    beta = inverse @ moments
    beta = beta + inverse @ (moments - cross @ beta)  # one refinement: the residual of the normal equations
    rest = square - float(beta @ moments)
    return Fit(beta, inverse * (rest / (count - width)), rest, 1)


def least_squares(design: Matrix, outcome: Matrix) -> Contribution:
    """Return the sums of ordinary least squares as those of a Gaussian likelihood of unit variance. Raises NoFit."""
    _finite(design, outcome)
    cross = design.T @ design

    def at(beta: Matrix) -> Sums:
        rest = outcome - design @ beta
        return Sums(design.T @ rest, cross, -0.5 * float(rest @ rest))

    return at


def logistic(design: Matrix, outcome: Matrix) -> Contribution:
    """Return the sums of a logistic model on outcomes 0 and 1. Raises NoFit for a number that is not finite."""
    _finite(design, outcome)

    def at(beta: Matrix) -> Sums:
        eta = design @ beta
        chance = np.exp(-np.logaddexp(0.0, -eta))
        weight = chance * (1.0 - chance)
        likelihood = float(np.sum(outcome * eta - np.logaddexp(0.0, eta)))
        return Sums(design.T @ (outcome - chance), (design * weight[:, None]).T @ design, likelihood)

    return at


def cox(design: Matrix, time: Matrix, event: Matrix) -> Contribution:
    """Return the sums of a proportional hazards model with Efron's ties, one stratum. Raises NoFit as `logistic`."""
    _finite(design, time, event)
    order = np.argsort(-time, kind="stable")
    x, t, e = design[order], time[order], event[order] != 0
    ends = np.append(np.nonzero(t[1:] != t[:-1])[0] + 1, len(t)) if len(t) else np.empty(0, dtype=np.int64)

    def at(beta: Matrix) -> Sums:
        width = x.shape[1]
        gradient, information, likelihood = np.zeros(width), np.zeros((width, width)), 0.0
        eta = x @ beta
        shift = float(np.max(eta, initial=-1e9))  # cancels in every share; keeps the exponential finite
        risk = np.exp(eta - shift)
        s0, s1, s2, start = 0.0, np.zeros(width), np.zeros((width, width)), 0
        for end in ends:
            rows, weights = x[start:end], risk[start:end]
            s0, s1 = s0 + weights.sum(), s1 + weights @ rows
            s2 = s2 + (rows * weights[:, None]).T @ rows
            died = e[start:end]
            deaths = int(died.sum())
            if deaths:
                tied, tied_weights = rows[died], weights[died]
                d0, d1 = tied_weights.sum(), tied_weights @ tied
                d2 = (tied * tied_weights[:, None]).T @ tied
                gradient = gradient + tied.sum(axis=0)
                likelihood += float((tied @ beta).sum()) - deaths * shift
                shares = np.arange(deaths) / deaths  # of the tied, who has left the risk set before each
                bottoms = s0 - shares * d0
                means = (s1 - np.outer(shares, d1)) / bottoms[:, None]
                gradient = gradient - means.sum(axis=0)
                information = information + s2 * (1 / bottoms).sum() - d2 * (shares / bottoms).sum() - means.T @ means
                likelihood -= float(np.log(bottoms).sum())
            start = int(end)
        return Sums(gradient, information, likelihood)

    return at


def path(width: int) -> Generator[Matrix, Sums, Fit]:
    """Yield each β at which the added sums are wanted, from β = 0; return the fit. Raises NoFit.

    A step that lowers the likelihood is halved. Whoever sends in the same sums walks the same path.
    """
    beta = np.zeros(width)
    here = yield beta
    for step in range(1, MAX_STEPS + 1):
        change = _inverse(here.information) @ here.gradient
        there = yield beta + change
        while not there.likelihood >= here.likelihood - SLACK * max(1.0, abs(here.likelihood)):
            change = change / 2
            if np.max(np.abs(change)) < TOLERANCE:
                raise NoFit("no step raises the likelihood")
            there = yield beta + change
        beta, here = beta + change, there
        if np.max(np.abs(change)) <= TOLERANCE * max(1.0, float(np.max(np.abs(beta)))):
            return Fit(beta, _inverse(here.information), here.likelihood, step)
    raise NoFit("the estimate runs away: a column separates the outcome perfectly")


def newton(total: Contribution, width: int) -> Fit:
    """Fit with the added sums at each β. Raises NoFit."""
    steps = path(width)
    beta = next(steps)
    while True:
        try:
            beta = steps.send(total(beta))
        except StopIteration as end:
            fit: Fit = end.value
            return fit


def pooled(parts: Sequence[Contribution]) -> Contribution:
    """Return the added sums of several custodians."""

    def at(beta: Matrix) -> Sums:
        total = parts[0](beta)
        for part in parts[1:]:
            total = total + part(beta)
        return total

    return at


def _finite(*arrays: Matrix) -> None:
    if not all(np.all(np.isfinite(array)) for array in arrays):
        raise NoFit("a number is not finite")


def _inverse(matrix: Matrix) -> Matrix:
    """Invert a symmetric positive matrix, scaled to a unit diagonal first. Raises NoFit if it is not one."""
    diagonal = np.diag(matrix)
    if not np.all(np.isfinite(matrix)) or np.any(diagonal <= 0):
        raise NoFit("a column is empty, or there is no event")
    scale = 1.0 / np.sqrt(diagonal)
    scaled = matrix * np.outer(scale, scale)
    values = np.linalg.eigvalsh(scaled)
    if values[0] * LARGEST**2 < values[-1]:
        raise NoFit("columns are collinear, or one separates the outcome perfectly")
    inverse: Matrix = np.linalg.inv(scaled) * np.outer(scale, scale)
    return (inverse + inverse.T) / 2
