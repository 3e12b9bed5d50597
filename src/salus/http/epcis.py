"""EPCIS 2.0 over HTTP (section 12, the REST binding): capture, events, names, queries, subscriptions, under `/epcis`.

What it means is `salus.node.supply`'s; here are paths, headers, forms and the standard's problem documents. JSON-LD and XML
are taken; events are given as either, the rest as JSON. Described by `/epcis/openapi.json`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from salus.core.errors import SalusError
from salus.http.derive import Authenticator, body_of
from salus.http.epcis_description import description
from salus.interop.epcis import times
from salus.interop.epcis.document import CONTEXT, Event, write_json
from salus.interop.epcis.query import EPC, IN, OUT, PARENT, EventQuery
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.translate import with_links
from salus.interop.epcis.vocabulary import DISPOSITIONS, FIELDS, STEPS, bare
from salus.interop.epcis.xml_writer import write_xml
from salus.interop.gs1.identity import canonical_uri
from salus.interop.gs1.refusal import Gs1Refused
from salus.node.errors import EdgeError, Forbidden, Malformed, Unauthenticated
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.supply import repository, subscribing
from salus.node.supply.repository import MAX_EVENTS, MAX_PAGE, PAGE, SIMPLE, EpcisProblem, nothing
from salus.node.usecase import Caller, Kind, person

ROOT: Final = "/epcis"
WHO: Final = person("logistics", "pharmacist")
JSON: Final = ("application/json", "application/ld+json", "application/*", "*/*", "")
XML: Final = ("application/xml", "text/xml")
MAX_QUERY: Final = 32 * 1024  # characters of a URL's query: half of what the server itself takes
CONTROLS: Final = ("perPage", "nextPageToken")
VERSION: Final = "2.0.0"
VERSIONS: Final[Mapping[str, str]] = {"gs1-epcis-version": VERSION, "gs1-cbv-version": VERSION}
RANGE: Final[Mapping[str, str]] = {
    "gs1-epcis-min": "1.2.0",
    "gs1-epcis-max": VERSION,
    "gs1-cbv-min": "1.2.0",
    "gs1-cbv-max": VERSION,
    "gs1-epc-format": "Never_Translates",
    "gs1-cbv-xml-format": "Always_URN",
}
TOP: Final = (
    *("queries", "capture", "events", "eventTypes", "epcs"),
    *("readPoints", "bizLocations", "dispositions", "bizSteps"),
)
LISTS: Final[Mapping[str, tuple[tuple[str, ...], str, frozenset[str]]]] = {
    "eventTypes": ((), "eventType", frozenset(FIELDS)),
    "epcs": ((*EPC, *PARENT, *IN, *OUT), "MATCH_anyEPC", frozenset()),
    "bizSteps": (("bizStep",), "EQ_bizStep", STEPS),
    "dispositions": (("disposition",), "EQ_disposition", DISPOSITIONS),
    "bizLocations": (("bizLocation",), "EQ_bizLocation", frozenset()),
    "readPoints": (("readPoint",), "EQ_readPoint", frozenset()),
}
"""Collection to (roles of its names, the query parameter that asks for one, words that are always in it)."""
NAMES: Final[Mapping[int, str]] = {
    400: "ValidationException",
    401: "SecurityException",
    403: "SecurityException",
    404: "NoSuchNameException",
    409: "ResourceAlreadyExistsException",
    413: "CaptureLimitExceededException",
}
Handler = Callable[["_Asked"], Response]


class _Asked:
    """One request, read."""

    def __init__(self, node: MemberNode, http: Request, body: bytes) -> None:
        self.node = node
        self.body = body
        self.headers = http.headers
        self.path = http.url.path
        self.names: Mapping[str, str] = http.path_params
        self.pairs = parse_qsl(http.url.query, keep_blank_values=True)

    def parameters(self) -> dict[str, tuple[str, ...]]:
        """Return the query's parameters, alternatives apart."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self.pairs:
            if name not in CONTROLS:
                found[name] = (*found.get(name, ()), *value.split("|"))
        return found

    def page(self) -> int:
        """Return how many a page may hold. Raises EpcisProblem."""
        text = dict(self.pairs).get("perPage", str(PAGE))
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
            raise EpcisProblem("QueryParameterException", "perPage", expected="a whole number from 1 to 999999999")
        return min(int(text), MAX_PAGE)

    def token(self) -> str:
        """Return the token of the page asked for, "" for the first."""
        return dict(self.pairs).get("nextPageToken", "")

    def after(self) -> str:
        """Return the name after which a list goes on. Raises EpcisProblem."""
        try:
            return bytes.fromhex(self.token()).decode()
        except ValueError:
            raise EpcisProblem("QueryParameterException", "the page token is none of this node's") from None

    def link(self, token: str) -> dict[str, str]:
        """Return the header that leads to the next page."""
        pairs = [*(pair for pair in self.pairs if pair[0] != "nextPageToken"), ("nextPageToken", token)]
        return {"link": f'<{quote(self.path, safe="/:%")}?{urlencode(pairs)}>; rel="next"'}


