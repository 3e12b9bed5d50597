"""FHIR's own functions (FHIR R4 fhirpath.html) and the two keys of SQL on FHIR v2."""

from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, XMLParser

from salus.interop import plain_xml
from salus.interop.fhir.fhirpath.environment import Frame
from salus.interop.fhir.fhirpath.errors import EvaluationFailed
from salus.interop.fhir.fhirpath.model import Node, child_nodes, system_value
from salus.interop.fhir.fhirpath.operators import single, text
from salus.interop.fhir.fhirpath.registry import function

_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "big",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "ul",
        "var",
    ]
)
_ATTRIBUTES: Final = frozenset(
    [
        "abbr",
        "accesskey",
        "align",
        "alt",
        "axis",
        "bgcolor",
        "border",
        "cellhalign",
        "cellpadding",
        "cellspacing",
        "cellvalign",
        "char",
        "charoff",
        "charset",
        "cite",
        "class",
        "colspan",
        "compact",
        "coords",
        "dir",
        "frame",
        "headers",
        "height",
        "href",
        "hreflang",
        "hspace",
        "id",
        "lang",
        "longdesc",
        "name",
        "nowrap",
        "rel",
        "rev",
        "rowspan",
        "rules",
        "scope",
        "shape",
        "span",
        "src",
        "start",
        "style",
        "summary",
        "tabindex",
        "title",
        "type",
        "valign",
        "value",
        "vspace",
        "width",
    ]
)
_XHTML: Final = "{http://www.w3.org/1999/xhtml}"


def _children(item: Any, name: str, frame: Frame) -> list[Any]:
    out: list[Any] = []
    if item.__class__ is Node:
        child_nodes(item, name, frame.model, out)
    return out


@function("extension", 1)
def extension(items: list[Any], frame: Frame, url: list[Any]) -> list[Any]:
    """Return the extensions with that url."""
    wanted = text(url, "extension()")
    found = [one for item in items for one in _children(item, "extension", frame)]
    return [one for one in found if one.value.__class__ is dict and one.value.get("url") == wanted]


@function("hasValue")
def has_value(items: list[Any], _: Frame) -> list[Any]:
    """Tell whether the input is one primitive with a value, not only extensions."""
    if len(items) != 1:
        return [False]
    value = items[0].value if items[0].__class__ is Node else items[0]
    return [value is not None and value.__class__ is not dict]


@function("getValue")
def get_value(items: list[Any], _: Frame) -> list[Any]:
    """Return the System value of one primitive, else nothing."""
    if len(items) != 1:
        return []
    value = system_value(items[0])
    return [] if value is None or value.__class__ is dict else [value]


def _reference(item: Any) -> str | None:
    """Read the address of a Reference element, or of a uri, url or canonical."""
    value = item.value if item.__class__ is Node else item
    if value.__class__ is dict:
        value = value.get("reference")
    return value if isinstance(value, str) and value else None


def _contained(address: str, frame: Frame) -> Any:
    """Find what a local reference (#id) means: in the resource at hand, or its container for a contained one."""
    for holder in (*frame.resource, *frame.root):
        resource = holder.value if holder.__class__ is Node else holder
        if resource.__class__ is not dict:
            continue
        if address == "#":
            return frame.root[0].value if frame.root else resource
        for one in resource.get("contained") or ():
            if one.__class__ is dict and one.get("id") == address[1:]:
                return one
    return None


@function("resolve")
def resolve(items: list[Any], frame: Frame) -> list[Any]:
    """Return the resources that references mean; those that nobody can resolve are left out."""
    out: list[Any] = []
    for item in items:
        address = _reference(item)
        if address is None:
            continue
        found = _contained(address, frame) if address[0] == "#" else None
        if found is None and address[0] != "#" and frame.environment.resolve is not None:
            found = frame.environment.resolve(address)
        if found is not None:
            out.append(frame.model.node(found) if frame.model else Node(found, None))
    frame.spend(len(out))
    return out


@function("getResourceKey")
def get_resource_key(items: list[Any], _: Frame) -> list[Any]:
    """Return the key of a resource's rows in SQL on FHIR, its id."""
    keys = [item.value.get("id") for item in items if item.__class__ is Node and item.value.__class__ is dict]
    return [one for one in keys if one is not None]


