"""What others may use of the trials contract."""

from collections.abc import Iterator
from typing import Final

from salus.contracts.trials.life import (
    ClockStatus,
    EnrolmentStatus,
    LockStatus,
    LookStatus,
    OpeningStatus,
    PaymentStatus,
    ResultStatus,
    SiteStatus,
    StudyStatus,
    VersionStatus,
)
from salus.contracts.trials.messages import (
    Adopt,
    Advance,
    Allocate,
    Approve,
    AssessOpening,
    Commit,
    Definition,
    Enrol,
    GrantOpening,
    LockData,
    LookStep,
    MeetClock,
    OmitResult,
    OpenAllocation,
    PaymentStep,
    PostResult,
    ProposeVersion,
    RefuseEnrolment,
    RegisterTrial,
    Sign,
    SignLock,
    SiteStep,
    StartClock,
    StatePayment,
    Step,
    StepLook,
    StepPayment,
    StepSite,
    Unlock,
)
from salus.contracts.trials.reasons import TrialsReason
from salus.contracts.trials.state import (
    ENROLMENTS,
    LOCKS,
    LOOKS,
    OPENINGS,
    PAYMENTS,
    RESULTS,
    RESULTS_DUE,
    ROSTERS,
    SAFETY_CLOCKS,
    SITES,
    STUDIES,
    VERSIONS,
    ClockKind,
    Enrolment,
    Kind,
    Level,
    Lock,
    Look,
    Method,
    Opening,
    Outcome,
    Part,
    Party,
    Payment,
    PlannedLook,
    ReasonClass,
    Result,
    Roster,
    SafetyClock,
    Site,
    Study,
    Trustee,
    Version,
    enrolment_id,
    follow_up_id,
    numbered_key,
    outcome_digest,
    payment_key,
)
from salus.core.tables import View

__all__ = [
    "ENROLMENTS",
    "LOCKS",
    "PAYMENTS",
    "RESULTS",
    "ROSTERS",
    "SITES",
    "STUDIES",
    "VERSIONS",
    "Adopt",
    "Advance",
    "Allocate",
    "Approve",
    "AssessOpening",
    "ClockKind",
    "ClockStatus",
    "Commit",
    "Definition",
    "Enrol",
    "Enrolment",
    "EnrolmentStatus",
    "GrantOpening",
    "Kind",
    "Level",
    "Lock",
    "LockData",
    "LockStatus",
    "Look",
    "LookStatus",
    "LookStep",
    "MeetClock",
    "Method",
    "OmitResult",
    "OpenAllocation",
    "Opening",
    "OpeningStatus",
    "Outcome",
    "Part",
    "Party",
    "Payment",
    "PaymentStatus",
    "PaymentStep",
    "PlannedLook",
    "PostResult",
    "ProposeVersion",
    "ReasonClass",
    "RefuseEnrolment",
    "RegisterTrial",
    "Result",
    "ResultStatus",
    "Roster",
    "SafetyClock",
    "Sign",
    "SignLock",
    "Site",
    "SiteStatus",
    "SiteStep",
    "StartClock",
    "StatePayment",
    "Step",
    "StepLook",
    "StepPayment",
    "StepSite",
    "Study",
    "StudyStatus",
    "TrialsReason",
    "Trustee",
    "Unlock",
    "Version",
    "VersionStatus",
    "clock",
    "clocks",
    "enrolment",
    "enrolment_id",
    "enrolments",
    "follow_up_id",
    "labels",
    "last_visit",
    "lock",
    "look",
    "opening",
    "openings",
    "outcome_digest",
    "overdue",
    "payment",
    "payment_key",
    "payments",
    "results",
    "roster",
    "site",
    "sites",
    "studies",
    "study",
    "version",
]

ALONE: Final = "one organisation plays every part"
ONE_TRUSTEE: Final = "predictable by its trustee"
OUTSIDE: Final = "allocation not provable"


def study(state: View, id_: bytes) -> Study | None:
    """Return a study by its id (16 bytes), or None."""
    return state.get(STUDIES, id_)


def studies(state: View) -> Iterator[tuple[bytes, Study]]:
    """Yield (id, study), ascending by id."""
    return state.range(STUDIES)


