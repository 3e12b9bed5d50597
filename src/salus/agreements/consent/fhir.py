"""FHIR R4 Consent as provisions: the second kind of terms that `decide` reads.

A consent counts when it is active and of scope patient-privacy. Its root provision's type is the base rule, nested
provisions are exceptions to the one that holds them; elements AND, repetitions OR (R4 Consent, IHE PCF 1.1 volume 3). What
is not understood is listed in `unread`: filing refuses it, and of a consent stored otherwise rule 5 of `decide` makes
the narrowest of it.
"""

from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec

from salus.agreements.consent.decide import MAX_DEPTH, Actor, Asker, Datum, Effect, Meaning, Provision
from salus.agreements.consent.vocabulary import (
    ACTION_SYSTEM,
    EMERGENCY,
    IMPERSONAL,
    OPT_IN,
    OPT_OUT,
    PERSONAL,
    PURPOSES,
    RECIPIENTS,
    RESOURCE_TYPES,
    ROLE_SYSTEM,
    SCOPE,
)
from salus.interop.fhir.sensitivity import labels_of
from salus.interop.fhir.survey import TYPES, Coding
from salus.interop.fhir.times import EARLIEST, LATEST, interval
from salus.interop.fhir.tokens import Tree

MAX_PROVISIONS: Final = 200
"""Of one consent: the longest that national templates use has some thirty."""
_AXES: Final = {
    "period": "active",
    "actor": "actors",
    "action": "actions",
    "securityLabel": "labels",
    "purpose": "purposes",
    "class": "classes",
    "code": "codes",
    "dataPeriod": "periods",
    "data": "data",
}
"""Elements of a provision and the axes that they become."""
_KNOWN: Final = frozenset({*_AXES, "id", "extension", "type", "provision"})
_MEANINGS: Final = ("instance", "related", "dependents", "authoredby")


