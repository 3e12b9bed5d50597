"""Read, write and version single resources, and what each refusal says."""

import json

import pytest

from salus.node.errors import Conflict, EdgeError, Forbidden, Unauthenticated
from salus.node.fhir.answers import Request
from salus.node.usecase import NOBODY
from salus.vault.journal import Side
from tests.node.fhir.conftest import CLERK, DOCTOR, Asker


def patient(family="Canary", **more):
    return {
        "resourceType": "Patient",
        "name": [{"family": family, "given": ["Ada"]}],
        "birthDate": "1970-05-05",
        **more,
    }


def pulse(who, value=70, **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": f"Patient/{who}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": "2026-01-02",
        "valueQuantity": {"value": value, "unit": "/min"},
        **more,
    }


def refusal(asked, *arguments, **more):
    with pytest.raises(EdgeError) as caught:
        asked(*arguments, **more)
    return caught.value.fault.status, caught.value.code


def test_create_read_update_delete(doctor):
    answer = doctor("POST", "Patient", patient())
    own = json.loads(answer.body)
    assert (answer.status, answer.version) == (201, 1)
    assert answer.location == f"https://north.example/fhir/Patient/{own['id']}/_history/1"
    assert own["meta"]["versionId"] == "1"

    read = doctor("GET", f"Patient/{own['id']}")
    assert json.loads(read.body) == own

    changed = doctor("PUT", f"Patient/{own['id']}", {**own, "gender": "female"})
    assert (changed.status, changed.version) == (200, 2)
    assert doctor("DELETE", f"Patient/{own['id']}").status == 204
    assert refusal(doctor, "GET", f"Patient/{own['id']}") == (410, "fhir.deleted")
    assert doctor("DELETE", f"Patient/{own['id']}").status == 204
    assert doctor.found("Patient") == set()
    old = doctor.get(f"Patient/{own['id']}/_history/1")
    assert "gender" not in old
    assert refusal(doctor, "GET", f"Patient/{own['id']}/_history/3") == (410, "fhir.deleted")
    assert refusal(doctor, "GET", f"Patient/{own['id']}/_history/4") == (404, "fhir.not-found")


def test_a_decimal_survives_as_it_was_written(doctor):
    who = doctor.create(patient())["id"]
    body = json.dumps(pulse(who)).replace("70", "70.500")
    answer = doctor("POST", "Observation", body.encode())
    own = json.loads(answer.body)["id"]
    assert b'"value":70.500' in doctor("GET", f"Observation/{own}").body.replace(b" ", b"")


def test_history_tells_every_version_and_the_deletion(doctor):
    who = doctor.create(patient())["id"]
    own = doctor.create(pulse(who))
    doctor("PUT", f"Observation/{own['id']}", {**own, "status": "amended"})
    doctor("DELETE", f"Observation/{own['id']}")

    told = doctor.get(f"Observation/{own['id']}/_history")
    assert told["total"] == 3
    assert [e["request"]["method"] for e in told["entry"]] == ["DELETE", "PUT", "POST"]
    assert [e["response"]["etag"] for e in told["entry"]] == ['W/"3"', 'W/"2"', 'W/"1"']
    assert doctor.get("Observation/_history")["total"] == 3
    assert doctor.get("_history")["total"] == 4
    first = doctor.get("_history?_count=3")
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    rest = doctor.get(following.removeprefix("https://north.example/fhir/"))
    assert [len(first["entry"]), len(rest["entry"])] == [3, 1]


def test_only_the_version_named_is_replaced(doctor):
    own = doctor.create(patient())
    path = f"Patient/{own['id']}"
    assert refusal(doctor, "PUT", path, own, if_match='W/"2"') == (412, "fhir.other-version")
    assert doctor("PUT", path, {**own, "gender": "male"}, if_match='W/"1"').version == 2
    assert refusal(doctor, "DELETE", path, if_match='W/"1"') == (412, "fhir.other-version")
    assert doctor("GET", path, if_none_match='W/"2"').status == 304


def test_the_same_bytes_are_no_new_version(doctor):
    own = doctor.create(patient())
    raw = json.dumps({**own, "gender": "male"}).encode()
    assert doctor("PUT", f"Patient/{own['id']}", raw).version == 2
    assert doctor("PUT", f"Patient/{own['id']}", raw).version == 2


PATCH = "application/json-patch+json"


