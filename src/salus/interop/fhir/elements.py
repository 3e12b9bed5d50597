"""Top-level elements of every R4 resource type by JSON kind, for the gate: a view of the definitions.

Kinds: s string-like, b boolean, i integer, n decimal, d date, dateTime or instant, R Reference, C CodeableConcept,
G Coding, I Identifier, P Period, o any other object, r a resource; with `*` for a list.
"""

from typing import Final

from salus.interop.fhir.definitions import PROFILED, Definitions, r4

_KINDS: Final = {
    "boolean": "b",
    "integer": "i",
    "positiveInt": "i",
    "unsignedInt": "i",
    "decimal": "n",
    "date": "d",
    "dateTime": "d",
    "instant": "d",
    "Reference": "R",
    "CodeableConcept": "C",
    "Coding": "G",
    "Identifier": "I",
    "Period": "P",
    "Resource": "r",
}


def _json_names(definitions: Definitions, name: str) -> dict[str, str]:
    """Return the JSON names of a structure's elements with their kinds."""
    out = {}
    for element in definitions.elements(name):
        stem = element.name.removesuffix("[x]")
        many = "" if element.max == 1 else "*"
        for kind in element.types:
            spoken = PROFILED.get(kind, kind)
            key = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            out[key] = _KINDS.get(kind, "s" if kind[0].islower() else "o") + many
    return out


def _resources(definitions: Definitions) -> dict[str, dict[str, str]]:
    concrete = [
        name
        for name in definitions.structures
        if "Resource" in definitions.lineage(name)[1:] and name != "DomainResource"
    ]
    return {name: _json_names(definitions, name) for name in concrete}


ELEMENTS: Final = _resources(r4())
"""Resource type to JSON name to kind."""
NAMES: Final = frozenset(key for name in r4().structures for key in _json_names(r4(), name))
"""Names of all elements of all resources and datatypes, at any depth."""
