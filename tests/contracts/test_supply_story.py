"""A lot's life on the ledger: a million units as one row, a pallet in two steps, a pack dispensed, a recall, a repackager."""

import pytest

from salus.contracts.supply.port import (
    Acknowledge,
    Cancel,
    Clear,
    Hand,
    Licence,
    License,
    Open,
    OrderRecall,
    Quarantine,
    Reason,
    Recall,
    Refuse,
    ReportTemperature,
    SetTerms,
    Settle,
    Share,
    Status,
    SupplyReason,
    Take,
    Terms,
    Transform,
    Undo,
    Unpack,
    VoidTickets,
    acknowledgements,
    find,
    holdings_of,
    licence_of,
    lot,
    lot_id,
    recall_of,
    terms,
)
from salus.core.encoding import encode

from .goods import DAY, TRADE, D, World, explicit, lot_of, owner


def world():
    here = World()
    here.commission()
    return here


def test_a_pallet_changes_hands_in_two_transactions_and_one_new_row():
    here = world()
    before = len(here.rows())
    pallet = here.id(1)
    sent = here.shipping(here.at(1), "m", "d")
    here.send(sent, "m")
    assert here.row(1).status is Status.IN_TRANSIT
    assert here.row(1).owner == owner("m")
    assert here.row(1, 2, 4).status is Status.IN_TRANSIT
    assert here.row(0, 2, 4).status is Status.ACTIVE
    took = here.receiving(pallet, "d")
    here.send(took, "d")
    assert {here.row(1, c, u).owner for c in range(3) for u in range(5)} == {owner("d")}
    assert {here.row(0, c, u).owner for c in range(3) for u in range(5)} == {owner("m")}
    assert len(here.rows()) == before + 1
    assert len(encode(sent)) + len(encode(took)) < 800


def test_a_pack_is_touched_with_the_proof_to_the_nearest_row_and_dispensed_once():
    here = world()
    here.move(here.at(0), "m", "p")
    here.end("p", here.at(0, 1, 3, levels=2))
    assert (here.row(0, 1, 3).status, here.row(0, 1, 3).reason) == (Status.ENDED, Reason.DISPENSED)
    assert here.row(0, 1, 2).status is Status.ACTIVE
    assert here.refuse(here.ending("p", here.at(0, 1, 3)), "p") is SupplyReason.WRONG_STATUS
    here.send(Undo(here.id(0, 1, 3)), "p")
    assert here.row(0, 1, 3).status is Status.ACTIVE
    here.end("p", here.at(0, 1, 3))
    here.ledger.pass_time(11 * DAY)
    assert here.refuse(Undo(here.id(0, 1, 3)), "p") is SupplyReason.TOO_LATE


def test_a_case_of_which_units_were_taken_carries_the_rest():
    here = world()
    here.end("m", here.at(0, 0, 0), reason=Reason.SAMPLED)
    case = here.move(here.at(0, 0), "m", "d")
    assert here.row(0, 0, 1).owner == owner("d")
    assert (here.row(0, 0, 0).owner, here.row(0, 0, 0).reason) == (owner("m"), Reason.SAMPLED)
    assert find(here.ledger.state, explicit(case)).top == case


def test_a_mixed_tote_stands_as_one_and_counts_its_lots():
    here = world()
    other = World(lot_of(secret=bytes([1]) * 32), "n", here.ledger)
    other.commission("n")
    other.move(other.at(0, 0), "n", "m")
    other.move(other.at(0, 1), "n", "m")
    tote = here.pack("m", here.at(0, 0, 0), here.at(0, 0, 1), explicit(other.id(0, 0)))
    outer = here.pack("m", explicit(tote), explicit(other.id(0, 1)))
    state = here.ledger.state
    assert find(state, explicit(tote)).holding.lots == tuple(
        sorted((Share(here.lot, 2), Share(other.lot, 1)), key=lambda share: share.lot)
    )
    here.move(explicit(outer), "m", "d")
    assert here.row(0, 0, 0).owner == other.row(0, 0, 4).owner == owner("d")
    assert here.row(0, 0, 2).owner == owner("m")
    here.send(Unpack(here.sorted([here.at(0, 0, 0), here.at(0, 0, 1)])), "d")
    lots = find(here.ledger.state, explicit(outer)).holding.lots
    assert lots == (Share(other.lot, 2),)
    assert here.row(0, 0, 0).parent == b""
    assert [id_ for id_, _ in holdings_of(here.ledger.state, here.lot)] == sorted(
        [here.whole, here.id(0, 0, 0), here.id(0, 0, 1)]
    )


def test_a_tote_packed_again_with_what_was_taken_out_of_it_counts_that_once():
    here = world()
    other = World(lot_of(secret=bytes([1]) * 32), "n", here.ledger)
    other.commission("n")
    mine = other.move(other.at(0, 0), "n", "m")
    inner = next(
        tote
        for unit in range(5)
        for tote in [here.pack("m", here.at(0, 0, unit), *([explicit(mine)] if unit == 0 else []))]
        if tote < mine
    )
    if find(here.ledger.state, explicit(mine)).top != inner:
        inner_holds = (explicit(inner), explicit(here.pack("m", explicit(mine))))
    else:
        inner_holds = (explicit(inner), explicit(mine))
    outer = here.pack("m", *inner_holds)
    assert find(here.ledger.state, explicit(outer)).holding.lots == tuple(
        sorted((Share(here.lot, 1), Share(other.lot, 1)), key=lambda share: share.lot)
    )


