"""Faults of a protocol by the JSON schema of USDM 4.0 (`USDM_API.json`), told as a validator of JSON Schema tells them.

For CDISC's rules of the kind `JSON Schema Check`, from the table of classes that protocols are read by. Where an object's own
class is none that the model allows there, its attributes are held against the first one that is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from salus.interop.cdisc.usdm_model import CLASSES, KINDS, SCALARS, Attribute

AT_MOST: Final = {("StudyDesignPopulation", "plannedSex"): 2, ("StudyCohort", "plannedSex"): 2}
NOT_EMPTY: Final = frozenset({"id", "name", "abbreviatedText", "expandedText"})
_TYPES: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "string": ("string", (str,)),
    "date": ("string", (str,)),
    "boolean": ("boolean", (bool,)),
    "integer": ("integer", (int,)),
    "float": ("number", (int, float)),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    validator: str
    """The schema's word: type, required, additionalProperties, minLength, minItems, maxItems, const."""
    path: str
    """JSON pointer to the object."""
    attribute: str
    """The attribute of it; "" of `required` and `additionalProperties`."""
    message: str

    def told(self) -> dict[str, str]:
        """Return it by the names that rules have for its parts."""
        parts = {"validator": self.validator, "path": self.path, "message": self.message}
        return parts | {"error_attribute": self.attribute}


def faults(study: dict[str, Any]) -> Iterator[Fault]:
    """Yield the faults of a study, outermost first."""
    yield from _object(study, "Study", "/study")


def _object(value: dict[str, Any], kind: str, path: str) -> Iterator[Fault]:
    own, allowed = value.get("instanceType"), sorted(KINDS[kind])
    of = own if isinstance(own, str) and own in allowed else allowed[0]
    if own is None:
        yield Fault("required", path, "", "'instanceType' is a required property")
    elif of != own:
        yield Fault("const", path, "instanceType", " or ".join(repr(each) for each in allowed) + " was expected")
    attributes = CLASSES[of]
    unknown = sorted(name for name in value if name not in attributes and name != "instanceType")
    if unknown:
        named = ", ".join(repr(name) for name in unknown)
        were = "was" if len(unknown) == 1 else "were"
        message = f"Additional properties are not allowed ({named} {were} unexpected)"
        yield Fault("additionalProperties", path, "", message)
    for attribute in attributes.values():
        if attribute.name in value:
            yield from _attribute(value[attribute.name], of, attribute, path)
        elif attribute.needed:
            yield Fault("required", path, "", f"{attribute.name!r} is a required property")


def _attribute(value: Any, of: str, attribute: Attribute, path: str) -> Iterator[Fault]:
    if not attribute.many:
        if value is not None or attribute.needed:
            yield from _item(value, attribute, path, path, attribute.name)
        return
    if not isinstance(value, list):
        yield Fault("type", path, attribute.name, f"{_shown(value, attribute.name)} is not of type 'array'")
        return
    if attribute.needed and not value:
        yield Fault("minItems", path, attribute.name, "[] should be non-empty")
    if len(value) > AT_MOST.get((of, attribute.name), len(value)):
        yield Fault("maxItems", path, attribute.name, f"{_shown(value, attribute.name)} is too long")
    for place, each in enumerate(value):
        yield from _item(each, attribute, path, f"{path}/{attribute.name}", str(place))


def _item(value: Any, attribute: Attribute, path: str, at: str, name: str) -> Iterator[Fault]:
    if attribute.reference or attribute.kind in SCALARS:
        type_, expected = _TYPES["string" if attribute.reference else attribute.kind]
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            yield Fault("type", path, attribute.name, f"{_shown(value, attribute.name)} is not of type {type_!r}")
        elif value == "" and attribute.needed and attribute.name in NOT_EMPTY:
            yield Fault("minLength", path, attribute.name, "'' should be non-empty")
    elif not isinstance(value, dict):
        yield Fault("type", path, attribute.name, f"{_shown(value, attribute.name)} is not of type 'object'")
    else:
        yield from _object(value, attribute.kind, f"{at}/{name}")


def _shown(value: Any, name: str) -> str:
    return f"[Value of {name}]" if isinstance(value, dict | list) and value else repr(value)[:100]
