"""A participant's chain becomes a state; each act that breaks a rule is named and changes nothing."""

import pytest
from msgspec import structs

from salus.agreements.trials.acts import FIRST, Act, Anchored, SignedAct, act_digest, delegations, read, signing_bytes
from salus.agreements.trials.conduct import KINDS, ROLES, TRANSITIONS, Adoption, Status, conduct
from salus.core.encoding import decode, encode

from . import sample
from .sample import DAY, FORM, NEW_FORM, ONE, START, TWO, Chain, under


def codes(chain, **changes):
    return [one.code for one in conduct(chain.acts, under(**changes)).verdicts]


def deviations(chain, **changes):
    return [one.code for one in conduct(chain.acts, under(**changes)).deviations if one.code != "MISSED"]


def ids(chain, **changes):
    return [one.id for one in conduct(chain.acts, under(**changes)).deviations if one.code != "MISSED"]


def week2(chain, day=14):
    chain.add("visit", day=day, visit="week2")
    return chain.add("form", day=day, visit="week2", activity="measure", item__PAIN="6", item__PULSE="71")


def test_a_participant_from_consent_to_end():
    chain = week2(Chain().enrolled())
    chain.add("visit", day=28, visit="week4").add("form", day=28, visit="week4", activity="measure", item__PAIN="2")
    for visit in ("screen", "base", "week2", "week4"):
        chain.add("sign", "investigator", visit=visit)
    state = conduct(chain.acts, under())
    assert [visit for visit in state.visits if state.payable(visit)] == [
        "week2"
    ]  # the others are signed, and not complete
    assert state.missing("week4") == (("measure", "PULSE"),)
    for visit, items in (("screen", "PAIN PULSE"), ("base", "PAIN PULSE"), ("week4", "PULSE")):
        values = {f"item__{item}": "70" if item == "PULSE" else "2" for item in items.split()}
        chain.add("form", visit=visit, activity="measure", repeat="2", **values)
    assert set(conduct(chain.acts, under()).signed) == {"week2"}  # another form takes a signature away
    for visit in ("screen", "base", "week4"):
        chain.add("sign", "investigator", visit=visit)
    chain.add("end", reason="completed")
    state = conduct(chain.acts, under())
    assert (state.verdicts, state.deviations) == ([], [])
    assert (state.status, state.ended, state.kit) == (Status.ENDED, "completed", "K-7")
    assert all(state.payable(visit) for visit in state.visits)
    assert [entry.value for entry in state.items["week2/measure/1/PAIN"]] == ["6"]


def test_a_life_has_the_steps_of_its_table():
    assert {kind for _, kind in TRANSITIONS} <= set(KINDS)
    assert {status for _, status in TRANSITIONS.items()} | {Status.CANDIDATE} == set(Status)


@pytest.mark.parametrize(
    ("late", "code"), [(-60_001, "BACKDATED"), (11 * 60_000, "BACKDATED"), (0, ""), (9 * 60_000, "")]
)
def test_attack_an_entry_dated_back(late, code):
    chain = Chain().enrolled()
    anchor = chain.acts[-1].at
    if late < 0:
        chain.add("visit", visit="week2", entered=anchor + late, anchored=anchor + 30_000)
    else:
        chain.add("visit", visit="unscheduled", entered=anchor + 1000, anchored=anchor + 1000 + late)
    found = codes(chain)
    assert ("BACKDATED" in found) is bool(code)


def test_an_entry_dated_ahead_is_refused_too():
    chain = Chain().enrolled()
    chain.add("end", entered=chain.time + DAY, anchored=chain.time)
    assert codes(chain) == ["BACKDATED"]


def test_attack_a_chain_altered_cut_or_reordered():
    chain = week2(Chain().enrolled())
    act = decode(chain.acts[3].signed.act, Act)
    forged = SignedAct(encode(structs.replace(act, entered=act.entered + 1)), chain.acts[3].signed.signature)
    for acts in (
        [*chain.acts[:3], Anchored(forged, chain.acts[3].at), *chain.acts[4:]],
        [*chain.acts[:3], *chain.acts[4:]],
        [chain.acts[0], chain.acts[2], chain.acts[1]],
        [Anchored(SignedAct(b"no act", bytes(64)), 0)],
    ):
        state = conduct(acts, under())
        assert [one.code for one in state.verdicts] == ["BROKEN"]
        assert len(state.visits) < 3


