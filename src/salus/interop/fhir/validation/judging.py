"""What both walks do: note findings up to a limit, and hold invariants against one element."""

from collections.abc import Sequence
from typing import Any

from salus.interop.fhir.fhirpath import Environment, EvaluationFailed, Focus, LimitExceeded, Node
from salus.interop.fhir.validation.findings import Finding, Path, spell
from salus.interop.fhir.validation.shapes import Rule, Shapes


class Judging:
    """Findings of one resource; stops collecting at `limit`."""

    def __init__(self, shapes: Shapes, limit: int) -> None:
        self.shapes = shapes
        self.limit = limit
        self.findings: list[Finding] = []

    def found(self, code: str, rule: str, path: Path | None, text: str, severity: str = "error") -> None:
        """Note a finding."""
        if len(self.findings) < self.limit:
            self.findings.append(Finding(severity, code, rule, spell(path), text))

    def invariants(self, rules: Sequence[Rule], node: Node, at: Path, environment: Environment) -> None:
        """Hold invariants against an element. An empty result is no breach: R4's own bdl-8 relies on it."""
        focus = None
        for rule in rules:
            expression = rule.expression
            if expression is None:
                continue
            focus = focus or Focus(node, environment, self.shapes.model)
            try:
                held = expression.run(focus)
            except (EvaluationFailed, LimitExceeded):
                self.found("processing", rule.key, at, f"could not be evaluated: {rule.rule}", "warning")
                continue
            if held and _false(held[0]):
                self.found("invariant", rule.key, at, rule.rule, rule.severity)


def _false(item: Any) -> bool:
    return item is False or (item.__class__ is Node and item.value is False)
