"""Refusals as answers: problem details (RFC 9457) for programs, OperationOutcome (FHIR R4) for FHIR clients."""

from typing import Any

import msgspec
from starlette.responses import Response

from salus.node.errors import EdgeError, NotFound

BUG = EdgeError("node.bug", "the node failed", todo="tell its operator the time of the request")

NOWHERE = NotFound("http.no-route", "nothing is here", todo="see /api/openapi.json")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Salus</title></head>
<body><main><h1>{title}</h1><p>{text} Code: {code}</p><div lang="de"><h2>{titel}</h2><p>{worte} Code: {code}</p></div>
<p><a href="/">Salus</a></p></main></body></html>
"""
"""What a browser shows outside the pages: it rests on nothing that may have failed."""
BUG_PAGE = _PAGE.format(
    title="This did not work",
    text="This node failed, and it was not your doing. Look in a few minutes whether it was done, and do it again if not. If it happens "
    "again, tell your operator the time.",
    titel="Das hat nicht geklappt",
    worte="Dieser Knoten hat versagt, und es lag nicht an Ihnen. Sehen Sie in einigen Minuten nach, ob es getan ist. Wenn nicht, tun Sie "
    "es noch einmal. Wenn es wieder passiert, nennen Sie der Technik die Uhrzeit.",
    code=BUG.code,
)
NOWHERE_PAGE = _PAGE.format(
    title="There is nothing here",
    text="Check the address, or go to the first page.",
    titel="Hier ist nichts",
    worte="Prüfen Sie die Adresse, oder gehen Sie zur ersten Seite.",
    code=NOWHERE.code,
)


def failure(accepted: str) -> Response:
    """Return the answer to a request that met a bug: a page for a browser, else problem details."""
    return _told(BUG, BUG_PAGE, accepted)


def nowhere(accepted: str) -> Response:
    """Return the answer to a request for what is not there: a page for a browser, else problem details."""
    return _told(NOWHERE, NOWHERE_PAGE, accepted)


def _told(error: EdgeError, page: str, accepted: str) -> Response:
    if "text/html" not in accepted:
        return problem(error)
    headers = {"content-security-policy": "default-src 'none'", "cache-control": "no-store"}
    return Response(page, status_code=error.fault.status, media_type="text/html", headers=headers)


def problem(error: EdgeError) -> Response:
    """Return an error as problem details; members beyond the RFC's: code, expected, got, todo."""
    document = {
        "type": f"urn:salus:problem:{error.code}",
        "title": error.message,
        "status": error.fault.status,
        "code": error.code,
        "expected": error.expected,
        "got": error.got,
        "todo": error.todo,
    }
    told = {key: value for key, value in document.items() if value != ""}
    return Response(msgspec.json.encode(told), status_code=error.fault.status, media_type="application/problem+json")


def operation_outcome(error: EdgeError) -> Response:
    """Return an error as an OperationOutcome with one issue."""
    issue: dict[str, Any] = {
        "severity": "fatal" if error.fault.status >= 500 else "error",
        "code": error.fault.issue,
        "details": {"coding": [{"system": "urn:salus:problem", "code": error.code}], "text": error.message},
        "diagnostics": error.told(),
    }
    document = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Response(msgspec.json.encode(document), status_code=error.fault.status, media_type="application/fhir+json")
