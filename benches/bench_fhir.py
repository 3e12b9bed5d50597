"""The FHIR server in process, encrypted, journalled and anchored: import, create and read, and a mix of searches.

Own generator: 100 resources per patient. Searches are sampled at run time over a mix of kinds; each is timed with
consent scope, journal line and opened bodies. The limit of import and of single writes is the vault's own rate of
sealing the same bodies, one by one or together, in the same run. CPU is told apart, because a busy machine makes everything
slow that is measured by the clock. SALUS_BENCH_PATIENTS=10000, as `make soak` sets it, is 10^6.
"""

import json
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles
from urllib.parse import parse_qsl

from salus.cli.serve import keep_loaded
from salus.contracts.membership.port import Role
from salus.node.anchoring import anchor
from salus.node.fhir.answers import Request
from salus.node.fhir.server import FhirServer
from salus.node.together import Clock, Founder, found_together
from salus.node.usecase import Caller, Kind
from salus.vault.sealing import Content

PATIENTS = int(os.environ.get("SALUS_BENCH_PATIENTS", "1000"))
EACH = 100
SINGLE = 400
CLIENTS = 16
ASKED = int(os.environ.get("SALUS_BENCH_ASKED", "100"))  # of each kind: p99 is the slowest but one of a hundred
DOCTOR = Caller(Kind.PERSON, "north", "s-1", "physician", ("TREAT",))
LOINC = ("8867-4", "8480-6", "8462-4", "2339-0", "718-7", "29463-7", "8302-2", "8310-5", "9279-1", "4548-4")
ICD = ("I10", "E11.9", "J20.9", "M54.5", "K21.9", "F32.1")
NAMES = ("Ada", "Bob", "Cyd", "Dan", "Eve", "Fay", "Gus", "Hal")
rnd = random.Random(1)


def patient(number):
    return {"resourceType": "Patient", "name": [{"family": f"Family{number % 211}", "given": [rnd.choice(NAMES)]}], "gender": rnd.choice(("male", "female")),
            "birthDate": f"19{rnd.randint(30, 99)}-0{rnd.randint(1, 9)}-1{rnd.randint(0, 9)}", "identifier": [{"system": "urn:mrn", "value": str(number)}]}  # fmt: skip


def clinical(who):
    when = f"20{rnd.randint(10, 25)}-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02}"
    if rnd.random() < 0.15:
        return {"resourceType": "Condition", "subject": {"reference": who}, "onsetDateTime": when, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": rnd.choice(ICD)}]},
                "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}}  # fmt: skip
    return {"resourceType": "Observation", "status": "final", "subject": {"reference": who}, "effectiveDateTime": when + "T08:30:00Z",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": rnd.choice(("laboratory", "vital-signs"))}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": rnd.choice(LOINC), "display": "A measurement of something"}]},
            "valueQuantity": {"value": rnd.randint(10, 2000) / 10, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
            "note": [{"text": "x" * 600}]}  # fmt: skip


def transaction(number):
    who = f"urn:uuid:00000000-0000-4000-8000-{number:012}"
    entries = [{"fullUrl": who, "request": {"method": "POST", "url": "Patient"}, "resource": patient(number)}]
    for _ in range(EACH - 1):
        one = clinical(who)
        entries.append({"request": {"method": "POST", "url": one["resourceType"]}, "resource": one})
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


MIX = {
    "patient by identifier": lambda _: f"Patient?identifier=urn:mrn|{rnd.randrange(PATIENTS)}",
    "patient by name": lambda _: f"Patient?name=family{rnd.randrange(211)}",
    "patient by name and birth date": lambda _: f"Patient?family=family{rnd.randrange(211)}&birthdate=ge1960",
    "patient by gender and given": lambda _: f"Patient?gender=female&given={rnd.choice(NAMES)}&_count=20",
    "patients with a code": lambda _: (
        f"Patient?_has:Condition:patient:code={rnd.choice(ICD)}&family=family{rnd.randrange(211)}"
    ),
    "conditions": lambda ids: f"Condition?patient={rnd.choice(ids)}",
    "conditions by status": lambda ids: f"Condition?patient={rnd.choice(ids)}&clinical-status=active",
    "observations": lambda ids: f"Observation?patient={rnd.choice(ids)}&_count=20",
    "observations by category": lambda ids: f"Observation?patient={rnd.choice(ids)}&category=laboratory",
    "observations by code": lambda ids: (
        f"Observation?patient={rnd.choice(ids)}&code=http://loinc.org|{rnd.choice(LOINC)}"
    ),
    "observations by category and date": lambda ids: (
        f"Observation?patient={rnd.choice(ids)}&category=laboratory&date=ge2020"
    ),
    "observations sorted": lambda ids: f"Observation?patient={rnd.choice(ids)}&_sort=-date&_count=10",
    "observations and patient": lambda ids: (
        f"Observation?patient={rnd.choice(ids)}&_include=Observation:patient&_count=10"
    ),
    "patient and observations": lambda ids: f"Patient?_id={rnd.choice(ids)}&_revinclude=Observation:patient",
    "chain by identifier": lambda _: f"Observation?patient.identifier=urn:mrn|{rnd.randrange(PATIENTS)}&_count=20",
    "composite": lambda ids: (
        f"Observation?code-value-quantity={rnd.choice(LOINC)}$gt{rnd.randint(190, 199)}&patient={rnd.choice(ids)}"
    ),
    "value of a patient": lambda ids: f"Observation?patient={rnd.choice(ids)}&value-quantity=gt150",
    "compartment": lambda ids: f"Patient/{rnd.choice(ids)}/Observation?_count=20",
    "read": lambda ids: f"Patient/{rnd.choice(ids)}",
    "everything": lambda ids: f"Patient/{rnd.choice(ids)}/$everything?_count=50",
    "all with a code": lambda _: f"Observation?code={rnd.choice(LOINC)}&_count=10",
    "all of a day": lambda _: (
        f"Observation?date=20{rnd.randint(10, 25)}-0{rnd.randint(1, 9)}-1{rnd.randint(0, 9)}&_count=10"
    ),
}


