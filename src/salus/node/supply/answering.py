"""Questions about goods: is this pack genuine and ours, what is recalled here, which way did it come."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msgspec import structs

from salus.agreements.supply.packing import Packed
from salus.agreements.supply.travel import Place
from salus.agreements.supply.triage import PATIENCE_MS, Call, Scan, Verdict, judge
from salus.contracts.supply import port
from salus.core.encoding import decode, encode
from salus.core.tables import View
from salus.node.errors import Forbidden, NotFound
from salus.node.member import MemberNode
from salus.node.supply import watching
from salus.node.supply.commitments import Subject, committed, keep, opened_lots, tell_regulators
from salus.node.supply.devices import packages
from salus.node.supply.exchange import UnitTold, ask_unit, regulators, send
from salus.node.supply.resuming import resume
from salus.node.supply.stock import (
    HOP,
    Index,
    Part,
    SentHop,
    Stock,
    elements_of,
    hop_commitment,
    index_of,
    one_time,
    part_of,
    spots,
    spots_of,
    target_of,
    units_of,
)

YEAR_2000: Final = "20"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a scan."""

    verdict: Verdict
    height: int
    """Height of the state that was asked."""
    responder: str
    """Who knew the unit: this member, its maker, or empty."""
    proof: bytes
    """What opens the unit and finds it in the ledger's state, for who keeps it; empty if nobody knows it."""


@dataclass(frozen=True, slots=True)
class Hops:
    """A regulator's records, searchable."""

    count: int
    index: Index


@dataclass(frozen=True, slots=True)
class RecalledHere:
    """Goods of a recalled lot that this member owns."""

    lot: bytes
    recall: int
    holding: bytes
    owner: bytes
    product: bytes
    serials: tuple[str, ...]
    acknowledged: bool


def verify(node: MemberNode, identifier: str, place: Place | None = None) -> Answer:
    """Answer for one unit, by the own replica; its maker is asked if the own data does not know it. Raises Malformed.

    `place` is where it was scanned: then a pack that cannot have come there in time is told. What calls for an alarm is
    quarantined if it is this member's, and a notification is drafted.
    """
    elements = elements_of(identifier)
    head = node.ledger.head().height
    state, index = node.ledger.read(head), index_of(node)
    newest = [spot for spot in spots_of(index, elements) if spot.unit][-1:]
    own = [UnitTold(part_of(index, spot), target_of(index, spot)) for spot in newest]
    responder, told = (node.member, own[-1]) if own else (ask_unit(node, identifier) or ("", None))
    found = None if told is None else port.find(state, told.target)
    if told is None or found is None:
        return Answer(judge(_unknown()), head, "", b"")
    _, lot, expiry = told.part.product.decode("ascii").split("|")
    row = found.holding
    ended = row.reason.name if row.status is port.Status.ENDED else ""
    ours = one_time(node, row.owner) is not None
    here = ours or (bool(row.to) and one_time(node, row.to) is not None)
    seen = watching.seen(node, found.id, place, elsewhere=not here)
    verdict = judge(
        Scan(
            known=True,
            lot_agrees=elements.get("10", lot) == lot,
            expiry_agrees=elements.get("17", expiry) == expiry,
            ended=ended,
            recalled=bool(port.recall_of(state, found.id, row)),
            suspect=row.status in {port.Status.DISPUTED, port.Status.QUARANTINED},
            expired=_expired(expiry, node.now()),
            ours=here,
            ours_ended=ours,
            far=seen.far,
            awaited=not own and seen.waited < PATIENCE_MS,
        )
    )
    if verdict.call is Call.RETRY:
        watching.wait(node, found.id, told)
    if verdict.call is Call.ALARM:
        watching.alarm(node, told, found, verdict.code)
    return Answer(verdict, head, responder, encode(told))


