"""Random lives of permits, questions and budgets, held against a model; and bugs planted into the contract, which must be found."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salus.contracts.research import rules, state
from salus.core.errors import InvariantBroken
from tests.planting import plant

from .ledger import DAY
from .research_twin import KINDS, Chance, Twin, walk

STEPS = 50_000
SOAK = 1_000_000
MOST = 40_000  # steps in which a planted bug must be found; most take some hundred


class Research(RuleBasedStateMachine):
    """Any message at any time: Hypothesis chooses, and shortens what fails."""

    def __init__(self):
        super().__init__()
        self.twin = Twin()

    @rule(data=st.data(), kind=st.sampled_from(KINDS), later=st.sampled_from([1000, 1000, 8 * DAY, 40 * DAY]))
    def message(self, data, kind, later):
        chance = Chance(self.twin, lambda some: data.draw(st.sampled_from(tuple(some))))
        told = getattr(chance, kind)() if self.twin.standing else chance.message()
        self.twin.block(told, later=later)

    @invariant()
    def every_row_agrees(self):
        self.twin.everything()


TestResearch = Research.TestCase
TestResearch.settings = settings(max_examples=10, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", [1, 2])
def test_contract_and_model_agree_at_every_block(seed):
    """A hundred thousand messages in all: pool = free + reserved + spent whatever was sent."""
    assert sum(twin.sent for twin in walk(seed, STEPS)) >= STEPS


def test_random_questions_come_to_every_end():
    """Else the model would be held against refusals alone."""
    worlds = list(walk(3, 10_000))
    ends = {part.status for twin in worlds for part in twin.parts.values()}
    assert ends == {"registered", "begun", "answered", "withheld", "failed", "released", "deleted"}
    assert {one.status for twin in worlds for one in twin.standing.values()} == {
        "applied",
        "agreed",
        "refused",
        "suspended",
    }
    assert any(question.attempt == 3 for twin in worlds for question in twin.questions.values())
    assert any(question.published for twin in worlds for question in twin.questions.values())
    assert any(twin.free(*pool) < 500_000 for twin in worlds for pool in twin.pools)


@pytest.mark.soak
def test_contract_and_model_agree_for_a_million_steps():
    assert sum(twin.sent for twin in walk(4, SOAK)) >= SOAK


BUGS = {
    "a charge is reserved in one data set only": (rules._reserve, "pools.get(key) or ctx", "ctx"),
    "a permit spends more than it may": (rules._reserve, "part.used + rho > offered.permit_rho", "False"),
    "a pool is overdrawn": (rules._reserve, "pool.free < rho", "False"),
    "the pool is a data set's": (rules._settle, "_data_set(ctx.state, data_set).custodian", "'hospital-a'"),
    "a settlement meets the period that holds": (rules._settle, "query.period", "_period(ctx)"),
    "a withheld question costs, once begun, nothing": (rules.withhold, "if not begun:", "if True:"),
    "what was withheld before its begin stays spent": (rules.withhold, "if not begun:", "if False:"),
    "a permit gets nothing back": (rules.withhold, "permit.used - query.charge", "permit.used"),
    "a sixth question is withheld": (rules.withhold, "withheld == MAX_WITHHELD", "withheld > MAX_WITHHELD"),
    "a suspended permit begins": (rules.begin, "permit.status is not PermitStatus.AGREED", "False"),
    "a question begins late": (rules.begin, "ctx.time > query.begin_by", "False"),
    "a question begins after its permit": (
        rules.register,
        "min(ctx.time + BEGIN_BY, permit.ends)",
        "ctx.time + BEGIN_BY",
    ),
    "a question is registered after its permit": (rules.register, "ctx.time >= permit.ends", "False"),
    "another member asks": (rules.register, "permit.applicant != ctx.submitter", "False"),
    "a way out that is not offered": (rules.register, "message.way not in row.ways or ", ""),
    "rows without a permit for them": (rules.register, "not permit.records", "False"),
    "another custodian steps": (rules._own, "ctx.submitter != custodian", "False"),
    "anybody signs": (
        rules._permit_part,
        "ctx.submitter != offered.custodian and ctx.submitter not in offered.co_signers",
        "False",
    ),
    "one signature is enough": (
        rules.sign,
        "last = len(signed) == len({offered.custodian, *offered.co_signers})",
        "last = True",
    ),
    "anybody applies": (
        rules.apply,
        "applicant is None or Role.RESEARCHER not in applicant.roles",
        "applicant is None",
    ),
    "a commercial study": (rules.apply, "for misfit in match(", "for misfit in () and match("),
    "a charge is released early": (rules.release, "ctx.time <= query.begin_by", "False"),
    "a released charge is kept": (rules.release, "spent=False", "spent=True"),
    "a published question is tried again": (rules.retry, " or query.result:", ":"),
    "a fourth attempt": (rules.retry, "query.attempt == MAX_ATTEMPTS", "False"),
    "a noisy question is tried again": (rules.retry, "query.way is not Way.EXACT or ", ""),
    "figures are attested as deleted": (rules.attest, "query.way is not Way.EXTRACT", "False"),
    "a result is published twice": (rules.publish, "query.result\n        or ", ""),
    "a result is published before its end": (rules.publish, "any(status not in ENDED for status in statuses)", "False"),
    "an answer is no use of a data set": (rules.answer, "offered.uses + 1", "offered.uses"),
    "what was answered is withheld": (
        state.PART,
        (state.PartStatus.ANSWERED, "withhold"),
        state.PartStatus.WITHHELD,
    ),
}
"""What is wrong: (where, what stands there, what stands there instead), or (table, key, value)."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    plant(monkeypatch, *BUGS[bug])
    with pytest.raises((AssertionError, InvariantBroken, TypeError)):
        list(walk(3, MOST))
