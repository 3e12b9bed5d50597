"""The supply contract, rule version 1. Reading order: `holdings.py` (where goods are), then this.

Attacks, and what stops each (`tests/contracts/test_supply_attacks.py` runs them):

    goods are shipped, ended or packed by others      NOT_OWNER: the owner's one-time key authors every step
    one unit at two places                            a unit has one id and one row; its position proves nothing twice
    a copied key in a tree of one's own               ids are bound to the lot, and a lot's to its maker's key
    a shipment kept by who never got it               ownership moves on receive alone, by the key it was sent to
    dispensed or destroyed goods sold again           ENDED; undo in its window alone, and never of a theft
    recalled goods dispensed, also repackaged         RECALLED: marks, lots, the lots behind them, in the next block
    a partner whose licence ended                     TICKET_OVER, TICKET_VOID: every step of trade shows a ticket
    a ticket used by another                          it names one key, and the key must author
    a member learns whose goods are whose             one-time keys, salted keys of goods, no count, no party

Result data of a step on goods: digest over holding ids 32 | count u16 | status u8 | reason u8.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs

from salus.contracts.contract import Contract
from salus.contracts.supply.holdings import (
    NOWHERE,
    Shelf,
    ascending,
    id_of,
    mixed,
    new_tree,
    recall_of,
    stepped,
    taken,
)
from salus.contracts.supply.licensing import (
    ANYONE,
    TRADER,
    licence,
    licensed,
    open_hops,
    set_terms,
    terms,
    void_tickets,
)
from salus.contracts.supply.messages import (
    EXAMPLES,
    Acknowledge,
    Cancel,
    Clear,
    Commission,
    End,
    Hand,
    Licence,
    Open,
    OrderRecall,
    Pack,
    Quarantine,
    Recall,
    Receive,
    Refuse,
    ReportTemperature,
    SetTerms,
    Settle,
    Ship,
    Take,
    Target,
    Transform,
    Undo,
    Unpack,
    VoidTickets,
)
from salus.contracts.supply.reasons import SupplyReason
from salus.contracts.supply.recalls import acknowledge, order_recall, recall
from salus.contracts.supply.state import (
    ACKNOWLEDGEMENTS,
    HOLDINGS,
    LICENSES,
    LOTS,
    MARKS,
    MAX_MIX,
    MAX_SOURCES,
    NUMBER,
    OPENINGS,
    TEMPERATURES,
    TERMS,
    UNDOABLE,
    VOIDED,
    Holding,
    Kind,
    License,
    Lot,
    Reason,
    Status,
    Temperature,
    lot_id,
    mix_id,
    owner_of,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.proof.digest import digest
from salus.core.proof.goods import container_key
from salus.core.rules import Context, Rule


def commission(ctx: Context, message: Commission) -> bytes:
    """Bring a lot into the world."""
    key = licensed(ctx, message.ticket, (License.MAKER,))
    lot = _new_lot(ctx, message, key)

    return _begin(ctx, message, lot, Lot(key, message.count, (), message.minutes_out, message.mkt, 0, 0, ctx.height))


def transform(ctx: Context, message: Transform) -> bytes:
    """Repackage goods into a lot of its own."""
    key = licensed(ctx, message.ticket, (License.MAKER, License.REPACKAGER))
    ascending(id_of(target) for target in message.targets)
    shelf = Shelf(ctx.state)
    behind: dict[bytes, None] = {}
    for target in message.targets:
        before = shelf.find(target).holding
        found = taken(shelf, target, ctx.author, "end")
        if before.status is not Status.ACTIVE:
            raise Rejected(SupplyReason.WRONG_STATUS, holding=found.id.hex(), status=before.status.name)
        if recall_of(ctx.state, found.id, found.holding):
            raise Rejected(SupplyReason.RECALLED, holding=found.id.hex())
        shelf.put(found.id, structs.replace(found.holding, reason=Reason.TRANSFORMED, handed=NOWHERE))
        for share in found.holding.lots:
            source = ctx.get(LOTS, share.lot)
            behind |= dict.fromkeys((share.lot, *(() if source is None else source.sources)))
    if len(behind) > MAX_SOURCES:
        raise Rejected(SupplyReason.TOO_MANY_LOTS, most=MAX_SOURCES)

    made_of = tuple(sorted(behind))
    lot = _new_lot(ctx, message, key)

    shelf.write(ctx)
    return _begin(
        ctx, message, lot, Lot(key, message.count, made_of, message.minutes_out, message.mkt, 0, 0, ctx.height)
    )


def pack(ctx: Context, message: Pack) -> bytes:
    """Put goods together into a container of a new name."""
    ascending(id_of(target) for target in message.targets)
    shelf, owner = Shelf(ctx.state), owner_of(ctx.author)
    new = mix_id(owner, message.name)
    if ctx.get(HOLDINGS, new) is not None:
        raise Rejected(SupplyReason.EXISTS, holding=new.hex())
    for target in message.targets:
        found = taken(shelf, target, ctx.author, "pack")
        if found.holding.custodian != owner:
            raise Rejected(SupplyReason.NOT_CUSTODIAN, holding=found.id.hex())
    inside = {id_: shelf.row(id_) for id_ in (id_of(target) for target in message.targets)}  # once all are taken out
    level = 1 + max(row.level for row in inside.values())
    if level > MAX_MIX:
        raise Rejected(SupplyReason.TOO_DEEP, most=MAX_MIX)
    mix = structs.replace(new_tree(NOWHERE, owner, ctx.height), kind=Kind.MIX, lots=mixed(inside.values()), level=level)

    shelf.put(new, mix)
    for id_, row in inside.items():
        shelf.put(id_, structs.replace(row, parent=new, handed=NOWHERE))
    shelf.write(ctx)
    return _told([new], mix)


def unpack(ctx: Context, message: Unpack) -> bytes:
    """Take goods out of whatever they lie in."""
    ascending(id_of(target) for target in message.targets)
    shelf = Shelf(ctx.state)
    found = [taken(shelf, target, ctx.author, "unpack") for target in message.targets]

    shelf.write(ctx)
    return _told([one.id for one in found], found[0].holding)


def ship(ctx: Context, message: Ship) -> bytes:
    """Put goods on their way. They stay their sender's until received."""
    licensed(ctx, message.ticket, TRADER)
    shelf = Shelf(ctx.state)
    found = taken(shelf, message.target, ctx.author, "ship")
    if not message.back and recall_of(ctx.state, found.id, found.holding):
        raise Rejected(SupplyReason.RECALLED, holding=found.id.hex())
    due = ctx.time + terms(ctx.state).answer
    row = structs.replace(found.holding, to=message.to, hop=message.hop, due=due)

    shelf.put(found.id, row)
    shelf.write(ctx)
    return _told([found.id], row)


