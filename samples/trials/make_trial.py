# ruff: noqa: INP001
"""Make the sample trial: protocol (USDM 4.0), analysis plan, terms, and an amendment of it. The same bytes always.

Usage, in an environment with Salus: `python samples/trials/make_trial.py`. Nothing of it is a real trial.
"""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

from salus.agreements.trials.safety import reference_digest
from salus.agreements.trials.terms import size_commitment

HERE = Path(__file__).parent
SIZES, SIZE_KEY = (4, 6), hashlib.sha256(b"block sizes of the sample trial").digest()
VISITS = (
    ("screen", "Screening", "Before", "P2W", ("P7D", "P3D")),
    ("base", "Baseline", "Fixed Reference", "P1D", None),
    ("week2", "Week 2", "After", "P2W", ("P3D", "P3D")),
    ("week4", "Week 4", "After", "P4W", ("P3D", "P3D")),
)
CRITERIA = (
    ("adult", "Inclusion Criteria", "C25532", "At least 18 years."),
    ("pain", "Inclusion Criteria", "C25532", "Pain of 4 or more on a scale of 0 to 10."),
    ("allergy", "Exclusion Criteria", "C25370", "Allergy to the study medicine."),
    ("other-trial", "Exclusion Criteria", "C25370", "In another trial within 30 days."),
)
ENDPOINTS = (
    ("pain-week4", "Primary", "C94496", "C85826", "Change in pain score", "Baseline to week 4", "an-pain"),
    ("response", "Secondary", "C139173", "C85827", "Pain at most half of baseline", "Week 4", "an-response"),
    ("pulse-week4", "Secondary", "C139173", "C85827", "Pulse rate", "Week 4", "an-pulse"),
)
REFERENCE = {
    "format": 1,
    "product": "A sample medicine for pain",
    "version": "1",
    "expected": [
        {"term": "headache"},
        {"term": "gastric haemorrhage", "serious": True},
        {"term": "anaphylactic shock", "serious": True, "fatal": True},
    ],
}
FORMS = {
    1: "You are asked to take part in a study of a medicine for pain. Version 1.",
    2: "You are asked to take part in a study of a medicine for pain. New: it may lower the pulse. Version 2.",
}


def thing(kind: str, id_: str, **values: Any) -> dict[str, Any]:
    """Return an object of a USDM class."""
    return {"id": id_, "instanceType": kind, "extensionAttributes": [], **values}


def code(id_: str, value: str, decode: str) -> dict[str, Any]:
    """Return a code."""
    return thing("Code", id_, code=value, codeSystem="http://www.cdisc.org", codeSystemVersion="1", decode=decode)


def alias(id_: str, value: str, decode: str) -> dict[str, Any]:
    """Return a code with room for aliases."""
    return thing("AliasCode", id_, standardCode=code(f"{id_}-code", value, decode))


def timeline(*, widened: bool) -> dict[str, Any]:
    """Return the schedule; the amendment widens the window of week 4."""
    instances, timings = [], []
    for place, (id_, label, kind, value, window) in enumerate(VISITS):
        following = VISITS[place + 1][0] if place + 1 < len(VISITS) else None
        instances.append(
            thing(
                "ScheduledActivityInstance",
                id_,
                name=label,
                defaultConditionId=following,
                epochId="epoch",
                encounterId=f"encounter-{id_}",
                activityIds=["measure"],
                timelineExitId=None if following else "exit",
            )
        )
        lower, upper = ("P7D", "P7D") if widened and id_ == "week4" else window or (None, None)
        timings.append(
            thing(
                "Timing",
                f"timing-{id_}",
                name=f"timing-{id_}",
                type=code(f"timing-{id_}-type", "C201356", kind),
                relativeToFrom=code(f"timing-{id_}-relation", "C201355", "Start to Start"),
                value=value,
                valueLabel=value,
                windowLower=lower,
                windowUpper=upper,
                relativeFromScheduledInstanceId=id_,
                relativeToScheduledInstanceId="base",
            )
        )
    return thing(
        "ScheduleTimeline",
        "main",
        name="Main",
        mainTimeline=True,
        entryCondition="Consent given",
        entryId="screen",
        exits=[thing("ScheduleTimelineExit", "exit")],
        instances=instances,
        timings=timings,
    )


def concept(id_: str, label: str) -> dict[str, Any]:
    """Return a biomedical concept with one decimal value."""
    return thing(
        "BiomedicalConcept",
        id_,
        name=label,
        label=label,
        reference="none",
        code=alias(f"{id_}-code", "C25208", label),
        properties=[
            thing(
                "BiomedicalConceptProperty",
                f"{id_}-value",
                name=label,
                label=label,
                isRequired=True,
                isEnabled=True,
                datatype="decimal",
                code=alias(f"{id_}-value-code", "C25208", label),
            )
        ],
    )


