"""Validation at the server: what breaks a rule is not written, `$validate` says so beforehand."""

import gzip
import io
import json
import tarfile

import msgspec
import pytest

from salus.node.errors import Malformed, NotFound
from salus.node.fhir.answers import Invalid, outcome_of
from salus.node.fhir.checking import CheckFiles, check_files
from salus.node.fhir.server import FhirServer
from salus.node.fhir.validating import validator_of
from tests.interop.fhir.validation.test_profiles import BLOOD_PRESSURE, GRADES, READING, SIDE, SYSTEM, URL

BAD_PATIENT = {"resourceType": "Patient", "gender": "F", "telecom": [{"value": "1"}]}


def package(folder, *definitions, name="example.tgz"):
    with tarfile.open(folder / name, "w:gz") as archive:
        for place, one in enumerate(definitions):
            body = json.dumps(one).encode()
            told = tarfile.TarInfo(f"package/{one['resourceType']}-{place}.json")
            told.size = len(body)
            archive.addfile(told, io.BytesIO(body))
    return folder / name


def issues(answer):
    return [(one["severity"], one["expression"][0]) for one in json.loads(answer.body)["issue"] if "expression" in one]


def test_what_breaks_a_rule_is_not_written(operator):
    with pytest.raises(Invalid) as caught:
        operator("POST", "Patient", BAD_PATIENT)
    told = outcome_of(caught.value)
    assert caught.value.fault.status == 422
    assert [one["expression"] for one in told["issue"]] == [["Patient.gender"], ["Patient.telecom[0]"]]
    assert operator.get("Patient?_summary=count")["total"] == 0


def test_a_transaction_with_one_bad_entry_writes_nothing(operator):
    entries = [
        {"resource": body, "request": {"method": "POST", "url": "Patient"}}
        for body in ({"resourceType": "Patient", "gender": "female"}, BAD_PATIENT)
    ]
    with pytest.raises(Invalid):
        operator("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert operator.get("Patient?_summary=count")["total"] == 0


def test_validate_tells_what_writing_would_refuse(operator):
    answer = operator("POST", "Patient/$validate", BAD_PATIENT)
    assert answer.status == 200
    assert issues(answer) == [("error", "Patient.gender"), ("error", "Patient.telecom[0]")]
    good = operator("POST", "Patient/$validate", {"resourceType": "Patient"})
    assert json.loads(good.body)["issue"][0]["severity"] == "information"
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": BAD_PATIENT}]}
    assert issues(operator("POST", "Patient/p1/$validate", parameters)) == issues(answer)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("Observation/$validate", BAD_PATIENT, "fhir.other-type"),
        ("Patient/$validate?strict=true", BAD_PATIENT, "fhir.parameter"),
        ("Patient/$validate", {"resourceType": "Parameters"}, "fhir.no-resource"),
        ("Patient/$validate", b"{", "fhir.not-json"),
    ],
)
def test_a_question_to_validate_that_cannot_be_answered(operator, path, body, code):
    with pytest.raises(Exception, match=code):
        operator("POST", path, body)


def test_profiles_come_from_the_folder_of_packages(together, tmp_path, operator):
    package(tmp_path, BLOOD_PRESSURE, GRADES, SYSTEM, SIDE)
    node = together.nodes["north"]
    fhir = msgspec.structs.replace(node.config.fhir, packages=str(tmp_path))
    node.config = msgspec.structs.replace(node.config, fhir=fhir)
    asker = type(operator)(FhirServer(node), operator.caller, operator.purpose)
    told = asker("POST", f"Observation/$validate?profile={URL}blood-pressure", READING | {"status": "amended"})
    assert issues(told) == [("error", "Observation.status")]


def test_a_package_that_is_none_is_refused(tmp_path):
    (tmp_path / "broken.tgz").write_bytes(gzip.compress(b"x" * 100))
    with pytest.raises(Malformed, match=r"fhir\.package"):
        validator_of(str(tmp_path))
    with pytest.raises(NotFound, match=r"fhir\.packages"):
        validator_of(str(tmp_path / "absent"))


def test_files_are_checked_in_one_command(together, tmp_path):
    lines = [{"resourceType": "Patient"}, BAD_PATIENT, READING | {"status": "amended"}]
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(json.dumps(one).encode() for one in lines)))
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text('{"resourceType":"Patient","gender":"male","gender":"female"}')
    told = check_files.run(
        together.nodes["north"],
        CheckFiles(
            paths=(str(tmp_path),),
            package=(str(package(tmp_path, BLOOD_PRESSURE, GRADES, SYSTEM, SIDE)),),
            profile=(URL + "blood-pressure",),
        ),
    )
    assert (told.resources, told.good) == (5, 1)
    assert {line.split(" ")[0] + " " + line.split(" ")[2] for line in told.findings} == {
        "a.ndjson.gz:2 binding", "a.ndjson.gz:2 cpt-2", "a.ndjson.gz:3 fixed", "b.json:1 not-json", "c.json:1 duplicate-key",
    }  # fmt: skip
    assert sum(rule.findings for rule in told.rules) == len(told.findings)


def test_a_file_cut_off_and_one_not_there_are_named(together, tmp_path):
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(Malformed, match=r"fhir\.gzip"):
        check_files.run(together.nodes["north"], CheckFiles(paths=(str(tmp_path),)))
    with pytest.raises(NotFound, match=r"fhir\.no-file"):
        check_files.run(together.nodes["north"], CheckFiles(paths=(str(tmp_path / "absent"),)))
