"""`supply scan`: one pack in hand, judged for whoever stands at the dock or counter."""

from typing import Annotated, Final

from msgspec import Meta

from salus.agreements.supply.triage import Call
from salus.contracts.supply import port
from salus.interop.gs1.elements import write_hri
from salus.node.member import MemberNode
from salus.node.supply import answering
from salus.node.supply.stock import elements_of
from salus.node.usecase import Message, person, use_case

GOOD: Final = "good"
WAIT: Final = "wait"
STOP: Final = "stop"
KINDS: Final = {
    Call.NOTHING: GOOD,
    Call.WARNING: WAIT,
    Call.DATA: WAIT,
    Call.RETRY: WAIT,
    Call.SET_ASIDE: STOP,
    Call.ALARM: STOP,
}
"""What an answer calls for, as three colours."""
UNDOABLE: Final = frozenset(reason.name for reason in port.UNDOABLE)


class ScanPack(Message, frozen=True):
    """What a scanner sent."""

    identifier: Annotated[
        str,
        Meta(
            max_length=2_048,
            description="An element string with or without symbology identifier, bracketed text or a Digital Link.",
            examples=["(01)09506000134352(21)A1(10)LOT7(17)271231"],
        ),
    ]


class PackScanned(Message, frozen=True):
    """What to do with it."""

    kind: Annotated[str, Meta(description="good: go on; wait: look at it; stop: set it aside.")]
    verified: Annotated[bool, Meta(description="Whether it is genuine and not ended.")]
    code: Annotated[str, Meta(description="Why, as `supply verify` has it; empty when all is in order.")]
    action: Annotated[str, Meta(description="What it calls for.")]
    label: Annotated[str, Meta(description="The label as people read it.")]
    height: Annotated[int, Meta(description="Block of the own replica that was asked.")]


@use_case("supply.scan", who=person("logistics", "pharmacist"))
def scan_pack(node: MemberNode, request: ScanPack) -> PackScanned:
    """Judge one pack in hand: go on, look, or set it aside. As `supply verify`, for people at the dock or counter."""
    label = write_hri(elements_of(request.identifier))
    answer = answering.verify(node, request.identifier)
    verdict = answer.verdict
    final = verdict.call is Call.WARNING and verdict.code not in UNDOABLE  # ended here, and for good
    return PackScanned(
        kind=STOP if final else KINDS[verdict.call],
        verified=verdict.verified,
        code=verdict.code,
        action=verdict.call.value,
        label=label,
        height=answer.height,
    )
