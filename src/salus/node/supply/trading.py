"""Goods between members: use cases over `moving` (what is done to goods) and `answering` (what is asked of them)."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from salus.agreements.supply.goods import replay
from salus.agreements.supply.noticing import despatch_of
from salus.agreements.supply.packing import Box
from salus.agreements.supply.travel import place_of
from salus.contracts.supply import port
from salus.interop.epcis.document import read
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.gs1.digital_link import read_link
from salus.interop.gs1.refusal import Gs1Refused
from salus.interop.x12.despatch import write_despatch
from salus.interop.x12.envelope import Stamp, Trader
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.supply import answering, moving, watching
from salus.node.supply.exchange import offer_addresses
from salus.node.supply.stock import Hop, counted, product_of
from salus.node.usecase import OPERATOR, Message, use_case

DAY_MS: Final = 86_400_000
LABEL: Final = "(01)09506000134352(21)S1"
HOLDING: Final = "00" * 32
Identifier = Annotated[str, Meta(description="Label, Digital Link or URN of a pack or container.", examples=[LABEL])]
Identifiers = Annotated[
    tuple[str, ...],
    Meta(min_length=1, description="Labels, Digital Links or URNs of packs or containers.", examples=[[LABEL]]),
]


class GiveLicence(Message, frozen=True):
    """A partner and what it may do."""

    member: Annotated[str, Meta(description="Member id.", examples=["corner-pharmacy"])]
    kinds: Annotated[
        tuple[Literal["maker", "repackager", "distributor", "dispenser", "carrier"], ...],
        Meta(description="What it is licensed for; none withdraws the licence.", examples=[["dispenser"]]),
    ]
    days: Annotated[int, Meta(ge=1, le=3660, description="How long from now.", examples=[365])] = 365


class LicenceGiven(Message, frozen=True):
    """It stands on the ledger."""

    until: Annotated[str, Meta(description="When it ends, UTC.")]


class OfferAddresses(Message, frozen=True):
    """A partner that will ship to this member."""

    partner: Annotated[str, Meta(description="Member id of the sender.", examples=["wholesale"])]
    count: Annotated[int, Meta(ge=1, le=1000, description="How many shipments it may make.", examples=[10])] = 10


class AddressesOffered(Message, frozen=True):
    """They are on their way, sealed."""

    count: Annotated[int, Meta(description="How many.")]


class CommissionLots(Message, frozen=True):
    """A maker's own events."""

    files: Annotated[
        tuple[bytes, ...],
        Meta(description="EPCIS documents with commissioning and aggregation.", examples=[[b"{}"]]),
    ]
    minutes_out: Annotated[
        int, Meta(ge=0, description="Minutes out of range that the goods bear on one leg.", examples=[0])
    ] = 0
    mkt: Annotated[
        int, Meta(ge=0, description="Highest mean kinetic temperature, millikelvin; 0 none.", examples=[0])
    ] = 0


class LotsCommissioned(Message, frozen=True):
    """What was brought into the world."""

    lots: Annotated[int, Meta(description="Lots.")]
    units: Annotated[int, Meta(description="Units in them.")]


class ShipGoods(Message, frozen=True):
    """What goes to whom."""

    identifiers: Identifiers
    to: Annotated[str, Meta(description="Member id of the receiver.", examples=["corner-pharmacy"])]
    documents: Annotated[
        tuple[str, ...], Meta(description="Purchase order, despatch advice: `po 4711`.", examples=[["po 4711"]])
    ] = ()
    back: Annotated[bool, Meta(description="Whether they go back towards their maker.", examples=[False])] = False


class GoodsShipped(Message, frozen=True):
    """They are in transit: the receiver has to take them over."""

    holding: Annotated[str, Meta(description="Id of what was shipped, hexadecimal.")]
    units: Annotated[int, Meta(description="Units in it.")]
    notice: Annotated[bytes, Meta(description="X12 856 for the receiver's other systems, with the record's counts.")]


class ReceiveGoods(Message, frozen=True):
    """A shipment at the dock."""

    holding: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="Id of the shipment.", examples=[HOLDING])]
    scans: Annotated[
        tuple[str, ...],
        Meta(description="What was scanned; a container counts for what is in it. None: all.", examples=[[LABEL]]),
    ] = ()
    damaged: Annotated[
        tuple[str, ...], Meta(description="What came damaged: it stays the sender's (3-1).", examples=[[LABEL]])
    ] = ()


