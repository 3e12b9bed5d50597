"""Goods on their way between members: commissioned, shipped, received, ended. The use cases are in `trading`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from salus.agreements.supply.packing import Box, packed
from salus.contracts.supply import port
from salus.core.encoding import decode
from salus.core.tables import View
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.supply.commitments import Subject, committed
from salus.node.supply.exchange import address_of, new_keys, send, ticket_of
from salus.node.supply.resuming import (
    MAKING,
    RECEIVING,
    SHIPPING,
    Making,
    Receiving,
    Shipping,
    carry_through,
    resume,
)
from salus.node.supply.stock import (
    HOP,
    INBOUND,
    MADE,
    Hop,
    Index,
    Part,
    SentHop,
    Spot,
    Stock,
    counted,
    hop_commitment,
    index_of,
    leaves_of,
    one_time,
    own_spot,
    part_of,
    spots,
    target_of,
    units_of,
)

MAX_LEVELS: Final = 4  # of containers inside a lot: with the lot and the unit, as many as a proof climbs
MISSING: Final = 21  # GS1 US 2-1
DAMAGED: Final = 31  # GS1 US 3-1
Way = tuple[int, ...]
"""Positions from a part down."""
_Asked = tuple[tuple[Part, ...], str, tuple[str, ...], bool]
"""What a shipment was asked for with: goods, receiver, papers, whether back."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a shipment."""

    holding: bytes
    sender: str
    units: int
    """Units taken over."""
    missing: tuple[str, ...]
    """Serials and names in the data that did not come: they stay the sender's, in dispute."""
    over: tuple[str, ...]
    """Identifiers that came and are in no data of this shipment."""
    damaged: tuple[str, ...] = ()
    """Identifiers that came damaged: they stay the sender's, in dispute."""


def bring(node: MemberNode, product: bytes, box: Box, *, minutes_out: int = 0, mkt: int = 0) -> Stock:
    """Commission a lot packed as `box` says; what this member made already is returned.

    Raises Malformed, Refused, Unavailable.
    """
    resume(node)
    return _made_before(node, product, box) or _make(node, product, box, minutes_out, mkt)


def repackage(node: MemberNode, identifiers: Sequence[str], product: bytes, box: Box) -> Stock:
    """End goods of this member and commission a lot made of them. Raises as `bring`, NotFound."""
    resume(node)
    found = sorted((own_spot(node, one) for one in identifiers), key=lambda one: one[2].id)
    if all(one.holding.reason is port.Reason.TRANSFORMED for _, _, one in found):
        before = _made_before(node, product, box)
        if before is not None:
            return before
    previous = tuple(dict.fromkeys(spot.stock.hop for spot, _, _ in found if spot.stock.hop))
    of = _Of(found[0][2].holding.owner, tuple(target for _, target, _ in found), previous)
    return _make(node, product, box, of=of)


def ship(
    node: MemberNode, identifiers: Sequence[str], to: str, documents: Sequence[str] = (), *, back: bool = False
) -> SentHop:
    """Ship goods to a partner: several are packed first. Its record leaves once the ledger has the shipment.

    The same asked again while it is on its way is the same shipment. Raises NotFound for goods that are not this
    member's, or when the partner has offered no address.
    """
    resume(node)
    found = sorted((own_spot(node, one) for one in identifiers), key=lambda one: one[2].id)
    if not back:
        _nothing_recalled(node, found)
    owner = found[0][2].holding.owner
    if any(one.holding.owner != owner for _, _, one in found):
        raise Conflict("supply.owners", "these goods came under different keys", todo="ship them apart")
    parts = tuple(part_of(index_of(node), spot) for spot, _, _ in found)
    asked = (parts, to, tuple(documents), back)
    on_its_way = _shipped_before(node, found[0][2].holding, asked)
    if on_its_way is not None:
        return on_its_way
    begun = [decode(body, Shipping) for _, body in node.desk.supply(SHIPPING)]
    intent = next((one for one in begun if _asked(one.hop) == asked), None)
    if intent is None:
        previous = tuple(dict.fromkeys(hop for spot, _, _ in found for hop in hops_behind(node, spot.stock)))
        sources = tuple(dict.fromkeys(lot for part in parts for lot in _sources(node, part.lot)))
        name = node.entropy(32) if len(found) > 1 else b""
        holding = port.mix_id(owner, name) if name else found[0][2].id
        now = node.now()
        hop = Hop(node.entropy(32), previous, node.member, to, holding, back, asked[2], now, parts, sources)
        targets = tuple(target for _, target, _ in found)
        intent = Shipping(0, False, owner, hop, address_of(node, to), targets, name)
    done = carry_through(node, intent)
    return decode(node.desk.supply(HOP, hop_commitment(done.hop))[0][1], SentHop)


