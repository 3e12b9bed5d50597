"""How a trial goes through the ledger, who may take which step, and what each attack meets."""

import itertools

import pytest
from msgspec import structs

from salus.contracts.trials.life import (
    CLOCK,
    ENROLMENT,
    LOCK,
    LOOK,
    OPENING,
    RESULT,
    SITE,
    STUDY,
    VERSION,
    EnrolmentStatus,
    LockStatus,
    LookStatus,
    OpeningStatus,
    ResultStatus,
    SiteStatus,
    StudyStatus,
    VersionStatus,
)
from salus.contracts.trials.port import (
    Adopt,
    Advance,
    Approve,
    AssessOpening,
    ClockKind,
    ClockStatus,
    Enrol,
    GrantOpening,
    Kind,
    Level,
    LockData,
    LookStep,
    MeetClock,
    Method,
    OmitResult,
    OpenAllocation,
    Outcome,
    Part,
    Party,
    PostResult,
    ProposeVersion,
    ReasonClass,
    RefuseEnrolment,
    RegisterTrial,
    Sign,
    SignLock,
    SiteStep,
    StartClock,
    Step,
    StepLook,
    Unlock,
    clock,
    clocks,
    enrolment,
    enrolments,
    labels,
    lock,
    look,
    opening,
    openings,
    outcome_digest,
    overdue,
    results,
    roster,
    site,
    sites,
    studies,
    study,
    version,
)
from salus.contracts.trials.port import TrialsReason as Reason
from salus.contracts.trials.state import (
    ENROLMENTS,
    LOCKS,
    NUMBER,
    ROSTERS,
    STRATA,
    STUDIES,
    VERSIONS,
    numbered_key,
)
from salus.core.errors import InvariantBroken
from salus.core.tables import MemoryReader, Overlay, View

from . import trials_scene as scene
from .ledger import DAY, Ledger
from .trials_scene import (
    AUTHORITY,
    BOARD,
    CASE,
    ETHICS,
    FIRST,
    NEXT,
    NORTH,
    ONE,
    RESCUE,
    SECOND,
    SOUTH,
    SPONSOR,
    STATS,
    TRUSTEES,
    TWO,
    play,
)

ID = scene.STUDY


@pytest.fixture
def ledger():
    return Ledger.founded(members=scene.MEMBERS)


def standing(ledger):
    return study(ledger.state, ID).status


def refused(ledger, sent):
    return ledger.refuse(*sent)


def test_a_trial_from_commitment_to_report(ledger):
    assert play(ledger, scene.COMMIT) == ID + bytes((StudyStatus.DRAFT,)) + ONE + SPONSOR.encode()
    play(ledger, *scene.ANALYSED[1:])
    play(ledger, scene.step(Step.REPORT))
    assert standing(ledger) is StudyStatus.REPORTED
    assert {row.status for _, row in results(ledger.state, ID)} == {ResultStatus.POSTED}
    assert [(row.place, row.status) for _, row in enrolments(ledger.state, ID)] == [(0, EnrolmentStatus.ALLOCATED)]
    assert lock(ledger.state, ID, 1).status is LockStatus.LOCKED
    assert labels(ledger.state, ID) == ()
    assert roster(ledger.state, ID).threshold == 2
    assert [id_ for id_, _ in studies(ledger.state)] == [ID]


def test_every_party_signs_before_a_trial_is_committed(ledger):
    play(ledger, scene.COMMIT)
    for place, name in enumerate(scene.SIGNERS):
        assert standing(ledger) is StudyStatus.DRAFT
        assert len(study(ledger.state, ID).waiting) == len(scene.SIGNERS) - place
        play(ledger, (Sign(ID, ONE), name, ""))
        if standing(ledger) is StudyStatus.DRAFT:
            assert ledger.refuse(Sign(ID, ONE), name) is Reason.ALREADY_SIGNED
    assert standing(ledger) is StudyStatus.COMMITTED
    assert ledger.refuse(Sign(ID, ONE), NORTH) is Reason.WRONG_STATUS


def test_attack_a_party_signs_another_definition(ledger):
    play(ledger, scene.COMMIT)
    assert ledger.refuse(Sign(ID, TWO), NORTH) is Reason.NOT_NEWEST
    assert ledger.refuse(Sign(b"n" * 16, ONE), NORTH) is Reason.NO_SUCH_STUDY


STUDY_STEPS = {kind.name.lower().replace("_", "-"): kind for kind in Step}
OF_STEP = {"soft-lock": STATS, "unblind": STATS, "analyse": STATS}
WAYS = {
    StudyStatus.DRAFT: (scene.COMMIT,),
    StudyStatus.COMMITTED: scene.SIGNED,
    StudyStatus.ETHICS_OK: scene.APPROVED[:-1],
    StudyStatus.AUTHORISED: scene.APPROVED,
    StudyStatus.REGISTERED: scene.REGISTERED,
    StudyStatus.OPEN: scene.OPEN,
    StudyStatus.HOLD: (*scene.OPEN, scene.step(Step.HOLD)),
    StudyStatus.TERMINATED: (*scene.OPEN, scene.step(Step.TERMINATE)),
    StudyStatus.RECRUITMENT_CLOSED: scene.SOFT[:-3],
    StudyStatus.LAST_VISIT: scene.SOFT[:-2],
    StudyStatus.CLEAN: scene.SOFT[:-1],
    StudyStatus.SOFT_LOCK: scene.SOFT,
    StudyStatus.LOCKED: scene.LOCKED,
    StudyStatus.UNBLINDED: scene.UNBLINDED,
    StudyStatus.ANALYSED: scene.ANALYSED,
    StudyStatus.REPORTED: (*scene.ANALYSED, scene.step(Step.REPORT)),
}


