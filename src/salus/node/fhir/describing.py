"""The OpenAPI description of the FHIR server, from what the CapabilityStatement is made of."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from salus import __version__
from salus.interop.fhir.json_schema import AT, PRIMITIVES, schemas
from salus.interop.fhir.search.definitions import parameters
from salus.interop.fhir.search.query import WHOLE
from salus.interop.fhir.survey import TYPES
from salus.node.fhir.answers import BAD, FhirRefused, Request
from salus.node.fhir.joining import PARAMETER as JOINED
from salus.node.fhir.joining import is_joined
from salus.node.fhir.patching import MAX_OPERATIONS
from salus.node.fhir.patching import MEDIA as PATCH
from salus.node.fhir.presenting import raw

DESCRIPTION: Final = "openapi.json"
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
_OFTEN: Final = {"_include", "_revinclude"}
_HEADERS: Final[dict[str, _Told]] = {
    "If-Match": {"type": "string", "pattern": '^W/"[0-9]+"$'},
    "If-None-Match": {"type": "string", "pattern": '^W/"[0-9]+"$'},
    "If-None-Exist": {"type": "string"},
    "Prefer": {"type": "string", "enum": ["return=minimal", "return=representation", "respond-async"]},
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
                            "method": {"type": "string", "enum": ["GET", "POST", "PUT", "DELETE"]},
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
    paths: dict[str, _Told] = {
        "/metadata": {"get": _operation("metadata", {}, (200, "CapabilityStatement"), refusals=(406,), security=[])},
        "/": {
            "post": _operation(
                "batch", _body("BundleRequest"), (200, "Bundle"), refusals=(409, 410, 412, 413, 415, 422)
            )
        },
        "/_history": {"get": _operation("history", _query("_count", "_since"), (200, "Bundle"))},
        "/$export": {"get": _operation("export", _header("Prefer"), (202, ""))},
        "/$import": {
            "post": _operation(
                "import", _header("Prefer") | _body("ImportRequest"), (202, ""), refusals=(413, 415, 503)
            )
        },
    }
    for kind in kinds:
        paths |= _of_type(kind)
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
                **schemas([*kinds, "Bundle", "OperationOutcome", "CapabilityStatement"]),
                "BundleRequest": _BUNDLE,
                "ImportRequest": _IMPORT,
            },
            "responses": {str(status): _refusal(text) for status, text in REFUSALS.items()},
            "parameters": {
                "id": {"name": "id", "in": "path", "required": True, "schema": PRIMITIVES["id"]},
                "version": {"name": "version", "in": "path", "required": True, "schema": PRIMITIVES["positiveInt"]},
                **{name: _parameter(name, "query", told) for name, told in _QUERY.items()},
                **{name: _parameter(name, "header", told) for name, told in _HEADERS.items()},
            },
        },
    }


def _of_type(kind: str) -> dict[str, _Told]:
    own = [code for code in [*sorted(parameters(kind)), *WHOLE] if code not in _QUERY]
    results = _query(*(name for name in _QUERY if name != "_since"))
    search = {"parameters": [_parameter(code, "query", {"type": "string"}) for code in own] + results["parameters"]}
    conditions = {"parameters": search["parameters"][: len(own)]}
    if is_joined(kind):
        search["parameters"].append(_parameter(JOINED, "query", {"type": "string", "enum": ["true", "false"]}))
    one = {"parameters": [_at("parameters", "id")]}
    past = (410,)
    writes = (409, 412, 413, 415, 422)
    paths: dict[str, _Told] = {
        f"/{kind}": {
            "get": _operation(f"search{kind}", search, (200, "Bundle")),
            "post": _operation(
                f"create{kind}", _join(_header("If-None-Exist", "Prefer"), _body(kind)), (201, kind), (200, ""),
                refusals=writes,
            ),
            "put": _operation(
                f"update{kind}Where", _join(conditions, _header("If-Match", "Prefer"), _body(kind)), (200, kind), (201, kind),
                refusals=writes,
            ),
            "delete": _operation(f"delete{kind}Where", conditions, (204, ""), refusals=(409, 412)),
        },
        f"/{kind}/{{id}}": {
            "get": _operation(f"read{kind}", _join(one, _query("_summary", "_elements", "_pretty"), _header("If-None-Match")),
                (200, kind), (304, ""), refusals=(409, *past)),
            "put": _operation(
                f"update{kind}", _join(one, _header("If-Match", "Prefer"), _body(kind)), (200, kind), (201, kind),
                refusals=writes,
            ),
            "patch": _operation(
                f"patch{kind}", _join(one, _header("If-Match", "Prefer"), _patch()), (200, kind), refusals=writes
            ),
            "delete": _operation(f"delete{kind}", _join(one, _header("If-Match")), (204, ""), refusals=(409, 412)),
        },
        f"/{kind}/_history": {"get": _operation(f"history{kind}", _query("_count", "_since"), (200, "Bundle"))},
        f"/{kind}/{{id}}/_history": {
            "get": _operation(f"history{kind}One", _join(one, _query("_count", "_since")), (200, "Bundle"))
        },
        f"/{kind}/{{id}}/_history/{{version}}": {
            "get": _operation(
                f"vread{kind}", _join(one, {"parameters": [_at("parameters", "version")]}), (200, kind), refusals=past
            )
        },
        f"/{kind}/_search": {"post": _operation(f"search{kind}Posted", _form(own), (200, "Bundle"), refusals=(415,))},
        f"/{kind}/$validate": {
            "post": _operation(f"validate{kind}", _body(kind), (200, "OperationOutcome"), refusals=(413, 415))
        },
    }  # fmt: skip
    if kind == "Patient":
        everything = _join(one, _query("_count", "_since"))
        paths["/Patient/{id}/$everything"] = {
            "get": _operation("everything", everything, (200, "Bundle"), refusals=past)
        }
        paths["/Patient/{id}/$summary"] = {"get": _operation("summary", one, (200, "Bundle"), refusals=past)}
        paths["/Patient/$export"] = {"get": _operation("exportPatients", _header("Prefer"), (202, ""))}
    return paths


def _operation(
    name: str, told: _Told, *good: tuple[int, str], refusals: Iterable[int] = (), security: list[Any] | None = None
) -> _Told:
    answers: _Told = {}
    for status, kind in good:
        content = {"content": _forms(kind)} if kind else {}
        answers[str(status)] = {"description": kind or "Done.", **content}
    answers |= {str(status): _at("responses", str(status)) for status in sorted({*_ALWAYS, *refusals})}
    return {"operationId": name, **told, "responses": answers, **({} if security is None else {"security": security})}


def _refusal(text: str) -> _Told:
    return {"description": text, "content": _forms("OperationOutcome")}


def _forms(kind: str) -> _Told:
    """Return the forms of a resource, in answers as in bodies: JSON, or XML, for which OpenAPI has no schema of R4's."""
    return {JSON: {"schema": {"$ref": AT + kind}}, XML: {"schema": {"type": "string"}}}


def _parameter(name: str, place: str, schema: _Told) -> _Told:
    if name in _OFTEN:
        return {"name": name, "in": place, "schema": {"type": "array", "items": schema}}
    return {"name": name, "in": place, "schema": schema}


def _at(part: str, name: str) -> _Told:
    return {"$ref": f"#/components/{part}/{name}"}


def _query(*names: str) -> _Told:
    return {"parameters": [_at("parameters", name) for name in names]}


_header = _query


def _join(*parts: _Told) -> _Told:
    """Join what parts of an operation say: their parameters in order, the last body."""
    out: _Told = {"parameters": [one for part in parts for one in part.get("parameters", ())]}
    for part in parts:
        out |= {name: value for name, value in part.items() if name != "parameters"}
    return out


def _body(kind: str) -> _Told:
    return {"requestBody": {"required": True, "content": _forms(kind)}}


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
    schema = {"type": "array", "minItems": 1, "maxItems": MAX_OPERATIONS, "items": operation}
    return {"requestBody": {"required": True, "content": {PATCH: {"schema": schema}}}}


def _form(own: list[str]) -> _Told:
    schema = {"type": "object", "properties": {code: {"type": "string"} for code in own}, "additionalProperties": False}
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}}
