"""Recalls: by the maker's one-time key or by a regulator's order, of a lot or of units, until lifted."""

from collections.abc import Sequence

from msgspec import structs

from salus.contracts.supply.holdings import NOWHERE, Shelf, ascending
from salus.contracts.supply.licensing import regulator
from salus.contracts.supply.messages import Acknowledge, OrderRecall, Recall, Target
from salus.contracts.supply.reasons import SupplyReason
from salus.contracts.supply.state import ACKNOWLEDGEMENTS, LOTS, MARKS, Acknowledgement, Lot, Mark, owner_of
from salus.core.errors import Rejected
from salus.core.proof.digest import digest
from salus.core.rules import Context


def recall(ctx: Context, message: Recall) -> bytes:
    """Recall by the maker. Returns lot 32 | class u8 | 1 | count u16 | digest over the units 32."""
    row = _lot(ctx, message.lot)
    if row.maker != owner_of(ctx.author):
        raise Rejected(SupplyReason.NOT_MAKER, lot=message.lot.hex())
    ascending(message.units)

    return _recall(ctx, message.lot, message.recall, message.units, ordered=False)


def order_recall(ctx: Context, message: OrderRecall) -> bytes:
    """Recall by order. Returns lot 32 | class u8 | 2 | count u16 | digest over the units 32."""
    regulator(ctx)
    _lot(ctx, message.lot)
    ascending(message.units)

    return _recall(ctx, message.lot, message.recall, message.units, ordered=True)


def acknowledge(ctx: Context, message: Acknowledge) -> bytes:
    """Answer a recall. Returns lot 32 | owner's digest 32 | count's commitment 32."""
    _lot(ctx, message.lot)
    key = owner_of(ctx.author)
    found = Shelf(ctx.state).find(Target(NOWHERE, message.holding, ()))
    behind = [share.lot for share in found.holding.lots]
    for lot in (ctx.get(LOTS, lot) for lot in tuple(behind)):
        behind += () if lot is None else lot.sources
    if found.holding.owner != key or message.lot not in behind:
        raise Rejected(SupplyReason.NOT_OWNER, holding=message.holding.hex())

    ctx.put(ACKNOWLEDGEMENTS, message.lot + key, Acknowledgement(message.count, ctx.height))
    return message.lot + key + message.count


def _lot(ctx: Context, id_: bytes) -> Lot:
    row = ctx.get(LOTS, id_)
    if row is None:
        raise Rejected(SupplyReason.NO_SUCH_LOT, lot=id_.hex())
    return row


def _recall(ctx: Context, lot: bytes, class_: int, units: Sequence[bytes], *, ordered: bool) -> bytes:
    change = {"ordered" if ordered else "recall": class_, "height": ctx.height}
    if not units:
        ctx.put(LOTS, lot, structs.replace(_lot(ctx, lot), **change))
    for unit in units:
        key = lot + unit  # a mark under another lot than the unit's own reaches nothing
        ctx.put(MARKS, key, structs.replace(ctx.get(MARKS, key) or Mark(0, 0, 0), **change))
    told = lot + bytes((class_, 1 + ordered)) + len(units).to_bytes(2, "big")
    return told + digest("salus/v1/supply-recalled", *units)
