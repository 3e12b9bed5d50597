"""What a study may have no more of: a number that outgrows its key would stop every node alike; and nothing after its report."""

import pytest

from salus.contracts.trials.port import (
    LockData,
    PostResult,
    ProposeVersion,
    ResultStatus,
    Step,
    StudyStatus,
    results,
    study,
    version,
)
from salus.contracts.trials.port import TrialsReason as Reason
from salus.contracts.trials.state import MAX_NUMBERED, MAX_OUTCOMES

from . import trials_scene as scene
from .test_trials_story import ID, ONE, SPONSOR, STATS, TWO, ledger, play, refused  # noqa: F401 -- a fixture


def test_a_study_has_no_more_versions_than_it_may(ledger):  # noqa: F811
    play(ledger, *scene.OPEN)
    most, proposal = MAX_NUMBERED, ProposeVersion(ID, scene.definition(TWO, looks=()), False, 0)
    for _ in range(most - 1):
        play(ledger, (proposal, SPONSOR, ""))
    assert ledger.refuse(proposal, SPONSOR) is Reason.TOO_MANY
    assert study(ledger.state, ID).versions == most


def test_a_study_has_no_more_locks_than_it_may(ledger):  # noqa: F811
    play(ledger, *scene.SOFT)
    for _ in range(MAX_NUMBERED):
        play(ledger, (LockData(ID, ONE), STATS, ""))
    assert ledger.refuse(LockData(ID, ONE), STATS) is Reason.TOO_MANY
    assert study(ledger.state, ID).locks == MAX_NUMBERED


def test_a_study_has_no_more_results_that_nobody_planned_than_it_may(ledger):  # noqa: F811
    play(ledger, *scene.UNBLINDED)
    for number in range(MAX_OUTCOMES):
        play(ledger, (PostResult(ID, number.to_bytes(32, "big"), ONE), STATS, ""))
    assert ledger.refuse(PostResult(ID, b"\xee" * 32, ONE), STATS) is Reason.TOO_MANY
    play(ledger, *scene.RESULTS)
    told = [row.status for _, row in results(ledger.state, ID)]
    assert told.count(ResultStatus.POST_HOC) == MAX_OUTCOMES


@pytest.mark.parametrize("approved", [0, 1], ids=["proposed", "approved by the ethics board"])
def test_attack_an_amendment_of_before_comes_in_force_after_the_report(ledger, approved):  # noqa: F811
    play(ledger, *scene.ANALYSED, *scene.SECOND_VERSION[: 1 + approved], scene.step(Step.REPORT))
    before = (study(ledger.state, ID), version(ledger.state, ID, 2), tuple(results(ledger.state, ID)))
    assert refused(ledger, scene.SECOND_VERSION[1 + approved]) is Reason.WRONG_STATUS
    assert (study(ledger.state, ID), version(ledger.state, ID, 2), tuple(results(ledger.state, ID))) == before
    assert before[0].status is StudyStatus.REPORTED
    assert {key for key, _ in before[2]} == {ONE, TWO}
