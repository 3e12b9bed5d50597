"""One case of each message and reason of the trials contract, for its vectors: the last step is the one under test."""

from typing import Any

from salus.contracts.trials.port import (
    Adopt,
    AssessOpening,
    ClockKind,
    GrantOpening,
    LookStep,
    MeetClock,
    OmitResult,
    Part,
    PaymentStep,
    RefuseEnrolment,
    StartClock,
    StatePayment,
    Step,
    StepLook,
    StepPayment,
    Unlock,
)
from salus.contracts.trials.port import Sign as SignStudy
from salus.contracts.trials.state import MAX_NUMBERED

from . import trials_scene as trial
from .ledger import DAY

id_, case_, digest = trial.STUDY, trial.CASE, trial.ONE


def then(steps: tuple[Any, ...], *more: Any) -> tuple[Any, ...]:
    return (*steps, *more)


def by(message: Any, name: str) -> Any:
    return message, name, ""


look, advance = StepLook(id_, 1, LookStep.CUT, digest), trial.step
clock, met = StartClock(id_, case_, ClockKind.HOURS_24, digest), by(MeetClock(case_, digest), trial.NORTH)
meeting = tuple(one for one in trial.PARTIES if one.part is not Part.BOARD)
meeting += (type(meeting[0])(Part.BOARD, trial.SPONSOR),)
bill, bill_next = (by(StatePayment(id_, number, digest), trial.NORTH) for number in (1, 2))


def answer(step: PaymentStep, commitment: bytes = digest) -> Any:
    return by(StepPayment(id_, trial.NORTH, 1, step, commitment), trial.SPONSOR)


