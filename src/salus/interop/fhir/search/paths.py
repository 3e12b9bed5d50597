"""Many FHIRPath expressions of one type as one tree of JSON names, so that one walk answers all of them.

Almost every search parameter is a path: steps to child elements, `as(Type)`, `where(name = 'text')`, `where(resolve() is Type)`,
and unions of such. What begins alike is walked once. Whatever else an expression has is left to the evaluator (`NoPath`).
A walk finds what the evaluator finds, an item without value aside; of a union it does not drop what is equal.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from salus.interop.fhir.fhirpath.model import Element, Model, Node, TypeDef
from salus.interop.fhir.fhirpath.parser import parse, type_specifier
from salus.interop.fhir.fhirpath.syntax import Binary, Call, Literal, Member, TypeTest
from salus.interop.fhir.fhirpath.syntax import Node as Tree
from salus.interop.fhir.fhirpath.typing_rules import matcher

Json: TypeAlias = dict[str, Any]
Test: TypeAlias = Callable[[Any, Json], bool]
"""Tells of an item, and of the resource that it stands in, whether a criterion holds."""
Leaf: TypeAlias = Callable[[str], tuple[Any, int]]
"""From the name of a type to what is done with an item of that type at the end of a path, and under which number."""
End: TypeAlias = tuple[Any, tuple[int, ...]]
"""What is done with an item, and under which numbers."""


class NoPath(Exception):
    """The expression has a part that no walk answers."""


class Choice(NamedTuple):
    """One JSON name of an element: its companion's name or "", and what follows for its items."""

    name: str
    extra: str
    ends: tuple[End, ...]
    filtered: "tuple[tuple[Test, tuple[End, ...], Steps], ...]"
    below: "Steps"

    @property
    def tells(self) -> bool:
        """Tell whether a path goes on here, or ends."""
        return bool(self.ends or self.filtered or self.below)


Steps: TypeAlias = tuple[tuple[Choice, ...], ...]
"""For each element its JSON names, of which the first that stands there counts."""


def walk(holder: Json, steps: Steps, resource: Json, told: list[tuple[End, Any]]) -> None:
    """Append (end, value) for each item that a path from `holder` ends at."""
    for choices in steps:
        for name, extra, ends, filtered, below in choices:
            value = holder.get(name)
            if value is None:
                if extra and holder.get(extra) is not None:
                    break
                continue
            for item in value if value.__class__ is list else (value,):
                if item is None:
                    continue
                for end in ends:
                    told.append((end, item))  # noqa: PERF401 -- faster than a comprehension for one or two
                if filtered:
                    _filter(item, filtered, resource, told)
                if below and item.__class__ is dict:
                    walk(item, below, resource, told)
            break


def _filter(
    item: Any,
    filtered: tuple[tuple[Test, tuple[End, ...], Steps], ...],
    resource: Json,
    told: list[tuple[End, Any]],
) -> None:
    for test, ends, below in filtered:
        if test(item, resource):
            told += [(end, item) for end in ends]
            if below and item.__class__ is dict:
                walk(item, below, resource, told)


def met(steps: Steps, keys: frozenset[str]) -> Steps:
    """Return the steps that lead somewhere in an object with these names."""
    kept = []
    for choices in steps:
        there = [one for one in choices if one.name in keys or one.extra in keys]
        if any(one.tells and one.name in keys for one in there):
            kept.append(tuple(there))
    return tuple(kept)


class _Place:
    """The items of one type that paths reach: which end there, which keep some of them, which go on."""

    def __init__(self, kind: TypeDef) -> None:
        self.kind = kind
        self.ends: dict[Any, dict[int, None]] = {}
        self.filtered: dict[Any, tuple[Test, _Place]] = {}
        self.below: dict[str, tuple[Element, list[_Place]]] = {}

    def steps(self) -> Steps:
        told = []
        for element, places in self.below.values():
            choices = [
                Choice(name, extra if _primitive(kind) else "", *place.told())
                for (name, extra, kind), place in zip(element.choices, places, strict=True)
            ]
            while choices and not choices[-1].tells:
                choices.pop()
            if choices:
                told.append(tuple(choices))
        return tuple(told)

    def told(self) -> tuple[tuple[End, ...], tuple[tuple[Test, tuple[End, ...], Steps], ...], Steps]:
        filtered = tuple((test, place.ended(), place.steps()) for test, place in self.filtered.values())
        return self.ended(), filtered, self.steps()

    def ended(self) -> tuple[End, ...]:
        return tuple((done, tuple(numbers)) for done, numbers in self.ends.items())