def cancel(ctx: Context, message: Cancel) -> bytes:
    """Call a shipment back."""
    before = _row(ctx, message.holding)
    row = _own(ctx, message.holding, "cancel warm" if before.warm else "cancel")

    return _put(ctx, message.holding, structs.replace(row, to=NOWHERE, handed=NOWHERE, due=0, warm=False))


def receive(ctx: Context, message: Receive) -> bytes:
    """Take a shipment over, but for what is excepted."""
    key = licensed(ctx, message.ticket, TRADER)
    ascending(id_of(one.target) for one in message.excepted)
    shelf = Shelf(ctx.state)
    _sent_to(ctx, message.holding, key, "receive")
    for one in message.excepted:
        found = shelf.take_out(one.target)
        if found.top != message.holding or found.id == message.holding:
            raise Rejected(SupplyReason.NOT_INSIDE, holding=found.id.hex())
        shelf.put(found.id, stepped(found.id, structs.replace(found.holding, due=0), "except"))
    row = shelf.find(Target(NOWHERE, message.holding, ())).holding
    row = stepped(message.holding, row, "receive warm" if row.warm else "receive")
    row = structs.replace(row, owner=key, custodian=key, to=NOWHERE, handed=NOWHERE, due=0, warm=False)

    shelf.put(message.holding, row)
    shelf.write(ctx)
    return _told([message.holding, *(id_of(one.target) for one in message.excepted)], row)


def refuse(ctx: Context, message: Refuse) -> bytes:
    """Take nothing of a shipment."""
    row = _sent_to(ctx, message.holding, owner_of(ctx.author), "refuse")

    return _put(ctx, message.holding, structs.replace(row, due=0))