def design(number: int) -> dict[str, Any]:
    """Return the design: two arms, double-blind."""
    arms = [
        thing(
            "StudyArm",
            f"arm-{name.lower()}",
            name=name,
            type=code(f"arm-{name}-type", "C174266", "Arm"),
            dataOriginDescription="this study",
            dataOriginType=code(f"arm-{name}-origin", "C188866", "Within"),
        )
        for name in ("Placebo", "Active")
    ]
    return thing(
        "InterventionalStudyDesign",
        "design",
        name="design",
        rationale="to show a trial that runs as its protocol says",
        model=code("model", "C82639", "Parallel Study"),
        blindingSchema=alias("blinding", "C15228", "Double Blind Study"),
        arms=arms,
        epochs=[thing("StudyEpoch", "epoch", name="Treatment", type=code("epoch-type", "C101526", "Treatment Epoch"))],
        elements=[thing("StudyElement", "element", name="Treatment")],
        studyCells=[
            thing("StudyCell", f"cell-{arm['id']}", armId=arm["id"], epochId="epoch", elementIds=["element"])
            for arm in arms
        ],
        encounters=[
            thing("Encounter", f"encounter-{id_}", name=id_, label=label, type=code(f"e-{id_}", "C25716", "Visit"))
            for id_, label, *_ in VISITS
        ],
        activities=[thing("Activity", "measure", name="Measure", biomedicalConceptIds=["bc-pain", "bc-pulse"])],
        scheduleTimelines=[timeline(widened=number > 1)],
        eligibilityCriteria=[
            thing(
                "EligibilityCriterion",
                id_,
                name=id_,
                identifier=str(place),
                category=code(f"{id_}-category", value, decode),
                criterionItemId=f"{id_}-item",
            )
            for place, (id_, decode, value, _) in enumerate(CRITERIA, 1)
        ],
        objectives=[
            thing(
                "Objective",
                f"objective-{id_}",
                name=id_,
                text=f"{measure}?",
                level=code(f"objective-{id_}-level", objective, f"{level} Objective"),
                endpoints=[
                    thing(
                        "Endpoint",
                        id_,
                        name=id_,
                        text=f"{measure}, {frame}",
                        purpose="efficacy",
                        level=code(f"{id_}-level", value, f"{level} Endpoint"),
                    )
                ],
            )
            for id_, level, value, objective, measure, frame, _ in ENDPOINTS
        ],
        population=thing(
            "StudyDesignPopulation",
            "population",
            name="adults in pain",
            includesHealthySubjects=False,
            criterionIds=[id_ for id_, *_ in CRITERIA],
        ),
    )


def protocol(number: int) -> dict[str, Any]:
    """Return one version of the protocol."""
    version = thing(
        "StudyVersion",
        "version",
        versionIdentifier=str(number),
        rationale="first" if number == 1 else "a wider window and a new risk",
        studyIdentifiers=[thing("StudyIdentifier", "identifier", text="SALUS-1", scopeId="sponsor")],
        titles=[
            thing(
                "StudyTitle",
                "title",
                text="A sample trial of a medicine for pain",
                type=code("title-type", "C207616", "Official Study Title"),
            )
        ],
        organizations=[
            thing(
                "Organization",
                "sponsor",
                name="Sample Sponsor",
                identifier="1",
                identifierScheme="none",
                type=code("sponsor-type", "C54149", "Pharmaceutical Company"),
            )
        ],
        studyDesigns=[design(number)],
        eligibilityCriterionItems=[
            thing("EligibilityCriterionItem", f"{id_}-item", name=id_, text=text) for id_, _, _, text in CRITERIA
        ],
        biomedicalConcepts=[concept("bc-pain", "PAIN"), concept("bc-pulse", "PULSE")],
    )
    study = {
        "id": "study",
        "name": "SALUS-1",
        "instanceType": "Study",
        "versions": [version],
        "extensionAttributes": [],
    }
    return {"study": study, "usdmVersion": "4.0.0", "systemName": "Salus samples", "systemVersion": "1"}


def terms(number: int) -> dict[str, Any]:
    """Return the terms of one version."""
    return {
        "format": 1,
        "title": "A sample trial of a medicine for pain",
        "randomisation": {
            "method": "blocks",
            "arms": ["arm-placebo", "arm-active"],
            "ratio": [1, 1],
            "size_commitment": size_commitment(SIZES, SIZE_KEY),
            "strata": ["under-65", "65-and-over"],
        },
        "outcomes": [
            {"id": id_, "level": level.lower(), "measure": measure, "time_frame": frame, "analysis": analysis}
            for id_, level, _, _, measure, frame, analysis in ENDPOINTS
        ],
        "consent_form": hashlib.sha256(FORMS[number].encode()).hexdigest(),
        "criteria": [{"id": id_, "by": "attest"} for id_, *_ in CRITERIA],
        "checks": [
            {"id": "pain-range", "item": "PAIN", "low": 0, "high": 10},
            {"id": "pulse-range", "item": "PULSE", "low": 40, "high": 140},
        ],
        "baseline": "base",
        "looks": [{"permille": 500, "boundary": 29626, "alpha": 1525}],
        "payments": [{"visit": id_, "amount": 25_000} for id_, *_ in VISITS],
        "reference": reference_digest(written(REFERENCE)),
    }


