"""The supply contract beside a model of its own: sets of units that move, nothing of rows, proofs or shelves.

A *group* is what is handled alone: at first a lot, later whatever was taken out of it, or a container packed later. Each unit
is at home in one group; a group stands as the outermost container that it lies in. Every message is told to both: they must
agree on whether it is taken, and at every block on where each unit is, whose it is, and how it stands.
"""

import sys
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import NamedTuple

from salus.agreements.supply.packing import lead_to
from salus.contracts.registry import REGISTRY
from salus.contracts.supply import holdings, licensing
from salus.contracts.supply import port as p
from salus.core.errors import Rejected
from salus.core.rules import Context
from salus.core.tables import Overlay

from . import goods
from .goods import TRADE, D, lot_of
from .ledger import DAY, key, public
from .rows import Rows, founded

S, R = p.Status, p.Reason
HOLDINGS = p.HOLDINGS.number
owner = lru_cache(64)(goods.owner)
UNDOABLE = {R.DISPENSED, R.SAMPLED, R.EXPORTED}
NAMES = ("m", "a", "b", "c")
KEYS = {name: public(name) for name in NAMES}
WHO = {owner(name): name for name in NAMES}
SHAPES = ((2, 2, 3), (1, 2, 2), (1, 1, 2), (1, 1, 2), (1, 1, 2))
"""Pallets, cases, units: two lots to commission, three to be made of others."""
BEARS = (30, 281_150)  # minutes out of range, millikelvin
REGULATORS = ("fda", "state-board")

licensing.verify = lru_cache(4096)(licensing.verify)  # one signature is checked many times here, one place climbed
holdings.above = lru_cache(65536)(holdings.above)
holdings.holding_id = lru_cache(65536)(holdings.holding_id)


class No(Exception):
    """The model takes no such message."""


class Node(NamedTuple):
    """A place of a lot's tree."""

    id: bytes
    target: p.Target
    above: tuple[bytes, ...]
    units: tuple[bytes, ...]
    lot: bytes
    depth: int


class Group(NamedTuple):
    """What is handled alone."""

    lot: bytes  # of a container packed later, empty
    owner: bytes
    custodian: bytes
    to: bytes = b""
    handed: bytes = b""
    status: p.Status = S.ACTIVE
    reason: p.Reason = R.NONE
    due: int = 0
    warm: bool = False
    inside: bytes = b""
    level: int = 0


class LotOf(NamedTuple):
    """A lot of the model."""

    maker: bytes
    sources: frozenset[bytes]


@lru_cache(64)
def nodes_of(number, maker):
    """Return the places of a lot, the whole of it first, and its tree."""
    tree = lot_of(*SHAPES[number], secret=bytes([number + 1]) * 32)
    lot = p.lot_id(tree.key, owner(maker))
    pallets, cases, units = SHAPES[number]
    ways = [
        (),
        *((x,) for x in range(pallets)),
        *((x, y) for x in range(pallets) for y in range(cases)),
        *((x, y, z) for x in range(pallets) for y in range(cases) for z in range(units)),
    ]
    ids = {}
    targets = {}
    for way in ways:
        found, up = lead_to(tree, way)
        targets[way] = p.Target(lot, found, tuple(p.Place(place, path) for place, path in up))
        ids[way] = p.holding_id(lot, found)
    whole = [way for way in ways if len(way) == 3]
    found = tuple(
        Node(
            ids[way],
            targets[way],
            tuple(ids[way[:n]] for n in range(len(way) - 1, -1, -1)),
            tuple(ids[one] for one in whole if one[: len(way)] == way),
            lot,
            len(way),
        )
        for way in ways
    )
    return tree, found


@lru_cache(4096)
def ticket(name, kinds, until, issuer="fda", signer="fda"):
    return p.Ticket(issuer, kinds, until, key(signer).sign(licensing.ticket_bytes(owner(name), kinds, until)))


