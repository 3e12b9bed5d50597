"""What the message reference and `salus tx` say of each message: read from the types and their docstrings."""

import ast
import inspect
import textwrap
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from salus.contracts.contract import Contract
from salus.contracts.readable import to_readable
from salus.contracts.registry import VERSION_1
from salus.core.encoding import Value


@dataclass(frozen=True, slots=True)
class FieldText:
    """One field."""

    name: str
    type: str
    """Its type as the source spells it."""
    text: str
    """Its docstring, empty if there is none."""


@dataclass(frozen=True, slots=True)
class StructText:
    """One message, act, row or part of one."""

    name: str
    tag: str
    """How its encoding names it, empty for what needs no name."""
    text: str
    """Its docstring, empty if there is none."""
    fields: tuple[FieldText, ...]


@dataclass(frozen=True, slots=True)
class MessageText:
    """One message of a contract."""

    contract: str
    authored: bool
    """Whether a one-time key must sign."""
    message: StructText
    parts: tuple[StructText, ...]
    """The structs that its fields consist of, in the order in which a reader meets them."""
    example: Any
    """A well-formed message in readable form."""


def describe(kind: type[Value]) -> StructText:
    """Return what the source says of a struct. Raises OSError where the source is not at hand."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    fields = []
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for statement, following in zip(statements, [*statements[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            told = following.value if isinstance(following, ast.Expr) else None
            text = told.value if isinstance(told, ast.Constant) and isinstance(told.value, str) else ""
            name, type_ = ast.unparse(statement.target), ast.unparse(statement.annotation)
            fields.append(FieldText(name, type_, inspect.cleandoc(text)))
    tag = kind.__struct_config__.tag
    return StructText(kind.__name__, "" if tag is None else str(tag), inspect.getdoc(kind) or "", tuple(fields))


def parts(kind: type[Value]) -> tuple[type[Value], ...]:
    """Return the structs that a struct's fields consist of, at any depth, each once."""
    found: dict[type[Value], None] = {}
    waiting = list(get_type_hints(kind).values())
    while waiting:
        hint = waiting.pop(0)
        if isinstance(hint, type) and issubclass(hint, Value) and hint not in found:
            found[hint] = None
            waiting = [*get_type_hints(hint).values(), *waiting]
        waiting = [*get_args(hint), *waiting]
    return tuple(found)


def messages(contracts: tuple[Contract, ...] = VERSION_1) -> tuple[MessageText, ...]:
    """Return every message of some contracts, in their order."""
    told = []
    for contract in contracts:
        examples = {type(example): example for example in contract.examples}
        for kind, rule in contract.rules.items():
            below = tuple(describe(part) for part in parts(kind))
            example = to_readable(examples[kind])
            told.append(MessageText(contract.name, rule.authored, describe(kind), below, example))
    return tuple(told)
