"""Subscriptions to named queries: new events that meet one are posted to the subscriber's web address.

EPCIS 2.0 sections 8.2.5 and 8.2.6: as they come (`stream`), or when a schedule says (times in UTC). Every event is sent at
least once and in order: what is not acknowledged with a status of 200 to 299 is sent again, and nothing after it before. The
request is signed: `GS1-Signature` is HMAC-SHA256 of its body under the subscriber's own `signatureToken`, in hex. Addresses
must begin with one of `supply.webhooks`, so that nobody makes the node call just anywhere. Web sockets are not offered.
"""

import hmac
import re
import time as clock
from collections.abc import Mapping
from typing import Any, Final, Protocol

import httpx
import msgspec

from salus.interop.epcis import times
from salus.interop.epcis.document import Event, write_json
from salus.interop.epcis.refusal import EpcisRefused
from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.node.supply import repository
from salus.node.supply.repository import EpcisProblem, nothing

SUBSCRIPTION: Final = "subscription"
BATCH: Final = 100
MOST: Final = 100
SECONDS: Final = 10.0
FIRST_RETRY_MS: Final = 2_000
LAST_RETRY_MS: Final = 600_000
MISSED_SECONDS: Final = 3_600  # a schedule's times further back than this are one
PART: Final = re.compile(r"\d{1,2}|\[\d{1,2}-\d{1,2}\]")
FIELDS: Final[Mapping[str, tuple[int, int]]] = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "dayOfMonth": (1, 31),
    "month": (1, 12),
    "dayOfWeek": (1, 7),
}
"""Field of a schedule to its range; the days of the week from Monday."""


