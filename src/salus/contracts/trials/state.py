"""What the ledger knows of trials: who plays which part, what came when, and commitments; no participant and no arm."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Final

from msgspec import Meta

from salus.contracts.fields import CaseId, Digest, Height, MemberId, Time
from salus.contracts.trials.life import (
    CLOCK,
    ENROLMENT,
    LOCK,
    LOOK,
    OPENING,
    PAYMENT,
    RESULT,
    SITE,
    STUDY,
    VERSION,
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
from salus.core.encoding import Value
from salus.core.proof.digest import digest
from salus.core.tables import Invariant, Table, View

NUMBER: Final = 6
DAY: Final = 86_400_000  # ms
RESULTS_DUE: Final = 365 * DAY  # FDAAA 801: a year after the last visit
MAX_PARTIES: Final = 32  # one member a part; sites join one by one
MAX_TRUSTEES: Final = 16  # a draw waits for its slowest
MAX_LOOKS: Final = 16
MAX_NUMBERED: Final = 63  # versions or locks of a study; a long trial has twenty amendments
MAX_OUTCOMES: Final = 128  # primary and secondary; more are a fishing list
MAX_STATEMENTS: Final = 999  # of a site in a study; one a week for nineteen years
UNLOCKERS: Final = 2  # parties that must agree on an unlock


class Part(IntEnum):
    """A part in a trial. Those of `APART` never meet in one member."""

    SPONSOR = 1
    """Blinded: designs, pays, reports."""
    COORDINATOR = 2
    """The coordinating investigator's site."""
    ETHICS = 3
    REGULATOR = 4
    STATISTICIAN = 5
    DISPENSER = 6
    """Combines draws and keeps kits; unblinded."""
    EMERGENCY = 7
    """Holds an envelope of each allocation; answers at any hour."""
    BOARD = 8
    """The data safety board, unblinded at looks."""


APART: Final[tuple[tuple[Part, Part], ...]] = (
    (Part.SPONSOR, Part.ETHICS),
    (Part.SPONSOR, Part.REGULATOR),
    (Part.SPONSOR, Part.DISPENSER),
    (Part.SPONSOR, Part.EMERGENCY),
    (Part.SPONSOR, Part.BOARD),
    (Part.COORDINATOR, Part.ETHICS),
    (Part.COORDINATOR, Part.DISPENSER),
    (Part.STATISTICIAN, Part.DISPENSER),
)
"""Parts that never meet in one member, unless the trial is one organisation's alone, and then says so."""


class Method(IntEnum):
    """Where allocations come from."""

    THRESHOLD = 1
    """Drawn from threshold signatures of trustees."""
    EXTERNAL = 2
    """From outside: not provable."""


class Kind(IntEnum):
    """Why an allocation is opened."""

    EMERGENCY = 1
    """At once: committed, or told afterwards."""
    SUSAR = 2
    """For regulator or ethics board, never for a blinded sponsor."""
    BOARD = 3
    """For the safety board's statistician."""
    AGREED = 4
    """Asked for by a party, opened by trustees."""
    INADVERTENT = 5
    """Somebody learned what they should not have."""


class ReasonClass(IntEnum):
    """Why, in a word that tells of nobody."""

    TREATMENT = 1
    OVERDOSE = 2
    PREGNANCY = 3
    SAFETY_REPORT = 4
    PLANNED_LOOK = 5
    ERROR = 6
    OTHER = 7


class ClockKind(IntEnum):
    """Which duty of telling runs: 24 hours, 7 and 15 days (21 CFR 312.32), follow-up 15 days."""

    HOURS_24 = 1
    DAYS_7 = 2
    DAYS_15 = 3
    FOLLOW_UP = 4


CLOCKS_MS: Final[Mapping[ClockKind, int]] = {
    ClockKind.HOURS_24: DAY,
    ClockKind.DAYS_7: 7 * DAY,
    ClockKind.DAYS_15: 15 * DAY,
    ClockKind.FOLLOW_UP: 15 * DAY,
}


class Level(IntEnum):
    """The level of an outcome."""

    PRIMARY = 1
    SECONDARY = 2


Number = Annotated[int, Meta(ge=1, le=65_535)]
"""A number counted from 1."""
Holder = Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]{1,31})?\Z")]
"""A member id, or empty."""
Key96 = Annotated[bytes, Meta(min_length=96, max_length=96)]
"""A point of G2 on BLS12-381, compressed."""
Nothing = Annotated[bytes, Meta(max_length=32)]
"""32 bytes, or empty while there is none."""


class Party(Value, frozen=True):
    """One member in one part."""

    part: Part
    """The part."""
    member: MemberId
    """Who plays it."""


