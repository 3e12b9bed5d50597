"""`salus wallet research`, `research-object`, `research-notices`, `where-was-i`: a patient's part in studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from salus.agreements.grants import FORMAT, Document, present
from salus.agreements.research import population
from salus.contracts.research.port import CLASSES
from salus.core.proof.errors import Unproven
from salus.node.errors import Forbidden
from salus.node.patient.proof import check_receipt
from salus.node.records.charts import moment
from salus.node.research.choices import NOBODY, OPEN, PURPOSE, WAY
from salus.node.research.patient import Choose, Done, Notices, Object, Part, Parts, Where, proof_of
from salus.node.research.policy import policy_of, tokens_of
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.holder import DAY_MS, Holder
from salus.node.wallet.joining import MEMBER
from salus.node.wallet.sharing import THROUGH
from salus.vault.wallet import Share

WAYS = ("noisy", "exact", "extract")


@dataclass(frozen=True, slots=True)
class Seen:
    """A question that a custodian began, and whether this person was counted in it, as proven."""

    member: str
    part: Part
    counted: bool


def choose(
    holder: Holder,
    policy: Sequence[str],
    ways: Sequence[str],
    *,
    days: int,
    through: str,
    members: Sequence[str] = (),
    classes: Sequence[str] = OPEN,
) -> bytes:
    """Let records at some members (all joined) be counted in research that fits a policy; return the choice's id."""
    now = holder.clock()
    document = Document(
        format=FORMAT,
        network=holder.network,
        grantee=NOBODY,
        roles=(),
        purposes=(PURPOSE,),
        not_before=now,
        expiry=now + days * DAY_MS,
        obligations=(*tokens_of(policy_of(tuple(policy))), *(WAY + way for way in sorted(ways))),
    )
    names = tuple(members) or tuple(tied.member for tied in holder.wallet.state.links)
    id_, height = holder.choose(document, [Share(name, tuple(classes)) for name in names], through=through)
    made = holder.wallet.state.grants[-1].grant
    for name in names:
        holder.instruct(name, "research-choose", Choose(present(made, name), height), Done)
    return id_


def object_(holder: Holder, member: str, *, objecting: bool) -> None:
    """Have a member count one's records in nothing from now on, or no longer so."""
    holder.instruct(member, "research-object", Object(objecting), Done)


def notices(holder: Holder, member: str, *, wanted: bool) -> None:
    """Be told by a member, or no longer, when a question begins that counts one's records."""
    holder.instruct(member, "research-notices", Notices(wanted), Done)


def where_was_i(holder: Holder) -> list[Seen]:
    """Return every question that a member began, with the proof that one was counted or not. Raises Forbidden.

    A member's word is not believed: the root stands in the receipt of the begin, under the trust file.
    """
    found: list[Seen] = []
    for tied in holder.wallet.state.links:
        after, more = 0, True
        while more:
            told = holder.instruct(tied.member, "research-where", Where(after), Parts)
            found += [_seen(holder, tied.member, tied.secret, part) for part in told.parts]
            after, more = after + len(told.parts), told.more and bool(told.parts)
    return found


def _seen(holder: Holder, member: str, secret: bytes, part: Part) -> Seen:
    leaf = check_receipt(holder.trust, part.begun, part.receipt)
    named = leaf.data[:16] == part.query and leaf.data[16:32] == part.data_set
    if leaf.code != 0 or not named or leaf.data[65:].decode("ascii", "replace") != member:
        raise Forbidden("wallet.research", "the receipt is of another begin", got=member)
    path = population.path(secret, part.query)
    try:
        value = population.counted(proof_of(part), path, leaf.data[33:65])
    except Unproven as error:
        raise Forbidden(
            "wallet.research", "the member proves neither that you were counted nor that you were not", got=member
        ) from error
    return Seen(member, part, value is not None)


class ChooseResearch(Message, frozen=True):
    """What one's records may be used for, and how answers may leave."""

    policy: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=20,
            description="Classes of the Data Use Ontology: a permission and modifiers.",
            examples=[["DUO:0000006", "DUO:0000046"]],
        ),
    ]
    days: Annotated[int, Meta(ge=1, le=1830, description="For how many days from now.", examples=[365])]
    ways: Annotated[
        tuple[str, ...],
        Meta(
            max_length=3, description="noisy, exact, extract; the last lets one's own rows leave.", examples=[["noisy"]]
        ),
    ] = ("noisy", "exact")
    members: Annotated[
        tuple[str, ...],
        Meta(
            max_length=31,
            description="Members whose records count; all joined ones if empty.",
            examples=[["north-hospital"]],
        ),
    ] = ()
    classes: Annotated[
        tuple[str, ...],
        Meta(max_length=11, description="Sensitivity classes; protected ones only if named.", examples=[["general"]]),
    ] = OPEN
    through: THROUGH = ""


