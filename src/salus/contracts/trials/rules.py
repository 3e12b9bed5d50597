"""The trials contract, rule version 1. Here: a study, its sites and versions; `conduct.py` holds what runs in it.

Attacks, and what stops each (`tests/contracts/test_trials_story.py` runs them):

    a sponsor keeps kits, or the emergency envelope    PARTS_MEET, unless one organisation is alone, which is labelled
    one organisation holds enough shares to draw       PARTS_MEET; each trustee signs only the key it computed
    a sponsor puts in a key of its own                 COMMITTED only after every trustee and dispenser signed
    consent or draw before registration                no enrolment before OPEN, no OPEN before REGISTERED
    an enrolment is drawn again                        a one-time key enrols once: CASE_EXISTS; its row never changes
    a dispenser steers a draw                          a second posts the digest too; two digests hold the study
    the sponsor resumes what the regulator holds       NOT_PARTY: who held it resumes it; a dispute, the ethics board
    a look too many                                    NO_SUCH_CASE: looks are planned by approved versions only
    outcomes change after an unblinding                the version carries `after_unblinding` for ever
    an edit after the lock                             WRONG_STATUS; an unlock takes two parties, the old root stays
    an outcome is left out of the report               OUTCOMES_OPEN
    an outcome is added to what was reported           WRONG_STATUS: no version is approved after the report
    a missed deadline is backdated                     only block time starts and ends a clock
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.contract import Contract
from salus.contracts.membership.port import Role
from salus.contracts.trials import conduct, paying, telling
from salus.contracts.trials.life import (
    LOOK,
    RESULT,
    SITE,
    STUDY,
    VERSION,
    ResultStatus,
    SiteStatus,
    StudyStatus,
    VersionStatus,
)
from salus.contracts.trials.messages import (
    EXAMPLES,
    Adopt,
    Advance,
    Approve,
    Commit,
    Definition,
    ProposeVersion,
    RegisterTrial,
    Sign,
    SiteStep,
    Step,
    StepSite,
)
from salus.contracts.trials.parts import (
    active,
    check_definition,
    check_parts,
    is_alone,
    members_of,
    own_site,
    plays,
    require,
    roster_of,
    row_of,
    stepped,
    study_of,
)
from salus.contracts.trials.reasons import TrialsReason
from salus.contracts.trials.state import (
    DAY,
    ENROLMENTS,
    LOCKS,
    LOOKS,
    MAX_NUMBERED,
    NUMBER,
    OPENINGS,
    PAYMENTS,
    RESULTS,
    RESULTS_DUE,
    ROSTERS,
    SAFETY_CLOCKS,
    SITES,
    STRATA,
    STUDIES,
    VERSIONS,
    Look,
    Part,
    Result,
    Roster,
    Site,
    Study,
    Version,
    numbered_key,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule

_STEP_PARTS: Final[Mapping[Step, tuple[Part, ...]]] = {
    Step.OPEN: (Part.SPONSOR,),
    Step.CLOSE_RECRUITMENT: (Part.SPONSOR,),
    Step.LAST_VISIT: (Part.SPONSOR,),
    Step.CLEAN: (Part.SPONSOR,),
    Step.SOFT_LOCK: (Part.STATISTICIAN,),
    Step.UNBLIND: (Part.STATISTICIAN,),
    Step.ANALYSE: (Part.STATISTICIAN,),
    Step.REPORT: (Part.SPONSOR,),
    Step.HOLD: (Part.SPONSOR, Part.ETHICS, Part.REGULATOR, Part.BOARD),
    Step.RESUME: (Part.SPONSOR, Part.ETHICS, Part.REGULATOR, Part.BOARD),
    Step.TERMINATE: (Part.SPONSOR, Part.ETHICS, Part.REGULATOR),
}
_SITE_PARTS: Final[Mapping[SiteStep, tuple[Part, ...]]] = {
    SiteStep.NOMINATE: (Part.SPONSOR,),
    SiteStep.CONTRACT: (),
    SiteStep.APPROVE: (Part.ETHICS,),
    SiteStep.TRAIN: (),
    SiteStep.ACTIVATE: (Part.SPONSOR,),
    SiteStep.SUSPEND: (Part.SPONSOR, Part.ETHICS, Part.REGULATOR),
    SiteStep.RESTORE: (Part.ETHICS,),
    SiteStep.CLOSE: (Part.SPONSOR,),
}
"""Whose step it is; an empty one is the site's own."""
_ACTIVATES: Final = frozenset((StudyStatus.REGISTERED, StudyStatus.OPEN, StudyStatus.HOLD))
_AMENDABLE: Final = frozenset(StudyStatus) - {
    StudyStatus.DRAFT,
    StudyStatus.COMMITTED,
    StudyStatus.ETHICS_OK,
    StudyStatus.REPORTED,
}