class Trustee(Value, frozen=True):
    """One share of the threshold key. Trustees are numbered from 1 in their order."""

    member: MemberId
    """Who holds it."""
    share: Key96
    """Its public share."""


class PlannedLook(Value, frozen=True):
    """An interim look as planned."""

    permille: Annotated[int, Meta(ge=1, le=1000)]
    """Information fraction, in thousandths."""
    boundary: Annotated[int, Meta(ge=0, le=1_000_000)]
    """Critical value of z, in ten-thousandths: 37103 is 3.7103."""
    alpha: Annotated[int, Meta(ge=0, le=1_000_000)]
    """Cumulative type I error spent when it is taken, in millionths."""


class Outcome(Value, frozen=True):
    """A primary or secondary outcome, as registered."""

    definition: Digest
    """`outcome_digest` over id, measure, time frame, level and analysis."""
    level: Level
    """Its level."""


Parties = Annotated[tuple[Party, ...], Meta(min_length=1, max_length=MAX_PARTIES)]
Trustees = Annotated[tuple[Trustee, ...], Meta(max_length=MAX_TRUSTEES)]
Looks = Annotated[tuple[PlannedLook, ...], Meta(max_length=MAX_LOOKS)]
Outcomes = Annotated[tuple[Outcome, ...], Meta(min_length=1, max_length=MAX_OUTCOMES)]


class Study(Value, frozen=True):
    """A trial. Key: 16 random bytes."""

    status: StudyStatus
    """Where it stands."""
    sponsor: MemberId
    """Who committed it."""
    alone: bool
    """Whether one organisation plays every part: allowed, and labelled."""
    waiting: Annotated[tuple[MemberId, ...], Meta(max_length=MAX_PARTIES + MAX_TRUSTEES)]
    """Parties that have not signed the definition yet, ascending."""
    version: Number
    """The newest approved version of the protocol; 1 before any approval."""
    versions: Number
    """How many versions were proposed."""
    looks: Annotated[int, Meta(ge=0, le=MAX_LOOKS * MAX_NUMBERED)]
    """How many looks are planned."""
    locks: Annotated[int, Meta(ge=0, le=65_535)]
    """How many locks were proposed."""
    registry: Nothing
    """Commitment to registry, its id and the registered record; empty before."""
    registered: Time
    """Block time of the registration, ms, 0 before: no consent is older."""
    unblinded: Height
    """Height of the first opening of an allocation; 0 while there is none."""
    held_by: Holder
    """Who put it on hold; empty if nobody, or a draw that two dispensers told apart."""
    results_due: Time
    """By when results are to be reported, ms; 0 before the last visit."""
    height: Height
    """Height of the block of the latest step."""


class Roster(Value, frozen=True):
    """Who plays which part in a study, and the threshold key. Key: the study's id. Written once."""

    parties: Parties
    """Members and parts, in order of part, then member."""
    method: Method
    """Where allocations come from."""
    threshold: Annotated[int, Meta(ge=0, le=MAX_TRUSTEES)]
    """Trustees that make a draw; 0 for allocation from outside."""
    group_key: Annotated[bytes, Meta(max_length=96)]
    """The group's public key, 96 bytes; empty for allocation from outside."""
    trustees: Trustees
    """The shares, trustee 1 first."""


class Version(Value, frozen=True):
    """One version of the protocol. Key: study id 16 | number u16."""

    status: VersionStatus
    """Where it stands."""
    package: Digest
    """Merkle root of the signed study definition."""
    analysis: Digest
    """Digest of the analysis plan in it: no draw without."""
    consent_form: Digest
    """Digest of the newest form of informed consent."""
    substantial: bool
    """Whether a regulator must approve it too. The first always is."""
    after_unblinding: bool
    """Whether outcomes or analysis changed after the first opening of an allocation. It never goes."""
    reconsent_days: Annotated[int, Meta(ge=0, le=365)]
    """Days to renew consents from adoption at a site; 0 if the form did not change."""
    looks: Looks
    """Interim looks that it adds, ascending by fraction."""
    outcomes: Outcomes
    """Primary and secondary outcomes, ascending by definition."""
    approved: Time
    """Block time of the approval, ms; 0 before."""
    height: Height
    """Height of the block of the latest step."""


class Site(Value, frozen=True):
    """A site in a study. Key: study id 16 | member id."""

    status: SiteStatus
    """Where it stands."""
    version: Annotated[int, Meta(ge=0, le=65_535)]
    """The protocol version in force at the site; 0 before activation."""
    adopted: Time
    """Block time from which that version is in force, ms."""
    reconsent_by: Time
    """By when consents to older forms are to be renewed, ms; 0 if nothing is due."""
    evidence: Nothing
    """Commitment to what the latest step stands on: contract, approval, training."""
    height: Height
    """Height of the block of the latest step."""