class Ask(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a subscriber sends."""

    dest: str
    signature_token: str = ""
    stream: bool = False
    schedule: dict[str, str] | None = None
    report_if_empty: bool = False
    initial_record_time: str = ""


class Subscription(msgspec.Struct, frozen=True):
    """A subscription as it is kept."""

    id: str
    query: str
    ask: Ask
    created: int
    cursor: int
    """Number of the last event that was acknowledged, or does not meet the query."""
    since: int
    """Only events recorded from here on, Unix ms."""
    looked: int
    """Up to when the schedule was looked at, Unix ms."""
    due: int = 0
    """Not tried before, Unix ms."""
    tries: int = 0
    notified: int = 0


class Caller(Protocol):
    """Posts to a web address."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the answer. Raises Unavailable."""


class OverHttp:
    """Over HTTP, without following redirects."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the answer. Raises Unavailable."""
        try:
            with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
                return client.post(url, content=body, headers=dict(headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable("epcis.webhook", "the subscriber cannot be reached", got=type(error).__name__) from error


def subscribe(node: MemberNode, query: str, ask: Ask) -> Subscription:
    """Keep a subscription to a named query. Raises EpcisProblem."""
    repository.defined(node, query)
    if ask.stream == (ask.schedule is not None):
        raise _bad("stream or schedule, one of them")
    if ask.schedule is not None:
        _schedule(ask.schedule)
    # With its closing slash: `https://partner.example` is not the beginning of `https://partner.example.net`.
    allowed = [f"{each.strip().rstrip('/')}/" for each in node.config.supply.webhooks.split(",") if each.strip()]
    if not any(ask.dest.startswith(each) for each in allowed):
        raise EpcisProblem(
            "SecurityException", "this node does not call that address", todo="its operator sets supply.webhooks"
        )
    if len(node.desk.epcis_after(SUBSCRIPTION, "", MOST)) == MOST:
        raise _bad(f"at most {MOST} subscriptions at a node")
    since = _since(ask)
    now = node.now()
    cursor = 0 if ask.initial_record_time else node.desk.last_event()
    one = Subscription(node.entropy(16).hex(), query, ask, now, cursor, since, now)
    _keep(node, one)
    return one


def subscription(node: MemberNode, query: str, name: str) -> Subscription:
    """Return a subscription to a query. Raises EpcisProblem."""
    found = node.desk.epcis(SUBSCRIPTION, name)
    one = msgspec.json.decode(found, type=Subscription) if found else None
    if one is None or one.query != query:
        raise nothing("no subscription to this query has this id")
    return one


def subscriptions(node: MemberNode, query: str) -> list[Subscription]:
    """Return the subscriptions to a query. Raises EpcisProblem."""
    repository.defined(node, query)
    return [one for one in every(node) if one.query == query]


def every(node: MemberNode) -> list[Subscription]:
    """Return all subscriptions."""
    return [msgspec.json.decode(body, type=Subscription) for _, body in node.desk.epcis_after(SUBSCRIPTION, "", MOST)]


def meets(node: MemberNode, one: Subscription, event: Event) -> bool:
    """Tell whether an event is one that a subscription asks for."""
    named = repository.defined(node, one.query)
    return repository.query_of(node, repository.parameters_of(named.query)).matches(event)


def unsubscribe(node: MemberNode, query: str, name: str) -> None:
    """End a subscription. Raises EpcisProblem."""
    subscription(node, query, name)
    node.desk.drop_epcis(SUBSCRIPTION, name)


def drop_query(node: MemberNode, name: str) -> None:
    """Let a named query go, and its subscriptions. Raises EpcisProblem."""
    for one in subscriptions(node, name):
        node.desk.drop_epcis(SUBSCRIPTION, one.id)
    node.desk.drop_epcis(repository.QUERY, name)


def told(one: Subscription) -> dict[str, Any]:
    """Return a subscription as the standard tells it, without its signature token."""
    found: dict[str, Any] = {
        "subscriptionID": one.id,
        "queryName": one.query,
        "dest": one.ask.dest,
        "createdAt": times.text(one.created),
    }
    if one.ask.schedule is None:
        found["stream"] = True
    else:
        found |= {"schedule": one.ask.schedule, "reportIfEmpty": one.ask.report_if_empty}
    if one.ask.initial_record_time:
        found["initialRecordTime"] = one.ask.initial_record_time
    if one.notified:
        found["lastNotifiedAt"] = times.text(one.notified)
    return found


def notify_due(node: MemberNode, caller: Caller) -> int:
    """Post what is due to each subscriber; return how many requests were acknowledged."""
    return sum(_notify(node, caller, one) for one in every(node) if one.due <= node.now())


def _notify(node: MemberNode, caller: Caller, one: Subscription) -> int:
    now = node.now()
    if one.ask.schedule is not None and not one.tries and not _matched(one.ask.schedule, one.looked, now):
        return 0
    named = repository.defined(node, one.query)
    query = repository.query_of(node, repository.parameters_of(named.query))
    if one.since:
        query.tests.append(lambda event: times.milliseconds(event.fields["recordTime"], "") >= one.since)
    scheduled = one.ask.schedule is not None
    sent = 0
    while True:
        events, upto = repository.new_since(node, query, one.cursor, BATCH)
        posted = bool(events) or (scheduled and one.ask.report_if_empty and not sent)
        if posted:
            body = write_json(events, times.text(now), query=one.query, subscription=one.id)
            if not _acknowledged(caller, one, body):
                wait = min(FIRST_RETRY_MS << min(one.tries, 20), LAST_RETRY_MS)
                _again(node, msgspec.structs.replace(one, due=now + wait, tries=one.tries + 1))
                return sent
            sent += 1
        notified = now if posted else one.notified
        after = msgspec.structs.replace(one, cursor=upto, looked=now, due=0, tries=0, notified=notified)
        if posted or scheduled or upto != one.cursor:
            _again(node, after)
        one = after
        if len(events) < BATCH:
            return sent


def _acknowledged(caller: Caller, one: Subscription, body: bytes) -> bool:
    headers = {"content-type": "application/json", "gs1-epcis-version": "2.0.0", "gs1-cbv-version": "2.0.0"}
    if one.ask.signature_token:
        headers["gs1-signature"] = hmac.digest(one.ask.signature_token.encode(), body, "sha256").hex()
    try:
        return 200 <= caller.post(one.ask.dest, body, headers) < 300
    except Unavailable:
        return False


def _again(node: MemberNode, one: Subscription) -> None:
    """Keep a subscription's new state, unless it was ended meanwhile."""
    if node.desk.epcis(SUBSCRIPTION, one.id) is not None:
        _keep(node, one)


def _keep(node: MemberNode, one: Subscription) -> None:
    node.desk.keep_epcis(SUBSCRIPTION, one.id, msgspec.json.encode(one))


def _since(ask: Ask) -> int:
    if not ask.initial_record_time:
        return 0
    try:
        return times.milliseconds(ask.initial_record_time, "initialRecordTime")
    except EpcisRefused as refused:
        raise _bad(refused.expected) from None


def _schedule(schedule: Mapping[str, str]) -> dict[str, frozenset[int]]:
    """Return the allowed values of each field that a schedule names. Raises EpcisProblem."""
    found = {}
    if not schedule or not {*schedule} <= {*FIELDS}:
        raise _bad("a schedule of " + ", ".join(FIELDS))
    for name, text in schedule.items():
        low, high = FIELDS[name]
        values: set[int] = set()
        for part in text.split(","):
            if PART.fullmatch(part) is None:
                raise _bad(f"numbers and ranges such as [1-5], between commas, as {name}")
            first, _, last = part.strip("[]").partition("-")
            values |= {*range(int(first), int(last or first) + 1)}
        if not values or min(values) < low or max(values) > high:
            raise _bad(f"{low} to {high} as {name}")
        found[name] = frozenset(values)
    return found


def _matched(schedule: Mapping[str, str], after: int, now: int) -> bool:
    """Tell whether a time of a schedule lies after one time and not after another, both Unix ms, in UTC."""
    wanted = _schedule(schedule)
    last = now // 1000
    return any(_is_at(wanted, second) for second in range(max(after // 1000 + 1, last - MISSED_SECONDS), last + 1))


def _is_at(wanted: Mapping[str, frozenset[int]], second: int) -> bool:
    at = clock.gmtime(second)
    have = {
        "second": at.tm_sec,
        "minute": at.tm_min,
        "hour": at.tm_hour,
        "dayOfMonth": at.tm_mday,
        "month": at.tm_mon,
        "dayOfWeek": at.tm_wday + 1,
    }
    # What a schedule does not name is any, but for seconds and finer: once at the beginning of what it names.
    return have["second"] in wanted.get("second", {0}) and all(
        have[name] in wanted.get(name, {have[name]}) for name in FIELDS if name != "second"
    )


def _bad(expected: str) -> EpcisProblem:
    return EpcisProblem("SubscriptionControlsException", "the subscription does not hold", expected=expected)
