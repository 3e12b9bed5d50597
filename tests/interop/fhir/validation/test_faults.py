"""Single faults in resources that are otherwise good: each is found, by its rule, at its element."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from salus.interop.fhir.validation import Validator, outcome

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">text</div>'
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN = {"url": ABSENT, "valueCode": "unknown"}

GOOD: dict[str, dict[str, Any]] = {
    "Patient": {
        "resourceType": "Patient",
        "id": "p1",
        "text": {"status": "generated", "div": DIV},
        "identifier": [{"system": "urn:oid:1.2.3", "value": "1"}],
        "active": True,
        "name": [{"family": "Muster", "given": ["Ada", "B"]}],
        "telecom": [{"system": "phone", "value": "1", "rank": 1}],
        "gender": "female",
        "birthDate": "1980-02-29",
        "multipleBirthInteger": 2,
        "photo": [{"contentType": "image/png", "data": "aGFsbG8="}],
        "contact": [{"name": {"family": "Muster"}}],
        "managingOrganization": {"reference": "Organization/o1"},
        "generalPractitioner": [{"reference": "#g1"}],
        "contained": [{"resourceType": "Practitioner", "id": "g1"}],
    },
    "Observation": {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
        "subject": {"reference": "Patient/p1"},
        "issued": "2026-01-31T10:00:00Z",
        "effectiveDateTime": "2026-01-31",
        "valueQuantity": {"value": Decimal("120.0"), "system": UCUM, "code": "mm[Hg]"},
        "component": [{"code": {"text": "part"}, "valueString": "x"}],
    },
    "MedicationRequest": {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "387517004"}]},
        "subject": {"reference": "Patient/p1"},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1}}],
            }
        ],
    },
    "Bundle": {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                "resource": {"resourceType": "Patient"},
                "request": {"method": "POST", "url": "Patient"},
            }
        ],
    },
    "Questionnaire": {
        "resourceType": "Questionnaire",
        "id": "q1",
        "status": "active",
        "item": [{"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "string"}]}],
    },
}

ABSENT_VALUE = object()
P, OBS, M, B, Q = "Patient", "Observation", "MedicationRequest", "Bundle", "Questionnaire"

# resource, path of keys, what is put there (ABSENT_VALUE removes), rule, expression
FAULTS: list[tuple[str, tuple[Any, ...], Any, str, str]] = [
    # structure
    (OBS, ("status",), ABSENT_VALUE, "cardinality", "Observation.status"),
    (OBS, ("code",), ABSENT_VALUE, "cardinality", "Observation.code"),
    (OBS, ("component", 0, "code"), ABSENT_VALUE, "cardinality", "Observation.component[0].code"),
    (M, ("medicationCodeableConcept",), ABSENT_VALUE, "cardinality", "MedicationRequest.medication"),
    (P, ("nickname",), "x", "unknown-element", "Patient"),
    (P, ("name", 0, "middle"), "x", "unknown-element", "Patient.name[0]"),
    (P, ("_gender",), {"value": "x"}, "unknown-element", "Patient.gender"),
    (P, ("_nickname",), {"id": "x"}, "unknown-element", "Patient"),
    (P, ("_contact",), [{"id": "x"}], "unknown-element", "Patient"),
    (P, ("name",), {"family": "x"}, "type", "Patient.name"),
    (P, ("birthDate",), ["1980"], "type", "Patient.birthDate"),
    (P, ("name", 0), "Ada", "type", "Patient.name[0]"),
    (P, ("gender",), {"code": "female"}, "code", "Patient.gender"),
    (P, ("managingOrganization",), "Organization/o1", "type", "Patient.managingOrganization"),
    (P, ("active",), None, "ele-1", "Patient.active"),
    (P, ("name",), [], "type", "Patient.name"),
    (P, ("name",), [{}], "ele-1", "Patient.name[0]"),
    (P, ("contact",), [{"id": "x"}], "ele-1", "Patient.contact[0]"),
    (P, ("managingOrganization",), {}, "ele-1", "Patient.managingOrganization"),
    (P, ("multipleBirthBoolean",), True, "choice", "Patient.multipleBirthBoolean"),
    (P, ("name", 0, "_given"), {"id": "x"}, "type", "Patient.name[0].given"),
    (P, ("_birthDate",), [{"id": "x"}], "type", "Patient.birthDate"),
    (P, ("_birthDate",), "x", "type", "Patient.birthDate"),
    (P, ("name", 0, "given"), [None], "ele-1", "Patient.name[0].given[0]"),
    (P, ("contained", 0, "resourceType"), "Doctor", "type", "Patient.contained[0]"),
    (P, ("contained", 0, "active"), "yes", "boolean", "Patient.contained[0].active"),
    (B, ("entry", 0, "resource", "gender"), "f", "binding", "Bundle.entry[0].resource.gender"),
    (B, ("entry", 0, "resource", "resourceType"), 7, "type", "Bundle.entry[0].resource"),
    (B, ("entry", 0, "resource", "resourceType"), "DomainResource", "type", "Bundle.entry[0].resource"),
    (Q, ("item", 0, "item", 0, "linkId"), ABSENT_VALUE, "cardinality", "Questionnaire.item[0].item[0].linkId"),
    (M, ("dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "comparator"), "<", "cardinality",
     "MedicationRequest.dosageInstruction[0].doseAndRate[0].dose.ofType(Quantity).comparator"),
    # extensions
    (P, ("extension",), [{"valueString": "x"}], "cardinality", "Patient.extension[0].url"),
    (P, ("extension",), [{"url": "http://x"}], "ext-1", "Patient.extension[0]"),
    (P, ("extension",), [{"url": "http://x", "valueCode": "a", "extension": [UNKNOWN]}], "ext-1", "Patient.extension[0]"),
    (P, ("extension",), [{"url": ABSENT, "valueString": "unknown"}], "extension-value", "Patient.extension[0]"),
    (P, ("extension",), [{"url": "http://x", "valueWidget": "x"}], "unknown-element", "Patient.extension[0]"),
    # values
    (P, ("active",), "true", "boolean", "Patient.active"),
    (P, ("multipleBirthInteger",), "2", "integer", "Patient.multipleBirth.ofType(integer)"),
    (P, ("multipleBirthInteger",), 2**31, "integer", "Patient.multipleBirth.ofType(integer)"),
    (P, ("telecom", 0, "rank"), 0, "positiveInt", "Patient.telecom[0].rank"),
    (P, ("telecom", 0, "rank"), True, "positiveInt", "Patient.telecom[0].rank"),
    (OBS, ("valueQuantity", "value"), "120", "decimal", "Observation.value.ofType(Quantity).value"),
    (P, ("birthDate",), "1980-13", "date", "Patient.birthDate"),
    (P, ("birthDate",), "1981-02-29", "date", "Patient.birthDate"),
    (P, ("birthDate",), "1980-2-3", "date", "Patient.birthDate"),
    (P, ("birthDate",), "1980-02-03T10:00:00Z", "date", "Patient.birthDate"),
    (OBS, ("effectiveDateTime",), "2026-01-31T10:00Z", "dateTime", "Observation.effective.ofType(dateTime)"),
    (OBS, ("effectiveDateTime",), "2026-01-31T10:00:00", "dateTime", "Observation.effective.ofType(dateTime)"),
    (OBS, ("effectiveDateTime",), "2026-01-31T24:00:00Z", "dateTime", "Observation.effective.ofType(dateTime)"),
    (OBS, ("issued",), "2026-01-31", "instant", "Observation.issued"),
    (P, ("id",), "p 1", "id", "Patient.id"),
    (P, ("id",), "p" * 65, "id", "Patient.id"),
    (P, ("identifier", 0, "system"), "urn:oid:a.b", "uri", "Patient.identifier[0].system"),
    (P, ("identifier", 0, "system"), "urn:uuid:0C3151BD-1CBF-4D64-B04D-CD9187A4C6E0", "uri", "Patient.identifier[0].system"),
    (P, ("identifier", 0, "system"), "http://x y", "uri", "Patient.identifier[0].system"),
    (P, ("gender",), " female", "code", "Patient.gender"),
    (P, ("photo", 0, "data"), "a===", "base64Binary", "Patient.photo[0].data"),
    (P, ("name", 0, "family"), "", "string", "Patient.name[0].family"),
    (P, ("name", 0, "family"), " \t ", "string", "Patient.name[0].family"),
    (P, ("name", 0, "family"), "x" * (1 << 21), "string", "Patient.name[0].family"),
    (P, ("name", 0, "family"), "a\x00b", "string", "Patient.name[0].family"),
    # meaning
    (P, ("gender",), "F", "binding", "Patient.gender"),
    (OBS, ("status",), "done", "binding", "Observation.status"),
    (OBS, ("code", "coding", 0, "code"), "8480-7", "code-shape", "Observation.code.coding[0].code"),
    (OBS, ("valueQuantity", "code"), "mm Hg", "code-shape", "Observation.value.ofType(Quantity).code"),
    (M, ("medicationCodeableConcept", "coding", 0, "code"), "387517005", "code-shape",
     "MedicationRequest.medication.ofType(CodeableConcept).coding[0].code"),
    (OBS, ("subject", "reference"), "p1", "reference", "Observation.subject.reference"),
    (OBS, ("subject", "reference"), "Practitioner/p1", "reference-target", "Observation.subject"),
    (OBS, ("subject",), {"type": "Practitioner", "display": "x"}, "reference-target", "Observation.subject"),
    (OBS, ("subject", "type"), "Group", "reference-type", "Observation.subject.type"),
    (P, ("generalPractitioner", 0, "reference"), "#g2", "ref-1", "Patient.generalPractitioner[0]"),
    (P, ("generalPractitioner",), ABSENT_VALUE, "dom-3", "Patient.contained[0]"),
    (P, ("contained", 0, "contained"), [{"resourceType": "Group"}], "dom-2", "Patient.contained[0]"),
    (P, ("contained", 0, "meta"), {"versionId": "1"}, "dom-4", "Patient"),
    (P, ("contained", 0, "meta"), {"security": [{"code": "R"}]}, "dom-5", "Patient"),
    (P, ("contact", 0), {"gender": "male"}, "pat-1", "Patient.contact[0]"),
    (P, ("telecom", 0), {"value": "1"}, "cpt-2", "Patient.telecom[0]"),
    (P, ("photo", 0), {"data": "aGFsbG8="}, "att-1", "Patient.photo[0]"),
    (OBS, ("valueQuantity",), {"value": 1, "code": "mg"}, "qty-3", "Observation.value.ofType(Quantity)"),
    (OBS, ("dataAbsentReason",), {"text": "x"}, "obs-6", "Observation"),
    (OBS, ("referenceRange",), [{"appliesTo": [{"text": "x"}]}], "obs-3", "Observation.referenceRange[0]"),
    (OBS, ("effectivePeriod",), {"start": "2026-02-01", "end": "2026-01-01"}, "per-1", "Observation.effective.ofType(Period)"),
    (M, ("dosageInstruction", 0, "timing", "repeat", "periodUnit"), ABSENT_VALUE, "tim-2",
     "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (B, ("total",), 1, "bdl-1", "Bundle"),
    (B, ("entry", 0, "request"), ABSENT_VALUE, "bdl-3", "Bundle"),
    (B, ("entry", 0, "fullUrl"), "http://x/Patient/1/_history/2", "bdl-8", "Bundle.entry[0]"),
    (B, ("entry", 0), {"fullUrl": "http://x/Patient/2", "resource": {"resourceType": "Patient", "id": "1"},
                       "request": {"method": "POST", "url": "Patient"}}, "bundle-full-url", "Bundle.entry[0].fullUrl"),
    (Q, ("item", 0, "item"), [{"linkId": "1", "type": "string"}], "que-2", "Questionnaire"),
    (P, ("text", "div"), DIV.replace("text", "<script>x()</script>"), "txt-1", "Patient.text.div"),
    (P, ("text", "div"), DIV.replace("text", '<p onclick="x()">y</p>'), "txt-1", "Patient.text.div"),
    (P, ("text", "div"), "<div>text", "txt-1", "Patient.text.div"),
    (P, ("text", "status"), ABSENT_VALUE, "cardinality", "Patient.text.status"),
]  # fmt: skip


def put(tree: Any, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy of a tree with something else at a path."""
    changed = copy.deepcopy(tree)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    if value is ABSENT_VALUE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator()


