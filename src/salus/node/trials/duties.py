"""Duties of telling: `trial clock`, `trial told`."""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.trials import port
from salus.core.proof.digest import mac
from salus.node.errors import NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.trials.founding import STUDY
from salus.node.usecase import OPERATOR, Message, use_case

_KINDS: Final = {
    "24-hours": port.ClockKind.HOURS_24,
    "7-days": port.ClockKind.DAYS_7,
    "15-days": port.ClockKind.DAYS_15,
    "follow-up": port.ClockKind.FOLLOW_UP,
}
CASE = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the deadline.", examples=["0c" * 16])]


class StartSafetyClock(Message, frozen=True):
    """A serious event whose telling is due."""

    study: STUDY
    kind: Annotated[
        str,
        Meta(
            pattern=r"^(24-hours|7-days|15-days|follow-up)$",
            description="24-hours (a site), 7-days, 15-days or follow-up (the sponsor).",
            examples=["15-days"],
        ),
    ]
    event: Annotated[
        str, Meta(max_length=4000, description="The event; only a salted commitment is public.", examples=["collapse"])
    ]


class SafetyClockStarted(Message, frozen=True):
    """The deadline runs, for everyone to see."""

    case: Annotated[str, Meta(description="Its id.")]
    due: Annotated[str, Meta(description="By when it is to be told, UTC.")]


class MeetSafetyClock(Message, frozen=True):
    """What was told, and its acknowledgement."""

    case: CASE
    acknowledgement: Annotated[bytes, Meta(description="The acknowledgement as received.", examples=[b"ack"])]


class SafetyClockMet(Message, frozen=True):
    """In time or late: late stays late."""

    status: Annotated[str, Meta(description="met or late.")]
    follow_up: Annotated[
        str, Meta(description="Id of the follow-up's deadline, which runs now; empty without one.")
    ] = ""


@use_case("trial.clock", who=OPERATOR)
def start_clock(node: MemberNode, request: StartSafetyClock) -> SafetyClockStarted:
    """Start a deadline of telling; whose it is to start, the ledger checks."""
    study, case = bytes.fromhex(request.study), node.entropy(16)
    commitment = mac(node.entropy(32), "salus/v1/trial-event", request.event.encode())
    node.submitter.submit(port.StartClock(study, case, _KINDS[request.kind], commitment))
    return SafetyClockStarted(case=case.hex(), due=moment(_clock(node, case).due))


@use_case("trial.told", who=OPERATOR)
def meet_clock(node: MemberNode, request: MeetSafetyClock) -> SafetyClockMet:
    """Say that an event was told, with the acknowledgement's digest; block time decides whether in time."""
    case = bytes.fromhex(request.case)
    told = mac(case, "salus/v1/trial-acknowledgement", request.acknowledgement)
    outcome = node.submitter.submit(port.MeetClock(case, told))
    follow_up = port.follow_up_id(outcome.tx_id)
    known = port.clock(node.ledger.read(), follow_up) is not None
    return SafetyClockMet(status=_clock(node, case).status.name.lower(), follow_up=follow_up.hex() if known else "")


def _clock(node: MemberNode, case: bytes) -> port.SafetyClock:
    row = port.clock(node.ledger.read(), case)
    if row is None:
        raise NotFound("trials.no-clock", "the ledger has no such deadline", got=case.hex())
    return row
