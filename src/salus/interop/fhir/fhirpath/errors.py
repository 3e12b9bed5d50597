"""How FHIRPath fails.

    FhirPathError
    ├── ExpressionMalformed   the text is not FHIRPath, or names what does not exist; carries the offset
    ├── EvaluationFailed      the expression cannot be applied to this input (for instance many items where one is allowed)
    └── LimitExceeded         a bound on size, depth or work was hit

Messages name the expression's parts, never values of the record that was evaluated.
"""

from salus.core.errors import SalusError


class FhirPathError(SalusError):
    """A FHIRPath expression that is refused or cannot be evaluated."""


class ExpressionMalformed(FhirPathError):
    """The expression is refused before any record is seen.

    `offset` counts characters from 0; `line` and `column` from 1.
    """

    def __init__(self, what: str, expression: str, offset: int) -> None:
        self.what = what
        self.expression = expression
        self.offset = offset
        before = expression[:offset]
        self.line = before.count("\n") + 1
        self.column = offset - (before.rfind("\n") + 1) + 1
        super().__init__(f"{what}, at line {self.line}, column {self.column}")


class EvaluationFailed(FhirPathError):
    """The expression does not apply to the input, where the specification says "signal an error"."""


class LimitExceeded(FhirPathError):
    """A bound was hit: expression length or nesting, items produced, iterations, size of a string or pattern."""