def routes(node: MemberNode, authenticate: Authenticator) -> list[BaseRoute]:
    """Return the routes of a node's EPCIS repository."""
    told = msgspec.json.encode(description(ROOT))

    async def described(_request: Request) -> Response:
        return Response(told, media_type="application/json")

    return [
        Route(f"{ROOT}/openapi.json", described),
        *(_route(path, methods, node, authenticate) for path, methods in _table()),
    ]


def _table() -> list[tuple[str, dict[str, Handler]]]:
    """Return the handlers by path and method, the more special path first."""
    table: list[tuple[str, dict[str, Handler]]] = [
        ("", {"GET": _top}),
        ("/", {"GET": _top}),
        ("/capture", {"GET": _jobs, "POST": _capture}),
        ("/capture/{name}", {"GET": _job}),
        ("/events", {"GET": _events, "POST": _event}),
        ("/events/{name:path}", {"GET": _event_named}),
        ("/queries", {"GET": _queries, "POST": _define}),
        ("/queries/{query}", {"GET": _query, "DELETE": _drop}),
        ("/queries/{query}/events", {"GET": _answer}),
        ("/queries/{query}/subscriptions", {"GET": _subscriptions, "POST": _subscribe}),
        ("/queries/{query}/subscriptions/{name}", {"GET": _subscription, "DELETE": _unsubscribe}),
        ("/nextPageToken/{name}", {"DELETE": _forget_token}),
    ]
    for collection in LISTS:
        table += [
            (f"/{collection}", {"GET": _listed(collection)}),
            (f"/{collection}/{{name:path}}/events", {"GET": _events_of(collection)}),
            (f"/{collection}/{{name:path}}", {"GET": _one_of(collection)}),
        ]
    return table


def _route(path: str, methods: dict[str, Handler], node: MemberNode, authenticate: Authenticator) -> Route:
    async def endpoint(http: Request) -> Response:
        try:
            body = await body_of(http, node.config.http.max_body_bytes)
            _permitted(authenticate(http, body))
            return await run_in_threadpool(answered, http, body)
        except SalusError as error:
            told = edge_error(error)
            if told is None:
                raise
            return _refusal(told)

    def answered(http: Request, body: bytes) -> Response:
        if len(http.url.query) > MAX_QUERY:
            raise EpcisProblem("URITooLongException", "the query is too long", todo="define a query and ask it by name")
        _spoken(http)
        if http.method == "OPTIONS":
            return _reply(None, 204, {**RANGE, **_discovered(path, node), "allow": ", ".join(("OPTIONS", *methods))})
        return methods["GET" if http.method == "HEAD" else http.method](_Asked(node, http, body))

    return Route(ROOT + path, endpoint, methods=["OPTIONS", *methods])


def _permitted(caller: Caller) -> None:
    """Refuse who may not, with an EdgeError: programs with a token have scopes for FHIR, none for goods."""
    if caller.access is not None or not caller.may(WHO):
        kind = Unauthenticated if caller.kind is Kind.ANYONE else Forbidden
        raise kind("epcis.not-for-you", "the repository is not for this caller", expected=str(WHO))


def _spoken(http: Request) -> None:
    """Refuse versions and forms that are not spoken here, with an EpcisProblem."""
    for header, value in http.headers.items():
        if header in {"gs1-epcis-version", "gs1-cbv-version"}:
            good = value in {"2.0", VERSION, "1.2", "1.2.0"}
        elif header in {"gs1-epcis-min", "gs1-cbv-min"}:
            good = value in {"1.0", "1.1", "1.2", "1.2.0", "2.0", VERSION}
        elif header in {"gs1-epcis-max", "gs1-cbv-max"}:
            good = value[:1].isdigit() and value[:1] >= "2"
        elif header == "gs1-epc-format":
            good = value in {"No_Preference", "Never_Translates", "Always_GS1_Digital_Link"}
        elif header == "gs1-cbv-xml-format":
            good = value in {"No_Preference", "Always_URN"}
        else:
            continue
        if not good:
            raise EpcisProblem("NotAcceptableException", f"{header} asks for what is not spoken here")


