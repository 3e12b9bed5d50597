"""A protocol becomes a plan; what is not understood is refused by rule and path."""

import gzip
import json

import pytest

from salus.agreements.trials.compile import OPEN_LABEL, compile_plan
from salus.agreements.trials.plan import Anchoring
from salus.agreements.trials.windows import Verdict, judge
from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.times import duration, moment
from salus.interop.cdisc.times import written as day
from salus.interop.cdisc.usdm import read_usdm
from tests.interop.cdisc.protocols import protocol, thing, timeline_of, written
from tests.needs import shared

from .sample import part


def plan_of(document):
    return compile_plan(read_usdm(written(document)))


def refused(document):
    with pytest.raises(DocumentRefused) as refusal:
        plan_of(document)
    return {each.rule for each in refusal.value.findings}


def test_a_small_protocol_becomes_a_plan():
    plan = plan_of(protocol())
    assert [each.label or each.name for each in plan.main.visits] == ["Screening", "Baseline", "Week 2", "Phone Call"]
    assert plan.blinded
    assert plan.criteria[0].text == "At least 18 years."
    assert plan.forms[0].items[0].datatype == "decimal"
    assert plan.endpoints[0].level == "Primary Endpoint"


def test_a_blinded_trial_whose_arms_differ_in_schedule_is_refused():
    document = json.loads(part("protocol-1"))
    design = document["study"]["versions"][0]["studyDesigns"][0]
    last = design["studyCells"].pop()
    assert refused(document) == {"schedule-by-arm"}
    design["blindingSchema"]["standardCode"] |= {"code": OPEN_LABEL}
    assert not plan_of(document).blinded
    assert last["armId"] in {arm["id"] for arm in design["arms"]}


def test_cdiscs_pilot_protocol_compiles_unmodified():
    data = gzip.decompress(shared("data/trials/usdm/CDISC_Pilot_Study.json.gz").read_bytes())
    plan = compile_plan(read_usdm(data))
    assert (len(plan.arms), len(plan.epochs), len(plan.encounters), len(plan.activities)) == (3, 5, 12, 36)
    assert (len(plan.main.visits), len(plan.side), len(plan.criteria), len(plan.endpoints)) == (16, 3, 31, 11)
    week2 = plan.main.visits[3].placement
    assert (week2.anchoring, week2.anchor, week2.offset.days) == (Anchoring.AFTER, plan.main.visits[2].id, 14)
    assert "MMSE score of 10 to 23" in plan.criteria[2].text


def _extension(document):
    document["study"]["extensionAttributes"] = [thing("ExtensionAttribute", "x", url="https://example.org/x")]


def _two_main(document):
    design = document["study"]["versions"][0]["studyDesigns"][0]
    second = thing(
        "ScheduleTimeline",
        "second",
        name="second",
        mainTimeline=True,
        entryCondition="x",
        entryId="lonely",
        exits=[],
        instances=[thing("ScheduledActivityInstance", "lonely", name="x")],
    )
    design["scheduleTimelines"].append(second)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: timeline_of(d)["timings"][2].update(value="P-2W"), "duration"),
        (lambda d: timeline_of(d)["timings"][2].update(windowUpper=None), "half-window"),
        (lambda d: timeline_of(d)["timings"][2]["type"].update(decode="Whenever"), "timing-type"),
        (lambda d: timeline_of(d)["timings"][2]["relativeToFrom"].update(decode="Here to There"), "timing-relation"),
        (lambda d: timeline_of(d)["timings"][2].update(relativeToScheduledInstanceId=None), "no-anchor"),
        (lambda d: timeline_of(d)["timings"][2].update(relativeToScheduledInstanceId="call"), "cycle-of-anchors"),
        (lambda d: timeline_of(d)["timings"][2].update(relativeFromScheduledInstanceId="base"), "placed-twice"),
        (lambda d: timeline_of(d)["instances"][3].update(defaultConditionId="base"), "cycle-of-steps"),
        (lambda d: timeline_of(d)["instances"][1].update(defaultConditionId=None), "unreachable"),
        (
            lambda d: d["study"]["versions"][0]["dictionaries"][0]["parameterMaps"][0].update(tag="size"),
            "unresolved-tag",
        ),
        (_extension, "extension"),
        (_two_main, "not-one"),
    ],
)
def test_what_is_not_understood_is_refused(change, rule):
    document = protocol()
    change(document)
    assert rule in refused(document)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("2026-03-11", Verdict.OUTSIDE),
        ("2026-03-12", Verdict.WITHIN),
        ("2026-03-15", Verdict.WITHIN),
        ("2026-03-18", Verdict.WITHIN),
        ("2026-03-18T23:59", Verdict.WITHIN),
        ("2026-03-19", Verdict.OUTSIDE),
    ],
)
def test_a_window_in_days_counts_calendar_days_from_the_anchor(text, verdict):
    placement = plan_of(protocol()).main.visits[2].placement
    judgement = judge(placement, moment("2026-03-01"), moment(text))
    assert judgement.verdict is verdict
    assert "2026-03-15" in judgement.arithmetic


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("2026-03-16", Verdict.UNDECIDED),
        ("2026-03-16T06:00", Verdict.WITHIN),
        ("2026-03-16T10:00", Verdict.WITHIN),
        ("2026-03-16T10:01", Verdict.OUTSIDE),
        ("2026-03-16T05:59", Verdict.OUTSIDE),
    ],
)
def test_a_window_in_hours_is_not_judged_on_a_date(text, verdict):
    placement = plan_of(protocol()).main.visits[3].placement
    assert judge(placement, moment("2026-03-15T10:00"), moment(text)).verdict is verdict


@pytest.mark.parametrize("text", ["P", "PT", "P1.5D", "-P1D", "P1H", "1D", "P1DT", "P1D ", ""])
def test_impossible_durations(text):
    with pytest.raises(ValueError):
        duration(text)


def test_dates():
    assert moment("2024-02-29").day - moment("2024-02-28").day == 1
    assert moment("2023-02-29") is None
    assert moment("2023-02") is None
    assert moment("1970-01-01").day == 0
    assert day(moment("2026-11-25").day) == "2026-11-25"
