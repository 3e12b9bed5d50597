"""The one error of this package."""

from salus.core.errors import SalusError


class EpcisRefused(SalusError):
    """A document breaks a rule. Says the rule, the element and what was expected; never what stood there."""

    def __init__(self, rule: str, at: str, expected: str) -> None:
        self.rule = rule
        self.at = at
        self.expected = expected
        super().__init__(f"{rule} at {at}: expected {expected}")
