"""Validation of FHIR R4 resources against the official structures, and against profiles of packages.

    findings = Validator().check(tree)
    answer = outcome(findings)

Pure: `now` (an instant in text) is given by the caller for the few rules that speak of today.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

from salus.interop.fhir.definitions import r4
from salus.interop.fhir.fhirpath import Environment
from salus.interop.fhir.fhirpath.model import r4 as r4_model
from salus.interop.fhir.validation.conform import Conforming
from salus.interop.fhir.validation.findings import Finding, Path, outcome
from salus.interop.fhir.validation.profiles import Profiles, ProfileUnusable
from salus.interop.fhir.validation.shapes import Shapes
from salus.interop.fhir.validation.walk import Walk

__all__ = ["Finding", "ProfileUnusable", "Validator", "outcome"]

MOST: Final = 200


@cache
def _shapes() -> Shapes:
    return Shapes(r4(), r4_model())


class Validator:
    """Checks resources of R4; safe to share.

    packages: the resources of FHIR packages (StructureDefinition, ValueSet, CodeSystem), whose profiles are checked
    where a resource claims them in meta.profile, or where they are asked for.
    """

    def __init__(self, packages: Iterable[dict[str, Any]] = ()) -> None:
        self._shapes = _shapes()
        self.profiles = Profiles(self._shapes.definitions.with_own_codes(), packages)

    def check(
        self, tree: Any, *, profiles: Iterable[str] = (), now: str | None = None, limit: int = MOST
    ) -> list[Finding]:
        """Return what is wrong with a decoded resource (see `gate.decode`), at most `limit` findings, in its order.

        Profiles are only looked at when the structure holds. A warning never keeps an error from being told.
        Raises ProfileUnusable for one without snapshot.
        """
        walk = Walk(self._shapes, now, limit)
        walk.resource(tree, None, None)
        if any(one.severity == "error" for one in walk.findings):
            return walk.findings
        found = list(walk.findings)
        for inner, at in _resources(tree):
            asked = list(profiles) if inner is tree else []
            for url in dict.fromkeys([*asked, *_claimed(inner, self.profiles)]):
                environment = Environment(resource=inner, root_resource=inner, now=now, resolve=_within(tree))
                conforming = Conforming(self._shapes, self.profiles, environment, limit=limit)
                conforming.resource(inner, url, at)
                found += [one for one in conforming.findings if one not in found]
        return _most_severe(found, limit)


def _most_severe(found: list[Finding], limit: int) -> list[Finding]:
    """Keep at most `limit` findings in their order, errors rather than warnings."""
    spare = len(found) - limit
    if spare <= 0:
        return found
    warnings = [at for at, one in enumerate(found) if one.severity != "error"][-spare:]
    return [one for at, one in enumerate(found) if at not in warnings][:limit]


def _claimed(tree: dict[str, Any], profiles: Profiles) -> list[str]:
    """Return the profiles that a resource claims and that are at hand."""
    return [url for url in tree.get("meta", {}).get("profile", ()) if isinstance(url, str) and profiles.get(url)]


def _resources(tree: dict[str, Any]) -> list[tuple[dict[str, Any], Path]]:
    """Return a resource and, of a Bundle, those of its entries, with their places."""
    root: Path = (None, tree["resourceType"], -1)
    out = [(tree, root)]
    for index, entry in enumerate(tree.get("entry", ()) if tree["resourceType"] == "Bundle" else ()):
        if "resource" in entry:
            out.append((entry["resource"], ((root, "entry", index), "resource", -1)))
    return out


def _within(tree: dict[str, Any]) -> Callable[[str], dict[str, Any] | None]:
    """Return a lookup of references within a Bundle: by fullUrl, or Type/id."""
    known: dict[str, dict[str, Any]] = {}
    for inner, _ in _resources(tree)[1:]:
        known[f"{inner['resourceType']}/{inner.get('id')}"] = inner
    for entry in tree.get("entry", ()) if tree["resourceType"] == "Bundle" else ():
        if "resource" in entry and "fullUrl" in entry:
            known[entry["fullUrl"]] = entry["resource"]
    return known.get
