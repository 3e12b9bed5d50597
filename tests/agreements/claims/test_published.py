"""Figures that others published, to the cent, through the whole path: 837 in, 835 out."""

import csv
from decimal import Decimal, localcontext
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.agreements.claims.alone import adjudicate
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Duplicate
from salus.agreements.claims.duplicates import find
from salus.agreements.claims.history import History
from salus.agreements.claims.interest import interest, late_days
from salus.agreements.claims.members import Member, Members
from salus.agreements.claims.plan import Accumulator, Benefit, Category, Filing, InterestRate, Plan, PromptPay
from salus.agreements.claims.prices import relative_value
from salus.agreements.claims.rates import Locality, Rate, Rates
from salus.agreements.claims.rounding import Mode, divide
from salus.agreements.claims.tables import locality, read_indices, scaled
from salus.interop.x12.claim import Adjustment, Claim, LineDecision, OtherPayer
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.remittance import Remittance, read_remittance
from tests.agreements.claims.cases import (
    CLINIC,
    HOSPITAL,
    JANE,
    LAW,
    MEMBERS,
    PLAN,
    RATES,
    SETTINGS,
    claim,
    facts,
    file_of,
    line,
    npi,
    stay,
)

MEDICARE = msgspec.structs.replace(
    PLAN,
    tiers=("in",),
    coordination="medicare-secondary",
    categories=(Category(category="all"),),
    benefits=(Benefit(category="all", tier="in", clause="42 CFR 411.33", coinsurance=2000),),
    accumulators=(Accumulator(bucket="deductible", tier="in", clause="deductible", individual=0),),
    prompt_pay=None,
)
ONE = Members(
    payer="HARBOR1", members=(Member(subscriber="M1", last="DOE", first="JANE", birth="19800101", since="20230101"),)
)


def rates(*prices: Rate, provider: str = CLINIC.identifier, place: Locality | None = None) -> Rates:
    return Rates(
        payer="HARBOR1",
        provider=provider,
        version="1",
        tier="in",
        clause="fee schedule",
        since="20250101",
        until="20251231",
        rates=prices,
        locality=place,
    )


def other(paid: int, *adjustments: Adjustment) -> OtherPayer:
    return OtherPayer("P", "FIRST1", "FIRST PAYER", "X9", "DOE", paid, adjustments, "CI", "18", "20250305")


def paid_by(made: Claim, plan: Plan, contract: Rates, **times: str) -> Remittance:
    outcome = adjudicate([file_of(made)], plan, [contract], ONE, msgspec.structs.replace(SETTINGS, **times))
    (seen,) = [event for event in examine([outcome.remittance], keep=True) if isinstance(event, SetSeen)]
    assert seen.root is not None
    assert not seen.findings
    return read_remittance(seen.root, ":")


def test_411_33_b_medicare_pays_thirty_dollars() -> None:
    first = LineDecision("FIRST1", 12000, "20250305", (Adjustment("CO", "45", 2500), Adjustment("PR", "2", 3000)))
    made = claim(line(charge=17500, decisions=(first,)), rank="S", others=(other(12000),))
    contract = rates(Rate(method="fixed", procedure="G0402", clause="fee", amount=12500))
    remittance = paid_by(made, MEDICARE, contract)
    assert remittance.paid == 3000
    (payment,) = remittance.payments
    assert (payment.status, payment.patient) == ("2", 0)
    assert payment.services[0].adjustments == (Adjustment("OA", "23", 14500),)


