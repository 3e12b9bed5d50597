"""The leverage gate: no combination of exact sums rests on fewer than k persons.

Let the columns of M be every column whose sums were ever released exactly from one member's patients in the period, with
the new ones. Whoever knows the sums knows c'(M'1) for every c. A combination z = Mc rests on person i by z_i²/Σz² of its
weight, and the largest such share over all c is i's leverage, the diagonal of the projection onto M's columns. If none
exceeds 1/k, no combination gives anybody more than 1/k of its weight, so none is carried by fewer than k persons.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salus.agreements.research.models import Matrix

NEGLIGIBLE: Final = 1e-10  # a direction this much weaker than the strongest is rounding, not a column
SLACK: Final = 1e-9  # a leverage of exactly 1/k passes


class Verdict(NamedTuple):
    """The checker's answer. Neither field is for the analyst, who hears *withheld* and nothing else."""

    passes: bool
    largest: float


def released(design: Matrix, outcome: Matrix) -> Matrix:
    """Return the columns that an exact model's sums speak of: the design, the outcome, and all products of two of them."""
    columns = np.column_stack([design, outcome])
    left, right = np.triu_indices(columns.shape[1])
    return np.column_stack([columns, columns[:, left] * columns[:, right]])


def stepped(design: Matrix, beta: Matrix) -> Matrix:
    """Return the columns that one Newton step of a logistic model adds: means, weights and the log-likelihood at β.

    The sums of a step are X'(y - mu), X'WX and the log-likelihood, where mu and w are functions of a person's own row: each
    is a sum over persons of these columns and those of `released`.
    """
    eta = design @ beta
    chance = np.exp(-np.logaddexp(0.0, -eta))
    left, right = np.triu_indices(design.shape[1])
    weight = (chance * (1.0 - chance))[:, None]
    return np.column_stack(
        [design * chance[:, None], design[:, left] * design[:, right] * weight, np.logaddexp(0.0, eta)]
    )


def hazards(design: Matrix, time: Matrix, event: Matrix, beta: Matrix) -> tuple[Matrix, int]:
    """Return the columns whose sums are those of one step of a Cox model, and the fewest persons at risk at an event.

    A person's share of the gradient is the row less the mean of those at risk, at the own event; of the information, the
    weighted square of that distance over all events before the own end. How far one person moves the means of those at
    risk is bounded by how many they are.
    """
    order = np.argsort(-time, kind="stable")
    x, t, e = design[order], time[order], event[order] != 0
    eta = x @ beta
    eta = eta - float(np.max(eta, initial=-1e9))  # keeps the exponential finite, and cancels in every share
    risk = np.exp(eta)
    ends = np.append(np.nonzero(t[1:] != t[:-1])[0] + 1, len(t)) if len(t) else np.empty(0, dtype=np.int64)
    slots: list[_Slot] = []  # from the last to the first
    first = np.zeros(len(x), dtype=np.int64)  # the latest slot that each person was at risk in
    gradient, likelihood = np.zeros(x.shape), np.zeros(len(x))
    s0, s1, start, fewest = 0.0, np.zeros(x.shape[1]), 0, len(x)
    for end in ends:
        rows, died = slice(start, end), start + np.nonzero(e[start:end])[0]
        s0, s1 = s0 + risk[rows].sum(), s1 + risk[rows] @ x[rows]
        first[rows] = len(slots)
        if len(died):
            slot = _slot(s0, s1, risk[died], x[died])
            slots.append(slot)
            gradient[died] = x[died] - slot.mean
            likelihood[died] = eta[died] - slot.log
            fewest = min(fewest, int(end))
        start = int(end)
    columns = np.column_stack([gradient, _distances(slots, x, first, e) * risk[:, None], likelihood])
    return columns[np.argsort(order, kind="stable")], fewest


class _Slot(NamedTuple):
    """A time at which persons died one after the other, by Efron, with sums and means over these places."""

    mean: Matrix
    """Mean of the means of those at risk."""
    log: float
    """Mean of the logarithms of the risk's sum."""
    whole: Matrix
    """Sums of 1, means and products of means, each over the risk's sum: what a person at risk in all places rests on."""
    tied: Matrix
    """The same of who died here, and counts less from place to place."""


