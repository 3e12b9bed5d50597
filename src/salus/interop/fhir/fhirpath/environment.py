"""What an evaluation is given from outside: resource, constants, instant, and the questions it may ask."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from salus.interop.fhir.fhirpath.errors import LimitExceeded
from salus.interop.fhir.fhirpath.model import Model

MAX_ITEMS = 2_000_000  # items taken or made by functions in one evaluation: about a second of work
MAX_TEXT = 10_485_760  # characters of one produced string: ten times FHIR's own limit of 1 MB


@dataclass(frozen=True)
class Environment:
    """The surroundings of an evaluation; the evaluator itself reads no clock and no network.

    `now` is an instant with zone in text (2026-01-31T10:00:00.000Z): now(), today() and timeOfDay() come from it.
    `limit` bounds the items taken or made by functions.
    `resolve` returns the decoded resource of a reference or canonical, or None. `member_of(item, value_set)` and
    `conforms_to(resource, profile)` return None when they cannot tell. `trace(name, items)` receives traced items.
    """

    resource: Any = None
    root_resource: Any = None
    now: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    resolve: Callable[[str], Any] | None = None
    member_of: Callable[[Any, str], bool | None] | None = None
    conforms_to: Callable[[Any, str], bool | None] | None = None
    trace: Callable[[str, list[Any]], None] | None = None
    limit: int = MAX_ITEMS


EMPTY_ENVIRONMENT = Environment()


class Frame:
    """The variables of one scope: `this` is the focus as a collection, `model` the types that members are looked up in."""

    __slots__ = ("budget", "defined", "environment", "index", "model", "resource", "root", "this", "total")

    def __init__(self, environment: Environment, model: Model | None, this: list[Any]) -> None:
        self.environment = environment
        self.model = model
        self.this = this
        self.index: int | None = None
        self.total: list[Any] = []
        self.defined: Mapping[str, list[Any]] = {}
        self.budget = [environment.limit]
        self.resource: list[Any] = []
        self.root: list[Any] = []

    def inner(self) -> "Frame":
        """Open a scope for a function's criteria; what it defines is gone when it closes."""
        inner = Frame.__new__(Frame)
        inner.environment = self.environment
        inner.model = self.model
        inner.this = self.this
        inner.index = self.index
        inner.total = self.total
        inner.defined = self.defined
        inner.budget = self.budget
        inner.resource = self.resource
        inner.root = self.root
        return inner

    def spend(self, items: int) -> None:
        """Count items taken or made. Raises LimitExceeded beyond the limit of the environment."""
        self.budget[0] -= items
        if self.budget[0] < 0:
            raise LimitExceeded(f"the evaluation takes or makes more than {self.environment.limit} items")