@pytest.mark.parametrize(
    ("fee", "charge", "excess", "met", "pays"),
    [
        (12500, 17500, "PR", 0, 3000),  # nothing to accept: the third term, 150 - 120, is the lowest
        (12500, 17500, "CO", 0, 3000),
        (16000, 17500, "PR", 0, 4000),  # the fee is above the first payer's allowed amount: 160 - 120
        (16000, 17500, "CO", 0, 3000),  # the provider must accept 150
        (3000, 17500, "PR", 0, 2400),  # as primary Medicare would pay 80 % of 30
        (12500, 17500, "PR", 12000, 400),  # most of the fee is deductible: 80 % of 5
        (12500, 15000, "PR", 0, 3000),  # charge less paid
    ],
)
def test_each_term_of_411_33_a_can_be_the_lowest(fee: int, charge: int, excess: str, met: int, pays: int) -> None:
    rest = charge - 12000 - 3000
    reasons = [Adjustment("PR", "2", 3000)] + [Adjustment(excess, "45", rest)] * (rest > 0)
    first = LineDecision("FIRST1", 12000, "20250305", tuple(reasons))
    made = claim(line(charge=charge, decisions=(first,)), rank="S", others=(other(12000),))
    rule = Accumulator(bucket="deductible", tier="in", clause="deductible", individual=met)
    plan = msgspec.structs.replace(MEDICARE, accumulators=(rule,))
    contract = rates(Rate(method="fixed", procedure="G0402", clause="fee", amount=fee))
    assert paid_by(made, plan, contract).paid == pays


def test_411_33_f_1_medicare_pays_three_hundred_and_forty_dollars() -> None:
    plan = msgspec.structs.replace(
        MEDICARE,
        benefits=(Benefit(category="all", tier="in", clause="42 CFR 411.33"),),
        accumulators=(Accumulator(bucket="deductible", tier="in", clause="deductible", individual=52000),),
    )
    contract = rates(Rate(method="case", drg="470", clause="group 470", amount=270000), provider=HOSPITAL.identifier)
    left = Adjustment("PR", "1", 44000)
    made = stay(
        line(1, "", 200000, revenue="0120"),
        line(2, "", 80000, revenue="0250"),
        rank="S",
        facility="11",
        admitted="20250301",
        drg="470",
        others=(other(236000, left),),
    )
    remittance = paid_by(made, plan, contract)
    assert remittance.paid == 34000


@pytest.mark.parametrize(
    ("gross", "share", "paid", "written_off", "pays"),
    [
        (270_000, 52_000, 30_000, 0, 218_000),  # (1) gross less deductible
        (270_000, 52_000, 236_000, 0, 34_000),  # (2) gross less the first payment
        (280_000, 52_000, 236_000, 20_000, 24_000),  # (3) what the provider must accept, less the first payment
        (270_000, 100_000, 30_000, 40_000, 140_000),  # (4) what the provider must accept, less deductible
        (270_000, 52_000, 236_000, 44_000, 0),  # 411.32(b): it accepted the first payment as full
    ],
)
def test_each_term_of_411_33_e_can_be_the_lowest(
    gross: int, share: int, paid: int, written_off: int, pays: int
) -> None:
    plan = msgspec.structs.replace(
        MEDICARE,
        benefits=(Benefit(category="all", tier="in", clause="42 CFR 411.33"),),
        accumulators=(Accumulator(bucket="deductible", tier="in", clause="deductible", individual=share),),
    )
    contract = rates(Rate(method="case", drg="470", clause="group 470", amount=gross), provider=HOSPITAL.identifier)
    left = [("PR", "1", 280_000 - paid - written_off), ("CO", "45", written_off)]
    told = tuple(Adjustment(group, code, amount) for group, code, amount in left if amount)
    made = stay(
        line(1, "", 200_000, revenue="0120"),
        line(2, "", 80_000, revenue="0250"),
        rank="S",
        facility="11",
        admitted="20250301",
        drg="470",
        others=(other(paid, *told),),
    )
    assert paid_by(made, plan, contract).paid == pays


