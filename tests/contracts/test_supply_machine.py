"""Random lives of goods, held against a model at every block; and bugs planted into the contract, which must be found."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salus.contracts.supply import holdings, licensing, recalls, rules, state
from salus.core.errors import InvariantBroken
from tests.planting import plant

from .ledger import DAY
from .supply_twin import KINDS, Chance, Twin, walk

STEPS = 50_000
SOAK = 1_000_000
MOST = 40_000  # steps in which a planted bug must be found; most take a few hundred


class Goods(RuleBasedStateMachine):
    """Any message at any time: Hypothesis chooses, and shortens what fails."""

    def __init__(self):
        super().__init__()
        self.twin = Twin()

    @rule(data=st.data(), kind=st.sampled_from(KINDS), later=st.sampled_from([1000, 1000, 1000, 3 * DAY, 11 * DAY]))
    def message(self, data, kind, later):
        chance = Chance(self.twin, lambda some: data.draw(st.sampled_from(tuple(some))))
        told = getattr(chance, kind)() if self.twin.lots else chance.commission()
        self.twin.block(told, later=later)

    @invariant()
    def containers_agree(self):
        self.twin.contents()


TestGoods = Goods.TestCase
TestGoods.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", [1, 2])
def test_contract_and_model_agree_at_every_block(seed):
    """A hundred thousand messages in all."""
    assert walk(seed, STEPS) >= STEPS


@pytest.mark.soak
def test_contract_and_model_agree_for_a_million_steps():
    assert walk(4, SOAK) >= SOAK


BUGS = {
    "what is excepted goes to the receiver": (
        rules.receive,
        "        shelf.put(found.id, stepped(found.id, s",
        "        shelf.get(found.id); (stepped(found.id, s",
    ),
    "goods are received by anybody": (rules._sent_to, "row.to != key", "False"),
    "a receiver does not become custodian": (rules.receive, "custodian=key, ", ""),
    "a carrier becomes owner": (rules.take, "custodian=key", "owner=key, custodian=key"),
    "an end is undone after its window": (rules.undo, "ctx.time > row.due", "False"),
    "a recalled pack is dispensed": (rules.end, "into_use and recall_of", "False and recall_of"),
    "a recall of units is not seen": (holdings.recall_of, "view.get(MARKS, share.lot + id_)", "None"),
    "a recall does not follow a repackager": (holdings.recall_of, "lot.sources", "()"),
    "what is repackaged goes on": (rules.transform, "reason=Reason.TRANSFORMED", "status=Status.ACTIVE"),
    "a container keeps a lot that left": (holdings.Shelf.take_out, "if row is not None:", "if False:"),
    "quarantined goods are dispensed": (rules.end, "into_use and before.status is not Status.ACTIVE", "False"),
    "a custodian clears a quarantine": (rules._own, "row.owner != owner_of", "row.custodian != owner_of"),
    "a void ticket holds": (licensing.licensed, "is not None:\n", "is not None and False:\n"),
    "an ended ticket holds": (licensing.licensed, "ctx.time < ticket.until <=", "ticket.until <="),
    "any licence will do": (licensing.licensed, "if not any(", "if False and not any("),
    "a warm leg is forgotten": (rules.report_temperature, "warm=True", "warm=False"),
    "a dispute is settled by anybody": (rules.settle, "if row.owner != key", "if False"),
    "a unit is taken out twice": (
        holdings.Shelf.find,
        "if row is not None else self._climb",
        "if False else self._climb",
    ),
    "goods are packed by who has them not in hand": (rules.pack, "found.holding.custodian != owner", "False"),
    "others' goods are taken": (holdings.taken, "found.holding.owner != owner_of(author)", "False"),
    "a stranger answers a recall": (recalls.acknowledge, "found.holding.owner != key or ", ""),
    "a quarantine is left by shipping": (
        state.TRANSITIONS,
        (state.Status.QUARANTINED, "ship"),
        state.Status.IN_TRANSIT,
    ),
}
"""What is wrong: (where, what stands there, what stands there instead), or (table, key, value)."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    plant(monkeypatch, *BUGS[bug])
    with pytest.raises((AssertionError, InvariantBroken)):
        walk(3, MOST)
