"""Terminology operations (R4 4.7 to 4.9) on what is at hand: expand, validate-code, lookup, subsumes, translate.

What is not at hand is 404, never an empty expansion and never a guess. Nothing of a patient is looked at.
"""

from collections.abc import Mapping
from typing import Any, Final

from salus.interop.fhir.bundle import urn_of
from salus.interop.fhir.terminology import Concept, Terminology
from salus.node.errors import Fault
from salus.node.fhir.answers import BAD, Answer, FhirRefused, Request, tree_of, value_of
from salus.node.fhir.asking import Asking
from salus.node.fhir.presenting import instant, raw

MOST: Final = 1_000
"""Concepts of one answer; `offset` goes on."""
UNLIKE: Final = frozenset({"unmatched", "disjoint"})
"""Equivalences that say that there is no translation."""
NOT_HERE: Final = Fault(404, "not-found")


class Coding:
    """Answers terminology operations for one server."""

    def __init__(self, terminology: Terminology) -> None:
        self._known = terminology

    def expand(self, asking: Asking, request: Request) -> Answer:
        """Answer ValueSet/$expand: url, filter, offset, count. Raises FhirRefused."""
        told = _told(request, ("url",), ("filter", "offset", "count"))
        concepts = self._value_set(told["url"])
        sought = told.get("filter", "").casefold()
        found = [one for one in concepts if sought in one.display.casefold() or sought in one.code.casefold()]
        offset, count = _whole(told, "offset", 0), min(_whole(told, "count", MOST), MOST)
        page = [_contained(one) for one in found[offset : offset + count]]
        expansion: dict[str, Any] = {
            "identifier": urn_of(f"expansion|{told['url']}|{asking.node.now()}"),
            "timestamp": instant(asking.node.now()),
            "total": len(found),
            "offset": offset,
        }
        if page:
            expansion["contains"] = page
        url = told["url"].partition("|")[0]
        return _answer({"resourceType": "ValueSet", "url": url, "status": "active", "expansion": expansion})

    def validate_in_set(self, asking: Asking, request: Request) -> Answer:  # noqa: ARG002 -- an operation's shape
        """Answer ValueSet/$validate-code: url, code, system, display. Raises FhirRefused."""
        told = _told(request, ("url", "code"), ("system", "display"))
        among = [one for one in self._value_set(told["url"]) if one.code == told["code"]]
        found = [one for one in among if told.get("system") in {None, one.system}]
        if "system" not in told and len(found) > 1:
            raise FhirRefused(BAD, "fhir.parameter", "the code stands under several systems", expected="system")
        return _verdict(found[0] if found else None, told, "the value set has no such code")

    def validate_in_system(self, asking: Asking, request: Request) -> Answer:  # noqa: ARG002 -- an operation's shape
        """Answer CodeSystem/$validate-code: url, code, display. Raises FhirRefused."""
        told = _told(request, ("url", "code"), ("display",))
        system, code = told["url"].partition("|")[0], told["code"]
        known = code in self._known.codes_of(system)
        if not known and not self._known.whole(system):
            raise _not_here("the code system is not here, or not whole")
        return _verdict(self._known.concept(system, code) if known else None, told, "the code system has no such code")

    def look_up(self, asking: Asking, request: Request) -> Answer:  # noqa: ARG002 -- an operation's shape
        """Answer CodeSystem/$lookup: system, code. Raises FhirRefused."""
        told = _told(request, ("system", "code"))
        found = self._known.look_up(told["system"], told["code"])
        if found is None:
            raise _not_here("no such code is known here")
        name = self._known.name_of(told["system"]) or told["system"]
        parts = {"name": name, "display": found.get("display") or told["code"]}
        if "definition" in found:
            parts["definition"] = found["definition"]
        return _parameters(parts)

    def subsumes(self, asking: Asking, request: Request) -> Answer:  # noqa: ARG002 -- an operation's shape
        """Answer CodeSystem/$subsumes: system, codeA, codeB. Raises FhirRefused."""
        told = _told(request, ("system", "codeA", "codeB"))
        outcome = self._known.subsumes(told["system"], told["codeA"], told["codeB"])
        if outcome is None:
            raise _not_here("the code system is not here whole, or has no such code")
        return _answer({"resourceType": "Parameters", "parameter": [{"name": "outcome", "valueCode": outcome}]})

    def translate(self, asking: Asking, request: Request) -> Answer:  # noqa: ARG002 -- an operation's shape
        """Answer ConceptMap/$translate: url, system, code, targetsystem, reverse. Raises FhirRefused."""
        told = _told(request, ("url", "system", "code"), ("targetsystem", "reverse"))
        if told.get("reverse", "false") not in {"true", "false"}:
            raise FhirRefused(BAD, "fhir.parameter", "reverse is true or false")
        url, target = told["url"], told.get("targetsystem")
        found = self._known.translate(url, told["system"], told["code"], reverse=told.get("reverse") == "true")
        if found is None:
            raise _not_here("the concept map is not here")
        matches = [one for one in found if target in {None, one.concept.system}]
        result = any(one.equivalence not in UNLIKE for one in matches)
        parts: list[dict[str, Any]] = [{"name": "result", "valueBoolean": result}]
        if not result:
            parts.append({"name": "message", "valueString": "the map has nothing of the same meaning"})
        for one in matches:
            concept = {"name": "concept", "valueCoding": _contained(one.concept)}
            equivalence = {"name": "equivalence", "valueCode": one.equivalence}
            source = {"name": "source", "valueUri": url.partition("|")[0]}
            parts.append({"name": "match", "part": [equivalence, concept, source]})
        return _answer({"resourceType": "Parameters", "parameter": parts})

    def _value_set(self, url: str) -> tuple[Concept, ...]:
        found = self._known.expand(url)
        if found is None:
            raise _not_here("the value set is not here, or its codes are not all here")
        return found


