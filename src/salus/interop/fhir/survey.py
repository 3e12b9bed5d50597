"""One walk over a decoded resource: what it holds of keys, references and codings, and the first fault."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from salus.interop.fhir.elements import ELEMENTS, NAMES
from salus.interop.fhir.refusal import Refused, kind_of
from salus.interop.fhir.tokens import Tree, too_deep

TYPES: Final = frozenset(ELEMENTS)
_TYPE: Final = "|".join(sorted(TYPES))
REFERENCE: Final = re.compile(
    rf"(?:#(?P<fragment>[A-Za-z0-9\-.]{{0,64}})"
    rf"|(?P<type>{_TYPE})/(?P<id>[A-Za-z0-9\-.]{{1,64}})(?:/_history/(?P<version>[A-Za-z0-9\-.]{{1,64}}))?"
    rf"|(?P<sought>{_TYPE})\?(?P<query>[^\s]+)"
    r"|(?P<urn>urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|urn:oid:[0-2](?:\.[0-9]+)+)"
    r"|(?P<absolute>https?://[^\s]+))"
)
"""The forms of Reference.reference (R4 2.3.0): fragment, relative, conditional, urn, absolute."""


class Coding(NamedTuple):
    """A code as it stands anywhere in a resource; "" where system or display is absent."""

    system: str
    code: str
    display: str


class Fault(NamedTuple):
    """What is wrong inside which container, at which key or index ("" for the container itself)."""

    container: object
    key: str | int
    code: str
    expected: str


class Survey(NamedTuple):
    """A tree's number of keys, its literal references and codings by level, and its first fault."""

    keys: int
    references: tuple[str, ...]
    codings: tuple[Coding, ...]
    fault: Fault | None


def survey_of(tree: object, limit: int) -> Survey:
    """Walk a tree once, by levels: count keys, collect references and codings, note the first fault.

    Raises `Refused` (too-deep) beyond `limit` levels.
    """
    keys = 0
    references: list[str] = []
    codings: list[Coding] = []
    fault: Fault | None = None
    level: list[Any] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            raise too_deep(limit)
        below: list[Any] = []
        for node in level:
            if node.__class__ is dict:
                keys += len(node)
                fault = _object(node, below) or fault
                if "reference" in node:
                    fault = _reference(node, references) or fault
                if "code" in node:
                    fault = _coding(node, codings) or fault
            elif node.__class__ is list:
                fault = _array(node, below) or fault
        level = below
    return Survey(keys, tuple(references), tuple(codings), fault)


def _object(node: Tree, below: list[Any]) -> Fault | None:
    fault = None
    for value in node.values():
        kind = value.__class__
        if kind is dict or kind is list:
            below.append(value)
        elif fault is None and (value is None or value == ""):
            key = next(key for key, item in node.items() if item is None or item == "")
            fault = Fault(node, key, "empty-value", "a value, or no element")
    return fault if node else Fault(node, "", "empty-value", "at least one element")


def _array(node: list[Any], below: list[Any]) -> Fault | None:
    """As for objects; null is left to the caller, because it pads lists that have an `_` twin (R4 2.6.0.1)."""
    fault = None
    for value in node:
        kind = value.__class__
        if kind is dict or kind is list:
            below.append(value)
        elif fault is None and value == "":
            fault = Fault(node, node.index(""), "empty-value", "a value")
    return fault if node else Fault(node, "", "empty-value", "at least one item")


def _reference(node: Tree, into: list[str]) -> Fault | None:
    """Collect a Reference's literal reference.

    An object there is an element named so (Consent.provision.data), objects one that repeats (Contract.term.action.subject).
    """
    text = node["reference"]
    if text.__class__ is dict or (text.__class__ is list and all(one.__class__ is dict for one in text)):
        return None
    if text.__class__ is not str:
        return Fault(node, "reference", "wrong-kind", "a string")
    if REFERENCE.fullmatch(text) is None:
        return Fault(node, "reference", "bad-reference", "Type/id, #id, urn:uuid:…, an absolute URL or Type?query")
    into.append(text)
    return None


def _coding(node: Tree, into: list[Coding]) -> Fault | None:
    """Collect a coding; the element `code` of most resources is an object, which its own coding follows.

    A resource is none, whatever its `system` is (of an OperationDefinition a boolean).
    """
    code = node["code"]
    if code.__class__ is not str:
        return None
    system = node.get("system", "")
    display = node.get("display", "")
    if system.__class__ is not str or display.__class__ is not str:
        if "resourceType" in node:
            return None
        return Fault(node, "display" if system.__class__ is str else "system", "wrong-kind", "a string")
    into.append(Coding(system, code, display))
    return None


def explain(tree: Tree, path: str, fault: Fault) -> Refused:
    """Return the refusal of a fault with the path of its container, found by identity."""
    found = next((told for told, node in _paths(tree, path) if node is fault.container), path)
    value = fault.container
    if fault.key != "":
        found += f"[{fault.key}]" if isinstance(fault.key, int) else f".{known_name(fault.key)}"
        value = fault.container[fault.key]  # type: ignore[index]
    return Refused(fault.code, found, expected=fault.expected, got=kind_of(value), todo="correct or omit the element")


def _paths(tree: Tree, path: str) -> Iterator[tuple[str, object]]:
    """Yield every container of a tree with its path."""
    waiting: list[tuple[str, Any]] = [(path, tree)]
    while waiting:
        told, node = waiting.pop()
        yield told, node
        items = ((f"{told}.{known_name(key)}", value) for key, value in node.items()) if isinstance(node, dict) else ()
        many = ((f"{told}[{index}]", value) for index, value in enumerate(node)) if isinstance(node, list) else ()
        waiting += [(name, value) for name, value in (*items, *many) if isinstance(value, dict | list)]


def known_name(name: str) -> str:
    """Return a key if R4 has an element of that name, else a stand-in that tells nothing."""
    return name if name.removeprefix("_") in NAMES else "?"