def test_a_patch_changes_what_it_names_and_no_digit_else(doctor):
    who = doctor.create(patient())["id"]
    own = json.loads(doctor("POST", "Observation", json.dumps(pulse(who)).replace("70", "70.500").encode()).body)["id"]
    path = f"Observation/{own}"
    operations = [
        {"op": "test", "path": "/status", "value": "final"},
        {"op": "replace", "path": "/status", "value": "amended"},
    ]
    answer = doctor("PATCH", path, operations, content_type=PATCH)
    assert (answer.status, answer.version, json.loads(answer.body)["status"]) == (200, 2, "amended")
    assert b"70.500" in answer.body
    assert refusal(doctor, "PATCH", path, operations, content_type=PATCH) == (422, "fhir.patch")
    assert refusal(doctor, "PATCH", path, operations, content_type=PATCH, if_match='W/"1"') == (
        412,
        "fhir.other-version",
    )
    assert refusal(doctor, "PATCH", "Observation/none", operations, content_type=PATCH) == (404, "fhir.not-found")
    assert doctor("GET", path).version == 2


def by_path(kind, path, **more):
    told = {"type": {"valueCode": kind}, "path": {"valueString": path}, **more}
    part = [{"name": name, **value} for name, value in told.items()]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}


def test_a_patch_by_paths_changes_what_it_names_and_no_digit_else(doctor):
    who = doctor.create(patient(gender="female"))["id"]
    own = json.loads(doctor("POST", "Observation", json.dumps(pulse(who)).replace("70", "70.500").encode()).body)["id"]
    json_form = {"content_type": "application/fhir+json; charset=utf-8"}
    amended = by_path("replace", "Observation.status", value={"valueCode": "amended"})
    answer = doctor("PATCH", f"Observation/{own}", amended, **json_form)
    assert (answer.version, json.loads(answer.body)["status"], b"70.500" in answer.body) == (2, "amended", True)
    changed = doctor("PATCH", "Patient?family=Canary", by_path("delete", "Patient.gender"), **json_form)
    assert "gender" not in json.loads(changed.body)
    for told in ("Observation/none", "Patient?family=nobody"):
        assert refusal(doctor, "PATCH", told, amended, **json_form) == (404, "fhir.not-found")
    assert refusal(doctor, "PATCH", f"Observation/{own}", by_path("delete", "status"), **json_form)[0] == 422
    other = by_path("replace", "Observation.id", value={"valueId": "x"})
    assert refusal(doctor, "PATCH", f"Observation/{own}", other, **json_form) == (400, "fhir.other-id")
    assert refusal(doctor, "PATCH", f"Observation/{own}", {"resourceType": "Patient"}, **json_form)[0] == 422
    assert doctor("GET", f"Observation/{own}").version == 2


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        ([{"op": "replace", "path": "/id", "value": "x"}], (400, "fhir.other-id")),
        ([{"op": "replace", "path": "/resourceType", "value": "Observation"}], (400, "fhir.unknown-element")),
        ([{"op": "add", "path": "/nme", "value": "x"}], (400, "fhir.unknown-element")),
        ([{"op": "add", "path": "/name/0/given/x", "value": "x"}], (422, "fhir.patch")),
        ([{"op": "move", "from": "/name", "path": "/name/0/x"}], (422, "fhir.patch")),
        ([{"op": "replace", "path": "/birthDate/x", "value": "x"}], (422, "fhir.patch")),
        ([{"op": "fly", "path": "/id"}], (422, "fhir.patch")),
        ([{"op": "add", "path": 7}], (422, "fhir.patch")),
        (["x"], (422, "fhir.patch")),
        ([], (400, "fhir.patch")),
        ({"op": "add"}, (400, "fhir.patch")),
        (b"[", (400, "fhir.not-json")),
        (
            [{"op": "add", "path": "/photo", "value": []}, *[{"op": "copy", "from": "", "path": "/photo/-"}] * 60],
            (422, "fhir.too-large"),
        ),
    ],
)
def test_a_patch_that_does_not_hold_changes_nothing(doctor, operations, told):
    own = doctor.create(
        patient(
            text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">' + "x" * 50_000 + "</div>"}
        )
    )["id"]
    assert refusal(doctor, "PATCH", f"Patient/{own}", operations, content_type=PATCH) == told
    assert doctor("GET", f"Patient/{own}").version == 1
    assert refusal(doctor, "PATCH", f"Patient/{own}", [{"op": "test"}])[0] == 415


def test_conditional_forms(doctor):
    body = patient(identifier=[{"system": "urn:mrn", "value": "7"}])
    first = doctor.create(body, if_none_exist="identifier=urn:mrn|7")
    again = doctor("POST", "Patient", body, if_none_exist="identifier=urn:mrn|7")
    assert (again.status, again.location.split("/")[-3]) == (200, first["id"])
    assert doctor("PUT", "Patient?identifier=urn:mrn|7", {**body, "gender": "male"}).version == 2
    assert (
        doctor("PUT", "Patient?identifier=urn:mrn|8", patient(identifier=[{"system": "urn:mrn", "value": "8"}])).status
        == 201
    )
    assert refusal(doctor, "DELETE", "Patient?family=Canary") == (412, "fhir.several-match")
    assert refusal(doctor, "DELETE", "Patient") == (412, "fhir.no-condition")
    assert doctor("DELETE", "Patient?identifier=urn:mrn|8").status == 204
    assert doctor.found("Patient") == {first["id"]}