def test_acts_that_a_person_signs_at_once_are_judged_as_acts_signed_one_by_one():
    alone, together = week2(Chain().enrolled()), week2(Chain().enrolled())
    together.at_once(0, 3).at_once(4, len(together.acts))
    assert sum(bool(one.signed.signature) for one in together.acts) == 3
    assert conduct(together.acts, under()) == conduct(alone.acts, under())


def test_attack_acts_under_a_signature_that_does_not_sign_them():
    """An act put in, left out, altered, of another person, or one too many: none under that signature stands."""
    chain = week2(Chain().enrolled())
    size = len(chain.acts)
    signed = chain.at_once(4, size).acts
    act = decode(signed[4].signed.act, Act)
    altered = Anchored(SignedAct(encode(structs.replace(act, entered=act.entered + 1)), b""), signed[4].at)
    other = Chain().enrolled().at_once(2, 4).acts  # the nurse's under the investigator's signature
    lifted = [*signed[:-1], Anchored(SignedAct(signed[-1].signed.act, chain.acts[3].signed.signature), signed[-1].at)]
    for acts, number in (
        ([*signed[:4], altered, *signed[5:]], 5),
        (signed[:-1], 5),
        ([*signed[:4], *signed[5:]], 5),
        ([*signed[:-1], Anchored(SignedAct(signed[-1].signed.act, b""), signed[-1].at)], 5),
        (lifted, 5),
        ([*signed[:4], signed[-1]], 5),
        (other, 3),
    ):
        state = conduct(acts, under())
        assert [(one.number, one.code) for one in state.verdicts] == [(number, "BROKEN")]
    many = Chain().enrolled()
    for _ in range(51):
        many.add("visit", day=0, visit="unscheduled")
    assert conduct(many.at_once(6, 56).acts, under()).verdicts == []
    assert [one.number for one in conduct(many.at_once(6, 57).acts, under()).verdicts] == [7]


def test_attack_fields_out_of_order_or_too_many():
    act = decode(Chain().add("end").acts[0].signed.act, Act)
    for fields in ((("b", "1"), ("a", "1")), (("a", "1"), ("a", "2")), (("a", "x" * 3000),)):
        other = structs.replace(act, fields=fields)
        assert read(SignedAct(encode(other), sample.person("nurse").sign(signing_bytes(other)))) is None


@pytest.mark.parametrize(
    ("kind", "by", "fields", "code"),
    [
        ("eligible", "nurse", {}, "NOT_DELEGATED"),
        ("form", "monitor", {"visit": "base"}, "NOT_DELEGATED"),
        ("change", "monitor", {}, "NOT_DELEGATED"),
        ("visit", "stranger", {"visit": "week2"}, "NOT_DELEGATED"),
        ("dance", "nurse", {}, "UNKNOWN"),
        ("visit", "nurse", {"visit": "week9"}, "UNKNOWN"),
        ("visit", "nurse", {"visit": "week2"}, "UNKNOWN"),
        ("form", "nurse", {"visit": "week2"}, "OUT_OF_ORDER"),
        ("change", "nurse", {"item": "x", "reason": "y"}, "UNKNOWN"),
        ("query", "monitor", {"item": "x"}, "UNKNOWN"),
        ("verify", "monitor", {"item": "x"}, "UNKNOWN"),
        ("answer", "nurse", {"query": "9"}, "UNKNOWN"),
        ("close", "monitor", {"query": "9"}, "UNKNOWN"),
        ("sign", "investigator", {"visit": "week2"}, "UNKNOWN"),
        ("sign", "investigator", {"visit": "base", "meaning": ""}, "NO_MEANING"),
        ("sign", "investigator", {"visit": "base", "renewed": ""}, "NOT_RENEWED"),
        ("sign", "investigator", {"visit": "base", "renewed": "9" * 17}, "NOT_RENEWED"),
        ("sign", "investigator", {"visit": "base", "renewed": str(START - 6 * 60_000)}, "NOT_RENEWED"),
        ("causality", "investigator", {"of": "9"}, "UNKNOWN"),
        ("consent", "nurse", {"form": FORM}, "OUT_OF_ORDER"),
        ("randomised", "nurse", {"enrolment": "cc"}, "OUT_OF_ORDER"),
        ("reconsent", "nurse", {"form": NEW_FORM}, "WRONG_FORM"),
    ],
)
def test_an_act_that_breaks_a_rule_is_named_and_changes_nothing(kind, by, fields, code):
    chain = Chain().enrolled()
    before = conduct(chain.acts, under())
    chain.add(kind, by, **fields)
    after = conduct(chain.acts, under())
    assert [one.code for one in after.verdicts] == [code]
    assert (before.status, before.visits, before.items) == (after.status, after.visits, after.items)


