"""Scopes of SMART App Launch 2.2 (section 4): which types, which interactions, for whom, and which search they narrow to.

    patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory
    level   type        letters of c r u d s, in this order; then a search that every row must meet

Scopes of version 1 (`.read`, `.write`, `.*`) are understood and told back as they were asked. What is not understood is
not granted; nothing is ever granted that was not asked.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.query import Criterion, read_query
from salus.interop.fhir.survey import TYPES

MOST: Final = 100  # scopes of one request: twice the types of US Core
LONGEST: Final = 8_192  # characters: what fits in a URL beside the rest
LETTERS: Final = "cruds"
READING: Final = "rs"
EARLIER: Final = {"read": "rs", "write": "cud", "*": "cruds"}
LAUNCH: Final = frozenset({"launch", "launch/patient"})
ACCESS: Final = frozenset({"offline_access", "online_access"})
_SCOPE: Final = re.compile(r"(patient|user|system)/([A-Za-z]+|\*)\.(c?r?u?d?s?|read|write|\*)(?:\?(.+))?")


class Rule(msgspec.Struct, frozen=True):
    """One scope that opens resources."""

    text: str
    """As it was asked."""
    level: str
    kind: str
    """Resource type, or `*`."""
    letters: str
    query: tuple[tuple[str, str], ...] = ()

    def covers(self, kind: str, letter: str) -> bool:
        """Tell whether it opens an interaction on a type."""
        return letter in self.letters and self.kind in {"*", kind}


class Access(msgspec.Struct, frozen=True):
    """What a token lets its bearer do, beside what the person may."""

    client: str
    rules: tuple[Rule, ...]
    link: bytes = b""
    """Link of the one patient in context; empty: none."""
    own: bool = False
    """Whether the person is that patient."""

    def may(self, kind: str, letter: str) -> bool:
        """Tell whether any rule opens an interaction on a type (`*`: on any)."""
        return any(letter in rule.letters and (kind == "*" or rule.covers(kind, letter)) for rule in self.effective())

    def effective(self) -> Iterable[Rule]:
        """Return the rules that open anything: those for a patient need one in context."""
        return (rule for rule in self.rules if rule.level != "patient" or self.link)


class Asked(msgspec.Struct, frozen=True):
    """The scopes of a request, read."""

    rules: tuple[Rule, ...] = ()
    others: frozenset[str] = frozenset()
    """Of `LAUNCH` and `ACCESS`."""

    @property
    def patient(self) -> bool:
        """Whether a patient must be chosen."""
        return "launch/patient" in self.others or any(rule.level == "patient" for rule in self.rules)


def read_scopes(text: str) -> Asked:
    """Return what a list of scopes asks, without what is not understood. Too long a list asks nothing."""
    words = list(dict.fromkeys(text.split()))
    if len(words) > MOST or len(text) > LONGEST:
        return Asked()
    rules = tuple(rule for word in words if (rule := _rule(word)))
    return Asked(rules, frozenset(words) & (LAUNCH | ACCESS))


def _rule(word: str) -> Rule | None:
    found = _SCOPE.fullmatch(word)
    if found is None:
        return None
    level, kind, letters, query = found.groups()
    letters = EARLIER.get(letters, letters)
    if not letters or (kind != "*" and kind not in TYPES):
        return None
    if not query:
        return Rule(word, level, kind, letters)
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    # A restricted scope reads: whether a resource to be written meets a search is known only once it is indexed.
    reading = "".join(letter for letter in letters if letter in READING)
    if kind == "*" or not reading or not _plain(kind, pairs):
        return None
    return Rule(word, level, kind, reading, pairs)


def _plain(kind: str, pairs: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether a scope's search is of plain parameters: no chains, modifiers, or parameters of results."""
    if not pairs:
        return False
    try:
        query = read_query(kind, pairs, now=0)
    except Refused:
        return False
    plain = all(isinstance(test, Criterion) and not test.modifier and test.missing is None for test in query.tests)
    return plain and len(query.tests) == len(pairs)


def allowed(asked: Asked, by: Asked) -> Asked:
    """Return what of `asked` a client may ask that was registered for `by`: each letter under the same or a wider scope."""
    rules = []
    for rule in asked.rules:
        wider = [one for one in by.rules if one.level == rule.level and one.kind in {"*", rule.kind}]
        letters = "".join(
            letter for letter in rule.letters if any(letter in one.letters and _within(rule, one) for one in wider)
        )
        if letters == rule.letters:
            rules.append(rule)
        elif letters:
            tail = rule.text.partition("?")[1] + rule.text.partition("?")[2]
            rules.append(
                msgspec.structs.replace(rule, text=f"{rule.level}/{rule.kind}.{letters}{tail}", letters=letters)
            )
    return Asked(tuple(rules), asked.others & by.others)


def _within(rule: Rule, wider: Rule) -> bool:
    """Tell whether every search of the wider scope is one of the narrower's too."""
    return set(wider.query) <= set(rule.query)


def only(asked: Asked, letters: str, levels: Iterable[str]) -> Asked:
    """Return what of `asked` stands for callers who may only do `letters`, under `levels`."""
    levels = set(levels)
    rules = []
    for rule in asked.rules:
        kept = "".join(letter for letter in rule.letters if letter in letters)
        if rule.level in levels and kept:
            tail = rule.text.partition("?")[1] + rule.text.partition("?")[2]
            text = rule.text if kept == rule.letters else f"{rule.level}/{rule.kind}.{kept}{tail}"
            rules.append(msgspec.structs.replace(rule, text=text, letters=kept))
    return Asked(tuple(rules), asked.others)


def told(asked: Asked) -> str:
    """Return granted scopes as a token's answer tells them."""
    return " ".join([*(rule.text for rule in asked.rules), *sorted(asked.others)])
