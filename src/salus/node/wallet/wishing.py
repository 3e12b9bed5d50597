"""`salus wallet preview`, `correct`, `corrections`: what a permission would open; what is to be put right."""

from typing import Annotated

from msgspec import Meta

from salus.node.patient import messages as m
from salus.node.records.charts import moment
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.joining import MEMBER
from salus.node.wallet.seeing import MISSING, of_each
from salus.node.wallet.sharing import CODE, DAY, chosen_of, day_ms


class AskPreview(Message, frozen=True):
    """The request, and what of it would be granted."""

    code: CODE
    share_from: Annotated[
        tuple[str, ...],
        Meta(description="Members whose records would be shared; all joined ones if empty.", examples=[["north"]]),
    ] = ()
    classes: Annotated[
        tuple[str, ...],
        Meta(description="Only these of the classes asked for; all of them if empty.", examples=[["laboratory"]]),
    ] = ()
    since: DAY = ""
    until: DAY = ""


class PreviewLine(Message, frozen=True):
    """A record that would be seen."""

    member: Annotated[str, Meta(description="Member that would serve it.")]
    type: Annotated[str, Meta(description="Resource type.")]
    id: Annotated[str, Meta(description="Logical id there.")]


class PreviewShown(Message, frozen=True):
    """Exactly what would be seen if it were granted now. Nothing is granted."""

    records: Annotated[tuple[PreviewLine, ...], Meta(description="By member, in the order of writing.")]
    more: Annotated[bool, Meta(description="Whether a member has more than it lists.")]


class AskCorrect(Message, frozen=True):
    """Which record is wrong, and how it should read."""

    member: MEMBER
    type: Annotated[str, Meta(max_length=64, description="Resource type.", examples=["AllergyIntolerance"])]
    id: Annotated[str, Meta(max_length=64, description="Logical id there.", examples=["a1"])]
    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=4000,
            description="What is wrong, and how it should read.",
            examples=["I am not allergic to penicillin: the test of 2025 was negative."],
        ),
    ]


class CorrectAsked(Message, frozen=True):
    """The member has it. A person there answers within a month."""

    request: Annotated[str, Meta(description="Id of the request, hexadecimal.")]


class ListCorrections(Message, frozen=True):
    """Asks for nothing more."""


class CorrectionTold(Message, frozen=True):
    """A request to correct, and what became of it."""

    member: Annotated[str, Meta(description="Member that was asked.")]
    type: Annotated[str, Meta(description="Resource type.")]
    id: Annotated[str, Meta(description="Logical id of the record.")]
    text: Annotated[str, Meta(description="What was asked.")]
    made: Annotated[str, Meta(description="When, UTC.")]
    due: Annotated[str, Meta(description="By when it is to be answered, UTC.")]
    outcome: Annotated[str, Meta(description="amended, declined; empty: not answered yet.")]
    reason: Annotated[str, Meta(description="What the member says about it.")]


class CorrectionsTold(Message, frozen=True):
    """Every request to correct."""

    requests: Annotated[tuple[CorrectionTold, ...], Meta(description="By member, oldest first.")]
    missing: MISSING


class ListErasures(Message, frozen=True):
    """Asks for nothing more."""


class ErasureTold(Message, frozen=True):
    """How far the erasure of the own record has come at a member. Nothing of it is shared since it was asked for."""

    member: Annotated[str, Meta(description="Member that was asked.")]
    status: Annotated[str, Meta(description="requested, cancelled or retained.")]
    opened: Annotated[str, Meta(description="When it was asked for, UTC.")]
    earliest: Annotated[str, Meta(description="Before this nothing is deleted, UTC.")]
    due: Annotated[str, Meta(description="By when the member takes the next step, UTC; empty when none remains.")]
    reason: Annotated[str, Meta(description="Class of the reason in law to retain it; empty without one.")]
    duty: Annotated[str, Meta(description="The trial's duty to retain it, as its signed terms name it; empty without.")]
    until: Annotated[str, Meta(description="When that duty ends, UTC; empty: not fixed yet, or no duty.")]


class ErasuresTold(Message, frozen=True):
    """Where an erasure was asked for and is not done. A member that has deleted the record knows its patient no more."""

    erasures: Annotated[tuple[ErasureTold, ...], Meta(description="By member.")]
    missing: MISSING


@use_case("wallet.preview", who=PATIENT)
def preview(wallet: OpenWallet, request: AskPreview) -> PreviewShown:
    """Show exactly which records a grant would open, asked of each member by the function that it serves by."""
    asked = wallet.holder.read_request(request.code)
    question = m.Preview(
        asked.member,
        asked.roles,
        asked.purpose,
        chosen_of(asked.classes, request.classes),
        day_ms(request.since),
        day_ms(request.until),
    )
    members = request.share_from or tuple(
        tied.member for tied in wallet.holder.wallet.state.links if tied.member != asked.member
    )
    lines, more = [], False
    for member in members:
        told = wallet.holder.instruct(member, "preview", question, m.Previewed)
        lines += [
            PreviewLine(member=member, type=kind, id=own)
            for kind, own in dict.fromkeys(each[:2] for each in told.records)
        ]
        more = more or told.more
    return PreviewShown(records=tuple(lines), more=more)


@use_case("wallet.correct", who=PATIENT)
def correct(wallet: OpenWallet, request: AskCorrect) -> CorrectAsked:
    """Ask the member that wrote a record to correct it. The old version stays in its history."""
    id_ = wallet.holder.entropy(16)
    question = m.Correct(id_, request.type, request.id, request.text)
    wallet.holder.instruct(wallet.through(request.member), "correct", question, m.Done)
    return CorrectAsked(request=id_.hex())


@use_case("wallet.corrections", who=PATIENT)
def list_corrections(wallet: OpenWallet, request: ListCorrections) -> CorrectionsTold:  # noqa: ARG001 -- a use case
    """Show what became of every request to correct, at all members joined."""
    told, missing = of_each(
        wallet, lambda member: wallet.holder.instruct(member, "corrections", m.AskCorrections(), m.Corrections)
    )
    lines = [
        CorrectionTold(
            member=member,
            type=one.type,
            id=one.record,
            text=one.text,
            made=moment(one.made),
            due=moment(one.due),
            outcome=one.outcome,
            reason=one.reason,
        )
        for member, part in told
        for one in part.requests
    ]
    return CorrectionsTold(requests=tuple(lines), missing=missing)


@use_case("wallet.erasures", who=PATIENT)
def list_erasures(wallet: OpenWallet, request: ListErasures) -> ErasuresTold:  # noqa: ARG001 -- a use case
    """Show how far each erasure of the own record has come: what stays, by which duty, and until when."""
    told, missing = of_each(wallet, wallet.holder.erasure)
    lines = [
        ErasureTold(
            member=member,
            status=one.status,
            opened=moment(one.opened),
            earliest=moment(one.earliest),
            due=moment(one.due) if one.due else "",
            reason=one.reason,
            duty=one.duty,
            until=moment(one.until) if one.until else "",
        )
        for member, one in told
        if one.status
    ]
    return ErasuresTold(erasures=tuple(lines), missing=missing)
