"""GS1 verification messaging over HTTP: `checkConnectivity` and `verify`, for saleable returns.

Lightweight Messaging Standard for Verification of Product Identifiers 1.0.2, US guideline 1.3. Who may ask: persons of this
member in the role `logistics` or `pharmacist`, and other members, by a request signed with their key on the ledger (RFC 9421,
tag `salus-verification`), if a regulator's licence of theirs is in force.
"""

import base64
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from salus.core.errors import SalusError
from salus.core.proof.httpsig import HttpRequest
from salus.http.derive import Authenticator
from salus.http.problems import problem
from salus.interop.epcis import times
from salus.interop.gs1.elements import Elements, check_elements
from salus.interop.gs1.refusal import Gs1Refused
from salus.node.errors import EdgeError, Forbidden, Malformed, NotFound, Unauthenticated
from salus.node.exchange.signatures import Nonces
from salus.node.exchange.signatures import verify as signature_of
from salus.node.mapping import edge_error
from salus.node.member import MemberNode
from salus.node.supply import verification
from salus.node.usecase import Caller, Kind, person

ROOT: Final = "/vrs"
TAG: Final = "salus-verification"
WHO: Final = person("logistics", "pharmacist")
CONTEXTS: Final = ("dscsaSaleableReturn", "dscsaStatusChange", "")
LINK_TYPES: Final = ("verificationService", "")
MAX_UUID: Final = 64
SPELLED: Final = {"gtin": "01", "lot": "10", "ser": "21", "exp": "17"}
"""The guideline's names for application identifiers."""


def routes(node: MemberNode, authenticate: Authenticator) -> list[BaseRoute]:
    """Return the routes of a node's verification service."""
    nonces = Nonces()

    def route(path: str, answer: Callable[[MemberNode, Request], Any]) -> Route:
        async def endpoint(http: Request) -> Response:
            try:
                _permitted(node, http, authenticate, nonces)
                told = await run_in_threadpool(answer, node, http)
            except SalusError as error:
                refused = edge_error(error)
                if refused is None:
                    raise
                return _refusal(refused)
            return Response(msgspec.json.encode(told), media_type="application/json", headers=_headers())

        return Route(path, endpoint, methods=["GET"])

    return [
        route(f"{ROOT}/checkConnectivity", _connectivity),
        route(f"{ROOT}/verify/gtin/{{gtin}}/lot/{{lot}}/ser/{{ser}}", _verify),
        route(f"{ROOT}/verify/01/{{gtin}}/10/{{lot}}/21/{{ser}}", _verify),
    ]


def _connectivity(node: MemberNode, http: Request) -> dict[str, str]:
    gtin = http.query_params.get("gtin", "")
    _context(http)
    _checked({"01": gtin})
    return {"responderGLN": node.config.supply.gln}


def _verify(node: MemberNode, http: Request) -> dict[str, Any]:
    _context(http)
    asked = {SPELLED[name]: value for name, value in http.path_params.items()}
    expiry = http.query_params.get("exp", http.query_params.get("17", ""))
    if expiry:
        asked["17"] = expiry
    signed = verification.verify(node, _checked(asked))
    answered = signed.answered
    data: dict[str, Any] = {"verified": answered.verified}
    if not answered.verified:
        standard = answered.code.startswith("No_match") or answered.code == verification.NOT_FOUND
        data["verificationFailureReason"] = answered.code if standard else verification.NO_REASON
    if answered.code and not answered.code.startswith("No_match"):
        data["additionalInfo"] = answered.code
    return {
        "verificationTimestamp": times.text(node.now()),
        "responderGLN": node.config.supply.gln,
        "corrUUID": http.query_params.get("corrUUID", ""),
        "data": data,
        "code": answered.code,
        "action": answered.call,
        "height": answered.height,
        "time": answered.time,
        "responder": answered.responder,
        "proof": base64.b64encode(answered.proof).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
    }


def _permitted(node: MemberNode, http: Request, authenticate: Authenticator, nonces: Nonces) -> None:
    """Refuse who may not ask, with an EdgeError."""
    if "signature-input" in http.headers and "authorization" not in http.headers:
        target = node.config.http.public_url.rstrip("/") + http.url.path
        target += f"?{http.url.query}" if http.url.query else ""
        request = HttpRequest(http.method, target, dict(http.headers), b"")
        signer = signature_of(request, node.signing_keys, now=node.now(), tag=TAG)
        nonces.use(signer, node.now())
        if not verification.may_ask(node, signer.keyid):
            raise Forbidden(
                "vrs.ATP_INVALID", "no licence of this member is in force", todo="ask a regulator for a licence"
            )
        return
    caller: Caller = authenticate(http, b"")
    if caller.access is not None or not caller.may(WHO):
        kind = Unauthenticated if caller.kind is Kind.ANYONE else Forbidden
        raise kind("vrs.not-for-you", "verification is not for this caller", expected=str(WHO))


def _context(http: Request) -> None:
    """Refuse questions of another kind, and what could not be repeated in an answer, with an EdgeError."""
    asked = http.query_params
    if asked.get("linkType", "") not in LINK_TYPES or asked.get("context", "") not in CONTEXTS:
        raise NotFound("vrs.context", "no such question is answered here", expected="verificationService")
    gln = asked.get("reqGLN", "")
    if gln:
        _checked({"414": gln})
    uuid = asked.get("corrUUID", "")
    if len(uuid) > MAX_UUID or not all(each.isascii() and (each.isalnum() or each == "-") for each in uuid):
        raise Malformed("vrs.corrUUID", "corrUUID is none", expected=f"at most {MAX_UUID} letters, digits and hyphens")


def _checked(elements: Elements) -> Elements:
    try:
        return check_elements(elements)
    except Gs1Refused as refused:
        told = f"{refused.rule} at {refused.at}"
        raise Malformed("vrs.identifier", "an identifier breaks a rule", expected=refused.expected, got=told) from None


def _headers() -> dict[str, str]:
    return {"gs1us-version": "1.3.0", "cache-control": "no-store"}


def _refusal(error: EdgeError) -> Response:
    told = problem(error)
    told.headers.update(_headers())
    return told