def test_a_short_pallet_is_received_but_for_what_is_missing():
    here = world()
    here.ship(here.at(0), "m", "d")
    here.receive(here.id(0), "d", *here.sorted([here.at(0, 1), here.at(0, 2, 4)]))
    assert (here.row(0, 1, 0).owner, here.row(0, 1, 0).status) == (owner("m"), Status.DISPUTED)
    assert (here.row(0, 0, 0).owner, here.row(0, 2, 3).owner) == (owner("d"), owner("d"))
    here.send(Settle(here.id(0, 1), here.ticket("d")), "d")
    here.send(Settle(here.id(0, 2, 4), here.ticket("m")), "m")
    assert (here.row(0, 1, 0).owner, here.row(0, 1, 0).status) == (owner("d"), Status.ACTIVE)
    assert (here.row(0, 2, 4).owner, here.row(0, 2, 4).to) == (owner("m"), b"")


def test_a_shipment_is_called_back_or_refused_and_settled():
    here = world()
    here.ship(here.at(0), "m", "d")
    here.send(Cancel(here.id(0)), "m")
    assert here.refuse(here.receiving(here.id(0), "d"), "d") is SupplyReason.NOT_RECEIVER
    here.ship(explicit(here.id(0)), "m", "d")
    here.send(Refuse(here.id(0), 12), "d")
    assert here.refuse(Settle(here.id(0), here.ticket("x")), "x") is SupplyReason.NOT_OWNER
    here.send(Settle(here.id(0), here.ticket("m")), "m")
    assert here.row(0).owner == owner("m")


def test_a_carrier_has_goods_in_hand_without_owning_them():
    here = world()
    here.ship(here.at(0), "m", "d")
    here.send(Hand(explicit(here.id(0)), owner("truck")), "m")
    assert here.refuse(Take(here.id(0), here.ticket("other")), "other") is SupplyReason.NOT_RECEIVER
    here.send(Take(here.id(0), here.ticket("truck", kinds=(License.CARRIER,))), "truck")
    assert (here.row(0).owner, here.row(0).custodian) == (owner("m"), owner("truck"))
    here.send(ReportTemperature(here.id(0), D, 278_150, 0), "truck")
    here.receive(here.id(0), "d")
    assert here.row(0).custodian == owner("d")


def test_goods_that_were_too_warm_arrive_in_quarantine():
    here = World()
    here.commission(minutes_out=30, mkt=281_150)
    here.ship(here.at(0), "m", "d")
    here.send(ReportTemperature(here.id(0), D, 278_150, 30), "m")
    assert not here.row(0).warm
    assert here.refuse(ReportTemperature(here.id(0), D, 278_150, 31), "d") is SupplyReason.NOT_CUSTODIAN
    here.send(ReportTemperature(here.id(0), D, 281_151, 0), "m")
    here.receive(here.id(0), "d", here.at(0, 2))
    assert here.row(0, 0, 0).status is Status.QUARANTINED
    assert here.refuse(here.ending("d", here.at(0, 0, 0)), "d") is SupplyReason.WRONG_STATUS
    here.send(Clear(here.id(0)), "d")
    here.end("d", here.at(0, 0, 0))
    here.send(Settle(here.id(0, 2), here.ticket("m")), "m")
    assert here.row(0, 2).status is Status.QUARANTINED
    here.send(ReportTemperature(here.id(0), D, 300_000, 0), "d")
    assert here.row(0).status is Status.QUARANTINED


def test_a_warm_report_of_goods_set_aside_or_ended_changes_nothing_but_stands():
    here = World()
    here.commission(minutes_out=30, mkt=281_150)
    here.send(Quarantine(here.at(0, 0)), "m")
    here.send(ReportTemperature(here.id(0, 0), D, 300_000, 0), "m")
    assert here.row(0, 0).status is Status.QUARANTINED
    here.ship(here.at(0, 1), "m", "d")
    here.send(Refuse(here.id(0, 1), 12), "d")
    here.send(ReportTemperature(here.id(0, 1), D, 300_000, 0), "m")
    assert (here.row(0, 1).status, here.row(0, 1).warm) == (Status.DISPUTED, True)
    here.send(Settle(here.id(0, 1), here.ticket("m")), "m")
    assert here.row(0, 1).status is Status.QUARANTINED
    here.send(Quarantine(here.at(0, 2)), "m")
    here.end("m", here.at(0, 2), reason=Reason.DESTROYED)
    here.send(ReportTemperature(here.id(0, 2), D, 300_000, 0), "m")
    assert here.row(0, 2).status is Status.ENDED


