"""What follows a deadline of telling."""

from salus.contracts.trials.port import ClockKind, ClockStatus, MeetClock, StartClock, clocks, follow_up_id
from salus.contracts.trials.port import TrialsReason as Reason

from . import trials_scene as scene
from .ledger import DAY
from .test_trials_story import CASE, ID, NORTH, ONE, SPONSOR, TWO, ledger, play  # noqa: F401 -- a fixture


def test_what_was_told_within_seven_days_is_followed_up(ledger):  # noqa: F811
    play(ledger, *scene.OPEN, (StartClock(ID, CASE, ClockKind.DAYS_7, TWO), SPONSOR, ""))
    play(ledger, (MeetClock(CASE, ONE), SPONSOR, ""))
    ((case, row),) = ((case, row) for case, row in clocks(ledger.state, ID) if case != CASE)
    assert (row.kind, row.owed_by, row.due, row.commitment) == (
        ClockKind.FOLLOW_UP,
        SPONSOR,
        ledger.time + 15 * DAY,
        TWO,
    )
    play(ledger, (MeetClock(case, ONE), SPONSOR, ""))
    assert [row.status for _, row in clocks(ledger.state, ID)] == [ClockStatus.MET] * 2


def test_attack_who_takes_a_follow_ups_id_before_stops_one_transaction_alone(ledger, monkeypatch):  # noqa: F811
    play(ledger, *scene.OPEN, (StartClock(ID, CASE, ClockKind.DAYS_7, TWO), SPONSOR, ""))
    with monkeypatch.context() as patch:
        patch.setattr("salus.contracts.trials.telling.follow_up_id", lambda _transaction: b"t" * 16)
        play(ledger, (StartClock(ID, b"t" * 16, ClockKind.HOURS_24, ONE), NORTH, ""))
        assert ledger.refuse(MeetClock(CASE, ONE), SPONSOR) is Reason.CASE_EXISTS
    play(ledger, (MeetClock(CASE, ONE), SPONSOR, ""))
    assert len(dict(clocks(ledger.state, ID))) == 3
    assert follow_up_id(bytes(32)) != follow_up_id(b"\1" * 32)
