"""`messages list`, `show`, `replay`, `drop`: what came in over MLLP, and what waits for a person."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.node.desk import Letter
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.fhir.server import FhirServer
from salus.node.listening.taking import DROPPED, HELD, TAKEN, Taking
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case

_STATES: Final = (HELD, TAKEN, DROPPED)
_ID: Final = Meta(
    description="The message's id, as `messages list` shows it.",
    examples=["00112233445566778899aabbccddeeff"],
    pattern="^[0-9a-f]{32}$",
    extra={"positional": True},
)


class ListMessages(Message, frozen=True):
    """Which messages."""

    state: Annotated[str, Meta(description="held, taken or dropped.", examples=["held"])] = HELD
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Messages at most.", examples=[100])] = 100


class MessageLine(Message, frozen=True):
    """One message."""

    id: Annotated[str, Meta(description="Its id here, hexadecimal.")]
    received: Annotated[str, Meta(description="When it came, UTC.")]
    sender: Annotated[str, Meta(description="Application and facility (MSH-3, MSH-4).")]
    control: Annotated[str, Meta(description="Its control id (MSH-10).")]
    kind: Annotated[str, Meta(description="Type and event (MSH-9); empty when it could not be read.")]
    state: Annotated[str, Meta(description="held, taken or dropped.")]
    reason: Annotated[
        str,
        Meta(
            description="Field and error code (table 0357) of a refusal; of a message taken, what was not carried over."
        ),
    ]


class Messages(Message, frozen=True):
    """Messages."""

    messages: Annotated[tuple[MessageLine, ...], Meta(description="The newest first.")]


class ShowMessage(Message, frozen=True):
    """Which message."""

    id: Annotated[str, _ID]


class MessageShown(Message, frozen=True):
    """A message that is held, as it came."""

    line: Annotated[MessageLine, Meta(description="What is known of it.")]
    segments: Annotated[
        tuple[str, ...], Meta(description="Its segments as received; none once it is taken or dropped.")
    ]


class Replay(Message, frozen=True):
    """What to try again."""

    id: Annotated[
        tuple[str, ...],
        Meta(
            description="Ids of messages held; none: all that are held.",
            examples=[["00112233445566778899aabbccddeeff"]],
        ),
    ] = ()


class Replayed(Message, frozen=True):
    """What came of it."""

    taken: Annotated[int, Meta(description="Messages now taken.")]
    held: Annotated[tuple[MessageLine, ...], Meta(description="Messages that are still held, and why.")]


class Drop(Message, frozen=True):
    """A message that nobody needs."""

    id: Annotated[str, _ID]
    reason: Annotated[
        str,
        Meta(
            min_length=3, max_length=200, description="Why, without naming anybody.", examples=["test of the interface"]
        ),
    ]


class Dropped(Message, frozen=True):
    """The message's bytes are gone; that it came, and why it was dropped, stays."""

    line: Annotated[MessageLine, Meta(description="What is known of it.")]


def _line(letter: Letter) -> MessageLine:
    return MessageLine(
        id=letter.id.hex(), received=moment(letter.received), sender=letter.sender, control=letter.control,
        kind=letter.kind, state=letter.state, reason=letter.reason,
    )  # fmt: skip


def _letter(node: MemberNode, told: str) -> Letter:
    found = node.desk.letter(bytes.fromhex(told)) if len(told) == 32 else None
    if found is None:
        raise NotFound("message.unknown", "no message has this id", todo="see `salus messages list`")
    return found


@use_case("messages.list", who=OPERATOR)
def list_messages(node: MemberNode, request: ListMessages) -> Messages:
    """List messages of HL7 v2 that came in: those held for a person, or those taken or dropped."""
    if request.state not in _STATES:
        raise Malformed("message.state", "there is no such state", expected=", ".join(_STATES))
    return Messages(messages=tuple(_line(one) for one in node.desk.letters(request.state, request.limit)))


@use_case("messages.show", who=OPERATOR)
def show(node: MemberNode, request: ShowMessage) -> MessageShown:
    """Show a message that is held, segment by segment."""
    letter = _letter(node, request.id)
    text = letter.body.decode("utf-8", "replace").replace("\n", "\r")
    return MessageShown(line=_line(letter), segments=tuple(one for one in text.split("\r") if one.strip()))


@use_case("messages.replay", who=OPERATOR)
def replay(node: MemberNode, request: Replay) -> Replayed:
    """Try held messages again, the oldest first: after an authority was named, or a sender's fault was mended here."""
    letters = [_letter(node, one) for one in request.id] or list(reversed(node.desk.letters(HELD, 10_000)))
    taking = Taking(node, FhirServer(node))
    for one in letters:
        if one.state == HELD:
            taking.again(one)
    after = [_letter(node, one.id.hex()) for one in letters]
    return Replayed(
        taken=sum(one.state == TAKEN for one in after), held=tuple(_line(one) for one in after if one.state == HELD)
    )


@use_case("messages.drop", who=OPERATOR)
def drop(node: MemberNode, request: Drop) -> Dropped:
    """Drop a message that is held: its bytes go, the line about it stays with the reason."""
    letter = _letter(node, request.id)
    if letter.state != HELD:
        raise Conflict("message.not-held", "the message is not held", got=letter.state)
    node.desk.keep_letter(msgspec.structs.replace(letter, state=DROPPED, reason=request.reason, body=b""))
    return Dropped(line=_line(_letter(node, request.id)))
