"""The chapter's second half: a million packs between seven members, on one ledger, in this process."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, Literal

from salus.agreements.supply.packing import Box
from salus.agreements.supply.triage import PATIENCE_MS, Call
from salus.contracts.membership.port import Role
from salus.contracts.supply import port
from salus.interop.gs1.digits import check_digit
from salus.node.demo.telling import Stop, Telling
from salus.node.errors import Forbidden, NotFound
from salus.node.exchange.delivery import deliver_due
from salus.node.exchange.wire import RemoteRefusal
from salus.node.records.charts import moment
from salus.node.supply import answering, exchange, moving, watching
from salus.node.supply.stock import SentHop, product_of
from salus.node.supply.trading import DAY_MS, CommissionLots, GiveLicence, commission_lots, give_licence, packed_lots
from salus.node.together import Clock, Founder, Together, found_together

GTIN: Final = "09506000134352"
LOT: Final = "A1"
EXPIRY: Final = "391231"
PALLETS: Final = 20
CASES: Final = 500
UNITS: Final = 100
FOUNDERS: Final = (
    Founder("board", "State Board of Pharmacy", (Role.REGULATOR,)),
    Founder("maker", "Maker", (Role.MANUFACTURER,)),
    Founder("repack", "Repackager", (Role.MANUFACTURER,)),
    Founder("north", "North Wholesale", (Role.DISTRIBUTOR,)),
    Founder("south", "South Wholesale", (Role.DISTRIBUTOR,)),
    Founder("hospital", "City Hospital", (Role.DISPENSER,)),
    Founder("corner", "Corner Pharmacy", (Role.DISPENSER,)),
)
KINDS: Final[Mapping[str, tuple[Literal["maker", "repackager", "distributor", "dispenser", "carrier"], ...]]] = {
    "maker": ("maker",),
    "repack": ("repackager", "distributor"),
    "north": ("distributor",),
    "south": ("distributor",),
    "hospital": ("dispenser",),
    "corner": ("dispenser",),
}
PARTNERS: Final = (
    ("north", "maker"),
    ("repack", "maker"),
    ("hospital", "north"),
    ("corner", "north"),
    ("north", "corner"),
    ("south", "repack"),
    ("hospital", "south"),
)


def tell_own(telling: Telling, files: tuple[bytes, ...]) -> None:
    """Tell it with the lots that files commission: made, shipped, verified, recalled and followed. Raises StoryEnds."""
    lots = packed_lots(files)
    if not lots:
        telling.notes.append("No event of these files commissions a lot: there was nothing to tell between members.")
        return
    together = found_together(telling.folder / "members", FOUNDERS, clock=Clock())
    try:
        _license(telling, together)
        _own_lots(telling, together, files, lots)
    finally:
        together.close()


def _own_lots(telling: Telling, together: Together, files: tuple[bytes, ...], lots: Mapping[bytes, Box]) -> None:
    maker, south = together.nodes["maker"], together.nodes["south"]
    product, box = next(iter(lots.items()))
    gtin, lot, expiry = product.decode("ascii").split("|")
    serials = [serial.decode("ascii") for serial in islice(box.units(), 2)]
    labels = [f"(01){gtin}(21){serial}(10){lot}" + (f"(17){expiry}" if expiry else "") for serial in serials]
    with telling.step("The lots of these files, one transaction each", "Packed as their events say.") as step:
        made = commission_lots(maker, CommissionLots(files=files))
        step.figure("lots", made.lots)
        step.figure("packs", made.units)
        together.abreast()
        step.holds("the ledger holds a row for each lot", len(_rows(together)) == made.lots)
    with telling.step("A pack goes from owner to owner", "Each owner is one that signed to receive.") as step:
        _moved(together, "maker", "north", labels[:1])
        _moved(together, "north", "corner", labels[:1])
        moving.end(together.nodes["corner"], labels[:1], port.Reason.DISPENSED)
        together.abreast()
        verdict = answering.verify(south, labels[0]).verdict
        step.figure("its clone at another wholesaler", f"{verdict.code}: {verdict.call.value}")
        step.holds("the clone is an alarm", verdict.call is Call.ALARM)
    with telling.step("A recall reaches who holds the lot", "Every holder and nobody else.") as step:
        answering.recall(maker, gtin, lot, 1)
        together.abreast()
        for name, node in together.nodes.items():
            count = sum(len(one.serials) for one in answering.recalled_here(node))
            step.figure(f"packs under recall at {name}", count)
            step.holds(f"{name} has what it should", count == (box.count() - 1 if name == "maker" else 0))
    with telling.step("The regulator follows the pack", "From end to end, on record.") as step:
        hops = answering.follow(together.nodes["board"], labels[0], "inspection")
        step.figure("hops", len(hops))
        step.holds("the way is whole", [one.hop.receiver for one in hops] == ["north", "corner"])
        _map(telling, hops, {"maker": f"commissioned in lot {lot}", "corner": "dispensed"})


def _map(telling: Telling, hops: Sequence[SentHop], what: Mapping[str, str]) -> None:
    """Draw the way of a pack for the report."""
    names = {one.id: one.name for one in FOUNDERS}
    first = hops[0].hop.sender
    telling.way.append(Stop(names[first], what.get(first, ""), ""))
    for sent in hops:
        hop = sent.hop
        came = " ".join((moment(hop.time), f"block {sent.height}", *hop.documents))
        telling.way.append(Stop(names[hop.receiver], what.get(hop.receiver, "received and shipped on"), came))


def tell(telling: Telling) -> None:
    """Tell it in the chapter's folder. Raises StoryEnds."""
    together = found_together(telling.folder / "members", FOUNDERS, clock=Clock())
    try:
        _license(telling, together)
        _commission(telling, together)
        _move(telling, together)
        _away(telling, together)
        _catch(telling, together)
        _recall(telling, together)
        _follow(telling, together)
    finally:
        together.close()
    telling.notes.append(
        "All members run in this process; ledger, contract, exchange and proofs are the product's own."
    )


