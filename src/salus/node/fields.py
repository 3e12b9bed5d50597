"""Reading the structs of the edges field by field: type, default, description and examples.

Commands, routes, configuration and the reference all derive from here.
"""

import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec


@dataclass(frozen=True)
class Field:
    """One field of a request, response or configuration, as the edges need it."""

    name: str
    type: Any  # without its Annotated
    optional: bool  # None is allowed
    required: bool
    default: Any
    description: str
    examples: tuple[Any, ...]
    positional: bool = False
    """Whether the command line takes it without the option's name."""
    path: bool = False
    """Whether it names a file or folder of the machine: what is relative is so to whoever types it."""
    cents: bool = False
    """Whether it is money: people read dollars."""

    @property
    def option(self) -> str:
        """The name as a command line option."""
        return "--" + self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of an enumeration or a literal; empty for any other type."""
        if get_origin(self.type) is Literal:
            return tuple(str(each) for each in get_args(self.type))
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return tuple(str(each.value) for each in self.type)
        return ()


def _bare(annotation: Any) -> tuple[Any, bool, msgspec.Meta | None]:
    """Split an annotation into its bare type, whether None is allowed, and its Meta."""
    meta = None
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *extras = get_args(annotation)
            meta = next((each for each in extras if isinstance(each, msgspec.Meta)), meta)
            continue
        if get_origin(annotation) in {Union, types.UnionType} and type(None) in get_args(annotation):
            rest = [each for each in get_args(annotation) if each is not type(None)]
            annotation, optional = rest[0] if len(rest) == 1 else Union[tuple(rest)], True  # noqa: UP007 -- built from a list
            continue
        return annotation, optional, meta


def fields(struct: type[msgspec.Struct]) -> Iterator[Field]:
    """Return the fields of a struct in their order."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        bare, optional, meta = _bare(hints[field.name])
        extra = (meta and meta.extra) or {}
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield Field(
            name=field.encode_name,
            type=bare,
            optional=optional,
            required=field.required,
            default=None if default is msgspec.NODEFAULT else default,
            description=(meta and meta.description) or "",
            examples=tuple((meta and meta.examples) or ()),
            positional=extra.get("positional", False),
            path=extra.get("path", False),
            cents=extra.get("cents", False),
        )


def gaps(struct: Any, *, examples: bool) -> Iterator[str]:
    """Say what a struct of an edge lacks: it is frozen, closed and documented field by field, also inside."""
    if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
        yield f"{struct!r} is no msgspec struct"
        return
    config = struct.__struct_config__
    if not (config.frozen and config.forbid_unknown_fields):
        yield f"{struct.__name__} is not frozen and closed to unknown fields"
    if not struct.__doc__:
        yield f"{struct.__name__} has no docstring"
    for field in fields(struct):
        if not field.description:
            yield f"{struct.__name__}.{field.name} has no description"
        if examples and not field.examples and not is_struct(inner(field.type)):
            yield f"{struct.__name__}.{field.name} has no example"
        if is_struct(inner(field.type)):
            yield from gaps(inner(field.type), examples=examples)


def inner(bare: Any) -> Any:
    """Return the type of the items of a list or tuple, the type itself of anything else."""
    return _bare(get_args(bare)[0])[0] if get_origin(bare) in {list, tuple} else bare


def is_struct(bare: Any) -> bool:
    """Tell whether a bare type is a struct."""
    return isinstance(bare, type) and issubclass(bare, msgspec.Struct)


def shape_error(error: msgspec.ValidationError | msgspec.DecodeError) -> str:
    """Say which field does not fit and why, without the value that came: a value may be personal."""
    return re.sub(r"Invalid enum value .*?(?= - at|$)", "Invalid enum value", str(error), flags=re.DOTALL)
