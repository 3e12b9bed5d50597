"""Every step on its own: what it denies or takes, for which reason, and what it lets through."""

from itertools import pairwise

import msgspec
import pytest

from salus.agreements.claims.alone import adjudicate, decide_all
from salus.agreements.claims.categories import category_of
from salus.agreements.claims.decide import ALWAYS, STEPS, decide, net_moves
from salus.agreements.claims.decision import Approval, Balance, Cell, Duplicate, Used
from salus.agreements.claims.history import History
from salus.agreements.claims.plan import Benefit, Category, Coding, Limit, PersonEdit, Sequestration
from salus.agreements.claims.rates import Rate, opened
from tests.agreements.claims.cases import (
    CLINIC,
    HOSPITAL,
    JOHN,
    LAW,
    MEMBERS,
    PLAN,
    RATES,
    SETTINGS,
    claim,
    facts,
    file_of,
    line,
    reasons,
    stay,
)

YEAR = PLAN.since


def met(**more: int) -> tuple[Balance, ...]:
    """Balances of Jane: the deductible is met unless told otherwise."""
    taken = {"deductible-member": 50000, "deductible-family": 50000, "oop-member": 50000, "oop-family": 50000, **more}
    names = {"deductible": "deductible", "oop": "out-of-pocket"}
    return tuple(
        Balance(Cell(names[name.split("-")[0]], "member" if name.endswith("member") else "family", "in", YEAR), value)
        for name, value in taken.items()
    )


def test_the_steps_stand_in_the_order_of_the_law_of_the_house() -> None:
    assert [step.NAME for step in STEPS] == [
        "identity",
        "duplicates",
        "coverage",
        "payer-order",
        "provider",
        "filing",
        "authorisation",
        "coding",
        "benefits",
        "pricing",
        "cost-share",
        "accumulators",
        "secondary",
        "withholding",
        "balance",
    ]


def test_copay_then_deductible_then_coinsurance() -> None:
    decision = decide(claim(), PLAN, RATES, facts(balances=met(**{"deductible-member": 45000})))
    assert reasons(decision) == [(1, "CO-45", 5000), (1, "PR-3", 2000), (1, "PR-1", 5000), (1, "PR-2", 600)]
    assert decision.paid == 2400
    assert {(move.cell.bucket, move.cell.scope): move.amount for move in decision.moves} == {
        ("deductible", "family"): 5000,
        ("deductible", "member"): 5000,
        ("out-of-pocket", "family"): 7600,
        ("out-of-pocket", "member"): 7600,
    }


def test_the_order_of_cost_shares_is_the_plans() -> None:
    plan = msgspec.structs.replace(PLAN, cost_share_order=("deductible", "coinsurance", "copay"))
    decision = decide(claim(), plan, RATES, facts(balances=met()))
    assert reasons(decision)[1:] == [(1, "PR-2", 2000), (1, "PR-3", 2000)]


def test_a_family_deductible_reached_in_the_middle_of_a_claim_ends_there() -> None:
    start = met(**{"deductible-member": 0, "deductible-family": 75000, "oop-member": 0})
    decision = decide(claim(line(), line(2, "G0404", 30000)), PLAN, RATES, facts(balances=start))
    assert reasons(decision) == [
        (1, "CO-45", 5000),
        (1, "PR-3", 2000),
        (1, "PR-1", 5000),
        (1, "PR-2", 600),
        (2, "CO-45", 10000),
        (2, "PR-2", 4000),
    ]


def test_an_aggregate_deductible_asks_the_family_alone() -> None:
    rules = (msgspec.structs.replace(PLAN.accumulators[0], method="aggregate"), *PLAN.accumulators[1:])
    plan = msgspec.structs.replace(PLAN, accumulators=rules)
    decision = decide(claim(), plan, RATES, facts(balances=met(**{"deductible-family": 79000})))
    assert (1, "PR-1", 1000) in reasons(decision)


def test_nothing_is_taken_beyond_the_out_of_pocket_maximum() -> None:
    decision = decide(claim(), PLAN, RATES, facts(balances=met(**{"oop-member": 199000})))
    assert reasons(decision)[1:] == [(1, "PR-3", 1000)]
    full = decide(claim(), PLAN, RATES, facts(balances=met(**{"oop-family": 300000})))
    assert full.paid == 10000


