"""A trend as inline SVG: one line of values over time. The table beside it says the same in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from salus.node.records.measures import Point

WIDTH: Final = 600
HEIGHT: Final = 160
EDGE: Final = 12


@dataclass(frozen=True, slots=True)
class Trend:
    """What the picture draws, in units of its view box, and what its axes say."""

    width: int
    height: int
    line: str
    """Points of the polyline."""
    dots: tuple[tuple[int, int], ...]
    low: str
    high: str
    first: str
    """ISO date."""
    last: str


def trend(points: Sequence[Point]) -> Trend | None:
    """Return the trend of values that are numbers with a date, or None when there are fewer than two of them."""
    found = sorted(pair for point in points if (pair := _pair(point)) is not None)
    if len(found) < 2:
        return None
    days, values = [day for day, _ in found], [value for _, value in found]
    wide, tall = max(days) - min(days) or 1, max(values) - min(values) or Decimal(1)
    dots = tuple(
        (
            EDGE + (day - min(days)) * (WIDTH - 2 * EDGE) // wide,
            HEIGHT - EDGE - int((value - min(values)) * (HEIGHT - 2 * EDGE) / tall),
        )
        for day, value in found
    )
    return Trend(
        WIDTH,
        HEIGHT,
        " ".join(f"{x},{y}" for x, y in dots),
        dots,
        str(min(values)),
        str(max(values)),
        date.fromordinal(min(days)).isoformat(),
        date.fromordinal(max(days)).isoformat(),
    )


def _pair(point: Point) -> tuple[int, Decimal] | None:
    try:
        value = Decimal(point.value)
    except InvalidOperation:
        return None
    if not point.date or not value.is_finite():
        return None
    return date.fromisoformat(point.date).toordinal(), value