def commit(ctx: Context, message: Commit) -> bytes:
    """Commit a trial. Returns study 16 | status u8 | package 32 | sponsor, ASCII."""
    if ctx.get(STUDIES, message.study) is not None:
        raise Rejected(TrialsReason.CASE_EXISTS, study=message.study.hex())
    alone = is_alone(message)
    active(ctx, ctx.submitter, *(() if alone else (Role.SPONSOR,)))
    check_definition(message.definition)
    check_parts(ctx, message)
    status = STUDY[None, "commit-alone" if alone else "commit"]

    study = Study(
        status=status,
        sponsor=ctx.submitter,
        alone=alone,
        waiting=tuple(sorted(members_of(message) - {ctx.submitter})),
        version=1,
        versions=1,
        looks=0,
        locks=0,
        registry=b"",
        registered=0,
        unblinded=0,
        held_by="",
        results_due=0,
        height=ctx.height,
    )
    ctx.insert(STUDIES, message.study, study)
    ctx.insert(ROSTERS, message.study, roster_of(message))
    first = _version(ctx, message.definition, substantial=True, days=0, flagged=False)
    ctx.insert(VERSIONS, numbered_key(message.study, 1), first)
    return message.study + bytes((status,)) + message.definition.package + ctx.submitter.encode("ascii")


def _version(ctx: Context, definition: Definition, *, substantial: bool, days: int, flagged: bool) -> Version:
    return Version(
        status=VERSION[None, "propose"],
        package=definition.package,
        analysis=definition.analysis,
        consent_form=definition.consent_form,
        substantial=substantial,
        after_unblinding=flagged,
        reconsent_days=days,
        looks=definition.looks,
        outcomes=definition.outcomes,
        approved=0,
        height=ctx.height,
    )


def sign(ctx: Context, message: Sign) -> bytes:
    """Sign a definition. Returns study 16 | status u8 | package 32 | who signed, ASCII."""
    study, _ = study_of(ctx, message.study)
    if row_of(ctx, VERSIONS, numbered_key(message.study, 1)).package != message.package:
        raise Rejected(TrialsReason.NOT_NEWEST, number=1)
    waiting = tuple(name for name in study.waiting if name != ctx.submitter)
    status = stepped(STUDY, study.status, "sign" if waiting else "sign-last")
    if len(waiting) == len(study.waiting):
        raise Rejected(TrialsReason.ALREADY_SIGNED, member=ctx.submitter)

    ctx.put(STUDIES, message.study, structs.replace(study, status=status, waiting=waiting, height=ctx.height))
    return message.study + bytes((status,)) + message.package + ctx.submitter.encode("ascii")


