"""Expressions checked against types before any record is seen."""

import pytest

from salus.interop.fhir import fhirpath
from salus.interop.fhir.fhirpath import ExpressionMalformed


@pytest.mark.parametrize(
    ("context", "expression", "types"),
    [
        ("Patient", "name.given", {"string"}),
        ("Patient", "Patient.name.where(use = 'official').family.first()", {"string"}),
        ("Observation", "value", {"Quantity", "CodeableConcept", "string", "boolean", "integer", "Range", "Ratio",
                                  "SampledData", "time", "dateTime", "Period"}),
        ("Observation", "value.ofType(Quantity).value", {"decimal"}),
        ("Observation", "component.code.coding.code", {"code"}),
        ("Questionnaire", "repeat(item).linkId", {"string"}),
        ("Patient", "name.count() > 1", {"System.Boolean"}),
        ("Patient", "name.select(given | family)", {"string"}),
        ("Bundle", "entry.resource.id", None),
        ("Patient", "managingOrganization.resolve().name", None),
        ("Patient", "%anything.name", None),
        ("Patient", "1", {"System.Integer"}),
        ("Patient", "birthDate.extension('u').value.ofType(dateTime)", {"dateTime"}),
        ("Resource", "Patient.name", {"HumanName"}),
    ],
)  # fmt: skip
def test_types_of_the_result(context, expression, types):
    found = fhirpath.compile(expression, context=[context]).types
    assert found == (None if types is None else frozenset(types))


@pytest.mark.parametrize(
    ("context", "expression", "column", "says"),
    [
        ("Patient", "name.given1", 6, "no element given1 in HumanName"),
        ("Patient", "Encounter.name", 1, "no element Encounter in Patient"),
        ("Patient", "name.where(givn = 'x').family", 12, "no element givn"),
        ("Patient", "name.exists(use = 'x' and familie = 'y')", 27, "no element familie"),
        ("Observation", "valueQuantity.value", 1, "no element valueQuantity"),
        ("Observation", "value.ofType(Period).value", 22, "no element value in Period"),
        ("Questionnaire", "repeat(item).linkID", 14, "no element linkID"),
        ("Patient", "name.toString()", 6, "not HumanName"),
        ("Patient", "children()[0]", 11, "no order"),
        ("Patient", "name.given.first().nosuch", 20, "no element nosuch in string"),
    ],
)
def test_what_no_type_has_is_refused_at_its_place(context, expression, column, says):
    with pytest.raises(ExpressionMalformed, match=r".") as refusal:
        fhirpath.compile(expression, context=[context])
    assert refusal.value.column == column
    assert says in str(refusal.value)
    fhirpath.compile(expression)
