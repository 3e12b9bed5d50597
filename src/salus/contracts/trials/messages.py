"""What the parties of a trial say on the ledger."""

from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.fields import CaseId, Digest, MemberId
from salus.contracts.trials.state import (
    ClockKind,
    Key96,
    Kind,
    Level,
    Looks,
    Method,
    Number,
    Outcome,
    Outcomes,
    Part,
    Parties,
    Party,
    PlannedLook,
    ReasonClass,
    Trustee,
    Trustees,
)
from salus.core.encoding import Message, Value


class Step(IntEnum):
    """A step of a study that needs nothing but its name."""

    OPEN = 1
    CLOSE_RECRUITMENT = 2
    LAST_VISIT = 3
    CLEAN = 4
    SOFT_LOCK = 5
    UNBLIND = 6
    ANALYSE = 7
    REPORT = 8
    HOLD = 9
    RESUME = 10
    TERMINATE = 11


class SiteStep(IntEnum):
    """A step of a site."""

    NOMINATE = 1
    CONTRACT = 2
    APPROVE = 3
    TRAIN = 4
    ACTIVATE = 5
    SUSPEND = 6
    RESTORE = 7
    CLOSE = 8


class LookStep(IntEnum):
    """A step of an interim look."""

    CUT = 1
    CONTINUE = 2
    MODIFY = 3
    STOP = 4
    FOLLOW = 5
    NOT_FOLLOW = 6


class PaymentStep(IntEnum):
    """A sponsor's step on a site's statement."""

    AGREE = 1
    DISPUTE = 2
    PAY = 3


class Definition(Value, frozen=True):
    """What a version of the protocol commits to."""

    package: Digest
    """Merkle root of the study definition."""
    analysis: Digest
    """Digest of its analysis plan."""
    consent_form: Digest
    """Digest of its newest form of informed consent."""
    looks: Looks
    """Interim looks: all of the first version, those that an amendment adds. Ascending by fraction."""
    outcomes: Outcomes
    """All primary and secondary outcomes, ascending by definition."""


class Commit(Message, frozen=True, tag="trials.commit"):
    """Commit a trial: definition, parts, threshold key. Sent by the sponsor; the parties sign it next."""

    study: CaseId
    """16 random bytes."""
    definition: Definition
    """The first version."""
    parties: Parties
    """Who plays which part, ascending by part, then member."""
    method: Method
    """1 threshold draws, 2 allocation from outside."""
    threshold: Annotated[int, Meta(ge=0, le=16)]
    """Trustees that make a draw; 0 for allocation from outside."""
    group_key: Annotated[bytes, Meta(max_length=96)]
    """The group's key, 96 bytes; empty for allocation from outside. Each trustee signs only the key it computed."""
    trustees: Trustees
    """Public shares, trustee 1 first; a member may hold several, fewer than the threshold."""


class Sign(Message, frozen=True, tag="trials.sign"):
    """Sign a study's definition, parts and key. Sent by each party; the last makes it committed."""

    study: CaseId
    """The study."""
    package: Digest
    """Root of the definition that is signed."""


class Approve(Message, frozen=True, tag="trials.approve"):
    """Approve a version of the protocol. Sent by the ethics board, then by the regulator."""

    study: CaseId
    """The study."""
    number: Number
    """The version."""
    package: Digest
    """Root of the definition that is approved."""


class RegisterTrial(Message, frozen=True, tag="trials.register"):
    """Say that the trial is in a public registry. Sent by the sponsor. No consent is older."""

    study: CaseId
    """The study."""
    registry: Digest
    """Digest over registry, id and the registered record: public like the record."""


class Advance(Message, frozen=True, tag="trials.advance"):
    """Take a step of a study. Whose step it is depends on the step."""

    study: CaseId
    """The study."""
    step: Step
    """1 open, 2 close recruitment, 3 last visit, 4 clean, 5 soft lock, 6 unblind, 7 analyse, 8 report, 9 hold, 10 resume, 11 terminate."""
    evidence: Digest
    """Commitment to what the step stands on; for 6, the root of the published draws."""


class StepSite(Message, frozen=True, tag="trials.site"):
    """Take a step of a site."""

    study: CaseId
    """The study."""
    site: MemberId
    """The site."""
    step: SiteStep
    """1 nominate, 2 contract, 3 approve, 4 train, 5 activate, 6 suspend, 7 restore, 8 close."""
    evidence: Digest
    """Commitment to contract, approval, training records or reason."""


