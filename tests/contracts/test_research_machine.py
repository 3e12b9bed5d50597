"""Budgets through random lives: what stands in the pools is what a few lines of a model say."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salus.contracts.research.port import (
    Answer,
    Begin,
    Fail,
    PartStatus,
    Register,
    Release,
    Way,
    Withhold,
    charge,
    pool,
    query_part,
)
from salus.core.errors import Rejected

from .ledger import DAY
from .test_research_story import ANSWER, PERMIT_ID, POOL, ROOT, A, B, agreed, founded

OWNERS = {A: "hospital-a", B: "hospital-b"}
STEPS = {"begin": Begin, "answer": Answer, "withhold": Withhold, "fail": Fail, "release": Release}
ALLOWED = {
    "registered": {"begin": "begun", "withhold": "withheld", "release": "released"},
    "begun": {"answer": "answered", "withhold": "withheld", "fail": "failed"},
}


class Budgets(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.ledger = agreed(founded(), rho=400_000)
        self.parts = {}
        self.used = dict.fromkeys(OWNERS, 0)
        self.withheld = dict.fromkeys(OWNERS, 0)
        self.serial = 0

    def applied(self, message, by):
        try:
            self.ledger.send(message, by)
        except Rejected:
            return False
        return True

    @rule(asked=st.sampled_from([(A,), (B,), (A, B)]), variance=st.integers(2, 50))
    def register(self, asked, variance):
        self.serial += 1
        id_ = self.serial.to_bytes(16, "big")
        rho = charge(1, variance)
        open_ = all(self.used[each] + rho <= 400_000 and self.withheld[each] < 5 for each in asked)
        assert self.applied(Register(id_, PERMIT_ID, asked, ROOT, Way.NOISY, 1, variance), "university") is open_
        if open_:
            begin_by = self.ledger.time + 7 * DAY
            for each in asked:
                self.used[each] += rho
                self.parts[id_, each] = {"status": "registered", "rho": rho, "begin_by": begin_by, "spent": False}

    @rule(step=st.sampled_from(sorted(STEPS)), back=st.integers(0, 5), own=st.sampled_from([True, True, True, False]))
    def step(self, step, back, own):
        if not self.parts:
            return
        id_, each = list(self.parts)[-1 - back % len(self.parts)]
        part = self.parts[id_, each]
        status = ALLOWED.get(part["status"], {}).get(step)
        late = self.ledger.time + 1000 > part["begin_by"]
        expected = status is not None and (own or step == "release")
        expected &= {"begin": not late and self.withheld[each] < 5, "release": late}.get(step, True)
        extra = {"begin": (ROOT,), "answer": (ANSWER,)}.get(step, ())
        by = OWNERS[each] if own else "company"
        assert self.applied(STEPS[step](id_, each, *extra), by) is expected
        if not expected:
            return
        returned = step in {"withhold", "release"} and part["status"] == "registered"
        part |= {"status": status, "spent": part["spent"] or step == "begin"}
        if returned:
            self.used[each] -= part["rho"] if self.withheld[each] < 5 else 0
            part["rho"] = 0
        if step == "withhold":
            self.withheld[each] = min(5, self.withheld[each] + 1)

    @rule(days=st.sampled_from([1, 3, 8]))
    def time_passes(self, days):
        if self.ledger.time + days * DAY < 1_767_225_600_000 + 50 * DAY:  # within one period
            self.ledger.pass_time(days * DAY)

    @invariant()
    def pool_is_free_reserved_and_spent(self):
        for each, owner in OWNERS.items():
            mine = [part for (_, data_set), part in self.parts.items() if data_set == each]
            reserved = sum(part["rho"] for part in mine if part["status"] == "registered")
            spent = sum(part["rho"] for part in mine if part["spent"])
            row = pool(self.ledger.state, owner, self.ledger.time)
            assert (row.free, row.reserved, row.spent) == (POOL - reserved - spent, reserved, spent)
        for (id_, each), part in self.parts.items():
            assert query_part(self.ledger.state, id_, each).status is PartStatus[part["status"].upper()]


TestBudgets = Budgets.TestCase
TestBudgets.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@pytest.mark.soak
class TestLongLives(Budgets.TestCase):
    """100,000 steps."""

    settings = settings(max_examples=1_000, stateful_step_count=100, deadline=None)
