"""The shipped samples are the ones their maker makes, and all of them pass the gate."""

import gzip
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from salus.index.index import shipped_rules
from salus.interop.fhir.compartment import patient_of
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import Resource, read_ndjson
from salus.interop.fhir.sensitivity import classify

SAMPLES = Path(__file__).parents[3] / "samples"
DIGESTS = {
    "hill-practice": "f66b3b153690406b26c91aca4db858c80f054b7fd31c5b630f4aa54c2b35551a",
    "lake-clinic": "f3874043db265f1ebbf59598c383e6f65f0b25fa666969a2547ba64e867c6cdb",
    "north-hospital": "91d95906be0ddbc8c39c6ddedbbed7c6af62070dcd32d9e2cd2983508395e933",
}


@pytest.fixture(scope="module")
def members() -> dict[str, list[Resource]]:
    return {name: list(read_ndjson([gzip.decompress(path_of(name).read_bytes())])) for name in DIGESTS}


def path_of(name: str) -> Path:
    return SAMPLES / f"{name}.ndjson.gz"


def test_digests_and_size():
    found = {name: hashlib.sha256(path_of(name).read_bytes()).hexdigest() for name in DIGESTS}
    assert found == DIGESTS, "after an intended change run samples/make_patients.py twice and pin what it gives"
    assert sum(path_of(name).stat().st_size for name in DIGESTS) <= 2 << 20


@pytest.mark.unmeasured
def test_every_line_passes_the_gate_and_has_one_patient_or_the_house(members):
    for resources in members.values():
        names = {f"{one.type}/{one.id}" for one in resources}
        for one in resources:
            found = facts(one, {})
            patient = patient_of(one, found, {}, lambda _: "")
            assert not patient or f"Patient/{patient}" in names
            assert names.issuperset(found.references)


def test_people_are_spread_over_members(members):
    people = Counter(one.id[-4:] for resources in members.values() for one in resources if one.type == "Patient")
    assert len(people) == 14
    assert sum(count > 1 for count in people.values()) == 11
    assert max(people.values()) == 3


def test_types_and_classes_that_the_tutorials_need(members):
    everything = [one for resources in members.values() for one in resources]
    types = {one.type for one in everything}
    assert types >= {
        "AllergyIntolerance", "CarePlan", "CareTeam", "Claim", "Condition", "Coverage", "Device", "DiagnosticReport",
        "DocumentReference", "Encounter", "ExplanationOfBenefit", "Goal", "ImagingStudy", "Immunization", "Location",
        "MedicationAdministration", "MedicationRequest", "Observation", "Organization", "Patient", "Practitioner",
        "Procedure", "SupplyDelivery",
    }  # fmt: skip
    rules = shipped_rules()
    classes = {classify(facts(one, {}), one.codings, rules).code for one in everything}
    assert classes >= {
        "general",
        "medication",
        "laboratory",
        "imaging",
        "claims",
        "reproductive",
        "mental-health",
        "substance-use",
    }
