"""The OpenAPI description of the FHIR server, from the routes that it answers by and the CapabilityStatement is made of."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from salus import __version__
from salus.interop.fhir.json_schema import AT, PRIMITIVES, schemas
from salus.interop.fhir.search.definitions import parameters, patient_compartment
from salus.interop.fhir.search.query import WHOLE
from salus.interop.fhir.survey import TYPES
from salus.node.fhir.answers import BAD, FhirRefused, Request
from salus.node.fhir.joining import PARAMETER as JOINED
from salus.node.fhir.joining import is_joined
from salus.node.fhir.patching import MAX_OPERATIONS
from salus.node.fhir.patching import MEDIA as PATCH
from salus.node.fhir.presenting import raw
from salus.node.fhir.routes import CONDITIONS, LINES, MANIFEST, ROUTES, SEARCH, TABLE, Route
from salus.node.fhir.viewing import FORMS as TABLES

JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
NDJSON: Final = "application/fhir+ndjson"
_Told = dict[str, Any]

_QUERY: Final[dict[str, _Told]] = {
    "_count": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    "_summary": {"type": "string", "enum": ["true", "text", "data", "count", "false"]},
    "_total": {"type": "string", "enum": ["none", "estimate", "accurate"]},
    "_sort": {"type": "string"},
    "_elements": {"type": "string"},
    "_include": {"type": "string"},
    "_revinclude": {"type": "string"},
    "_pretty": {"type": "string", "enum": ["true", "false"]},
    "_since": PRIMITIVES["instant"],
}
_VARIABLES: Final[dict[str, _Told]] = {
    "id": PRIMITIVES["id"],
    "version": PRIMITIVES["positiveInt"],
    "link": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "kind": {"type": "string", "enum": sorted(patient_compartment())},
}
_RESULTS: Final = tuple(name for name in _QUERY if name != "_since")
_SWITCH: Final[_Told] = {"type": "string", "enum": ["true", "false"]}
_OFTEN: Final = {"_include", "_revinclude"}
_HEADERS: Final[dict[str, _Told]] = {
    "If-Match": {"type": "string", "pattern": '^W/"[0-9]+"$'},
    "If-None-Match": {"type": "string", "pattern": '^W/"[0-9]+"$'},
    "If-None-Exist": {"type": "string"},
    "Prefer": {
        "type": "string",
        "enum": ["return=minimal", "return=representation", "respond-async"],
    },
}
REFUSALS: Final = {
    400: "The request is not understood; the issue names what is expected.",
    401: "Nobody has signed in, or the token does not hold.",
    403: "Who asks may not ask this.",
    404: "It is not there, or may not be seen: the same answer.",
    405: "There is no such interaction.",
    406: "No such form of answer.",
    409: "It conflicts with what is there.",
    410: "It was deleted.",
    412: "A condition does not hold.",
    413: "It is too large.",
    415: "The body is of a form that is not taken.",
    422: "The resource breaks a rule; one issue for each.",
    503: "The node is busy or does not serve.",
}
_BUNDLE: Final[_Told] = {
    "type": "object",
    "required": ["resourceType", "type"],
    "properties": {
        "resourceType": {"type": "string", "enum": ["Bundle"]},
        "type": {"type": "string", "enum": ["batch", "transaction"]},
        "entry": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["request"],
                "properties": {
                    "fullUrl": {"type": "string", "minLength": 1},
                    "resource": {"$ref": f"{AT}Resource"},
                    "request": {
                        "type": "object",
                        "required": ["method", "url"],
                        "properties": {
                            "method": {"type": "string", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
                            "url": {"type": "string", "minLength": 1},
                            "ifMatch": {"type": "string", "minLength": 1},
                            "ifNoneExist": {"type": "string", "minLength": 1},
                        },
                    },
                },
            },
        },
    },
}
_IMPORT: Final[_Told] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputFormat": {"type": "string", "enum": [NDJSON]},
        "inputSource": {"type": "string", "maxLength": 256},
        "inputs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["url"],
                "properties": {
                    "type": {"type": "string", "enum": sorted(TYPES)},
                    "url": {"type": "string", "format": "uri"},
                },
            },
        },
    },
    "description": "Or Parameters with the same names, or the manifest of an export.",
}
_ALWAYS: Final = (400, 401, 403, 404, 406)
_ALWAYS_THERE: Final = ("Bundle", "CapabilityStatement", "ClaimResponse", "OperationOutcome", "Parameters", "ValueSet")
"""Schemas of what the server's own routes take and answer."""
_MEDIA: Final[dict[str, _Told]] = {
    MANIFEST: {MANIFEST: {"schema": {"type": "object"}}},
    LINES: {LINES: {"schema": {}}},
    TABLE: {media: {"schema": {}} for media in sorted(set(TABLES.values()))},
}
_BYTES: Final[_Told] = {"application/octet-stream": {"schema": {}}}
"""What a Binary holds, in whatever form it has."""
_VIEW: Final[_Told] = {
    "type": "object",
    "required": ["resourceType", "parameter"],
    "properties": {
        "resourceType": {"type": "string", "enum": ["Parameters"]},
        "parameter": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "minLength": 1}, "resource": {"type": "object"}},
            },
        },
    },
    "description": "Parameters with a ViewDefinition as `viewResource`, or the Library that holds one as `viewReference`.",
}
_CLAIM: Final[_Told] = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string", "enum": ["Claim", "Bundle", "Parameters"]}},
    "description": "A Claim, alone, first in a Bundle, or as `resource` of Parameters.",
}


