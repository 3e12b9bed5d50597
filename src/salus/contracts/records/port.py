"""What others may use of the records contract."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from salus.contracts.fields import MEMBER_ID
from salus.contracts.records.messages import (
    Anchor,
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    OpenEmergency,
    OpenErasure,
    RetainErasure,
    ReviewEmergency,
)
from salus.contracts.records.reasons import RecordsReason
from salus.contracts.records.state import (
    EMERGENCIES,
    ERASURES,
    MAX_BUCKET,
    Emergency,
    EmergencyStatus,
    Erasure,
    ErasureStatus,
    Rank,
    RetentionReason,
)
from salus.core.tables import View

__all__ = [
    "EMERGENCIES",
    "ERASURES",
    "MAX_BUCKET",
    "Anchor",
    "Anchored",
    "CancelErasure",
    "ConfirmDeletion",
    "ConfirmErasure",
    "Emergency",
    "EmergencyStatus",
    "Erasure",
    "ErasureStatus",
    "OpenEmergency",
    "OpenErasure",
    "Rank",
    "RecordsReason",
    "RetainErasure",
    "RetentionReason",
    "ReviewEmergency",
    "count_bucket",
    "emergencies",
    "emergency",
    "erasure",
    "erasures",
    "is_anchor",
    "overdue",
    "read_anchor",
    "review_overdue",
]


@dataclass(frozen=True, slots=True)
class Anchored:
    """What the result data of an anchor says."""

    root: bytes
    count_bucket: int
    deferred: bool
    submitter: str


def count_bucket(count: int) -> int:
    """Return the bucket of a batch of `count` leaves: 0 for none, else the least k with count ≤ 4^(k-1).

    Raises ValueError for more leaves than the last bucket holds: such a batch is two batches.
    """
    bucket = 0 if count == 0 else 1 + ((count - 1).bit_length() + 1) // 2
    if bucket > MAX_BUCKET:
        raise ValueError(f"a batch of {count} leaves, at most {4 ** (MAX_BUCKET - 1)}")
    return bucket


def is_anchor(data: bytes) -> bool:
    """Say whether result data has the form of an anchor's, byte for byte: other messages' results are as long."""
    submitter = data[34:]
    return (
        len(data) > 34
        and data[32] <= MAX_BUCKET
        and data[33] <= 1
        and submitter.isascii()
        and re.fullmatch(MEMBER_ID, submitter.decode("ascii")) is not None
    )


def read_anchor(data: bytes) -> Anchored:
    """Read the result data of an anchor that was applied. Raises ValueError for what is none."""
    if not is_anchor(data):
        raise ValueError("this is not the result of an anchor")
    return Anchored(data[:32], data[32], bool(data[33]), data[34:].decode("ascii"))


def erasure(state: View, case: bytes) -> Erasure | None:
    """Return an erasure by its case id (16 bytes), or None."""
    return state.get(ERASURES, case)


def erasures(state: View) -> Iterator[tuple[bytes, Erasure]]:
    """Yield (case id, erasure), ascending by id, those that ended too."""
    return state.range(ERASURES)


def overdue(row: Erasure, time: int) -> bool:
    """Return whether the holder has let the next step's deadline pass at `time` (block time, ms)."""
    return row.due != 0 and time > row.due


def emergency(state: View, id_: bytes) -> Emergency | None:
    """Return an emergency access by the id of the transaction that opened it, or None."""
    return state.get(EMERGENCIES, id_)


def emergencies(state: View) -> Iterator[tuple[bytes, Emergency]]:
    """Yield (id, emergency access), ascending by id, reviewed ones too."""
    return state.range(EMERGENCIES)


def review_overdue(row: Emergency, time: int) -> bool:
    """Return whether an emergency access should have been reviewed by `time` (block time, ms)."""
    return row.status is EmergencyStatus.OPEN and time > row.due
