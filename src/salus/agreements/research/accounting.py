"""From ρ of zero-concentrated differential privacy to the (ε, δ) that people read, and the interval of a noisy figure.

Bun and Steinke 2016 (ρ = Δ²/2σ², additive); Canonne, Kamath and Steinke 2020, proposition 12 (conversion).
"""

import math
from typing import Final

MICRO: Final = 1_000_000


def epsilon(micro_rho: int, delta: float) -> float:
    """Return the least ε found with (ε, δ)-privacy after `micro_rho` micro-ρ. Raises ValueError for δ outside (0, 1)."""
    if not 0 < delta < 1:
        raise ValueError("delta is between 0 and 1")
    if micro_rho <= 0:
        return 0.0
    rho = micro_rho / MICRO

    def bound(log_alpha: float) -> float:
        above = math.exp(log_alpha)  # alpha less 1
        alpha = 1 + above
        return alpha * rho + (-math.log(delta) - math.log(alpha)) / above + math.log(above / alpha)

    low, high = math.log(1e-6), math.log(1e9)
    for _ in range(200):  # the bound has one minimum; each alpha gives a valid ε, the minimum the least
        third = (high - low) / 3
        if bound(low + third) < bound(high - third):
            high -= third
        else:
            low += third
    return max(0.0, bound((low + high) / 2))


def interval(value: int, variance: int) -> tuple[int, int]:
    """Return the whole numbers within which the true figure lies with 95 %, for Gaussian noise of this variance."""
    reach = math.ceil(1.959964 * math.sqrt(variance))
    return value - reach, value + reach