class ResearchChosen(Message, frozen=True):
    """The choice stands on the ledger, and its custodians have it. `salus wallet stop` ends it."""

    grant: Annotated[str, Meta(description="Its id, hexadecimal.")]
    policy: Annotated[tuple[str, ...], Meta(description="As it was understood.")]


class ObjectToResearch(Message, frozen=True):
    """At which member."""

    member: MEMBER
    end: Annotated[bool, Meta(description="End an earlier objection.", examples=[True])] = False


class Objected(Message, frozen=True):
    """In force at once: no question begun from now on counts these records."""

    member: Annotated[str, Meta(description="The member.")]


class ResearchNotices(Message, frozen=True):
    """At which member."""

    member: MEMBER
    end: Annotated[bool, Meta(description="Be told no longer.", examples=[True])] = False


class NoticesSet(Message, frozen=True):
    """Whether the member writes to the address that it was given, when a study begins that counts these records."""

    member: Annotated[str, Meta(description="The member.")]
    wanted: Annotated[bool, Meta(description="Whether it writes.")]


class WhereWasI(Message, frozen=True):
    """Asks for nothing more."""


class StudyLine(Message, frozen=True):
    """One question that a member began."""

    member: Annotated[str, Meta(description="Who counted.")]
    institution: Annotated[str, Meta(description="Who asked.")]
    study: Annotated[str, Meta(description="The study in plain words.")]
    purpose: Annotated[tuple[str, ...], Meta(description="What it is for: labels of the Data Use Ontology.")]
    way: Annotated[str, Meta(description="How the answer leaves: noisy, exact or extract.")]
    date: Annotated[
        str, Meta(description="Day on which it began, UTC, as the member says; empty if it no longer knows.")
    ]
    counted: Annotated[bool, Meta(description="Whether your records were counted, as proven.")]
    query: Annotated[str, Meta(description="The question, hexadecimal.")]
    result: Annotated[str, Meta(description="Digest of the published result; empty before.")]


class Studies(Message, frozen=True):
    """Over all members joined, each line proven."""

    studies: Annotated[tuple[StudyLine, ...], Meta(description="The questions.")]


@use_case("wallet.research", who=PATIENT)
def choose_research(wallet: OpenWallet, request: ChooseResearch) -> ResearchChosen:
    """Let one's records be counted in studies that fit a choice. Answers leave, records do not, unless extract is chosen."""
    unknown = [way for way in request.ways if way not in WAYS]
    if unknown or not request.ways:
        raise Forbidden("wallet.research", "no such way out", expected=", ".join(WAYS))
    id_ = choose(
        wallet.holder,
        request.policy,
        request.ways,
        days=request.days,
        through=wallet.through(request.through),
        members=request.members,
        classes=request.classes,
    )
    return ResearchChosen(grant=id_.hex(), policy=tokens_of(policy_of(request.policy)))


@use_case("wallet.research-object", who=PATIENT)
def object_to_research(wallet: OpenWallet, request: ObjectToResearch) -> Objected:
    """Object at a member to every use of one's records in research, or end the objection. No reasons are asked."""
    object_(wallet.holder, wallet.through(request.member), objecting=not request.end)
    return Objected(member=request.member)


@use_case("wallet.research-notices", who=PATIENT)
def set_research_notices(wallet: OpenWallet, request: ResearchNotices) -> NoticesSet:
    """Have a member write when a study begins that counts one's records, or no longer. It writes unless told otherwise."""
    member = wallet.through(request.member)
    notices(wallet.holder, member, wanted=not request.end)
    return NoticesSet(member=member, wanted=not request.end)


@use_case("wallet.where-was-i", who=PATIENT)
def where_was_i_counted(wallet: OpenWallet, request: WhereWasI) -> Studies:  # noqa: ARG001 -- a use case
    """List the questions that members began, and whether one's records were counted, each proven by the ledger."""
    lines = tuple(
        StudyLine(
            member=one.member,
            institution=one.part.institution,
            study=one.part.summary,
            purpose=tuple(CLASSES[code].label for code in one.part.investigations if code in CLASSES),
            way=one.part.way,
            date=moment(one.part.time)[:10] if one.part.time else "",
            counted=one.counted,
            query=one.part.query.hex(),
            result=one.part.result.hex(),
        )
        for one in where_was_i(wallet.holder)
    )
    return Studies(studies=lines)
