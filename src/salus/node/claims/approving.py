"""Prior authorisation between members: asked with a 278, decided by a person, committed, honoured by `decide`.

claims ask-approval   provider: sends a 278 request; a case of its own, with the clock of 42 CFR 422.122 (3 or 7 days)
claims approvals      both: requests, what was decided, until when, who is late
claims request        both: what was asked, its documents, its answer
claims approve        payer: a person's decision on each service; a denial says why in words
claims timeliness     anyone: decided in time and late, per payer, from the ledger alone
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from salus.agreements.claims.decision import Approval
from salus.agreements.claims.history import Granted
from salus.agreements.claims.members import person_key
from salus.contracts.claims import port
from salus.core.encoding import Value
from salus.interop.x12.calendar import date_of
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.examine import SetSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.review import CERTIFIED, DENIED, MODIFIED, Answered, Asked, Review, read_review, response_set
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.approvals import (
    PREFIX,
    KeptRequest,
    answer_commitment,
    granted,
    keep_request,
    request_commitment,
    request_of,
    requests,
)
from salus.node.claims.control import number_after
from salus.node.claims.dossiers import DAY_MS
from salus.node.claims.exchange import UNOPENED, line_of, row_of
from salus.node.claims.restricting import require_told
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.exchange.documents import Telling, disclose, open_document
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.usecase import ANYONE, OPERATOR, Message, use_case

REQUEST: Final = "claim-approval-request"
ANSWER: Final = "claim-approval"
MAX_ATTACHMENTS: Final = 4 << 20
"""They travel in one delivery."""
COVERAGE: Final = "COVAUTH"  # v3-ActReason: coverage authorization


class SentRequest(Value, frozen=True):
    """A request on its way."""

    height: int
    case: bytes
    salt: bytes
    key: bytes
    file: bytes
    attachments: tuple[bytes, ...] = ()


class SentAnswer(Value, frozen=True):
    """An answer on its way."""

    height: int
    case: bytes
    key: bytes
    answer: bytes
    granted: bytes


class AskApproval(Message, frozen=True):
    """A request and the payer it goes to."""

    payer: Annotated[str, Meta(description="Member id of the payer.", examples=["harbor"])]
    file: Annotated[bytes, Meta(description="An X12 278 request with one event.", examples=[b"ISA"])]
    urgent: Annotated[bool, Meta(description="72 hours instead of 7 days to decide.", examples=[True])] = False
    attachments: Annotated[
        tuple[bytes, ...],
        Meta(max_length=16, description="Documents in any format, 4 MB in all.", examples=[[b"%PDF"]]),
    ] = ()


class ApprovalAsked(Message, frozen=True):
    """The request is committed and on its way."""

    case: Annotated[str, Meta(description="Id of the case, hexadecimal.")]


class Approve(Message, frozen=True):
    """A request and what a person decided on it."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    verdict: Annotated[Literal["approve", "deny"], Meta(description="What is decided.", examples=["approve"])]
    units: Annotated[
        int, Meta(ge=0, le=10**7, description="Units per service, thousandths; 0 as asked.", examples=[2000])
    ] = 0
    reason: Annotated[
        str, Meta(max_length=264, description="Why not: needed for a denial.", examples=["a plain film comes first"])
    ] = ""


class ApprovalDecided(Message, frozen=True):
    """The decision stands on the ledger and is on its way."""

    numbers: Annotated[tuple[str, ...], Meta(description="Numbers of the approvals, one for each service.")]


class ListApprovals(Message, frozen=True):
    """Asks for nothing more."""


