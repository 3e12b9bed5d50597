"""The syntax tree of FHIRPath: what the parser makes and the compiler reads."""

from typing import Any, NamedTuple, TypeAlias


class Literal(NamedTuple):
    """A System value, or the empty collection `{}` (value None)."""

    value: Any
    offset: int


class Constant(NamedTuple):
    """`%name`."""

    name: str
    offset: int


class Variable(NamedTuple):
    """A `$this`, `$index` or `$total`, named without the dollar sign."""

    name: str
    offset: int


class Member(NamedTuple):
    """A child element of the target, or of `$this` when target is None."""

    target: "Node | None"
    name: str
    offset: int


class Call(NamedTuple):
    """A function call on the target, or on `$this` when target is None."""

    target: "Node | None"
    name: str
    arguments: tuple["Node", ...]
    offset: int


class Index(NamedTuple):
    """Take one item, `target[position]`."""

    target: "Node"
    position: "Node"
    offset: int


class Unary(NamedTuple):
    """`+` or `-` before an operand."""

    operator: str
    operand: "Node"
    offset: int


class Binary(NamedTuple):
    """An infix operator, by its symbol or word."""

    operator: str
    left: "Node"
    right: "Node"
    offset: int


class TypeTest(NamedTuple):
    """`operand is Type` or `operand as Type`; the type is written as in the text."""

    operator: str
    operand: "Node"
    type_name: str
    offset: int


Node: TypeAlias = Literal | Constant | Variable | Member | Call | Index | Unary | Binary | TypeTest