FOUNDED = founded(goods.MEMBERS)
RULES = REGISTRY.versions[1].rules


class Twin:
    """Contract and model, told the same."""

    def __init__(self):
        self.rows = dict(FOUNDED)
        self.time, self.height, self.sent = 1_767_225_600_000, 1, 0
        self.told = []
        self.groups = {}
        self.home = {}
        self.lots = {}
        self.recalls = {}  # (lot or (lot, unit), by order) -> class
        self.voided = set()
        self.reported = set()
        self.undo_life, self.answer, self.ticket_life = 10 * DAY, 3 * DAY, 14 * DAY
        self.places = {}  # node by id, of lots that exist
        self.wholes = {}  # lot -> id of all of it
        self.chains = {}  # unit -> ids from itself up

    # Both -------------------------------------------------------------------------------------------------------

    def block(self, *messages, later=1000):
        """Tell a block of (message, author or submitter) to both, and hold them against each other."""
        self.height += 1
        self.time += later
        for message, by in messages:
            self.sent += 1
            self.told.append((message, by))
            taken = self.contract(message, by)
            expected = self.model(message, by)
            assert taken == expected, f"contract {taken}, model {expected}: {message} by {by}"
        self.agree()

    def contract(self, message, by):
        own = Overlay(Rows(self.rows))
        authored = by in KEYS
        submitter, author = ("carrier-co", KEYS[by]) if authored else (by, b"")
        rule = RULES[type(message)]
        assert rule.authored == authored
        try:
            rule.handle(Context(self.height, self.time, submitter, author, self.sent.to_bytes(32, "big"), own), message)
        except Rejected:
            return False
        assert own.outgrown() == ""
        own.verify()
        for written in own.written.values():
            self.rows[written.table.number, written.key] = written.row
        return True

    def model(self, message, by):
        kept = dict(self.groups), dict(self.home)
        try:
            getattr(self, type(message).__name__.lower())(message, owner(by) if by in KEYS else by)
        except No:
            self.groups, self.home = kept
            return False
        return True

    def agree(self):
        """Hold every unit against the contract's rows, by its own way up."""
        rows, groups, home, standing = self.rows, self.groups, self.home, set()
        count = 0
        for unit, chain in self.chains.items():
            id_ = home[unit]
            # The contract's row of a unit is the nearest of its way up that has one.
            for one in chain:
                if (HOLDINGS, one) in rows:
                    break
            assert one == id_
            if id_ not in standing:
                standing.add(id_)
                self.both(rows[HOLDINGS, id_], groups[id_])
            count += 1
        assert count == sum(len(self.places[one].units) for one in self.wholes.values()), "units are conserved"

    def both(self, row, group):
        """Hold how a row stands against how the model's group does."""
        steps = 0
        while row.parent:
            row, steps = self.rows[HOLDINGS, row.parent], steps + 1
            assert steps <= 6, "a container lies in itself"
        group = self.stands(group)
        seen = (row.owner, row.custodian, row.to, row.handed, row.status, row.reason, row.due, row.warm)
        assert seen == group[1:9], f"unit: contract {seen}, model {group}"

    def contents(self):
        """Hold containers' lots against the contract's."""
        ids = {key for number, key in self.rows if number == HOLDINGS}
        assert ids == self.groups.keys()
        for id_, group in self.groups.items():
            row = self.rows[HOLDINGS, id_]
            assert {one.lot: one.holdings for one in row.lots} == self.lots_in(id_), "lots of a container"
            assert (row.parent, row.level) == (group.inside, group.level)
            class_ = p.recall_of(Rows(self.rows), id_, row)
            assert bool(class_) == self.recalled(id_)

    # The model's own --------------------------------------------------------------------------------------------

    def stands(self, group):
        while group.inside:
            group = self.groups[group.inside]
        return group

    def lots_in(self, id_):
        group = self.groups[id_]
        if group.lot:
            return {group.lot: 1}
        inside = (one for one, each in self.groups.items() if each.inside == id_)
        return dict(Counter(lot for one in inside for lot in self.lots_in(one)))

    def recalled(self, id_):
        for lot in self.lots_in(id_):
            for one in (lot, (lot, id_), *self.lots[lot].sources):
                if any(self.recalls.get((one, ordered)) for ordered in (False, True)):
                    return True
        return False

    def touch(self, target):
        """Take goods out of whatever they lie in; return their id."""
        id_ = p.id_of(target)
        if id_ in self.groups:
            group = self.groups[id_]
            self.groups[id_] = self.stands(group)._replace(lot=group.lot, level=group.level, inside=b"")
            return id_
        node = self.places.get(id_) if target.lot else None
        base = next((one for one in node.above if one in self.groups), None) if node else None
        if base is None:
            raise No
        self.groups[id_] = self.stands(self.groups[base])._replace(lot=node.lot, level=0, inside=b"")
        for unit in node.units:
            if self.home[unit] == base:
                self.home[unit] = id_
        return id_

    def top_of(self, target):
        id_ = p.id_of(target)
        node = self.places.get(id_) if target.lot else None
        base = id_ if id_ in self.groups else next((one for one in node.above if one in self.groups), None)
        while self.groups[base].inside:
            base = self.groups[base].inside
        return base

    def alone(self, id_):
        group = self.groups.get(id_)
        if group is None or group.inside:
            raise No
        return group

    def step(self, id_, allowed, status=None, **changes):
        group = self.groups[id_]
        if group.status not in allowed:
            raise No
        self.groups[id_] = group._replace(status=status or group.status, **changes)

    def licensed(self, shown, by, *kinds):
        real = shown.signature == ticket(WHO[by], shown.kinds, shown.until, shown.issuer, shown.issuer).signature
        fresh = self.time < shown.until <= self.time + self.ticket_life
        if not real or not fresh or (by, shown.issuer) in self.voided or not {*kinds} & {*shown.kinds}:
            raise No

    def traded(self, shown, by):
        self.licensed(shown, by, *TRADE)

    @staticmethod
    def rising(ids):
        if any(one >= other for one, other in pairwise(ids)):
            raise No

    def each(self, targets):
        self.rising([p.id_of(one) for one in targets])
        for target in targets:
            yield self.touch(target)

    def mine(self, id_, by):
        if self.groups[id_].owner != by:
            raise No

    def begin(self, message, by, sources=frozenset()):
        found = next(
            (nodes for n in range(len(SHAPES)) for tree, nodes in [nodes_of(n, WHO[by])] if tree.root == message.root),
            None,
        )
        lot = found[0].lot
        if lot in self.lots:
            raise No
        self.lots[lot] = LotOf(by, sources)
        self.wholes[lot] = found[0].id
        self.places.update((one.id, one) for one in found)
        self.chains.update((one.id, (one.id, *one.above)) for one in found if one.depth == 3)
        self.groups[found[0].id] = Group(lot, by, by)
        self.home.update((unit, found[0].id) for unit in found[0].units)

    # Messages ---------------------------------------------------------------------------------------------------

    def commission(self, m, by):
        self.licensed(m.ticket, by, p.License.MAKER)
        self.begin(m, by)

    def transform(self, m, by):
        self.licensed(m.ticket, by, p.License.MAKER, p.License.REPACKAGER)
        sources = set()
        for id_ in self.each(m.targets):
            self.mine(id_, by)
            if self.recalled(id_):
                raise No
            sources |= {lot for one in self.lots_in(id_) for lot in (one, *self.lots[one].sources)}
            self.step(id_, {S.ACTIVE}, S.ENDED, reason=R.TRANSFORMED, handed=b"")
        self.begin(m, by, frozenset(sources))

    def pack(self, m, by):
        new = p.mix_id(by, m.name)
        if new in self.groups:
            raise No
        ids = []
        for id_ in self.each(m.targets):
            self.mine(id_, by)
            if self.groups[id_].custodian != by:
                raise No
            self.step(id_, {S.ACTIVE}, handed=b"")
            ids.append(id_)
        level = 1 + max(self.groups[one].level for one in ids)
        if level > 6:
            raise No
        self.groups[new] = Group(b"", by, by, level=level)
        for id_ in ids:
            self.groups[id_] = self.groups[id_]._replace(inside=new)

    def unpack(self, m, by):
        for id_ in self.each(m.targets):
            self.mine(id_, by)
            self.step(id_, {S.ACTIVE})

    def ship(self, m, by):
        self.traded(m.ticket, by)
        id_ = self.touch(m.target)
        self.mine(id_, by)
        if self.recalled(id_) and not m.back:
            raise No
        self.step(id_, {S.ACTIVE}, S.IN_TRANSIT, to=m.to, due=self.time + self.answer)

    def cancel(self, m, by):
        warm = self.alone(m.holding).warm
        self.mine(m.holding, by)
        after = S.QUARANTINED if warm else S.ACTIVE
        self.step(m.holding, {S.IN_TRANSIT}, after, to=b"", handed=b"", due=0, warm=False)

    def receive(self, m, by):
        self.traded(m.ticket, by)
        if self.alone(m.holding).to != by:
            raise No
        self.rising([p.id_of(one.target) for one in m.excepted])
        for one in m.excepted:
            id_ = p.id_of(one.target)
            known = id_ in self.groups or (one.target.lot and any(x in self.groups for x in self.places[id_].above))
            if not known or id_ == m.holding or self.top_of(one.target) != m.holding:
                raise No
            self.step(self.touch(one.target), {S.IN_TRANSIT}, S.DISPUTED, due=0)
        warm = self.groups[m.holding].warm
        rest = {"owner": by, "custodian": by, "to": b"", "handed": b"", "due": 0, "warm": False}
        self.step(m.holding, {S.IN_TRANSIT}, S.QUARANTINED if warm else S.ACTIVE, **rest)

    def refuse(self, m, by):
        if self.alone(m.holding).to != by:
            raise No
        self.step(m.holding, {S.IN_TRANSIT}, S.DISPUTED, due=0)

    def settle(self, m, by):
        self.traded(m.ticket, by)
        group = self.alone(m.holding)
        if by not in {group.to, group.owner}:
            raise No
        rest = {"owner": by, "custodian": by, "to": b"", "handed": b"", "warm": False}
        self.step(m.holding, {S.DISPUTED}, S.QUARANTINED if group.warm else S.ACTIVE, **rest)

    def hand(self, m, by):
        id_ = self.touch(m.target)
        if self.groups[id_].custodian != by:
            raise No
        self.step(id_, {S.ACTIVE, S.IN_TRANSIT}, handed=m.to)

    def take(self, m, by):
        self.licensed(m.ticket, by, *TRADE, p.License.CARRIER)
        if self.alone(m.holding).handed != by:
            raise No
        self.step(m.holding, {S.ACTIVE, S.IN_TRANSIT}, custodian=by, handed=b"")

    def reporttemperature(self, m, by):
        group = self.alone(m.holding)
        place = (m.holding, by, self.height)
        if group.custodian != by or place in self.reported:
            raise No
        self.reported.add(place)
        if not self.lots_in(m.holding) or (m.minutes_out <= BEARS[0] and m.mkt <= BEARS[1]):
            return
        if group.status is S.ACTIVE:
            self.step(m.holding, {S.ACTIVE}, S.QUARANTINED)
        elif group.to:
            self.step(m.holding, {S.IN_TRANSIT, S.DISPUTED}, warm=True)

    def end(self, m, by):
        self.licensed(m.ticket, by, *((p.License.DISPENSER,) if m.reason is R.DISPENSED else TRADE))
        into_use = m.reason in UNDOABLE
        for id_ in self.each(m.targets):
            self.mine(id_, by)
            if m.reason in {R.NONE, R.TRANSFORMED} or (into_use and self.recalled(id_)):
                raise No
            due = self.time + self.undo_life if into_use else 0
            allowed = {S.ACTIVE} if into_use else {S.ACTIVE, S.QUARANTINED}
            self.step(id_, allowed, S.ENDED, reason=m.reason, due=due, handed=b"")

    def undo(self, m, by):
        group = self.alone(m.holding)
        self.mine(m.holding, by)
        if group.reason not in UNDOABLE or self.time > group.due:
            raise No
        self.step(m.holding, {S.ENDED}, S.ACTIVE, reason=R.NONE, due=0)

    def quarantine(self, m, by):
        id_ = self.touch(m.target)
        if by not in self.groups[id_][1:3]:
            raise No
        self.step(id_, {S.ACTIVE}, S.QUARANTINED, handed=b"")

    def clear(self, m, by):
        self.alone(m.holding)
        self.mine(m.holding, by)
        self.step(m.holding, {S.QUARANTINED}, S.ACTIVE)

    def recall(self, m, by):
        if m.lot not in self.lots or self.lots[m.lot].maker != by:
            raise No
        self.recalling(m, ordered=False)

    def orderrecall(self, m, by):
        if m.lot not in self.lots or by not in REGULATORS:
            raise No
        self.recalling(m, ordered=True)

    def recalling(self, m, *, ordered):
        self.rising(m.units)
        for one in [(m.lot, unit) for unit in m.units] or [m.lot]:
            self.recalls[one, ordered] = m.recall

    def acknowledge(self, m, by):
        group = self.groups.get(m.holding)
        if m.lot not in self.lots or group is None or self.stands(group).owner != by:
            raise No
        if m.lot not in {lot for one in self.lots_in(m.holding) for lot in (one, *self.lots[one].sources)}:
            raise No

    def regulates(self, by):
        if by not in REGULATORS:
            raise No

    def licence(self, m, by):
        self.regulates(by)
        self.rising(m.kinds)

    def voidtickets(self, m, by):
        self.regulates(by)
        self.rising(m.keys)
        self.voided |= {(one, by) for one in m.keys}

    def open(self, m, by):
        self.regulates(by)
        self.rising(m.hops)

    def setterms(self, m, by):
        self.regulates(by)
        self.undo_life, self.answer, self.ticket_life = m.terms.undo, m.terms.answer, m.terms.ticket


