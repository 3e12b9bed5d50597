"""Verification of one pack by whoever knows it, for others that hold it: what GS1 verification messaging asks.

An answer is of the ledger's state at a height: the responder signs it together with what opens the pack and leads to the row
that it stands as, so that a member with a replica finds the same there, and nobody can be told another answer unnoticed. It
says nothing of whose the pack is: who asks is not the responder's to test.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from salus.agreements.supply.packing import Box, Packed
from salus.agreements.supply.triage import Scan, Verdict, judge
from salus.contracts.membership.port import Role, active
from salus.contracts.supply import port
from salus.core.encoding import Value, encode
from salus.core.proof.digest import digest, framed
from salus.core.proof.merkle import levels
from salus.core.tables import View
from salus.interop.gs1.elements import Elements
from salus.node.member import MemberNode
from salus.node.supply.exchange import UnitTold
from salus.node.supply.stock import SALT_BYTES, Index, Part, Spot, index_of

CASES: Final = 1_024  # trees of cases of a hundred kept at hand: 8 KB each
NOT_FOUND: Final = "GTIN_not_found"
NO_REASON: Final = "No_reason_provided"
MEMORY: Final = "supply-ways"


class Answered(Value, frozen=True):
    """What a responder signs."""

    network: bytes
    height: int
    time: int
    """Of the block at the height, Unix ms."""
    responder: str
    asked: bytes
    """Digest of GTIN, serial, lot and expiry as they were asked."""
    verified: bool
    code: str
    call: str
    proof: bytes
    """What opens the pack and leads to its row (`UnitTold`); empty if it is not known here."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An answer with its signature."""

    answered: Answered
    signature: bytes
    """Ed25519 by the responder's key on the ledger, over `signed_bytes`."""


@dataclass
class Ways:
    """Trees of hashes at hand, so that a pack's way up is looked up, not hashed anew."""

    containers: dict[bytes, list[list[bytes]]] = field(default_factory=dict)
    """Of containers of containers, by their keys."""
    cases: OrderedDict[bytes, list[list[bytes]]] = field(default_factory=OrderedDict)
    """Of containers of units, the latest used last."""
    gtins: tuple[int, frozenset[str]] = (0, frozenset())
    """How many leaves of the index were looked through, and their products."""

    def lead(self, top: Packed, positions: Sequence[int]) -> tuple[bytes, bytes, tuple[port.Place, ...]]:
        """Return (key, salt, way up) of the unit at the positions, as `packing.lead_to` has it."""
        here, key, salt, way = top, top.key, b"", []
        for place in positions:
            tree = self._levels(here)
            key = tree[0][place]
            way.append(port.Place(place, tuple(level[(place >> n) ^ 1] for n, level in enumerate(tree[:-1]))))
            if here.inside:
                here = here.inside[place]
            else:
                salt = here.salt(place)
        return key, salt, tuple(reversed(way))

    def knows(self, index: Index, gtin: str) -> bool:
        """Tell whether any pack of a product is in the index."""
        if self.gtins[0] != len(index.leaves):
            told = frozenset(part.product.split(b"|")[0].decode("ascii") for _, part, _, _ in index.leaves)
            self.gtins = (len(index.leaves), told)
        return gtin in self.gtins[1]

    def _levels(self, here: Packed) -> list[list[bytes]]:
        if here.inside:
            tree = self.containers.get(here.key)
            if tree is None:
                tree = self.containers[here.key] = levels(here.keys())
            return tree
        tree = self.cases.pop(here.key, None)
        if tree is None:
            tree = levels(here.keys())
            if len(self.cases) == CASES:
                self.cases.popitem(last=False)
        self.cases[here.key] = tree
        return tree


def verify(node: MemberNode, elements: Elements) -> Signed:
    """Answer for a pack of which this member knows, by its own replica; the answer is signed."""
    ways = node.memory.setdefault(MEMORY, Ways())
    if not isinstance(ways, Ways):
        raise TypeError(MEMORY)
    head = node.ledger.head()
    verdict, told = answer(node.ledger.read(head.height), index_of(node), ways, elements, now=node.now())
    answered = Answered(
        node.network,
        head.height,
        head.time,
        node.member,
        asked_digest(elements),
        verdict.verified,
        verdict.code,
        verdict.call.value,
        encode(told) if told else b"",
    )
    return Signed(answered, node.signing_key.sign(signed_bytes(answered)))


