"""Pairs and units of a day over several claims: what counts, what does not, and what a provider names."""

import msgspec
import pytest

from salus.agreements.claims.alone import decide_all
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import DayLine, Decision, TableEdits
from salus.agreements.claims.history import History
from salus.agreements.claims.plan import Coding, PairEdit, TableReference, UnitEdit
from salus.agreements.claims.plan_compare import compare, replayed
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.same_day import OwnCase, counted, miscounted
from salus.agreements.claims.tables import Table
from salus.interop.x12.claim import Claim, Party
from tests.agreements.claims.cases import (
    CLINIC,
    HOSPITAL,
    JOHN,
    MEMBERS,
    PLAN,
    RATES,
    SETTINGS,
    claim,
    facts,
    line,
    npi,
    reasons,
)

replace = msgspec.structs.replace
SCAN = PairEdit(first="R0070", second="S9129", indicator=0)
SHOT = UnitEdit(procedure="J0696", most=4000, per="day")
DAILY = replace(PLAN, coding=replace(PLAN.coding, pairs=(*PLAN.coding.pairs, SCAN), units=(SHOT,)))
FIRST = claim(line(1, "G0402"), identifier="A1")
SECOND = claim(line(1, "G0403", 6000), identifier="A2")
SHOTS = claim(line(1, "J0696", 3000, units=3000), identifier="A1")
MORE = claim(line(1, "J0696", 2000, units=2000, modifiers=("76",)), identifier="A2")


def both(one: Claim, two: Claim, *rates: Rates) -> Decision:
    """Decide two claims in turn; return the second's decision."""
    made = decide_all([one, two], DAILY, [RATES, *rates], History(MEMBERS), SETTINGS)
    return made[-1]


def told(decision: Decision) -> str:
    return next((one.rule for one in decision.trace if one.step == "coding"), "")


def test_the_second_of_a_pair_is_denied_though_the_first_came_on_another_claim() -> None:
    made = both(FIRST, SECOND)
    assert reasons(made) == [(1, "CO-97", 6000)]
    assert told(made) == "G0403 is part of G0402, indicator 1; G0402 is on H00000001"
    apart = replace(SECOND, lines=(line(1, "G0403", 6000, modifiers=("59",)),))
    assert both(FIRST, apart).status == "paid"
    never = [claim(line(1, code), identifier=code) for code in ("G0404", "G0405")]
    marked = replace(never[1], lines=(line(1, "G0405", modifiers=("59",)),))
    assert reasons(both(never[0], marked)) == [(1, "CO-236", 15000)]


def test_a_first_that_comes_after_its_second_waits_for_a_person() -> None:
    made = both(SECOND, FIRST)
    assert made.pends == ("coding: line 1: G0403 is part of G0402, indicator 1; G0403 is on H00000001",)


def test_units_of_a_day_are_counted_over_claims_and_units_of_a_line_are_not() -> None:
    made = both(SHOTS, MORE)
    assert reasons(made) == [(1, "CO-151", 2000)]
    assert told(made) == "more than 4 units per day; 3 are on H00000001"
    few = replace(MORE, lines=(replace(MORE.lines[0], units=1000),))
    assert both(SHOTS, few).status == "paid"
    plan = replace(PLAN, coding=Coding(units=(UnitEdit(procedure="J0696", most=4000),)))
    assert decide_all([SHOTS, MORE], plan, [RATES], History(MEMBERS), SETTINGS)[1].status == "paid"


@pytest.mark.parametrize(
    "change",
    [
        {"patient": JOHN, "relationship": "19"},
        {"lines": (line(1, "G0403", 6000, "20250302"),), "first": "20250302", "last": "20250302"},
        {"billing": HOSPITAL},
        {"kind": "I", "facility": "13", "lines": (line(1, "G0403", 6000, revenue="0510"),)},
        {"rendering": Party("ROE", npi(155555555), "RICHARD", taxonomy="208D00000X")},
    ],
)
def test_other_persons_days_providers_and_kinds_do_not_count(change: dict) -> None:
    made = both(FIRST, replace(SECOND, **change), replace(RATES, provider=HOSPITAL.identifier))
    assert "97" not in {reason.code for one in made.lines for reason in one.reasons}
    assert not made.pends


def test_two_of_one_specialty_bill_as_one() -> None:
    doctor = Party("ROE", npi(155555555), "RICHARD", taxonomy=CLINIC.taxonomy)
    assert reasons(both(FIRST, replace(SECOND, rendering=doctor))) == [(1, "CO-97", 6000)]
    one, two = (Party("ROE", npi(number), "RICHARD") for number in (155555555, 166666666))  # specialties not told
    made = both(replace(FIRST, rendering=one), replace(SECOND, rendering=two))
    assert "97" not in {reason.code for part in made.lines for reason in part.reasons}


def test_what_was_denied_voided_or_replaced_counts_no_more() -> None:
    unapproved, therapy = claim(line(1, "R0070"), identifier="A1"), claim(line(1, "S9129", 9000), identifier="A2")
    assert both(unapproved, therapy).status == "paid"
    void = replace(FIRST, frequency="8", original="H00000001", identifier="V1")
    other = replace(FIRST, frequency="7", original="H00000001", lines=(line(1, "S9129", 9000),), charge=9000)
    for back in (void, other):
        made = decide_all([FIRST, back, SECOND], DAILY, [RATES], History(MEMBERS), SETTINGS)
        assert made[-1].status == "paid"
    again = replace(SHOTS, frequency="7", original="H00000001", lines=(replace(MORE.lines[0], units=4000),))
    made = decide_all([SHOTS, again], DAILY, [RATES], History(MEMBERS), SETTINGS)
    assert made[-1].status == "paid"  # it does not collide with what it replaces