def ask(server, text):
    path, _, query = text.partition("?")
    return server.answer(DOCTOR, "", Request("GET", path, tuple(parse_qsl(query))))


def run():
    with tempfile.TemporaryDirectory() as folder:
        together = found_together(Path(folder), (Founder("north", "North", (Role.PROVIDER,)),), clock=Clock())
        try:
            return _figures(together.nodes["north"])
        finally:
            together.close()


def _figures(node):
    server = FhirServer(node)
    server.answer(DOCTOR, "", Request("POST", "", (), transaction(PATIENTS)))  # what is compiled at first use
    keep_loaded()  # as `salus serve` does
    spent = burnt = 0.0
    for at in range(PATIENTS):
        body = transaction(at)
        start, busy = time.perf_counter(), time.process_time()
        server.answer(DOCTOR, "", Request("POST", "", (), body, {"prefer": "return=minimal"}))
        if at % 10 == 9:
            anchor(node)
        spent += time.perf_counter() - start
        burnt += time.process_time() - busy
    imported = PATIENTS * EACH / spent
    bodies = [json.dumps(clinical("Patient/x")).encode() for _ in range(2_000)]
    link = node.vault.open_link("urn:bench", "1")
    start = time.perf_counter()
    for at in range(0, len(bodies), EACH):
        node.vault.write(
            link, [Content("Observation", f"b{at + n}", body) for n, body in enumerate(bodies[at : at + EACH])]
        )
    sealed = len(bodies) / (time.perf_counter() - start)
    start = time.perf_counter()
    for at in range(SINGLE):
        node.vault.write(link, [Content("Observation", f"s{at}", bodies[at])])
    alone = SINGLE / (time.perf_counter() - start)
    node.catch_up()
    ids = [hit["resource"]["id"] for hit in json.loads(ask(server, "Patient?_count=1000").body)["entry"]]
    busy = time.process_time()
    crud = _crud(server, ids)
    busy = time.process_time() - busy
    many, together = _many(node, server, ids)
    by_kind = {name: sorted(_timed(server, make(ids)) for _ in range(ASKED)) for name, make in MIX.items()}
    every = [one for times in by_kind.values() for one in times]
    cuts = quantiles(every, n=100)
    figures = [
        _rate("fhir: import by transactions of 100", imported, sealed, 2_000),
        _rate("fhir: create, read, update, read", crud, alone, 500),
        _rate("fhir: sixteen clients creating", many, alone, None),
        {
            "name": "fhir: sixteen clients creating, writes in one commit",
            "value": together,
            "unit": "",
            "limit": None,
            "ratio": None,
            "budget": "",
            "met": True,
        },
        _time("fhir: import, CPU of one resource", burnt / PATIENTS / EACH * 1000, None),
        _time("fhir: create, read, update, read, CPU of one request", busy / SINGLE * 1000, None),
        _time(f"fhir: search mix, p50 of {PATIENTS * EACH} resources", cuts[49], 10),
        _time("fhir: search mix, p99", cuts[98], None),
    ]
    for name, times in by_kind.items():
        figures += [
            _time(f"fhir: {name}, p50", times[len(times) // 2], None),
            _time(f"fhir: {name}, p99", times[len(times) * 99 // 100 - 1], None),
        ]
    return figures


def _crud(server, ids):
    done = 0
    start = time.perf_counter()
    while done < SINGLE:
        body = clinical(f"Patient/{rnd.choice(ids)}")
        made = json.loads(
            server.answer(DOCTOR, "", Request("POST", body["resourceType"], (), json.dumps(body).encode())).body
        )
        path = f"{made['resourceType']}/{made['id']}"
        ask(server, path)
        changed = json.dumps({**made, "language": "en"}).encode()
        server.answer(DOCTOR, "", Request("PUT", path, (), changed))
        ask(server, path)
        done += 4
    return done / (time.perf_counter() - start)


def _many(node, server, ids):
    """Return how many resources a second sixteen clients create, each waiting for its answer, and how many share a commit."""
    bodies = iter([clinical(f"Patient/{rnd.choice(ids)}") for _ in range(SINGLE)])
    segments, commits = node.vault.store.segments, []
    sync, taking = segments.sync, threading.Lock()
    segments.sync = lambda number: commits.append(number) or sync(number)

    def client():
        while True:
            with taking:
                body = next(bodies, None)
            if body is None:
                return
            server.answer(DOCTOR, "", Request("POST", body["resourceType"], (), json.dumps(body).encode()))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    start = time.perf_counter()
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    spent = time.perf_counter() - start
    segments.sync = sync
    return SINGLE / spent, SINGLE / len(commits)


def _timed(server, text):
    start = time.perf_counter()
    ask(server, text)
    return (time.perf_counter() - start) * 1000


def _rate(name, value, limit, budget):
    return {"name": name, "value": value, "unit": "1/s", "limit": limit, "ratio": value / limit, "budget": f">= {budget:,}/s" if budget else "", "met": budget is None or value >= budget}  # fmt: skip


def _time(name, value, budget):
    return {"name": name, "value": value, "unit": "ms", "limit": None, "ratio": None, "budget": f"<= {budget} ms" if budget else "", "met": budget is None or value <= budget}  # fmt: skip