def settle(ctx: Context, message: Settle) -> bytes:
    """End a dispute: its author takes or keeps the goods, whichever of the two it is."""
    key = licensed(ctx, message.ticket, TRADER)
    row = _row(ctx, message.holding)
    if row.to == key:
        row = structs.replace(row, owner=key, custodian=key)
    if row.owner != key:
        raise Rejected(SupplyReason.NOT_OWNER, holding=message.holding.hex())
    row = stepped(message.holding, row, "settle warm" if row.warm else "settle")

    return _put(ctx, message.holding, structs.replace(row, custodian=key, to=NOWHERE, handed=NOWHERE, warm=False))


def hand(ctx: Context, message: Hand) -> bytes:
    """Hand goods to another custodian."""
    shelf = Shelf(ctx.state)
    found = shelf.take_out(message.target)
    if found.holding.custodian != owner_of(ctx.author):
        raise Rejected(SupplyReason.NOT_CUSTODIAN, holding=found.id.hex())
    row = structs.replace(stepped(found.id, found.holding, "hand"), handed=message.to)

    shelf.put(found.id, row)
    shelf.write(ctx)
    return _told([found.id], row)


def take(ctx: Context, message: Take) -> bytes:
    """Take goods in hand."""
    key = licensed(ctx, message.ticket, ANYONE)
    row = _row(ctx, message.holding)
    if row.handed != key:
        raise Rejected(SupplyReason.NOT_RECEIVER, holding=message.holding.hex())
    row = stepped(message.holding, row, "take")

    return _put(ctx, message.holding, structs.replace(row, custodian=key, handed=NOWHERE))


def report_temperature(ctx: Context, message: ReportTemperature) -> bytes:
    """Report a leg. Returns holding 32 | series 32 | mkt u32 | minutes u32 | status u8."""
    row = _row(ctx, message.holding)
    key = owner_of(ctx.author)
    if row.custodian != key:
        raise Rejected(SupplyReason.NOT_CUSTODIAN, holding=message.holding.hex())
    place = message.holding + key + ctx.height.to_bytes(8, "big")
    if ctx.get(TEMPERATURES, place) is not None:
        raise Rejected(SupplyReason.EXISTS, holding=message.holding.hex())
    lots = [ctx.get(LOTS, share.lot) for share in row.lots]
    warm = any(message.minutes_out > lot.minutes_out or 0 < lot.mkt < message.mkt for lot in lots if lot is not None)
    if warm and row.status is Status.ACTIVE:
        row = stepped(message.holding, row, "quarantine")
    elif warm and row.to:
        row = structs.replace(stepped(message.holding, row, "warm"), warm=True)
    else:
        warm = False  # set aside or ended already: there is nothing more to hold back

    ctx.put(TEMPERATURES, place, Temperature(message.series, message.mkt, message.minutes_out))
    if warm:
        _put(ctx, message.holding, row)
    figures = message.mkt.to_bytes(4, "big") + message.minutes_out.to_bytes(4, "big")
    return message.holding + message.series + figures + bytes((row.status,))


def end(ctx: Context, message: End) -> bytes:
    """Decommission goods."""
    licensed(ctx, message.ticket, (License.DISPENSER,) if message.reason is Reason.DISPENSED else TRADER)
    ascending(id_of(target) for target in message.targets)
    shelf = Shelf(ctx.state)
    due = ctx.time + terms(ctx.state).undo if message.reason in UNDOABLE else 0
    ids = []
    for target in message.targets:
        before = shelf.find(target).holding
        found = taken(shelf, target, ctx.author, "end")
        into_use = message.reason in UNDOABLE
        if message.reason in {Reason.NONE, Reason.TRANSFORMED} or (into_use and before.status is not Status.ACTIVE):
            raise Rejected(SupplyReason.WRONG_STATUS, holding=found.id.hex(), status=before.status.name)
        if into_use and recall_of(ctx.state, found.id, found.holding):
            raise Rejected(SupplyReason.RECALLED, holding=found.id.hex())
        row = structs.replace(found.holding, reason=message.reason, due=due, handed=NOWHERE)
        shelf.put(found.id, row)
        ids.append(found.id)

    shelf.write(ctx)
    return _told(ids, row)


def undo(ctx: Context, message: Undo) -> bytes:
    """Take an end back."""
    row = _own(ctx, message.holding, "undo")
    if row.reason not in UNDOABLE:
        raise Rejected(SupplyReason.NOT_UNDOABLE, ended=row.reason.name)
    if ctx.time > row.due:
        raise Rejected(SupplyReason.TOO_LATE, due=row.due, time=ctx.time)

    return _put(ctx, message.holding, structs.replace(row, reason=Reason.NONE, due=0))


