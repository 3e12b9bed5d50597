"""The search parameters of R4 by resource type (table made by tools/make_search_parameters.py).

Those that stand for no element (`_text`, `_content`, `_list`), and those that are not answered, are the questions' (`query`).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from salus.core.proof.digest import digest
from salus.interop.fhir.survey import TYPES

OF_TYPE: Final = 1
"""Added to a token parameter's number: the number under which `:of-type` finds identifiers."""
READING: Final = b"3"
"""How values are read by the expressions: another one when the same parameters give a resource other rows."""
IDENTIFIER: Final = 1
"""Added to a reference parameter's number: the number under which `:identifier` finds logical references."""


class Parameter(msgspec.Struct, frozen=True):
    """One search parameter of one resource type.

    number: stands for it in the index; the one after it is taken too (OF_TYPE, IDENTIFIER).
    type: token, reference, string, date, composite, uri, quantity, number, phonetic (a string by its sound) or special
    (`near`, kept as a composite is). expression: FHIRPath from the resource,
    or for a component from the composite's element. targets: resource types that a reference may lead to.
    numbers: those under which its values stand: its own, or those of others that have the same values between them.
    """

    number: int
    code: str
    type: str
    expression: str
    targets: tuple[str, ...] = ()
    components: tuple["Parameter", ...] = ()
    numbers: tuple[int, ...] = ()


@cache
def _packed() -> bytes:
    return files("salus.interop.fhir.search").joinpath("r4_parameters.json").read_bytes()


@cache
def version() -> str:
    """Return what changes when the parameters do: an index built under another version is built anew."""
    return digest("salus/v1/search-parameters", _packed(), READING).hex()[:16]


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_packed())
    return table


@cache
def _by_type() -> dict[str, dict[str, Parameter]]:
    by_type: dict[str, dict[str, Parameter]] = {kind: {} for kind in sorted(TYPES)}
    number = 0
    for code, type_, bases, expression, targets, components in _table()["parameters"]:
        general = bases in (["Resource"], ["DomainResource"])
        for kind in sorted(TYPES) if general else bases:
            if kind not in by_type:
                continue
            parts = [Parameter(number + 2 * at, *component) for at, component in enumerate(components, start=1)]
            own = own_part(expression, kind)
            by_type[kind][code] = Parameter(number, code, type_, own, tuple(targets), tuple(parts))
            number += 2 * (len(parts) + 1)
    return {kind: _sharing(kind, own) for kind, own in by_type.items()}


def _sharing(kind: str, own: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Tell of a type's parameters under which numbers their values stand, so that none is kept twice.

    What several others say between them stands under theirs (`combo-code`: `code`, `component-code`), and so does a part
    of a composite that is an element of the resource itself, which has no other elements to tell it from.
    """
    said = {one.number: (one.type, _said(one.expression)) for one in own.values() if not one.components}
    numbers = {number: _covering(number, said) for number in said}
    plain = {said[number]: told for number, told in reversed(numbers.items())}
    alone = {(one.expression, _parts(one)): one for one in own.values() if one.components}

    def of_part(one: Parameter, at: int) -> tuple[int, ...]:
        told, part = alternatives(one.expression), one.components[at]
        found: list[int] = []
        for text in told:
            if text == kind:
                found += plain.get((part.type, _said(part.expression, kind)), (part.number,))
            else:  # with a third alternative the places of two others could be the same
                other = alone.get((text, _parts(one)), one) if len(told) == 1 + (kind in told) else one
                found.append(other.components[at].number)
        return tuple(dict.fromkeys(found))

    def shared(one: Parameter) -> Parameter:
        places = range(len(one.components))
        parts = (msgspec.structs.replace(one.components[at], numbers=of_part(one, at)) for at in places)
        return msgspec.structs.replace(one, components=tuple(parts), numbers=numbers.get(one.number, (one.number,)))

    return {code: shared(one) for code, one in own.items()}


def _covering(number: int, said: Mapping[int, tuple[str, frozenset[str]]]) -> tuple[int, ...]:
    """Return the numbers of the parameters that say a part of what one says, if they say all of it; else its own."""
    type_, own = said[number]
    parts = {other: told for other, (of_type, told) in said.items() if of_type == type_ and told < own}
    return tuple(parts) if frozenset().union(*parts.values()) == own else (number,)


def _parts(composite: Parameter) -> tuple[tuple[str, str], ...]:
    return tuple((part.type, part.expression) for part in composite.components)


def _said(expression: str, within: str = "") -> frozenset[str]:
    """Return the alternatives of an expression, each in one spelling, but for SampledData: it has no value of its own.

    within: the type from which a part of a composite is told.
    """
    told = (_AS.sub(r"\1.as(\2)", one) for one in alternatives(expression))
    return frozenset(f"{within}.{one}" if within else one for one in told if not one.endswith(".as(SampledData)"))


_AS: Final = re.compile(r"^\((.+) as (\w+)\)$")


def parameters(kind: str) -> Mapping[str, Parameter]:
    """Return the parameters of a resource type by code. Raises KeyError for no type of R4."""
    return _by_type()[kind]


@cache
def patient_compartment() -> Mapping[str, tuple[str, ...]]:
    """Return, per resource type of the Patient compartment, the parameters that lead to the patient."""
    return {kind: tuple(codes) for kind, codes in _table()["patient"].items()}


@cache
def summary_elements(kind: str) -> frozenset[str]:
    """Return the JSON names of a type's elements that `_summary=true` keeps."""
    return frozenset(_table()["summary"][kind].split()) | mandatory_elements(kind)


@cache
def mandatory_elements(kind: str) -> frozenset[str]:
    """Return the JSON names of a type's elements that no subset leaves out."""
    return frozenset(_table()["mandatory"][kind].split()) | {"resourceType", "id", "meta"}


def alternatives(expression: str) -> list[str]:
    """Split an expression at the bars that stand outside parentheses and quotes."""
    parts, start, depth, quoted = [], 0, 0, False
    for at, char in enumerate(expression):
        quoted ^= char == "'"
        depth += 0 if quoted else (char == "(") - (char == ")")
        if char == "|" and not depth and not quoted:
            parts.append(expression[start:at].strip())
            start = at + 1
    return [*parts, expression[start:].strip()]


def own_part(expression: str, kind: str) -> str:
    """Return the alternatives of a parameter's expression that speak of `kind`."""
    starts = (kind, "Resource", "DomainResource")
    own = [
        part
        for part in alternatives(expression)
        if part[0].islower() or part.lstrip("(").replace(" ", ".").split(".")[0] in starts
    ]
    return " | ".join(own)