def asked_types(request: Request) -> tuple[str, ...]:
    """Return the resource types that a description is asked for, all without `type`. Raises FhirRefused."""
    told = tuple(kind for name, value in request.pairs if name == "type" for kind in value.split(","))
    if any(name != "type" for name, _ in request.pairs) or not set(told) <= TYPES:
        raise FhirRefused(BAD, "fhir.parameter", "the description takes no such parameter", expected="type=Patient,…")
    return tuple(sorted(set(told) or TYPES))


@lru_cache(maxsize=4)
def description(base: str, kinds: tuple[str, ...]) -> bytes:
    """Return the description of a server at `base` for some resource types, as JSON."""
    return bytes(raw(described(base, kinds)))


def described(base: str, kinds: tuple[str, ...]) -> _Told:
    """Return the description as a value."""
    paths: dict[str, _Told] = {}
    for route in ROUTES:
        for kind in kinds if route.kind == "{kind}" else (route.kind,):
            if kind in kinds or not route.kind:
                path = "/" + route.path.replace("{kind}", kind).replace("{own}", "{id}").replace("{inner}", "{kind}")
                paths.setdefault(path, {}).update(_methods(route, kind))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FHIR R4 server of a Salus node",
            "version": __version__,
            "description": "Search parameters take the modifiers, prefixes and chains that /metadata and the conformance "
            "page list; what is not understood is refused.",
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **schemas([*kinds, *_ALWAYS_THERE]),
                "BundleRequest": _BUNDLE,
                "ImportRequest": _IMPORT,
                "ViewRequest": _VIEW,
                "ClaimRequest": _CLAIM,
            },
            "responses": {str(status): _refusal(text) for status, text in REFUSALS.items()},
            "parameters": {
                **{name: _parameter(name, "path", told, needed=True) for name, told in _VARIABLES.items()},
                **{name: _parameter(name, "query", told) for name, told in _QUERY.items()},
                **{name: _parameter(name, "header", told) for name, told in _HEADERS.items()},
            },
        },
    }