def recall(node: MemberNode, gtin: str, lot: str, recall_class: int, serials: tuple[str, str] | None = None) -> int:
    """Recall a lot of this member's making, or the units of a range of serials; class 0 lifts. Returns how many units.

    Without a lot all of the device identifier's, whatever the package (`devices.packages`): one step for each lot, as no two
    lots' keys may be seen to be one maker's. A range is of serials of one length, both ends inside. Raises NotFound, Refused.
    """
    resume(node)
    index, count = index_of(node), 0
    gtins = packages(node, gtin)
    mine = {stock.holding: (stock, part) for stock, part, _, _ in index.leaves if not stock.hop}
    for stock, part in mine.values():
        product, name, _ = part.product.decode("ascii").split("|")
        row = port.lot(node.ledger.read(), part.lot)
        if product not in gtins or lot not in {"", name} or row is None or one_time(node, row.maker) is None:
            continue
        units: list[bytes] = []
        if serials is not None:
            units = sorted(port.holding_id(part.lot, key) for key in _range(index.tree(part), *serials))
            if not units:
                continue
        for start in range(0, max(1, len(units)), port.MAX_UNITS):
            some = tuple(units[start : start + port.MAX_UNITS])
            send(node, port.Recall(part.lot, recall_class, some), row.maker)
        count += len(units) or stock.parts[0].box.count()
    if not count:
        raise NotFound("supply.no-lot", "this member made no such lot, or none of these serials")
    return count


def order_recall(node: MemberNode, gtin: str, lot: str, recall_class: int) -> int:
    """Order, as a regulator, the recall of a lot or of all lots of a device identifier; class 0 lifts. Returns how many lots.

    Regulators know which lots these are from the counts that their makers opened. Raises Forbidden to others, NotFound, Refused.
    """
    if node.member not in regulators(node):
        raise Forbidden("supply.regulator", "only a regulator orders a recall")
    gtins, lots = packages(node, gtin), set()
    for one in opened_lots(node):
        product, name, _ = one.product.decode("ascii").split("|")
        if product in gtins and lot in {"", name}:
            lots.add(one.place)
    if not lots:
        raise NotFound("supply.no-lot", "no maker told this regulator of such a lot")
    for place in sorted(lots):
        node.submitter.submit(port.OrderRecall(place, recall_class, ()))
    return len(lots)


def recalled_here(node: MemberNode) -> list[RecalledHere]:
    """Return exactly the goods under recall that this member owns now and that have not ended."""
    state, index = node.ledger.read(), index_of(node)
    found: dict[tuple[bytes, bytes, bytes], tuple[int, bytes, list[str]]] = {}
    mine: dict[bytes, bool] = {}
    for stock in {stock.holding: stock for stock, _, _, _ in index.leaves}.values():
        for part in stock.parts:
            lots = _under_recall(state, part)
            for serial, standing, class_ in _recalled_units(state, index, part) if lots else ():
                owner = standing.holding.owner
                if owner not in mine:
                    mine[owner] = one_time(node, owner) is not None
                for lot in lots if mine[owner] else ():
                    found.setdefault((lot, owner, standing.top), (class_, part.product, []))[2].append(
                        serial.decode("ascii")
                    )
    answered = {lot: {key for key, _ in port.acknowledgements(state, lot)} for lot in {lot for lot, _, _ in found}}
    return [
        RecalledHere(lot, class_, top, owner, product, tuple(dict.fromkeys(names)), owner in answered[lot])
        for (lot, owner, top), (class_, product, names) in sorted(found.items())
    ]


def _recalled_units(state: View, index: Index, part: Part) -> Iterator[tuple[bytes, port.Found, int]]:
    """Yield (serial, how it stands, class) of units under recall that have not ended. A row's lots are looked up once."""
    marked = {key[32:] for key, mark in state.range(port.MARKS) if mark.recall or mark.ordered}
    classes: dict[bytes, int] = {}
    for serial, standing in units_of(state, index, part):
        if standing.id in marked or standing.top not in classes:
            class_ = port.recall_of(state, standing.id, standing.holding)
            if standing.id not in marked:
                classes[standing.top] = class_
        else:
            class_ = classes[standing.top]
        if class_ and standing.holding.status is not port.Status.ENDED:
            yield serial, standing, class_


