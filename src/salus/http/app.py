"""The HTTP application of a node: the routes of its use cases, its health, metrics and description."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from salus import __version__
from salus.http.derive import Authenticator, openapi, route
from salus.http.metrics import Metrics, content_type
from salus.http.middleware import PAGE, Guard, Withhold, first_part
from salus.http.problems import nowhere, problem
from salus.node.errors import Unavailable
from salus.node.usecase import LOCAL_OPERATOR, Caller, Node, UseCase


def as_operator(request: Request, body: bytes) -> Caller:  # noqa: ARG001 -- an Authenticator
    """Take whoever could open the node's own socket for its operator: the folder's mode has authenticated them."""
    return LOCAL_OPERATOR


async def _nothing_here(request: Request, _error: Exception) -> Response:
    return nowhere(request.headers.get("accept", ""))


def application(
    node: Node, cases: Iterable[UseCase[Any, Any, Any]], authenticate: Authenticator, *, more: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the application that serves the use cases to the callers that `authenticate` tells apart.

    `more` are routes of other edges (FHIR, exchange between nodes, portal).
    """
    cases = list(cases)
    metrics = Metrics()
    description = msgspec.json.encode(openapi(cases, __version__))

    async def health(_request: Request) -> Response:
        trouble = node.trouble()
        if trouble:
            return problem(Unavailable(trouble, "the node does not serve"))
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def exposition(request: Request) -> Response:
        form = content_type(request.headers.get("accept", "*/*"))
        return Response(metrics.text(node.measures(), form), headers={"content-type": form, "vary": "Accept"})

    async def described(_request: Request) -> Response:
        return Response(description, media_type="application/json")

    routes: list[BaseRoute] = [
        Route("/health", health),
        Route("/metrics", exposition),
        Route("/api/openapi.json", described),
        *(route(case, node, authenticate, metrics) for case in cases),
        *more,
    ]
    parts: dict[bool, set[str]] = {True: set(), False: set()}  # of pages, and of everything else
    for one in routes:
        parts[getattr(one, "name", "") == PAGE].add(first_part(getattr(one, "path", "")))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard), Middleware(Withhold, node=node, pages=parts[True] - parts[False])],
        exception_handlers={404: _nothing_here, 405: _nothing_here},
    )
