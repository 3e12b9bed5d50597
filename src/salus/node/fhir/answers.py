"""What a FHIR request and its answer are, apart from HTTP; and the refusals that only FHIR has."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import LIMITS, decode
from salus.interop.fhir.validation import Finding, outcome
from salus.node.errors import EdgeError, Fault

GONE: Final = Fault(410, "deleted")
PRECONDITION: Final = Fault(412, "conflict")
UNPROCESSABLE: Final = Fault(422, "processing")
NO_METHOD: Final = Fault(405, "not-supported")
UNKNOWN_FORM: Final = Fault(415, "not-supported")
NOT_ACCEPTABLE: Final = Fault(406, "not-supported")
BAD: Final = Fault(400, "invalid")
_ISSUES: Final = {
    "search-parameter": Fault(400, "not-supported"),
    "search-modifier": Fault(400, "not-supported"),
    "search-value": Fault(400, "value"),
    "search-size": Fault(400, "too-costly"),
    "search-chain": Fault(400, "too-costly"),
    "no-patient": Fault(422, "business-rule"),
    "several-patients": Fault(422, "business-rule"),
    "unresolved-reference": Fault(422, "not-found"),
    "no-xml": Fault(406, "not-supported"),
    "unknown-element": Fault(400, "structure"),
    "wrong-kind": Fault(400, "structure"),
    "element-order": Fault(400, "structure"),
    "repeated-element": Fault(400, "structure"),
}


class Request(msgspec.Struct, frozen=True):
    """One interaction: an HTTP request, or an entry of a batch or transaction.

    path: below the base, without slashes at its ends. pairs: of the query and, for `_search`, of the form.
    headers: lower-case names, of those alone that FHIR knows (If-Match, If-None-Exist, Prefer, ...).
    """

    method: str
    path: str
    pairs: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    headers: Mapping[str, str] = {}

    def header(self, name: str) -> str:
        """Return a header's value or ""."""
        return self.headers.get(name, "")


class Answer(msgspec.Struct, frozen=True):
    """What comes back. version, modified (Unix ms) and location describe one resource; 0 and "" where there is none.

    media: of the body, "" for FHIR JSON. extra: further headers, lower-case names.
    """

    status: int
    body: bytes = b""
    version: int = 0
    modified: int = 0
    location: str = ""
    media: str = ""
    extra: tuple[tuple[str, str], ...] = ()


class FhirRefused(EdgeError):
    """A refusal with the element that it is about (FHIRPath), as OperationOutcome.issue.expression."""

    def __init__(self, fault: Fault, code: str, message: str, *, path: str = "", **told: str) -> None:
        self.fault = fault
        self.path = path
        super().__init__(code, message, **told)


class Invalid(FhirRefused):
    """A resource that breaks rules; `findings` are told as the issues of one OperationOutcome."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        first = findings[0]
        super().__init__(
            UNPROCESSABLE,
            "fhir.invalid",
            f"{len(findings)} rules of R4 or of its profiles do not hold",
            path=first.expression,
            got=first.text,
            todo="correct the elements named; POST to $validate tries it without writing",
        )


def refused(refusal: Refused) -> FhirRefused:
    """Return what the edge says of FHIR input that is not taken in."""
    return FhirRefused(
        _ISSUES.get(refusal.code, BAD),
        f"fhir.{refusal.code}",
        "the input is not taken",
        path=refusal.path,
        expected=refusal.expected,
        got=refusal.got,
        todo=refusal.todo,
    )


def names_version(header: str, version: int) -> bool:
    """Tell whether an If-Match or If-None-Match holds of a version: tags in a list, weak or strong, or `*` (RFC 9110 13.1)."""
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return bool(tags & {"*", str(version)})


def tree_of(body: bytes, most: int = LIMITS.resource_bytes) -> dict[str, Any]:
    """Return a posted resource of at most so many bytes, decoded. Raises FhirRefused."""
    try:
        tree: dict[str, Any] = decode(body, most, LIMITS)
    except Refused as refusal:
        raise refused(refusal) from refusal
    return tree


def posted(body: bytes) -> list[tuple[str, str]]:
    """Return plain parameters that were posted as those of a URL; none for no body. Raises FhirRefused."""
    tree = tree_of(body) if body else {"resourceType": "Parameters"}
    many: Any = tree.get("parameter", [])
    told = [(one.get("name"), value_of(one)) for one in many if isinstance(one, dict)] if isinstance(many, list) else []
    texts = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in told]
    plain = [(name, str(value)) for name, value in texts if isinstance(name, str) and isinstance(value, str | int)]
    if tree.get("resourceType") != "Parameters" or not isinstance(many, list) or len(plain) != len(many):
        raise FhirRefused(
            BAD,
            "fhir.parameters",
            "the parameters do not read",
            path="Parameters.parameter",
            expected="names with plain values",
        )
    return plain


def value_of(parameter: Mapping[str, Any]) -> Any:
    """Return the value[x] of one parameter of Parameters, or None."""
    return next((value for key, value in parameter.items() if key.startswith("value")), None)


def outcome_of(error: EdgeError) -> dict[str, Any]:
    """Return an OperationOutcome: one issue, or one for each finding of a validation."""
    if isinstance(error, Invalid):
        return outcome(error.findings)
    issue: dict[str, Any] = {
        "severity": "fatal" if error.fault.status >= 500 else "error",
        "code": error.fault.issue,
        "details": {"coding": [{"system": "urn:salus:problem", "code": error.code}], "text": error.message},
        "diagnostics": error.told(),
    }
    if isinstance(error, FhirRefused) and error.path:
        issue["expression"] = [error.path]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def informed(text: str) -> dict[str, Any]:
    """Return an OperationOutcome that says that something went well."""
    issue = {"severity": "information", "code": "informational", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def nothing_there() -> FhirRefused:
    """Return the one refusal of what does not exist and of what one may not see."""
    return FhirRefused(
        Fault(404, "not-found"), "fhir.not-found", "there is no such resource", todo="search for it, or ask for access"
    )
