"""What was learnt from the vault waits for its commit until somebody asks, and nobody notices."""

import json
import threading

import apsw
import pytest

from salus.index import store as stores
from salus.index.errors import Unusable
from salus.index.index import EVERYTHING, Index, shipped_rules
from salus.index.source import Entry

KEY, LINK = bytes(range(32)), bytes(16)


class Listed:
    def __init__(self):
        self.entries = []

    def add(self, own):
        number = len(self.entries) + 1
        body = json.dumps({"resourceType": "Basic", "id": own, "code": {"text": own}}).encode()
        self.entries.append(Entry(number, LINK, False, "Basic", own, 1, body))

    def after(self, number, limit):
        return self.entries[number:][:limit]


@pytest.fixture
def source():
    return Listed()


@pytest.fixture
def index(tmp_path):
    with Index(tmp_path / "index.db", key=KEY, rules=shipped_rules()) as index:
        index.position()
        index.catch_up(Listed())
        yield index


def add(index, source, *names):
    for name in names:
        source.add(name)
        index.catch_up(source)


def named(index, *names):
    return [name for name in names if index.search.named(f"Basic/{name}", EVERYTHING)]


def committed(index):
    """Return how many records another connection sees."""
    reader = index._store._connect(apsw.SQLITE_OPEN_READONLY)
    try:
        return reader.execute("SELECT count(*) FROM entry").fetchone()[0]
    finally:
        reader.close()


def fail(store):
    with store.transaction(later=1) as db:
        db.execute("DELETE FROM entry")
        db.execute("no statement")


def test_records_wait_until_somebody_asks(index, source):
    add(index, source, "a", "b", "c")
    asked = committed(index)
    assert asked < 3  # the first, after a question, did not wait
    assert named(index, "a", "b", "c") == ["a", "b", "c"]
    assert committed(index) == asked  # what is found by a key is found without a commit
    assert index.position() == 3
    assert committed(index) == 3
    add(index, source, "d")
    assert committed(index) == 4  # the writer commits at once while questions come
    add(index, source, "e")
    assert committed(index) == 4
    assert index.chart([LINK]).total == 5


def test_enough_records_are_committed_without_a_question(index, source, monkeypatch):
    monkeypatch.setattr(stores, "WAITING", 3)
    add(index, source, "a")
    before = committed(index)
    add(index, source, "b", "c", "d", "e", "f", "g")
    assert committed(index) == before + 6


def test_other_changes_commit_what_waits(index, source):
    add(index, source, "a", "b", "c")
    index.hide_leases()
    assert committed(index) == 3
    add(index, source, "d", "e")
    assert index.forget(LINK) == 5
    assert committed(index) == 0


def test_what_waits_is_there_when_the_index_is_opened_again(tmp_path, source):
    for names in (("a", "b"), ("c", "d")):
        with Index(tmp_path / "index.db", key=KEY, rules=shipped_rules()) as index:
            add(index, source, *names)
    with Index(tmp_path / "index.db", key=KEY, rules=shipped_rules()) as index:
        assert index.position() == 4


def test_a_batch_that_fails_takes_nothing_along(index, source):
    add(index, source, "a", "b")
    with pytest.raises(Unusable):
        fail(index._store)
    assert named(index, "a", "b") == ["a", "b"]
    assert index.position() == 2
    assert not index.behind


def test_attack_what_was_found_and_could_not_be_committed_is_caught_up(index, source):
    add(index, source, "a", "b", "c")
    before = committed(index)
    index._store._writer.set_commit_hook(lambda: True)  # as a full disk: the commit is refused and rolled back
    with pytest.raises(Unusable):
        index.position()
    assert index.behind
    assert len(named(index, "a", "b", "c")) == before
    index._store._writer.set_commit_hook(None)
    assert index.catch_up(source).records == 3 - before
    assert not index.behind
    assert named(index, "a", "b", "c") == ["a", "b", "c"]


def test_questions_of_others_find_what_was_written_before(index, source):
    wrong, done = [], threading.Event()

    def ask():
        while not done.is_set():
            before = len(source.entries) - 1
            if index.position() < before:
                wrong.append(before)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for one in askers:
        one.start()
    add(index, source, *(f"x{at}" for at in range(60)))
    done.set()
    for one in askers:
        one.join()
    assert wrong == []
    assert index.position() == 60
