"""`hosting note`, `questions`, `answer`: what people here do about wallets that other members keep, the patient before them."""

from typing import Annotated

from msgspec import Meta

from salus.core.encoding import decode
from salus.node.errors import Malformed, NotFound
from salus.node.hosted import Terms, answer, line_of_staff
from salus.node.member import MemberNode
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN, LINK_EXAMPLE, LINK_PATTERN
from salus.node.records.charts import moment
from salus.node.usecase import Caller, Message, person, use_case
from salus.vault.links import LinkKind


class NoteHost(Message, frozen=True):
    """What a patient said at the counter: who keeps the wallet."""

    link: Annotated[str, Meta(pattern=LINK_PATTERN, description="The patient's link.", examples=[LINK_EXAMPLE])]
    host: Annotated[
        str,
        Meta(
            pattern="^([a-z][a-z0-9-]{1,31})?$",
            description="Member that keeps the wallet; empty: the patient keeps it again.",
            examples=["north-hospital"],
        ),
    ] = ""


class HostNoted(Message, frozen=True):
    """From now that member reads under a new permission only after the patient's word."""

    link: Annotated[str, Meta(description="The link.")]
    host: Annotated[str, Meta(description="Member that keeps the wallet; empty: none.")]


class ListHostQuestions(Message, frozen=True):
    """Asks for nothing more."""


class HostQuestionLine(Message, frozen=True):
    """A permission in favour of who keeps the wallet, which waits for the patient's word."""

    link: Annotated[str, Meta(description="The patient's link.")]
    grant: Annotated[str, Meta(description="The permission.")]
    host: Annotated[str, Meta(description="Member that keeps the wallet and would read.")]
    purposes: Annotated[tuple[str, ...], Meta(description="What for.")]
    classes: Annotated[tuple[str, ...], Meta(description="Classes of records.")]
    until: Annotated[str, Meta(description="Until when, UTC.")]
    told: Annotated[bool, Meta(description="Whether an address is known that the question was sent to.")]


class HostQuestions(Message, frozen=True):
    """What waits."""

    questions: Annotated[tuple[HostQuestionLine, ...], Meta(description="Oldest first.")]


class AnswerHostQuestion(Message, frozen=True):
    """What the patient said in person."""

    link: Annotated[str, Meta(pattern=LINK_PATTERN, description="The patient's link.", examples=[LINK_EXAMPLE])]
    grant: Annotated[str, Meta(pattern=GRANT_PATTERN, description="The permission.", examples=[GRANT_EXAMPLE])]
    yes: Annotated[bool, Meta(description="Whether the patient wants it.", examples=[True])] = False


class HostQuestionAnswered(Message, frozen=True):
    """The word is kept; the first one holds."""

    grant: Annotated[str, Meta(description="The permission.")]


@use_case("hosting.note", who=person("registrar"))
def note_host(node: MemberNode, request: NoteHost) -> HostNoted:
    """Note which other member keeps a patient's wallet, or that none does any more, after proofing who the person is."""
    link = bytes.fromhex(request.link)
    if node.vault.link_info(link).kind is not LinkKind.PATIENT:
        raise Malformed("link.kind", "this link is no patient's")
    if request.host:
        node.keys_of(request.host)
    node.desk.set_host(link, request.host)
    return HostNoted(link=request.link, host=request.host)


@use_case("hosting.questions", who=person("registrar"))
def list_questions(node: MemberNode, request: ListHostQuestions) -> HostQuestions:  # noqa: ARG001 -- a use case
    """List the permissions in favour of members that keep the patient's wallet, which wait for the patient's word."""
    lines = []
    for one in node.desk.questions(node.now()):
        terms = decode(one.body, Terms)
        lines.append(
            HostQuestionLine(
                link=one.link.hex(),
                grant=one.grant.hex(),
                host=terms.host,
                purposes=terms.purposes,
                classes=terms.classes,
                until=moment(terms.expiry),
                told=bool(node.desk.contact(one.link)),
            )
        )
    return HostQuestions(questions=tuple(lines))


@use_case("hosting.answer", who=person("registrar"))
def answer_question(node: MemberNode, request: AnswerHostQuestion, *, caller: Caller) -> HostQuestionAnswered:
    """Take the patient's word in person, after proofing who the person is. Who took it stands in the patient's log."""
    found = node.desk.question(bytes.fromhex(request.link), bytes.fromhex(request.grant))
    if found is None or found.answer or found.ends <= node.now():
        raise NotFound("host.question", "no such question waits", todo="see `salus hosting questions`")
    node.vault.journal([line_of_staff(node, found.link, "confirm-in-person", caller, found.grant)])
    answer(node, found, yes=request.yes)
    return HostQuestionAnswered(grant=request.grant)
