"""How batches are anchored and how an erasure goes."""

import pytest

from salus.contracts.records.port import (
    MAX_BUCKET,
    Anchor,
    Anchored,
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    EmergencyStatus,
    ErasureStatus,
    OpenEmergency,
    OpenErasure,
    Rank,
    RetainErasure,
    RetentionReason,
    ReviewEmergency,
    count_bucket,
    emergencies,
    emergency,
    erasure,
    is_anchor,
    overdue,
    read_anchor,
    review_overdue,
)
from salus.contracts.records.reasons import RecordsReason as Reason

from .ledger import DAY, SECOND, Ledger

CASE = bytes(range(16))


@pytest.fixture
def ledger():
    return Ledger.founded("hospital-a", "hospital-b")


def test_an_anchor_stands_in_the_log_and_leaves_no_row(ledger):
    rows = dict(ledger.rows)
    data = ledger.send(Anchor(b"\7" * 32, 5, deferred=True), "hospital-b")
    assert data == b"\7" * 32 + bytes((5, 1)) + b"hospital-b"
    assert read_anchor(data) == Anchored(b"\7" * 32, 5, deferred=True, submitter="hospital-b")
    assert ledger.rows == rows
    assert ledger.leaves[-2].endswith(data)


@pytest.mark.parametrize(
    "other",
    [
        b"\7" * 32 + bytes((13, 1)) + b"hospital-b",  # a bucket that there is none of
        b"\7" * 32 + bytes((5, 2)) + b"hospital-b",
        b"\7" * 32 + bytes((5, 1)),
        b"\7" * 32 + bytes((5, 1)) + b"h",
        b"\7" * 32 + bytes((0, 1)) + bytes(8) + b"hospital-b",  # a time before the submitter: another message's result
        b"\7" * 32 + bytes((0, 1)) + b"Hospital-b",
        b"\7" * 32 + bytes((0, 1)) + b"hospital-b\n",
        b"https://" + b"a" * 40 + b".example",
        bytes(16) + bytes((3,)) + bytes(8) + b"a-holder-of-many-letters",
    ],
)
def test_the_result_of_another_message_is_no_anchor(other):
    assert not is_anchor(other)
    with pytest.raises(ValueError, match="not the result of an anchor"):
        read_anchor(other)


@pytest.mark.parametrize(("count", "bucket"), [(0, 0), (1, 1), (2, 2), (4, 2), (5, 3), (16, 3), (17, 4), (4**11, 12)])
def test_a_bucket_tells_a_count_to_a_factor_of_four(count, bucket):
    assert count_bucket(count) == bucket


def test_a_batch_has_a_limit():
    with pytest.raises(ValueError, match="4194305"):
        count_bucket(4**11 + 1)


def test_records_are_deleted_after_a_week_and_erased_with_the_last_backup(ledger):
    data = ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    row = erasure(ledger.state, CASE)
    assert data == CASE + b"\1" + row.due.to_bytes(8, "big") + b"hospital-a"
    assert (row.due - row.opened, row.earliest - row.opened) == (30 * DAY, 7 * DAY)
    assert ledger.refuse(ConfirmDeletion(CASE)) is Reason.TOO_EARLY
    ledger.pass_time(7 * DAY)
    ledger.send(ConfirmDeletion(CASE))
    deleted = erasure(ledger.state, CASE)
    assert (deleted.status, deleted.due) == (ErasureStatus.DELETED, ledger.time + 30 * DAY)
    ledger.send(ConfirmErasure(CASE))
    assert erasure(ledger.state, CASE).status is ErasureStatus.ERASED
    assert not overdue(erasure(ledger.state, CASE), ledger.time + 10_000 * DAY)