def _methods(route: Route, kind: str) -> _Told:
    """Return the operations of a route at one type, by method in lower case."""
    told: _Told = {}
    for method in route.methods:
        one: _Told = {
            "operationId": "".join(
                (
                    route.name,
                    kind if route.kind == "{kind}" else "",
                    method[1:] * (method == "POST" and len(route.methods) > 1),
                )
            )
        }
        if method == "DELETE" and len(route.methods) > 1:
            one["operationId"] += "End"
        body = "Parameters" if route.posted and method == "POST" else route.body
        one["parameters"] = _parameters(route, kind, posted=route.posted and method == "POST")
        if body and method != "GET":
            one["requestBody"] = _body(body.replace("{kind}", kind), kind, needed=not route.posted and body != SEARCH)
        one["responses"] = _answers(route, kind)
        if route.anybody:
            one["security"] = []
        told[method.lower()] = one
    return told


def _parameters(route: Route, kind: str, *, posted: bool) -> list[_Told]:
    variables = [part[1:-1] for part in route.parts if part[0] == "{" and part != "{kind}"]
    found = [_at("parameters", {"own": "id", "inner": "kind"}.get(name, name)) for name in variables]
    if posted:
        return found + _listed(route.headers)
    found += [_parameter(name, "query", {"type": "string", "minLength": 1}, needed=True) for name in route.needed]
    for name in route.query:
        if name in {SEARCH, CONDITIONS}:
            found += [_parameter(code, "query", {"type": "string"}) for code in _own(kind)]
            found += _listed(_RESULTS) if name == SEARCH else []
            found += [_parameter(JOINED, "query", _SWITCH)] if name == SEARCH and is_joined(kind) else []
        else:
            found.append(_at("parameters", name) if name in _QUERY else _parameter(name, "query", {"type": "string"}))
    return found + _listed(route.headers)


def _own(kind: str) -> list[str]:
    return [code for code in [*sorted(parameters(kind)), *WHOLE] if code not in _QUERY]


def _answers(route: Route, kind: str) -> _Told:
    answers: _Told = {}
    for status, told in route.good:
        schema = told.replace("{kind}", kind)
        answer = answers.setdefault(str(status), {"description": schema or "Done."})
        if schema:
            answer.setdefault("content", {}).update(_forms(schema) if schema not in _MEDIA else _MEDIA[schema])
        if schema == "Binary" and "GET" in route.methods:
            answer["content"] |= _BYTES
    refusals = {
        *(_ALWAYS if not route.anybody else (400, 406)),
        *route.refusals,
    }
    return answers | {str(status): _at("responses", str(status)) for status in sorted(refusals)}


def _refusal(text: str) -> _Told:
    return {"description": text, "content": _forms("OperationOutcome")}


def _forms(kind: str) -> _Told:
    """Return the forms of a resource, in answers as in bodies: JSON, or XML, for which OpenAPI has no schema of R4's."""
    return {JSON: {"schema": {"$ref": AT + kind}}, XML: {"schema": {"type": "string"}}}


def _parameter(name: str, place: str, schema: _Told, *, needed: bool = False) -> _Told:
    schema = {"type": "array", "items": schema} if name in _OFTEN else schema
    return {"name": name, "in": place, **({"required": True} if needed else {}), "schema": schema}


def _at(part: str, name: str) -> _Told:
    return {"$ref": f"#/components/{part}/{name}"}


def _listed(names: Iterable[str]) -> list[_Told]:
    return [_at("parameters", name) for name in names]


def _body(name: str, kind: str, *, needed: bool) -> _Told:
    if name == SEARCH:
        own = {code: {"type": "string"} for code in (_own(kind) if kind in TYPES and kind != "Patient" else [])}
        schema = {"type": "object", "properties": own, "additionalProperties": False}
        return {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    content = _patch() if name == "Patch" else _forms(name) | (_BYTES if name == "Binary" else {})
    return {"required": needed, "content": content}


def _patch() -> _Told:
    operation = {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
    }
    json_patch = {"type": "array", "minItems": 1, "maxItems": MAX_OPERATIONS, "items": operation}
    return {PATCH: {"schema": json_patch}, **_forms("Parameters")}
