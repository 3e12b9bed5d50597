"""One answer over joined links: each resource with its origin, contradictions told, consents as under each link."""

import json
from contextlib import closing
from dataclasses import replace

import pytest

from salus.contracts.membership.port import Role
from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Validator
from salus.node.errors import EdgeError
from salus.node.exchange.grantee import fetch
from salus.node.fhir.server import FhirServer
from salus.node.identity import decide, list_pairs, match, undo
from salus.node.identity.comparing import Match
from salus.node.identity.reviewing import Decide, ListPairs, Undo
from salus.node.records.intake import Intake
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import Caller, Kind
from salus.vault.journal import Side
from salus.vault.wallet import Share
from tests.node.fhir.conftest import DOCTOR, Asker
from tests.node.test_identity import deny_all, observation, patient
from tests.node.test_story import EVERYTHING, document, enrolled, taken_in

REGISTRAR = Caller(Kind.PERSON, "north", "s-7", "registrar", ("HOPERAT",))
PENICILLIN = {"text": "Penicillin"}


def allergy(who, verified, **more):
    told = {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "code": verified}
        ]
    }
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"y-{who}",
        "patient": {"reference": f"Patient/{who}"},
        "verificationStatus": told,
        "code": PENICILLIN,
        **more,
    }


@pytest.fixture
def node(together):
    return together.nodes["north"]


@pytest.fixture
def take(node, tmp_path):
    def taken(source, *trees):
        file = tmp_path / "taken.ndjson"
        file.write_text("\n".join(map(json.dumps, trees)))
        Intake(node, source).run([file])
        match(node, Match())

    return taken


@pytest.fixture
def join(node, take):
    """Two links of one patient, joined by a registrar."""

    def joined():
        take("urn:ehr", patient("a", "Ada"), observation("a"), allergy("a", "confirmed", meta={"source": "urn:ward"}))
        take("urn:lab", patient("b", "Adah"), observation("b"), allergy("b", "refuted"))
        (pair,) = list_pairs(node, ListPairs(), caller=REGISTRAR).pairs
        decide(node, Decide(pair=pair.pair, standing="same", reason="passport"), caller=REGISTRAR)
        return pair.pair

    return joined


def parts(bundle):
    """Return the ids of what matches, with their origins, and the issues of the outcome as (rule, element)."""
    entries = bundle["entry"]
    sources = {
        one["resource"]["id"]: one["resource"]["meta"].get("source", "")
        for one in entries
        if one["search"]["mode"] == "match"
    }
    told = [one["resource"] for one in entries if one["search"]["mode"] == "outcome"]
    issues = [(one["diagnostics"], *one.get("expression", ())) for each in told for one in each["issue"]]
    return sources, issues


def test_everything_is_of_both_with_origins_and_contradictions(node, doctor, join):
    join()
    bundle = doctor.get("Patient/a/$everything")
    assert parts(doctor.get("Patient/b/$everything")) == parts(bundle)
    sources, issues = parts(bundle)
    assert bundle["total"] == 6
    assert doctor.found("Patient/a/$everything?_count=2") == sources.keys()
    here = "urn:salus:member:north"
    assert sources == {**dict.fromkeys(("a", "b", "o-a", "o-b", "y-b"), here), "y-a": "urn:ward"}
    assert issues == [("joined",), ("allergy", "AllergyIntolerance.code")]
    subjects = {one["resource"]["id"]: one["resource"].get("subject") for one in bundle["entry"][:-1]}
    assert (subjects["o-a"], subjects["o-b"]) == ({"reference": "Patient/a"}, {"reference": "Patient/b"})
    for source, who in (("urn:ehr", "a"), ("urn:lab", "b")):
        lines = node.vault.lines(Side.CUSTODIAN, node.vault.find_link(source, who))
        assert any(f"AllergyIntolerance/y-{who}/1" in line.disclosure.what for line in lines)


def test_a_different_birth_date_is_told(doctor, join, take):
    join()
    take("urn:lab", patient("b", "Adah", born="1971-05-04"))
    assert ("birth-date", "Patient.birthDate") in parts(doctor.get("Patient/a/$everything"))[1]


