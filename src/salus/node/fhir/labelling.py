"""`$meta`, `$meta-add` and `$meta-delete` of one resource (R4 resource-operations): its profiles, security labels and tags.

A change is written as an update is, as a version of its own: what rules over a record is part of it. Adding what is there, or
taking what is not, changes nothing.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from salus.node.fhir.answers import BAD, Answer, FhirRefused, Request, tree_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.presenting import raw
from salus.node.fhir.reading import Reading
from salus.node.fhir.writing import Writing

LISTS: Final = ("profile", "security", "tag")
_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Listed = dict[str, list[Any]]


class Labelling:
    """Answers the operations for one server."""

    def __init__(self, reading: Reading, writing: Writing) -> None:
        self._reading = reading
        self._writing = writing

    def read(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Return a resource's meta. Raises FhirRefused."""
        if request.pairs:
            raise FhirRefused(BAD, "fhir.parameter", "$meta takes no parameters")
        (body,) = self._reading.bodies(asking, [self._reading.current(asking, f"{kind}/{own}")], "read")
        return _told(body)

    def add(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Add what is not there yet, by system and code. Raises FhirRefused."""
        return self._change(asking, request, f"{kind}/{own}", _added)

    def delete(self, asking: Asking, request: Request, kind: str, own: str) -> Answer:
        """Take away what is there. Raises FhirRefused."""
        return self._change(asking, request, f"{kind}/{own}", _taken)

    def _change(
        self, asking: Asking, request: Request, name: str, change: Callable[[list[Any], list[Any]], list[Any]]
    ) -> Answer:
        named = _meta(request.body)
        kind, _, own = name.partition("/")
        with self._writing.turns:
            parts = _PARTS.decode(self._writing.readable(asking, request, name))
            meta = _PARTS.decode(parts["meta"]) if "meta" in parts else {}
            there = {part: msgspec.json.decode(meta[part]) if part in meta else [] for part in named}
            found = {part: change(there[part], many) for part, many in named.items()}
            if found == there:
                return self.read(asking, Request("GET", name), kind, own)
            kept = {part: value for part, value in meta.items() if part not in found}
            kept |= {part: raw(many) for part, many in found.items() if many}
            parts.pop("meta", None)
            parts |= {"meta": raw(kept)} if kept else {}
            written = Request("PUT", name, (), msgspec.json.encode(parts), {})
            return _told(self._writing.update(asking, written, kind, own).body)


def _meta(body: bytes) -> _Listed:
    """Return the lists of the posted parameter `meta`. Raises FhirRefused."""
    many = tree_of(body).get("parameter")
    told = [one for one in many if isinstance(one, dict)] if isinstance(many, list) else []
    meta = told[0].get("valueMeta") if [one.get("name") for one in told] == ["meta"] else None
    if (
        not isinstance(meta, dict)
        or not meta.keys() <= set(LISTS)
        or not all(isinstance(one, list) for one in meta.values())
    ):
        raise FhirRefused(
            BAD, "fhir.parameters", "the parameters do not read", path="Parameters.parameter",
            expected=f"meta, as valueMeta with {', '.join(LISTS)}",
        )  # fmt: skip
    return meta


def _key(one: Any) -> Any:
    return (one.get("system"), one.get("code")) if isinstance(one, dict) else one


def _added(there: list[Any], named: list[Any]) -> list[Any]:
    known = {_key(one) for one in there}
    return [*there, *(one for one in named if _key(one) not in known)]


def _taken(there: list[Any], named: list[Any]) -> list[Any]:
    gone = {_key(one) for one in named}
    return [one for one in there if _key(one) not in gone]


def _told(body: bytes) -> Answer:
    meta = _PARTS.decode(body)["meta"]
    return Answer(200, bytes(raw({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta}]})))
