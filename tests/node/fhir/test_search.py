"""Search: each kind of parameter, modifier and prefix, joins, order and pages; and what is refused."""

import pytest

from salus.node.errors import EdgeError

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def concept(code, system=LOINC, **more):
    return {"coding": [{"system": system, "code": code, **more}]}


def observation(own, who, code, when, **more):
    return {
        "resourceType": "Observation", "id": own, "status": "final", "subject": {"reference": f"Patient/{who}"},
        "code": concept(code), **({"effectiveDateTime": when} if when else {}), **more,
    }  # fmt: skip


def quantity(value, code="mmol/L", **more):
    return {"valueQuantity": {"value": value, "unit": code, "system": UCUM, "code": code, **more}}


RESOURCES = [
    {"resourceType": "Organization", "id": "org", "name": "Sankt Ännchen", "partOf": {"reference": "Organization/top"}},
    {"resourceType": "Organization", "id": "top", "name": "Top"},
    {"resourceType": "Patient", "id": "ada", "name": [{"family": "Müller-Lüdenscheidt", "given": ["Ada", "Maria"]}], "birthDate": "1970-05-05",
     "gender": "female", "identifier": [{"system": "urn:mrn", "value": "1", "type": concept("MR", "urn:t")}], "managingOrganization": {"reference": "Organization/org"},
     "telecom": [{"system": "phone", "value": "555"}, {"system": "email", "value": "a@x"}], "deceasedBoolean": False},
    {"resourceType": "Patient", "id": "bob", "name": [{"family": "Smith", "given": ["Bob"], "text": "Bob (100%) Smith"}], "birthDate": "1980", "deceasedDateTime": "2020-01-01"},
    {"resourceType": "Encounter", "id": "visit", "status": "finished", "class": {"code": "AMB", "system": "urn:class"}, "subject": {"reference": "Patient/ada"}, "period": {"start": "2024-01-10"}},
    observation("o1", "ada", "8867-4", "2024-01-10", **quantity(5.4)),
    observation("o2", "ada", "8867-4", "2024-02-10T10:00:00Z", **quantity(6.0), encounter={"reference": "Encounter/visit"}),
    observation("o3", "bob", "85354-9", None, component=[
        {"code": concept("8480-6", display="Systolic pressure"), **quantity(120, "mm[Hg]")},
        {"code": concept("8462-4"), **quantity(80, "mm[Hg]")}]),
    observation("o4", "bob", "2339-0", "2023", valueCodeableConcept=concept("high", "urn:v"), status="amended", meta={"tag": [{"system": "urn:tag", "code": "t"}], "profile": ["http://p/1|2"]}),
    {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/ada", "identifier": {"system": "urn:mrn", "value": "1"}}, "code": {"text": "Common cold"}, "onsetPeriod": {"start": "2024-03"}},
    {"resourceType": "ValueSet", "id": "vs", "url": "http://example.org/vs/a", "status": "draft"},
    {"resourceType": "Location", "id": "fiji", "position": {"latitude": -16.0, "longitude": 179.95}},
    {"resourceType": "Location", "id": "ward", "position": {"latitude": 60, "longitude": 11.5}},
    {"resourceType": "RiskAssessment", "id": "risk", "status": "final", "subject": {"reference": "Patient/ada"}, "prediction": [{"probabilityDecimal": 0.25}]},
]  # fmt: skip

FOUND = {
    "Patient": "ada bob",
    "Patient?_id=ada,zed": "ada",
    "Patient?identifier=urn:mrn|1": "ada",
    "Patient?identifier=1": "ada",
    "Patient?identifier=|1": "",
    "Patient?identifier=urn:mrn|": "ada",
    "Patient?identifier:of-type=urn:t|MR|1": "ada",
    "Patient?name=muller": "ada",
    "Patient?name=lüd": "",
    "Patient?family:contains=LUD": "ada",
    "Patient?given=ada&given=maria": "ada",
    "Patient?name=ada&name=bob": "",
    "Patient?name=ada,bob": "ada bob",
    "Patient?name:exact=Smith": "bob",
    "Patient?name:exact=smith": "",
    "Patient?name:contains=100%25": "bob",
    "Patient?name:contains=_%25": "",
    "Patient?gender=female": "ada",
    "Patient?gender=http://hl7.org/fhir/administrative-gender|female": "ada",
    "Patient?gender:not=female": "bob",
    "Patient?gender:missing=true": "bob",
    "Patient?gender:missing=false": "ada",
    "Patient?phone=555": "ada",
    "Patient?email=a@x": "ada",
    "Patient?telecom=555": "ada",
    "Patient?deceased=true": "bob",
    "Patient?birthdate=1970": "ada",
    "Patient?birthdate=1980-01-01": "",
    "Patient?birthdate=lt1975,ge2005": "ada",
    "Patient?birthdate=sa1975": "bob",
    "Patient?birthdate=eb1980": "ada",
    "Patient?birthdate=ne1970": "bob",
    "Patient?organization=Organization/org": "ada",
    "Patient?organization.name=sankt ann": "ada",
    "Patient?organization.partof.name=top": "ada",
    "Patient?organization:Organization.name=x": "",
    "Patient?_has:Observation:patient:code=8867-4": "ada",
    "Patient?_has:Observation:subject:combo-code=8480-6": "bob",
    "Patient?_has:Encounter:patient:_has:Observation:encounter:code=8867-4": "ada",
    "Observation?patient=ada": "o1 o2",
    "Observation?patient=Patient/ada&code=8867-4": "o1 o2",
    "Observation?subject:Patient=bob": "o3 o4",
    "Observation?subject=https://north.example/fhir/Patient/bob": "o3 o4",
    "Observation?patient.name=smith&status=amended": "o4",
    "Observation?code=8480-6": "",
    "Observation?combo-code=8480-6": "o3",
    "Observation?component-code=8480-6": "o3",
    "Observation?component-code:text=syst": "o3",
    "Observation?component-code-value-quantity=8480-6$gt100": "o3",
    "Observation?component-code-value-quantity=8462-4$gt100": "",
    "Observation?code-value-quantity=8867-4$5.4": "o1",
    "Observation?code-value-quantity=http://loinc.org|8867-4$5.4||mmol/L": "o1",
    "Observation?value-quantity=5.4": "o1",
    "Observation?value-quantity=5": "o1",
    "Patient?phonetic=Smyth": "bob",
    "Patient?phonetic=Miller": "ada",
    "Patient?phonetic=Smyth&name=ada": "",
    "Location?near=61|11.5|112": "ward",
    "Location?near=61|11.5|111|km": "",
    "Location?near=60|12.5|55700|m": "ward",
    "Location?near=60|12.5|55500|m": "",
    "Location?near=-16|-179.95|6.7|[mi_i]": "fiji",
    "Location?near=-16|-179.95|6.6|[mi_i]": "",
    "Location?near=60.1|11.5": "ward",
    "Location?near=0|0|20100": "fiji ward",
    "Location?near:missing=false": "fiji ward",
    "Observation?value-quantity=6": "o2",
    "Observation?value-quantity=gt5.4": "o2",
    "Observation?value-quantity=ge5.4": "o1 o2",
    "Observation?value-quantity=ap5.5": "o1 o2",
    "Observation?value-quantity=le6||mmol/L": "o1 o2",
    "Observation?value-quantity=le6|urn:other|mmol/L": "",
    "Observation?value-concept=high": "o4",
    "Observation?date=2024-01": "o1",
    "Observation?date=ge2024-02-10": "o2",
    "Observation?date=2024-02-10T10:00Z": "o2",
    "Observation?date=lt2024": "o4",
    "Observation?date:missing=true": "o3",
    "Observation?status:not=final": "o4",
    "Observation?_tag=urn:tag|t": "o4",
    "Observation?_profile=http://p/1": "",
    "Observation?encounter=visit": "o2",
    "Encounter?date=2024": "",
    "Encounter?date=ge2025": "visit",
    "Encounter?class=AMB": "visit",
    "Condition?code:text=common": "c1",
    "Condition?subject:identifier=urn:mrn|1": "c1",
    "Condition?onset-date=2024": "",
    "ValueSet?url=http://example.org/vs/a": "vs",
    "ValueSet?url=http://example.org/vs": "",
    "ValueSet?url:below=http://example.org/vs": "vs",
    "ValueSet?url:above=http://example.org/vs/a/b": "vs",
    "ValueSet?url:contains=ample": "vs",
    "RiskAssessment?probability=gt0.2": "risk",
    "RiskAssessment?probability=0.3": "risk",
    "RiskAssessment?probability=0.2": "",
    "RiskAssessment?probability=25e-2": "risk",
    "Patient/ada/Observation": "o1 o2",
    "Patient/ada/Condition?code:text=common": "c1",
    "Observation?_lastUpdated=gt2020": "o1 o2 o3 o4",
}


@pytest.fixture
def asked(operator):
    for one in RESOURCES:
        assert operator("PUT", f"{one['resourceType']}/{one['id']}", one).status == 201
    return operator


def test_what_each_search_finds(asked):
    told = {text: " ".join(sorted(asked.found(text))) for text in FOUND}
    assert told == FOUND


REFUSED = {
    "Patient?fmaily=x": "search-parameter",
    "Patient?_has:Observation=x": "search-parameter",
    "Patient?_has:Observation:code:status=x": "search-value",
    "Patient?organization.nme=x": "search-parameter",
    "Patient?name.x=y": "search-value",
    "Patient?name:fuzzy=x": "search-modifier",
    "Patient?organization:Practitioner=x": "search-modifier",
    "Patient?birthdate=x": "search-value",
    "Patient?birthdate=zz2020": "search-value",
    "Patient?gender:missing=maybe": "search-value",
    "Patient?name=a,,b": "search-value",
    "Observation?value-quantity=x": "search-value",
    "Observation?value-quantity=1|2": "search-value",
    "Observation?code-value-quantity=8867-4": "search-value",
    "Observation?code=a|b|c": "search-value",
    "Patient?_sort=nothing": "search-parameter",
    "Patient?_count=many": "search-value",
    "Patient?_summary=some": "search-value",
    "Patient?_total=maybe": "search-value",
    "Patient?_include=*:iterate": "search-value",
    "Patient?_include=Patient:name": "search-value",
    "Patient?_revinclude=Observation:nothing": "search-parameter",
    "Patient?_text=-": "search-value",
    "Patient?_content=a,": "search-value",
    "Patient?_content:missing=true": "search-parameter",
    "Patient?_list=$current-allergies": "search-value",
    "Patient?_filter=name eq x": "search-parameter",
    "Location?near=1|2|3|kg": "search-value",
    "Location?near=91|2|3": "search-value",
    "Location?near=1|2|-3": "search-value",
    "Location?near=1": "search-value",
    "Location?_sort=near": "search-value",
    "Patient?phonetic=Ada Maria": "search-value",
    "Patient?phonetic=Łódź 5": "search-value",
    "Patient?" + "&".join(["name=a"] * 101): "search-size",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_understood_is_refused(operator, text):
    with pytest.raises(EdgeError) as caught:
        operator.get(text)
    assert (caught.value.fault.status, caught.value.code) == (400, f"fhir.{REFUSED[text]}")
    assert caught.value.expected


def test_order_and_pages(asked):
    def ids(text):
        told = []
        bundle = asked.get(text)
        while True:
            told += [e["resource"]["id"] for e in bundle["entry"]]
            following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            if not following:
                return told
            bundle = asked.get(following[0].removeprefix("https://north.example/fhir/"))

    assert ids("Observation?_sort=date&_count=1") == ["o4", "o1", "o2", "o3"]
    assert ids("Observation?_sort=-date&_count=3") == ["o2", "o1", "o4", "o3"]
    assert ids("Observation?_sort=-status,-_id&_count=1") == ["o3", "o2", "o1", "o4"]
    assert ids("Patient?_sort=-family&_count=1") == ["bob", "ada"]
    for own, value in (("o5", 5700), ("o6", 1)):
        asked("PUT", f"Observation/{own}", observation(own, "bob", "8867-4", None, **quantity(value, "umol/L")))
    assert ids("Observation?_sort=value-quantity&_count=2") == ["o6", "o1", "o5", "o2", "o3", "o4"]
    assert ids("Observation?_sort=-value-quantity&_count=1") == ["o2", "o5", "o1", "o6", "o3", "o4"]


def test_totals_counts_and_parts(asked):
    assert asked.get("Observation?_summary=count") | {"timestamp": ""} == {
        "resourceType": "Bundle", "type": "searchset", "timestamp": "", "total": 4,
        "link": [{"relation": "self", "url": "https://north.example/fhir/Observation?_summary=count"}],
    }  # fmt: skip
    assert asked.get("Observation?_count=0")["total"] == 4
    (entry,) = asked.get("Observation?_id=o3&_elements=component")["entry"]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", "status", "code", "component"}
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "contact" not in asked.get("Patient/ada?_summary=true")


def test_includes(asked):
    def included(text):
        bundle = asked.get(text)
        return {e["resource"]["id"] for e in bundle["entry"] if e["search"]["mode"] == "include"}, bundle["total"]

    assert included("Observation?_id=o2&_include=Observation:encounter&_include=Observation:patient") == (
        {"visit", "ada"},
        1,
    )
    assert included("Observation?_id=o2&_include=Observation:*:Patient") == ({"ada"}, 1)
    assert included("Patient?_id=ada&_revinclude=Observation:patient") == ({"o1", "o2"}, 1)
    assert included("Observation?_id=o2&_include=*") == ({"visit", "ada"}, 1)
    assert included("Patient?_id=ada&_revinclude=*") == ({"o1", "o2", "visit", "c1", "risk"}, 1)
    chain = "Patient?_id=ada&_include=Patient:organization&_include"
    assert included(f"{chain}=Organization:partof") == ({"org"}, 1)
    assert included(f"{chain}:iterate=Organization:partof") == ({"org", "top"}, 1)


def test_a_page_link_is_its_askers_alone(asked, doctor):
    bundle = asked.get("Observation?_count=1")
    (link,) = [each["url"] for each in bundle["link"] if each["relation"] == "next"]
    path = link.removeprefix("https://north.example/fhir/")
    assert asked.get(path)["total"] == 4
    again = asked.get(f"{path}&_count=1000")  # a client that makes the address anew adds parameters of its own
    assert [one["resource"]["id"] for one in again["entry"]] == ["o2"]
    for asker, given in ((doctor, path), (asked, path[:-2]), (asked, "_page/" + "A" * 60)):
        with pytest.raises(EdgeError) as caught:
            asker.get(given)
        assert caught.value.code == "fhir.not-found"
