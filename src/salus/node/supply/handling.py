"""Use cases over `custody`: refuse, settle, cancel, quarantine, clear, hand, take, temperature, repackage."""

from typing import Annotated, Final

from msgspec import Meta

from salus.agreements.supply.coldchain import ZERO_CELSIUS
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.supply import custody, moving
from salus.node.supply.trading import HOLDING, LABEL, Identifier, Identifiers, packed_lots
from salus.node.usecase import OPERATOR, Message, use_case

SERIES: Final = b"2026-03-02T08:00:00+00:00,5.0\n2026-03-02T09:00:00+00:00,5.2"
HOLDING_ID = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="Id of a shipment.", examples=[HOLDING])]


class RefuseShipment(Message, frozen=True):
    """A shipment of which nothing is taken."""

    holding: HOLDING_ID
    code: Annotated[
        int, Meta(ge=1, le=255, description="GS1 US code as tens and units: 12 is 1-2, wrong lot.", examples=[31])
    ] = 12


class ShipmentRefused(Message, frozen=True):
    """It stays its sender's, in dispute."""

    sender: Annotated[str, Meta(description="Member id of the sender.")]


class SettleDispute(Message, frozen=True):
    """Goods in dispute."""

    identifier: Identifier


class DisputeSettled(Message, frozen=True):
    """The dispute is over."""

    received: Annotated[bool, Meta(description="Whether the goods are this member's now, which had missed them.")]


class CancelShipment(Message, frozen=True):
    """Goods on their way."""

    identifier: Identifier


class ShipmentCancelled(Message, frozen=True):
    """They are called back."""


class QuarantineGoods(Message, frozen=True):
    """Suspect goods."""

    identifier: Identifier


class GoodsQuarantined(Message, frozen=True):
    """They are set aside: nothing ships, dispenses or packs them."""


class ClearGoods(Message, frozen=True):
    """Goods in quarantine."""

    identifier: Identifier


class GoodsCleared(Message, frozen=True):
    """They are free again."""


class HandGoods(Message, frozen=True):
    """Goods for another to carry or keep."""

    identifier: Identifier
    to: Annotated[str, Meta(description="Member id of the custodian.", examples=["carrier"])]


class GoodsHanded(Message, frozen=True):
    """The custodian has to take them."""

    holding: Annotated[str, Meta(description="Id by which the custodian knows them, hexadecimal.")]


class TakeGoods(Message, frozen=True):
    """Asks for nothing more."""


class GoodsTaken(Message, frozen=True):
    """In this member's hands, another's as before."""

    holdings: Annotated[tuple[str, ...], Meta(description="Id of each, hexadecimal.")]


class ReportTemperatures(Message, frozen=True):
    """A leg of a journey."""

    goods: Annotated[str, Meta(description="Label of own goods, or id of what is carried.", examples=[LABEL])]
    readings: Annotated[bytes, Meta(description="Lines `time,celsius`, each until the next.", examples=[SERIES])]
    low: Annotated[int, Meta(ge=-100, le=100, description="Lowest degree Celsius of the label.", examples=[2])] = 2
    high: Annotated[int, Meta(ge=-100, le=100, description="Highest.", examples=[8])] = 8


class TemperaturesReported(Message, frozen=True):
    """They stand on the ledger; the series is kept here and committed."""

    mkt: Annotated[int, Meta(description="Mean kinetic temperature, millikelvin (USP 1160).")]
    minutes_out: Annotated[int, Meta(description="Minutes out of range, rounded up.")]
    set_aside: Annotated[
        bool, Meta(description="Whether it is more than the lot bears: quarantined, or when it arrives.")
    ]


class RepackageGoods(Message, frozen=True):
    """What goes in, and what comes out."""

    identifiers: Identifiers
    files: Annotated[
        tuple[bytes, ...],
        Meta(description="EPCIS documents with commissioning and packing of the new lot.", examples=[[b"{}"]]),
    ]


class GoodsRepackaged(Message, frozen=True):
    """What went in has ended; recalls of it reach the new lot."""

    units: Annotated[int, Meta(description="Units of the new lot.")]


@use_case("supply.refuse", who=OPERATOR)
def refuse_shipment(node: MemberNode, request: RefuseShipment) -> ShipmentRefused:
    """Take nothing of a shipment: it stays its sender's, in dispute, until one of the two settles."""
    return ShipmentRefused(sender=custody.refuse(node, bytes.fromhex(request.holding), request.code))


@use_case("supply.settle", who=OPERATOR)
def settle_dispute(node: MemberNode, request: SettleDispute) -> DisputeSettled:
    """End a dispute by giving in: as sender keep the goods, as receiver say that they came after all."""
    return DisputeSettled(received=custody.settle(node, request.identifier))


@use_case("supply.cancel", who=OPERATOR)
def cancel_shipment(node: MemberNode, request: CancelShipment) -> ShipmentCancelled:
    """Call a shipment back, as long as it is on its way; what travelled too warm is set aside."""
    custody.cancel(node, request.identifier)
    return ShipmentCancelled()


@use_case("supply.quarantine", who=OPERATOR)
def quarantine_goods(node: MemberNode, request: QuarantineGoods) -> GoodsQuarantined:
    """Set suspect goods of this member aside."""
    custody.quarantine(node, request.identifier)
    return GoodsQuarantined()


@use_case("supply.clear", who=OPERATOR)
def clear_goods(node: MemberNode, request: ClearGoods) -> GoodsCleared:
    """Release goods of this member from quarantine."""
    custody.clear(node, request.identifier)
    return GoodsCleared()


@use_case("supply.hand", who=OPERATOR)
def hand_goods(node: MemberNode, request: HandGoods) -> GoodsHanded:
    """Hand goods to a carrier or keeper that offered an address: it has them in hand, they stay this member's."""
    return GoodsHanded(holding=custody.hand(node, request.identifier, request.to).hex())


@use_case("supply.take", who=OPERATOR)
def take_goods(node: MemberNode, request: TakeGoods) -> GoodsTaken:  # noqa: ARG001 -- a use case's shape
    """Take in hand all that others hand to this member."""
    return GoodsTaken(holdings=tuple(one.hex() for one in custody.take(node)))


@use_case("supply.temperature", who=OPERATOR)
def report_temperatures(node: MemberNode, request: ReportTemperatures) -> TemperaturesReported:
    """Report the temperatures of goods in this member's hands: beyond what their lot bears they are set aside."""
    if request.low >= request.high:
        raise Malformed("supply.range", "the range is empty", expected="low below high")
    low, high = (ZERO_CELSIUS + 1000 * one for one in (request.low, request.high))
    figures, aside = custody.report(node, request.goods, request.readings, low, high)
    return TemperaturesReported(mkt=figures.mkt, minutes_out=figures.minutes_out, set_aside=aside)


@use_case("supply.repackage", who=OPERATOR)
def repackage_goods(node: MemberNode, request: RepackageGoods) -> GoodsRepackaged:
    """End goods of this member and bring a lot made of them into the world, packed as its own events say."""
    lots = packed_lots(request.files)
    if len(lots) != 1:
        raise Malformed("supply.lots", "the events commission several lots or none", expected="one lot")
    ((product, box),) = lots.items()
    moving.repackage(node, request.identifiers, product, box)
    return GoodsRepackaged(units=box.count())
