"""FHIRPath Patch (R4 fhirpatch.html): operations in Parameters, applied to a decoded resource.

A path is steps from the resource: element names, indexes, and functions of selection (`where`, `ofType`, `first`, `extension`, …).
Its last element's name tells what is changed; all before it is evaluated by the one FHIRPath evaluator.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from salus.interop.fhir.fhirpath import Expression, FhirPathError, Node, compile, r4  # noqa: A004 -- its name there
from salus.interop.fhir.fhirpath.model import TypeDef, child_nodes
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.tokens import Tree

MAX_OPERATIONS: Final = 100
"""Of one patch, as of a JSON Patch."""
KINDS: Final = ("add", "insert", "delete", "replace", "move")
_STEP: Final = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)(?P<call>\(.*\))?(?P<index>(?:\[[0-9]{1,6}\])*)", re.DOTALL
)
SELECTING: Final = frozenset({"where", "ofType", "as", "first", "last", "single", "tail", "skip", "take"})
"""Functions whose result is among the elements that they are asked of: what may stand behind the last name."""
_EXTENSION: Final = re.compile(r"extension\((.*)\)", re.DOTALL)


class Failed(Exception):
    """An operation does not apply; the message says why, without values."""


class _Spot(NamedTuple):
    """Where an element stands: the object, its JSON name, the place in a list or -1; and the element as a node."""

    holder: Tree
    key: str
    at: int
    node: Node


class _Path(NamedTuple):
    """A path taken apart: what comes before the last element's name (empty: the resource), the name ("" where the path is the resource), and the selection behind it."""

    before: str
    name: str
    behind: str


def apply(tree: Tree, parameters: Tree) -> None:
    """Change a resource by the operations of Parameters, in their order. Raises Refused (patch) naming the operation."""
    many = parameters.get("parameter", [])
    if parameters.get("resourceType") != "Parameters" or not isinstance(many, list) or len(many) > MAX_OPERATIONS:
        raise Refused(
            "patch", "Parameters.parameter", expected=f"Parameters with at most {MAX_OPERATIONS} operations",
            got="something else, or more",
            todo="send each change as an operation",
        )  # fmt: skip
    for number, one in enumerate(many):
        try:
            _operate(tree, _operation(one))
        except (Failed, FhirPathError) as fault:
            told = str(fault) if isinstance(fault, Failed) else "the path does not read"
            raise Refused(
                "patch", f"Parameters.parameter[{number}]", expected="operations of FHIRPath Patch on what is there", got=told,
                todo="read the resource again",
            ) from None  # fmt: skip


def _operation(one: Any) -> dict[str, Tree]:
    """Return an operation's parts by name."""
    parts = one.get("part") if isinstance(one, dict) and one.get("name") == "operation" else None
    if not isinstance(parts, list) or not all(
        isinstance(part, dict) and isinstance(part.get("name"), str) for part in parts
    ):
        raise Failed("a parameter `operation` with parts is expected")
    told = {part["name"]: part for part in parts}
    if len(told) != len(parts) or not told.keys() <= {
        "type",
        "path",
        "name",
        "value",
        "index",
        "source",
        "destination",
    }:
        raise Failed("a part is unknown or given twice")
    return told


def _operate(tree: Tree, told: Mapping[str, Tree]) -> None:
    kind = _plain(told, "type", str)
    path = _taken_apart(_plain(told, "path", str), str(tree.get("resourceType", "")))
    handle = _HANDLERS.get(kind)
    if handle is None:
        raise Failed(f"the type is none of {', '.join(KINDS)}")
    handle(tree, path, told)


def _plain(told: Mapping[str, Tree], name: str, kind: type) -> Any:
    part = told.get(name, {})
    value = next((value for key, value in part.items() if key.startswith("value")), None)
    if value.__class__ is not kind:
        raise Failed(f"the part `{name}` is missing or of another type")
    return value


# The path ------------------------------------------------------------------------------------------------------------


def _taken_apart(path: str, kind: str) -> _Path:
    steps = []
    for text in _split(path.strip()):
        found = _STEP.fullmatch(text.strip())
        if found is None:
            raise Failed("the path is no steps of names, indexes and functions")
        whole = _EXTENSION.fullmatch(f"{found['name']}{found['call'] or ''}")
        if whole:  # extension('url') is a selection among elements of that name
            steps += [("extension", ""), ("", f"where(url = {whole[1]}){found['index']}")]
        elif found["call"]:
            steps.append(("", text.strip()))
        else:
            steps.append((found["name"].strip("`"), found["index"]))
    if steps and steps[0] == (kind, ""):
        steps = steps[1:]
    last = max((at for at, (name, _) in enumerate(steps) if name), default=-1)
    if last < 0:
        if steps:
            raise Failed("the path names no element")
        return _Path("", "", "")
    if any(text.partition("(")[0] not in SELECTING for _, text in steps[last + 1 :]):
        raise Failed(f"behind the element's name stands another function than {', '.join(sorted(SELECTING))}")
    name, index = steps[last]
    behind = ".".join([f"$this{index}", *(text for _, text in steps[last + 1 :])])
    before = ".".join(f"{one}{text}" for one, text in steps[:last])
    return _Path(before, name, behind if behind != "$this" else "")


