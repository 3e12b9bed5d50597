"""`$viewdefinition-run`: tables of what the asker may see, each record that was read in its patient's log."""

import base64
import csv
import io
import itertools
import json
from dataclasses import replace

import pytest

from salus.interop.fhir.tokens import Limits
from salus.node.errors import EdgeError
from salus.node.fhir import bundles, viewing
from salus.node.smart.scopes import Access, Rule
from salus.node.usecase import Caller, Kind
from salus.vault.journal import Side
from tests.node.fhir.conftest import DOCTOR, Asker
from tests.node.fhir.test_consents import NO_PULSE, filed
from tests.node.fhir.test_rest import patient, pulse, refusal

RUN = "$viewdefinition-run"
BEATS = {
    "resourceType": "ViewDefinition", "name": "beats", "status": "active", "resource": "Observation",
    "select": [{"column": [
        {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "string"},
        {"name": "rate", "path": "value.ofType(Quantity).value", "type": "decimal"},
        {"name": "codes", "path": "code.coding.code", "type": "code", "collection": True},
        {"name": "note", "path": "note.text", "type": "string"},
    ]}],
}  # fmt: skip


def parameters(view=BEATS, patients=(), **more):
    told = [{"name": "viewResource", "resource": view}, *({"name": name, **value} for name, value in more.items())]
    told += [{"name": "patient", "valueReference": {"reference": f"Patient/{one}"}} for one in patients]
    return {"resourceType": "Parameters", "parameter": told}


def table(asker, *given, **more):
    answer = asker("POST", RUN, parameters(*given, **more))
    assert (answer.status, answer.media) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def read(node):
    told = [one.disclosure for link in node.vault.links() for one in node.vault.lines(Side.CUSTODIAN, link)]
    return sorted(name for one in told if one.action == "view" for name in one.what)


@pytest.fixture
def ada(operator):
    return operator.create(patient())["id"]


def test_a_table_in_each_form_with_decimals_as_they_were_written(doctor, operator, ada):
    operator("POST", "Observation", json.dumps(pulse(ada)).replace(": 70,", ": 70.50,").encode())
    operator.create(pulse(ada, 7, note=[{"text": 'a "b", c'}]))
    (first, second) = table(doctor)
    assert first == {"patient": ada, "rate": 70.5, "codes": ["8867-4"], "note": None}
    as_json = doctor("POST", f"{RUN}?_format=json", parameters())
    assert as_json.media == "application/json"
    assert json.loads(as_json.body) == [first, second]
    assert b'"rate":70.50' in as_json.body
    as_csv = doctor("POST", RUN, parameters(_format={"valueCode": "csv"}))
    assert as_csv.media == "text/csv"
    names, *rows = csv.reader(io.StringIO(as_csv.body.decode()))
    assert names == list(first)
    assert rows == [[ada, "70.50", '["8867-4"]', ""], [ada, "7", '["8867-4"]', 'a "b", c']]
    bare = doctor("POST", RUN, parameters(header={"valueBoolean": False}), accept="text/html, text/csv;q=0.9")
    assert bare.body == as_csv.body.partition(b"\r\n")[2]


def test_what_was_read_stands_in_the_log_and_what_consent_hides_is_in_no_table(together, doctor, operator, ada):
    ben = operator.create(patient("Ben"))["id"]
    own, other = (operator.create(pulse(who))["id"] for who in (ada, ben))
    node = together.nodes["north"]
    assert [row["patient"] for row in table(doctor)] == [ada, ben]
    seen = sorted([f"Observation/{own}/1", f"Observation/{other}/1"])
    assert read(node) == seen
    filed(operator, ben, NO_PULSE)
    assert [row["patient"] for row in table(doctor)] == [ada]
    assert table(doctor, patients=[ben]) == []
    assert read(node) == sorted([*seen, f"Observation/{own}/1"])
    clerk = Asker(doctor.server, Caller(Kind.PERSON, "north", "s-9", "clerk", ("HMARKT",)))
    assert table(clerk) == []