SEARCHES = {
    "Observation?patient=a": {"o-a", "o-b"},
    "Observation?subject=Patient/b": {"o-a", "o-b"},
    "Observation?subject:Patient=a&status=final": {"o-a", "o-b"},
    "Patient?_id=b": {"a", "b"},
    "Patient/a/Observation?": {"o-a", "o-b"},
    "Patient/b/AllergyIntolerance?": {"y-a", "y-b"},
}
NOT_OF_ONE = (
    "Observation?-joined=true",
    "Observation?patient=a,b&-joined=true",
    "Observation?patient=a&-joined=yes",
    "Observation?patient=a&patient=b&-joined=true",
)


def test_a_search_is_over_both_where_it_says_so(doctor, join):
    join()
    told = {one["type"]: one["searchParam"] for one in doctor.get("metadata")["rest"][0]["resource"]}
    assert "-joined" in {one["name"] for one in told["Observation"]}
    assert "-joined" not in {one["name"] for one in told["ValueSet"]}
    for question, found in SEARCHES.items():
        whole = f"{question}&-joined=true"
        assert doctor.found(whole) == doctor.found(f"{whole}&_count=1") == found, question
        assert len(doctor.found(f"{question}&-joined=false")) == len(doctor.found(question)) == 1, question
        assert parts(doctor.get(whole))[1] == [("joined",), ("allergy", "AllergyIntolerance.code")], question
    for question in NOT_OF_ONE:
        with pytest.raises(EdgeError) as caught:
            doctor.get(question)
        assert caught.value.code == "fhir.joined", question


def test_who_may_see_one_alone_is_told_nothing_of_the_other(doctor, clerk, join, take):
    join()
    take(
        "urn:lab",
        {
            **deny_all("b"),
            "provision": {
                "type": "deny",
                "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
            },
        },
    )
    # what a consent denies under one link it denies under its whole party
    for own in ("a", "b"):
        with pytest.raises(EdgeError) as caught:
            doctor.get(f"Patient/{own}/$everything")
        assert caught.value.code == "fhir.not-found"
    assert doctor.get("Observation?patient=a&-joined=true")["total"] == 0


def test_an_allergy_that_is_hidden_contradicts_nothing(doctor, join, take):
    join()
    hidden = {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "AllergyIntolerance"}]}
    take("urn:lab", {**deny_all("b"), "provision": hidden})
    sources, issues = parts(doctor.get("Patient/a/$everything"))
    assert not {"y-a", "y-b"} & sources.keys()
    assert issues == [("joined",)]


HIDDEN = {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "AllergyIntolerance"}]}


def summary(asker, who):
    """Return a summary's sections by title, its entries by fullUrl, and the issues told."""
    body = asker("GET", f"Patient/{who}/$summary").body
    tree = decode(body, LIMITS.bundle_bytes, LIMITS)
    assert [one for one in Validator().check(tree) if one.severity == "error" and one.rule != "ait-1"] == []
    entries = {one["fullUrl"].removeprefix(asker.server.base + "/"): one["resource"] for one in tree["entry"]}
    (about,) = [one for one in entries.values() if one["resourceType"] == "Composition"]
    sections = {one["title"]: [each["reference"] for each in one.get("entry", ())] for one in about["section"]}
    assert {name for names in sections.values() for name in names} <= entries.keys()
    told = [one for one in entries.values() if one["resourceType"] == "OperationOutcome"]
    issues = [one["diagnostics"] for each in told for one in each["issue"]]
    return sections, entries, issues