class Chance:
    """Proposes messages, most of them such as somebody may send. `pick` returns one of a sequence."""

    def __init__(self, twin, pick):
        self.twin, self.pick = twin, pick

    def one_in(self, n):
        return self.pick(range(n)) == 0

    def shown(self, by):
        """Return a ticket, now and then one that does not hold."""
        twin = self.twin
        odd = self.pick(range(24))
        kinds = (p.License.CARRIER,) if odd == 0 else ((p.License.DISTRIBUTOR,) if odd == 1 else TRADE)
        until = (twin.time // (5 * DAY) + (5 if odd == 2 else 0 if odd == 3 else 2)) * 5 * DAY
        issuer = self.pick(REGULATORS) if odd == 4 else "fda"
        return ticket(by, kinds, until, issuer, "carrier-co" if odd == 5 else issuer)

    def thing(self):
        """Return a target: a place of a lot, or anything that has a row."""
        twin = self.twin
        if self.one_in(3):
            return p.Target(b"", self.row(), ())
        return twin.places[self.pick(list(twin.places))].target

    def row(self):
        return self.pick(list(self.twin.groups))

    def standing(self, target):
        """Return how goods stand, or None."""
        twin = self.twin
        id_ = p.id_of(target)
        node = twin.places.get(id_)
        chain = (id_, *(node.above if node and target.lot else ()))
        base = next((one for one in chain if one in twin.groups), None)
        return None if base is None else twin.stands(twin.groups[base])

    def by(self, group, field="owner"):
        """Return who may, mostly."""
        who = WHO.get(getattr(group, field)) if group else None
        return self.pick(NAMES) if who is None or self.one_in(8) else who

    def some(self):
        """Return a few targets of mostly one owner, in order."""
        first = self.thing()
        found = {p.id_of(first): first}
        group = self.standing(first)
        for _ in range(self.pick(range(3))):
            other = self.thing()
            theirs = self.standing(other)
            if self.one_in(6) or (group and theirs and theirs[1:5] == group[1:5]):
                found[p.id_of(other)] = other
        ids = sorted(found)
        if len(ids) > 1 and self.one_in(20):
            ids.reverse()
        return tuple(found[one] for one in ids), self.by(group)

    def status_row(self, *statuses):
        """Return a row, mostly of a standing."""
        twin = self.twin
        fit = [one for one, each in twin.groups.items() if each.status in statuses and not each.inside]
        return self.pick(fit) if fit and not self.one_in(6) else self.row()

    def message(self):
        """Return (message, who) of any kind."""
        twin = self.twin
        if not twin.lots:
            return self.commission()
        return getattr(self, self.pick(KINDS))()

    def tree(self, numbers, by):
        tree, _ = nodes_of(self.pick(numbers), by)
        return tree

    def commission(self):
        by = "m" if self.one_in(2) else self.pick(NAMES)
        tree = self.tree((0, 1), by)
        return p.Commission(tree.root, tree.depth, D, *BEARS, self.shown(by)), by

    def transform(self):
        targets, by = self.some()
        tree = self.tree((2, 3, 4), by)
        return p.Transform(targets, tree.root, tree.depth, D, *BEARS, self.shown(by)), by

    def pack(self):
        targets, by = self.some()
        number = self.pick(range(8)) if self.one_in(6) else self.twin.sent + 8
        return p.Pack(targets, number.to_bytes(32, "big")), by

    def unpack(self):
        targets, by = self.some()
        return p.Unpack(targets), by

    def ship(self):
        target = self.thing()
        by = self.by(self.standing(target))
        return p.Ship(target, owner(self.pick(NAMES)), D, back=self.one_in(4), ticket=self.shown(by)), by

    def cancel(self):
        id_ = self.status_row(S.IN_TRANSIT)
        return p.Cancel(id_), self.by(self.twin.groups[id_])

    def receive(self):
        twin = self.twin
        id_ = self.status_row(S.IN_TRANSIT)
        by = self.by(twin.groups[id_], "to")
        inside = [node.target for node in twin.places.values() if id_ in node.above]
        inside += [p.Target(b"", one, ()) for one, each in twin.groups.items() if each.inside == id_]
        excepted = {}
        for _ in range(self.pick((0, 0, 1, 2))):
            target = self.thing() if not inside or self.one_in(8) else self.pick(inside)
            excepted[p.id_of(target)] = p.Excepted(target, 21)
        return p.Receive(id_, tuple(excepted[one] for one in sorted(excepted)), self.shown(by)), by

    def refuse(self):
        id_ = self.status_row(S.IN_TRANSIT)
        return p.Refuse(id_, 12), self.by(self.twin.groups[id_], "to")

    def settle(self):
        id_ = self.status_row(S.DISPUTED)
        by = self.by(self.twin.groups[id_], self.pick(("to", "owner")))
        return p.Settle(id_, self.shown(by)), by

    def hand(self):
        target = self.thing()
        return p.Hand(target, owner(self.pick(NAMES))), self.by(self.standing(target), "custodian")

    def take(self):
        handed = [one for one, each in self.twin.groups.items() if each.handed]
        id_ = self.pick(handed) if handed else self.row()
        by = self.by(self.twin.groups[id_], "handed")
        return p.Take(id_, self.shown(by)), by

    def report(self):
        id_ = self.status_row(*self.pick(((S.ACTIVE,), (S.IN_TRANSIT, S.DISPUTED), (S.QUARANTINED, S.ENDED))))
        figures = self.pick(((281_150, 30), (281_151, 0), (270_000, 31), (270_000, 0)))
        return p.ReportTemperature(id_, D, *figures), self.by(self.twin.groups[id_], "custodian")

    def end(self):
        targets, by = self.some()
        reason = self.pick((R.DISPENSED, R.DISPENSED, R.DISPENSED, *R))
        return p.End(targets, reason, self.shown(by)), by

    def undo(self):
        id_ = self.status_row(S.ENDED)
        return p.Undo(id_), self.by(self.twin.groups[id_])

    def quarantine(self):
        target = self.thing()
        return p.Quarantine(target), self.by(self.standing(target), self.pick(("owner", "custodian")))

    def clear(self):
        id_ = self.status_row(S.QUARANTINED)
        return p.Clear(id_), self.by(self.twin.groups[id_], self.pick(("owner", "owner", "custodian")))

    def units(self, lot):
        inside = self.twin.places[self.twin.wholes[lot]].units
        return tuple(sorted({self.pick(inside) for _ in range(self.pick((0, 1, 2)))}))

    def recall(self):
        twin = self.twin
        lot = self.pick(list(twin.lots))
        by = WHO[twin.lots[lot].maker] if not self.one_in(6) else self.pick(NAMES)
        return p.Recall(lot, self.pick((0, 0, 1, 2)), self.units(lot)), by

    def order(self):
        lot = self.pick(list(self.twin.lots))
        by = self.pick((*REGULATORS, *REGULATORS, "carrier-co"))
        return p.OrderRecall(lot, self.pick((0, 0, 0, 3)), self.units(lot)), by

    def acknowledge(self):
        id_ = self.row()
        return p.Acknowledge(self.pick(list(self.twin.lots)), id_, D), self.by(self.twin.stands(self.twin.groups[id_]))

    def govern(self):
        by = self.pick((*REGULATORS, "carrier-co"))
        terms = p.Terms(self.pick((2, 10)) * DAY, 3 * DAY, self.pick((12, 14)) * DAY)
        messages = (
            p.Licence("carrier-co", (p.License.CARRIER,), self.twin.time + DAY),
            p.Open((D,), D),
            p.SetTerms(terms),
        )
        return self.pick(messages), by

    def void(self):
        return p.VoidTickets((owner(self.pick(NAMES)),)), self.pick(("state-board", "state-board", "carrier-co"))


KINDS = (
    *("ship", "receive", "pack", "unpack", "end", "hand") * 3,
    *("cancel", "refuse", "settle", "take", "report", "undo", "quarantine", "clear") * 2,
    *("commission", "transform", "recall", "order", "acknowledge", "govern", "void"),
)


def walk(seed, steps, each=400):
    """Tell `steps` random messages, a new world every `each`. Returns how many were told. Raises AssertionError.

    Coverage is measured in the first world alone: the others go the same ways, and counting lines takes most of their time.
    """
    random, told, tracing = Random(seed), 0, sys.gettrace()
    try:
        while told < steps:
            told += _world(random, min(each, steps - told))
            sys.settrace(None)
    finally:
        sys.settrace(tracing)
    return told


def _world(random, steps):
    """Tell one world's messages; return how many."""
    twin = Twin()
    chance = Chance(twin, random.choice)
    while twin.sent < steps:
        count = 1 if random.random() < 0.8 else 3
        messages = [chance.message() for _ in range(count if twin.lots else 1)]
        later = 1000 if random.random() < 0.97 else random.choice((1, 3, 11)) * DAY
        twin.block(*messages, later=later)
        if random.random() < 0.1:
            twin.contents()
    return twin.sent
