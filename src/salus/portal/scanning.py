"""The scan page: one big input for a scanner that types, and the verdict in words and colour; its script adds the sound.

Without a script a scan is a form, and its verdict a page. With it scans go one by one, and wait while the line is down.
"""

from typing import Final

import msgspec
from starlette.responses import Response

from salus.node.errors import EdgeError, Forbidden, Malformed, Unauthenticated
from salus.node.supply.scanning import STOP, PackScanned, scan_pack
from salus.portal.rendering import HEADERS, language_of, plain
from salus.portal.visiting import Visit

SCRIPT: Final = "scan.js"
UNREAD: Final = "UNREAD"
IN_ORDER: Final = "IN_ORDER"
VERDICTS: Final = "verdicts"


def form(visit: Visit) -> Response:
    """Show the input."""
    if not visit.caller.may(scan_pack.who):
        refusal = Unauthenticated if visit.session is None else Forbidden
        raise refusal("http.not-for-you", "this is not for your role", expected=str(scan_pack.who), todo="ask who may")
    return visit.page("scan", script=SCRIPT, verdict=None)


def scan(visit: Visit) -> Response:
    """Judge what was scanned: as JSON for the page's script, else as a page."""
    try:
        verdict = visit.call(scan_pack, identifier=visit.form.get("what", ("",))[0])
    except Malformed as error:
        verdict = PackScanned(kind=STOP, verified=False, code=UNREAD, action=_told(error), label="", height=0)
    if "application/json" not in visit.request.headers.get("accept", ""):
        return visit.page("scan", script=SCRIPT, verdict=verdict)
    why = plain(language_of(visit.request.headers.get("accept-language", "")), verdict.code or IN_ORDER, VERDICTS)
    told = {"kind": verdict.kind, "why": why, "label": verdict.label or verdict.action}
    return Response(msgspec.json.encode(told), media_type="application/json", headers=dict(HEADERS))


def _told(error: EdgeError) -> str:
    return " ".join(part for part in (error.got, error.expected and f"expected {error.expected}") if part)
