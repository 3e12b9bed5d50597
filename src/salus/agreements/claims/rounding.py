"""Division to whole cents by named modes. Mode and point of every rounding are data of the plan."""

from typing import Literal

Mode = Literal["half-up", "half-down", "half-even", "down", "up"]
BASIS_POINTS = 10_000
"""Shares are written in basis points: 2000 is 20 %."""


def divide(numerator: int, denominator: int, mode: Mode) -> int:
    """Divide to an integer; half-up and the others act on the absolute value. `denominator` is positive."""
    sign = -1 if numerator < 0 else 1
    quotient, rest = divmod(abs(numerator), denominator)
    twice = 2 * rest
    if mode == "up":
        more = rest > 0
    elif mode == "down":
        more = False
    elif twice == denominator:
        more = mode == "half-up" or (mode == "half-even" and quotient % 2 == 1)
    else:
        more = twice > denominator
    return sign * (quotient + more)


def share(amount: int, basis_points: int, mode: Mode) -> int:
    """Return a share of an amount in cents."""
    return divide(amount * basis_points, BASIS_POINTS, mode)


def allocate(total: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Spread a total over weights by largest remainder: the sum is kept, ties go to the first. Weights are not negative."""
    whole = sum(weights)
    if whole == 0:
        weights, whole = (1,) * len(weights), len(weights)
    sign = -1 if total < 0 else 1
    parts = [divmod(abs(total) * weight, whole) for weight in weights]
    missing = abs(total) - sum(quotient for quotient, _ in parts)
    order = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))
    extra = frozenset(order[:missing])
    return tuple(sign * (quotient + (place in extra)) for place, (quotient, _) in enumerate(parts))
