"""How long a dock's papers and captured events are kept, what is due to go, and an event erased before its time.

Six years after it was taken in a document may go (21 USC 360eee-1(c)(1)(A)(v)); nothing goes by itself. An event that a
subscriber has not acknowledged stays until it has, or the subscription has ended. An event that should never have been
captured, because a person is named in it, is erased at once: its hash stays, so that it is not captured again, and stands on
the list of erasures outside every backup, so that none brings it back.
"""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from salus.core.encoding import decode
from salus.interop.epcis import times
from salus.interop.epcis.translate import unpacked
from salus.node.event_tables import AWAY_BYTES, KeptEvent, Within
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.supply import repository, subscribing
from salus.node.supply.working import CASE, DAY_MS, PAPER, Case, Paper
from salus.node.usecase import OPERATOR, Message, person, use_case

RETENTION_DAYS: Final = 6 * 366  # six years, never a day less
CHUNK: Final = 1_000


class ListRetention(Message, frozen=True):
    """Asks for nothing more."""


class RetentionListed(Message, frozen=True):
    """What is older than six years, and what holds it."""

    papers: Annotated[int, Meta(description="Documents of deliveries that are due to go.")]
    cases: Annotated[int, Meta(description="Answered cases that are due to go; an open case stays.")]
    events: Annotated[int, Meta(description="Captured events that are due to go.")]
    jobs: Annotated[int, Meta(description="Capture jobs that are due to go.")]
    held: Annotated[int, Meta(description="Events older than that which a subscriber has not acknowledged.")]
    next: Annotated[str, Meta(description="When the oldest event kept is due, UTC; empty if there is none.")]
    queue: Annotated[
        tuple[str, ...],
        Meta(
            description="Each subscription: number, query, events captured since the last that is done, tries that failed."
        ),
    ]


class ExpirePapers(Message, frozen=True):
    """Asks for nothing more."""


class PapersExpired(Message, frozen=True):
    """What is older than six years is gone."""

    papers: Annotated[int, Meta(description="Documents let go.")]
    cases: Annotated[int, Meta(description="Answered cases let go.")]
    events: Annotated[int, Meta(description="Captured events let go.")]
    jobs: Annotated[int, Meta(description="Capture jobs let go.")]


class EraseEvent(Message, frozen=True):
    """A captured event that should not be here."""

    event: Annotated[
        str,
        Meta(
            description="Its eventID; what declares it wrong goes too.",
            examples=["urn:uuid:00000000-0000-4000-8000-000000000001"],
            extra={"positional": True},
        ),
    ]
    reason: Annotated[
        Literal["personal-data", "not-ours"],
        Meta(description="Why it may go before six years are over.", examples=["personal-data"]),
    ]


class EventErased(Message, frozen=True):
    """It is gone here."""

    events: Annotated[int, Meta(description="Events erased; 0 if none had this eventID.")]
    told: Annotated[
        tuple[str, ...], Meta(description="Subscriptions to which it may have gone before: they are to be asked.")
    ]


class _Due(msgspec.Struct, frozen=True):
    """What is older than six years."""

    papers: list[bytes]
    cases: list[bytes]
    events: list[int]
    jobs: list[str]
    held: int


@use_case("supply.retention", who=OPERATOR)
def list_retention(node: MemberNode, request: ListRetention) -> RetentionListed:  # noqa: ARG001 -- a use case's shape
    """Tell what `supply expire` would let go now, when the next event is due, and how far each subscriber is behind."""
    due, last = _due(node), node.desk.last_event()
    first = node.desk.events_within(Within(last, order="recorded"), 1)
    return RetentionListed(
        papers=len(due.papers),
        cases=len(due.cases),
        events=len(due.events),
        jobs=len(due.jobs),
        held=due.held,
        next=moment(first[0].recorded + RETENTION_DAYS * DAY_MS) if first else "",
        queue=tuple(f"{one.id} {one.query} {last - one.cursor} {one.tries}" for one in subscribing.every(node)),
    )


@use_case("supply.expire", who=OPERATOR)
def expire_papers(node: MemberNode, request: ExpirePapers) -> PapersExpired:  # noqa: ARG001 -- a use case's shape
    """Let go of papers, answered cases and captured events older than six years; nothing goes by itself.

    An open case stays, and an event that a subscriber has not acknowledged.
    """
    due = _due(node)
    for id_ in due.papers:
        node.desk.drop_supply(PAPER, id_)
    for id_ in due.cases:
        node.desk.drop_supply(CASE, id_)
    for start in range(0, len(due.events), CHUNK):
        node.desk.drop_events(due.events[start : start + CHUNK])
    for name in due.jobs:
        node.desk.drop_epcis(repository.JOB, name)
    return PapersExpired(papers=len(due.papers), cases=len(due.cases), events=len(due.events), jobs=len(due.jobs))


@use_case("supply.erase", who=person("privacy-officer"))
def erase_event(node: MemberNode, request: EraseEvent) -> EventErased:
    """Erase a captured event before its time, because a person is named in it or it is nobody's business here.

    It is listed before it goes, so that no backup brings it back, and is not captured again. Subscribers that have it are
    named. Files of deliveries that hold the same event are not looked through.
    """
    rows = repository.rows_named(node, request.event)
    told: set[str] = set()
    for row in rows:
        event, id_ = unpacked(row.body), row.hash[:AWAY_BYTES]
        asked = [one for one in subscribing.every(node) if one.cursor >= row.number]
        told |= {one.id for one in asked if subscribing.meets(node, one, event)}
        node.vault.erasures.add(id_, b"", node.now())
        node.desk.keep_event_away(id_, request.reason)
    return EventErased(events=len(rows), told=tuple(sorted(told)))


def _due(node: MemberNode) -> _Due:
    oldest = node.now() - RETENTION_DAYS * DAY_MS
    papers = [id_ for id_, body in node.desk.supply(PAPER) if decode(body, Paper).time < oldest]
    cases = [
        id_
        for id_, body in node.desk.supply(CASE)
        for one in [decode(body, Case)]
        if one.answer and one.opened < oldest
    ]
    events = [each.number for each in _older(node, oldest)]
    acknowledged = min((one.cursor for one in subscribing.every(node)), default=node.desk.last_event())
    free = [number for number in events if number <= acknowledged]
    jobs = [job.capture_id for job in _jobs(node) if times.milliseconds(job.created_at, "createdAt") < oldest]
    return _Due(papers, cases, free, jobs, len(events) - len(free))


def _older(node: MemberNode, oldest: int) -> Iterator[KeptEvent]:
    """Yield events captured before a time, the oldest first."""
    within = Within(node.desk.last_event(), order="recorded")
    while True:
        rows = node.desk.events_within(within, CHUNK)
        for row in rows:
            if row.recorded >= oldest:
                return
            yield row
        if len(rows) < CHUNK:
            return
        within = msgspec.structs.replace(within, after=(rows[-1].recorded, rows[-1].number))


def _jobs(node: MemberNode) -> Iterator[repository.Job]:
    after = ""
    while True:
        some = repository.jobs(node, after, CHUNK)
        yield from some
        if len(some) < CHUNK:
            return
        after = some[-1].capture_id
