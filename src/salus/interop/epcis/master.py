"""Master data in a document's header (EPCIS 2.0 section 7.2, CBV 2.0 section 9): attributes of places, parties, products, by id.

Elements of vocabularies are found in JSON-LD, XML 2.0 and XML 1.2. Names of CBV's attributes are in one form, `cbvmda:name`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from salus.interop.epcis.document import load
from salus.interop.epcis.refusal import EpcisRefused
from salus.interop.epcis.xml_reader import Element, parse
from salus.interop.gs1.identity import canonical_uri
from salus.interop.gs1.refusal import Gs1Refused

MARK: Final = b"asterData"  # EPCISMasterData, epcisMasterData
MDA: Final = ("urn:epcglobal:cbv:mda#", "urn:epcglobal:cbv:mda:", "cbvmda:")
MAX_ELEMENTS: Final = 10_000
CHILDREN: Final = "its children"
"""Under this name, which no attribute has, stand the ids of what lies within an element: section 9.5, `children`."""
Attributes = Mapping[str, tuple[str, ...]]
"""Attribute to its values, as text."""


def master_data(data: bytes) -> dict[str, Attributes]:
    """Return the attributes of each element that a document's header describes. Raises EpcisRefused.

    Ids are as events have them in an index: Digital Links where GS1 has one. What an element says twice is said once.
    """
    if MARK not in data:
        return {}
    xml = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
    found: dict[str, dict[str, list[str]]] = {}
    for id_, pairs in _in_xml(parse(data)) if xml else _in_json(load(data)):
        told = found.setdefault(_canonical(id_), {})
        for name, value in pairs:
            values = told.setdefault(attribute(name), [])
            one = _canonical(value) if name == CHILDREN else value
            values += [] if one in values else [one]
        if len(found) > MAX_ELEMENTS:
            raise EpcisRefused("epcis.limit", "vocabularyList", f"at most {MAX_ELEMENTS} elements")
    return {id_: {name: tuple(values) for name, values in told.items()} for id_, told in found.items()}


def attribute(name: str) -> str:
    """Return an attribute's name in its one form."""
    for start in MDA:
        if name.startswith(start):
            return f"cbvmda:{name[len(start) :]}"
    return name


def _canonical(id_: str) -> str:
    try:
        return canonical_uri(id_)
    except Gs1Refused as refused:
        raise EpcisRefused("epcis.identifier", "VocabularyElement", refused.expected) from None


def _in_json(document: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    header = document.get("epcisHeader") if isinstance(document, dict) else None
    master = header.get("epcisMasterData") if isinstance(header, dict) else None
    listed = master.get("vocabularyList") if isinstance(master, dict) else None
    for vocabulary in _objects(listed):
        for element in _objects(vocabulary.get("vocabularyElementList")):
            if not isinstance(element.get("id"), str):
                raise EpcisRefused("epcis.shape", "vocabularyElementList", "an id for each element")
            yield (
                element["id"],
                [
                    (str(each.get("id", "")), _text(each.get("attribute", "")))
                    for each in _objects(element.get("attributes"))
                ]
                + [(CHILDREN, _text(each)) for each in _listed(element.get("children"))],
            )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    for each in _listed(value):
        if not isinstance(each, dict):
            raise EpcisRefused("epcis.shape", "vocabularyList", "objects")
        yield each


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _in_xml(root: Element) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    waiting = [root]
    while waiting:
        each = waiting.pop()
        if each.name == "VocabularyElement":
            if "id" not in each.attributes:
                raise EpcisRefused("epcis.shape", "VocabularyElementList", "an id for each element")
            told = [(one.attributes.get("id", ""), one.text) for one in each.children if one.name == "attribute"]
            within = [one for listed in each.children if listed.name == "children" for one in listed.children]
            yield each.attributes["id"], told + [(CHILDREN, one.text) for one in within]
        else:
            waiting += each.children
