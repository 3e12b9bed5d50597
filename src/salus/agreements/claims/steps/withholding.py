"""Step 14: sequestration, withholds, and interest where the payment is late."""

from salus.agreements.claims.interest import interest, late_days
from salus.agreements.claims.rounding import share
from salus.agreements.claims.work import Work
from salus.interop.x12.money import dollars

NAME = "withholding"


def apply(work: Work) -> None:
    """Cut the payments as law and contract say, then reckon interest on the net."""
    for line in work.going():
        for cut in work.plan.sequestration:
            if cut.since <= line.line.first <= cut.until:
                amount = share(line.open, cut.share, work.plan.rounding.withhold)
                work.take(NAME, line, "CO-253", amount, (cut.clause, cut.origin.law))
        if work.rates is not None and work.facts.provider == "contracted":
            amount = share(line.open, work.rates.withhold, work.plan.rounding.withhold)
            work.take(NAME, line, "CO-104", amount, (work.rates.clause, "held back until settlement"))
    clock = work.plan.prompt_pay
    if clock is None or not work.facts.clean:
        return
    net = sum(line.open for line in work.lines)
    work.interest = interest(clock, net, work.facts.received, work.facts.decided, work.plan.rounding.interest)
    if work.interest:
        days = late_days(clock, work.facts.received, work.facts.decided)
        work.note(NAME, None, f"{days} days late: {dollars(work.interest)} interest", clock.clause)