class Enrolment(Value, frozen=True):
    """One enrolment. Key: `enrolment_id` of its one-time key."""

    study: CaseId
    """The study."""
    site: MemberId
    """Who enrolled."""
    status: EnrolmentStatus
    """Where it stands."""
    stratum: Digest
    """Opaque tag of the stratum: HMAC under the trial's key."""
    place: Annotated[int, Meta(ge=0, le=1 << 31)]
    """Enrolments of the stratum before it."""
    version: Number
    """The protocol version in force at the site."""
    transaction: Digest
    """Id of the transaction that enrolled: part of what trustees sign."""
    consent: Digest
    """Salted commitment to the consent's grant id and form."""
    eligibility: Digest
    """Salted commitment to the investigator's signed eligibility."""
    allocation: Nothing
    """Digest of the ciphertext of arm and kit; empty until a dispenser posts it."""
    dispenser: Holder
    """Who posted it first; empty before."""
    height: Height
    """Height of the block of the latest step."""


class Stratum(Value, frozen=True):
    """How many enrolments a stratum has. Key: study id 16 | stratum tag 32."""

    enrolled: Annotated[int, Meta(ge=1, le=1 << 31)]
    """Their number."""


class Opening(Value, frozen=True):
    """One line of the unblinding register. Key: its case id."""

    study: CaseId
    """The study."""
    kind: Kind
    """Why."""
    reason: ReasonClass
    """The reason's class."""
    status: OpeningStatus
    """Where it stands."""
    requester: MemberId
    """Who learns, or learned, the arm."""
    commitment: Digest
    """Salted commitment to the allocation and who learns it: the row names neither."""
    deferred: bool
    """Whether it was opened before it could be committed."""
    granted: Annotated[tuple[Number, ...], Meta(max_length=MAX_TRUSTEES)]
    """Numbers of the trustees that agreed, ascending."""
    height: Height
    """Height of the block of the latest step."""


class Look(Value, frozen=True):
    """One interim look. Key: study id 16 | number u16."""

    planned: PlannedLook
    """Fraction, boundary, alpha as signed."""
    version: Number
    """The protocol version that planned it."""
    status: LookStatus
    """Where it stands."""
    data: Nothing
    """Root of the data cut; empty before."""
    height: Height
    """Height of the block of the latest step."""


class Lock(Value, frozen=True):
    """One lock of the data. Key: study id 16 | number u16."""

    status: LockStatus
    """Where it stands."""
    root: Digest
    """Merkle root over the canonical rows."""
    waiting: Annotated[tuple[MemberId, ...], Meta(max_length=3)]
    """Who has not signed it yet."""
    unlocking: Annotated[tuple[MemberId, ...], Meta(max_length=UNLOCKERS)]
    """Who asked to unlock it."""
    reason: Nothing
    """Commitment to the reason of the unlock; empty while locked."""
    height: Height
    """Height of the block of the latest step."""


class SafetyClock(Value, frozen=True):
    """One deadline of telling. Key: its case id."""

    study: CaseId
    """The study."""
    kind: ClockKind
    """Which duty."""
    owed_by: MemberId
    """Who must tell."""
    status: ClockStatus
    """Where it stands."""
    due: Time
    """The last block time in time, ms. Overdue is computed when it is read."""
    commitment: Digest
    """Salted commitment to the event."""
    acknowledgement: Nothing
    """Digest of the acknowledgement received; empty before."""
    height: Height
    """Height of the block of the latest step."""


class Result(Value, frozen=True):
    """The result of one outcome. Key: study id 16 | definition 32."""

    status: ResultStatus
    """Where it stands."""
    version: Number
    """The protocol version in force when it first stood here."""
    commitment: Nothing
    """Digest of the result as published, or of the reason why there is none; empty before."""
    height: Height
    """Height of the block of the latest step."""


class Payment(Value, frozen=True):
    """One statement of what a site is to be paid. Key: study id 16 | number u16 | member id. Says no amount and no visit."""

    status: PaymentStatus
    """Where it stands."""
    commitment: Digest
    """Salted commitment to the statement's lines."""
    stated: Time
    """Block time at which it was stated last, ms."""
    height: Height
    """Height of the block of the latest step."""


def enrolment_id(author_key: bytes) -> bytes:
    """Return the id of the enrolment that a one-time key (32 bytes) authors."""
    return digest("salus/v1/trial-enrolment", author_key)


def follow_up_id(transaction: bytes) -> bytes:
    """Return the case id of the follow-up that a transaction (its id, 32 bytes) starts by telling of a 7-day event."""
    return digest("salus/v1/trial-follow-up", transaction)[:16]


