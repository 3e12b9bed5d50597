"""What an index keeps of earlier questions is what a new one answers, whatever was written between."""

import json
import random

import pytest

from salus.agreements.consent.decide import Asker, Provision
from salus.agreements.consent.vocabulary import MEMBER_SYSTEM, PERSON_SYSTEM
from salus.index.errors import Unusable
from salus.index.index import Index, shipped_rules
from salus.index.search_scope import Realm
from salus.index.source import Entry

ANNA, BERT, HOUSE, LEASE = (bytes([n]) * 16 for n in (1, 2, 3, 4))
ME = {"system": PERSON_SYSTEM, "value": "s-1"}
REALM = Realm((Provision("terms", "permit"),), consented=True)


class Listed:
    def __init__(self):
        self.entries = []

    def after(self, number, limit):
        return [entry for entry in self.entries if entry.number > number][:limit]


def group(*members):
    return {"actual": True, "type": "practitioner", "member": [{"entity": {"reference": one}} for one in members]}


def consent(patient, actor):
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    provision = {"type": "deny", "actor": [{"role": role, "reference": {"reference": actor}}]}
    scope = {"coding": [{"code": "patient-privacy"}]}
    return {"status": "active", "scope": scope, "patient": {"reference": patient}, "provision": provision}


def label(code):
    return {
        "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}]}
    }


CHOICES = [
    (HOUSE, "Practitioner", "d", [{"identifier": [ME, {"system": "urn:npi", "value": "1"}]}, {"identifier": []}]),
    (LEASE, "Practitioner", "p", [{"identifier": [ME]}]),
    (HOUSE, "Organization", "o", [{"identifier": [{"system": MEMBER_SYSTEM, "value": "north"}]}, {"name": "o"}]),
    (HOUSE, "PractitionerRole", "r", [{"practitioner": {"reference": "Practitioner/d"}, "identifier": [{"system": "urn:role", "value": "1"}]}, {}]),
    (HOUSE, "Group", "g", [group("Practitioner/d"), group("PractitionerRole/r"), group()]),
    (ANNA, "CareTeam", "t", [{"status": "active", "participant": [{"member": {"reference": "Practitioner/d"}}]}, {"status": "inactive"}]),
    (ANNA, "Patient", "a", [{"identifier": [ME]}, {"gender": "female"}]),
    (ANNA, "Consent", "c", [consent("Patient/a", "Group/g"), consent("Patient/a", "CareTeam/t"), consent("Patient/a", "Practitioner/d")]),
    (BERT, "Consent", "c", [consent("Patient/b", "Group/g")]),
    (ANNA, "Observation", "o", [{"identifier": [ME]}, {"status": "final"}, label("R"), label("V")]),
    (BERT, "Condition", "b", [{}, label("R")]),
    (HOUSE, "Location", "l", [{"name": "l"}, {"name": "m"}]),
]  # fmt: skip


def asked(index):
    who = index.who("north", "s-1", home=True, at=1)
    asker = Asker("north", "physician", "TREAT", 1, who.names, known=who.known)
    scope = index.search.scope([REALM], asker)
    seen = {
        hit.name
        for link, kind, own, _ in CHOICES
        if link != LEASE
        for hit in index.search.named(f"{kind}/{own}", scope)
    }
    return who, index.consents.in_use(), index.consents.teams(), seen


@pytest.mark.parametrize("seed", [4, 5, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(6, 16))])
def test_a_new_index_answers_the_same_after_each_write(seed):
    draw, source = random.Random(seed), Listed()
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        asked(index)
        for number in range(1, 50):
            link, kind, own, trees = draw.choice(CHOICES)
            version = 1 + sum((one.link, one.type, one.id) == (link, kind, own) for one in source.entries)
            body = json.dumps({"resourceType": kind, "id": own, **draw.choice(trees)}).encode()
            gone = version > 1 and draw.random() < 0.3
            source.entries.append(
                Entry(number, link, link == LEASE, kind, own, version, b"" if gone else body, tombstone=gone)
            )
            index.catch_up(source)
            if draw.random() < 0.1:
                erased = draw.choice((ANNA, BERT))
                index.forget(erased)
                source.entries = [one for one in source.entries if one.link != erased]
                if not source.entries:
                    continue
            if number % 3 and kind not in {"Consent", "CareTeam", "Practitioner"}:
                asked(index)
                continue
            with Index(None, key=bytes(32), rules=shipped_rules()) as other:
                other.catch_up(source)
                assert asked(index) == asked(other), (number, kind)
            assert asked(index) == asked(index)


def fail(store):
    with store.transaction() as db:
        db.execute("UPDATE state SET unread = 3")
        db.execute("no statement")


def test_what_was_asked_while_somebody_writes_is_not_kept():
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        store = index._store
        sql = "SELECT unread FROM state"
        assert store.kept(sql) == [(0,)]
        with store.transaction() as db:
            db.execute("UPDATE state SET unread = 1")
            assert store.kept(sql) == [(0,)]
        assert store.kept(sql) == [(1,)]
        with store.transaction() as db:
            db.execute("UPDATE state SET unread = 2")
            with store.transaction():
                store.holds()  # of the inner one alone
        assert store.kept(sql) == [(2,)]
        with pytest.raises(Unusable):
            fail(store)
        assert store.kept(sql) == [(2,)]


def test_words_wait_for_company_or_for_somebody_who_asks():
    source = Listed()
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        store = index._store

        def add(own, text, version=1):
            number = len(source.entries) + 1
            body = json.dumps({"resourceType": "Basic", "id": own, "code": {"text": text}}).encode()
            source.entries.append(Entry(number, HOUSE, False, "Basic", own, version, body))
            index.catch_up(source)

        def waiting():
            return store.look("SELECT (SELECT count(*) FROM fresh_words), (SELECT count(*) FROM stale_words)")[0]

        def found(word):
            return [number for (number,) in store.ask("SELECT v.rowid FROM words v WHERE v.words MATCH ?", [word])]

        add("a", "zanzibar")
        add("a", "madagascar", version=2)
        assert waiting() == (1, 0)
        assert found("madagascar") == [2]
        assert (found("zanzibar"), waiting()) == ([], (0, 0))
        add("a", "comoros", version=3)
        assert waiting() == (1, 1)
        assert (found("madagascar"), found("comoros")) == ([], [3])
        for at in range(70):
            add(f"b{at}", "mauritius")
        assert waiting()[0] < 64
        assert len(found("mauritius")) == 70
