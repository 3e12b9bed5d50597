"""Goods on their way between members: commissioned, shipped, received, ended. The use cases are in `trading`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from salus.agreements.supply.packing import Box, packed
from salus.contracts.supply import port
from salus.core.encoding import decode, encode
from salus.core.proof.digest import mac
from salus.core.tables import View
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.supply.exchange import address_of, deliver_hop, new_keys, send, ticket_of
from salus.node.supply.stock import (
    HOP,
    INBOUND,
    Hop,
    Index,
    Part,
    SentHop,
    Spot,
    Stock,
    counted,
    hop_commitment,
    index_of,
    keep_stock,
    leaves_of,
    one_time,
    own_spot,
    part_of,
    spots,
    target_of,
)

MAX_LEVELS: Final = 4  # of containers inside a lot: with the lot and the unit, as many as a proof climbs
MISSING: Final = 21  # GS1 US 2-1
Way = tuple[int, ...]
"""Positions from a part down."""


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


def bring(node: MemberNode, product: bytes, box: Box, *, minutes_out: int = 0, mkt: int = 0) -> Stock:
    """Commission a lot packed as `box` says. Raises Malformed, Refused, Unavailable."""
    secret = node.entropy(32)
    try:
        tree = packed(box, product, secret)
    except ValueError as error:
        raise Malformed("supply.packing", str(error)) from error
    (owner,) = new_keys(node, 1)
    message = port.Commission(
        tree.root, tree.depth, _count_commitment(node, box.count()), minutes_out, mkt, ticket_of(node, owner)
    )
    send(node, message, owner)
    lot = port.lot_id(tree.key, owner)
    part = Part(lot, tree.key, product, secret, box)
    index_of(node).trees[part.id] = tree
    stock = Stock(part.id, (part,), b"")
    keep_stock(node, stock)
    return stock


def repackage(node: MemberNode, identifiers: Sequence[str], product: bytes, box: Box) -> Stock:
    """End goods of this member and commission a lot made of them. Raises as `bring`, NotFound."""
    found = sorted((own_spot(node, one) for one in identifiers), key=lambda one: one[2].id)
    owner = found[0][2].holding.owner
    secret = node.entropy(32)
    tree = packed(box, product, secret)
    ticket, count = ticket_of(node, owner), _count_commitment(node, box.count())
    targets = tuple(target for _, target, _ in found)
    send(node, port.Transform(targets, tree.root, tree.depth, count, 0, 0, ticket), owner)
    lot = port.lot_id(tree.key, owner)
    part = Part(lot, tree.key, product, secret, box)
    previous = tuple(dict.fromkeys(spot.stock.hop for spot, _, _ in found if spot.stock.hop))
    node.desk.keep_supply("made", (part.id, encode(previous)))
    stock = Stock(part.id, (part,), b"")
    keep_stock(node, stock)
    return stock


def ship(
    node: MemberNode, identifiers: Sequence[str], to: str, documents: Sequence[str] = (), *, back: bool = False
) -> SentHop:
    """Ship goods to a partner: several are packed first. Its record leaves once the ledger has the shipment.

    Raises NotFound for goods that are not this member's, or when the partner has offered no address.
    """
    found = sorted((own_spot(node, one) for one in identifiers), key=lambda one: one[2].id)
    owner = found[0][2].holding.owner
    if any(one.holding.owner != owner for _, _, one in found):
        raise Conflict("supply.owners", "these goods came under different keys", todo="ship them apart")
    parts = tuple(part_of(index_of(node), spot) for spot, _, _ in found)
    address = address_of(node, to)
    target = found[0][1]
    holding = found[0][2].id
    if len(found) > 1:
        carried = send(node, port.Pack(tuple(one for _, one, _ in found)), owner)
        holding, target = carried.tx_id, port.Target(b"", carried.tx_id, ())
    previous = tuple(dict.fromkeys(hop for spot, _, _ in found for hop in hops_behind(node, spot.stock)))
    sources = tuple(dict.fromkeys(lot for part in parts for lot in _sources(node, part.lot)))
    hop = Hop(node.entropy(32), previous, node.member, to, holding, back, tuple(documents), node.now(), parts, sources)
    commitment = hop_commitment(hop)
    sent_on = send(node, port.Ship(target, address, commitment, back, ticket_of(node, owner)), owner)
    sent = SentHop(sent_on.height, hop)
    node.desk.keep_supply(HOP, (commitment, encode(sent)))
    deliver_hop(node, sent)
    return sent


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


def receive(node: MemberNode, holding: bytes, scans: Sequence[str] | None) -> Received:
    """Take a shipment over: all of it, or what was scanned; the rest stays the sender's, in dispute. Raises NotFound."""
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
    stock = Stock(holding, hop.parts, hop_commitment(hop))
    aside.add(stock)
    lacking, over = ([], []) if scans is None else _differences(aside, hop.parts, scans)
    missing = [(spot, target_of(aside, spot), count) for spot, count in lacking]
    missing = [one for one in missing if _lies_in(state, one[1], holding)]
    if any(port.id_of(target) == holding for _, target, _ in missing):
        raise Conflict("supply.nothing", "nothing of the shipment was scanned", todo="refuse it")
    targets = sorted((target for _, target, _ in missing), key=port.id_of)
    excepted = tuple(port.Excepted(target, MISSING) for target in targets)
    owner = standing.holding.to
    send(node, port.Receive(holding, excepted, ticket_of(node, owner)), owner)
    keep_stock(node, stock)
    node.desk.drop_supply(INBOUND, holding)
    units = counted(hop.parts) - sum(count for _, _, count in missing)
    return Received(holding, hop.sender, units, tuple(_name(spot) for spot, _, _ in missing), tuple(over))


def end(node: MemberNode, identifiers: Sequence[str], reason: port.Reason) -> int:
    """Decommission goods of this member, a hundred in a transaction. Returns how many. Raises NotFound, Refused."""
    found = sorted((own_spot(node, one) for one in identifiers), key=lambda one: one[2].id)
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
    _, _, found = own_spot(node, identifier)
    send(node, port.Undo(found.id), found.holding.owner)


def hops_behind(node: MemberNode, stock: Stock) -> tuple[bytes, ...]:
    """Return the hops that brought a stock, or what it was repackaged from."""
    if stock.hop:
        return (stock.hop,)
    made = node.desk.supply("made", stock.holding)
    return tuple(decode(made[0][1], tuple[bytes, ...])) if made else ()


def _sources(node: MemberNode, lot: bytes) -> tuple[bytes, ...]:
    row = port.lot(node.ledger.read(), lot)
    return () if row is None else row.sources


def _count_commitment(node: MemberNode, count: int) -> bytes:
    return mac(node.entropy(32), "salus/v1/supply-count", count.to_bytes(8, "big"))


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
