"""Intents: what a step needs is on the desk before the ledger is told, and the step is brought to its end after a crash.

1. The intent is kept, with whatever could not be made again: a lot's secret, the key of a hop record, what was scanned.
2. The ledger is told, unless it has the step already. It takes each step once, however often it is told.
3. What follows is written and delivered, each part so that it may be repeated. Then the intent is let go.

A step that the ledger refused is not told again by itself. It stays until nothing sent for it can still be carried out.
"""

import threading
import time
from collections.abc import Callable
from typing import ClassVar, Final, TypeVar, cast

from msgspec import structs

from salus.contracts.supply import port
from salus.core.encoding import Value, decode, encode
from salus.node.errors import THROTTLED, EdgeError
from salus.node.member import REPLICA_SECONDS, MemberNode
from salus.node.submitting import LIFE_MS
from salus.node.supply.commitments import Opened, tell_regulators
from salus.node.supply.commitments import keep as keep_opened
from salus.node.supply.exchange import deliver_hop, send, ticket_of
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
    count: Opened
    """What opens the commitment to its units."""
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
        rest = (self.root, self.depth, self.count.commitment, self.minutes_out, self.mkt, ticket)
        send(node, port.Transform(self.targets, *rest) if self.targets else port.Commission(*rest), self.owner)

    def finish(self, node: MemberNode) -> None:
        """Keep the goods and what opens their count; tell that to the regulators."""
        if self.targets:
            node.desk.keep_supply(MADE, (self.id, encode(self.previous)))
        keep_stock(node, self.stock)
        opened = structs.replace(self.count, height=node.ledger.head().height)
        keep_opened(node, opened)
        tell_regulators(node, opened)


class Shipping(Begun, frozen=True):
    """Goods to be packed, if they are several, and shipped."""

    kind: ClassVar[str] = SHIPPING
    owner: bytes
    hop: Hop
    """Its record."""
    address: bytes
    targets: tuple[port.Target, ...]
    name: bytes
    """Name of the container that they are packed into first; empty for goods that are shipped as they are."""

    @property
    def id(self) -> bytes:
        """The key of its record."""
        return self.hop.key

    def stands(self, node: MemberNode) -> bool:
        """Tell whether these goods are on their way under this record, or were."""
        commitment = hop_commitment(self.hop)
        found = port.find(node.ledger.read(), port.Target(b"", self.hop.holding, ()))
        on_its_way = found is not None and found.holding.hop == commitment
        return on_its_way or bool(node.desk.supply(HOP, commitment))

    def tell(self, node: MemberNode) -> None:
        """Pack, if several, and ship."""
        node.desk.drop_supply(ADDRESS, self.address)
        if self.name and not self._in_one(node):
            self._pack(node)
        target = port.Target(b"", self.hop.holding, ()) if self.name else self.targets[0]
        ticket = ticket_of(node, self.owner)
        send(node, port.Ship(target, self.address, hop_commitment(self.hop), self.hop.back, ticket), self.owner)

    def finish(self, node: MemberNode) -> None:
        """Keep the record, and send it to the receiver and the regulators: what comes twice is taken once."""
        commitment = hop_commitment(self.hop)
        kept = node.desk.supply(HOP, commitment)
        found = port.find(node.ledger.read(), port.Target(b"", self.hop.holding, ()))
        height = 0 if found is None else found.holding.height
        sent = decode(kept[0][1], SentHop) if kept else SentHop(height, self.hop)
        node.desk.keep_supply(HOP, (commitment, encode(sent)))
        deliver_hop(node, sent)

    def _pack(self, node: MemberNode) -> None:
        """Pack under the same name, through whichever regulator answers: the ledger takes it once."""
        try:
            send(node, port.Pack(self.targets, self.name), self.owner)
        except EdgeError as error:
            if not (_definite(error) and _seen(node, lambda: self._in_one(node))):
                raise

    def _in_one(self, node: MemberNode) -> bool:
        return port.find(node.ledger.read(), port.Target(b"", self.hop.holding, ())) is not None


class Receiving(Begun, frozen=True):
    """A shipment to be taken over."""

    kind: ClassVar[str] = RECEIVING
    owner: bytes
    sent: SentHop
    excepted: tuple[port.Excepted, ...]
    units: int
    missing: tuple[str, ...]
    over: tuple[str, ...]
    damaged: tuple[str, ...]

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