def outcome_digest(id_: str, measure: str, time_frame: str, level: Level, analysis: str) -> bytes:
    """Return the definition digest of an outcome: a changed measure, time frame, level or analysis is another outcome."""
    fields = (id_.encode(), measure.encode(), time_frame.encode(), bytes((level,)), analysis.encode())
    return digest("salus/v1/trial-outcome", *fields)


def numbered_key(study: bytes, number: int) -> bytes:
    """Return the key of a study's version, look or lock by its number."""
    return study + number.to_bytes(2, "big")


def payment_key(study: bytes, site: str, number: int) -> bytes:
    """Return the key of a site's statement by its number."""
    return numbered_key(study, number) + site.encode("ascii")


def _steps(table: Mapping[Any, IntEnum]) -> Invariant[Any]:
    steps = frozenset((start, end) for (start, _), end in table.items())

    def holds(_view: View, _key: bytes, before: Value | None, after: Value) -> bool:
        first, last = (getattr(row, "status", None) for row in (before, after))
        return (first, last) in steps or (before is not None and first == last)

    return Invariant("a row steps as its life cycle says", holds)


def _once(_view: View, _key: bytes, before: Roster | None, _after: Roster) -> bool:
    return before is None


def _one_allocation(_view: View, _key: bytes, before: Enrolment | None, after: Enrolment) -> bool:
    if before is None:
        return after.allocation == b""
    fixed = (before.study, before.site, before.stratum, before.place, before.transaction) == (
        after.study,
        after.site,
        after.stratum,
        after.place,
        after.transaction,
    )
    return fixed and before.allocation in {b"", after.allocation}


def _flag_stays(_view: View, _key: bytes, before: Version | None, after: Version) -> bool:
    kept = before is None or (before.package, before.outcomes) == (after.package, after.outcomes)
    return kept and (before is None or before.after_unblinding <= after.after_unblinding)


def _unblinding_stays(_view: View, _key: bytes, before: Study | None, after: Study) -> bool:
    return before is None or before.unblinded in {0, after.unblinded}


def _counts_up(_view: View, _key: bytes, before: Stratum | None, after: Stratum) -> bool:
    return after.enrolled == (1 if before is None else before.enrolled + 1)


def _root_stays(_view: View, _key: bytes, before: Lock | None, after: Lock) -> bool:
    return before is None or before.root == after.root


def _agreed_stays(_view: View, _key: bytes, before: Payment | None, after: Payment) -> bool:
    if before is None or before.status is PaymentStatus.DISPUTED:
        return True
    return (before.commitment, before.stated) == (after.commitment, after.stated)


STUDIES: Final = Table(
    NUMBER * 256 + 1,
    "trials.studies",
    Study,
    (_steps(STUDY), Invariant("the first unblinding is never forgotten", _unblinding_stays)),
)
ROSTERS: Final = Table(NUMBER * 256 + 2, "trials.rosters", Roster, (Invariant("a roster is written once", _once),))
VERSIONS: Final = Table(
    NUMBER * 256 + 3,
    "trials.versions",
    Version,
    (_steps(VERSION), Invariant("a version keeps its package, outcomes and flag", _flag_stays)),
)
SITES: Final = Table(NUMBER * 256 + 4, "trials.sites", Site, (_steps(SITE),))
ENROLMENTS: Final = Table(
    NUMBER * 256 + 5,
    "trials.enrolments",
    Enrolment,
    (_steps(ENROLMENT), Invariant("one enrolment, one allocation", _one_allocation)),
)
STRATA: Final = Table(
    NUMBER * 256 + 6, "trials.strata", Stratum, (Invariant("a stratum counts up by one", _counts_up),)
)
OPENINGS: Final = Table(NUMBER * 256 + 7, "trials.openings", Opening, (_steps(OPENING),))
LOOKS: Final = Table(NUMBER * 256 + 8, "trials.looks", Look, (_steps(LOOK),))
LOCKS: Final = Table(
    NUMBER * 256 + 9, "trials.locks", Lock, (_steps(LOCK), Invariant("a lock keeps its root", _root_stays))
)
SAFETY_CLOCKS: Final = Table(NUMBER * 256 + 10, "trials.clocks", SafetyClock, (_steps(CLOCK),))
RESULTS: Final = Table(NUMBER * 256 + 11, "trials.results", Result, (_steps(RESULT),))
PAYMENTS: Final = Table(
    NUMBER * 256 + 12,
    "trials.payments",
    Payment,
    (_steps(PAYMENT), Invariant("a statement changes in dispute alone", _agreed_stays)),
)
