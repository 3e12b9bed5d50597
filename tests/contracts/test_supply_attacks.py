"""Attacks on the supply contract: each ends in a named refusal, and `refuse` asserts that no row changed."""

import pytest

from salus.contracts.supply.holdings import Shelf
from salus.contracts.supply.port import (
    Acknowledge,
    Clear,
    Commission,
    Hand,
    OrderRecall,
    Pack,
    Place,
    Quarantine,
    Reason,
    Recall,
    ReportTemperature,
    Settle,
    Status,
    SupplyReason,
    Take,
    Target,
    Transform,
    Undo,
    Unpack,
    VoidTickets,
    find,
    holding_id,
    lot_id,
)
from salus.core.errors import InvariantBroken
from salus.core.proof.goods import container_key, unit_key
from salus.core.proof.merkle import node_hash

from .goods import TRADE, D, World, explicit, lot_of, owner


@pytest.fixture
def here():
    world = World()
    world.commission()
    return world


def test_a_pack_destroyed_out_of_a_quarantined_tote_leaves_the_tote_there():
    """It stopped every node once: the tote, which lost a pack and nothing else, took a step that no table had."""
    here = World()
    here.commission()
    tote = here.pack("m", here.at(0, 0, 0), here.at(0, 0, 1))
    here.send(Quarantine(explicit(tote)), "m")
    here.end("m", here.at(0, 0, 0), reason=Reason.DESTROYED)
    assert here.row(0, 0, 0).status is Status.ENDED
    assert here.row(0, 0, 1).status is Status.QUARANTINED


def test_nobody_moves_ends_packs_or_frees_anothers_goods(here):
    unit = here.at(0, 0, 0)
    for message in (
        here.shipping(unit, "thief", "fence"),
        here.ending("thief", unit),
        here.ending("thief", unit, reason=Reason.STOLEN),
        Pack((unit,), D),
        Unpack((unit,)),
        Transform((unit,), D, 1, D, 0, 0, here.ticket("thief")),
    ):
        assert here.refuse(message, "thief") is SupplyReason.NOT_OWNER
    assert here.refuse(Quarantine(unit), "thief") is SupplyReason.NOT_CUSTODIAN
    assert here.refuse(Hand(unit, owner("fence")), "thief") is SupplyReason.NOT_CUSTODIAN
    here.send(Quarantine(unit), "m")
    assert here.refuse(Clear(here.id(0, 0, 0)), "thief") is SupplyReason.NOT_OWNER


def test_a_key_seen_in_a_proof_is_of_no_use_in_a_tree_of_ones_own(here):
    """Siblings' keys are public once a neighbour is touched. A thief commissions a lot that holds one of them."""
    victim = here.at(1, 0, 0)
    path = (bytes(32),)
    stolen = node_hash(victim.key, path[0])
    here.send(Commission(stolen, 1, D, 0, 0, here.ticket("thief")), "thief")
    lot = lot_id(container_key(stolen, 1), owner("thief"))
    assert (
        here.refuse(here.ending("thief", Target(here.lot, victim.key, (Place(0, path),))), "thief")
        is SupplyReason.NO_SUCH_HOLDING
    )
    here.end("thief", Target(lot, victim.key, (Place(0, path),)))
    assert here.row(1, 0, 0).status is Status.ACTIVE
    here.end("m", victim)


def test_a_copied_commission_takes_no_name_away():
    world = World()
    message = world.commissioning()
    world.send(Commission(message.root, message.depth, D, 0, 0, world.ticket("thief")), "thief")
    world.commission()
    assert here_owner(world) == owner("m")
    assert world.refuse(world.commissioning(), "m") is SupplyReason.EXISTS


def here_owner(world):
    return world.row(0, 0, 0).owner


def test_two_members_claim_one_unit_in_one_block(here):
    here.move(here.at(0), "m", "d")
    first = here.ledger.wire(here.shipping(here.at(0, 0, 0), "d", "a"), "carrier-co", "d")
    second = here.ledger.wire(here.shipping(here.at(0, 0, 0), "d", "b"), "carrier-co", "d")
    sold, again = here.ledger.block(first, second)
    assert sold.code == 0
    assert again.refusal.reason is SupplyReason.WRONG_STATUS
    assert here.row(0, 0, 0).to == owner("a")


