"""Events that this member's repository captured, as matching and tracing take them: of one thing, or of some shipments.

What a repository holds is far more than one question needs, so it is found by names: from a thing up through every container
that it was ever in, or from shipments down through everything that they ever held.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from salus.agreements.supply.goods import MAX_DEPTH, things
from salus.interop.epcis.document import Event
from salus.interop.epcis.query import MATCHES
from salus.interop.epcis.translate import unpacked
from salus.node.errors import Conflict
from salus.node.event_tables import Within
from salus.node.member import MemberNode
from salus.node.supply import repository
from salus.node.usecase import Node

ROLES: Final = MATCHES["MATCH_anyEPC"]
NAMES: Final = 500  # of one question to the index
MOST: Final = 20_000  # events of one answer: forty pallets of 50,000


def of_thing(node: Node, thing: str) -> list[Event]:
    """Return the captured events that name a thing or any container that it was in. Raises Conflict."""
    repo = _repository(node)
    found: dict[int, Event] = {}
    waiting, asked = {thing}, {thing}
    for _ in range(MAX_DEPTH + 1):
        fresh = _naming(repo, waiting, found)
        waiting = {_parent(event) for event in fresh if waiting & {*things(event)[1:]}} - asked - {""}
        asked |= waiting
        if not waiting:
            break
    return list(found.values())


def of_shipments(node: Node, query: str) -> list[Event]:
    """Return the captured events that meet an EPCIS query, and those of all that they moved. Raises Conflict, EpcisProblem.

    `query` is a SimpleEventQuery as in a URL: `EQ_bizTransaction_po=...&GE_recordTime=...`.
    """
    repo = _repository(node)
    parameters: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = (*parameters.get(name, ()), *value.split("|"))
    told = repository.query_of(repo, parameters)
    begun: list[Event] = []
    after, last = 0, repo.desk.last_event()
    while after < last:
        some, after = repository.new_since(repo, told, after, MOST + 1)
        begun += some
        _bounded(len(begun))
    found: dict[int, Event] = {}
    waiting = {thing for event in begun for thing in things(event)}
    asked = set(waiting)
    for _ in range(MAX_DEPTH + 1):
        fresh = _naming(repo, waiting, found)
        waiting = {inner for event in fresh if _parent(event) in waiting for inner in things(event)[1:]} - asked
        asked |= waiting
        if not waiting:
            break
    return list(found.values())


def _naming(node: MemberNode, names: Iterable[str], found: dict[int, Event]) -> list[Event]:
    """Return the events that name any of these in the order of capture, and add them to `found`."""
    rising = sorted(names)
    fresh: dict[int, bytes] = {}
    for start in range(0, len(rising), NAMES):
        within = Within(node.desk.last_event(), ((ROLES, tuple(rising[start : start + NAMES])),))
        rows = node.desk.events_within(within, MOST + 1)
        fresh.update((row.number, row.body) for row in rows)
        _bounded(len(fresh) + len(found))
    events = [(number, unpacked(body)) for number, body in sorted(fresh.items())]
    found.update(events)
    return [event for _, event in events]


def _parent(event: Event) -> str:
    return things(event)[0] if event.kind == "AggregationEvent" and "parentID" in event.fields else ""


def _bounded(count: int) -> None:
    if count > MOST:
        raise Conflict(
            "supply.captured", "too many events are meant", expected=f"at most {MOST}", todo="ask a narrower query"
        )


def _repository(node: Node) -> MemberNode:
    if not isinstance(node, MemberNode):
        raise Conflict(
            "node.stage", "a repository is a member's", todo="`salus network found` or `join`, or give files"
        )
    return node
