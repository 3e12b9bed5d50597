"""What validation finds, and where, without repeating any value of the resource."""

from typing import Any, Final, NamedTuple, TypeAlias

ERROR: Final = "error"
WARNING: Final = "warning"

Path: TypeAlias = tuple[Any, str, int]
"""A place: the place around it (None at the root), the element's FHIRPath step, its index or -1."""


class Finding(NamedTuple):
    """One breach of a rule.

    severity: "error" or "warning". code: of the value set issue-type. rule: key of an invariant ("pat-1"), or the kind
    of check. expression: FHIRPath of the element (`Patient.name[0].given[1]`, `Observation.value.ofType(boolean)`).
    text: the rule broken in one line, with names, kinds and sizes only.
    """

    severity: str
    code: str
    rule: str
    expression: str
    text: str


def spell(path: Path | None) -> str:
    """Write a place as FHIRPath."""
    steps = []
    while path is not None:
        path, name, index = path
        steps.append(name if index < 0 else f"{name}[{index}]")
    return ".".join(reversed(steps))


def outcome(findings: list[Finding]) -> dict[str, Any]:
    """Write findings as an OperationOutcome (R4 2.30); none gives one issue that says so."""
    issues = [
        {
            "severity": one.severity,
            "code": one.code,
            "details": {"text": one.text},
            "diagnostics": one.rule,
            "expression": [one.expression],
        }
        for one in findings
    ]
    nothing = {"severity": "information", "code": "informational", "details": {"text": "All rules hold."}}
    return {"resourceType": "OperationOutcome", "issue": issues or [nothing]}