class ApprovalLine(Message, frozen=True):
    """One request that this member has a part in."""

    case: Annotated[str, Meta(description="Id of the case, hexadecimal.")]
    side: Annotated[str, Meta(description="This member's part: provider or payer.")]
    other: Annotated[str, Meta(description="Member id of the other party.")]
    status: Annotated[str, Meta(description="Where it stands on the ledger.")]
    due: Annotated[str, Meta(description="By when the next step, UTC; empty if none is awaited.")]
    late: Annotated[str, Meta(description="Who is late: payer, provider, or nobody (empty).")]
    numbers: Annotated[tuple[str, ...], Meta(description="Numbers of the approvals given.")]


class Approvals(Message, frozen=True):
    """The requests of this member."""

    approvals: Annotated[tuple[ApprovalLine, ...], Meta(description="By case id.")]


class ShowRequest(Message, frozen=True):
    """A request for prior authorisation."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]


class RequestShown(Message, frozen=True):
    """What was asked, with what, and what was answered."""

    request: Annotated[bytes, Meta(description="The 278 request.")]
    attachments: Annotated[tuple[bytes, ...], Meta(description="The documents that came with it.")]
    answer: Annotated[bytes, Meta(description="The 278 response; empty before.")]


class AskTimeliness(Message, frozen=True):
    """Asks for nothing more."""


class PayerTimeliness(Message, frozen=True):
    """How one payer keeps its clocks."""

    payer: Annotated[str, Meta(description="Member id.")]
    decided: Annotated[int, Meta(description="Requests decided.")]
    in_time: Annotated[int, Meta(description="Of these, decided in time.")]
    open: Annotated[int, Meta(description="Requests not decided yet.")]
    overdue: Annotated[int, Meta(description="Of these, overdue now.")]


class Timeliness(Message, frozen=True):
    """Prior authorisations per payer, computed from the ledger alone."""

    payers: Annotated[tuple[PayerTimeliness, ...], Meta(description="By member id.")]


@use_case("claims.ask-approval", who=OPERATOR)
def ask_approval(node: MemberNode, request: AskApproval) -> ApprovalAsked:
    """Ask a payer for prior authorisation: journalled and committed before the first byte leaves."""
    review = review_in(request.file)
    if review is None:
        raise Malformed(
            "claims.review", "the file is no sound 278 request with one event", todo="see `salus claims check`"
        )
    if sum(map(len, request.attachments)) > MAX_ATTACHMENTS:
        raise Malformed("claims.attachments", "the documents are too large", expected=f"{MAX_ATTACHMENTS} bytes in all")
    node.keys_of(request.payer)
    case, salt, key = node.entropy(16), node.entropy(16), node.entropy(32)
    link = node.vault.open_link(f"urn:payer:{review.payer.identifier}", person_in(review))
    asked = [(one.procedure, one.first, one.last) for one in review.services]
    require_told(node, link, lambda: asked, request.payer)
    kept = KeptRequest(False, request.payer, case, salt, key, request.file, request.attachments)
    keep_request(node, kept)
    clock = port.Clock.DAYS_3 if request.urgent else port.Clock.DAYS_7
    submission = port.Submission(case, port.payer_digest(salt, case, request.payer), request_commitment(kept))
    node.submitter.submit(port.Submit(port.Kind.AUTHORISATION, port.Clock.DAYS_3, clock, (submission,)))
    height = node.ledger.head().height
    line = line_of(link, request.payer, "Request", COVERAGE)
    sent = SentRequest(height, case, salt, key, request.file, request.attachments)
    disclose(node, Telling(request.payer, REQUEST, sent, [line]))
    keep_request(node, msgspec.structs.replace(kept, sent=True))
    return ApprovalAsked(case=case.hex())


@use_case("claims.approve", who=OPERATOR)
def approve(node: MemberNode, request: Approve) -> ApprovalDecided:
    """Decide a request: the approvals bind this payer's claims from then on; a denial says why.

    What was decided stands: a run that was cut off is gone on with, whatever is said then.

    Raises NotFound, Conflict, Malformed.
    """
    with node.deciding:
        return _approved(node, request)


def _approved(node: MemberNode, request: Approve) -> ApprovalDecided:
    kept = request_of(node, bytes.fromhex(request.case))
    if not kept.payer_side:
        raise NotFound("claims.payer", "the request is not this member's to decide", got=request.case)
    row = row_of(node, kept.case)
    if kept.sent:
        raise Conflict("claims.decided", "the request is decided")
    if request.verdict == "deny" and not request.reason:
        raise Malformed("claims.reason", "a denial says why", expected="a specific reason (45 CFR 156.223(b))")
    review = review_in(kept.file)
    if review is None:
        raise Malformed("claims.review", "the request is not sound", todo="it is refused at the door")
    if not kept.answer:
        kept = _answered(node, kept, review, request)
        keep_request(node, kept)
    if row.status is port.CaseStatus.SUBMITTED:
        node.submitter.submit(port.Accept((port.Opening(kept.case, kept.salt),)))
    if row.status is not port.CaseStatus.DECIDED:
        appeal = port.appeal_key_digest(node.entropy(32))
        node.submitter.submit(port.Decide((port.Decided(kept.case, answer_commitment(kept), appeal),)))
    height = node.ledger.head().height
    link = node.vault.open_link(f"urn:payer:{review.payer.identifier}", person_in(review))
    told = SentAnswer(height, kept.case, kept.answer_key, kept.answer, kept.granted)
    disclose(node, Telling(kept.other, ANSWER, told, [line_of(link, kept.other, "Answer", COVERAGE)]))
    keep_request(node, msgspec.structs.replace(kept, sent=True))
    return ApprovalDecided(numbers=tuple(one.approval.number for one in granted(kept)))


@use_case("claims.approvals", who=OPERATOR)
def list_approvals(node: MemberNode, request: ListApprovals) -> Approvals:  # noqa: ARG001 -- a use case
    """List the requests for prior authorisation that this member has a part in."""
    lines = []
    for kept in requests(node):
        row = port.case(node.ledger.read(), kept.case)
        if row is not None:
            lines.append(
                ApprovalLine(
                    case=kept.case.hex(),
                    side="payer" if kept.payer_side else "provider",
                    other=kept.other,
                    status=row.status.name.lower(),
                    due=moment(row.due) if row.due else "",
                    late=port.overdue(row, node.ledger_time()),
                    numbers=tuple(one.approval.number for one in granted(kept)),
                )
            )
    return Approvals(approvals=tuple(lines))


@use_case("claims.request", who=OPERATOR)
def show_request(node: MemberNode, request: ShowRequest) -> RequestShown:
    """Show a request for prior authorisation with its documents, and its answer, at either party. Raises NotFound."""
    kept = request_of(node, bytes.fromhex(request.case))
    return RequestShown(request=kept.file, attachments=kept.attachments, answer=kept.answer)


@use_case("claims.timeliness", who=ANYONE)
def timeliness(node: MemberNode, request: AskTimeliness) -> Timeliness:  # noqa: ARG001 -- a use case
    """Count requests for prior authorisation decided in time, late, open and overdue, per payer that has acted."""
    now, state = node.ledger_time(), node.ledger.read()
    sums: dict[str, list[int]] = {}
    for case, row in port.cases(state):
        if row.kind is not port.Kind.AUTHORISATION or not row.payer:
            continue
        sum_ = sums.setdefault(row.payer, [0, 0, 0, 0])
        if row.status is port.CaseStatus.DECIDED:
            before = port.case(node.ledger.read(row.height - 1), case)
            sum_[0] += 1
            sum_[1] += before is not None and node.ledger.store.header(row.height).time <= before.due
        elif row.due:
            sum_[2] += 1
            sum_[3] += port.overdue(row, now) == "payer"
    return Timeliness(
        payers=tuple(
            PayerTimeliness(payer=payer, decided=one[0], in_time=one[1], open=one[2], overdue=one[3])
            for payer, one in sorted(sums.items())
        )
    )


def take_request(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a request that opens to its case. Raises Malformed, Forbidden, Conflict, NotFound."""
    sent = open_document(node, sender, REQUEST, envelope, SentRequest, code=UNOPENED)
    node.wait_for(sent.height)
    row = row_of(node, sent.case)
    if port.payer_digest(sent.salt, sent.case, node.member) != row.payer_digest or row.provider != sender:
        raise Forbidden("claims.address", "the case is not the sender's or not addressed here")
    kept = KeptRequest(True, sender, sent.case, sent.salt, sent.key, sent.file, sent.attachments)
    if request_commitment(kept) != row.submission:
        raise Conflict("claims.commitment", "the request is not the one that was committed")
    if not node.desk.claim_state(PREFIX + sent.case.hex()):
        keep_request(node, kept)
    if row.status is port.CaseStatus.SUBMITTED:
        if review_in(sent.file) is None:
            node.submitter.submit(port.Refuse((port.Opening(sent.case, sent.salt),)))
        else:
            node.submitter.submit(port.Accept((port.Opening(sent.case, sent.salt),)))


