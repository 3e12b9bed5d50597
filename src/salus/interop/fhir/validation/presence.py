"""What of an element an invariant can depend on, read off its expression: which names are there, and what stands in some.

Most invariants say which elements go together (`code.empty() or system.exists()`), or speak of one that is seldom there. Whoever
has seen one hold for an element with certain names need not evaluate it for the next with the same.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from salus.interop.fhir.fhirpath.errors import FhirPathError
from salus.interop.fhir.fhirpath.model import TypeDef
from salus.interop.fhir.fhirpath.parser import parse
from salus.interop.fhir.fhirpath.syntax import Binary, Call, Index, Literal, Member, Node, TypeTest, Unary

_LOGIC: Final = frozenset({"and", "or", "xor", "implies"})
_STILL: Final = frozenset(
    {"where", "select", "all", "exists", "empty", "count", "first", "last", "tail", "distinct", "isDistinct", "hasValue", "not", "as",
     "ofType", "is", "resolve", "extension", "trim", "length", "startsWith", "endsWith", "matches", "contains", "intersect", "children",
     "descendants", "toString", "toInteger", "toDecimal", "htmlChecks"}
)  # fmt: skip
"""Functions whose result on nothing is always the same, whatever their arguments say."""


class Presence(NamedTuple):
    """JSON names, with those of companions: `names` are all that a rule looks at, `contents` those in which it reads values too."""

    names: frozenset[str]
    contents: frozenset[str]


class _Opaque(Exception):
    """The expression may depend on more."""


def presence(expression: str, kind: TypeDef) -> Presence | None:
    """Return what an expression applied to an element of a type looks at; None when it may look beyond the element."""
    reading = _Reading(kind)
    try:
        reading.logic(parse(expression))
    except (_Opaque, FhirPathError):
        return None
    return Presence(frozenset(reading.seen | reading.read), frozenset(reading.read))


class _Reading:
    def __init__(self, kind: TypeDef) -> None:
        self._kind = kind
        self.seen: set[str] = set()
        self.read: set[str] = set()

    def logic(self, tree: Node) -> None:
        """Read a condition: what is only asked for being there is seen, not read."""
        match tree:
            case Binary(operator=operator) if operator in _LOGIC:
                self.logic(tree.left)
                self.logic(tree.right)
            case Call(name="not", arguments=(), target=target) if target is not None:
                self.logic(target)
            case Call(name="exists" | "empty", arguments=(), target=Member(target=None, name=name)):
                self.seen.update(self._names(name))
            case _:
                self.value(tree)

    def value(self, tree: Node) -> None:
        match tree:
            case Literal():
                return
            case Binary():
                self.value(tree.left)
                self.value(tree.right)
            case Unary() | TypeTest():
                self.value(tree.operand)
            case _:
                self.read.update(self._names(_root(tree)))

    def _names(self, name: str) -> Iterable[str]:
        element = self._kind.elements.get(name)
        if element is None:
            raise _Opaque
        return [one for json_name, extra, _ in element.choices for one in (json_name, extra)]


def _root(tree: Node) -> str:
    """Return the name that a path begins with: where it is absent, all of the path is nothing. Raises _Opaque."""
    while True:
        match tree:
            case Member(target=None, name=name):
                return name
            case Member(target=target) if target is not None:
                tree = target
            case Call(name=name, target=target) if target is not None and name in _STILL:
                tree = target
            case Index(target=target, position=Literal()):
                tree = target
            case _:
                raise _Opaque
