"""What the ledger holds only as a commitment, and how it is opened: a lot's units, units found under a recall, a purpose.

Whoever committed keeps the key, and can open it to a partner; each regulator is told a lot's and a recall's units at once,
sealed. What is told is held against the ledger before it is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from salus.contracts.supply import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import mac
from salus.core.tables import View
from salus.node.errors import Forbidden, NotFound
from salus.node.exchange.documents import open_document, seal_and_deliver
from salus.node.member import MemberNode
from salus.node.supply.exchange import UNOPENED, regulators
from salus.node.supply.stock import HOP, SentHop, leaves_of

COUNT_KIND: Final = "supply-count"
COUNT: Final = "count"
KEY_BYTES: Final = 32


class Subject(StrEnum):
    """What was committed to."""

    LOT = "count"
    """Units of a lot. Its place is the lot's id."""
    FOUND = "found"
    """Units that an owner found under a recall. Its place is the lot's id and the owner's digest."""
    SERIES = "series"
    """Temperatures of a leg. Its place is the holding's id; the ledger has one for each report."""
    PURPOSE = "purpose"
    """Why a regulator opened a record. Its place is the record's commitment and the regulator's id."""


class Opened(Value, frozen=True):
    """What opens a commitment."""

    subject: Subject
    place: bytes
    key: bytes
    """32 random bytes."""
    told: bytes
    """Units as u64, readings, or the words of a purpose."""
    height: int
    """A height at which the ledger holds the commitment."""
    product: bytes
    """GTIN, lot and expiry, joined by `|`, as the sender says; empty for readings and purposes."""

    @property
    def commitment(self) -> bytes:
        """What the ledger holds."""
        return mac(self.key, f"salus/v1/supply-{self.subject.value}", self.told)

    @property
    def units(self) -> int:
        """The units told."""
        return int.from_bytes(self.told, "big")


class Kept(Value, frozen=True):
    """An opening as it is kept."""

    by: str
    """The member that told it."""
    opened: Opened


@dataclass(frozen=True, slots=True)
class Count:
    """A lot's or a recall's units, as told and as this member's records show them."""

    subject: Subject
    product: str
    by: str
    units: int
    shipped: int
    """Different units of a lot that the records kept here show on their way from its maker."""


def committed(
    node: MemberNode, subject: Subject, told: bytes | int, place: bytes = b"", product: bytes = b""
) -> Opened:
    """Return a fresh commitment's opening; its height is that of now."""
    told = told.to_bytes(8, "big") if isinstance(told, int) else told
    return Opened(subject, place, node.entropy(KEY_BYTES), told, node.ledger.head().height, product)


def keep(node: MemberNode, opened: Opened, by: str = "") -> None:
    """Keep an opening, durably."""
    node.desk.keep_supply(COUNT, (opened.commitment, encode(Kept(by or node.member, opened))))


def tell_regulators(node: MemberNode, opened: Opened) -> None:
    """Open units to every regulator, sealed to each; who is away gets it later. The same twice is taken once."""
    for regulator in regulators(node):
        if regulator != node.member:
            seal_and_deliver(node, regulator, COUNT_KIND, opened)


def open_count(node: MemberNode, gtin: str, lot: str, to: str) -> int:
    """Open the units of a lot of this member's making to another member. Returns them. Raises NotFound."""
    found = [
        one.opened
        for one in _kept(node)
        if one.by == node.member
        and one.opened.subject is Subject.LOT
        and one.opened.product.decode("ascii").split("|")[:2] == [gtin, lot]
    ]
    if not found:
        raise NotFound("supply.no-lot", "this member made no such lot")
    for opened in found:
        seal_and_deliver(node, to, COUNT_KIND, opened)
    return sum(opened.units for opened in found)


def take_count(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Keep units that open what the ledger holds. Raises Forbidden if they do not."""
    opened = open_document(node, sender, COUNT_KIND, envelope, Opened, code=UNOPENED)
    node.wait_for(opened.height)
    if opened.subject not in {Subject.LOT, Subject.FOUND} or not stands(node.ledger.read(), opened):
        raise Forbidden("supply.count", "the units are not those that were committed")
    keep(node, opened, sender)


def stands(state: View, opened: Opened) -> bool:
    """Tell whether the ledger holds the commitment at its place."""
    if opened.subject is Subject.LOT:
        lot = port.lot(state, opened.place)
        return lot is not None and lot.count == opened.commitment
    if opened.subject is Subject.FOUND:
        answer = state.get(port.ACKNOWLEDGEMENTS, opened.place)
        return answer is not None and answer.count == opened.commitment
    if opened.subject is Subject.SERIES:
        return any(row.series == opened.commitment for _, row in state.range(port.TEMPERATURES, opened.place))
    opening = state.get(port.OPENINGS, opened.place)
    return opening is not None and opening.purpose == opened.commitment


def counts(node: MemberNode) -> list[Count]:
    """Return the units told to this member or by it. A lot that ships more than was told is for a regulator to ask about."""
    shipped: dict[bytes, set[bytes]] = {}
    for _, body in node.desk.supply(HOP):
        hop = decode(body, SentHop).hop
        for part in () if hop.previous else hop.parts:
            shipped.setdefault(part.lot, set()).update(serial for _, serial in leaves_of(part))
    return [
        Count(
            one.opened.subject,
            one.opened.product.decode("ascii"),
            one.by,
            one.opened.units,
            len(shipped.get(one.opened.place, ())),
        )
        for one in _kept(node)
        if one.opened.subject in {Subject.LOT, Subject.FOUND}
    ]


def opened_lots(node: MemberNode) -> list[Opened]:
    """Return the lots whose size this member knows, its own and what makers told it."""
    return [one.opened for one in _kept(node) if one.opened.subject is Subject.LOT]


def _kept(node: MemberNode) -> Iterator[Kept]:
    return (decode(body, Kept) for _, body in node.desk.supply(COUNT))