def _told(request: Request, needed: tuple[str, ...], others: tuple[str, ...] = ()) -> dict[str, str]:
    """Return an operation's parameters, of the URL or posted. Raises FhirRefused."""
    pairs = [*request.pairs, *(_posted(request.body) if request.method == "POST" else [])]
    told = dict(pairs)
    if len(told) != len(pairs) or not set(needed) <= told.keys() <= {*needed, *others} or not all(told.values()):
        raise FhirRefused(
            BAD, "fhir.parameter", "the operation takes other parameters",
            expected=", ".join([*needed, *(f"{name} (optional)" for name in others)]) + ", each once",
        )  # fmt: skip
    return told


def _posted(body: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a body, a `coding` as its system, code and display. Raises FhirRefused."""
    tree = tree_of(body)
    many = tree.get("parameter")
    pairs: list[tuple[str, str]] = []
    for one in many if isinstance(many, list) else ():
        name = one.get("name") if isinstance(one, dict) else None
        value = value_of(one) if name else None
        if name == "coding" and isinstance(value, dict):
            pairs += [(key, text) for key, text in value.items() if key != "version" and isinstance(text, str)]
        elif isinstance(value, bool):
            pairs.append((str(name), str(value).lower()))
        else:
            pairs.append((str(name), str(value) if isinstance(value, str | int) else ""))
    return pairs


def _whole(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FhirRefused(BAD, "fhir.parameter", f"{name} is no number", expected="a number from 0")
    return int(text)


def _verdict(found: Concept | None, told: Mapping[str, str], missing: str) -> Answer:
    display = told.get("display")
    if found is None:
        return _parameters({"result": False, "message": missing})
    if display is not None and found.display and display.casefold() != found.display.casefold():
        return _parameters({"result": False, "message": "the display is another", "display": found.display})
    return _parameters({"result": True, **({"display": found.display} if found.display else {})})


def _contained(one: Concept) -> dict[str, str]:
    shown = {"display": one.display} if one.display else {}
    return {"system": one.system, "code": one.code, **shown}


def _parameters(told: Mapping[str, Any]) -> Answer:
    many = [
        {"name": name, "valueBoolean" if isinstance(value, bool) else "valueString": value}
        for name, value in told.items()
    ]
    return _answer({"resourceType": "Parameters", "parameter": many})


def _answer(tree: Mapping[str, Any]) -> Answer:
    return Answer(200, bytes(raw(tree)))


def _not_here(message: str) -> FhirRefused:
    return FhirRefused(NOT_HERE, "fhir.terminology", message, todo="add its package to fhir.packages")
