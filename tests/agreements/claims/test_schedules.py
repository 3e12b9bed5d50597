"""Fee schedules of a plan: what is allowed without a contract, and what rates refer to."""

import msgspec
import pytest

from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision, SchedulePrices
from salus.agreements.claims.history import History
from salus.agreements.claims.plan import Cuts, Plan, ScheduleReference
from salus.agreements.claims.plan_check import check_plan, check_rates, check_schedule
from salus.agreements.claims.plan_compare import Case, compare
from salus.agreements.claims.prices import schedule_price
from salus.agreements.claims.rates import FeeSchedule, Locality, Rate, Rates
from salus.agreements.claims.tables import PriceTable, prices_of
from salus.core.errors import InvariantBroken
from salus.interop.x12.claim import Claim
from tests.agreements.claims.cases import CLINIC, MEMBERS, PLAN, RATES, claim, line, reasons

replace = msgspec.structs.replace
PLACE = Locality(table="GPCI 2025", work=1088, practice=1419, malpractice=445, factor=323465)
LISTED = FeeSchedule(
    name="Region",
    version="2025",
    source="region.example",
    date="20250101",
    locality=PLACE,
    rates=(
        Rate(method="fixed", procedure="G0402", clause="R1", amount=10_000),
        Rate(method="fixed", procedure="G0403", clause="R2", amount=8_000, multiple=True),
        Rate(method="fixed", procedure="G0405", clause="R3", amount=6_000, multiple=True),
        Rate(method="relative-value", procedure="G0499", clause="R4", work=243, practice=245, malpractice=16),
    ),
)
NAMED = ScheduleReference(
    name="Region", version="2025", source="region.example", date="20250101", digest="1" * 64, percent=14_000
)
SCHEDULED = replace(PLAN, fee_schedules=(NAMED,), cuts=Cuts(modifiers={"52": 5000}, multiple=(10000, 5000)))
TABLES = {NAMED.digest: PriceTable(LISTED)}
CONTRACT = replace(
    RATES,
    rates=(
        Rate(method="fixed", procedure="G0404", clause="A1", amount=20_000),
        Rate(method="schedule", schedule="Region", clause="A2", percent=11_000),
        Rate(method="percent", clause="A9", percent=7_000),
    ),
)


def decided(one: Claim, plan: Plan = SCHEDULED, rates: Rates | None = None) -> Decision:
    history = History(MEMBERS, tables=TABLES)
    facts = history.draw(one, plan, rates, received="20250310", decided="20250315", control="H1")
    return decide(one, plan, rates, facts)


def prices(one: Claim, plan: Plan) -> int | None:
    found = schedule_price(plan, prices_of(plan, one, None, TABLES), one, one.lines[0])
    return found[2] if found is not None else None


def allowed(made: Decision) -> list[int]:
    return [part.allowed for part in made.lines]


def test_without_a_contract_the_plans_part_of_the_schedule_is_allowed() -> None:
    made = decided(claim(line(1, "G0402", 20_000), line(2, "R0070", 10_000), line(3, "G0402", 9_000, "20250302")))
    assert allowed(made) == [14_000, 0, 9_000]  # 140 %, excluded outside, the charge is less
    assert (1, "PR-45", 6_000) in reasons(made)
    (told,) = [one for one in made.trace if one.step == "pricing" and one.line == 1]
    assert (told.rule, told.clause) == ("140 % of Region 2025, no contract: $140.00 allowed", "R1")
    other = decided(claim(line(1, "G9001", 20_000), line(2, "J0696", 20_000)))
    assert allowed(other)[1] == 20_000  # no price in the schedule: the plan's part of the charge
    exact = decided(
        claim(line(1, "G0499", 90_000)), replace(SCHEDULED, fee_schedules=(replace(NAMED, percent=10_000),))
    )
    assert allowed(exact) == [20_028]  # (2.43 x 1.088 + 2.45 x 1.419 + 0.16 x 0.445) x 32.3465
    half = decided(claim(line(1, "G0402", 20_000, modifiers=("52",))))
    assert allowed(half) == [7_000]
    two = decided(
        claim(line(1, "G0405", 50_000), line(2, "G0403", 50_000)), replace(SCHEDULED, coding=type(PLAN.coding)())
    )
    assert allowed(two) == [4_200, 11_200]


@pytest.mark.parametrize("change", [{"until": "20250228"}, {"since": "20250302"}, {"places": ("21",)}, {"percent": 0}])
def test_a_schedule_that_is_not_for_the_line_prices_nothing(change: dict) -> None:
    made = decided(claim(line(1, "G0402", 20_000)), replace(SCHEDULED, fee_schedules=(replace(NAMED, **change),)))
    assert allowed(made) == [20_000]


