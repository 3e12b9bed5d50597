"""A trial's members and the messages that bring it anywhere: for stories and vectors alike."""

from salus.contracts.membership.port import Role
from salus.contracts.trials.port import (
    Adopt,
    Advance,
    Allocate,
    Approve,
    Commit,
    Definition,
    Enrol,
    Kind,
    Level,
    LockData,
    Method,
    OpenAllocation,
    Outcome,
    Part,
    Party,
    PlannedLook,
    PostResult,
    ProposeVersion,
    ReasonClass,
    RegisterTrial,
    Sign,
    SignLock,
    SiteStep,
    Step,
    StepSite,
    Trustee,
    enrolment_id,
)

from .ledger import candidate, public

STUDY, CASE = b"study-0123456789", b"case-01234567890"
ONE, TWO, NEXT = b"\1" * 32, b"\2" * 32, b"\3" * 32
SPONSOR, NORTH, SOUTH, ETHICS, AUTHORITY = "acme-pharma", "north-hospital", "south-clinic", "ethics-board", "authority"
STATS, FIRST, SECOND, RESCUE, BOARD = "stats-house", "dispenser-a", "dispenser-b", "rescue-line", "safety-board"
TRUSTEES = ("trust-a", "trust-b", "trust-c")
ROLES = {
    SPONSOR: Role.SPONSOR,
    NORTH: Role.PROVIDER,
    SOUTH: Role.SITE,
    AUTHORITY: Role.REGULATOR,
    STATS: Role.RESEARCHER,
    FIRST: Role.DISPENSER,
    SECOND: Role.DISPENSER,
}
EVERYONE = (SPONSOR, NORTH, SOUTH, ETHICS, AUTHORITY, STATS, FIRST, SECOND, RESCUE, BOARD, *TRUSTEES)
MEMBERS = tuple(candidate(name, roles=(ROLES.get(name, Role.RESEARCHER),)) for name in sorted(EVERYONE))
PARTIES = (
    Party(Part.SPONSOR, SPONSOR),
    Party(Part.COORDINATOR, NORTH),
    Party(Part.ETHICS, ETHICS),
    Party(Part.REGULATOR, AUTHORITY),
    Party(Part.STATISTICIAN, STATS),
    Party(Part.DISPENSER, FIRST),
    Party(Part.DISPENSER, SECOND),
    Party(Part.EMERGENCY, RESCUE),
    Party(Part.BOARD, BOARD),
)
PRIMARY, SECONDARY, LATER = Outcome(ONE, Level.PRIMARY), Outcome(TWO, Level.SECONDARY), Outcome(NEXT, Level.SECONDARY)
LOOKS = (PlannedLook(500, 29626, 1525), PlannedLook(1000, 19686, 25000))
KEY = b"k" * 96
SIGNERS = tuple(sorted(set(EVERYONE) - {SPONSOR, SOUTH}))


def definition(package=ONE, analysis=ONE, looks=LOOKS, outcomes=(PRIMARY, SECONDARY), form=ONE):
    return Definition(package, analysis, form, looks, outcomes)


def shares(*members):
    return tuple(Trustee(member, KEY) for member in members)


def commit(parties=PARTIES, *, method=Method.THRESHOLD, threshold=2, trustees=TRUSTEES, key=KEY, what=None):
    return Commit(STUDY, what or definition(), parties, method, threshold, key, shares(*trustees))


def alone(member=NORTH):
    """Return the commitment of an investigator's own trial."""
    parts = (part for part in Part if part is not Part.BOARD)
    return commit(tuple(Party(part, member) for part in parts), threshold=1, trustees=(member,))


def step(kind, by=SPONSOR):
    return Advance(STUDY, kind, ONE), by, ""


def at_site(kind, by, site=NORTH):
    return StepSite(STUDY, site, kind, ONE), by, ""


COMMIT = (commit(), SPONSOR, "")
SIGNED = (COMMIT, *((Sign(STUDY, ONE), name, "") for name in SIGNERS))
APPROVED = (*SIGNED, (Approve(STUDY, 1, ONE), ETHICS, ""), (Approve(STUDY, 1, ONE), AUTHORITY, ""))
REGISTERED = (*APPROVED, (RegisterTrial(STUDY, TWO), SPONSOR, ""))


def site_ways(site=NORTH):
    return (
        at_site(SiteStep.NOMINATE, SPONSOR, site),
        at_site(SiteStep.CONTRACT, site, site),
        at_site(SiteStep.APPROVE, ETHICS, site),
        at_site(SiteStep.TRAIN, site, site),
        at_site(SiteStep.ACTIVATE, SPONSOR, site),
    )


OPEN = (*REGISTERED, *site_ways(), step(Step.OPEN))
ENROL = (Enrol(STUDY, NEXT, ONE, TWO), NORTH, "participant-1")
ENROLMENT = enrolment_id(public("participant-1"))
ENROLLED = (*OPEN, ENROL)


def allocate(by=FIRST, allocation=ONE):
    return Allocate(ENROLMENT, allocation), by, ""


ALLOCATED = (*ENROLLED, allocate(), allocate(SECOND))
EMERGENCY = (
    OpenAllocation(STUDY, CASE, Kind.EMERGENCY, ReasonClass.TREATMENT, ONE, deferred=False),
    RESCUE,
    "",
)
AGREED = (OpenAllocation(STUDY, CASE, Kind.AGREED, ReasonClass.OTHER, ONE, deferred=False), NORTH, "")
SOFT = (
    *ALLOCATED,
    step(Step.CLOSE_RECRUITMENT),
    step(Step.LAST_VISIT),
    step(Step.CLEAN),
    step(Step.SOFT_LOCK, STATS),
)
LOCK = (LockData(STUDY, ONE), STATS, "")
SIGN_LOCK = ((SignLock(STUDY, ONE), SPONSOR, ""), (SignLock(STUDY, ONE), NORTH, ""))
LOCKED = (*SOFT, LOCK, *SIGN_LOCK)
UNBLINDED = (*LOCKED, step(Step.UNBLIND, STATS))
RESULTS = tuple((PostResult(STUDY, outcome, NEXT), STATS, "") for outcome in (ONE, TWO))
ANALYSED = (*UNBLINDED, *RESULTS, step(Step.ANALYSE, STATS))
AMENDED = definition(TWO, TWO, (), (PRIMARY, LATER), TWO)
PROPOSE = (ProposeVersion(STUDY, AMENDED, substantial=True, reconsent_days=30), SPONSOR, "")
SECOND_VERSION = (PROPOSE, (Approve(STUDY, 2, TWO), ETHICS, ""), (Approve(STUDY, 2, TWO), AUTHORITY, ""))
ADOPT = (Adopt(STUDY, 2), NORTH, "")


def play(ledger, *steps):
    """Send messages one after the other; return the data of the last."""
    data = b""
    for message, by, author in steps:
        data = ledger.send(message, by, author)
    return data
