"""What owners and custodians of goods say by one-time keys, and what regulators say by name."""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import Digest, MemberId, Signature, Time
from salus.contracts.supply.state import DEFAULT_TERMS, Depth, License, Optional32, Reason, RecallClass, Terms
from salus.core.encoding import Message, Value
from salus.core.proof.goods import MAX_DEPTH, MAX_LEVELS

MAX_TARGETS: Final = 100  # units dispensed in one batch, or what a tote holds
MAX_UNITS: Final = 4_000  # of 32 bytes each, they fit one transaction

Millikelvin = Annotated[int, Meta(ge=0, le=1 << 31)]
Minutes = Annotated[int, Meta(ge=0, le=1 << 31)]


class Place(Value, frozen=True):
    """Where something lies in the container above it."""

    position: Annotated[int, Meta(ge=0, lt=1 << MAX_DEPTH)]
    """Its position among the container's places."""
    path: Annotated[tuple[Digest, ...], Meta(max_length=MAX_DEPTH)]
    """Sibling hashes, the nearest first; as many as the container's tree is deep."""


class Target(Value, frozen=True):
    """Goods that a step is about, with the proof of where they lie if the ledger has no row for them yet."""

    lot: Optional32
    """The lot, or empty when `key` is the id of a holding that has a row."""
    key: Digest
    """Key in the lot's tree (`core.proof.goods`), or the id of a holding."""
    places: Annotated[tuple[Place, ...], Meta(max_length=MAX_LEVELS)]
    """The way up to the nearest container that has a row; what lies above is not needed."""


Targets = Annotated[tuple[Target, ...], Meta(min_length=1, max_length=MAX_TARGETS)]
"""1 to 100 targets, ascending by holding id."""


class Ticket(Value, frozen=True):
    """That the author's one-time key belongs to a licensed partner, without saying which."""

    issuer: MemberId
    """The regulator that issued it."""
    kinds: Annotated[tuple[License, ...], Meta(min_length=1, max_length=5)]
    """What the partner is licensed for, ascending."""
    until: Time
    """Block time at which it ends, ms."""
    signature: Signature
    """The issuer's, over `port.ticket_bytes`."""


class Commission(Message, frozen=True, tag="supply.commission"):
    """Bring a lot into the world, packed as its tree says. Authored by the maker's one-time key."""

    root: Digest
    """Root of the places of the lot's tree."""
    depth: Depth
    """Depth of the lot's tree."""
    count: Digest
    """Salted commitment to the number of units."""
    minutes_out: Minutes
    """Minutes out of range that the goods bear on one leg."""
    mkt: Millikelvin
    """Highest mean kinetic temperature of a leg; 0 for no limit."""
    ticket: Ticket
    """Of a maker."""


class Transform(Message, frozen=True, tag="supply.transform"):
    """Repackage: goods end, a lot begins, and recalls of the former follow. Authored by their owner."""

    targets: Targets
    """What goes in, ascending by holding id."""
    root: Digest
    """Root of the places of the new lot's tree."""
    depth: Depth
    """Depth of the new lot's tree."""
    count: Digest
    """Salted commitment to the number of units that come out."""
    minutes_out: Minutes
    """As in `supply.commission`."""
    mkt: Millikelvin
    """As in `supply.commission`."""
    ticket: Ticket
    """Of a repackager or maker."""


class Pack(Message, frozen=True, tag="supply.pack"):
    """Put goods together into a new container. Authored by their owner, who has them in hand."""

    targets: Targets
    """What goes in, ascending by holding id."""
    name: Digest
    """Random: the container's id is `port.mix_id` of the author and this, so that one packing sent twice is one."""


class Unpack(Message, frozen=True, tag="supply.unpack"):
    """Take goods out of whatever they lie in. Authored by their owner."""

    targets: Targets
    """What comes out, ascending by holding id."""


class Ship(Message, frozen=True, tag="supply.ship"):
    """Send goods to a new owner, who must receive them. Authored by their owner."""

    target: Target
    """What is shipped."""
    to: Digest
    """Digest of the receiver's one-time key."""
    hop: Digest
    """Commitment to the sealed record of this hop, which the receiver has before the goods leave."""
    back: bool
    """Whether they go back towards their maker: the only way that recalled goods may take."""
    ticket: Ticket
    """Of any partner but a carrier."""


class Cancel(Message, frozen=True, tag="supply.cancel"):
    """Call a shipment back. Authored by its sender."""

    holding: Digest
    """What was shipped."""


class Excepted(Value, frozen=True):
    """Part of a shipment that is not received."""

    target: Target
    """What is missing, damaged or wrong."""
    code: Annotated[int, Meta(ge=1, le=255)]
    """GS1 US code of the exception, as tens and units: 21 is 2-1, missing; 31 is 3-1, damaged."""


class Receive(Message, frozen=True, tag="supply.receive"):
    """Take a shipment over, but for what is excepted, which stays its sender's and in dispute. Authored by the receiver."""

    holding: Digest
    """What was shipped."""
    excepted: Annotated[tuple[Excepted, ...], Meta(max_length=MAX_TARGETS)]
    """Parts of it, ascending by holding id."""
    ticket: Ticket
    """Of any partner but a carrier."""


class Refuse(Message, frozen=True, tag="supply.refuse"):
    """Take nothing of a shipment: it stays its sender's, in dispute. Authored by the receiver."""

    holding: Digest
    """What was shipped."""
    code: Annotated[int, Meta(ge=1, le=255)]
    """GS1 US code of the exception, as in `supply.receive`."""


class Settle(Message, frozen=True, tag="supply.settle"):
    """End a dispute by giving in: authored by the sender, who keeps the goods, or by the receiver, who has them after all."""

    holding: Digest
    """What is in dispute."""
    ticket: Ticket
    """Of any partner but a carrier."""


