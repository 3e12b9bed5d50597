"""What the ledger knows of goods: holdings by keyed hashes, owners by one-time keys, and never a serial, party or count."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Final, TypeVar

from msgspec import Meta

from salus.contracts.fields import Digest, Height, Period, Time
from salus.core.encoding import Value
from salus.core.proof.digest import digest
from salus.core.proof.goods import MAX_DEPTH
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 4
DAY: Final = 86_400_000  # ms
SINGLE: Final = b""  # the key of a table with one row
MAX_LOTS: Final = 32  # lots in one mixed container: a tote of an order has a dozen lines
MAX_SOURCES: Final = 16  # lots that one repackaged lot comes from
MAX_MIX: Final = 6  # mixed containers inside each other
R = TypeVar("R", bound=Value)

Optional32 = Annotated[bytes, Meta(max_length=32)]
"""32 bytes, or empty."""
Depth = Annotated[int, Meta(ge=0, le=MAX_DEPTH)]
"""A tree with 2^depth places."""

RecallClass = Annotated[int, Meta(ge=0, le=3)]
"""1 (serious harm) to 3 of 21 CFR 7; 0 for no recall, or one that was lifted."""


class License(IntEnum):
    """What a trading partner may do. One licence holds several."""

    MAKER = 1
    REPACKAGER = 2
    DISTRIBUTOR = 3
    DISPENSER = 4
    CARRIER = 5


class Kind(IntEnum):
    """What a holding is."""

    TREE = 1
    """A lot, container or unit of a lot's tree."""
    MIX = 2
    """A container packed later: what is inside names it as parent."""


class Status(IntEnum):
    """Where a holding stands. What is inside another stands as that does."""

    ACTIVE = 1
    IN_TRANSIT = 2
    DISPUTED = 3
    QUARANTINED = 4
    ENDED = 5


class Reason(IntEnum):
    """Why goods ended."""

    NONE = 0
    DISPENSED = 1
    SAMPLED = 2
    EXPORTED = 3
    EXPIRED = 4
    DESTROYED = 5
    STOLEN = 6
    ILLEGITIMATE = 7
    TRANSFORMED = 8


UNDOABLE: Final = frozenset((Reason.DISPENSED, Reason.SAMPLED, Reason.EXPORTED))
"""What may be undone within the window. Nothing else comes back."""

TRANSITIONS: Final[Mapping[tuple[Status | None, str], Status]] = {
    (None, "commission"): Status.ACTIVE,
    (None, "pack"): Status.ACTIVE,
    (Status.ACTIVE, "pack"): Status.ACTIVE,
    (Status.ACTIVE, "hand"): Status.ACTIVE,
    (Status.ACTIVE, "take"): Status.ACTIVE,
    (Status.ACTIVE, "ship"): Status.IN_TRANSIT,
    (Status.ACTIVE, "end"): Status.ENDED,
    (Status.ACTIVE, "quarantine"): Status.QUARANTINED,
    (Status.ACTIVE, "unpack"): Status.ACTIVE,
    (Status.IN_TRANSIT, "hand"): Status.IN_TRANSIT,
    (Status.IN_TRANSIT, "take"): Status.IN_TRANSIT,
    (Status.IN_TRANSIT, "warm"): Status.IN_TRANSIT,
    (Status.IN_TRANSIT, "cancel"): Status.ACTIVE,
    (Status.IN_TRANSIT, "cancel warm"): Status.QUARANTINED,
    (Status.IN_TRANSIT, "receive"): Status.ACTIVE,
    (Status.IN_TRANSIT, "receive warm"): Status.QUARANTINED,
    (Status.IN_TRANSIT, "except"): Status.DISPUTED,
    (Status.IN_TRANSIT, "refuse"): Status.DISPUTED,
    (Status.DISPUTED, "warm"): Status.DISPUTED,
    (Status.DISPUTED, "settle"): Status.ACTIVE,
    (Status.DISPUTED, "settle warm"): Status.QUARANTINED,
    (Status.QUARANTINED, "clear"): Status.ACTIVE,
    (Status.QUARANTINED, "end"): Status.ENDED,
    (Status.ENDED, "undo"): Status.ACTIVE,
}
"""A holding's life cycle: (status, step) → status."""
_STEPS: Final = frozenset((start, end) for (start, _), end in TRANSITIONS.items())


class Share(Value, frozen=True):
    """How many of a mixed container's holdings come from a lot."""

    lot: Digest
    """The lot."""
    holdings: Annotated[int, Meta(ge=1, le=1 << 31)]
    """Holdings directly inside that are of it, in whole or in part."""