@pytest.mark.parametrize("name", sorted(GOOD))
def test_nothing_is_found_in_a_good_resource(validator: Validator, name: str) -> None:
    assert validator.check(GOOD[name]) == []


@pytest.mark.parametrize(("name", "path", "value", "rule", "expression"), FAULTS)
def test_a_fault_is_found_at_its_element(  # noqa: PLR0917  # a table's columns
    validator: Validator, name: str, path: tuple[Any, ...], value: Any, rule: str, expression: str
) -> None:
    found = {
        (one.rule, one.expression) for one in validator.check(put(GOOD[name], path, value)) if one.severity == "error"
    }
    assert (rule, expression) in found


def test_a_fault_is_told_without_its_value(validator: Validator) -> None:
    marked = "Zebra-4711"
    for path in [("gender",), ("birthDate",), ("name", 0, "family"), ("identifier", 0, "system"), ("photo", 0, "data")]:
        for value in (marked + " ", {marked: 1}, [marked]):
            answer = outcome(validator.check(put(GOOD["Patient"], path, value)))
            assert marked not in str(answer)


def test_a_required_element_may_be_absent_with_a_reason(validator: Validator) -> None:
    tree = put(GOOD["Observation"], ("status",), ABSENT_VALUE) | {"_status": {"extension": [UNKNOWN]}}
    assert validator.check(tree) == []


