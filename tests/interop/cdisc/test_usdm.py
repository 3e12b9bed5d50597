"""A protocol is read whole or not at all, and every fault is told by rule and path."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.cdisc.findings import DocumentRefused
from salus.interop.cdisc.usdm import read_usdm, within
from tests.interop.cdisc.protocols import protocol, thing, timeline_of, written
from tests.needs import shared


def found_in(data: bytes) -> list[tuple[str, str]]:
    try:
        read_usdm(data)
    except DocumentRefused as refusal:
        return [(each.rule, each.path) for each in refusal.findings]
    return []


def refused(data: bytes) -> list[tuple[str, str]]:
    with pytest.raises(DocumentRefused) as refusal:
        read_usdm(data)
    return [(each.rule, each.path) for each in refusal.value.findings]


def test_a_protocol_is_read_with_all_its_objects():
    definition = read_usdm(written(protocol()))
    assert definition.version == "4.0.0"
    assert definition.things["week2"].kind == "ScheduledActivityInstance"
    assert {each.path for each in within(definition.study)} == {each.path for each in definition.things.values()}


def test_cdiscs_pilot_protocol_is_read_unmodified():
    data = gzip.decompress(shared("data/trials/usdm/CDISC_Pilot_Study.json.gz").read_bytes())
    definition = read_usdm(data)
    counted = [each.kind for each in within(definition.study)]
    assert (counted.count("StudyArm"), counted.count("Encounter"), counted.count("Activity")) == (3, 12, 36)
    assert (counted.count("Timing"), counted.count("EligibilityCriterion")) == (24, 31)


def test_every_fault_is_told_by_rule_and_path():
    document = protocol()
    timings = timeline_of(document)["timings"]
    timings[0]["colour"] = "red"
    timings[1]["relativeFromScheduledInstanceId"] = "nowhere"
    timings[2]["relativeToScheduledInstanceId"] = "arm-Placebo"
    timings[3]["value"] = None
    timeline_of(document)["instances"].append({"id": "odd", "instanceType": "Unicorn"})
    at = "/study/versions/0/studyDesigns/0/scheduleTimelines/0"
    assert sorted(refused(written(document))) == [
        ("dangling-reference", f"{at}/timings/1/relativeFromScheduledInstanceId"),
        ("missing", f"{at}/timings/3/value"),
        ("reference-to-other-class", f"{at}/timings/2/relativeToScheduledInstanceId"),
        ("unknown-attribute", f"{at}/timings/0/colour"),
        ("unknown-class", f"{at}/instances/4/instanceType"),
    ]


def test_an_id_stands_once():
    document = protocol()
    timeline_of(document)["exits"].append(thing("ScheduleTimelineExit", "week2"))
    assert [rule for rule, _ in refused(written(document))] == ["id-twice"]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "json"),
        (b"[]", "wrapper"),
        (b'{"study": {}, "usdmVersion": "3.0.0"}', "version"),
        (b'{"study": {}, "study": {}}', "attribute-twice"),
        (b'{"study": NaN}', "json"),
        (b'{"study": {}, "usdmVersion": "4.0.0", "more": 1}', "unknown-attribute"),
        (b"[" * 100_000, "depth"),
        (b'"\xff"', "json"),
        (b'{"study": {"name": "\\ud800"}, "usdmVersion": "4.0.0"}', "json"),
        (b'{"study": {"name": "\\ud83d\\ude00"}, "usdmVersion": "3.0.0"}', "version"),
        ('{"study": {}, "usdmVersion": "3.0.0"}'.encode("utf-16"), "json"),
    ],
)
def test_hostile_input_has_a_reason(data, rule):
    assert [each for each, _ in refused(data)] == [rule]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_else_is_a_protocol_or_a_named_refusal(value):
    document = protocol()
    timeline_of(document)["timings"][0]["type"] = value
    assert all(rule and path.startswith("/study") for rule, path in found_in(json.dumps(document).encode()))
