"""What a member says of the records it keeps: that a batch exists, how far an erasure has come, that it needs one now."""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import CaseId, Digest
from salus.contracts.records.state import MAX_BUCKET, Rank, RetentionReason
from salus.core.encoding import Message

Bucket = Annotated[int, Meta(ge=0, le=MAX_BUCKET)]


class Anchor(Message, frozen=True, tag="records.anchor"):
    """Commit a batch of records and disclosures under one root. Leaves no row: its place in the log is the proof."""

    root: Digest
    """Merkle root over the batch's salted leaves, 32 bytes."""
    count_bucket: Bucket
    """How many leaves there are, coarsely: 0 for none, k for at most 4^(k-1)."""
    deferred: bool
    """Whether something in the batch was shown before it could be committed, because the ledger was out of reach."""


class OpenErasure(Message, frozen=True, tag="records.open-erasure"):
    """Say that a patient asked the submitter to erase, and start the clocks. Sent by the holder itself."""

    case: CaseId
    """16 random bytes, chosen by whoever asked, for this holder alone."""
    rank: Rank
    """By what the request was authorised: 1 the link key, 2 recovery contacts, 3 proofing in person."""


class CancelErasure(Message, frozen=True, tag="records.cancel-erasure"):
    """Call off an erasure in its first 7 days or while retained: on a request of higher rank, or in person against in person."""

    case: CaseId
    """The case."""
    rank: Rank
    """By what the cancellation was authorised."""


class RetainErasure(Message, frozen=True, tag="records.retain-erasure"):
    """Keep what should be erased, for a reason in law, closed to every grant; again to confirm it at each review."""

    case: CaseId
    """The case."""
    reason: RetentionReason
    """The class of the reason (GDPR Art. 17(3)): 1 legal obligation, 2 public health, 3 archiving, 4 legal claims."""


class ConfirmDeletion(Message, frozen=True, tag="records.confirm-deletion"):
    """Say that everything is deleted but backups: ciphertext, salts, wraps, link secret, index rows, link map."""

    case: CaseId
    """The case."""


class ConfirmErasure(Message, frozen=True, tag="records.confirm-erasure"):
    """Say that the last backup of what was deleted has expired."""

    case: CaseId
    """The case."""


class OpenEmergency(Message, frozen=True, tag="records.open-emergency"):
    """Say, before anybody answers, that the submitter asks for one patient's records without a grant."""

    commitment: Digest
    """Over the request: patient, custodians asked, purpose, reason and person, salted."""
    deferred: bool
    """Whether it was answered already, because the ledger could not be reached for five seconds."""


class ReviewEmergency(Message, frozen=True, tag="records.review-emergency"):
    """Say that an emergency access was reviewed. Sent by the member that opened it."""

    emergency: Digest
    """Id of the transaction that opened it."""
    findings: Digest
    """Digest of the review, which stays with the member."""


EXAMPLES: Final[tuple[Message, ...]] = (
    Anchor(root=bytes(range(32)), count_bucket=6, deferred=False),
    OpenErasure(case=bytes(range(16)), rank=Rank.LINK_KEY),
    CancelErasure(case=bytes(range(16)), rank=Rank.IN_PERSON),
    RetainErasure(case=bytes(range(16)), reason=RetentionReason.LEGAL_OBLIGATION),
    ConfirmDeletion(case=bytes(range(16))),
    ConfirmErasure(case=bytes(range(16))),
    OpenEmergency(commitment=bytes(range(32)), deferred=False),
    ReviewEmergency(emergency=bytes(range(32)), findings=bytes(32)),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