def test_a_unit_that_is_not_known_is_a_warning(validator: Validator) -> None:
    found = validator.check(put(GOOD["Observation"], ("valueQuantity", "code"), "mmHg"))
    assert [(one.severity, one.rule) for one in found] == [("warning", "code-shape")]


@pytest.mark.parametrize(
    ("concept", "rules"),
    [
        ({"coding": [{"system": MARITAL, "code": "M"}]}, []),
        ({"coding": [{"system": "urn:own", "code": "7"}, {"system": MARITAL, "code": "M"}]}, []),
        ({"coding": [{"system": "urn:own", "code": "7"}]}, ["extensible-binding"]),
        ({"coding": [{"system": "urn:own", "code": "M"}]}, ["extensible-binding"]),
        ({"text": "married"}, ["extensible-binding"]),
        ({"extension": [UNKNOWN]}, []),
    ],
)
def test_a_code_outside_an_extensible_value_set_is_a_warning(
    validator: Validator, concept: dict[str, Any], rules: list[str]
) -> None:
    told = validator.check(put(GOOD["Patient"], ("maritalStatus",), concept))
    assert [(one.severity, one.rule) for one in told] == [("warning", rule) for rule in rules]


def test_a_warning_keeps_no_error_from_being_told(validator: Validator) -> None:
    tree = {"maritalStatus": {"text": "x"}, **GOOD["Patient"], "gender": "f", "birthDate": "x"}
    assert [one.severity for one in validator.check(tree, limit=1)] == ["error"]
    assert [one.rule for one in validator.check(tree, limit=2)] == ["binding", "date"]
    assert [one.rule for one in validator.check(tree)] == ["extensible-binding", "binding", "date"]


def test_no_more_is_told_than_the_limit(validator: Validator) -> None:
    tree = put(GOOD["Patient"], ("name",), [{"family": ""}] * 1_000)
    assert len(validator.check(tree, limit=10)) == 10


@pytest.mark.parametrize(
    "tree", [None, 7, [], {}, {"resourceType": []}, {"resourceType": "Resource"}, {"resourceType": "HumanName"}]
)
def test_what_is_no_resource_is_one_finding(validator: Validator, tree: Any) -> None:
    assert [one.rule for one in validator.check(tree)] == ["type"]


def test_a_contained_resource_may_refer_to_its_container(validator: Validator) -> None:
    tree = put(GOOD["Patient"], ("generalPractitioner",), ABSENT_VALUE)
    tree["contained"] = [
        {
            "resourceType": "Observation",
            "id": "c",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "#"},
        }
    ]
    assert validator.check(tree) == []


def test_an_outcome_without_findings_says_so() -> None:
    assert outcome([])["issue"][0]["severity"] == "information"
