"""Goods between members: every step on the ledger, every name off it."""

import pytest

from salus.agreements.supply.packing import Box
from salus.agreements.supply.triage import PATIENCE_MS
from salus.contracts.supply import port
from salus.core.encoding import encode
from salus.interop.x12.despatch import read_despatch
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound, Refused, Unavailable
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.wire import RemoteRefusal
from salus.node.supply import answering, exchange, moving
from salus.node.supply.answering import acknowledge, follow, recall, recalled_here, verify
from salus.node.supply.stock import product_of
from salus.node.supply.trading import (
    EndGoods,
    FollowPack,
    GiveLicence,
    ListRecalls,
    ListStock,
    OfferAddresses,
    RecallLot,
    ReceiveGoods,
    ShipGoods,
    UndoEnd,
    VerifyPack,
    end_goods,
    follow_pack,
    give_licence,
    list_recalls,
    list_stock,
    offer,
    recall_lot,
    receive_goods,
    ship_goods,
    undo_end,
    verify_pack,
)
from salus.node.supply.watching import alerts
from salus.vault.envelope import seal_envelope

from .members import GTIN, brought, case_label, label, moved, sscc, traders, without


@pytest.fixture
def together(tmp_path):
    found = traders(tmp_path)
    yield found
    found.close()


@pytest.fixture
def few(tmp_path):
    """A regulator, a maker, a distributor and a pharmacy."""
    found = traders(tmp_path, without("rival", "repack"))
    yield found
    found.close()


def code(node, identifier):
    return verify(node, identifier).verdict.code


def test_a_pallet_goes_from_maker_to_pharmacy_and_a_pack_is_dispensed_once(few):
    brought(few)
    maker, whole, corner = (few.nodes[name] for name in ("maker", "whole", "corner"))
    sent = ship_goods(maker, ShipGoods(identifiers=(case_label(1000),), to="whole", documents=("po 1",)))
    few.abreast()
    assert sent.units == 15
    notice = read_despatch(sent.notice)
    assert [(carton.sscc, carton.items[0].lot, carton.items[0].count) for carton in notice.cartons] == [
        (sscc(1000), "A1", 15)
    ]
    assert (notice.order, b"*MAKER " in sent.notice) == ("1", True)
    assert [line.split()[1:] for line in list_stock(whole, ListStock()).inbound] == [["maker", "15"]]
    got = receive_goods(whole, ReceiveGoods(holding=sent.holding))
    assert (got.sender, got.units, got.missing) == ("maker", 15, ())
    few.abreast()
    moved(few, "whole", "corner", case_label(0), label("S000007"))
    pack = label("S000002")
    assert verify_pack(corner, VerifyPack(identifier=pack)).code == ""
    assert end_goods(corner, EndGoods(identifiers=(pack, label("S000007")))).count == 2
    assert verify_pack(corner, VerifyPack(identifier=pack)).action == "warning"
    with pytest.raises(RemoteRefusal) as refused:
        end_goods(corner, EndGoods(identifiers=(pack,)))
    assert refused.value.code == "supply.WRONG_STATUS"
    undo_end(corner, UndoEnd(identifier=pack))
    assert code(corner, pack) == ""
    assert list_stock(corner, ListStock()).alerts == ()


def test_nothing_on_the_ledger_names_a_product_a_serial_or_a_partner(few):
    brought(few)
    moved(few, "maker", "whole", case_label(1000))
    moved(few, "whole", "corner", case_label(0))
    end_goods(few.nodes["corner"], EndGoods(identifiers=(label("S000001"),)))
    bodies = b"".join(wire for block in few.owner.ledger.blocks(1) for wire in block.transactions)
    assert len(bodies) > 3_000
    assert b"S000001" not in bodies
    assert GTIN.encode() not in bodies
    assert sscc(0).encode() not in bodies


def test_a_rival_with_the_whole_ledger_and_goods_of_the_same_lot_names_nothing_of_others(together):
    """It knows product and serials, and one pallet's secret. It can test no key that another's case shows."""
    brought(together)
    moved(together, "maker", "whole", case_label(1000))
    moved(together, "maker", "rival", case_label(1001))
    moved(together, "whole", "corner", case_label(0))
    end_goods(together.nodes["corner"], EndGoods(identifiers=(label("S000001"),)))
    together.abreast()
    rival = together.nodes["rival"]
    assert answering.spots(answering.index_of(rival), label("S000001")) == []
    shown = {id_ for id_, _ in rival.ledger.read().range(port.HOLDINGS)}
    named = set()
    for stock in (leaf[0] for leaf in answering.index_of(rival).leaves):
        for part in stock.parts:
            named |= {part.id} | {
                port.holding_id(part.lot, key)
                for tree in (answering.index_of(rival).tree(part),)
                for each in (tree, *tree.inside)
                for key in each.keys()  # noqa: SIM118 -- a tree's method
            }
    assert len(shown & named) == 1
    with pytest.raises(Forbidden):
        follow(rival, label("S000001"), "curious")
    with pytest.raises(NotFound):
        moving.end(rival, (label("S000001"),), port.Reason.STOLEN)


