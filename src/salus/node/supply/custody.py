"""What becomes of goods short of a sale: disputes ended, shipments called back, custody, temperature, quarantine."""

from datetime import datetime
from itertools import pairwise
from typing import Final

from salus.agreements.supply.coldchain import ZERO_CELSIUS, Leg, Reading, leg
from salus.contracts.supply import port
from salus.core.encoding import Value, decode, encode
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.exchange.documents import open_document, seal_and_deliver
from salus.node.member import MemberNode
from salus.node.supply.commitments import Subject, committed
from salus.node.supply.commitments import keep as keep_opened
from salus.node.supply.exchange import UNOPENED, address_of, send, ticket_of
from salus.node.supply.resuming import resume
from salus.node.supply.stock import (
    ADDRESS,
    HOP,
    INBOUND,
    STOCK,
    Index,
    SentHop,
    Stock,
    hop_commitment,
    index_of,
    keep_stock,
    one_time,
    own_spot,
    spots,
    target_of,
)

HAND_KIND: Final = "supply-hand"
HANDED: Final = "handed"
IN_HAND: Final = "in-hand"
ID_HEX: Final = 64
MAX_READINGS: Final = 100_000  # a reading a minute for two months


class Handed(Value, frozen=True):
    """Goods that are being handed to a custodian: their id, and nothing of what they are."""

    holding: bytes
    height: int


def refuse(node: MemberNode, holding: bytes, code: int) -> str:
    """Take nothing of a shipment. Returns its sender. Refused before is refused. Raises NotFound, Refused."""
    resume(node)
    kept = node.desk.supply(INBOUND, holding)
    if not kept:
        raise NotFound("supply.no-shipment", "nothing with this id is on its way here", todo="see `salus supply stock`")
    sent = decode(kept[0][1], SentHop)
    row = _row(node, holding)
    if not (row.status is port.Status.DISPUTED and row.hop == hop_commitment(sent.hop)):
        send(node, port.Refuse(holding, code), row.to)
    node.desk.drop_supply(INBOUND, holding)
    return sent.hop.sender


def settle(node: MemberNode, identifier: str) -> bool:
    """End a dispute by giving in: as sender the goods stay, as receiver they are here after all.

    Returns whether this member has them now as their receiver. Raises NotFound, Refused.
    """
    resume(node)
    state = node.ledger.read()
    hops = Index()
    for _, body in node.desk.supply(HOP):
        hop = decode(body, SentHop).hop
        if hop.receiver == node.member:
            hops.add(Stock(hop.holding, hop.parts, hop_commitment(hop)))
    for index in (index_of(node), hops):
        for spot in reversed(spots(index, identifier)):
            found = port.find(state, target_of(index, spot))
            if found is None or found.holding.status is not port.Status.DISPUTED:
                continue
            mine = next((one for one in (found.holding.to, found.holding.owner) if one_time(node, one)), None)
            if mine is None:
                continue
            send(node, port.Settle(found.top, ticket_of(node, mine)), mine)
            received = mine == found.holding.to
            if received and not node.desk.supply(STOCK, spot.stock.holding):
                keep_stock(node, spot.stock)
            return received
    raise NotFound("supply.no-dispute", "no goods of this name are in dispute with this member")


def cancel(node: MemberNode, identifier: str) -> None:
    """Call a shipment back while nobody has received it. Called back before is called back. Raises NotFound, Conflict."""
    resume(node)
    _, _, found = own_spot(node, identifier)
    if found.holding.status is port.Status.IN_TRANSIT:
        send(node, port.Cancel(found.top), found.holding.owner)
    elif not found.holding.hop:
        raise Conflict("supply.not-shipped", "these goods are not on their way")


def quarantine(node: MemberNode, identifier: str) -> None:
    """Set suspect goods aside. Set aside before is set aside. Raises NotFound, Refused."""
    resume(node)
    _, target, found = own_spot(node, identifier)
    if found.holding.status is not port.Status.QUARANTINED:
        send(node, port.Quarantine(target), found.holding.owner)


def clear(node: MemberNode, identifier: str) -> None:
    """Release goods from quarantine, with whatever was set aside in one with them. Raises NotFound, Refused."""
    resume(node)
    _, _, found = own_spot(node, identifier)
    send(node, port.Clear(found.top), found.holding.owner)