def test_attack_data_without_consent_or_before_registration():
    assert codes(Chain().add("visit", day=-14, visit="screen")) == ["NO_CONSENT"]
    early = Chain().add("consent", day=-14, form=FORM)
    assert codes(early, registered=START + DAY) == ["OUT_OF_ORDER"]
    assert codes(early, registered=0) == ["OUT_OF_ORDER"]
    assert codes(Chain().add("consent", day=-14, form=NEW_FORM)) == ["WRONG_FORM"]


def test_attack_an_ineligible_participant():
    chain = Chain().add("consent", day=-14, form=FORM).add("screen", adult="yes", pain="no", allergy="no")
    chain.add("eligible", "investigator").add("randomised", enrolment="bb")
    state = conduct(chain.acts, under())
    assert [one.code for one in state.verdicts] == ["NOT_ELIGIBLE", "OUT_OF_ORDER"]
    assert state.verdicts[0].told == "not met or not judged: pain, other-trial"
    assert codes(chain.add("fail", "investigator"))[-1] == "UNKNOWN"
    chain.add("fail", "investigator", criteria="pain")
    assert conduct(chain.acts, under()).status is Status.FAILED


def test_nothing_but_care_follows_a_withdrawal():
    chain = week2(Chain().enrolled()).add("withdraw", scope="treatment").add("visit", day=28, visit="week4")
    chain.add("adverse", term="rash")
    state = conduct(chain.acts, under())
    assert [one.code for one in state.verdicts] == ["WITHDRAWN"]
    assert (state.status, state.scope, len(state.adverse)) == (Status.WITHDRAWN, "treatment", 1)


def test_attack_an_edit_after_the_lock():
    chain = week2(Chain().enrolled())
    item = "week2/measure/1/PAIN"
    chain.add("change", item=item, value="2", reason="typo")
    assert codes(chain, locked_at=chain.time - 1) == ["LOCKED"]
    state = conduct(chain.acts, under(locked_at=chain.time - 1))
    assert [entry.value for entry in state.items[item]] == ["6"]


def test_a_visit_outside_its_window_is_a_deviation_with_its_arithmetic():
    state = conduct(week2(Chain().enrolled(), day=18).acts, under())
    (found,) = [one for one in state.deviations if one.code == "WINDOW"]
    assert (found.number, found.important) == (7, False)
    assert "window 2026-01-12 to 2026-01-18, was 2026-01-19" in found.told
    far = conduct(week2(Chain().enrolled(), day=29).acts, under())
    assert [one.important for one in far.deviations if one.code == "WINDOW"] == [True]
    assert deviations(week2(Chain().enrolled(), day=17)) == []


def test_a_visit_entered_late_is_a_deviation():
    chain = Chain().enrolled()
    chain.time = START + 40 * DAY
    chain.acts.pop()
    act = Act(
        sample.STUDY, sample.SITE, sample.SUBJECT, 6, act_digest(chain.acts[-1].signed.act), chain.time, "2026-01-01",
        "visit", sample.public("nurse"), (("visit", "base"),),
    )  # fmt: skip
    chain.acts.append(Anchored(SignedAct(encode(act), sample.person("nurse").sign(signing_bytes(act))), chain.time))
    assert deviations(chain) == ["LATE_ENTRY"]


def test_a_change_keeps_the_old_value_and_takes_the_signature_away():
    chain = week2(Chain().enrolled()).add("sign", "investigator", visit="week2")
    item = "week2/measure/1/PAIN"
    chain.add("verify", "monitor", item=item)
    assert conduct(chain.acts, under()).payable("week2")
    assert conduct(chain.acts, under()).verified == {item}
    assert codes(Chain().enrolled().add("change", item=item, value="5", reason="typo")) == ["UNKNOWN"]
    chain.add("change", item=item, value="5")
    assert codes(chain) == ["NO_REASON"]
    chain.add("change", item=item, value="5", reason="read from the wrong line")
    state = conduct(chain.acts, under())
    assert "week2" not in state.signed
    assert not state.verified
    assert [entry.value for entry in state.items[item]] == ["6", "5"]