def test_a_summary_is_of_both_with_origins_and_contradictions(node, doctor, join, take):
    join()
    sections, entries, issues = summary(doctor, "b")
    assert sections["Allergies and intolerances"] == ["AllergyIntolerance/y-a", "AllergyIntolerance/y-b"]
    assert len(sections["Origins and contradictions"]) == 1
    assert issues == ["joined", "allergy"]
    assert entries["AllergyIntolerance/y-a"]["meta"]["source"] == "urn:ward"
    assert {"Patient/a", "Patient/b"} <= entries.keys()
    line = node.vault.lines(Side.CUSTODIAN, node.vault.find_link("urn:ehr", "a"))[-1].disclosure
    assert line.action == "summary"
    take("urn:lab", {**deny_all("b"), "provision": HIDDEN})
    sections, entries, issues = summary(doctor, "a")
    assert sections["Allergies and intolerances"] == []
    assert issues == ["joined"]
    take("urn:lab", {**observation("b"), "id": "o-a"})
    sections, entries, _ = summary(doctor, "a")
    assert len(sections["Results"]) == len(set(sections["Results"])) == 3


def exported(asker, *patients):
    """Return what an export of named patients holds by type, and the issues of its errors."""
    told = [{"name": "patient", "valueReference": {"reference": f"Patient/{one}"}} for one in patients]
    body = {"resourceType": "Parameters", "parameter": told}
    job = dict(asker("POST", "Patient/$export", body, prefer="respond-async").extra)["content-location"]

    def lines(url):
        return [json.loads(one) for one in asker("GET", url.removeprefix(asker.server.base + "/")).body.splitlines()]

    manifest = asker.get(job.removeprefix(asker.server.base + "/"))
    found = {one["id"]: one for file in manifest["output"] for one in lines(file["url"])}
    errors = [one for file in manifest["error"] for one in lines(file["url"])]
    assert sum(file["count"] for file in manifest["error"]) == len(errors)
    return found, [[issue["diagnostics"] for issue in one["issue"]] for one in errors]


def test_an_export_of_a_named_patient_is_of_both(node, doctor, join, take):
    pair = join()
    found, issues = exported(doctor, "a")
    assert found.keys() == {"a", "b", "o-a", "o-b", "y-a", "y-b"}
    assert (found["y-a"]["meta"]["source"], found["y-b"]["meta"]["source"]) == ("urn:ward", "urn:salus:member:north")
    assert issues == exported(doctor, "a", "b")[1] == [["joined", "allergy"]]
    take("urn:lab", {**deny_all("b"), "provision": HIDDEN})
    found, issues = exported(doctor, "b")
    assert found.keys() == {"a", "b", "o-a", "o-b", "k-b"}
    assert issues == [["joined"]]
    undo(node, Undo(pair=pair, reason="another passport"), caller=REGISTRAR)
    found, issues = exported(doctor, "a")
    assert (found.keys(), issues) == ({"a", "o-a", "y-a"}, [])


def test_undone_each_is_alone_again(node, doctor, join):
    pair = join()
    undo(node, Undo(pair=pair, reason="another passport"), caller=REGISTRAR)
    sources, issues = parts(doctor.get("Patient/a/$everything"))
    assert (sources.keys(), issues) == ({"a", "o-a", "y-a"}, [])
    assert sources["a"] == ""
    assert doctor.found("Observation?patient=a&-joined=true") == {"o-a"}


def test_pulled_records_stand_in_the_answer_of_the_patient_they_are_about(tmp_path):
    founders = tuple(Founder(one, one, (Role.PROVIDER,)) for one in ("north", "clinic"))
    with closing(found_together(tmp_path, founders, clock=Clock())) as together:
        holder = enrolled(together, {one: taken_in(together, one, tmp_path, 1) for one in ("north", "clinic")})
        clinic = together.nodes["clinic"]
        doctor = Asker(FhirServer(clinic), replace(DOCTOR, member="clinic"))
        (own,) = doctor.found("Patient")
        grant = holder.grant(document(together), [Share("north", EVERYTHING)], through="north")
        fetch(clinic, grant, "TREAT")
        assert len(doctor.found("Patient")) == 2
        for one in doctor.found("Patient"):
            sources, issues = parts(doctor.get(f"Patient/{one}/$everything"))
            assert sorted(sources.values()) == ["urn:salus:member:clinic"] * 2 + ["urn:salus:member:north"] * 2
            assert issues == [("joined",)]
        holder.stop(grant, through="north")
        together.settle()
        sources, issues = parts(doctor.get(f"Patient/{own}/$everything"))
        assert (len(sources), issues) == (2, [])
