"""A member's EPCIS repository: documents captured, events asked for, named queries. What `salus.http.epcis` serves.

EPCIS 2.0 section 8. A captured event is durable before the answer; the same event again changes nothing; what is captured
is never changed: a wrong event is taken back by an error declaration, which is an event of its own.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.interop.epcis import times
from salus.interop.epcis.document import Event, read_each, read_event
from salus.interop.epcis.findings import findings
from salus.interop.epcis.master import Attributes, master_data
from salus.interop.epcis.query import EventQuery, names_of, read_query
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.translate import packed, unpacked
from salus.node.errors import EdgeError, Fault
from salus.node.event_tables import KeptEvent, NewEvent, Within
from salus.node.member import MemberNode

MAX_EVENTS: Final = 10_000  # of one call: a pallet's file has about 500
MAX_PAGE: Final = 1_000
PAGE: Final = 30  # the standard's own
CHUNK: Final = 256
MAX_LOOKED: Final = 20_000  # events looked at for one page: then the page ends, with a link to go on
TOKEN_MS: Final = 3_600_000
MAX_QUERIES: Final = 1_000
NAME: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
QUERY: Final = "query"
JOB: Final = "job"
MASTER: Final = "master"
MASTERS: Final = 1_000  # ids whose attributes one query keeps at hand
SIMPLE: Final = "SimpleEventQuery"

STATUS: Final[Mapping[str, int]] = {
    "ValidationException": 400,
    "QueryParameterException": 400,
    "SubscriptionControlsException": 400,
    "SecurityException": 403,
    "NoSuchNameException": 404,
    "NotAcceptableException": 406,
    "ResourceAlreadyExistsException": 409,
    "CaptureLimitExceededException": 413,
    "QueryTooLargeException": 413,
    "QueryTooComplexException": 413,
    "URITooLongException": 414,
    "UnsupportedMediaTypeException": 415,
    "ImplementationException": 501,
}
"""The standard's exceptions that are raised here, with their HTTP status."""


class EpcisProblem(EdgeError):
    """One of the standard's exceptions: `epcisException:<name>`."""

    def __init__(self, name: str, message: str, *, expected: str = "", todo: str = "") -> None:
        self.name = name
        self.fault = Fault(STATUS[name], "processing")
        super().__init__(f"epcis.{name}", message, expected=expected, todo=todo)


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an event was not captured, as problem details."""

    type: str
    title: str
    status: int
    detail: str = ""


class Job(msgspec.Struct, frozen=True, rename="camel"):
    """A capture job, as the standard tells it; `findings` is beyond the standard: what was taken in with a doubt."""

    capture_id: str = msgspec.field(name="captureID")
    created_at: str
    finished_at: str
    running: bool
    success: bool
    capture_error_behaviour: str
    errors: tuple[Failure, ...]
    findings: tuple[str, ...] = ()


class NamedQuery(msgspec.Struct, frozen=True):
    """A query that is kept under a name."""

    name: str
    query: dict[str, Any]


class Place(Value, frozen=True):
    """Where the next page begins."""

    query: bytes
    """Digest of what was asked."""
    order: int
    number: int
    upto: int
    given: int
    """Events already given."""
    expires: int


class Page(msgspec.Struct, frozen=True):
    """Some of what was asked for."""

    events: tuple[Event, ...]
    token: str = ""
    """For the next page; empty on the last."""
    expires: int = 0


def of_refusal(refused: EpcisRefused, name: str = "ValidationException") -> EpcisProblem:
    """Return a document's or query's refusal as the standard's exception."""
    if refused.rule in {"epcis.query-parameter", "epcis.query-size"}:
        name = "QueryParameterException"
    return EpcisProblem(name, f"{refused.rule} at {refused.at}", expected=refused.expected)


def capture(node: MemberNode, data: bytes, *, proceed: bool) -> Job:
    """Capture a document: with `proceed` each event that holds, else all of its events or none.

    Raises EpcisProblem for a document that does not read, or without `proceed` one of whose events does not hold.
    """
    begun = node.now()
    try:
        found, described = list(read_each(data)), master_data(data)
    except EpcisRefused as refused:
        raise of_refusal(refused) from None
    if len(found) > MAX_EVENTS:
        raise EpcisProblem("CaptureLimitExceededException", "too many events", expected=f"at most {MAX_EVENTS}")
    failures, kept = [], []
    seen: dict[str, bytes] = {}
    for each in found:
        if isinstance(each, EpcisRefused):
            if not proceed:
                raise of_refusal(each)
            failures.append(_failure("ValidationException", f"{each.rule} at {each.at}: expected {each.expected}"))
        elif node.desk.is_kept_away(each.hash):
            failures.append(_failure("ValidationException", "this event was erased here"))
        elif _contradicts(node, each, seen):
            failures.append(_failure("ResourceAlreadyExistsException", "another event has this eventID"))
        else:
            kept.append(each)
    if proceed or not failures:
        node.desk.keep_events([_new(node, each) for each in kept], node.now())
        for id_, told in described.items():
            node.desk.keep_epcis(MASTER, id_, msgspec.json.encode(told))
    job = Job(
        capture_id=node.entropy(16).hex(),
        created_at=times.text(begun),
        finished_at=times.text(node.now()),
        running=False,
        success=not failures,
        capture_error_behaviour="proceed" if proceed else "rollback",
        errors=tuple(failures),
        findings=tuple(f"{one.at}: {one.rule}, {one.taken}" for one in findings(kept)),
    )
    node.desk.keep_epcis(JOB, job.capture_id, msgspec.json.encode(job))
    return job


