"""The end of a trial: `trial lock`, `sign-lock`, `publish`, `audit`, `result`, `registry`, `outcomes`."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from salus.agreements.trials.conduct import State
from salus.agreements.trials.locking import LockedData, differing, locked_data
from salus.agreements.trials.outcomes import Registered, compare
from salus.agreements.trials.participants import Participant
from salus.agreements.trials.terms import registered_outcomes, scheme_of
from salus.contracts.trials import port
from salus.core.proof.digest import digest, mac
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.trials.exchange import curve, send
from salus.node.trials.founding import STUDY, outcome_of
from salus.node.trials.kept import Draws, Envelope, Rows, Supply, keep, kept, one
from salus.node.trials.sight import in_order, members_of, people, place_of, study_of, terms_of
from salus.node.usecase import OPERATOR, Message, Verdict, use_case


class LockTrial(Message, frozen=True):
    """The study to lock."""

    study: STUDY


class TrialLocked(Message, frozen=True):
    """The lock as it stands."""

    root: Annotated[str, Meta(description="Root over the canonical rows and the SDTM tables.")]
    rows: Annotated[int, Meta(description="Rows, one value each.")]
    tables: Annotated[int, Meta(description="Rows of the SDTM tables, and a line of columns for each table.")]
    status: Annotated[str, Meta(description="proposed or locked.")]
    unsigned: Annotated[
        int,
        Meta(description="Visits of participants without a draw that no investigator signed; they are locked as such."),
    ]


class UnlockTrial(Message, frozen=True):
    """The study whose data is to be unlocked, and why."""

    study: STUDY
    reason: Annotated[
        str, Meta(min_length=1, max_length=2000, description="Why; only a commitment is public.", examples=["error"])
    ]


class TrialUnlocked(Message, frozen=True):
    """The lock as it stands: the second party to ask unlocks it."""

    status: Annotated[str, Meta(description="locked or unlocked.")]
    asked: Annotated[int, Meta(description="Parties that asked.")]


class StepTrialLook(Message, frozen=True):
    """A step of an interim look."""

    study: STUDY
    number: Annotated[int, Meta(ge=1, le=65_535, description="The look.", examples=[1])]
    step: Annotated[str, Meta(description="cut, continue, modify, stop, follow, not-follow.", examples=["cut"])]
    evidence: Annotated[
        str, Meta(max_length=4000, description="Advice or answer; only a commitment is public.", examples=[""])
    ] = ""


class TrialLookStepped(Message, frozen=True):
    """The look as it stands, with what was signed of it before the first participant."""

    status: Annotated[str, Meta(description="Its status.")]
    data: Annotated[str, Meta(description="Root of the data cut.")]
    planned: Annotated[str, Meta(description="Fraction, boundary of z, cumulative alpha.")]


class PublishDraws(Message, frozen=True):
    """The study whose draws a dispenser publishes, after the unblinding."""

    study: STUDY


class DrawsPublished(Message, frozen=True):
    """Everyone they were sent to replays them."""

    draws: Annotated[int, Meta(description="Draws.")]


class AuditDraws(Message, frozen=True):
    """The study whose draws are replayed."""

    study: STUDY


class DrawsAudited(Message, frozen=True):
    """What the replay says."""

    draws: Annotated[int, Meta(description="Draws replayed.")]
    wrong: Annotated[tuple[str, ...], Meta(description="Enrolments whose allocation is not what the draw gives.")]
    arms: Annotated[tuple[str, ...], Meta(description="Participants by arm.")]


class PostResult(Message, frozen=True):
    """A result of one outcome, or why there is none."""

    study: STUDY
    outcome: Annotated[str, Meta(max_length=200, description="Id of the outcome.", examples=["pain-week4"])]
    result: Annotated[str, Meta(max_length=4000, description="The result as reported.", examples=["-1.9"])] = ""
    reason: Annotated[str, Meta(max_length=2000, description="Why there is none.", examples=["not done"])] = ""


class ResultPosted(Message, frozen=True):
    """What the ledger says of it."""

    status: Annotated[str, Meta(description="posted, not_done or post_hoc.")]


class CompareOutcomes(Message, frozen=True):
    """A report and the study it is of."""

    study: STUDY
    report: Annotated[
        bytes, Meta(description="JSON list of {id, level, measure, time_frame, analysis}.", examples=[b"[]"])
    ]


class OutcomesCompared(Verdict, frozen=True):
    """What the report does with each outcome."""

    sound: Annotated[bool, Meta(description="Whether all are as specified.")]
    outcomes: Annotated[tuple[str, ...], Meta(description="As specified, changed in what, missing, added.")]


@use_case("trial.lock", who=OPERATOR)
def lock_trial(node: MemberNode, request: LockTrial) -> TrialLocked:
    """Propose a lock as the statistician: one root over what all chains tell, as rows and as SDTM tables, sent to its signers.

    Refused while a visit of somebody enrolled lacks the investigator's signature, also of one who withdrew (E6(R3)).
    """
    study = bytes.fromhex(request.study)
    _, roster = study_of(node, study)
    found = people(node, study)
    data = _data(node, study, found)
    if not data.rows:
        raise NotFound("trials.no-rows", "there is nothing to lock", todo="let the sites send their acts")
    open_ = [f"{one_.site} {one_.subject[:8]}" for one_ in found if one_.state.enrolment and unsigned(one_.state)]
    if open_:
        raise Conflict(
            "trials.unsigned",
            "an investigator has not signed every visit",
            got=f"{len(open_)} participants, the first {open_[0]}",
            todo="let investigators sign and sites send their acts",
        )
    node.submitter.submit(port.LockData(study, data.root))
    told = Rows(study, node.ledger.head().height, tuple(data.rows), tuple(data.tables))
    keep(node, study, told)
    for name in {*members_of(roster, port.Part.SPONSOR), *members_of(roster, port.Part.COORDINATOR)} - {node.member}:
        send(node, name, "rows", told)
    return _locked(node, study, data, found)


def _data(node: MemberNode, study: bytes, found: Sequence[Participant]) -> LockedData:
    """Return what a lock of participants commits to under the version in force."""
    row, _ = study_of(node, study)
    return locked_data(*terms_of(node, study, row.version), found)


def _locked(node: MemberNode, study: bytes, data: LockedData, found: Sequence[Participant]) -> TrialLocked:
    row, _ = study_of(node, study)
    lock = port.lock(node.ledger.read(), study, row.locks)
    if lock is None:
        raise NotFound("trials.no-lock", "the study has no lock")
    left = sum(len(unsigned(one_.state)) for one_ in found)
    status = lock.status.name.lower()
    return TrialLocked(root=lock.root.hex(), rows=len(data.rows), tables=len(data.tables), status=status, unsigned=left)


def unsigned(state: State) -> set[str]:
    """Return the visits of a participant that no investigator signed, or that changed since."""
    return set(state.visits) - set(state.signed)


@use_case("trial.sign-lock", who=OPERATOR)
def sign_lock(node: MemberNode, request: LockTrial) -> TrialLocked:
    """Sign a lock as sponsor or coordinator: only if its rows and tables say of each participant known here what is known here."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    sent, found = one(node, Rows, study), people(node, study, sent_only=True)
    told, mine = LockedData(sent.rows, sent.tables), _data(node, study, found)
    plan, _ = terms_of(node, study, row.version)
    try:
        wrong, root = differing(plan, told, mine, found), told.root
    except ValueError as error:
        raise Malformed("trials.rows", "what was sent to be signed is no lock's data", got=str(error)) from None
    if wrong:
        raise Conflict("trials.rows", "rows of participants known here are not as they are known here", got=str(wrong))
    node.submitter.submit(port.SignLock(study, root))
    return _locked(node, study, told, found)