@function("memberOf", 1)
def member_of(items: list[Any], frame: Frame, value_set: list[Any]) -> list[Any]:
    """Ask the given callable whether a code is in a value set; empty when it cannot tell."""
    wanted = text(value_set, "memberOf()")
    if len(items) != 1 or wanted is None or frame.environment.member_of is None:
        return []
    found = frame.environment.member_of(items[0].value if items[0].__class__ is Node else items[0], wanted)
    return [] if found is None else [found]


@function("conformsTo", 1)
def conforms_to(items: list[Any], frame: Frame, profile: list[Any]) -> list[Any]:
    """Ask the given callable whether the input conforms to a profile. Raises EvaluationFailed when it cannot tell."""
    wanted = text(profile, "conformsTo()")
    if len(items) != 1 or wanted is None:
        return []
    ask = frame.environment.conforms_to
    found = ask(items[0].value if items[0].__class__ is Node else items[0], wanted) if ask else None
    if found is None:
        raise EvaluationFailed("conformsTo() names a profile that is not known here")
    return [found]


@function("elementDefinition")
def element_definition(_: list[Any], __: Frame) -> list[Any]:
    """Without definitions at hand there is nothing to return."""
    return []


@function("slice", 2)
def slice_of(_: list[Any], __: Frame, ___: list[Any], ____: list[Any]) -> list[Any]:
    """Without definitions at hand no element is known to be in a slice."""
    return []


@function("checkModifiers", 0, 16)
def check_modifiers(items: list[Any], frame: Frame, *known: list[Any]) -> list[Any]:
    """Return the input. Raises EvaluationFailed at a modifier extension whose url is not among the arguments."""
    urls = {single(one, "checkModifiers()") for one in known}
    for item in items:
        for one in _children(item, "modifierExtension", frame):
            if one.value.get("url") not in urls:
                raise EvaluationFailed("checkModifiers() found a modifier extension that is not known")
    return items


@function("htmlChecks")
def html_checks(items: list[Any], _: Frame) -> list[Any]:
    """Tell whether narrative is well-formed XHTML of the elements that FHIR allows (R4 narrative, txt-1 and txt-2)."""
    value = single(items, "htmlChecks()")
    return [] if not items else [value.__class__ is str and narrative_is_safe(value)]


class _Shape:
    """Collect tags and attributes; a document type, and with it every entity, is refused."""

    def __init__(self) -> None:
        self.safe = True
        self.content = False
        self.depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.removeprefix(_XHTML)
        self.safe &= name in _TAGS and (self.depth > 0 or name == "div")
        self.content |= name == "img"
        self.depth += 1
        for key, value in attributes.items():
            plain = key.rpartition("}")[2]
            unsafe_link = plain in {"href", "src"} and value.strip().lower().startswith(("javascript:", "vbscript:"))
            self.safe &= plain in _ATTRIBUTES and not plain.startswith("on") and not unsafe_link

    def end(self, _: str) -> None:
        self.depth -= 1

    def data(self, text_found: str) -> None:
        self.content |= bool(text_found.strip())

    def doctype(self, *_: Any) -> None:
        self.safe = False

    def close(self) -> Element:
        return Element("div")


def narrative_is_safe(value: str) -> bool:
    """Check one narrative: root `div`, allowed elements and attributes only, some content, no document type."""
    if "<!" in value.replace("<!--", "") or plain_xml.expands(value.encode("utf-8", "replace")):
        return False
    shape = _Shape()
    parser = XMLParser(target=shape)  # noqa: S314  # no document type was let in above, so there are no entities
    try:
        parser.feed(value)
        parser.close()
    except (ParseError, ValueError):
        return False
    return shape.safe and shape.content


def _keys(items: list[Any]) -> Iterator[tuple[str, str]]:
    for item in items:
        address = _reference(item)
        if address is None or address.startswith(("#", "urn:")):
            continue
        parts = address.partition("?")[0].rstrip("/").split("/")
        if len(parts) > 3 and parts[-2] == "_history":
            parts = parts[:-2]
        if len(parts) >= 2 and parts[-1] and parts[-2]:
            yield parts[-2], parts[-1]


def reference_keys(items: list[Any], type_name: str | None) -> list[Any]:
    """Return the keys of SQL on FHIR that references hold, of one type if it is named.

    `urn:`, local and logical references have no key: they would join with nothing.
    """
    return [key for kind, key in _keys(items) if type_name is None or kind == type_name]
