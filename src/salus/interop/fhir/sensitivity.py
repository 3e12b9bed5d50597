"""Sensitivity classes: what sharing is decided by. Rules are data (`sensitivity.toml`), the highest class wins.

A class is a fact of the index, outside a record's header and leaf: a new table of rules relabels, it never re-seals.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Final

import msgspec

from salus.core.errors import SalusError
from salus.interop.fhir.facts import Facts
from salus.interop.fhir.survey import TYPES, Coding


class Sensitivity(IntEnum):
    """The classes in rising rank; the numbers stand in index rows and grants."""

    GENERAL = 0
    MEDICATION = 1
    LABORATORY = 2
    IMAGING = 3
    CLAIMS = 4
    RESEARCH = 5
    GENETIC = 6
    REPRODUCTIVE = 7
    SEXUAL_HEALTH = 8
    MENTAL_HEALTH = 9
    SUBSTANCE_USE = 10

    @property
    def code(self) -> str:
        """The class as grants and tables spell it: "mental-health"."""
        return self.name.lower().replace("_", "-")


CLASSES: Final = {one.code: one for one in Sensitivity}


class BadRules(SalusError):
    """A table of sensitivity rules that cannot be used; says where and why."""


class Rules(msgspec.Struct, frozen=True):
    """Compiled rules. word_classes: from a text to the classes, highest first, whose word begins a word in it."""

    version: str
    types: dict[str, Sensitivity]
    codes: dict[tuple[str, str], Sensitivity]
    prefixes: dict[str, tuple[tuple[str, Sensitivity], ...]]
    word_classes: Callable[[str], tuple[Sensitivity, ...]]
    inheriting: frozenset[str]
    inherited_from: Sensitivity


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"sensitivity": "class"}):
    sensitivity: str
    types: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    codes: dict[str, tuple[str, ...]] = {}
    prefixes: dict[str, tuple[str, ...]] = {}


class _Inherit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"lowest": "from"}):
    lowest: str
    types: tuple[str, ...]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    source: str
    inherit: _Inherit
    rule: tuple[_Rule, ...]


def read_rules(text: str) -> Rules:
    """Compile a table in the form of `sensitivity.toml`. Raises `BadRules`: no TOML, unknown key, class or type."""
    try:
        table = msgspec.convert(tomllib.loads(text), _Table)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadRules(f"sensitivity rules: {error}") from error
    types: dict[str, Sensitivity] = {}
    codes: dict[tuple[str, str], Sensitivity] = {}
    prefixes: dict[str, list[tuple[str, Sensitivity]]] = {}
    words: dict[Sensitivity, list[str]] = {}
    for rule in table.rule:
        rank = _class(rule.sensitivity)
        for kind in rule.types:
            types[_type(kind)] = max(rank, types.get(kind, rank))
        for system, many in rule.codes.items():
            for code in many:
                codes[system, code] = max(rank, codes.get((system, code), rank))
        for system, many in rule.prefixes.items():
            prefixes.setdefault(system, []).extend((prefix, rank) for prefix in many)
        words.setdefault(rank, []).extend(rule.words)
    return Rules(
        table.version,
        types,
        codes,
        {system: tuple(many) for system, many in prefixes.items()},
        _word_classes(words),
        frozenset(_type(kind) for kind in table.inherit.types),
        _class(table.inherit.lowest),
    )


def _class(code: str) -> Sensitivity:
    if code not in CLASSES:
        raise BadRules(f"sensitivity rules: class {code!r}, expected one of {', '.join(CLASSES)}")
    return CLASSES[code]


def _type(kind: str) -> str:
    if kind not in TYPES:
        raise BadRules(f"sensitivity rules: type {kind!r} is not one of R4")
    return kind


def _word_classes(words: dict[Sensitivity, list[str]]) -> Callable[[str], tuple[Sensitivity, ...]]:
    patterns = [
        (rank, re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(many))) + ")", re.IGNORECASE))
        for rank, many in sorted(words.items(), reverse=True)
        if many
    ]

    @lru_cache(maxsize=8192)
    def word_classes(text: str) -> tuple[Sensitivity, ...]:
        return tuple(rank for rank, pattern in patterns if pattern.search(text))

    return word_classes


def classify(found: Facts, codings: Iterable[Coding], rules: Rules) -> Sensitivity:
    """Return the highest class that the type, any coding (security labels are codings) or any word gives.

    `codings` are all codings of the resource. A person's own name is not searched for words.
    """
    rank = rules.types.get(found.type, Sensitivity.GENERAL)
    codes, prefixes, word_classes = rules.codes, rules.prefixes, rules.word_classes
    for coding in codings:
        system, code, display = coding
        rank = max(rank, codes.get((system, code), rank))
        if display and (told := word_classes(display[:_SEARCHED])):
            rank = max(rank, told[0])
        for prefix, of_prefix in prefixes.get(system, ()):
            if of_prefix > rank and code.startswith(prefix):
                rank = of_prefix
    if found.person is None and found.type not in _NAMED and (told := word_classes(found.label)):
        rank = max(rank, told[0])
    return rank


def classes(found: Facts, codings: Iterable[Coding], rules: Rules) -> frozenset[Sensitivity]:
    """Return every class, from the one that is inherited upwards, that any coding or word gives.

    A resource of two sensitive matters is of both, and whoever forbids one of them means it.
    """
    told = {rules.types.get(found.type, Sensitivity.GENERAL)}
    for system, code, display in codings:
        told.add(rules.codes.get((system, code), Sensitivity.GENERAL))
        told.update(rules.word_classes(display[:_SEARCHED]) if display else ())
        told.update(rank for prefix, rank in rules.prefixes.get(system, ()) if code.startswith(prefix))
    if found.person is None and found.type not in _NAMED:
        told.update(rules.word_classes(found.label))
    return frozenset(rank for rank in told if rank >= rules.inherited_from)


_SEARCHED: Final = 1_000
"""Characters of a display that are searched and remembered: real ones have at most 255 (SNOMED CT, LOINC)."""
_NAMED: Final = frozenset({"Practitioner", "Organization", "Location", "RelatedPerson"})
"""Their label is a name: a clinic called so says nothing about a patient."""


def inherited(own: Sensitivity, others: Iterable[Sensitivity], kind: str, rules: Rules) -> Sensitivity:
    """Return the class of an inheriting type, given the classes of what it refers to."""
    if kind not in rules.inheriting:
        return own
    return max([own, *(other for other in others if other >= rules.inherited_from)])


# ---- security labels of an index row -----------------------------------------------------------------------------

CLASS_SYSTEM: Final = "urn:salus:sensitivity"
_BARE: Final = frozenset(
    {
        "",
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    }
)
"""Systems of HL7's security labels: they share no code, so the code alone names the label."""


def labels_of(security: Iterable[Coding]) -> list[str]:
    """Return `meta.security` as labels, ascending: the code of HL7's own systems, else "system|code"."""
    return sorted({one.code if one.system in _BARE else f"{one.system}|{one.code}" for one in security})


def label_of(sensitivity: Sensitivity) -> str:
    """Return the label of a row that is of a class: its highest class and every other."""
    return f"{CLASS_SYSTEM}|{sensitivity.code}"


def names_class(label: str) -> bool:
    """Tell whether a label is that of a class."""
    return label.startswith(f"{CLASS_SYSTEM}|")