class Holding(Value, frozen=True):
    """Goods that were touched. Key: `port.holding_id`, or for a mix `port.mix_id`.

    Whatever was never touched has no row and stands as the nearest container above it that has one.
    """

    kind: Kind
    """What it is."""
    lots: Annotated[tuple[Share, ...], Meta(max_length=MAX_LOTS)]
    """The lots inside, ascending; of a tree its own."""
    owner: Digest
    """Digest of the owner's one-time key: `port.owner_of`."""
    custodian: Digest
    """Digest of the one-time key of who has it in hand."""
    to: Optional32
    """Digest of the one-time key it is shipped to; empty unless in transit or disputed."""
    handed: Optional32
    """Digest of the one-time key it is being handed to, until that takes it."""
    parent: Optional32
    """The mix it lies in, or empty. Owner, custodian and status are then the mix's."""
    level: Annotated[int, Meta(ge=0, le=MAX_MIX)]
    """0 for a tree, of a mix one more than the highest inside."""
    status: Status
    """Where it stands."""
    warm: bool
    """Whether a leg was warmer, or out of range longer, than its lot bears: to be quarantined when it arrives."""
    reason: Reason
    """Why it ended."""
    hop: Optional32
    """Commitment to the sealed record of the latest shipment."""
    due: Time
    """Block time by which a shipment is to be answered or an end may be undone, ms; 0 for none."""
    height: Height
    """Height of the block of the latest step."""


class Lot(Value, frozen=True):
    """A commissioned lot. Key: `port.lot_id`. Its maker's one-time key answers for it as long as it lives."""

    maker: Digest
    """Digest of the one-time key that commissioned it."""
    count: Digest
    """Salted commitment to the exact number of units."""
    sources: Annotated[tuple[Digest, ...], Meta(max_length=MAX_SOURCES)]
    """Lots it was made of, ascending; a recall of one follows."""
    minutes_out: Annotated[int, Meta(ge=0, le=1 << 31)]
    """Minutes out of range that its goods bear between two owners."""
    mkt: Annotated[int, Meta(ge=0, le=1 << 31)]
    """Highest mean kinetic temperature that they bear, millikelvin; 0 for no limit."""
    recall: RecallClass
    """Class of the maker's recall in force of the whole lot."""
    ordered: RecallClass
    """Class of a regulator's recall in force of the whole lot."""
    height: Height
    """Height of the block of its latest change."""


class Mark(Value, frozen=True):
    """A unit recalled by itself. Key: the lot, the unit's holding id, whether it has a row or not."""

    recall: RecallClass
    """Class of the maker's recall in force."""
    ordered: RecallClass
    """Class of a regulator's recall in force."""
    height: Height
    """Height of the block of its latest change."""


class Acknowledgement(Value, frozen=True):
    """That an owner has answered a recall. Key: lot, digest of the owner's one-time key."""

    count: Digest
    """Salted commitment to how many units were found and set aside."""
    height: Height
    """Height of the block."""


class Licensed(Value, frozen=True):
    """A member's licence. Key: issuer, `/`, member."""

    kinds: Annotated[tuple[License, ...], Meta(max_length=5)]
    """What it may do, ascending; empty once withdrawn."""
    until: Time
    """Block time at which it ends, ms."""
    height: Height
    """Height of the block of its latest change."""


class Voided(Value, frozen=True):
    """A ticket taken back. Key: digest of the one-time key that it is for, issuer's id: nobody voids another's."""

    height: Height
    """Height of the block."""


class Temperature(Value, frozen=True):
    """A report of one leg of a journey. Key: holding, custodian's digest, height u64."""

    series: Digest
    """Commitment to the readings."""
    mkt: Annotated[int, Meta(ge=1, le=1 << 31)]
    """Mean kinetic temperature of the leg, millikelvin."""
    minutes_out: Annotated[int, Meta(ge=0, le=1 << 31)]
    """Minutes out of range."""


class Opening(Value, frozen=True):
    """That a regulator opened a sealed hop record. Key: the record's commitment, member id."""

    purpose: Digest
    """Salted commitment to the reason."""
    height: Height
    """Height of the first opening."""


class Terms(Value, frozen=True):
    """What the law of the place says of time. Key: empty. Until a regulator sets them, `DEFAULT_TERMS` hold."""

    undo: Period
    """How long an end may be undone, ms."""
    answer: Period
    """How long a receiver may take to answer a shipment, ms."""
    ticket: Period
    """The longest life of a ticket, ms."""


DEFAULT_TERMS: Final = Terms(10 * DAY, 3 * DAY, 14 * DAY)


