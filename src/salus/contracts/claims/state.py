"""What the ledger knows of claims and accumulators: who takes the next step and until when, never the outcome."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import CaseId, Digest, Height, MemberId, Time
from salus.core.encoding import Value
from salus.core.proof.digest import digest
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 5
DAY: Final = 86_400_000  # ms
MAX_CASES: Final = 1000  # at 81 bytes each they fit one transaction

Salt = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""16 random bytes."""
Payer = Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]{1,31})?\Z")]
"""A member id, or empty while the payer has not acted."""


class Kind(IntEnum):
    """What is asked of the payer. It shows, so that timeliness can be computed from the ledger alone."""

    CLAIM = 1
    AUTHORISATION = 2


class Clock(IntEnum):
    """The durations that a case may set, in days: a short list, so that none of them marks a contract."""

    DAYS_3 = 3
    DAYS_7 = 7
    DAYS_15 = 15
    DAYS_30 = 30
    DAYS_45 = 45
    DAYS_60 = 60
    DAYS_90 = 90


class CaseStatus(IntEnum):
    """Where a case stands. A denial, too, is decided and remitted."""

    SUBMITTED = 1
    ACCEPTED = 2
    REFUSED = 3
    WAITING = 4
    DECIDED = 5
    REMITTED = 6
    WITHDRAWN = 7
    REOPENED = 8


TRANSITIONS: Final[Mapping[tuple[CaseStatus | None, str], CaseStatus]] = {
    (None, "submit"): CaseStatus.SUBMITTED,
    (None, "cross"): CaseStatus.SUBMITTED,
    (CaseStatus.SUBMITTED, "accept"): CaseStatus.ACCEPTED,
    (CaseStatus.SUBMITTED, "refuse"): CaseStatus.REFUSED,
    (CaseStatus.SUBMITTED, "withdraw"): CaseStatus.WITHDRAWN,
    (CaseStatus.ACCEPTED, "ask"): CaseStatus.WAITING,
    (CaseStatus.ACCEPTED, "decide"): CaseStatus.DECIDED,
    (CaseStatus.ACCEPTED, "withdraw"): CaseStatus.WITHDRAWN,
    (CaseStatus.WAITING, "inform"): CaseStatus.ACCEPTED,
    (CaseStatus.WAITING, "decide"): CaseStatus.DECIDED,
    (CaseStatus.DECIDED, "remit"): CaseStatus.REMITTED,
    (CaseStatus.DECIDED, "reopen"): CaseStatus.REOPENED,
    (CaseStatus.DECIDED, "appeal"): CaseStatus.REOPENED,
    (CaseStatus.REMITTED, "reopen"): CaseStatus.REOPENED,
    (CaseStatus.REMITTED, "appeal"): CaseStatus.REOPENED,
    (CaseStatus.REOPENED, "ask"): CaseStatus.WAITING,
    (CaseStatus.REOPENED, "decide"): CaseStatus.DECIDED,
}
"""A case's life cycle: (status, message) → status. Refused and withdrawn are its ends."""
_STEPS: Final = frozenset((start, end) for (start, _), end in TRANSITIONS.items())


class Case(Value, frozen=True):
    """A claim or a request for prior authorisation. Key: the case id."""

    kind: Kind
    """What is asked."""
    provider: MemberId
    """Who asks."""
    payer: Payer
    """Who answers; empty until it acts."""
    payer_digest: Digest
    """Salted digest of the payer's id, set by the provider; the payer's first act opens it."""
    status: CaseStatus
    """Where it stands."""
    round: Annotated[int, Meta(ge=1, le=1 << 31)]
    """1, and one more each time the case is reopened."""
    submission: Digest
    """Commitment to what the payer decides on: the claim, or what replaced, completed or contested it last."""
    decision: Annotated[bytes, Meta(max_length=32)]
    """Commitment to the latest decision, 32 bytes; empty before the first."""
    appeal_key: Annotated[bytes, Meta(max_length=32)]
    """SHA-256 of the one-time key that may appeal the latest decision; empty while there is none to appeal."""
    clock: Clock
    """Days that the payer has to decide, from acceptance, information or reopening."""
    due: Time
    """The last block time at which the next step is in time, ms; 0 when none is awaited."""
    height: Height
    """Height of the block of the latest step."""


class PlanYear(Value, frozen=True):
    """The accumulators of one plan and year. Key: 16 random bytes. No cell stands here: one root covers them all."""

    keeper: MemberId
    """Who keeps the cells, and alone advances them."""
    number: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
    """1, and one more with each batch."""
    root: Digest
    """Root of the keeper's sparse Merkle map of salted cells after the batch."""
    height: Height
    """Height of the block of the latest batch."""


def payer_digest(salt: bytes, case: CaseId, payer: str) -> bytes:
    """Return the salted digest of a payer's member id for one case; without the 16 salt bytes nobody tests a guess."""
    return digest("salus/v1/claims-payer", salt, case, payer.encode("ascii"))


def appeal_key_digest(key: bytes) -> bytes:
    """Return what a decision says of the one-time Ed25519 key (32 bytes) that may appeal it."""
    return digest("salus/v1/claims-appeal-key", key)


def _steps_by_the_table(_view: View, _key: bytes, before: Case | None, after: Case) -> bool:
    return (None if before is None else before.status, after.status) in _STEPS


def _keeps_its_parties(_view: View, _key: bytes, before: Case | None, after: Case) -> bool:
    return before is None or (
        (before.kind, before.provider, before.payer_digest, before.clock)
        == (after.kind, after.provider, after.payer_digest, after.clock)
        and before.payer in {"", after.payer}
    )


def _decided_is_committed(_view: View, _key: bytes, _before: Case | None, after: Case) -> bool:
    return after.status not in {CaseStatus.DECIDED, CaseStatus.REMITTED} or len(after.decision) == len(after.submission)


def _advances_by_one(_view: View, _key: bytes, before: PlanYear | None, after: PlanYear) -> bool:
    return (
        after.number == 1
        if before is None
        else (after.keeper, after.number)
        == (
            before.keeper,
            before.number + 1,
        )
    )


CASES: Final = Table(
    NUMBER * 256 + 1,
    "claims.cases",
    Case,
    (
        Invariant("a case steps as its life cycle says", _steps_by_the_table),
        Invariant("a case keeps its kind, parties and clock", _keeps_its_parties),
        Invariant("what is decided is committed", _decided_is_committed),
    ),
)
PLAN_YEARS: Final = Table(
    NUMBER * 256 + 2,
    "claims.plan-years",
    PlanYear,
    (Invariant("one keeper advances a plan year batch by batch", _advances_by_one),),
)
