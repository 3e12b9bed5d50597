"""EPCIS XML 1.2 and 2.0 to events in the shape of EPCIS JSON. Document types and entities are refused outright."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from xml.parsers import expat

from salus.interop import plain_xml
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.vocabulary import EPC_LISTS, FIELDS, QUANTITY_LISTS, TYPED_LISTS, bare

MAX_BYTES: Final = 256 << 20  # a million units of 150 bytes, with room
MAX_DEPTH: Final = 40
MAX_ELEMENTS: Final = 4_000_000
ROOTS: Final = {
    "urn:epcglobal:epcis:xsd:1 EPCISDocument",
    "urn:epcglobal:epcis:xsd:2 EPCISDocument",
    "urn:epcglobal:epcis-query:xsd:1 EPCISQueryDocument",
    "urn:epcglobal:epcis-query:xsd:2 EPCISQueryDocument",
}
NUMBERS: Final = frozenset(("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"))
NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
MAX_DIGITS: Final = 60  # no measure has as many; 1e999999999 would fill the memory when it is written out
BLANK: Final = re.compile(r"\s*\Z")


@dataclass(slots=True)
class Element:
    """An element: name (`uri local` or `local`), attributes, children, own text."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text without surrounding white space."""
        return "".join(self.parts).strip()


def events_of(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return (type, fields) of each event, unchecked. Raises EpcisRefused."""
    root = parse(data)
    if root.name not in ROOTS:
        raise EpcisRefused(
            "epcis.document", "the root element", "EPCISDocument or EPCISQueryDocument of EPCIS 1.2 or 2.0"
        )
    if root.attributes.get("schemaVersion", "") not in {"1", "1.0", "1.1", "1.2", "2", "2.0"}:
        raise EpcisRefused("epcis.version", "schemaVersion", "1.2 or 2.0")
    lists = [each for each in _walk(root) if each.name == "EventList"]
    if len(lists) != 1:
        raise EpcisRefused("epcis.missing", "EPCISBody/EventList", "one list of events")
    found = []
    for place, each in enumerate(_flat(lists[0].children)):
        found.append((each.name, _event(each, f"eventList/{place}")))
    return found


def parse(data: bytes) -> Element:
    """Return the root element. Raises EpcisRefused: not well-formed, a document type, an entity, too large."""
    top = Element("", {})
    stack = [top]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(stack) > MAX_DEPTH:
            raise EpcisRefused("epcis.limit", "the document", f"at most {MAX_ELEMENTS} elements, {MAX_DEPTH} levels")
        element = Element(name, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def data_of(text: str) -> None:
        stack[-1].parts.append(text)

    declared = EpcisRefused("epcis.declaration", "the document", "no document type and no entity")
    try:
        plain = plain_xml.as_utf8(data)
        if plain_xml.expands(plain):
            raise EpcisRefused("epcis.limit", "the document", f"namespaces of at most {plain_xml.MAX_NAMESPACE} bytes")
        plain_xml.parser(start, end, data_of, declared).Parse(plain, True)
    except expat.ExpatError as error:
        raise EpcisRefused("epcis.xml", f"line {error.lineno}", "well-formed XML") from None
    except (ValueError, LookupError):
        raise EpcisRefused("epcis.xml", "the declaration", "a known encoding") from None
    return top.children[0]


def _walk(element: Element) -> list[Element]:
    found, waiting = [], [element]
    while waiting:
        each = waiting.pop()
        found.append(each)
        if each.name != "EventList":
            waiting.extend(each.children)
    return found


def _flat(children: list[Element]) -> list[Element]:
    """Return children with the standard's own wrappers for later versions taken away."""
    found: list[Element] = []
    for each in children:
        if each.name in {"extension", "baseExtension"}:
            found.extend(_flat(each.children))
        else:
            found.append(each)
    return found


def _event(element: Element, at: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for each in _flat(element.children):
        name = _name(each.name)
        if name.startswith("{"):
            _add(fields, name, _free(each))
        elif name in fields:
            raise EpcisRefused("epcis.twice", f"{at}/{name}", "each element once")
        elif element.name in FIELDS and name not in FIELDS[element.name]:
            raise EpcisRefused("epcis.field", f"{at}/{name}", f"an element of {element.name}, or one with a namespace")
        else:
            fields[name] = _value(name, each, f"{at}/{name}")
    empty = [name for name in (*EPC_LISTS, *QUANTITY_LISTS) if fields.get(name) == []]
    return {name: value for name, value in fields.items() if name not in empty}


def _value(name: str, element: Element, at: str) -> Any:  # noqa: PLR0911 -- a return for each kind of field
    children = element.children
    if name in EPC_LISTS:
        return [each.text for each in children]
    if name in QUANTITY_LISTS:
        return [
            {part.name: number(part.text, at) if part.name == "quantity" else part.text for part in each.children}
            for each in children
        ]
    if name in TYPED_LISTS:
        key, vocabulary = TYPED_LISTS[name]
        return [
            ({"type": bare(vocabulary, each.attributes["type"])} if "type" in each.attributes else {})
            | {key: each.text}
            for each in children
        ]
    if name in {"readPoint", "bizLocation", "ilmd", "errorDeclaration"}:
        return _object(element)
    if name == "persistentDisposition":
        found: dict[str, list[str]] = {}
        for each in children:
            found.setdefault(each.name, []).append(bare("disposition", each.text))
        return found
    if name == "sensorElementList":
        return [_sensor(each, at) for each in _flat(children)]
    return bare(name, element.text) if name in {"bizStep", "disposition"} else element.text


def _object(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in _flat(element.children):
        if each.name == "correctiveEventIDs":
            found[each.name] = [part.text for part in each.children]
        elif each.name == "reason":
            found[each.name] = bare("reason", each.text)
        else:
            _add(found, _name(each.name), _free(each))
    return found


def _sensor(element: Element, at: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in _flat(element.children):
        if each.name in {"sensorReport", "sensorMetadata"}:
            content: dict[str, Any] = {
                _name(name): number(text, at) if name in NUMBERS else text for name, text in each.attributes.items()
            }
            if each.name == "sensorReport":
                found.setdefault(each.name, []).append(content)
            else:
                found[each.name] = content
        else:
            _add(found, _name(each.name), _free(each))
    return found


def _free(element: Element) -> Any:
    """Return an extension's content: text, or an object of its parts, attributes as `@name`."""
    if not element.children and not element.attributes:
        return element.text
    found: dict[str, Any] = {f"@{_name(name)}": text for name, text in element.attributes.items()}
    for each in element.children:
        _add(found, _name(each.name), _free(each))
    if not BLANK.match(element.text):
        found["#text"] = element.text
    return found


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def _name(expat_name: str) -> str:
    uri, space, local = expat_name.rpartition(" ")
    return f"{{{uri}}}{local}" if space else local


def number(text: str, at: str) -> Decimal:
    """Return a number as it is written. Raises EpcisRefused for none, and for one that is long when it is written out, as hashes do."""
    if NUMBER.fullmatch(text.strip()) is None:
        raise EpcisRefused("epcis.quantity", at, "a number")
    found = Decimal(text.strip())
    _, _, exponent = found.as_tuple()
    if not isinstance(exponent, int) or max(abs(exponent), abs(found.adjusted())) >= MAX_DIGITS:
        raise EpcisRefused("epcis.limit", at, f"a number of fewer than {MAX_DIGITS} digits before and after the point")
    return found
