"""What the ledger knows of erasures and emergencies. Their life cycles are tables, used by the rules, walked by the tests."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import Digest, Height, MemberId, Time
from salus.core.encoding import Value
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 2
MAX_BUCKET: Final = 12  # 4^11 leaves, four million: more than a member writes between two ticks


class Rank(IntEnum):
    """By what a request about a link is authorised, in rising rank. A higher one calls off a lower one."""

    LINK_KEY = 1
    RECOVERY_CONTACTS = 2
    IN_PERSON = 3


class RetentionReason(IntEnum):
    """Why the law lets a holder keep what should be erased: classes of GDPR Art. 17(3)(b) to (e)."""

    LEGAL_OBLIGATION = 1
    PUBLIC_HEALTH = 2
    ARCHIVING = 3
    LEGAL_CLAIMS = 4


class ErasureStatus(IntEnum):
    """How far an erasure has come. That a step is overdue is computed when it is read."""

    REQUESTED = 1
    CANCELLED = 2
    RETAINED = 3
    DELETED = 4
    ERASED = 5


ERASURE: Final[Mapping[tuple[ErasureStatus | None, str], ErasureStatus]] = {
    (None, "open-erasure"): ErasureStatus.REQUESTED,
    (ErasureStatus.REQUESTED, "cancel-erasure"): ErasureStatus.CANCELLED,
    (ErasureStatus.REQUESTED, "retain-erasure"): ErasureStatus.RETAINED,
    (ErasureStatus.REQUESTED, "confirm-deletion"): ErasureStatus.DELETED,
    (ErasureStatus.RETAINED, "retain-erasure"): ErasureStatus.RETAINED,
    (ErasureStatus.RETAINED, "cancel-erasure"): ErasureStatus.CANCELLED,
    (ErasureStatus.RETAINED, "confirm-deletion"): ErasureStatus.DELETED,
    (ErasureStatus.DELETED, "confirm-erasure"): ErasureStatus.ERASED,
}
"""An erasure's life cycle: (status, message) → status. Cancelled and erased are its ends."""


class Erasure(Value, frozen=True):
    """An erasure at one holder. Key: the case id. Says nothing of whose records, nor what the holder is to them."""

    holder: MemberId
    """Who holds the records, and alone takes the steps."""
    rank: Rank
    """By what the request was authorised."""
    status: ErasureStatus
    """How far it has come."""
    reason: Annotated[int, Meta(ge=0, le=4)]
    """The class of the reason to retain, 0 if there is none."""
    opened: Time
    """Time of the block that opened the case, ms."""
    earliest: Time
    """Before this block time nothing is deleted and the case can be cancelled, ms; one that is retained can be later too."""
    due: Time
    """The last block time at which the next step is in time, ms; 0 when no step remains."""
    height: Height
    """Height of the block of the latest step."""


def _steps_by_the_table(_view: View, _key: bytes, before: Erasure | None, after: Erasure) -> bool:
    return (None if before is None else before.status, after.status) in _STEPS


def _keeps_its_start(_view: View, _key: bytes, before: Erasure | None, after: Erasure) -> bool:
    return before is None or (before.holder, before.rank, before.opened, before.earliest) == (
        after.holder,
        after.rank,
        after.opened,
        after.earliest,
    )


_STEPS: Final = frozenset((start, end) for (start, _), end in ERASURE.items())

ERASURES: Final = Table(
    NUMBER * 256 + 1,
    "records.erasures",
    Erasure,
    (
        Invariant("an erasure steps as its life cycle says", _steps_by_the_table),
        Invariant("an erasure keeps its start", _keeps_its_start),
    ),
)


DAY: Final = 86_400_000  # ms
REVIEW: Final = 72 * 3_600_000  # ms in which an emergency access is reviewed, else it is publicly overdue


class EmergencyStatus(IntEnum):
    """Whether an emergency access was reviewed. That a review is overdue is computed when it is read."""

    OPEN = 1
    REVIEWED = 2


EMERGENCY: Final[Mapping[tuple[EmergencyStatus | None, str], EmergencyStatus]] = {
    (None, "open-emergency"): EmergencyStatus.OPEN,
    (EmergencyStatus.OPEN, "review-emergency"): EmergencyStatus.REVIEWED,
}
"""An emergency access's life cycle: (status, message) → status."""


class Emergency(Value, frozen=True):
    """An emergency access to one patient's records. Key: id of the transaction that opened it.

    The commitment binds the patient, the custodians asked, purpose, reason and person: a custodian that is shown the
    opening answers it for that one patient, once.
    """

    submitter: MemberId
    """Who asks, and answers for it."""
    commitment: Digest
    """Over the request, with a salt that only those asked are shown."""
    deferred: bool
    """Whether it was answered before the ledger could be reached."""
    status: EmergencyStatus
    """Whether it was reviewed."""
    opened: Time
    """Time of its block, ms."""
    due: Time
    """The last block time at which the review is in time, ms."""
    height: Height
    """Height of the block of the latest step."""


class EmergencyDay(Value, frozen=True):
    """How many emergency accesses a member opened on one day. Key: member id, `/`, days since 1970 as u32."""

    count: Annotated[int, Meta(ge=1, le=1 << 31)]
    """How many so far, deferred ones included."""


def day_key(member: str, time: int) -> bytes:
    """Return the key of a member's count of the day of `time` (ms)."""
    return member.encode("ascii") + b"/" + (time // DAY).to_bytes(4, "big")


def _emergency_steps(_view: View, _key: bytes, before: Emergency | None, after: Emergency) -> bool:
    return (None if before is None else before.status, after.status) in _EMERGENCY_STEPS


def _emergency_start(_view: View, _key: bytes, before: Emergency | None, after: Emergency) -> bool:
    return before is None or (before.submitter, before.commitment, before.opened, before.due) == (
        after.submitter,
        after.commitment,
        after.opened,
        after.due,
    )


def _counts_up(_view: View, _key: bytes, before: EmergencyDay | None, after: EmergencyDay) -> bool:
    return after.count == (0 if before is None else before.count) + 1


_EMERGENCY_STEPS: Final = frozenset((start, end) for (start, _), end in EMERGENCY.items())

EMERGENCIES: Final = Table(
    NUMBER * 256 + 2,
    "records.emergencies",
    Emergency,
    (
        Invariant("an emergency steps as its life cycle says", _emergency_steps),
        Invariant("an emergency keeps its start", _emergency_start),
    ),
)
EMERGENCY_DAYS: Final = Table(
    NUMBER * 256 + 3,
    "records.emergency-days",
    EmergencyDay,
    (Invariant("a day's emergencies are counted one by one", _counts_up),),
)
