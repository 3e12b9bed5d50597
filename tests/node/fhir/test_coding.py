"""Terminology that is at hand is told, what is not is 404: never an empty expansion, never a guess."""

import json

import msgspec
import pytest

from salus.node.fhir.server import FhirServer
from salus.node.usecase import LOCAL_OPERATOR
from tests.node.fhir.conftest import Asker
from tests.node.fhir.test_rest import refusal
from tests.node.fhir.test_validating import package

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
GENDERS = "http://hl7.org/fhir/administrative-gender"
PARTS = "urn:parts"
BODY = {
    "resourceType": "CodeSystem",
    "url": PARTS,
    "name": "Parts",
    "status": "active",
    "content": "complete",
    "concept": [
        {
            "code": "limb",
            "display": "Limb",
            "concept": [
                {"code": "arm", "display": "Arm", "definition": "From the shoulder.", "concept": [{"code": "hand"}]},
                {"code": "leg", "display": "Leg"},
            ],
        },
        {"code": "prosthesis", "display": "Prosthesis", "property": [{"code": "parent", "valueCode": "leg"}]},
    ],
}
LIMBS = {
    "resourceType": "ValueSet",
    "url": "urn:limbs",
    "status": "active",
    "compose": {"include": [{"system": PARTS}]},
}
SOME = {"resourceType": "ValueSet", "url": "urn:some", "status": "active"}
SOME["compose"] = {"include": [{"system": PARTS, "filter": [{"property": "concept", "op": "is-a", "value": "arm"}]}]}

MAP = {
    "resourceType": "ConceptMap",
    "url": "urn:parts-to-sites",
    "status": "active",
    "group": [
        {
            "source": PARTS,
            "target": "urn:sites",
            "element": [
                {
                    "code": "arm",
                    "display": "Arm",
                    "target": [{"code": "A1", "display": "Upper limb", "equivalence": "wider"}],
                },
                {"code": "leg", "target": [{"equivalence": "unmatched"}, {"code": "L1", "equivalence": "disjoint"}]},
            ],
        }
    ],
}


@pytest.fixture
def asked(together, tmp_path):
    """Ask a server whose packages hold a code system and two value sets, one with a filter."""
    node = together.nodes["north"]
    folder = tmp_path / "packages"
    folder.mkdir()
    package(folder, BODY, LIMBS, SOME, MAP)
    node.config = msgspec.structs.replace(
        node.config, fhir=msgspec.structs.replace(node.config.fhir, packages=str(folder))
    )
    return Asker(FhirServer(node), LOCAL_OPERATOR)


def parameters(asked, path, body=None):
    answer = asked("POST" if body else "GET", path, body)
    (one, *_) = [json.loads(answer.body)]
    return {each["name"]: next(value for key, value in each.items() if key != "name") for each in one["parameter"]}


def test_a_value_set_is_expanded_page_by_page_and_filtered(asked):
    told = asked.get(f"ValueSet/$expand?url={GENDER}|4.0.1")
    assert {one["code"] for one in told["expansion"]["contains"]} == {"male", "female", "other", "unknown"}
    whole = asked.get("ValueSet/$expand?url=urn:limbs")["expansion"]
    assert [one["code"] for one in whole["contains"]] == ["arm", "hand", "leg", "limb", "prosthesis"]
    page = asked.get("ValueSet/$expand?url=urn:limbs&offset=1&count=2")["expansion"]
    assert (page["total"], page["offset"]) == (5, 1)
    assert [one["code"] for one in page["contains"]] == ["hand", "leg"]
    (arm,) = asked.get("ValueSet/$expand?url=urn:limbs&filter=ARM")["expansion"]["contains"]
    assert arm == {"system": PARTS, "code": "arm", "display": "Arm"}
    assert "contains" not in asked.get("ValueSet/$expand?url=urn:limbs&filter=nose")["expansion"]


def test_codes_are_validated_with_their_displays(asked):
    assert parameters(asked, f"ValueSet/$validate-code?url={GENDER}&code=male") == {"result": True}
    assert parameters(asked, f"ValueSet/$validate-code?url={GENDER}&code=M")["result"] is False
    assert parameters(asked, f"ValueSet/$validate-code?url={GENDER}&code=male&system=urn:x")["result"] is False
    arm = f"CodeSystem/$validate-code?url={PARTS}&code=arm"
    assert parameters(asked, arm) == {"result": True, "display": "Arm"}
    assert parameters(asked, f"{arm}&display=arm")["result"] is True
    assert parameters(asked, f"{arm}&display=Leg") == {
        "result": False, "message": "the display is another", "display": "Arm",
    }  # fmt: skip
    assert parameters(asked, f"CodeSystem/$validate-code?url={PARTS}&code=nose")["result"] is False
    coding = {"name": "coding", "valueCoding": {"system": PARTS, "code": "leg", "display": "Leg"}}
    body = {"resourceType": "Parameters", "parameter": [{"name": "url", "valueUri": "urn:limbs"}, coding]}
    assert parameters(asked, "ValueSet/$validate-code", body) == {"result": True, "display": "Leg"}


def test_a_code_is_looked_up_and_placed_in_its_hierarchy(asked):
    told = parameters(asked, f"CodeSystem/$lookup?system={PARTS}&code=arm")
    assert told == {"name": "Parts", "display": "Arm", "definition": "From the shoulder."}
    assert parameters(asked, f"CodeSystem/$lookup?system={GENDERS}&code=male")["display"] == "male"
    for a, b, outcome in (
        ("limb", "hand", "subsumes"),
        ("hand", "arm", "subsumed-by"),
        ("prosthesis", "limb", "subsumed-by"),
        ("arm", "leg", "not-subsumed"),
        ("arm", "arm", "equivalent"),
    ):
        assert parameters(asked, f"CodeSystem/$subsumes?system={PARTS}&codeA={a}&codeB={b}") == {"outcome": outcome}


