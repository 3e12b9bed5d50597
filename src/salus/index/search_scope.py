"""What an asker may see, as SQL over `entry e JOIN link l`: decided per policy class, enforced inside every query.

A realm is a set of links under the same terms: the member's own records under its policy and the patients' consents, and
each live lease under its grant. Where no realm holds a row, the row does not exist for the asker.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, Final

import msgspec

from salus.agreements.consent.conditions import NEVER, Condition
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide_within
from salus.agreements.consent.fhir import FhirConsent, in_force
from salus.index.consents import NONE, Consents, actors_of
from salus.index.predicates import Sql, marks, sql_of
from salus.index.store import Store

MAX_CACHED: Final = 20_000
"""Sets of terms and askers whose decisions are kept: leases and consents of a day's patients."""
TOGETHER: Final = 100
"""Alternatives side by side in one expression."""


class Realm(msgspec.Struct, frozen=True):
    """Links under one set of terms. links: ids; empty means all own links but those of `but`.

    consented: where a patient's own consents are on file, they rule within `terms` (`decide_within`), and `default`
    permits what they leave open; None stands for `terms`.
    """

    terms: tuple[Provision, ...]
    links: tuple[bytes, ...] = ()
    but: tuple[bytes, ...] = ()
    consented: bool = False
    default: tuple[Provision, ...] | None = None


class Scope(msgspec.Struct, frozen=True):
    """The test of rows that the asker may see, over the aliases e and l, with its values; `none` when it is empty."""

    text: str
    values: tuple[Any, ...]


_Class = tuple[str, int, str, str]
_Test = tuple[str, tuple[Any, ...]]


class _Terms(msgspec.Struct, frozen=True):
    """What rules some links: see `decide_within`. Without consents and default, `ceiling` alone."""

    ceiling: tuple[Provision, ...]
    default: tuple[Provision, ...]
    consents: tuple[Provision, ...] = ()

    def decide(self, asker: Asker, row_class: PolicyClass) -> Condition:
        """Return which rows of a class the asker may see."""
        return decide_within(self.ceiling, self.default, self.consents, asker, row_class).residual

    def edges(self) -> list[int]:
        """Return, ascending, when any term begins or ends, Unix ms: between two of them decisions are the same."""
        found = {0}
        waiting = [*self.ceiling, *self.default, *self.consents]
        while waiting:
            one = waiting.pop()
            waiting += one.exceptions
            found.update(one.active or ())
        return sorted(found)


class _Decided(msgspec.Struct):
    """Decisions by the class itself, never by its number: an index that is built anew numbers them anew.

    test: of the classes of `version`.
    """

    residuals: dict[_Class, Condition] = msgspec.field(default_factory=dict)
    version: object = None
    test: _Test = ("", ())


class _Known(msgspec.Struct):
    """Terms for one asker, and what was decided by them: per window of time, named by its beginning."""

    terms: _Terms
    edges: list[int]
    windows: dict[int, _Decided] = msgspec.field(default_factory=dict)

    def at(self, time: int) -> _Decided:
        """Return what was decided for a moment."""
        place = bisect_right(self.edges, time)
        return self.windows.setdefault(self.edges[place - 1] if place else time, _Decided())


class _Classes:
    """The policy classes as they stood at one moment, and the tests over them, each kept once."""

    def __init__(self, rows: Sequence[tuple[Any, ...]] = ()) -> None:
        self.rows = list(rows)
        self.tests: dict[_Test, _Test] = {}


