"""The typed Python client's generated half: the structs of every use case and a method for each.

The client imports nothing of the node, so that a developer's program carries none of it; a test compares the file.
"""

import inspect
import keyword
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from salus.cli.derive import AnyCase
from salus.node.fields import Field, fields, inner, is_struct
from salus.node.registry import use_cases

HEAD: Final = '''"""What a node answers, typed. Written by `make docs` from the node's use cases; the other half is `salus.client.node`."""

from typing import Any, Literal  # noqa: F401 -- not every set of use cases needs both

import msgspec

from salus.client.node import Connection

'''


def annotation(field: Field) -> str:
    """Return a field's type as the client writes it: enumerations become their values, lists become tuples."""
    kind = inner(field.type)
    listed = get_origin(field.type) in {list, tuple}
    if field.choices:
        name = f"Literal[{', '.join(map(repr, field.choices))}]"
    elif get_origin(kind) is Literal:
        name = f"Literal[{', '.join(map(repr, get_args(kind)))}]"
    elif isinstance(kind, type) and issubclass(kind, Enum):
        name = f"Literal[{', '.join(repr(each.value) for each in kind)}]"
    else:
        name = kind.__name__ if kind in {str, int, bool, bytes} or is_struct(kind) else "Any"
    name = f"tuple[{name}, ...]" if listed else name
    return f"{name} | None" if field.optional else name


def declared(field: Field) -> str:
    """Return a field as the client declares it; a default that is no plain value is left to the node."""
    value = field.default.value if isinstance(field.default, Enum) else field.default
    name = attribute(field.name)
    if name != field.name:
        rest = "" if field.required else f"default={value!r}, "
        return f"{name}: {annotation(field)} = msgspec.field({rest}name={field.name!r})"
    if field.required:
        return f"{field.name}: {annotation(field)}"
    if isinstance(value, list | tuple) and not value:
        return f"{field.name}: {annotation(field)} = ()"
    if value is None or isinstance(value, str | int | bool | bytes):
        return f"{field.name}: {annotation(field)} = {value!r}"
    return f"{field.name}: {annotation(field)} | msgspec.UnsetType = msgspec.UNSET"


def structs(kind: Any, seen: dict[str, Any]) -> None:
    """Collect a struct and those inside it, the inner ones first. Raises ValueError when two share a name."""
    for field in fields(kind):
        if is_struct(inner(field.type)):
            structs(inner(field.type), seen)
    if seen.setdefault(kind.__name__, kind) is not kind:
        raise ValueError(f"two structs of use cases are named {kind.__name__}")


def struct_source(kind: type[msgspec.Struct]) -> Iterator[str]:
    """Return the source of a struct."""
    yield f"class {kind.__name__}(msgspec.Struct, frozen=True, kw_only=True):"
    yield f'    """{inspect.getdoc(kind)}"""'
    for field in fields(kind):
        yield ""
        yield f"    {declared(field)}"
        yield f'    """{field.description}"""'
    yield from ("", "")


def method_source(case: AnyCase) -> Iterator[str]:
    """Return the source of a use case's method."""
    yield f"    def {attribute(case.words[-1])}(self, request: {case.request.__name__}) -> {case.response.__name__}:"
    yield f'        """{case.summary} For: {case.who}."""'
    yield f"        return self._connection.ask({case.path!r}, request, {case.response.__name__})"
    yield ""


def group_source(group: tuple[str, ...], cases: list[AnyCase], inside: list[tuple[str, ...]]) -> Iterator[str]:
    """Return the source of the class of one group of use cases."""
    yield f"class {class_name(group)}:"
    yield f'    """{"Use cases about " + " ".join(group) if group else "A node, as a program sees it"}."""'
    yield ""
    yield "    def __init__(self, connection: Connection) -> None:"
    yield "        self._connection = connection"
    yield from (f"        self.{attribute(each[-1])} = {class_name(each)}(connection)" for each in inside)
    yield ""
    for case in cases:
        yield from method_source(case)
    yield ""


def attribute(word: str) -> str:
    """Return a word of a name as an attribute: `import` becomes `import_`."""
    name = word.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def class_name(group: tuple[str, ...]) -> str:
    """Return the class of a group: `Salus` at the top, else `LinkCases`."""
    return "".join(word.title().replace("-", "") for word in group) + "Cases" if group else "Salus"


def client() -> str:
    """Return the source of `salus.client.api`."""
    cases = list(use_cases().values())
    seen: dict[str, Any] = {}
    for case in cases:
        structs(case.request, seen)
        structs(case.response, seen)
    groups = sorted(
        {case.words[:depth] for case in cases for depth in range(len(case.words))} | {()},
        key=lambda group: (-len(group), group),
    )
    lines = [HEAD]
    for kind in seen.values():
        lines += struct_source(kind)
    for group in groups:
        inside = sorted(each for each in groups if each and each[:-1] == group)
        lines += group_source(group, [case for case in cases if case.words[:-1] == group], inside)
    return "\n".join(lines).rstrip() + "\n"