def test_a_unit_has_one_row_whatever_lies_around_it(here):
    here.end("m", here.at(0, 0, 0))
    here.move(here.at(0, 0), "m", "d")
    here.move(here.at(0), "m", "e")
    for author in ("m", "d", "e"):
        assert here.refuse(here.ending(author, here.at(0, 0, 0)), author) in {
            SupplyReason.NOT_OWNER,
            SupplyReason.WRONG_STATUS,
        }


def test_what_is_on_its_way_is_neither_opened_nor_sold_twice(here):
    here.ship(here.at(0), "m", "d")
    for message in (
        here.ending("m", here.at(0, 0, 0)),
        here.shipping(here.at(0, 0), "m", "x"),
        Pack((here.at(0, 0),), D),
    ):
        assert here.refuse(message, "m") is SupplyReason.WRONG_STATUS
    assert here.refuse(Take(here.id(0), here.ticket("x")), "x") is SupplyReason.NOT_RECEIVER
    assert here.refuse(Settle(here.id(0), here.ticket("m")), "m") is SupplyReason.WRONG_STATUS
    assert here.refuse(here.receiving(here.id(0), "d", here.at(1, 0)), "d") is SupplyReason.NOT_INSIDE
    assert here.refuse(here.receiving(here.id(0), "d", explicit(here.id(0))), "d") is SupplyReason.NOT_INSIDE


def test_what_lies_in_a_mix_does_not_move_by_itself(here):
    here.pack("m", here.at(0, 0))
    assert here.refuse(Undo(here.id(0, 0)), "m") is SupplyReason.NO_SUCH_HOLDING
    assert here.refuse(here.receiving(here.id(0, 0), "m"), "m") is SupplyReason.NO_SUCH_HOLDING


def test_goods_in_anothers_hands_are_not_packed(here):
    here.send(Hand(here.at(0), owner("t")), "m")
    here.send(Take(here.id(0), here.ticket("t")), "t")
    assert here.refuse(Pack((here.at(0, 1),), D), "m") is SupplyReason.NOT_CUSTODIAN


def test_stolen_and_destroyed_goods_never_come_back(here):
    here.end("m", here.at(0), reason=Reason.STOLEN)
    for message in (Undo(here.id(0)), here.shipping(here.at(0, 1), "m", "d"), here.ending("m", here.at(0, 2))):
        assert here.refuse(message, "m") in {SupplyReason.NOT_UNDOABLE, SupplyReason.WRONG_STATUS}
    assert here.refuse(Undo(here.id(0)), "d") is SupplyReason.NOT_OWNER
    for reason in (Reason.NONE, Reason.TRANSFORMED):
        assert here.refuse(here.ending("m", here.at(1), reason=reason), "m") is SupplyReason.WRONG_STATUS


def test_recalled_or_quarantined_goods_are_not_repackaged(here):
    def transform(target):
        return Transform((target,), D, 1, D, 0, 0, here.ticket("m"))

    here.send(Quarantine(here.at(0, 0)), "m")
    assert here.refuse(transform(here.at(0, 0)), "m") is SupplyReason.WRONG_STATUS
    here.ledger.send(OrderRecall(here.lot, 2, ()), "fda")
    assert here.refuse(transform(here.at(0, 1)), "m") is SupplyReason.RECALLED


def test_only_who_made_a_lot_or_a_regulator_recalls_it_whoever_carries(here):
    assert here.ledger.refuse(Recall(here.lot, 1, ()), "fda", "rival") is SupplyReason.NOT_MAKER
    assert here.refuse(Recall(here.lot, 1, (D, D)), "m") is SupplyReason.UNORDERED
    assert here.ledger.refuse(OrderRecall(here.lot, 1, ()), "carrier-co") is SupplyReason.NOT_REGULATOR
    here.ledger.send(OrderRecall(here.lot, 1, ()), "fda")
    here.send(Recall(here.lot, 0, ()), "m")
    assert here.refuse(here.ending("m", here.at(0, 0, 0)), "m") is SupplyReason.RECALLED
    assert here.refuse(Acknowledge(here.lot, here.whole, D), "d") is SupplyReason.NOT_OWNER
    other = World(lot_of(secret=bytes([3]) * 32), "m", here.ledger)
    other.commission()
    assert here.refuse(Acknowledge(here.lot, other.whole, D), "m") is SupplyReason.NOT_OWNER