def test_x12_interpretation_1696_leaves_a_balance_of_zero() -> None:
    first = LineDecision("FIRST1", 30000, "20250305", (Adjustment("CO", "45", 12500), Adjustment("PR", "1", 7500)))
    made = claim(line(charge=50000, decisions=(first,)), rank="S", others=(other(30000),))
    plan = msgspec.structs.replace(
        MEDICARE,
        coordination="standard",
        benefits=(Benefit(category="all", tier="in", clause="1", deductible=False),),
    )
    contract = rates(Rate(method="fixed", procedure="G0402", clause="fee", amount=36500))
    remittance = paid_by(made, plan, contract)
    (payment,) = remittance.payments
    assert payment.paid == 6500
    assert payment.services[0].adjustments == (Adjustment("OA", "23", 42500), Adjustment("CO", "45", 1000))
    written_off = 12500  # what posting the first remittance wrote off; OA-23 repeats it and the first payment
    assert 50000 - 30000 - written_off - payment.paid - 1000 == 0


def localities() -> list[dict[str, str]]:
    path = Path(__file__).with_name("cms_2025_28_localities.csv")
    with path.open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def _values(row: dict[str, str]) -> tuple[Rate, Locality]:
    rate = Rate(
        method="relative-value",
        procedure="G0999",
        clause="CY2025",
        work=scaled(row["work_rvu"], 2),
        practice=scaled(row["pe_rvu"], 2),
        malpractice=scaled(row["mp_rvu"], 2),
    )
    place = Locality(
        table="RVU25D",
        work=scaled(row["work_gpci"], 3),
        practice=scaled(row["pe_gpci"], 3),
        malpractice=scaled(row["mp_gpci"], 3),
        factor=scaled(row["conversion_factor"], 4),
    )
    return rate, place


def test_prices_that_cms_published_for_28_localities_come_out_to_the_cent() -> None:
    rows = localities()
    assert len(rows) == 28
    plan = msgspec.structs.replace(
        MEDICARE,
        coordination="standard",
        benefits=(Benefit(category="all", tier="in", clause="1", deductible=False),),
    )
    for row in rows:
        rate, place = _values(row)
        made = claim(line(procedure="G0999", charge=200000))
        assert paid_by(made, plan, rates(rate, place=place)).paid == scaled(row["published_price"], 2), row["locality"]


@pytest.mark.parametrize("wrong", ["components", "total", "truncated"])
def test_each_wrong_rounding_misses_a_published_price(wrong: str) -> None:
    missed = 0
    for row in localities():
        rate, place = _values(row)
        products = (
            rate.work * place.work,
            rate.practice * place.practice,
            rate.malpractice * place.malpractice,
        )
        if wrong == "components":
            price = sum(divide(product * place.factor, 10**7, "half-up") for product in products)
        elif wrong == "total":
            price = divide(divide(sum(products), 10**3, "half-up") * place.factor, 10**4, "half-up")
        else:
            price = divide(sum(products) * place.factor, 10**7, "down")
        missed += price != scaled(row["published_price"], 2)
        assert relative_value(rate, place, "half-up") == scaled(row["published_price"], 2)
    assert missed > 0


def test_indices_are_read_from_the_official_file() -> None:
    text = (
        "ADDENDUM E\n,,,\nMedicare Administrative Contractor (MAC),State,Locality Number,Locality Name,PW,PE,MP\n"
        "10112,AL,00,ALABAMA,1,0.869,0.575\n02102,AK,01,ALASKA*,1.5,1.081,0.592\n"
    )
    found = read_indices(text)
    place = locality("GPCI2025", found["02102", "01"], "32.3465", source="cms.gov", date="20250101", digest="")
    assert (place.work, place.practice, place.malpractice, place.factor) == (1500, 1081, 592, 323465)
    assert found["10112", "00"].name == "ALABAMA"


CLOCK = PromptPay(
    clause="80.2.2",
    origin=LAW,
    rates=(InterestRate(since="20240101", rate=4875), InterestRate(since="20240701", rate=4875 - 250)),
)