@pytest.mark.parametrize("status", list(WAYS))
def test_a_study_steps_as_its_table_says(ledger, status):
    play(ledger, *WAYS[status])
    assert standing(ledger) is status
    rows, chain, ids = dict(ledger.rows), ledger.chain, dict(ledger.ids)
    for name, kind in STUDY_STEPS.items():
        ledger.rows, ledger.chain, ledger.ids = dict(rows), chain, dict(ids)
        after = STUDY.get((status, name))
        sent = scene.step(kind, OF_STEP.get(name, SPONSOR))
        if after is None:
            assert refused(ledger, sent) is Reason.WRONG_STATUS
        else:
            play(ledger, sent)
            assert standing(ledger) is after


def test_the_ways_lead_to_every_status():
    assert set(WAYS) == set(StudyStatus)
    named = {step for _, step in STUDY}
    assert named - set(STUDY_STEPS) == {
        "commit", "commit-alone", "sign", "sign-last", "ethics", "authority", "register", "lock", "unlock", "dispute",
    }  # fmt: skip


SITE_BY = {SiteStep.CONTRACT: NORTH, SiteStep.TRAIN: NORTH, SiteStep.APPROVE: ETHICS, SiteStep.RESTORE: ETHICS}
SITE_WAYS = {
    None: (),
    SiteStatus.CANDIDATE: scene.site_ways()[:1],
    SiteStatus.CONTRACTED: scene.site_ways()[:2],
    SiteStatus.APPROVED: scene.site_ways()[:3],
    SiteStatus.TRAINED: scene.site_ways()[:4],
    SiteStatus.ACTIVE: scene.site_ways(),
    SiteStatus.SUSPENDED: (*scene.site_ways(), scene.at_site(SiteStep.SUSPEND, ETHICS)),
    SiteStatus.CLOSED: (*scene.site_ways(), scene.at_site(SiteStep.CLOSE, SPONSOR)),
}


@pytest.mark.parametrize("status", list(SITE_WAYS))
def test_a_site_steps_as_its_table_says(ledger, status):
    play(ledger, *scene.REGISTERED, *SITE_WAYS[status])
    rows, chain, ids = dict(ledger.rows), ledger.chain, dict(ledger.ids)
    for kind in SiteStep:
        ledger.rows, ledger.chain, ledger.ids = dict(rows), chain, dict(ids)
        sent = scene.at_site(kind, SITE_BY.get(kind, SPONSOR))
        after = SITE.get((status, kind.name.lower()))
        if after is None:
            assert refused(ledger, sent) is (Reason.NO_SUCH_CASE if status is None else Reason.WRONG_STATUS)
        else:
            play(ledger, sent)
            assert site(ledger.state, ID, NORTH).status is after
    assert {step for _, step in SITE} - {kind.name.lower() for kind in SiteStep} == {"adopt"}


def test_a_step_is_its_parts_alone(ledger):
    play(ledger, *scene.OPEN)
    for kind in Step:
        assert ledger.refuse(Advance(ID, kind, ONE), SOUTH) is Reason.NOT_PARTY
    assert ledger.refuse(RegisterTrial(ID, ONE), STATS) is Reason.NOT_PARTY
    assert ledger.refuse(Approve(ID, 1, ONE), SPONSOR) is Reason.NOT_PARTY
    assert refused(ledger, scene.at_site(SiteStep.SUSPEND, NORTH)) is Reason.NOT_PARTY
    play(ledger, scene.at_site(SiteStep.NOMINATE, SPONSOR, SOUTH))
    assert refused(ledger, scene.at_site(SiteStep.CONTRACT, SPONSOR, SOUTH)) is Reason.NOT_PARTY
    assert ledger.refuse(ProposeVersion(ID, scene.AMENDED, True, 0), NORTH) is Reason.NOT_PARTY


def without(part):
    return tuple(party for party in scene.PARTIES if party.part is not part)


def given(part, member):
    return tuple(sorted((*without(part), Party(part, member)), key=lambda party: (party.part, party.member)))


MEETING = {
    "the sponsor keeps the emergency envelopes": scene.commit(given(Part.EMERGENCY, SPONSOR)),
    "the sponsor is its own ethics board": scene.commit(given(Part.ETHICS, SPONSOR)),
    "the sponsor is the regulator": scene.commit(given(Part.REGULATOR, SPONSOR)),
    "the sponsor sits on the safety board": scene.commit(given(Part.BOARD, SPONSOR)),
    "the coordinator is its own ethics board": scene.commit(given(Part.ETHICS, NORTH)),
    "the statistician keeps kits": scene.commit(given(Part.STATISTICIAN, FIRST)),
    "one organisation holds enough shares": scene.commit(trustees=("trust-a", "trust-a", "trust-b")),
    "the sponsor is the one trustee": scene.commit(threshold=1, trustees=(SPONSOR,)),
}