def test_a_maker_marks_no_unit_of_another_lot(here):
    other = World(lot_of(secret=bytes([3]) * 32), "m", here.ledger)
    other.commission()
    unit = here.id(0, 0, 3)
    other.send(Recall(other.lot, 1, (unit,)), "m")
    here.end("m", here.at(0, 0, 3))
    other.send(Recall(other.lot, 1, (here.id(0, 0, 2),)), "m")
    here.send(Recall(here.lot, 2, (here.id(0, 0, 2),)), "m")
    other.send(Recall(other.lot, 0, (here.id(0, 0, 2),)), "m")
    assert here.refuse(here.ending("m", here.at(0, 0, 2)), "m") is SupplyReason.RECALLED


@pytest.mark.parametrize(
    "changes",
    [
        {"by": "carrier-co"},
        {"issuer": "carrier-co"},
        {"issuer": "nobody", "by": "fda"},
        {"issuer": "state-board", "by": "fda"},
    ],
)
def test_a_ticket_that_no_regulator_signed(changes):
    world = World()
    assert world.refuse(world.commissioning(ticket=world.ticket("m", **changes)), "m") is SupplyReason.TICKET_INVALID


def test_a_ticket_is_of_one_key_and_says_what_for(here):
    lent = here.ticket("friend")
    message = here.shipping(here.at(0), "m", "d")
    stolen = type(message)(message.target, message.to, message.hop, back=False, ticket=lent)
    assert here.refuse(stolen, "m") is SupplyReason.TICKET_INVALID
    forged = type(lent)(lent.issuer, TRADE[:1], lent.until, lent.signature)
    assert here.refuse(type(message)(message.target, message.to, D, back=False, ticket=forged), "friend") is (
        SupplyReason.TICKET_INVALID
    )


def test_a_suspended_regulator_and_another_than_the_issuer(here):
    assert here.ledger.refuse(VoidTickets((owner("m"),)), "carrier-co") is SupplyReason.NOT_REGULATOR
    here.ledger.send(VoidTickets((owner("m"),)), "state-board")
    here.ship(here.at(0), "m", "d")


def test_one_report_a_block_of_a_leg(here):
    wires = [
        here.ledger.wire(ReportTemperature(here.whole, bytes([number]) * 32, 278_150, 0), "carrier-co", "m")
        for number in range(2)
    ]
    first, second = here.ledger.block(*wires)
    assert (first.code, second.refusal.reason) == (0, SupplyReason.EXISTS)


def test_more_lots_than_a_container_tells(here):
    targets = []
    for number in range(33):
        other = World(lot_of(1, 1, 1, secret=bytes([number + 1]) * 32), "m", here.ledger)
        other.commission()
        targets.append(explicit(other.whole))
    assert here.refuse(Pack(here.sorted(targets), D), "m") is SupplyReason.TOO_MANY_LOTS


def test_what_is_no_way_leads_nowhere(here):
    unit = here.at(0, 0, 0)
    assert find(here.ledger.state, Target(b"", unit.key, unit.places)) is None
    assert find(here.ledger.state, Target(here.lot, unit.key, (Place(1, ()),))) is None
    outside = Target(here.lot, unit.key, (Place(0, (bytes(32),) * 3), *unit.places[1:]))
    assert here.refuse(here.ending("m", outside), "m") is SupplyReason.NO_SUCH_HOLDING


def test_the_keys_of_units_and_containers_are_never_one_another():
    assert len({unit_key(bytes(16), b"", b""), container_key(bytes(32), 0), holding_id(bytes(32), bytes(32))}) == 3
    assert unit_key(bytes(16), b"a", b"bc") != unit_key(bytes(16), b"ab", b"c")


def test_a_mix_without_a_row_is_a_bug_of_ours(here):
    here.pack("m", here.at(0, 0))
    shelf = Shelf(here.ledger.state)
    row = shelf.get(here.id(0, 0))
    shelf.put(
        here.id(0, 0), type(row)(*(D if name == "parent" else getattr(row, name) for name in row.__struct_fields__))
    )
    with pytest.raises(InvariantBroken):
        shelf.find(explicit(here.id(0, 0)))