class GoodsReceived(Message, frozen=True):
    """They are this member's now, but for what is missing."""

    sender: Annotated[str, Meta(description="Member id of the sender.")]
    units: Annotated[int, Meta(description="Units taken over.")]
    missing: Annotated[tuple[str, ...], Meta(description="In the data, not scanned: the sender's, in dispute (2-1).")]
    damaged: Annotated[tuple[str, ...], Meta(description="Came damaged: the sender's, in dispute (3-1).")]
    over: Annotated[tuple[str, ...], Meta(description="Scanned, in no data of this shipment (1-1A).")]


class EndGoods(Message, frozen=True):
    """What is decommissioned and why."""

    identifiers: Identifiers
    reason: Annotated[
        Literal["dispensed", "sampled", "exported", "expired", "destroyed", "stolen", "illegitimate"],
        Meta(description="Why.", examples=["dispensed"]),
    ] = "dispensed"


class GoodsEnded(Message, frozen=True):
    """They have ended on the ledger."""

    count: Annotated[int, Meta(description="How many.")]


class UndoEnd(Message, frozen=True):
    """A pack whose end was a mistake."""

    identifier: Identifier


class EndUndone(Message, frozen=True):
    """It is active again."""


class VerifyPack(Message, frozen=True):
    """A label."""

    identifier: Identifier
    place: Annotated[
        str, Meta(description="Where it is scanned, as in EPCIS; default unsaid.", examples=["geo:48.2082,16.3738"])
    ] = ""


class PackVerified(Message, frozen=True):
    """The answer."""

    verified: Annotated[bool, Meta(description="Whether such a pack was made and is in circulation.")]
    code: Annotated[
        str, Meta(description="What is wrong, a code of GS1 verification messaging or ours; empty: nothing.")
    ]
    action: Annotated[str, Meta(description="What it calls for.")]
    height: Annotated[int, Meta(description="Height of the ledger's state that was asked.")]
    responder: Annotated[str, Meta(description="Who knew the pack; empty if nobody did.")]
    proof: Annotated[bytes, Meta(description="What opens the pack and finds it in that state; empty if unknown.")]


class RecallLot(Message, frozen=True):
    """What is recalled."""

    gtin: Annotated[str, Meta(pattern=r"^\d{14}$", description="GTIN-14.", examples=["09506000134352"])]
    recall_class: Annotated[int, Meta(ge=0, le=3, description="1 to 3; 0 lifts.", examples=[2])]
    lot: Annotated[
        str,
        Meta(description="Lot number; empty for all of the device identifier's, in every package.", examples=["A1"]),
    ] = ""
    first: Annotated[str, Meta(description="First serial of a range; empty for the whole lot.", examples=[""])] = ""
    last: Annotated[str, Meta(description="Last serial of the range.", examples=[""])] = ""


class LotRecalled(Message, frozen=True):
    """It holds from this block on."""

    units: Annotated[int, Meta(description="Units recalled, wherever they are.")]


class OrderRecall(Message, frozen=True):
    """What a regulator orders back."""

    gtin: Annotated[str, Meta(pattern=r"^\d{14}$", description="GTIN-14.", examples=["09506000134352"])]
    recall_class: Annotated[int, Meta(ge=0, le=3, description="1 to 3; 0 lifts the order.", examples=[2])]
    lot: Annotated[
        str,
        Meta(description="Lot number; empty for all of the device identifier's, in every package.", examples=["A1"]),
    ] = ""


class RecallOrdered(Message, frozen=True):
    """It holds from this block on."""

    lots: Annotated[int, Meta(description="Lots recalled, of whichever maker.")]


class ListRecalls(Message, frozen=True):
    """Asks for nothing more."""

    acknowledge: Annotated[
        bool, Meta(description="Whether to answer them on the ledger, once set aside.", examples=[False])
    ] = False


class RecalledGoods(Message, frozen=True):
    """Goods of this member under recall."""

    recall_class: Annotated[int, Meta(description="1 to 3.")]
    units: Annotated[int, Meta(description="Units to be set aside.")]
    serials: Annotated[tuple[str, ...], Meta(description="Their serials.")]
    acknowledged: Annotated[bool, Meta(description="Whether the recall was answered.")]


class RecallsListed(Message, frozen=True):
    """Exactly what this member holds under recall."""

    recalls: Annotated[tuple[RecalledGoods, ...], Meta(description="One for each lot and holding.")]


class FollowPack(Message, frozen=True):
    """A regulator's question."""

    identifier: Identifier
    purpose: Annotated[str, Meta(description="Why it is asked; committed to the ledger.", examples=["inspection 12"])]