def where(dataset: str, variable: str, comparator: str, *value: str | int) -> dict[str, Any]:
    """Return a clause."""
    return {"condition": {"dataset": dataset, "variable": variable, "comparator": comparator, "value": list(value)}}


def both(*clauses: dict[str, Any]) -> dict[str, Any]:
    """Return clauses that must all hold."""
    return {"compoundExpression": {"logicalOperator": "AND", "whereClauses": list(clauses)}}


def method(id_: str, name: str, *operations: tuple[str, str, str]) -> dict[str, Any]:
    """Return a method of operations (id, name, pattern)."""
    told = [
        {"id": f"{id_}-{code}", "name": what, "order": place, "resultPattern": pattern}
        for place, (code, what, pattern) in enumerate(operations, 1)
    ]
    return {"id": id_, "name": name, "operations": told}


def analysis(id_: str, method_id: str, variable: str, subset: str, *, compared: bool) -> dict[str, Any]:
    """Return an analysis of the items by arm."""
    return {
        "id": id_,
        "version": 1,
        "reason": {"controlledTerm": "SPECIFIED IN SAP"},
        "methodId": method_id,
        "dataset": "ITEMS",
        "variable": variable,
        "analysisSetId": "randomised",
        "dataSubsetId": subset,
        "orderedGroupings": [{"order": 1, "groupingId": "arm", "resultsByGroup": not compared}],
    }


def analysis_plan() -> dict[str, Any]:
    """Return the analysis plan, a reporting event of ARS v1 over the tables DM and ITEMS of the locked rows."""
    pain = where("ITEMS", "ITEM", "EQ", "PAIN"), where("ITEMS", "VISIT", "EQ", "week4")
    pulse = where("ITEMS", "ITEM", "EQ", "PULSE"), where("ITEMS", "VISIT", "EQ", "week4")
    arms = ("arm-placebo", "arm-active")
    return {
        "id": "SALUS-1-SAP",
        "name": "Analysis plan of the sample trial",
        "version": 1,
        "analysisSets": [{"id": "randomised", "level": 1, "order": 1, **where("DM", "ARM", "IN", *arms)}],
        "dataSubsets": [
            {"id": "pain-week4", "level": 1, "order": 1, **both(*pain)},
            {"id": "responded", "level": 1, "order": 2, **both(*pain, where("ITEMS", "PCHG", "LE", -50))},
            {"id": "pulse-week4", "level": 1, "order": 3, **both(*pulse)},
        ],
        "analysisGroupings": [
            {
                "id": "arm",
                "name": "Arm",
                "dataDriven": False,
                "groupingDataset": "DM",
                "groupingVariable": "ARM",
                "groups": [
                    {"id": id_, "name": id_, "level": 1, "order": place, **where("DM", "ARM", "EQ", id_)}
                    for place, id_ in enumerate(arms, 1)
                ],
            }
        ],
        "methods": [
            method(
                "summary",
                "Summary by group of a continuous variable",
                ("n", "Count of non-missing values", "XX"),
                ("mean", "Mean", "XX.XX"),
                ("sd", "Standard deviation", "(XX.XXX)"),
                ("median", "Median", "XX.X"),
            ),
            method("count", "Count by group for a categorical variable", ("n", "Count of subjects", "XX")),
            method("anova", "Analysis of variance group comparison", ("p", "P-value", "X.XXXX")),
            method("fisher", "Fisher's exact test group comparison", ("p", "P-value", "X.XXXX")),
        ],
        "analyses": [
            analysis("an-pain", "anova", "CHG", "pain-week4", compared=True),
            analysis("an-pain-arms", "summary", "CHG", "pain-week4", compared=False),
            analysis("an-response", "fisher", "USUBJID", "responded", compared=True),
            analysis("an-response-arms", "count", "USUBJID", "responded", compared=False),
            analysis("an-pulse", "summary", "AVAL", "pulse-week4", compared=False),
        ],
    }


def written(document: dict[str, Any]) -> bytes:
    """Return a document as it lies in its file."""
    return json.dumps(document, sort_keys=True, indent=1).encode()


def main() -> None:
    """Write the files beside this one."""
    files = {"analysis.json.gz": analysis_plan(), "reference.json.gz": REFERENCE}
    for number in (1, 2):
        files[f"protocol-{number}.json.gz"] = protocol(number)
        files[f"terms-{number}.json.gz"] = terms(number)
    for name, document in files.items():
        (HERE / name).write_bytes(gzip.compress(written(document), mtime=0))
    for number, text in FORMS.items():
        (HERE / f"consent-{number}.txt").write_text(text)


if __name__ == "__main__":
    main()