class ProposeVersion(Message, frozen=True, tag="trials.propose-version"):
    """Propose an amendment. Sent by the sponsor."""

    study: CaseId
    """The study."""
    definition: Definition
    """The new version; its looks are added to those there are."""
    substantial: bool
    """Whether the regulator must approve it too."""
    reconsent_days: Annotated[int, Meta(ge=0, le=365)]
    """Days to renew consents from adoption at a site; 0 if the form did not change."""


class Adopt(Message, frozen=True, tag="trials.adopt"):
    """Put the newest approved version in force at the site that sends it."""

    study: CaseId
    """The study."""
    number: Number
    """The version."""


class Enrol(Message, frozen=True, tag="trials.enrol"):
    """Enrol. Authored by a fresh one-time key, submitted by the site. Nothing in it tells who."""

    study: CaseId
    """The study."""
    stratum: Digest
    """Opaque tag of the stratum."""
    consent: Digest
    """Salted commitment to the consent."""
    eligibility: Digest
    """Salted commitment to the signed eligibility."""


class Allocate(Message, frozen=True, tag="trials.allocate"):
    """Post the digest of an allocation's ciphertext. Sent by each of two dispensers; two digests hold the study."""

    enrolment: Digest
    """Id of the enrolment."""
    allocation: Digest
    """The digest."""


class RefuseEnrolment(Message, frozen=True, tag="trials.refuse-enrolment"):
    """Refuse a kit, as a dispenser: consent or eligibility does not hold. One that was posted is then disputed."""

    enrolment: Digest
    """Id of the enrolment."""
    reason: Digest
    """Commitment to the reason."""


class OpenAllocation(Message, frozen=True, tag="trials.open-allocation"):
    """Enter an opening of one allocation in the register: emergencies and mishaps as opened, all else as asked for."""

    study: CaseId
    """The study."""
    case: CaseId
    """16 random bytes."""
    kind: Kind
    """1 emergency, 2 SUSAR, 3 board, 4 agreed, 5 inadvertent."""
    reason: ReasonClass
    """1 treatment, 2 overdose, 3 pregnancy, 4 safety report, 5 planned look, 6 error, 7 other."""
    commitment: Digest
    """Salted commitment to the enrolment and who learns it."""
    deferred: bool
    """Whether it was opened before it could be committed; emergencies and mishaps only."""


class GrantOpening(Message, frozen=True, tag="trials.grant-opening"):
    """Agree, as trustee, to an opening; the last of the threshold opens it. The partials travel sealed, not here."""

    case: CaseId
    """The opening."""
    trustee: Number
    """The trustee's number."""


class AssessOpening(Message, frozen=True, tag="trials.assess-opening"):
    """Say that an opening was assessed. Sent by the sponsor."""

    case: CaseId
    """The opening."""
    assessment: Digest
    """Commitment to the assessment."""


class StepLook(Message, frozen=True, tag="trials.look"):
    """Take a step of an interim look: statistician, board and sponsor in turn, one look after the other."""

    study: CaseId
    """The study."""
    number: Number
    """The look."""
    step: LookStep
    """1 cut, 2 continue, 3 modify, 4 stop, 5 follow, 6 not follow."""
    evidence: Digest
    """The data cut's root, or a commitment to advice or answer."""


class LockData(Message, frozen=True, tag="trials.lock"):
    """Propose the lock of the data. Sent by the statistician; sponsor and coordinator sign it next."""

    study: CaseId
    """The study."""
    root: Digest
    """Merkle root over the canonical rows."""


class SignLock(Message, frozen=True, tag="trials.sign-lock"):
    """Sign a lock; the last signature locks."""

    study: CaseId
    """The study."""
    root: Digest
    """The root that is signed."""


class Unlock(Message, frozen=True, tag="trials.unlock"):
    """Ask to unlock; the second party to ask unlocks. What is locked next has the next number."""

    study: CaseId
    """The study."""
    reason: Digest
    """Commitment to the reason."""


