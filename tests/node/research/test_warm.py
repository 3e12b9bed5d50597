"""Rows of views kept between questions: the same frame as without, nothing opened twice, nothing kept of what is gone."""

import json

import numpy as np
import pytest

from salus.agreements.consent.slip import SlipTerms, provisions
from salus.agreements.research.document import read
from salus.index import columns
from salus.index.errors import Unusable
from salus.interop.fhir.times import EARLIEST, LATEST
from salus.node.anchoring import anchor
from salus.node.research import choices, figures, warm
from salus.node.research.wire import Counted

from .hospitals import TABLE, YEARS, coded, fill, found

PERSONS = 18
HIV = "86406008"
QUERY = read(json.dumps(TABLE | {"statistic": {"kind": "ols", "outcome": "years", "on": ["gout", "obese"]}}).encode())
CLASSES = (choices.OPEN, (*choices.OPEN, "sexual-health"), ("general",), ())
FILTERS = ((), ("Patient", "Condition?code=http://snomed.info/sct|90560007", "Observation"))


@pytest.fixture(scope="module")
def north(tmp_path_factory):
    together = found(tmp_path_factory.mktemp("warm"), "north")
    node = together.nodes["north"]
    fill(node, PERSONS)
    yield node
    together.close()


def written(node, link, content):
    """Write a record; return its number once it is indexed."""
    (ref,) = node.vault.write(link, [content])
    anchor(node)
    node.catch_up()
    return ref.number


def person(link, *, classes=choices.OPEN, filters=(), end=LATEST):
    terms = SlipTerms(choices.NOBODY, (), (choices.PURPOSE,), EARLIEST, end, classes, filters=filters)
    return choices.Person(Counted(link, choices.NO_CHOICE), provisions(terms))


def patients(node):
    house = node.vault.house_link()
    return sorted(link for link in node.vault.links() if link != house)


def asked(node, persons, query=QUERY):
    return warm.warm_frame(node, query, persons, node.index.position())


def opened(node, persons, query=QUERY):
    """The same frame over every record that each person's terms open, without what is kept."""

    def owned():
        for one in persons:
            for record in node.vault.open_many(choices.numbers(node, one)):
                if record.content.body:
                    yield one.counted.link.hex(), json.loads(record.content.body)

    return figures.owned_frame(query, owned())


def same(one, other):
    return one.patients == other.patients and all(
        np.array_equal(one.columns[name], other.columns[name]) for name in one.columns
    )


def kept(node, number):
    sql = "SELECT count(*) FROM view_rows WHERE entry = ?"
    ((count,),) = node.index._store.ask(sql, (number,))
    return count


class Opening:
    """A vault that counts what is opened."""

    def __init__(self, vault):
        self.vault, self.numbers = vault, []

    def __getattr__(self, name):
        return getattr(self.vault, name)

    def open_many(self, numbers):
        self.numbers += numbers
        return self.vault.open_many(numbers)


@pytest.fixture
def opening(north, monkeypatch):
    counted = Opening(north.vault)
    monkeypatch.setattr(north, "vault", counted)
    return counted


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("classes", CLASSES, ids=lambda one: "-".join(one) or "nothing")
def test_kept_or_not_the_frame_is_that_of_what_each_choice_opens(north, classes, filters):
    links = patients(north)
    persons = [
        person(link, classes=classes if place % 3 else choices.OPEN, filters=filters, end=LATEST - place)
        for place, link in enumerate(links[:-2])
    ]
    first = asked(north, persons)
    assert same(first, opened(north, persons))
    assert same(asked(north, persons), first)


def test_a_record_is_opened_once_and_a_newer_version_replaces_what_was_kept(north, opening):
    persons = [person(link) for link in patients(north)]
    asked(north, persons)
    opening.numbers.clear()
    before = asked(north, persons)
    assert opening.numbers == []
    links = patients(north)
    observation = north.index.chart([links[0]]).lines
    (line,) = [one for one in observation if one.type == "Observation"]
    place = before.patients.index(links[0].hex())
    value = 1 if before.columns["years"][place] != 1 else 2
    newer = written(north, links[0], coded("Observation", line.id, "years", links[0].hex(), valueInteger=value))
    opening.numbers.clear()  # the index read it
    after = asked(north, persons)
    assert opening.numbers == [newer]
    assert after.columns["years"][place] == value
    assert (kept(north, line.number), kept(north, newer)) == (0, 1)
    assert same(after, opened(north, persons))


def test_what_is_kept_is_not_what_may_be_seen(north, opening):
    """A choice that opens more, and one that opens less, find the same rows kept: who may see what is no part of them."""
    link = patients(north)[0]
    hidden = written(north, link, coded("Condition", "h0", HIV, link.hex()))
    assert opened(north, [person(link)]).count == opened(north, [person(link, classes=CLASSES[1])]).count
    query = read(json.dumps(TABLE | {
        "columns": [{"kind": "reduce", "name": "hiv", "view": "conditions", "by": "exists", "levels": ["0", "1"],
                     "where": [{"column": "code", "codes": [HIV]}]}],
        "statistic": {"kind": "table", "by": ["hiv"]},
    }).encode())  # fmt: skip
    opening.numbers.clear()
    assert list(asked(north, [person(link)], query).columns["hiv"]) == ["0"]
    assert hidden not in opening.numbers
    assert list(asked(north, [person(link, classes=CLASSES[1])], query).columns["hiv"]) == ["1"]
    assert kept(north, hidden) == 1
    assert list(asked(north, [person(link)], query).columns["hiv"]) == ["0"]


def test_an_erased_link_and_a_withdrawn_record_leave_nothing_behind(north):
    *_, gone, misfiled = patients(north)
    number = written(north, misfiled, coded("Condition", "m0", "90560007", misfiled.hex()))
    persons = [person(gone), person(misfiled)]
    asked(north, persons)
    numbers = choices.numbers(north, persons[0])
    assert kept(north, number) == 1
    assert sum(kept(north, one) for one in numbers) >= 2
    north.vault.withdraw(misfiled, "Condition", "m0")
    north.index.withdraw([number])
    north.index.forget(gone)
    assert [kept(north, one) for one in (number, *numbers)] == [0] * (1 + len(numbers))
    north.index.columns.keep(1, [(number, b"\x90")])  # who was reading meanwhile does not bring it back
    assert kept(north, number) == 0


def test_a_view_that_nobody_asks_for_is_put_out(north, monkeypatch):
    monkeypatch.setattr(columns, "MAX_VIEWS", 2)
    links = patients(north)[:3]
    persons = [person(link) for link in links]
    asked(north, persons)
    (observation,) = [one for one in north.index.chart([links[0]]).lines if one.type == "Observation"]
    for name in ("one", "two", "three"):
        other = json.loads(json.dumps(YEARS))
        other["select"][0]["column"].append({"name": name, "path": "status"})
        document = TABLE | {"views": [*TABLE["views"][:2], other], "statistic": {"kind": "mean", "of": "years"}}
        assert asked(north, persons, read(json.dumps(document).encode())).count == 3
    assert kept(north, observation.number) <= 2


def test_an_index_that_cannot_write_answers_all_the_same(north, monkeypatch):
    persons = [person(link) for link in patients(north)]
    whole = asked(north, persons)

    def full(*_):
        raise Unusable("full")

    for name in ("keep", "view"):
        monkeypatch.setattr(columns.Columns, name, full)
        assert same(asked(north, persons), whole)
