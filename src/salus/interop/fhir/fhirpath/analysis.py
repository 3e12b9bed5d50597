"""Check an expression against the types it will be applied to, before any record is seen (FHIRPath N1 11, type safety).

Types flow through the tree as sets of FHIR type names and `System.` names; None means that nothing is known, and nothing
is then refused. What is found: an element that none of the possible types has, a type test that ends in such an element,
a string made of what has no string form, a position taken in a collection without order. A type test that guards the
other operand of `implies`, `and`, `or` or `iif` narrows `$this` in it; where nothing is left, the operand is never reached.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from salus.interop.fhir.fhirpath.errors import ExpressionMalformed
from salus.interop.fhir.fhirpath.model import Model
from salus.interop.fhir.fhirpath.parser import type_specifier
from salus.interop.fhir.fhirpath.registry import FUNCTIONS
from salus.interop.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Constant,
    Index,
    Literal,
    Member,
    Node,
    TypeTest,
    Unary,
    Variable,
)
from salus.interop.fhir.fhirpath.typing_rules import SYSTEM_TYPES, system_type

Types: TypeAlias = frozenset[str] | None

_BOOLEAN: Final = frozenset({"System.Boolean"})
_INTEGER: Final = frozenset({"System.Integer"})
_STRING: Final = frozenset({"System.String"})
_SAME: Final = frozenset(
    {"where", "first", "last", "tail", "skip", "take", "single", "distinct", "trace", "exclude", "intersect", "sort",
     "checkModifiers"}
)  # fmt: skip
_BOOLEANS: Final = frozenset(
    {"empty", "exists", "all", "allTrue", "anyTrue", "allFalse", "anyFalse", "subsetOf", "supersetOf", "isDistinct", "not",
     "startsWith", "endsWith", "contains", "matches", "matchesFull", "hasValue", "memberOf", "conformsTo", "htmlChecks",
     "is", "comparable"}
)  # fmt: skip
_STRINGS: Final = frozenset(
    {"toString", "substring", "upper", "lower", "replace", "replaceMatches", "toChars", "trim", "split", "join", "encode",
     "decode", "escape", "unescape", "getResourceKey", "getReferenceKey"}
)  # fmt: skip
_INTEGERS: Final = frozenset({"count", "length", "indexOf", "lastIndexOf", "toInteger", "precision"})
_TEXTUAL: Final = frozenset(
    {"toString", "length", "substring", "startsWith", "endsWith", "contains", "indexOf", "lastIndexOf", "matches",
     "matchesFull", "replace", "replaceMatches", "upper", "lower", "toChars", "trim", "split"}
)  # fmt: skip
_POSITIONAL: Final = frozenset({"first", "last", "tail", "skip", "take"})
_UNORDERED: Final = frozenset({"children", "descendants"})
_LOGICAL: Final = frozenset(
    {"and", "or", "xor", "implies", "=", "!=", "~", "!~", "<", ">", "<=", ">=", "in", "contains"}
)


def analyse(tree: Node, context: Types, model: Model, expression: str) -> Types:
    """Return the possible types of the result. Raises ExpressionMalformed at the first part that cannot be right."""
    return _Analysis(model, expression).infer(tree, context)


def _union(one: Types, two: Types) -> Types:
    return None if one is None or two is None else one | two


class _Analysis:
    def __init__(self, model: Model, expression: str) -> None:
        self.model = model
        self.expression = expression

    def fail(self, what: str, offset: int) -> ExpressionMalformed:
        return ExpressionMalformed(what, self.expression, offset)

    def infer(self, tree: Node, this: Types) -> Types:  # noqa: PLR0911  # one line for each kind of node
        match tree:
            case Literal():
                return frozenset() if tree.value is None else frozenset({f"System.{system_type(tree.value)}"})
            case Constant():
                return None
            case Variable():
                return {"this": this, "index": _INTEGER}.get(tree.name)
            case Member():
                return self.member(tree, this)
            case Index():
                self.ordered(tree.target, "an index", tree.offset)
                self.infer(tree.position, this)
                return self.infer(tree.target, this)
            case Unary():
                return self.infer(tree.operand, this)
            case TypeTest():
                return self.typed(tree.operator, self.infer(tree.operand, this), tree.type_name)
            case Binary():
                return self.binary(tree, this)
            case Call():
                return self.call(tree, this)

    def member(self, tree: Member, this: Types) -> Types:
        if tree.target is not None:
            return self.child(self.infer(tree.target, this), tree)
        if this is not None:
            named = frozenset(one for one in this if self.is_a(one, tree.name) and not self.has(one, tree.name))
            if named:
                return named
            if tree.name in self.model.resources and "Resource" in this:
                return frozenset({tree.name})
        return self.child(this, tree)

    def has(self, name: str, element: str) -> bool:
        kind = self.model.types.get(name)
        return kind is not None and element in kind.elements

    def is_a(self, name: str, ancestor: str) -> bool:
        kind = self.model.types.get(name)
        return kind is not None and ancestor in kind.lineage

    def child(self, owners: Types, tree: Member) -> Types:
        if owners is None or owners & {"Resource", "DomainResource", "Element", "BackboneElement"}:
            return None
        found: set[str] = set()
        for owner in owners:
            kind = self.model.types.get(owner)
            element = kind.elements.get(tree.name) if kind else None
            if element is not None:
                found.update(choice.name for _, _, choice in element.choices)
        if owners and not found:
            raise self.fail(f"there is no element {tree.name} in {_listed(owners)}", tree.offset)
        return None if "Resource" in found else frozenset(found)

    def typed(self, operator: str, types: Types, name: str) -> Types:
        if operator == "is":
            return _BOOLEAN
        bare = name.rpartition(".")[2]
        if bare in self.model.types and not name.startswith("System."):
            below = frozenset(one for one in types or () if self.is_a(one, bare))
            return below or frozenset({bare})
        return frozenset({f"System.{bare}"}) if bare in SYSTEM_TYPES else None

    def binary(self, tree: Binary, this: Types) -> Types:
        left = self.infer(tree.left, this)
        guarded = this
        if tree.operator in {"and", "implies"}:
            guarded = self.narrow(tree.left, this, holds=True)
        elif tree.operator == "or":
            guarded = self.narrow(tree.left, this, holds=False)
        right = self.infer(tree.right, guarded)
        if tree.operator in _LOGICAL:
            return _BOOLEAN
        if tree.operator == "&":
            return _STRING
        return _union(left, right) if tree.operator == "|" else None

    def call(self, tree: Call, this: Types) -> Types:
        target = this if tree.target is None else self.infer(tree.target, this)
        name = tree.name
        if name in {"is", "as", "ofType"} and len(tree.arguments) == 1:
            return self.typed(name, target, type_specifier(tree.arguments[0]) or "")
        if name in _POSITIONAL and tree.target is not None:
            self.ordered(tree.target, f"{name}()", tree.offset)
        if name in _TEXTUAL and target and all(self.is_complex(one) for one in target):
            raise self.fail(f"{name}() takes a string, not {_listed(target)}", tree.offset)
        if name == "iif":
            return self.conditional(tree, target if tree.target is not None else this)
        if name == "getReferenceKey":
            return _STRING
        entry = FUNCTIONS.get(name)
        inner = target if name == "sort" or (entry is not None and entry.lazy) else this
        arguments = [self.infer(argument, inner) for argument in tree.arguments]
        return self.result(name, target, arguments, tree)

    def result(  # noqa: PLR0911  # one line for each kind of function
        self, name: str, target: Types, arguments: list[Types], tree: Call
    ) -> Types:
        if name in _SAME:
            return target
        if name in _BOOLEANS or name.startswith("convertsTo"):
            return _BOOLEAN
        if name in _STRINGS:
            return _STRING
        if name in _INTEGERS:
            return _INTEGER
        if name == "extension":
            return frozenset({"Extension"})
        if name == "select":
            return arguments[0]
        if name == "repeat":
            return self.closure(arguments[0], tree.arguments[0])
        if name in {"union", "combine"}:
            return _union(target, arguments[0])
        return None

    def closure(self, first: Types, projection: Node) -> Types:
        """Return the types that repeat() reaches: of what the first level leads to only what leads further matters."""
        if first is None:
            return None
        reached = first
        for one in sorted(first):
            try:
                further = self.infer(projection, frozenset({one}))
            except ExpressionMalformed:
                continue
            if further is None or not further <= reached:
                return None
        return reached

    def conditional(self, tree: Call, focus: Types) -> Types:
        if len(tree.arguments) < 2:
            return None
        self.infer(tree.arguments[0], focus)
        then = self.infer(tree.arguments[1], self.narrow(tree.arguments[0], focus, holds=True))
        if len(tree.arguments) == 2:
            return then
        return _union(then, self.infer(tree.arguments[2], self.narrow(tree.arguments[0], focus, holds=False)))

    def ordered(self, target: Node, what: str, offset: int) -> None:
        if isinstance(target, Call) and target.name in _UNORDERED:
            raise self.fail(f"{what} takes a position among {target.name}(), which have no order", offset)

    def is_complex(self, name: str) -> bool:
        kind = self.model.types.get(name)
        return kind is not None and not kind.system

    def narrow(  # noqa: PLR0911  # one line for each kind of guard
        self, tree: Node, this: Types, *, holds: bool
    ) -> Types:
        """Return what `$this` may be where the condition holds, or where it does not."""
        if this is None:
            return None
        match tree:
            case TypeTest(operator="is", operand=Variable(name="this")):
                return self.split(this, tree.type_name, holds=holds)
            case Call(name="is", target=None | Variable(name="this")) if len(tree.arguments) == 1:
                return self.split(this, type_specifier(tree.arguments[0]) or "", holds=holds)
            case Call(name="not") if tree.target is not None:
                return self.narrow(tree.target, this, holds=not holds)
            case Binary(operator="and" | "or"):
                if (tree.operator == "and") is holds:
                    return self.narrow(tree.right, self.narrow(tree.left, this, holds=holds), holds=holds)
                one, two = self.narrow(tree.left, this, holds=holds), self.narrow(tree.right, this, holds=holds)
                return _union(one, two)
            case _:
                return this

    def split(self, this: frozenset[str], name: str, *, holds: bool) -> frozenset[str]:
        bare = name.rpartition(".")[2]
        matching = frozenset(one for one in this if self.is_a(one, bare) or one == f"System.{bare}")
        return matching if holds else this - matching


def _listed(names: Iterable[str]) -> str:
    return " or ".join(sorted(names)[:5])