def test_a_short_pallet_stays_the_senders_for_what_did_not_come(few):
    brought(few)
    scans = [case_label(0), *(label(f"S{n:06d}") for n in (5, 6, 7, 8)), label("S000029"), label("S999999")]
    done = moved(few, "maker", "whole", case_label(1000), scans=scans)
    assert done.units == 9
    assert done.missing == ("S000009", sscc(2))
    assert done.over == (label("S000029"), label("S999999"))
    whole, maker = few.nodes["whole"], few.nodes["maker"]
    assert code(whole, label("S000010")) == "SUSPECT"
    assert code(whole, label("S000000")) == ""
    assert code(maker, label("S000009")) == "SUSPECT"
    sent = moving.ship(maker, (case_label(1001),), "whole")
    few.abreast()
    with pytest.raises(Conflict):
        moving.receive(whole, sent.hop.holding, [label("S000000")])


def test_clones_returns_and_stolen_packs(together):
    brought(together)
    moved(together, "maker", "whole", case_label(1000))
    moved(together, "whole", "corner", case_label(0), case_label(1))
    corner, whole, rival = (together.nodes[name] for name in ("corner", "whole", "rival"))
    end_goods(corner, EndGoods(identifiers=(label("S000001"),)))
    end_goods(corner, EndGoods(identifiers=(label("S000002"),), reason="stolen"))
    together.abreast()
    assert code(rival, label("S000001")) == "DISPENSED"
    assert code(rival, label("S000002")) == "STOLEN"
    assert code(rival, label("S000003")) == "HOLDER_MISMATCH"
    assert code(rival, label("S000004", lot="B2")) == "No_match_GTIN_Serial_Lot"
    assert code(rival, label("S000004", expiry="280101")) == "No_match_GTIN_Serial_Expiry"
    assert code(rival, label("S777777")) == "No_match_GTIN_Serial"
    assert sorted(one.code for one in alerts(rival)) == ["DISPENSED", "STOLEN"]
    together.clock.advance(PATIENCE_MS)
    assert sorted(one.code for one in alerts(rival)) == [
        "DISPENSED",
        "HOLDER_MISMATCH",
        "STOLEN",
    ]
    moved(together, "corner", "whole", label("S000004"), back=True)
    assert code(whole, label("S000004")) == ""
    assert alerts(corner) == []
    together.clock.advance(800 * 86_400_000)
    assert code(whole, label("S000004")) == "EXPIRED"


def test_a_recall_reaches_exactly_who_holds_the_lot(together):
    brought(together)
    brought(together, lot="B2", box=Box("", (), tuple(b"B%03d" % n for n in range(4))))
    moved(together, "maker", "whole", case_label(1000))
    moved(together, "maker", "rival", label("B001", lot="B2"))
    moved(together, "whole", "corner", case_label(0))
    corner = together.nodes["corner"]
    end_goods(corner, EndGoods(identifiers=(label("S000001"),)))
    done = recall_lot(together.nodes["maker"], RecallLot(gtin=GTIN, lot="A1", recall_class=1))
    assert done.units == 30
    together.abreast()
    held = {name: sum(len(one.serials) for one in recalled_here(node)) for name, node in together.nodes.items()}
    assert held == {"board": 0, "maker": 15, "whole": 10, "corner": 4, "repack": 0, "rival": 0}
    with pytest.raises(RemoteRefusal) as refused:
        end_goods(corner, EndGoods(identifiers=(label("S000003"),)))
    assert refused.value.code == "supply.RECALLED"
    assert code(corner, label("S000003")) == "RECALLED"
    assert acknowledge(corner) == 4
    assert [one.acknowledged for one in list_recalls(corner, ListRecalls(acknowledge=True)).recalls] == [True]
    recall(together.nodes["maker"], GTIN, "A1", 0)
    recall(together.nodes["maker"], GTIN, "A1", 2, ("S000003", "S000006"))
    together.abreast()
    held = {name: [one.serials for one in recalled_here(node)] for name, node in together.nodes.items()}
    assert held["corner"] == [("S000003", "S000004")]
    assert held["whole"] == [("S000005", "S000006")]
    assert held["maker"] == held["rival"] == []
    with pytest.raises(NotFound):
        recall(together.nodes["maker"], GTIN, "no-such", 1)


