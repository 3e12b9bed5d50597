"""Who an asker is to the consents on file: another member's people, and names that several sources give."""

import json

import pytest

from salus.index.index import Index, shipped_rules
from salus.index.source import Entry

HOUSE, LEASE = b"h" * 16, b"l" * 16
PERSON = "urn:salus:person"
NPI = "http://hl7.org/fhir/sid/us-npi"


class Listed:
    def __init__(self, entries):
        self.entries = entries

    def after(self, number, limit):
        return [entry for entry in self.entries if entry.number > number][:limit]


def practitioner(own, *identifiers):
    return {
        "resourceType": "Practitioner",
        "id": own,
        "identifier": [{"system": system, "value": value} for system, value in identifiers],
    }


@pytest.fixture
def index():
    trees = [
        (HOUSE, practitioner("ours", (PERSON, "s-1"), (NPI, "1"))),
        (HOUSE, practitioner("theirs", (f"{PERSON}:south", "s-1"), (NPI, "2"))),
        (HOUSE, practitioner("again", (f"{PERSON}:south", "s-1"), ("urn:license", "3"))),
        (LEASE, practitioner("pulled", (PERSON, "s-1"), (PERSON, "s-2"))),
    ]
    entries = [
        Entry(at, link, link == LEASE, tree["resourceType"], tree["id"], 1, json.dumps(tree).encode())
        for at, (link, tree) in enumerate(trees, 1)
    ]
    with Index(None, key=bytes(32), rules=shipped_rules()) as found:
        found.catch_up(Listed(entries))
        yield found


def people(who):
    return {name for name in who.names if name.startswith("Practitioner/")}


def test_the_same_subject_at_two_members_is_two_persons(index):
    ours = index.who("north", "s-1", home=True, at=1)
    theirs = index.who("south", "s-1", home=False, at=1)
    assert people(ours) == {"Practitioner/ours"}
    assert people(theirs) == {"Practitioner/theirs", "Practitioner/again"}
    assert {f"{NPI}|2", "urn:license|3"} <= theirs.names
    assert f"{NPI}|2" not in ours.names
    assert people(index.who("west", "s-1", home=False, at=1)) == set()


def test_what_was_pulled_says_nothing_of_the_own_people(index):
    stranger = index.who("north", "s-2", home=True, at=1)
    assert people(stranger) == set()
    assert "Practitioner/" not in stranger.known
    assert "Practitioner/" in index.who("north", "s-1", home=True, at=1).known
