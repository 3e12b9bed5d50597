"""Terminology at hand: the required and extensible value sets of R4, and the value sets and code systems of the operator's packages.

Nothing is guessed: a value set that filters, excludes or draws on a code system that is not here has no expansion.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from salus.interop.fhir.validation.profiles import Profiles, bare


class Concept(NamedTuple):
    """One code of a system; display is "" where the definitions at hand have none."""

    system: str
    code: str
    display: str


class Match(NamedTuple):
    """What a map makes of a code. equivalence: of R4's concept-map-equivalence, from the source's to the target's meaning."""

    equivalence: str
    concept: Concept


class Terminology:
    """What the definitions at hand say of codes; safe to share."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._concepts: dict[str, dict[str, tuple[dict[str, Any], str]]] = {}

    def expand(self, url: str) -> tuple[Concept, ...] | None:
        """Return a value set's concepts by system and code; None where it is not here, or not whole."""
        found = self._profiles.expand(bare(url))
        if found is None:
            return None
        return tuple(self.concept(system, code) for system in sorted(found) for code in sorted(found[system]))

    def concept(self, system: str, code: str) -> Concept:
        """Return a code with its display, if that is known."""
        told, _ = self._of(system).get(code, ({}, ""))
        return Concept(system, code, told.get("display", ""))

    def look_up(self, system: str, code: str) -> Mapping[str, Any] | None:
        """Return a concept as its code system defines it (`code`, `display`, `definition`, ...); None if unknown here."""
        found = self._of(system).get(code)
        if found is not None:
            return found[0]
        return {"code": code} if code in self.codes_of(system) else None

    def name_of(self, system: str) -> str:
        """Return a code system's name, "" where its definition is not here."""
        told = self._profiles.system(system)
        return str(told.get("title") or told.get("name") or "")

    def whole(self, system: str) -> bool:
        """Tell whether every code of a system is known here."""
        return self._profiles.system(system).get("content") == "complete"

    def codes_of(self, system: str) -> frozenset[str]:
        """Return the codes of a system that are known here."""
        listed = [among.get(system, frozenset()) for among in self._profiles.codes.values()]
        return frozenset(self._of(system)).union(*listed)

    def subsumes(self, system: str, a: str, b: str) -> str | None:
        """Return equivalent, subsumes, subsumed-by or not-subsumed; None where the system or a code is not here."""
        known = self._of(system)
        if not self.whole(system) or a not in known or b not in known:
            return None
        if a == b:
            return "equivalent"
        if a in _above(known, b):
            return "subsumes"
        return "subsumed-by" if b in _above(known, a) else "not-subsumed"

    def among(self, url: str) -> Mapping[str, Collection[str]] | None:
        """Return a value set's codes by system; None where it is not here, or not whole."""
        return self._profiles.expand(bare(url))

    def branch(self, system: str, code: str, *, below: bool) -> Collection[str] | None:
        """Return a code and those below, or above, it; None where the system is not here whole, or has no such code."""
        known = self._of(system)
        if not self.whole(system) or code not in known:
            return None
        if not below:
            return {code, *_above(known, code)} & known.keys()
        return {one for one in known if one == code or code in _above(known, one)}

    def translate(self, url: str, system: str, code: str, *, reverse: bool = False) -> list[Match] | None:
        """Return what a concept map makes of a code, or, reverse, what becomes that code; None for a map that is not here."""
        told = self._profiles.concept_map(bare(url))
        if not told:
            return None
        found: list[Match] = []
        for group in told.get("group", ()):
            source, target = group.get("source", ""), group.get("target", "")
            for element in group.get("element", ()):
                for one in element.get("target", ()):
                    ends = (source, element.get("code")), (target, one.get("code"))
                    given, other = (ends[1], ends[0]) if reverse else ends
                    shown = element if reverse else one
                    if given == (system, code) and other[1]:
                        concept = Concept(other[0], other[1], shown.get("display", ""))
                        found.append(Match(one.get("equivalence", "equivalent"), concept))
        return found

    def _of(self, system: str) -> dict[str, tuple[dict[str, Any], str]]:
        """Return a code system's concepts with their parents' codes."""
        if system not in self._concepts:
            held = self._profiles.system(system)
            if not held:
                return {}
            self._concepts[system] = {one["code"]: (one, parent) for one, parent in _walk(held.get("concept", ()), "")}
        return self._concepts[system]


MAX_LEVELS: Final = 64


def _walk(concepts: Iterable[dict[str, Any]], parent: str) -> Iterator[tuple[dict[str, Any], str]]:
    for one in concepts:
        yield one, parent
        yield from _walk(one.get("concept", ()), one["code"])


def _above(known: Mapping[str, tuple[dict[str, Any], str]], code: str) -> set[str]:
    """Return the codes above a code: its parents in the list, and those that properties name."""
    found: set[str] = set()
    waiting = [code]
    for _ in range(MAX_LEVELS):
        parents = {parent for one in waiting for parent in _parents(known, one)} - found
        found |= parents
        waiting = list(parents)
    return found


def _parents(known: Mapping[str, tuple[dict[str, Any], str]], code: str) -> set[str]:
    told, parent = known.get(code, ({}, ""))
    named = {
        one.get("valueCode", "") for one in told.get("property", ()) if one.get("code") in {"parent", "subsumedBy"}
    }
    return ({parent} | named) - {""}
