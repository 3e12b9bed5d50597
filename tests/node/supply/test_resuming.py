"""A process may end anywhere between an intent, the ledger, the desk and a delivery: each step is there once, and nothing is lost."""

import pytest

from salus.agreements.supply.packing import Box
from salus.contracts.supply import port
from salus.core.encoding import decode
from salus.node.errors import NotFound, Unavailable
from salus.node.exchange.wire import RemoteRefusal
from salus.node.supply import exchange, moving
from salus.node.supply.answering import follow, recall, verify
from salus.node.supply.resuming import RECEIVING, SHIPPING, Making, Receiving, Shipping, resume
from salus.node.supply.stock import HOP, INBOUND, STOCK, index_of, product_of

from .members import GTIN, label, traders

MOST = 40  # more points than any step has
DAY = 86_400_000
WRITES = ("keep_supply", "drop_supply", "send_later", "sent", "again")


class Ended(BaseException):
    """The process is gone."""


class Points:
    """Ends the process at the n-th point: before and after each write of the desk and each question to another member."""

    def __init__(self, at):
        self.at, self.passed = at, 0

    def point(self):
        self.passed += 1
        if self.passed == self.at:
            raise Ended

    def around(self, work, *args):
        self.point()
        done = work(*args)
        self.point()
        return done


class EndingDesk:
    """A desk whose writes are points."""

    def __init__(self, desk, points):
        self._desk, self._points = desk, points

    def __getattr__(self, name):
        found = getattr(self._desk, name)
        return (lambda *args: self._points.around(found, *args)) if name in WRITES else found


class EndingPeers:
    """Peers that are asked at points."""

    def __init__(self, peers, points):
        self._peers, self._points = peers, points

    def ask(self, *args):
        return self._points.around(self._peers.ask, *args)


def ended_at(node, at, work):
    """Do `work` in a process that ends at a point; open the node again. Return whether it came to the point."""
    desk, peers = node.desk, node.peers
    points = Points(at)
    node.desk, node.peers = EndingDesk(desk, points), EndingPeers(peers, points)
    try:
        work()
    except Ended:
        return True
    else:
        return False
    finally:
        node.desk, node.peers = desk, peers
        node.memory.clear()


def at_every_point(node, work):
    """Yield the number of each point of `work(number)`, ended there."""
    for at in range(1, MOST):
        if not ended_at(node, at, lambda at=at: work(at)):
            assert at > 8
            return
        yield at
    raise AssertionError("more points than expected")


def nothing_begun(node):
    return not any(node.desk.supply(kind.kind) for kind in (Making, Shipping, Receiving))


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    found = traders(tmp_path_factory.mktemp("resuming"))
    for receiver, sender in (("whole", "maker"), ("rival", "maker"), ("corner", "whole")):
        exchange.offer_addresses(found.nodes[receiver], sender, 90)
    yield found
    found.close()


def test_a_lot_is_made_once_wherever_its_maker_ends(together):
    maker = together.nodes["maker"]

    def make(at):
        box = Box("", (), (b"C%d" % at, b"D%d" % at))
        return moving.bring(maker, product_of(GTIN, f"L{at}", "271231"), box)

    before = len(list(maker.ledger.read().range(port.LOTS)))
    for count, at in enumerate(at_every_point(maker, make), 1):
        stock = make(at)
        lots = {id_ for id_, _ in maker.ledger.read().range(port.LOTS)}
        assert stock.parts[0].lot in lots
        assert len(lots) == before + count
        assert make(at) == stock
        assert nothing_begun(maker)
        assert recall(maker, GTIN, f"L{at}", 0) == 2
    kept = [stock.parts[0].lot for stock in index_of(maker).stocks.values() if not stock.hop]
    assert {id_ for id_, _ in maker.ledger.read().range(port.LOTS)} == set(kept)


def test_a_lot_is_made_of_others_once(together):
    maker, repack = together.nodes["maker"], together.nodes["repack"]
    moving.bring(maker, product_of(GTIN, "P", "271231"), Box("", (), tuple(b"P%03d" % n for n in range(MOST))))
    whole_lot = [label(f"P{n:03d}", lot="P") for n in range(MOST)]
    sent = moving.ship(maker, whole_lot, "repack")
    together.abreast()
    moving.receive(repack, sent.hop.holding, None)

    def make(at):
        product = product_of(GTIN, f"R{at}", "270630")
        return moving.repackage(repack, [whole_lot[at]], product, Box("", (), (b"N%d" % at,)))

    before = len(list(repack.ledger.read().range(port.LOTS)))
    for count, at in enumerate(at_every_point(repack, make), 1):
        stock = make(at)
        assert len(list(repack.ledger.read().range(port.LOTS))) == before + count
        assert moving.hops_behind(repack, stock) == (index_of(repack).stocks[sent.hop.holding].hop,)
        assert nothing_begun(repack)
    with pytest.raises(RemoteRefusal):
        moving.repackage(repack, [whole_lot[1]], product_of(GTIN, "OTHER", "270630"), Box("", (), (b"N2",)))


