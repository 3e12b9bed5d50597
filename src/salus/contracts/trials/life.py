"""The life cycles of a trial's rows: (status, step) → status. The rules look steps up here, tests walk them."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class StudyStatus(IntEnum):
    """Where a study stands."""

    DRAFT = 1
    COMMITTED = 2
    ETHICS_OK = 3
    AUTHORISED = 4
    REGISTERED = 5
    OPEN = 6
    RECRUITMENT_CLOSED = 7
    LAST_VISIT = 8
    CLEAN = 9
    SOFT_LOCK = 10
    LOCKED = 11
    UNBLINDED = 12
    ANALYSED = 13
    REPORTED = 14
    HOLD = 15
    TERMINATED = 16


class VersionStatus(IntEnum):
    """Where a version of the protocol stands."""

    PROPOSED = 1
    ETHICS_OK = 2
    APPROVED = 3
    SUPERSEDED = 4


class SiteStatus(IntEnum):
    """Where a site stands."""

    CANDIDATE = 1
    CONTRACTED = 2
    APPROVED = 3
    TRAINED = 4
    ACTIVE = 5
    SUSPENDED = 6
    CLOSED = 7


class EnrolmentStatus(IntEnum):
    """Where an enrolment stands."""

    WAITING = 1
    POSTED = 2
    ALLOCATED = 3
    DISPUTED = 4
    REFUSED = 5
    """No kit: consent or eligibility did not hold. Draws go on without it."""


class OpeningStatus(IntEnum):
    """Where an opening of an allocation stands."""

    REQUESTED = 1
    OPENED = 2
    ASSESSED = 3


class LookStatus(IntEnum):
    """Where an interim look stands."""

    PLANNED = 1
    CUT = 2
    CONTINUE = 3
    MODIFY = 4
    STOP = 5
    FOLLOWED = 6
    NOT_FOLLOWED = 7


class LockStatus(IntEnum):
    """Where a lock stands."""

    PROPOSED = 1
    LOCKED = 2
    UNLOCKED = 3


class ClockStatus(IntEnum):
    """Whether a deadline was met."""

    RUNNING = 1
    MET = 2
    LATE = 3


class ResultStatus(IntEnum):
    """What became of an outcome."""

    PLANNED = 1
    POSTED = 2
    NOT_DONE = 3
    ADDED = 4
    """Registered by an amendment, not from the start."""
    POST_HOC = 5
    """Registered never: posted without having been planned."""
    DROPPED = 6
    """Registered once, and left out by an amendment."""


class PaymentStatus(IntEnum):
    """Where a statement of what a site is to be paid stands."""

    STATED = 1
    AGREED = 2
    """The sponsor computed the same."""
    DISPUTED = 3
    PAID = 4


STUDY: Final[Mapping[tuple[StudyStatus | None, str], StudyStatus]] = {
    (None, "commit"): StudyStatus.DRAFT,
    (None, "commit-alone"): StudyStatus.COMMITTED,
    (StudyStatus.DRAFT, "sign"): StudyStatus.DRAFT,
    (StudyStatus.DRAFT, "sign-last"): StudyStatus.COMMITTED,
    (StudyStatus.COMMITTED, "ethics"): StudyStatus.ETHICS_OK,
    (StudyStatus.ETHICS_OK, "authority"): StudyStatus.AUTHORISED,
    (StudyStatus.AUTHORISED, "register"): StudyStatus.REGISTERED,
    (StudyStatus.REGISTERED, "open"): StudyStatus.OPEN,
    (StudyStatus.OPEN, "close-recruitment"): StudyStatus.RECRUITMENT_CLOSED,
    (StudyStatus.RECRUITMENT_CLOSED, "last-visit"): StudyStatus.LAST_VISIT,
    (StudyStatus.LAST_VISIT, "clean"): StudyStatus.CLEAN,
    (StudyStatus.TERMINATED, "clean"): StudyStatus.CLEAN,
    (StudyStatus.CLEAN, "soft-lock"): StudyStatus.SOFT_LOCK,
    (StudyStatus.SOFT_LOCK, "lock"): StudyStatus.LOCKED,
    (StudyStatus.LOCKED, "unlock"): StudyStatus.SOFT_LOCK,
    (StudyStatus.UNBLINDED, "unlock"): StudyStatus.SOFT_LOCK,
    (StudyStatus.LOCKED, "unblind"): StudyStatus.UNBLINDED,
    (StudyStatus.UNBLINDED, "analyse"): StudyStatus.ANALYSED,
    (StudyStatus.ANALYSED, "report"): StudyStatus.REPORTED,
    (StudyStatus.OPEN, "hold"): StudyStatus.HOLD,
    (StudyStatus.OPEN, "dispute"): StudyStatus.HOLD,
    (StudyStatus.HOLD, "dispute"): StudyStatus.HOLD,
    (StudyStatus.HOLD, "resume"): StudyStatus.OPEN,
    (StudyStatus.OPEN, "terminate"): StudyStatus.TERMINATED,
    (StudyStatus.HOLD, "terminate"): StudyStatus.TERMINATED,
    (StudyStatus.RECRUITMENT_CLOSED, "terminate"): StudyStatus.TERMINATED,
}
"""A study's life. `REPORTED` is its end; `TERMINATED` goes on to clean data, so that it is reported too."""

