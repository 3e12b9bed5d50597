"""Analysis of covariance: a linear model by least squares, over one row of each subject.

    response = constant + treatment + further factors + covariates

Treatment is a factor, or, for a dose response, one number for each group. A comparison is the difference of two groups' least
squares means: at equal factors and covariates the difference of their coefficients, with Student's t on the residual degrees
of freedom. What the data does not determine (an empty group, a factor that is the treatment again) is not estimated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
_SLACK: Final = 1e-8  # of a combination of coefficients that the data determines


@dataclass(frozen=True, slots=True)
class Observed:
    """One subject."""

    response: float
    group: int
    """Number of its treatment, from 0."""
    factors: tuple[str, ...]
    covariates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A combination of coefficients; not a number where the data does not determine it."""

    value: float
    error: float
    """Standard error."""
    lower: float
    upper: float
    """Bounds of the 95 % confidence interval."""
    p: float


NOT_ESTIMABLE: Final = Estimate(math.nan, math.nan, math.nan, math.nan, math.nan)


class Model:
    """A fitted model. Column 0 is the constant; then the treatment's columns, factors, covariates."""

    def __init__(self, rows: Sequence[Observed], groups: int, doses: Sequence[float] = ()) -> None:
        """Fit it: with `doses`, a number for each group, the treatment is one column, else one less than groups."""
        import numpy as np  # noqa: PLC0415 -- the extra may not be installed

        self._treated = 1 if doses else groups - 1
        levels = [sorted({row.factors[at] for row in rows}) for at in range(len(rows[0].factors) if rows else 0)]
        design = np.array([_columns(row, groups, doses, levels) for row in rows], dtype=float)
        if not rows:
            self._inverse, self._beta, self._variance = np.zeros((0, 0)), np.zeros(0), math.nan
            self._treated = self.freedom = 0
            return
        response = np.array([row.response for row in rows])
        self._inverse = np.linalg.pinv(design)
        self._projection = self._inverse @ design
        self._beta = self._inverse @ response
        self.freedom = len(rows) - int(np.linalg.matrix_rank(design))
        rest = response - design @ self._beta
        self._variance = math.fsum(each * each for each in rest.tolist()) / self.freedom if self.freedom else math.nan

    def difference(self, group: int, against: int) -> Estimate:
        """Return the difference of two groups' least squares means."""
        weights = [0.0] * len(self._beta)
        for place, sign in ((group, 1.0), (against, -1.0)):
            if place and self._treated >= place:
                weights[place] += sign
        return self._estimate(weights)

    def slope(self) -> Estimate:
        """Return the change of the response for one unit of the dose."""
        return self._estimate([float(place == 1) for place in range(len(self._beta))])

    def treatment(self) -> float:
        """Return the p-value of the treatment as a whole, other terms in the model (type III)."""
        import numpy as np  # noqa: PLC0415 -- the extra may not be installed
        from scipy.special import fdtrc  # type: ignore[import-untyped] # noqa: PLC0415 -- likewise

        if not self.freedom or not self._treated:
            return math.nan
        chosen = np.zeros((self._treated, len(self._beta)))
        chosen[:, 1 : self._treated + 1] = np.eye(self._treated)
        if not self._determined(chosen):
            return math.nan
        half = chosen @ self._inverse
        told = chosen @ self._beta
        if not self._variance:
            return math.nan
        explained = float(told @ np.linalg.solve(half @ half.T, told)) / self._treated
        return float(fdtrc(self._treated, self.freedom, explained / self._variance))

    def _determined(self, chosen: "NDArray[Any]") -> bool:
        return bool(abs(chosen @ self._projection - chosen).max() < _SLACK)

    def _estimate(self, weights: Sequence[float]) -> Estimate:
        import numpy as np  # noqa: PLC0415 -- the extra may not be installed
        from scipy.special import stdtr, stdtrit  # noqa: PLC0415 -- likewise

        chosen = np.array(weights)
        if not self.freedom or not any(weights) or not self._determined(chosen):
            return NOT_ESTIMABLE
        value = float(chosen @ self._beta)
        half = chosen @ self._inverse
        error = math.sqrt(self._variance * float(half @ half))
        if not error:
            return NOT_ESTIMABLE
        most = float(stdtrit(self.freedom, (1 + CONFIDENCE) / 2)) * error
        p = 2 * float(stdtr(self.freedom, -abs(value) / error))
        return Estimate(value, error, value - most, value + most, p)


def _columns(row: Observed, groups: int, doses: Sequence[float], levels: Sequence[Sequence[str]]) -> list[float]:
    """Return a row of the design: constant, treatment against its first group, factors against their first level."""
    treated = [doses[row.group]] if doses else [float(row.group == each) for each in range(1, groups)]
    factors = [float(told == each) for told, known in zip(row.factors, levels, strict=True) for each in known[1:]]
    return [1.0, *treated, *factors, *row.covariates]
