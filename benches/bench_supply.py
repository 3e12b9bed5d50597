"""Supply: event hashing, a pallet of 50,000 units read and matched, labels read.

Figures are per CPU second of one core. Hashes are of events just read, as they are in use: reading has brought their
identifiers into one form and remembers it.
"""

import time

from salus.agreements.supply.goods import replay
from salus.agreements.supply.matching import match
from salus.agreements.supply.packing import packed
from salus.interop.epcis.document import read
from salus.interop.gs1.elements import read_elements
from salus.node.demo import supply_members
from tests.contracts.goods import World
from tests.interop.epcis.documents import commissioning, document, event, shipping, unit

HASHES = 5_000
BUDGET = 5_000


def case(number):
    return f"urn:epc:id:sscc:0614141.{number:010d}"


def pallet():
    """Return the document of a pallet: 500 cases of 100 units, commissioned, packed and shipped."""
    packed = [
        event(
            "AggregationEvent",
            9,
            eventID=f"urn:uuid:{each}",
            parentID=case(each),
            childEPCs=[unit(number) for number in range(each * 100, each * 100 + 100)],
            action="ADD",
            bizStep="packing",
        )
        for each in range(500)
    ]
    top = event(
        "AggregationEvent",
        9,
        parentID=case(999),
        childEPCs=[case(each) for each in range(500)],
        action="ADD",
        bizStep="packing",
        eventTime="2026-03-01T09:30:00Z",
    )
    return document(commissioning(50_000), *packed, top, shipping(epcList=[case(999)]))


def rate(work, count):
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


def figure(name, value, unit_, budget=0):
    return {
        "name": name,
        "value": value,
        "unit": unit_,
        "limit": None,
        "ratio": None,
        "budget": f">= {budget:,} {unit_}" if budget else "",
        "met": value >= budget,
    }


def ledger_figures():
    """Commission a million packs; ship and receive a pallet of 50,000, applied as the kernel applies it, without its engine."""
    box = supply_members.lot_box()
    made = rate(lambda: packed(box, b"product", bytes(32)), supply_members.PALLETS * supply_members.CASES * 100)
    world = World(packed(box, b"product", bytes(32)))
    world.commission()
    rows = len(world.ledger.rows)
    sent = world.ledger.wire(world.shipping(world.at(0), "m", "d"), "carrier-co", "m")
    shipping = _applied(world, sent)
    took = world.ledger.wire(world.receiving(world.id(0), "d"), "carrier-co", "d")
    receiving = _applied(world, took)
    if world.row(0, 499, 99).owner != world.row(0).owner:
        raise SystemExit("the pallet was not received")
    proof = sum(32 * len(place.path) + 3 for place in world.at(0, 0, 0).places) + 64
    return [
        figure("packs given keys and packed into one root", made, "packs/s", 250_000),
        figure("pallet of 50,000 shipped and received, both transactions", len(sent) + len(took), "bytes"),
        figure("rows that these two wrote new", len(world.ledger.rows) - rows, "rows"),
        figure("blocks of these two applied, proven into the state", 2 / (shipping + receiving), "blocks/s", 1_000),
        figure("proof of one pack's place in the whole lot", proof, "bytes"),
    ]


def _applied(world, wire):
    start = time.process_time()
    (result,) = world.ledger.block(wire)
    spent = time.process_time() - start
    if result.refusal is not None:
        raise result.refusal
    return spent


def run():
    shipped = read(document(*(shipping(epcList=[unit(number)]) for number in range(HASHES))))
    hashed = rate(lambda: [each.hash for each in shipped], HASHES)
    label = "]d201106141410734641727113010L7\x1d21A1B2C3"
    labels = rate(lambda: [read_elements(label) for _ in range(HASHES)], HASHES)
    data = pallet()
    captured = rate(lambda: read(data), 50_000)
    goods = replay(read(data))
    if match(goods, ["00006141410000009992"]).inferred != 50_000:
        raise SystemExit("the pallet was not recognised")
    matched = rate(lambda: match(goods, ["00006141410000009992"]), 50_000)
    return [
        *ledger_figures(),
        figure("canonical hashes of one-unit shipping events", hashed, "events/s", BUDGET),
        figure("labels of four elements read and checked", labels, "labels/s"),
        figure("units of a pallet's document read and checked", captured, "units/s"),
        figure("units of a pallet matched by one scan", matched, "units/s"),
    ]