def acknowledge(node: MemberNode) -> int:
    """Answer every recall of goods that this member owns, once a lot and key. Returns how many units were set aside."""
    count = 0
    for one in recalled_here(node):
        if not one.acknowledged:
            told = committed(node, Subject.FOUND, len(one.serials), one.lot + one.owner, one.product)
            keep(node, told)  # before the ledger is told: a commitment without its key could never be opened
            done = send(node, port.Acknowledge(one.lot, one.holding, told.commitment), one.owner)
            tell_regulators(node, structs.replace(told, height=done.height))
            count += len(one.serials)
    return count


def follow(node: MemberNode, identifier: str, purpose: str) -> list[SentHop]:
    """Return the hops of a unit from end to end, the first one first, as a regulator.

    The opening stands on the ledger before anything is told; each record is held against the state that committed it.
    Raises Forbidden to others, NotFound.
    """
    if node.member not in regulators(node):
        raise Forbidden("supply.regulator", "only a regulator keeps the records of others' goods")
    records = {id_: decode(body, SentHop) for id_, body in node.desk.supply(HOP)}
    way = sorted(_way(node, records, identifier))
    reason = committed(node, Subject.PURPOSE, purpose.encode(), way[0] + node.member.encode("ascii"))
    keep(node, reason)
    for start in range(0, len(way), port.MAX_UNITS):
        outcome = node.submitter.submit(port.Open(tuple(way[start : start + port.MAX_UNITS]), reason.commitment))
        node.wait_for(outcome.height or 0)
    for id_ in way:
        sent = records[id_]
        found = port.find(node.ledger.read(sent.height), port.Target(b"", sent.hop.holding, ()))
        if found is None or found.holding.hop != id_ or hop_commitment(sent.hop) != id_:
            raise Forbidden("supply.hop", "a record is not the one that was committed")
    return sorted((records[id_] for id_ in way), key=lambda sent: sent.height)


def _way(node: MemberNode, records: Mapping[bytes, SentHop], identifier: str) -> set[bytes]:
    """Return the hops that name a unit, and those before them. Raises NotFound."""
    kept = node.memory.get("supply-hops")
    if not isinstance(kept, Hops) or kept.count != len(records):
        kept = Hops(len(records), Index())
        for id_, sent in records.items():
            kept.index.add(Stock(sent.hop.holding, sent.hop.parts, id_))
        node.memory["supply-hops"] = kept
    way = {spot.stock.hop for spot in spots(kept.index, identifier)}
    if not way:
        raise NotFound("supply.no-way", "no record here names this unit")
    waiting = sorted(way)
    while waiting:
        fresh = [one for one in records[waiting.pop()].hop.previous if one in records and one not in way]
        way.update(fresh)
        waiting += fresh
    return way


def _unknown() -> Scan:
    return Scan(
        known=False,
        lot_agrees=False,
        expiry_agrees=False,
        ended="",
        recalled=False,
        suspect=False,
        expired=False,
        ours=False,
        ours_ended=False,
    )


def _expired(expiry: str, now: int) -> bool:
    """Tell whether a GS1 date YYMMDD is over at Unix time `now` (ms); day 00 is the end of the month."""
    today = datetime.fromtimestamp(now // 1000, UTC).strftime("%Y%m%d")
    day = YEAR_2000 + expiry
    return len(expiry) == 6 and (day[:6] + ("99" if day.endswith("00") else day[6:])) < today


def _range(tree: Packed, first: str, last: str) -> Iterator[bytes]:
    if tree.box.serials:
        keys = tree.keys()
        for key, serial in zip(keys, tree.box.serials, strict=False):
            if len(serial) == len(first) and first.encode() <= serial <= last.encode():
                yield key
    for inner in tree.inside:
        yield from _range(inner, first, last)


def _under_recall(state: View, part: Part) -> Sequence[bytes]:
    row = port.lot(state, part.lot)
    lots = [part.lot, *(() if row is None else row.sources)]
    marked = {key[:32] for key, mark in state.range(port.MARKS) if mark.recall or mark.ordered}
    found = []
    for lot in lots:
        told = port.lot(state, lot)
        if lot in marked or (told is not None and (told.recall or told.ordered)):
            found.append(lot)
    return found
