"""XML of ODM as elements with their paths. Document types and entities are refused outright, so nothing can expand."""

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from salus.interop import plain_xml
from salus.interop.cdisc.findings import DocumentRefused, Finding

MOST_BYTES: Final = 32 << 20  # the forms of CDISC's whole library have 20 MB
MOST_DEPTH: Final = 40  # a definition of a form lies eight deep
MOST_ELEMENTS: Final = 500_000
LANGUAGE: Final = "http://www.w3.org/XML/1998/namespace lang"
NAMESPACES: Final = {"http://www.cdisc.org/ns/odm/v1.3": "1.3.2", "http://www.cdisc.org/ns/odm/v2.0": "2.0"}
"""Versions by namespace."""


@dataclass(slots=True, eq=False)
class XmlElement:
    """An element."""

    version: str
    """Version of ODM that it belongs to; "" for an element of another namespace."""
    name: str
    path: str
    """XPath of names and places: `/ODM[1]/Study[1]`."""
    attributes: dict[str, str]
    """Those of no namespace."""
    language: str = ""
    """`xml:lang`."""
    children: list["XmlElement"] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, white space around it taken away."""
        return "".join(self.parts).strip()

    def get(self, attribute: str) -> str:
        """Return an attribute, "" without it."""
        return self.attributes.get(attribute, "")

    def all(self, name: str) -> list["XmlElement"]:
        """Return the children of a name."""
        return [each for each in self.children if each.name == name and each.version]

    def one(self, name: str) -> "XmlElement | None":
        """Return the first child of a name, or None."""
        return next(iter(self.all(name)), None)


def parse(data: bytes) -> XmlElement:
    """Return the root element. Raises DocumentRefused: not well-formed, a document type, an entity, too large, too deep."""
    if len(data) > MOST_BYTES:
        raise DocumentRefused((Finding("size", "", f"at most {MOST_BYTES} bytes", str(len(data))),))
    stack = [XmlElement("", "", "", {})]
    counts: list[dict[str, int]] = [{}]
    seen = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal seen
        seen += 1
        if seen > MOST_ELEMENTS:
            raise DocumentRefused((Finding("size", stack[-1].path, f"at most {MOST_ELEMENTS} elements"),))
        if len(stack) > MOST_DEPTH:
            raise DocumentRefused((Finding("depth", stack[-1].path, f"at most {MOST_DEPTH} levels"),))
        namespace, _, local = name.rpartition(" ")
        counts[-1][local] = place = counts[-1].get(local, 0) + 1
        own = {each: value for each, value in attributes.items() if " " not in each}
        element = XmlElement(
            NAMESPACES.get(namespace, ""),
            local,
            f"{stack[-1].path}/{local}[{place}]",
            own,
            attributes.get(LANGUAGE, ""),
        )
        stack[-1].children.append(element)
        stack.append(element)
        counts.append({})

    def end(_name: str) -> None:
        stack.pop()
        counts.pop()

    def told(text: str) -> None:
        stack[-1].parts.append(text)

    declared = DocumentRefused((Finding("declaration", "", "no document type and no entity"),))
    try:
        plain = plain_xml.as_utf8(data)
        if plain_xml.expands(plain):
            most = f"namespaces of at most {plain_xml.MAX_NAMESPACE} bytes"
            raise DocumentRefused((Finding("size", "", most),))
        plain_xml.parser(start, end, told, declared).Parse(plain, True)
    except expat.ExpatError as error:
        raise DocumentRefused((Finding("xml", f"line {error.lineno}", "well-formed XML"),)) from None
    except (ValueError, LookupError):
        raise DocumentRefused((Finding("xml", "", "a known encoding"),)) from None
    return stack[0].children[0]
