"""FHIR R4 over HTTP: content negotiation, ETag, Location, Prefer, forms; what it means is the node's to say."""

import re
from base64 import b64decode, b64encode
from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from salus.core.errors import SalusError
from salus.http.derive import Authenticator, body_of
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.xml_reader import to_json
from salus.interop.fhir.xml_writer import to_xml
from salus.node.errors import UNSIGNED, EdgeError, Malformed
from salus.node.fhir.answers import NOT_ACCEPTABLE, UNKNOWN_FORM, Answer, FhirRefused, Request, outcome_of, refused
from salus.node.fhir.exporting import FORMATS
from salus.node.fhir.server import ROOT, FhirServer
from salus.node.fhir.viewing import RUN
from salus.node.mapping import edge_error
from salus.node.usecase import Caller

MEDIA: Final = "application/fhir+json"
JSON: Final = ("application/fhir+json", "application/json", "text/json", "json")
XML: Final = ("application/fhir+xml", "application/xml", "text/xml", "xml")
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
FORM: Final = "application/x-www-form-urlencoded"
PURPOSE: Final = "salus-purpose"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Programs in a browser come from their own origin and bring a token. No cookie is looked at here, so any origin may ask.
CORS: Final = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["*"],
    allow_headers=["*"],
    expose_headers=["etag", "location", "last-modified", "content-location"],
)
HEADERS: Final = ("if-match", "if-none-match", "if-none-exist", "if-modified-since", "prefer", "content-type", "accept")
SECURITY: Final = "x-security-context"
"""Header of a Binary's own bytes: whose they are, as a reference (R4 2.44.3)."""
_MEDIA: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_BINARY: Final = re.compile(r"Binary(/[A-Za-z0-9.-]{1,64}(/_history/[0-9]+)?)?")
_INERT: Final = {
    "content-disposition": "attachment",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}
"""Beside bytes of a form that their writer chose: a browser shows and runs nothing of them."""
MAX_BODY: Final = 64 << 20
"""Bytes of a Bundle: the gate's own limit."""


def routes(server: FhirServer, authenticate: Authenticator) -> list[BaseRoute]:
    """Return the routes of a node's FHIR server."""

    async def endpoint(http: HttpRequest) -> Response:
        pretty, xml = http.query_params.get("_pretty") == "true", False
        try:
            native = _native(http)
            xml = not native and not _tabular(http) and _negotiated(http)
            body = await body_of(http, MAX_BODY)
            caller = authenticate(http, body)
            answer = await run_in_threadpool(_answered, server, caller, http, body, xml=xml)
        except SalusError as error:
            told = edge_error(error)
            if told is None:
                raise
            return _refusal(told, pretty=pretty, xml=xml)
        return _bytes(answer, http, native) if native else _response(answer, http, pretty=pretty)

    return [
        Route(ROOT, endpoint, methods=list(METHODS), middleware=[CORS]),
        Route(f"{ROOT}/{{path:path}}", endpoint, methods=list(METHODS), middleware=[CORS]),
    ]


def _answered(server: FhirServer, caller: Caller, http: HttpRequest, body: bytes, *, xml: bool) -> Answer:
    answer = server.answer(caller, http.headers.get(PURPOSE, ""), _request(http, body))
    if not xml or answer.media or not answer.body:
        return answer
    try:
        return msgspec.structs.replace(answer, body=to_xml(answer.body), media=XML[0])
    except Refused as refusal:
        raise refused(refusal) from refusal


def _tabular(http: HttpRequest) -> bool:
    """Return whether a table is asked for, whose forms are no resource's: what it is answered in is the operation's to say."""
    return str(http.path_params.get("path", "")).strip("/") == RUN


def _native(http: HttpRequest) -> list[str]:
    """Return the forms in which a Binary's own bytes are asked for (R4 2.44.3), none where it is asked for as a resource."""
    path = str(http.path_params.get("path", "")).strip("/")
    if http.method not in {"GET", "HEAD"} or not path.startswith("Binary/") or not _BINARY.fullmatch(path):
        return []
    accepted = [] if "_format" in http.query_params else _by_weight(http.headers.get("accept", ""))
    spoken = {*JSON, *XML, "*/*", "application/*", ""}
    return accepted if accepted and accepted[0] not in spoken else []


def _bytes(answer: Answer, http: HttpRequest, accepted: list[str]) -> Response:
    """Return a Binary as the bytes that it holds. Answers 406 where these have another form than was asked for."""
    tree = msgspec.json.decode(answer.body) if answer.body else {}
    media = str(tree.get("contentType", ""))
    kind = media.partition(";")[0].strip().lower()
    wanted = {kind, kind.partition("/")[0] + "/*", "*/*"}
    if tree and (not _MEDIA.fullmatch(kind) or wanted.isdisjoint(accepted)):
        refusal = FhirRefused(NOT_ACCEPTABLE, "fhir.not-acceptable", "the bytes have another form", expected=MEDIA)
        return _refusal(refusal, pretty=False, xml=False)
    told = _response(
        msgspec.structs.replace(answer, body=b64decode(tree.get("data", "")), media=kind), http, pretty=False
    )
    told.headers.update(_INERT)
    return told