class FhirConsent(msgspec.Struct, frozen=True):
    """A Consent as far as the decision needs it.

    name: "Consent/id". patient: "Patient/id", "" without. scope, status: codes. provisions: none where the consent states no
    rule that a program can follow (a scan of a paper). emergency: it speaks of emergency access.
    unread: FHIRPaths of what is not understood.
    """

    name: str
    patient: str
    scope: str
    status: str
    provisions: tuple[Provision, ...]
    emergency: bool
    unread: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Whether it rules anything, its period aside."""
        return self.status == "active" and self.scope == SCOPE and bool(self.provisions)


def read_consent(tree: Tree) -> FhirConsent:
    """Return what a Consent says; of one that is malformed, as much as can be read, the rest in `unread`."""
    reader = _Reader(f"Consent/{tree.get('id', '')}")
    root = tree.get("provision")
    if "modifierExtension" in tree:
        reader.unread.append("Consent.modifierExtension")
    provisions: tuple[Provision, ...] = ()
    if isinstance(root, dict):
        provisions = tuple(reader.provisions(root, "Consent.provision", 1))
    else:
        rule = {coding.code for coding in _codings(tree.get("policyRule"))}
        if rule & {OPT_IN, OPT_OUT}:
            effect: Effect = "deny" if OPT_OUT in rule else "permit"
            provisions = (Provision(f"{reader.name}: Consent.policyRule", effect),)
    if "Consent.modifierExtension" in reader.unread:
        provisions = tuple(msgspec.structs.replace(one, unread=True) for one in provisions)
    return FhirConsent(
        name=reader.name,
        patient=_local(_dict(tree.get("patient"))),
        scope=next((coding.code for coding in _codings(tree.get("scope"))), ""),
        status=_text(tree.get("status")),
        provisions=provisions,
        emergency=any(_emergency(one) for one in provisions),
        unread=tuple(reader.unread),
    )


def narrowing(consent: FhirConsent) -> FhirConsent:
    """Return what a consent says for another record of the same patient: its denials alone."""
    provisions = tuple(msgspec.structs.replace(one, narrows=True) for one in consent.provisions)
    return msgspec.structs.replace(consent, provisions=provisions)


def in_force(consents: Iterable[FhirConsent], asker: Asker) -> tuple[Provision, ...]:
    """Return the terms that some consents of one patient make for an asker, in an order that is theirs.

    In an emergency (purposes ETREAT and BTG) only consents that speak of emergencies count: silence about the worst day
    is no answer to it.
    """
    counting = [one for one in consents if one.counts and (one.emergency or asker.purpose not in EMERGENCY)]
    return tuple(provision for one in sorted(counting, key=lambda one: one.name) for provision in one.provisions)


def _emergency(provision: Provision) -> bool:
    return not EMERGENCY.isdisjoint(provision.purposes) or any(_emergency(one) for one in provision.exceptions)


class _Reader:
    """Reads one consent; `unread` gathers what it does not understand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.unread: list[str] = []
        self._count = 0

    def provisions(self, tree: Tree, path: str, level: int) -> list[Provision]:
        """Return a provision; two when its classes name both types and documents, of which one must fit."""
        self._count += 1
        before = len(self.unread)
        effect = self._effect(tree, path)
        self.unread += [f"{path}.{element}" for element in tree if element.lstrip("_") not in _KNOWN]
        types, classes = self._classes(tree, path)
        axes: dict[str, Any] = {
            "active": self._period(tree, "period", path),
            "actors": tuple(self._actor(one, f"{path}.actor[{at}]") for at, one in enumerate(_list(tree, "actor"))),
            "actions": self._actions(tree, path),
            "labels": tuple(labels_of(_codings(tree.get("securityLabel")))),
            "purposes": self._purposes(tree, path),
            "codes": self._codes(tree, path),
            "periods": (window,) if (window := self._period(tree, "dataPeriod", path)) else (),
            "data": tuple(self._data(tree, path)),
        }
        self._lost(tree, path, axes)
        for text in self.unread[before:]:
            element = text.removeprefix(f"{path}.").partition("[")[0].partition(".")[0]
            if element == "class":
                types, classes = (), ()
            elif element in _AXES:
                axes[_AXES[element]] = None if element == "period" else ()
        whole = Provision(f"{self.name}: {path}", effect, unread=len(self.unread) > before, **axes)
        whole = msgspec.structs.replace(whole, exceptions=tuple(self._exceptions(tree, path, level)))
        if types and classes:
            return [msgspec.structs.replace(whole, types=types), msgspec.structs.replace(whole, classes=classes)]
        return [msgspec.structs.replace(whole, types=types, classes=classes)]

    def _exceptions(self, tree: Tree, path: str, level: int) -> Iterable[Provision]:
        nested = _list(tree, "provision")
        if nested and (level == MAX_DEPTH - 1 or self._count + len(nested) > MAX_PROVISIONS):
            self.unread.append(f"{path}.provision")
            return [Provision(f"{self.name}: {path}.provision", "deny", unread=True)]
        return [
            one
            for at, inner in enumerate(nested)
            for one in self.provisions(inner, f"{path}.provision[{at}]", level + 1)
        ]

    def _effect(self, tree: Tree, path: str) -> Effect:
        told = tree.get("type")
        if told not in ("permit", "deny"):
            self.unread.append(f"{path}.type")
        return "permit" if told == "permit" else "deny"

    def _lost(self, tree: Tree, path: str, axes: dict[str, Any]) -> None:
        """Note an element that is there and of which nothing is left: an empty axis would constrain nothing."""
        left = {"actor": "actors", "securityLabel": "labels", "action": "actions", "data": "data"}
        self.unread += [f"{path}.{name}" for name, axis in left.items() if name in tree and not axes[axis]]

    def _period(self, tree: Tree, name: str, path: str) -> tuple[int, int] | None:
        if name not in tree:
            return None
        told = _dict(tree[name])
        start = interval(_text(told.get("start"))) if "start" in told else (EARLIEST, EARLIEST)
        end = interval(_text(told.get("end"))) if "end" in told else (LATEST, LATEST)
        if start is None or end is None or not told:
            self.unread.append(f"{path}.{name}")
            return None
        return start[0], end[1]

    def _actor(self, tree: Tree, path: str) -> Actor:
        reference = _dict(tree.get("reference"))
        who, role, foreign = _local(reference), "", False
        vague = who.partition("/")[0] in PERSONAL
        identifier = _dict(reference.get("identifier"))
        if not who and identifier:
            who = f"{_text(identifier.get('system'))}|{_text(identifier.get('value'))}"
            vague = reference.get("type") not in IMPERSONAL
        if not who and reference:
            self.unread.append(f"{path}.reference")
        codings = _codings(tree.get("role"))
        if codings and not any(one.code in RECIPIENTS for one in codings):
            role = next((one.code for one in codings if one.system == ROLE_SYSTEM), "")
            if not role:
                role, foreign = codings[0].code, True
        return Actor(who, role, vague, foreign)

    def _actions(self, tree: Tree, path: str) -> tuple[str, ...]:
        codings = _codings(tree.get("action"))
        known = tuple(one.code for one in codings if one.system in {"", ACTION_SYSTEM})
        if len(known) < len(codings):
            self.unread.append(f"{path}.action")
        return known

    def _purposes(self, tree: Tree, path: str) -> tuple[str, ...]:
        codings = _codings(tree.get("purpose"))
        told = tuple(PURPOSES.get((one.system, one.code), "") for one in codings)
        if "" in told or ("purpose" in tree and not told):
            self.unread.append(f"{path}.purpose")
        return tuple(dict.fromkeys(filter(None, told)))

    def _classes(self, tree: Tree, path: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """Return types, and codes of documents and other content."""
        codings = _codings(tree.get("class"))
        types = tuple(one.code for one in codings if one.system == RESOURCE_TYPES)
        if not set(types) <= TYPES or ("class" in tree and not codings):
            self.unread.append(f"{path}.class")
        return types, tuple((one.system or "*", one.code) for one in codings if one.system != RESOURCE_TYPES)

    def _codes(self, tree: Tree, path: str) -> tuple[tuple[str, str], ...]:
        concepts = _list(tree, "code")
        if ("code" in tree and not concepts) or not all(_codings(one) for one in concepts):
            self.unread.append(f"{path}.code")
        return tuple((one.system or "*", one.code) for one in _codings(concepts))

    def _data(self, tree: Tree, path: str) -> Iterable[Datum]:
        for at, one in enumerate(_list(tree, "data")):
            meaning, name = one.get("meaning"), _local(_dict(one.get("reference")))
            if meaning in _MEANINGS and name:
                yield Datum(cast("Meaning", meaning), name)
            else:
                self.unread.append(f"{path}.data[{at}]")


def _local(reference: Tree) -> str:
    """Return a Reference's "Type/id", without base and version; "" for what names no resource."""
    parts = _text(reference.get("reference")).partition("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 and parts[-2] in TYPES and parts[-1] else ""


def _codings(value: Any) -> list[Coding]:
    """Return the codings in a Coding, a CodeableConcept or a list of either."""
    if isinstance(value, list):
        return [coding for item in value for coding in _codings(item)]
    told = _dict(value)
    if "coding" in told:
        return _codings(told["coding"])
    code = _text(told.get("code"))
    return [Coding(_text(told.get("system")), code, "")] if code else []


def _dict(value: Any) -> Tree:
    return value if isinstance(value, dict) else {}


def _list(tree: Tree, name: str) -> list[Tree]:
    value = tree.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
