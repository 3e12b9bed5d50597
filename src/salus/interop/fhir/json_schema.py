"""JSON Schema (2020-12) of FHIR R4's types, from the definitions: names, kinds, repeats and required codes.

It says what a schema can say. Invariants, references and dates that do not exist are the validator's.
"""

from collections.abc import Iterable
from typing import Any, Final

from salus.interop.fhir.definitions import PROFILED, r4

Schema = dict[str, Any]

AT: Final = "#/components/schemas/"
"""Where an OpenAPI description holds schemas."""
_DATE: Final = "[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?"
_MOMENT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
PRIMITIVES: Final[dict[str, Schema]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "minimum": -2_147_483_648, "maximum": 2_147_483_647},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2_147_483_647},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2_147_483_647},
    "decimal": {"type": "number"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
    "code": {"type": "string", "pattern": r"^[^\s]+( [^\s]+)*$"},
    "date": {"type": "string", "pattern": f"^{_DATE}$"},
    "dateTime": {"type": "string", "pattern": f"^({_DATE}|{_MOMENT})$"},
    "instant": {"type": "string", "pattern": f"^{_MOMENT}$"},
}
"""Those that are more than a string of at least one character."""
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}


def schemas(kinds: Iterable[str]) -> dict[str, Schema]:
    """Return the schemas of resource types, and of every type that these have, by name."""
    out: dict[str, Schema] = {}
    waiting = [*kinds, "Element"]
    while waiting:
        name = waiting.pop()
        if name not in out:
            out[name], needed = _structure(name)
            waiting += needed
    out["Resource"] = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string"}, "id": PRIMITIVES["id"]},
    }
    return out


def _structure(name: str) -> tuple[Schema, set[str]]:
    """Return the schema of one structure and the names of those that it refers to."""
    definitions = r4()
    properties: Schema = {}
    required: list[str] = []
    needed: set[str] = set()
    if "Resource" in definitions.lineage(name):
        properties["resourceType"] = {"type": "string", "enum": [name]}
        required.append("resourceType")
    for element in definitions.elements(name):
        stem = element.name.removesuffix("[x]")
        for told in element.types:
            kind = PROFILED.get(told, told)
            key = stem if stem == element.name else stem + kind[0].upper() + kind[1:]
            primitive = kind[0].islower()
            if primitive:
                one = _primitive(kind, element.codes)
                properties[f"_{key}"] = _many(_reference("Element"), many=element.max != 1, padded=True)
            else:
                one = _reference(kind)
                needed |= {kind} - {"Resource"}
                if element.min and stem == element.name:
                    required.append(key)
            properties[key] = _many(one, many=element.max != 1, padded=primitive)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    return schema, needed


def _primitive(kind: str, codes: str) -> Schema:
    if codes and kind == "code":
        return {"type": "string", "enum": sorted({code for among in r4().codes[codes].values() for code in among})}
    return PRIMITIVES.get(kind, _TEXT)


def _reference(name: str) -> Schema:
    return {"$ref": AT + name}


def _many(one: Schema, *, many: bool, padded: bool) -> Schema:
    """Return the schema of an element that repeats: of primitives, null stands for one that has only the other part."""
    if not many:
        return one
    return {"type": "array", "minItems": 1, "items": {"anyOf": [one, {"type": "null"}]} if padded else one}
