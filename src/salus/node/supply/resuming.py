"""Intents: what a step needs is on the desk before the ledger is told, and the step is brought to its end after a crash.

1. The intent is kept, with whatever could not be made again: a lot's secret, the key of a hop record, what was scanned.
2. The ledger is told, unless it has the step already. It takes each step once, however often it is told.
3. What follows is written and delivered, each part so that it may be repeated. Then the intent is let go.

A step that the ledger refused is not told again by itself. It stays until nothing sent for it can still be carried out.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from typing import ClassVar, Final, Self, TypeVar, cast

from msgspec import structs

from salus.contracts.supply import port
from salus.core.encoding import Value, decode, encode
from salus.node.errors import THROTTLED, EdgeError, Unavailable
from salus.node.member import REPLICA_SECONDS, MemberNode
from salus.node.submitting import LIFE_MS
from salus.node.supply.exchange import Carry, authored, deliver_hop, put, regulators, send, ticket_of
from salus.node.supply.stock import ADDRESS, HOP, INBOUND, MADE, Hop, SentHop, Stock, hop_commitment, keep_stock

MAKING: Final = "making"
SHIPPING: Final = "shipping"
RECEIVING: Final = "receiving"


class Begun(Value, frozen=True):
    """A step of this member, begun and not yet brought to its end.

    Each kind has an `id`, under which it is kept; tells whether the ledger `stands` with the step done; can `tell` the
    ledger, which raises as `exchange.send`; and can `finish`, that is write and deliver what follows.
    """

    kind: ClassVar[str]
    until: int
    """Ledger time after which nothing sent for it is carried out any more, ms; 0 before anything was sent."""
    refused: bool
    """Whether the latest answer was a refusal."""


class Making(Begun, frozen=True):
    """A lot to be commissioned, or made of other goods."""

    kind: ClassVar[str] = MAKING
    owner: bytes
    stock: Stock
    root: bytes
    depth: int
    count: bytes
    minutes_out: int
    mkt: int
    targets: tuple[port.Target, ...]
    """What it is made of."""
    previous: tuple[bytes, ...]
    """Hops that brought what it is made of."""

    @property
    def id(self) -> bytes:
        """The lot's holding."""
        return self.stock.holding

    def stands(self, node: MemberNode) -> bool:
        """Tell whether the lot is there: nobody else can make one of its key."""
        return port.lot(node.ledger.read(), self.stock.parts[0].lot) is not None

    def tell(self, node: MemberNode) -> None:
        """Commission or transform."""
        ticket = ticket_of(node, self.owner)
        rest = (self.root, self.depth, self.count, self.minutes_out, self.mkt, ticket)
        send(node, port.Transform(self.targets, *rest) if self.targets else port.Commission(*rest), self.owner)

    def finish(self, node: MemberNode) -> None:
        """Keep the goods."""
        if self.targets:
            node.desk.keep_supply(MADE, (self.id, encode(self.previous)))
        keep_stock(node, self.stock)


class Shipping(Begun, frozen=True):
    """Goods to be packed, if they are several, and shipped."""

    kind: ClassVar[str] = SHIPPING
    owner: bytes
    hop: Hop
    """Its record; the holding is empty if the goods are packed first."""
    address: bytes
    targets: tuple[port.Target, ...]
    carrier: str
    """Who was last asked to carry the packing."""
    pack: bytes
    """Body of the packing. The same is sent again while it may still be carried out: a second one would empty the first."""
    pack_until: int
    """When it may not any more, ms."""

    @property
    def id(self) -> bytes:
        """The key of its record."""
        return self.hop.key

    @property
    def record(self) -> Hop:
        """The record, with what is shipped."""
        return structs.replace(self.hop, holding=self.hop.holding or hashlib.sha256(self.pack).digest())

    def stands(self, node: MemberNode) -> bool:
        """Tell whether these goods are on their way under this record, or were."""
        record = self.record
        commitment = hop_commitment(record)
        found = port.find(node.ledger.read(), port.Target(b"", record.holding, ()))
        on_its_way = found is not None and found.holding.hop == commitment
        return on_its_way or bool(node.desk.supply(HOP, commitment))

    def tell(self, node: MemberNode) -> None:
        """Pack, if several, and ship."""
        node.desk.drop_supply(ADDRESS, self.address)
        packed = self if self.hop.holding else self._packed(node)
        record = packed.record
        target = port.Target(b"", record.holding, ()) if packed.pack else packed.targets[0]
        ticket = ticket_of(node, self.owner)
        send(node, port.Ship(target, self.address, hop_commitment(record), record.back, ticket), self.owner)

    def finish(self, node: MemberNode) -> None:
        """Keep the record, and send it to the receiver and the regulators: what comes twice is taken once."""
        record = self.record
        commitment = hop_commitment(record)
        kept = node.desk.supply(HOP, commitment)
        found = port.find(node.ledger.read(), port.Target(b"", record.holding, ()))
        height = 0 if found is None else found.holding.height
        sent = decode(kept[0][1], SentHop) if kept else SentHop(height, record)
        node.desk.keep_supply(HOP, (commitment, encode(sent)))
        deliver_hop(node, sent)

    def _packed(self, node: MemberNode) -> Self:
        if self.pack and self._in_one(node):
            return self
        now = node.ledger_time()
        packing = self
        if not self.pack or now > self.pack_until:
            carriers = regulators(node)
            if not carriers:
                raise Unavailable("supply.no-regulator", "no regulator carries or licenses on this network")
            place = carriers.index(self.carrier) + 1 if self.carrier in carriers else 0
            carrier = carriers[place % len(carriers)]
            body = authored(node, port.Pack(self.targets), self.owner, carrier).body
            packing = structs.replace(self, carrier=carrier, pack=body, pack_until=now + 2 * LIFE_MS)
            keep(node, packing)
        try:
            put(node, packing.carrier, packing.signed(node))
        except EdgeError:
            if not _seen(node, lambda: packing._in_one(node)):  # noqa: SLF001 -- of its own kind
                raise
        return packing

    def signed(self, node: MemberNode) -> Carry:
        """Return the packing as it is sent: the same bytes each time."""
        return authored(node, port.Pack(self.targets), self.owner, self.carrier, self.pack)

    def _in_one(self, node: MemberNode) -> bool:
        return port.find(node.ledger.read(), port.Target(b"", self.record.holding, ())) is not None