@pytest.mark.parametrize("attack", list(MEETING))
def test_attack_parts_that_must_not_meet(ledger, attack):
    assert ledger.refuse(MEETING[attack], SPONSOR) is Reason.PARTS_MEET


@pytest.mark.parametrize(
    ("message", "by", "reason"),
    [
        (scene.commit(scene.PARTIES[::-1]), SPONSOR, Reason.UNORDERED),
        (scene.commit(what=scene.definition(looks=scene.LOOKS[::-1])), SPONSOR, Reason.UNORDERED),
        (scene.commit(what=scene.definition(outcomes=(scene.PRIMARY, scene.PRIMARY))), SPONSOR, Reason.UNORDERED),
        (scene.commit(given(Part.BOARD, "nobody-here")), SPONSOR, Reason.UNKNOWN_PARTY),
        (scene.commit(), NORTH, Reason.UNKNOWN_PARTY),
        (scene.commit(given(Part.SPONSOR, STATS)), SPONSOR, Reason.NOT_SPONSOR),
        (scene.commit(without(Part.ETHICS)), SPONSOR, Reason.PARTS_MISSING),
        (scene.commit(scene.PARTIES[:6] + scene.PARTIES[7:]), SPONSOR, Reason.PARTS_MISSING),
        (
            scene.commit((scene.PARTIES[0], Party(Part.SPONSOR, NORTH), *scene.PARTIES[1:])),
            SPONSOR,
            Reason.PARTS_MISSING,
        ),
        (scene.commit(threshold=4), SPONSOR, Reason.NO_THRESHOLD),
        (scene.commit(threshold=0, trustees=()), SPONSOR, Reason.NO_THRESHOLD),
        (scene.commit(key=b""), SPONSOR, Reason.NO_THRESHOLD),
        (scene.commit(method=Method.EXTERNAL, threshold=0, trustees=()), SPONSOR, Reason.NO_THRESHOLD),
    ],
)
def test_a_founding_that_does_not_hold_is_refused(ledger, message, by, reason):
    assert ledger.refuse(message, by) is reason


def test_a_study_is_committed_once(ledger):
    play(ledger, scene.COMMIT)
    assert refused(ledger, scene.COMMIT) is Reason.CASE_EXISTS


def test_one_organisation_alone_is_allowed_and_labelled(ledger):
    data = play(ledger, (scene.alone(), NORTH, ""))
    assert data[16] == StudyStatus.COMMITTED
    assert labels(ledger.state, ID) == ("one organisation plays every part", "predictable by its trustee")
    play(
        ledger, (Approve(ID, 1, ONE), NORTH, ""), (Approve(ID, 1, ONE), NORTH, ""), (RegisterTrial(ID, ONE), NORTH, "")
    )
    for kind in (SiteStep.NOMINATE, SiteStep.CONTRACT, SiteStep.APPROVE, SiteStep.TRAIN, SiteStep.ACTIVATE):
        play(ledger, scene.at_site(kind, NORTH))
    play(ledger, scene.step(Step.OPEN, NORTH), scene.ENROL, scene.allocate(NORTH))
    assert enrolment(ledger.state, scene.ENROLMENT).status is EnrolmentStatus.ALLOCATED
    for kind in (Step.CLOSE_RECRUITMENT, Step.LAST_VISIT, Step.CLEAN, Step.SOFT_LOCK):
        play(ledger, scene.step(kind, NORTH))
    play(ledger, (LockData(ID, ONE), NORTH, ""))
    assert standing(ledger) is StudyStatus.LOCKED
    play(ledger, (Unlock(ID, ONE), NORTH, ""))
    assert standing(ledger) is StudyStatus.SOFT_LOCK


def test_allocation_from_outside_is_allowed_and_labelled(ledger):
    outside = scene.commit(method=Method.EXTERNAL, threshold=0, trustees=(), key=b"")
    play(ledger, (outside, SPONSOR, ""))
    assert labels(ledger.state, ID) == ("allocation not provable",)
    assert labels(ledger.state, b"n" * 16) == ()


def test_a_trial_is_open_only_after_its_registration(ledger):
    play(ledger, *scene.APPROVED)
    assert refused(ledger, scene.step(Step.OPEN)) is Reason.WRONG_STATUS
    assert refused(ledger, scene.ENROL) is Reason.WRONG_STATUS
    play(ledger, *scene.site_ways()[:-1])
    assert refused(ledger, scene.site_ways()[-1]) is Reason.WRONG_STATUS
    assert play(ledger, scene.REGISTERED[-1])[-8:] == study(ledger.state, ID).registered.to_bytes(8, "big")
    play(ledger, scene.site_ways()[-1], scene.step(Step.OPEN), scene.ENROL)