def _slot(s0: float, s1: Matrix, risk: Matrix, died: Matrix) -> _Slot:
    shares = np.arange(len(risk)) / len(risk)
    bottoms = s0 - shares * risk.sum()
    means = (s1 - np.outer(shares, risk @ died)) / bottoms[:, None]
    left, right = np.triu_indices(died.shape[1])
    terms = np.column_stack([np.ones(len(shares)), means, means[:, left] * means[:, right]]) / bottoms[:, None]
    return _Slot(means.mean(axis=0), float(np.log(bottoms).mean()), terms.sum(axis=0), (1.0 - shares) @ terms)


def _distances(slots: list[_Slot], x: Matrix, first: NDArray[np.int64], died: NDArray[np.bool_]) -> Matrix:
    """Return products of each person's distances to the means of those at risk, over the risk's sums, up to the own end.

    `first` is the latest slot that a person was at risk in; who died there was in part of it.
    """
    width = x.shape[1]
    left, right = np.triu_indices(width)
    nothing = np.zeros((1, 1 + width + len(left)))
    upto = np.vstack([np.cumsum([one.whole for one in slots[::-1]], axis=0)[::-1], nothing]) if slots else nothing
    tied = np.vstack([*(one.tied for one in slots), nothing])
    sums = np.where(died[:, None], tied[first] + upto[np.minimum(first + 1, len(slots))], upto[first])
    one, mean, square = sums[:, :1], sums[:, 1 : 1 + width], sums[:, 1 + width :]
    crossed = x[:, left] * mean[:, right] + mean[:, left] * x[:, right]
    distances: Matrix = one * x[:, left] * x[:, right] - crossed + square
    return distances


def leverages(columns: Matrix) -> Matrix:
    """Return each person's leverage in the space of the columns, 0 to 1; collinear and empty columns add nothing."""
    if len(columns) <= 4 * columns.shape[1]:
        norms = np.linalg.norm(columns, axis=0)
        kept = columns[:, norms > 0] / norms[norms > 0]
        left, strengths, _ = np.linalg.svd(kept, full_matrices=False)
        base: Matrix = left[:, strengths > NEGLIGIBLE * strengths[:1].max(initial=0.0)]
    else:  # the same directions from the small cross product, without a copy of the columns
        cross = columns.T @ columns
        norms = np.sqrt(np.diag(cross))
        full = norms > 0
        values, vectors = np.linalg.eigh(cross[np.ix_(full, full)] / np.outer(norms[full], norms[full]))
        strong = values > NEGLIGIBLE * values[-1:].max(initial=0.0)
        weights = np.zeros((columns.shape[1], int(strong.sum())))
        weights[full] = vectors[:, strong] / np.sqrt(values[strong]) / norms[full][:, None]
        base = columns @ weights
    found: Matrix = np.einsum("ij,ij->i", base, base)
    return found


def extended(base: Matrix, new: Matrix) -> Matrix:
    """Return an orthonormal base of what earlier columns (orthonormal themselves) and new ones span, over the same rows.

    Its rows' squared lengths are the leverages; what new columns add to it is only what the earlier ones do not span.
    """
    norms = np.linalg.norm(new, axis=0)
    rest = new[:, norms > 0] / norms[norms > 0]
    for _ in range(2):  # once more, because the first projection leaves rounding behind
        rest = rest - base @ (base.T @ rest)
    left, strengths, _ = np.linalg.svd(rest, full_matrices=False)
    return np.column_stack([base, left[:, strengths > NEGLIGIBLE]])


def judge(base: Matrix, smallest: int) -> Verdict:
    """Decide whether what an orthonormal base spans may have left: no row's leverage exceeds 1/k."""
    largest = float(np.max(np.einsum("ij,ij->i", base, base), initial=0.0))
    return Verdict(bool(len(base)) and largest <= 1.0 / smallest + SLACK, largest)


def check(earlier: Matrix, new: Matrix, smallest: int) -> Verdict:
    """Decide whether the new columns may leave after the earlier ones: both n rows, over the same n persons.

    A person who joined since stands in the earlier columns with zeros, and so does one who has left in the new.
    """
    largest = float(np.max(leverages(np.column_stack([earlier, new])), initial=0.0))
    return Verdict(bool(len(new)) and largest <= 1.0 / smallest + SLACK, largest)