def test_places_are_those_of_practitioners_claims() -> None:
    """13 is a place of service, and an outpatient hospital's type of bill."""
    plan = replace(SCHEDULED, fee_schedules=(replace(NAMED, places=("13",)),))
    told = [prices(claim(line(1, "G0402", 20_000, place=""), kind=kind, facility="13"), plan) for kind in ("P", "I")]
    assert told == [10_000, None]


def test_the_first_schedule_that_has_a_price_decides() -> None:
    few = FeeSchedule(name="Few", version="1", source="x", date="20250101", rates=LISTED.rates[1:2])
    first = replace(NAMED, name="Few", digest="2" * 64, percent=10_000)
    plan = replace(SCHEDULED, fee_schedules=(first, NAMED))
    history = History(MEMBERS, tables={**TABLES, first.digest: PriceTable(few)})
    one = claim(line(1, "G0403", 20_000), line(2, "G0402", 20_000, "20250302"))
    facts = history.draw(one, plan, None, received="20250310", decided="20250315", control="H1")
    assert allowed(decide(one, plan, None, facts)) == [8_000, 14_000]


def test_rates_refer_to_a_schedule_by_its_name() -> None:
    one = claim(line(1, "G0402", 20_000), line(2, "G0404", 30_000, "20250302"), line(3, "J0696", 10_000, "20250303"))
    made = decided(one, rates=CONTRACT)
    assert allowed(made) == [11_000, 20_000, 7_000]
    rules = [(part.rule.partition(":")[0], part.clause) for part in made.trace if part.step == "pricing"]
    assert rules == [("110 % of Region", "A2"), ("fixed rate", "A1"), ("percent rate", "A9")]
    bare = replace(CONTRACT, rates=(replace(CONTRACT.rates[1], schedule="Elsewhere"),))
    assert decided(one, rates=bare).pends[0] == "pricing: no rate for line 1"


def test_the_facts_hold_the_prices_that_can_fit_and_no_other() -> None:
    one = claim(line(1, "G0402", 20_000))
    part = SchedulePrices(NAMED.digest, LISTED.rates[:1], PLACE)
    assert prices_of(SCHEDULED, one, None, TABLES) == (part,)
    assert prices_of(SCHEDULED, one, RATES, TABLES) == ()
    assert prices_of(SCHEDULED, one, CONTRACT, TABLES) == (part,)
    assert prices_of(SCHEDULED, claim(line(1, "J0696")), None, TABLES) == ()
    other = replace(part, locality=None)
    assert prices_of(SCHEDULED, one, None, {}, (other,)) == (other,)
    assert prices_of(SCHEDULED, one, None, TABLES, (other,)) == (part,)
    with pytest.raises(InvariantBroken):
        History(MEMBERS).draw(one, SCHEDULED, None, received="20250310", decided="20250315", control="H1")


def test_a_new_version_is_replayed_with_its_own_schedules() -> None:
    one = claim(line(1, "G0402", 20_000), billing=replace(CLINIC, identifier="1234567893"))
    facts = History(MEMBERS).draw(one, PLAN, None, received="20250310", decided="20250315", control="H1")
    (change,) = compare(PLAN, SCHEDULED, [Case(one, None, facts)], TABLES)
    assert (change.control, change.lines) == ("H1", (1,))


@pytest.mark.parametrize(
    ("references", "pointer", "rule"),
    [
        ((replace(NAMED, until="20200101", since="20250101"),), "/fee_schedules/0/until", "period"),
        ((NAMED, replace(NAMED, digest="2" * 64)), "/fee_schedules/1", "overlap"),
        ((replace(NAMED, places=("11", "00")),), "/fee_schedules/0/places/1", "unknown-code"),
    ],
)
def test_faults_of_a_reference_are_named(references: tuple[ScheduleReference, ...], pointer: str, rule: str) -> None:
    found = check_plan(replace(PLAN, fee_schedules=references))
    assert [(one.pointer, one.rule) for one in found] == [(pointer, rule)]


def test_faults_of_a_schedule_are_named_and_sound_ones_have_none() -> None:
    assert check_plan(SCHEDULED) == check_rates(CONTRACT) == check_schedule(LISTED) == ()
    apart = (
        replace(NAMED, places=("11",)),
        replace(NAMED, places=("21",)),
        replace(NAMED, since="20260101", until="20261231"),
    )
    assert check_plan(replace(PLAN, fee_schedules=apart[:2])) == ()
    wrong = replace(LISTED, locality=None, rates=(*LISTED.rates, CONTRACT.rates[2]))
    assert [one.pointer for one in check_schedule(wrong)] == ["/rates/4/method", "/locality"]
    assert [one.pointer for one in check_schedule(replace(LISTED, rates=()))] == ["/rates"]
    nameless = replace(CONTRACT, rates=(replace(CONTRACT.rates[1], schedule=""),))
    assert [one.pointer for one in check_rates(nameless)] == ["/rates/0/schedule"]