def _split(path: str) -> list[str]:
    """Split at the dots that stand outside parentheses, brackets and quotes."""
    parts, start, depth, quote, escaped = [], 0, 0, "", False
    for at, char in enumerate(path):
        if quote:
            quote = quote if escaped or char != quote else ""
            escaped = char == "\\" and not escaped
        elif char in "'\"`":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "." and depth == 0:
            parts.append(path[start:at])
            start = at + 1
    return [*parts, path[start:]]


def _compiled(text: str) -> Expression:
    return compile(text)


def _parent(tree: Tree, path: _Path) -> tuple[Node, Tree]:
    """Return the one element that holds what the path names last."""
    root = r4().node(tree)
    found = _compiled(path.before).items(root) if path.before else [root]
    if len(found) != 1:
        raise Failed(f"the path leads to {'nothing' if not found else 'several elements'}")
    return _held(found[0])


def _held(found: Any) -> tuple[Node, Tree]:
    if not isinstance(found, Node) or not isinstance(found.value, dict) or found.type is None:
        raise Failed("the path leads into a primitive value")
    return found, found.value


def _spots(tree: Tree, path: _Path) -> list[_Spot]:
    """Return what a path leads to."""
    if not path.name:
        raise Failed("the path is the resource itself")
    spots = []
    root = r4().node(tree)
    for one in _compiled(path.before).items(root) if path.before else [root]:
        parent, holder = _held(one)
        nodes: list[Any] = []
        child_nodes(parent, path.name, r4(), nodes)
        key = next((key for key in _keys(parent, path.name) if key in holder), "")
        if key:
            spots += [_Spot(holder, key, at, node) for at, node in zip(_places(holder, key), nodes, strict=True)]
    if not path.behind:
        return spots
    chosen = _compiled(path.behind).items([spot.node for spot in spots])
    return [spot for spot in spots if any(spot.node is one for one in chosen)]


def _places(holder: Tree, key: str) -> list[int]:
    """Return where the elements of a list stand, in which null keeps the place of what has neither value nor companion; -1 for one alone."""
    many = holder[key]
    if not isinstance(many, list):
        return [-1]
    told = holder.get(f"_{key}")
    others = told if isinstance(told, list) else []
    length = max(len(many), len(others))
    return [at for at in range(length) if any(at < len(row) and row[at] is not None for row in (many, others))]


def _keys(parent: Node, name: str) -> list[str]:
    """Return the JSON names that an element may have."""
    element = parent.type.elements.get(name) if parent.type is not None else None
    if element is None:
        raise Failed("there is no such element")
    return [key for key, _, _ in element.choices]


def _one(tree: Tree, path: _Path) -> _Spot:
    spots = _spots(tree, path)
    if len(spots) != 1:
        raise Failed(f"the path leads to {'nothing' if not spots else 'several elements'}")
    return spots[0]


def _list(tree: Tree, path: _Path) -> tuple[list[Any], Tree, str, TypeDef]:
    """Return a list that a path leads to, made if it is not there, with its holder, JSON name and type."""
    if path.behind or not path.name:
        raise Failed("the path is no list")
    parent, holder = _parent(tree, path)
    (key,) = _keys(parent, path.name)[:1]
    element = parent.type.elements[path.name] if parent.type is not None else None
    if element is None or not element.many:
        raise Failed("the element does not repeat")
    return holder.setdefault(key, []), holder, key, element.choices[0][2]


# Values --------------------------------------------------------------------------------------------------------------


def _value(told: Mapping[str, Tree], kinds: Sequence[tuple[str, str, TypeDef]]) -> tuple[str, Any]:
    """Return (JSON name, value) of a part `value` for an element of these choices."""
    part = told.get("value")
    if part is None:
        raise Failed("the part `value` is missing")
    return _made(part, kinds)


def _made(part: Tree, kinds: Sequence[tuple[str, str, TypeDef]]) -> tuple[str, Any]:
    named = [key for key in part if key.startswith("value")]
    if isinstance(part.get("part"), list) and not named:
        key, _, kind = kinds[0]
        return key, _object(part["part"], kind)
    if "resource" in part and not named:
        return kinds[0][0], part["resource"]
    if len(named) != 1:
        raise Failed("a value has one type, or parts")
    if len(kinds) == 1:
        return kinds[0][0], part[named[0]]
    suffix = named[0].removeprefix("value")
    for key, _, kind in kinds:
        if key.endswith(suffix) and kind.name.lower() == suffix.lower():
            return key, part[named[0]]
    raise Failed("the element has no such type")