def test_a_site_is_no_dispenser_and_no_stranger(ledger):
    play(ledger, *scene.REGISTERED)
    assert refused(ledger, scene.at_site(SiteStep.NOMINATE, SPONSOR, FIRST)) is Reason.UNKNOWN_PARTY
    assert refused(ledger, scene.at_site(SiteStep.NOMINATE, SPONSOR, "nobody-here")) is Reason.UNKNOWN_PARTY
    assert [name for name, _ in sites(ledger.state, ID)] == []


def test_attack_a_site_that_keeps_kits(ledger):
    members = tuple(
        scene.candidate(one.id, roles=(scene.Role.PROVIDER,)) if one.id == FIRST else one for one in scene.MEMBERS
    )
    ledger = Ledger.founded(members=members)
    play(ledger, *scene.REGISTERED)
    assert refused(ledger, scene.at_site(SiteStep.NOMINATE, SPONSOR, FIRST)) is Reason.PARTS_MEET


def test_attack_an_enrolment_from_a_site_that_is_not_active(ledger):
    play(ledger, *scene.OPEN)
    message, _, author = scene.ENROL
    assert ledger.refuse(message, SOUTH, author) is Reason.SITE_NOT_ACTIVE
    play(ledger, scene.at_site(SiteStep.SUSPEND, AUTHORITY))
    assert ledger.refuse(message, NORTH, author) is Reason.SITE_NOT_ACTIVE


def test_enrolments_of_a_stratum_are_counted(ledger):
    play(ledger, *scene.OPEN, *scene.site_ways(SOUTH))
    for number, (by, stratum) in enumerate(((NORTH, ONE), (SOUTH, ONE), (NORTH, TWO), (NORTH, ONE))):
        play(ledger, (Enrol(ID, stratum, ONE, ONE), by, f"person-{number}"))
    told = sorted((row.stratum[0], row.place, row.site) for _, row in enrolments(ledger.state, ID))
    assert told == [(1, 0, NORTH), (1, 1, SOUTH), (1, 2, NORTH), (2, 0, NORTH)]
    assert len({row.transaction for _, row in enrolments(ledger.state, ID)}) == 4


def test_attack_one_enrolment_drawn_twice(ledger):
    play(ledger, *scene.ENROLLED)
    assert refused(ledger, scene.ENROL) is Reason.CASE_EXISTS
    play(ledger, scene.allocate())
    assert refused(ledger, scene.allocate(allocation=TWO)) is Reason.ALREADY_SIGNED
    play(ledger, scene.allocate(SECOND))
    assert enrolment(ledger.state, scene.ENROLMENT).status is EnrolmentStatus.ALLOCATED
    assert refused(ledger, scene.allocate(SECOND, TWO)) is Reason.WRONG_STATUS
    assert refused(ledger, scene.allocate(SPONSOR)) is Reason.NOT_PARTY
    assert ledger.refuse(scene.Allocate(NEXT, ONE), FIRST) is Reason.NO_SUCH_CASE


def test_two_digests_hold_the_study_until_the_ethics_board_resumes_it(ledger):
    play(ledger, *scene.ENROLLED, scene.allocate(), scene.allocate(SECOND, TWO))
    assert enrolment(ledger.state, scene.ENROLMENT).status is EnrolmentStatus.DISPUTED
    assert standing(ledger) is StudyStatus.HOLD
    assert ledger.refuse(Enrol(ID, ONE, ONE, ONE), NORTH, "other") is Reason.WRONG_STATUS
    assert refused(ledger, scene.step(Step.RESUME)) is Reason.NOT_PARTY
    play(ledger, scene.step(Step.RESUME, ETHICS))
    assert standing(ledger) is StudyStatus.OPEN


def test_two_digests_after_recruitment_are_a_dispute_and_no_hold(ledger):
    play(ledger, *scene.ENROLLED, scene.allocate(), scene.step(Step.CLOSE_RECRUITMENT), scene.allocate(SECOND, TWO))
    assert enrolment(ledger.state, scene.ENROLMENT).status is EnrolmentStatus.DISPUTED
    assert standing(ledger) is StudyStatus.RECRUITMENT_CLOSED


def test_a_dispenser_refuses_a_kit_and_draws_go_on(ledger):
    play(ledger, *scene.ENROLLED)
    assert ledger.refuse(RefuseEnrolment(scene.ENROLMENT, ONE), SPONSOR) is Reason.NOT_PARTY
    play(ledger, (RefuseEnrolment(scene.ENROLMENT, ONE), FIRST, ""))
    assert enrolment(ledger.state, scene.ENROLMENT).status is EnrolmentStatus.REFUSED
    assert refused(ledger, scene.allocate(SECOND)) is Reason.WRONG_STATUS
    play(ledger, (Enrol(ID, NEXT, ONE, ONE), NORTH, "another"))


def test_a_refusal_of_what_was_posted_holds_the_study(ledger):
    play(ledger, *scene.ENROLLED, scene.allocate())
    assert ledger.refuse(RefuseEnrolment(scene.ENROLMENT, ONE), FIRST) is Reason.ALREADY_SIGNED
    play(ledger, (RefuseEnrolment(scene.ENROLMENT, ONE), SECOND, ""))
    assert enrolment(ledger.state, scene.ENROLMENT).status is EnrolmentStatus.DISPUTED
    assert standing(ledger) is StudyStatus.HOLD


