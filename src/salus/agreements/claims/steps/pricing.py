"""Step 10: the allowed amount. Contract rate, relative values, percent, per diem or case; cuts; lesser of charge."""

from salus.agreements.claims.prices import case_rate, line_price, rate_for
from salus.agreements.claims.rates import Rate, Rates
from salus.agreements.claims.rounding import allocate, share
from salus.agreements.claims.work import LineWork, Work
from salus.interop.x12.money import dollars

NAME = "pricing"


def apply(work: Work) -> None:
    """Set what is allowed on each line and take off what is above."""
    rates = work.rates if work.facts.provider == "contracted" else None
    if rates is None:
        for line in work.going():
            allowed = share(line.line.charge, work.plan.out_of_network, work.plan.rounding.percent)
            _allow(work, line, allowed, "PR-45", (work.plan.out_of_network_clause, "part of the charge, no contract"))
        return
    case = case_rate(rates, work.claim)
    if case is not None:
        _case(work, rates, case)
        return
    priced: list[tuple[LineWork, Rate, int]] = []
    for line in work.going():
        rate = rate_for(rates, work.claim, line.line)
        if rate is None:
            work.pend(NAME, f"no rate for line {line.line.number}", line)
        else:
            priced.append((line, rate, _modified(work, line, line_price(rate, rates, work.plan.rounding, line.line))))
    for line, rate, price in _multiple(work, priced):
        allowed = min(price, line.line.charge) if rates.lesser_of else price
        rule = f"{rate.method} rate" + (", charge is less" if allowed < price else "")
        _allow(work, line, allowed, "CO-45", (rate.clause, rule))


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
    """Allow no more than is open; a price above the charge (no lesser-of) cannot be written in an 835 line."""
    clause, rule = why
    line.allowed = min(allowed, line.open)
    if line.open > line.allowed:
        work.take(NAME, line, code, line.open - line.allowed, (clause, f"{rule}: {dollars(line.allowed)} allowed"))
    else:
        work.note(NAME, line, f"{rule}: {dollars(line.allowed)} allowed", clause)
