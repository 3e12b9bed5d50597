"""FHIR JSON (R4 2.6.2) to FHIR XML (2.6.1), by the definitions: the inverse of `xml_reader`.

For what is answered: a resource that the gate admitted, or one made here. Numbers keep the digits that they have in JSON. What XML cannot
say is refused, never left out: elements that R4 does not define, characters outside XML 1.0, narrative that is not well-formed.
"""

import re
from functools import cache
from typing import Any, Final, NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import msgspec

from salus.interop import plain_xml
from salus.interop.fhir.definitions import PROFILED, r4
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.xml_reader import FHIR, XHTML

_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML 1.0 has no way to write."""
_BLANKS: Final = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
"""An attribute's blanks, which readers would make spaces of."""
_PREFIX: Final = b'<?xml version="1.0" encoding="UTF-8"?>'


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


_TREES: Final = msgspec.json.Decoder(float_hook=_Digits)


class _Place(NamedTuple):
    """A child element. kind: a type's code or a nested element's path."""

    name: str
    kind: str
    many: bool


@cache
def _places(kind: str) -> tuple[_Place, ...]:
    """Return the child elements of a structure in their order, each type of a choice by its own name."""
    definitions = r4()
    attributes = _attributes(kind)
    found: dict[str, _Place] = {}
    for element in definitions.elements(kind):
        stem = element.name.removesuffix("[x]")
        for told in element.types:
            spoken = PROFILED.get(told, told)
            name = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            if name not in attributes:
                found.setdefault(
                    name, _Place(name, spoken, element.max != 1)
                )  # Age and its like repeat what Quantity has
    return tuple(found.values())


@cache
def _attributes(kind: str) -> tuple[str, ...]:
    """Return the elements that XML writes as attributes."""
    lineage = r4().lineage(kind)
    return (*(("id",) if "Element" in lineage else ()), *(("url",) if "Extension" in lineage else ()))


@cache
def _unplaced(kind: str) -> tuple[str, ...]:
    """Return the names that are no child elements in XML; a scenario's instance has an element `resourceType`."""
    placed = {name for name, _, _ in _places(kind)}
    return tuple(name for name in (*_attributes(kind), "resourceType") if name not in placed)


def to_xml(raw: bytes) -> bytes:
    """Return one resource in FHIR JSON as FHIR XML. Raises `Refused` with the element that cannot be written."""
    tree: dict[str, Any] = _TREES.decode(raw)
    return _PREFIX + _resource(tree, "").encode("utf-8", "strict")


def _resource(tree: dict[str, Any], path: str) -> str:
    kind = tree["resourceType"]
    return f'<{kind} xmlns="{FHIR}">{_children(kind, tree, path or kind)}</{kind}>'


def _children(kind: str, tree: dict[str, Any], path: str) -> str:
    out: list[str] = []
    written = sum(name in tree for name in _unplaced(kind))
    for name, spoken, many in _places(kind):
        values, extras = tree.get(name), tree.get("_" + name)
        if values is None and extras is None:
            continue
        written += (values is not None) + (extras is not None)
        if not many:
            out.append(_element(name, spoken, values, extras, f"{path}.{name}"))
            continue
        values, extras = values or [], extras or []
        for at in range(max(len(values), len(extras))):
            value = values[at] if at < len(values) else None
            extra = extras[at] if at < len(extras) else None
            out.append(_element(name, spoken, value, extra, f"{path}.{name}[{at}]"))
    if written != len(tree):
        raise _refused(path, "elements that R4 defines", "another")
    return "".join(out)


def _element(name: str, kind: str, value: Any, extra: dict[str, Any] | None, path: str) -> str:
    if kind == "xhtml":
        return _narrative(value, path)
    if kind == "Resource":
        return f"<{name}>{_resource(value, path)}</{name}>"
    primitive = kind[0].islower()
    own = (extra or {}) if primitive else value
    told = "".join(
        f" {one}={_attribute(own[one], path)}" for one in _attributes("Element" if primitive else kind) if one in own
    )
    if primitive and value is not None:
        told += f" value={_attribute(value, path)}"
    inner = _children("Element" if primitive else kind, own, path) if own else ""
    return f"<{name}{told}>{inner}</{name}>" if inner else f"<{name}{told}/>"


def _attribute(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    text = str(value)
    if _UNWRITABLE.search(text):
        raise _refused(path, "characters of XML 1.0", "a control character")
    return quoteattr(text, _BLANKS)


def _narrative(div: str, path: str) -> str:
    """Return narrative as it stands, its namespace added where it is missing. Raises Refused unless it is one well-formed div."""
    roots: list[str] = []
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartElementHandler = lambda name, _: roots.append(name) if not roots else None
    told = div.strip()
    try:
        if not told.startswith("<div"):
            raise _refused(path, "one div", "something else")
        if plain_xml.expands(told.encode()):
            raise _refused(path, "short namespaces", "a long one")
        parser.Parse(told.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        raise _refused(path, "well-formed XHTML", "something else") from None
    if roots == ["div"]:
        return f'<div xmlns="{XHTML}"{told[len("<div") :]}'
    if roots != [f"{XHTML} div"]:
        raise _refused(path, f"a div of {XHTML}", "another element")
    return told


def _refused(path: str, expected: str, got: str) -> Refused:
    return Refused("no-xml", path, expected=expected, got=got, todo="ask for application/fhir+json")
