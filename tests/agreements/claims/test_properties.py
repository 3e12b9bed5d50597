"""What must hold whatever is billed: balance, maxima, void undoes submit, order, replay, and a second adjudicator agrees."""

import os
import random
import subprocess
import sys
from decimal import Decimal
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.agreements.claims.alone import adjudicate, decide_all
from salus.agreements.claims.decide import decide
from salus.agreements.claims.history import History
from salus.agreements.claims.members import Members, person_of
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.remit import Forwarded, remit
from salus.interop.x12.claim import Adjustment, Claim, LineDecision, OtherPayer
from salus.interop.x12.envelope import interchange
from salus.interop.x12.examine import SetSeen, UnitSeen, examine
from salus.interop.x12.remittance import due, set_of
from tests.agreements.claims import test_month
from tests.agreements.claims.cases import (
    CLINIC,
    ENDS,
    JANE,
    JOHN,
    MEMBERS,
    PAYER,
    PLAN,
    RATES,
    SETTINGS,
    STAMP,
    claim,
    facts,
    file_of,
    line,
)
from tests.agreements.claims.naive import Naive
from tests.agreements.claims.test_reckoner import World

pytestmark = pytest.mark.unmeasured

PROCEDURES = ("G0402", "G0403", "G0404", "G0405", "S9129", "G9001", "G0499", "J0696", "R0070")
LINES = st.lists(
    st.tuples(
        st.sampled_from(PROCEDURES), st.integers(1, 90000), st.integers(1, 28), st.sampled_from(["", "59", "52"])
    ),
    min_size=1,
    max_size=5,
)
CLAIMS = st.lists(st.tuples(LINES, st.booleans()), min_size=1, max_size=6)


def built(parts: list[tuple[list[tuple[str, int, int, str]], bool]]) -> list[Claim]:
    made = []
    for number, (lines, child) in enumerate(parts):
        body = [
            line(place, code, charge, f"202502{day:02d}", modifiers=(modifier,) if modifier else ())
            for place, (code, charge, day, modifier) in enumerate(lines, 1)
        ]
        who = {"patient": JOHN, "relationship": "19"} if child else {}
        made.append(claim(*body, identifier=f"A{number}", **who))
    return made


@settings(max_examples=150, deadline=None)
@given(CLAIMS)
def test_every_line_balances_and_no_maximum_is_exceeded(parts: list) -> None:
    history = History(MEMBERS)
    decisions = decide_all(built(parts), PLAN, [RATES], history, SETTINGS)
    for decision in decisions:
        for part in decision.lines:
            written_off = sum(reason.amount for reason in part.reasons if reason.group != "PR")
            assert part.charge == part.paid + part.patient + written_off
            assert part.paid >= 0
    for rule in PLAN.accumulators:
        for person in (JANE, JOHN):
            holder = person_of(claim(patient=person))
            for cell in {move.cell for decision in decisions for move in decision.moves}:
                if (cell.bucket, cell.tier) == (rule.bucket, rule.tier):
                    most = rule.individual if cell.scope == "member" else rule.family
                    key = holder if cell.scope == "member" else "M1"
                    assert history.taken(key, cell) <= most


@settings(max_examples=100, deadline=None)
@given(CLAIMS)
def test_a_file_goes_to_a_remittance_without_a_fault(parts: list) -> None:
    outcome = adjudicate([file_of(*built(parts))], PLAN, [RATES], MEMBERS, SETTINGS)
    for event in examine([outcome.remittance] if outcome.remittance else []) if outcome.remittance else ():
        if isinstance(event, UnitSeen | SetSeen):
            assert event.findings == ()


@settings(max_examples=100, deadline=None)
@given(CLAIMS, st.data())
def test_voids_in_any_order_leave_nothing_behind(parts: list, data: st.DataObject) -> None:
    history = History(MEMBERS)
    decisions = [d for d in decide_all(built(parts), PLAN, [RATES], history, SETTINGS) if d.status != "pended"]
    for number, decision in enumerate(data.draw(st.permutations(decisions)), 100):
        void = msgspec.structs.replace(decision.claim, frequency="8", original=decision.control)
        drawn = history.draw(void, PLAN, RATES, received="20250310", decided="20250315", control=f"V{number}")
        assert drawn.original == decision
        history.record(decide(void, PLAN, RATES, drawn))
    cells = {move.cell for decision in decisions for move in decision.moves}
    holders = {"M1", *(person_of(decision.claim) for decision in decisions)}
    assert all(history.taken(holder, cell) == 0 for holder in holders for cell in cells)