def test_a_persons_write_can_probe_no_id(doctor, operator):
    assert refusal(doctor, "PUT", "Patient/chosen", {**patient(), "id": "chosen"}) == (404, "fhir.not-found")
    assert operator("PUT", "Patient/chosen", {**patient(), "id": "chosen"}).status == 201


def test_what_cannot_be_filed_is_refused(doctor):
    who = doctor.create(patient())["id"]
    other = doctor.create(patient())["id"]
    assert refusal(doctor, "POST", "Observation", pulse("nobody")) == (422, "fhir.unknown-patient")
    orphan = {key: value for key, value in pulse(who).items() if key != "subject"}
    assert refusal(doctor, "POST", "Observation", orphan) == (422, "fhir.no-patient")
    own = doctor.create(pulse(who))
    moved = {**own, "subject": {"reference": f"Patient/{other}"}}
    assert refusal(doctor, "PUT", f"Observation/{own['id']}", moved) == (409, "fhir.other-patient")
    assert refusal(doctor, "DELETE", f"Patient/{who}") == (409, "fhir.patient-has-records")
    assert refusal(doctor, "POST", "Patient", pulse(who)) == (400, "fhir.other-type")
    assert refusal(doctor, "PUT", f"Patient/{who}", {**patient(), "id": "x"}) == (400, "fhir.other-id")
    assert refusal(doctor, "POST", "Patient", {**patient(), "nme": 1}) == (400, "fhir.unknown-element")
    assert doctor.found("Observation") == {own["id"]}


def test_every_read_is_journalled_with_person_and_purpose(doctor, server, together):
    who = doctor.create(patient())["id"]
    own = doctor.create(pulse(who))["id"]
    node = together.nodes["north"]
    link = node.index.search.own(f"Patient/{who}")[0].link
    doctor.get(f"Observation/{own}")
    doctor.get("Observation")
    doctor.get(f"Observation/{own}/_history")
    assert refusal(doctor, "GET", "Observation/none") == (404, "fhir.not-found")
    doctor("PUT", f"Observation/{own}", {**pulse(who, 80), "id": own})
    doctor("DELETE", f"Observation/{own}")
    told = [line.disclosure for line in node.vault.lines(Side.CUSTODIAN, link)]
    assert {(one.person, one.role, one.purpose) for one in told} == {("s-1", "physician", "TREAT")}
    assert [(one.action, *one.what) for one in told] == [
        ("create", f"Patient/{who}/1"),
        ("create", f"Observation/{own}/1"),
        *((action, f"Observation/{own}/1") for action in ("read", "search", "history")),
        ("update", f"Observation/{own}/2"),
        ("delete", f"Observation/{own}/3"),
    ]


def test_nobody_and_wrong_purposes_are_refused(server):
    assert refusal(Asker(server, NOBODY), "GET", "Patient") == (401, "fhir.who")
    assert refusal(Asker(server, DOCTOR, "HPAYMT"), "GET", "Patient") == (403, "fhir.purpose")
    assert Asker(server, NOBODY)("GET", "metadata").status == 200
    with pytest.raises(Unauthenticated):
        server.answer(NOBODY, "", Request("GET", "Patient"))
    with pytest.raises(Forbidden):
        server.answer(CLERK, "TREAT", Request("GET", "Patient"))
    assert Conflict.fault.status == 409


def test_the_office_does_not_see_what_is_not_for_it(doctor, clerk):
    who = doctor.create(patient())["id"]
    plain = doctor.create(
        {
            "resourceType": "Condition",
            "subject": {"reference": f"Patient/{who}"},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J20"}]},
        }
    )
    hidden = doctor.create(
        {
            "resourceType": "Condition",
            "subject": {"reference": f"Patient/{who}"},
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.1"}]},
        }
    )
    assert doctor.found("Condition") == {plain["id"], hidden["id"]}
    assert clerk.found("Condition") == {plain["id"]}
    path = f"Condition/{hidden['id']}"
    seen = [
        refusal(clerk, *asked)
        for asked in (
            ("GET", path),
            ("GET", f"{path}/_history"),
            ("GET", f"{path}/_history/1"),
            ("DELETE", path),
            ("PUT", path, hidden),
        )
    ]
    absent = [
        refusal(clerk, *asked)
        for asked in (
            ("GET", "Condition/x"),
            ("GET", "Condition/x/_history"),
            ("GET", "Condition/x/_history/1"),
            ("DELETE", "Condition/x"),
            ("PUT", "Condition/x", {**hidden, "id": "x"}),
        )
    ]
    assert seen == absent
    doctor("DELETE", path)
    assert refusal(clerk, "GET", path) == (404, "fhir.not-found")
    assert clerk.get("Condition/_history")["total"] == 1