def _discovered(path: str, node: MemberNode) -> dict[str, str]:
    if path != "/capture":
        return {}
    return {
        "gs1-epcis-capture-limit": str(MAX_EVENTS),
        "gs1-epcis-capture-file-size-limit": str(node.config.http.max_body_bytes),
        "gs1-capture-error-behaviour": "all",
    }


def _top(asked: _Asked) -> Response:
    return _collection(asked, list(TOP))


def _capture(asked: _Asked) -> Response:
    behaviour = asked.headers.get("gs1-capture-error-behaviour", "rollback")
    if behaviour not in {"rollback", "proceed"}:
        raise EpcisProblem("NotAcceptableException", "gs1-capture-error-behaviour", expected="rollback or proceed")
    _media(asked, (*JSON[:2], *XML))
    job = repository.capture(asked.node, asked.body, proceed=behaviour == "proceed")
    return _reply(None, 202, {"location": f"{ROOT}/capture/{job.capture_id}"})


def _job(asked: _Asked) -> Response:
    return _json(asked, repository.job(asked.node, asked.names["name"]))


def _jobs(asked: _Asked) -> Response:
    page = asked.page()
    found = repository.jobs(asked.node, asked.after(), page + 1)
    return _json(asked, found[:page], _onward(asked, [each.capture_id for each in found], page))


def _event(asked: _Asked) -> Response:
    _media(asked, JSON[:2])
    name = repository.capture_event(asked.node, asked.body)
    (event, *_) = repository.event_named(asked.node, name)
    told = msgspec.json.decode(write_json([event], times.text(asked.node.now())))
    body = {"@context": told["@context"], **told["epcisBody"]["eventList"][0]}
    return _reply(msgspec.json.encode(body), 201, {"location": f"{ROOT}/events/{quote(name, safe='')}"})


def _event_named(asked: _Asked) -> Response:
    return _document(asked, repository.event_named(asked.node, asked.names["name"]))


def _events(asked: _Asked) -> Response:
    return _asked(asked, repository.query_of(asked.node, asked.parameters()))


def _events_of(collection: str) -> Handler:
    parameter = LISTS[collection][1]

    def handle(asked: _Asked) -> Response:
        query = repository.query_of(asked.node, asked.parameters())
        try:
            narrowed = repository.query_of(asked.node, {parameter: (asked.names["name"],)})
        except EpcisProblem:
            raise nothing("there is no such name") from None
        query.tests += narrowed.tests
        query.seeks += narrowed.seeks
        return _asked(asked, query)

    return handle


def _asked(asked: _Asked, query: EventQuery, name: str = SIMPLE) -> Response:
    """Return a page of a query's events."""
    identity = repr((asked.path, sorted(pair for pair in asked.pairs if pair[0] not in CONTROLS))).encode()
    page = repository.ask(asked.node, query, identity, page=asked.page(), token=asked.token())
    more = {}
    if page.token:
        more = {**asked.link(page.token), "gs1-next-page-token-expires": times.text(page.expires)}
    return _document(asked, page.events, more, name)


def _listed(collection: str) -> Handler:
    roles, _, words = LISTS[collection]

    def handle(asked: _Asked) -> Response:
        page, after = asked.page(), asked.after()
        found = {word for word in words if word > after}
        for role in roles:
            found.update(asked.node.desk.event_names(role, after, page + 1))
        names = sorted(found)
        return _collection(asked, names[:page], _onward(asked, names, page))

    return handle


def _one_of(collection: str) -> Handler:
    roles, _, words = LISTS[collection]

    def handle(asked: _Asked) -> Response:
        name = asked.names["name"]
        try:
            own = (bare(roles[0], name) if roles else name) if words else canonical_uri(name)
        except Gs1Refused:
            raise nothing("there is no such name") from None
        if own not in words and not any(asked.node.desk.has_event_name(role, own) for role in roles):
            raise nothing("there is no such name")
        return _collection(asked, ["events"])

    return handle


def _queries(asked: _Asked) -> Response:
    page = asked.page()
    found = repository.queries(asked.node, asked.after(), page + 1)
    return _json(asked, found[:page], _onward(asked, [each.name for each in found], page))


def _define(asked: _Asked) -> Response:
    _media(asked, JSON[:2])
    named = _decoded(asked.body, repository.NamedQuery, "ValidationException")
    repository.define(asked.node, named)
    return _reply(None, 201, {"location": f"{ROOT}/queries/{quote(named.name, safe='')}"})


def _query(asked: _Asked) -> Response:
    return _json(asked, repository.defined(asked.node, asked.names["query"]))