class StartClock(Message, frozen=True, tag="trials.start-clock"):
    """Start a deadline of telling: 24 hours by a site, all others by the sponsor."""

    study: CaseId
    """The study."""
    case: CaseId
    """16 random bytes."""
    kind: ClockKind
    """1: 24 hours, 2: 7 days, 3: 15 days, 4: follow-up."""
    commitment: Digest
    """Salted commitment to the event."""


class MeetClock(Message, frozen=True, tag="trials.meet-clock"):
    """Say that it was told. Sent by who owes it; too late is taken, and stays late. After a 7-day one the follow-up's runs."""

    case: CaseId
    """The deadline."""
    acknowledgement: Digest
    """Digest of the acknowledgement received."""


class PostResult(Message, frozen=True, tag="trials.post-result"):
    """Commit the result of an outcome. Sent by the statistician after unblinding."""

    study: CaseId
    """The study."""
    outcome: Digest
    """The outcome's definition; one never registered is marked post hoc."""
    commitment: Digest
    """Digest of the result."""


class OmitResult(Message, frozen=True, tag="trials.omit-result"):
    """Give the reason why an outcome has no result. Sent by the statistician after unblinding."""

    study: CaseId
    """The study."""
    outcome: Digest
    """The outcome's definition."""
    reason: Digest
    """Digest of the reason."""


class StatePayment(Message, frozen=True, tag="trials.state-payment"):
    """State what is to be paid to the site that sends it. One statement after the other; a disputed one is stated anew."""

    study: CaseId
    """The study."""
    number: Number
    """The site's statement, counted from 1."""
    commitment: Digest
    """Salted commitment to its lines: amounts and visits stay between site and sponsor."""


class StepPayment(Message, frozen=True, tag="trials.step-payment"):
    """Take a step on a site's statement. Sent by the sponsor, who agrees to nothing but what it computed itself."""

    study: CaseId
    """The study."""
    site: MemberId
    """The site."""
    number: Number
    """Its statement."""
    step: PaymentStep
    """1 agree, 2 dispute, 3 pay."""
    commitment: Digest
    """The statement's commitment."""


_CASE: Final = bytes(range(16))
_DIGEST: Final = bytes(range(32))
_KEY: Final[Key96] = bytes(96)
_DEFINITION: Final = Definition(
    _DIGEST, _DIGEST, _DIGEST, (PlannedLook(500, 29626, 1525),), (Outcome(_DIGEST, Level.PRIMARY),)
)
EXAMPLES: Final[tuple[Message, ...]] = (
    Commit(
        _CASE,
        _DEFINITION,
        (Party(Part.SPONSOR, "acme-pharma"), Party(Part.COORDINATOR, "north-hospital")),
        Method.THRESHOLD,
        1,
        _KEY,
        (Trustee("trust-one", _KEY),),
    ),
    Sign(_CASE, _DIGEST),
    Approve(_CASE, 1, _DIGEST),
    RegisterTrial(_CASE, _DIGEST),
    Advance(_CASE, Step.OPEN, _DIGEST),
    StepSite(_CASE, "north-hospital", SiteStep.NOMINATE, _DIGEST),
    ProposeVersion(_CASE, _DEFINITION, substantial=True, reconsent_days=30),
    Adopt(_CASE, 2),
    Enrol(_CASE, _DIGEST, _DIGEST, _DIGEST),
    Allocate(_DIGEST, _DIGEST),
    RefuseEnrolment(_DIGEST, _DIGEST),
    OpenAllocation(_CASE, _CASE, Kind.EMERGENCY, ReasonClass.TREATMENT, _DIGEST, deferred=False),
    GrantOpening(_CASE, 1),
    AssessOpening(_CASE, _DIGEST),
    StepLook(_CASE, 1, LookStep.CUT, _DIGEST),
    LockData(_CASE, _DIGEST),
    SignLock(_CASE, _DIGEST),
    Unlock(_CASE, _DIGEST),
    PostResult(_CASE, _DIGEST, _DIGEST),
    OmitResult(_CASE, _DIGEST, _DIGEST),
    StartClock(_CASE, _CASE, ClockKind.HOURS_24, _DIGEST),
    MeetClock(_CASE, _DIGEST),
    StatePayment(_CASE, 1, _DIGEST),
    StepPayment(_CASE, "north-hospital", 1, PaymentStep.AGREE, _DIGEST),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
