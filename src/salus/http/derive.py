"""Routes and their OpenAPI description, derived from the use cases: JSON in, JSON out, problems as RFC 9457."""

import time
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from salus.core.errors import SalusError
from salus.core.proof.errors import Unproven
from salus.http.metrics import Metrics
from salus.http.problems import BUG, problem
from salus.node.errors import Forbidden, Malformed, Unauthenticated
from salus.node.fields import shape_error
from salus.node.mapping import edge_error
from salus.node.usecase import Caller, Kind, Node, UseCase

AnyCase = UseCase[Any, Any, Any]


class Authenticator(Protocol):
    """How an edge learns who asks."""

    def __call__(self, request: Request, body: bytes) -> Caller:
        """Return who asks; nobody is a caller of kind ANYONE. Raises Unauthenticated when a proof does not hold."""


async def body_of(request: Request, limit: int) -> bytes:
    """Read a request's body. Raises Malformed beyond `limit` bytes, before the rest is read."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Malformed(
                "http.too-large",
                "the body is too large",
                expected=f"at most {limit} bytes",
                todo="send less, or import it from a file",
            )
        parts.append(part)
    return b"".join(parts)


def decoded(body: bytes, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """Parse a JSON body into a request. Raises Malformed, naming the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = shape_error(error) if isinstance(error, msgspec.DecodeError) else "not UTF-8"
        raise Malformed(
            "request.invalid",
            f"the request does not fit: {why}",
            expected=f"JSON of {kind.__name__}",
            todo="see docs/reference/http.md",
        ) from error


def route(case: AnyCase, node: Node, authenticate: Authenticator, metrics: Metrics) -> Route:
    """Return the route of one use case. The use case runs on a thread, so that it may wait for the disk."""

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        status = BUG.fault.status
        try:
            body = await body_of(request, node.config.http.max_body_bytes)
            caller = authenticate(request, body)
            if not caller.may(case.who):
                refusal = Unauthenticated if caller.kind is Kind.ANYONE else Forbidden
                raise refusal("http.not-for-you", f"{case.name} is not for this caller", expected=str(case.who))
            answer = await run_in_threadpool(case, node, decoded(body, case.request), caller=caller)
            response = Response(msgspec.json.encode(answer), media_type="application/json")
            status = response.status_code
        except (SalusError, Unproven) as error:
            told = edge_error(error)
            if told is None:
                raise
            response = problem(told)
            status = response.status_code
        finally:
            metrics.answered(case.name, status, time.perf_counter() - started)
        return response

    return Route(case.path, endpoint, methods=["POST"], name=case.name)


def openapi(cases: Iterable[AnyCase], version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the routes."""
    cases = list(cases)
    structs = list(dict.fromkeys(kind for case in cases for kind in (case.request, case.response)))
    schemas, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(structs, schemas, strict=True))
    components["Problem"] = {
        "type": "object",
        "description": "Problem details, RFC 9457.",
        "required": ["type", "title", "status", "code"],
        "properties": {
            name: {"type": "integer" if name == "status" else "string"}
            for name in ("type", "title", "status", "code", "expected", "got", "todo")
        },
    }
    refused = {
        "description": "Refused",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    paths = {
        case.path: {
            "post": {
                "operationId": case.name,
                "summary": case.summary,
                "description": f"{case.description}\n\nFor: {case.who}.".strip(),
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of[case.request]}}},
                "responses": {
                    "200": {
                        "description": "Done",
                        "content": {"application/json": {"schema": schema_of[case.response]}},
                    },
                    "default": refused,
                },
            }
        }
        for case in cases
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Salus node", "version": version},
        "paths": paths,
        "components": {"schemas": components},
    }