@pytest.mark.parametrize(
    ("received", "paid_on", "days", "due"),
    [
        ("20240101", "20240131", 0, 0),  # day 30 is in time
        ("20240101", "20240201", 1, 13),  # 1000.00 x 4.875 % x 1 / 365 = 0.1336
        ("20240115", "20240301", 16, 214),  # 29 February counts, the year still has 365 days
        ("20231215", "20240131", 17, 227),  # across 1 January, rate of the day of payment
        ("20240520", "20240710", 21, 266),  # across 1 July: 4.625 %
        ("20240520", "20240630", 11, 147),  # the last day of the old rate
        ("20240520", "20240701", 12, 152),  # the first of the new
    ],
)
def test_interest_runs_from_the_day_after_the_due_day(received: str, paid_on: str, days: int, due: int) -> None:
    assert late_days(CLOCK, received, paid_on) == days
    assert interest(CLOCK, 100000, received, paid_on, "half-up") == due
    assert interest(CLOCK, -100000, received, paid_on, "half-up") == 0
    plan = msgspec.structs.replace(
        MEDICARE,
        since="20230101",
        coordination="standard",
        benefits=(Benefit(category="all", tier="in", clause="1", deductible=False),),
        prompt_pay=CLOCK,
        filing=Filing(clause="5.1", days=365),
    )
    contract = msgspec.structs.replace(
        rates(Rate(method="fixed", procedure="G0402", clause="fee", amount=100_000)), since="20230101"
    )
    made = claim(line(charge=120_000, day="20231201"))
    remittance = paid_by(made, plan, contract, received=received, decided=paid_on)
    assert remittance.paid == 100_000 + due
    assert [(part.reason, part.amount) for part in remittance.adjustments] == ([("L6", -due)] if due else [])
    assert [(payment.paid, payment.interest) for payment in remittance.payments] == [(100_000, due)]


@pytest.mark.parametrize(
    ("mode", "results"),
    [
        ("half-up", (2, -2, 1)),
        ("half-down", (1, -1, 1)),
        ("half-even", (2, -2, 1)),
        ("down", (1, -1, 1)),
        ("up", (2, -2, 2)),
    ],
)
def test_rounding_modes(mode: Mode, results: tuple[int, int, int]) -> None:
    assert (divide(3, 2, mode), divide(-3, 2, mode), divide(5, 4, mode)) == results


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**11), st.sampled_from(get_args(Mode)))
def test_division_rounds_as_the_decimal_module_does(numerator: int, denominator: int, mode: Mode) -> None:
    named = f"ROUND_{mode.replace('-', '_').upper()}"
    with localcontext(prec=60):
        assert divide(numerator, denominator, mode) == int(
            (Decimal(numerator) / denominator).quantize(Decimal(1), named)
        )


@pytest.mark.parametrize("modifier", ["76", "77", "59", "XE", "XP", "XS", "XU", "RT", "LT"])
@pytest.mark.parametrize("rule", ["medicare-professional", "medicare-institutional", "tricare"])
def test_modifiers_that_say_distinct_defeat_an_exact_match(rule: str, modifier: str) -> None:
    plain, marked = claim(), claim(line(modifiers=(modifier,)))
    for made, again in ((plain, marked), (marked, plain)):
        assert find(rule, again, [("H1", made)]) == ()
        both = claim(*made.lines, msgspec.structs.replace(again.lines[0], number=2))
        assert find(rule, both, []) == ()
    for made in (plain, marked):
        assert [hit.kind for hit in find(rule, msgspec.structs.replace(made, identifier="A2"), [("H1", made)])] == [
            "exact"
        ]
        twice = claim(*made.lines, msgspec.structs.replace(made.lines[0], number=2))
        assert find(rule, twice, []) == (Duplicate(2, "exact", "this claim"),)


