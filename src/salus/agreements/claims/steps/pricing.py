"""Step 10: the allowed amount. Contract rate, fee schedule, relative values, percent, per diem or case; cuts; lesser of charge."""

import msgspec

from salus.agreements.claims.prices import case_rate, fitting, line_price, schedule_price
from salus.agreements.claims.rates import Rate, Rates
from salus.agreements.claims.rounding import allocate, share
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.money import amount, dollars

NAME = "pricing"


def apply(work: Work) -> None:
    """Set what is allowed on each line and take off what is above."""
    rates = work.rates if work.facts.provider == "contracted" else None
    if rates is None:
        _outside(work)
        return
    case = case_rate(rates, work.claim)
    if case is not None:
        _case(work, rates, case)
        return
    priced: list[tuple[LineWork, Rate, int]] = []
    for line in work.going():
        found = _agreed(work, rates, line)
        if found is None:
            work.pend(NAME, f"no rate for line {line.line.number}", line)
        else:
            rate, price = found
            priced.append((line, rate, _modified(work, line, price)))
    for line, rate, price in _multiple(work, priced):
        allowed = min(price, line.line.charge) if rates.lesser_of else price
        named = f"{amount(rate.percent)} % of {rate.schedule}" if rate.method == "schedule" else f"{rate.method} rate"
        rule = named + (", charge is less" if allowed < price else "")
        _allow(work, line, allowed, "CO-45", (rate.clause, rule))


def _agreed(work: Work, rates: Rates, line: LineWork) -> tuple[Rate, int] | None:
    """Return the first rate that fits a line, and its price; one by a schedule fits where the schedule has a price."""
    for rate in fitting(rates.rates, work.claim, line.line):
        if rate.method != "schedule":
            return rate, line_price(rate, rates.locality, work.plan.rounding, line.line)
        found = schedule_price(work.plan, work.facts.schedules, work.claim, line.line, rate.schedule)
        if found is not None:
            _, listed, price = found
            part = share(price, rate.percent, work.plan.rounding.percent)
            return msgspec.structs.replace(rate, multiple=rate.multiple or listed.multiple), part
    return None


def _outside(work: Work) -> None:
    """Allow, without a contract, the plan's part of a fee schedule's price; of the charge where no schedule has one."""
    plan = work.plan
    priced: list[tuple[LineWork, Rate, int]] = []
    for line in work.going():
        found = schedule_price(plan, work.facts.schedules, work.claim, line.line)
        if found is None:
            allowed = min(share(line.line.charge, plan.out_of_network, plan.rounding.percent), line.line.charge)
            _allow(work, line, allowed, "PR-45", (plan.out_of_network_clause, "part of the charge, no contract"))
            continue
        schedule, rate, price = found
        part = share(price, schedule.percent, plan.rounding.percent)
        told = msgspec.structs.replace(rate, schedule=schedule.title, percent=schedule.percent)
        priced.append((line, told, _modified(work, line, part)))
    for line, rate, price in _multiple(work, priced):
        rule = f"{amount(rate.percent)} % of {rate.schedule}, no contract"
        rule += ", charge is less" if line.line.charge < price else ""
        _allow(work, line, min(price, line.line.charge), "PR-45", (rate.clause, rule))


def _case(work: Work, rates: Rates, case: Rate) -> None:
    lines = work.going()
    charge = sum(line.line.charge for line in lines)
    price = min(case.amount, charge) if rates.lesser_of else case.amount
    parts = allocate(price, tuple(line.line.charge for line in lines)) if lines else ()
    for line, part in zip(lines, parts, strict=True):
        _allow(work, line, part, "CO-45", (case.clause, f"case rate of group {case.drg}, spread over charges"))


def _modified(work: Work, line: LineWork, price: int) -> int:
    for modifier in line.line.modifiers:
        part = work.plan.cuts.modifiers.get(modifier)
        if part is not None:
            price = share(price, part, work.plan.rounding.cuts)
    return price


def _multiple(work: Work, priced: list[tuple[LineWork, Rate, int]]) -> list[tuple[LineWork, Rate, int]]:
    """Cut the second and further procedures of a day, dearest first; equal prices keep the claim's order."""
    parts = work.plan.cuts.multiple
    if not parts:
        return priced
    result: dict[int, int] = {}
    for day in dict.fromkeys(line.line.first for line, _, _ in priced):
        group = [entry for entry in priced if entry[1].multiple and entry[0].line.first == day]
        for rank, (line, _, price) in enumerate(sorted(group, key=lambda entry: -entry[2])):
            part = parts[min(rank, len(parts) - 1)]
            result[line.line.number] = share(price, part, work.plan.rounding.cuts)
    return [(line, rate, result.get(line.line.number, price)) for line, rate, price in priced]


def _allow(work: Work, line: LineWork, allowed: int, code: str, why: tuple[str, str]) -> None:
    """Take off what is above the allowed amount; a price above the charge, where no lesser-of is agreed, adds to it."""
    clause, rule = why
    line.allowed = allowed
    told = (clause, f"{rule}: {dollars(allowed)} allowed")
    if line.open > allowed:
        work.take(NAME, line, code, line.open - allowed, told)
    elif line.open < allowed:
        work.add(NAME, line, "CO-94", allowed - line.open, told)
    else:
        work.note(NAME, line, told[1], clause)