def test_who_holds_a_study_resumes_it(ledger):
    play(ledger, *scene.OPEN, scene.step(Step.HOLD, AUTHORITY))
    assert refused(ledger, scene.step(Step.RESUME)) is Reason.NOT_PARTY
    play(ledger, scene.step(Step.RESUME, AUTHORITY))
    assert standing(ledger) is StudyStatus.OPEN


def test_an_emergency_opens_at_once_and_is_assessed(ledger):
    play(ledger, *scene.ALLOCATED)
    data = play(ledger, scene.EMERGENCY)
    assert data == CASE + bytes((Kind.EMERGENCY, OpeningStatus.OPENED, 0)) + ONE + RESCUE.encode()
    assert study(ledger.state, ID).unblinded == ledger.chain.height
    play(ledger, (AssessOpening(CASE, TWO), SPONSOR, ""))
    assert opening(ledger.state, CASE).status is OpeningStatus.ASSESSED
    assert ledger.refuse(AssessOpening(CASE, TWO), SPONSOR) is Reason.WRONG_STATUS
    assert ledger.refuse(AssessOpening(CASE, TWO), NORTH) is Reason.NOT_PARTY
    assert refused(ledger, scene.EMERGENCY) is Reason.CASE_EXISTS
    first = study(ledger.state, ID).unblinded
    again = OpenAllocation(ID, b"c" * 16, Kind.INADVERTENT, ReasonClass.ERROR, ONE, deferred=True)
    play(ledger, (again, NORTH, ""))
    assert study(ledger.state, ID).unblinded == first
    assert {row.kind for _, row in openings(ledger.state, ID)} == {Kind.EMERGENCY, Kind.INADVERTENT}


def test_k_trustees_open_one_allocation(ledger):
    play(ledger, *scene.ALLOCATED, scene.AGREED)
    play(ledger, (GrantOpening(CASE, 2), TRUSTEES[1], ""))
    assert opening(ledger.state, CASE).status is OpeningStatus.REQUESTED
    assert study(ledger.state, ID).unblinded == 0
    assert ledger.refuse(GrantOpening(CASE, 2), TRUSTEES[1]) is Reason.ALREADY_SIGNED
    assert ledger.refuse(GrantOpening(CASE, 1), TRUSTEES[1]) is Reason.NOT_PARTY
    assert ledger.refuse(GrantOpening(CASE, 4), TRUSTEES[1]) is Reason.NOT_PARTY
    assert ledger.refuse(GrantOpening(b"n" * 16, 1), TRUSTEES[0]) is Reason.NO_SUCH_CASE
    play(ledger, (GrantOpening(CASE, 1), TRUSTEES[0], ""))
    assert opening(ledger.state, CASE).granted == (1, 2)
    assert opening(ledger.state, CASE).status is OpeningStatus.OPENED
    assert ledger.refuse(GrantOpening(CASE, 3), TRUSTEES[2]) is Reason.WRONG_STATUS


def test_attack_an_opening_that_is_not_ones_to_ask_for(ledger):
    play(ledger, *scene.ALLOCATED)

    def asked(kind, *, deferred=False):
        return OpenAllocation(ID, CASE, kind, ReasonClass.SAFETY_REPORT, ONE, deferred=deferred)

    assert ledger.refuse(asked(Kind.SUSAR), SPONSOR) is Reason.NOT_PARTY
    assert ledger.refuse(asked(Kind.BOARD), NORTH) is Reason.NOT_PARTY
    assert ledger.refuse(asked(Kind.EMERGENCY), SPONSOR) is Reason.NOT_PARTY
    assert ledger.refuse(asked(Kind.AGREED), SOUTH) is Reason.NOT_PARTY
    assert ledger.refuse(asked(Kind.SUSAR, deferred=True), AUTHORITY) is Reason.WRONG_KIND
    play(ledger, (asked(Kind.SUSAR), AUTHORITY, ""))


def test_nothing_is_opened_before_anything_is_drawn(ledger):
    play(ledger, *scene.REGISTERED)
    assert refused(ledger, scene.EMERGENCY) is Reason.WRONG_STATUS


def test_an_opening_of_an_outside_allocation_is_noted_at_once(ledger):
    outside = scene.commit(method=Method.EXTERNAL, threshold=0, trustees=(), key=b"")
    signers = sorted(set(scene.SIGNERS) - set(TRUSTEES))
    play(ledger, (outside, SPONSOR, ""), *((Sign(ID, ONE), name, "") for name in signers))
    play(ledger, *scene.APPROVED[-2:], scene.REGISTERED[-1], *scene.site_ways(), scene.step(Step.OPEN), scene.AGREED)
    assert opening(ledger.state, CASE).status is OpeningStatus.OPENED


def look_step(kind, number=1, evidence=ONE):
    by = {LookStep.CUT: STATS, LookStep.FOLLOW: SPONSOR, LookStep.NOT_FOLLOW: SPONSOR}.get(kind, BOARD)
    return StepLook(ID, number, kind, evidence), by, ""


