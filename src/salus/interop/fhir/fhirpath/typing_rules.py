"""is, as, ofType and type(): which items are of which type (FHIRPath N1 6.3, FHIR R4)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from salus.interop.fhir.fhirpath.model import Model, Node
from salus.interop.fhir.fhirpath.quantity import Quantity
from salus.interop.fhir.fhirpath.temporal import Temporal

SYSTEM_TYPES: Final = frozenset(
    {"Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any"}
)
_CLASSES: Final = {bool: "Boolean", int: "Integer", Decimal: "Decimal", str: "String"}


def system_type(item: Any) -> str:
    """Name the System type of a value that is no element."""
    return item.system if isinstance(item, Temporal | Quantity) else _CLASSES.get(item.__class__, "Any")


def is_type_name(name: str, model: Model | None) -> bool:
    """Tell whether a type of that name exists; without a model every FHIR name may."""
    space, _, bare = name.rpartition(".")
    if space == "System":
        return True  # an unknown System type is no error in the specification's cases: nothing is of it
    return model is None or bare in model.types or (not space and bare in SYSTEM_TYPES)


def matcher(name: str, *, exact: bool) -> Callable[[Any], bool]:
    """Return the test of one item against a type.

    With `exact` a primitive must be of that very type (ofType and as: a code is no string); complex types and resources
    match their descendants always.
    """
    space, _, bare = name.rpartition(".")

    def test(item: Any) -> bool:
        if item.__class__ is not Node:
            return space != "FHIR" and bare in (system_type(item), "Any")
        if space == "System":
            return False
        if item.type is None:
            return _untyped(item, bare)
        if exact and item.type.system and item.type.system != "Quantity":
            return bool(item.type.name == bare)
        return bare in item.type.lineage

    return test


def _untyped(item: Node, name: str) -> bool:
    """Judge an element of unknown type by its JSON: a resource by its name, a primitive by its JSON type."""
    value = item.value
    if value.__class__ is dict:
        return value.get("resourceType") == name
    return _CLASSES.get(value.__class__, "").lower() == name.lower()


def type_info(item: Any) -> Node:
    """Describe the type of an item as an element with namespace and name."""
    if item.__class__ is not Node:
        return Node({"namespace": "System", "name": system_type(item)}, None)
    name = item.type.name if item.type else (item.value.get("resourceType") if item.value.__class__ is dict else None)
    if name and "." in name:
        name = "BackboneElement"
    return Node({"namespace": "FHIR", "name": name or "Element"}, None)
