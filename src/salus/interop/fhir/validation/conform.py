"""Conformance of a resource to profiles: the second walk, over what a profile says beyond the core."""

from collections.abc import Iterator
from typing import Any, Final

from salus.interop.fhir.definitions import PROFILED
from salus.interop.fhir.fhirpath import Environment, LimitExceeded, Node
from salus.interop.fhir.refusal import kind_of
from salus.interop.fhir.survey import REFERENCE
from salus.interop.fhir.validation.findings import Path
from salus.interop.fhir.validation.judging import Judging, within
from salus.interop.fhir.validation.profiles import CORE, Kind, Part, Profiles
from salus.interop.fhir.validation.shapes import CODED, Shape, Shapes

DEEPEST: Final = 32
"""Profiles within profiles: more is a cycle."""


class Item:
    """One value under a profile's element: its JSON, the companion of a primitive, its type and place."""

    __slots__ = ("at", "extra", "kind", "value")

    def __init__(self, value: Any, extra: Any, kind: str, at: Path) -> None:
        self.value = value
        self.extra = extra
        self.kind = kind
        self.at = at


class Conforming(Judging):
    """One resource against profiles. `depth`: how many profiles it is inside of."""

    def __init__(
        self, shapes: Shapes, profiles: Profiles, environment: Environment, *, limit: int, depth: int = 0
    ) -> None:
        super().__init__(shapes, limit)
        self.profiles = profiles
        self.environment = environment
        self.depth = depth

    def resource(self, tree: dict[str, Any], url: str, at: Path) -> None:
        """Check a resource against a profile that is at hand."""
        part = self.profiles.get(url)
        kind = tree.get("resourceType")
        if part is None:
            self.found("not-found", "profile", at, "the profile is not at hand: add its package", "warning")
        elif kind != self.profiles.type_of(url) or not isinstance(kind, str):
            self.found("structure", "profile", at, f"the profile is for {self.profiles.type_of(url)}")
        else:
            self.item(part, Item(tree, None, kind, at))

    def item(self, part: Part, item: Item) -> None:
        """Check one value against what its element, or its slice, says."""
        if part.fixed is not None and item.value != part.fixed:
            self.found("value", "fixed", item.at, "expected the profile's fixed value")
        if part.pattern is not None and not _holds(part.pattern, item.value):
            self.found("value", "pattern", item.at, "expected the profile's pattern")
        if part.codes and not self._coded(part.codes, item):
            self.found("code-invalid", "binding", item.at, f"expected a code of the value set {part.codes}")
        elif part.advised and item.kind in CODED and item.value.__class__ is dict:
            self.advised(part.advised, self.profiles.codes[part.advised], item.value, item.at)
        kinds = [one for one in part.kinds if one.code == item.kind or one.code in {"Resource", "DomainResource"}]
        self._typed(kinds, item)
        if part.ruling is not None:
            node = Node(item.value, self.shapes.model.types.get(item.kind), item.extra)
            self.invariants(part.ruling, node, item.at, self.environment)
        if item.value.__class__ is dict and part.parts:
            shape = self.shapes.shape(item.kind)
            for inner in part.parts.values():
                self._element(inner, shape, item)

    def _element(self, part: Part, shape: Shape, holder: Item) -> None:
        items = list(self._items(part, shape, holder))
        stem = part.name.removesuffix("[x]")
        if len(items) < part.min:
            self.found(
                "required", "cardinality", (holder.at, stem, -1), f"expected at least {part.min}, got {len(items)}"
            )
        if part.max is not None and len(items) > part.max:
            self.found(
                "structure", "cardinality", (holder.at, stem, -1), f"expected at most {part.max}, got {len(items)}"
            )
        for item in items:
            if part.kinds and part.name.endswith("[x]") and item.kind not in {one.code for one in part.kinds}:
                told = " or ".join(one.code for one in part.kinds)
                self.found("structure", "type", item.at, f"expected {told}")
            else:
                self.item(part, item)
        if part.slices:
            self._sliced(part, items, holder)

    @staticmethod
    def _items(part: Part, shape: Shape, holder: Item) -> Iterator[Item]:
        """Yield the values of an element; those of a choice whatever their type."""
        stem = part.name.removesuffix("[x]")
        for key, slot in shape.slots.items():
            if slot.element.name.removesuffix("[x]") != stem:
                continue
            value, extra = holder.value.get(key), holder.value.get("_" + key)
            values = value if value.__class__ is list else [] if value is None else [value]
            extras = extra if extra.__class__ is list else [] if extra is None else [extra]
            many = value.__class__ is list or extra.__class__ is list
            for index in range(max(len(values), len(extras))):
                one = values[index] if index < len(values) else None
                companion = extras[index] if index < len(extras) else None
                named = _named(one) if slot.kind == "Resource" else None
                kind = named or PROFILED.get(slot.kind, slot.kind)
                yield Item(one, companion, kind, (holder.at, slot.label, index if many else -1))

    def _sliced(self, part: Part, items: list[Item], holder: Item) -> None:
        counts = dict.fromkeys(part.slices, 0)
        for item in items:
            name = next((name for name, one in part.slices.items() if self._in(part, one, item)), None)
            if name is not None:
                counts[name] += 1
                self.item(part.slices[name], item)
                if part.slices[name].slices:
                    self._sliced(part.slices[name], [item], holder)
            elif part.closed:
                self.found("structure", "slicing", item.at, "expected one of the profile's slices")
        for name, count in counts.items():
            one = part.slices[name]
            place = (holder.at, part.name.removesuffix("[x]"), -1)
            if count < one.min:
                self.found("required", "slice", place, f"expected at least {one.min} in slice {name}, got {count}")
            if one.max is not None and count > one.max:
                self.found("structure", "slice", place, f"expected at most {one.max} in slice {name}, got {count}")

    def _in(self, part: Part, one: Part, item: Item) -> bool:
        """Tell whether a value belongs to a slice: every discriminator says so."""
        return all(self._matches(kind, path, one, item) for kind, path in part.discriminators)

    def _matches(self, kind: str, path: str, one: Part, item: Item) -> bool:
        if kind in {"value", "pattern"} and path == "url" and item.kind == "Extension" and "url" not in one.parts:
            urls = [url for known in one.kinds for url in known.profiles]
            return item.value.__class__ is dict and item.value.get("url") in urls
        meant = one.below(path)
        values = self._along(path, item)
        if kind == "exists":
            return bool(values) == (meant is not None and meant.max != 0 and meant.min > 0)
        if meant is None:
            return False
        if kind == "type":
            codes = {self.profiles.type_of(url) for known in meant.kinds for url in known.profiles or known.targets}
            codes |= {known.code for known in meant.kinds}
            return any(value.kind in codes for value in values)
        if kind == "profile":
            return any(self._meets(meant, value, path) for value in values)
        return bool(values) and any(self._clean(meant, value) for value in values)

    def _meets(self, meant: Part, value: Item, path: str) -> bool:
        urls = [
            url for known in meant.kinds for url in (known.targets if path.endswith("resolve()") else known.profiles)
        ]
        return any(self._fits(url, value.value) for url in urls)

    def _fits(self, url: str, tree: Any) -> bool:
        """Tell whether a resource fits one profile; one not at hand is met by its type alone."""
        if tree.__class__ is not dict or tree.get("resourceType") != self.profiles.type_of(url):
            return url == CORE + "Resource" and tree.__class__ is dict
        if self.profiles.get(url) is None:
            return True
        inner = self._inner()
        inner.resource(tree, url, (None, tree["resourceType"], -1))
        return not any(one.severity == "error" for one in inner.findings)

    def _clean(self, part: Part, item: Item) -> bool:
        inner = self._inner()
        inner.item(part, item)
        return not any(one.severity == "error" for one in inner.findings)

    def _inner(self) -> "Conforming":
        if self.depth >= DEEPEST:
            raise LimitExceeded("profiles refer to each other without end")
        return Conforming(self.shapes, self.profiles, self.environment, limit=1, depth=self.depth + 1)

    def _along(self, path: str, item: Item) -> list[Item]:
        """Return the values at a discriminator's path: names, $this, resolve(), ofType(x), extension('url')."""
        found = [item]
        for step in path.split(".") if "'" not in path else [path]:
            if step == "$this":
                continue
            found = [inner for one in found for inner in self._next(step, one)]
        return found

    def _next(self, step: str, item: Item) -> list[Item]:
        if step == "resolve()":
            address = item.value.get("reference") if item.value.__class__ is dict else None
            meant = self.environment.resolve(address) if isinstance(address, str) and self.environment.resolve else None
            if meant is None:
                named = REFERENCE.fullmatch(address) if isinstance(address, str) else None
                meant = {"resourceType": named["type"]} if named and named["type"] else None
            return [Item(meant, None, meant["resourceType"], item.at)] if meant is not None else []
        if step.startswith("ofType("):
            return [item] if item.kind == step[7:-1] else []
        if item.value.__class__ is not dict:
            return []
        if step.startswith("extension("):
            url = step[11:-2]
            inner = item.value.get("extension")
            inner = inner if inner.__class__ is list else []
            return [
                Item(one, None, "Extension", item.at)
                for one in inner
                if one.__class__ is dict and one.get("url") == url
            ]
        return list(self._items(Part({"id": step, "path": step}), self.shapes.shape(item.kind), item))

    def _typed(self, kinds: list[Kind], item: Item) -> None:
        """Check the profiles of a value's type, and that a reference means what the profile lets it."""
        if item.kind == "Reference" and kinds and item.value.__class__ is dict:
            self._target(kinds, item)
        urls = [url for one in kinds for url in one.profiles]
        held = [url for url in urls if self.profiles.get(url) is not None]
        if not held or len(held) < len(urls):
            return
        if _named(item.value):
            if not any(self._fits(url, item.value) for url in held):
                self.found("structure", "profile", item.at, "expected a resource that meets the profile named here")
        elif not any(self._clean(self.profiles.get(url) or Part({}), item) for url in held):
            self.found("structure", "profile", item.at, f"expected a {item.kind} that meets the profile named here")

    def _target(self, kinds: list[Kind], item: Item) -> None:
        targets = {self.profiles.type_of(url) for one in kinds for url in one.targets}
        address = item.value.get("reference")
        named = REFERENCE.fullmatch(address) if isinstance(address, str) else None
        kind = (named["type"] if named else None) or item.value.get("type")
        if (
            targets
            and None not in targets
            and "Resource" not in targets
            and isinstance(kind, str)
            and kind not in targets
        ):
            told = ", ".join(sorted(one for one in targets if one))
            self.found(
                "structure", "reference-target", item.at, f"expected a reference to {told}, got {kind_of(address)}"
            )

    def _coded(self, name: str, item: Item) -> bool:
        codes = self.profiles.codes[name]
        if item.value.__class__ is str:
            return any(item.value in known for known in codes.values())
        if item.value.__class__ is not dict:
            return True
        return within(codes, item.value.get("coding") if item.kind == "CodeableConcept" else [item.value])


def _named(value: Any) -> str | None:
    name = value.get("resourceType") if value.__class__ is dict else None
    return name if isinstance(name, str) else None


def _holds(pattern: Any, value: Any) -> bool:
    """Tell whether a value holds all that a pattern holds (R4 2.6.8.1, ElementDefinition.pattern[x])."""
    if pattern.__class__ is dict:
        return value.__class__ is dict and all(key in value and _holds(one, value[key]) for key, one in pattern.items())
    if pattern.__class__ is list:
        return value.__class__ is list and all(any(_holds(one, other) for other in value) for one in pattern)
    return bool(value == pattern) and value.__class__ is pattern.__class__