def _wrapped(http: HttpRequest, path: str, media: str, body: bytes) -> bytes:
    """Return bytes of a form of their own as the Binary that they are sent for (R4 2.44.3)."""
    tree = {"resourceType": "Binary", "contentType": media, "data": b64encode(body).decode()}
    own, context = path.partition("/")[2], http.headers.get(SECURITY, "")
    more = ({"id": own} if own else {}) | ({"securityContext": {"reference": context}} if context else {})
    return msgspec.json.encode(tree | more)


def _negotiated(http: HttpRequest) -> bool:
    """Return whether the answer shall be XML. Raises FhirRefused for a form that is not spoken here.

    `_format` before Accept (R4 3.1.0.1.11); of Accept the form of highest weight (RFC 9110 12.5.1), of equal ones the first.
    """
    asked = http.query_params.get("_format", "").replace(" ", "+")
    accepted = [asked] if asked else _by_weight(http.headers.get("accept", ""))
    spoken = {**dict.fromkeys(XML, True), **dict.fromkeys((*JSON, *FORMATS, "*/*", "application/*", ""), False)}
    for one in accepted:
        if one in spoken:
            return spoken[one]
    raise FhirRefused(NOT_ACCEPTABLE, "fhir.not-acceptable", "no such form of answer", expected=f"{MEDIA} or {XML[0]}")


def _by_weight(accept: str) -> list[str]:
    """Return the media types of an Accept header, the heaviest first; those of weight 0 and unreadable weights left out."""
    weighed: list[tuple[int, str]] = []
    for part in accept.split(","):
        media, *parameters = (one.strip().lower() for one in part.split(";"))
        told = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        weight = _WEIGHT.fullmatch(told)
        thousandths = int((told.replace(".", "") + "000")[:4]) if weight else 0
        weighed.append((thousandths, media))
    return [media for weight, media in sorted(weighed, key=lambda one: -one[0]) if weight]


def _request(http: HttpRequest, body: bytes) -> Request:
    pairs = tuple(parse_qsl(http.url.query, keep_blank_values=True))
    media = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    path = http.path_params.get("path", "").strip("/")
    if http.method == "POST" and path.endswith("_search"):
        if media != FORM:
            raise FhirRefused(UNKNOWN_FORM, "fhir.media", "a search is posted as a form", expected=FORM)
        try:
            pairs += tuple(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)))
        except (UnicodeDecodeError, ValueError) as error:
            raise Malformed("fhir.form", "the form does not decode", expected=FORM) from error
    elif body and media in XML:
        try:
            body = to_json(body)
        except Refused as refusal:
            raise refused(refusal) from refusal
    elif body and _BINARY.fullmatch(path) and http.method in {"POST", "PUT"} and media not in JSON[:2]:
        if not _MEDIA.fullmatch(media):
            raise FhirRefused(
                UNKNOWN_FORM, "fhir.media", "the body's form is none", expected="Content-Type: type/subtype"
            )
        body = _wrapped(http, path, media, body)
    elif body and media not in {*JSON[:3], "application/json-patch+json"}:
        told = f"{MEDIA} or {XML[0]}"
        raise FhirRefused(UNKNOWN_FORM, "fhir.media", "the body is of another form", expected=told)
    headers = {name: http.headers[name] for name in HEADERS if name in http.headers}
    method = "GET" if http.method == "HEAD" else http.method
    ours = {"_pretty"} if _tabular(http) else {"_format", "_pretty"}
    return Request(method, path, tuple(pair for pair in pairs if pair[0] not in ours), body, headers)


def _response(answer: Answer, http: HttpRequest, *, pretty: bool) -> Response:
    headers = {}
    if answer.version:
        headers["etag"] = f'W/"{answer.version}"'
        headers["last-modified"] = formatdate(answer.modified / 1000, usegmt=True)
    if answer.location:
        headers["location"] = answer.location
    body = msgspec.json.format(answer.body, indent=2) if pretty and answer.body and not answer.media else answer.body
    if http.method == "HEAD":
        body = b""
    headers["cache-control"] = "no-store"
    headers |= dict(answer.extra)
    media = answer.media or (MEDIA if answer.body else None)
    return Response(body, status_code=answer.status, headers=headers, media_type=media)


def _refusal(error: EdgeError, *, pretty: bool, xml: bool) -> Response:
    body = msgspec.json.encode(outcome_of(error))
    told = to_xml(body) if xml else msgspec.json.format(body, indent=2) if pretty else body
    headers = {"www-authenticate": "Bearer"} if error.fault.status == UNSIGNED.status else {}
    return Response(told, status_code=error.fault.status, headers=headers, media_type=XML[0] if xml else MEDIA)
