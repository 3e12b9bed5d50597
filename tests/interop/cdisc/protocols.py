"""A small protocol of our own: screening, a baseline, week 2 in days, a phone call in hours; two arms, double-blind."""

import copy
import json
from typing import Any


def thing(kind: str, id_: str, **values: Any) -> dict[str, Any]:
    return {"id": id_, "instanceType": kind, "extensionAttributes": [], **values}


def code(id_: str, value: str, decode: str) -> dict[str, Any]:
    return thing("Code", id_, code=value, codeSystem="http://www.cdisc.org", codeSystemVersion="1", decode=decode)


def alias(id_: str, value: str, decode: str) -> dict[str, Any]:
    return thing("AliasCode", id_, standardCode=code(f"{id_}-code", value, decode))


def visit(id_: str, label: str, following: str | None, *, last: bool = False) -> dict[str, Any]:
    return thing(
        "ScheduledActivityInstance",
        id_,
        name=label,
        defaultConditionId=following,
        epochId="epoch",
        encounterId=f"encounter-{id_}",
        activityIds=["weigh"],
        timelineExitId="exit" if last else None,
    )


def timing(id_: str, kind: str, value: str, placed: tuple[str, str], window: tuple[str, str] | None) -> dict[str, Any]:
    lower, upper = window or (None, None)
    return thing(
        "Timing",
        id_,
        name=id_,
        type=code(f"{id_}-type", "C1", kind),
        relativeToFrom=code(f"{id_}-relation", "C2", "Start to Start"),
        value=value,
        valueLabel=value,
        windowLower=lower,
        windowUpper=upper,
        relativeFromScheduledInstanceId=placed[0],
        relativeToScheduledInstanceId=placed[1],
    )


def _timeline() -> dict[str, Any]:
    return thing(
        "ScheduleTimeline",
        "main",
        name="Main",
        mainTimeline=True,
        entryCondition="Consent given",
        entryId="screen",
        exits=[thing("ScheduleTimelineExit", "exit")],
        instances=[
            visit("screen", "Screening", "base"),
            visit("base", "Baseline", "week2"),
            visit("week2", "Week 2", "call"),
            visit("call", "Phone Call", None, last=True),
        ],
        timings=[
            timing("t1", "Before", "P2W", ("screen", "base"), ("P7D", "P0D")),
            timing("t2", "Fixed Reference", "P1D", ("base", "base"), None),
            timing("t3", "After", "P2W", ("week2", "base"), ("P3D", "P3D")),
            timing("t4", "After", "P1D", ("call", "week2"), ("PT4H", "PT0H")),
        ],
    )


def _design() -> dict[str, Any]:
    arms = [
        thing(
            "StudyArm",
            f"arm-{name}",
            name=name,
            type=code(f"arm-{name}-type", "C3", "Arm"),
            dataOriginDescription="this study",
            dataOriginType=code(f"arm-{name}-origin", "C4", "Within"),
        )
        for name in ("Placebo", "Active")
    ]
    labels = {"screen": "Screening", "base": "Baseline", "week2": "Week 2", "call": "Phone Call"}
    return thing(
        "InterventionalStudyDesign",
        "design",
        name="design",
        rationale="a test",
        model=code("model", "C5", "Parallel"),
        blindingSchema=alias("blinding", "C15228", "Double Blind Study"),
        arms=arms,
        epochs=[thing("StudyEpoch", "epoch", name="Treatment", type=code("epoch-type", "C6", "Treatment"))],
        elements=[thing("StudyElement", "element", name="Treatment")],
        studyCells=[
            thing("StudyCell", f"cell-{arm['id']}", armId=arm["id"], epochId="epoch", elementIds=["element"])
            for arm in arms
        ],
        encounters=[
            thing("Encounter", f"encounter-{id_}", name=id_, label=label, type=code(f"e-{id_}", "C7", "Visit"))
            for id_, label in labels.items()
        ],
        activities=[thing("Activity", "weigh", name="Weigh", biomedicalConceptIds=["weight"])],
        scheduleTimelines=[_timeline()],
        eligibilityCriteria=[
            thing(
                "EligibilityCriterion",
                "adult",
                name="IN1",
                identifier="1",
                category=code("adult-category", "C25532", "Inclusion Criteria"),
                criterionItemId="adult-item",
            )
        ],
        objectives=[
            thing(
                "Objective",
                "objective",
                name="O1",
                text="Does it help?",
                level=code("objective-level", "C85826", "Primary Objective"),
                endpoints=[
                    thing(
                        "Endpoint",
                        "endpoint",
                        name="E1",
                        text="Weight at week 2",
                        purpose="efficacy",
                        level=code("endpoint-level", "C94496", "Primary Endpoint"),
                    )
                ],
            )
        ],
        population=thing(
            "StudyDesignPopulation", "population", name="all", includesHealthySubjects=False, criterionIds=["adult"]
        ),
    )


def _concept() -> dict[str, Any]:
    return thing(
        "BiomedicalConcept",
        "weight",
        name="Weight",
        label="Weight",
        reference="none",
        code=alias("weight-code", "C25208", "Weight"),
        properties=[
            thing(
                "BiomedicalConceptProperty",
                "weight-value",
                name="Weight",
                label="Weight",
                isRequired=True,
                isEnabled=True,
                datatype="decimal",
                code=alias("weight-value-code", "C25208", "Weight"),
            )
        ],
    )


def protocol() -> dict[str, Any]:
    item = thing(
        "EligibilityCriterionItem",
        "adult-item",
        name="IN1",
        text='At least <usdm:tag name="age"/> years.',
        dictionaryId="words",
    )
    words = thing(
        "SyntaxTemplateDictionary",
        "words",
        name="words",
        parameterMaps=[
            thing(
                "ParameterMap",
                "age-map",
                tag="age",
                reference='<usdm:ref klass="Quantity" id="age" attribute="value"></usdm:ref>',
            )
        ],
    )
    version = thing(
        "StudyVersion",
        "version",
        versionIdentifier="1",
        rationale="first",
        studyIdentifiers=[thing("StudyIdentifier", "identifier", text="T-1", scopeId="sponsor")],
        titles=[thing("StudyTitle", "title", text="A test", type=code("title-type", "C8", "Official Title"))],
        organizations=[
            thing(
                "Organization",
                "sponsor",
                name="Sponsor",
                identifier="1",
                identifierScheme="none",
                type=code("sponsor-type", "C9", "Sponsor"),
            )
        ],
        studyDesigns=[_design()],
        eligibilityCriterionItems=[item],
        dictionaries=[words],
        biomedicalConcepts=[_concept()],
    )
    version["studyDesigns"][0]["population"]["plannedAge"] = thing(
        "Range",
        "ages",
        minValue=thing("Quantity", "age", value=18),
        maxValue=thing("Quantity", "old", value=80),
        isApproximate=False,
    )
    study = {"id": "study", "name": "TEST", "instanceType": "Study", "versions": [version], "extensionAttributes": []}
    return {"study": study, "usdmVersion": "4.0.0", "systemName": "tests", "systemVersion": "1"}


def timeline_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["study"]["versions"][0]["studyDesigns"][0]["scheduleTimelines"][0]
    return found


def written(document: dict[str, Any]) -> bytes:
    return json.dumps(copy.deepcopy(document)).encode()