def capture_event(node: MemberNode, data: bytes) -> str:
    """Capture one event; return its eventID. Raises EpcisProblem."""
    try:
        event = read_event(data)
    except EpcisRefused as refused:
        raise of_refusal(refused) from None
    if node.desk.is_kept_away(event.hash):
        raise EpcisProblem("ValidationException", "this event was erased here")
    if _contradicts(node, event, {}):
        raise EpcisProblem(
            "ResourceAlreadyExistsException",
            "another event has this eventID",
            todo="take an event back by an error declaration with its eventID",
        )
    new = _new(node, event)
    name = dict(new.names)["eventID"]
    if not node.desk.keep_events([new], node.now()):
        raise EpcisProblem("ResourceAlreadyExistsException", "this event was captured already")
    return name


def job(node: MemberNode, name: str) -> Job:
    """Return a capture job. Raises EpcisProblem."""
    found = node.desk.epcis(JOB, name)
    if found is None:
        raise nothing("no capture job has this id")
    return msgspec.json.decode(found, type=Job)


def jobs(node: MemberNode, after: str, limit: int) -> list[Job]:
    """Return capture jobs by id, after one of them."""
    return [msgspec.json.decode(body, type=Job) for _, body in node.desk.epcis_after(JOB, after, limit)]


def query_of(node: MemberNode, parameters: Mapping[str, Sequence[str]]) -> EventQuery:
    """Return the query of parameters, over the master data captured so far. Raises EpcisProblem."""

    def master(id_: str) -> Attributes:
        found = node.desk.epcis(MASTER, id_)
        return msgspec.json.decode(found, type=dict[str, tuple[str, ...]]) if found else {}

    try:
        return read_query(parameters, lru_cache(MASTERS)(master))
    except EpcisRefused as refused:
        raise of_refusal(refused) from None


def ask(node: MemberNode, query: EventQuery, asked: bytes, *, page: int = PAGE, token: str = "") -> Page:
    """Return a page of the events that meet a query. `asked` says what was asked, for the token. Raises EpcisProblem."""
    identity = digest("salus/v1/epcis-query", asked)
    place = _place(node, identity, token) if token else None
    upto = place.upto if place else node.desk.last_event()
    given = place.given if place else 0
    after = (place.order, place.number) if place else None
    if query.most and not place:
        _, more = _some(node, query, _within(query, upto, None), query.most + 1)
        if len(_) > query.most or more:
            raise EpcisProblem("QueryTooLargeException", "more events than maxEventCount", expected="a narrower query")
    wanted = min(page, query.first - given) if query.first else page
    found, last = _some(node, query, _within(query, upto, after), wanted)
    ended = last is None or (query.first and given + len(found) >= query.first)
    if ended or last is None:
        return Page(tuple(event for _, event in found))
    expires = node.now() + TOKEN_MS
    onward = Place(identity, _key(query, last), last.number, upto, given + len(found), expires)
    return Page(tuple(event for _, event in found), _token(node, onward), expires)


def event_named(node: MemberNode, name: str) -> tuple[Event, ...]:
    """Return the events of an eventID: the event, and what declares it wrong. Raises EpcisProblem."""
    found = _named(node, name)
    if not found:
        raise nothing("no event has this eventID")
    return tuple(found)


def new_since(node: MemberNode, query: EventQuery, after: int, limit: int) -> tuple[tuple[Event, ...], int]:
    """Return events captured after a number that meet a query, and the number up to which they were looked for."""
    upto = node.desk.last_event()
    within = Within(upto, _seeks(query), after=(after, after))
    found, last = _some(node, query, within, limit)
    return tuple(event for _, event in found), last.number if last else upto


def define(node: MemberNode, named: NamedQuery) -> None:
    """Keep a query under its name. Raises EpcisProblem if the name is taken or the query is none."""
    if node.desk.epcis(QUERY, named.name) is not None:
        raise EpcisProblem("ResourceAlreadyExistsException", "a query has this name", expected="another name")
    if NAME.fullmatch(named.name) is None:
        raise EpcisProblem("ValidationException", "the query's name", expected="1 to 128 letters, digits, . _ ~ or -")
    query_of(node, parameters_of(named.query))
    if len(node.desk.epcis_after(QUERY, "", MAX_QUERIES)) == MAX_QUERIES:
        raise EpcisProblem("QueryTooComplexException", "too many queries are kept", expected=f"at most {MAX_QUERIES}")
    node.desk.keep_epcis(QUERY, named.name, msgspec.json.encode(named))


