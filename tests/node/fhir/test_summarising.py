"""`$summary`: a valid document of what the asker may see, and nothing of the rest."""

import json

import pytest

from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Validator
from salus.node.fhir.answers import FhirRefused

SCRIPT = "<script>alert(1)</script>"


def filled(operator):
    who = operator.create({"resourceType": "Patient", "name": [{"family": "Muster"}], "birthDate": "1980"})["id"]
    subject = {"reference": f"Patient/{who}"}
    operator.create({"resourceType": "Condition", "subject": subject, "code": {"text": SCRIPT}})
    pulse = {"resourceType": "Observation", "status": "final", "subject": subject, "code": {"text": "pulse"}}
    operator(
        "POST", "Observation", json.dumps(pulse | {"valueQuantity": {"value": 1}}).replace(": 1}", ": 70.50}").encode()
    )
    operator.create({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": subject})
    return who


def test_a_summary_is_a_valid_document(operator):
    body = operator("GET", f"Patient/{filled(operator)}/$summary").body
    tree = decode(body, LIMITS.bundle_bytes, LIMITS)
    assert [one for one in Validator().check(tree) if one.severity == "error"] == []
    composition, patient, *entries = [entry["resource"] for entry in tree["entry"]]
    assert (composition["resourceType"], patient["resourceType"]) == ("Composition", "Patient")
    assert sorted(one["resourceType"] for one in entries) == ["Condition", "Observation"]
    titles = {section["title"]: section for section in composition["section"]}
    assert set(titles) == {"Problems", "Allergies and intolerances", "Medication", "Results"}
    assert "emptyReason" in titles["Medication"]
    assert b"70.50" in body


def test_markup_in_a_record_stays_text_in_the_narrative(operator):
    body = operator.get(f"Patient/{filled(operator)}/$summary")
    (problems,) = [one for one in body["entry"][0]["resource"]["section"] if one["title"] == "Problems"]
    assert SCRIPT not in problems["text"]["div"]
    assert "&lt;script&gt;" in problems["text"]["div"]


def test_a_patient_who_is_not_seen_has_no_summary(operator, doctor):
    filled(operator)
    for who in ("no-such-one", "x"):
        with pytest.raises(FhirRefused) as caught:
            doctor("GET", f"Patient/{who}/$summary")
        assert caught.value.fault.status == 404
    with pytest.raises(FhirRefused, match=r"fhir\.parameter"):
        operator("GET", "Patient/x/$summary?profile=x")
