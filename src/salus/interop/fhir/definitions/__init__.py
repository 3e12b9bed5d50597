"""What FHIR R4 (4.0.1) defines, as a table: structures, constraints, bound codes, and extensions' value types.

The table `r4.json` is made by `tools/make_fhir_definitions.py` from the official package hl7.fhir.r4.core (CC0 1.0).
"""

import json
from copy import copy
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

PROFILED: Final = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}
"""Profiles that the core uses as types, and the type that they are profiles of."""

EXTENSIBLE: Final = "~"
"""In the table, before the name of an extensible binding's value set."""


class Element(NamedTuple):
    """One element of a structure.

    types: codes of its types; a nested element's type is its own path. targets: the types a reference may mean, empty
    for any. max: None without bound. codes: name of the value set of a required binding whose codes are all known, else "".
    constraints: keys into `Definitions.constraints`. advised: as codes, of an extensible binding.
    """

    name: str
    min: int
    max: int | None
    types: tuple[str, ...]
    targets: tuple[str, ...]
    codes: str
    constraints: tuple[str, ...]
    advised: str = ""


class Structure(NamedTuple):
    """One type: resource, data type, primitive or nested element (then `name` is its path)."""

    name: str
    base: str
    own: tuple[Element, ...]
    constraints: tuple[str, ...]


class Constraint(NamedTuple):
    """One invariant: severity error or warning, a FHIRPath expression, the rule in one line."""

    severity: str
    expression: str
    rule: str


class Definitions:
    """The definitions of one FHIR release."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.structures = {name: _structure(name, told) for name, told in table["structures"].items()}
        self.constraints = {key: Constraint(*told) for key, told in table["constraints"].items()}
        self.codes: dict[str, dict[str, frozenset[str]]] = {
            name: {system: frozenset(codes) for system, codes in systems.items()}
            for name, systems in table["codes"].items()
        }
        self.extensions: dict[str, tuple[str, ...]] = {
            url: tuple(types.split("|")) for url, types in table["extensions"].items()
        }

    def with_own_codes(self) -> "Definitions":
        """Return the same definitions with a table of codes that can be added to apart."""
        own = copy(self)
        own.codes = dict(self.codes)
        return own

    def elements(self, name: str) -> tuple[Element, ...]:
        """Return the elements of a structure, those of its bases first. Raises KeyError for a name that R4 lacks."""
        structure = self.structures[name]
        if name in PROFILED or not structure.base:
            return structure.own if not structure.base else self.elements("Element") + structure.own
        return self.elements(structure.base) + structure.own

    def lineage(self, name: str) -> tuple[str, ...]:
        """Return a structure's name and those of its bases, nearest first."""
        out = [name]
        while self.structures[out[-1]].base:
            out.append(self.structures[out[-1]].base)
        return tuple(out)


def _structure(name: str, told: list[Any]) -> Structure:
    base, elements, constraints = told
    return Structure(name, base, tuple(_element(*one) for one in elements), tuple(constraints))


def _element(  # noqa: PLR0917  # the table's columns
    name: str, low: int, high: str, types: str, codes: str = "", constraints: tuple[str, ...] = ()
) -> Element:
    found, targets = [], []
    for text in types.split("|"):
        code, _, among = text.removeprefix("#").removesuffix(")").partition("(")
        found.append(code)
        if code == "Reference" and among:
            targets += among.split(",")
    most = None if high == "*" else int(high)
    closed, advised = ("", codes[1:]) if codes[:1] == EXTENSIBLE else (codes, "")
    return Element(name, low, most, tuple(found), tuple(targets), closed, tuple(constraints), advised)


@cache
def r4() -> Definitions:
    """Return the definitions of FHIR 4.0.1."""
    return Definitions(json.loads(files("salus.interop.fhir.definitions").joinpath("r4.json").read_bytes()))
