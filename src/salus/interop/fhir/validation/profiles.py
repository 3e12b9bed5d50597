"""Profiles: StructureDefinitions that constrain R4, from any FHIR package, read into trees of element rules.

Read are snapshots: cardinality, types, reference targets, fixed and pattern values, invariants, slicing by value,
pattern, exists, type and profile, and bindings whose codes the packages hold: required ones, extensible ones and their
maximum. A profile without snapshot is refused.
"""

from collections.abc import Iterable
from typing import Any, Final

from salus.core.errors import SalusError
from salus.interop.fhir.definitions import Definitions
from salus.interop.fhir.validation.shapes import Rule, Ruling

CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
CODES: Final = "http://hl7.org/fhir/ValueSet/"
MAXIMUM: Final = CORE + "elementdefinition-maxValueSet"


class ProfileUnusable(SalusError):
    """A profile that cannot be applied. url: its canonical address. reason: one line."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url}: {reason}")


class Kind:
    """One allowed type of an element: its code, the profiles it must meet one of, and the targets of a reference."""

    __slots__ = ("code", "profiles", "targets")

    def __init__(self, told: dict[str, Any]) -> None:
        self.code: str = told["code"].removeprefix("http://hl7.org/fhirpath/System.")
        self.profiles = tuple(bare(one) for one in told.get("profile", ()))
        self.targets = tuple(bare(one) for one in told.get("targetProfile", ()))


class Part:
    """One element of a profile, or one slice of it; `name` is that of the element, [x] included."""

    __slots__ = (
        "advised",
        "closed",
        "codes",
        "discriminators",
        "fixed",
        "id",
        "kinds",
        "max",
        "min",
        "name",
        "parts",
        "pattern",
        "ruling",
        "slices",
    )  # fmt: skip

    def __init__(self, told: dict[str, Any]) -> None:
        self.id: str = told["id"]
        self.name: str = told["path"].rpartition(".")[2]
        self.min: int = told.get("min", 0)
        self.max = None if told.get("max", "*") == "*" else int(told["max"])
        self.kinds = tuple(Kind(one) for one in told.get("type", ()))
        self.fixed = next((value for key, value in told.items() if key.startswith("fixed")), None)
        self.pattern = next((value for key, value in told.items() if key.startswith("pattern")), None)
        self.codes = ""
        self.advised = ""
        self.ruling: Ruling | None = None
        slicing = told.get("slicing", {})
        self.discriminators = tuple((one["type"], one["path"]) for one in slicing.get("discriminator", ()))
        self.closed = slicing.get("rules") == "closed"
        self.parts: dict[str, Part] = {}
        self.slices: dict[str, Part] = {}

    def below(self, path: str) -> "Part | None":
        """Return the part at a simple path below this one, itself for $this; None where the profile says nothing."""
        found: Part | None = self
        for step in path.split("."):
            if found is not None and step not in {"$this", "resolve()"} and not step.startswith("ofType("):
                found = found.parts.get(step) or found.parts.get(step + "[x]")
        return found


class Profiles:
    """The profiles and value sets of packages, on top of the core's."""

    def __init__(self, definitions: Definitions, resources: Iterable[dict[str, Any]] = ()) -> None:
        self._definitions = definitions
        self._structures: dict[str, dict[str, Any]] = {}
        self._value_sets: dict[str, dict[str, Any]] = {}
        self._systems: dict[str, dict[str, Any]] = {}
        self._read: dict[str, Part] = {}
        self._maps: dict[str, dict[str, Any]] = {}
        by_type = {
            "StructureDefinition": self._structures,
            "ValueSet": self._value_sets,
            "CodeSystem": self._systems,
            "ConceptMap": self._maps,
        }
        for one in resources:
            held = by_type.get(one.get("resourceType", ""))
            if held is not None and isinstance(one.get("url"), str):
                held[one["url"]] = one

    @property
    def codes(self) -> dict[str, dict[str, frozenset[str]]]:
        """Return the codes of the value sets of required bindings, by system."""
        return self._definitions.codes

    @property
    def urls(self) -> list[str]:
        """Return the canonical addresses of the profiles at hand."""
        return sorted(url for url, one in self._structures.items() if one.get("derivation") == "constraint")

    def expand(self, url: str) -> dict[str, set[str]] | None:
        """Return a value set's codes by system, None when they are not all at hand."""
        return self._expand(url, 0)

    def system(self, url: str) -> dict[str, Any]:
        """Return a code system's definition, empty when it is not at hand."""
        return self._systems.get(url, {})

    def concept_map(self, url: str) -> dict[str, Any]:
        """Return a concept map, empty when it is not at hand."""
        return self._maps.get(url, {})

    def get(self, url: str) -> Part | None:
        """Return a profile, None for one that is not at hand. Raises ProfileUnusable."""
        url = bare(url)
        if url not in self._read and url in self._structures:
            self._read[url] = self._part(url, self._structures[url])
        return self._read.get(url)

    def type_of(self, url: str) -> str | None:
        """Return the type that a profile constrains; that of the core's own url is its name."""
        url = bare(url)
        if url in self._structures:
            found: str = self._structures[url]["type"]
            return found
        name = url.removeprefix(CORE)
        return name if name in self._definitions.structures else None

    def _part(self, url: str, structure: dict[str, Any]) -> Part:
        elements = structure.get("snapshot", {}).get("element")
        if not elements:
            raise ProfileUnusable(url, "it has no snapshot: publish the package with snapshots")
        root = Part(elements[0])
        root.ruling = self._ruling(elements[0])
        for told in elements[1:]:
            part = Part(told)
            part.codes, part.advised = self._bound(told.get("binding", {}))
            part.ruling = self._ruling(told)
            holder = root
            steps = told["id"].split(".")[1:]
            for step in steps[:-1]:
                holder = _step(holder, step)
            name, _, sliced = steps[-1].partition(":")
            if not sliced:
                holder.parts[name] = part
            else:
                _inside(holder.parts.setdefault(name, Part({"id": told["id"], "path": told["path"]})), sliced, part)
        return root

    def _bound(self, binding: dict[str, Any]) -> tuple[str, str]:
        """Name the value sets that a binding demands and that it advises, "" for none at hand."""
        url, strength = binding.get("valueSet", ""), binding.get("strength")
        most = [one.get("valueCanonical", "") for one in binding.get("extension", ()) if one["url"] == MAXIMUM]
        demanded = url if strength == "required" else next(iter(most), "")
        return self._codes_of(demanded), self._codes_of(url if strength == "extensible" else "")

    def _codes_of(self, url: str) -> str:
        url = bare(url)
        known = self._definitions.codes
        if url and url.removeprefix(CODES) not in known and url not in known:
            codes = self._expand(url, 0)
            if codes is None:
                return ""
            known[url] = {system: frozenset(found) for system, found in codes.items()}
        return url.removeprefix(CODES)

    def _expand(self, url: str, depth: int) -> dict[str, set[str]] | None:
        """Return a value set's codes by system, None when the packages do not list them all."""
        known = self._definitions.codes.get(url.removeprefix(CODES))
        if known is not None:
            return {system: set(codes) for system, codes in known.items()}
        compose = self._value_sets.get(url, {}).get("compose", {})
        if not compose or "exclude" in compose or depth > 8:
            return None
        out: dict[str, set[str]] = {}
        for include in compose["include"]:
            if "filter" in include or ("valueSet" in include and "system" in include):
                return None
            for inner in include.get("valueSet", ()):
                more = self._expand(bare(inner), depth + 1)
                if more is None:
                    return None
                for system, codes in more.items():
                    out.setdefault(system, set()).update(codes)
            if "system" in include:
                held = self._systems.get(include["system"], {})
                whole = held.get("concept", ()) if held.get("content") == "complete" else ()
                listed = include.get("concept") or whole
                if not listed:
                    return None
                out.setdefault(include["system"], set()).update(_codes(listed))
        return out

    def _ruling(self, told: dict[str, Any]) -> Ruling | None:
        """Return the invariants that are the profile's own, not the core's."""
        own = []
        for one in told.get("constraint", ()):
            core = bare(one.get("source", "")).removeprefix(CORE) in self._definitions.structures
            if one.get("expression") and not core and one["key"] not in self._definitions.constraints:
                own.append(Rule(one["key"], one["severity"], one["expression"], one["human"]))
        return Ruling(own) if own else None


def bare(url: str) -> str:
    """Return a canonical address without its version."""
    return url.partition("|")[0]


def _codes(concepts: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in concepts:
        yield one["code"]
        yield from _codes(one.get("concept", ()))


def _step(holder: Part, step: str) -> Part:
    name, _, sliced = step.partition(":")
    part = holder.parts[name]
    for inner in sliced.split("/") if sliced else ():
        part = part.slices[inner]
    return part


def _inside(part: Part, sliced: str, found: Part) -> None:
    """Put a slice where its id says: `a` into the element, `a/b` into its slice a."""
    *outer, last = sliced.split("/")
    for one in outer:
        part = part.slices[one]
    part.slices[last] = found
