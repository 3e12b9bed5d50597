"""A compiled expression and its ways of use."""

from collections.abc import Iterable, Mapping
from typing import Any

from salus.interop.fhir.fhirpath import operators
from salus.interop.fhir.fhirpath.analysis import Types, analyse
from salus.interop.fhir.fhirpath.compiler import Compiler
from salus.interop.fhir.fhirpath.environment import EMPTY_ENVIRONMENT, Environment, Frame
from salus.interop.fhir.fhirpath.errors import LimitExceeded
from salus.interop.fhir.fhirpath.model import Model, Node, r4
from salus.interop.fhir.fhirpath.parser import parse
from salus.interop.fhir.fhirpath.registry import Run
from salus.interop.fhir.fhirpath.temporal import Temporal


def plain(item: Any) -> Any:
    """Return an item as decoded JSON: the element's own value, dates and times as text, quantities as they are."""
    if item.__class__ is Node:
        return item.value
    return str(item) if isinstance(item, Temporal) else item


class Expression:
    """One compiled expression, safe to share: evaluation keeps its state in a frame of its own."""

    __slots__ = ("model", "names", "on", "text", "types")

    def __init__(self, text: str, run: Run, model: Model | None, names: frozenset[str], types: Types) -> None:
        self.text = text
        self.model = model
        self.names = names  # the %names it uses
        self.types = types  # the possible types of its result, None where nothing is known
        self.on = run  # the closure itself, for callers that keep their own frame (views)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def items(self, focus: Any, environment: Environment = EMPTY_ENVIRONMENT) -> list[Any]:
        """Evaluate on a resource, a Node or a collection (list) of either; returns Nodes and System values.

        Raises EvaluationFailed where the specification signals an error, LimitExceeded beyond the bounds.
        """
        return self.run(Focus(focus, environment, self.model))

    def run(self, focus: "Focus") -> list[Any]:
        """Evaluate on a prepared focus: many expressions on one element share its preparation."""
        try:
            return self.on(focus.frame())
        except RecursionError as fault:
            raise LimitExceeded("the evaluation is nested too deeply") from fault

    def __call__(self, focus: Any, environment: Environment = EMPTY_ENVIRONMENT) -> list[Any]:
        """Evaluate and return decoded JSON values (see `plain`)."""
        return [plain(item) for item in self.items(focus, environment)]

    def test(self, focus: Any, environment: Environment = EMPTY_ENVIRONMENT) -> bool | None:
        """Evaluate as a condition: None for an empty result (N1 4.5). Raises EvaluationFailed for many items."""
        return operators.truth(self.items(focus, environment), "a condition")


class Focus:
    """What an expression is applied to, with its resource and root resource as nodes."""

    __slots__ = ("_frame",)

    def __init__(self, focus: Any, environment: Environment, model: Model | None) -> None:
        items = focus if focus.__class__ is list else [focus]
        this = [_item(item, model) for item in items]
        frame = Frame(environment, model, this)
        frame.resource = [_item(environment.resource, model)] if environment.resource is not None else this
        frame.root = (
            [_item(environment.root_resource, model)] if environment.root_resource is not None else frame.resource
        )
        frame.defined = {"context": this}
        self._frame = frame

    def frame(self) -> Frame:
        """Return a fresh frame."""
        inner = self._frame.inner()
        inner.budget = self._frame.budget[:]
        return inner


def _item(value: Any, model: Model | None) -> Any:
    if value.__class__ is not dict:
        return value
    return model.node(value) if model is not None else Node(value, None)


def compile(  # noqa: A001  # the name that FHIRPath libraries give it; reached as fhirpath.compile
    expression: str,
    constants: Mapping[str, Any] | None = None,
    *,
    model: Model | None = None,
    context: Iterable[str] | None = None,
) -> Expression:
    """Compile an expression with constants (`%name`: a value or a list), against a model (FHIR R4 when not given).

    With `context`, the names of the types it will be applied to, the expression is checked against them (see `analysis`).

    Raises ExpressionMalformed with the offset, LimitExceeded for an expression that is too long or too deep.
    """
    known = model if model is not None else r4()
    given = {name: value if value.__class__ is list else [value] for name, value in (constants or {}).items()}
    compiler = Compiler(expression, known, given)
    tree = parse(expression)
    run = compiler.compile(tree)
    types = None if context is None else analyse(tree, frozenset(context), known, expression)
    return Expression(expression, run, known, frozenset(compiler.names), types)
