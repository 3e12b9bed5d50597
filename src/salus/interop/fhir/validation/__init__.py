"""Validation of FHIR R4 resources against the official structures, and against profiles of packages.

    findings = Validator().check(tree)
    answer = outcome(findings)

Pure: `now` (an instant in text) is given by the caller for the few rules that speak of today.
"""

from functools import cache
from typing import Any, Final

from salus.interop.fhir.definitions import r4
from salus.interop.fhir.fhirpath.model import r4 as r4_model
from salus.interop.fhir.validation.findings import Finding, outcome
from salus.interop.fhir.validation.shapes import Shapes
from salus.interop.fhir.validation.walk import Walk

__all__ = ["Finding", "Validator", "outcome"]

MOST: Final = 200


@cache
def _shapes() -> Shapes:
    return Shapes(r4(), r4_model())


class Validator:
    """Checks resources of R4; safe to share."""

    def __init__(self) -> None:
        self._shapes = _shapes()

    def check(self, tree: Any, *, now: str | None = None, limit: int = MOST) -> list[Finding]:
        """Return what is wrong with a decoded resource (see `gate.decode`), at most `limit` findings, in its order."""
        walk = Walk(self._shapes, now, limit)
        walk.resource(tree, None, None)
        return walk.findings