def test_a_regulator_follows_a_repackaged_pack_from_end_to_end(together):
    brought(together)
    moved(together, "maker", "repack", case_label(1000))
    repack = together.nodes["repack"]
    moving.repackage(repack, (case_label(0),), product_of(GTIN, "R1", "270630"), Box("", (), (b"R001", b"R002")))
    together.abreast()
    moved(together, "repack", "corner", label("R001", lot="R1", expiry="270630"))
    board = together.nodes["board"]
    told = follow_pack(board, FollowPack(identifier=label("R001", lot="R1"), purpose="inspection 12"))
    assert [line.split(" ")[1:4] for line in told.hops] == [["maker", "to", "repack"], ["repack", "to", "corner"]]
    assert len(list(board.ledger.read().range(port.OPENINGS))) == 2
    recall(together.nodes["maker"], GTIN, "A1", 1)
    together.abreast()
    assert sum(len(one.serials) for one in recalled_here(together.nodes["corner"])) == 1
    assert acknowledge(together.nodes["corner"]) == 1
    with pytest.raises(NotFound):
        follow(board, label("S999999"), "nothing")


def test_who_is_not_licensed_gets_no_ticket_and_ships_nothing(few):
    brought(few)
    give_licence(few.nodes["board"], GiveLicence(member="whole", kinds=()))
    few.abreast()
    with pytest.raises(RemoteRefusal):
        offer(few.nodes["whole"], OfferAddresses(partner="corner"))
    with pytest.raises(NotFound):
        offer(few.nodes["board"], OfferAddresses(partner="corner"))
    with pytest.raises(NotFound):
        moving.ship(few.nodes["maker"], (case_label(0),), "board")


def test_a_partner_that_is_away_loses_nothing(few):
    brought(few)
    maker, whole = few.nodes["maker"], few.nodes["whole"]
    few.transport.down.add("https://whole.example")
    sent = moving.ship(maker, (case_label(1000),), "whole")
    assert moving.inbound(whole) == []
    few.transport.down.clear()
    few.clock.advance(86_400_000)
    assert deliver_due(maker) == 1
    assert deliver_due(maker) == 0
    few.abreast()
    assert [one.hop.holding for one in moving.inbound(whole)] == [sent.hop.holding]
    assert moving.receive(whole, sent.hop.holding, None).units == 15
    with pytest.raises(NotFound):
        moving.receive(whole, sent.hop.holding, None)


def test_without_a_regulator_at_hand_nothing_moves(few):
    brought(few)
    few.transport.down.add("https://board.example")
    with pytest.raises(Unavailable):
        moving.ship(few.nodes["maker"], (case_label(1000),), "whole")


def test_a_record_that_is_not_the_one_committed_is_refused(together):
    brought(together)
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    sent = moving.ship(maker, (case_label(1000),), "whole")
    together.abreast()
    lie = type(sent)(
        sent.height,
        type(sent.hop)(**{f: getattr(sent.hop, f) for f in sent.hop.__struct_fields__} | {"documents": ("po 2",)}),
    )
    for sender, record in (("maker", lie), ("rival", sent)):
        node = together.nodes[sender]
        with pytest.raises(Forbidden):
            exchange.take_hop(whole, sender, sealed(node, whole, record))
    with pytest.raises(Malformed):
        exchange.take_hop(whole, "rival", sealed(maker, whole, sent))


def sealed(sender, receiver, record):
    return seal_envelope(
        encode(record),
        sender.context(exchange.HOP_KIND, sender.entropy(16)),
        recipient=receiver.keys_of(receiver.member).receive_key,
        sign=sender.signing_key,
    )


def test_refusals_of_the_ledger_come_with_their_code(few):
    brought(few)
    with pytest.raises(NotFound):
        moving.undo(few.nodes["maker"], label("S999999"))
    with pytest.raises((Refused, RemoteRefusal)):
        moving.undo(few.nodes["maker"], label("S000001"))
    with pytest.raises(Malformed):
        verify(few.nodes["maker"], "(01)00000000000001")
