"""`worklist`, `deliveries waiting`: what people must do until when, computed from deadlines, stored nowhere."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from salus.contracts.membership import port as membership
from salus.contracts.records.port import EmergencyStatus, ErasureStatus, emergency
from salus.core.encoding import decode
from salus.node import erasing, pairs
from salus.node.access import AccessRequest
from salus.node.exchange.delivery import PREFIX, failing
from salus.node.exchange.grantee import UNCONFIRMED_MS
from salus.node.member import MemberNode
from salus.node.notices import KIND
from salus.node.patient.messages import Corrected
from salus.node.records.charts import moment
from salus.node.research import extracting, receiving
from salus.node.usecase import OPERATOR, Message, person, use_case


class AskWorklist(Message, frozen=True):
    """Asks for nothing more."""


class Task(Message, frozen=True):
    """Something to be done."""

    due: Annotated[str, Meta(description="By when, UTC; empty: as soon as may be.")]
    overdue: Annotated[bool, Meta(description="Whether that has passed.")]
    kind: Annotated[
        str, Meta(description="emergency, erasure, access, correction, delivery, proposal, lease, extract or identity.")
    ]
    subject: Annotated[str, Meta(description="Id of the case, request, delivery, proposal or grant, hexadecimal.")]
    what: Annotated[str, Meta(description="What to do.")]


class Worklist(Message, frozen=True):
    """What is to be done at this member."""

    tasks: Annotated[tuple[Task, ...], Meta(description="The most urgent first.")]


class AskWaiting(Message, frozen=True):
    """Asks for nothing more."""


class WaitingLine(Message, frozen=True):
    """Something that is not acknowledged yet."""

    id: Annotated[str, Meta(description="Id of the delivery, hexadecimal.")]
    kind: Annotated[str, Meta(description="What is sent.")]
    receiver: Annotated[str, Meta(description="Member it goes to; `patient` for a notice.")]
    since: Annotated[str, Meta(description="Since when it waits, UTC.")]
    tries: Annotated[int, Meta(description="How often it was tried.")]
    failure: Annotated[str, Meta(description="Code of the last failure.")]


class Waiting(Message, frozen=True):
    """What waits for its receiver."""

    deliveries: Annotated[tuple[WaitingLine, ...], Meta(description="The longest waiting first.")]


@use_case("worklist", who=person())
def worklist(node: MemberNode, request: AskWorklist) -> Worklist:  # noqa: ARG001 -- a use case
    """List what people of this member must do until when: erasures, requests, failing deliveries, ballots, leases."""
    now = node.ledger_time()
    found = [
        *_emergencies(node),
        *_erasures(node),
        *_requests(node),
        *_corrections(node),
        *_deliveries(node),
        *_proposals(node),
        *_leases(node),
        *_extracts(node),
        *(
            (0, "identity", one.id, "one patient or two: `salus identity show`, then decide")
            for one in pairs.waiting(node)
        ),
    ]
    found.sort(key=lambda one: (one[0] or now, one[1]))
    return Worklist(
        tasks=tuple(
            Task(
                due=moment(due) if due else "",
                overdue=bool(due) and now > due,
                kind=kind,
                subject=subject.hex(),
                what=what,
            )
            for due, kind, subject, what in found
        )
    )


@use_case("deliveries.waiting", who=OPERATOR)
def waiting(node: MemberNode, request: AskWaiting) -> Waiting:  # noqa: ARG001 -- a use case
    """List the documents and notices that are not acknowledged yet. A running node tries again by itself."""
    return Waiting(
        deliveries=tuple(
            WaitingLine(
                id=one.id.hex(),
                kind=one.kind.removeprefix(PREFIX),
                receiver="patient" if one.kind == KIND else one.receiver,
                since=moment(one.made),
                tries=one.tries,
                failure=failure,
            )
            for one, failure in node.desk.waiting()
        )
    )


Found = tuple[int, str, bytes, str]
"""Deadline (Unix ms, 0: now), kind, subject, what to do."""


def _emergencies(node: MemberNode) -> Iterator[Found]:
    state = node.ledger.read()
    for one in node.desk.emergencies():
        row = emergency(state, one.id)
        if row is not None and row.status is EmergencyStatus.OPEN:
            yield row.due, "emergency", one.id, "review the emergency access"


def _erasures(node: MemberNode) -> Iterator[Found]:
    for case in erasing.cases(node):
        row = case.row
        if case.erasing.done is None and row.due:
            what = {
                ErasureStatus.REQUESTED: "decide: delete after the wait (by itself), or retain for a reason in law",
                ErasureStatus.RETAINED: "review the reason to retain: retain again, or release",
                ErasureStatus.DELETED: "let the last backup expire, then confirm (by itself)",
            }.get(row.status)
            if what:
                yield row.due, "erasure", case.erasing.case, what


def _requests(node: MemberNode) -> Iterator[Found]:
    for id_, body, _, grant in node.desk.requests():
        expires = decode(body, AccessRequest).expires
        if grant is None and expires > node.now():
            yield expires, "access", id_, "the patient has not answered: show the code again, or ask anew"


def _corrections(node: MemberNode) -> Iterator[Found]:
    for id_, _, body, _ in node.desk.corrections():
        one = decode(body, Corrected)
        if not one.answered:
            yield one.due, "correction", id_, "answer the patient: amend the record, or say why not"


def _deliveries(node: MemberNode) -> Iterator[Found]:
    for one, code in failing(node):
        to = "a patient" if one.kind == KIND else one.receiver
        yield 0, "delivery", one.id, f"not acknowledged by {to} after {one.tries} tries ({code}): ask there"


def _proposals(node: MemberNode) -> Iterator[Found]:
    state, now = node.ledger.read(), node.ledger_time()
    for id_, proposal in membership.proposals(state):
        if proposal.status is not membership.ProposalStatus.OPEN or membership.expired(proposal, now):
            continue
        if state.get(membership.BALLOTS, id_ + node.member.encode("ascii")) is None:
            yield proposal.closes, "proposal", id_, "vote: see `salus network proposals`"


def _leases(node: MemberNode) -> Iterator[Found]:
    for held in node.desk.held():
        confirmed = max(held.confirmed, held.received)
        if held.ended is None and node.now() - confirmed > UNCONFIRMED_MS:
            yield 0, "lease", held.grant, "hidden: the ledger was not seen for a day; restore the connection"


def _extracts(node: MemberNode) -> Iterator[Found]:
    for due, query, what in receiving.duties(node):
        yield due, "extract", query, what
    for due, query, receiver in extracting.unattested(node):
        yield due, "extract", query, f"{receiver} has not attested that the extract is deleted: ask there"