class PackFollowed(Message, frozen=True):
    """The way from end to end."""

    hops: Annotated[tuple[str, ...], Meta(description="Each change of owner: time, sender, receiver, papers.")]


class ListStock(Message, frozen=True):
    """Asks for nothing more."""


class StockListed(Message, frozen=True):
    """What is on its way here."""

    inbound: Annotated[tuple[str, ...], Meta(description="Shipment id, sender, units.")]
    alerts: Annotated[tuple[str, ...], Meta(description="Time, code and draft of each alarm.")]


@use_case("supply.license", who=OPERATOR)
def give_licence(node: MemberNode, request: GiveLicence) -> LicenceGiven:
    """License a partner by name, as a regulator; its one-time keys get tickets under it."""
    kinds = tuple(sorted(port.License[kind.upper()] for kind in request.kinds))
    until = node.ledger_time() + request.days * DAY_MS
    node.submitter.submit(port.Licence(request.member, kinds, until))
    return LicenceGiven(until=moment(until))


@use_case("supply.offer-addresses", who=OPERATOR)
def offer(node: MemberNode, request: OfferAddresses) -> AddressesOffered:
    """Give a partner one-time keys to ship to, each for one shipment."""
    offer_addresses(node, request.partner, request.count)
    return AddressesOffered(count=request.count)


@use_case("supply.commission", who=OPERATOR)
def commission_lots(node: MemberNode, request: CommissionLots) -> LotsCommissioned:
    """Bring lots into the world, packed as the maker's own events say: one transaction for each lot."""
    lots = packed_lots(request.files)
    for product, box in lots.items():
        moving.bring(node, product, box, minutes_out=request.minutes_out, mkt=request.mkt)
    return LotsCommissioned(lots=len(lots), units=sum(box.count() for box in lots.values()))


@use_case("supply.ship", who=OPERATOR)
def ship_goods(node: MemberNode, request: ShipGoods) -> GoodsShipped:
    """Ship goods of this member: in transit on the ledger before the sealed record leaves for receiver and regulator."""
    sent = moving.ship(node, request.identifiers, request.to, request.documents, back=request.back)
    return GoodsShipped(holding=sent.hop.holding.hex(), units=counted(sent.hop.parts), notice=_notice(sent.hop))


@use_case("supply.receive", who=OPERATOR)
def receive_goods(node: MemberNode, request: ReceiveGoods) -> GoodsReceived:
    """Take a shipment over: all of it, or what was scanned."""
    done = moving.receive(node, bytes.fromhex(request.holding), request.scans or None, damaged=request.damaged)
    return GoodsReceived(
        sender=done.sender, units=done.units, missing=done.missing, damaged=done.damaged, over=done.over
    )


@use_case("supply.end", who=OPERATOR)
def end_goods(node: MemberNode, request: EndGoods) -> GoodsEnded:
    """Decommission goods of this member, up to a hundred in one transaction."""
    return GoodsEnded(count=moving.end(node, request.identifiers, port.Reason[request.reason.upper()]))


@use_case("supply.undo", who=OPERATOR)
def undo_end(node: MemberNode, request: UndoEnd) -> EndUndone:
    """Take back that a pack was dispensed, sampled or exported, within the window that the regulator set."""
    moving.undo(node, request.identifier)
    return EndUndone()


@use_case("supply.verify", who=OPERATOR)
def verify_pack(node: MemberNode, request: VerifyPack) -> PackVerified:
    """Say whether a pack is genuine, in circulation, and this member's; its maker is asked if nothing here names it."""
    try:
        place = place_of(request.place) if request.place else None
    except ValueError as error:
        raise Malformed("supply.place", "the place cannot be read", expected=str(error)) from None
    answer = answering.verify(node, request.identifier, place)
    verdict = answer.verdict
    return PackVerified(
        verified=verdict.verified,
        code=verdict.code,
        action=verdict.call.value,
        height=answer.height,
        responder=answer.responder,
        proof=answer.proof,
    )


@use_case("supply.recall", who=OPERATOR)
def recall_lot(node: MemberNode, request: RecallLot) -> LotRecalled:
    """Recall a lot of this member's making, a device identifier's lots, or a range of serials: none is dispensed from then on."""
    serials = (request.first, request.last) if request.first else None
    return LotRecalled(units=answering.recall(node, request.gtin, request.lot, request.recall_class, serials))


