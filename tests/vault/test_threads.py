import threading

import pytest

from salus.vault.errors import Damaged
from tests.vault.conftest import observation


def test_a_reader_does_not_wait_for_a_writer_that_waits_for_the_disk(vault):
    link = vault.open_link("mrn", "1")
    vault.write(link, [observation("a")])
    waiting, go_on = threading.Event(), threading.Event()
    real = vault.store.segments.sync

    def slow(number):
        waiting.set()
        go_on.wait(60)
        real(number)

    vault.store.segments.sync = slow
    writer = threading.Thread(target=vault.write, args=(link, [observation("b")]))
    writer.start()
    waiting.wait(60)
    assert vault.open(1).content == observation("a")
    assert len(vault.of_link(link)) == 1
    go_on.set()
    writer.join()
    assert len(vault.of_link(link)) == 2


def test_writers_of_many_threads_keep_one_chain_for_each_link(vault):
    links = vault.open_links([("mrn", str(i)) for i in range(3)])

    def work(name):
        for i in range(10):
            vault.write_all([(link, observation(f"{name}-{i}")) for link in links])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(vault.of_link(link)) for link in links] == [30, 30, 30]
    assert vault.check().damage == ()


def test_a_record_that_moves_while_it_is_read_is_read_where_it_went(vault, monkeypatch):
    gone, kept = vault.open_links([("mrn", "1"), ("mrn", "2")])
    vault.write_all([(gone, observation("g")), (kept, observation("k"))])
    real = vault.store.segments.read
    moves = [lambda: vault.erase_link(gone)]

    def meanwhile(number, offset, length):
        if offset != 0 and moves:
            moves.pop()()
        return real(number, offset, length)

    monkeypatch.setattr(vault.store.segments, "read", meanwhile)
    assert vault.open(2).content == observation("k")
    vault.store.db.execute("UPDATE record SET length = length + 1")
    with pytest.raises(Damaged):
        vault.open(2)
