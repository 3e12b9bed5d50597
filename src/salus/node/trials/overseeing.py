"""What a trial's parties look over: `trial trail`, a participant's audit trail; `trial expect`, an event against the RSI."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from salus.agreements.trials.conduct import State, conduct
from salus.agreements.trials.safety import Adverse, Reference, judge, read_reference, reference_digest
from salus.agreements.trials.trail import TrailLine, audit_trail
from salus.contracts.trials import port
from salus.core.proof.digest import mac
from salus.interop.cdisc.findings import DocumentRefused
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import EventJudged, keep, kept
from salus.node.trials.sight import chains, conditions, plays, study_of, terms_of
from salus.node.usecase import OPERATOR, Message, use_case

SUBJECT = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{32}$", description="Stands for the participant at the site.", examples=["0b" * 16])
]
KINDS = {"7-days": port.ClockKind.DAYS_7, "15-days": port.ClockKind.DAYS_15}


class ReadTrail(Message, frozen=True):
    """Whose audit trail is read."""

    study: STUDY
    subject: SUBJECT


class Trail(Message, frozen=True):
    """Every act of the participant's chain, refused ones too; nothing in it tells an arm."""

    columns: Annotated[str, Meta(description="What stands in a line, in order.")]
    lines: Annotated[tuple[str, ...], Meta(description="One value each: parts divided by a tab.")]


class ExpectEvent(Message, frozen=True):
    """A serious event to be held against the reference safety information."""

    study: STUDY
    subject: SUBJECT
    event: Annotated[int, Meta(ge=1, le=1 << 20, description="Number of the act that entered it.", examples=[6])]
    reference: Annotated[
        bytes,
        Meta(description="The reference safety information, JSON, that the terms name.", examples=[b"{}"]),
    ]


class EventExpected(Message, frozen=True):
    """Whether it was to be expected, whatever the arm; a SUSAR's deadline runs on the ledger."""

    expected: Annotated[bool, Meta(description="Whether the reference lists it at this severity.")]
    susar: Annotated[bool, Meta(description="Whether it is serious, suspected and unexpected.")]
    told: Annotated[str, Meta(description="Why.")]
    case: Annotated[str, Meta(description="Id of the deadline; empty if none runs.")] = ""
    due: Annotated[str, Meta(description="By when it is to be told, UTC; empty if none runs.")] = ""


COLUMNS = ("act", "entered", "anchored", "who", "role", "kind", "item", "old", "new", "reason", "refused")


@use_case("trial.trail", who=OPERATOR)
def read_trail(node: MemberNode, request: ReadTrail) -> Trail:
    """Write a participant's audit trail: who, in which role, when, what, the value before and after, and why."""
    study, subject = bytes.fromhex(request.study), bytes.fromhex(request.subject)
    site, chain = next(
        ((site, chain) for site, at, chain in chains(node, study) if at == subject),
        ("", None),
    )
    if chain is None:
        raise _unknown(request.subject)
    lines = audit_trail(chain, conditions(node, study, site))
    return Trail(columns="\t".join(COLUMNS), lines=tuple("\t".join(_told(line)) for line in lines))


def _told(line: TrailLine) -> tuple[str, ...]:
    told = (line.by, line.role, line.kind, line.item, line.old, line.new, line.reason, line.refused)
    when = (_time(line.entered), _time(line.anchored) if line.anchored else "")
    return (str(line.number), *when, *(" ".join(each.split()) for each in told))


def _time(ms: int) -> str:
    whole = dt.datetime.fromtimestamp(ms // 1000, dt.UTC)
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")


def _unknown(subject: str) -> NotFound:
    return NotFound("trials.unknown", "no acts of this participant are here", got=subject, todo="wait for the site")


@use_case("trial.expect", who=OPERATOR)
def expect_event(node: MemberNode, request: ExpectEvent) -> EventExpected:
    """Hold an event against the signed reference safety information, as the sponsor; a SUSAR starts its deadline, once."""
    study, subject = bytes.fromhex(request.study), bytes.fromhex(request.subject)
    row, roster = study_of(node, study)
    if not plays(roster, node.member, port.Part.SPONSOR):
        raise Forbidden("trials.not-sponsor", "the sponsor judges whether an event was expected")
    judged = judge(
        _event(_state(node, study, subject), request), _reference(node, study, row.version, request.reference)
    )
    key = study + subject + request.event.to_bytes(4, "big")
    before = next((value for _, value in kept(node, EventJudged, key)), None)
    if before is None and judged.deadline:
        before = EventJudged(node.entropy(16), node.entropy(32), judged.told)
        keep(node, key, before)  # before the ledger hears of it: what is repeated after a crash starts the same clock
    clock = None if before is None else port.clock(node.ledger.read(), before.case)
    if before is not None and clock is None and judged.deadline:
        commitment = mac(before.salt, "salus/v1/trial-event", key)
        node.submitter.submit(port.StartClock(study, before.case, KINDS[judged.deadline], commitment))
        clock = port.clock(node.ledger.read(), before.case)
    return EventExpected(
        expected=judged.expected,
        susar=judged.susar,
        told=judged.told,
        case="" if clock is None or before is None else before.case.hex(),
        due="" if clock is None else moment(clock.due),
    )


def _state(node: MemberNode, study: bytes, subject: bytes) -> State:
    for site, at, chain in chains(node, study):
        if at == subject:
            return conduct(chain, conditions(node, study, site))
    raise _unknown(subject.hex())


def _event(state: State, request: ExpectEvent) -> Adverse:
    found = next((one for one in state.adverse if one.number == request.event), None)
    if found is None:
        raise NotFound("trials.no-event", "no act of this number entered an event", got=str(request.event))
    return found


def _reference(node: MemberNode, study: bytes, version: int, text: bytes) -> Reference:
    _, terms = terms_of(node, study, version)
    if reference_digest(text) != terms.reference:
        raise Forbidden(
            "trials.reference",
            "this is not the reference safety information that the parties signed",
            expected=terms.reference or "none: the terms name no reference",
            got=reference_digest(text),
        )
    try:
        return read_reference(text)
    except DocumentRefused as refused:
        raise Malformed("trials.reference", str(refused)) from None
