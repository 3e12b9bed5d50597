"""Turn a syntax tree into closures: each takes the frame and returns a collection."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from salus.interop.fhir.fhirpath import conversion, elements, mathematics, selection, strings
from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.errors import EvaluationFailed, ExpressionMalformed
from salus.interop.fhir.fhirpath.model import Model, Node, child_nodes
from salus.interop.fhir.fhirpath.operators import (
    arithmetic,
    distinct,
    equal,
    equivalent,
    integer,
    is_number,
    order,
    single,
    truth,
    type_label,
)
from salus.interop.fhir.fhirpath.parser import type_specifier
from salus.interop.fhir.fhirpath.quantity import Quantity
from salus.interop.fhir.fhirpath.registry import FUNCTIONS, Function, Run
from salus.interop.fhir.fhirpath.syntax import Binary, Call, Constant, Index, Literal, Member, TypeTest, Unary, Variable
from salus.interop.fhir.fhirpath.syntax import Node as Tree
from salus.interop.fhir.fhirpath.typing_rules import is_type_name, matcher, type_info

# the modules register their functions when they are imported
_FUNCTION_MODULES: Final = (conversion, elements, mathematics, selection, strings)
_WELL_KNOWN: Final = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


class Compiler:
    """Compile one expression; `constants` are known names whose values come with the environment, or given here."""

    def __init__(self, expression: str, model: Model | None, constants: Mapping[str, list[Any]]) -> None:
        self.expression = expression
        self.model = model
        self.constants = constants
        self.scoped = "defineVariable" in expression
        self.names: set[str] = set()

    def fail(self, what: str, offset: int) -> ExpressionMalformed:
        """Refuse the expression at an offset."""
        return ExpressionMalformed(what, self.expression, offset)

    def compile(self, tree: Tree) -> Run:
        """Return the closure of a tree."""
        build: Callable[[Any], Run] = getattr(self, f"_{type(tree).__name__.lower()}")
        return build(tree)

    def operand(self, tree: Tree) -> Run:
        """Compile an operand or argument: what it defines is not seen outside."""
        run = self.compile(tree)
        if not self.scoped:
            return run

        def isolated(frame: Frame) -> list[Any]:
            before = frame.defined
            found = run(frame)
            frame.defined = before
            return found

        return isolated

    def _literal(self, tree: Literal) -> Run:
        items = [] if tree.value is None else [tree.value]
        return lambda _: items

    def _variable(self, tree: Variable) -> Run:
        if tree.name == "this":
            return lambda frame: frame.this
        if tree.name == "index":
            return lambda frame: [] if frame.index is None else [frame.index]
        return lambda frame: frame.total

    def _constant(self, tree: Constant) -> Run:
        name = tree.name
        self.names.add(name)
        if name in self.constants:
            items = self.constants[name]
            return lambda _: items
        fixed = _WELL_KNOWN.get(name)
        if name.startswith("vs-"):
            fixed = f"http://hl7.org/fhir/ValueSet/{name[3:]}"
        elif name.startswith("ext-"):
            fixed = f"http://hl7.org/fhir/StructureDefinition/{name[4:]}"
        if fixed is not None:
            return lambda _: [fixed]
        if name == "resource":
            return lambda frame: frame.resource
        if name == "rootResource":
            return lambda frame: frame.root

        def given(frame: Frame) -> list[Any]:
            if name in frame.defined:
                return frame.defined[name]
            if name not in frame.environment.constants:
                raise EvaluationFailed(f"%{name} is not defined")
            value = frame.environment.constants[name]
            return value if value.__class__ is list else [value]

        return given

    def _member(self, tree: Member) -> Run:
        name = tree.name
        if tree.target is None:
            return _first_member(name)
        if isinstance(tree.target, Member) and tree.target.target is None:
            return _second_member(tree.target.name, name)
        target = self.compile(tree.target)

        def step(frame: Frame) -> list[Any]:
            out: list[Any] = []
            model = frame.model
            for item in target(frame):
                if item.__class__ is Node:
                    child_nodes(item, name, model, out)
            return out

        return step

    def _index(self, tree: Index) -> Run:
        target, index = self.compile(tree.target), self.operand(tree.position)
        if isinstance(tree.position, Literal) and tree.position.value.__class__ is int:
            place = tree.position.value
            return lambda frame: target(frame)[place : place + 1]

        def at(frame: Frame) -> list[Any]:
            items = target(frame)
            position = integer(index(frame), "an index")
            return [] if position is None or position < 0 else items[position : position + 1]

        return at

    def _unary(self, tree: Unary) -> Run:
        operand = self.operand(tree.operand)
        if isinstance(tree.operand, Literal) and is_number(tree.operand.value):
            items = [tree.operand.value if tree.operator == "+" else _negated(tree.operand.value)]
            return lambda _: items

        def signed(frame: Frame) -> list[Any]:
            value = single(operand(frame), tree.operator)
            if value is None:
                return []
            if is_number(value):
                return [value if tree.operator == "+" else _negated(value)]
            if isinstance(value, Quantity):
                turned = value.value if tree.operator == "+" else value.value.copy_negate()
                return [Quantity(turned, value.code, calendar=value.calendar, written=value.written)]
            raise EvaluationFailed(f"{tree.operator} takes a number, not {type_label(value)}")

        return signed

    def _binary(self, tree: Binary) -> Run:  # noqa: PLR0911  # one line for each kind of operator
        left, right = self.operand(tree.left), self.operand(tree.right)
        operator = tree.operator
        if operator in _LOGIC:
            return _LOGIC[operator](left, right)
        if operator in _ORDER:
            accepted = _ORDER[operator]

            def ordered(frame: Frame) -> list[Any]:
                found = order(left(frame), right(frame), operator)
                return [] if found is None else [found in accepted]

            return ordered
        if operator in {"=", "!="}:
            return _equality(left, right, negated=operator == "!=")
        if operator in {"~", "!~"}:
            same = operator == "~"
            return lambda frame: [equivalent(left(frame), right(frame)) is same]
        if operator == "|":
            return _union(left, right)
        if operator == "in":
            return _membership(left, right)
        if operator == "contains":
            return _membership(right, left)
        return lambda frame: arithmetic(operator, left(frame), right(frame))

    def _type(self, name: str, offset: int, *, exact: bool) -> Callable[[Any], bool]:
        if not is_type_name(name, self.model):
            raise self.fail(f"there is no type {name}", offset)
        return matcher(name, exact=exact)

    def _typetest(self, tree: TypeTest) -> Run:
        operand = self.operand(tree.operand)
        if tree.operator == "is":
            return _is(operand, self._type(tree.type_name, tree.offset, exact=False))
        test = self._type(tree.type_name, tree.offset, exact=True)
        # the search parameters of R4 apply `as` to repeating elements: it keeps those of the type
        return lambda frame: [item for item in operand(frame) if test(item)]

    def _call(self, tree: Call) -> Run:
        target = _this if tree.target is None else self.compile(tree.target)
        if tree.name in {"is", "as", "ofType"} and len(tree.arguments) == 1:
            return self._type_function(tree, target)
        if tree.name == "not" and not tree.arguments:
            return _negation(target)
        if tree.name == "type" and not tree.arguments:
            return lambda frame: [type_info(item) for item in target(frame)]
        if tree.name == "sort":
            return self._sort(tree, target)
        if tree.name == "getReferenceKey" and len(tree.arguments) <= 1:
            name = type_specifier(tree.arguments[0]) if tree.arguments else None
            if tree.arguments and (name is None or not is_type_name(name, self.model)):
                raise self.fail("getReferenceKey() takes a resource type", tree.arguments[0].offset)
            bare = name.rpartition(".")[2] if name else None
            return lambda frame: elements.reference_keys(target(frame), bare)
        entry = FUNCTIONS.get(tree.name)
        if entry is None:
            raise self.fail(f"there is no function {tree.name}()", tree.offset)
        if not entry.low <= len(tree.arguments) <= entry.high:
            wanted = f"{entry.low}" if entry.low == entry.high else f"{entry.low} to {entry.high}"
            raise self.fail(f"{tree.name}() takes {wanted} arguments, found {len(tree.arguments)}", tree.offset)
        return _invocation(entry, target, [self.operand(argument) for argument in tree.arguments])

    def _type_function(self, tree: Call, target: Run) -> Run:
        name = type_specifier(tree.arguments[0])
        if name is None:
            raise self.fail(f"{tree.name}() takes a type", tree.arguments[0].offset)
        if tree.name == "is":
            return _is(target, self._type(name, tree.offset, exact=False))
        test = self._type(name, tree.offset, exact=True)
        # as() keeps what is of the type, as ofType() does: the invariant dom-3 of R4 applies it to many elements
        return lambda frame: [item for item in target(frame) if test(item)]

    def _sort(self, tree: Call, target: Run) -> Run:
        keys = []
        for argument in tree.arguments:
            down = isinstance(argument, Unary) and argument.operator == "-"
            keys.append((self.operand(argument.operand if isinstance(argument, Unary) and down else argument), down))
        return lambda frame: selection.sort(target(frame), frame, keys)


def _negated(value: Any) -> Any:
    """Turn the sign of a number without rounding it to the thread's context."""
    return -value if value.__class__ is int else value.copy_negate()


