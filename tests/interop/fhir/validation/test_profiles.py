"""Profiles of a package: what they add to the core, and slicing by every kind of discriminator."""

from typing import Any

import pytest

from salus.interop.fhir.validation import ProfileUnusable, Validator
from tests.interop.fhir.validation.test_faults import ABSENT_VALUE, GOOD, LOINC, put

URL = "http://example.org/StructureDefinition/"
CORE = "http://hl7.org/fhir/StructureDefinition/"
INTERPRETED = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"


def profile(name: str, kind: str, *elements: dict[str, Any]) -> dict[str, Any]:
    """Return a profile with a snapshot of the elements that matter; each is given by its id."""
    told = [
        {"min": 0, "max": "*", "path": ".".join(step.partition(":")[0] for step in one["id"].split(".")), **one}
        for one in ({"id": kind}, *elements)
    ]
    return {
        "resourceType": "StructureDefinition", "url": URL + name, "type": kind, "kind": "resource", "derivation": "constraint",
        "snapshot": {"element": told},
    }  # fmt: skip


def ref(*targets: str) -> list[dict[str, Any]]:
    return [{"code": "Reference", "targetProfile": list(targets)}]


BLOOD_PRESSURE = profile(
    "blood-pressure",
    "Observation",
    {"id": "Observation.extension", "slicing": {"discriminator": [{"type": "value", "path": "url"}], "rules": "closed"}},
    {"id": "Observation.extension:side", "max": "1", "type": [{"code": "Extension", "profile": [URL + "side"]}]},
    {"id": "Observation.status", "min": 1, "type": [{"code": "code"}], "fixedCode": "final"},
    {"id": "Observation.category", "min": 1, "slicing": {"discriminator": [{"type": "value", "path": "coding.code"}], "rules": "open"}},
    {"id": "Observation.category:vital", "min": 1, "max": "1"},
    {"id": "Observation.category:vital.coding", "min": 1},
    {"id": "Observation.category:vital.coding.code", "min": 1, "fixedCode": "vital-signs"},
    {"id": "Observation.code", "min": 1, "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "85354-9"}]}},
    {"id": "Observation.subject", "min": 1, "type": ref(CORE + "Patient")},
    {"id": "Observation.value[x]", "max": "0"},
    {
        "id": "Observation.component", "min": 1,
        "slicing": {"discriminator": [{"type": "pattern", "path": "code"}], "rules": "open"},
        "constraint": [{"key": "bp-1", "severity": "error", "human": "a component has a value", "expression": "value.exists()"}],
    },
    {"id": "Observation.component:systolic", "min": 1, "max": "1"},
    {"id": "Observation.component:systolic.code", "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "8480-6"}]}},
    {"id": "Observation.component:systolic.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
    {"id": "Observation.component:systolic.value[x].unit", "min": 1},
    {"id": "Observation.interpretation", "binding": {"strength": "required", "valueSet": URL + "grades|1"}},
)  # fmt: skip
GRADES = {
    "resourceType": "ValueSet", "url": URL + "grades",
    "compose": {"include": [{"system": "urn:grades"}, {"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]}]},
}  # fmt: skip
SYSTEM = {
    "resourceType": "CodeSystem", "url": "urn:grades", "content": "complete",
    "concept": [{"code": "high", "concept": [{"code": "very-high"}]}],
}  # fmt: skip
SIDE = profile(
    "side", "Extension",
    {"id": "Extension.url", "min": 1, "fixedUri": URL + "side"},
    {"id": "Extension.value[x]", "min": 1, "type": [{"code": "code"}]},
)  # fmt: skip

READING: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "extension": [{"url": URL + "side", "valueCode": "left"}],
    "category": [{"text": "mine"}, {"coding": [{"code": "vital-signs"}]}],
    "code": {"coding": [{"system": "urn:own", "code": "bp"}, {"system": LOINC, "code": "85354-9"}]},
    "subject": {"reference": "Patient/p1"},
    "interpretation": [
        {"coding": [{"system": "urn:grades", "code": "very-high"}, {"system": INTERPRETED, "code": "HH"}]}
    ],
    "component": [
        {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": {"value": 120, "unit": "mmHg"}},
        {"code": {"text": "remark"}, "valueString": "seated"},
    ],
}
VALIDATOR = Validator([BLOOD_PRESSURE, GRADES, SYSTEM, SIDE])


def found(tree: dict[str, Any], name: str = "blood-pressure") -> set[tuple[str, str]]:
    return {(one.rule, one.expression) for one in VALIDATOR.check(tree, profiles=[URL + name])}


def test_what_meets_the_profile_has_no_findings() -> None:
    assert found(READING) == set()


@pytest.mark.parametrize(
    ("path", "value", "rule", "expression"),
    [
        (("status",), "amended", "fixed", "Observation.status"),
        (("category",), [{"text": "x"}], "slice", "Observation.category"),
        (("category",), [READING["category"][1]] * 2, "slice", "Observation.category"),
        (("category",), ABSENT_VALUE, "cardinality", "Observation.category"),
        (("code", "coding", 1, "code"), "8480-6", "pattern", "Observation.code"),
        (("subject",), ABSENT_VALUE, "cardinality", "Observation.subject"),
        (("subject", "reference"), "Group/g1", "reference-target", "Observation.subject"),
        (("valueString",), "x", "cardinality", "Observation.value"),
        (("component", 0, "code", "coding", 0, "code"), "8462-4", "slice", "Observation.component"),
        (("component", 0, "valueQuantity", "unit"), ABSENT_VALUE, "cardinality", "Observation.component[0].value.ofType(Quantity).unit"),
        (("component", 1, "valueString"), ABSENT_VALUE, "bp-1", "Observation.component[1]"),
        (("interpretation", 0, "coding", 0, "code"), "low", "binding", "Observation.interpretation[0]"),
        (("extension",), [{"url": "http://other", "valueCode": "x"}], "slicing", "Observation.extension[0]"),
        (("extension", 0), {"url": URL + "side", "valueString": "left"}, "profile", "Observation.extension[0]"),
    ],
)  # fmt: skip
def test_a_breach_of_the_profile_is_found(path: tuple[Any, ...], value: Any, rule: str, expression: str) -> None:
    assert (rule, expression) in found(put(READING, path, value))


def test_an_extensible_binding_warns_and_its_maximum_refuses() -> None:
    maximum = {"url": CORE + "elementdefinition-maxValueSet", "valueCanonical": URL + "grades"}
    binding = {
        "strength": "extensible",
        "valueSet": "http://hl7.org/fhir/ValueSet/marital-status|4.0.1",
        "extension": [maximum],
    }
    graded = profile("graded", "Patient", {"id": "Patient.maritalStatus", "binding": binding})
    judge = Validator([graded, GRADES, SYSTEM])

    def rules(*codings: dict[str, str]) -> list[tuple[str, str]]:
        tree = {"resourceType": "Patient", "maritalStatus": {"coding": list(codings)}}
        return [(one.severity, one.rule) for one in judge.check(tree, profiles=[URL + "graded"])]

    high, married = {"system": "urn:grades", "code": "high"}, {"system": MARITAL, "code": "M"}
    assert rules(high, married) == []
    assert rules(high) == [("warning", "extensible-binding")]  # once, though core and profile say it
    assert rules(married) == [("error", "binding")]
    assert [
        one.severity
        for one in judge.check(
            {"resourceType": "Patient", "maritalStatus": {"text": "x"}}, profiles=[URL + "graded"], limit=1
        )
    ] == ["error"]


def test_a_component_of_another_type_is_found() -> None:
    tree = put(READING, ("component", 0), {"code": READING["component"][0]["code"], "valueString": "120"})
    assert ("type", "Observation.component[0].value.ofType(string)") in found(tree)


def test_a_profile_is_checked_where_it_is_claimed() -> None:
    claiming = put(READING, ("status",), "amended") | {
        "meta": {"profile": [URL + "blood-pressure|1.0", "http://not/at/hand"]}
    }
    assert [one.rule for one in VALIDATOR.check(claiming)] == ["fixed"]
    entry = {"fullUrl": "urn:oid:1.2", "resource": claiming}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    assert [one.expression for one in VALIDATOR.check(bundle)] == ["Bundle.entry[0].resource.status"]


def test_a_profile_asked_for_and_not_at_hand_is_a_warning() -> None:
    (one,) = VALIDATOR.check(READING, profiles=["http://not/at/hand"])
    assert (one.severity, one.code) == ("warning", "not-found")


def test_a_profile_of_another_type_is_found() -> None:
    assert ("profile", "Patient") in found(GOOD["Patient"])


def test_a_profile_without_snapshot_is_refused() -> None:
    bare = {key: value for key, value in BLOOD_PRESSURE.items() if key != "snapshot"}
    with pytest.raises(ProfileUnusable, match="no snapshot"):
        Validator([bare]).check(READING, profiles=[URL + "blood-pressure"])


DOCUMENT = profile(
    "document", "Bundle",
    {"id": "Bundle.entry", "slicing": {"discriminator": [{"type": "type", "path": "resource"}], "rules": "open"}},
    {"id": "Bundle.entry:letter", "min": 1, "max": "1"},
    {"id": "Bundle.entry:letter.resource", "min": 1, "type": [{"code": "Composition", "profile": [URL + "letter"]}]},
)  # fmt: skip
LETTER = profile(
    "letter", "Composition",
    {"id": "Composition.section", "slicing": {"discriminator": [{"type": "value", "path": "code"}], "rules": "open"}},
    {"id": "Composition.section:found", "min": 1},
    {"id": "Composition.section:found.code", "min": 1, "patternCodeableConcept": {"text": "found"}},
    {"id": "Composition.section:found.entry", "slicing": {"discriminator": [{"type": "profile", "path": "resolve()"}], "rules": "closed"}},
    {"id": "Composition.section:found.entry:reading", "min": 1, "type": ref(URL + "blood-pressure")},
)  # fmt: skip


def document(reading: dict[str, Any]) -> dict[str, Any]:
    letter = {
        "resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "x"}, "date": "2026", "title": "x",
        "author": [{"display": "x"}],
        "section": [{"code": {"text": "found"}, "entry": [{"reference": "urn:oid:1.2"}]}],
    }  # fmt: skip
    entries = [{"fullUrl": "urn:oid:1.1", "resource": letter}, {"fullUrl": "urn:oid:1.2", "resource": reading}]
    return {
        "resourceType": "Bundle", "type": "document", "timestamp": "2026-01-01T00:00:00Z", "entry": entries,
        "identifier": {"system": "urn:x", "value": "1"},
    }  # fmt: skip


def test_slices_by_type_and_by_the_profile_of_what_a_reference_means() -> None:
    validator = Validator([DOCUMENT, LETTER, BLOOD_PRESSURE, GRADES, SYSTEM, SIDE])
    asked = [URL + "document"]
    tree = document(READING)
    tree["entry"][0]["resource"]["meta"] = {"profile": [URL + "letter"]}
    assert validator.check(tree, profiles=asked) == []
    other = document(put(READING, ("status",), "amended"))
    other["entry"][0]["resource"]["meta"] = {"profile": [URL + "letter"]}
    rules = {(one.rule, one.expression) for one in validator.check(other, profiles=asked)}
    assert ("slicing", "Bundle.entry[0].resource.section[0].entry[0]") in rules
    del tree["entry"][0]["resource"]["section"][0]["code"]
    assert ("profile", "Bundle.entry[0].resource") in {
        (one.rule, one.expression) for one in validator.check(tree, profiles=asked)
    }


def test_profiles_that_name_each_other_come_to_an_end() -> None:
    loop = profile(
        "loop", "Patient", {"id": "Patient.contained", "type": [{"code": "Patient", "profile": [URL + "loop"]}]}
    )
    tree: dict[str, Any] = {"resourceType": "Patient", "id": "x"}
    assert Validator([loop]).check(tree, profiles=[URL + "loop"]) == []


def test_a_validator_names_the_profiles_at_hand() -> None:
    assert VALIDATOR.profiles.urls == sorted([URL + "blood-pressure", URL + "side"])