@use_case("trial.unlock", who=OPERATOR)
def unlock_trial(node: MemberNode, request: UnlockTrial) -> TrialUnlocked:
    """Ask to unlock the data; the second party to ask does. What is locked next has the next number."""
    study = bytes.fromhex(request.study)
    reason = mac(node.entropy(32), "salus/v1/trial-unlock", request.reason.encode())
    node.submitter.submit(port.Unlock(study, reason))
    row, _ = study_of(node, study)
    lock = port.lock(node.ledger.read(), study, row.locks)
    if lock is None:
        raise NotFound("trials.no-lock", "the study has no lock")
    return TrialUnlocked(status=lock.status.name.lower(), asked=len(lock.unlocking))


@use_case("trial.look", who=OPERATOR)
def step_look(node: MemberNode, request: StepTrialLook) -> TrialLookStepped:
    """Take a step of an interim look. The cut's root is over what is known here, as a lock's would be."""
    study = bytes.fromhex(request.study)
    try:
        step = port.LookStep[request.step.upper().replace("-", "_")]
    except KeyError:
        raise Malformed("trials.step", "there is no such step", got=request.step[:32]) from None
    evidence = mac(node.entropy(32), "salus/v1/trial-look", request.evidence.encode())
    if step is port.LookStep.CUT:
        data = _data(node, study, people(node, study))
        if not data.rows:
            raise Conflict("trials.no-rows", "no data was sent here to cut", todo="let the sites send it")
        evidence = data.root
    node.submitter.submit(port.StepLook(study, request.number, step, evidence))
    row = port.look(node.ledger.read(), study, request.number)
    if row is None:
        raise NotFound("trials.no-look", "the study has no such look")
    plan = row.planned
    told = f"{plan.permille} of 1000, {plan.boundary} ten-thousandths of z, {plan.alpha} millionths"
    return TrialLookStepped(status=row.status.name.lower(), data=row.data.hex(), planned=told)


