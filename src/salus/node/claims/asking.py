"""Between submission and decision: what a payer asks for, what a provider answers, what either takes back.

claims ask-information   payer: stops the clock of the decision and asks for what a claim lacks
claims inform            provider: answers, with a document if one is needed; the clock starts anew
claims withdraw          provider: takes back what is not decided
claims answers           provider: what came back for a case, file by file
"""

from functools import partial
from typing import Annotated

from msgspec import Meta

from salus.agreements.claims.members import person_of
from salus.contracts.claims import port
from salus.core.encoding import decode
from salus.node.claims import documents
from salus.node.claims.dossiers import Batch, Dossier, dossier_of, keep
from salus.node.claims.exchange import QUESTION, SentQuestion, line_of, row_of, submitted_as
from salus.node.claims.restricting import require_told
from salus.node.claims.submitting import AGAIN, send_committed, services_in
from salus.node.errors import Conflict, NotFound
from salus.node.exchange.documents import Telling, disclose
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case

MAX_ATTACHMENT = 4 << 20
"""An attachment travels in one delivery."""


class AskInformation(Message, frozen=True):
    """A case and what it lacks."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    question: Annotated[
        str, Meta(min_length=3, max_length=2000, description="What is needed.", examples=["the operative report"])
    ]


class InformationAsked(Message, frozen=True):
    """The case waits for the provider."""

    due: Annotated[str, Meta(description="By when the provider answers, UTC.")]


class Inform(Message, frozen=True):
    """A case that waits, and the answer."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    statement: Annotated[str, Meta(min_length=1, max_length=4000, description="Answer.", examples=["see the report"])]
    attachment: Annotated[
        bytes, Meta(max_length=MAX_ATTACHMENT, description="A document in any format.", examples=[b"%PDF-1.7"])
    ] = b""


class CaseInformed(Message, frozen=True):
    """The case is with the payer again."""

    due: Annotated[str, Meta(description="By when the payer decides, UTC.")]


class WithdrawClaim(Message, frozen=True):
    """A case that is not decided."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]


class ClaimWithdrawn(Message, frozen=True):
    """The case has ended."""


class ListAnswers(Message, frozen=True):
    """A case."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]


class CaseAnswers(Message, frozen=True):
    """What came back."""

    refusal: Annotated[bytes, Meta(description="TA1, 999 or 277CA of a refused case; else empty.")]
    codes: Annotated[
        str,
        Meta(description="The payer's code lists that refused it: source, date, digest; empty for those built in."),
    ]
    question: Annotated[str, Meta(description="What the payer asked for last.")]
    remittances: Annotated[tuple[str, ...], Meta(description="The 835s that pay or deny the case, oldest first.")]
    statement: Annotated[str, Meta(description="What went with the last round: an answer, a dispute.")]
    attachment: Annotated[bytes, Meta(description="The document that went with it.")]


@use_case("claims.ask-information", who=OPERATOR)
def ask_information(node: MemberNode, request: AskInformation) -> InformationAsked:
    """Ask the provider for what a claim lacks; the clock of the decision stops, the provider's own starts.

    So may be asked, too, for what reopened a decided case and never came.
    """
    case = bytes.fromhex(request.case)
    kept = _of(node, case, payer_side=True)
    if kept.last.decided is not None and kept.last.number == row_of(node, case).round:
        raise Conflict("claims.decided", "the case is decided", todo="open a correction first")
    claim, status = documents.claim_in(kept.last.file, kept.last.received), row_of(node, case).status
    fresh = status is port.CaseStatus.SUBMITTED
    if claim is None or (fresh and claim.frequency in AGAIN):
        told = "the claim that is to be decided is not sound"
        raise Conflict("claims.unsound", told, todo="run `salus claims decide`, which refuses it at the door")
    if fresh:  # who asks has taken the claim
        node.submitter.submit(port.Accept((port.Opening(case, kept.salt),)))
    if status is not port.CaseStatus.WAITING:
        node.submitter.submit(port.Ask(port.Clock.DAYS_45, (case,)))
    asked = SentQuestion(node.ledger.head().height, case, request.question)
    (link,) = node.vault.open_links([(f"urn:payer:{claim.payer.identifier}", person_of(claim))])
    keep(node, [(case, kept.with_last(pends=(f"information: {request.question}",)))])
    disclose(node, Telling(kept.other, QUESTION, asked, [line_of(link, kept.other, "Claim")]))
    return InformationAsked(due=moment(row_of(node, case).due))


@use_case("claims.inform", who=OPERATOR)
def inform(node: MemberNode, request: Inform) -> CaseInformed:
    """Answer what a payer asked: committed before the first byte leaves, sealed to the payer."""
    case = bytes.fromhex(request.case)
    kept = _of(node, case, payer_side=False)
    if row_of(node, case).status is not port.CaseStatus.WAITING:
        raise Conflict("claims.not-asked", "the case waits for nothing from here", todo="see `salus claims cases`")
    require_told(node, kept.link, partial(services_in, kept.last), kept.other)
    answer = {"statement": request.statement, "attachment": request.attachment}
    again = (kept.last.statement, kept.last.attachment) == (request.statement, request.attachment)
    key = kept.last.key if again and kept.last.informed else node.entropy(32)  # said again: what was lost may come yet
    done = kept.with_last(key=key, informed=True, told=False, **answer)
    keep(node, [(case, done)])
    node.submitter.submit(port.Inform((port.Statement(case, submitted_as(done.last)),)))
    send_committed(node)
    return CaseInformed(due=moment(row_of(node, case).due))


@use_case("claims.withdraw", who=OPERATOR)
def withdraw_claim(node: MemberNode, request: WithdrawClaim) -> ClaimWithdrawn:
    """Take back a claim that is not decided: the case ends. Raises Conflict."""
    case = bytes.fromhex(request.case)
    _of(node, case, payer_side=False)
    status = row_of(node, case).status
    if status is port.CaseStatus.WITHDRAWN:
        return ClaimWithdrawn()
    if status not in {port.CaseStatus.SUBMITTED, port.CaseStatus.ACCEPTED}:
        raise Conflict("claims.decided", "only what is not decided is withdrawn", todo="send a void")
    node.submitter.submit(port.Withdraw((case,)))
    return ClaimWithdrawn()


@use_case("claims.answers", who=OPERATOR)
def list_answers(node: MemberNode, request: ListAnswers) -> CaseAnswers:
    """Show what came back for a case: the answer of the door, the payer's question, the 835s."""
    case = bytes.fromhex(request.case)
    kept, desk = dossier_of(node, case), node.desk
    names = dict.fromkeys(one.remittance for one in kept.rounds if one.remittance)
    return CaseAnswers(
        refusal=desk.claim_state(f"refused/{request.case}"),
        codes=desk.claim_state(f"refused-by/{request.case}").decode(),
        question=desk.claim_state(f"question/{request.case}").decode(),
        remittances=tuple(decode(desk.claim_state(f"835/{name}"), Batch).file.decode("ascii") for name in names),
        statement=kept.last.statement,
        attachment=kept.last.attachment,
    )


def _of(node: MemberNode, case: bytes, *, payer_side: bool) -> Dossier:
    kept = dossier_of(node, case)
    if kept.payer_side is not payer_side:
        raise NotFound("claims.side", "the case is the other party's to do this with", got=case.hex())
    return kept
