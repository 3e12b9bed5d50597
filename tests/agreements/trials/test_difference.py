"""Two versions of a protocol compared object by object, each change classed by the published table."""

import gzip
import json
from pathlib import Path

import pytest

from salus.agreements.trials.compile import compile_plan
from salus.agreements.trials.difference import WEIGHTS, Weight, What, aims, difference
from salus.agreements.trials.terms import analysis_digest
from salus.interop.cdisc.usdm import read_usdm
from salus.interop.cdisc.usdm_model import CLASSES
from tests.interop.cdisc.protocols import protocol, written
from tests.needs import shared

from . import sample
from .sample import ONE

DOCS = Path(__file__).parents[3] / "docs" / "explain" / "trials.md"


def objects(value):
    """Yield every object of a protocol, outermost first."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(each, dict) and "instanceType" in each:
            yield each
        yield from objects(each)


def first(document, kind, **having):
    return next(
        one
        for one in objects(document)
        if one["instanceType"] == kind and all(one.get(name) == value for name, value in having.items())
    )


def told(change):
    later = protocol()
    change(later)
    return [
        (one.what.value, one.kind, one.id, one.attributes, one.substantial)
        for one in difference(read_usdm(written(protocol())), read_usdm(written(later)))
    ]


def test_the_same_protocol_differs_in_nothing():
    assert told(lambda _: None) == []
    assert difference(read_usdm(sample.part("protocol-2")), read_usdm(sample.part("protocol-2"))) == ()


def test_another_window_is_a_substantial_change_of_its_timing():
    timing = first(protocol(), "Timing", windowLower="P3D")
    found = told(lambda one: first(one, "Timing", id=timing["id"]).update(windowLower="P1D"))
    assert found == [("changed", "Timing", timing["id"], ("windowLower",), True)]


def test_a_label_alone_is_not_substantial():
    found = told(lambda one: first(one, "Encounter").update(label="Another label"))
    assert [(what, attributes, substantial) for what, _, _, attributes, substantial in found] == [
        ("changed", ("label",), False)
    ]
    found = told(lambda one: first(one, "Encounter").update(label="Another label", name="another"))
    assert [(attributes, substantial) for *_, attributes, substantial in found] == [(("label", "name"), True)]


@pytest.mark.parametrize(
    ("holder", "name", "substantial"), [("Endpoint", "level", True), ("StudyTitle", "type", False)]
)
def test_a_part_weighs_as_what_contains_it(holder, name, substantial):
    id_ = first(protocol(), holder)[name]["id"]
    found = told(lambda one: first(one, holder)[name].update(decode="Another"))
    assert found == [("changed", "Code", id_, ("decode",), substantial)]


def test_what_stands_in_another_order_or_place_is_named():
    design = first(protocol(), "InterventionalStudyDesign")
    found = told(lambda one: first(one, "InterventionalStudyDesign")["arms"].reverse())
    assert found == [("changed", "InterventionalStudyDesign", design["id"], ("order of arms",), True)]

    types = [each["type"]["id"] for each in objects(protocol()) if each["instanceType"] == "Timing"][:2]
    with_two = told(swap_types)
    assert {(id_, attributes, substantial) for _, _, id_, attributes, substantial in with_two} == {
        (each, ("in",), True) for each in types
    }


def swap_types(one):
    some, other = [each for each in objects(one) if each["instanceType"] == "Timing"][:2]
    some["type"], other["type"] = other["type"], some["type"]


def test_what_was_added_or_removed_is_named():
    def title(one):
        version = first(one, "StudyVersion")
        version["titles"].append(
            json.loads(json.dumps(version["titles"][0]).replace(version["titles"][0]["id"], "title-x"))
        )

    found = told(title)
    assert ("added", "StudyTitle", "title-x", (), False) in found
    assert not any(substantial for *_, substantial in found)
    earlier, later = protocol(), protocol()
    title(earlier)
    gone = difference(read_usdm(written(earlier)), read_usdm(written(later)))
    assert {(one.what, one.substantial) for one in gone} == {(What.REMOVED, False)}


def test_the_samples_amendment_is_substantial():
    found = difference(read_usdm(sample.part("protocol-1")), read_usdm(sample.part("protocol-2")))
    assert any(one.substantial for one in found)
    back = difference(read_usdm(sample.part("protocol-2")), read_usdm(sample.part("protocol-1")))
    assert {one.id for one in back} == {one.id for one in found}


def test_what_a_protocol_aims_at_is_part_of_what_the_ledger_holds_of_the_analysis():
    """So that a change of an endpoint or estimand after an opening is marked as one of the analysis is."""
    document = gzip.decompress(shared("data/trials/usdm/CDISC_Pilot_Study.json.gz").read_bytes())

    def digested(kind="", attribute="", value=""):
        told = json.loads(document)
        if kind:
            first(told, kind)[attribute] = value
        return analysis_digest(b"{}", ONE[1], aims(read_usdm(json.dumps(told).encode())))

    assert digested() == digested("Endpoint", "label", "shown otherwise") == digested("Activity", "name", "other")
    changed = {
        digested(*change)
        for change in (
            ("Endpoint", "text", "Something else"),
            ("Estimand", "populationSummary", "Whoever stayed"),
            ("IntercurrentEvent", "strategy", "Hypothetical"),
            ("AnalysisPopulation", "text", "Completers"),
        )
    }
    assert len(changed | {digested()}) == 5
    assert compile_plan(read_usdm(document)).aims == aims(read_usdm(document))


def test_every_class_has_a_weight_and_the_table_is_published():
    assert set(WEIGHTS) == set(CLASSES)
    text = DOCS.read_text(encoding="utf-8")
    for weight in Weight:
        line = next(line for line in text.splitlines() if line.startswith(f"| {weight.value} |"))
        assert line.split("|")[2].split() == sorted(kind for kind, one in WEIGHTS.items() if one is weight)
