"""Bulk export: what the asker may see, in files that can be fetched again, and nothing once a consent says so."""

import json

import pytest

from salus.node.errors import EdgeError
from salus.node.fhir import exporting
from salus.node.fhir.server import FhirServer
from salus.vault.journal import Side
from tests.node.fhir.conftest import Asker
from tests.node.fhir.test_consents import NO_PULSE, filed
from tests.node.fhir.test_rest import patient, pulse, refusal

ASYNC = {"prefer": "respond-async"}


def began(asker, path="Patient/$export"):
    answer = asker("GET", path, **ASYNC)
    assert (answer.status, answer.body) == (202, b"")
    return dict(answer.extra)["content-location"].removeprefix(asker.server.base + "/")


def exported(asker, job):
    """Return ids by type, checking each file's count."""
    manifest = asker.get(job)
    found = {}
    for one in manifest["output"]:
        answer = asker("GET", one["url"].removeprefix(asker.server.base + "/"))
        assert answer.media == "application/fhir+ndjson"
        lines = [json.loads(line) for line in answer.body.splitlines()]
        assert {line["resourceType"] for line in lines} == {one["type"]}
        assert len(lines) == one["count"]
        found.setdefault(one["type"], []).extend(line["id"] for line in lines)
    return found


@pytest.fixture
def ada(operator):
    return operator.create(patient())["id"]


def test_everything_once_in_files_of_a_bounded_size(doctor, operator, ada, monkeypatch):
    monkeypatch.setattr(exporting, "FILE_ROWS", 2)
    beats = [doctor.create(pulse(ada, at))["id"] for at in range(5)]
    operator.create({"resourceType": "Organization", "name": "North"})
    job = began(doctor)
    later = doctor.create(pulse(ada, 99))["id"]
    assert exported(doctor, job) == {"Patient": [ada], "Observation": beats}
    assert exported(doctor, job)["Observation"] == beats
    assert later in exported(doctor, began(doctor, "Patient/$export?_type=Observation"))["Observation"]
    assert "Organization" in exported(doctor, began(doctor, "$export"))
    manifest = doctor.get(job)
    assert manifest["requiresAccessToken"] is True
    since = exported(doctor, began(doctor, "Patient/$export?_since=2099-01-01"))
    assert since == {}


def posted(*patients, **more):
    told = [{"name": "patient", "valueReference": {"reference": f"Patient/{one}"}} for one in patients]
    told += [{"name": name, "valueString": value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": told}


def test_an_export_of_named_patients_holds_theirs_alone(doctor, operator, ada):
    ben, cy = (operator.create(patient(name))["id"] for name in ("Ben", "Cy"))
    beats = {who: doctor.create(pulse(who))["id"] for who in (ada, ben, cy)}

    def of(*patients, **more):
        answer = doctor("POST", "Patient/$export", posted(*patients, **more), **ASYNC)
        return exported(doctor, dict(answer.extra)["content-location"].removeprefix(doctor.server.base + "/"))

    assert of(ada, ben) == {"Patient": [ada, ben], "Observation": [beats[ada], beats[ben]]}
    assert of(cy, _type="Observation") == {"Observation": [beats[cy]]}
    assert of("nobody") == {}
    assert len(of()["Patient"]) == 3
    filed(operator, cy, NO_PULSE)
    assert "Observation" not in of(cy)
    assert refusal(doctor, "POST", "Patient/$export", posted(*["x"] * 201), **ASYNC) == (400, "fhir.too-many")
    for body in ({"resourceType": "Patient"}, posted(x="1"), posted("a/b"), posted("x\ny")):
        assert refusal(doctor, "POST", "Patient/$export", body, **ASYNC)[0] == 400
    assert refusal(doctor, "POST", "$export", posted(ada), **ASYNC)[0] == 400


def test_what_is_hidden_is_in_no_count_and_no_file(doctor, operator, ada):
    beat = doctor.create(pulse(ada))["id"]
    job = began(doctor)
    url = next(one["url"] for one in doctor.get(job)["output"] if one["type"] == "Observation")
    filed(operator, ada, NO_PULSE)
    assert "Observation" not in {one["type"] for one in doctor.get(job)["output"]}
    assert doctor("GET", url.removeprefix(doctor.server.base + "/")).body == b""
    assert operator.found("Observation") == {beat}


def test_an_export_is_journalled(doctor, ada):
    exported(doctor, began(doctor))
    node = doctor.server._node
    link = node.index.search.own(f"Patient/{ada}")[0].link
    line = node.vault.lines(Side.CUSTODIAN, link)[-1].disclosure
    assert (line.action, line.what, line.person) == ("export", (f"Patient/{ada}/1",), "s-1")


def test_a_job_is_its_askers_alone_and_ends(doctor, clerk, ada):
    job = began(doctor)
    path = doctor.get(job)["output"][0]["url"].removeprefix(doctor.server.base + "/")
    for asked in (job, path, f"{job}x", f"{job}/x"):
        assert refusal(clerk, "GET", asked)[0] == 404
    page = doctor.get("Patient?_count=1")["link"][0]
    assert page["relation"] == "self"
    assert refusal(doctor, "POST", path)[0] == refusal(doctor, "DELETE", path)[0] == 404
    assert doctor("DELETE", job).status == 202
    assert refusal(doctor, "GET", job) == refusal(doctor, "GET", path) == (404, "fhir.not-found")
    restarted = Asker(FhirServer(doctor.server._node), doctor.caller, doctor.purpose)
    assert refusal(restarted, "GET", job) == (404, "fhir.not-found")
    other = began(doctor)
    assert restarted.get(other)["output"]
    doctor.server._node.ports.clock.advance(25 * 3_600_000)
    assert refusal(doctor, "GET", other) == (404, "fhir.not-found")


def test_only_so_many_jobs_are_deleted_in_a_day(doctor, ada, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_FORGOTTEN", 2)
    jobs = [began(doctor) for _ in range(3)]
    assert [doctor("DELETE", job).status for job in jobs[:2]] == [202, 202]
    assert refusal(doctor, "DELETE", jobs[2]) == (503, "fhir.busy")
    assert doctor.get(jobs[2])["output"]
    doctor.server._node.ports.clock.advance(25 * 3_600_000)
    assert doctor("DELETE", began(doctor)).status == 202


@pytest.mark.parametrize("query", ["_type=Nothing", "_since=soon", "_outputFormat=csv", "patient=x"])
def test_what_is_not_understood_is_refused(doctor, query):
    with pytest.raises(EdgeError) as caught:
        doctor("GET", f"Patient/$export?{query}", **ASYNC)
    assert caught.value.fault.status == 400
    assert refusal(doctor, "GET", "Patient/$export") == (400, "fhir.not-async")
