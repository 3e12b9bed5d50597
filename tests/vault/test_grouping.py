"""Group commit: order, results in their places, one failure alone, and nobody waits for ever."""

import threading
import time

import pytest

from salus.vault import journal
from salus.vault.errors import Stopped, StorageFull
from salus.vault.grouping import Grouping
from salus.vault.journal import Disclosure, Side


class Work:
    """Doubles numbers, notes the groups, and can be held."""

    def __init__(self):
        self.groups = []
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()

    def __call__(self, items):
        self.groups.append(list(items))
        self.begun.set()
        assert self.go.wait(60)
        if 13 in items:
            raise StorageFull("13")
        return [2 * item for item in items]


def finish_all(grouping, items):
    """Enlist in order, each finished on a thread of its own; return what each got."""
    found = {}

    def one(ticket):
        try:
            found[ticket.item] = grouping.finish(ticket)
        except StorageFull as error:
            found[ticket.item] = error

    tickets = [grouping.enlist(item) for item in items]
    threads = [threading.Thread(target=one, args=(ticket,)) for ticket in tickets]
    for thread in threads:
        thread.start()
    return found, threads


def joined(threads):
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_what_arrives_while_the_first_is_carried_out_is_carried_out_together():
    work = Work()
    work.go.clear()
    grouping = Grouping(work, 3)
    first, begun = finish_all(grouping, [1])
    assert work.begun.wait(60)
    found, threads = finish_all(grouping, [2, 3, 4, 5])
    work.go.set()
    joined(begun + threads)
    assert first | found == {1: 2, 2: 4, 3: 6, 4: 8, 5: 10}
    assert work.groups == [[1], [2, 3, 4], [5]]


def test_one_that_fails_fails_alone():
    work = Work()
    work.go.clear()
    grouping = Grouping(work, 10)
    _, begun = finish_all(grouping, [1])
    assert work.begun.wait(60)
    found, threads = finish_all(grouping, [2, 13, 3])
    work.go.set()
    joined(begun + threads)
    assert (found[2], found[3]) == (4, 6)
    assert isinstance(found[13], StorageFull)
    assert work.groups == [[1], [2, 13, 3], [2], [13], [3]]


def test_a_fault_of_the_program_leaves_nobody_waiting():
    def broken(_items):
        raise KeyError("a fault")

    grouping = Grouping(broken, 10)
    first, second = grouping.enlist(1), grouping.enlist(2)
    with pytest.raises(KeyError):
        grouping.finish(first)
    with pytest.raises(Stopped):
        grouping.finish(second)


def test_settling_carries_out_what_others_enlisted():
    work = Work()
    grouping = Grouping(work, 10)
    ticket = grouping.enlist(1)
    grouping.settle()
    assert ticket.done
    assert work.groups == [[1]]
    assert grouping.finish(ticket) == 2
    assert work.groups == [[1]]


def test_lines_that_are_written_meanwhile_share_a_commit(vault, monkeypatch):
    link, commits = vault.open_link("mrn", "1"), []
    looks = {who: Disclosure(Side.CUSTODIAN, link, "south", who, "doctor", "TREAT", "read", ()) for who in "abcd"}
    begun, go, append = threading.Event(), threading.Event(), journal.append_lines

    def slow(store, lines):
        commits.append([line.person for line in lines])
        begun.set()
        assert go.wait(60)
        return append(store, lines)

    monkeypatch.setattr(journal, "append_lines", slow)
    entries = {}
    threads = [
        threading.Thread(target=lambda who=who: entries.update({who: vault.journal([looks[who]])})) for who in looks
    ]
    threads[0].start()
    assert begun.wait(60)
    for at, thread in enumerate(threads[1:], 1):
        thread.start()
        end = time.monotonic() + 60
        while len(vault._lines._waiting) < at:
            assert time.monotonic() < end
            time.sleep(0.001)
    go.set()
    joined(threads)
    assert commits == [["a"], ["b", "c", "d"]]
    found = vault.lines(Side.CUSTODIAN, link)
    assert [(one.entry, one.disclosure.person) for one in found] == [(entries[who][0], who) for who in "abcd"]
