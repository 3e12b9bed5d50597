"""What two origins say against each other of one patient, and what is no contradiction."""

import pytest

from salus.interop.fhir.contradictions import Statement, contradictions

PENICILLIN = {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}], "text": "Penicillin"}
NONE_KNOWN = {"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}
NO_DRUG = {"coding": [{"system": "http://snomed.info/sct", "code": "409137002"}]}
GROUP = {"coding": [{"system": "http://loinc.org", "code": "883-9"}]}


def status(**told):
    return {f"{name}Status": {"coding": [{"code": code}]} for name, code in told.items()}


def patient(**more):
    return {"resourceType": "Patient", **more}


def allergy(code, **more):
    return {"resourceType": "AllergyIntolerance", "code": code, **more}


def condition(**more):
    return {"resourceType": "Condition", "code": {"text": "Asthma"}, **more}


def group(value, **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": GROUP,
        "valueCodeableConcept": {"text": value},
        **more,
    }


def rules(one, other, origins=("a", "b")):
    told = [
        Statement(origin, f"X/{at}", tree) for at, (origin, tree) in enumerate(zip(origins, (one, other), strict=True))
    ]
    found = contradictions(told)
    assert all(each.names == ("X/0", "X/1") for each in found)
    assert found == contradictions(reversed(told))
    return [each.rule for each in found]


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (patient(birthDate="1970-05-04"), patient(birthDate="1970-05-05"), "birth-date"),
        (patient(birthDate="1970"), patient(birthDate="1971-01"), "birth-date"),
        (patient(gender="female"), patient(gender="male"), "gender"),
        (patient(deceasedBoolean=False), patient(deceasedDateTime="2026-01-01"), "deceased"),
        (patient(deceasedDateTime="2026-01-02"), patient(deceasedDateTime="2026-01-01"), "deceased"),
        (
            allergy(PENICILLIN, **status(clinical="active")),
            allergy(PENICILLIN, **status(verification="refuted")),
            "allergy",
        ),
        (allergy({"text": "Penicillin"}), allergy({"text": " penicillin"}, **status(clinical="resolved")), "allergy"),
        (allergy(PENICILLIN), allergy(NONE_KNOWN), "no-known-allergy"),
        (allergy(PENICILLIN, category=["medication"]), allergy(NO_DRUG), "no-known-allergy"),
        (condition(**status(clinical="active")), condition(**status(verification="refuted")), "condition"),
        (group("A"), group("B"), "blood-group"),
    ],
)
def test_what_contradicts_is_named(one, other, rule):
    assert rules(one, other) == [rule]
    assert rules(one, other, ("a", "a")) == []
    assert rules(one, one) == rules(other, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (patient(birthDate="1970"), patient(birthDate="1970-05-04")),
        (patient(birthDate="1970-05-04"), patient()),
        (patient(birthDate="no date"), patient(birthDate="1970-05-04")),
        (patient(gender="unknown"), patient(gender="male")),
        (patient(deceasedBoolean=True), patient(deceasedDateTime="2026-01-01")),
        (
            allergy(PENICILLIN),
            allergy(
                {"coding": [{"system": "http://snomed.info/sct", "code": "91935009"}]}, **status(clinical="resolved")
            ),
        ),
        (allergy(PENICILLIN, category=["food"]), allergy(NO_DRUG)),
        (allergy(NO_DRUG), allergy(NONE_KNOWN)),
        (allergy(PENICILLIN, **status(verification="entered-in-error")), allergy(NONE_KNOWN)),
        (condition(**status(clinical="active")), condition(**status(clinical="resolved"))),
        (condition(), {"resourceType": "Condition"}),
        (group("A"), group("a")),
        (group("A"), group("B", status="entered-in-error")),
        (group("A"), {**group("B"), "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}}),
        ({"resourceType": "Procedure"}, {"resourceType": "Procedure"}),
    ],
)
def test_what_agrees_or_says_nothing_is_passed_over(one, other):
    assert rules(one, other) == []


@pytest.mark.parametrize("junk", [None, 1, "x", [], {"coding": 1}, {"coding": [1, {}]}, {"text": 1}])
def test_junk_is_no_contradiction(junk):
    for kind in ("AllergyIntolerance", "Condition", "Observation"):
        one = {"resourceType": kind, "code": junk, "clinicalStatus": junk, "verificationStatus": junk}
        assert rules(one, {**one, "verificationStatus": {"coding": [{"code": "refuted"}]}}) == []
