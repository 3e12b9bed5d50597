"""The leverage gate: no combination of exact sums rests on fewer than k persons.

Let the columns of M be every column whose sums were ever released exactly from one member's patients in the period, with
the new ones. Whoever knows the sums knows c'(M'1) for every c. A combination z = Mc rests on person i by z_i²/Σz² of its
weight, and the largest such share over all c is i's leverage, the diagonal of the projection onto M's columns. If none
exceeds 1/k, no combination gives anybody more than 1/k of its weight, so none is carried by fewer than k persons.
"""

from typing import Final, NamedTuple

import numpy as np

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


def check(earlier: Matrix, new: Matrix, smallest: int) -> Verdict:
    """Decide whether the new columns may leave after the earlier ones: both n rows, over the same n persons.

    A person who joined since stands in the earlier columns with zeros, and so does one who has left in the new.
    """
    largest = float(np.max(leverages(np.column_stack([earlier, new])), initial=0.0))
    return Verdict(bool(len(new)) and largest <= 1.0 / smallest + SLACK, largest)
