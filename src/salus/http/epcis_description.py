"""The OpenAPI description of the EPCIS repository: our own words for the standard's interface, as far as it is served."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from salus import __version__
from salus.interop.epcis.query import ATTRIBUTED, COMPARED, MATCHES, ORDERS, SENSOR_URIS, SENSOR_VALUES
from salus.interop.epcis.vocabulary import ACTIONS, FIELDS

TEXT: Final = {"type": "string"}
TEXTS: Final = {"type": "array", "items": TEXT}
TIME: Final = {"type": "string", "format": "date-time"}
PROBLEMS: Final[Mapping[int, str]] = {
    400: "The request does not hold",
    401: "Nobody has signed, or the signature does not hold",
    403: "Not for this caller",
    404: "There is no such thing",
    406: "No such version or form of answer",
    409: "It is there already",
    413: "Too large",
    414: "The query is too long",
    415: "No such form of body",
    501: "Not offered here",
    503: "Try again later",
}
ALWAYS: Final = (400, 401, 403, 406, 414, 503)
COLLECTIONS: Final = ("eventTypes", "epcs", "bizSteps", "dispositions", "bizLocations", "readPoints")
SCHEMAS: Final[dict[str, Any]] = {
    "Problem": {
        "type": "object",
        "description": "Problem details (RFC 9457); the type is one of the standard's exceptions.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "pattern": "^epcisException:[A-Za-z]+Exception$"},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "code": TEXT,
        },
    },
    "Event": {
        "type": "object",
        "description": "An event of EPCIS 2.0 in JSON-LD.",
        "required": ["type", "eventTime", "eventTimeZoneOffset"],
        "properties": {
            "type": {"enum": sorted(FIELDS)},
            "eventTime": TIME,
            "eventTimeZoneOffset": {"type": "string", "pattern": "^[+-]0[0-9]:[0-5][0-9]$"},
            "action": {"enum": sorted(ACTIONS)},
            "epcList": {"type": "array", "items": {"type": "string", "pattern": "^urn:example:[a-z0-9]+$"}},
        },
    },
    "Document": {
        "type": "object",
        "description": "An EPCISDocument or EPCISQueryDocument in JSON-LD.",
        "required": ["@context", "type", "epcisBody"],
        "properties": {
            "@context": {},
            "type": {"enum": ["EPCISDocument", "EPCISQueryDocument"]},
            "schemaVersion": TEXT,
            "creationDate": TIME,
            "epcisBody": {"type": "object"},
        },
    },
    "CaptureJob": {
        "type": "object",
        "required": ["captureID", "createdAt", "finishedAt", "running", "success", "captureErrorBehaviour", "errors"],
        "properties": {
            "captureID": TEXT,
            "createdAt": TIME,
            "finishedAt": TIME,
            "running": {"type": "boolean"},
            "success": {"type": "boolean"},
            "captureErrorBehaviour": {"enum": ["rollback", "proceed"]},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
            "findings": TEXTS,
        },
    },
    "Collection": {
        "type": "object",
        "required": ["@context", "type", "member"],
        "properties": {"@context": {}, "type": {"const": "Collection"}, "member": {**TEXTS, "uniqueItems": True}},
    },
    "Query": {
        "type": "object",
        "required": ["name", "query"],
        "properties": {
            "name": {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$"},
            "query": {
                "type": "object",
                "description": "Parameters, each with a value or a list of alternatives.",
                "additionalProperties": {"oneOf": [TEXT, TEXTS]},
            },
        },
    },
    "Subscribe": {
        "type": "object",
        "required": ["dest"],
        "additionalProperties": False,
        "properties": {
            "dest": {"type": "string", "format": "uri"},
            "signatureToken": TEXT,
            "stream": {"type": "boolean"},
            "schedule": {"type": "object", "additionalProperties": TEXT},
            "reportIfEmpty": {"type": "boolean"},
            "initialRecordTime": TIME,
        },
    },
    "Subscription": {
        "type": "object",
        "required": ["subscriptionID", "queryName", "dest", "createdAt"],
        "properties": {
            "subscriptionID": TEXT,
            "queryName": TEXT,
            "dest": TEXT,
            "createdAt": TIME,
            "lastNotifiedAt": TIME,
            "initialRecordTime": TIME,
            "stream": {"type": "boolean"},
            "reportIfEmpty": {"type": "boolean"},
            "schedule": {"type": "object", "additionalProperties": TEXT},
        },
    },
}


def description(root: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the interface below a root path."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "EPCIS 2.0 repository", "version": __version__},
        "servers": [{"url": root}],
        "paths": {**_capturing(), **_listing(), **_querying()},
        "components": {"schemas": SCHEMAS},
    }


def _capturing() -> dict[str, Any]:
    sent = {"application/json": _of("Document"), "application/ld+json": _of("Document")}
    sent |= {"application/xml": {"schema": TEXT}, "text/xml": {"schema": TEXT}}
    behaviour = _header("GS1-Capture-Error-Behaviour", {"enum": ["rollback", "proceed"]})
    return {
        "/": {"get": _operation("The collections", {200: _json("Collection")})},
        "/capture": {
            "post": _operation(
                "Capture a document: all of its events, or with `proceed` those that hold",
                {202: {"description": "Captured; the job says what came of it", "headers": {"Location": _string()}}},
                [behaviour],
                problems=(413, 415),
                body=sent,
            ),
            "get": _operation("Capture jobs", {200: _json_list("CaptureJob")}, _paging()),
        },
        "/capture/{name}": {
            "get": _operation("A capture job", {200: _json("CaptureJob")}, [_path("name")], problems=(404,))
        },
        "/events": {
            "post": _operation(
                "Capture one event",
                {201: {**_json("Event"), "headers": {"Location": _string()}}},
                problems=(409, 413, 415),
                body={"application/json": _of("Event"), "application/ld+json": _of("Event")},
            ),
            "get": _operation("Events that meet a query", {200: _events()}, _query(), problems=(413,)),
        },
        "/events/{name}": {
            "get": _operation("The events of an eventID", {200: _events()}, [_path("name")], problems=(404,))
        },
    }


def _listing() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for each in COLLECTIONS:
        paths[f"/{each}"] = {"get": _operation(f"All {each}", {200: _json("Collection")}, _paging())}
        paths[f"/{each}/{{name}}"] = {
            "get": _operation(f"One of {each}", {200: _json("Collection")}, [_path("name")], problems=(404,))
        }
        paths[f"/{each}/{{name}}/events"] = {
            "get": _operation(
                f"Events with one of {each}", {200: _events()}, [_path("name"), *_query()], problems=(404, 413)
            )
        }
    return paths


def _querying() -> dict[str, Any]:
    named = [_path("query")]
    one = [*named, _path("name")]
    made = {"description": "Made", "headers": {"Location": _string()}}
    gone = {"description": "Gone"}
    return {
        "/queries": {
            "get": _operation("Named queries", {200: _json_list("Query")}, _paging()),
            "post": _operation(
                "Name a query", {201: made}, problems=(409, 413, 415), body={"application/json": _of("Query")}
            ),
        },
        "/queries/{query}": {
            "get": _operation("A named query", {200: _json("Query")}, named, problems=(404,)),
            "delete": _operation("Let a query go, and its subscriptions", {204: gone}, named, problems=(404,)),
        },
        "/queries/{query}/events": {
            "get": _operation("Its events", {200: _events()}, [*named, *_paging()], problems=(404, 413))
        },
        "/queries/{query}/subscriptions": {
            "get": _operation("Its subscriptions", {200: _json_list("Subscription")}, named, problems=(404,)),
            "post": _operation(
                "Subscribe to it",
                {201: {**_json("Subscription"), "headers": {"Location": _string()}}},
                named,
                problems=(404, 413, 415),
                body={"application/json": _of("Subscribe")},
            ),
        },
        "/queries/{query}/subscriptions/{name}": {
            "get": _operation("A subscription", {200: _json("Subscription")}, one, problems=(404,)),
            "delete": _operation("End a subscription", {204: gone}, one, problems=(404,)),
        },
        "/nextPageToken/{name}": {
            "delete": _operation("Give a page token up: not offered", {}, [_path("name")], problems=(501,))
        },
    }


def _operation(
    summary: str,
    answers: Mapping[int, Any],
    parameters: Sequence[Any] = (),
    *,
    problems: Sequence[int] = (),
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    refused = {"application/problem+json": _of("Problem")}
    told: dict[str, Any] = {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {str(status): answer for status, answer in answers.items()}
        | {str(status): {"description": PROBLEMS[status], "content": refused} for status in (*ALWAYS, *problems)},
    }
    if body is not None:
        told["requestBody"] = {"required": True, "content": dict(body)}
    return told


def _query() -> list[Any]:
    """Return the parameters of the query language, but for those of extensions, whose names are not known beforehand."""
    lists = [
        *("eventType", "EQ_action", "EQ_bizStep", "EQ_disposition", "EQ_readPoint", "WD_readPoint", "EQ_bizLocation"),
        *("WD_bizLocation", "EQ_eventID", "EQ_transformationID", "EQ_persistentDisposition_set"),
        *("EQ_persistentDisposition_unset", "EQ_errorReason", "EQ_correctiveEventID", *MATCHES),
        *(f"HASATTR_{name}" for name in ATTRIBUTED),
        *(f"EQ_{name}" for name in (*SENSOR_URIS, *SENSOR_VALUES)),
    ]
    moments = [
        f"{verb}_{name}"
        for name in ("eventTime", "recordTime", "startTime", "endTime", "errorDeclarationTime")
        for verb in ("GE", "LT")
    ]
    return [
        *(_asked(name, TEXT) for name in lists),
        *(_asked(name, TIME) for name in moments),
        *(_asked(f"{verb}_quantity", {"type": "number"}) for verb in COMPARED),
        _asked("EXISTS_errorDeclaration", TEXT),
        _asked("orderBy", {"enum": list(ORDERS)}),
        _asked("orderDirection", {"enum": ["ASC", "DESC"]}),
        _asked("eventCountLimit", {"type": "integer", "minimum": 1, "maximum": 999_999_999}),
        _asked("maxEventCount", {"type": "integer", "minimum": 1, "maximum": 999_999_999}),
        *_paging(),
    ]


def _paging() -> list[Any]:
    return [
        _asked("perPage", {"type": "integer", "minimum": 1, "maximum": 999_999_999}),
        _asked("nextPageToken", {"type": "string", "pattern": "^[0-9a-f]+$"}),
    ]


def _events() -> dict[str, Any]:
    xml = {"schema": TEXT}
    headers = {"Link": _string(), "GS1-Next-Page-Token-Expires": {"schema": TIME}}
    return {
        "description": "Events",
        "headers": headers,
        "content": {"application/json": _of("Document"), "application/xml": xml, "text/xml": xml},
    }


def _json(schema: str) -> dict[str, Any]:
    return {"description": schema, "content": {"application/json": _of(schema)}}


def _json_list(schema: str) -> dict[str, Any]:
    items = {"schema": {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": f"{schema} list", "content": {"application/json": items}}


def _of(schema: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{schema}"}}


def _string() -> dict[str, Any]:
    return {"schema": TEXT}


def _asked(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[!-~]+$"}}


def _header(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": schema}
