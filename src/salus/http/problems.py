"""Refusals as answers: problem details (RFC 9457) for programs, OperationOutcome (FHIR R4) for FHIR clients."""

from typing import Any

import msgspec
from starlette.responses import Response

from salus.node.errors import EdgeError

BUG = EdgeError("node.bug", "the node failed", todo="tell its operator the time of the request")


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
