"""`correction list`, `answer`: patients' requests to correct a record, answered by a person within a month."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salus.core.encoding import decode, encode
from salus.node.errors import Conflict, NotFound
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.notices import CORRECTION_ANSWERED, notify
from salus.node.patient.messages import Corrected
from salus.node.records.charts import moment
from salus.node.usecase import Message, person, use_case


class AskCorrectionList(Message, frozen=True):
    """Asks for nothing more."""


class CorrectionLine(Message, frozen=True):
    """A patient's request to correct."""

    request: Annotated[str, Meta(description="Its id, hexadecimal.")]
    link: Annotated[str, Meta(description="Link of the patient, hexadecimal.")]
    type: Annotated[str, Meta(description="Resource type.")]
    id: Annotated[str, Meta(description="Logical id of the record.")]
    text: Annotated[str, Meta(description="What is wrong, in the patient's words.")]
    made: Annotated[str, Meta(description="When, UTC.")]
    due: Annotated[str, Meta(description="By when it is to be answered, UTC.")]
    overdue: Annotated[bool, Meta(description="Whether that has passed unanswered.")]
    outcome: Annotated[str, Meta(description="amended, declined; empty: not answered yet.")]
    reason: Annotated[str, Meta(description="What the patient was told.")]


class CorrectionList(Message, frozen=True):
    """All requests to correct."""

    requests: Annotated[tuple[CorrectionLine, ...], Meta(description="Oldest first.")]


class AnswerCorrection(Message, frozen=True):
    """Which request, and the answer."""

    request: Annotated[
        str,
        Meta(
            pattern=LINK_PATTERN,
            description="Its id, hexadecimal.",
            examples=[LINK_EXAMPLE],
            extra={"positional": True},
        ),
    ]
    outcome: Annotated[
        Literal["amended", "declined"],
        Meta(description="Whether the record was amended (by a new version), or not.", examples=["amended"]),
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2000,
            description="What the patient is told: what was changed, or why not.",
            examples=["The entry was amended after the test of 2025."],
        ),
    ]


class CorrectionAnswered(Message, frozen=True):
    """The patient sees the answer, and is told that there is one where an address is known."""

    request: Annotated[str, Meta(description="Its id, hexadecimal.")]


@use_case("correction.list", who=person())
def list_requests(node: MemberNode, request: AskCorrectionList) -> CorrectionList:  # noqa: ARG001 -- a use case
    """List patients' requests to correct a record."""
    now = node.now()
    lines = []
    for id_, link, body, _ in node.desk.corrections():
        one = decode(body, Corrected)
        lines.append(
            CorrectionLine(
                request=id_.hex(),
                link=link.hex(),
                type=one.type,
                id=one.record,
                text=one.text,
                made=moment(one.made),
                due=moment(one.due),
                overdue=not one.answered and now > one.due,
                outcome=one.outcome,
                reason=one.reason,
            )
        )
    return CorrectionList(requests=tuple(lines))


@use_case("correction.answer", who=person())
def answer_request(node: MemberNode, request: AnswerCorrection) -> CorrectionAnswered:
    """Answer a request to correct. What is amended is written first, as a new version of the record."""
    id_ = bytes.fromhex(request.request)
    found = next(((link, body) for known, link, body, _ in node.desk.corrections() if known == id_), None)
    if found is None:
        raise NotFound("correction.unknown", "there is no such request", got=request.request)
    link, body = found
    now = node.now()
    answered = msgspec.structs.replace(
        decode(body, Corrected), answered=now, outcome=request.outcome, reason=request.reason
    )
    if not node.desk.answer_correction(id_, encode(answered), now):
        raise Conflict("correction.answered", "the request was answered before", got=request.request)
    notify(node, link, CORRECTION_ANSWERED)
    return CorrectionAnswered(request=request.request)
