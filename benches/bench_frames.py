"""Frames over sealed records: cold against the vault's opening rate, warm against cold; a count over eight warm custodians.

The frame is that of a document whose view has eight columns; the vault opens the same records in the same process. All
members of the network run in this process, one after the other: in a consortium they compute side by side.
"""

import json
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benches.bench_view import VIEW, observation
from salus.agreements.research.document import read
from salus.node.anchoring import anchor
from salus.node.research import choices
from salus.node.research.warm import warm_frame
from salus.node.research.wire import Counted
from salus.vault.sealing import Content
from tests.node.research import hospitals

PERSONS, EACH = 1_000, 20
CUSTODIANS, COUNTED = 8, 2_000
COLUMNS = [
    {"kind": "reduce", "name": "high", "view": "glucose", "by": "max", "column": "value", "bounds": [0, 40]},
    {"kind": "reduce", "name": "tests", "view": "glucose", "by": "count", "bounds": [0, 1000]},
]
DOCUMENT = {
    "format": 1,
    "title": "Highest glucose",
    "persons": "persons",
    "views": [hospitals.PERSONS, VIEW | {"name": "glucose"}],
    "columns": COLUMNS,
    "statistic": {"kind": "mean", "of": "high"},
}


def run():
    with tempfile.TemporaryDirectory() as folder:
        return [*_frames(Path(folder) / "one"), _count(Path(folder) / "eight")]


def _frames(folder):
    folder.mkdir()
    with closing(hospitals.found(folder, "north")) as together:
        node = together.nodes["north"]
        persons = _persons(_measured(node))
        numbers = [number for person in persons for number in choices.numbers(node, person)]
        query, until = read(json.dumps(DOCUMENT).encode()), node.index.position()
        opening = len(numbers) / _best(lambda: node.vault.open_many(numbers))
        first = _spent(lambda: warm_frame(node, query, persons, until))
        again = _best(lambda: warm_frame(node, query, persons, until))
    cold, warm = len(numbers) / first, len(numbers) / again
    return [
        _figure("research: cold frame, records", cold, "1/s", opening, "vault's opening rate", 0.2),
        _figure("research: warm frame, records", warm, "1/s", cold, "cold frame", 20),
    ]


def _measured(node):
    """Write persons with measurements; return their links."""
    links = node.vault.open_links([("urn:mrn", str(number)) for number in range(PERSONS)])
    items = []
    for number, link in enumerate(links):
        items.append((link, _content({"resourceType": "Patient", "id": f"p{number}", "gender": "female"})))
        for each in range(EACH):
            body = observation(number * EACH + each) | {"subject": {"reference": f"Patient/p{number}"}}
            items.append((link, _content(body)))
    for at in range(0, len(items), 5_000):
        node.vault.write_all(items[at : at + 5_000])
    anchor(node)
    node.catch_up()
    return links


def _content(body):
    return Content(body["resourceType"], body["id"], json.dumps(body).encode())


def _persons(links):
    terms = choices.without_choice()
    return [choices.Person(Counted(link, choices.NO_CHOICE), terms) for link in sorted(links)]


def _count(folder):
    folder.mkdir()
    names = tuple(f"hospital-{number}" for number in range(CUSTODIANS))
    with closing(hospitals.found(folder, *names)) as together:
        for name in names:
            hospitals.fill(together.nodes[name], COUNTED)
        data_sets = {name: hospitals.offer(together, name) for name in names}
        granted = hospitals.permit(together, data_sets)
        asked = tuple(data_sets.values())

        def question(variance):
            query = hospitals.ask(together, granted, hospitals.COUNT, asked, variance=variance)
            return hospitals.answer(together, query, *names)

        question(100)
        spent = _spent(lambda: question(101))
    name = f"research: a count over {CUSTODIANS} warm custodians of {COUNTED} persons"
    return {
        "name": name,
        "value": spent,
        "unit": "s",
        "limit": None,
        "ratio": None,
        "budget": "<= 2 s, all in one process",
        "met": spent <= 2,
    }


def _spent(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _best(work):
    return min(_spent(work) for _ in range(3))


def _figure(name, value, unit, limit, of, least):  # noqa: PLR0917 -- a line of the table
    ratio = value / limit
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "ratio": ratio,
        "budget": f">= {least:g} x {of}",
        "met": ratio >= least,
    }
