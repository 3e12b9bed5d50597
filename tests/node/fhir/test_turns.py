"""Writes that meet: one commit for those that arrive together, one order for those that touch the same, nothing lost."""

import json
import threading
import time

import pytest

from salus.node.errors import EdgeError
from salus.node.fhir.storing import Sealing
from salus.vault.errors import Erased, Stopped, StorageFull
from salus.vault.sealing import Content
from tests.node.fhir.test_rest import patient, pulse

PATIENCE = 120.0


class Disk:
    """Holds the vault's wait for the disk, and counts what is sealed together."""

    def __init__(self, node, monkeypatch):
        self.node = node
        self.groups = []
        self.held, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.fault = None
        segments, vault = node.vault.store.segments, node.vault
        sync, write_all = segments.sync, vault.write_all

        def slow(number):
            self.held.set()
            assert self.go.wait(PATIENCE)
            sync(number)

        def noted(items, lines):
            self.groups.append([f"{content.type}/{content.id}" for _, content in items])
            if self.fault:
                self.fault(items)
            return write_all(items, lines)

        monkeypatch.setattr(segments, "sync", slow)
        monkeypatch.setattr(vault, "write_all", noted)

    def hold(self):
        self.held.clear()
        self.go.clear()

    def waiting(self, server, count):
        """Wait until `count` writes wait for the one that waits for the disk."""
        end = time.monotonic() + PATIENCE
        while len(server._writing.turns._grouping._waiting) < count:
            assert time.monotonic() < end, "the writes did not arrive"
            time.sleep(0.002)


class Askers:
    """Asks on threads of their own."""

    def __init__(self):
        self.answers = {}
        self.threads = []

    def ask(self, name, asked, *told, **headers):
        def run():
            try:
                self.answers[name] = asked(*told, **headers)
            except EdgeError as error:
                self.answers[name] = error
            except (Erased, StorageFull, Stopped) as error:
                self.answers[name] = error

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        return self.answers


@pytest.fixture
def disk(together, monkeypatch):
    one = Disk(together.nodes["north"], monkeypatch)
    yield one
    one.go.set()


@pytest.fixture
def who(doctor):
    return doctor.create(patient())["id"]


def held_by_one(disk, askers, asked, who):
    """Let one write wait for the disk; what comes now goes with the next commit."""
    disk.hold()
    disk.groups.clear()
    askers.ask("first", asked, "POST", "Observation", pulse(who, 1))
    assert disk.held.wait(PATIENCE)


def test_what_arrives_while_the_disk_is_waited_for_goes_with_one_commit(server, doctor, disk, who):
    askers = Askers()
    held_by_one(disk, askers, doctor, who)
    for at in range(5):
        askers.ask(at, doctor, "POST", "Observation", pulse(who, at + 2))
    disk.waiting(server, 5)
    assert doctor.found(f"Observation?patient={who}") == set()  # nothing shows that is not durable
    disk.go.set()
    made = {json.loads(answer.body)["id"] for answer in askers.join().values()}
    assert [len(group) for group in disk.groups] == [1, 5]
    assert doctor.found(f"Observation?patient={who}") == made
    told = [
        one
        for one in doctor.get(f"AuditEvent?patient=Patient/{who}&_count=50")["entry"]
        if one["resource"]["action"] == "C"
    ]
    assert len(told) == 7  # the patient and six observations, a line for each


@pytest.mark.parametrize("if_match", [{}, {"if_match": 'W/"1"'}])
def test_two_writers_of_one_resource_follow_each_other(server, doctor, disk, who, if_match):
    made = doctor.create(pulse(who, 60))
    path = f"Observation/{made['id']}"
    askers = Askers()
    held_by_one(disk, askers, doctor, who)
    askers.ask("one", doctor, "PUT", path, {**made, "language": "de"}, **if_match)
    disk.waiting(server, 1)
    askers.ask("two", doctor, "PUT", path, {**made, "language": "fr"}, **if_match)
    disk.go.set()
    answers = askers.join()
    history = doctor.get(f"{path}/_history")
    if if_match:
        refused = answers["two"]
        assert (refused.code, refused.fault.status) == ("fhir.other-version", 412)
        assert (answers["one"].version, history["total"]) == (2, 2)
    else:
        assert (answers["one"].version, answers["two"].version, history["total"]) == (2, 3, 3)
        assert [one["resource"].get("language") for one in history["entry"]] == ["fr", "de", None]


def test_a_condition_waits_for_what_was_taken_up_before(server, doctor, disk, who):
    askers = Askers()
    held_by_one(disk, askers, doctor, who)
    known = {**pulse(who, 70), "identifier": [{"system": "urn:lab", "value": "7"}]}
    askers.ask("plain", doctor, "POST", "Observation", known)
    disk.waiting(server, 1)
    askers.ask("conditional", doctor, "POST", "Observation", known, if_none_exist="identifier=urn:lab|7")
    disk.go.set()
    answers = askers.join()
    assert (answers["plain"].status, answers["conditional"].status) == (201, 200)
    assert doctor.search("Observation", identifier="urn:lab|7", _summary="count")["total"] == 1


def test_what_consents_are_decided_by_goes_alone(server, doctor, operator, disk, who):
    askers = Askers()
    held_by_one(disk, askers, doctor, who)
    askers.ask("group", operator, "POST", "Organization", {"resourceType": "Organization", "name": "A"})
    askers.ask("later", doctor, "POST", "Observation", pulse(who, 3))
    disk.go.set()
    assert {answer.status for answer in askers.join().values()} == {201}
    assert [len(group) for group in disk.groups] == [1, 1, 1]


def test_one_of_a_group_fails_alone(server, doctor, disk, who):
    askers = Askers()
    held_by_one(disk, askers, doctor, who)

    def full(items):
        if any(b"too big" in content.body for _, content in items):
            raise StorageFull("full")

    disk.fault = full
    askers.ask("good", doctor, "POST", "Observation", pulse(who, 4))
    askers.ask("bad", doctor, "POST", "Observation", {**pulse(who, 5), "note": [{"text": "too big"}]})
    disk.waiting(server, 2)
    disk.go.set()
    answers = askers.join()
    assert isinstance(answers["bad"], StorageFull)
    assert doctor.found(f"Observation?patient={who}") == {
        json.loads(answers[name].body)["id"] for name in ("first", "good")
    }


def test_a_resource_is_waited_for_until_its_last_write_is_indexed(server, together, doctor, who):
    """Also when the one before it is told that it is done in between: who comes third decides on the second."""
    node, turns = together.nodes["north"], server._writing.turns
    name = f"Observation/{doctor.create(pulse(who, 60))['id']}"
    link = node.index.search.own(name)[0].link

    def enlisted(language):
        body = json.dumps({**pulse(who, 60), "id": name.partition("/")[2], "language": language}).encode()
        return turns.enlist(
            Sealing([(link, Content("Observation", name.partition("/")[2], body))], [None], lambda _: [])
        )

    with turns.beside(name):
        first = enlisted("de")
    with turns.beside(name):
        second = enlisted("fr")
    turns.finish(first)
    with turns.beside(name):
        assert second.done
    turns.finish(second)
    assert not turns._listed