def roster(state: View, id_: bytes) -> Roster | None:
    """Return who plays which part in a study, and its threshold key, or None."""
    return state.get(ROSTERS, id_)


def last_visit(row: Study) -> int:
    """Return the block time of a study's last visit or early end, ms; 0 before."""
    return row.results_due - RESULTS_DUE if row.results_due else 0


def labels(state: View, id_: bytes) -> tuple[str, ...]:
    """Return what a reader of a study must be told of how it is set up; empty if nothing."""
    row, who = study(state, id_), roster(state, id_)
    if row is None or who is None:
        return ()
    told = [
        (row.alone, ALONE),
        (who.method is Method.THRESHOLD and who.threshold == 1, ONE_TRUSTEE),
        (who.method is Method.EXTERNAL, OUTSIDE),
    ]
    return tuple(label for holds, label in told if holds)


def version(state: View, id_: bytes, number: int) -> Version | None:
    """Return a version of a study's protocol, or None."""
    return state.get(VERSIONS, numbered_key(id_, number))


def site(state: View, id_: bytes, member: str) -> Site | None:
    """Return a member's site in a study, or None."""
    return state.get(SITES, id_ + member.encode("ascii"))


def sites(state: View, id_: bytes) -> Iterator[tuple[str, Site]]:
    """Yield (member, site) of a study, ascending."""
    return ((key[len(id_) :].decode("ascii"), row) for key, row in state.range(SITES, id_))


def enrolment(state: View, id_: bytes) -> Enrolment | None:
    """Return an enrolment by its id (32 bytes), or None."""
    return state.get(ENROLMENTS, id_)


def enrolments(state: View, id_: bytes) -> Iterator[tuple[bytes, Enrolment]]:
    """Yield (id, enrolment) of a study, ascending by id. Reads those of every study."""
    return ((key, row) for key, row in state.range(ENROLMENTS) if row.study == id_)


def opening(state: View, case: bytes) -> Opening | None:
    """Return an opening by its case id (16 bytes), or None."""
    return state.get(OPENINGS, case)


def openings(state: View, id_: bytes) -> Iterator[tuple[bytes, Opening]]:
    """Yield (case, opening) of a study: the unblinding register."""
    return ((key, row) for key, row in state.range(OPENINGS) if row.study == id_)


def look(state: View, id_: bytes, number: int) -> Look | None:
    """Return an interim look, or None."""
    return state.get(LOOKS, numbered_key(id_, number))


def lock(state: View, id_: bytes, number: int) -> Lock | None:
    """Return a lock of a study's data, or None."""
    return state.get(LOCKS, numbered_key(id_, number))


def clock(state: View, case: bytes) -> SafetyClock | None:
    """Return a deadline by its case id (16 bytes), or None."""
    return state.get(SAFETY_CLOCKS, case)


def clocks(state: View, id_: bytes) -> Iterator[tuple[bytes, SafetyClock]]:
    """Yield (case, deadline) of a study."""
    return ((key, row) for key, row in state.range(SAFETY_CLOCKS) if row.study == id_)


def overdue(row: SafetyClock, time: int) -> bool:
    """Return whether a deadline has passed at `time` (block time, ms) without its duty done."""
    return row.status is ClockStatus.RUNNING and time > row.due


def results(state: View, id_: bytes) -> Iterator[tuple[bytes, Result]]:
    """Yield (definition digest, result) of every outcome of a study."""
    return ((key[len(id_) :], row) for key, row in state.range(RESULTS, id_))


def payment(state: View, id_: bytes, member: str, number: int) -> Payment | None:
    """Return a site's statement of what it is to be paid, or None."""
    return state.get(PAYMENTS, payment_key(id_, member, number))


def payments(state: View, id_: bytes) -> Iterator[tuple[str, int, Payment]]:
    """Yield (site, number, statement) of a study, ascending by number, then site."""
    for key, row in state.range(PAYMENTS, id_):
        yield key[len(id_) + 2 :].decode("ascii"), int.from_bytes(key[len(id_) : len(id_) + 2], "big"), row
