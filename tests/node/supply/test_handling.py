"""What happens to goods short of a sale, each as a command: refused, settled, called back, carried, warm, suspect, repackaged."""

import pytest

from salus.contracts.membership.port import Role
from salus.contracts.supply import port
from salus.core.encoding import decode
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.exchange.wire import RemoteRefusal
from salus.node.supply import exchange, moving
from salus.node.supply.answering import recall, recalled_here, verify
from salus.node.supply.commitments import COUNT, Kept, Subject, stands
from salus.node.supply.handling import (
    CancelShipment,
    ClearGoods,
    HandGoods,
    QuarantineGoods,
    RefuseShipment,
    RepackageGoods,
    ReportTemperatures,
    SettleDispute,
    TakeGoods,
    cancel_shipment,
    clear_goods,
    hand_goods,
    quarantine_goods,
    refuse_shipment,
    repackage_goods,
    report_temperatures,
    settle_dispute,
    take_goods,
)
from salus.node.supply.stock import product_of
from salus.node.supply.trading import GiveLicence, give_licence
from salus.node.together import Founder
from tests.interop.epcis.documents import commissioning, document

from .members import FOUNDERS, GTIN, brought, case_label, label, moved, traders

COLD = b"2026-01-01T08:00:00+00:00,5\n2026-01-01T09:00:00+00:00,5.2\n2026-01-01T10:00:00+00:00,-0.5"
WARM = b"2026-01-01T08:00:00+00:00,5\n2026-01-01T09:00:00+00:00,25.0\n2026-01-01T11:00:00+00:00,5"


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    found = traders(tmp_path_factory.mktemp("handling"), (*FOUNDERS, Founder("truck", "Carrier", (Role.DISTRIBUTOR,))))
    give_licence(found.nodes["board"], GiveLicence(member="truck", kinds=("carrier",)))
    found.abreast()
    exchange.offer_addresses(found.nodes["truck"], "maker", 4)
    exchange.offer_addresses(found.nodes["whole"], "maker", 30)
    yield found
    found.close()


@pytest.fixture
def lot(together, request):
    """Return a function from a number to the label of a pack of a lot of this test's own."""
    name = request.node.name[-12:].upper().replace("_", "")
    box = moving.Box("", (), tuple(f"{name}{n}".encode() for n in range(6)))
    moving.bring(together.nodes["maker"], product_of(GTIN, name, "271231"), box, minutes_out=30)
    together.abreast()
    return lambda number: label(f"{name}{number}", lot=name)


def code(node, identifier):
    return verify(node, identifier).verdict.code


def shipped(together, *identifiers, to="whole"):
    sent = moving.ship(together.nodes["maker"], identifiers, to, ("po 1",))
    together.abreast()
    return sent.hop.holding.hex()


def test_a_refused_shipment_is_settled_by_its_sender(together, lot):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    holding = shipped(together, lot(0))
    assert refuse_shipment(whole, RefuseShipment(holding=holding, code=31)).sender == "maker"
    together.abreast()
    assert code(maker, lot(0)) == "SUSPECT"
    assert moving.inbound(whole) == []
    with pytest.raises(NotFound):
        refuse_shipment(whole, RefuseShipment(holding=holding))
    assert not settle_dispute(maker, SettleDispute(identifier=lot(0))).received
    assert code(maker, lot(0)) == ""
    with pytest.raises(NotFound):
        settle_dispute(maker, SettleDispute(identifier=lot(0)))


def test_a_refused_shipment_that_was_right_after_all_is_its_receivers(together, lot):
    whole = together.nodes["whole"]
    refuse_shipment(whole, RefuseShipment(holding=shipped(together, lot(0), lot(1))))
    together.abreast()
    assert settle_dispute(whole, SettleDispute(identifier=lot(0))).received
    together.abreast()
    assert code(whole, lot(1)) == ""
    assert moving.end(whole, [lot(1)], port.Reason.DESTROYED) == 1


def test_what_was_missing_turns_up_and_is_settled_by_the_receiver(together, lot):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    done = moved(together, "maker", "whole", lot(0), lot(1), scans=[lot(0)])
    assert done.units == 1
    assert settle_dispute(whole, SettleDispute(identifier=lot(1))).received
    together.abreast()
    assert (code(whole, lot(1)), code(maker, lot(1))) == ("", "HOLDER_MISMATCH")


def test_what_came_damaged_stays_the_senders_under_its_code(together, lot):
    holding = shipped(together, lot(0), lot(1), lot(2))
    done = moving.receive(together.nodes["whole"], bytes.fromhex(holding), [lot(0)], damaged=[lot(1)])
    assert (done.units, len(done.missing), done.damaged) == (1, 1, (lot(1),))
    together.abreast()
    with pytest.raises(NotFound):
        moving.end(together.nodes["whole"], [lot(1)], port.Reason.DESTROYED)
    settle_dispute(together.nodes["maker"], SettleDispute(identifier=lot(1)))
    assert moving.end(together.nodes["maker"], [lot(1)], port.Reason.DESTROYED) == 1


