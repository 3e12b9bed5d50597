"""What an asker may see, as SQL over `entry e JOIN link l`: decided per policy class, enforced inside every query.

A realm is a set of links under the same terms: the member's own records under its policy, patients whose own consent
rules instead, and each live lease under its grant. Where no realm holds a row, the row does not exist for the asker.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from salus.agreements.consent.conditions import NEVER, Condition
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide
from salus.index.predicates import Sql, marks, sql_of
from salus.index.store import Store

MAX_CACHED: Final = 1_000
"""Sets of terms whose decisions are kept: leases and consents of a day's patients."""


class Realm(msgspec.Struct, frozen=True):
    """Links under one set of terms. links: ids; empty means all own links but those of `but`."""

    terms: tuple[Provision, ...]
    links: tuple[bytes, ...] = ()
    but: tuple[bytes, ...] = ()


class Scope(msgspec.Struct, frozen=True):
    """The test of rows that the asker may see, over the aliases e and l, with its values; `none` when it is empty."""

    text: str
    values: tuple[Any, ...]


_Class = tuple[str, int, str, str]
_Decided = dict[_Class, Condition]
"""By the class itself, never by its number: an index that is built anew numbers them anew."""


class Scopes:
    """Makes scopes, remembering decisions: per terms, asker, and window of time in which no term begins or ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[tuple[Provision, ...], Asker], _Decided] = {}

    def scope(self, realms: Sequence[Realm], asker: Asker) -> Scope:
        """Return what `asker` may see in the realms. Raises the index's errors and TooDeep."""
        sql = "SELECT number, type, sensitivity, author, labels FROM policy_class ORDER BY number"
        classes = self._store.ask(sql)
        parts: list[str] = []
        values: list[Any] = []
        for realm in realms:
            test, told = self._permitted(realm.terms, asker, classes)
            if not test:
                continue
            where, named = _links(realm)
            parts.append(f"({where} AND {test})")
            values += [*named, *told]
        return Scope(f"({' OR '.join(parts)})" if parts else "(1 = 0)", tuple(values))

    def _permitted(
        self, terms: tuple[Provision, ...], asker: Asker, classes: Sequence[tuple[Any, ...]]
    ) -> tuple[str, list[Any]]:
        known = self._known_of(terms, asker)
        by_residual: dict[Condition, list[int]] = {}
        for number, *told in classes:
            row_class = (told[0], told[1], told[2], told[3])
            residual = known.get(row_class)
            if residual is None:
                kind, sensitivity, author, labels = row_class
                asked = PolicyClass(kind, sensitivity, author, tuple(labels.split("\n")) if labels else ())
                residual = known[row_class] = decide(terms, asker, asked).residual
            if residual != NEVER:
                by_residual.setdefault(residual, []).append(number)
        tests: list[str] = []
        values: list[Any] = []
        for residual, numbers in by_residual.items():
            text, of_residual = sql_of(residual)
            ranges, bounds = _ranges(numbers)
            tests.append(f"({ranges} AND {text})")
            values += [*bounds, *of_residual]
        return (f"({' OR '.join(tests)})" if tests else ""), values

    def _known_of(self, terms: tuple[Provision, ...], asker: Asker) -> _Decided:
        key = (terms, msgspec.structs.replace(asker, at=_window(terms, asker.at)))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            known = self._known[key] = {}
        return known


def _links(realm: Realm) -> Sql:
    if realm.links:
        return f"l.id IN ({marks(len(realm.links))}) AND l.hidden = 0", list(realm.links)
    if realm.but:
        return f"l.lease = 0 AND l.id NOT IN ({marks(len(realm.but))})", list(realm.but)
    return "l.lease = 0", []


def _ranges(numbers: Sequence[int]) -> tuple[str, list[int]]:
    """Return a test of `e.class` against ascending numbers, as few ranges as they form."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    singles = [lo for lo, hi in runs if lo == hi]
    wide = [(lo, hi) for lo, hi in runs if lo != hi]
    tests = ["e.class BETWEEN ? AND ?"] * len(wide) + ([f"e.class IN ({marks(len(singles))})"] if singles else [])
    return f"({' OR '.join(tests)})", [*(bound for run in wide for bound in run), *singles]


def _window(terms: Sequence[Provision], at: int) -> int:
    """Return the last moment up to `at` at which any term begins or ends: decisions are the same since then."""
    edges = [0]
    waiting = list(terms)
    while waiting:
        one = waiting.pop()
        waiting += one.exceptions
        if one.active:
            edges += one.active
    return max(edge for edge in edges if edge <= at) if at >= 0 else at