def _this(frame: Frame) -> list[Any]:
    return frame.this


def _first_member(name: str) -> Run:
    def step(frame: Frame) -> list[Any]:
        out: list[Any] = []
        model = frame.model
        for item in frame.this:
            if item.__class__ is not Node:
                continue
            if _is_named(item, name):
                out.append(item)
            else:
                child_nodes(item, name, model, out)
        return out

    return step


def _second_member(first: str, name: str) -> Run:
    """As a member of `_first_member`: most paths begin with the type of what they are applied to, and one element."""

    def step(frame: Frame) -> list[Any]:
        out: list[Any] = []
        model = frame.model
        for item in frame.this:
            if item.__class__ is not Node:
                continue
            if _is_named(item, first):
                child_nodes(item, name, model, out)
                continue
            between: list[Any] = []
            child_nodes(item, first, model, between)
            for one in between:
                if one.__class__ is Node:
                    child_nodes(one, name, model, out)
        return out

    return step


def _is_named(item: Node, name: str) -> bool:
    """Tell whether a path's first word is the type of the focus (Patient.name), not one of its elements."""
    kind = item.type
    if kind is not None:
        return name in kind.lineage and name not in kind.elements
    return item.value.__class__ is dict and item.value.get("resourceType") == name


def _invocation(entry: Function, target: Run, arguments: list[Run]) -> Run:
    call = entry.call
    given: tuple[Run, ...] = () if entry.lazy else tuple(arguments)
    lazy: tuple[Run, ...] = tuple(arguments) if entry.lazy else ()

    def run(frame: Frame) -> list[Any]:
        items = target(frame)
        frame.spend(len(items) + 1)
        if given:
            return call(items, frame, *[argument(frame) for argument in given])
        return call(items, frame, *lazy)

    return run


