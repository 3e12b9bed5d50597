"""Which patients are worth comparing with one: each way of being alike alone, and nobody without one."""

import json

import pytest

from salus.index.index import Index, shipped_rules
from salus.index.likely import OwnPatient
from salus.index.source import Entry
from tests.index.test_people import Listed

ONE = {
    "name": [{"family": "Canary", "given": ["Ada"]}],
    "birthDate": "1970-05-04",
    "identifier": [{"system": "urn:mrn", "value": "7"}],
    "telecom": [{"system": "phone", "value": "0171 1"}, {"system": "email", "value": "ada@example.org"}],
}
NOBODY = {"name": [{"family": "Other", "given": ["Bob"]}], "birthDate": "1950-01-01"}


def found(other, *, lease=False):
    """Tell whether a patient is found as a candidate of `ONE`."""
    entries = [
        Entry(at, link, pulled, "Patient", "p", 1, json.dumps({"resourceType": "Patient", "id": "p", **told}).encode())
        for at, link, pulled, told in ((1, b"o" * 16, False, ONE), (2, b"t" * 16, lease, {**NOBODY, **other}))
    ]
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        index.catch_up(Listed(entries))
        return index.likely.candidates(OwnPatient(1, b"o" * 16)) == [OwnPatient(2, b"t" * 16)]


@pytest.mark.parametrize(
    "other",
    [
        {"identifier": [{"system": "urn:mrn", "value": "7"}]},
        {"birthDate": "1970-05-04"},
        {"name": [{"family": "Ada", "given": ["Canary"]}]},
        {"name": [{"family": "Canary", "given": ["Bob"]}], "birthDate": "1970-12-24"},
        {"name": [{"family": "Other", "given": ["Ada"]}], "birthDate": "1971-05-04"},
        {"telecom": [{"system": "phone", "value": "0171 1"}]},
        {"telecom": [{"system": "email", "value": "ada@example.org"}]},
    ],
)
def test_one_thing_in_common_is_enough(other):
    assert found(other)
    assert not found(other, lease=True)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"identifier": [{"system": "urn:other", "value": "7"}]},
        {"name": [{"family": "Canary", "given": ["Bob"]}], "birthDate": "1980-05-04"},
        {"telecom": [{"system": "phone", "value": "0171 2"}]},
    ],
)
def test_less_is_not(other):
    assert not found(other)