def defined(node: MemberNode, name: str) -> NamedQuery:
    """Return a named query. Raises EpcisProblem."""
    found = node.desk.epcis(QUERY, name)
    if found is None:
        raise nothing("no query has this name")
    return msgspec.json.decode(found, type=NamedQuery)


def queries(node: MemberNode, after: str, limit: int) -> list[NamedQuery]:
    """Return named queries by name, after one of them."""
    return [msgspec.json.decode(body, type=NamedQuery) for _, body in node.desk.epcis_after(QUERY, after, limit)]


def parameters_of(query: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the parameters of a query in JSON: a value or a list of values each. Raises EpcisProblem."""
    found = {}
    for name, value in query.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int | float) for each in values):
            raise EpcisProblem("QueryParameterException", "a parameter's value", expected="text, numbers or a list")
        found[name] = tuple(("true" if each else "false") if isinstance(each, bool) else str(each) for each in values)
    return found


def nothing(message: str) -> EpcisProblem:
    """Return the refusal of what is not there."""
    return EpcisProblem("NoSuchNameException", message)


def _failure(name: str, detail: str) -> Failure:
    return Failure(f"epcisException:{name}", "the event was not captured", STATUS[name], detail)


def _contradicts(node: MemberNode, event: Event, seen: dict[str, bytes]) -> bool:
    """Tell whether another event has an event's eventID; a declaration of an error has that of the event it is about."""
    name = event.fields.get("eventID")
    if name is None or "errorDeclaration" in event.fields:
        return False
    own = event.hash
    if seen.setdefault(name, own) != own:
        return True
    others = [each for each in _named(node, name) if "errorDeclaration" not in each.fields]
    return any(each.hash != own for each in others)


def rows_named(node: MemberNode, name: str) -> list[KeptEvent]:
    """Return the events of an eventID as they are kept, in the order of capture."""
    return node.desk.events_within(Within(node.desk.last_event(), ((("eventID",), (name,)),)), CHUNK)


def _named(node: MemberNode, name: str) -> list[Event]:
    return [unpacked(each.body) for each in rows_named(node, name)]


def _new(node: MemberNode, event: Event) -> NewEvent:
    """Return an event as it is kept: with the time at which it was captured, and an id if it came without."""
    fields = {**event.fields, "recordTime": times.text(node.now())}
    fields.setdefault("eventID", f"urn:uuid:{_uuid(node.entropy(16))}")
    kept = Event(event.kind, fields)
    return NewEvent(event.hash, event.time, packed(kept), tuple(names_of(kept)))


def _uuid(random: bytes) -> str:
    """Return random bytes as a UUID of version 4 (RFC 9562 section 5.4)."""
    text = (random[:6] + bytes([random[6] & 0x0F | 0x40, random[7], random[8] & 0x3F | 0x80]) + random[9:]).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _seeks(query: EventQuery) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    return tuple((seek.roles, seek.values) for seek in query.seeks)


def _within(query: EventQuery, upto: int, after: tuple[int, int] | None) -> Within:
    order = {"eventTime": "time", "recordTime": "recorded"}.get(query.order_by, "number")
    return Within(upto, _seeks(query), order, query.ascending or not query.order_by, after)


def _some(
    node: MemberNode, query: EventQuery, within: Within, limit: int
) -> tuple[list[tuple[KeptEvent, Event]], KeptEvent | None]:
    """Return up to `limit` matching events, and the last one looked at, None when there is nothing more to look at."""
    found: list[tuple[KeptEvent, Event]] = []
    looked = 0
    while True:
        rows = node.desk.events_within(within, CHUNK)
        for row in rows:
            event = unpacked(row.body)
            looked += 1
            if query.matches(event):
                found.append((row, event))
            if len(found) == limit or looked == MAX_LOOKED:
                rest = msgspec.structs.replace(within, after=(_order(within, row), row.number))
                return found, row if node.desk.events_within(rest, 1) else None
        if len(rows) < CHUNK:
            return found, None
        within = msgspec.structs.replace(within, after=(_order(within, rows[-1]), rows[-1].number))


def _order(within: Within, row: KeptEvent) -> int:
    return {"time": row.time, "recorded": row.recorded}.get(within.order, row.number)


def _key(query: EventQuery, row: KeptEvent) -> int:
    return {"eventTime": row.time, "recordTime": row.recorded}.get(query.order_by, row.number)


def _token(node: MemberNode, place: Place) -> str:
    told = encode(place)
    return (mac(node.secret("salus/v1/epcis-page"), "salus/v1/epcis-page", told)[:16] + told).hex()


def _place(node: MemberNode, identity: bytes, token: str) -> Place:
    try:
        raw = bytes.fromhex(token)
        place = decode(raw[16:], Place)
    except (ValueError, MalformedBytes):
        raise EpcisProblem("QueryParameterException", "the page token is none of this node's") from None
    sealed = mac(node.secret("salus/v1/epcis-page"), "salus/v1/epcis-page", raw[16:])[:16]
    if not hmac.compare_digest(sealed, raw[:16]) or place.query != identity or place.expires < node.now():
        raise EpcisProblem(
            "QueryParameterException", "the page token is over, or of another query", todo="ask for the first page"
        )
    return place