def _object(parts: Sequence[Any], kind: TypeDef) -> Tree:
    """Return an element without a type of its own from its parts, each by the name of a child."""
    out: Tree = {}
    for part in parts:
        element = kind.elements.get(part.get("name", "")) if isinstance(part, dict) else None
        if element is None:
            raise Failed("a part of the value names no element")
        key, value = _made(part, element.choices)
        if element.many:
            out.setdefault(key, []).append(value)
        elif key in out:
            raise Failed("a part of the value is given twice")
        else:
            out[key] = value
    return out


def _aligned(holder: Tree, key: str, change: Callable[[list[Any]], None], length: int) -> None:
    """Change the companions of a list of primitives as the list is changed."""
    companions = holder.get(f"_{key}")
    if isinstance(companions, list):
        companions += [None] * (length - len(companions))
        change(companions)
        if not any(one is not None for one in companions):
            del holder[f"_{key}"]


# Operations ----------------------------------------------------------------------------------------------------------


def _add(tree: Tree, path: _Path, told: Mapping[str, Tree]) -> None:
    name = _plain(told, "name", str)
    if path.name:
        spot = _one(tree, path)
        parent, holder = _held(spot.node)
    else:
        parent, holder = _held(r4().node(tree))
    keys = _keys(parent, name)
    element = parent.type.elements[name] if parent.type is not None else None
    if element is None:
        raise Failed("there is no such element")
    key, value = _value(told, element.choices)
    if element.many:
        many = holder.setdefault(key, [])
        _aligned(holder, key, lambda others: others.append(None), len(many))
        many.append(value)
    elif any(one in holder or f"_{one}" in holder for one in keys):
        raise Failed("the element is there already")
    else:
        holder[key] = value


def _insert(tree: Tree, path: _Path, told: Mapping[str, Tree]) -> None:
    at = _plain(told, "index", int)
    many, holder, key, kind = _list(tree, path)
    if not 0 <= at <= len(many):
        raise Failed("the index is outside the list")
    _, value = _value(told, [(key, "", kind)])
    _aligned(holder, key, lambda others: others.insert(at, None), len(many))
    many.insert(at, value)


def _delete(tree: Tree, path: _Path, told: Mapping[str, Tree]) -> None:  # noqa: ARG001 -- an operation's shape
    spots = _spots(tree, path)
    if not spots:
        return  # R4: what is not there is no error
    if len(spots) > 1:
        raise Failed("the path leads to several elements")
    holder, key, at, _ = spots[0]
    if at < 0:
        del holder[key]
        holder.pop(f"_{key}", None)
    else:
        many = holder[key]
        _aligned(holder, key, lambda others: others.__delitem__(at), len(many))
        del many[at]
    _prune(tree)


def _prune(value: Any) -> None:
    """Take away elements that hold nothing any more: FHIR has no empty ones."""
    if isinstance(value, dict):
        for one in value.values():
            _prune(one)
        for key in [key for key, one in value.items() if one in ({}, [])]:
            del value[key]
    elif isinstance(value, list):
        for one in value:
            _prune(one)
        value[:] = [one for one in value if one != {}]


def _replace(tree: Tree, path: _Path, told: Mapping[str, Tree]) -> None:
    spot = _one(tree, path)
    parent, holder = _holder(tree, path, spot)
    element = parent.elements[path.name]
    key, value = _value(told, element.choices)
    if spot.at >= 0:
        _aligned(holder, key, lambda others: others.__setitem__(spot.at, None), len(holder[spot.key]))
        holder[spot.key][spot.at] = value
        return
    del holder[spot.key]
    holder.pop(f"_{spot.key}", None)
    holder[key] = value


def _holder(tree: Tree, path: _Path, spot: _Spot) -> tuple[TypeDef, Tree]:
    """Return the type of the object that holds an element."""
    root = r4().node(tree)
    for one in _compiled(path.before).items(root) if path.before else [root]:
        if isinstance(one, Node) and one.value is spot.holder and one.type is not None:
            return one.type, spot.holder
    raise Failed("the path leads to nothing")


def _move(tree: Tree, path: _Path, told: Mapping[str, Tree]) -> None:
    source, destination = _plain(told, "source", int), _plain(told, "destination", int)
    many, holder, key, _ = _list(tree, path)
    if not (0 <= source < len(many) and 0 <= destination < len(many)):
        raise Failed("an index is outside the list")
    _aligned(holder, key, lambda others: others.insert(destination, others.pop(source)), len(many))
    many.insert(destination, many.pop(source))


_HANDLERS: Final[Mapping[str, Callable[[Tree, _Path, Mapping[str, Tree]], None]]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