def test_records_may_be_deleted_at_the_very_time_that_the_wait_ends_and_not_before(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    wait = erasure(ledger.state, CASE).earliest - ledger.time
    ledger.pass_time(wait - 2 * SECOND - 2)
    assert ledger.refuse(ConfirmDeletion(CASE)) is Reason.TOO_EARLY
    left = erasure(ledger.state, CASE).earliest - ledger.time
    assert left == SECOND + 2
    ledger.pass_time(2)
    ledger.send(ConfirmDeletion(CASE))
    assert erasure(ledger.state, CASE).status is ErasureStatus.DELETED


@pytest.mark.parametrize("short", [0, 32, 33, 34])
def test_too_few_bytes_are_no_anchor(short):
    assert not is_anchor(bytes(short))


def test_the_last_bucket_is_an_anchor_s_and_a_name_in_other_letters_is_not():
    assert is_anchor(b"\7" * 32 + bytes((MAX_BUCKET, 0)) + b"hospital-b")
    assert not is_anchor(b"\7" * 32 + bytes((5, 0)) + "höspital-b".encode())


def test_a_step_that_is_not_taken_is_overdue_when_it_is_read(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    row = erasure(ledger.state, CASE)
    assert not overdue(row, row.due)
    assert overdue(row, row.due + 1)


def test_what_the_law_keeps_is_reviewed_every_year(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    ledger.send(RetainErasure(CASE, RetentionReason.LEGAL_OBLIGATION))
    row = erasure(ledger.state, CASE)
    assert (row.status, row.reason, row.due) == (ErasureStatus.RETAINED, 1, ledger.time + 365 * DAY)
    ledger.pass_time(365 * DAY)
    ledger.send(RetainErasure(CASE, RetentionReason.LEGAL_CLAIMS))
    assert (erasure(ledger.state, CASE).reason, erasure(ledger.state, CASE).due) == (4, ledger.time + 365 * DAY)
    ledger.send(ConfirmDeletion(CASE))
    assert (erasure(ledger.state, CASE).status, erasure(ledger.state, CASE).reason) == (ErasureStatus.DELETED, 0)


@pytest.mark.parametrize(
    ("asked", "cancelled", "allowed"),
    [
        (Rank.LINK_KEY, Rank.LINK_KEY, False),
        (Rank.LINK_KEY, Rank.RECOVERY_CONTACTS, True),
        (Rank.RECOVERY_CONTACTS, Rank.LINK_KEY, False),
        (Rank.IN_PERSON, Rank.RECOVERY_CONTACTS, False),
        (Rank.IN_PERSON, Rank.IN_PERSON, True),
    ],
)
def test_a_higher_rank_calls_an_erasure_off(ledger, asked, cancelled, allowed):
    ledger.send(OpenErasure(CASE, asked))
    if not allowed:
        assert ledger.refuse(CancelErasure(CASE, cancelled)) is Reason.RANK_TOO_LOW
        return
    ledger.send(CancelErasure(CASE, cancelled))
    assert erasure(ledger.state, CASE).status is ErasureStatus.CANCELLED
    assert ledger.refuse(ConfirmDeletion(CASE)) is Reason.WRONG_STATUS


def test_nothing_is_called_off_once_it_may_be_deleted(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    ledger.pass_time(7 * DAY - 1000)
    assert ledger.refuse(CancelErasure(CASE, Rank.IN_PERSON)) is Reason.TOO_LATE


def test_who_is_retained_may_call_the_request_off_at_any_time(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    ledger.send(RetainErasure(CASE, RetentionReason.LEGAL_OBLIGATION))
    ledger.pass_time(400 * DAY)
    assert ledger.refuse(CancelErasure(CASE, Rank.LINK_KEY)) is Reason.RANK_TOO_LOW
    ledger.send(CancelErasure(CASE, Rank.IN_PERSON))
    row = erasure(ledger.state, CASE)
    assert (row.status, row.reason, row.due) == (ErasureStatus.CANCELLED, 0, 0)
    assert ledger.refuse(ConfirmDeletion(CASE)) is Reason.WRONG_STATUS


def test_only_the_holder_takes_steps(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    for step in (
        CancelErasure(CASE, Rank.IN_PERSON),
        RetainErasure(CASE, RetentionReason.ARCHIVING),
        ConfirmErasure(CASE),
    ):
        assert ledger.refuse(step, "hospital-b") is Reason.NOT_HOLDER


def test_a_case_is_opened_once_and_must_be_open(ledger):
    ledger.send(OpenErasure(CASE, Rank.LINK_KEY))
    assert ledger.refuse(OpenErasure(CASE, Rank.LINK_KEY), "hospital-b") is Reason.CASE_EXISTS
    assert ledger.refuse(ConfirmDeletion(bytes(16))) is Reason.NO_SUCH_CASE


COMMITMENT = bytes(range(32))


def test_an_emergency_is_committed_before_it_is_answered_and_reviewed_afterwards(ledger):
    data = ledger.send(OpenEmergency(COMMITMENT, deferred=False))
    id_, row = next(iter(emergencies(ledger.state)))
    assert data == id_ + COMMITMENT + row.due.to_bytes(8, "big") + b"hospital-a"
    assert (row.submitter, row.status, row.due - row.opened) == ("hospital-a", EmergencyStatus.OPEN, 3 * DAY)
    assert not review_overdue(row, row.due)
    assert review_overdue(row, row.due + 1)
    assert ledger.send(ReviewEmergency(id_, bytes(32))) == id_ + bytes(32) + b"hospital-a"
    reviewed = emergency(ledger.state, id_)
    assert reviewed.status is EmergencyStatus.REVIEWED
    assert not review_overdue(reviewed, row.due + 1)


def test_an_emergency_is_its_submitters_to_review_once(ledger):
    id_ = ledger.send(OpenEmergency(COMMITMENT, deferred=False))[:32]
    assert ledger.refuse(ReviewEmergency(id_, bytes(32)), "hospital-b") is Reason.NOT_SUBMITTER
    assert ledger.refuse(ReviewEmergency(bytes(32), bytes(32))) is Reason.NO_SUCH_EMERGENCY
    ledger.send(ReviewEmergency(id_, bytes(32)))
    assert ledger.refuse(ReviewEmergency(id_, bytes(32))) is Reason.ALREADY_REVIEWED


def test_a_days_emergencies_are_limited_for_each_member_but_what_happened_stands(ledger):
    for number in range(20):
        ledger.send(OpenEmergency(bytes((number,)) * 32, deferred=False))
    assert ledger.refuse(OpenEmergency(COMMITMENT, deferred=False)) is Reason.EMERGENCY_LIMIT
    ledger.send(OpenEmergency(COMMITMENT, deferred=True))
    ledger.send(OpenEmergency(COMMITMENT, deferred=False), "hospital-b")
    ledger.pass_time(DAY)
    ledger.send(OpenEmergency(COMMITMENT, deferred=False))
