"""ODM 2.0 out: elements with their attributes in the standard's order, and the bytes of a document.

Only writing; what is written is valid by CDISC's `ODM.xsd`. Characters that XML 1.0 has no place for become U+FFFD.
"""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

NAMESPACE: Final = "http://www.cdisc.org/ns/odm/v2.0"
VERSION: Final = "2.0"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TYPES: Final = frozenset(
    {"integer", "decimal", "float", "double", "date", "datetime", "time", "text", "string", "URI", "boolean"}
)


def plain(text: str) -> str:
    """Return a text without characters that XML has no place for."""
    return _NO_XML.sub("\ufffd", text)


def document(oid: str, created: str, parts: Sequence[Element], **attributes: str) -> bytes:
    """Return an ODM document. `created` is an ISO 8601 date and time; parts come in the schema's order."""
    root = Element(
        "ODM",
        {
            "xmlns": NAMESPACE,
            "FileType": "Transactional",
            "FileOID": oid,
            "CreationDateTime": created,
            "ODMVersion": VERSION,
            **attributes,
        },
    )
    root.extend(parts)
    head: bytes = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + tostring(root, encoding="unicode").encode() + b"\n"


def element(name: str, text: str = "", /, **attributes: str) -> Element:
    """Return an element; attributes that are empty are left out."""
    made = Element(name, {key: plain(value) for key, value in attributes.items() if value})
    if text:
        made.text = plain(text)
    return made


def under(parent: Element, name: str, text: str = "", /, **attributes: str) -> Element:
    """Add an element below another, and return it."""
    made = SubElement(parent, name, {key: plain(value) for key, value in attributes.items() if value})
    if text:
        made.text = plain(text)
    return made