def test_suspect_goods_are_set_aside_and_cleared_or_condemned():
    here = world()
    here.send(Quarantine(here.at(0, 0, 0)), "m")
    assert here.refuse(here.ending("m", here.at(0, 0, 0)), "m") is SupplyReason.WRONG_STATUS
    assert here.refuse(here.shipping(here.at(0, 0, 0), "m", "d"), "m") is SupplyReason.WRONG_STATUS
    here.end("m", here.at(0, 0, 0), reason=Reason.ILLEGITIMATE)
    assert here.refuse(Undo(here.id(0, 0, 0)), "m") is SupplyReason.NOT_UNDOABLE


def test_a_recall_holds_in_the_next_block_for_what_was_never_touched():
    here = world()
    here.move(here.at(0), "m", "p")
    here.send(Recall(here.lot, 2, ()), "m")
    assert recall_of(here.ledger.state, here.id(0, 0, 0), here.row(0, 0, 0)) == 2
    assert here.refuse(here.ending("p", here.at(0, 0, 0)), "p") is SupplyReason.RECALLED
    assert here.refuse(here.shipping(here.at(0, 0), "p", "d"), "p") is SupplyReason.RECALLED
    here.send(Acknowledge(here.lot, here.id(0), D), "p")
    assert [key for key, _ in acknowledgements(here.ledger.state, here.lot)] == [owner("p")]
    here.ship(here.at(0, 0), "p", "m", back=True)
    here.receive(here.id(0, 0), "m")
    here.end("p", here.at(0, 1), reason=Reason.DESTROYED)
    here.send(Recall(here.lot, 0, ()), "m")
    here.end("p", here.at(0, 2, 0))


def test_units_are_recalled_by_themselves_and_by_order():
    here = world()
    here.ledger.send(OrderRecall(here.lot, 1, (here.id(0, 0, 3),)), "fda")
    assert here.refuse(here.ending("m", here.at(0, 0, 3)), "m") is SupplyReason.RECALLED
    here.end("m", here.at(0, 0, 2))
    here.send(Recall(here.lot, 0, (here.id(0, 0, 3),)), "m")
    assert here.refuse(here.ending("m", here.at(0, 0, 3)), "m") is SupplyReason.RECALLED
    here.ledger.send(OrderRecall(here.lot, 3, ()), "fda")
    assert lot(here.ledger.state, here.lot).ordered == 3
    assert here.refuse(here.ending("m", here.at(0, 0, 2)), "m") is SupplyReason.WRONG_STATUS


def test_a_recall_follows_goods_into_a_repackagers_lot():
    here = world()
    here.move(here.at(0), "m", "r")
    again = lot_of(1, 2, 5, b"repacked", bytes([9]) * 32)
    here.send(Transform((here.at(0, 0),), again.root, again.depth, D, 0, 0, here.ticket("r")), "r")
    assert here.row(0, 0, 0).reason is Reason.TRANSFORMED
    assert here.row(0, 1, 0).status is Status.ACTIVE
    new = World(again, "r", here.ledger)
    assert lot(here.ledger.state, lot_id(again.key, owner("r"))).sources == (here.lot,)
    third = lot_of(1, 1, 4, b"kits", bytes([8]) * 32)
    new.send(Transform((new.at(0, 0),), third.root, third.depth, D, 0, 0, here.ticket("r")), "r")
    kit = World(third, "r", here.ledger)
    kit.move(kit.at(0, 0, 1), "r", "p")
    here.send(Recall(here.lot, 1, ()), "m")
    assert new.refuse(new.ending("r", new.at(0, 1, 0)), "r") is SupplyReason.RECALLED
    assert kit.refuse(kit.ending("p", kit.at(0, 0, 1)), "p") is SupplyReason.RECALLED
    kit.send(Acknowledge(here.lot, kit.id(0, 0, 1), D), "p")
    assert kit.id(0, 0, 1) in [id_ for id_, _ in holdings_of(here.ledger.state, here.lot)]


def test_a_regulator_licenses_takes_tickets_back_opens_records_and_sets_terms():
    here = world()
    until = here.ledger.time + 365 * DAY
    here.ledger.send(Licence("carrier-co", TRADE, until), "fda")
    assert licence_of(here.ledger.state, "fda", "carrier-co").kinds == TRADE
    here.ledger.send(Licence("carrier-co", (), 0), "fda")
    assert licence_of(here.ledger.state, "fda", "carrier-co").kinds == ()
    here.ledger.send(VoidTickets((owner("m"),)), "fda")
    here.ledger.send(VoidTickets((owner("m"),)), "fda")
    assert here.refuse(here.shipping(here.at(0), "m", "d"), "m") is SupplyReason.TICKET_VOID
    here.ledger.send(Open((D,), D), "fda")
    here.ledger.send(Open((D,), bytes(32)), "fda")
    here.ledger.send(SetTerms(Terms(DAY, DAY, DAY)), "fda")
    assert terms(here.ledger.state).undo == DAY


@pytest.mark.parametrize("days", [0, 15])
def test_a_ticket_ends_and_none_lives_long(days):
    here = World()
    message = here.commissioning(ticket=here.ticket("m", days=days))
    assert here.refuse(message, "m") is SupplyReason.TICKET_OVER
