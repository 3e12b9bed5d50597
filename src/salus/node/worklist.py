"""`worklist`, `deliveries waiting`: what people must do until when, computed from deadlines, stored nowhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.membership import port as membership
from salus.contracts.records.port import EmergencyStatus, ErasureStatus
from salus.core.encoding import decode
from salus.node import erasing, pairs
from salus.node.access import AccessRequest
from salus.node.emergency import on_ledger
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
    task: Annotated[str, Meta(description="The same as a stable name, for programs that say it in words of their own.")]
    member: Annotated[str, Meta(description="Member it is about, if it is about one.")]
    tries: Annotated[int, Meta(description="How often a delivery was tried.")]
    failure: Annotated[str, Meta(description="Code of a delivery's last failure.")]


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
        *(Found(0, "identity", one.id, "identity-pair") for one in pairs.waiting(node)),
    ]
    found.sort(key=lambda one: (one.due or now, one.kind))
    return Worklist(tasks=tuple(_task(one, now) for one in found))


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


TASKS: Final[Mapping[str, str]] = {
    "emergency-review": "review the emergency access",
    "erasure-decide": "decide: delete after the wait (by itself), or retain for a reason in law",
    "erasure-retained": "review the reason to retain: retain again, or release",
    "erasure-backup": "let the last backup expire, then confirm (by itself)",
    "access-unanswered": "the patient has not answered: show the code again, or ask anew",
    "correction-answer": "answer the patient: amend the record, or say why not",
    "delivery-member": "not acknowledged by {member} after {tries} tries ({failure}): ask there",
    "delivery-patient": "not acknowledged by a patient after {tries} tries ({failure}): ask there",
    "proposal-vote": "vote: see `salus network proposals`",
    "lease-hidden": "hidden: the ledger was not seen for a day; restore the connection",
    "extract-delete": "delete every copy of the extract, then say so: `salus research attest`",
    "extract-anew": "somebody withdrew: write the extract anew and delete the older files",
    "extract-unattested": "{member} has not attested that the extract is deleted: ask there",
    "identity-pair": "one patient or two: `salus identity show`, then decide",
}
"""What there may be to do, by name. The pages say the same in the catalogue's group `tasks`."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something to be done."""

    due: int
    """Unix milliseconds; 0: now."""
    kind: str
    subject: bytes
    task: str
    """One of `TASKS`."""
    member: str = ""
    tries: int = 0
    failure: str = ""


def _task(one: Found, now: int) -> Task:
    return Task(
        due=moment(one.due) if one.due else "",
        overdue=bool(one.due) and now > one.due,
        kind=one.kind,
        subject=one.subject.hex(),
        what=TASKS[one.task].format(member=one.member, tries=one.tries, failure=one.failure),
        task=one.task,
        member=one.member,
        tries=one.tries,
        failure=one.failure,
    )


def _emergencies(node: MemberNode) -> Iterator[Found]:
    for one in node.desk.emergencies():
        rows = [row for _, row in on_ledger(node, one.id) if row.status is EmergencyStatus.OPEN]
        if rows and one.reviewed is None:
            yield Found(min(row.due for row in rows), "emergency", one.id, "emergency-review")


def _erasures(node: MemberNode) -> Iterator[Found]:
    for case in erasing.cases(node):
        row = case.row
        if case.erasing.done is None and row.due:
            task = {
                ErasureStatus.REQUESTED: "erasure-decide",
                ErasureStatus.RETAINED: "erasure-retained",
                ErasureStatus.DELETED: "erasure-backup",
            }.get(row.status)
            if task:
                yield Found(row.due, "erasure", case.erasing.case, task)


def _requests(node: MemberNode) -> Iterator[Found]:
    for id_, body, _, grant in node.desk.requests():
        expires = decode(body, AccessRequest).expires
        if grant is None and expires > node.now():
            yield Found(expires, "access", id_, "access-unanswered")


def _corrections(node: MemberNode) -> Iterator[Found]:
    for id_, _, body, _ in node.desk.corrections():
        one = decode(body, Corrected)
        if not one.answered:
            yield Found(one.due, "correction", id_, "correction-answer")


def _deliveries(node: MemberNode) -> Iterator[Found]:
    for one, code in failing(node):
        task, member = ("delivery-patient", "") if one.kind == KIND else ("delivery-member", one.receiver)
        yield Found(0, "delivery", one.id, task, member, one.tries, code)


def _proposals(node: MemberNode) -> Iterator[Found]:
    state, now = node.ledger.read(), node.ledger_time()
    for id_, proposal in membership.proposals(state):
        if proposal.status is not membership.ProposalStatus.OPEN or membership.expired(proposal, now):
            continue
        if state.get(membership.BALLOTS, id_ + node.member.encode("ascii")) is None:
            yield Found(proposal.closes, "proposal", id_, "proposal-vote")


def _leases(node: MemberNode) -> Iterator[Found]:
    for held in node.desk.held():
        confirmed = max(held.confirmed, held.received)
        if held.ended is None and node.now() - confirmed > UNCONFIRMED_MS:
            yield Found(0, "lease", held.grant, "lease-hidden")


def _extracts(node: MemberNode) -> Iterator[Found]:
    for due, query, task in receiving.duties(node):
        yield Found(due, "extract", query, task)
    for due, query, receiver in extracting.unattested(node):
        yield Found(due, "extract", query, "extract-unattested", receiver)
