"""What the index learns of a resource."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.times import EARLIEST, LATEST, interval

FIRST = dt.datetime(1, 1, 2, tzinfo=dt.UTC).replace(tzinfo=None)
LAST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC).replace(tzinfo=None)


def of(**tree):
    return facts(read_resource(msgspec.json.encode({"id": "x", **tree})), {})


def ms(*date: int) -> int:
    return int(dt.datetime(*date, tzinfo=dt.UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [
        ("2024", ms(2024, 1, 1), ms(2025, 1, 1)),
        ("2024-02", ms(2024, 2, 1), ms(2024, 3, 1)),
        ("2024-12-31", ms(2024, 12, 31), ms(2025, 1, 1)),
        ("2024-01-01T00:00:00+02:00", ms(2023, 12, 31, 22), ms(2023, 12, 31, 22) + 1000),
        ("2024-01-01T10:00:00.5Z", ms(2024, 1, 1, 10) + 500, ms(2024, 1, 1, 10) + 600),
        ("2024-01-01T10:00:00.1234Z", ms(2024, 1, 1, 10) + 123, ms(2024, 1, 1, 10) + 124),
        ("2016-12-31T23:59:60Z", ms(2017, 1, 1), ms(2017, 1, 1) + 1000),
    ],
)
def test_intervals(text, lo, hi):
    assert interval(text) == (lo, hi)


@pytest.mark.parametrize(
    "text",
    [
        "0000",
        "24",
        "2023-02-29",
        "2024-00",
        "2024-1-1",
        "2024-01-01T10:00Z",
        "2024-01-01T10:00:00+14:01",
        "\uff12\uff10\uff12\uff14",
        "2024\n",
    ],
)
def test_no_dates(text):
    assert interval(text) is None


@given(st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(dt.UTC)))
def test_days_agree_with_the_calendar(moment):
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    whole = moment.replace(microsecond=0)
    want = (whole - epoch) // dt.timedelta(milliseconds=1)
    assert interval(whole.isoformat().replace("+00:00", "Z")) == (want, want + 1000)


def test_an_observation():
    found = of(
        resourceType="Observation",
        status="final",
        code={"coding": [{"system": "http://loinc.org", "code": "1", "display": "One"}]},
        category=[{"coding": [{"system": "c", "code": "vital-signs"}]}],
        subject={"reference": "Patient/p"},
        encounter={"reference": "Encounter/e"},
        performer=[{"reference": "Practitioner/d"}, {"reference": "Organization/h"}],
        effectiveDateTime="2024-01-01",
        issued="2024-02-01T00:00:00Z",
        meta={"security": [{"system": "s", "code": "R"}]},
    )
    assert (found.lo, found.hi) == (ms(2024, 1, 1), ms(2024, 1, 2))
    assert [coding.code for coding in found.codes] == ["1", "vital-signs"]
    assert (found.status, found.encounter, found.author, found.label) == ("final", "e", "h", "One")
    assert found.security[0].code == "R"
    assert "Patient/p" in found.references


def test_references_after_rewriting():
    raw = msgspec.json.encode({"resourceType": "Observation", "id": "x", "encounter": {"reference": "urn:oid:1.2"}})
    found = facts(read_resource(raw), {"urn:oid:1.2": "Encounter/e"}, "new")
    assert (found.id, found.encounter, found.references) == ("new", "e", ("Encounter/e",))


def test_what_stands_lasts_until_something_ends_it():
    onset = {"resourceType": "Condition", "onsetDateTime": "2020"}
    assert of(**onset).hi == LATEST
    assert of(**onset, abatementDateTime="2021-05").hi == ms(2021, 6, 1)
    assert of(**onset, clinicalStatus={"coding": [{"code": "resolved"}]}).hi == ms(2021, 1, 1)
    assert (of(resourceType="AllergyIntolerance").lo, of(resourceType="Patient").hi) == (EARLIEST, LATEST)
    assert of(resourceType="MedicationRequest", status="stopped", authoredOn="2020").hi == ms(2021, 1, 1)


def test_an_event_without_date_lies_in_no_period():
    found = of(resourceType="Observation", status="final")
    assert found.lo == found.hi


def test_open_periods():
    assert of(resourceType="Encounter", period={"start": "2024"}).hi == LATEST
    assert of(resourceType="Encounter", period={"end": "2024"}).lo == EARLIEST
    backwards = of(resourceType="Encounter", period={"start": "2024", "end": "2020"})
    assert backwards.lo <= backwards.hi


def test_a_patient():
    found = of(
        resourceType="Patient",
        name=[{"family": "Doe", "given": ["Jane", "A."]}],
        birthDate="1980-02-03",
        gender="female",
        identifier=[{"system": "mrn", "value": "1"}, {"system": "x"}],
    )
    assert found.person.names == (("Doe", "Jane A."),)
    assert (found.person.birth_date, found.label, found.identifiers) == ("1980-02-03", "Jane A. Doe", (("mrn", "1"),))


def test_claims_name_their_encounter_in_items():
    found = of(
        resourceType="Claim",
        item=[{"encounter": [{"reference": "Encounter/e"}]}],
        provider={"reference": "Organization/h"},
    )
    assert (found.encounter, found.author) == ("e", "h")


def test_odd_shapes_give_no_facts():
    found = of(
        resourceType="DocumentReference",
        context={"encounter": [5]},
        custodian={"display": "x"},
        type={"coding": 5, "text": 6},
        identifier=[{"value": 5}],
        category=[{"coding": [{"code": 5}, 6]}],
    )
    assert (found.encounter, found.author, found.label, found.codes, found.identifiers) == ("", "", "", (), ())
