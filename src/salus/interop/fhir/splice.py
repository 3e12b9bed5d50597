"""Rewriting of ids and references on raw tokens: every other byte of a resource stays as received.

A receiver gives resources its own ids; references follow (R4 3.1.0.11.2): `urn:uuid:` and absolute ones by the
Bundle's fullUrl, relative ones by the receiver's renaming, conditional ones (`Patient?identifier=system|value`) by a
lookup. Links in narrative are left as they are.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal
from urllib.parse import unquote_plus

import msgspec

from salus.interop.fhir.bundle import Bundle
from salus.interop.fhir.gate import Resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.survey import REFERENCE
from salus.interop.fhir.tokens import LIMITS, decode

Problem = Literal["dangling", "missing", "ambiguous", "unsupported"]
"""dangling: a urn that no entry carries; missing, ambiguous: a lookup found none, several; unsupported: other query."""

Find = Callable[[str, str, str], Sequence[str]]
"""(type, identifier system or "", identifier value) to the ids of the resources that carry the identifier."""


def found_nowhere(_type: str, _system: str, _value: str, /) -> Sequence[str]:
    """Find nothing: for input that brings all it refers to."""
    return ()


class Rewriting(msgspec.Struct, frozen=True):
    """How references change. Keys and values are "Type/id".

    full_urls: fullUrl of an entry to its resource here. renamed: relative reference to its new form.
    bases: URL prefixes, with trailing slash, that mean the sender or the receiver itself. find: identifier lookup.
    """

    full_urls: Mapping[str, str] = {}
    renamed: Mapping[str, str] = {}
    bases: tuple[str, ...] = ()
    find: Find = found_nowhere


class Spliced(msgspec.Struct, frozen=True):
    """A resource under its new id.

    raw: the bytes to seal. changed: reference as received to reference now, only where they differ.
    problems: references that could not be resolved and stayed as received.
    """

    resource: Resource
    id: str
    raw: bytes
    changed: Mapping[str, str]
    problems: Mapping[str, Problem]

    def checked(self) -> "Spliced":
        """Return itself, or raise `Refused` (unresolved-reference) if a reference could not be resolved."""
        if self.problems:
            kinds = ", ".join(sorted(set(self.problems.values())))
            raise Refused(
                "unresolved-reference",
                self.resource.type,
                expected="references to what is sent along or already here",
                got=f"{len(self.problems)} that are {kinds}",
                todo="send the targets first or in the same Bundle, and identify each by one identifier",
            )
        return self

    def read(self) -> Resource:
        """Return the resource as it stands now. What was admitted keeps its form: it is decoded and not checked again."""
        if self.raw is self.resource.raw:
            return self.resource
        return msgspec.structs.replace(
            self.resource,
            id=self.id,
            raw=self.raw,
            tree=decode(self.raw, len(self.raw), LIMITS),
            references=tuple(self.changed.get(text, text) for text in self.resource.references),
        )


_STRING: Final = rb'("(?:[^"\\]|\\.)*+")'
_BLANK: Final = rb"[ \t\r\n]*"
_REFERENCES: Final = re.compile(rb'"reference"' + _BLANK + b":" + _BLANK + _STRING)
_URLS: Final = re.compile(rb'"url"' + _BLANK + b":" + _BLANK + rb'("urn:[^"\\]*")')
_HEAD: Final = re.compile(
    rb"\{" + _BLANK + rb'"resourceType"' + _BLANK + b":" + _BLANK + rb'"[A-Za-z]+"' + _BLANK + b"," + _BLANK
    + rb'"id"' + _BLANK + b":" + _BLANK + rb'("[^"\\]*")'
)  # fmt: skip
_TOKENS: Final = re.compile(rb'[{}\[\]]|"id"' + _BLANK + b":" + _BLANK + _STRING + b"|" + _STRING)


def splice(resource: Resource, rewriting: Rewriting, new_id: str = "") -> Spliced:
    """Return the resource under `new_id` ("": its own) with its references rewritten; all other bytes identical."""
    changed: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for text in dict.fromkeys(resource.references):
        outcome = _resolve(text, rewriting)
        if outcome is None or outcome == text:
            continue
        if outcome in _PROBLEMS:
            problems[text] = outcome  # type: ignore[assignment]
        else:
            changed[text] = outcome
    raw = resource.raw
    if changed:
        raw = _replace(raw, _REFERENCES, changed)
    if rewriting.full_urls and b'"urn:' in raw:
        raw = _replace(raw, _URLS, rewriting.full_urls)
    identity = new_id or resource.id
    if identity != resource.id:
        raw = _with_id(raw, identity, known="id" in resource.tree)
    return Spliced(resource, identity, raw, changed, problems)


def full_urls(bundle: Bundle, ids: Sequence[str]) -> dict[str, str]:
    """Map each entry's fullUrl to "Type/id", `ids` being the new id per entry ("" for an entry without resource).

    Raises `Refused` (duplicate-full-url) when two entries carry one fullUrl (bdl-7, no history here).
    """
    known: dict[str, str] = {}
    for number, (entry, own) in enumerate(zip(bundle.entries, ids, strict=True)):
        if entry.resource is None or not entry.full_url:
            continue
        if entry.full_url in known:
            path = f"Bundle.entry[{number}].fullUrl"
            raise Refused(
                "duplicate-full-url", path, expected="a fullUrl of its own", got="a repetition", todo="correct it"
            )
        known[entry.full_url] = f"{entry.resource.type}/{own}"
    return known


_PROBLEMS: Final = frozenset({"dangling", "missing", "ambiguous", "unsupported"})


def _resolve(text: str, rewriting: Rewriting) -> str | None:
    """Return the reference as it shall stand, a `Problem`, or None to leave it."""
    mapped = rewriting.full_urls.get(text)
    if mapped is not None:
        return mapped
    found = REFERENCE.fullmatch(text)
    if found is None or found["fragment"] is not None:
        return None
    if found["urn"]:
        return "dangling"
    if found["sought"]:
        return _lookup(found["sought"], found["query"], rewriting.find)
    if found["absolute"]:
        own = next((text.removeprefix(base) for base in rewriting.bases if text.startswith(base)), "")
        return (_resolve(own, rewriting) or own) if REFERENCE.fullmatch(own) else None
    return _rename(text, f"{found['type']}/{found['id']}", rewriting.renamed)


def _rename(text: str, target: str, renamed_to: Mapping[str, str]) -> str | None:
    renamed = renamed_to.get(target)
    return None if renamed is None else renamed + text.removeprefix(target)


def _lookup(sought: str, query: str, find: Find) -> str:
    name, _, token = query.partition("=")
    if name != "identifier" or not token or "&" in token or "," in token:
        return "unsupported"
    system, bar, value = unquote_plus(token).rpartition("|")
    ids = find(sought, system if bar else "", value)
    if len(ids) != 1:
        return "ambiguous" if ids else "missing"
    return f"{sought}/{ids[0]}"


def _replace(raw: bytes, pattern: re.Pattern[bytes], changed: Mapping[str, str]) -> bytes:
    """Replace the string tokens (group 1) that decode to a key of `changed`."""
    pieces: list[bytes] = []
    done = 0
    for found in pattern.finditer(raw):
        token = found[1]
        text = msgspec.json.decode(token, type=str) if b"\\" in token else token[1:-1].decode()
        new = changed.get(text)
        if new is not None:
            start, end = found.span(1)
            pieces += (raw[done:start], msgspec.json.encode(new))
            done = end
    pieces.append(raw[done:])
    return b"".join(pieces)


def _with_id(raw: bytes, identity: str, *, known: bool) -> bytes:
    """Replace the resource's own id token, or insert one after the opening brace where it has none."""
    token = msgspec.json.encode(identity)
    if not known:
        return raw[:1] + b'"id":' + token + b"," + raw[1:]
    head = _HEAD.match(raw)
    start, end = head.span(1) if head else _own_id(raw)
    return raw[:start] + token + raw[end:]


def _own_id(raw: bytes) -> tuple[int, int]:
    """Return the span of the id's string token at depth 1. Raises ValueError without one."""
    depth = 0
    for found in _TOKENS.finditer(raw):
        mark = found[0]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif depth == 1 and found[1] is not None:
            return found.span(1)
    raise ValueError("the resource has no id")