@pytest.mark.parametrize(
    ("state", "code"), [("before", "CO-26"), ("after", "CO-27"), ("unknown", "CO-31"), ("other-payer", "CO-109")]
)
def test_no_cover_no_payment(state: str, code: str) -> None:
    decision = decide(claim(), PLAN, RATES, facts(coverage=state))
    assert (decision.status, reasons(decision)) == ("denied", [(1, code, 15000)])


def test_services_outside_the_plans_period_are_denied() -> None:
    early = decide(claim(line(day="20241231")), PLAN, RATES, facts())
    late = decide(claim(line(day="20260101")), PLAN, RATES, facts(received="20260110"))
    assert [part[1] for part in reasons(early) + reasons(late)] == ["CO-26", "CO-27"]


def test_exact_duplicates_are_denied_and_suspects_wait_for_a_person() -> None:
    hits = (Duplicate(1, "exact", "H0"), Duplicate(2, "crossover", "H0"))
    decision = decide(claim(line(), line(2)), PLAN, RATES, facts(duplicates=hits))
    assert reasons(decision) == [(1, "CO-18", 15000), (2, "OA-18", 15000)]
    waiting = decide(claim(), PLAN, RATES, facts(duplicates=(Duplicate(1, "suspect", "H0"),)))
    assert waiting.status == "pended"
    assert waiting.moves == ()
    assert waiting.units == ()


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        ("20250301", "20250305", "denied"),
        ("20250303", "20250308", "pended"),
        ("20250304", "20250304", "pended"),
        ("20250215", "20250410", "pended"),
        ("20250225", "20250301", "pended"),
        ("20250305", "20250308", "pended"),
        ("20250306", "20250308", "paid"),
        ("20250225", "20250228", "paid"),
    ],
)
def test_a_stay_that_overlaps_another_waits_for_a_person(first: str, last: str, status: str) -> None:
    history, contract = History(MEMBERS), msgspec.structs.replace(RATES, provider=HOSPITAL.identifier)
    beds = [
        stay(line(1, "", 80000, start, last=end), identifier=f"S{number}")
        for number, (start, end) in enumerate([("20250301", "20250305"), (first, last)])
    ]
    _, second = decide_all(beds, PLAN, [contract], history, SETTINGS)
    assert second.status == status


@pytest.mark.parametrize("rule", ["medicare-professional", "medicare-institutional", "tricare"])
def test_each_form_has_its_own_duplicate_rule_whatever_the_plan_names(rule: str) -> None:
    plan = msgspec.structs.replace(PLAN, duplicates=rule)
    lines = (line(1, "", 12000, revenue="0250"), line(2, "", 12000, revenue="0270"))
    made = [
        stay(*lines),
        stay(*lines, identifier="S2"),
        claim(line(1, "S9129")),
        claim(line(1, "S9129", modifiers=("25",))),
    ]
    files = [file_of(*made[:2]), file_of(*made[2:])]
    found = [one for file in files for one in adjudicate([file], plan, [RATES], MEMBERS, SETTINGS).decisions]
    steps = [
        [reason.code for part in one.lines for reason in part.reasons if reason.step == "duplicates"] for one in found
    ]
    assert steps == [[], ["18", "18"], [], ["18"]]
    assert found[1].lines[0].reasons[0].clause == "duplicate rule medicare-institutional"


def test_tricare_sends_a_match_inside_one_claim_to_a_person() -> None:
    hits = (Duplicate(2, "exact", "this claim"),)
    plan = msgspec.structs.replace(PLAN, duplicates="tricare")
    assert decide(claim(line(), line(2)), plan, RATES, facts(duplicates=hits)).status == "pended"
    assert decide(claim(line(), line(2)), PLAN, RATES, facts(duplicates=hits)).status == "paid"


def test_providers_not_admitted_or_outside() -> None:
    assert reasons(decide(claim(), PLAN, RATES, facts(provider="not-admitted"))) == [(1, "CO-B7", 15000)]
    outside = decide(claim(), PLAN, None, facts(provider="outside", family=False))
    assert reasons(outside) == [(1, "PR-1", 15000)]
    closed = msgspec.structs.replace(PLAN, benefits=PLAN.benefits[:5])
    assert reasons(decide(claim(), closed, None, facts(provider="outside"))) == [(1, "CO-242", 15000)]


@pytest.mark.parametrize(("received", "denied"), [("20250530", False), ("20250531", True)])
def test_the_filing_limit_counts_days_from_the_service(received: str, denied: bool) -> None:
    decision = decide(claim(), PLAN, RATES, facts(received=received, decided=received))
    assert (decision.status == "denied") is denied
    assert ([part[1] for part in reasons(decision)] == ["CO-29"]) is denied


