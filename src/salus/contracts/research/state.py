"""What the ledger knows of research: offers, permits, questions, budgets. No row says how many persons were counted."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import CaseId, Digest, Height, MemberId, Time
from salus.contracts.research.duo import Policy, Purpose
from salus.core.encoding import Value
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 7
DAY: Final = 86_400_000  # ms
BEGIN_BY: Final = 7 * DAY  # a checker looks at a query within a week, else its charge is returned
MAX_WITHHELD: Final = 5  # a refusal tells a bit
MAX_ATTEMPTS: Final = 3  # sums over other sets of custodians can be subtracted: few are shown
MAX_DATA_SETS: Final = 64  # in one permit
MAX_RHO: Final = 1_000_000_000  # ρ = 1000 protects nobody; the network's parameters allow no larger pool
MAX_SQUARE: Final = (1 << 63) - 1

Rho = Annotated[int, Meta(ge=0, le=MAX_RHO)]
Count = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
DataSets = Annotated[tuple[CaseId, ...], Meta(min_length=1, max_length=MAX_DATA_SETS)]
Members = Annotated[tuple[MemberId, ...], Meta(max_length=8)]
Square = Annotated[int, Meta(ge=0, le=MAX_SQUARE)]


class Basis(IntEnum):
    """Why persons may be counted."""

    CONSENT = 1
    NO_OBJECTION = 2


class Way(StrEnum):
    """How an answer leaves: with noise charged to the budget, as exact sums under the leverage rule, or as persons' rows."""

    EXACT = "exact"
    EXTRACT = "extract"
    NOISY = "noisy"


class PermitStatus(IntEnum):
    """How a permit stands at one data set."""

    APPLIED = 1
    AGREED = 2
    REFUSED = 3
    SUSPENDED = 4


class PartStatus(IntEnum):
    """How a query stands at one data set."""

    REGISTERED = 1
    BEGUN = 2
    ANSWERED = 3
    WITHHELD = 4
    FAILED = 5
    RELEASED = 6
    DELETED = 7
    """An extract whose receiver attested that every copy is deleted."""


PERMIT: Final[Mapping[tuple[PermitStatus | None, str], PermitStatus]] = {
    (None, "apply"): PermitStatus.APPLIED,
    (PermitStatus.APPLIED, "sign"): PermitStatus.APPLIED,
    (PermitStatus.APPLIED, "sign-last"): PermitStatus.AGREED,
    (PermitStatus.APPLIED, "refuse"): PermitStatus.REFUSED,
    (PermitStatus.AGREED, "refuse"): PermitStatus.REFUSED,
    (PermitStatus.SUSPENDED, "refuse"): PermitStatus.REFUSED,
    (PermitStatus.AGREED, "suspend"): PermitStatus.SUSPENDED,
}
"""A permit's life cycle at one data set: (status, step) → status. The fifth withheld query suspends."""
PART: Final[Mapping[tuple[PartStatus | None, str], PartStatus]] = {
    (None, "register"): PartStatus.REGISTERED,
    (PartStatus.REGISTERED, "begin"): PartStatus.BEGUN,
    (PartStatus.REGISTERED, "withhold"): PartStatus.WITHHELD,
    (PartStatus.REGISTERED, "release"): PartStatus.RELEASED,
    (PartStatus.BEGUN, "answer"): PartStatus.ANSWERED,
    (PartStatus.BEGUN, "withhold"): PartStatus.WITHHELD,
    (PartStatus.BEGUN, "fail"): PartStatus.FAILED,
    (PartStatus.BEGUN, "retry"): PartStatus.FAILED,
    (PartStatus.WITHHELD, "retry"): PartStatus.WITHHELD,
    (PartStatus.FAILED, "retry"): PartStatus.FAILED,
    (PartStatus.ANSWERED, "attest"): PartStatus.DELETED,
}
"""A query's life cycle at one data set: (status, step) → status. What was not begun returns its charge."""
ENDED: Final = (
    PartStatus.ANSWERED,
    PartStatus.WITHHELD,
    PartStatus.FAILED,
    PartStatus.RELEASED,
    PartStatus.DELETED,
)


class DataSet(Value, frozen=True):
    """A custodian's offer. Key: its id."""

    custodian: MemberId
    """Who keeps the records and answers."""
    terms: Digest
    """SHA-256 of the data-use agreement."""
    policy: Policy
    """What the data may be used for."""
    basis: Basis
    """Whether persons are counted by consent, or unless they object."""
    ways: Annotated[tuple[Way, ...], Meta(min_length=1, max_length=3)]
    """The ways out, ascending."""
    smallest: Annotated[int, Meta(ge=3, le=1000)]
    """k: no exact result rests on fewer persons."""
    permit_rho: Rho
    """What one permit may spend here, micro-ρ."""
    co_signers: Members
    """Members that must sign a permit besides the custodian, ascending: an ethics or data-access body."""
    uses: Count
    """How many answers it gave: the credit of the data set."""
    height: Height
    """Height of the block that offered it."""


class Permit(Value, frozen=True):
    """A study. Key: the permit's id."""

    applicant: MemberId
    """The institution that asks and answers for its analysts."""
    purpose: Purpose
    """What the study is."""
    ethics: Annotated[bytes, Meta(max_length=32)]
    """SHA-256 of the ethics approval, or empty."""
    summary: Annotated[str, Meta(min_length=1, max_length=1000)]
    """The study in plain words, as patients read it."""
    data_sets: DataSets
    """The data sets asked for, ascending."""
    ends: Time
    """From this block time nothing is registered or begun, and no extract may be kept, ms."""
    records: bool
    """Whether extracts of persons' rows may be asked for."""


