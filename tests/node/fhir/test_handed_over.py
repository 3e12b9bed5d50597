"""What a write hands over to the index is what the index reads from the sealed records by itself."""

import json

from salus.index.source import VaultSource
from salus.index.store import NAMES
from tests.node.fhir.test_bundles import PERSON, VISIT, bundle, entry, to
from tests.node.fhir.test_rest import patient, pulse

CLINIC, TEAM, NOTE, RULE = (f"urn:uuid:00000000-0000-4000-8000-00000000001{at}" for at in range(4))
ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def visit():
    """Every kind of reference: to what is sent along, absolute, by identifier, with a version, inside the resource."""
    note = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": to(PERSON),
        "custodian": to(CLINIC),
        "content": [{"attachment": {"url": CLINIC}}],
        "context": {"encounter": [to(VISIT)], "related": [to("Organization?identifier=urn:clinic|1"), to("#x")]},
        "contained": [{"resourceType": "Practitioner", "id": "x", "name": [{"family": "Ko"}]}],
        "authenticator": to("#x"),
    }
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": to(PERSON),
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {"type": "deny", "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": to(CLINIC)}]},
    }  # fmt: skip
    condition = {
        "resourceType": "Condition",
        "subject": to(PERSON),
        "encounter": to(VISIT),
        "code": {"coding": [{"system": ICD, "code": "F10.20", "display": "Alcohol dependence"}]},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
    }  # fmt: skip
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": to(PERSON)}
    team = {"resourceType": "CareTeam", "subject": to(PERSON), "participant": [{"member": to(CLINIC)}]}
    return bundle(
        "transaction",
        entry("POST", "Observation", {**pulse("x"), "subject": to(PERSON), "encounter": to(VISIT), "performer": [to(CLINIC)]}),
        entry("POST", "Encounter", encounter, VISIT),
        entry("POST", "Patient", {**patient(), "managingOrganization": to(CLINIC)}, PERSON),
        entry("POST", "DocumentReference", note, NOTE),
        entry("POST", "Condition", condition),
        entry("POST", "CareTeam", team, TEAM),
        entry("POST", "Consent", consent, RULE),
        entry("PUT", "Organization?identifier=urn:clinic|1", {"resourceType": "Organization", "name": "Clinic", "identifier": [{"system": "urn:clinic", "value": "1"}]}, CLINIC),
    )  # fmt: skip


def rows(index):
    """Return all tables with classes and links by what they say: their numbers are the index's own."""
    ask = index._store.ask
    links = dict(ask("SELECT number, id FROM link"))
    classes = {number: told for number, *told in ask("SELECT * FROM policy_class")}
    found = {}
    for name in NAMES:
        columns = [row[1] for row in ask(f"PRAGMA table_info({name})")]
        told = []
        for row in ask(f"SELECT * FROM {name}"):
            one = dict(zip(columns, row, strict=True))
            if name in {"link", "policy_class"}:
                del one["number"]
            for column, known in (("link", links), ("class", classes)):
                if column in one:
                    one[column] = known[one[column]]
            told.append(json.dumps(one, default=bytes.hex, sort_keys=True))
        found[name] = sorted(told)
    return found


def test_an_index_that_was_told_is_as_one_that_read(operator, together):
    node = together.nodes["north"]
    operator.create(
        {"resourceType": "Organization", "name": "First", "identifier": [{"system": "urn:clinic", "value": "1"}]}
    )
    answer = json.loads(operator("POST", "", visit()).body)
    made = [one["resource"] for one in answer["entry"]]
    assert len(made) == 8
    person = next(one for one in made if one["resourceType"] == "Patient")
    note = next(one for one in made if one["resourceType"] == "DocumentReference")
    again = {
        **pulse(person["id"]),
        "derivedFrom": [to(f"{operator.server.base}/DocumentReference/{note['id']}/_history/1")],
    }
    first = operator.create(again)
    operator("PUT", f"Observation/{first['id']}", {**first, "language": "en"})
    operator("DELETE", f"CareTeam/{next(one['id'] for one in made if one['resourceType'] == 'CareTeam')}")
    told = rows(node.index)
    assert len(told["entry"]) == 8
    node.index.rebuild(VaultSource(node.vault, node.writers.rename))
    assert rows(node.index) == told