VERSION: Final[Mapping[tuple[VersionStatus | None, str], VersionStatus]] = {
    (None, "propose"): VersionStatus.PROPOSED,
    (VersionStatus.PROPOSED, "ethics"): VersionStatus.ETHICS_OK,
    (VersionStatus.PROPOSED, "ethics-alone"): VersionStatus.APPROVED,
    (VersionStatus.ETHICS_OK, "authority"): VersionStatus.APPROVED,
    (VersionStatus.APPROVED, "supersede"): VersionStatus.SUPERSEDED,
}
"""A version's life. One that is not substantial needs no authority."""

SITE: Final[Mapping[tuple[SiteStatus | None, str], SiteStatus]] = {
    (None, "nominate"): SiteStatus.CANDIDATE,
    (SiteStatus.CANDIDATE, "contract"): SiteStatus.CONTRACTED,
    (SiteStatus.CONTRACTED, "approve"): SiteStatus.APPROVED,
    (SiteStatus.APPROVED, "train"): SiteStatus.TRAINED,
    (SiteStatus.TRAINED, "activate"): SiteStatus.ACTIVE,
    (SiteStatus.ACTIVE, "adopt"): SiteStatus.ACTIVE,
    (SiteStatus.ACTIVE, "suspend"): SiteStatus.SUSPENDED,
    (SiteStatus.SUSPENDED, "adopt"): SiteStatus.SUSPENDED,
    (SiteStatus.SUSPENDED, "restore"): SiteStatus.ACTIVE,
    (SiteStatus.ACTIVE, "close"): SiteStatus.CLOSED,
    (SiteStatus.SUSPENDED, "close"): SiteStatus.CLOSED,
}
"""A site's life."""

ENROLMENT: Final[Mapping[tuple[EnrolmentStatus | None, str], EnrolmentStatus]] = {
    (None, "enrol"): EnrolmentStatus.WAITING,
    (EnrolmentStatus.WAITING, "post"): EnrolmentStatus.POSTED,
    (EnrolmentStatus.WAITING, "post-alone"): EnrolmentStatus.ALLOCATED,
    (EnrolmentStatus.POSTED, "agree"): EnrolmentStatus.ALLOCATED,
    (EnrolmentStatus.POSTED, "differ"): EnrolmentStatus.DISPUTED,
    (EnrolmentStatus.WAITING, "refuse"): EnrolmentStatus.REFUSED,
    (EnrolmentStatus.POSTED, "refuse"): EnrolmentStatus.DISPUTED,
}
"""An enrolment's life: two dispensers post the same digest; else it is disputed, the study held. One may refuse it."""

