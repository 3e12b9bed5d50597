"""Element types of FHIR and the typed nodes that expressions walk over.

A `Node` is one element: its decoded JSON, its type, and for a primitive the companion object of `_name` (id, extensions).
System values (str, int, Decimal, bool, Date, DateTime, Time, Quantity) stand for themselves.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, NamedTuple

from salus.interop.fhir.definitions import PROFILED, Definitions
from salus.interop.fhir.definitions import r4 as definitions_of_r4
from salus.interop.fhir.fhirpath.quantity import Quantity
from salus.interop.fhir.fhirpath.temporal import Temporal, parse_date, parse_date_time, parse_time

_SYSTEM: Final = {
    "boolean": "Boolean", "integer": "Integer", "decimal": "Decimal", "string": "String", "uri": "String",
    "base64Binary": "String", "xhtml": "String", "date": "Date", "dateTime": "DateTime", "instant": "DateTime",
    "time": "Time",
}  # fmt: skip
MAX_EXPONENT: Final = 400  # a JSON number of a larger magnitude has no value here: 1e999999999 must cost nothing


class Element(NamedTuple):
    """One element of a type: its possible JSON names with their types, and whether it repeats."""

    name: str
    many: bool
    choices: tuple[tuple[str, str, "TypeDef"], ...]  # JSON name, the same with an underscore, type


class TypeDef:
    """A FHIR type. `lineage` lists its own name and those of its ancestors; `system` the System type of a primitive."""

    __slots__ = ("elements", "is_resource", "keys", "lineage", "name", "system")

    def __init__(self, name: str, lineage: tuple[str, ...], system: str) -> None:
        self.name = name
        self.lineage = lineage
        self.system = system
        self.is_resource = lineage[-1] == "Resource"
        self.elements: dict[str, Element] = {}
        self.keys: dict[str, tuple[str, TypeDef]] = {}  # JSON name: element name and type

    def __repr__(self) -> str:
        return f"TypeDef({self.name})"


class Node:
    """One element of a record."""

    __slots__ = ("extra", "type", "value")

    def __init__(self, value: Any, kind: TypeDef | None, extra: Any = None) -> None:
        self.value = value
        self.type = kind
        self.extra = extra

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.value == other.value and self.extra == other.extra

    __hash__ = None  # type: ignore[assignment]  # a node's JSON is mutable

    def __repr__(self) -> str:
        return f"Node({self.type.name if self.type else 'untyped'})"


class Model:
    """The types of one FHIR release."""

    def __init__(self, table: dict[str, list[Any]]) -> None:
        self.types: dict[str, TypeDef] = {}
        for name in table:
            lineage = [name]
            while table[lineage[-1]][0]:
                lineage.append(table[lineage[-1]][0])
            system = next((_SYSTEM[step] for step in lineage if step in _SYSTEM), "")
            self.types[name] = TypeDef(name, tuple(lineage), "Quantity" if "Quantity" in lineage else system)
        for name, (_, elements) in table.items():
            for text in elements:
                self._add(self.types[name], text)
        self.resources: Final = {name: kind for name, kind in self.types.items() if kind.is_resource}

    def _add(self, owner: TypeDef, text: str) -> None:
        name, _, kinds = text.partition(":")
        choice, many = name.endswith("[x]"), name.endswith("*")
        name = name.removesuffix("[x]").removesuffix("*")
        choices = []
        for kind in kinds.split("|"):
            json_name = name + kind[0].upper() + kind[1:] if choice else name
            choices.append((json_name, "_" + json_name, self.types[kind]))
            owner.keys[json_name] = (name, self.types[kind])
        owner.elements[name] = Element(name, many, tuple(choices))

    def node(self, value: Any, type_name: str | None = None) -> Node:
        """Wrap decoded JSON for evaluation; a resource names its own type. Raises KeyError for an unknown type name."""
        if isinstance(value, Node):
            return value
        if type_name is not None:
            return Node(value, self.types[type_name])
        name = value.get("resourceType") if value.__class__ is dict else None
        kind = self.resources.get(name) if name.__class__ is str else None
        return Node(value, kind)


def _told(definitions: Definitions, name: str) -> list[Any]:
    """Write one structure as the constructor of `Model` reads it: its base, and `name*:Type|Type` for each element."""
    elements = []
    for one in definitions.elements(name):
        many = "*" if one.max is None and not one.name.endswith("[x]") else ""
        elements.append(f"{one.name}{many}:{'|'.join(PROFILED.get(kind, kind) for kind in one.types)}")
    return [definitions.structures[name].base, elements]


@cache
def r4() -> Model:
    """Return the types of FHIR 4.0.1."""
    definitions = definitions_of_r4()
    return Model({name: _told(definitions, name) for name in definitions.structures})


def child_nodes(node: Node, name: str, model: Model | None, out: list[Any]) -> None:
    """Append the child elements of that name, in order."""
    value = node.value
    kind = node.type
    if kind is None:
        _untyped_children(node, name, model, out)
        return
    element = kind.elements.get(name)
    if element is None:
        return
    holder = value if value.__class__ is dict else node.extra
    if holder.__class__ is not dict:
        return
    for json_name, extra_name, child_kind in element.choices:
        found = holder.get(json_name)
        if child_kind.system and child_kind.system != "Quantity":
            extra = holder.get(extra_name)
            if found is not None or extra is not None:
                _append(found, extra, child_kind, out)
                return
        elif found is not None:
            if child_kind.name == "Resource":
                out.extend(model.node(one) if model else Node(one, None) for one in _listed(found))
            elif found.__class__ is list:
                out.extend([Node(one, child_kind) for one in found if one is not None])
            else:
                out.append(Node(found, child_kind))
            return


def _listed(found: Any) -> list[Any]:
    return found if found.__class__ is list else [found]


def _append(found: Any, extra: Any, kind: TypeDef | None, out: list[Any]) -> None:
    """Append primitives with their companions: arrays run in parallel, either may be shorter or hold nulls."""
    if extra is None:
        if found.__class__ is list:
            out.extend([Node(one, kind) for one in found if one is not None])
        else:
            out.append(Node(found, kind))
        return
    values, extras = _listed(found) if found is not None else [], _listed(extra)
    for index in range(max(len(values), len(extras))):
        one = values[index] if index < len(values) else None
        companion = extras[index] if index < len(extras) else None
        if one is not None or companion is not None:
            out.append(Node(one, kind, companion))


def _untyped_children(node: Node, name: str, model: Model | None, out: list[Any]) -> None:
    for holder in (node.value, node.extra):
        if holder.__class__ is not dict:
            continue
        found, extra = holder.get(name), holder.get("_" + name)
        if extra is not None and extra.__class__ not in {dict, list}:
            extra = None
        if found is not None or extra is not None:
            start = len(out)
            _append(found, extra, None, out)
            if model is not None and name in {"resource", "contained"}:
                out[start:] = [model.node(one.value) for one in out[start:]]
            return


def all_children(node: Node, model: Model | None) -> Iterator[Node]:
    """Yield every child element in the order of the JSON, extensions of a primitive included."""
    for holder in (node.value, node.extra):
        if holder.__class__ is not dict:
            continue
        seen = set()
        for key in holder:
            json_name = key[1:] if key[:1] == "_" else key
            if json_name in seen or json_name == "resourceType":
                continue
            seen.add(json_name)
            found: list[Any] = []
            if node.type is None:
                _untyped_children(Node(holder, None), json_name, model, found)
            else:
                named = node.type.keys.get(json_name)
                if named is not None:
                    child_nodes(Node(holder, node.type), named[0], model, found)
            yield from found


def system_value(item: Any) -> Any:
    """Return the System value an item stands for; None for an element without value, or one with children only."""
    if item.__class__ is not Node:
        return item
    value, kind = item.value, item.type
    if value is None:
        return None
    if kind is None:
        return as_quantity(value) if value.__class__ is dict else _plain(value)
    return _CONVERT.get(kind.system, _nothing)(value)


def _plain(value: Any) -> Any:
    if value.__class__ is float or value.__class__ is Decimal:
        return _decimal(value)
    return value if value.__class__ is not list else None


def _nothing(_: Any) -> None:
    return None


def _decimal(value: Any) -> Any:
    if value.__class__ is bool or value.__class__ is str:
        return None
    try:
        number = Decimal(repr(value) if value.__class__ is float else value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT else None


def _moment(read: Any) -> Any:
    def convert(value: Any) -> Temporal | None:
        found: Temporal | None = read(value) if value.__class__ is str else None
        return found

    return convert


def _whole(value: Any) -> Any:
    if value.__class__ is int:
        return value
    number = _decimal(value) if value.__class__ is Decimal else None
    return int(number) if number is not None and number == number.to_integral_value() else None


def as_quantity(value: Any) -> Quantity | None:
    """Read a FHIR Quantity: its UCUM code, else its unit text, else the unit one; None without a value or with a comparator.

    A Quantity whose code is of another system is measured by that code alone (FHIR R4, FHIRPath supplements).
    """
    if value.__class__ is not dict:
        return None
    number = _decimal(value.get("value"))
    if number is None or value.get("comparator"):
        return None
    code = value.get("code") or value.get("unit") or "1"
    return Quantity(number, code) if isinstance(code, str) else None


_CONVERT: Final[dict[str, Any]] = {
    "String": lambda value: value if value.__class__ is str else None,
    "Boolean": lambda value: value if value.__class__ is bool else None,
    "Integer": _whole,
    "Decimal": _decimal,
    "Date": _moment(parse_date),
    "DateTime": _moment(parse_date_time),
    "Time": _moment(parse_time),
    "Quantity": as_quantity,
}
