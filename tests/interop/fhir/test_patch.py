"""FHIRPath Patch: each operation, what it leaves alone, and what it refuses."""

import contextlib
import copy
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.fhir.patch import MAX_OPERATIONS, apply
from salus.interop.fhir.refusal import Refused

PATIENT = {
    "resourceType": "Patient", "id": "p", "active": True, "birthDate": "1970-05-05",
    "_birthDate": {"extension": [{"url": "u", "valueString": "x"}]},
    "name": [
        {"use": "official", "family": "Muster", "given": ["Ada", "Maria"], "_given": [None, {"id": "m"}]},
        {"use": "usual", "text": "Ada"},
    ],
    "extension": [{"url": "http://a", "valueCode": "c"}, {"url": "http://b", "valueQuantity": {"value": Decimal("1.50")}}],
    "contact": [{"name": {"text": "Bob"}}],
}  # fmt: skip
OBSERVATION = {
    "resourceType": "Observation", "status": "final", "code": {"text": "x"},
    "valueQuantity": {"value": Decimal("5.40"), "unit": "mg"},
}  # fmt: skip


def operation(kind, path, **more):
    told = {"type": {"valueCode": kind}, "path": {"valueString": path}}
    told |= {name: {"valueInteger": value} if isinstance(value, int) else value for name, value in more.items()}
    return {"name": "operation", "part": [{"name": name, **value} for name, value in told.items()]}


def changed(tree, *operations):
    tree = copy.deepcopy(tree)
    apply(tree, {"resourceType": "Parameters", "parameter": list(operations)})
    return tree


def text(value):
    return {"valueString": value}


def test_add_appends_to_lists_and_sets_what_is_not_there():
    told = changed(
        PATIENT,
        operation("add", "Patient", name=text("gender"), value={"valueCode": "female"}),
        operation("add", "Patient.name.where(use = 'official')", name=text("given"), value=text("Eva")),
        operation("add", "Patient", name=text("deceased"), value={"valueBoolean": False}),
        operation(
            "add", "Patient", name=text("contact"),
            value={"part": [{"name": "gender", "valueCode": "male"}, {"name": "telecom", "valueContactPoint": {"value": "1"}},
                            {"name": "name", "valueHumanName": {"text": "Cyd"}}]},
        ),
    )  # fmt: skip
    assert (told["gender"], told["deceasedBoolean"]) == ("female", False)
    assert told["name"][0]["given"] == ["Ada", "Maria", "Eva"]
    assert told["name"][0]["_given"] == [None, {"id": "m"}, None]
    assert told["contact"][1] == {"gender": "male", "telecom": [{"value": "1"}], "name": {"text": "Cyd"}}


def test_insert_and_move_keep_companions_beside_their_values():
    name = "Patient.name[0].given"
    told = changed(PATIENT, operation("insert", name, index=0, value=text("Eva")))
    assert (told["name"][0]["given"], told["name"][0]["_given"]) == (["Eva", "Ada", "Maria"], [None, None, {"id": "m"}])
    told = changed(PATIENT, operation("move", name, source=1, destination=0))
    assert (told["name"][0]["given"], told["name"][0]["_given"]) == (["Maria", "Ada"], [{"id": "m"}, None])
    told = changed(PATIENT, operation("insert", "Patient.address", index=0, value={"valueAddress": {"city": "X"}}))
    assert told["address"] == [{"city": "X"}]


def test_delete_takes_one_and_nothing_is_no_error():
    assert changed(PATIENT, operation("delete", "Patient.photo")) == PATIENT
    told = changed(PATIENT, operation("delete", "Patient.birthDate"), operation("delete", "Patient.contact[0]"))
    assert not {"birthDate", "_birthDate", "contact"} & told.keys()
    told = changed(
        PATIENT, operation("delete", "Patient.contact[0].name.text"), operation("delete", "Patient.name[1].text")
    )
    assert "contact" not in told
    assert told["name"][1] == {"use": "usual"}
    assert changed(PATIENT) == PATIENT
    told = changed(PATIENT, operation("delete", "Patient.name[0].given[1]"))
    assert told["name"][0] == {"use": "official", "family": "Muster", "given": ["Ada"]}
    told = changed(PATIENT, operation("delete", "Patient.extension('http://a')"))
    assert [one["url"] for one in told["extension"]] == ["http://b"]
    told = changed(PATIENT, operation("delete", "name.where(use = 'usual').first()"))
    assert [one["use"] for one in told["name"]] == ["official"]


