"""Supply between members: a recall over 10,000 holders, a trace of eight hops, verification, and a national day, scaled.

Figures are per CPU second of one core. The day is a thousandth of that of the United States (11 million units in 430,000
orders): each order is a carton of 25 packs, shipped, received and dispensed; units are counted at every block.
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

from msgspec import structs

from salus.agreements.supply.packing import Box, packed
from salus.contracts.supply import port
from salus.core.encoding import encode
from salus.core.tables import View
from salus.node.demo import supply_members
from salus.node.supply import answering, exchange, moving
from salus.node.supply.stock import product_of
from tests.contracts.goods import World
from tests.node.supply import members

HOLDERS = 10_000
HOPS = 8
ORDERS, CARTON = 430, 25
DAY_ORDERS = 430_000
BLOCK = 50  # orders told in one block
VERIFIED = 2_000


def figure(name, value, unit, budget="", *, met=True):
    return {"name": name, "value": value, "unit": unit, "limit": None, "ratio": None, "budget": budget, "met": met}


def recall():
    """Recall a lot that 10,000 one-time keys hold, and find each of them."""
    world = World()
    world.commission()
    row = dict(world.rows())[world.whole]
    for number in range(HOLDERS):
        id_ = number.to_bytes(32, "big")
        held = structs.replace(row, owner=id_, custodian=id_)
        world.ledger.rows[port.HOLDINGS.state_key(id_)] = encode(held)
    wire = world.ledger.wire(port.Recall(world.lot, 1, ()), "carrier-co", "m")
    start = time.process_time()
    (result,) = world.ledger.block(wire)
    state = world.ledger.state
    found = {held.owner for id_, held in port.holdings_of(state, world.lot) if port.recall_of(state, id_, held)}
    spent = time.process_time() - start
    if result.refusal is not None or len(found) != HOLDERS + 1:
        raise SystemExit("the recall did not reach every holder")
    return figure("recall over 10,000 holders, each found", spent, "s", "< 1 s", met=spent < 1)


def trace_and_verify():
    """Trace a pack over eight hops, and verify packs of a million from the own data."""
    with tempfile.TemporaryDirectory() as folder:
        together = members.traders(Path(folder))
        try:
            for receiver, sender in (("whole", "corner"), ("corner", "whole")):
                exchange.offer_addresses(together.nodes[receiver], sender, HOPS)
            members.brought(together)
            members.moved(together, "maker", "whole", members.label("S000001"))
            for hop in range(HOPS - 1):
                pair = ("whole", "corner") if hop % 2 == 0 else ("corner", "whole")
                members.moved(together, *pair, members.label("S000001"), back=hop % 2 == 1)
            start = time.perf_counter()
            way = answering.follow(together.nodes["board"], members.label("S000001"), "bench")
            traced = time.perf_counter() - start
            if len(way) != HOPS:
                raise SystemExit("the trace is not whole")
            maker = together.nodes["maker"]
            moving.bring(maker, product_of(supply_members.GTIN, supply_members.LOT, "391231"), supply_members.lot_box())
            for unit in range(3):  # the first round hashes the 500 cases, as a firm has them at hand
                asked = [f"(01){supply_members.GTIN}(21){case * 2000 + unit:07d}" for case in range(500)]
                start = time.process_time()
                told = [answering.verify(maker, label) for label in asked]
                rate = len(asked) / (time.process_time() - start)
        finally:
            together.close()
    most = max(len(one.proof) for one in told)
    return [
        figure("regulator's trace of 8 hops, with its openings on the ledger", traced, "s", "< 5 s", met=traced < 5),
        figure(
            "packs of 500 cases at hand verified, out of a million packs",
            rate,
            "packs/s",
            f">= {VERIFIED:,} packs/s",
            met=rate >= VERIFIED,
        ),
        figure("proof of a verified pack", most, "bytes", "<= 1024 bytes", met=most <= 1024),
    ]


def counted(state, chains):
    """Return units by what became of them, each once."""
    found = Counter()
    for chain in chains:
        row = next(row for row in (state.get(port.HOLDINGS, id_) for id_ in chain) if row is not None)
        found[row.status.name] += 1
    return found


def _inside(world, order, unit):
    """Return a pack with the proof of its place in the carton, which has a row of its own since it was shipped."""
    target = world.at(order, unit)
    return structs.replace(target, places=target.places[:1])


def day():
    """Ship, receive and dispense a thousandth of a national day; every block holds every unit."""
    cartons = tuple(
        Box(f"c{order}", (), tuple(b"%06d" % (order * CARTON + unit) for unit in range(CARTON)))
        for order in range(ORDERS)
    )
    world = World(packed(Box("", cartons), b"product", bytes(32)))
    world.commission()
    units = [[world.id(order, unit), world.id(order), world.whole] for order in range(ORDERS) for unit in range(CARTON)]
    spent, messages, bytes_ = 0.0, 0, {True: 0, False: 0}
    for first in range(0, ORDERS, BLOCK):
        some = range(first, min(ORDERS, first + BLOCK))
        ships = [(world.shipping(world.at(order), "m", "p"), "m") for order in some]
        takes = [(world.receiving(world.id(order), "p"), "p") for order in some]
        ends = [(world.ending("p", *(_inside(world, order, unit) for unit in range(CARTON))), "p") for order in some]
        for step, traded in ((ships, True), (takes, True), (ends, False)):
            wires = [world.ledger.wire(message, "carrier-co", author) for message, author in step]
            start = time.process_time()
            results = world.ledger.block(*wires)
            spent += time.process_time() - start
            bytes_[traded] += sum(map(len, wires))
            messages += len(wires)
            if any(result.refusal for result in results):
                raise SystemExit("an order was refused")
            if sum(counted(View(world.ledger.committed().rows), units).values()) != ORDERS * CARTON:
                raise SystemExit("units were lost or made")
    ended = counted(world.ledger.state, units)["ENDED"]
    whole = spent * DAY_ORDERS / ORDERS / 60
    return [
        figure("national day at 1:1000, orders shipped, received and dispensed", messages / spent, "transactions/s"),
        figure("national day at 1:1000, packs dispensed, all accounted for at every block", ended, "packs"),
        figure("a whole national day on one core, by this rate", whole, "minutes", "< 60 minutes", met=whole < 60),
        figure("national day, bodies of shipments and receipts", bytes_[True] * DAY_ORDERS / ORDERS / 1e9, "GB"),
        figure("national day, bodies of dispensing pack by pack", bytes_[False] * DAY_ORDERS / ORDERS / 1e9, "GB"),
    ]


def run():
    return [recall(), *trace_and_verify(), *day()]