APPROVAL = Approval("PA1", "R0070", CLINIC.identifier, "20250301", "20250331", 2000)


def test_an_approval_is_honoured_and_its_units_taken() -> None:
    made = claim(line(1, "R0070", 20000), line(2, "R0070", 20000, "20250302"), line(3, "R0070", 20000, "20250303"))
    decision = decide(made, PLAN, RATES, facts(balances=met(), approvals=(APPROVAL,)))
    assert [(move.name, move.units) for move in decision.units] == [("PA1", 1000), ("PA1", 1000)]
    assert [line.denied for line in decision.lines] == [False, False, True]
    assert reasons(decision)[-1] == (3, "CO-198", 20000)


@pytest.mark.parametrize(
    "change",
    [
        {"procedure": "R0075"},
        {"provider": "1999999999"},
        {"since": "20250302"},
        {"until": "20250228"},
    ],
)
def test_an_approval_that_does_not_reach_is_none(change: dict[str, str]) -> None:
    other = msgspec.structs.replace(APPROVAL, **change)
    decision = decide(claim(line(1, "R0070", 20000)), PLAN, RATES, facts(approvals=(other,)))
    assert reasons(decision) == [(1, "CO-197", 20000)]
    assert decision.units == ()


def test_an_approval_of_a_line_denied_later_keeps_its_units() -> None:
    coding = Coding(persons=(PersonEdit(procedure="R0070", oldest=17),))
    plan = msgspec.structs.replace(PLAN, coding=coding)
    decision = decide(claim(line(1, "R0070", 20000)), plan, RATES, facts(approvals=(APPROVAL,)))
    assert reasons(decision) == [(1, "CO-6", 20000)]
    assert decision.units == ()


def test_pairs_of_one_day_by_their_indicator() -> None:
    both = decide(claim(line(), line(2, "G0403", 7000)), PLAN, RATES, facts())
    assert reasons(both)[-1] == (2, "CO-97", 7000)
    marked = decide(claim(line(), line(2, "G0403", 7000, modifiers=("59",))), PLAN, RATES, facts())
    assert not marked.lines[1].denied
    days = decide(claim(line(), line(2, "G0403", 7000, "20250302")), PLAN, RATES, facts())
    assert not days.lines[1].denied
    never = decide(claim(line(1, "G0404"), line(2, "G0405", modifiers=("59",))), PLAN, RATES, facts())
    assert reasons(never)[-1] == (2, "CO-236", 15000)


def test_implausible_units_age_sex_and_place() -> None:
    many = decide(claim(line(1, "J0696", 9000, units=8001)), PLAN, RATES, facts())
    assert reasons(many) == [(1, "CO-151", 9000)]
    assert decide(claim(line(1, "J0696", 9000, units=8000)), PLAN, RATES, facts()).status == "paid"
    for edit, code in (
        (PersonEdit(procedure="G0402", youngest=65), "CO-6"),
        (PersonEdit(procedure="G0402", sex="M"), "CO-7"),
        (PersonEdit(procedure="G0402", places=("21",)), "CO-5"),
    ):
        plan = msgspec.structs.replace(PLAN, coding=Coding(persons=(edit,)))
        assert reasons(decide(claim(), plan, RATES, facts())) == [(1, code, 15000)]


def test_a_type_of_bill_is_no_place_of_service() -> None:
    """13 is both: an assisted living facility, and an outpatient hospital's bill."""
    hall = Category(category="hall", places=("13",))
    plan = msgspec.structs.replace(
        PLAN,
        categories=(hall, *PLAN.categories),
        coding=Coding(persons=(PersonEdit(procedure="G0402", places=("11",)),)),
    )
    one, other = (claim(line(revenue="0510", place=""), kind=kind, facility="13") for kind in ("P", "I"))
    assert [category_of(plan, each, each.lines[0]) for each in (one, other)] == ["hall", "office"]
    codes = [{part.code for part in decide(each, plan, RATES, facts()).lines[0].reasons} for each in (one, other)]
    assert ["5" in each for each in codes] == [True, False]


def test_exclusions_limits_and_missing_benefits() -> None:
    assert reasons(decide(claim(line(1, "G9001")), PLAN, RATES, facts())) == [(1, "CO-96", 15000)]
    used = facts(used=(Used("therapy", 3000),), balances=met())
    decision = decide(claim(line(1, "S9129", 9000), line(2, "S9129", 9000, "20250302")), PLAN, RATES, used)
    assert [line.denied for line in decision.lines] == [False, True]
    assert reasons(decision)[-1] == (2, "PR-119", 9000)
    bare = msgspec.structs.replace(PLAN, benefits=PLAN.benefits[:4])
    assert reasons(decide(claim(), bare, RATES, facts())) == [(1, "PR-204", 15000)]


