"""Finding goods, and taking them out of whatever they lie in: the one place where a row comes into being.

1. The id of what is asked for has a row: that is it.
2. Else climb by the proof, container by container, to the nearest one with a row of the same lot.
3. What lies in a mix, by itself or inside something that does, stands as the topmost mix does.
4. Taken out by itself, it leaves every mix above that held nothing else of its lot with one lot fewer.

Nothing here writes: a shelf collects rows, and `Shelf.write` puts them when every check of a message has passed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from salus.contracts.supply.messages import Target
from salus.contracts.supply.reasons import SupplyReason
from salus.contracts.supply.state import (
    HOLDINGS,
    LOTS,
    MARKS,
    MAX_LOTS,
    TRANSITIONS,
    Holding,
    Kind,
    Lot,
    Mark,
    Reason,
    Share,
    Status,
    holding_id,
    owner_of,
)
from salus.core.errors import InvariantBroken, Rejected
from salus.core.proof.errors import MalformedProof
from salus.core.proof.goods import above
from salus.core.rules import Context
from salus.core.tables import View

NOWHERE: Final = b""


@dataclass(frozen=True, slots=True)
class Found:
    """Goods as they stand, by themselves."""

    id: bytes
    holding: Holding
    """The row as it is once taken out."""
    top: bytes
    """Id of the row that said where they stand."""


class Shelf:
    """The holdings of one message: read through to the state, written at its end."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._rows: dict[bytes, Holding] = {}

    def get(self, id_: bytes) -> Holding | None:
        """Return a row as this message has left it so far, or None."""
        return self._rows.get(id_) or self._view.get(HOLDINGS, id_)

    def row(self, id_: bytes) -> Holding:
        """Return a row that must be there. Raises InvariantBroken."""
        row = self.get(id_)
        if row is None:
            raise InvariantBroken("goods named as there have no row")
        return row

    def put(self, id_: bytes, row: Holding) -> None:
        """Keep a row for writing."""
        self._rows[id_] = row

    def write(self, ctx: Context) -> None:
        """Write what was kept."""
        for id_ in sorted(self._rows):
            ctx.put(HOLDINGS, id_, structs.replace(self._rows[id_], height=ctx.height))

    def find(self, target: Target) -> Found:
        """Return goods as they stand, changing nothing. Raises Rejected(NO_SUCH_HOLDING or BAD_PROOF)."""
        id_ = id_of(target)
        row = self.get(id_)
        base_id, base = (id_, row) if row is not None else self._climb(target)
        top_id, top = base_id, base
        while top.parent:
            top_id, top = top.parent, self.row(top.parent)
        own = base if row is None else row
        return Found(id_, structs.replace(top, kind=own.kind, lots=own.lots, level=own.level, parent=NOWHERE), top_id)

    def take_out(self, target: Target) -> Found:
        """Return goods as they stand, and take them out of every mix they lie in. Raises as `find`."""
        found = self.find(target)
        row = self.get(found.id)
        if row is not None:
            gone, parent = tuple(share.lot for share in row.lots), row.parent
            while parent and gone:
                mix = self.row(parent)
                shares = tuple(_less(mix.lots, gone))
                self.put(parent, structs.replace(mix, lots=shares))
                gone = tuple(lot for lot in gone if lot not in [share.lot for share in shares])
                parent = mix.parent
        self.put(found.id, found.holding)
        return found

    def _climb(self, target: Target) -> tuple[bytes, Holding]:
        node = target.key
        for place in target.places if target.lot else ():
            try:
                node = above(node, place.position, place.path)
            except MalformedProof as error:
                raise Rejected(SupplyReason.BAD_PROOF, position=place.position) from error
            id_ = holding_id(target.lot, node)
            row = self.get(id_)
            if row is not None:
                return id_, row
        raise Rejected(SupplyReason.NO_SUCH_HOLDING, holding=id_of(target).hex())


def id_of(target: Target) -> bytes:
    """Return the holding id of a target."""
    return holding_id(target.lot, target.key) if target.lot else target.key


def ascending(keys: Iterable[bytes]) -> None:
    """Raise Rejected(UNORDERED) unless the keys rise."""
    before = b""
    for place, key in enumerate(keys):
        if key <= before:
            raise Rejected(SupplyReason.UNORDERED, place=place)
        before = key


def taken(shelf: Shelf, target: Target, author: bytes, step: str) -> Found:
    """Take goods out for a step of their owner, their status already that after it. Raises Rejected."""
    found = shelf.take_out(target)
    if found.holding.owner != owner_of(author):
        raise Rejected(SupplyReason.NOT_OWNER, holding=found.id.hex())
    return Found(found.id, stepped(found.id, found.holding, step), found.top)


def stepped(id_: bytes, row: Holding, step: str) -> Holding:
    """Return a holding after a step. Raises Rejected(WRONG_STATUS)."""
    status = TRANSITIONS.get((row.status, step))
    if status is None:
        raise Rejected(SupplyReason.WRONG_STATUS, holding=id_.hex(), status=row.status.name)
    return structs.replace(row, status=status)


def recall_of(view: View, id_: bytes, row: Holding) -> int:
    """Return the gravest class of recall in force on goods, on their lots or on what those were made of; 0 for none."""
    classes = [0]
    for share in row.lots:
        lot = view.get(LOTS, share.lot)
        behind = () if lot is None else lot.sources
        rows: list[Lot | Mark | None] = [lot, view.get(MARKS, share.lot + id_)]
        rows += [view.get(LOTS, source) for source in behind]
        for each in (row for row in rows if row is not None):
            classes += [each.recall, each.ordered]
    return min((one for one in classes if one), default=0)


def mixed(holdings: Iterable[Holding]) -> tuple[Share, ...]:
    """Return the lots of a container of these. Raises Rejected(TOO_MANY_LOTS)."""
    counts: dict[bytes, int] = {}
    for row in holdings:
        for share in row.lots:
            counts[share.lot] = counts.get(share.lot, 0) + 1
    if len(counts) > MAX_LOTS:
        raise Rejected(SupplyReason.TOO_MANY_LOTS, most=MAX_LOTS)
    return tuple(Share(lot, counts[lot]) for lot in sorted(counts))


def new_tree(lot: bytes, owner: bytes, height: int) -> Holding:
    """Return the holding of a lot just commissioned: all of it."""
    return Holding(
        kind=Kind.TREE,
        lots=(Share(lot, 1),),
        owner=owner,
        custodian=owner,
        to=NOWHERE,
        handed=NOWHERE,
        parent=NOWHERE,
        level=0,
        status=Status.ACTIVE,
        warm=False,
        reason=Reason.NONE,
        hop=NOWHERE,
        due=0,
        height=height,
    )


def _less(shares: tuple[Share, ...], gone: tuple[bytes, ...]) -> Iterable[Share]:
    for share in shares:
        left = share.holdings - (share.lot in gone)
        if left:
            yield structs.replace(share, holdings=left)