class Scopes:
    """Makes scopes, remembering decisions: per terms, asker, and window of time in which no term begins or ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._consents = Consents(store)
        self._known: dict[tuple[Any, ...], _Known] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._next = count()  # a number is never used again: whoever still holds one finds nothing under it
        self._classes = _Classes()

    def scope(self, realms: Sequence[Realm], asker: Asker) -> Scope:
        """Return what `asker` may see in the realms. Raises the index's errors and TooDeep."""
        sql = "SELECT number, type, sensitivity, author, labels FROM policy_class ORDER BY number"
        classes = self._classes
        if (rows := self._store.kept(sql)) is not classes.rows and rows != classes.rows:
            classes = self._classes = _Classes(rows)
        parts: list[str] = []
        values: list[Any] = []
        for realm in realms:
            for (test, told), (where, named) in self._tests(realm, asker, classes):
                if test:
                    parts.append(f"({where} AND {test})")
                    values += [*named, *told]
        return Scope(_any(parts) if parts else "(1 = 0)", tuple(values))

    def _tests(self, realm: Realm, asker: Asker, classes: _Classes) -> Iterator[tuple[_Test, Sql]]:
        """Yield the tests of rows of a realm with those of the links that they are for."""
        default = realm.terms if realm.default is None else realm.default
        told = actors_of((*realm.terms, *default))
        who = msgspec.structs.replace(asker, at=0, names=asker.names & told, known=asker.known & told)
        base = (realm.terms, default, who)
        if not realm.consented:
            known = self._known_of(base, lambda: _Terms(realm.terms, default))
            yield self._permitted(known, asker, classes), _links(realm)
            return
        groups: dict[
            int, tuple[_Test, list[bytes]]
        ] = {}  # by identity: to hash a test's values costs more than to decide
        number = self._numbers.setdefault(base, next(self._next))
        for key, consents in {NONE: (), **self._consents.in_use()}.items():
            actors = self._consents.actors(key, consents)
            named = (asker.names & actors, asker.known & actors)
            terms = partial(_ruled, realm.terms, default, consents, who)
            test = self._permitted(self._known_of((number, key, *named), terms), asker, classes)
            groups.setdefault(id(test), (test, []))[1].append(key)
        for test, keys in groups.values():
            yield test, (f"l.lease = 0 AND l.terms IN ({marks(len(keys))})", list(keys))

    def _permitted(self, told: _Known, asker: Asker, classes: _Classes) -> _Test:
        known = told.at(asker.at)
        if known.version is classes:
            return known.test
        by_residual: dict[Condition, list[int]] = {}
        for number, *facts in classes.rows:
            row_class = (facts[0], facts[1], facts[2], facts[3])
            residual = known.residuals.get(row_class)
            if residual is None:
                kind, sensitivity, author, labels = row_class
                asked = PolicyClass(kind, sensitivity, author, tuple(labels.split("\n")) if labels else ())
                residual = known.residuals[row_class] = told.terms.decide(asker, asked)
            if residual != NEVER:
                by_residual.setdefault(residual, []).append(number)
        tests: list[str] = []
        values: list[Any] = []
        for residual, numbers in by_residual.items():
            text, of_residual = sql_of(residual)
            ranges, bounds = _ranges(numbers)
            tests.append(f"({ranges} AND {text})")
            values += [*bounds, *of_residual]
        test = (_any(tests) if tests else "", tuple(values))
        known.version, known.test = classes, classes.tests.setdefault(test, test)
        return known.test

    def _known_of(self, key: tuple[Any, ...], terms: Callable[[], _Terms]) -> _Known:
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
                self._numbers.clear()
            made = terms()
            known = self._known[key] = _Known(made, made.edges())
        return known


def _ruled(
    ceiling: tuple[Provision, ...], default: tuple[Provision, ...], consents: Sequence[FhirConsent], asker: Asker
) -> _Terms:
    return _Terms(ceiling, default, in_force(consents, asker))


def _any(tests: Sequence[str]) -> str:
    """Return a disjunction as a balanced tree: SQLite takes 1,000 levels of an expression, a row of ORs is one a test."""
    if len(tests) <= TOGETHER:
        return f"({' OR '.join(tests)})"
    half = len(tests) // 2
    return f"({_any(tests[:half])} OR {_any(tests[half:])})"


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