def test_what_is_not_at_hand_is_404_and_what_is_not_understood_400(asked):
    for path in (
        "ValueSet/$expand?url=urn:none",
        "ValueSet/$expand?url=urn:some",
        "ValueSet/$validate-code?url=urn:some&code=arm",
        "CodeSystem/$validate-code?url=http://loinc.org&code=8867-4",
        "CodeSystem/$lookup?system=http://loinc.org&code=8867-4",
        f"CodeSystem/$lookup?system={PARTS}&code=nose",
        f"CodeSystem/$subsumes?system={PARTS}&codeA=arm&codeB=nose",
        f"CodeSystem/$subsumes?system={GENDERS}&codeA=male&codeB=female",
    ):
        assert refusal(asked, "GET", path) == (404, "fhir.terminology")
    for path in (
        "ValueSet/$expand",
        "ValueSet/$expand?url=urn:limbs&count=x",
        "ValueSet/$expand?url=urn:limbs&displayLanguage=de",
        "ValueSet/$validate-code?url=urn:limbs",
        f"CodeSystem/$lookup?system={PARTS}&code=arm&code=leg",
    ):
        assert refusal(asked, "GET", path) == (400, "fhir.parameter")
    assert refusal(asked, "POST", "ValueSet/$expand", b"[]")[0] == 400
    assert (
        refusal(asked, "POST", "ValueSet/$expand", {"resourceType": "Parameters", "parameter": [{"x": 1}, 3]})[0] == 400
    )


def translated(asked, query):
    told = asked.get(f"ConceptMap/$translate?{query}")["parameter"]
    matches = [{one["name"]: one for one in part["part"]} for part in told if part["name"] == "match"]
    return told[0]["valueBoolean"], [
        (one["equivalence"]["valueCode"], one["concept"]["valueCoding"]["code"]) for one in matches
    ]


def test_a_map_translates_both_ways_and_says_how_well(asked):
    url = "url=urn:parts-to-sites"
    assert translated(asked, f"{url}&system={PARTS}&code=arm") == (True, [("wider", "A1")])
    assert translated(asked, f"{url}&system={PARTS}&code=arm&targetsystem=urn:other") == (False, [])
    assert translated(asked, f"{url}&system={PARTS}&code=leg") == (False, [("disjoint", "L1")])
    assert translated(asked, f"{url}&system={PARTS}&code=hand") == (False, [])
    assert translated(asked, f"{url}&system=urn:sites&code=A1&reverse=true") == (True, [("wider", "arm")])
    assert refusal(asked, "GET", f"ConceptMap/$translate?url=urn:none&system={PARTS}&code=arm")[0] == 404
    assert refusal(asked, "GET", f"ConceptMap/$translate?{url}&code=arm")[0] == 400
    coding = {"name": "coding", "valueCoding": {"system": "urn:sites", "code": "A1"}}
    posted = [{"name": "url", "valueUri": "urn:parts-to-sites"}, coding, {"name": "reverse", "valueBoolean": True}]
    answer = asked("POST", "ConceptMap/$translate", {"resourceType": "Parameters", "parameter": posted})
    assert json.loads(answer.body)["parameter"][0] == {"name": "result", "valueBoolean": True}


@pytest.fixture
def sites(asked):
    """Conditions at some sites of the body, and one that says nothing of a site."""
    who = asked.create({"resourceType": "Patient"})["id"]
    made = {}
    for code in ("limb", "arm", "hand", "leg", "prosthesis", "elsewhere", ""):
        body = {"resourceType": "Condition", "subject": {"reference": f"Patient/{who}"}}
        body |= {"bodySite": [{"coding": [{"system": PARTS, "code": code}]}]} if code else {}
        made[asked.create(body)["id"]] = code
    return lambda query: {made[own] for own in asked.found(f"Condition?{query}")}


def test_a_search_follows_value_sets_and_branches(asked, sites):
    inside = {"limb", "arm", "hand", "leg", "prosthesis"}
    assert sites("body-site:in=urn:limbs") == inside
    assert sites("body-site:not-in=urn:limbs") == {"elsewhere", ""}
    assert sites(f"body-site:below={PARTS}|arm") == {"arm", "hand"}
    assert sites(f"body-site:above={PARTS}|prosthesis") == {"limb", "leg", "prosthesis"}
    assert sites(f"body-site:below={PARTS}|hand,{PARTS}|leg") == {"hand", "leg", "prosthesis"}
    assert asked.found("Patient?_has:Condition:patient:body-site:in=urn:limbs")


@pytest.mark.parametrize(
    "query",
    [
        "body-site:in=urn:none", "body-site:not-in=urn:some", "body-site:below=urn:none|x", f"body-site:below={PARTS}|none",
        "body-site:above=arm", "_id:in=urn:limbs", "subject:in=urn:limbs",
    ],
)  # fmt: skip
def test_codes_that_are_not_here_whole_are_refused(asked, query):
    assert refusal(asked, "GET", f"Condition?{query}")[0] == 400


def test_a_conditional_write_and_a_scope_are_not_told_by_terminology(asked):
    body = {"resourceType": "Organization", "name": "x"}
    answer = refusal(asked, "PUT", "Organization?type:in=urn:limbs", body)
    assert answer == (400, "fhir.search-modifier")
