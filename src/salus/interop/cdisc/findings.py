"""What is wrong with a document of CDISC's formats, by rule and path."""

import re
from dataclasses import dataclass
from typing import Final

from salus.core.errors import SalusError

MOST: Final = 100  # a reader mends what is named and reads again; more would only bury the first


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    rule: str
    """Stable name: `unknown-attribute`."""
    path: str
    """JSON pointer (RFC 6901) into the document."""
    expected: str
    got: str = ""


class DocumentRefused(SalusError):
    """A document that is not taken, with at most `MOST` findings. Nothing of it is kept."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings[:MOST]
        first = findings[0]
        told = f"{first.rule} at {first.path or '/'}, expected {first.expected}"
        super().__init__(told if len(findings) == 1 else f"{told}; {len(findings)} findings in all")


def misshapen(error: Exception) -> tuple[str, str]:
    """Return what the reader of JSON says of what does not fit its types, and the JSON pointer; a key of a map is `*`."""
    told, _, path = str(error).partition(" - at ")
    return told, re.sub(r"[.\[]([^.\[\]]+)\]?", r"/\1", path.strip("`").removeprefix("$").replace("[...]", "/*"))


class RuleRefused(SalusError):
    """A rule of others that is not judged, with the reason: it is none, or not understood, or its expression fails."""
