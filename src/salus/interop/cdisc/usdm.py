"""Reading a protocol: USDM 4.0 in its JSON form (`USDM_API.json`, wrapper around one study), whole or not at all.

Every object is of a class of the model, every attribute belongs to its class, every id that is referred to exists and
is of the class that the model names. What is wrong is told by rule and path, all of it at once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from salus.interop.cdisc.findings import DocumentRefused, Finding
from salus.interop.cdisc.usdm_model import CLASSES, KINDS, SCALARS, Attribute
from salus.interop.plain_json import has_half_characters

MOST_BYTES: Final = 64 << 20  # sixty times CDISC's pilot
WRAPPER: Final = frozenset({"study", "usdmVersion", "systemName", "systemVersion"})
_SCALAR_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "date": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "float": (int, Decimal),
}


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One object of a protocol."""

    kind: str
    """Its class."""
    path: str
    """JSON pointer to it."""
    values: Mapping[str, Any]
    """Scalars, ids, Things, or tuples of these, by attribute. What is not given is not there."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.text("id")

    @property
    def name(self) -> str:
        """Its name, "" without one."""
        return self.text("name")

    def text(self, attribute: str) -> str:
        """Return a text, "" where there is none."""
        return str(self.values.get(attribute, ""))

    def flag(self, attribute: str) -> bool:
        """Return a boolean, False where there is none."""
        return self.values.get(attribute, False) is True

    def one(self, attribute: str) -> "Thing | None":
        """Return a contained object, or None."""
        found: Thing | None = self.values.get(attribute)
        return found

    def all(self, attribute: str) -> "tuple[Thing, ...]":
        """Return contained objects."""
        found: tuple[Thing, ...] = self.values.get(attribute, ())
        return found

    def ids(self, attribute: str) -> tuple[str, ...]:
        """Return the ids that a list refers to."""
        found: tuple[str, ...] = self.values.get(attribute, ())
        return found

    def code(self, attribute: str) -> tuple[str, str]:
        """Return (code, decode) of a Code or of an AliasCode's standard code; ("", "") without one."""
        found = self.one(attribute)
        if found is not None and found.kind == "AliasCode":
            found = found.one("standardCode")
        return ("", "") if found is None else (found.text("code"), found.text("decode"))


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A protocol that was read."""

    version: str
    """Version of USDM."""
    study: Thing
    things: Mapping[str, Thing]
    """Every object by its id."""


class _Doubled(ValueError):
    """An object names an attribute twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Doubled
    return found


def _no_number(_text: str) -> None:
    raise ValueError("not a number of JSON")


def read_usdm(data: bytes) -> Definition:
    """Return the protocol in a USDM 4.0 JSON file. Raises DocumentRefused with every finding."""
    document = _parsed(data)
    if not isinstance(document, dict) or not isinstance(document.get("study"), dict):
        raise DocumentRefused((Finding("wrapper", "", "an object with `study` and `usdmVersion`"),))
    for name in document.keys() - WRAPPER:
        raise DocumentRefused((Finding("unknown-attribute", f"/{name}", ", ".join(sorted(WRAPPER))),))
    version = document.get("usdmVersion")
    if not isinstance(version, str) or not version.startswith("4.0"):
        raise DocumentRefused((Finding("version", "/usdmVersion", "4.0", str(version)[:20]),))
    reading = _Reading()
    study = reading.thing(document["study"], "Study", "/study")
    reading.follow()
    if reading.findings or study is None:
        raise DocumentRefused(tuple(reading.findings))
    return Definition(version, study, reading.things)


def _parsed(data: bytes) -> Any:
    if len(data) > MOST_BYTES:
        raise DocumentRefused((Finding("size", "", f"at most {MOST_BYTES} bytes", str(len(data))),))
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(text, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_no_number)
    except _Doubled:
        raise DocumentRefused((Finding("attribute-twice", "", "each attribute once in an object"),)) from None
    except RecursionError:
        raise DocumentRefused((Finding("depth", "", "fewer objects within objects"),)) from None
    except ValueError:
        raise DocumentRefused((Finding("json", "", "JSON in UTF-8 (RFC 8259)"),)) from None
    if has_half_characters(data):
        raise DocumentRefused((Finding("json", "", "whole characters of Unicode"),))
    return found


class _Reading:
    """One reading: what was found so far, and the references still to be followed."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.findings: list[Finding] = []
        self._references: list[tuple[str, str, str]] = []  # path, id, kind

    def thing(self, value: Any, kind: str, path: str) -> Thing | None:
        """Read one object that must be of a class or of an abstract class."""
        if not isinstance(value, dict):
            self._wrong("not-an-object", path, f"an object of class {kind}", _named(value))
            return None
        own = value.get("instanceType")
        if not isinstance(own, str) or own not in KINDS.get(kind, frozenset()):
            expected = " or ".join(sorted(KINDS.get(kind, {kind})))
            self._wrong("unknown-class", f"{path}/instanceType", expected, str(own)[:60])
            return None
        attributes = CLASSES[own]
        for name in value:
            if name not in attributes and name != "instanceType":
                self._wrong("unknown-attribute", f"{path}/{name}", f"an attribute of {own}")
        values = {}
        for attribute in attributes.values():
            read = self._attribute(value.get(attribute.name), attribute, f"{path}/{attribute.name}")
            if read is not None:
                values[attribute.name] = read
        found = Thing(own, path, values)
        if found.id and self.things.setdefault(found.id, found) is not found:
            self._wrong("id-twice", f"{path}/id", "an id that no other object has", self.things[found.id].path)
        return found

    def follow(self) -> None:
        """Check every reference."""
        for path, id_, kind in self._references:
            target = self.things.get(id_)
            if target is None:
                self._wrong("dangling-reference", path, f"the id of a {kind}", id_[:60])
            elif not any(target.kind in KINDS.get(each, frozenset()) for each in kind.split("|")):
                self._wrong("reference-to-other-class", path, f"the id of a {kind}", f"a {target.kind}")

    def _attribute(self, value: Any, attribute: Attribute, path: str) -> Any:
        if value is None or value == []:
            if attribute.needed:
                self._wrong("missing", path, f"{'at least one' if attribute.many else 'a'} {attribute.kind}")
            return None
        if not attribute.many:
            return self._item(value, attribute, path)
        if not isinstance(value, list):
            return self._wrong("not-a-list", path, f"a list of {attribute.kind}", _named(value))
        items = (self._item(each, attribute, f"{path}/{place}") for place, each in enumerate(value))
        return tuple(each for each in items if each is not None)

    def _item(self, value: Any, attribute: Attribute, path: str) -> Any:
        if attribute.reference:
            if not isinstance(value, str) or not value:
                return self._wrong("not-an-id", path, f"the id of a {attribute.kind}", _named(value))
            self._references.append((path, value, attribute.kind))
            return value
        if attribute.kind not in SCALARS:
            return self.thing(value, attribute.kind, path)
        expected = _SCALAR_TYPES[attribute.kind]
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            return self._wrong("wrong-type", path, attribute.kind, _named(value))
        return value

    def _wrong(self, rule: str, path: str, expected: str, got: str = "") -> None:
        self.findings.append(Finding(rule, path, expected, got))


def _named(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def within(thing: Thing) -> Iterator[Thing]:
    """Yield an object and every object that it contains, outermost first."""
    yield thing
    for value in thing.values.values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Thing):
                yield from within(each)
