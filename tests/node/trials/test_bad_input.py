"""Bad input to a trial's definition, kind by kind: each has its part, its rule and its path, and no root to sign."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from salus.node.trials.designing import CheckPackage, check_package
from tests.agreements.trials.sample import part
from tests.interop.cdisc.odm_files import form_2
from tests.interop.cdisc.test_odm_forms import BOMB

PARTS = {"protocol": part("protocol-1"), "terms": part("terms-1"), "analysis": part("analysis")}
DESIGN = "/study/versions/0/studyDesigns/0"
VERSION = "/ODM[1]/Study[1]/MetaDataVersion[1]"


def told(**changed: bytes) -> list[str]:
    checked = check_package(None, CheckPackage(**PARTS | changed))
    assert (checked.sound, checked.root) == (False, "")
    return [each.split(", expected ")[0] for each in checked.faults]


def design(document: dict[str, Any]) -> dict[str, Any]:
    return document["study"]["versions"][0]["studyDesigns"][0]


def line(document: dict[str, Any]) -> dict[str, Any]:
    return design(document)["scheduleTimelines"][0]


def second_main(document: dict[str, Any]) -> None:
    text = json.dumps(line(document))
    for id_ in {each for each in text.split('"') if f'"id": "{each}"' in text}:
        text = text.replace(f'"{id_}"', f'"again-{id_}"')
    for name in ("activity", "encounter", "epoch"):
        text = text.replace(f'"again-{name}', f'"{name}')
    design(document)["scheduleTimelines"].append(json.loads(text))


def step_back(document: dict[str, Any]) -> None:
    line(document)["instances"][-1]["defaultConditionId"] = line(document)["instances"][0]["id"]


def by_arm(document: dict[str, Any]) -> None:
    design(document)["studyCells"].pop()


PROTOCOL: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda document: document.update(usdmVersion="3.12.0"), "version at /usdmVersion"),
    (lambda document: design(document)["arms"][0].update(instanceType="Arm"), f"unknown-class at {DESIGN}/arms/0/instanceType"),
    (lambda document: design(document)["arms"][0].update(size=3), f"unknown-attribute at {DESIGN}/arms/0/size"),
    (lambda document: line(document).update(entryId="gone"), f"dangling-reference at {DESIGN}/scheduleTimelines/0/entryId"),
    (step_back, f"cycle-of-steps at {DESIGN}/scheduleTimelines/0/instances/0"),
    (second_main, f"not-one at {DESIGN}/scheduleTimelines"),
    (lambda document: line(document)["timings"][2].update(value="two weeks"), f"duration at {DESIGN}/scheduleTimelines/0/timings/2/value"),
    (lambda document: line(document)["timings"][2].update(value="-P2W"), f"duration at {DESIGN}/scheduleTimelines/0/timings/2/value"),
    (by_arm, f"schedule-by-arm at {DESIGN}/studyCells"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "fault"), PROTOCOL)
def test_a_protocol_that_is_spoilt(spoil, fault):
    document = json.loads(PARTS["protocol"])
    spoil(document)
    assert f"protocol: {fault}" in told(protocol=json.dumps(document).encode())


TERMS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda terms: terms["outcomes"][0].update(measure="To be determined"), "placeholder at /outcomes/0/measure"),
    (lambda terms: terms["outcomes"][1].update(time_frame="TBD"), "placeholder at /outcomes/1/time_frame"),
    (lambda terms: terms["outcomes"].pop(), "endpoint-open at /outcomes"),
    (lambda terms: terms["outcomes"][0].update(analysis="none"), "no-analysis at /outcomes/0"),
    (lambda terms: terms["criteria"].pop(1), "criterion-unjudged at /criteria/1"),
    (lambda terms: terms["criteria"][0].update(by="fhirpath"), "expression at /criteria/0/expression"),
    (lambda terms: terms["criteria"][0].update(by="fhirpath", expression="Patient."), "expression at /criteria/0/expression"),
    (lambda terms: terms["randomisation"].update(ratio=[1, 1, 1]), "ratio at /randomisation/ratio"),
    (lambda terms: terms["randomisation"].update(arms=["arm-placebo", "arm-other"]), "arms at /randomisation/arms"),
    (lambda terms: terms.update(surplus=1), "terms at /"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "fault"), TERMS)
def test_terms_that_are_spoilt(spoil, fault):
    terms = json.loads(PARTS["terms"])
    spoil(terms)
    assert f"terms: {fault}" in told(terms=json.dumps(terms).encode())


@pytest.mark.parametrize("name", ["methodId", "analysisSetId", "dataSubsetId"])
def test_an_analysis_that_refers_to_nothing(name):
    plan = json.loads(PARTS["analysis"])
    plan["analyses"][0][name] = "gone"
    assert told(analysis=json.dumps(plan).encode()) == [f"analysis: dangling-reference at /analyses/0/{name}"]
    bare = {"id": "P", "name": "P", "analyses": plan["analyses"][:1]}
    assert f"analysis: dangling-reference at /analyses/0/{name}" in told(analysis=json.dumps(bare).encode())


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (form_2().replace('CodeListOID="CL.YN"', 'CodeListOID="CL"'), f"dangling-reference at {VERSION}/ItemDef[3]/CodeListRef[1]/@CodeListOID"),
        (form_2().replace('Comparator="GE" SoftHard="Hard"><CheckValue>0</CheckValue>', '><FormalExpression Context="R">x</FormalExpression>'), f"edit-check-language at {VERSION}/ItemDef[1]/RangeCheck[1]/FormalExpression[1]/@Context"),
        (form_2().replace('ItemGroupOID="IG.VITALS"', 'ItemGroupOID="measure"'), f"cycle-of-groups at {VERSION}/ItemGroupDef[1]/ItemGroupRef[1]/@ItemGroupOID"),
        (BOMB, "declaration at /"),
        ("<a>" * 60, "depth at " + "/a[1]" * 40),
    ],
)  # fmt: skip
def test_forms_that_are_spoilt_or_hostile(document, fault):
    assert told(forms=document.encode()) == [f"forms: {fault}"]


HOSTILE = [
    b"",
    b"\xff",
    b"[" * 200_000,
    b'{"a": 1, "a": 2}',
    b'{"study": NaN}',
    b'{"study": ' + b'{"a":' * 100_000,
    b"null",
]


@pytest.mark.parametrize("name", [*PARTS, "forms", "findings"])
@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bytes_in_any_part(name, data):
    if data or name in PARTS:
        assert [each.split(":")[0] for each in told(**{name: data})] == [name]
