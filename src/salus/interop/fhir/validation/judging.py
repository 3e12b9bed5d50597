"""What both walks do: note findings up to a limit, and hold invariants against one element."""

from collections.abc import Collection, Mapping
from typing import Any

from salus.interop.fhir.fhirpath import Environment, EvaluationFailed, Focus, LimitExceeded, Node
from salus.interop.fhir.validation.findings import Finding, Path, spell
from salus.interop.fhir.validation.shapes import Rule, Ruling, Shapes


class Judging:
    """Findings of one resource; stops collecting at `limit`, where an error still takes the place of a warning."""

    def __init__(self, shapes: Shapes, limit: int) -> None:
        self.shapes = shapes
        self.limit = limit
        self.findings: list[Finding] = []
        self._warnings = 0

    def found(self, code: str, rule: str, path: Path | None, text: str, severity: str = "error") -> None:
        """Note a finding."""
        if len(self.findings) >= self.limit:
            if severity != "error" or not self._warnings:
                return
            last = max(at for at, one in enumerate(self.findings) if one.severity != "error")
            del self.findings[last]
            self._warnings -= 1
        self._warnings += severity != "error"
        self.findings.append(Finding(severity, code, rule, spell(path), text))

    def advised(self, name: str, codes: Mapping[str, Collection[str]], item: dict[str, Any], at: Path) -> None:
        """Warn of a concept outside an extensible value set (R4 4.1.5): whether the set covers it, people must say."""
        among = item.get("coding") if "coding" in item else [item]
        if not within(codes, among) and not item.keys() <= {"id", "extension"}:
            text = f"expected a code of the value set {name}, unless none of its concepts applies"
            self.found("code-invalid", "extensible-binding", at, text, "warning")

    def invariants(self, ruling: Ruling, node: Node, at: Path, environment: Environment) -> None:
        """Hold invariants against an element. An empty result is no breach: R4's own bdl-8 relies on it."""
        there = ruling.there(node.value)
        rules = ruling.left(there)
        if not rules:
            return
        focus = Focus(node, environment, self.shapes.model)
        held = [rule for rule in rules if self._holds(rule, focus, at)]
        ruling.settle(there, held)

    def _holds(self, rule: Rule, focus: Focus, at: Path) -> bool:
        """Hold one invariant against an element; tell what it breaks."""
        expression = rule.expression
        if expression is None:
            return True
        try:
            told = expression.run(focus)
        except (EvaluationFailed, LimitExceeded):
            self.found("processing", rule.key, at, f"could not be evaluated: {rule.rule}", "warning")
            return False
        if told and _false(told[0]):
            self.found("invariant", rule.key, at, rule.rule, rule.severity)
            return False
        return True


def within(codes: Mapping[str, Collection[str]], among: Any) -> bool:
    """Tell whether one of some Codings is of a value set, given as codes by system."""
    for one in among if among.__class__ is list else ():
        system, code = (one.get("system"), one.get("code")) if one.__class__ is dict else (None, None)
        if isinstance(system, str) and isinstance(code, str) and code in codes.get(system, ()):
            return True
    return False


def _false(item: Any) -> bool:
    return item is False or (item.__class__ is Node and item.value is False)
