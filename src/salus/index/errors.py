"""What the index refuses or cannot do.

SalusError
└── IndexFailure
    ├── Unusable      the file does not open under this key, or is damaged: delete it, it is derived
    ├── TimedOut      a question took longer than its limit
    └── BadQuestion  a question that cannot be put: a cursor that is none, a limit out of range
"""

from salus.core.errors import SalusError


class IndexFailure(SalusError):
    """Anything that the index refuses or cannot do."""


class Unusable(IndexFailure):
    """The file does not open under this key or is damaged. Delete it and catch up: it is derived from the vault."""


class TimedOut(IndexFailure):
    """A question took longer than its limit. Ask for less: a type, a shorter time."""


class BadQuestion(IndexFailure):
    """A question that cannot be put; says what was expected."""