@use_case("supply.order-recall", who=OPERATOR)
def order_recall(node: MemberNode, request: OrderRecall) -> RecallOrdered:
    """Order a recall, as a regulator: of a lot, or of all lots of a device identifier, whoever made them."""
    return RecallOrdered(lots=answering.order_recall(node, request.gtin, request.lot, request.recall_class))


@use_case("supply.recalls", who=OPERATOR)
def list_recalls(node: MemberNode, request: ListRecalls) -> RecallsListed:
    """List exactly the goods of this member that are under recall, and answer the recalls if asked to."""
    if request.acknowledge:
        answering.acknowledge(node)
    return RecallsListed(
        recalls=tuple(
            RecalledGoods(
                recall_class=one.recall,
                units=len(one.serials),
                serials=one.serials,
                acknowledged=one.acknowledged,
            )
            for one in answering.recalled_here(node)
        )
    )


@use_case("supply.follow", who=OPERATOR)
def follow_pack(node: MemberNode, request: FollowPack) -> PackFollowed:
    """Tell a pack's way from end to end, as a regulator; that it was opened stands on the ledger first."""
    hops = answering.follow(node, request.identifier, request.purpose)
    return PackFollowed(
        hops=tuple(
            " ".join([moment(one.hop.time), one.hop.sender, "to", one.hop.receiver, *one.hop.documents]) for one in hops
        )
    )


@use_case("supply.stock", who=OPERATOR)
def list_stock(node: MemberNode, request: ListStock) -> StockListed:  # noqa: ARG001 -- a use case's shape
    """List what is on its way to this member, and the alarms of its scans."""
    waiting = [f"{one.hop.holding.hex()} {one.hop.sender} {counted(one.hop.parts)}" for one in moving.inbound(node)]
    told = [f"{moment(one.time)} {one.code}: {one.draft}" for one in watching.alerts(node)]
    return StockListed(inbound=tuple(waiting), alerts=tuple(told))


def _notice(hop: Hop) -> bytes:
    goods = [(part.box.name, part.product, part.box.count()) for part in hop.parts]
    told = despatch_of(hop.holding.hex()[:30], moment(hop.time), hop.documents, goods)
    ends = Trader("ZZ", hop.sender.upper()), Trader("ZZ", hop.receiver.upper())
    return write_despatch(told, ends, Stamp(told.day, told.time, 1 + int.from_bytes(hop.key[:4], "big") % 999_999_999))


def packed_lots(files: tuple[bytes, ...]) -> dict[bytes, Box]:
    """Return each lot's product and packing from a maker's events. Raises Malformed."""
    try:
        goods = replay(event for data in files for event in read(data))
    except EpcisRefused as refused:
        raise Malformed("supply.document", refused.rule, expected=refused.expected, got=refused.at) from None
    tops: dict[bytes, list[str]] = {}
    for unit, (lot, expiry) in goods.lots.items():
        top = unit
        while top in goods.inside:
            top = goods.inside[top]
        digits = expiry.replace("-", "")[2:8]
        tops.setdefault(product_of(_link(unit).get("01", ""), lot, digits), []).append(top)
    return {product: _lot(goods.contents, dict.fromkeys(found)) for product, found in tops.items()}


def _lot(contents: dict[str, dict[str, None]], tops: dict[str, None]) -> Box:
    loose = tuple(_serial(top) for top in tops if not contents.get(top))
    boxes = tuple(_box(contents, top, 0) for top in tops if contents.get(top))
    if not boxes:
        return Box("", (), loose)
    return Box("", (*boxes, Box("", (), loose)) if loose else boxes)


def _box(contents: dict[str, dict[str, None]], name: str, depth: int) -> Box:
    inside = contents[name]
    if depth == moving.MAX_LEVELS:
        raise Malformed("supply.packing", "containers inside each other", expected=f"at most {moving.MAX_LEVELS}")
    boxes = tuple(_box(contents, each, depth + 1) for each in inside if contents.get(each))
    loose = tuple(_serial(each) for each in inside if not contents.get(each))
    sscc = _link(name).get("00", "")
    if boxes and loose:
        boxes, loose = (*boxes, Box("", (), loose)), ()
    return Box(sscc, boxes, loose)


def _serial(unit: str) -> bytes:
    return _link(unit).get("21", "").encode("ascii")


def _link(thing: str) -> dict[str, str]:
    try:
        return dict(read_link(thing))
    except Gs1Refused as refused:
        told = f"{refused.rule} at {refused.at}"
        raise Malformed(
            "supply.identifier", "the identifier breaks a rule", expected=refused.expected, got=told
        ) from None