def approve(ctx: Context, message: Approve) -> bytes:
    """Approve a version. Returns study 16 | number u16 | version's status u8 | package 32 | who, ASCII."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.ETHICS, Part.REGULATOR)
    key = numbered_key(message.study, message.number)
    row = row_of(ctx, VERSIONS, key)
    if row.package != message.package or message.number < study.version:
        raise Rejected(TrialsReason.NOT_NEWEST, number=message.number)
    ethics = row.status is VersionStatus.PROPOSED
    require(ctx, roster, Part.ETHICS if ethics else Part.REGULATOR)
    step = "authority" if not ethics else "ethics" if row.substantial else "ethics-alone"
    status = stepped(VERSION, row.status, step)
    if message.number == 1:
        study = structs.replace(study, status=stepped(STUDY, study.status, step))
    elif study.status not in _AMENDABLE:
        raise Rejected(TrialsReason.WRONG_STATUS, status=study.status.name, step="approve")

    if status is VersionStatus.APPROVED:
        _put_in_force(ctx, message.study, study, message.number, row)
    else:
        ctx.put(STUDIES, message.study, structs.replace(study, height=ctx.height))
        ctx.put(VERSIONS, key, structs.replace(row, status=status, height=ctx.height))
    return key + bytes((status,)) + message.package + ctx.submitter.encode("ascii")


def _put_in_force(ctx: Context, id_: bytes, study: Study, number: int, row: Version) -> None:
    """Write a version as approved, the one before as superseded, its looks and outcomes."""
    flagged = row.after_unblinding
    if number > 1:
        earlier_key = numbered_key(id_, study.version)
        earlier = row_of(ctx, VERSIONS, earlier_key)
        flagged = flagged or _changes_unblinded(study, earlier, row)
        status = VERSION[earlier.status, "supersede"]
        ctx.put(VERSIONS, earlier_key, structs.replace(earlier, status=status, height=ctx.height))
    changes = {"status": VersionStatus.APPROVED, "after_unblinding": flagged, "approved": ctx.time}
    ctx.put(VERSIONS, numbered_key(id_, number), structs.replace(row, height=ctx.height, **changes))
    for place, planned in enumerate(row.looks, study.looks + 1):
        look = Look(planned, number, LOOK[None, "plan"], b"", ctx.height)
        ctx.insert(LOOKS, numbered_key(id_, place), look)
    _plan_outcomes(ctx, id_, number, row)
    looks = study.looks + len(row.looks)
    ctx.put(STUDIES, id_, structs.replace(study, version=number, looks=looks, height=ctx.height))


def _changes_unblinded(study: Study, earlier: Version, later: Version) -> bool:
    changed = (earlier.analysis, earlier.outcomes) != (later.analysis, later.outcomes)
    return study.unblinded > 0 and changed


def _plan_outcomes(ctx: Context, id_: bytes, number: int, row: Version) -> None:
    wanted = {outcome.definition for outcome in row.outcomes}
    standing = {key[len(id_) :]: result for key, result in ctx.range(RESULTS, id_)}
    for definition in sorted(standing):
        dropped = RESULT.get((standing[definition].status, "drop"))
        if definition not in wanted and dropped is not None:
            told = structs.replace(standing[definition], status=dropped, height=ctx.height)
            ctx.put(RESULTS, id_ + definition, told)
    for definition in sorted(wanted):
        before = standing.get(definition)
        if before is None or before.status is ResultStatus.DROPPED:
            status = RESULT[None if before is None else before.status, "plan" if number == 1 else "add"]
            ctx.put(RESULTS, id_ + definition, Result(status, number, b"", ctx.height))


def register(ctx: Context, message: RegisterTrial) -> bytes:
    """Register. Returns study 16 | status u8 | registry 32 | block time u64."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.SPONSOR)
    status = stepped(STUDY, study.status, "register")

    changes = {"status": status, "registry": message.registry, "registered": ctx.time}
    ctx.put(STUDIES, message.study, structs.replace(study, height=ctx.height, **changes))
    return message.study + bytes((status,)) + message.registry + ctx.time.to_bytes(8, "big")


