"""FHIR JSON to FHIR XML, for tests: the other direction of the reader, written apart from it over the same definitions."""

from decimal import Decimal
from xml.sax.saxutils import quoteattr

from salus.interop.fhir.definitions import PROFILED, r4


def to_xml(tree):
    """Return a decoded resource as XML."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{_resource(tree)}'.encode()


def _resource(tree):
    kind = tree["resourceType"]
    return f'<{kind} xmlns="http://hl7.org/fhir">{_children(kind, tree)}</{kind}>'


def _children(kind, tree):
    attributes = {"id", "url"} if kind == "Extension" else {"id"} if "Element" in r4().lineage(kind) else set()
    out = []
    elements = {element.name: element for element in r4().elements(kind)}  # Age and its like repeat Quantity's
    for element in elements.values():
        stem = element.name.removesuffix("[x]")
        for told in element.types:
            spoken = PROFILED.get(told, told)
            name = stem if stem == element.name else stem + spoken[0].upper() + spoken[1:]
            if name in attributes or (name not in tree and "_" + name not in tree):
                continue
            values, extras = tree.get(name), tree.get("_" + name)
            if element.max == 1:
                values, extras = [values], [extras]
            values, extras = values or [], extras or []
            for at in range(max(len(values), len(extras))):
                value = values[at] if at < len(values) else None
                extra = extras[at] if at < len(extras) else None
                out.append(_element(name, spoken, value, extra))
    return "".join(out)


def _element(name, kind, value, extra):
    if kind == "xhtml":
        return value
    if kind == "Resource":
        return f"<{name}>{_resource(value)}</{name}>"
    own = extra or {} if kind[0].islower() else value
    attributes = f" id={quoteattr(own['id'])}" if "id" in own else ""
    if kind == "Extension":
        attributes += f" url={quoteattr(own['url'])}"
    if kind[0].islower() and value is not None:
        attributes += f" value={_attribute(value)}"
    inner = _children("Element" if kind[0].islower() else kind, own)
    return f"<{name}{attributes}>{inner}</{name}>"


def _attribute(value):
    if isinstance(value, bool):
        return f'"{str(value).lower()}"'
    text = str(value) if isinstance(value, int | Decimal) else value
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