class Paths:
    """The paths from one type, to be walked together."""

    def __init__(self, kind: TypeDef, model: Model) -> None:
        self._model = model
        self._root = _Place(kind)

    def add(self, expression: str, leaf: Leaf) -> None:
        """Add all alternatives of an expression, or none. Raises NoPath."""
        flat = [self._flat(one) for one in _united(parse(expression))]
        for kind in (_Place(self._root.kind), self._root):  # first to see that each can be walked
            for operations in flat:
                self._insert(kind, operations, leaf)

    def whole(self) -> bool:
        """Tell whether a path ends at the type itself."""
        return bool(self._root.ends)

    def steps(self) -> Steps:
        """Return what to walk."""
        if self._root.filtered or self._root.ends:
            raise NoPath
        return self._root.steps()

    def _flat(self, tree: Tree) -> list[Tree]:
        """Return the operations of a path from the first to the last."""
        match tree:
            case Member(target=None, name=name):
                kind = self._root.kind
                return [] if name in kind.lineage and name not in kind.elements else [tree]
            case (
                Member(target=(Member() | Call() | TypeTest()) as before)
                | Call(
                    name="as" | "ofType" | "where", target=(Member() | Call() | TypeTest()) as before, arguments=(_,)
                )
                | TypeTest(operator="as", operand=before)
            ):
                return [*self._flat(before), tree]
        raise NoPath

    def _insert(self, place: _Place, operations: list[Tree], leaf: Leaf) -> None:
        if place.kind.name == "Resource":  # its type is seen in the record alone
            raise NoPath
        if not operations:
            done, number = leaf(place.kind.name)
            place.ends.setdefault(done, {})[number] = None
            return
        operation, *rest = operations
        match operation:
            case Member():
                self._step(place, operation.name, rest, leaf)
            case TypeTest() | Call(name="as" | "ofType"):
                named = (
                    operation.type_name if isinstance(operation, TypeTest) else type_specifier(operation.arguments[0])
                )
                if named is None:
                    raise NoPath
                if matcher(named, exact=True)(Node(None, place.kind)):
                    self._insert(place, rest, leaf)
            case Call():
                mark, test = self._test(operation.arguments[0], place.kind)
                _, kept = place.filtered.setdefault(mark, (test, _Place(place.kind)))
                self._insert(kept, rest, leaf)

    def _step(self, place: _Place, name: str, rest: list[Tree], leaf: Leaf) -> None:
        element = place.kind.elements.get(name)
        if element is None:
            return
        if _primitive(place.kind):
            raise NoPath
        _, places = place.below.setdefault(name, (element, [_Place(kind) for _, _, kind in element.choices]))
        for one in places:
            self._insert(one, rest, leaf)

    def _test(self, tree: Tree, kind: TypeDef) -> tuple[Any, Test]:
        match tree:
            case Binary(operator="=", left=Member(target=None, name=name), right=Literal(value=str(text))):
                element = kind.elements.get(name)
                if element is not None and len(element.choices) == 1 and element.choices[0][2].system == "String":
                    return (name, text), _equals(name, text)
            case TypeTest(operator="is", operand=Call(target=None, name="resolve", arguments=()), type_name=name):
                if name in self._model.resources:
                    return name, _means(name, self._model.resources)
        raise NoPath


def _primitive(kind: TypeDef) -> bool:
    return bool(kind.system) and kind.system != "Quantity"


def _united(tree: Tree) -> list[Tree]:
    if isinstance(tree, Binary) and tree.operator == "|":
        return [*_united(tree.left), *_united(tree.right)]
    return [tree]


def _equals(name: str, text: str) -> Test:
    def test(item: Any, _: Json) -> bool:
        return item.__class__ is dict and item.get(name) in (text, [text])

    return test


def _means(name: str, resources: Mapping[str, TypeDef]) -> Test:
    among: Final = frozenset(one for one, kind in resources.items() if name in kind.lineage)

    def test(item: Any, resource: Json) -> bool:
        address = item.get("reference") if item.__class__ is dict else item
        if address.__class__ is not str:
            return False
        if address[:1] == "#":
            return _within(address[1:], resource) in among
        return named_type(address) in among

    return test


def named_type(address: str) -> str:
    """Return what stands where a reference names a resource type."""
    return address.rpartition("/")[0].rpartition("/")[2]


def _within(own: str, resource: Json) -> Any:
    """Return the type of what a local reference means: the resource itself, or one that it contains."""
    if not own:
        return resource.get("resourceType")
    contained = resource.get("contained")
    for one in contained if contained.__class__ is list else ():
        if one.__class__ is dict and one.get("id") == own:
            kind = one.get("resourceType")
            return kind if kind.__class__ is str else None
    return None