@settings(max_examples=60, deadline=None)
@given(LINES, LINES)
def test_a_replacement_ends_where_the_right_claim_alone_would(wrong: list, right: list) -> None:
    history = History(MEMBERS)
    first, second = built([(wrong, False), (right, False)])
    (before,) = decide_all([first], PLAN, [RATES], history, SETTINGS)
    if before.status == "pended":
        return
    replacing = msgspec.structs.replace(second, frequency="7", original=before.control)
    drawn = history.draw(replacing, PLAN, RATES, received="20250310", decided="20250315", control="R1")
    after = decide(replacing, PLAN, RATES, drawn)
    (alone,) = decide_all([second], PLAN, [RATES], History(MEMBERS), SETTINGS)
    assert [(part.paid, part.patient) for part in after.lines] == [(part.paid, part.patient) for part in alone.lines]
    written, _ = remit([after], PAYER, "20250315", {CLINIC.identifier: "T1"})
    if written:
        back, *_ = written[0].payments
        assert back.status == "22"
        assert back.paid == -before.paid


@settings(max_examples=100, deadline=None)
@given(CLAIMS, st.lists(st.integers(0, 5), max_size=4), st.integers(0, 200000))
def test_remittances_balance_are_never_negative_and_forward_what_is_owed(
    parts: list, voided: list[int], before: int
) -> None:
    history = History(MEMBERS)
    decisions = [d for d in decide_all(built(parts), PLAN, [RATES], history, SETTINGS) if d.status != "pended"]
    later = []
    for number in dict.fromkeys(voided):
        if number < len(decisions):
            void = msgspec.structs.replace(decisions[number].claim, frequency="8", original=decisions[number].control)
            drawn = history.draw(void, PLAN, RATES, received="20250310", decided="20250315", control=f"V{number}")
            later.append(decide(void, PLAN, RATES, drawn))
    owed = {CLINIC.identifier: Forwarded("T0", before)} if before else {}
    total_before = before
    for day, group in (("20250315", decisions), ("20250322", later)):
        written, now = remit(group, PAYER, day, {CLINIC.identifier: f"T{day}"}, owed)
        for one in written:
            assert one.paid >= 0
            assert one.paid == due(one.payments, one.adjustments)
            text = interchange(ENDS, STAMP, "HP", "005010X221A1", [set_of(one, "0001")])
            found = [f for e in examine([text]) if isinstance(e, UnitSeen | SetSeen) for f in e.findings]
            assert found == []
        moved = sum(sum(payment.paid for payment in one.payments) for one in written)
        paid = sum(one.paid for one in written)
        total_after = sum(part.amount for part in now.values())
        assert moved - paid == total_before - total_after
        owed, total_before = now, total_after


@settings(max_examples=150, deadline=None)
@given(LINES, st.data())
def test_a_secondary_claim_accounts_for_the_whole_charge(lines: list, data: st.DataObject) -> None:
    (made,) = built([(lines, False)])
    decided, paid_total = [], 0
    for part in made.lines:
        paid = data.draw(st.integers(0, part.charge))
        patient = data.draw(st.integers(0, part.charge - paid))
        off = part.charge - paid - patient
        reasons = [Adjustment("PR", "2", patient)] * (patient > 0) + [Adjustment("CO", "45", off)] * (off > 0)
        paid_total += paid
        decision = LineDecision("FIRST1", paid, "20250305", tuple(reasons))
        decided.append(msgspec.structs.replace(part, decisions=(decision,)))
    other = OtherPayer("P", "FIRST1", "FIRST", "X9", "DOE", paid_total)
    second = msgspec.structs.replace(made, lines=tuple(decided), rank="S", others=(other,))
    for method in ("standard", "non-duplication", "medicare-secondary"):
        plan = msgspec.structs.replace(PLAN, coordination=method)
        result = decide(second, plan, RATES, facts())
        for part, was in zip(result.lines, decided, strict=True):
            left = sum(a.amount for a in was.decisions[0].adjustments if a.group == "PR")
            assert part.charge == part.paid + sum(reason.amount for reason in part.reasons)
            if not part.denied:
                assert part.paid + part.patient <= left