def take_answer(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take an answer that opens to the committed decision. Raises Malformed, Forbidden, Conflict, NotFound."""
    sent = open_document(node, sender, ANSWER, envelope, SentAnswer, code=UNOPENED)
    node.wait_for(sent.height)
    kept, row = request_of(node, sent.case), row_of(node, sent.case)
    if row.payer != sender or kept.payer_side:
        raise Forbidden("claims.payer", "the case is another payer's")
    done = msgspec.structs.replace(kept, answer_key=sent.key, answer=sent.answer, granted=sent.granted)
    if answer_commitment(done) != row.decision:
        raise Conflict("claims.commitment", "the answer is not the one that was committed")
    keep_request(node, done)


def person_in(review: Review) -> str:
    """Return the key of a request's patient."""
    return person_key(review.patient.member, review.patient.birth, review.patient.first)


def review_in(file: bytes) -> Review | None:
    """Return the one request of a file, or None where it is not sound."""
    try:
        events = list(examine(documents.chunks(file), keep=True))
    except Unreadable:
        return None
    sets = [one for one in events if isinstance(one, SetSeen)]
    if len(sets) != 1 or sets[0].root is None or sets[0].envelope or refused(sets[0].findings):
        return None
    try:
        return read_review(sets[0].root, sets[0].head.delimiters.component)
    except ValueError:
        return None


def _answered(node: MemberNode, kept: KeptRequest, review: Review, request: Approve) -> KeptRequest:
    """Return the request with its 278 response and approvals, fixed before the ledger hears of them."""
    first = number_after(node, "approvals")
    answers: list[Answered] = []
    given_: list[Granted] = []
    for number, asked in enumerate(review.services, first):
        if request.verdict == "deny":
            answers.append(Answered(asked, DENIED, reason=request.reason))
            continue
        units = request.units or asked.units
        given = Asked(asked.procedure, units, asked.first, asked.last)
        name = f"AP{number:08d}"
        answers.append(Answered(given, CERTIFIED if units == asked.units else MODIFIED, name, request.reason))
        approval = Approval(name, asked.procedure, review.provider.identifier, asked.first, asked.last, units)
        given_.append(Granted(person_in(review), approval))
    node.desk.keep_claims([], [("approvals", str(first + len(answers) - 1).encode())])
    day = date_of(node.ledger_time() // DAY_MS)
    ends = (Trader("ZZ", review.payer.identifier[:15]), Trader("ZZ", kept.other[:15].upper()))
    body = response_set(review, tuple(answers), "0001", (day, "0000"))
    file = interchange(ends, Stamp(day, "0000", first), "HI", "005010X217", [body])
    done = msgspec.msgpack.encode(tuple(given_))
    return msgspec.structs.replace(kept, answer_key=node.entropy(32), answer=file, granted=done)
