"""Random lives of a lot: whatever is sent, every unit has one owner and one standing, and no end is undone but by an undo."""

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salus.contracts.supply.port import (
    HOLDINGS,
    Cancel,
    Clear,
    Kind,
    Pack,
    Quarantine,
    Reason,
    Recall,
    Refuse,
    ReportTemperature,
    Settle,
    Status,
    Undo,
    Unpack,
)
from salus.core.errors import Rejected

from .goods import World, explicit, lot_of, owner

ACTORS = ("m", "a", "b")
UNITS = [(p, c, u) for p in range(2) for c in range(2) for u in range(3)]
PLACES = [(), *((p,) for p in range(2)), *((p, c) for p in range(2) for c in range(2)), *UNITS]
WHO = {owner(name): name for name in ACTORS}
actors = st.sampled_from(("owner", "owner", "receiver", *ACTORS))
places = st.sampled_from(PLACES)


class Goods(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = World(lot_of(2, 2, 3))
        self.world.commission(mkt=281_150)
        self.recalled = False
        self.mixes = []
        self.seen = {unit: self.standing(unit) for unit in UNITS}

    def standing(self, unit):
        row = self.world.row(*unit)
        return row.owner, row.status, row.reason

    def target(self, place, mix):
        return explicit(self.mixes[mix % len(self.mixes)]) if mix and self.mixes else self.world.at(*place)

    def who(self, by, place):
        """Return the actor: the owner of what lies at a place, whom it is sent to, or whoever was named."""
        row = self.world.row(*place)
        return {"owner": WHO[row.owner], "receiver": WHO.get(row.to, "m")}.get(by, by)

    def standing_row(self, number, by):
        """Return the id of some row, and who acts on it."""
        rows = self.world.rows()
        id_, row = rows[number % len(rows)]
        return id_, {"owner": WHO[row.owner], "receiver": WHO.get(row.to, "m")}.get(by, by)

    def tried(self, message, by, *, may_move=False, may_return=False):
        with contextlib.suppress(Rejected):
            self.world.send(message, by)
        now = {unit: self.standing(unit) for unit in UNITS}
        for unit, (had, status, reason) in self.seen.items():
            has, after, why = now[unit]
            assert has == had or (may_move and has == owner(by)), "an owner changed without its signature"
            assert status is not Status.ENDED or (after, why) == (status, reason) or may_return, "an end came undone"
            if self.recalled and (after, why) != (status, reason):
                assert why is not Reason.DISPENSED, "recalled goods were dispensed"
        self.seen = now

    @rule(by=actors, to=st.sampled_from(ACTORS), place=places, mix=st.integers(0, 3), back=st.booleans())
    def ship(self, by, to, place, mix, back):
        by = self.who(by, place)
        self.tried(self.world.shipping(self.target(place, mix), by, to, back=back), by)

    @rule(by=actors, number=st.integers(0, 30), excepted=st.lists(st.sampled_from(PLACES[3:]), max_size=2))
    def receive(self, by, number, excepted):
        id_, by = self.standing_row(number, by)
        parts = self.world.sorted([self.world.at(*one) for one in dict.fromkeys(excepted)])
        self.tried(self.world.receiving(id_, by, *parts), by, may_move=True)

    @rule(by=actors, number=st.integers(0, 30), step=st.sampled_from([Cancel, Clear]))
    def step_back(self, by, number, step):
        id_, by = self.standing_row(number, by)
        self.tried(step(id_), by)

    @rule(by=actors, number=st.integers(0, 30))
    def refuse(self, by, number):
        id_, by = self.standing_row(number, by)
        self.tried(Refuse(id_, 12), by)

    @rule(by=actors, number=st.integers(0, 30))
    def settle(self, by, number):
        id_, by = self.standing_row(number, by)
        self.tried(Settle(id_, self.world.ticket(by)), by, may_move=True)

    @rule(by=actors, some=st.lists(places, min_size=1, max_size=3), step=st.sampled_from([Pack, Unpack]))
    def pack(self, by, some, step):
        by = self.who(by, some[0])
        targets = [self.world.at(*one) for one in dict.fromkeys(some)]
        self.tried(self.world.packing(*targets) if step is Pack else step(self.world.sorted(targets)), by)
        self.mixes = [id_ for id_, row in self.world.rows() if row.kind is Kind.MIX]

    @rule(by=actors, place=st.sampled_from(UNITS), reason=st.sampled_from([Reason.DISPENSED, *Reason]))
    def end(self, by, place, reason):
        by = self.who(by, place)
        self.tried(self.world.ending(by, self.world.at(*place), reason=reason), by)

    @rule(by=actors, number=st.integers(0, 30))
    def undo(self, by, number):
        id_, by = self.standing_row(number, by)
        final = {unit for unit, (_, _, why) in self.seen.items() if why in {Reason.STOLEN, Reason.DESTROYED}}
        self.tried(Undo(id_), by, may_return=True)
        assert all(self.seen[unit][1] is Status.ENDED for unit in final)

    @rule(by=actors, place=st.sampled_from(UNITS))
    def quarantine(self, by, place):
        by = self.who(by, place)
        self.tried(Quarantine(self.world.at(*place)), by)

    @rule(by=actors, number=st.integers(0, 30), mkt=st.sampled_from([278_150, 300_000]))
    def report(self, by, number, mkt):
        id_, by = self.standing_row(number, by)
        self.tried(ReportTemperature(id_, bytes(32), mkt, 0), by)

    @rule(by=st.sampled_from(ACTORS), recall=st.integers(0, 1))
    def recall(self, by, recall):
        self.tried(Recall(self.world.lot, recall, ()), by)
        if by == "m":
            self.recalled = bool(recall)

    @invariant()
    def no_unit_is_lost_and_no_mix_lies_in_itself(self):
        assert len(self.seen) == len(UNITS)
        state = self.world.ledger.state
        for id_, row in state.range(HOLDINGS):
            above, steps = row.parent, 0
            while above:
                above, steps = state.get(HOLDINGS, above).parent, steps + 1
                assert steps <= 6, id_


TestGoods = Goods.TestCase
TestGoods.settings = settings(max_examples=30, stateful_step_count=50, deadline=None)
