"""The highest class wins, whatever finds it."""

from importlib import resources

import msgspec
import pytest

from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.sensitivity import BadRules, Sensitivity, classify, inherited, read_rules

TEXT = (resources.files("salus.interop.fhir") / "sensitivity.toml").read_text()
RULES = read_rules(TEXT)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def class_of(**tree) -> str:
    resource = read_resource(msgspec.json.encode({"id": "x", **tree}))
    return classify(facts(resource, {}), resource.codings, RULES).code


def concept(code: str, system: str = "s", display: str = "d") -> dict:
    return {"coding": [{"system": system, "code": code, "display": display}]}


LAB = concept("laboratory", "http://terminology.hl7.org/CodeSystem/observation-category")


def diagnosed(code: str) -> list:
    return [{"sequence": 1, "diagnosisCodeableConcept": concept(code, ICD)}]


@pytest.mark.parametrize(
    ("tree", "want"),
    [
        ({"resourceType": "Condition", "code": concept("J45.0", ICD)}, "general"),
        ({"resourceType": "MedicationRequest", "medicationCodeableConcept": concept("1", display="Lisinopril")}, "medication"),
        ({"resourceType": "MedicationRequest", "medicationCodeableConcept": concept("1", display="Methadone 10 MG")}, "substance-use"),
        ({"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "sertraline 50 mg"}}, "mental-health"),
        ({"resourceType": "Observation", "category": [LAB]}, "laboratory"),
        ({"resourceType": "Observation", "category": [LAB], "code": concept("7917-8", "http://loinc.org")}, "sexual-health"),
        ({"resourceType": "ImagingStudy"}, "imaging"),
        ({"resourceType": "ExplanationOfBenefit"}, "claims"),
        ({"resourceType": "ExplanationOfBenefit", "diagnosis": diagnosed("F32.1")}, "mental-health"),
        ({"resourceType": "Claim", "diagnosis": diagnosed("O09.1")}, "reproductive"),
        ({"resourceType": "ResearchSubject"}, "research"),
        ({"resourceType": "MolecularSequence"}, "genetic"),
        ({"resourceType": "Condition", "code": concept("F11.20", ICD)}, "substance-use"),
        ({"resourceType": "Condition", "code": concept("F17.2", ICD)}, "general"),
        ({"resourceType": "Observation", "component": [{"code": concept("F32.1", ICD, "Alcohol and mood")}]}, "substance-use"),
        ({"resourceType": "Observation", "meta": {"security": [{"system": ACT, "code": "PSY"}]}}, "mental-health"),
        ({"resourceType": "Observation", "component": [{"code": concept("B20", ICD)}]}, "sexual-health"),
        ({"resourceType": "Condition", "code": concept("042", ICD9)}, "sexual-health"),
        ({"resourceType": "Condition", "code": concept("303.90", ICD9)}, "substance-use"),
        ({"resourceType": "Condition", "code": concept("305.1", ICD9)}, "general"),
        ({"resourceType": "Condition", "code": concept("296.20", ICD9)}, "mental-health"),
        ({"resourceType": "Condition", "code": concept("650", ICD9)}, "reproductive"),
        ({"resourceType": "Condition", "code": concept("V84.01", ICD9)}, "genetic"),
        ({"resourceType": "Patient", "name": [{"family": "Depressa"}]}, "general"),
        ({"resourceType": "Organization", "name": "Mental Health Clinic"}, "general"),
    ],
)  # fmt: skip
def test_classes(tree, want):
    assert class_of(**tree) == want


def test_adding_a_coding_never_lowers_the_class():
    plain = {"resourceType": "Observation", "category": [LAB]}
    for code in ("F32", "J45", "O80", "F11"):
        coded = {**plain, "code": concept(code, ICD)}
        assert CLASS[class_of(**coded)] >= CLASS[class_of(**plain)]


CLASS = {one.code: one for one in Sensitivity}


def test_narrating_types_inherit_what_they_refer_to():
    claims, mental, lab = Sensitivity.CLAIMS, Sensitivity.MENTAL_HEALTH, Sensitivity.LABORATORY
    assert inherited(claims, [mental, lab], "ExplanationOfBenefit", RULES) is mental
    assert inherited(Sensitivity.GENERAL, [lab], "DocumentReference", RULES) is Sensitivity.GENERAL
    assert inherited(lab, [mental], "Observation", RULES) is lab


@pytest.mark.parametrize(
    "change",
    [
        ('class = "genetic"', 'class = "genes"'),
        ('"MolecularSequence"', '"Sequence"'),
        ("[[rule]]", "[[rules]]"),
        ("words = [", "words = 5 # ["),
        ('from = "genetic"', 'from = "x"'),
        ("version =", "version"),
    ],
)
def test_a_broken_table_is_refused(change):
    with pytest.raises(BadRules):
        read_rules(TEXT.replace(*change))