LOOK_WAYS = {
    LookStatus.PLANNED: (),
    LookStatus.CUT: (LookStep.CUT,),
    LookStatus.CONTINUE: (LookStep.CUT, LookStep.CONTINUE),
    LookStatus.MODIFY: (LookStep.CUT, LookStep.MODIFY),
    LookStatus.STOP: (LookStep.CUT, LookStep.STOP),
    LookStatus.FOLLOWED: (LookStep.CUT, LookStep.STOP, LookStep.FOLLOW),
    LookStatus.NOT_FOLLOWED: (LookStep.CUT, LookStep.STOP, LookStep.NOT_FOLLOW),
}


def test_a_look_steps_as_its_table_says(ledger):
    play(ledger, *scene.OPEN)
    rows, chain, ids = dict(ledger.rows), ledger.chain, dict(ledger.ids)
    for status, kind in itertools.product(LOOK_WAYS, LookStep):
        ledger.rows, ledger.chain, ledger.ids = dict(rows), chain, dict(ids)
        play(ledger, *map(look_step, LOOK_WAYS[status]))
        assert look(ledger.state, ID, 1).status is status
        after = LOOK.get((status, kind.name.lower().replace("_", "-")))
        if after is None:
            assert refused(ledger, look_step(kind)) is Reason.WRONG_STATUS
        else:
            play(ledger, look_step(kind))
            assert look(ledger.state, ID, 1).status is after
    assert set(LOOK_WAYS) == set(LookStatus)


def test_attack_a_look_too_many_or_too_early(ledger):
    play(ledger, *scene.OPEN)
    assert refused(ledger, look_step(LookStep.CUT, 2)) is Reason.WRONG_STATUS
    assert refused(ledger, look_step(LookStep.CUT, 3)) is Reason.NO_SUCH_CASE
    assert ledger.refuse(StepLook(ID, 1, LookStep.CUT, ONE), SPONSOR) is Reason.NOT_PARTY
    play(ledger, look_step(LookStep.CUT, evidence=TWO), look_step(LookStep.CONTINUE), look_step(LookStep.FOLLOW))
    play(ledger, look_step(LookStep.CUT, 2))
    row = look(ledger.state, ID, 1)
    assert (row.data, row.planned, row.version) == (TWO, scene.LOOKS[0], 1)
    more = structs.replace(scene.AMENDED, looks=(scene.LOOKS[0],))
    play(ledger, (ProposeVersion(ID, more, False, 0), SPONSOR, ""), (Approve(ID, 2, TWO), ETHICS, ""))
    assert look(ledger.state, ID, 3).version == 2


def test_an_amendment_is_approved_adopted_and_opens_reconsent(ledger):
    play(ledger, *scene.OPEN, scene.PROPOSE)
    assert version(ledger.state, ID, 2).status is VersionStatus.PROPOSED
    assert refused(ledger, scene.ADOPT) is Reason.NOT_NEWEST
    play(ledger, *scene.SECOND_VERSION[1:2])
    assert ledger.refuse(Approve(ID, 2, TWO), ETHICS) is Reason.NOT_PARTY
    assert ledger.refuse(Approve(ID, 2, ONE), AUTHORITY) is Reason.NOT_NEWEST
    assert ledger.refuse(Approve(ID, 3, ONE), AUTHORITY) is Reason.NO_SUCH_CASE
    play(ledger, scene.SECOND_VERSION[2])
    assert version(ledger.state, ID, 1).status is VersionStatus.SUPERSEDED
    assert not version(ledger.state, ID, 2).after_unblinding
    assert site(ledger.state, ID, NORTH).version == 1
    play(ledger, scene.ADOPT)
    row = site(ledger.state, ID, NORTH)
    assert (row.version, row.reconsent_by) == (2, ledger.time + 30 * DAY)
    assert refused(ledger, scene.ADOPT) is Reason.NOT_NEWEST
    assert ledger.refuse(Adopt(ID, 2), SOUTH) is Reason.NO_SUCH_CASE
    assert ledger.refuse(Approve(ID, 1, ONE), AUTHORITY) is Reason.NOT_NEWEST
    assert ledger.refuse(Approve(ID, 2, TWO), AUTHORITY) is Reason.WRONG_STATUS
    told = dict(results(ledger.state, ID))
    assert [told[each].status for each in (ONE, TWO, NEXT)] == [
        ResultStatus.PLANNED,
        ResultStatus.DROPPED,
        ResultStatus.ADDED,
    ]


def test_an_amendment_that_is_not_substantial_needs_the_ethics_board_alone(ledger):
    play(ledger, *scene.OPEN)
    minor = (ProposeVersion(ID, scene.definition(TWO, looks=()), False, 0), SPONSOR, "")
    play(ledger, minor, (Approve(ID, 2, TWO), ETHICS, ""), scene.ADOPT)
    assert version(ledger.state, ID, 2).status is VersionStatus.APPROVED
    assert site(ledger.state, ID, NORTH).reconsent_by == 0
    third = (ProposeVersion(ID, scene.definition(NEXT, looks=()), False, 9), SPONSOR, "")
    play(ledger, third, (Approve(ID, 3, NEXT), ETHICS, ""))
    assert ledger.refuse(ProposeVersion(b"n" * 16, scene.AMENDED, True, 0), SPONSOR) is Reason.NO_SUCH_STUDY
    assert {step for _, step in VERSION} == {"propose", "ethics", "ethics-alone", "authority", "supersede"}


