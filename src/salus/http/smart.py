"""SMART App Launch over HTTP: discovery, token, introspection, revocation, and bearer tokens at the FHIR server.

What a person is asked is a page (`salus.portal.apps`). Answers of errors are RFC 6749's: a code, and nothing of the cause.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from salus.core.errors import SalusError
from salus.http.derive import Authenticator, body_of
from salus.node.errors import EdgeError, Malformed
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.smart.authorising import INTROSPECT, REVOKE, TOKEN, AuthorisationServer, caller_of_token
from salus.node.usecase import Caller

FORM: Final = "application/x-www-form-urlencoded"
MAX_FORM: Final = 64 * 1024
MAX_FIELDS: Final = 32
SCHEME: Final = "bearer "
CODE: Final = "smart."
NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
# Programs in a browser come from their own origin. No cookie is looked at here, so any origin may ask.
CORS: Final = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])


class BearerAuthenticator:
    """Tell who asks the FHIR server: for whom the bearer token acts, else as `people` tell."""

    def __init__(self, node: MemberNode, people: Authenticator) -> None:
        self._node = node
        self._people = people

    def __call__(self, request: Request, body: bytes) -> Caller:
        """Authenticate. Raises Unauthenticated when a token or credential is shown that does not hold."""
        shown = request.headers.get("authorization", "")
        if shown[: len(SCHEME)].lower() != SCHEME:
            return self._people(request, body)
        return caller_of_token(self._node, shown[len(SCHEME) :].strip())


def routes(server: AuthorisationServer) -> list[BaseRoute]:
    """Return the routes of an authorization server, beside its pages."""

    async def configuration(_request: Request) -> Response:
        return Response(msgspec.json.encode(server.configuration()), media_type="application/json")

    return [
        *(
            Route(path, configuration, middleware=[CORS])
            for path in ("/fhir/.well-known/smart-configuration", "/.well-known/smart-configuration")
        ),
        _route(TOKEN, server.token),
        _route(INTROSPECT, server.introspect),
        _route(REVOKE, server.revoke),
    ]


def _route(path: str, answer: Callable[[dict[str, str]], Any]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            told = await run_in_threadpool(answer, _form(request, await body_of(request, MAX_FORM)))
        except SalusError as error:
            refused = edge_error(error)
            if refused is None:
                raise
            return _refusal(refused)
        body = b"" if told is None else msgspec.json.encode(told)
        return Response(body, media_type="application/json", headers=dict(NO_STORE))

    return Route(path, endpoint, methods=["POST"], middleware=[CORS])


def _form(request: Request, body: bytes) -> dict[str, str]:
    """Return a form's fields, each once (RFC 6749 3.2). Raises Malformed."""
    refused = Malformed("smart.invalid-request", "this is no form, or a field comes twice", expected=FORM)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise refused
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise refused from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise refused
    return fields


def _refusal(error: EdgeError) -> Response:
    code = error.code.removeprefix(CODE).replace("-", "_") if error.code.startswith(CODE) else "invalid_request"
    told = {"error": code, "error_description": error.message}
    status = 401 if code == "invalid_client" else 400 if error.fault.status < 500 else error.fault.status
    headers = {**NO_STORE, **({"www-authenticate": "Bearer"} if status == 401 else {})}
    return Response(msgspec.json.encode(told), status, headers, "application/json")