def test_a_limit_since_and_patients_bound_what_is_read(together, doctor, operator, ada):
    ben = operator.create(patient("Ben"))["id"]
    for at in range(30):
        operator.create(pulse(ada, at))
    operator.create(pulse(ben, 99))
    assert [row["rate"] for row in table(doctor, _limit={"valueInteger": 2})] == [0, 1]
    assert len(read(together.nodes["north"])) == 20
    assert [row["rate"] for row in table(doctor, patients=[ben])] == [99]
    assert table(doctor, _since={"valueInstant": "2099-01-01T00:00:00Z"}) == []


def test_what_is_not_taken_is_refused_before_anything_is_read(together, doctor, operator, ada):
    operator.create(pulse(ada))
    wrong = {**BEATS, "select": [{"column": [{"name": "x", "path": "value.("}]}]}
    asked = {
        (422, "fhir.view"): parameters(wrong),
        (400, "fhir.parameters"): {"resourceType": "Parameters", "parameter": []},
        (400, "fhir.too-many"): parameters(patients=["x"] * 201),
    }
    for told, body in asked.items():
        assert refusal(doctor, "POST", RUN, body) == told
    for more in (
        {"_format": {"valueCode": "parquet"}},
        {"_limit": {"valueInteger": 0}},
        {"_limit": {"valueInteger": 100_001}},
        {"viewReference": {"valueReference": {"reference": "ViewDefinition/x"}}},
        {"group": {"valueReference": {"reference": "Group/x"}}},
        {"patient": {"valueString": "a/b"}},
    ):
        assert refusal(doctor, "POST", RUN, parameters(**more)) == (400, "fhir.parameter")
    assert refusal(doctor, "POST", RUN, parameters(), accept="text/html") == (406, "fhir.not-acceptable")
    assert refusal(doctor, "GET", RUN)[0] in {404, 405}
    assert read(together.nodes["north"]) == []
    many = {**BEATS, "select": [{"column": [{"name": "x", "path": "code.coding.code"}]}]}
    operator.create(pulse(ada, code={"coding": [{"code": "a"}, {"code": "b"}]}))
    assert refusal(doctor, "POST", RUN, parameters(many)) == (422, "fhir.view-failed")


def test_a_table_that_one_answer_does_not_hold_is_refused(doctor, operator):
    names = [{"family": str(at)} for at in range(320)]
    operator.create({"resourceType": "Patient", "name": names})
    column = [{"name": "x", "path": "family"}]
    square = {
        "resourceType": "ViewDefinition", "name": "square", "status": "active", "resource": "Patient",
        "select": [{"forEach": "name", "column": column}, {"forEach": "name", "column": [{**column[0], "name": "y"}]}],
    }  # fmt: skip
    assert refusal(doctor, "POST", RUN, parameters(square)) == (400, "fhir.too-many")
    assert len(table(doctor, square, _limit={"valueInteger": 3})) == 3


def library(view):
    data = base64.b64encode(json.dumps(view).encode()).decode()
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/library-type", "code": "logic-library"}]}
    content = {"contentType": "application/json", "data": data}
    return {"resourceType": "Library", "status": "active", "type": kind, "content": [content]}


def test_a_view_that_is_filed_is_run_by_reference(doctor, operator, ada):
    operator.create(pulse(ada, 7))
    held = operator.create(library(BEATS))["id"]
    others = [library({"resourceType": "ViewDefinition"}), {**library({}), "content": []}, library([])]
    del others[1]["content"]

    def asked(reference, **more):
        told = [{"name": "viewReference", "valueReference": {"reference": reference}}]
        told += [{"name": name, **value} for name, value in more.items()]
        return {"resourceType": "Parameters", "parameter": told}

    answer = doctor("POST", RUN, asked(f"Library/{held}"))
    assert [json.loads(line)["rate"] for line in answer.body.splitlines()] == [7]
    assert refusal(doctor, "POST", RUN, asked("Library/none")) == (404, "fhir.not-found")
    for other in others:
        own = operator.create(other)["id"]
        assert refusal(doctor, "POST", RUN, asked(f"Library/{own}")) == (422, "fhir.view")
    both = asked(f"Library/{held}")
    both["parameter"].append({"name": "viewResource", "resource": BEATS})
    assert refusal(doctor, "POST", RUN, both) == (400, "fhir.parameters")
    rules = (Rule("user/Observation.rs", "user", "Observation", "rs"),)
    program = Asker(doctor.server, replace(DOCTOR, access=Access("app", rules)))
    assert refusal(program, "POST", RUN, asked(f"Library/{held}")) == (403, "smart.scope")


