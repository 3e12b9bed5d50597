"""Patients' consents at the server: filed, in force in every answer from then on, revoked; disclosures written down."""

import json

import pytest

from salus.node.usecase import Caller, Kind
from salus.vault.journal import Side
from tests.node.fhir.conftest import DOCTOR, Asker
from tests.node.fhir.test_rest import patient, pulse, refusal

REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
EMERGENCY = Caller(Kind.PERSON, "north", "s-3", "physician", ("ETREAT",))


def consent(who, provision, **more):
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{who}"},
        "dateTime": "2026-01-01",
        "performer": [{"reference": f"Patient/{who}"}],
        "organization": [{"display": "North Hospital"}],
        "policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}],
        "provision": provision,
        **more,
    }


def document(who):
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{who}"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "c2lnbmVk"}}],
    }


def parameters(**told):
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": name, "resource": one} if "resourceType" in one else {"name": name, "valueReference": one}
            for name, one in told.items()
        ],
    }


def filed(asker, who, provision):
    body = parameters(consent=consent(who, provision), document=document(who))
    answer = asker("POST", "Consent/$fileConsent", body)
    assert answer.status == 201
    return {one["name"]: one["valueReference"]["reference"] for one in json.loads(answer.body)["parameter"]}


NO_PULSE = {"type": "permit", "provision": [{"type": "deny", "code": [{"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}]}]}  # fmt: skip


@pytest.fixture
def ada(operator):
    return operator.create(patient())["id"]


def test_filed_it_rules_at_once_and_revoked_no_more(doctor, operator, ada):
    beat = doctor.create(pulse(ada))["id"]
    other = doctor.create(pulse(ada, code={"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}))["id"]
    names = filed(doctor, ada, NO_PULSE)
    assert doctor.get(names["consent"])["sourceReference"]["reference"] == names["document"]
    assert doctor.found("Observation") == {other}
    assert refusal(doctor, "GET", f"Observation/{beat}") == (404, "fhir.not-found")
    assert operator.found("Observation") == {beat, other}
    assert Asker(doctor.server, EMERGENCY).found("Observation") == {beat, other}

    body = parameters(consent={"reference": names["consent"]}, patient={"reference": f"Patient/{ada}"})
    assert doctor("POST", "Consent/$revokeConsent", body).status == 200
    assert doctor.get(names["consent"])["status"] == "inactive"
    assert doctor.found("Observation") == {beat, other}


def test_a_consent_is_of_its_patient_alone(doctor, operator, ada):
    bob = operator.create(patient("Bob"))["id"]
    theirs = doctor.create(pulse(bob))["id"]
    doctor.create(pulse(ada))
    names = filed(doctor, ada, {"type": "deny", "purpose": [{"system": REASONS, "code": "TREAT"}]})
    assert doctor.found("Observation") == {theirs}
    assert doctor.found("Patient") == {bob}
    wrong = parameters(consent={"reference": names["consent"]}, patient={"reference": f"Patient/{bob}"})
    assert refusal(operator, "POST", "Consent/$revokeConsent", wrong) == (404, "fhir.not-found")
    assert refusal(doctor, "POST", "Consent/$revokeConsent", wrong) == (404, "fhir.not-found")
    assert doctor.found("Observation") == {theirs}


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"status": "draft"}, "Consent.status"),
        ({"scope": {"coding": [{"code": "treatment"}]}}, "Consent.scope"),
        ({"policy": None}, "Consent.policy"),
        ({"performer": None}, "Consent.performer"),
        ({"provision": None}, "Consent.provision"),
        ({"provision": {"type": "permit", "purpose": [{"code": "FUN"}]}}, "Consent.provision.purpose"),
        ({"provision": {"type": "permit", "provision": [{"code": [{"text": "x"}], "type": "deny"}]}}, "Consent.provision.provision[0].code"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_not_filed(doctor, ada, more, path):
    tree = {name: value for name, value in (consent(ada, NO_PULSE) | more).items() if value is not None}
    with pytest.raises(Exception, match="cannot be kept") as caught:
        doctor("POST", "Consent/$fileConsent", parameters(consent=tree, document=document(ada)))
    assert (caught.value.code, caught.value.path) == ("fhir.consent-not-understood", path)
    assert doctor.found("Consent") == doctor.found("DocumentReference") == set()


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": []},
        parameters(consent={"reference": "Consent/x"}),
        parameters(consent={"reference": "Consent/x"}, patient={"reference": "Patient/x"}, more={"reference": "x"}),
        parameters(consent={"reference": "Patient/x"}, patient={"reference": "Patient/x"}),
        parameters(consent={"reference": 1}, patient={"reference": "Patient/x"}),
        {"resourceType": "Patient"},
    ],
)
def test_other_parameters_are_refused(doctor, body):
    status, code = refusal(doctor, "POST", "Consent/$revokeConsent", body)
    assert status == 400
    assert code.startswith("fhir.")


def event(who, **more):
    return {
        "resourceType": "AuditEvent",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110106"},
        "recorded": "2026-01-02T10:00:00Z",
        "agent": [{"requestor": True}],
        "source": {"observer": {"display": "fax"}},
        "entity": [{"what": {"reference": f"Patient/{who}"}}, {"what": {"reference": "Observation/faxed"}}],
        **more,
    }


def test_a_disclosure_is_stored_and_journalled(doctor, operator, ada):
    names = filed(doctor, ada, NO_PULSE)
    body = parameters(disclosure=event(ada), consent={"reference": names["consent"]})
    answer = doctor("POST", "AuditEvent/$recordDisclosure", body)
    assert answer.status == 201
    link = operator.server._node.index.search.own(f"Patient/{ada}")[0].link
    line = operator.server._node.vault.lines(Side.CUSTODIAN, link)[-1].disclosure
    assert (line.action, line.what) == ("recorded", (f"Patient/{ada}", "Observation/faxed", names["consent"]))
    bob = operator.create(patient("Bob"))["id"]
    for wrong in (event(bob), event(ada, entity=[{"what": {"reference": "Observation/x"}}])):
        body = parameters(disclosure=wrong, consent={"reference": names["consent"]})
        assert refusal(doctor, "POST", "AuditEvent/$recordDisclosure", body) == (422, "fhir.disclosure-patient")
    assert len(doctor.found("AuditEvent")) == 1


# -- who is meant ---------------------------------------------------------------------------------------------------

NPI = "http://hl7.org/fhir/sid/us-npi"
NURSE = Caller(Kind.PERSON, "north", "s-7", "nurse", ("TREAT",))
OTHER = Caller(Kind.PERSON, "north", "s-8", "nurse", ("TREAT",))


def practitioner(subject, npi):
    identifier = [{"system": "urn:salus:person", "value": subject}, {"system": NPI, "value": npi}]
    return {"resourceType": "Practitioner", "identifier": identifier}


def without(**reference):
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    return {"type": "permit", "provision": [{"type": "deny", "actor": [{"role": role, "reference": reference}]}]}


def alone(**reference):
    told = without(**reference)
    return {"type": "deny", "provision": [{**told["provision"][0], "type": "permit"}]}


@pytest.fixture
def staff(operator):
    """Return the ids of two nurses' Practitioners, and of a role and a group that the first is in."""
    first, second = (
        operator.create(practitioner(who, npi))["id"] for who, npi in (("s-7", "1245319599"), ("s-8", "1881018307"))
    )
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{first}"}}
    role_id = operator.create(role)["id"]
    group = {
        "resourceType": "Group",
        "type": "practitioner",
        "actual": True,
        "member": [{"entity": {"reference": f"PractitionerRole/{role_id}"}}],
    }
    return {"first": first, "second": second, "role": role_id, "group": operator.create(group)["id"]}


@pytest.mark.parametrize("by", ["practitioner", "number", "role", "group", "team"])
def test_a_consent_names_one_of_the_staff(operator, ada, staff, by):
    beat = operator.create(pulse(ada))["id"]
    team = {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": f"Patient/{ada}"},
        "participant": [{"member": {"reference": f"Practitioner/{staff['first']}"}}],
    }
    reference = {
        "practitioner": {"reference": f"Practitioner/{staff['first']}"},
        "number": {"identifier": {"system": NPI, "value": "1245319599"}},
        "role": {"reference": f"PractitionerRole/{staff['role']}"},
        "group": {"reference": f"Group/{staff['group']}"},
        "team": {"reference": f"CareTeam/{operator.create(team)['id']}"},
    }[by]
    nurse, other, doctor = (Asker(operator.server, who) for who in (NURSE, OTHER, DOCTOR))
    names = filed(operator, ada, without(**reference))
    assert (nurse.found("Observation"), other.found("Observation")) == (set(), {beat})
    assert doctor.found("Observation") == set()  # who the doctor is, nobody has said
    operator("PUT", names["consent"], {**operator.get(names["consent"]), "provision": alone(**reference)})
    assert (nurse.found("Observation"), other.found("Observation")) == ({beat}, set())
    assert doctor.found("Observation") == set()


def test_staff_cannot_change_whom_a_name_means(operator, doctor, ada, staff):
    nurse = Asker(doctor.server, NURSE)
    filed(operator, ada, without(reference=f"Practitioner/{staff['first']}"))
    mine = operator.get(f"Practitioner/{staff['first']}")
    role = operator.get(f"PractitionerRole/{staff['role']}")
    group = operator.get(f"Group/{staff['group']}")
    changed = [
        ("PUT", f"Practitioner/{mine['id']}", {**mine, "identifier": mine["identifier"][1:]}),
        ("DELETE", f"Practitioner/{mine['id']}", None),
        ("POST", "Practitioner", practitioner("s-7", "1")),
        ("POST", "Practitioner", {"resourceType": "Practitioner", "identifier": [{"system": "urn:salus:person:north", "value": "s-7"}]}),
        ("POST", "Organization", {"resourceType": "Organization", "name": "x", "identifier": [{"system": "urn:salus:member", "value": "north"}]}),
        ("PUT", f"PractitionerRole/{role['id']}", {**role, "practitioner": {"display": "nobody"}}),
        ("DELETE", f"PractitionerRole/{role['id']}", None),
        ("PUT", f"Group/{group['id']}", {name: value for name, value in group.items() if name != "member"}),
        ("POST", "Group", {**group, "member": [{"entity": {"reference": f"Practitioner/{staff['second']}"}}]}),
    ]  # fmt: skip
    for method, path, body in changed:
        assert refusal(nurse, method, path, body) == (403, "fhir.identity"), (method, path)
    assert nurse.found("Patient") == set()
    assert operator.found("Practitioner") == {staff["first"], staff["second"]}
    stranger = nurse.create({"resourceType": "Practitioner", "identifier": [{"system": NPI, "value": "1881018307"}]})
    assert nurse("DELETE", f"Practitioner/{stranger['id']}").status == 204


def test_a_care_teams_number_makes_nobody_of_its_members(operator, doctor, ada, staff):
    nurse = Asker(doctor.server, NURSE)
    bob = operator.create(patient("Bob"))["id"]
    filed(operator, ada, alone(identifier={"system": NPI, "value": "1881018307"}))
    team = {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": f"Patient/{bob}"},
        "identifier": [{"system": NPI, "value": "1881018307"}],
        "participant": [{"member": {"reference": f"Practitioner/{staff['first']}"}}],
    }
    nurse.create(team)
    assert nurse.found("Patient") == {bob}
    assert Asker(doctor.server, OTHER).found("Patient") == {ada, bob}