def quarantine(ctx: Context, message: Quarantine) -> bytes:
    """Set suspect goods aside."""
    shelf, key = Shelf(ctx.state), owner_of(ctx.author)
    found = shelf.take_out(message.target)
    if key not in {found.holding.owner, found.holding.custodian}:
        raise Rejected(SupplyReason.NOT_CUSTODIAN, holding=found.id.hex())
    row = structs.replace(stepped(found.id, found.holding, "quarantine"), handed=NOWHERE)

    shelf.put(found.id, row)
    shelf.write(ctx)
    return _told([found.id], row)


def clear(ctx: Context, message: Clear) -> bytes:
    """Release goods."""
    return _put(ctx, message.holding, _own(ctx, message.holding, "clear"))


def _new_lot(ctx: Context, message: Commission | Transform, maker: bytes) -> bytes:
    lot = lot_id(container_key(message.root, message.depth), maker)
    if ctx.get(LOTS, lot) is not None:
        raise Rejected(SupplyReason.EXISTS, lot=lot.hex())
    return lot


def _begin(ctx: Context, message: Commission | Transform, lot: bytes, row: Lot) -> bytes:
    """Write a new lot. Returns lot 32 | key of its tree 32."""
    tree = container_key(message.root, message.depth)
    ctx.insert(LOTS, lot, row)
    ctx.insert(HOLDINGS, id_of(Target(lot, tree, ())), new_tree(lot, row.maker, ctx.height))
    return lot + tree


def _row(ctx: Context, id_: bytes) -> Holding:
    """Return goods that stand by themselves: what lies in a mix is taken out of it first."""
    row = ctx.get(HOLDINGS, id_)
    if row is None or row.parent:
        raise Rejected(SupplyReason.NO_SUCH_HOLDING, holding=id_.hex())
    return row


def _own(ctx: Context, id_: bytes, step: str) -> Holding:
    row = _row(ctx, id_)
    if row.owner != owner_of(ctx.author):
        raise Rejected(SupplyReason.NOT_OWNER, holding=id_.hex())
    return stepped(id_, row, step)


def _sent_to(ctx: Context, id_: bytes, key: bytes, step: str) -> Holding:
    row = _row(ctx, id_)
    if row.to != key:
        raise Rejected(SupplyReason.NOT_RECEIVER, holding=id_.hex())
    return stepped(id_, row, step)


def _put(ctx: Context, id_: bytes, row: Holding) -> bytes:
    ctx.put(HOLDINGS, id_, structs.replace(row, height=ctx.height))
    return _told([id_], row)


def _told(ids: Sequence[bytes], row: Holding) -> bytes:
    return digest("salus/v1/supply-goods", *ids) + len(ids).to_bytes(2, "big") + bytes((row.status, row.reason))


RULES: Final[Mapping[type[Message], Rule]] = {
    Commission: Rule(commission, authored=True),
    Transform: Rule(transform, authored=True),
    Pack: Rule(pack, authored=True),
    Unpack: Rule(unpack, authored=True),
    Ship: Rule(ship, authored=True),
    Cancel: Rule(cancel, authored=True),
    Receive: Rule(receive, authored=True),
    Refuse: Rule(refuse, authored=True),
    Settle: Rule(settle, authored=True),
    Hand: Rule(hand, authored=True),
    Take: Rule(take, authored=True),
    ReportTemperature: Rule(report_temperature, authored=True),
    End: Rule(end, authored=True),
    Undo: Rule(undo, authored=True),
    Quarantine: Rule(quarantine, authored=True),
    Clear: Rule(clear, authored=True),
    Recall: Rule(recall, authored=True),
    OrderRecall: Rule(order_recall, authored=False),
    Acknowledge: Rule(acknowledge, authored=True),
    Licence: Rule(licence, authored=False),
    VoidTickets: Rule(void_tickets, authored=False),
    Open: Rule(open_hops, authored=False),
    SetTerms: Rule(set_terms, authored=False),
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="supply",
    rules=RULES,
    tables=(
        HOLDINGS,
        LOTS,
        MARKS,
        ACKNOWLEDGEMENTS,
        LICENSES,
        VOIDED,
        TEMPERATURES,
        OPENINGS,
        TERMS,
    ),
    reasons=SupplyReason,
    examples=EXAMPLES,
)
