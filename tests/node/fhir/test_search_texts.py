"""Search over text, lists and units: what each finds, and what is refused with what there is instead."""

import pytest

from salus.node.errors import EdgeError
from tests.node.fhir.test_search import UCUM, concept, observation, quantity

XHTML = "http://www.w3.org/1999/xhtml"
RESOURCES = [
    {"resourceType": "Patient", "id": "ada", "name": [{"family": "Muster"}]},
    {"resourceType": "Patient", "id": "bob", "name": [{"family": "Smith"}]},
    observation("o1", "ada", "2345-7", None, **quantity(5.4)),
    observation("o2", "ada", "2345-7", None, **quantity(6.0)),
    observation("o3", "bob", "85354-9", None, component=[
        {"code": concept("8480-6"), **quantity(120, "mm[Hg]")},
        {"code": concept("8462-4"), **quantity(80, "mm[Hg]")}]),
    observation("o4", "bob", "8310-5", None, **quantity(98.6, "[degF]")),
    observation("o5", "bob", "2345-7", None, **quantity(0.0054, "mol/L")),
    observation("o6", "bob", "8867-4", None, **quantity(5.4, "mmol{free}/L")),
    {"resourceType": "List", "id": "l", "status": "current", "mode": "working", "subject": {"reference": "Patient/ada"},
     "entry": [{"item": {"reference": f"Observation/{one}"}} for one in ("o1", "o4")]},
    {"resourceType": "DiagnosticReport", "id": "dr", "status": "final", "subject": {"reference": "Patient/bob"},
     "code": concept("718-7"), "conclusion": "Moderate ANÄMIE, see below.",
     "text": {"status": "generated", "div": f'<div xmlns="{XHTML}" title="hidden">Iron&#160;<b>deficiency</b> likely</div>'}},
]  # fmt: skip
FOUND = {
    f"Observation?value-quantity=5.4|{UCUM}|mmol/L": "o1 o5",
    f"Observation?value-quantity=0.0054|{UCUM}|mol/L": "o1 o5",
    f"Observation?value-quantity=5.4|{UCUM}|umol/mL": "o1 o5",
    f"Observation?value-quantity=ne5.4|{UCUM}|mmol/L": "o2",
    f"Observation?value-quantity=5.4|{UCUM}|mg/L": "",
    "Observation?value-quantity=5.4||mmol/L": "o1",
    "Observation?value-quantity=5.4": "o1 o6",
    f"Observation?value-quantity=5.4|{UCUM}|mmol{{free}}/L": "o1 o5 o6",
    f"Observation?value-quantity=37|{UCUM}|Cel": "o4",
    f"Observation?value-quantity=gt37|{UCUM}|Cel": "",
    f"Observation?value-quantity=ge37|{UCUM}|Cel": "o4",
    f"Observation?value-quantity=310.15|{UCUM}|K": "o4",
    f"Observation?combo-value-quantity=12.0|{UCUM}|cm[Hg]": "o3",
    f"Observation?combo-code-value-quantity=8480-6$lt0.13|{UCUM}|m[Hg]": "o3",
    f"Observation?combo-code-value-quantity=8480-6$lt0.1|{UCUM}|m[Hg]": "",
    f"Patient?_has:Observation:patient:value-quantity=6000|{UCUM}|umol/L": "ada",
    "Observation?_list=l": "o1 o4",
    "Observation?_list=List/l&code=2345-7": "o1",
    "Observation?_list=zed": "",
    "Patient?_list=l,zed": "",
    "DiagnosticReport?_text=deficiency iron": "dr",
    'DiagnosticReport?_text="iron deficiency"': "dr",
    'DiagnosticReport?_content="deficiency iron"': "",
    "DiagnosticReport?_text=anamie": "",
    "DiagnosticReport?_content=anämie moder*": "dr",
    "DiagnosticReport?_content=anäm": "",
    "DiagnosticReport?_content=anämie nothing,IRON": "dr",
    "DiagnosticReport?_content=anämie&_content=nothing": "",
    "DiagnosticReport?_content=hidden": "",
    "DiagnosticReport?_content=718-7": "dr",
    "DiagnosticReport?_content=iron OR nothing": "",
    "DiagnosticReport?_content=bob": "",
    "Patient?_has:DiagnosticReport:patient:_text=iron": "bob",
    "DiagnosticReport?subject:Patient._content=smith": "dr",
}


@pytest.fixture
def asked(operator):
    for one in RESOURCES:
        assert operator("PUT", f"{one['resourceType']}/{one['id']}", one).status == 201
    return operator


def test_what_each_search_finds(asked):
    assert {text: " ".join(sorted(asked.found(text))) for text in FOUND} == FOUND
    report = RESOURCES[-1] | {"text": {"status": "generated", "div": f'<div xmlns="{XHTML}">changed</div>'}}
    asked("PUT", "DiagnosticReport/dr", report)
    assert asked.found("DiagnosticReport?_text=iron") == set()
    assert asked.found("DiagnosticReport?_text=changed&_content=anämie") == {"dr"}


def test_a_list_that_is_not_seen_holds_nothing(asked, doctor):
    assert doctor.found("Observation?_list=l") == {"o1", "o4"}
    asked("DELETE", "List/l")
    assert doctor.found("Observation?_list=l") == set()


def test_a_refused_parameter_of_r4_is_told_with_what_there_is_instead(operator):
    with pytest.raises(EdgeError) as caught:
        operator.get("Patient?_filter=name eq x")
    assert "_filter" in caught.value.got
    assert "_has" in caught.value.todo