def test_attack_a_form_takes_the_place_of_what_was_entered():
    chain = week2(Chain().enrolled()).add("sign", "investigator", visit="week2")
    chain.add("form", visit="week2", activity="measure", item__PAIN="0")
    state = conduct(chain.acts, under())
    assert [(one.number, one.code) for one in state.verdicts] == [(len(chain.acts), "NO_REASON")]
    assert [entry.value for entry in state.items["week2/measure/1/PAIN"]] == ["6"]
    assert "week2" in state.signed


def test_a_value_outside_its_bounds_raises_a_query_by_rule_until_it_is_closed():
    chain = week2(Chain().enrolled()).add("sign", "investigator", visit="week2")
    item = "week2/measure/1/PULSE"
    chain.add("change", item=item, value="240", reason="recount").add("sign", "investigator", visit="week2")
    state = conduct(chain.acts, under())
    (query,) = state.queries
    assert (query.rule, query.item, query.state) == ("pulse-range", item, "open")
    assert not state.payable("week2")
    chain.add("answer", query=str(query.number)).add("close", "monitor", query=str(query.number))
    assert conduct(chain.acts, under()).payable("week2")
    chain.add("query", "monitor", item=item).add("change", item=item, value="fast", reason="?")
    assert [one.state for one in conduct(chain.acts, under()).queries] == ["closed", "open", "open"]
    assert "answer query" in str(conduct(chain.acts, under()).tasks)


def test_queries_raised_by_one_form_are_answered_and_closed_each_on_its_own():
    chain = Chain().enrolled().add("visit", "nurse", day=14, visit="week2")
    chain.add("form", visit="week2", activity="measure", repeat="1", item__PAIN="11", item__PULSE="240")
    queries = conduct(chain.acts, under()).queries
    first, second = (one.id for one in queries)
    assert {one.rule for one in queries} == {"pain-range", "pulse-range"}
    assert (first, second) == (str(queries[0].number), f"{queries[0].number}.2")
    chain.add("answer", query=second).add("close", "monitor", query=second)
    assert [one.state for one in conduct(chain.acts, under()).queries] == ["open", "closed"]
    chain.add("sign", "investigator", visit="week2")
    assert not conduct(chain.acts, under()).payable("week2")
    chain.add("close", "monitor", query=second)
    assert codes(chain) == ["UNKNOWN"]
    chain.add("answer", query=first).add("close", "monitor", query=first)
    assert conduct(chain.acts, under()).payable("week2")


def test_a_serious_event_said_to_be_none_is_a_deviation():
    chain = Chain().enrolled().add("adverse", term="fall", hospitalisation="yes", serious="no")
    state = conduct(chain.acts, under())
    assert (state.adverse[0].serious, state.adverse[0].related) == (True, None)
    assert "SERIOUS" in deviations(chain)
    assert any(task.what.startswith("judge causality") for task in state.tasks)
    chain.add("causality", "investigator", of=str(state.adverse[0].number), related="yes")
    assert conduct(chain.acts, under()).adverse[0].related


def amended(*deadlines):
    """Return the conditions of a site that adopts version 2 on day 20, and 3 on day 40, with these days for reconsent."""
    three = (TWO[0], structs.replace(TWO[1], consent_form=OTHER_FORM))
    adopted = [
        Adoption(START + (20 * at) * DAY, at + 1, day and START + day * DAY) for at, day in enumerate(deadlines, 1)
    ]
    return {"plans": {1: ONE, 2: TWO, 3: three}, "adopted": (Adoption(START - 30 * DAY, 1), *adopted)}


OTHER_FORM = "33" * 32
AMENDED = {"plans": {1: ONE, 2: TWO}, "adopted": (Adoption(START - 30 * DAY, 1), Adoption(START + 20 * DAY, 2))}


