"""Whatever leads to a patient is the patient's; the house keeps only what speaks of nobody."""

import msgspec
import pytest

from salus.interop.fhir.compartment import patient_of
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused

OWNERS = {"DocumentReference/d": "a", "Observation/o": "a", "Observation/q": "b", "Organization/h": ""}


def whose(changed=None, **tree) -> str:
    resource = read_resource(msgspec.json.encode({"id": "x", **tree}))
    changed = changed or {}
    return patient_of(resource, facts(resource, changed), changed, lambda target: OWNERS.get(target, ""))


def to(target: str) -> dict:
    return {"reference": target}


@pytest.mark.parametrize(
    ("tree", "patient"),
    [
        ({"resourceType": "Patient", "link": [{"other": to("Patient/b")}]}, "x"),
        ({"resourceType": "Observation", "subject": to("Patient/a"), "focus": [to("Patient/b")]}, "a"),
        ({"resourceType": "Device", "patient": to("Patient/a")}, "a"),
        ({"resourceType": "Task", "for": to("Patient/a")}, "a"),
        ({"resourceType": "Contract", "subject": [to("Patient/a")]}, "a"),
        ({"resourceType": "GuidanceResponse", "subject": to("Patient/a/_history/3")}, "a"),
        ({"resourceType": "BiologicallyDerivedProduct", "collection": {"source": to("Patient/a")}}, "a"),
        ({"resourceType": "Coverage", "beneficiary": to("Patient/a"), "subscriber": to("Patient/b")}, "a"),
        ({"resourceType": "Appointment", "participant": [{"actor": to("Patient/a")}]}, "a"),
        ({"resourceType": "Binary", "contentType": "x", "securityContext": to("DocumentReference/d")}, "a"),
        ({"resourceType": "Provenance", "target": [to("Observation/o"), to("DocumentReference/d")]}, "a"),
        ({"resourceType": "Organization"}, ""),
        ({"resourceType": "Practitioner"}, ""),
        ({"resourceType": "Device"}, ""),
        ({"resourceType": "Location", "managingOrganization": to("Organization/h")}, ""),
        ({"resourceType": "Medication", "extension": [{"url": "x", "valueReference": to("Patient/a")}]}, "a"),
    ],
)
def test_whose(tree, patient):
    assert whose(**tree) == patient


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({"resourceType": "Binary", "contentType": "x"}, "no-patient"),
        ({"resourceType": "Observation"}, "no-patient"),
        ({"resourceType": "Provenance", "target": [to("Observation/unknown")]}, "no-patient"),
        (
            {"resourceType": "Group", "member": [{"entity": to("Patient/a")}, {"entity": to("Patient/b")}]},
            "several-patients",
        ),
        ({"resourceType": "Contract", "subject": [to("Patient/a"), to("Patient/b")]}, "several-patients"),
        ({"resourceType": "Provenance", "target": [to("Observation/o"), to("Observation/q")]}, "several-patients"),
        ({"resourceType": "Observation", "subject": to("#p")}, "no-patient"),
    ],
)
def test_refusals(tree, code):
    with pytest.raises(Refused) as refused:
        whose(**tree)
    assert refused.value.code == code


def test_after_rewriting():
    urn = "urn:oid:1.2.3"
    assert whose({urn: "Patient/n"}, resourceType="Observation", subject=to(urn)) == "n"
