"""A deviation from its detection to its end, and the audit trail that tells all of it."""

import pytest

from salus.agreements.trials.conduct import conduct
from salus.agreements.trials.deviations import HANDLING, TRANSITIONS, Deviation, Stage
from salus.agreements.trials.trail import audit_trail

from .sample import DAY, START, Chain, under

FAR = "WINDOW/7"  # week 2, fifteen days late: important by the terms


def late(day=29):
    return Chain().enrolled().add("visit", day=day, visit="week2")


def found(chain, id_=FAR, **changes):
    return next((one for one in conduct(chain.acts, under(**changes)).deviations if one.id == id_), None)


def codes(chain, **changes):
    return [one.code for one in conduct(chain.acts, under(**changes)).verdicts]


def test_a_deviation_is_classified_reported_and_resolved():
    chain = late()
    assert (found(chain).important, found(chain).stage, found(chain).todo) == (True, Stage.DETECTED, "classify")
    chain.add("classify", "investigator", of=FAR, important="yes", reason="dose missed")
    assert found(chain).todo == "report"
    assert codes(chain.add("resolve", "investigator", of=FAR, reason="visit made up")) == ["OUT_OF_ORDER"]
    chain.add("report", of=FAR, to="sponsor").add("report", of=FAR, to="ethics")
    assert found(chain).todo == "resolve"
    chain.add("resolve", "investigator", of=FAR, reason="staff trained")
    assert (found(chain).stage, found(chain).todo) == (Stage.RESOLVED, "")
    assert codes(chain.add("classify", "investigator", of=FAR, important="no", reason="x"))[-1] == "OUT_OF_ORDER"
    assert not any(FAR in task.what for task in conduct(chain.acts, under()).tasks)


def test_a_minor_deviation_is_resolved_without_a_report():
    chain = late(day=18)
    assert not found(chain).important
    chain.add("classify", "investigator", of=FAR, important="no", reason="no dose was due")
    assert "resolve deviation WINDOW/7" in [task.what for task in conduct(chain.acts, under()).tasks]
    chain.add("resolve", "investigator", of=FAR, reason="none needed")
    assert (found(chain).stage, codes(chain)) == (Stage.RESOLVED, [])


def test_a_physicians_class_takes_the_place_of_the_rules():
    chain = late(day=18).add("classify", "investigator", of=FAR, important="yes", reason="endpoint visit")
    assert (found(chain).important, found(chain).todo) == (True, "report")


def test_a_deviation_is_entered_by_hand_also_by_the_monitor():
    chain = Chain().enrolled().add("deviate", "monitor", told="two forms were signed by the wrong person")
    one = found(chain, "ENTERED/7")
    assert (one.important, one.told) == (True, "two forms were signed by the wrong person")
    assert codes(chain.add("deviate", important="no")) == ["UNKNOWN"]
    assert not found(chain.add("deviate", told="kit left open", important="no"), "ENTERED/9").important


def test_a_missed_visit_is_dealt_with_though_no_act_showed_it():
    chain = Chain().enrolled()
    early = chain.time
    chain.add("classify", "investigator", of="MISSED/week2", important="yes", reason="moved away")
    assert codes(chain) == ["UNKNOWN"]  # its window is still open
    chain.time = early + 20 * DAY
    chain.add("classify", "investigator", of="MISSED/week2", important="yes", reason="moved away")
    chain.add("report", of="MISSED/week2", to="sponsor")
    one = found(chain, "MISSED/week2", now=START + 20 * DAY)
    assert (one.stage, one.told) == (Stage.REPORTED, "visit Week 2 was due until 2026-01-18")
    assert [each.id for each in conduct(chain.acts, under()).deviations].count("MISSED/week2") == 1


@pytest.mark.parametrize(
    ("kind", "by", "fields", "code"),
    [
        ("classify", "nurse", {"of": FAR, "important": "no", "reason": "x"}, "NOT_DELEGATED"),
        ("resolve", "monitor", {"of": FAR, "reason": "x"}, "NOT_DELEGATED"),
        ("classify", "investigator", {"of": "WINDOW/9", "important": "no", "reason": "x"}, "UNKNOWN"),
        ("classify", "investigator", {"of": FAR, "important": "perhaps", "reason": "x"}, "UNKNOWN"),
        ("classify", "investigator", {"of": FAR, "important": "no"}, "NO_REASON"),
        ("report", "nurse", {"of": FAR, "to": "sponsor"}, "OUT_OF_ORDER"),
        ("resolve", "investigator", {"of": FAR, "reason": "x"}, "OUT_OF_ORDER"),
        ("report", "nurse", {}, "UNKNOWN"),
    ],
)
def test_attack_a_deviation_is_talked_away(kind, by, fields, code):
    chain = late().add(kind, by, **fields)
    assert codes(chain) == [code]
    assert found(chain).stage is Stage.DETECTED


def test_a_report_names_who_was_told():
    chain = (
        late().add("classify", "investigator", of=FAR, important="yes", reason="x").add("report", of=FAR, to="a friend")
    )
    assert codes(chain) == ["UNKNOWN"]


def test_the_life_has_the_steps_of_its_table():
    assert {stage for _, stage in TRANSITIONS.items()} | {Stage.DETECTED} == set(Stage)
    assert {"classify", "report", "resolve"} == HANDLING
    assert Deviation(3, "WINDOW", True, "").id == "WINDOW/3"


def test_the_trail_tells_every_act_with_old_and_new_and_what_was_refused():
    chain = Chain().enrolled().add("visit", day=14, visit="week2")
    chain.add("form", day=14, visit="week2", activity="measure", item__PAIN="6", item__PULSE="200")
    item = "week2/measure/1/PAIN"
    chain.add("change", item=item, value="5").add("change", item=item, value="5", reason="read from the wrong line")
    chain.add("sign", "investigator", visit="week2").add("visit", day=15, visit="week2")
    lines = audit_trail(chain.acts, under())
    told = [(one.kind, one.role, one.old, one.new, one.reason, one.refused) for one in lines if one.item == item]
    assert told == [
        ("form", "coordinator", "", "6", "", ""),
        ("change", "coordinator", "6", "5", "", "NO_REASON"),
        ("change", "coordinator", "6", "5", "read from the wrong line", ""),
    ]
    visits = [(one.old, one.new) for one in lines if one.item == "visit week2"]
    assert visits == [("", "2026-01-15"), ("2026-01-15", "2026-01-16")]
    assert [(one.by, one.item, one.new) for one in lines if one.by.startswith("rule")] == [
        ("rule pulse-range", "week2/measure/1/PULSE", "open")
    ]
    assert [one.number for one in lines] == sorted(one.number for one in lines)
    assert {one.number for one in lines} == set(range(1, len(chain.acts) + 1))
    assert all(one.entered and one.anchored and one.role for one in lines if not one.by.startswith("rule"))
    assert ("sign meaning", "reviewed") in [(one.item, one.new) for one in lines]


def test_the_trail_is_blind():
    """What would tell an arm stands nowhere in it: the kit, and the enrolment that leads to its allocation."""
    chain = Chain().enrolled()
    lines = audit_trail(chain.acts, under())
    assert [one.item for one in lines if one.kind == "randomised"] == ["randomised"]
    assert not any(secret in str(lines) for secret in ("K-7", "'bb'"))


def test_the_trail_ends_where_the_chain_breaks():
    chain = Chain().enrolled()
    lines = audit_trail([*chain.acts[:3], *chain.acts[4:]], under())
    assert {one.number for one in lines} == {1, 2, 3}
