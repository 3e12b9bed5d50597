"""The tables of life cycles, walked whole: every step they hold is taken, every other is refused."""

import itertools

import pytest

from salus.contracts.membership.port import (
    Admit,
    MembershipReason,
    Parameters,
    Propose,
    Reinstate,
    Remove,
    Standing,
    Suspend,
    Threshold,
    Thresholds,
    member,
)
from salus.contracts.membership.state import STANDING
from salus.contracts.records.port import (
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    ErasureStatus,
    OpenErasure,
    Rank,
    RecordsReason,
    RetainErasure,
    RetentionReason,
    erasure,
)
from salus.contracts.records.state import ERASURE

from .ledger import AGREEMENT, DAY, Ledger, candidate

CASE = bytes(16)
STEPS = {
    "open-erasure": OpenErasure(CASE, Rank.LINK_KEY),
    "cancel-erasure": CancelErasure(CASE, Rank.IN_PERSON),
    "retain-erasure": RetainErasure(CASE, RetentionReason.ARCHIVING),
    "confirm-deletion": ConfirmDeletion(CASE),
    "confirm-erasure": ConfirmErasure(CASE),
}
# How each status is reached.
ERASURE_WAYS = {
    None: [],
    ErasureStatus.REQUESTED: ["open-erasure"],
    ErasureStatus.CANCELLED: ["open-erasure", "cancel-erasure"],
    ErasureStatus.RETAINED: ["open-erasure", "retain-erasure"],
    ErasureStatus.DELETED: ["open-erasure", "confirm-deletion"],
    ErasureStatus.ERASED: ["open-erasure", "confirm-deletion", "confirm-erasure"],
}


def take(ledger, step):
    if step == "confirm-deletion":
        ledger.pass_time(7 * DAY)
    ledger.send(STEPS[step])


@pytest.mark.parametrize(("status", "step"), list(itertools.product(ERASURE_WAYS, STEPS)))
def test_an_erasure_steps_as_its_table_says(status, step):
    ledger = Ledger.founded("hospital-a")
    for way in ERASURE_WAYS[status]:
        take(ledger, way)
    after = ERASURE.get((status, step))
    if after is not None:
        take(ledger, step)
        assert erasure(ledger.state, CASE).status is after
        return
    expected = RecordsReason.NO_SUCH_CASE if status is None else RecordsReason.WRONG_STATUS
    assert ledger.refuse(STEPS[step]) is (RecordsReason.CASE_EXISTS if step == "open-erasure" else expected)


def test_the_ways_lead_to_every_status():
    assert set(ERASURE_WAYS) == {None, *ErasureStatus}
    assert {step for _, step in ERASURE} == set(STEPS)


ACTS = {
    "admit": Admit(candidate("lab-b"), AGREEMENT),
    "suspend": Suspend("lab-b"),
    "reinstate": Reinstate("lab-b"),
    "remove": Remove("lab-b"),
}
STANDING_WAYS = {
    None: [],
    Standing.ACTIVE: ["admit"],
    Standing.SUSPENDED: ["admit", "suspend"],
    Standing.REMOVED: ["admit", "remove"],
}


@pytest.mark.parametrize(("standing", "act"), list(itertools.product(STANDING_WAYS, ACTS)))
def test_a_members_standing_changes_as_its_table_says(standing, act):
    one = Threshold(0, 1)
    alone = Parameters(agreement=AGREEMENT, thresholds=Thresholds(admit=one, suspend=one, reinstate=one, remove=one))
    ledger = Ledger.founded("hospital-a", parameters=alone)
    for way in STANDING_WAYS[standing]:
        ledger.send(Propose(ACTS[way]))
    after = STANDING.get((standing, act))
    if after is not None:
        ledger.send(Propose(ACTS[act]))
        assert member(ledger.state, "lab-b").standing is after
        return
    expected = MembershipReason.NO_SUCH_MEMBER if standing is None else MembershipReason.WRONG_STANDING
    assert ledger.refuse(Propose(ACTS[act])) is (MembershipReason.ID_TAKEN if act == "admit" else expected)


def test_the_ways_lead_to_every_standing():
    assert set(STANDING_WAYS) == {None, *Standing}
    assert {act for _, act in STANDING} == set(ACTS)
