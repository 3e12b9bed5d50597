"""Consent: one decision under 50 FHIR consents of one patient, fresh and remembered, and a whole scope over many.

A remembered decision is what a request gets: the test of all permitted rows, made of decisions already made. Times are of
the thread on its core.
"""

import random
import time
from statistics import quantiles

import msgspec

from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide_within
from salus.agreements.consent.fhir import in_force, read_consent
from salus.index.index import Index, shipped_rules
from salus.index.search_scope import Realm
from salus.index.source import Entry
from tests.agreements.consent.oracle import CODES, ICD, consent

CONSENTS = 50
PATIENTS = 200
ASKED = 2_000
ASKER = Asker("clinic", "physician", "TREAT", 500, frozenset({"Organization/clinic", "urn:salus:member|clinic"}))
TERMS = (Provision("all", "permit", sensitivities=tuple(range(11))),)
NAMES = ("Observation/1", "Observation/2", "Organization/org0", "Patient/p")
rnd = random.Random(1)


class Listed:
    def __init__(self, entries):
        self.entries = entries

    def after(self, number, limit):
        return self.entries[number : number + limit]


def run():
    trees = [consent(rnd, f"c{at}", "p", NAMES) for at in range(CONSENTS)]
    classes = [PolicyClass(kind, rank, "org0", ()) for kind in ("Observation", "Condition", "Patient") for rank in range(11)]  # fmt: skip
    terms = in_force([read_consent({**tree, "status": "active"}) for tree in trees], ASKER)
    decided = [_timed(lambda: decide_within(TERMS, TERMS, terms, ASKER, rnd.choice(classes))) for _ in range(ASKED)]
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        index.catch_up(Listed(list(_entries())))
        realm = [Realm(TERMS, consented=True)]
        first = _timed(lambda: index.search.scope(realm, ASKER))
        cached = [_timed(lambda: index.search.scope(realm, ASKER)) for _ in range(ASKED)]
    return [
        _time(f"consent: decision under {CONSENTS} consents, p99", quantiles(decided, n=100)[98], 5),
        _time(f"consent: scope over {PATIENTS} patients' consents, first", first, None),
        _time("consent: scope, remembered, one patient's part, p99", quantiles(cached, n=100)[98] / PATIENTS, 1),
        _time(
            f"consent: scope over {PATIENTS} patients' consents, remembered, p99", quantiles(cached, n=100)[98], None
        ),
    ]


def _entries():
    number = 0
    for at in range(PATIENTS):
        link = at.to_bytes(16)
        trees = [{"resourceType": "Patient", "id": f"p{at}"}, consent(rnd, f"c{at}", f"p{at}", NAMES)]
        for one in range(3):
            code = {"coding": [{"system": ICD, "code": rnd.choice(CODES)}]}
            subject = {"reference": f"Patient/p{at}"}
            trees.append({"resourceType": "Condition", "id": f"x{at}-{one}", "subject": subject, "code": code})
        for tree in trees:
            number += 1
            yield Entry(number, link, False, tree["resourceType"], tree["id"], 1, msgspec.json.encode(tree))


def _timed(work):
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1000


def _time(name, value, budget):
    return {"name": name, "value": value, "unit": "ms", "limit": None, "ratio": None, "budget": f"<= {budget} ms" if budget else "", "met": budget is None or value <= budget}  # fmt: skip