def test_consents_are_renewed_by_versions_that_were_approved_alone(ledger):
    """Else a sponsor that proposes and never asks for approval would put the deadline off."""
    play(ledger, *scene.OPEN)
    never = (ProposeVersion(ID, scene.definition(TWO, looks=()), False, 365), SPONSOR, "")
    third = (ProposeVersion(ID, scene.definition(NEXT, looks=()), False, 9), SPONSOR, "")
    play(ledger, never, third, (Approve(ID, 3, NEXT), ETHICS, ""), (Adopt(ID, 3), NORTH, ""))
    assert site(ledger.state, ID, NORTH).reconsent_by == ledger.time + 9 * DAY


def test_a_dropped_outcome_may_come_back(ledger):
    play(ledger, *scene.OPEN, *scene.SECOND_VERSION)
    third = (ProposeVersion(ID, scene.definition(NEXT, looks=()), False, 0), SPONSOR, "")
    play(ledger, third, (Approve(ID, 3, NEXT), ETHICS, ""))
    told = dict(results(ledger.state, ID))
    assert (told[TWO].status, told[NEXT].status) == (ResultStatus.ADDED, ResultStatus.DROPPED)


def test_attack_outcomes_changed_after_an_unblinding_are_flagged_for_ever(ledger):
    play(ledger, *scene.ALLOCATED, scene.PROPOSE)
    assert not version(ledger.state, ID, 2).after_unblinding
    play(ledger, scene.EMERGENCY, *scene.SECOND_VERSION[1:])
    assert version(ledger.state, ID, 2).after_unblinding
    assert play(ledger, (ProposeVersion(ID, scene.definition(NEXT, looks=()), True, 0), SPONSOR, ""))[18] == 1
    overlay = Overlay(View(MemoryReader(ledger.rows)))
    row = structs.replace(version(ledger.state, ID, 2), after_unblinding=False)
    overlay.put(VERSIONS, numbered_key(ID, 2), row)
    with pytest.raises(InvariantBroken):
        overlay.verify()


def test_an_amendment_comes_between_authorisation_and_report(ledger):
    play(ledger, *scene.SIGNED)
    assert refused(ledger, scene.PROPOSE) is Reason.WRONG_STATUS
    play(ledger, *scene.APPROVED[-2:])
    assert (
        ledger.refuse(ProposeVersion(ID, scene.definition(looks=scene.LOOKS[::-1]), True, 0), SPONSOR)
        is Reason.UNORDERED
    )
    play(ledger, scene.PROPOSE)


def test_attack_an_edit_after_the_lock(ledger):
    play(ledger, *scene.LOCKED)
    assert refused(ledger, scene.LOCK) is Reason.WRONG_STATUS
    assert ledger.refuse(Unlock(ID, ONE), FIRST) is Reason.NOT_PARTY
    play(ledger, (Unlock(ID, ONE), SPONSOR, ""))
    assert standing(ledger) is StudyStatus.LOCKED
    assert ledger.refuse(Unlock(ID, ONE), SPONSOR) is Reason.ALREADY_SIGNED
    play(ledger, (Unlock(ID, TWO), ETHICS, ""))
    assert standing(ledger) is StudyStatus.SOFT_LOCK
    play(ledger, (LockData(ID, TWO), STATS, ""), (SignLock(ID, TWO), SPONSOR, ""))
    assert ledger.refuse(SignLock(ID, TWO), SPONSOR) is Reason.ALREADY_SIGNED
    assert ledger.refuse(SignLock(ID, ONE), NORTH) is Reason.NOT_NEWEST
    play(ledger, (SignLock(ID, TWO), NORTH, ""))
    told = [(lock(ledger.state, ID, number).root, lock(ledger.state, ID, number).status) for number in (1, 2)]
    assert told == [(ONE, LockStatus.UNLOCKED), (TWO, LockStatus.LOCKED)]
    assert {step for _, step in LOCK} == {"propose", "propose-alone", "sign", "sign-last", "ask-unlock", "unlock"}


def test_a_lock_needs_its_signatures_and_a_soft_lock_before(ledger):
    play(ledger, *scene.SOFT)
    assert refused(ledger, scene.SIGN_LOCK[0]) is Reason.NO_SUCH_CASE
    assert ledger.refuse(LockData(ID, ONE), SPONSOR) is Reason.NOT_PARTY
    play(ledger, scene.LOCK, scene.SIGN_LOCK[0])
    assert refused(ledger, scene.step(Step.UNBLIND, STATS)) is Reason.WRONG_STATUS
    assert ledger.refuse(Unlock(ID, ONE), SPONSOR) is Reason.WRONG_STATUS
    play(ledger, scene.SIGN_LOCK[1])
    assert refused(ledger, scene.SIGN_LOCK[1]) is Reason.WRONG_STATUS


