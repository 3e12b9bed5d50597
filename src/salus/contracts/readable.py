"""Messages, rows and the genesis document as people read and write them: JSON objects, bytes as hexadecimal.

A struct is an object of its fields; one of several (a message, an act) names itself in `type`. The encoding that is
signed and hashed is msgpack; this form is never hashed, and reading it ends in the strict decoder.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeVar

from msgspec import NODEFAULT, inspect, structs

from salus.core.encoding import MalformedBytes, Value, decode, encode

T = TypeVar("T")
TAG: Final = "type"


def to_readable(value: Any) -> Any:
    """Return `value` as objects, lists, strings, integers and booleans."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [to_readable(each) for each in value]
    if isinstance(value, Value):
        tag = type(value).__struct_config__.tag
        told = {} if tag is None else {TAG: tag}
        return told | {field.name: to_readable(getattr(value, field.name)) for field in structs.fields(value)}
    return value


def from_readable(told: Any, kind: type[T]) -> T:
    """Return the value of type `kind`, which may be a union, that `told` describes. Fields with a default may be left out.

    Raises MalformedBytes, which says where.
    """
    try:
        array = encode(_arranged(told, inspect.type_info(kind), ""))
    except OverflowError as error:
        raise MalformedBytes(str(error)) from error
    return decode(array, kind)


def _arranged(told: Any, kind: inspect.Type, where: str) -> Any:
    """Return `told` in the order and with the bytes of the encoding."""
    if isinstance(kind, inspect.UnionType):
        return _arranged(told, _chosen(told, kind, where), where)
    if isinstance(kind, inspect.StructType):
        return _array(told, kind, where)
    if isinstance(kind, inspect.BytesType):
        try:
            return bytes.fromhex(told)
        except (TypeError, ValueError) as error:
            raise MalformedBytes(f"{where}: expected hexadecimal") from error
    if isinstance(kind, inspect.VarTupleType):
        if not isinstance(told, list):
            raise MalformedBytes(f"{where}: expected a list")
        return [_arranged(each, kind.item_type, f"{where}[{place}]") for place, each in enumerate(told)]
    return told


def _chosen(told: Any, kind: inspect.UnionType, where: str) -> inspect.StructType:
    """Return the struct of a union that `told` names. Every union in messages and rows is one of tagged structs."""
    kinds = {str(each.tag): each for each in kind.types if isinstance(each, inspect.StructType)}
    name = told.get(TAG) if isinstance(told, Mapping) else None
    if name not in kinds:
        raise MalformedBytes(f"{where}: expected an object whose {TAG} is one of {', '.join(sorted(kinds))}")
    return kinds[name]


def _array(told: Any, kind: inspect.StructType, where: str) -> list[Any]:
    """Return the fields of an object in the order of its struct, behind the tag if it has one."""
    if not isinstance(told, Mapping):
        raise MalformedBytes(f"{where}: expected an object")
    tag = [] if kind.tag is None else [kind.tag]
    known = [field.name for field in kind.fields]
    unknown = sorted(str(name) for name in told if name not in known and not (tag and name == TAG))
    if unknown:
        raise MalformedBytes(f"{where}: no field {unknown[0]}; there are {', '.join(known)}")
    values = []
    for field in kind.fields:
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in told:
            values.append(_arranged(told[field.name], field.type, place))
        elif field.default is not NODEFAULT:
            values.append(field.default)
        else:
            raise MalformedBytes(f"{place}: missing")
    return tag + values