def test_a_shipment_is_called_back_while_it_is_on_its_way(together, lot):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    with pytest.raises(Conflict):
        cancel_shipment(maker, CancelShipment(identifier=lot(0)))
    holding = shipped(together, lot(0))
    for _ in range(2):
        cancel_shipment(maker, CancelShipment(identifier=lot(0)))
    together.abreast()
    with pytest.raises(NotFound):
        moving.receive(whole, bytes.fromhex(holding), None)
    moved(together, "maker", "whole", lot(0))
    with pytest.raises(NotFound):
        cancel_shipment(maker, CancelShipment(identifier=lot(0)))


def test_suspect_goods_are_set_aside_and_released(together, lot):
    maker = together.nodes["maker"]
    for _ in range(2):
        quarantine_goods(maker, QuarantineGoods(identifier=lot(0)))
    assert code(maker, lot(0)) == "SUSPECT"
    with pytest.raises(RemoteRefusal):
        moving.ship(maker, [lot(0)], "whole")
    clear_goods(maker, ClearGoods(identifier=lot(0)))
    assert code(maker, lot(0)) == ""


def test_a_carrier_has_goods_in_hand_and_learns_nothing_of_them(together, lot):
    maker, truck, whole = (together.nodes[name] for name in ("maker", "truck", "whole"))
    holding = shipped(together, lot(0))
    handed = hand_goods(maker, HandGoods(identifier=lot(0), to="truck")).holding
    assert handed == holding
    together.abreast()
    assert take_goods(truck, TakeGoods()).holdings == (holding,)
    assert take_goods(truck, TakeGoods()).holdings == ()
    together.abreast()
    row = maker.ledger.read().get(port.HOLDINGS, bytes.fromhex(holding))
    assert row.owner != row.custodian
    told = report_temperatures(truck, ReportTemperatures(goods=holding, readings=WARM))
    assert (told.minutes_out, told.set_aside) == (120, True)
    kept = [decode(body, Kept).opened for _, body in truck.desk.supply(COUNT)]
    (series,) = [one for one in kept if one.subject is Subject.SERIES]
    assert series.told == WARM
    assert stands(truck.ledger.read(), series)
    assert not truck.desk.supply("hop")
    assert not truck.desk.supply("stock")
    together.abreast()
    moving.receive(whole, bytes.fromhex(holding), None)
    together.abreast()
    together.abreast()
    assert code(whole, lot(0)) == "SUSPECT"
    with pytest.raises(NotFound):
        report_temperatures(truck, ReportTemperatures(goods=holding, readings=COLD))


def test_a_hand_over_that_ended_before_its_note_is_told_again(together, lot):
    maker, truck = together.nodes["maker"], together.nodes["truck"]
    drop = maker.desk.drop_supply
    maker.desk.drop_supply = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            hand_goods(maker, HandGoods(identifier=lot(0), to="truck"))
    finally:
        maker.desk.drop_supply = drop
    hand_goods(maker, HandGoods(identifier=lot(0), to="truck"))
    together.abreast()
    assert len(take_goods(truck, TakeGoods()).holdings) == 1


def test_own_goods_within_their_range_are_not_set_aside(together, lot):
    maker = together.nodes["maker"]
    request = ReportTemperatures(goods=lot(0), readings=COLD, low=-20, high=8)
    moved(together, "maker", "whole", lot(1))
    quarantine_goods(maker, QuarantineGoods(identifier=lot(0)))
    clear_goods(maker, ClearGoods(identifier=lot(0)))
    told = report_temperatures(maker, request)
    assert (told.minutes_out, told.set_aside) == (0, False)
    for wrong in (b"", b"x,1\n", b"2026-01-01T08:00:00,5\n", COLD[:29], COLD + b"\n" + COLD):
        with pytest.raises(Malformed):
            report_temperatures(maker, ReportTemperatures(goods=lot(0), readings=wrong))
    with pytest.raises(Malformed):
        report_temperatures(maker, ReportTemperatures(goods=lot(0), readings=COLD, low=8, high=2))


def test_goods_are_repackaged_and_a_recall_follows(together, lot):
    repack = together.nodes["repack"]
    moved(together, "maker", "repack", lot(0), lot(1))
    done = repackage_goods(repack, RepackageGoods(identifiers=(lot(0),), files=(document(commissioning(3)),)))
    assert done.units == 3
    with pytest.raises(Malformed):
        repackage_goods(repack, RepackageGoods(identifiers=(lot(1),), files=(document(),)))
    name = lot(0).split("(10)")[1].split("(")[0]
    recall(together.nodes["maker"], GTIN, name, 1)
    together.abreast()
    assert sum(len(one.serials) for one in recalled_here(repack)) == 4


def test_a_case_with_a_recalled_pack_inside_is_not_shipped_or_dispensed_whole(together):
    brought(together, lot="RANGE")
    maker = together.nodes["maker"]
    recall(maker, GTIN, "RANGE", 2, ("S000001", "S000001"))
    together.abreast()
    for attempt in (
        lambda: moving.ship(maker, [case_label(0)], "whole"),
        lambda: moving.end(maker, [case_label(0)], port.Reason.SAMPLED),
    ):
        with pytest.raises(Conflict):
            attempt()
    assert moving.end(maker, [case_label(0)], port.Reason.DESTROYED) == 1