def test_a_safety_clock_is_met_late_or_publicly_overdue(ledger):
    play(ledger, *scene.OPEN)
    play(ledger, (StartClock(ID, CASE, ClockKind.HOURS_24, ONE), NORTH, ""))
    row = clock(ledger.state, CASE)
    assert (row.owed_by, row.due) == (NORTH, ledger.time + DAY)
    assert not overdue(row, row.due)
    assert overdue(row, row.due + 1)
    assert ledger.refuse(MeetClock(CASE, ONE), SPONSOR) is Reason.NOT_PARTY
    play(ledger, (StartClock(ID, b"c" * 16, ClockKind.DAYS_15, ONE), SPONSOR, ""))
    ledger.pass_time(2 * DAY)
    play(ledger, (MeetClock(CASE, TWO), NORTH, ""), (MeetClock(b"c" * 16, TWO), SPONSOR, ""))
    assert {row.owed_by: row.status for _, row in clocks(ledger.state, ID)} == {
        NORTH: ClockStatus.LATE,
        SPONSOR: ClockStatus.MET,
    }
    assert ledger.refuse(MeetClock(CASE, TWO), NORTH) is Reason.WRONG_STATUS
    assert ledger.refuse(MeetClock(b"n" * 16, TWO), NORTH) is Reason.NO_SUCH_CASE
    assert ledger.refuse(StartClock(ID, CASE, ClockKind.DAYS_7, ONE), SPONSOR) is Reason.CASE_EXISTS
    assert ledger.refuse(StartClock(ID, b"d" * 16, ClockKind.DAYS_7, ONE), NORTH) is Reason.WRONG_KIND
    assert ledger.refuse(StartClock(ID, b"d" * 16, ClockKind.HOURS_24, ONE), SPONSOR) is Reason.WRONG_KIND
    assert {step for _, step in CLOCK} == {"start", "meet", "meet-late"}


def test_attack_a_report_without_an_outcome(ledger):
    play(ledger, *scene.LOCKED)
    assert refused(ledger, scene.RESULTS[0]) is Reason.WRONG_STATUS
    play(ledger, scene.step(Step.UNBLIND, STATS), scene.RESULTS[0], scene.step(Step.ANALYSE, STATS))
    assert refused(ledger, scene.step(Step.REPORT)) is Reason.OUTCOMES_OPEN
    assert ledger.refuse(OmitResult(ID, TWO, ONE), SPONSOR) is Reason.NOT_PARTY
    play(ledger, (OmitResult(ID, TWO, ONE), STATS, ""))
    assert ledger.refuse(PostResult(ID, TWO, ONE), STATS) is Reason.WRONG_STATUS
    play(ledger, (PostResult(ID, NEXT, ONE), STATS, ""), scene.step(Step.REPORT))
    told = dict(results(ledger.state, ID))
    assert [told[each].status for each in (ONE, TWO, NEXT)] == [
        ResultStatus.POSTED,
        ResultStatus.NOT_DONE,
        ResultStatus.POST_HOC,
    ]


def test_outcomes_with_results_are_not_dropped(ledger):
    play(ledger, *scene.ANALYSED)
    play(ledger, *scene.SECOND_VERSION)
    assert dict(results(ledger.state, ID))[TWO].status is ResultStatus.POSTED
    assert version(ledger.state, ID, 2).after_unblinding
    assert {step for _, step in RESULT} == {"plan", "add", "post", "not-done", "drop"}


def test_results_are_due_a_year_after_the_last_visit(ledger):
    play(ledger, *scene.SOFT[:-2])
    assert study(ledger.state, ID).results_due == ledger.time + 365 * DAY
    assert study(ledger.state, b"n" * 16) is None


def test_a_changed_time_frame_is_another_outcome():
    one = outcome_digest("o1", "ADAS-Cog change", "24 weeks", Level.PRIMARY, "an1")
    assert one != outcome_digest("o1", "ADAS-Cog change", "26 weeks", Level.PRIMARY, "an1")
    assert Outcome(one, Level.PRIMARY).definition == one


def broken(ledger, table, key, **changes):
    overlay = Overlay(View(MemoryReader(ledger.rows)))
    overlay.put(table, key, structs.replace(overlay.get(table, key), **changes))
    with pytest.raises(InvariantBroken):
        overlay.verify()


def test_a_row_that_breaks_an_invariant_stops_the_node(ledger):
    play(ledger, *scene.LOCKED)
    broken(ledger, STUDIES, ID, status=StudyStatus.OPEN)
    broken(ledger, ROSTERS, ID, threshold=1)
    broken(ledger, ENROLMENTS, scene.ENROLMENT, allocation=TWO)
    broken(ledger, ENROLMENTS, scene.ENROLMENT, place=1)
    broken(ledger, STRATA, ID + NEXT, enrolled=3)
    broken(ledger, LOCKS, numbered_key(ID, 1), root=TWO)
    broken(ledger, VERSIONS, numbered_key(ID, 1), package=TWO)
    assert {table.number >> 8 for table in (STUDIES, LOCKS)} == {NUMBER}
    assert {step for _, step in ENROLMENT} == {"enrol", "post", "post-alone", "agree", "differ", "refuse"}
    assert {step for _, step in OPENING} == {"request", "open", "grant", "grant-last", "assess"}