def test_a_claim_that_waits_counts_as_one_in_process() -> None:
    waiting = claim(line(1, "G0402"), line(2, "G0402", 14000), identifier="A1")
    assert reasons(both(waiting, SECOND)) == [(1, "CO-97", 6000)]


def test_the_facts_hold_the_least_and_the_decision_follows_from_them() -> None:
    history = History(MEMBERS)
    before = claim(line(1, "G0402"), line(2, "S9129", 9000), identifier="A0")
    history.record(decide(before, DAILY, RATES, facts()))
    asked = {"received": "20250310", "decided": "20250315", "control": "H2"}
    drawn = history.draw(SECOND, DAILY, RATES, **asked)
    assert drawn.same_day == (DayLine("H1", "20250301", "G0402", (), 1000),)
    assert reasons(decide(SECOND, DAILY, RATES, drawn)) == [(1, "CO-97", 6000)]
    assert reasons(decide(SECOND, DAILY, RATES, replace(drawn, same_day=()))) != [(1, "CO-97", 6000)]
    alone = claim(line(1, "G0499"), identifier="A3")
    assert history.draw(alone, DAILY, RATES, **asked).same_day == ()


TABLE = TableReference(
    kind="pairs", name="NCCI PTP", version="2025Q1", source="cms.gov", date="20250101", digest="0" * 64
)
ROWS = Table("pairs", b"G0402G040320200101299912311\nG0402S912920200101299912310\n")


def test_rows_of_a_table_pair_lines_of_several_claims() -> None:
    plan = replace(PLAN, coding=Coding(), tables=(TABLE,))
    history = History(MEMBERS, tables={TABLE.digest: ROWS})
    made = decide_all([FIRST, SECOND], plan, [RATES], history, SETTINGS)
    assert reasons(made[1]) == [(1, "CO-97", 6000)]
    assert made[1].lines[0].reasons[0].clause == "NCCI PTP 2025Q1"


def test_a_new_version_is_replayed_against_the_lines_of_its_days() -> None:
    old = replace(PLAN, coding=Coding())
    cases = replayed([FIRST, SECOND], old, [RATES], History(MEMBERS), "20250310")
    assert [one.control for one in compare(old, PLAN, cases)] == ["C00000002"]
    new = replace(old, tables=(TABLE,))
    assert [one.control for one in compare(old, new, cases, {TABLE.digest: ROWS})] == ["C00000002"]


def rows_believed(_claim: Claim, told: object, _lines: object) -> tuple[TableEdits, ...]:
    return told.edits


def decided_on(one: Claim, control: str, day: str, *lines: DayLine) -> tuple[Decision, object]:
    drawn = facts(control=control, decided=day, same_day=lines)
    return decide(one, DAILY, RATES, drawn), drawn


def test_a_provider_names_lines_that_are_left_out_or_invented() -> None:
    counts = DayLine("H1", "20250301", "G0402", (), 1000)
    before, drawn = decided_on(FIRST, "H1", "20250314")
    own = OwnCase((before,), drawn, None)
    honest, left_out = decided_on(SECOND, "H2", "20250315", counts), decided_on(SECOND, "H2", "20250315")
    invented = decided_on(SECOND, "H2", "20250315", replace(counts, other="H9", procedure="G0404"))
    assert not miscounted(DAILY, *honest, [own], rows_believed)
    assert miscounted(DAILY, *left_out, [own], rows_believed)
    assert miscounted(DAILY, *honest, [], rows_believed)
    assert miscounted(DAILY, *invented, [own], rows_believed)
    assert not miscounted(DAILY, *left_out, [replace(own, facts=None)], rows_believed)  # reopened since
    waiting = OwnCase((), None, FIRST)
    assert not miscounted(DAILY, *honest, [waiting], rows_believed)
    assert not miscounted(DAILY, *left_out, [waiting], rows_believed)
    for day in ("20250315", "20250316"):  # it waited for a person, who denied it after the other was decided
        denied = replace(before, decided=day, lines=(replace(before.lines[0], denied=True),))
        assert not miscounted(DAILY, *honest, [OwnCase((denied,), None, None)], rows_believed)
    assert miscounted(DAILY, *honest, [OwnCase((replace(denied, decided="20250314"),), None, None)], rows_believed)
    taken_back = replace(before, status="voided", lines=(), decided="20250314")
    assert miscounted(DAILY, *honest, [OwnCase((before, taken_back), None, None)], rows_believed)


def test_of_two_claims_decided_on_one_day_one_counts_the_other() -> None:
    """Which came first is the payer's order; that neither counts the other is no order."""
    one = decided_on(SHOTS, "H1", "20250315", DayLine("H2", "20250301", "J0696", ("76",), 2000))
    two = decided_on(MORE, "H2", "20250315")
    blind = decided_on(SHOTS, "H1", "20250315")
    assert not miscounted(DAILY, *two, [OwnCase((one[0],), one[1], None)], rows_believed)
    assert miscounted(DAILY, *two, [OwnCase((blind[0],), blind[1], None)], rows_believed)


def test_an_edit_out_of_force_holds_nothing() -> None:
    ended = PairEdit(first="G0402", second="G0403", indicator=0, until="20241231")
    plan = replace(PLAN, coding=Coding(pairs=(ended, replace(ended, indicator=9, until="29991231"))))
    lines = (DayLine("H1", "20250301", "G0402", (), 1000),)
    assert counted(plan, SECOND, (), lines) == ()