def hand(node: MemberNode, identifier: str, to: str) -> bytes:
    """Hand goods to a custodian, which learns their id and nothing else. Returns the id. Raises NotFound, Refused.

    Handed to it before and not taken yet: it is told again.
    """
    resume(node)
    _, target, found = own_spot(node, identifier)
    name = to.encode("ascii")
    handed = node.desk.supply(ADDRESS, found.holding.handed) if found.holding.handed else []
    if not any(whose == name for _, whose in handed):
        address = address_of(node, to)
        send(node, port.Hand(target, address), found.holding.custodian)
    else:
        address = found.holding.handed
    seal_and_deliver(node, to, HAND_KIND, Handed(found.id, node.ledger.head().height))
    node.desk.drop_supply(ADDRESS, address)
    return found.id


def take_handed(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Keep that goods are being handed to this member. What is not handed to a key of its own is found out on taking."""
    note = open_document(node, sender, HAND_KIND, envelope, Handed, code=UNOPENED)
    node.wait_for(note.height)
    node.desk.keep_supply(HANDED, (note.holding, encode(note)))


def take(node: MemberNode) -> list[bytes]:
    """Take in hand all that is being handed to this member. Returns the ids. Raises Refused, Unavailable."""
    resume(node)
    taken = []
    for holding, _ in node.desk.supply(HANDED):
        found = port.find(node.ledger.read(), port.Target(b"", holding, ()))
        if found is not None and found.holding.handed and one_time(node, found.holding.handed):
            key = found.holding.handed
            send(node, port.Take(holding, ticket_of(node, key)), key)
            taken.append(holding)
        found = port.find(node.ledger.read(), port.Target(b"", holding, ()))
        if found is not None and one_time(node, found.holding.custodian):
            node.desk.keep_supply(IN_HAND, (holding, b""))
        node.desk.drop_supply(HANDED, holding)
    return taken


def report(node: MemberNode, goods: str, series: bytes, low: int, high: int) -> tuple[Leg, bool]:
    """Report the temperatures of a leg that goods travelled in this member's hands.

    `goods` is a name of this member's goods or the id of what it carries; `series` lines `time,celsius`; the range is in
    millikelvin. Returns the figures and whether the goods are to be set aside. Raises Malformed, NotFound, Refused.
    """
    resume(node)
    figures = leg(_readings(series), low, high)
    if len(goods) == ID_HEX and not goods.startswith("("):
        found = port.find(node.ledger.read(), port.Target(b"", bytes.fromhex(goods), ()))
    else:
        _, _, found = own_spot(node, goods)
    if found is None or one_time(node, found.holding.custodian) is None:
        raise NotFound("supply.not-in-hand", "this member does not have these goods in hand")
    told = committed(node, Subject.SERIES, series, found.top)
    keep_opened(node, told)
    step = port.ReportTemperature(found.top, told.commitment, figures.mkt, figures.minutes_out)
    send(node, step, found.holding.custodian)
    row = _row(node, found.top)
    return figures, row.warm or row.status is port.Status.QUARANTINED


def _row(node: MemberNode, holding: bytes) -> port.Holding:
    found = port.find(node.ledger.read(), port.Target(b"", holding, ()))
    if found is None:
        raise NotFound("supply.no-shipment", "nothing with this id stands on the ledger")
    return found.holding


def _readings(series: bytes) -> list[Reading]:
    """Return readings, each holding until the next; the last ends the leg. Raises Malformed."""
    points: list[tuple[int, int]] = []
    try:
        for line in series.decode("ascii").split():
            time, celsius = line.split(",")
            whole, _, part = celsius.strip().removeprefix("-").partition(".")
            milli = int(whole) * 1000 + int((part + "000")[:3])
            kelvin = ZERO_CELSIUS + (-milli if celsius.strip().startswith("-") else milli)
            moment = datetime.fromisoformat(time)
            if moment.tzinfo is None:
                raise ValueError
            points.append((round(moment.timestamp()), kelvin))
    except ValueError:
        raise Malformed(
            "supply.readings",
            f"line {len(points) + 1} is no reading",
            expected="an ISO 8601 time with its zone, a comma, degrees Celsius",
        ) from None
    points.sort()
    pairs = list(pairwise(points))
    if not 0 < len(pairs) <= MAX_READINGS or any(later <= before for (before, _), (later, _) in pairs):
        raise Malformed("supply.readings", "these readings make no leg", expected="two times at least, none twice")
    return [Reading(kelvin, later - before) for (before, kelvin), (later, _) in pairs]