class Part(Value, frozen=True):
    """A permit at one data set. Key: permit id, data set id."""

    status: PermitStatus
    """How it stands."""
    signed: Members
    """Who has signed, ascending."""
    used: Rho
    """What of its budget is reserved or spent, micro-ρ."""
    withheld: Annotated[int, Meta(ge=0, le=MAX_WITHHELD)]
    """How many queries were withheld here."""
    height: Height
    """Height of the block of the latest step."""


class Query(Value, frozen=True):
    """A question. Key: its id."""

    permit: CaseId
    """The permit it is asked under."""
    commitment: Digest
    """Over the query document, salted."""
    way: Way
    """How the answer leaves."""
    sensitivity: Square
    """Δ², 0 for an exact one."""
    variance: Square
    """σ² of each custodian's noise, 0 for an exact one."""
    charge: Rho
    """Micro-ρ at each data set; 0 for an exact one."""
    data_sets: DataSets
    """Who is asked, ascending."""
    period: Time
    """When the budget's period began, ms."""
    begin_by: Time
    """The last block time at which a part may begin, ms."""
    attempt: Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS)]
    """Which attempt holds: an exact query goes on without custodians that dropped out, under fresh seeds."""
    result: Annotated[bytes, Meta(max_length=32)]
    """Digest of what was published, or empty."""
    height: Height
    """Height of the block that registered it."""


class QueryPart(Value, frozen=True):
    """A question at one data set. Key: query id, data set id."""

    status: PartStatus
    """How it stands."""
    population: Annotated[bytes, Meta(max_length=32)]
    """Root of the sparse map of those counted, or empty before the begin."""
    answer: Annotated[bytes, Meta(max_length=32)]
    """Commitment to the answer, or empty."""
    height: Height
    """Height of the block of the latest step."""


class Pool(Value, frozen=True):
    """A custodian's privacy budget in one period, micro-ρ. Key: member id, `/`, the period's begin as u64."""

    pool: Rho
    """All there is."""
    free: Rho
    """Neither reserved nor spent."""
    reserved: Rho
    """For queries registered and not begun."""
    spent: Rho
    """By queries begun, for good."""


def pool_key(member: str, period: int) -> bytes:
    """Return the key of a custodian's pool in the period that began at `period`, ms."""
    return member.encode("ascii") + b"/" + period.to_bytes(8, "big")


def charge(sensitivity: int, variance: int) -> int:
    """Return ⌈10⁶ · Δ² / 2σ²⌉, the micro-ρ of Gaussian noise: Δ² and σ² in one unit, both positive."""
    return -(-1_000_000 * sensitivity // (2 * variance))


def _steps_permit(_view: View, _key: bytes, before: Part | None, after: Part) -> bool:
    return (None if before is None else before.status, after.status) in _PERMIT_STEPS


def _steps_part(_view: View, _key: bytes, before: QueryPart | None, after: QueryPart) -> bool:
    return (None if before is None else before.status, after.status) in _PART_STEPS


def _conserves(_view: View, _key: bytes, before: Pool | None, after: Pool) -> bool:
    same = before is None or (before.pool == after.pool and before.spent <= after.spent)
    return same and after.pool == after.free + after.reserved + after.spent


def _keeps_offer(_view: View, _key: bytes, before: DataSet | None, after: DataSet) -> bool:
    return before is None or (
        (before.custodian, before.terms, before.policy, before.smallest, before.permit_rho)
        == (after.custodian, after.terms, after.policy, after.smallest, after.permit_rho)
        and after.uses == before.uses + 1
    )


def _keeps_question(_view: View, _key: bytes, before: Query | None, after: Query) -> bool:
    return before is None or (
        (
            before.permit,
            before.commitment,
            before.sensitivity,
            before.variance,
            before.charge,
            before.period,
            before.result,
        )
        == (after.permit, after.commitment, after.sensitivity, after.variance, after.charge, after.period, b"")
        and after.attempt - before.attempt in (0, 1)
    )


_PERMIT_STEPS: Final = frozenset(
    [(start, end) for (start, _), end in PERMIT.items()] + [(PermitStatus.AGREED, PermitStatus.AGREED)]
)  # an agreed permit is written again when it is charged
_PART_STEPS: Final = frozenset((start, end) for (start, _), end in PART.items())

DATA_SETS: Final = Table(
    NUMBER * 256 + 1, "research.data-sets", DataSet, (Invariant("an offer stays, and its uses count", _keeps_offer),)
)
PERMITS: Final = Table(
    NUMBER * 256 + 2,
    "research.permits",
    Permit,
    (Invariant("a permit stays as it was asked for", lambda _v, _k, before, _a: before is None),),
)
PARTS: Final = Table(
    NUMBER * 256 + 3,
    "research.permit-parts",
    Part,
    (Invariant("a permit steps as its life cycle says", _steps_permit),),
)
QUERIES: Final = Table(
    NUMBER * 256 + 4, "research.queries", Query, (Invariant("a question stays, published once", _keeps_question),)
)
QUERY_PARTS: Final = Table(
    NUMBER * 256 + 5,
    "research.query-parts",
    QueryPart,
    (Invariant("a query steps as its life cycle says", _steps_part),),
)
POOLS: Final = Table(
    NUMBER * 256 + 6,
    "research.pools",
    Pool,
    (Invariant("pool = free + reserved + spent, and what is spent stays spent", _conserves),),
)
