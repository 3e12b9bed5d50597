"""The outermost layer of the HTTP edge: whatever fails inside becomes an answer that tells nothing of its cause."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from salus.http.problems import BUG, problem
from salus.node.log import place

_log = structlog.get_logger()


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
        except Exception as error:  # noqa: BLE001 -- the HTTP edge answers for the whole process
            _log.error("http.failed", type=type(error).__name__, where=place(error))
            if not begun:
                await problem(BUG)(scope, receive, send)