def test_resources_that_are_sent_are_run_alone_and_nothing_is_read(together, doctor, operator, ada):
    operator.create(pulse(ada, 7))
    told = parameters()
    told["parameter"] += [{"name": "resource", "resource": pulse("x", value)} for value in (1, 2)]
    told["parameter"].append({"name": "resource", "resource": patient()})
    answer = doctor("POST", RUN, told)
    assert [(row["patient"], row["rate"]) for row in map(json.loads, answer.body.splitlines())] == [("x", 1), ("x", 2)]
    assert read(together.nodes["north"]) == []
    told["parameter"].append({"name": "patient", "valueString": ada})
    assert refusal(doctor, "POST", RUN, told) == (400, "fhir.parameters")


def test_what_is_not_offered_is_told_with_what_there_is(doctor):
    for more, instead in (
        ({"group": {"valueReference": {"reference": "Group/x"}}}, "name the patients"),
        ({"source": {"valueString": "s3://x"}}, "send resources"),
        ({"_format": {"valueCode": "parquet"}}, "csv or ndjson"),
    ):
        with pytest.raises(EdgeError) as caught:
            doctor("POST", RUN, parameters(**more))
        assert instead in caught.value.todo


def test_an_answer_is_bounded_in_bytes_and_time(server, doctor, operator, ada, monkeypatch):
    for at in range(3):
        operator.create(pulse(ada, at))
    monkeypatch.setattr(viewing, "MAX_BYTES", 200)
    assert refusal(doctor, "POST", RUN, parameters()) == (400, "fhir.too-many")
    monkeypatch.undo()
    ticking = itertools.count(0, 20_000)
    server._handlers["viewdefinition-run"] = viewing.Viewing(server._reading, lambda: next(ticking)).answer
    with pytest.raises(EdgeError, match=r"fhir\.too-many.*30 seconds"):
        doctor("POST", RUN, parameters())
    assert len(table(doctor, _limit={"valueInteger": 1})) == 1


def test_a_batch_ends_when_its_answers_fill_a_bundle(doctor, operator, ada, monkeypatch):
    operator.create(pulse(ada))
    entry = {"request": {"method": "POST", "url": RUN}, "resource": parameters()}
    monkeypatch.setattr(bundles, "LIMITS", Limits(bundle_bytes=150))
    told = json.loads(doctor("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry] * 4}).body)
    assert [one["response"]["status"][:3] for one in told["entry"]] == ["200", "200", "413", "413"]


def test_programs_need_scopes_and_a_patients_own_program_has_no_views(server, operator, ada):
    operator.create(pulse(ada))

    def program(*rules, own=False):
        access = Access("app", rules, own=own)
        who = Caller(Kind.PERSON, "north", "s-1", "physician", ("TREAT",), access=access)
        return Asker(server, who)

    beats = Rule("user/Observation.s", "user", "Observation", "s")
    assert len(table(program(beats))) == 1
    for rules in ((), (Rule("user/Patient.rs", "user", "Patient", "rs"),), (Rule("user/*.r", "user", "*", "r"),)):
        assert refusal(program(*rules), "POST", RUN, parameters()) == (403, "smart.scope")
    assert refusal(program(beats, own=True), "POST", RUN, parameters()) == (403, "fhir.staff")


def test_in_a_batch_a_table_is_a_binary(doctor, operator, ada):
    operator.create(pulse(ada))
    entry = {"request": {"method": "POST", "url": RUN}, "resource": parameters()}
    told = json.loads(doctor("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]}).body)
    (answer,) = told["entry"]
    assert answer["resource"]["contentType"] == "application/x-ndjson"
