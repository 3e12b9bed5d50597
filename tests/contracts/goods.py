"""A small world of goods for the tests: a regulator, members that carry, one-time keys by name, a packed lot."""

from salus.agreements.supply.packing import Box, lead_to, packed
from salus.contracts.membership.port import Role
from salus.contracts.supply.port import (
    HOLDINGS,
    Commission,
    End,
    Excepted,
    License,
    Pack,
    Place,
    Reason,
    Receive,
    Ship,
    Target,
    Ticket,
    find,
    holding_id,
    lot_id,
    mix_id,
    owner_of,
    ticket_bytes,
)

from .ledger import DAY, Ledger, candidate, key, public

PRODUCT = b"09506000134352|LOT-A|271231"
TRADE = (License.MAKER, License.REPACKAGER, License.DISTRIBUTOR, License.DISPENSER)
D = bytes(range(32))
MEMBERS = (
    candidate("carrier-co", roles=(Role.DISTRIBUTOR,)),
    candidate("fda", roles=(Role.REGULATOR,)),
    candidate("state-board", roles=(Role.REGULATOR,)),
)


def owner(name):
    return owner_of(public(name))


def ticket(name, now, *, kinds=TRADE, issuer="fda", days=7, by=None):
    until = now + days * DAY
    signature = key(by or issuer).sign(ticket_bytes(owner(name), kinds, until))
    return Ticket(issuer, kinds, until, signature)


def lot_of(pallets=2, cases=3, units=5, product=PRODUCT, secret=bytes(32)):
    """Return a lot: pallets of cases of units, serials rising."""
    number = iter(range(pallets * cases * units))
    return packed(
        Box(
            "",
            tuple(
                Box(
                    f"pallet-{p}",
                    tuple(
                        Box(f"case-{p}-{c}", (), tuple(b"S%06d" % next(number) for _ in range(units)))
                        for c in range(cases)
                    ),
                )
                for p in range(pallets)
            ),
        ),
        product,
        secret,
    )


class World:
    """A ledger and one lot of the maker's key `m`."""

    def __init__(self, tree=None, maker="m", ledger=None):
        self.ledger = ledger or Ledger.founded(members=MEMBERS)
        self.tree = tree or lot_of()
        self.lot = lot_id(self.tree.key, owner(maker))
        self.whole = holding_id(self.lot, self.tree.key)

    def ticket(self, name, **changes):
        return ticket(name, self.ledger.time, **changes)

    def at(self, *positions, levels=None):
        """Return the target at a place of the lot: pallet, case, unit. `levels` cuts the proof short."""
        found, way = lead_to(self.tree, positions)
        return Target(self.lot, found, tuple(Place(place, path) for place, path in way[:levels]))

    def id(self, *positions):
        return holding_id(self.lot, self.at(*positions).key)

    def send(self, message, author):
        return self.ledger.send(message, "carrier-co", author)

    def refuse(self, message, author):
        return self.ledger.refuse(message, "carrier-co", author)

    def commission(self, maker="m", **changes):
        return self.send(self.commissioning(maker, **changes), maker)

    def commissioning(self, maker="m", minutes_out=0, mkt=0, ticket=None):
        tree = self.tree
        return Commission(tree.root, tree.depth, D, minutes_out, mkt, ticket or self.ticket(maker))

    def shipping(self, target, by, to, back=False):
        return Ship(target, owner(to), D, back=back, ticket=self.ticket(by))

    def ship(self, target, by, to, **changes):
        return self.send(self.shipping(target, by, to, **changes), by)

    def receiving(self, id_, by, *excepted):
        return Receive(id_, tuple(Excepted(each, 21) for each in excepted), self.ticket(by))

    def receive(self, id_, by, *excepted):
        return self.send(self.receiving(id_, by, *excepted), by)

    def move(self, target, by, to):
        id_ = holding_id(target.lot, target.key) if target.lot else target.key
        self.ship(target, by, to)
        self.receive(id_, to)
        return id_

    def ending(self, by, *targets, reason=Reason.DISPENSED):
        return End(self.sorted(targets), reason, self.ticket(by))

    def end(self, by, *targets, **changes):
        return self.send(self.ending(by, *targets, **changes), by)

    def pack(self, by, *targets):
        """Pack goods; return the new container's id."""
        packing = self.packing(*targets)
        self.send(packing, by)
        return mix_id(owner(by), packing.name)

    def packing(self, *targets):
        return Pack(self.sorted(targets), self.ledger.counter.to_bytes(32, "big"))

    def rows(self):
        return list(self.ledger.state.range(HOLDINGS))

    def row(self, *positions):
        return find(self.ledger.state, self.at(*positions)).holding

    @staticmethod
    def sorted(targets):
        return tuple(sorted(targets, key=lambda one: holding_id(one.lot, one.key) if one.lot else one.key))


def explicit(id_):
    return Target(b"", id_, ())
