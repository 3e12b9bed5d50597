"""Random lives of trials, held against a model at every block; and bugs planted into the contract, which must be found."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salus.contracts.trials import conduct, life, parts, paying, rules, telling
from salus.core.errors import InvariantBroken
from tests.planting import plant

from .ledger import DAY
from .trials_chance import KINDS, Chance, walk
from .trials_twin import Twin

STEPS = 10_000
SOAK = 1_000_000
MOST = 40_000  # steps in which a planted bug must be found; most take some hundred


class Trials(RuleBasedStateMachine):
    """Any message at any time: Hypothesis chooses, and shortens what fails."""

    def __init__(self):
        super().__init__()
        self.twin = Twin()

    @rule(data=st.data(), kind=st.sampled_from((*KINDS, "onward")), later=st.sampled_from([1000, 1000, 8 * DAY]))
    def message(self, data, kind, later):
        chance = Chance(self.twin, lambda some: data.draw(st.sampled_from(tuple(some))))
        known = self.twin.trials.items()
        told = getattr(chance, kind)(*chance.pick(tuple(known))) if known and not chance.one_in(8) else chance.message()
        self.twin.block(told, later=later)

    @invariant()
    def every_row_agrees(self):
        self.twin.all()


TestTrials = Trials.TestCase
TestTrials.settings = settings(max_examples=10, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", [1, 2])
def test_contract_and_model_agree_at_every_block(seed):
    walk(seed, STEPS)[-1].all()


def test_random_trials_reach_their_ends():
    """Else the model would be held against refusals alone."""
    ended = [trial for twin in walk(3, 4_000) for trial in twin.trials.values() if trial.status == "reported"]
    assert any(trial.enrolled for trial in ended)
    assert any(len(trial.locks) > 1 for trial in ended)
    assert any(len(trial.forces) > 1 for trial in ended)


@pytest.mark.soak
def test_contract_and_model_agree_for_a_million_steps():
    walk(4, SOAK)[-1].all()


BUGS = {
    "a draw before the trial is open": (conduct.enrol, "study.status is not StudyStatus.OPEN", "False"),
    "a suspended site enrols": (conduct.enrol, "site.status is not SiteStatus.ACTIVE", "False"),
    "a key enrols twice": (conduct.enrol, "ctx.get(ENROLMENTS, id_) is not None", "False"),
    "a stratum does not count": (conduct.enrol, "Stratum(place + 1)", "Stratum(1)"),
    "an allocation is drawn again": (conduct.allocate, "if row.dispenser == ctx.submitter:", "if False:"),
    "two digests do not halt the draws": (conduct.allocate, "_hold(ctx, row.study, study)", "pass"),
    "a site posts an allocation": (conduct.allocate, "require(ctx, roster, Part.DISPENSER)", ""),
    "any digest agrees": (conduct.allocate, "row.allocation == message.allocation", "True"),
    "a refusal after a post passes unseen": (
        (life.ENROLMENT, (life.EnrolmentStatus.POSTED, "refuse"), life.EnrolmentStatus.REFUSED)
    ),
    "the sponsor opens for a report": (conduct.open_allocation, "message.kind not in {Kind.SUSAR, Kind.BOARD}", "True"),
    "an opening under agreement is deferred": (conduct.open_allocation, "if message.deferred and", "if False and"),
    "one trustee opens": (conduct.grant_opening, "len(granted) >= roster.threshold", "granted"),
    "another's share agrees": (conduct.grant_opening, ".member != ctx.submitter", ".member == ''"),
    "the first unblinding is not noted": (conduct.grant_opening, "unblind(ctx, row.study, study)", "pass"),
    "looks out of order": (conduct.step_look, "earlier.status not in _ANSWERED", "False"),
    "the sponsor advises itself": (conduct.step_look, "require(ctx, roster, _LOOK_PART[message.step])", ""),
    "a lock of one": (conduct.lock_data, "signers - {ctx.submitter}", "set()"),
    "a lock that nobody saw is signed": (conduct.sign_lock, "row.root != message.root", "False"),
    "one unlocks": (conduct.unlock, "study.alone or len(unlocking) == UNLOCKERS", "True"),
    "a lock is asked to open twice by one": (conduct.unlock, "if ctx.submitter in row.unlocking:", "if False:"),
    "a missed deadline counts as met": (telling.meet_clock, '"meet" if ctx.time <= row.due else "meet-late"', '"meet"'),
    "what was told is not followed up": (telling.meet_clock, "row.kind is ClockKind.DAYS_7", "False"),
    "another meets a deadline": (telling.meet_clock, "row.owed_by != ctx.submitter", "False"),
    "a result before unblinding": (conduct._result, "study.status not in", "False and study.status not in"),
    "a result is replaced": (
        (life.RESULT, (life.ResultStatus.POSTED, "post"), life.ResultStatus.POSTED)
    ),
    "an unplanned result counts as planned": (
        (life.RESULT, (None, "post"), life.ResultStatus.POSTED)
    ),
    "a visit is billed while a statement is open": (paying.state_payment, "before.status not in _SETTLED", "False"),
    "an agreed statement is stated anew": (
        (life.PAYMENT, (life.PaymentStatus.AGREED, "state"), life.PaymentStatus.STATED)
    ),
    "a site that nobody contracted is paid": (paying.state_payment, "site.status is SiteStatus.CANDIDATE", "False"),
    "the sponsor agrees to what it did not compute": (
        paying.step_payment, "row.commitment != message.commitment", "False"
    ),
    "a site agrees to its own statement": (paying.step_payment, "require(ctx, roster, Part.SPONSOR)", ""),
    "paid before it was agreed to": (
        (life.PAYMENT, (life.PaymentStatus.STATED, "pay"), life.PaymentStatus.PAID)
    ),
    "reported with an outcome open": (rules.advance, "if message.step is Step.REPORT:", "if False:"),
    "anybody resumes": (rules.advance, "if message.step is Step.RESUME:", "if False:"),
    "registered by anybody": (rules.register, "require(ctx, roster, Part.SPONSOR)", ""),
    "committed before the last has signed": (rules.sign, '"sign" if waiting else "sign-last"', '"sign-last"'),
    "the ethics board is passed over": (rules.approve, "Part.ETHICS if ethics else Part.REGULATOR", "*Part"),
    "another package is approved": (rules.approve, "row.package != message.package or ", ""),
    "an older version comes back": (rules.approve, " or message.number < study.version", ""),
    "a version comes in force after the report": (rules.approve, "elif study.status not in _AMENDABLE:", "elif False:"),
    "a change after unblinding is not flagged": (rules._changes_unblinded, "study.unblinded > 0 and changed", "False"),
    "the flag goes": (rules._put_in_force, "flagged or _changes_unblinded(study, earlier, row)", "False"),
    "a dropped outcome stays planned": (rules._plan_outcomes, "dropped is not None", "False"),
    "an added outcome counts as planned": (rules._plan_outcomes, '"plan" if number == 1 else "add"', '"plan"'),
    "consents are renewed by a version that never was": (rules.adopt, " if row.approved", ""),
    "a site leaps to a version that is not in force": (rules.adopt, "message.number != study.version or ", ""),
    "sponsor and dispenser meet": (parts._check_apart, "if party.part is one and", "if False and"),
    "one organisation draws alone": (parts._check_apart, "seats[name] >= roster.threshold", "False"),
    "a threshold above the trustees": (parts._check_threshold, "<= len(message.trustees)", ""),
}  # fmt: skip
"""What is wrong: (where, what stands there, what stands there instead), or (table, key, value)."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    plant(monkeypatch, *BUGS[bug])
    with pytest.raises((AssertionError, InvariantBroken)):
        walk(5, MOST)
