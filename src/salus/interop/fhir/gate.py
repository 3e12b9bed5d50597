"""The gate: bytes of FHIR R4 JSON to resources, or a named refusal.

It takes single resources, Bundles of any type and NDJSON streams. Raw bytes are kept exactly as received, so that
decimals and order of elements survive. Checked here, once: UTF-8 without BOM, JSON of one reading (a duplicate key
would let two parsers read two truths from one anchored byte string), size and depth, resource type, id, that every
top-level element exists in R4 and is of its JSON kind, and that dates, references and codings are well formed. Cardinality, nested
elements, bindings and invariants are the validator's.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from salus.core.proof.digest import digest
from salus.interop.fhir.elements import ELEMENTS
from salus.interop.fhir.refusal import Refused, kind_of
from salus.interop.fhir.survey import TYPES, Coding, Survey, explain, known_name, survey_of
from salus.interop.fhir.times import interval
from salus.interop.fhir.tokens import BLANK, ID, LIMITS, Limits, Tree, check_keys, decode, oversized


class Resource(msgspec.Struct, frozen=True):
    """One resource that passed the gate.

    type, id: of the resource; id is "" only for a Bundle entry that is to be created (POST).
    raw: the exact bytes received, without bytes outside the resource's braces.
    tree: decoded, with every number that has a fraction or exponent as Decimal.
    references: every `reference` string, outer elements first. codings: every {system, code, display}.
    source: digest (label salus/v1/source) of the unit received: the resource, the NDJSON line or the Bundle.
    """

    type: str
    id: str
    raw: bytes
    tree: Tree
    references: tuple[str, ...]
    codings: tuple[Coding, ...]
    source: bytes


_KINDS: Final[dict[str, dict[str, str]]] = {name: {"resourceType": "s", **kinds} for name, kinds in ELEMENTS.items()}
_WORDS: Final = {
    "s": "a string",
    "b": "a boolean",
    "i": "an integer",
    "n": "a number",
    "d": "a date string",
    "R": "a Reference object",
    "C": "a CodeableConcept object",
    "G": "a Coding object",
    "I": "an Identifier object",
    "P": "a Period object",
    "o": "an object",
    "r": "a resource object",
}
_CLASSES: Final[dict[str, type | tuple[type, ...]]] = {
    "s": str,
    "d": str,
    "b": bool,
    "i": int,
    "n": (int, Decimal),
    **dict.fromkeys("RCGIPor", dict),
}


def read_resource(raw: bytes, *, limits: Limits = LIMITS, id_required: bool = True) -> Resource:
    """Read one resource (a Bundle too, then as one document). Raises `Refused`."""
    tree = decode(raw, limits.resource_bytes, limits)
    kind = type_of(tree, "")
    survey = survey_of(tree, limits.depth)
    check_keys(raw, survey.keys, kind)
    return admit(raw.strip(BLANK), tree, kind, survey, digest("salus/v1/source", raw), id_required=id_required)


def read_ndjson(chunks: Iterable[bytes], *, limits: Limits = LIMITS) -> Iterator[Resource | Refused]:
    """Read a stream of newline-delimited resources, in pieces of any size; blank lines are skipped.

    Yields each line's resource or refusal; never holds more than one line of at most `resource_bytes` and a chunk.
    """
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            yield from _line(b"".join([*held, piece]) if size <= limits.resource_bytes else None, limits)
            held, size = [], 0
        size += len(rest)
        if size <= limits.resource_bytes:
            held.append(rest)
        else:
            held = []
    yield from _line(b"".join(held) if size <= limits.resource_bytes else None, limits)


def _line(line: bytes | None, limits: Limits) -> Iterator[Resource | Refused]:
    if line is None:
        yield oversized(limits.resource_bytes, "a longer line")
    elif line.strip(BLANK):
        try:
            yield read_resource(line, limits=limits)
        except Refused as refused:
            yield refused


def type_of(tree: object, path: str) -> str:
    """Return a decoded resource's type. Raises `Refused` (no object, no type, no type of R4)."""
    if not isinstance(tree, dict):
        raise Refused("not-an-object", path, expected="a resource object", got=kind_of(tree), todo="send one resource")
    kind = tree.get("resourceType")
    if not isinstance(kind, str):
        raise Refused("no-type", path, expected="resourceType", got=kind_of(kind), todo="name the resource's type")
    if kind not in TYPES:
        raise Refused(
            "unknown-type", path, expected="one of the 146 types of R4", got="another name", todo="send FHIR R4 (4.0.1)"
        )
    return kind


def admit(
    raw: bytes, tree: Tree, kind: str, survey: Survey, source: bytes, *, id_required: bool, within: str = ""
) -> Resource:
    """Return a decoded and surveyed tree as a resource. Raises `Refused`; `within` is the path of a Bundle's entry."""
    path = within or kind
    if survey.fault:
        raise explain(tree, path, survey.fault)
    check_elements(tree, kind, path)
    for index, inner in enumerate(tree.get("contained", ())):
        check_elements(inner, type_of(inner, f"{path}.contained[{index}]"), f"{path}.contained[{index}]")
    own = tree.get("id", "")
    if not own and id_required:
        raise Refused("no-id", path, expected="an id", got="none", todo="give the resource its logical id")
    if own and ID.fullmatch(own) is None:
        raise Refused(
            "bad-id", f"{path}.id", expected="1 to 64 of A-Z a-z 0-9 - .", got=kind_of(own), todo="use a valid id"
        )
    return Resource(kind, own, raw, tree, survey.references, survey.codings, source)


def check_elements(tree: Tree, kind: str, path: str) -> None:
    """Refuse top-level elements that the type does not have or that are of another JSON kind."""
    kinds = _KINDS[kind]
    for name, value in tree.items():
        told = kinds.get(name)
        if told is None:
            if not name.startswith("_") or name[1:] not in kinds or not isinstance(value, dict | list):
                raise Refused(
                    "unknown-element",
                    f"{path}.{known_name(name)}",
                    expected=f"an element of {kind}",
                    got="another",
                    todo="remove it or use an extension",
                )
            continue
        letter = told[0]
        if len(told) == 1:
            _check_kind(value, letter, path, name)
            continue
        if value.__class__ is not list:
            raise Refused("wrong-kind", f"{path}.{name}", expected="an array", got=kind_of(value), todo="send a list")
        padded = letter in "sbind" and "_" + name in tree
        for item in value:
            if item is not None or not padded:
                _check_kind(item, letter, path, name)


def _check_kind(value: Any, letter: str, path: str, name: str) -> None:
    if not isinstance(value, _CLASSES[letter]) or (value.__class__ is bool and letter != "b"):
        raise Refused(
            "wrong-kind",
            f"{path}.{name}",
            expected=_WORDS[letter],
            got=kind_of(value),
            todo="send the element as R4 defines it",
        )
    if letter == "d" and isinstance(value, str) and interval(value) is None:
        raise Refused(
            "bad-date",
            f"{path}.{name}",
            expected="a date that exists, with zone if it has a time",
            got=kind_of(value),
            todo="correct the date",
        )