class Receiving(Begun, frozen=True):
    """A shipment to be taken over."""

    kind: ClassVar[str] = RECEIVING
    owner: bytes
    sent: SentHop
    excepted: tuple[port.Excepted, ...]
    units: int
    missing: tuple[str, ...]
    over: tuple[str, ...]

    @property
    def id(self) -> bytes:
        """What was shipped."""
        return self.sent.hop.holding

    def stands(self, node: MemberNode) -> bool:
        """Tell whether the goods are this key's."""
        found = port.find(node.ledger.read(), port.Target(b"", self.id, ()))
        return found is not None and found.holding.owner == self.owner

    def tell(self, node: MemberNode) -> None:
        """Receive."""
        send(node, port.Receive(self.id, self.excepted, ticket_of(node, self.owner)), self.owner)

    def finish(self, node: MemberNode) -> None:
        """Keep the goods; nothing is on its way any more."""
        keep_stock(node, Stock(self.id, self.sent.hop.parts, hop_commitment(self.sent.hop)))
        node.desk.drop_supply(INBOUND, self.id)


Intent = TypeVar("Intent", Making, Shipping, Receiving)


def keep(node: MemberNode, intent: Intent) -> None:
    """Keep an intent, durably."""
    node.desk.keep_supply(intent.kind, (intent.id, encode(intent)))


def carry_through(node: MemberNode, intent: Intent) -> Intent:
    """Bring a step to its end, from wherever it stands, and return it. Raises as `exchange.send`; the intent is kept then."""
    going = _going(node)
    going.add(intent.id)
    try:
        if not intent.stands(node):
            again = intent.until > 0
            intent = structs.replace(intent, until=node.ledger_time() + 2 * LIFE_MS, refused=False)
            keep(node, intent)
            intent = _told(node, intent, again=again)
        intent.finish(node)
        node.desk.drop_supply(intent.kind, intent.id)
        return intent
    finally:
        going.discard(intent.id)


def resume(node: MemberNode) -> None:
    """Bring every step that was begun to its end, but for what the ledger refuses. Raises Unavailable."""
    _resume(node, Making)
    _resume(node, Shipping)
    _resume(node, Receiving)


def _resume(node: MemberNode, type_: type[Intent]) -> None:
    for id_, body in node.desk.supply(type_.kind):
        intent = decode(body, type_)
        if id_ in _going(node):
            continue
        if intent.refused and not intent.stands(node):
            if node.ledger.head().time > intent.until:
                node.desk.drop_supply(type_.kind, id_)
            continue
        try:
            carry_through(node, intent)
        except EdgeError as error:
            if not _definite(error):
                raise


def _told(node: MemberNode, intent: Intent, *, again: bool) -> Intent:
    """Tell the ledger; return the intent as the desk has it by then."""
    try:
        intent.tell(node)
    except EdgeError as error:
        intent = kept = _kept(node, intent)
        refused = _definite(error)
        if not (_seen(node, lambda: kept.stands(node)) if again and refused else intent.stands(node)):
            if refused:
                keep(node, structs.replace(intent, refused=True))
            raise
    return _kept(node, intent)


def _kept(node: MemberNode, intent: Intent) -> Intent:
    ((_, body),) = node.desk.supply(intent.kind, intent.id)
    return decode(body, type(intent))


def _seen(node: MemberNode, stands: Callable[[], bool]) -> bool:
    """Tell whether something stands on the own replica, which may be seconds behind the one that refused it as done."""
    news = threading.Event()
    end = node.ledger.subscribe(lambda _: news.set())
    latest = time.monotonic() + REPLICA_SECONDS
    try:
        while not stands():
            if not news.wait(max(0.0, latest - time.monotonic())):
                return stands()
            news.clear()
        return True
    finally:
        end()


def _definite(error: EdgeError) -> bool:
    """Tell whether an answer is a refusal, and not only that none could be had."""
    return error.fault.status < THROTTLED.status


def _going(node: MemberNode) -> set[bytes]:
    """Return the steps that this process is in the middle of: nobody else resumes them."""
    return cast("set[bytes]", node.memory.setdefault("supply.going", set()))