@pytest.mark.parametrize("packed", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_goods_are_shipped_once_and_their_record_arrives(together, packed):
    maker, board, whole = (together.nodes[name] for name in ("maker", "board", "whole"))
    lot = f"S{packed:d}"
    serials = tuple(f"{lot}{n:03d}".encode() for n in range(2 * MOST))
    moving.bring(maker, product_of(GTIN, lot, "271231"), Box("", (), serials))

    def goods(at):
        return [label(f"{lot}{n:03d}", lot=lot) for n in ((2 * at, 2 * at + 1) if packed else (2 * at,))]

    def ship(at):
        return moving.ship(maker, goods(at), "whole", (f"po {at}",))

    def on_the_way():
        rows = [(id_, row) for id_, row in maker.ledger.read().range(port.HOLDINGS) if not row.parent]
        return [id_ for id_, row in rows if row.status is port.Status.IN_TRANSIT and len(row.lots) == 1]

    before = len(on_the_way())
    for count, at in enumerate(at_every_point(maker, ship), 1):
        sent = ship(at)
        assert len(on_the_way()) == before + count
        assert ship(at) == sent
        assert nothing_begun(maker)
        assert sent.hop.holding in {one.hop.holding for one in moving.inbound(whole)}
        assert follow(board, goods(at)[0], "inspection")[-1].hop == sent.hop
    took = [decode(body, type(sent)).hop for _, body in whole.desk.supply(HOP)]
    assert len({one.holding for one in took}) == len(took)


def test_a_shipment_is_received_once_with_what_was_missing(together):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    names = [f"T{n:03d}" for n in range(2 * MOST)]
    moving.bring(maker, product_of(GTIN, "T", "271231"), Box("", (), tuple(name.encode() for name in names)))
    shipments = {}
    for at in range(1, 24):
        pair = [label(name, lot="T") for name in names[2 * at : 2 * at + 2]]
        shipments[at] = (moving.ship(maker, pair, "whole"), pair)
    whole.wait_for(shipments[at][0].height)

    def receive(at):
        sent, pair = shipments[at]
        return moving.receive(whole, sent.hop.holding, pair[:1])

    for at in at_every_point(whole, receive):
        sent, pair = shipments[at]
        if whole.desk.supply(RECEIVING) or whole.desk.supply(INBOUND, sent.hop.holding):
            done = receive(at)
            assert (done.units, done.missing) == (1, (names[2 * at + 1],))
        assert nothing_begun(whole)
        assert len(whole.desk.supply(STOCK, sent.hop.holding)) == 1
        with pytest.raises(NotFound):
            receive(at)
        assert verify(whole, pair[0]).verdict.code == ""
        assert verify(whole, pair[1]).verdict.code == "SUSPECT"


def test_any_later_step_finishes_what_was_begun(together):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    moving.bring(maker, product_of(GTIN, "U", "271231"), Box("", (), (b"U1", b"U2")))
    at = 1
    while True:
        assert ended_at(maker, at, lambda: moving.ship(maker, [label("U1", lot="U")], "whole"))
        if maker.desk.supply(SHIPPING):
            break
        at += 1
    moving.end(maker, [label("U2", lot="U")], port.Reason.DESTROYED)
    assert nothing_begun(maker)
    assert any(one.hop.parts[0].product.startswith(GTIN.encode() + b"|U|") for one in moving.inbound(whole))


def test_what_cannot_be_told_waits_and_nothing_else_begins(together):
    maker = together.nodes["maker"]
    moving.bring(maker, product_of(GTIN, "V", "271231"), Box("", (), (b"V1",)))
    together.transport.down.add("https://board.example")
    for _ in range(2):
        with pytest.raises(Unavailable):
            moving.ship(maker, [label("V1", lot="V")], "whole")
    assert len(maker.desk.supply(SHIPPING)) == 1
    together.transport.down.clear()
    sent = moving.ship(maker, [label("V1", lot="V")], "whole")
    assert maker.ledger.read().get(port.HOLDINGS, sent.hop.holding).status is port.Status.IN_TRANSIT
    assert nothing_begun(maker)


def test_what_the_ledger_refused_is_not_told_again_by_itself_and_goes_when_it_can_do_nothing(together):
    maker, whole = together.nodes["maker"], together.nodes["whole"]
    goods = [label("W1", lot="W")]
    moving.bring(maker, product_of(GTIN, "W", "271231"), Box("", (), (b"W1",)))
    recall(maker, GTIN, "W", 1)
    with pytest.raises(RemoteRefusal) as refused:
        moving.ship(maker, goods, "whole")
    assert refused.value.code == "supply.RECALLED"
    recall(maker, GTIN, "W", 0)
    resume(maker)
    ((_, body),) = maker.desk.supply(SHIPPING)
    begun = decode(body, Shipping)
    assert begun.refused
    assert not begun.stands(maker)
    together.clock.advance(DAY)
    exchange.offer_addresses(whole, "maker", 1)
    moving.bring(maker, product_of(GTIN, "X", "271231"), Box("", (), (b"X1",)))
    resume(maker)
    assert nothing_begun(maker)
    assert moving.ship(maker, goods, "whole").hop.holding