def inbound(node: MemberNode) -> list[SentHop]:
    """Return what is on its way to this member and may be received."""
    state = node.ledger.read()
    found = []
    for _, body in node.desk.supply(INBOUND):
        sent = decode(body, SentHop)
        standing = port.find(state, port.Target(b"", sent.hop.holding, ()))
        if standing is not None and standing.holding.status is port.Status.IN_TRANSIT:
            found.append(sent)
    return found


def receive(node: MemberNode, holding: bytes, scans: Sequence[str] | None, *, damaged: Sequence[str] = ()) -> Received:
    """Take a shipment over: all of it, or what was scanned; the rest stays the sender's, in dispute. Raises NotFound.

    What came damaged stays the sender's under its own code, scanned or not.

    One that was begun and may stand on the ledger is brought to its end with the scans of then.
    """
    begun = [decode(body, Receiving) for _, body in node.desk.supply(RECEIVING, holding)]
    for intent in begun:
        if not intent.refused or intent.stands(node):
            return _received(carry_through(node, intent))
    resume(node)
    kept = node.desk.supply(INBOUND, holding)
    if not kept:
        raise NotFound("supply.no-shipment", "nothing with this id is on its way here", todo="see `salus supply stock`")
    sent = decode(kept[0][1], SentHop)
    hop = sent.hop
    state = node.ledger.read()
    standing = port.find(state, port.Target(b"", holding, ()))
    if standing is None or one_time(node, standing.holding.to) is None:
        raise NotFound("supply.no-shipment", "nothing with this id is on its way here any more")
    aside = Index()
    aside.add(Stock(holding, hop.parts, hop_commitment(hop)))
    lacking, over = ([], []) if scans is None else _differences(aside, hop.parts, [*scans, *damaged])
    broken = [next(reversed(spots(aside, one)), None) for one in damaged]
    apart = [(spot, count, MISSING) for spot, count in lacking]
    apart += [(spot, part_of(aside, spot).box.count(), DAMAGED) for spot in broken if spot is not None]
    found = [(spot, target_of(aside, spot), count, code) for spot, count, code in apart]
    found = [one for one in found if _lies_in(state, one[1], holding)]
    if any(port.id_of(target) == holding for _, target, _, _ in found):
        raise Conflict("supply.nothing", "nothing of the shipment is taken over", todo="refuse it")
    excepted = {port.id_of(target): port.Excepted(target, code) for _, target, _, code in found}
    units = counted(hop.parts) - sum(count for _, _, count, _ in found)
    names = tuple(_name(spot) for spot, _, _, code in found if code == MISSING)
    rising = tuple(excepted[one] for one in sorted(excepted))
    told = tuple(one for one, spot in zip(damaged, broken, strict=True) if spot is not None)
    intent = Receiving(0, False, standing.holding.to, sent, rising, units, names, tuple(over), told)
    return _received(carry_through(node, intent))


def end(node: MemberNode, identifiers: Sequence[str], reason: port.Reason) -> int:
    """Decommission goods of this member, a hundred in a transaction. Returns how many. Raises NotFound, Refused."""
    resume(node)
    found = sorted((own_spot(node, one) for one in identifiers), key=lambda one: one[2].id)
    if reason in port.UNDOABLE:
        _nothing_recalled(node, found)
    by_owner: dict[bytes, list[port.Target]] = {}
    for _, target, standing in found:
        by_owner.setdefault(standing.holding.owner, []).append(target)
    for owner, targets in by_owner.items():
        for start in range(0, len(targets), port.MAX_TARGETS):
            part = tuple(targets[start : start + port.MAX_TARGETS])
            send(node, port.End(part, reason, ticket_of(node, owner)), owner)
    return len(found)


def undo(node: MemberNode, identifier: str) -> None:
    """Take the end of a unit back. Raises NotFound, Refused."""
    resume(node)
    _, _, found = own_spot(node, identifier)
    send(node, port.Undo(found.id), found.holding.owner)


def hops_behind(node: MemberNode, stock: Stock) -> tuple[bytes, ...]:
    """Return the hops that brought a stock, or what it was repackaged from."""
    if stock.hop:
        return (stock.hop,)
    made = node.desk.supply(MADE, stock.holding)
    return tuple(decode(made[0][1], tuple[bytes, ...])) if made else ()


@dataclass(frozen=True, slots=True)
class _Of:
    """What a lot is made of."""

    owner: bytes
    targets: tuple[port.Target, ...]
    previous: tuple[bytes, ...]


_NOTHING: Final = _Of(b"", (), ())


