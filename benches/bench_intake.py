"""FHIR intake and the index on the shipped samples, per CPU second of one core; charts in wall time.

Intake is gate, splice, facts, placement and sensitivity of resources of 1.4 to 3 KB. Its limit is msgspec decoding the
same bytes in the same run; the index's limit is intake itself, because catching up reads every body again.
"""

import gzip
import hashlib
import tempfile
import time
from pathlib import Path

import msgspec

from salus.agreements.consent.decide import Asker, PolicyClass, decide
from salus.agreements.consent.slip import SlipTerms, provisions
from salus.index.index import Choice, Index, shipped_rules
from salus.index.source import Entry
from salus.interop.fhir.bundle import read_bundle
from salus.interop.fhir.compartment import patient_of
from salus.interop.fhir.facts import facts
from salus.interop.fhir.gate import read_ndjson
from salus.interop.fhir.sensitivity import classify
from salus.interop.fhir.splice import Rewriting, splice
from salus.interop.fhir.tokens import LIMITS, decode

SAMPLES = Path(__file__).parent.parent / "samples"
RECORDS = 10_000
CHART = 2_000
ROUNDS = 3
KEY = bytes(32)
RULES = shipped_rules()


class Listed:
    def __init__(self, entries):
        self.entries = entries

    def after(self, number, limit):
        return self.entries[number : number + limit]


def run():
    lines = [
        line for path in sorted(SAMPLES.glob("*.ndjson.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    typical = [line for line in lines if 1_400 <= len(line) <= 3_000]
    typical = (typical * (RECORDS // len(typical) + 1))[:RECORDS]
    floor = max(_rate(_decoded, typical) for _ in range(ROUNDS))
    taken = max(_rate(_taken_in, typical) for _ in range(ROUNDS))
    bundle = b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":%b}]}' % b'},{"resource":'.join(typical)
    bundled = max(_rate(lambda _: read_bundle(bundle), typical) for _ in range(ROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        indexed, reopened, permitted = _index(Path(folder), _entries(lines))
    return [
        _figure("intake: gate, splice, facts, class", taken, "resources/s", floor, 8_000),
        _figure("intake: read from one Bundle", bundled, "resources/s", floor, None),
        _figure("index: caught up with search values", indexed, "rows/s", taken, 2_500),
        _time("index: chart of 2,000 records, reopened", reopened, 200),
        _time("index: 2,000 records under a slip, decided and selected", permitted, 200),
        _time("consent: one decision", _decision(), 0.1),
    ]


def _rate(work, lines) -> float:
    start = time.process_time()
    work(lines)
    return len(lines) / (time.process_time() - start)


def _decoded(lines) -> None:
    for line in lines:
        decode(line, LIMITS.resource_bytes, LIMITS)


def _taken_in(lines) -> None:
    for number, resource in enumerate(read_ndjson([b"\n".join(lines)])):
        patient = next((text for text in resource.references if text.startswith("Patient/")), "Patient/x")
        spliced = splice(resource, Rewriting(renamed={patient: "Patient/here"}), f"r-{number}")
        found = facts(resource, spliced.changed, spliced.id)
        patient_of(resource, found, spliced.changed, lambda _: "")
        classify(found, resource.codings, RULES)


def _entries(lines) -> list[Entry]:
    entries = []
    for number, resource in enumerate(read_ndjson([b"\n".join(lines)]), 1):
        patient = patient_of(resource, facts(resource, {}), {}, lambda _: "")
        link = hashlib.sha256(patient[-4:].encode()).digest()[:16]
        entries.append(
            Entry(number, link, lease=False, type=resource.type, id=resource.id, version=1, body=resource.raw)
        )
    return entries


def _index(folder: Path, entries) -> tuple[float, float, float]:
    counts = {}
    for entry in entries:
        counts[entry.link] = counts.get(entry.link, 0) + 1
    busiest = max(counts, key=counts.get)
    own = [entry for entry in entries if entry.link == busiest]
    chart = [msgspec.structs.replace(own[n % len(own)], id=f"r-{n}") for n in range(CHART)]
    others = [entry for entry in entries if entry.link != busiest]
    numbered = [msgspec.structs.replace(entry, number=n) for n, entry in enumerate([*others, *chart], 1)]
    rates = []
    for attempt in range(ROUNDS):
        path = folder / f"index-{attempt}.db"
        with Index(path, key=KEY, rules=RULES) as index:
            start = time.process_time()
            index.catch_up(Listed(numbered))
            rates.append(len(numbered) / (time.process_time() - start))
    terms = provisions(
        SlipTerms("clinic", (), ("TREAT",), 0, 1000, ("general", "medication", "laboratory"), since=1, filters=("Observation", "Condition"))
    )  # fmt: skip
    asker = Asker("clinic", "physician", "TREAT", 500)
    charts, slips = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with Index(path, key=KEY, rules=RULES) as index:
            page = index.chart([busiest], Choice(limit=CHART))
            charts.append(time.perf_counter() - start)
            start = time.perf_counter()
            index.permitted(busiest, terms, asker, Choice(limit=CHART))
            slips.append(time.perf_counter() - start)
    if len(page.lines) != CHART:
        raise ValueError(f"the chart has {len(page.lines)} lines")
    return max(rates), min(charts) * 1000, min(slips) * 1000


def _decision() -> float:
    terms = provisions(SlipTerms("clinic", (), ("TREAT",), 0, 1000, ("general",), filters=("Observation", "Condition")))
    asker = Asker("clinic", "physician", "TREAT", 500)
    row_class = PolicyClass("Condition", 0, "h", ())
    start = time.process_time()
    for _ in range(10_000):
        decide(terms, asker, row_class)
    return (time.process_time() - start) / 10


def _figure(name, value, unit, limit, budget):
    return {
        "name": name, "value": value, "unit": unit, "limit": limit, "ratio": value / limit,
        "budget": f">= {budget:,}/s" if budget else "", "met": not budget or value >= budget,
    }  # fmt: skip


def _time(name, milliseconds, budget):
    return {
        "name": name, "value": milliseconds, "unit": "ms", "limit": None, "ratio": None,
        "budget": f"<= {budget} ms", "met": milliseconds <= budget,
    }  # fmt: skip
