"""What the research agreements refuse. Free of numeric libraries: every node can name these, with or without the extra."""

from salus.core.errors import SalusError


class MalformedVector(SalusError):
    """A vector that is not one: not finite, too large, too long, or of another length than the others."""


class NoFit(SalusError):
    """The model has no finite estimate: collinear or constant columns, no events, or perfect separation."""


class OffPath(SalusError):
    """A request for another β, another turn or with other vectors than the protocol's next: nothing is released."""
