"""Leaves of a population, drawn by the block after the begin: opened to who may audit, and a custodian that lies is told."""

from types import SimpleNamespace

import msgspec
import pytest

from salus.core.encoding import decode
from salus.node.anchoring import anchor
from salus.node.erasing import _delete_here
from salus.node.errors import Conflict
from salus.node.exchange.wire import RemoteRefusal
from salus.node.research import answering, audit_population, auditing, choices, wire
from salus.node.research.auditing import AuditPopulation
from salus.node.wallet import studying

from .hospitals import COUNT, answer, ask, choose, fill, found, level, offer, permit, wallet_at

PERSONS = 6


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A hospital that counted six who chose it, of twelve: network, links, wallets, and what `ask` needs."""
    together = found(tmp_path_factory.mktemp("audit"), "north", others=("body", "company"))
    links = fill(together.nodes["north"], 2 * PERSONS)
    wallets = [wallet_at(together, "north", link) for link in links[:PERSONS]]
    for one in wallets:
        choose(one, "north")
    data_set = offer(together, "north", by_consent=True)
    granted = permit(together, {"north": data_set})
    query = ask(together, granted, COUNT, (data_set,))
    answer(together, query, "north")
    yield together, wallets, granted, data_set, query
    together.close()


def later(together):
    """Have a block follow."""
    north = together.nodes["north"]
    fill(north, 1)
    anchor(north)
    level(together)


def audited(counted, member="body", query=None):
    together, _, _, data_set, first = counted
    later(together)
    return audit_population(together.nodes[member], AuditPopulation(query=query or first, data_set=data_set))


def test_drawn_leaves_open_to_choices_on_the_ledger_and_to_nobody_else(counted):
    together, _, granted, data_set, _ = counted
    told = audited(counted)
    assert (told.sound, told.faults, told.custodian, told.points) == (True, (), "north", 32)
    assert 0 < told.leaves <= PERSONS
    assert (told.choices, told.unobjected, told.erased) == (told.leaves, 0, 0)
    again = audited(counted)
    assert again == told  # asking again draws nothing else
    for stranger in ("university", "company"):
        with pytest.raises(RemoteRefusal, match=r"research\.auditor"):
            audited(counted, stranger)
    waiting = ask(together, granted, COUNT, (data_set,))
    with pytest.raises(Conflict, match=r"research\.not-begun"):
        audited(counted, query=waiting)


LIES = {
    "the proof does not lead": lambda leaf: msgspec.structs.replace(leaf, siblings=(bytes(32), *leaf.siblings)),
    "the proof does not lead to": lambda leaf: msgspec.structs.replace(leaf, found=None),
    "the leaf does not open": lambda leaf: msgspec.structs.replace(leaf, salt=bytes(32)),
    "the leaf does not open to": lambda leaf: msgspec.structs.replace(leaf, choice=choices.NO_CHOICE),
    "terms do not open: document": lambda leaf: msgspec.structs.replace(leaf, document=leaf.document + b" "),
    "terms do not open: commitment": lambda leaf: msgspec.structs.replace(leaf, digests=leaf.digests[::-1]),
}


@pytest.mark.parametrize("fault", LIES)
def test_a_custodian_that_shows_something_else_is_told(counted, monkeypatch, fault):
    body = counted[0].nodes["body"]
    asked = body.peers.ask

    def lying(member, path, question, kind):
        told = asked(member, path, question, kind)
        return auditing.Drawn(tuple(LIES[fault](leaf) if leaf.found else leaf for leaf in told.leaves))

    monkeypatch.setattr(body.peers, "ask", lying)
    told = audited(counted)
    assert not told.sound
    assert fault in told.faults[0]
    monkeypatch.setattr(body.peers, "ask", lambda *_: auditing.Drawn(()))
    assert audited(counted).faults == ("the custodian does not answer for every point",)


def test_who_was_counted_without_a_choice_or_against_it_is_found(counted, monkeypatch):
    together, wallets, granted, data_set, _ = counted
    fill(
        together.nodes["north"], 3 * PERSONS
    )  # of so many 32 points miss all that chose nothing in no run; of six, in one of 1,500
    find = answering.choices.find

    def everybody(node, study, heights):
        told = find(node, study, heights)
        links = {person.counted.link for person in told.persons}
        more = [
            choices.Person(wire.Counted(link, choices.NO_CHOICE), told.persons[0].terms)
            for link in node.vault.links()
            if link not in links
        ]
        return choices.Found((*told.persons, *more), {})

    monkeypatch.setattr(choices, "find", everybody)
    query = ask(together, granted, COUNT, (data_set,))
    answer(together, query, "north")
    assert any("without a choice" in one for one in audited(counted, query=query).faults)
    monkeypatch.undo()

    gone = choose(wallets[0], "north")
    keep = choices.find(
        together.nodes["north"], _study(together, query, data_set), [together.owner.ledger.head().height]
    )
    wallets[0].stop(gone, through="north")
    level(together)
    link = next(one.counted.link for one in keep.persons if one.counted.link == wallets[0].wallet.state.links[0].link)
    stopped = choices.Person(wire.Counted(link, gone), keep.persons[0].terms)
    monkeypatch.setattr(choices, "find", lambda *_: choices.Found((stopped,), {}))
    query = ask(together, granted, COUNT, (data_set,))
    answer(together, query, "north")
    told = audited(counted, query=query)
    assert {one.partition(": ")[2] for one in told.faults} == {"the choice did not hold at registration and begin"}


def _study(together, query, data_set):
    node = together.nodes["north"]
    row = wire.query_row(node, bytes.fromhex(query))
    permit_row = auditing.permit_row(node.ledger.read(), row.permit)
    offered = auditing.data_set_row(node.ledger.read(), bytes.fromhex(data_set))
    return choices.Study(offered, row.permit, permit_row, "noisy", row.height)


def test_an_erased_person_leaves_everybody_elses_proofs_and_no_choice_behind(counted):
    together, wallets, _, data_set, query = counted
    north = together.nodes["north"]
    held = decode(north.desk.research("part", bytes.fromhex(query + data_set))[0][1], wire.Held)
    before = audited(counted)
    gone = wallets[-1].wallet.state.links[0].link
    north.desk.keep_research("objection", gone + bytes(4), b"")
    _delete_here(north, SimpleNamespace(erasing=SimpleNamespace(subject=gone, case=bytes(16), lease=False)))
    assert north.desk.research("choice", gone) == north.desk.research("objection", gone) == []
    assert gone in {one.link for one in held.counted}
    (line, *_) = [one for one in studying.where_was_i(wallets[1]) if one.part.query.hex() == query]
    assert line.counted
    after = audited(counted)
    assert (after.sound, after.leaves) == (True, before.leaves)
    assert after.choices + after.erased == before.choices
    assert after.erased <= 1