@pytest.mark.parametrize(
    ("rule", "change", "kind"),
    [
        ("medicare-professional", {"charge": 15001}, "suspect"),
        ("medicare-professional", {"place": "12"}, "suspect"),
        ("medicare-professional", {"modifiers": ("25",)}, "exact"),
        ("medicare-professional", {"first": "20250302", "last": "20250302"}, None),
        ("medicare-professional", {"first": "20250228"}, "suspect"),
        ("medicare-professional", {"last": "20250302"}, "suspect"),
        ("medicare-professional", {"procedure": "G0403"}, None),
        ("tricare", {"charge": 15001}, "suspect"),
        ("tricare", {"place": "12"}, "suspect"),
        ("tricare", {"last": "20250302"}, "suspect"),
        ("tricare", {"procedure": "G0403"}, None),
        ("medicare-institutional", {"modifiers": ("25",)}, "suspect"),
        ("medicare-institutional", {"charge": 15001}, "suspect"),
        ("medicare-institutional", {"first": "20250302", "last": "20250302"}, None),
        ("medicare-institutional", {"last": "20250302"}, "suspect"),
        ("medicare-institutional", {"revenue": "0250"}, None),
    ],
)
def test_each_field_of_the_duplicate_definitions_counts(rule: str, change: dict[str, object], kind: str | None) -> None:
    made = stay if rule == "medicare-institutional" else claim
    hits = find(rule, made(line(**change), identifier="A2"), [("H1", made(line()))])
    assert [hit.kind for hit in hits] == ([kind] if kind else [])


@pytest.mark.parametrize("rule", ["medicare-professional", "medicare-institutional", "tricare"])
@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"billing": msgspec.structs.replace(CLINIC, identifier=npi(112233445))}, []),
        ({"patient": msgspec.structs.replace(JANE, member="M2")}, []),
        ({"patient": msgspec.structs.replace(JANE, birth="20100505")}, []),
        ({"patient": msgspec.structs.replace(JANE, first="JOAN")}, []),
        ({"facility": "12"}, ["exact", "suspect", "exact"]),  # of a bill its type; of others each line has its place
        ({"identifier": "B9", "diagnoses": ("E119",)}, ["exact"] * 3),
    ],
)
def test_whose_and_which_bill_counts(rule: str, change: dict[str, object], kinds: list[str]) -> None:
    made = stay(line()) if rule == "medicare-institutional" else claim()
    hits = find(rule, msgspec.structs.replace(made, **change), [("H1", made)])
    place = ["medicare-professional", "medicare-institutional", "tricare"].index(rule)
    assert [hit.kind for hit in hits] == kinds[place : place + 1]


@pytest.mark.parametrize(
    ("day", "procedure", "change", "hits"),
    [
        ("20251001", "S9002", {}, ["suspect"]),  # eight months to the day, by another midwife
        ("20251002", "S9002", {}, []),
        ("20240602", "S9001", {}, ["suspect"]),  # the earlier one, billed later
        ("20240531", "S9001", {}, []),
        ("20250501", "S9003", {}, []),
        ("20250501", "S9002", {"patient": msgspec.structs.replace(JANE, first="JOAN")}, []),
    ],
)
def test_tricare_has_a_person_look_at_a_delivery_within_eight_months_of_another(
    day: str, procedure: str, change: dict[str, object], hits: list[str]
) -> None:
    plan = msgspec.structs.replace(PLAN, duplicates="tricare", deliveries=("S9001", "S9002"))
    first = claim(line(1, "S9001", 90_000, "20250201"), identifier="A1")
    elsewhere = msgspec.structs.replace(CLINIC, identifier=npi(112233445))
    second = claim(line(1, procedure, 80_000, day), identifier="A2", billing=elsewhere, **change)

    def drawn(under: Plan) -> list[str]:
        history = History(MEMBERS)
        history.record(decide(first, under, RATES, facts()))
        found = history.draw(second, under, None, received="20251101", decided="20251101", control="C2")
        assert [(one.line, one.other) for one in found.duplicates] == [(1, "H1")] * len(found.duplicates)
        return [one.kind for one in found.duplicates]

    assert drawn(plan) == hits
    assert drawn(msgspec.structs.replace(plan, duplicates="medicare-professional")) == []


def test_a_forwarded_claim_is_told_from_a_double_bill() -> None:
    forwarded = claim(identifier="A2", rank="S", others=(other(100),))
    assert [hit.kind for hit in find("medicare-professional", forwarded, [("H1", claim())])] == ["crossover"]