def _sscc(number: int) -> str:
    body = f"0950600{number:010d}"
    return body + check_digit(body)


def _case(pallet: int, case: int) -> str:
    return f"(00){_sscc(pallet * CASES + case)}"


def _pallet(pallet: int) -> str:
    return f"(00){_sscc(1_000_000 + pallet)}"


def _pack(pallet: int, case: int, unit: int) -> str:
    return f"(01){GTIN}(21){(pallet * CASES + case) * UNITS + unit:07d}(10){LOT}(17){EXPIRY}"


def lot_box() -> Box:
    """Return the lot of the story: pallets of cases of packs."""

    def case(number: int) -> Box:
        return Box(_sscc(number), (), tuple(b"%07d" % (number * UNITS + unit) for unit in range(UNITS)))

    return Box(
        "",
        tuple(
            Box(_sscc(1_000_000 + pallet), tuple(case(pallet * CASES + place) for place in range(CASES)))
            for pallet in range(PALLETS)
        ),
    )


def _moved(
    together: Together, sender: str, receiver: str, what: Sequence[str], scans: Sequence[str] | None = None
) -> int:
    sent = moving.ship(together.nodes[sender], what, receiver, ("po 4711",))
    together.abreast()
    got = moving.receive(together.nodes[receiver], sent.hop.holding, scans)
    together.abreast()
    return got.units


def _license(telling: Telling, together: Together) -> None:
    with telling.step(
        "A regulator licenses its partners", "Their one-time keys carry tickets that name nobody."
    ) as step:
        for member, kinds in KINDS.items():
            give_licence(together.nodes["board"], GiveLicence(member=member, kinds=kinds))
        together.abreast()
        for receiver, sender in PARTNERS:
            exchange.offer_addresses(together.nodes[receiver], sender, 4)
        step.figure("members", len(FOUNDERS))
        with step.refused("tickets for a member without a licence", Forbidden):
            exchange.tickets(together.nodes["board"], "board", b"\x91\x90")


def _commission(telling: Telling, together: Together) -> None:
    with telling.step("A million packs in one transaction", "One root; no row for a pack that nobody touched.") as step:
        box = lot_box()
        start = time.perf_counter()
        moving.bring(together.nodes["maker"], product_of(GTIN, LOT, EXPIRY), box)
        step.figure("packs", box.count())
        step.figure("seconds, with keys for all and kept durably", f"{time.perf_counter() - start:.1f}")
        together.abreast()
        step.holds("the ledger holds one row", len(_rows(together)) == 1)


def _move(telling: Telling, together: Together) -> None:
    with telling.step("Pallets ship, cases break out of them", "Each owner is one that signed to receive.") as step:
        step.figure("packs of a pallet received", _moved(together, "maker", "north", [_pallet(0)]))
        step.holds("a pallet of 50,000 made one row", len(_rows(together)) == 2)
        scans = [_case(0, case) for case in range(9)] + [_pack(0, 9, unit) for unit in range(98)]
        short = _moved(together, "north", "hospital", [_case(0, case) for case in range(10)], scans)
        step.figure("packs of ten cases received, two missing", short)
        step.holds("what is missing is not the hospital's", short == 998)
        _moved(together, "north", "corner", [_case(0, 20), _pack(0, 21, 5)])
        _moved(together, "maker", "repack", [_case(1, 0)])
        repack = together.nodes["repack"]
        again = Box("", (), tuple(b"R%04d" % number for number in range(50)))
        moving.repackage(repack, [_case(1, 0)], product_of(GTIN, "R1", EXPIRY), again)
        together.abreast()
        _moved(together, "repack", "south", [_repacked(number) for number in range(3)])
        _moved(together, "south", "hospital", [_repacked(1)])
        step.figure("rows on the ledger", len(_rows(together)))


def _repacked(number: int) -> str:
    return f"(01){GTIN}(21)R{number:04d}(10)R1(17){EXPIRY}"