@use_case("trial.publish", who=OPERATOR)
def publish_draws(node: MemberNode, request: PublishDraws) -> DrawsPublished:
    """Send, as a dispenser, all draws with their signatures to statistician and regulator, after the unblinding."""
    study = bytes.fromhex(request.study)
    _, roster = study_of(node, study)
    draws = tuple(one(node, Envelope, id_) for id_, row in in_order(node, study) if row.allocation)
    told = Draws(study, node.ledger.head().height, one(node, Supply, study), draws)
    for name in {*members_of(roster, port.Part.STATISTICIAN), *members_of(roster, port.Part.REGULATOR)}:
        send(node, name, "draws", told)
    return DrawsPublished(draws=len(draws))


def published(node: MemberNode, study: bytes) -> Draws:
    """Return the draws that a dispenser published to this member. Raises NotFound."""
    found = next((value for _, value in kept(node, Draws, study)), None)
    if found is None:
        raise NotFound("trials.unpublished", "no draws were published here", todo="let a dispenser publish them")
    return found


@use_case("trial.audit", who=OPERATOR)
def audit_draws(node: MemberNode, request: AuditDraws) -> DrawsAudited:
    """Replay every draw: signatures under the group's key, arms, kits, and the digests that the ledger holds."""
    curve()
    from salus.agreements.trials.allocation import Drawn, Kit, Signed, audit  # noqa: PLC0415 -- the extra

    study = bytes.fromhex(request.study)
    _, roster = study_of(node, study)
    told = published(node, study)
    by_id = {each.enrolment: each for each in told.draws}
    drawn: list[Drawn] = []
    missing: list[str] = []
    arms: dict[int, int] = {}
    for id_, row in in_order(node, study):
        if not row.allocation:
            continue
        each = by_id.get(id_)
        if each is None:
            missing.append(f"{id_.hex()}: no draw was published")
            continue
        _, place = place_of(node, id_)
        drawn.append(Drawn(id_, row.site, place, Signed(each.draw, each.seal), row.allocation))
        arms[each.arm] = arms.get(each.arm, 0) + 1
    _, terms = terms_of(node, study, 1)
    scheme = scheme_of(terms.randomisation, told.supply.sizes, told.supply.size_key)
    kits = {site: [Kit(number, arm) for number, arm in kits_] for site, kits_ in told.supply.kits}
    wrong = [f"{id_.hex()}: {why}" for id_, why in audit(scheme, roster.group_key, drawn, kits, told.supply.kit_key)]
    return DrawsAudited(
        draws=len(drawn),
        wrong=(*missing, *wrong),
        arms=tuple(f"{terms.randomisation.arms[arm]} {count}" for arm, count in sorted(arms.items())),
    )


@use_case("trial.result", who=OPERATOR)
def post_result(node: MemberNode, request: PostResult) -> ResultPosted:
    """Commit a result as the statistician, or why there is none. An outcome that was never registered is marked."""
    study = bytes.fromhex(request.study)
    row, _ = study_of(node, study)
    _, terms = terms_of(node, study, row.version)
    term = next((each for each in terms.outcomes if each.id == request.outcome), None)
    definition = digest("salus/v1/trial-post-hoc", request.outcome.encode()) if term is None else outcome_of(term)
    if bool(request.result) == bool(request.reason):
        raise Malformed("trials.result", "either a result or a reason for none", expected="one of both")
    if request.result:
        told = digest("salus/v1/trial-result", request.result.encode())
        node.submitter.submit(port.PostResult(study, definition, told))
    else:
        why = digest("salus/v1/trial-result-omitted", request.reason.encode())
        node.submitter.submit(port.OmitResult(study, definition, why))
    found = dict(port.results(node.ledger.read(), study))
    return ResultPosted(status=found[definition].status.name.lower())


class _Reported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    level: str
    measure: str
    time_frame: str
    analysis: str = ""


@use_case("trial.outcomes", who=OPERATOR)
def compare_outcomes(node: MemberNode, request: CompareOutcomes) -> OutcomesCompared:
    """Hold a report's outcomes against those registered before the first visit: as specified, changed, missing, added."""
    study = bytes.fromhex(request.study)
    _, terms = terms_of(node, study, 1)
    try:
        told = msgspec.json.decode(request.report, type=list[_Reported])
    except msgspec.DecodeError as error:
        raise Malformed("trials.report", "the report cannot be read", got=str(error)) from None
    reported = [Registered(each.id, each.level, each.measure, each.time_frame, each.analysis) for each in told]
    found = compare(registered_outcomes(terms), reported)
    return OutcomesCompared(
        sound=all(each.told.value == "as specified" for each in found),
        outcomes=tuple(
            f"{each.id}: {each.told.value}" + (f" ({', '.join(each.changed)})" if each.changed else "")
            for each in found
        ),
    )
