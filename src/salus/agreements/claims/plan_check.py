"""What is wrong with a plan or rates document, by JSON pointer: gaps, overlaps, unknown names, impossible amounts."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from salus.agreements.claims.decide import ALWAYS, STEPS
from salus.agreements.claims.plan import Accumulator, Plan
from salus.agreements.claims.rates import FeeSchedule, Locality, Rate, Rates
from salus.interop.npi import npi_valid
from salus.interop.x12.calendar import is_date
from salus.interop.x12.codes import BUILT_IN, PROCEDURE


class PlanFinding(msgspec.Struct, frozen=True):
    """One fault of a document."""

    pointer: str
    """JSON pointer (RFC 6901) of the place."""
    rule: str
    expected: str
    got: str


def check_plan(plan: Plan) -> tuple[PlanFinding, ...]:
    """Return all faults of a plan, in order of the document."""
    return tuple(
        finding
        for part in (
            _period,
            _benefits,
            _categories,
            _limits,
            _accumulators,
            _deliveries,
            _edits,
            _prices,
            _tables,
            _schedules,
            _deadlines,
            _rest,
        )
        for finding in part(plan)
    )


def _period(plan: Plan) -> Iterator[PlanFinding]:
    for name, day in (("since", plan.since), ("until", plan.until)):
        if not is_date(day):
            yield PlanFinding(f"/{name}", "date", "a day of the calendar", day)
    if plan.until < plan.since:
        yield PlanFinding("/until", "period", f"not before {plan.since}", plan.until)
    if not plan.tiers:
        yield PlanFinding("/tiers", "empty", "at least one network tier", "none")


def _benefits(plan: Plan) -> Iterator[PlanFinding]:
    seen: dict[tuple[str, str], int] = {}
    limits = {limit.name for limit in plan.limits}
    known = {category.category for category in plan.categories}
    for number, benefit in enumerate(plan.benefits):
        place = f"/benefits/{number}"
        key = (benefit.category, benefit.tier)
        if key in seen:
            yield PlanFinding(place, "overlap", "one benefit per category and tier", f"also /benefits/{seen[key]}")
        seen.setdefault(key, number)
        if benefit.tier not in plan.tiers:
            yield PlanFinding(f"{place}/tier", "unknown-tier", " | ".join(plan.tiers), benefit.tier)
        if benefit.category not in known:
            yield PlanFinding(f"{place}/category", "unknown-category", "a category of /categories", benefit.category)
        if benefit.limit and benefit.limit not in limits:
            yield PlanFinding(f"{place}/limit", "unknown-limit", "a limit of /limits", benefit.limit)
        if benefit.coinsurance > 10_000:
            yield PlanFinding(f"{place}/coinsurance", "amount", "at most 10000", str(benefit.coinsurance))
    served = {tier for _, tier in seen}
    for number, category in enumerate(plan.categories):
        for tier in plan.tiers:
            outside = tier == plan.tiers[-1] and tier not in served  # the plan pays network providers only
            if (category.category, tier) not in seen and not (outside and len(plan.tiers) > 1):
                expected = f"a benefit in tier {tier} (covered or not)"
                yield PlanFinding(f"/categories/{number}", "gap", expected, category.category)


def _categories(plan: Plan) -> Iterator[PlanFinding]:
    for number, category in enumerate(plan.categories):
        everything = not (category.procedures or category.revenue or category.places or category.kind)
        if everything and number < len(plan.categories) - 1:
            got = f"{len(plan.categories) - 1 - number} categories after it are never reached"
            yield PlanFinding(f"/categories/{number}", "overlap", "only the last may fit everything", got)
        for place, beginning in enumerate(category.procedures):
            if not 1 <= len(beginning) <= 5 or not beginning.isalnum() or beginning != beginning.upper():
                pointer = f"/categories/{number}/procedures/{place}"
                yield PlanFinding(pointer, "unknown-code", "the beginning of a procedure code", beginning)


def _limits(plan: Plan) -> Iterator[PlanFinding]:
    seen: dict[str, int] = {}
    for number, limit in enumerate(plan.limits):
        if limit.name in seen:
            yield PlanFinding(f"/limits/{number}", "overlap", "each name once", f"also /limits/{seen[limit.name]}")
        seen.setdefault(limit.name, number)


def _prices(plan: Plan) -> Iterator[PlanFinding]:
    shares = [("/out_of_network", plan.out_of_network)]
    shares += [(f"/cuts/multiple/{place}", part) for place, part in enumerate(plan.cuts.multiple)]
    for pointer, part in shares:
        if part > 10_000:
            yield PlanFinding(pointer, "amount", "at most 10000", str(part))
    for number, cut in enumerate(plan.sequestration):
        if cut.until < cut.since:
            yield PlanFinding(f"/sequestration/{number}/until", "period", f"not before {cut.since}", cut.until)
        if cut.share > 10_000:
            yield PlanFinding(f"/sequestration/{number}/share", "amount", "at most 10000", str(cut.share))


def _accumulators(plan: Plan) -> Iterator[PlanFinding]:
    seen: dict[tuple[str, str], tuple[int, Accumulator]] = {}
    for number, rule in enumerate(plan.accumulators):
        place = f"/accumulators/{number}"
        key = (rule.bucket, rule.tier)
        if key in seen:
            yield PlanFinding(place, "overlap", "one maximum per bucket and tier", f"also /accumulators/{seen[key][0]}")
        seen.setdefault(key, (number, rule))
        if rule.tier not in plan.tiers:
            yield PlanFinding(f"{place}/tier", "unknown-tier", " | ".join(plan.tiers), rule.tier)
        if rule.family and rule.family < rule.individual:
            yield PlanFinding(f"{place}/family", "amount", f"at least {rule.individual}", str(rule.family))
        if rule.method == "aggregate" and not rule.family:
            yield PlanFinding(f"{place}/family", "amount", "a family maximum, since it is aggregate", "0")
    for (bucket, tier), (number, rule) in seen.items():
        most = seen.get(("out-of-pocket", tier))
        if bucket == "deductible" and most is not None and rule.individual > most[1].individual:
            expected = f"at most the out-of-pocket maximum {most[1].individual}"
            yield PlanFinding(f"/accumulators/{number}/individual", "amount", expected, str(rule.individual))
    needing = {benefit.tier for benefit in plan.benefits if benefit.deductible and benefit.covered}
    for tier in plan.tiers:
        if tier in needing and ("deductible", tier) not in seen:
            got = "benefits say that a deductible applies"
            yield PlanFinding("/accumulators", "gap", f"a deductible for tier {tier}, 0 if none", got)


def _edits(plan: Plan) -> Iterator[PlanFinding]:
    for number, pair in enumerate(plan.coding.pairs):
        for name, code in (("first", pair.first), ("second", pair.second)):
            if PROCEDURE.fullmatch(code) is None:
                yield PlanFinding(f"/coding/pairs/{number}/{name}", "unknown-code", "a procedure code", code)
        if pair.until < pair.since:
            yield PlanFinding(f"/coding/pairs/{number}/until", "period", f"not before {pair.since}", pair.until)
    for number, edit in enumerate(plan.coding.units):
        if PROCEDURE.fullmatch(edit.procedure) is None:
            yield PlanFinding(f"/coding/units/{number}/procedure", "unknown-code", "a procedure code", edit.procedure)
    for number, person in enumerate(plan.coding.persons):
        if person.oldest < person.youngest:
            pointer = f"/coding/persons/{number}/oldest"
            yield PlanFinding(pointer, "amount", f"at least {person.youngest}", str(person.oldest))


def _deliveries(plan: Plan) -> Iterator[PlanFinding]:
    for number, code in enumerate(plan.deliveries):
        if PROCEDURE.fullmatch(code) is None:
            yield PlanFinding(f"/deliveries/{number}", "unknown-code", "a procedure code", code)
    if plan.deliveries and plan.duplicates != "tricare":
        yield PlanFinding("/deliveries", "unused", "none, or TRICARE's rule of duplicates", plan.duplicates)


def _tables(plan: Plan) -> Iterator[PlanFinding]:
    for number, table in enumerate(plan.tables):
        place = f"/tables/{number}"
        if table.until < table.since:
            yield PlanFinding(f"{place}/until", "period", f"not before {table.since}", table.until)
        twice = (one for one, other in enumerate(plan.tables[:number]) if other.digest == table.digest)
        for one in twice:
            yield PlanFinding(place, "overlap", "each table once", f"also /tables/{one}")


def _schedules(plan: Plan) -> Iterator[PlanFinding]:
    for number, one in enumerate(plan.fee_schedules):
        place = f"/fee_schedules/{number}"
        if one.until < one.since:
            yield PlanFinding(f"{place}/until", "period", f"not before {one.since}", one.until)
        for code, text in enumerate(one.places):
            if text not in BUILT_IN.places:
                yield PlanFinding(f"{place}/places/{code}", "unknown-code", "a place of service", text)
        for before, other in enumerate(plan.fee_schedules[:number]):
            days = other.since <= one.until and one.since <= other.until
            same = not set(one.places).isdisjoint(other.places) or one.places == other.places
            if one.name == other.name and days and same:
                yield PlanFinding(
                    place, "overlap", "one schedule of a name for a day and place", f"also /fee_schedules/{before}"
                )


def _deadlines(plan: Plan) -> Iterator[PlanFinding]:
    named = {"clocks": [one.name for one in plan.clocks], "appeals": [one.name for one in plan.appeals]}
    for part, names in named.items():
        for number, name in enumerate(names):
            if name in names[:number]:
                first = f"also /{part}/{names.index(name)}"
                yield PlanFinding(f"/{part}/{number}", "overlap", "each name once", first)


def _rest(plan: Plan) -> Iterator[PlanFinding]:
    if sorted(plan.cost_share_order) != ["coinsurance", "copay", "deductible"]:
        got = " ".join(plan.cost_share_order)
        yield PlanFinding("/cost_share_order", "order", "copay, deductible, coinsurance, each once", got)
    names = {step.NAME for step in STEPS}
    for number, step in enumerate(plan.steps_off):
        if step not in names or step in ALWAYS:
            expected = " | ".join(sorted(names - ALWAYS))
            yield PlanFinding(f"/steps_off/{number}", "unknown-step", expected, step)
    clock = plan.prompt_pay
    if clock is not None:
        for number, (one, two) in enumerate(pairwise(clock.rates), 1):
            if two.since <= one.since:
                yield PlanFinding(f"/prompt_pay/rates/{number}/since", "overlap", f"after {one.since}", two.since)
    if len(set(plan.cover_order)) < len(plan.cover_order):
        yield PlanFinding("/cover_order", "order", "each rule once", " ".join(plan.cover_order))


def check_rates(rates: Rates) -> tuple[PlanFinding, ...]:
    """Return all faults of a rates document."""
    return (*_contract(rates), *_rates(rates.rates, rates.locality))


def check_schedule(schedule: FeeSchedule) -> tuple[PlanFinding, ...]:
    """Return all faults of a fee schedule."""
    own = [
        PlanFinding(f"/rates/{number}/method", "method", "fixed or relative-value", rate.method)
        for number, rate in enumerate(schedule.rates)
        if rate.method not in {"fixed", "relative-value"}
    ]
    if not schedule.rates:
        own.append(PlanFinding("/rates", "empty", "at least one price", "none"))
    return (*own, *_rates(schedule.rates, schedule.locality))


def _rates(rates: tuple[Rate, ...], locality: Locality | None) -> list[PlanFinding]:
    found: list[PlanFinding] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, rate in enumerate(rates):
        place = f"/rates/{number}"
        key = (rate.method, rate.procedure, rate.modifier, rate.revenue, rate.drg, rate.since, rate.schedule)
        if key in seen:
            found.append(PlanFinding(place, "overlap", "one rate for one thing", f"also /rates/{seen[key]}"))
        seen.setdefault(key, number)
        if rate.procedure and PROCEDURE.fullmatch(rate.procedure) is None:
            found.append(PlanFinding(f"{place}/procedure", "unknown-code", "a procedure code", rate.procedure))
        if (rate.method == "schedule") != bool(rate.schedule):
            expected = "the name of a fee schedule with method schedule, and with no other"
            found.append(PlanFinding(f"{place}/schedule", "gap", expected, rate.schedule))
        if rate.method == "relative-value" and locality is None:
            found.append(PlanFinding("/locality", "gap", "indices and factor for relative values", "none"))
        if rate.method == "case" and not rate.drg:
            found.append(PlanFinding(f"{place}/drg", "gap", "the group that the case rate is for", ""))
        if rate.method in {"fixed", "relative-value"} and not (rate.procedure or rate.revenue):
            found.append(PlanFinding(place, "gap", "a procedure or revenue code", ""))
        if rate.until < rate.since:
            found.append(PlanFinding(f"{place}/until", "period", f"not before {rate.since}", rate.until))
    return found


def _contract(rates: Rates) -> Iterator[PlanFinding]:
    """Yield the faults of what is said once for all rates."""
    if not npi_valid(rates.provider):
        yield PlanFinding("/provider", "npi", "an NPI whose check digit holds", rates.provider)
    if rates.until < rates.since:
        yield PlanFinding("/until", "period", f"not before {rates.since}", rates.until)
    if rates.withhold > 10_000:
        yield PlanFinding("/withhold", "amount", "at most 10000", str(rates.withhold))
