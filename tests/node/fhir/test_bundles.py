"""Batch and transaction: all or none, references between entries, and each answer in its place."""

import base64
import json
from dataclasses import replace

import pytest

from salus.node.errors import EdgeError
from salus.node.fhir.answers import outcome_of
from salus.node.smart.scopes import Access, Rule
from tests.node.fhir.conftest import DOCTOR, Asker
from tests.node.fhir.test_rest import PATCH, by_path, patient, pulse, refusal


def entry(method, url, resource=None, full_url="", **more):
    told = {"request": {"method": method, "url": url, **more}}
    if resource is not None:
        told["resource"] = resource
    if full_url:
        told["fullUrl"] = full_url
    return told


def bundle(kind, *entries):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def sent(asked, told):
    return json.loads(asked("POST", "", told).body)


PERSON, VISIT = "urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002"


def to(url):
    return {"reference": url}


def family():
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": to(PERSON)}
    return bundle(
        "transaction",
        entry("POST", "Observation", {**pulse("x"), "subject": to(PERSON), "encounter": to(VISIT)}),
        entry("POST", "Encounter", encounter, VISIT),
        entry("POST", "Patient", patient(), PERSON),
        entry("GET", "Patient?_summary=count"),
    )


def test_entries_refer_to_each_other_in_any_order(doctor):
    told = sent(doctor, family())
    assert [e["response"]["status"] for e in told["entry"]] == ["201 Created"] * 3 + ["200 OK"]
    observation, encounter, who, counted = (e["resource"] for e in told["entry"])
    assert counted["total"] == 1
    assert observation["subject"] == to(f"Patient/{who['id']}")
    assert observation["encounter"] == to(f"Encounter/{encounter['id']}")
    assert doctor.found(f"Observation?encounter={encounter['id']}&patient.name=can") == {observation["id"]}


def test_one_bad_entry_and_nothing_is_written(doctor, together):
    node = together.nodes["north"]
    node.vault.house_link()
    before = len(node.vault.links())
    bad = [
        entry("POST", "Observation", pulse("nobody")),
        entry("POST", "Observation", {**pulse("x"), "subject": to("urn:uuid:00000000-0000-4000-8000-00000000000f")}),
        entry("POST", "Patient", {**patient(), "nme": "x"}),
        entry("POST", "Encounter", patient()),
        entry("PUT", "Patient/none", {**patient(), "id": "none"}),
        entry("PATCH", "Patient/none", patient()),
        entry("DELETE", "Patient/none"),
        entry("POST", "Patient", patient(), PERSON),
        entry("POST", "Patient"),
    ]
    for one in bad:
        told = family()
        told["entry"].append(one)
        with pytest.raises(EdgeError) as caught:
            doctor("POST", "", told)
        assert caught.value.fault.status in {400, 404, 422}
    assert (doctor.found("Patient"), doctor.found("Encounter"), len(node.vault.links())) == (set(), set(), before)


def test_a_transaction_sent_twice_with_conditions_writes_once(doctor):
    body = patient(identifier=[{"system": "urn:mrn", "value": "7"}])
    told = bundle(
        "transaction",
        entry("POST", "Patient", body, PERSON, ifNoneExist="identifier=urn:mrn|7"),
        entry(
            "PUT",
            "Observation?identifier=urn:o|1",
            {**pulse("x"), "subject": to(PERSON), "identifier": [{"system": "urn:o", "value": "1"}]},
        ),
    )
    first, second = sent(doctor, told), sent(doctor, told)
    assert [e["response"]["status"] for e in first["entry"]] == ["201 Created", "201 Created"]
    assert [e["response"]["status"] for e in second["entry"]] == ["200 OK", "200 OK"]
    assert (len(doctor.found("Patient")), len(doctor.found("Observation"))) == (1, 1)
    conditional = bundle(
        "transaction", entry("POST", "Observation", {**pulse("x", 80), "subject": to("Patient?identifier=urn:mrn|7")})
    )
    sent(doctor, conditional)
    assert len(doctor.found("Observation?patient.identifier=urn:mrn|7")) == 2


def test_deletions_updates_and_versions_in_one_transaction(doctor):
    who = doctor.create(patient())["id"]
    first, second = doctor.create(pulse(who)), doctor.create(pulse(who))
    told = bundle(
        "transaction",
        entry("PUT", f"Observation/{first['id']}", {**first, "status": "amended"}, ifMatch='W/"1"'),
        entry("DELETE", f"Observation/{second['id']}"),
    )
    assert [e["response"]["status"] for e in sent(doctor, told)["entry"]] == ["200 OK", "204 No Content"]
    assert doctor.found("Observation?status=amended") == doctor.found("Observation") == {first["id"]}
    with pytest.raises(EdgeError) as caught:
        doctor("POST", "", told)
    assert caught.value.fault.status == 412
    twice = bundle(
        "transaction",
        *[entry("PUT", f"Observation/{first['id']}", {**first, "status": s}) for s in ("final", "amended")],
    )
    with pytest.raises(EdgeError) as caught:
        doctor("POST", "", twice)
    assert caught.value.code == "fhir.bundle-twice"