@pytest.mark.parametrize(
    ("per", "left"),
    [
        ("claim", {"same year": "paid", "next year": "paid"}),
        ("year", {"same year": "denied", "next year": "paid"}),
        ("lifetime", {"same year": "denied", "next year": "denied"}),
    ],
)
def test_a_limit_holds_for_its_claim_its_plan_year_or_for_life(per: str, left: dict[str, str]) -> None:
    limit = Limit(name="therapy", clause="3.3", units=1000, per=per)
    old = msgspec.structs.replace(PLAN, since="20240101", until="20241231", limits=(limit,))
    plans = {"same year": old, "next year": msgspec.structs.replace(PLAN, limits=(limit,))}
    contract = msgspec.structs.replace(RATES, since="20240101")
    days = {"same year": "20241215", "next year": "20250115"}
    history = History(MEMBERS)
    first = claim(line(1, "S9129", 9000, "20241201"))
    drawn = history.draw(first, old, contract, received="20241205", decided="20241210", control="H1")
    history.record(decide(first, old, contract, drawn))
    for when, status in left.items():
        later = claim(line(1, "S9129", 9000, days[when]), identifier="A2")
        drawn = history.draw(later, plans[when], contract, received="20250116", decided="20250117", control="H2")
        assert decide(later, plans[when], contract, drawn).status == status
    right = msgspec.structs.replace(first, frequency="7", original="H1")  # takes what it gives back
    drawn = history.draw(right, old, contract, received="20250117", decided="20250118", control="H5")
    assert decide(right, old, contract, drawn).status == "paid"
    back = claim(line(1, "S9129", 9000, "20241201"), frequency="8", original="H1")
    drawn = history.draw(back, old, contract, received="20250118", decided="20250119", control="H3")
    history.record(decide(back, old, contract, drawn))
    for when, plan in plans.items():
        later = claim(line(1, "S9129", 9000, days[when]), identifier="A2")
        drawn = history.draw(later, plan, contract, received="20250116", decided="20250117", control="H4")
        assert decide(later, plan, contract, drawn).status == "paid"


def test_lesser_of_charge_and_price() -> None:
    low = decide(claim(line(charge=9000)), PLAN, RATES, facts(balances=met()))
    assert low.lines[0].allowed == 9000
    assert reasons(low)[0] == (1, "PR-3", 2000)


def test_modifiers_and_multiple_procedures_cut_the_price() -> None:
    half = decide(claim(line(modifiers=("52",))), PLAN, RATES, facts(balances=met()))
    assert half.lines[0].allowed == 5000
    free = msgspec.structs.replace(PLAN, coding=Coding())
    two = decide(claim(line(1, "G0405", 20000), line(2, "G0404", 30000)), free, RATES, facts(balances=met()))
    assert [line.allowed for line in two.lines] == [5000, 20000]


def test_percent_per_diem_case_and_no_rate() -> None:
    base = {"clause": "B"}
    percent = decide(claim(line(1, "G0499", 10001)), PLAN, RATES, facts(balances=met()))
    assert percent.lines[0].allowed == 7001
    days = msgspec.structs.replace(RATES, rates=(Rate(method="per-diem", revenue="012", amount=50000, **base),))
    bed = line(1, "", 300000, revenue="0120", first="20250301", last="20250304")
    assert decide(stay(bed), PLAN, days, facts(balances=met())).lines[0].allowed == 150000
    case = msgspec.structs.replace(RATES, rates=(Rate(method="case", drg="470", amount=100001, **base),))
    made = stay(line(1, "", 100000, revenue="0120"), line(2, "", 200000, revenue="0250"), drg="470")
    decision = decide(made, PLAN, case, facts(balances=met()))
    assert [line.allowed for line in decision.lines] == [33334, 66667]
    none = msgspec.structs.replace(RATES, rates=())
    assert decide(claim(), PLAN, none, facts()).pends == ("pricing: no rate for line 1",)


