"""The rules of a running trial: enrolment, allocation, openings, looks, locks, safety clocks, results."""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.trials.life import (
    ENROLMENT,
    LOCK,
    LOOK,
    OPENING,
    RESULT,
    STUDY,
    EnrolmentStatus,
    LockStatus,
    LookStatus,
    OpeningStatus,
    SiteStatus,
    StudyStatus,
)
from salus.contracts.trials.messages import (
    Allocate,
    AssessOpening,
    Enrol,
    GrantOpening,
    LockData,
    LookStep,
    OmitResult,
    OpenAllocation,
    PostResult,
    RefuseEnrolment,
    SignLock,
    StepLook,
    Unlock,
)
from salus.contracts.trials.parts import own_site, plays, require, row_of, stepped, study_of
from salus.contracts.trials.reasons import TrialsReason
from salus.contracts.trials.state import (
    ENROLMENTS,
    LOCKS,
    LOOKS,
    MAX_NUMBERED,
    MAX_OUTCOMES,
    OPENINGS,
    RESULTS,
    STRATA,
    STUDIES,
    UNLOCKERS,
    Enrolment,
    Kind,
    Lock,
    Method,
    Opening,
    Part,
    Result,
    Stratum,
    Study,
    enrolment_id,
    numbered_key,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule

AT_ONCE: Final = frozenset((Kind.EMERGENCY, Kind.INADVERTENT))
HAS_ALLOCATIONS: Final = frozenset(StudyStatus) - {
    StudyStatus.DRAFT,
    StudyStatus.COMMITTED,
    StudyStatus.ETHICS_OK,
    StudyStatus.AUTHORISED,
    StudyStatus.REGISTERED,
}
_LOOK_PART: Final[Mapping[LookStep, Part]] = {
    LookStep.CUT: Part.STATISTICIAN,
    LookStep.CONTINUE: Part.BOARD,
    LookStep.MODIFY: Part.BOARD,
    LookStep.STOP: Part.BOARD,
    LookStep.FOLLOW: Part.SPONSOR,
    LookStep.NOT_FOLLOW: Part.SPONSOR,
}
_ANSWERED: Final = frozenset((LookStatus.FOLLOWED, LookStatus.NOT_FOLLOWED))


def enrol(ctx: Context, message: Enrol) -> bytes:
    """Enrol. Returns enrolment id 32 | study 16 | stratum 32 | place u32 | version u16 | site, ASCII."""
    study, _ = study_of(ctx, message.study)
    if study.status is not StudyStatus.OPEN:
        raise Rejected(TrialsReason.WRONG_STATUS, status=study.status.name, step="enrol")
    site = own_site(ctx, message.study)
    if site is None or site.status is not SiteStatus.ACTIVE:
        raise Rejected(TrialsReason.SITE_NOT_ACTIVE, site=ctx.submitter)
    id_ = enrolment_id(ctx.author)
    if ctx.get(ENROLMENTS, id_) is not None:
        raise Rejected(TrialsReason.CASE_EXISTS, enrolment=id_.hex())
    stratum = message.study + message.stratum
    before = ctx.get(STRATA, stratum)
    place = 0 if before is None else before.enrolled

    row = Enrolment(
        study=message.study,
        site=ctx.submitter,
        status=ENROLMENT[None, "enrol"],
        stratum=message.stratum,
        place=place,
        version=site.version,
        transaction=ctx.tx_id,
        consent=message.consent,
        eligibility=message.eligibility,
        allocation=b"",
        dispenser="",
        height=ctx.height,
    )
    ctx.insert(ENROLMENTS, id_, row)
    ctx.put(STRATA, stratum, Stratum(place + 1))
    told = place.to_bytes(4, "big") + site.version.to_bytes(2, "big")
    return id_ + message.study + message.stratum + told + ctx.submitter.encode("ascii")


def allocate(ctx: Context, message: Allocate) -> bytes:
    """Post an allocation's digest. Returns enrolment id 32 | status u8 | the digest posted first 32."""
    row = row_of(ctx, ENROLMENTS, message.enrolment)
    study, roster = study_of(ctx, row.study)
    require(ctx, roster, Part.DISPENSER)
    if row.dispenser == ctx.submitter:
        raise Rejected(TrialsReason.ALREADY_SIGNED, enrolment=message.enrolment.hex())
    if row.dispenser:
        step = "agree" if row.allocation == message.allocation else "differ"
    else:
        step = "post-alone" if study.alone else "post"
    status = stepped(ENROLMENT, row.status, step)

    allocation, dispenser = (row.allocation, row.dispenser) if row.dispenser else (message.allocation, ctx.submitter)
    after = structs.replace(row, status=status, allocation=allocation, dispenser=dispenser, height=ctx.height)
    ctx.put(ENROLMENTS, message.enrolment, after)
    if status is EnrolmentStatus.DISPUTED:
        _hold(ctx, row.study, study)
    return message.enrolment + bytes((status,)) + allocation


def refuse_enrolment(ctx: Context, message: RefuseEnrolment) -> bytes:
    """Refuse a kit. Returns enrolment id 32 | status u8 | reason 32."""
    row = row_of(ctx, ENROLMENTS, message.enrolment)
    study, roster = study_of(ctx, row.study)
    require(ctx, roster, Part.DISPENSER)
    if row.dispenser == ctx.submitter:
        raise Rejected(TrialsReason.ALREADY_SIGNED, enrolment=message.enrolment.hex())
    status = stepped(ENROLMENT, row.status, "refuse")

    ctx.put(ENROLMENTS, message.enrolment, structs.replace(row, status=status, height=ctx.height))
    if status is EnrolmentStatus.DISPUTED:
        _hold(ctx, row.study, study)
    return message.enrolment + bytes((status,)) + message.reason


def _hold(ctx: Context, id_: bytes, study: Study) -> None:
    """Hold a study over a dispute, if it draws."""
    held = STUDY.get((study.status, "dispute"))
    if held is not None:
        ctx.put(STUDIES, id_, structs.replace(study, status=held, held_by="", height=ctx.height))


def open_allocation(ctx: Context, message: OpenAllocation) -> bytes:
    """Enter an opening. Returns case 16 | kind u8 | status u8 | deferred u8 | commitment 32 | requester, ASCII."""
    if ctx.get(OPENINGS, message.case) is not None:
        raise Rejected(TrialsReason.CASE_EXISTS, case=message.case.hex())
    study, roster = study_of(ctx, message.study)
    site = own_site(ctx, message.study)
    parts = {
        Kind.EMERGENCY: (Part.EMERGENCY,),
        Kind.SUSAR: (Part.REGULATOR, Part.ETHICS),
        Kind.BOARD: (Part.BOARD,),
    }.get(message.kind, tuple(Part))
    by_site = site is not None and message.kind not in {Kind.SUSAR, Kind.BOARD}
    if not by_site and not plays(roster, ctx.submitter, *parts):
        raise Rejected(TrialsReason.NOT_PARTY, kind=message.kind.name)
    if study.status not in HAS_ALLOCATIONS:
        raise Rejected(TrialsReason.WRONG_STATUS, status=study.status.name, step="open")
    if message.deferred and message.kind not in AT_ONCE:
        raise Rejected(TrialsReason.WRONG_KIND, kind=message.kind.name)
    at_once = message.kind in AT_ONCE or roster.method is Method.EXTERNAL
    status = OPENING[None, "open" if at_once else "request"]

    row = Opening(
        study=message.study,
        kind=message.kind,
        reason=message.reason,
        status=status,
        requester=ctx.submitter,
        commitment=message.commitment,
        deferred=message.deferred,
        granted=(),
        height=ctx.height,
    )
    ctx.insert(OPENINGS, message.case, row)
    if at_once:
        unblind(ctx, message.study, study)
    told = bytes((message.kind, status, message.deferred)) + message.commitment
    return message.case + told + ctx.submitter.encode("ascii")


def grant_opening(ctx: Context, message: GrantOpening) -> bytes:
    """Agree to an opening. Returns case 16 | status u8 | trustee u16."""
    row = row_of(ctx, OPENINGS, message.case)
    study, roster = study_of(ctx, row.study)
    if not 1 <= message.trustee <= len(roster.trustees):
        raise Rejected(TrialsReason.NOT_PARTY, trustee=message.trustee)
    if roster.trustees[message.trustee - 1].member != ctx.submitter:
        raise Rejected(TrialsReason.NOT_PARTY, trustee=message.trustee)
    if message.trustee in row.granted:
        raise Rejected(TrialsReason.ALREADY_SIGNED, trustee=message.trustee)
    granted = tuple(sorted((*row.granted, message.trustee)))
    status = stepped(OPENING, row.status, "grant-last" if len(granted) >= roster.threshold else "grant")

    ctx.put(OPENINGS, message.case, structs.replace(row, status=status, granted=granted, height=ctx.height))
    if status is OpeningStatus.OPENED:
        unblind(ctx, row.study, study)
    return message.case + bytes((status,)) + message.trustee.to_bytes(2, "big")


def unblind(ctx: Context, id_: bytes, study: Study) -> None:
    """Note the first opening of an allocation in a study."""
    if not study.unblinded:
        ctx.put(STUDIES, id_, structs.replace(study, unblinded=ctx.height))


def assess_opening(ctx: Context, message: AssessOpening) -> bytes:
    """Say that an opening was assessed. Returns case 16 | status u8 | assessment 32."""
    row = row_of(ctx, OPENINGS, message.case)
    _, roster = study_of(ctx, row.study)
    require(ctx, roster, Part.SPONSOR)
    status = stepped(OPENING, row.status, "assess")

    ctx.put(OPENINGS, message.case, structs.replace(row, status=status, height=ctx.height))
    return message.case + bytes((status,)) + message.assessment


def step_look(ctx: Context, message: StepLook) -> bytes:
    """Take a step of a look. Returns study 16 | number u16 | status u8 | evidence 32."""
    _, roster = study_of(ctx, message.study)
    require(ctx, roster, _LOOK_PART[message.step])
    key = numbered_key(message.study, message.number)
    row = row_of(ctx, LOOKS, key)
    status = stepped(LOOK, row.status, message.step.name.lower().replace("_", "-"))
    if message.step is LookStep.CUT and message.number > 1:
        earlier = row_of(ctx, LOOKS, numbered_key(message.study, message.number - 1))
        if earlier.status not in _ANSWERED:
            raise Rejected(TrialsReason.WRONG_STATUS, status=earlier.status.name, step="cut")

    data = message.evidence if message.step is LookStep.CUT else row.data
    ctx.put(LOOKS, key, structs.replace(row, status=status, data=data, height=ctx.height))
    return key + bytes((status,)) + message.evidence


def lock_data(ctx: Context, message: LockData) -> bytes:
    """Propose a lock. Returns study 16 | number u16 | status u8 | root 32."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.STATISTICIAN)
    locked = stepped(STUDY, study.status, "lock")
    signers = {party.member for party in roster.parties if party.part in {Part.SPONSOR, Part.COORDINATOR}}
    waiting = tuple(sorted(signers - {ctx.submitter}))
    number = study.locks + 1
    if number > MAX_NUMBERED:
        raise Rejected(TrialsReason.TOO_MANY, most=MAX_NUMBERED)
    status = LOCK[None, "propose" if waiting else "propose-alone"]

    after = structs.replace(study, status=study.status if waiting else locked, locks=number, height=ctx.height)
    key = numbered_key(message.study, number)
    ctx.insert(LOCKS, key, Lock(status, message.root, waiting, (), b"", ctx.height))
    ctx.put(STUDIES, message.study, after)
    return key + bytes((status,)) + message.root


def sign_lock(ctx: Context, message: SignLock) -> bytes:
    """Sign the newest lock. Returns study 16 | number u16 | status u8 | root 32."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.SPONSOR, Part.COORDINATOR)
    key = numbered_key(message.study, study.locks)
    row = row_of(ctx, LOCKS, key)
    if row.root != message.root:
        raise Rejected(TrialsReason.NOT_NEWEST, number=study.locks)
    waiting = tuple(name for name in row.waiting if name != ctx.submitter)
    status = stepped(LOCK, row.status, "sign" if waiting else "sign-last")
    after = study.status if waiting else stepped(STUDY, study.status, "lock")
    if len(waiting) == len(row.waiting):
        raise Rejected(TrialsReason.ALREADY_SIGNED, number=study.locks)

    ctx.put(LOCKS, key, structs.replace(row, status=status, waiting=waiting, height=ctx.height))
    if status is LockStatus.LOCKED:
        ctx.put(STUDIES, message.study, structs.replace(study, status=after, height=ctx.height))
    return key + bytes((status,)) + message.root


def unlock(ctx: Context, message: Unlock) -> bytes:
    """Ask to unlock. Returns study 16 | number u16 | status u8 | reason 32."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.SPONSOR, Part.COORDINATOR, Part.STATISTICIAN, Part.ETHICS)
    after = stepped(STUDY, study.status, "unlock")
    key = numbered_key(message.study, study.locks)
    row = row_of(ctx, LOCKS, key)
    if ctx.submitter in row.unlocking:
        raise Rejected(TrialsReason.ALREADY_SIGNED, number=study.locks)
    unlocking = (*row.unlocking, ctx.submitter)
    enough = study.alone or len(unlocking) == UNLOCKERS
    status = stepped(LOCK, row.status, "unlock" if enough else "ask-unlock")

    changed = structs.replace(row, status=status, unlocking=unlocking, reason=message.reason, height=ctx.height)
    ctx.put(LOCKS, key, changed)
    if enough:
        ctx.put(STUDIES, message.study, structs.replace(study, status=after, height=ctx.height))
    return key + bytes((status,)) + message.reason


def post_result(ctx: Context, message: PostResult) -> bytes:
    """Commit a result. Returns study 16 | outcome 32 | status u8 | commitment 32."""
    return _result(ctx, message.study, message.outcome, "post", message.commitment)


def omit_result(ctx: Context, message: OmitResult) -> bytes:
    """Give the reason for a missing result. Returns study 16 | outcome 32 | status u8 | reason 32."""
    return _result(ctx, message.study, message.outcome, "not-done", message.reason)


def _result(ctx: Context, id_: bytes, outcome: bytes, step: str, commitment: bytes) -> bytes:
    study, roster = study_of(ctx, id_)
    require(ctx, roster, Part.STATISTICIAN)
    if study.status not in {StudyStatus.UNBLINDED, StudyStatus.ANALYSED}:
        raise Rejected(TrialsReason.WRONG_STATUS, status=study.status.name, step=step)
    row = ctx.get(RESULTS, id_ + outcome)
    status = stepped(RESULT, None if row is None else row.status, step)
    if row is None and sum(each.status is status for _, each in ctx.range(RESULTS, id_)) >= MAX_OUTCOMES:
        raise Rejected(TrialsReason.TOO_MANY, most=MAX_OUTCOMES)

    version = study.version if row is None else row.version
    ctx.put(RESULTS, id_ + outcome, Result(status, version, commitment, ctx.height))
    return id_ + outcome + bytes((status,)) + commitment


RULES: Final[Mapping[type[Message], Rule]] = {
    Enrol: Rule(enrol, authored=True),
    Allocate: Rule(allocate, authored=False),
    RefuseEnrolment: Rule(refuse_enrolment, authored=False),
    OpenAllocation: Rule(open_allocation, authored=False),
    GrantOpening: Rule(grant_opening, authored=False),
    AssessOpening: Rule(assess_opening, authored=False),
    StepLook: Rule(step_look, authored=False),
    LockData: Rule(lock_data, authored=False),
    SignLock: Rule(sign_lock, authored=False),
    Unlock: Rule(unlock, authored=False),
    PostResult: Rule(post_result, authored=False),
    OmitResult: Rule(omit_result, authored=False),
}
