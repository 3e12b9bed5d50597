"""The noisy way: which whole numbers leave a custodian, how far one person moves them, and what is made of their sum.

Neighbouring data sets differ by one person added or left out (unbounded differential privacy). A person stands in one cell
of a table, so Δ² = 1. A mean sends two numbers on one grid of 1/1000 of half the declared range: the count, and the sum of
distances from the middle; each moves by at most 1000, so Δ² = 2,000,000. What is computed afterwards costs nothing.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Final, TypeAlias

from salus.agreements.research.document import (
    Count,
    Declared,
    Histogram,
    Mean,
    Query,
    Survival,
    Tabulate,
)

GRID: Final = 1000
Z95: Final = 1.959964
Line: TypeAlias = dict[str, str | int | float | None]


def is_noisy(query: Query) -> bool:
    """Tell whether a statistic leaves with noise; the others leave as exact sums."""
    return isinstance(query.statistic, Count | Tabulate | Histogram | Survival | Mean)


def sensitivity(query: Query) -> int:
    """Return Δ² of the numbers that leave."""
    return 2 * GRID * GRID if isinstance(query.statistic, Mean) else 1


def keys(query: Query) -> tuple[str, ...]:
    """Return the columns whose levels make the cells."""
    statistic = query.statistic
    if isinstance(statistic, Tabulate):
        return statistic.by
    if isinstance(statistic, Histogram):
        return (statistic.of,)
    if isinstance(statistic, Survival):
        return (statistic.time, statistic.event)
    return ()


def cells(query: Query) -> list[dict[str, str]]:
    """Return the cells in the order in which their figures stand: every combination of declared levels."""
    declared = {column.name: column for column in query.columns}
    names = keys(query)
    levels = [declared[name].levels or () for name in names]
    return [dict(zip(names, each, strict=True)) for each in itertools.product(*levels)]


def figures_of(query: Query) -> int:
    """Return how many numbers leave a custodian."""
    return 2 if isinstance(query.statistic, Mean) else len(cells(query))


def lines(query: Query, total: Sequence[int], *, variance: int, custodians: int, smallest: int) -> list[Line]:
    """Return what is shown of the summed answers: figures, 95 % intervals of the noise, cells below `smallest` masked.

    `variance` is σ² of one custodian's noise; the noises of `custodians` add up.
    """
    reach = Z95 * math.sqrt(variance * custodians)
    statistic = query.statistic
    if isinstance(statistic, Mean):
        return [_mean(query, statistic, total, reach)]
    shown: list[Line] = []
    for cell, value in zip(cells(query), total, strict=True):
        masked = value < smallest
        told: Line = {**cell, "count": None if masked else value, "low": None, "high": None}
        if not masked:
            told |= {"low": max(0, math.floor(value - reach)), "high": math.ceil(value + reach)}
        shown.append(told | {"masked": f"fewer than {smallest}" if masked else ""})
    if isinstance(statistic, Histogram):
        return shown + _quantiles(query, statistic, total)
    if isinstance(statistic, Survival):
        return _survival(query, statistic, total)
    return shown


def declared(query: Query, name: str) -> Declared:
    """Return a column's declaration."""
    return next(column for column in query.columns if column.name == name)


def middle(bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the middle of declared bounds and half their distance."""
    return (bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2


def _mean(query: Query, statistic: Mean, total: Sequence[int], reach: float) -> Line:
    centre, half = middle(declared(query, statistic.of).bounds or (0.0, 1.0))
    count, moved = total[0] / GRID, total[1] / GRID
    mean = centre + half * moved / count if count > 0 else None
    return {"count": round(count), "mean": mean, "count_within": reach / GRID, "sum": centre * count + half * moved}


def _quantiles(query: Query, statistic: Histogram, total: Sequence[int]) -> list[Line]:
    levels = declared(query, statistic.of).levels or ()
    counts = [max(0, value) for value in total]
    whole = sum(counts)
    found: list[Line] = []
    for part in (0.25, 0.5, 0.75):
        reached = list(itertools.accumulate(counts))
        level = next((name for name, sum_ in zip(levels, reached, strict=True) if whole and sum_ >= part * whole), None)
        found.append({"quantile": part, statistic.of: level})
    return found


def _survival(query: Query, statistic: Survival, total: Sequence[int]) -> list[Line]:
    """Return the Kaplan-Meier estimate over the declared intervals; noise below zero counts as zero."""
    levels = declared(query, statistic.time).levels or ()
    stayed, died = total[0::2], total[1::2]
    at_risk, survival = sum(max(0, value) for value in total), 1.0
    found: list[Line] = []
    for level, left, deaths in zip(levels, stayed, died, strict=True):
        if at_risk > 0:
            survival *= 1 - min(1.0, max(0, deaths) / at_risk)
        found.append({statistic.time: level, "at_risk": at_risk, "survival": survival})
        at_risk = max(0, at_risk - max(0, left) - max(0, deaths))
    return found