def advance(ctx: Context, message: Advance) -> bytes:
    """Take a step of a study. Returns study 16 | status u8 | evidence 32 | who, ASCII."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, *_STEP_PARTS[message.step])
    status = stepped(STUDY, study.status, message.step.name.lower().replace("_", "-"))
    if message.step is Step.RESUME:
        _require_holder(ctx, study, roster)
    if message.step is Step.REPORT:
        for key, result in ctx.range(RESULTS, message.study):
            if result.status in {ResultStatus.PLANNED, ResultStatus.ADDED}:
                raise Rejected(TrialsReason.OUTCOMES_OPEN, outcome=key[16:].hex())

    due = ctx.time + RESULTS_DUE if message.step in {Step.LAST_VISIT, Step.TERMINATE} else study.results_due
    after = structs.replace(
        study,
        status=status,
        held_by=ctx.submitter if message.step is Step.HOLD else "",
        results_due=due,
        unblinded=study.unblinded or (ctx.height if message.step is Step.UNBLIND else 0),
        height=ctx.height,
    )
    ctx.put(STUDIES, message.study, after)
    return message.study + bytes((status,)) + message.evidence + ctx.submitter.encode("ascii")


def _require_holder(ctx: Context, study: Study, roster: Roster) -> None:
    if study.held_by:
        if ctx.submitter != study.held_by:
            raise Rejected(TrialsReason.NOT_PARTY, held_by=study.held_by)
        return
    require(ctx, roster, Part.ETHICS)


def step_site(ctx: Context, message: StepSite) -> bytes:
    """Take a step of a site. Returns study 16 | status u8 | evidence 32 | site, ASCII."""
    study, roster = study_of(ctx, message.study)
    parts = _SITE_PARTS[message.step]
    if parts:
        require(ctx, roster, *parts)
    elif ctx.submitter != message.site:
        raise Rejected(TrialsReason.NOT_PARTY, site=message.site)
    key = message.study + message.site.encode("ascii")
    before = ctx.get(SITES, key)
    if before is None and message.step is not SiteStep.NOMINATE:
        raise Rejected(TrialsReason.NO_SUCH_CASE, site=message.site)
    status = stepped(SITE, None if before is None else before.status, message.step.name.lower())
    if message.step is SiteStep.NOMINATE:
        active(ctx, message.site, Role.SITE, Role.PROVIDER, *((Role.SPONSOR,) if study.alone else ()))
        unblinded = (Part.DISPENSER, Part.ETHICS, Part.REGULATOR)
        if not study.alone and plays(roster, message.site, *unblinded):
            raise Rejected(TrialsReason.PARTS_MEET, member=message.site, parts="SITE")
    if message.step is SiteStep.ACTIVATE and study.status not in _ACTIVATES:
        raise Rejected(TrialsReason.WRONG_STATUS, status=study.status.name, step="activate")

    row = before or Site(SiteStatus.CANDIDATE, 0, 0, 0, b"", ctx.height)
    changes = {"status": status, "evidence": message.evidence, "height": ctx.height}
    if message.step is SiteStep.ACTIVATE:
        changes |= {"version": study.version, "adopted": ctx.time}
    ctx.put(SITES, key, structs.replace(row, **changes))
    return message.study + bytes((status,)) + message.evidence + message.site.encode("ascii")


def propose_version(ctx: Context, message: ProposeVersion) -> bytes:
    """Propose an amendment. Returns study 16 | number u16 | flag u8 | package 32."""
    study, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.SPONSOR)
    if study.status not in _AMENDABLE:
        raise Rejected(TrialsReason.WRONG_STATUS, status=study.status.name, step="amend")
    check_definition(message.definition)
    number = study.versions + 1
    if number > MAX_NUMBERED:
        raise Rejected(TrialsReason.TOO_MANY, most=MAX_NUMBERED)
    row = _version(ctx, message.definition, substantial=message.substantial, days=message.reconsent_days, flagged=False)
    in_force = row_of(ctx, VERSIONS, numbered_key(message.study, study.version))
    row = structs.replace(row, after_unblinding=_changes_unblinded(study, in_force, row))

    key = numbered_key(message.study, number)
    ctx.insert(VERSIONS, key, row)
    ctx.put(STUDIES, message.study, structs.replace(study, versions=number, height=ctx.height))
    return key + bytes((row.after_unblinding,)) + row.package


def adopt(ctx: Context, message: Adopt) -> bytes:
    """Put a version in force at a site. Returns study 16 | number u16 | renew consents by u64 | site, ASCII."""
    study, _ = study_of(ctx, message.study)
    site = own_site(ctx, message.study)
    if site is None:
        raise Rejected(TrialsReason.NO_SUCH_CASE, site=ctx.submitter)
    status = stepped(SITE, site.status, "adopt")
    if message.number != study.version or message.number == site.version:
        raise Rejected(TrialsReason.NOT_NEWEST, number=study.version)
    between = [row_of(ctx, VERSIONS, numbered_key(message.study, each)) for each in _after(site, message.number)]
    days = max((row.reconsent_days for row in between if row.approved), default=0)

    by = ctx.time + days * DAY if days else site.reconsent_by
    changes = {"status": status, "version": message.number, "adopted": ctx.time, "reconsent_by": by}
    key = message.study + ctx.submitter.encode("ascii")
    ctx.put(SITES, key, structs.replace(site, height=ctx.height, **changes))
    return numbered_key(message.study, message.number) + by.to_bytes(8, "big") + ctx.submitter.encode("ascii")


def _after(site: Site, number: int) -> range:
    return range(site.version + 1, number + 1)


RULES: Final[Mapping[type[Message], Rule]] = {
    Commit: Rule(commit, authored=False),
    Sign: Rule(sign, authored=False),
    Approve: Rule(approve, authored=False),
    RegisterTrial: Rule(register, authored=False),
    Advance: Rule(advance, authored=False),
    StepSite: Rule(step_site, authored=False),
    ProposeVersion: Rule(propose_version, authored=False),
    Adopt: Rule(adopt, authored=False),
    **conduct.RULES,
    **telling.RULES,
    **paying.RULES,
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="trials",
    rules=RULES,
    tables=(
        STUDIES,
        ROSTERS,
        VERSIONS,
        SITES,
        ENROLMENTS,
        STRATA,
        OPENINGS,
        LOOKS,
        LOCKS,
        SAFETY_CLOCKS,
        RESULTS,
        PAYMENTS,
    ),
    reasons=TrialsReason,
    examples=EXAMPLES,
)