OPENING: Final[Mapping[tuple[OpeningStatus | None, str], OpeningStatus]] = {
    (None, "request"): OpeningStatus.REQUESTED,
    (None, "open"): OpeningStatus.OPENED,
    (OpeningStatus.REQUESTED, "grant"): OpeningStatus.REQUESTED,
    (OpeningStatus.REQUESTED, "grant-last"): OpeningStatus.OPENED,
    (OpeningStatus.OPENED, "assess"): OpeningStatus.ASSESSED,
}
"""An opening's life: every one is assessed (ICH E6(R3) 4.1.4)."""

LOOK: Final[Mapping[tuple[LookStatus | None, str], LookStatus]] = {
    (None, "plan"): LookStatus.PLANNED,
    (LookStatus.PLANNED, "cut"): LookStatus.CUT,
    (LookStatus.CUT, "continue"): LookStatus.CONTINUE,
    (LookStatus.CUT, "modify"): LookStatus.MODIFY,
    (LookStatus.CUT, "stop"): LookStatus.STOP,
    (LookStatus.CONTINUE, "follow"): LookStatus.FOLLOWED,
    (LookStatus.MODIFY, "follow"): LookStatus.FOLLOWED,
    (LookStatus.STOP, "follow"): LookStatus.FOLLOWED,
    (LookStatus.CONTINUE, "not-follow"): LookStatus.NOT_FOLLOWED,
    (LookStatus.MODIFY, "not-follow"): LookStatus.NOT_FOLLOWED,
    (LookStatus.STOP, "not-follow"): LookStatus.NOT_FOLLOWED,
}
"""A look's life: data cut, advice of the board, answer of the sponsor."""

LOCK: Final[Mapping[tuple[LockStatus | None, str], LockStatus]] = {
    (None, "propose"): LockStatus.PROPOSED,
    (None, "propose-alone"): LockStatus.LOCKED,
    (LockStatus.PROPOSED, "sign"): LockStatus.PROPOSED,
    (LockStatus.PROPOSED, "sign-last"): LockStatus.LOCKED,
    (LockStatus.LOCKED, "ask-unlock"): LockStatus.LOCKED,
    (LockStatus.LOCKED, "unlock"): LockStatus.UNLOCKED,
}
"""A lock's life. The next lock has the next number; the old root stays."""

CLOCK: Final[Mapping[tuple[ClockStatus | None, str], ClockStatus]] = {
    (None, "start"): ClockStatus.RUNNING,
    (ClockStatus.RUNNING, "meet"): ClockStatus.MET,
    (ClockStatus.RUNNING, "meet-late"): ClockStatus.LATE,
}
"""A deadline's life."""

PAYMENT: Final[Mapping[tuple[PaymentStatus | None, str], PaymentStatus]] = {
    (None, "state"): PaymentStatus.STATED,
    (PaymentStatus.STATED, "agree"): PaymentStatus.AGREED,
    (PaymentStatus.STATED, "dispute"): PaymentStatus.DISPUTED,
    (PaymentStatus.DISPUTED, "state"): PaymentStatus.STATED,
    (PaymentStatus.AGREED, "pay"): PaymentStatus.PAID,
}
"""A statement's life: the site states, the sponsor agrees or disputes, then pays. A disputed one is stated anew."""

RESULT: Final[Mapping[tuple[ResultStatus | None, str], ResultStatus]] = {
    (None, "plan"): ResultStatus.PLANNED,
    (None, "add"): ResultStatus.ADDED,
    (None, "post"): ResultStatus.POST_HOC,
    (ResultStatus.PLANNED, "post"): ResultStatus.POSTED,
    (ResultStatus.ADDED, "post"): ResultStatus.POSTED,
    (ResultStatus.PLANNED, "not-done"): ResultStatus.NOT_DONE,
    (ResultStatus.ADDED, "not-done"): ResultStatus.NOT_DONE,
    (ResultStatus.PLANNED, "drop"): ResultStatus.DROPPED,
    (ResultStatus.ADDED, "drop"): ResultStatus.DROPPED,
    (ResultStatus.DROPPED, "add"): ResultStatus.ADDED,
    (ResultStatus.DROPPED, "post"): ResultStatus.POST_HOC,
}
"""What becomes of an outcome."""
