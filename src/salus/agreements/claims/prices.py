"""The agreed price of a line or a claim, before cuts and lesser-of."""

from collections.abc import Iterable, Iterator

from salus.agreements.claims.categories import place_of
from salus.agreements.claims.decision import SchedulePrices
from salus.agreements.claims.plan import Plan, Rounding, ScheduleReference
from salus.agreements.claims.rates import Locality, Rate, Rates
from salus.agreements.claims.rounding import Mode, divide, share
from salus.core.errors import InvariantBroken
from salus.interop.x12.calendar import day_number
from salus.interop.x12.claim import Claim, Line


def relative_value(rate: Rate, place: Locality, mode: Mode) -> int:
    """Return (work x index + practice x index + malpractice x index) x factor in cents, rounded once at the end.

    Relative values are in hundredths, indices in thousandths, the factor in ten-thousandths of a dollar.
    """
    total = rate.work * place.work + rate.practice * place.practice + rate.malpractice * place.malpractice
    return divide(total * place.factor, 10**7, mode)


def fitting(rates: Iterable[Rate], claim: Claim, line: Line) -> Iterator[Rate]:
    """Yield the rates that fit a line, the first decides; case rates fit claims, not lines."""
    for rate in rates:
        fits = (
            rate.method != "case"
            and rate.since <= line.first <= rate.until
            and (not rate.procedure or rate.procedure == line.procedure)
            and (not rate.modifier or rate.modifier in line.modifiers)
            and (not rate.revenue or line.revenue.startswith(rate.revenue))
            and (bool(rate.procedure) or bool(rate.revenue) or rate.method in {"percent", "per-diem", "schedule"})
        )
        if fits and (rate.method != "per-diem" or claim.kind == "I"):
            yield rate


def schedule_price(
    plan: Plan, schedules: Iterable[SchedulePrices], claim: Claim, line: Line, name: str = ""
) -> tuple[ScheduleReference, Rate, int] | None:
    """Return a line's price in cents by the plan's fee schedules, with schedule and rate, None where none has one.

    Asked are those of a name; without one, those that price what no rate is agreed for.
    """
    parts = {one.digest: one for one in schedules}
    for reference in plan.fee_schedules:
        asked = reference.name == name if name else reference.percent
        here = not reference.places or place_of(claim, line) in reference.places
        if asked and here and reference.since <= line.first <= reference.until and reference.digest in parts:
            part = parts[reference.digest]
            for rate in fitting(part.rates, claim, line):
                return reference, rate, line_price(rate, part.locality, plan.rounding, line)
    return None


def case_rate(rates: Rates, claim: Claim) -> Rate | None:
    """Return the price of a whole claim by its group as billed, None where the contract has none."""
    day = claim.admitted or claim.first
    for rate in rates.rates:
        if rate.method == "case" and rate.drg == claim.drg and claim.drg and rate.since <= day <= rate.until:
            return rate
    return None


def line_price(rate: Rate, locality: Locality | None, rounding: Rounding, line: Line) -> int:
    """Return the price of a line in cents."""
    if rate.method == "percent":
        return share(line.charge, rate.percent, rounding.percent)
    if rate.method == "per-diem":
        days = max(1, day_number(line.last) - day_number(line.first))
        return rate.amount * days
    if rate.method == "relative-value":
        if locality is None:
            raise InvariantBroken("a relative-value rate without locality passed the check of rates")
        one = relative_value(rate, locality, rounding.price)
    else:
        one = rate.amount
    return divide(one * line.units, 1000, rounding.price)
