"""The table of functions: name, number of arguments, and how the arguments are given."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from salus.interop.fhir.fhirpath.environment import Frame

Run: TypeAlias = Callable[[Frame], list[Any]]


class Function(NamedTuple):
    """`lazy` functions get their arguments as closures, to evaluate per item; others as collections."""

    low: int
    high: int
    lazy: bool
    call: Callable[..., list[Any]]


FUNCTIONS: dict[str, Function] = {}


def function(
    name: str, low: int = 0, high: int | None = None, *, lazy: bool = False
) -> Callable[[Callable[..., list[Any]]], Callable[..., list[Any]]]:
    """Register `call(items, frame, *arguments)` under a FHIRPath name with low to high arguments."""

    def register(call: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        FUNCTIONS[name] = Function(low, low if high is None else high, lazy, call)
        return call

    return register
