"""Routes between members and for wallets: bytes in, bytes out; what they mean is the node's to say."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from salus.core.errors import SalusError
from salus.core.proof.httpsig import HttpRequest
from salus.http.derive import body_of
from salus.http.problems import BUG, problem
from salus.node.errors import Malformed
from salus.node.exchange.wire import MAX_BODY_BYTES, MEDIA_TYPE, Answer
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.patient import door as patient_door
from salus.node.patient import healthlinks
from salus.node.wallet.healthlink import ROUTE, id_in


def routes(node: MemberNode) -> list[BaseRoute]:
    """Return the routes of a member's node: what other members ask (signed requests), and what wallets ask."""
    base = node.config.http.public_url.rstrip("/")

    def to_door(path: str, request: Request, body: bytes) -> Answer:
        return node.door.answer(HttpRequest("POST", base + path, dict(request.headers), body))

    def to_patient_door(path: str, _request: Request, body: bytes) -> Answer:
        return patient_door.answer(node, path, body)

    async def health_link(request: Request) -> Response:
        id_, recipient = id_in(request.path_params["id"]), request.query_params.get("recipient", "")
        try:
            body = await run_in_threadpool(healthlinks.fetch, node, id_, recipient)
        except SalusError as error:
            return shared(problem(edge_error(error) or BUG))
        return shared(Response(body, media_type="application/jose", headers={"cache-control": "no-store"}))

    return [
        Route(f"{ROUTE}{{id}}", health_link),
        *(Route(path, _endpoint(path, to_door), methods=["POST"]) for path in node.door.paths),
        *(Route(path, _endpoint(path, to_patient_door), methods=["POST"]) for path in patient_door.PATHS),
    ]


def shared(answer: Response) -> Response:
    """Return an answer that pages of other members may read: it is asked for without cookies, and proven by itself."""
    answer.headers["access-control-allow-origin"] = "*"
    return answer


def _endpoint(path: str, answer: Callable[[str, Request, bytes], Answer]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await body_of(request, MAX_BODY_BYTES)
        except Malformed as error:
            return shared(problem(error))
        told = await run_in_threadpool(answer, path, request, body)
        return shared(Response(told.body, status_code=told.status, media_type=MEDIA_TYPE))

    return endpoint