def test_replace_changes_one_and_decimals_stay():
    told = changed(PATIENT, operation("replace", "Patient.birthDate", value={"valueDate": "1971"}))
    assert (told["birthDate"], "_birthDate" in told) == ("1971", False)
    told = changed(
        PATIENT,
        operation("replace", "Patient.extension('http://b').value.value", value={"valueDecimal": Decimal("2.50")}),
    )
    assert str(told["extension"][1]["valueQuantity"]["value"]) == "2.50"
    told = changed(OBSERVATION, operation("replace", "Observation.value", value=text("high")))
    assert told["valueString"] == "high"
    assert "valueQuantity" not in told
    told = changed(OBSERVATION, operation("replace", "Observation.value.ofType(Quantity).unit", value=text("g")))
    assert told["valueQuantity"] == {"value": Decimal("5.40"), "unit": "g"}
    told = changed(PATIENT, operation("replace", "Patient.name[1]", value={"valueHumanName": {"text": "Bob"}}))
    assert told["name"][1] == {"text": "Bob"}


REFUSED = [
    operation("add", "Patient", name=text("birthDate"), value={"valueDate": "1970"}),
    operation("add", "Patient", name=text("nothing"), value=text("x")),
    operation("add", "Patient", name=text("deceased"), value=text("x")),
    operation("add", "Patient.name", name=text("given"), value=text("x")),
    operation("add", "Patient.photo", name=text("title"), value=text("x")),
    operation("add", "Patient", name=text("gender")),
    operation("add", "Patient", name=text("contact"), value={"part": [{"name": "nothing", "valueString": "x"}]}),
    operation("insert", "Patient.name", index=3, value={"valueHumanName": {}}),
    operation("insert", "Patient.birthDate", index=0, value={"valueDate": "1970"}),
    operation("insert", "Patient.name[0]", index=0, value={"valueHumanName": {}}),
    operation("delete", "Patient.name"),
    operation("delete", "Patient"),
    operation("delete", "Patient.birthDate.extension"),
    operation("delete", "Patient.name | Patient.contact"),
    operation("delete", "Patient.name.where("),
    operation("delete", "name.where(true).children()"),
    operation("replace", "Patient.photo", value={"valueAttachment": {}}),
    operation("replace", "Patient.nothing", value=text("x")),
    operation("move", "Patient.name", source=0, destination=2),
    operation("move", "Patient.name", source=0),
    operation("fly", "Patient.name"),
    operation("delete", "Patient.photo", extra=text("x")),
    {"name": "operation"},
    {"name": "other", "part": []},
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(REFUSED)))
def test_what_does_not_apply_is_refused_with_the_operation_named(at):
    fine = operation("delete", "Patient.photo")
    with pytest.raises(Refused) as caught:
        changed(PATIENT, fine, REFUSED[at])
    assert (caught.value.code, caught.value.path) == ("patch", "Parameters.parameter[1]")
    assert "Muster" not in caught.value.got


@pytest.mark.parametrize(
    "parameters",
    [{}, {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": 1}, {"resourceType": "Parameters", "parameter": [operation("delete", "Patient.photo")] * (MAX_OPERATIONS + 1)}],
)  # fmt: skip
def test_what_is_no_patch_is_refused(parameters):
    with pytest.raises(Refused, match="patch"):
        apply(copy.deepcopy(PATIENT), parameters)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6), st.data())
def test_what_was_inserted_and_deleted_or_moved_and_moved_back_leaves_no_trace(given_names, data):
    tree = {"resourceType": "Patient", "name": [{"given": given_names}]}
    at = data.draw(st.integers(0, len(given_names)))
    path = "Patient.name[0].given"
    there = operation("insert", path, index=at, value=text("new"))
    assert changed(tree, there, operation("delete", f"{path}[{at}]")) == tree
    last = len(given_names) - 1
    source, destination = data.draw(st.integers(0, last)), data.draw(st.integers(0, last))
    back = operation("move", path, source=destination, destination=source)
    assert changed(tree, operation("move", path, source=source, destination=destination), back) == tree


@given(st.text(max_size=40))
def test_any_path_is_applied_or_refused(path):
    with contextlib.suppress(Refused):
        changed(PATIENT, operation("delete", path))