SIMPLE = msgspec.structs.replace(
    PLAN,
    categories=(PLAN.categories[0], PLAN.categories[-1]),
    coding=type(PLAN.coding)(),
    cuts=type(PLAN.cuts)(),
    limits=(),
    prompt_pay=None,
)
NAIVE_PLAN = {
    "copay": Decimal("20.00"),
    "coinsurance": Decimal("0.20"),
    "deductible": {"individual": Decimal("500.00"), "family": Decimal("800.00")},
    "pocket": {"individual": Decimal("2000.00"), "family": Decimal("3000.00")},
    "excluded": "G9",
}
PRICES = {rate.procedure: Decimal(rate.amount) / 100 for rate in RATES.rates if rate.procedure}


def same_as_naive(claims: list[Claim], plan: Plan) -> int:
    naive = Naive(NAIVE_PLAN, PRICES, Decimal("0.70"))
    decisions = decide_all(claims, plan, [RATES], History(MEMBERS), SETTINGS)
    compared = 0
    for made, decision in zip(claims, decisions, strict=True):
        lines = [
            (part.procedure, part.first, Decimal(part.charge) / 100, Decimal(part.units) / 1000) for part in made.lines
        ]
        expected = naive.claim(person_of(made), "M1", lines)
        got = [(Decimal(part.paid) / 100, Decimal(part.patient) / 100) for part in decision.lines]
        assert got == expected, made.identifier
        compared += len(got)
    return compared


@settings(max_examples=200, deadline=None)
@given(CLAIMS)
def test_a_second_adjudicator_that_shares_no_code_agrees_to_the_cent(parts: list) -> None:
    day = 0
    plain = []
    for lines, child in parts:
        own = []
        for code, charge, _, _ in lines:
            day += 1
            own.append((code, charge, 1 + day % 28, ""))
        plain.append((own, child))
    unique = [
        (list({(code, place): (code, charge, place, "") for code, charge, place, _ in lines}.values()), child)
        for lines, child in plain
    ]
    claims = built(unique)
    suspects = History(MEMBERS)
    if any(decision.status == "pended" for decision in decide_all(claims, SIMPLE, [RATES], suspects, SETTINGS)):
        return
    assert same_as_naive(claims, SIMPLE) > 0


def replay(claims: int) -> str:
    """Return a digest of all that a month under twenty plans, and some worlds with voids and second payers, come to."""
    found = sha256()

    def add(files: list[bytes], plan: Plan, contracts: list[Rates], members: Members) -> None:
        outcome = adjudicate(files, plan, contracts, members, SETTINGS)
        answers = (*outcome.acknowledgments, *outcome.claim_acknowledgments, outcome.remittance, outcome.page.encode())
        for text in (*answers, *(text for _, text in outcome.explanations)):
            found.update(text)
        found.update(msgspec.json.encode(outcome.decisions))

    for number in range(test_month.DESIGNS):
        month = test_month.Month(number, claims)
        add([file_of(*month.claims)], test_month.design(number)[0], [RATES], month.members())
    for seed in range(claims // 5):
        world = World(seed, 5)
        add(world.files(), world.plan, world.contracts, world.members())
    return found.hexdigest()


def replayed(claims: int) -> set[str]:
    code = f"from tests.agreements.claims.test_properties import replay; print(replay({claims}))"
    results = {replay(claims)}
    for seed, zone, language in (("1", "Asia/Tokyo", "C"), ("77", "America/New_York", "de_DE.UTF-8")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        results.add(ran.stdout.strip())
    return results


def test_a_month_replays_to_the_same_bytes_under_any_hash_seed_locale_and_time_zone() -> None:
    assert len(replayed(15)) == 1


@pytest.mark.soak
def test_a_whole_month_replays_to_the_same_bytes() -> None:
    assert len(replayed(100)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_claims_that_share_no_cell_decide_alike_in_any_order(seed: int) -> None:
    """Families share no cell: their claims may come in any order, each family's in its own."""
    chance = random.Random(seed)
    plan, month = test_month.design(seed + 4)[0], test_month.Month(seed, 80)
    families: dict[str, list[Claim]] = {}
    for one in month.claims:
        families.setdefault(one.subscriber.member, []).append(one)
    results = []
    for _ in range(3):
        waiting = {family: list(claims) for family, claims in families.items()}
        order = [one.subscriber.member for one in month.claims]
        chance.shuffle(order)
        shuffled = [waiting[family].pop(0) for family in order]
        decisions = decide_all(shuffled, plan, [RATES], History(month.members()), SETTINGS)
        told = {part.claim.identifier: (part.status, part.lines, part.moves, part.units) for part in decisions}
        results.append(told)
    assert sum(len(claims) > 1 for claims in families.values()) > 5
    assert results[0] == results[1] == results[2]