def _away(telling: Telling, together: Together) -> None:
    hospital, north = together.nodes["hospital"], together.nodes["north"]
    with telling.step(
        "A partner is away for a day", "The record waits with its sender; nothing is counted twice."
    ) as step:
        endpoint = north.endpoint_of("hospital")
        together.transport.down.add(endpoint)
        sent = moving.ship(north, [_case(0, 25)], "hospital", ("po 4712",))
        together.abreast()
        step.holds("the hospital knows of nothing", moving.inbound(hospital) == [])
        together.clock.advance(DAY_MS)
        together.transport.down.discard(endpoint)
        step.figure("records delivered a day later", deliver_due(north))
        step.holds("nothing is delivered twice", deliver_due(north) == 0)
        step.figure("packs received", moving.receive(hospital, sent.hop.holding, None).units)
        with step.refused("the same shipment received again", NotFound):
            moving.receive(hospital, sent.hop.holding, None)


def _catch(telling: Telling, together: Together) -> None:
    corner, hospital, south = (together.nodes[name] for name in ("corner", "hospital", "south"))
    with telling.step("A clone, a stolen and a returned pack", "A scan is judged before anyone is alarmed.") as step:
        moving.end(corner, [_pack(0, 20, unit) for unit in range(10)], port.Reason.DISPENSED)
        moving.end(hospital, [_pack(0, 1, 1)], port.Reason.STOLEN)
        _moved(together, "corner", "north", [_pack(0, 20, 50)])
        asked = (
            ("clone of a dispensed pack", south, _pack(0, 20, 3), "DISPENSED", "alarm"),
            ("stolen pack on sale", south, _pack(0, 1, 1), "STOLEN", "alarm"),
            ("another's pack", south, _pack(0, 2, 2), "HOLDER_MISMATCH", "ask again before alarming"),
            ("own second scan", corner, _pack(0, 20, 4), "DISPENSED", "warning"),
            ("returned pack", together.nodes["north"], _pack(0, 20, 50), "", "nothing"),
            ("pack in order", corner, _pack(0, 20, 60), "", "nothing"),
        )
        for told, node, label, code, call in asked:
            verdict = answering.verify(node, label).verdict
            step.figure(told, f"{verdict.code or 'verified'}: {verdict.call.value}")
            step.holds(f"{told} is judged so", (verdict.code, verdict.call.value) == (code, call))
        step.holds("two notifications are drafted", len(watching.alerts(south)) == 2)
        together.clock.advance(PATIENCE_MS)
        step.holds("another's pack that stays another's is the third", len(watching.alerts(south)) == 3)
        with step.refused("the pack dispensed again", RemoteRefusal):
            moving.end(corner, [_pack(0, 20, 3)], port.Reason.DISPENSED)


def _recall(telling: Telling, together: Together) -> None:
    with telling.step("A recall reaches who holds the lot", "Every holder and nobody else; dispensing stops.") as step:
        start = time.perf_counter()
        answering.recall(together.nodes["maker"], GTIN, LOT, 1)
        together.abreast()
        step.figure("seconds until every replica has it", f"{time.perf_counter() - start:.2f}")
        held = {
            name: sum(len(one.serials) for one in answering.recalled_here(node))
            for name, node in together.nodes.items()
        }
        for name, count in held.items():
            step.figure(f"packs under recall at {name}", count)
        dispensed, stolen = 10, 1
        outside = dispensed + stolen + UNITS  # a case was repackaged: fifty packs of another lot
        step.holds("every pack is found once", sum(held.values()) == PALLETS * CASES * UNITS - outside + 50)
        step.holds("the regulator holds none", held["board"] == 0)
        expected = {"corner": 101 - 11, "south": 2, "repack": 47, "hospital": 998 - 1 + 1 + UNITS}
        step.holds("each holder has what it should", all(held[name] == count for name, count in expected.items()))
        with step.refused("a recalled pack dispensed", RemoteRefusal):
            moving.end(together.nodes["corner"], [_pack(0, 20, 70)], port.Reason.DISPENSED)
        step.figure("packs answered by the corner pharmacy", answering.acknowledge(together.nodes["corner"]))


def _follow(telling: Telling, together: Together) -> None:
    with telling.step("The regulator follows a pack", "From end to end, through a repackager, on record.") as step:
        start = time.perf_counter()
        hops = answering.follow(together.nodes["board"], _repacked(1), "inspection")
        step.figure("seconds", f"{time.perf_counter() - start:.2f}")
        for place, sent in enumerate(hops, 1):
            step.figure(f"hop {place}", f"{sent.hop.sender} to {sent.hop.receiver}")
        way = [(sent.hop.sender, sent.hop.receiver) for sent in hops]
        step.holds("the way is whole", way == [("maker", "repack"), ("repack", "south"), ("south", "hospital")])
        what = {"maker": f"commissioned in lot {LOT}", "repack": "repackaged into lot R1", "hospital": "under recall"}
        _map(telling, hops, what)
        openings = list(together.nodes["board"].ledger.read().range(port.OPENINGS))
        step.holds("each opening stands on the ledger", len(openings) == len(hops))
        with step.refused("a wholesaler that asks the same", Forbidden):
            answering.follow(together.nodes["south"], _repacked(1), "curious")


def _rows(together: Together) -> list[bytes]:
    return [id_ for id_, _ in together.owner.ledger.read().range(port.HOLDINGS)]
