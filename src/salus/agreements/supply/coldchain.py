"""Mean kinetic temperature and minutes out of range, in integers (USP <1160>): both, since a short spike hardly moves a mean.

    MKT = (dH / R) / -ln( sum(t_i * exp(-dH / (R * T_i))) / sum(t_i) ),   dH / R = 83.144 / 8.3144e-3 = 10,000.0 K

Decimal arithmetic of fixed precision, correctly rounded, so that every party computes the same millikelvin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

EXACT: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)
ACTIVATION: Final = EXACT.divide(Decimal("83.144"), Decimal("0.0083144"))  # dH / R, kelvin
ZERO_CELSIUS: Final = 273_150  # millikelvin


@dataclass(frozen=True, slots=True)
class Reading:
    """A temperature and how long it held."""

    millikelvin: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Leg:
    """What the ledger is told of a journey."""

    mkt: int
    """Mean kinetic temperature, millikelvin."""
    minutes_out: int
    """Minutes outside the range, rounded up."""


def leg(readings: Sequence[Reading], low: int, high: int) -> Leg:
    """Return the figures of readings against a range in millikelvin, both ends inside.

    Raises ValueError without readings, at or below 0 K, or for a time that does not pass.
    """
    if not readings or any(one.millikelvin <= 0 or one.seconds <= 0 for one in readings):
        raise ValueError("readings above 0 K, each with a time")
    total = sum(one.seconds for one in readings)
    mean = Decimal(0)
    for one in readings:
        exponent = EXACT.divide(EXACT.multiply(ACTIVATION, Decimal(-1000)), Decimal(one.millikelvin))
        mean = EXACT.add(mean, EXACT.multiply(Decimal(one.seconds), EXACT.exp(exponent)))
    kelvin = EXACT.divide(ACTIVATION, EXACT.minus(EXACT.ln(EXACT.divide(mean, Decimal(total)))))
    out = sum(one.seconds for one in readings if not low <= one.millikelvin <= high)
    return Leg(int(EXACT.to_integral_value(EXACT.multiply(kelvin, Decimal(1000)))), -(-out // 60))