def test_sequestration_and_withholds_cut_the_payment_only() -> None:
    cut = Sequestration(clause="2 CFR", origin=LAW, share=200, since="20250101", until="20251231")
    plan = msgspec.structs.replace(PLAN, sequestration=(cut,))
    contract = msgspec.structs.replace(RATES, withhold=1000)
    decision = decide(claim(), plan, contract, facts(balances=met()))
    assert reasons(decision)[1:] == [(1, "PR-3", 2000), (1, "PR-2", 1600), (1, "CO-253", 128), (1, "CO-104", 627)]
    assert decision.patient == 3600


def test_interest_is_paid_on_late_clean_claims_only() -> None:
    late = facts(balances=met(), received="20250310", decided="20250509")
    assert decide(claim(), PLAN, RATES, late).interest == 24
    assert decide(claim(), PLAN, RATES, msgspec.structs.replace(late, clean=False)).interest == 0
    denied = msgspec.structs.replace(late, coverage="unknown")
    assert decide(claim(), PLAN, RATES, denied).interest == 0


def test_a_void_gives_back_exactly_what_was_taken() -> None:
    first = decide(claim(), PLAN, RATES, facts())
    void = decide(claim(frequency="8", original="H1"), PLAN, RATES, facts(control="H2", original=first))
    assert void.status == "voided"
    assert first.moves
    assert list(net_moves(void)) == [msgspec.structs.replace(move, amount=-move.amount) for move in first.moves]
    lost = decide(claim(frequency="8", original="H9"), PLAN, RATES, facts())
    assert reasons(lost) == [(1, "CO-129", 15000)]


def test_a_step_switched_off_shows_in_the_decision() -> None:
    plan = msgspec.structs.replace(PLAN, steps_off=("filing",))
    decision = decide(claim(), plan, RATES, facts(received="20260101"))
    assert decision.steps_off == ("filing",)
    assert "step switched off by the plan" in [part.rule for part in decision.trace if part.step == "filing"]
    everything = msgspec.structs.replace(PLAN, steps_off=tuple(ALWAYS))
    assert decide(claim(), everything, RATES, facts()).steps_off == ()


def test_the_trace_joins_up_and_every_reason_says_what_would_help() -> None:
    made = claim(line(), line(2, "G0403", 7000), line(3, "G9001", 100))
    decision = decide(made, PLAN, RATES, facts(balances=met()))
    for number in (1, 2, 3):
        parts = [part for part in decision.trace if part.line == number]
        assert parts[0].before == made.lines[number - 1].charge
        assert parts[-1].after == decision.lines[number - 1].paid
        assert all(one.after == two.before for one, two in pairwise(parts))
    for line_ in decision.lines:
        for reason in line_.reasons:
            assert reason.clause
            assert reason.remedy
            assert not reason.words.startswith("reason ")


def test_a_dependent_has_an_own_member_cell() -> None:
    decision = decide(claim(patient=JOHN, relationship="19"), PLAN, RATES, facts())
    assert {move.cell.scope for move in decision.moves} == {"member", "family"}


def test_benefits_per_line_copay() -> None:
    benefits = (Benefit(category="office", tier="in", clause="3.1", copay=2000, copay_per="line", deductible=False),)
    plan = msgspec.structs.replace(PLAN, benefits=benefits)
    decision = decide(claim(line(), line(2, "G0404", 20000)), plan, RATES, facts())
    assert [part for part in reasons(decision) if part[1] == "PR-3"] == [(1, "PR-3", 2000), (2, "PR-3", 2000)]


def test_what_is_opened_of_a_long_contract_decides_as_the_whole_does() -> None:
    more = [Rate(method="fixed", procedure=f"A{number:04d}", clause="B", amount=number) for number in range(3000)]
    stays = [Rate(method="case", drg=group, clause=f"C{group}", amount=90000) for group in ("001", "470")]
    days = [Rate(method="per-diem", revenue=start, clause=f"D{start}", amount=7000) for start in ("012", "045", "0250")]
    full = msgspec.structs.replace(RATES, rates=(*more[:1500], *stays, *days, *RATES.rates, *more[1500:]))
    made = [
        claim(),
        claim(line(), line(2, "G0404", modifiers=("52",)), line(3, "A0007"), line(4, "Z9999")),
        stay(line(1, "", 120000, revenue="0120"), line(2, "G0402", revenue="0450"), line(3, "", 500, revenue="0999")),
        stay(line(1, "", 120000, revenue="0120"), drg="470"),
        stay(line(1, "", 120000, revenue="0120"), drg="999"),
    ]
    for one in made:
        part = opened(full, one)
        assert len(part.rates) < 12
        assert decide(one, PLAN, part, facts()) == decide(one, PLAN, full, facts())
    assert opened(RATES, made[0]) is RATES