def _drop(asked: _Asked) -> Response:
    subscribing.drop_query(asked.node, asked.names["query"])
    return _reply(None, 204)


def _answer(asked: _Asked) -> Response:
    named = repository.defined(asked.node, asked.names["query"])
    if asked.parameters():
        raise EpcisProblem("QueryParameterException", "a named query has its parameters", expected="perPage alone")
    return _asked(asked, repository.query_of(asked.node, repository.parameters_of(named.query)), named.name)


def _subscribe(asked: _Asked) -> Response:
    _media(asked, JSON[:2])
    repository.defined(asked.node, asked.names["query"])
    ask = _decoded(asked.body, subscribing.Ask, "SubscriptionControlsException")
    one = subscribing.subscribe(asked.node, asked.names["query"], ask)
    location = f"{ROOT}/queries/{quote(one.query, safe='')}/subscriptions/{one.id}"
    return _reply(msgspec.json.encode(subscribing.told(one)), 201, {"location": location})


def _subscriptions(asked: _Asked) -> Response:
    return _json(asked, [subscribing.told(one) for one in subscribing.subscriptions(asked.node, asked.names["query"])])


def _subscription(asked: _Asked) -> Response:
    return _json(
        asked, subscribing.told(subscribing.subscription(asked.node, asked.names["query"], asked.names["name"]))
    )


def _unsubscribe(asked: _Asked) -> Response:
    subscribing.unsubscribe(asked.node, asked.names["query"], asked.names["name"])
    return _reply(None, 204)


def _forget_token(_asked: _Asked) -> Response:
    raise EpcisProblem("ImplementationException", "page tokens hold nothing here that could be given up")


def _onward(asked: _Asked, names: list[str], page: int) -> dict[str, str]:
    return asked.link(names[page - 1].encode().hex()) if len(names) > page else {}


def _collection(asked: _Asked, members: list[str], more: Mapping[str, str] | None = None) -> Response:
    return _json(asked, {"@context": CONTEXT, "type": "Collection", "member": members}, more or {})


def _document(
    asked: _Asked, events: tuple[Event, ...], more: Mapping[str, str] | None = None, name: str = SIMPLE
) -> Response:
    """Return events as the form that is asked for."""
    media = _accepted(asked, (*JSON, *XML))
    if asked.headers.get("gs1-epc-format") == "Always_GS1_Digital_Link":
        events = tuple(with_links(event) for event in events)
    created = times.text(asked.node.now())
    if media not in XML:
        return _reply(write_json(events, created, query=name), 200, more)
    try:
        return _reply(write_xml(events, created, query=name), 200, more, media)
    except EpcisRefused as refused:
        raise repository.of_refusal(refused, "NotAcceptableException") from None


def _json(asked: _Asked, told: Any, more: Mapping[str, str] | None = None) -> Response:
    _accepted(asked, JSON)
    return _reply(msgspec.json.encode(told), 200, more)


def _reply(
    body: bytes | None, status: int, more: Mapping[str, str] | None = None, media: str = "application/json"
) -> Response:
    headers = {**VERSIONS, "cache-control": "no-store", **(more or {})}
    return Response(body or b"", status, headers, None if body is None else media)


def _accepted(asked: _Asked, forms: tuple[str, ...]) -> str:
    """Return the first form of the request's that is among some. Raises EpcisProblem."""
    for part in asked.headers.get("accept", "*/*").split(","):
        if (form := part.partition(";")[0].strip().lower()) in forms:
            return form
    raise EpcisProblem("NotAcceptableException", "no such form of answer", expected=" or ".join(forms[:1] + forms[5:]))


def _media(asked: _Asked, forms: tuple[str, ...]) -> None:
    if asked.headers.get("content-type", "").partition(";")[0].strip().lower() not in forms:
        raise EpcisProblem("UnsupportedMediaTypeException", "the body is of another form", expected=" or ".join(forms))


def _decoded(body: bytes, kind: type[Any], name: str) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EpcisProblem(name, "the body does not fit", expected="see /epcis/openapi.json") from None


def _refusal(error: EdgeError) -> Response:
    """Return the standard's problem document of a refusal."""
    status = 413 if isinstance(error, Malformed) and error.code == "http.too-large" else error.fault.status
    name = error.name if isinstance(error, EpcisProblem) else NAMES.get(status, "ImplementationException")
    detail = "; ".join(part for part in (error.expected and f"expected {error.expected}", error.todo) if part)
    told = {"type": f"epcisException:{name}", "title": error.message, "status": status, "code": error.code}
    body = msgspec.json.encode({**told, "detail": detail} if detail else told)
    return Response(body, status, dict(VERSIONS), "application/problem+json")