def owner_of(key: bytes) -> bytes:
    """Return what a holding says of a one-time Ed25519 key (32 bytes) that owns or holds it."""
    return digest("salus/v1/supply-owner", key)


def lot_id(key: bytes, maker: bytes) -> bytes:
    """Return the id of a lot: of its tree's key and its maker, so that nobody else can take it first."""
    return digest("salus/v1/supply-lot", key, maker)


def holding_id(lot: bytes, key: bytes) -> bytes:
    """Return the id of goods of a lot: keys are seen in proofs, and another lot's tree may hold a copied one."""
    return digest("salus/v1/supply-holding", lot, key)


def mix_id(owner: bytes, name: bytes) -> bytes:
    """Return the id of a container packed later: of who packed it (`owner_of`) and its random name."""
    return digest("salus/v1/supply-mix", owner, name)


def license_key(issuer: str, member: str) -> bytes:
    """Return the key of a licence's row."""
    return f"{issuer}/{member}".encode("ascii")


def _steps_by_the_table(_view: View, _key: bytes, before: Holding | None, after: Holding) -> bool:
    if before is None or before.parent:  # it stood as what it lay in, whatever that was
        return True
    return before.status is after.status or (before.status, after.status) in _STEPS  # a mix that something left stands


def _moves_by_two(_view: View, _key: bytes, before: Holding | None, after: Holding) -> bool:
    """Let an owner change only to whom the goods were shipped, or with the mix that they lay in."""
    return before is None or bool(before.parent) or after.owner in {before.owner, before.to}


def _ended_is_ended(_view: View, _key: bytes, before: Holding | None, after: Holding) -> bool:
    undone = before is not None and (before.reason in UNDOABLE and after.status is Status.ACTIVE)
    return before is None or before.status is not Status.ENDED or undone


def _has_a_reason(_view: View, _key: bytes, _before: Holding | None, after: Holding) -> bool:
    return (after.status is Status.ENDED) == (after.reason is not Reason.NONE)


def _lies_in_a_mix(view: View, key: bytes, _before: Holding | None, after: Holding) -> bool:
    if not after.parent:
        return True
    above = view.get(HOLDINGS, after.parent)
    return above is not None and above.kind is Kind.MIX and above.level > after.level and after.parent != key


def _goes_somewhere(_view: View, _key: bytes, _before: Holding | None, after: Holding) -> bool:
    return (after.status in {Status.IN_TRANSIT, Status.DISPUTED}) == bool(after.to)


def _keeps_its_maker(_view: View, _key: bytes, before: Lot | None, after: Lot) -> bool:
    return before is None or (before.maker, before.count, before.sources) == (after.maker, after.count, after.sources)


def _never_changes(_view: View, _key: bytes, before: R | None, after: R) -> bool:
    return before is None or before == after


HOLDINGS: Final[Table[Holding]] = Table(
    NUMBER * 256 + 1,
    "supply.holdings",
    Holding,
    (
        Invariant("a holding steps as its life cycle says", _steps_by_the_table),
        Invariant("an owner changes by two signatures", _moves_by_two),
        Invariant("nothing returns from its end but by an undo", _ended_is_ended),
        Invariant("an end has a reason", _has_a_reason),
        Invariant("what lies inside lies in a higher mix", _lies_in_a_mix),
        Invariant("what is under way has an address", _goes_somewhere),
    ),
)
LOTS: Final[Table[Lot]] = Table(
    NUMBER * 256 + 2, "supply.lots", Lot, (Invariant("a lot keeps its maker", _keeps_its_maker),)
)
MARKS: Final[Table[Mark]] = Table(NUMBER * 256 + 3, "supply.marks", Mark)
ACKNOWLEDGEMENTS: Final[Table[Acknowledgement]] = Table(NUMBER * 256 + 4, "supply.acknowledgements", Acknowledgement)
LICENSES: Final[Table[Licensed]] = Table(NUMBER * 256 + 5, "supply.licenses", Licensed)
VOIDED: Final[Table[Voided]] = Table(
    NUMBER * 256 + 6, "supply.voided-tickets", Voided, (Invariant("a ticket stays void", _never_changes),)
)
TEMPERATURES: Final[Table[Temperature]] = Table(
    NUMBER * 256 + 7, "supply.temperatures", Temperature, (Invariant("a report stays", _never_changes),)
)
OPENINGS: Final[Table[Opening]] = Table(
    NUMBER * 256 + 8, "supply.openings", Opening, (Invariant("an opening stays", _never_changes),)
)
TERMS: Final[Table[Terms]] = Table(NUMBER * 256 + 9, "supply.terms", Terms)
