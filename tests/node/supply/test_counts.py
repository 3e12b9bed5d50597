"""Exact counts: on the ledger a commitment, opened to a regulator at once and to a partner when the maker wants it."""

import pytest
from msgspec import structs

from salus.contracts.membership.port import Role
from salus.contracts.supply import port
from salus.core.encoding import decode, encode
from salus.node.errors import Forbidden, NotFound, Unavailable
from salus.node.exchange.delivery import deliver_due
from salus.node.supply.answering import acknowledge, follow, recall
from salus.node.supply.commitments import COUNT, COUNT_KIND, Kept, Subject, counts, stands, take_count
from salus.node.supply.counting import ListCounts, OpenCount, list_counts, open_count
from salus.node.supply.trading import GiveLicence, give_licence
from salus.node.together import Founder
from salus.vault.envelope import seal_envelope

from .members import GTIN, KINDS, brought, case_label, label, moved, traders, without

TWO = (*without("rival", "repack"), Founder("zstate", "Second Board", (Role.REGULATOR,)))
DAY = 86_400_000


@pytest.fixture
def together(tmp_path):
    found = traders(tmp_path, TWO)
    for member, kinds in ((each, KINDS[each]) for each in KINDS if each in found.nodes):
        give_licence(found.nodes["zstate"], GiveLicence(member=member, kinds=kinds))
    found.abreast()
    yield found
    found.close()


def kept(node, subject):
    found = [decode(body, Kept).opened for _, body in node.desk.supply(COUNT)]
    return [one for one in found if one.subject is subject]


def sealed(sender, receiver, opened):
    return seal_envelope(
        encode(opened),
        sender.context(COUNT_KIND, sender.entropy(16)),
        recipient=receiver.keys_of(receiver.member).receive_key,
        sign=sender.signing_key,
    )


def test_a_lots_count_is_opened_to_regulators_at_once_and_to_a_partner_when_asked(together):
    stock = brought(together)
    maker, whole, board = (together.nodes[name] for name in ("maker", "whole", "board"))
    assert counts(whole) == []
    assert open_count(maker, OpenCount(gtin=GTIN, lot="A1", to="whole")).units == 30
    for node in (board, whole, together.nodes["zstate"]):
        (opened,) = kept(node, Subject.LOT)
        assert opened.units == 30
        assert opened.commitment == port.lot(node.ledger.read(), stock.parts[0].lot).count
    moved(together, "maker", "whole", case_label(1000))
    assert list_counts(board, ListCounts()).lots == (f"{GTIN}|A1|271231 30 maker 15",)
    with pytest.raises(NotFound):
        open_count(whole, OpenCount(gtin=GTIN, lot="A1", to="corner"))


def test_a_count_that_does_not_open_the_commitment_is_refused(together):
    brought(together)
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    (opened,) = kept(maker, Subject.LOT)
    lies = [
        structs.replace(opened, told=(29).to_bytes(8, "big")),
        structs.replace(opened, key=bytes(32)),
        structs.replace(opened, place=bytes(32)),
        structs.replace(opened, subject=Subject.FOUND),
        structs.replace(opened, subject=Subject.PURPOSE),
    ]
    for lie in lies:
        with pytest.raises(Forbidden):
            take_count(whole, "maker", sealed(maker, whole, lie))
    assert counts(whole) == []
    take_count(whole, "maker", sealed(maker, whole, opened))
    assert [one.units for one in counts(whole)] == [30]


def test_what_was_found_under_a_recall_and_why_a_record_was_opened_can_be_opened(together):
    brought(together)
    moved(together, "maker", "whole", case_label(1000))
    recall(together.nodes["maker"], GTIN, "A1", 1)
    together.abreast()
    assert acknowledge(together.nodes["whole"]) == 15
    together.abreast()
    board = together.nodes["board"]
    assert list_counts(board, ListCounts()).found == (f"{GTIN}|A1|271231 15 whole",)
    assert list_counts(together.nodes["maker"], ListCounts()).found == ()
    follow(board, label("S000001"), "inspection 12")
    (purpose,) = kept(board, Subject.PURPOSE)
    assert purpose.told == b"inspection 12"
    assert stands(board.ledger.read(), purpose)


def test_more_shipped_than_made_is_named(together):
    brought(together)
    moved(together, "maker", "whole", case_label(1000))
    board = together.nodes["board"]
    ((id_, body),) = board.desk.supply(COUNT)
    told = decode(body, Kept)
    few = structs.replace(told, opened=structs.replace(told.opened, told=(14).to_bytes(8, "big")))
    board.desk.keep_supply(COUNT, (id_, encode(few)))
    assert list_counts(board, ListCounts()).exceeded == (f"{GTIN}|A1|271231",)


def test_with_one_of_two_regulators_away_packing_goes_on_and_it_learns_later(together):
    """The first regulator takes no calls for a day: a lot is made, goods are packed, shipped and received."""
    maker, board = together.nodes["maker"], together.nodes["board"]
    together.transport.down.add("https://board.example")
    brought(together)
    done = moved(together, "maker", "whole", case_label(0), case_label(1))
    assert done.units == 10
    assert counts(board) == []
    with pytest.raises(NotFound):
        follow(board, label("S000001"), "inspection")
    together.transport.down.clear()
    together.clock.advance(DAY)
    assert deliver_due(maker) == 2
    together.abreast()
    assert [one.units for one in counts(board)] == [30]
    assert [one.hop.receiver for one in follow(board, label("S000001"), "inspection")] == ["whole"]


def test_a_packing_that_was_carried_unseen_is_not_done_twice(together):
    """The first carrier carries the packing and its answer is lost; the second is told that it stands."""
    brought(together)
    maker = together.nodes["maker"]
    ask = maker.peers.ask
    lost = []

    def losing(member, path, question, answer):
        done = ask(member, path, question, answer)
        if path.endswith("carry") and member == "board" and not lost:
            lost.append(member)
            raise Unavailable("supply.lost", "the answer is lost")
        return done

    maker.peers.ask = losing
    done = moved(together, "maker", "whole", case_label(0), case_label(1))
    assert lost
    assert done.units == 10
    mixes = [row for _, row in maker.ledger.read().range(port.HOLDINGS) if row.kind is port.Kind.MIX]
    assert len(mixes) == 1
