"""FHIR XML (R4 2.6.1) to FHIR JSON (2.6.2), by the definitions: names, order, repeats and kinds of every element.

The outcome passes the gate as if it had come as JSON. Decimals stay the digits received, narrative its elements, attributes
and text. Document types, entities and processing by reference do not exist here; depth, size and number of elements are bounded.
"""

import re
from functools import cache
from typing import Any, Final, NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import msgspec

from salus.interop import plain_xml
from salus.interop.fhir.definitions import PROFILED, r4
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.survey import TYPES, known_name
from salus.interop.fhir.tokens import LIMITS, Limits, oversized, too_deep

FHIR: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema-instance"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
MAX_ELEMENTS: Final = 2_000_000
"""Of one input: 64 MB of usual resources have about a million; each costs memory of its own."""
_INTEGER: Final = re.compile(r"\+?(-?(?:0|[1-9][0-9]*))")
_DECIMAL: Final = re.compile(r"\+?(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_INTEGERS: Final = frozenset({"integer", "positiveInt", "unsignedInt"})
_ATTRIBUTES: Final = {("Element", "id"), ("Extension", "url")}
"""Elements that XML writes as attributes."""


class _Slot(NamedTuple):
    """Where a child element goes. order: its place in the structure; kind: a type's code or a nested element's path."""

    order: int
    kind: str
    many: bool

    @property
    def primitive(self) -> bool:
        return self.kind[0].islower()


@cache
def _slots(name: str) -> dict[str, _Slot]:
    """Return the child elements of a structure by their XML names."""
    definitions = r4()
    own = {one for base in definitions.lineage(name) for one in _ATTRIBUTES if one[0] == base}
    out: dict[str, _Slot] = {}
    for order, element in enumerate(definitions.elements(name)):
        if any(element.name == attribute for _, attribute in own):
            continue
        stem = element.name.removesuffix("[x]")
        for told in element.types:
            kind = PROFILED.get(told, told)
            key = stem if stem == element.name else stem + kind[0].upper() + kind[1:]
            out.setdefault(key, _Slot(order, kind, element.max != 1))  # Age and its like repeat what Quantity has
    return out


class _Frame:
    """An element being read: its children so far, and where it goes when it ends."""

    __slots__ = ("kind", "last", "name", "slot", "tree", "value")

    def __init__(self, name: str, kind: str, slot: _Slot | None) -> None:
        self.name = name
        self.kind = kind
        self.slot = slot
        self.tree: dict[str, Any] = {}
        self.value: Any = None
        self.last = -1


class _Reader:
    """The events of one document."""

    def __init__(self, size: int, limits: Limits) -> None:
        self._size = size
        self._limits = limits
        self._stack: list[_Frame] = []
        self._narrative: list[str] = []
        self._div = 0  # open elements of narrative
        self._elements = 0
        self.root: dict[str, Any] = {}

    # Events of expat ----------------------------------------------------------------------------------------------

    def declaration(self, _version: str, encoding: str | None, _alone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise _not_utf8()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise oversized(self._size, "too many elements")
        if len(self._stack) + self._div >= 2 * self._limits.depth:  # XML writes a resource within another in two levels
            raise too_deep(self._limits.depth)
        space, _, local = name.rpartition(" ")
        if self._div:
            self._open_narrative(space, local, attributes)
        elif not self._stack:
            self._open_root(space, local, attributes)
        elif self._stack[-1].kind == "Resource":
            self._open_inner(space, local, attributes)
        else:
            self._open(space, local, attributes)

    def end(self, name: str) -> None:
        if self._div:
            self._div -= 1
            self._narrative.append(f"</{name.rpartition(' ')[2]}>")
            if self._div:
                return
            self._stack[-1].value = "".join(self._narrative)
        self._close(self._stack.pop())

    def text(self, text: str) -> None:
        if self._div:
            self._narrative.append(escape(text))
        elif not text.isspace():
            raise self._refused("unknown-element", "elements and their attributes", "text", "write it as an attribute")

    def comment(self, text: str) -> None:
        if self._div:
            self._narrative.append(f"<!--{text}-->")

    # Elements -----------------------------------------------------------------------------------------------------

    def _open_root(self, space: str, local: str, attributes: dict[str, str]) -> None:
        kind = self._type(space, local)
        if kind != "Bundle" and self._size > self._limits.resource_bytes:
            raise oversized(self._limits.resource_bytes, f"{self._size} bytes")
        self._stack.append(_Frame(kind, kind, None))
        self._refuse_attributes(name for name in attributes if not name.startswith(_SCHEMA + " "))
        self._stack[-1].tree["resourceType"] = kind

    def _open_inner(self, space: str, local: str, attributes: dict[str, str]) -> None:
        """Open the resource inside contained, entry.resource or parameter.resource, which JSON writes without a level."""
        if self._stack[-1].tree:
            raise self._refused("repeated-element", "one resource", "another", "send each in an element of its own")
        kind = self._type(space, local)
        self._stack[-1].tree["resourceType"] = kind
        self._stack.append(_Frame(kind, kind, None))
        self._stack[-1].tree = self._stack[-2].tree
        self._refuse_attributes(attributes)

    def _open(self, space: str, local: str, attributes: dict[str, str]) -> None:
        outer = self._stack[-1]
        kind = "Element" if outer.kind[0].islower() else outer.kind
        slot = _slots(kind).get(local) if space == (XHTML if local == "div" else FHIR) else None
        if slot is None:
            raise self._refused(
                "unknown-element", f"an element of {kind}", known_name(local), "remove it, or correct it"
            )
        if slot.order < outer.last:
            raise self._refused("element-order", "the order of the definition", known_name(local), "send it earlier")
        if slot.order == outer.last and not slot.many:
            raise self._refused("repeated-element", "it once", f"{known_name(local)} again", "send one of them")
        outer.last = slot.order
        frame = _Frame(local, slot.kind, slot)
        self._stack.append(frame)
        if slot.kind == "xhtml":
            self._narrative = []
            self._open_narrative(space, local, attributes)
            return
        known = {"id"} | ({"value"} if slot.primitive else {"url"} if slot.kind == "Extension" else set())
        self._refuse_attributes(attributes.keys() - known)
        if slot.kind == "Resource":
            self._refuse_attributes(attributes)
        for name, value in attributes.items():
            if name == "value":
                frame.value = self._primitive(slot.kind, value)
            else:
                frame.tree[name] = value

    def _open_narrative(self, space: str, local: str, attributes: dict[str, str]) -> None:
        if space != XHTML:
            raise self._refused("unknown-element", f"elements of {XHTML}", "another", "write the narrative as XHTML")
        told = "" if self._div else f' xmlns="{XHTML}"'
        for name, value in attributes.items():
            where, _, attribute = name.rpartition(" ")
            if where not in {"", _XML}:
                raise self._refused("unknown-element", "attributes of XHTML", "another", "remove it")
            told += f" {'xml:' if where else ''}{attribute}={quoteattr(value)}"
        self._narrative.append(f"<{local}{told}>")
        self._div += 1

    def _close(self, frame: _Frame) -> None:
        _drop_padding(frame.tree)
        if not self._stack:
            self.root = frame.tree
            return
        if frame.slot is None:  # the resource of an element that is open still
            return
        outer, name = self._stack[-1].tree, frame.name
        if not frame.slot.primitive:
            value, extra = frame.tree, None
        else:
            value, extra = frame.value, frame.tree or None
        if frame.slot.many:
            outer.setdefault(name, []).append(value)
            if frame.slot.primitive:
                outer.setdefault("_" + name, []).append(extra)
            return
        if value is not None:
            outer[name] = value
        if extra is not None:
            outer["_" + name] = extra

    def _primitive(self, kind: str, value: str) -> Any:
        """Return an attribute's value as JSON writes it; the digits of a number stay as they are."""
        if kind == "boolean" and value in {"true", "false"}:
            return value == "true"
        if kind in _INTEGERS or kind == "decimal":
            found = (_DECIMAL if kind == "decimal" else _INTEGER).fullmatch(value)
            if found is not None and len(value) <= self._limits.number_characters:
                return msgspec.Raw(found[1].encode())
        elif kind != "boolean":
            return value
        raise self._refused("wrong-kind", f"a value of type {kind}", "another", "send the element as R4 defines it")

    # Refusals -----------------------------------------------------------------------------------------------------

    def _type(self, space: str, local: str) -> str:
        if space != FHIR or local not in TYPES:
            raise self._refused(
                "unknown-type", f"a resource type of R4 in the namespace {FHIR}", "another name", "send FHIR R4 (4.0.1)"
            )
        return local

    def _refuse_attributes(self, names: Any) -> None:
        if any(True for _ in names):
            raise self._refused("unknown-element", "the attributes that R4 defines", "another", "remove it")

    def _refused(self, code: str, expected: str, got: str, todo: str) -> Refused:
        return Refused(code, self._path(), expected=expected, got=got, todo=todo)

    def _path(self) -> str:
        """Return the FHIRPath of the innermost open element."""
        out: list[str] = []
        for at, frame in enumerate(self._stack):
            if frame.slot is None and at:
                continue
            out.append(frame.name)
            if frame.slot is not None and frame.slot.many:
                out[-1] += f"[{len(self._stack[at - 1].tree.get(frame.name, ()))}]"
        return ".".join(out)


def _not_utf8() -> Refused:
    return Refused("not-utf8", "", expected="UTF-8", got="another encoding", todo="encode as UTF-8 (R4 2.6.1)")


def _drop_padding(tree: dict[str, Any]) -> None:
    """Drop lists that hold nothing: extensions of primitives that have none, values of those that have only extensions."""
    for name in [name for name, value in tree.items() if value.__class__ is list and all(one is None for one in value)]:
        del tree[name]


def to_json(raw: bytes, *, limits: Limits = LIMITS) -> bytes:
    """Return one resource in FHIR XML as FHIR JSON, ready for the gate. Raises `Refused` with the element named."""
    if len(raw) > limits.bundle_bytes:
        raise oversized(limits.bundle_bytes, f"{len(raw)} bytes")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _not_utf8()
    if plain_xml.expands(raw):
        most = f"namespaces of at most {plain_xml.MAX_NAMESPACE} bytes"
        raise Refused("unknown-element", "", expected=most, got="a longer one", todo="send FHIR R4 (4.0.1)")
    reader = _Reader(len(raw), limits)
    declared = Refused(
        "xml-declaration", "", expected="no document type and no entity", got="one", todo="send the resource alone"
    )
    parser = plain_xml.parser(reader.start, reader.end, reader.text, declared)
    parser.XmlDeclHandler = reader.declaration
    parser.CommentHandler = reader.comment
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise Refused(
            "not-xml",
            "",
            expected="XML 1.0 in UTF-8",
            got=f"something else in line {error.lineno}",
            todo="send well-formed XML; characters by number, such as &#160;",
        ) from None
    return msgspec.json.encode(reader.root)
