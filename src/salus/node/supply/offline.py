"""`supply snapshot` and `supply offline`: verification for a day without a line, in a process that has a trust file alone."""

from typing import Annotated

from msgspec import Meta

from salus.core.encoding import encode
from salus.core.proof.trust import Trust
from salus.interop.epcis import times
from salus.node.member import MemberNode
from salus.node.supply import snapshot
from salus.node.supply.stock import elements_of
from salus.node.usecase import OPERATOR, Message, Node, Verdict, use_case


class MakeSnapshot(Message, frozen=True):
    """Nothing."""


class SnapshotMade(Message, frozen=True):
    """A snapshot. Whoever has it can name this member's goods: keep it as the goods' own data."""

    snapshot: Annotated[bytes, Meta(description="The file, for `salus supply offline`.")]
    height: Annotated[int, Meta(description="Newest block of the own replica.")]
    until: Annotated[str, Meta(description="Until when it is answered from, UTC.")]


class AskOffline(Message, frozen=True):
    """Packs in hand, without a line."""

    snapshot: Annotated[bytes, Meta(description="What `salus supply snapshot` wrote.", examples=[b"..."])]
    trust: Annotated[bytes, Meta(description="The network's trust file.", examples=[b"{}"])]
    identifiers: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=10_000,
            description="Labels as scanned, element strings, Digital Links or bracketed text.",
            examples=[["(01)09506000134352(21)A1(10)LOT7(17)271231"]],
        ),
    ]


class OfflineAnswer(Message, frozen=True):
    """What to make of one pack."""

    verified: Annotated[bool, Meta(description="Whether it is genuine and not ended.")]
    code: Annotated[
        str, Meta(description="Of GS1 verification messaging, or RECALLED, DISPENSED, NOT_IN_SNAPSHOT, ...")
    ]
    action: Annotated[str, Meta(description="What it calls for, as `supply verify` has it.")]
    proof: Annotated[bytes, Meta(description="What opens the pack and leads to its row; empty if it is not known.")]


class AnsweredOffline(Verdict, frozen=True):
    """An answer for each pack, in order."""

    sound: Annotated[bool, Meta(description="Whether nothing is to be done about any of them.")]
    member: Annotated[str, Meta(description="Who made the snapshot.")]
    height: Annotated[int, Meta(description="Block at which the goods stood so.")]
    until: Annotated[str, Meta(description="Until when the snapshot is answered from, UTC.")]
    answers: Annotated[tuple[OfflineAnswer, ...], Meta(description="One for each identifier.")]


@use_case("supply.snapshot", who=OPERATOR)
def make_snapshot(node: MemberNode, request: MakeSnapshot) -> SnapshotMade:  # noqa: ARG001 -- a use case's shape
    """Write down, signed and proven, how everything stands that this member can name: for 24 hours without a line."""
    data = snapshot.make(node)
    until = times.text(node.now() + snapshot.LIFE_MS)
    return SnapshotMade(snapshot=data, height=node.ledger.head().height, until=until)


@use_case("supply.offline", who=OPERATOR)
def answer_offline(node: Node, request: AskOffline) -> AnsweredOffline:
    """Verify packs by a snapshot of the last 24 hours and a trust file, without a ledger and without a line.

    A pack that the snapshot does not name is to be asked for when the line is back: it is not refused.
    """
    now = node.now()
    opened = snapshot.opened(request.snapshot, Trust.from_json(request.trust), now)
    answers = []
    for identifier in request.identifiers:
        verdict, told = snapshot.verify(opened, elements_of(identifier), now)
        proof = encode(told) if told else b""
        answers.append(
            OfflineAnswer(verified=verdict.verified, code=verdict.code, action=verdict.call.value, proof=proof)
        )
    return AnsweredOffline(
        sound=all(one.verified and not one.code for one in answers),
        member=opened.member,
        height=opened.height,
        until=times.text(opened.made + snapshot.LIFE_MS),
        answers=tuple(answers),
    )