def test_a_batch_answers_each_entry(doctor):
    who = doctor.create(patient())["id"]
    told = sent(
        doctor,
        bundle(
            "batch",
            entry("GET", f"Patient/{who}"),
            entry("GET", "Patient/none"),
            entry("POST", "Observation", pulse(who)),
            entry("POST", "Observation", {**pulse(who), "x": 1}),
        ),
    )
    assert [e["response"]["status"][:3] for e in told["entry"]] == ["200", "404", "201", "400"]
    assert told["entry"][3]["response"]["outcome"]["issue"][0]["severity"] == "error"
    with pytest.raises(EdgeError):
        doctor("POST", "", bundle("collection"))


def test_everything_of_a_patient_and_what_it_refers_to(doctor):
    house = doctor.create({"resourceType": "Organization", "name": "House"})["id"]
    doctor.create({"resourceType": "Organization", "name": "Other"})
    who = doctor.create(patient(managingOrganization=to(f"Organization/{house}")))["id"]
    other = doctor.create(patient())["id"]
    mine = doctor.create(pulse(who))["id"]
    doctor.create(pulse(other))
    assert doctor.found(f"Patient/{who}/$everything?_count=1") == {house, who, mine}
    with pytest.raises(EdgeError) as caught:
        doctor.get("Patient/none/$everything")
    assert caught.value.code == "fhir.not-found"


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_patches_in_a_bundle(doctor, kind):
    who = doctor.create(patient(gender="female"))["id"]
    own = doctor.create(pulse(who))["id"]
    operations = base64.b64encode(b'[{"op": "replace", "path": "/status", "value": "amended"}]').decode()
    entries = [
        {
            "request": {"method": "PATCH", "url": f"Observation/{own}"},
            "resource": {"resourceType": "Binary", "contentType": PATCH, "data": operations},
        },
        {
            "request": {"method": "PATCH", "url": "Patient?family=Canary"},
            "resource": by_path("delete", "Patient.gender"),
        },
        {"request": {"method": "GET", "url": f"Observation/{own}"}},
    ]
    told = json.loads(doctor("POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries}).body)["entry"]
    assert [one["response"]["status"][:3] for one in told] == ["200"] * 3
    assert told[2]["resource"]["status"] == "amended"
    assert "gender" not in doctor.get(f"Patient/{who}")
    missing = {"request": {"method": "PATCH", "url": "Patient/none"}, "resource": by_path("delete", "Patient.photo")}
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [entries[1], missing]}
    if kind == "batch":
        told = json.loads(doctor("POST", "", bundle).body)["entry"]
        assert [one["response"]["status"][:3] for one in told] == ["200", "404"]
    else:
        assert refusal(doctor, "POST", "", bundle) == (404, "fhir.not-found")


def test_a_program_that_may_only_write_reads_nothing_by_a_patch(doctor, operator):
    who = operator.create(patient())["id"]
    own = operator.create(pulse(who))["id"]
    touched = by_path("replace", "Observation.status", value={"valueCode": "amended"})
    told = {"request": {"method": "PATCH", "url": f"Observation/{own}"}, "resource": touched}

    def answered(letters, kind):
        access = Access("app", (Rule("user/Observation", "user", "Observation", letters),))
        asker = Asker(doctor.server, replace(DOCTOR, access=access))
        return json.loads(asker("POST", "", bundle(kind, told)).body)["entry"][0]["response"]["status"]

    assert answered("u", "batch").startswith("403")
    with pytest.raises(EdgeError, match=r"smart\.scope"):
        answered("u", "transaction")
    assert answered("ru", "batch").startswith("200")
    assert answered("ru", "transaction").startswith("200")


def issue(asked, *told):
    with pytest.raises(EdgeError) as caught:
        asked("POST", *told)
    (one,) = outcome_of(caught.value)["issue"]
    return caught.value.code, one.get("expression")


def test_a_refusal_names_the_entry_and_its_element(doctor):
    who = doctor.create(patient())["id"]
    good = entry("POST", "Observation", pulse(who))
    cases = {
        "fhir.invalid": (entry("POST", "Observation", pulse(who, status="no such")), ".resource.status"),
        "fhir.no-patient": (entry("POST", "Observation", {**pulse(who), "subject": to("Group/1")}), ".resource"),
        "fhir.unknown-patient": (entry("POST", "Observation", pulse("nobody")), ""),
        "fhir.not-found": (entry("DELETE", "Observation/nothing"), ""),
        "fhir.identity": (entry("POST", "Group", {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": to(f"Patient/{who}")}], "identifier": [{"system": "urn:salus:member", "value": "x"}]}), ""),
    }  # fmt: skip
    for code, (bad, element) in cases.items():
        assert issue(doctor, "", bundle("transaction", good, bad)) == (code, [f"Bundle.entry[1]{element}"])
    assert doctor.found(f"Observation?patient={who}") == set()


def test_what_the_index_could_not_read_again_is_not_taken(doctor):
    who = doctor.create(patient())["id"]
    large = pulse(who, note=[{"text": "x" * 900_000}] * 9 + [{"text": ""}])
    large["note"][-1] = {"text": "x" * ((8 << 20) - len(json.dumps(large)))}
    assert len(json.dumps(large)) == 8 << 20
    told = bundle("transaction", entry("POST", "Observation", large))
    assert issue(doctor, "Observation", large)[0] == issue(doctor, "", told)[0] == "fhir.oversized"
    assert doctor.found(f"Observation?patient={who}") == set()
