"""The outermost layers of the HTTP edge.

Whatever fails inside becomes an answer that tells nothing of its cause; and a node that cannot know whom it erased says
nothing about patients at any door.
"""

from collections.abc import Collection
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from salus.http.problems import failure, operation_outcome, problem
from salus.node.errors import EdgeError
from salus.node.exchange.wire import MEDIA_TYPE, refusal_of
from salus.node.log import place
from salus.node.usecase import Node

_log = structlog.get_logger()
OF_NO_PATIENT: Final = ("/health", "/metrics", "/exchange/ledger/", "/exchange/engine/", "/assets/", "/scripts/")
ASKED_BELOW: Final = "/api/"  # a use case knows by itself whether it is about patients
PAGE: Final = "page"
"""Name of the routes that tell the node's refusal in a way of their own: pages for people."""


class Guard:
    """Answer 500 for a bug and log where it was, never what was in hand. One of the three places that catch everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer in its stead if it fails before its answer has begun."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:  # the one who asked has gone amid the question: nothing was done, nobody is answered
            _log.info("http.gone")
        except Exception as error:  # noqa: BLE001 -- the HTTP edge answers for the whole process
            _log.error("http.failed", type=type(error).__name__, where=place(error))
            if not begun:
                await failure(Headers(scope=scope).get("accept", ""))(scope, receive, send)


class Withhold:
    """Answer what may be about patients with the node's refusal while it has one (`salus.node.confirming`).

    `pages` are the first parts of paths whose routes tell it themselves.
    """

    def __init__(self, app: ASGIApp, node: Node, pages: Collection[str] = ()) -> None:
        self._app = app
        self._node = node
        self._pages = frozenset(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if self._node.withheld(ask=False) is not None and scope["type"] == "http":
            path = scope["path"]
            refusal = None
            if not path.startswith((*OF_NO_PATIENT, ASKED_BELOW)) and first_part(path) not in self._pages:
                refusal = await run_in_threadpool(self._node.withheld, ask=True)
            if refusal is not None:
                await _answer(path, refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def first_part(path: str) -> str:
    """Return the first part of a path: `chart` of `/chart/one/timeline`."""
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _answer(path: str, refusal: EdgeError) -> Response:
    """Return a refusal in the words of whoever asks at a path: another node or a wallet, a FHIR client, anyone."""
    if path.startswith(("/exchange/", "/patient/")):
        told = refusal_of(refusal)
        return Response(told.body, status_code=told.status, media_type=MEDIA_TYPE)
    return operation_outcome(refusal) if path.startswith("/fhir") else problem(refusal)