class Hand(Message, frozen=True, tag="supply.hand"):
    """Hand goods to another custodian, ownership unchanged. Authored by the custodian."""

    target: Target
    """What is handed over."""
    to: Digest
    """Digest of the one-time key that will take them."""


class Take(Message, frozen=True, tag="supply.take"):
    """Take goods that are being handed over. Authored by the new custodian."""

    holding: Digest
    """What is taken."""
    ticket: Ticket
    """Of any partner."""


class ReportTemperature(Message, frozen=True, tag="supply.report-temperature"):
    """Report a leg of a journey. Beyond what the lot bears the goods are quarantined. Authored by the custodian."""

    holding: Digest
    """What travelled."""
    series: Digest
    """Commitment to the readings."""
    mkt: Annotated[int, Meta(ge=1, le=1 << 31)]
    """Mean kinetic temperature (USP 1160), millikelvin."""
    minutes_out: Minutes
    """Minutes out of the range of the label."""


class End(Message, frozen=True, tag="supply.end"):
    """Decommission goods. Authored by their owner."""

    targets: Targets
    """What ends, ascending by holding id."""
    reason: Reason
    """Why: 1 dispensed, 2 sampled, 3 exported, 4 expired, 5 destroyed, 6 stolen, 7 illegitimate."""
    ticket: Ticket
    """Of a dispenser if dispensed, else of any partner but a carrier."""


class Undo(Message, frozen=True, tag="supply.undo"):
    """Take back an end within the window. Authored by the owner."""

    holding: Digest
    """What had ended as dispensed, sampled or exported."""


class Quarantine(Message, frozen=True, tag="supply.quarantine"):
    """Set suspect goods aside. Authored by their owner or custodian."""

    target: Target
    """What is suspect."""


class Clear(Message, frozen=True, tag="supply.clear"):
    """Release goods from quarantine. Authored by their owner."""

    holding: Digest
    """What is cleared."""


class Recall(Message, frozen=True, tag="supply.recall"):
    """Recall a lot or some of its units, or lift that. Authored by the one-time key that commissioned the lot."""

    lot: Digest
    """The lot."""
    recall: RecallClass
    """1 to 3; 0 lifts the maker's recall."""
    units: Annotated[tuple[Digest, ...], Meta(max_length=MAX_UNITS)]
    """Holding ids of the units, ascending; empty for the whole lot."""


class OrderRecall(Message, frozen=True, tag="supply.order-recall"):
    """Order a recall, or lift the order. Sent by a regulator."""

    lot: Digest
    """The lot."""
    recall: RecallClass
    """1 to 3; 0 lifts the order."""
    units: Annotated[tuple[Digest, ...], Meta(max_length=MAX_UNITS)]
    """Holding ids of the units, ascending; empty for the whole lot."""


class Acknowledge(Message, frozen=True, tag="supply.acknowledge"):
    """Say that a recalled lot was searched for and set aside. Authored by an owner of goods of the lot."""

    lot: Digest
    """The recalled lot."""
    holding: Digest
    """A holding of the owner's in which it is or was."""
    count: Digest
    """Salted commitment to the units found."""


class Licence(Message, frozen=True, tag="supply.license"):
    """License a member, or withdraw its licence. Sent by a regulator."""

    member: MemberId
    """The partner."""
    kinds: Annotated[tuple[License, ...], Meta(max_length=5)]
    """What it may do, ascending; empty withdraws."""
    until: Time
    """Block time at which it ends, ms."""


class VoidTickets(Message, frozen=True, tag="supply.void-tickets"):
    """Take back tickets that may not have been used. Sent by the regulator that issued them."""

    keys: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MAX_UNITS)]
    """Digests of the one-time keys, ascending."""


class Open(Message, frozen=True, tag="supply.open"):
    """Say that a sealed hop record is opened, before it is. Sent by a regulator."""

    hops: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MAX_UNITS)]
    """Commitments to the records, ascending."""
    purpose: Digest
    """Salted commitment to the reason."""


class SetTerms(Message, frozen=True, tag="supply.set-terms"):
    """Set what the law says of time. Sent by a regulator."""

    terms: Terms
    """The terms from now on."""


_D: Final = bytes(range(32))
_TARGET: Final = Target(_D, _D, (Place(1, (_D,)),))
_TICKET: Final = Ticket("regulator", (License.MAKER,), 1_767_225_600_000, bytes(64))
EXAMPLES: Final[tuple[Message, ...]] = (
    Commission(_D, 5, _D, 0, 0, _TICKET),
    Transform((_TARGET,), _D, 5, _D, 0, 0, _TICKET),
    Pack((_TARGET,), _D),
    Unpack((_TARGET,)),
    Ship(_TARGET, _D, _D, back=False, ticket=_TICKET),
    Cancel(_D),
    Receive(_D, (Excepted(_TARGET, 21),), _TICKET),
    Refuse(_D, 12),
    Settle(_D, _TICKET),
    Hand(_TARGET, _D),
    Take(_D, _TICKET),
    ReportTemperature(_D, _D, 278_150, 12),
    End((_TARGET,), Reason.DISPENSED, _TICKET),
    Undo(_D),
    Quarantine(_TARGET),
    Clear(_D),
    Recall(_D, 1, ()),
    OrderRecall(_D, 2, (_D,)),
    Acknowledge(_D, _D, _D),
    Licence("pharmacy", (License.DISPENSER,), 1_767_225_600_000),
    VoidTickets((_D,)),
    Open((_D,), _D),
    SetTerms(DEFAULT_TERMS),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