@pytest.mark.parametrize(
    "path", ["Patient/$x", "Patient/_x", "Nothing", "", "Patient/a/b", "Patient/a/_history/1/2", "_page/x"]
)
def test_what_is_not_there_is_refused_not_guessed(doctor, path):
    assert refusal(doctor, "GET", path)[0] in {404, 405}


@pytest.mark.parametrize("form", ['W/"{}"', '"{}"', '"x", W/"{}"', "*"])
def test_a_version_may_be_named_by_a_weak_or_a_strong_tag(doctor, form):
    own = doctor.create(patient())
    path = f"Patient/{own['id']}"
    assert doctor("GET", path, if_none_match=form.format(1)).status == 304
    assert doctor("PUT", path, {**own, "gender": "female"}, if_match=form.format(1)).version == 2
    if form != "*":
        assert refusal(doctor, "PUT", path, own, if_match=form.format(1)) == (412, "fhir.other-version")
        assert doctor("GET", path, if_none_match=form.format(1)).status == 200


def test_a_write_may_be_answered_by_an_outcome(doctor):
    told = json.loads(doctor("POST", "Patient", patient(), prefer="return=OperationOutcome").body)
    assert (told["resourceType"], told["issue"][0]["severity"]) == ("OperationOutcome", "information")


def test_who_wrote_what_keeps_no_patient_from_being_deleted_and_outlives_it(operator):
    who = operator.create(patient())["id"]
    target, agent = {"reference": f"Patient/{who}"}, {"who": {"display": "x"}}
    told = {"resourceType": "Provenance", "target": [target], "recorded": "2026-01-01T00:00:00Z", "agent": [agent]}
    kept = operator.create(told)["id"]
    own = operator.create(pulse(who))["id"]
    assert refusal(operator, "DELETE", f"Patient/{who}") == (409, "fhir.patient-has-records")
    operator("DELETE", f"Observation/{own}")
    assert operator("DELETE", f"Patient/{who}").status == 204
    assert operator.found(f"Provenance?target=Patient/{who}") == {kept}
    assert operator.found(f"Provenance?patient={who}") == {kept}


def test_everything_of_some_types_and_of_a_time_of_care(doctor):
    who = doctor.create(patient())["id"]
    early, late = (doctor.create(pulse(who, effectiveDateTime=day))["id"] for day in ("2020-01-01", "2026-01-02"))
    undated = pulse(who)
    del undated["effectiveDateTime"]
    undated = doctor.create(undated)["id"]

    def found(query):
        bundle = doctor.get(f"Patient/{who}/$everything?{query}")
        assert bundle["total"] == len(bundle["entry"])
        return {one["resource"]["id"] for one in bundle["entry"]}

    assert found("_type=Observation") == {early, late, undated}
    assert found("_type=Patient,Condition") == {who}
    assert found("start=2026") == {who, late, undated}
    assert found("end=2020-01-01") == {who, early, undated}
    assert found("start=2021&end=2022&_type=Observation") == {undated}
    for wrong in ("_type=Nothing", "start=x", "begin=2020"):
        assert refusal(doctor, "GET", f"Patient/{who}/$everything?{wrong}") == (400, "fhir.search-parameter")


def test_labels_and_tags_are_added_and_taken_as_versions(doctor, operator):
    who = operator.create(patient())["id"]
    own = json.loads(operator("POST", "Observation", json.dumps(pulse(who)).replace("70", "70.500").encode()).body)[
        "id"
    ]
    tag, label = {"system": "urn:t", "code": "x"}, {"system": "urn:l", "code": "R"}

    def sent(name, **meta):
        body = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}
        (told,) = json.loads(doctor("POST", f"Observation/{own}/${name}", body).body)["parameter"]
        return told["valueMeta"]

    assert sent("meta-add", tag=[tag], security=[label])["tag"] == [tag]
    assert sent("meta-add", tag=[tag])["versionId"] == "2"
    (told,) = doctor.get(f"Observation/{own}/$meta")["parameter"]
    assert (told["valueMeta"]["tag"], told["valueMeta"]["security"]) == ([tag], [label])
    assert doctor.found("Observation?_tag=urn:t|x") == {own}
    assert sent("meta-delete", tag=[tag], profile=["http://none"]).keys() == {"security", "versionId", "lastUpdated"}
    assert b"70.500" in doctor("GET", f"Observation/{own}").body
    for wrong in ({"versionId": "9"}, {"tag": tag}):
        with pytest.raises(EdgeError, match=r"fhir\.parameters"):
            sent("meta-add", **wrong)
    assert refusal(doctor, "GET", "Observation/none/$meta") == (404, "fhir.not-found")