def _make(
    node: MemberNode, product: bytes, box: Box, minutes_out: int = 0, mkt: int = 0, *, of: _Of = _NOTHING
) -> Stock:
    """Bring a lot into the world: the one that was begun, if it was."""
    for _, body in node.desk.supply(MAKING):
        begun = decode(body, Making)
        part = begun.stock.parts[0]
        if (part.product, part.box, begun.targets) == (product, box, of.targets):
            return carry_through(node, begun).stock
    secret = node.entropy(32)
    try:
        tree = packed(box, product, secret)
    except ValueError as error:
        raise Malformed("supply.packing", str(error)) from error
    owner = of.owner or new_keys(node, 1)[0]
    part = Part(port.lot_id(tree.key, owner), tree.key, product, secret, box)
    index_of(node).trees[part.id] = tree
    stock = Stock(part.id, (part,), b"")
    count = committed(node, Subject.LOT, box.count(), part.lot, product)
    rest = (tree.root, tree.depth, count, minutes_out, mkt, of.targets, of.previous)
    intent = Making(0, False, owner, stock, *rest)
    return carry_through(node, intent).stock


def _made_before(node: MemberNode, product: bytes, box: Box) -> Stock | None:
    """Return goods of this member's making with this product and packing: serials are given once."""
    for stock in index_of(node).stocks.values():
        if not stock.hop and stock.parts[0].product == product and stock.parts[0].box == box:
            return stock
    return None


def _nothing_recalled(node: MemberNode, found: Sequence[tuple[Spot, port.Target, port.Found]]) -> None:
    """Raise Conflict if a unit recalled by itself lies in goods: the ledger sees the mark when the unit is touched, not before."""
    state, index = node.ledger.read(), index_of(node)
    marked = {key for key, mark in state.range(port.MARKS) if mark.recall or mark.ordered}
    lots = {key[:32] for key in marked}
    for spot, _, standing in found:
        if spot.unit or spot.part.lot not in lots:
            continue
        part = part_of(index, spot)
        inside = units_of(state, index, part, standing)
        if any(part.lot + unit.id in marked and unit.top == standing.top for _, unit in inside):
            raise Conflict("supply.recalled-inside", "recalled packs lie in these goods", todo="take them out first")


def _asked(hop: Hop) -> _Asked:
    return hop.parts, hop.receiver, hop.documents, hop.back


def _shipped_before(node: MemberNode, standing: port.Holding, asked: _Asked) -> SentHop | None:
    """Return the shipment that goods are on their way in, if it is the one asked for."""
    if standing.status is not port.Status.IN_TRANSIT:
        return None
    sent = [decode(body, SentHop) for _, body in node.desk.supply(HOP, standing.hop)]
    return next((one for one in sent if _asked(one.hop) == asked), None)


def _received(done: Receiving) -> Received:
    return Received(done.id, done.sent.hop.sender, done.units, done.missing, done.over, done.damaged)


def _sources(node: MemberNode, lot: bytes) -> tuple[bytes, ...]:
    row = port.lot(node.ledger.read(), lot)
    return () if row is None else row.sources


def _differences(aside: Index, parts: Sequence[Part], scans: Sequence[str]) -> tuple[list[tuple[Spot, int]], list[str]]:
    """Return what was announced and not scanned, with its units, and the lines that nothing announced."""
    scanned: set[tuple[bytes, Way]] = set()
    over = []
    for line in scans:
        hits = [(spot.part.id, spot.positions) for spot in spots(aside, line)]
        scanned.update(hits)
        over += [] if hits else [line]
    missing: list[tuple[Spot, int]] = []
    for part in parts:
        ways = [way for way, _ in leaves_of(part)]
        lacking = [way for way in ways if not any((part.id, way[:n]) in scanned for n in range(len(way) + 1))]
        if lacking:
            missing += _as_containers(Stock(b"", (part,), b""), part.box, (), lacking)
    return missing, over


def _as_containers(stock: Stock, box: Box, above: Way, lacking: list[Way]) -> list[tuple[Spot, int]]:
    """Return units as the fewest containers that hold nothing else."""
    (part,) = stock.parts
    if len(lacking) == box.count():
        return [(Spot(stock, part, above, unit=False), len(lacking))]
    found = [(Spot(stock, part, way, unit=True), 1) for way in lacking if box.serials]
    for place, inner in enumerate(box.boxes):
        below = [way for way in lacking if way[len(above)] == place]
        if below:
            found += _as_containers(stock, inner, (*above, place), below)
    return found


def _lies_in(state: View, target: port.Target, holding: bytes) -> bool:
    found = port.find(state, target)
    return found is not None and found.top == holding


def _name(spot: Spot) -> str:
    """Return the container's name, or a unit's serial."""
    here = spot.part.box
    for place in spot.positions:
        if here.serials:
            return here.serials[place].decode("ascii")
        here = here.boxes[place]
    return here.name or here.serials[0].decode("ascii")