agree = answer(PaymentStep.AGREE)
CASES: list[tuple[str, str, str, tuple[Any, ...]]] = [
    ("commit", "applied", "A trial is committed.", then((trial.COMMIT,))),
    ("commit", "alone", "One organisation plays every part.", then((by(trial.alone(), trial.NORTH),))),
    ("commit", "case-exists", "A trial is committed once.", then((trial.COMMIT, trial.COMMIT))),
    ("commit", "unordered", "Parties stand in order.", then((by(trial.commit(meeting[::-1]), trial.SPONSOR),))),
    ("commit", "unknown-party", "A hospital is no sponsor.", then((by(trial.commit(), trial.NORTH),))),
    (
        "commit",
        "parts-missing",
        "There is no board for ethics.",
        then((by(trial.commit(meeting[:2]), trial.SPONSOR),)),
    ),
    ("commit", "parts-meet", "A sponsor on the board.", then((by(trial.commit(meeting), trial.SPONSOR),))),
    (
        "commit",
        "not-sponsor",
        "Another is named as sponsor.",
        then((by(trial.commit((type(meeting[0])(Part.SPONSOR, trial.STATS), *meeting[1:])), trial.SPONSOR),)),
    ),
    ("commit", "no-threshold", "Four of three.", then((by(trial.commit(threshold=4), trial.SPONSOR),))),
    ("sign", "applied", "The last party signs.", then(trial.SIGNED)),
    ("sign", "already-signed", "A party signs once.", then(trial.SIGNED[:2], trial.SIGNED[1])),
    (
        "sign",
        "not-newest",
        "Another definition.",
        then(trial.SIGNED[:1], by(SignStudy(id_, trial.TWO), trial.NORTH)),
    ),
    ("sign", "no-such-study", "There is none.", then(trial.SIGNED[1:2])),
    ("approve", "applied", "The regulator approves.", then(trial.APPROVED)),
    (
        "approve",
        "wrong-status",
        "Not after the report.",
        then(trial.ANALYSED, trial.PROPOSE, advance(Step.REPORT), trial.SECOND_VERSION[1]),
    ),
    ("register", "applied", "It is registered.", then(trial.REGISTERED)),
    (
        "register",
        "not-party",
        "A site registers nothing.",
        then(trial.APPROVED, by(trial.REGISTERED[-1][0], trial.NORTH)),
    ),
    ("advance", "applied", "It is open.", then(trial.OPEN)),
    ("advance", "wrong-status", "Not before its registration.", then(trial.APPROVED, advance(Step.OPEN))),
    (
        "advance",
        "outcomes-open",
        "An outcome without result or reason.",
        then(trial.UNBLINDED, advance(Step.ANALYSE, trial.STATS), advance(Step.REPORT)),
    ),
    ("advance", "report", "It is reported.", then(trial.ANALYSED, advance(Step.REPORT))),
    ("site", "applied", "A site is active.", then(trial.REGISTERED, *trial.site_ways())),
    ("site", "no-such-case", "It is no candidate.", then(trial.REGISTERED, trial.site_ways()[1])),
    ("propose-version", "applied", "An amendment.", then(trial.OPEN, trial.PROPOSE)),
    (
        "propose-version",
        "too-many",
        "As many versions as there may be.",
        then(trial.OPEN, *[trial.PROPOSE] * MAX_NUMBERED),
    ),
    ("adopt", "applied", "In force at a site.", then(trial.OPEN, *trial.SECOND_VERSION, trial.ADOPT)),
    ("adopt", "not-newest", "It is not approved.", then(trial.OPEN, by(Adopt(id_, 2), trial.NORTH))),
    ("enrol", "applied", "Someone is enrolled.", then(trial.ENROLLED)),
    ("enrol", "site-not-active", "Not a site.", then(trial.OPEN, (trial.ENROL[0], trial.SOUTH, "participant-1"))),
    ("enrol", "case-exists", "A key enrols once.", then(trial.ENROLLED, trial.ENROL)),
    ("allocate", "applied", "Two dispensers agree.", then(trial.ALLOCATED)),
    (
        "allocate",
        "disputed",
        "Two digests hold the study.",
        then(trial.ENROLLED, trial.allocate(), trial.allocate(trial.SECOND, trial.TWO)),
    ),
    (
        "refuse-enrolment",
        "applied",
        "No consent stands behind it.",
        then(trial.ENROLLED, by(RefuseEnrolment(trial.ENROLMENT, digest), trial.FIRST)),
    ),
    ("open-allocation", "applied", "An emergency.", then(trial.ALLOCATED, trial.EMERGENCY)),
    (
        "open-allocation",
        "wrong-kind",
        "Only emergencies are told afterwards.",
        then(
            trial.ALLOCATED,
            by(type(trial.AGREED[0])(id_, case_, trial.Kind.AGREED, 7, digest, deferred=True), trial.NORTH),
        ),
    ),
    (
        "grant-opening",
        "applied",
        "Two trustees open it.",
        then(
            trial.ALLOCATED,
            trial.AGREED,
            by(GrantOpening(case_, 1), "trust-a"),
            by(GrantOpening(case_, 3), "trust-c"),
        ),
    ),
    (
        "assess-opening",
        "applied",
        "It is assessed.",
        then(trial.ALLOCATED, trial.EMERGENCY, by(AssessOpening(case_, digest), trial.SPONSOR)),
    ),
    ("look", "applied", "The data is cut.", then(trial.OPEN, by(look, trial.STATS))),
    ("lock", "applied", "A lock is proposed.", then(trial.SOFT, trial.LOCK)),
    ("sign-lock", "applied", "It is locked.", then(trial.LOCKED)),
    (
        "unlock",
        "applied",
        "Two parties unlock.",
        then(trial.LOCKED, by(Unlock(id_, digest), trial.SPONSOR), by(Unlock(id_, digest), trial.ETHICS)),
    ),
    ("start-clock", "applied", "A day to tell.", then(trial.OPEN, by(clock, trial.NORTH))),
    ("meet-clock", "applied", "It is told.", then(trial.OPEN, by(clock, trial.NORTH), met)),
    ("meet-clock", "late", "It is told too late.", then(trial.OPEN, by(clock, trial.NORTH), 2 * DAY, met)),
    (
        "meet-clock",
        "follow-up",
        "What was told within seven days is followed up.",
        then(
            trial.OPEN,
            by(StartClock(id_, case_, ClockKind.DAYS_7, digest), trial.SPONSOR),
            by(MeetClock(case_, digest), trial.SPONSOR),
        ),
    ),
    ("post-result", "applied", "A result.", then(trial.UNBLINDED, trial.RESULTS[0])),
    (
        "omit-result",
        "applied",
        "A reason for none.",
        then(trial.UNBLINDED, by(OmitResult(id_, trial.TWO, digest), trial.STATS)),
    ),
    ("state-payment", "applied", "A site states what it is to be paid.", then(trial.OPEN, bill)),
    ("state-payment", "next", "The next, once the first is agreed to.", then(trial.OPEN, bill, agree, bill_next)),
    ("state-payment", "not-party", "A stranger.", then(trial.OPEN, by(bill[0], trial.STATS))),
    ("state-payment", "no-such-case", "The first is not there.", then(trial.OPEN, bill_next)),
    ("state-payment", "wrong-status", "The first is open.", then(trial.OPEN, bill, bill_next)),
    (
        "state-payment",
        "anew",
        "A disputed one is stated anew.",
        then(trial.OPEN, bill, answer(PaymentStep.DISPUTE), bill),
    ),
    ("step-payment", "applied", "The sponsor pays.", then(trial.OPEN, bill, agree, answer(PaymentStep.PAY))),
    ("step-payment", "not-newest", "Another sum.", then(trial.OPEN, bill, answer(PaymentStep.AGREE, trial.TWO))),
    ("step-payment", "not-party", "A site agrees to its own.", then(trial.OPEN, bill, by(agree[0], trial.NORTH))),
    ("step-payment", "wrong-status", "Paid before it is agreed to.", then(trial.OPEN, bill, answer(PaymentStep.PAY))),
]
