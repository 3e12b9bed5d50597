"""What happens to programs' tokens is in the journal, and shown as AuditEvents (IHE BALP, IUA)."""

import json

from salus.node.fhir.answers import Request
from salus.node.fhir.policy import ADMINISTRATION
from salus.node.fhir.server import FhirServer
from salus.node.smart.clients import RegisterApp, register_app
from salus.node.usecase import LOCAL_OPERATOR
from tests.portal.test_apps import (  # noqa: F401 -- a fixture
    assertion,
    coded,
    exchanged,
    read,
    registered,
    signed,
    token,
)


def audited(north, name, value):
    request = Request("GET", "AuditEvent", ((name, value), ("_count", "100")))
    answer = FhirServer(north.node, north.origin).answer(LOCAL_OPERATOR, ADMINISTRATION, request)
    return [one["resource"] for one in json.loads(answer.body).get("entry", ())]


def events(north, name, value):
    found = [one for one in audited(north, name, value) if one["type"]["code"] == "110114"]
    return [(one["outcomeDesc"], one["subtype"][0]["code"], one["outcome"]) for one in found]


def test_a_patients_journal_tells_what_happened_to_tokens(north) -> None:
    before = len(events(north, "patient", "p1"))
    first = exchanged(north, coded(north, scope="patient/*.rs launch/patient offline_access")).json()
    refresh = {"grant_type": "refresh_token", "client_id": "growth"}
    token(north, **refresh, refresh_token=first["refresh_token"])
    assert token(north, **refresh, refresh_token=first["refresh_token"]).status_code == 400
    found = events(north, "patient", "p1")
    assert found[: len(found) - before] == [
        ("token-revoked", "110123", "0"),
        ("token-reused", "ITI-71", "4"),
        ("token-refreshed", "ITI-71", "0"),
        ("token-issued", "ITI-71", "0"),
    ]
    issued = next(one for one in audited(north, "patient", "p1") if one.get("outcomeDesc") == "token-issued")
    (program,) = [one for one in issued["agent"] if one["type"]["coding"][0]["code"] == "110150"]
    assert program["who"]["identifier"] == {"system": "urn:salus:app", "value": "growth"}
    assert issued["entity"][0]["what"] == {"reference": "Patient/p1"}
    scopes = [one["valueString"] for entity in issued["entity"] for one in entity.get("detail", ())]
    assert "patient/*.rs" in scopes
    assert first["access_token"] not in json.dumps(audited(north, "patient", "p1"))


def test_tokens_for_no_patient_are_the_operators_to_see(north) -> None:
    asked = signed(assertion(north=north), grant_type="client_credentials", scope="system/Observation.rs")
    told = token(north, **asked).json()
    for shown in (told["access_token"], "made-up"):
        form = signed(assertion(north=north, jti=f"i-{shown}"), token=shown)
        north.browser().post("/smart/introspect", data=form)
    north.browser().post("/smart/revoke", data=signed(assertion(north=north), token=told["access_token"]))
    found = events(north, "patient:missing", "true")
    assert found[:3] == [
        ("token-revoked", "110123", "0"), ("token-unknown", "ITI-102", "4"), ("token-issued", "ITI-71", "0"),
    ]  # fmt: skip
    event = next(one for one in audited(north, "patient:missing", "true") if one["type"]["code"] == "110114")
    assert not [one for one in event["entity"] if "what" in one]
    other = token(
        north, **signed(assertion(north=north), grant_type="client_credentials", scope="system/Observation.rs")
    )
    assert read(north, other.json()["access_token"], "AuditEvent?patient:missing=true").status_code == 403
    assert read(north, other.json()["access_token"], f"AuditEvent/{event['id']}").status_code == 403


def test_what_a_program_writes_carries_its_provenance(north) -> None:
    told = {"id": "writer", "name": "Writer", "member": "clinic", "scopes": "system/Observation.cruds"}
    register_app(north.node, RegisterApp(**told, jwks=registered_keys(), role="registry", purposes=("TREAT",)))
    asked = signed(assertion("writer", north=north), grant_type="client_credentials", scope="system/Observation.cruds")
    bearer = {"authorization": f"Bearer {token(north, **asked).json()['access_token']}"}
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p1"},
    }
    made = north.browser().post("/fhir/Observation", json=body, headers=bearer).json()
    name = f"Observation/{made['id']}"
    server = FhirServer(north.node, north.origin)
    request = Request("GET", "Provenance", (("target", name),))
    (entry,) = json.loads(server.answer(LOCAL_OPERATOR, ADMINISTRATION, request).body)["entry"]
    provenance = entry["resource"]
    assert [one["type"]["coding"][0]["code"] for one in provenance["agent"]] == ["author", "assembler"]
    assert provenance["agent"][1]["who"]["identifier"] == {"system": "urn:salus:app", "value": "writer"}
    assert provenance["activity"]["coding"][0]["code"] == "CREATE"
    (created,) = [one for one in audited(north, "patient", "p1") if name in json.dumps(one) and one["action"] == "C"]
    assert "writer" in json.dumps(created["agent"])


def registered_keys() -> bytes:
    from tests.portal.test_apps import KEY, jwks  # noqa: PLC0415 -- one use

    return jwks(KEY)
