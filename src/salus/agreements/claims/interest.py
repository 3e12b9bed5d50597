"""Interest on late payments: Medicare Claims Processing Manual ch. 1 s. 80.2.2; a plan's own rates work alike.

Due `due_days` after receipt; from the day after until the day of payment; payment x rate x days / 365, also in leap
years, with the rate in force on the day of payment.
"""

from salus.agreements.claims.plan import PromptPay
from salus.agreements.claims.rounding import Mode, divide
from salus.interop.x12.calendar import day_number

_YEAR = 365


def late_days(clock: PromptPay, received: str, paid_on: str) -> int:
    """Return how many days a payment is late, 0 in time."""
    return max(0, day_number(paid_on) - day_number(received) - clock.due_days)


def interest(clock: PromptPay, net: int, received: str, paid_on: str, mode: Mode) -> int:
    """Return the interest on a net payment in cents."""
    days = late_days(clock, received, paid_on)
    rate = max((part for part in clock.rates if part.since <= paid_on), key=lambda part: part.since, default=None)
    if rate is None or net <= 0:
        return 0
    return divide(net * rate.rate * days, 100_000 * _YEAR, mode)
