"""A resource without what names a person: nothing marked survives, and what stays is coarser in a stated way."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.fhir.deidentified import Person, deidentified, shifted

MARK = "Zanzibar"
PERSON = Person(days=-45, year=2026, pseudonym=lambda what: f"p{len(what)}")
ADA = {
    "resourceType": "Patient",
    "id": MARK,
    "meta": {"source": MARK, "tag": [{"code": "x"}]},
    "text": {"status": "generated", "div": f"<div>{MARK}</div>"},
    "contained": [{"resourceType": "Organization", "id": "o", "name": MARK}],
    "extension": [{"url": "http://example.org/x", "valueCode": MARK}],
    "identifier": [{"system": "urn:mrn", "value": MARK}],
    "name": [{"family": MARK, "given": [MARK]}],
    "telecom": [{"system": "phone", "value": MARK}],
    "gender": "female",
    "_gender": {"extension": [{"url": "http://example.org/y", "valueString": MARK}]},
    "birthDate": "1931-03-05",
    "deceasedDateTime": "2024-02-29T08:00:00Z",
    "address": [{"line": [MARK], "city": MARK, "state": "MA", "postalCode": "02139", "country": "US", "text": MARK}],
    "maritalStatus": {"coding": [{"system": "urn:x", "code": "M", "display": MARK}], "text": MARK},
    "photo": [{"title": MARK, "data": "AAAA"}],
    "contact": [{"name": {"family": MARK}, "gender": "male"}],
    "managingOrganization": {"reference": f"Organization/{MARK}", "display": MARK, "identifier": {"value": MARK}},
}


def test_a_patient_keeps_codes_year_state_and_pseudonyms():
    told = deidentified(ADA, PERSON)

    assert MARK not in json.dumps(told)
    assert told == {
        "resourceType": "Patient",
        "id": "p16",
        "gender": "female",
        "birthDate": "1936",  # above 89 in 2026: one group
        "deceasedDateTime": "2024-01-15",
        "address": [{"state": "MA", "postalCode": "021", "country": "US"}],
        "maritalStatus": {"coding": [{"system": "urn:x", "code": "M"}]},
        "contact": [{"gender": "male"}],
        "managingOrganization": {"reference": "Organization/p21"},
    }


def test_an_observation_keeps_numbers_and_coarser_times():
    told = deidentified(
        {
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6", "display": MARK}]},
            "subject": {"reference": "https://ehr.example/fhir/Patient/7/_history/2"},
            "effectivePeriod": {"start": "2024-03-01T10:00:00+01:00", "end": "2024-03"},
            "issued": "2024-03-01T10:00:00.123Z",
            "valueQuantity": {"value": 134.2, "unit": MARK, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            "note": [{"text": MARK}],
            "component": [{"code": {"text": MARK}, "valueString": MARK}],
        },
        PERSON,
    )
    assert told == {
        "resourceType": "Observation",
        "id": "p14",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
        "subject": {"reference": "Patient/p9"},
        "effectivePeriod": {"start": "2024-01-16", "end": "2024"},
        "issued": "2024-01-16",
        "valueQuantity": {"value": 134.2, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
    }


def test_an_age_above_89_is_one_group():
    onset = {"resourceType": "Condition", "id": "c", "onsetAge": {"value": 97, "code": "a"}}
    assert deidentified(onset, PERSON)["onsetAge"] == {"value": 90, "code": "a"}
    assert deidentified(onset | {"onsetAge": {"value": 89}}, PERSON)["onsetAge"] == {"value": 89}


@pytest.mark.parametrize("odd", [{}, {"resourceType": 5}, {"resourceType": "Quantity?", "id": MARK}])
def test_what_is_no_resource_leaves_nothing(odd):
    assert deidentified(odd, PERSON) == {"resourceType": ""}


texts = st.text(min_size=1, max_size=8).map(lambda text: MARK + text)


@given(
    st.recursive(
        st.one_of(texts, st.integers(), st.none(), st.booleans()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(sorted(ADA)), inner)),
        max_leaves=20,
    )
)
def test_no_shape_brings_a_text_through_an_element_that_holds_none(odd):
    """Codes aside: whatever stands where a date, a reference, a number or text is expected, marked text is gone."""
    elements = (
        "birthDate",
        "deceasedDateTime",
        "name",
        "text",
        "extension",
        "managingOrganization",
        "contained",
        "photo",
    )
    told = deidentified({"resourceType": "Patient", "id": MARK, **dict.fromkeys(elements, odd)}, PERSON)
    assert MARK not in json.dumps(told, ensure_ascii=False)


days = st.dates(date(1850, 1, 1), date(2100, 1, 1))


@given(days, days, st.integers(-3650, 3650).filter(bool))
def test_distances_between_dates_of_one_person_stay(first, second, moved):
    told = [date.fromisoformat(shifted(day.isoformat(), moved)) for day in (first, second)]
    assert told[1] - told[0] == second - first
    assert told[0] != first