def test_a_visit_after_the_deadline_of_reconsent_is_a_deviation():
    chain = week2(Chain().enrolled())
    chain.add("visit", day=34, visit="week4")
    assert deviations(chain, **amended(30)) == ["RECONSENT_OVERDUE"]
    assert deviations(chain, **amended(50)) == ["RECONSENT_OVERDUE"]
    assert deviations(chain, **amended(70)) == []
    renewed = week2(Chain().enrolled()).add("reconsent", day=21, form=NEW_FORM).add("visit", day=34, visit="week4")
    assert deviations(renewed, **amended(30)) == []
    assert codes(renewed, **AMENDED) == []


def test_a_later_amendment_changes_nothing_of_what_was_overdue_before_it():
    """What was true of an act when it was entered is true for an inspector after any adoption; what handled it stands."""
    chain = week2(Chain().enrolled()).add("visit", day=34, visit="week4")
    overdue = f"RECONSENT_OVERDUE/{len(chain.acts)}"
    chain.add("classify", "investigator", of=overdue, important="yes", reason="seen")
    for deadlines in ((30,), (30, 60), (30, 0)):
        assert ids(chain, **amended(*deadlines), now=START + 45 * DAY) == [overdue]
        assert codes(chain, **amended(*deadlines)) == []
    chain.add("reconsent", day=41, form=OTHER_FORM)
    assert ids(chain, **amended(30, 60), now=START + 70 * DAY) == [overdue]


def test_each_amendment_has_its_own_deadline_though_nobody_came():
    chain = week2(Chain().enrolled())
    standing = {"now": START + 31 * DAY}
    assert ids(chain, **amended(30), **standing) == ["RECONSENT_OVERDUE/version-2"]
    chain.add(
        "classify", "investigator", day=31, of="RECONSENT_OVERDUE/version-2", important="no", reason="on a journey"
    )
    chain.add("reconsent", day=32, form=NEW_FORM)
    assert ids(chain, **amended(30, 60), now=START + 59 * DAY) == ["RECONSENT_OVERDUE/version-2"]
    both = ["RECONSENT_OVERDUE/version-2", "RECONSENT_OVERDUE/version-3"]
    assert ids(chain, **amended(30, 60), now=START + 61 * DAY) == both


def test_a_visit_is_judged_by_the_version_in_force():
    chain = week2(Chain().enrolled()).add("visit", day=34, visit="week4")
    assert deviations(chain) == ["WINDOW"]
    assert deviations(chain, **AMENDED) == []


def test_what_is_due_is_told_and_what_was_missed_is_a_deviation():
    chain = Chain().enrolled()
    (first, second) = conduct(chain.acts, under(now=START + DAY)).tasks
    assert (first.what, first.first, first.last) == ("visit Week 2", "2026-01-12", "2026-01-18")
    assert second.what == "visit Week 4"
    late = conduct(chain.acts, under(now=START + 20 * DAY))
    assert [one.code for one in late.deviations] == ["MISSED"]


def delegation_chain(*acts):
    chain, previous = [], FIRST
    for number, (kind, by, told) in enumerate(acts, 1):
        fields = tuple(sorted(told.items()))
        act = Act(sample.STUDY, "north", b"", number, previous, START + number, "", kind, sample.public(by), fields)
        chain.append(SignedAct(encode(act), sample.person(by).sign(signing_bytes(act))))
        previous = act_digest(chain[-1].act)
    return chain


def test_only_the_investigator_delegates():
    nurse = {"person": sample.public("nurse").hex(), "role": "coordinator", "until": str(START + DAY)}
    given = delegations(delegation_chain(("delegate", "investigator", nurse)), sample.public("investigator"))
    assert [one.role for one in given] == ["investigator", "coordinator"]
    taken = delegation_chain(("delegate", "investigator", nurse), ("revoke", "investigator", nurse))
    assert delegations(taken, sample.public("investigator"))[1].until == START + 2
    forged = delegation_chain(("delegate", "nurse", nurse | {"role": "investigator"}))
    assert len(delegations(forged, sample.public("investigator"))) == 1
    broken = delegation_chain(("delegate", "investigator", {"person": "xyz"}))
    assert len(delegations(broken, sample.public("investigator"))) == 1


def test_every_kind_has_its_roles():
    assert all(ROLES.values())
    assert "monitor" not in ROLES["form"] + ROLES["change"]