def answer(
    state: View,
    index: Index,
    ways: Ways,
    elements: Elements,
    *,
    now: int,
    ours: Callable[[port.Holding], bool] | None = None,
) -> tuple[Verdict, UnitTold | None]:
    """Return what to make of a pack, and what opens it; None where nothing here knows it.

    `ours` tells whether a row is the asker's own; without it nobody can tell, and holders are not compared.
    """
    spot = spot_of(index, elements)
    if spot is None:
        code = "" if ways.knows(index, elements.get("01", "")) else NOT_FOUND
        verdict = _judged(known=False, ours=True)
        return Verdict(verdict.verified, code or verdict.code, verdict.call), None
    told = opened(index, ways, spot)
    found = port.find(state, told.target)
    if found is None:
        return _judged(known=False, ours=True), None
    _, lot, expiry = spot.part.product.decode("ascii").split("|")
    row = found.holding
    own = ours is not None and ours(row)
    return _judged(
        known=True,
        lot_agrees=elements.get("10", lot) == lot,
        expiry_agrees=elements.get("17", expiry) == expiry,
        ended=row.reason.name if row.status is port.Status.ENDED else "",
        recalled=bool(port.recall_of(state, found.id, row)),
        suspect=row.status in {port.Status.DISPUTED, port.Status.QUARANTINED},
        expired=is_over(expiry, now),
        ours=own or ours is None,
        ours_ended=own,
    ), told


def opened(index: Index, ways: Ways, spot: Spot) -> UnitTold:
    """Return what opens one unit and leads to the row of the part that it lies in."""
    part = spot.part
    if not spot.positions:
        return UnitTold(part, port.Target(part.lot, part.key, ()))
    top = index.tree(part)
    key, salt, way = ways.lead(top, spot.positions)
    here = top
    for place in spot.positions[:-1]:
        here = here.inside[place]
    serial = here.box.serials[spot.positions[-1]]
    return UnitTold(Part(part.lot, key, part.product, salt, Box("", (), (serial,))), port.Target(part.lot, key, way))


def may_ask(node: MemberNode, member: str) -> bool:
    """Tell whether a member is an authorised trading partner: licensed by a regulator, and the licence in force."""
    state, now = node.ledger.read(), node.ledger_time()
    for issuer, _ in active(state, Role.REGULATOR):
        licence = port.licence_of(state, issuer, member)
        if licence is not None and licence.kinds and now < licence.until:
            return True
    return False


def asked_digest(elements: Elements) -> bytes:
    """Return the digest of what was asked: GTIN, serial, lot, expiry; nothing for what was not given."""
    return digest("salus/v1/supply-asked", *(elements.get(ai, "").encode("ascii") for ai in ("01", "21", "10", "17")))


def signed_bytes(answered: Answered) -> bytes:
    """Return what a responder signs of an answer."""
    return framed("salus/v1/supply-answer", (encode(answered),))


def is_over(expiry: str, now: int) -> bool:
    """Tell whether a GS1 date YYMMDD is over at Unix time `now` (ms); day 00 is the end of the month."""
    today = datetime.fromtimestamp(now // 1000, UTC).strftime("%Y%m%d")
    day = "20" + expiry
    return len(expiry) == 6 and (day[:6] + ("99" if day.endswith("00") else day[6:])) < today


def spot_of(index: Index, elements: Elements) -> Spot | None:
    """Return where a unit is known to lie, in the newest stock that has it."""
    serial = elements.get("21", "").encode("ascii")
    for number in reversed(index.units.get((elements.get("01", ""), serial), ())):
        stock, part, positions, box = index.leaves[number]
        place = () if len(part.secret) == SALT_BYTES else (*positions, box.serials.index(serial))
        return Spot(stock, part, place, unit=True)
    return None


def _judged(
    *,
    known: bool,
    ours: bool,
    ours_ended: bool = False,
    lot_agrees: bool = True,
    expiry_agrees: bool = True,
    ended: str = "",
    recalled: bool = False,
    suspect: bool = False,
    expired: bool = False,
) -> Verdict:
    return judge(
        Scan(
            known=known,
            lot_agrees=lot_agrees,
            expiry_agrees=expiry_agrees,
            ended=ended,
            recalled=recalled,
            suspect=suspect,
            expired=expired,
            ours=ours,
            ours_ended=ours_ended,
        )
    )