def _is(operand: Run, test: Callable[[Any], bool]) -> Run:
    def run(frame: Frame) -> list[Any]:
        items = operand(frame)
        if len(items) > 1:
            raise EvaluationFailed(f"is takes one item, found {len(items)}")
        return [test(items[0])] if items else []

    return run


def _negation(target: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        value = truth(target(frame), "not()")
        return [] if value is None else [not value]

    return run


def _equality(left: Run, right: Run, *, negated: bool) -> Run:
    def run(frame: Frame) -> list[Any]:
        found = equal(left(frame), right(frame))
        return [] if found is None else [found is not negated]

    return run


def _union(left: Run, right: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        one, two = left(frame), right(frame)
        frame.spend(len(one) + len(two))
        return distinct(one + two)

    return run


def _membership(item: Run, collection: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        wanted, items = item(frame), collection(frame)
        frame.spend(len(items))
        if not wanted:
            return []
        if len(wanted) > 1:
            raise EvaluationFailed(f"in and contains take one item, found {len(wanted)}")
        return [selection.member(items, wanted[0])]

    return run


def _and(left: Run, right: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        one = truth(left(frame), "and")
        if one is False:
            return [False]
        two = truth(right(frame), "and")
        return [False] if two is False else [True] if one and two else []

    return run


def _or(left: Run, right: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        one = truth(left(frame), "or")
        if one:
            return [True]
        two = truth(right(frame), "or")
        return [True] if two else [False] if one is False and two is False else []

    return run


def _xor(left: Run, right: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        one, two = truth(left(frame), "xor"), truth(right(frame), "xor")
        return [] if one is None or two is None else [one is not two]

    return run


def _implies(left: Run, right: Run) -> Run:
    def run(frame: Frame) -> list[Any]:
        one = truth(left(frame), "implies")
        if one is False:
            return [True]
        two = truth(right(frame), "implies")
        return [True] if two else [False] if one and two is False else []

    return run


_LOGIC: Final = {"and": _and, "or": _or, "xor": _xor, "implies": _implies}
_ORDER: Final = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}
