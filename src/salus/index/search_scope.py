"""What an asker may see, as SQL over `entry e JOIN link l`: decided per policy class, enforced inside every query.

A realm is a set of links under the same terms: the member's own records under its policy and the patients' consents, and
each live lease under its grant. Where no realm holds a row, the row does not exist for the asker.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from salus.agreements.consent.conditions import NEVER, Condition
from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide_within
from salus.agreements.consent.fhir import in_force
from salus.index.consents import NONE, Consents
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
        return decide_within(self.ceiling, self.default, self.consents, asker, row_class).residual


class _Decided(msgspec.Struct):
    """Decisions by the class itself, never by its number: an index that is built anew numbers them anew.

    test: of the classes of `version`.
    """

    residuals: dict[_Class, Condition] = msgspec.field(default_factory=dict)
    version: object = None
    test: _Test = ("", ())


class _Classes:
    """The policy classes as they stood at one moment."""

    def __init__(self, rows: Sequence[tuple[Any, ...]] = ()) -> None:
        self.rows = list(rows)


class Scopes:
    """Makes scopes, remembering decisions: per terms, asker, and window of time in which no term begins or ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._consents = Consents(store)
        self._known: dict[tuple[_Terms, Asker], _Decided] = {}
        self._classes = _Classes()

    def scope(self, realms: Sequence[Realm], asker: Asker) -> Scope:
        """Return what `asker` may see in the realms. Raises the index's errors and TooDeep."""
        sql = "SELECT number, type, sensitivity, author, labels FROM policy_class ORDER BY number"
        classes = self._classes
        if (rows := self._store.ask(sql)) != classes.rows:
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
        if not realm.consented:
            yield self._permitted(_Terms(realm.terms, realm.terms), asker, classes), _links(realm)
            return
        groups: dict[_Test, list[bytes]] = {}
        default = realm.terms if realm.default is None else realm.default
        for number, consents in {NONE: (), **self._consents.in_use()}.items():
            terms = _Terms(realm.terms, default, in_force(consents, asker))
            groups.setdefault(self._permitted(terms, asker, classes), []).append(number)
        for test, numbers in groups.items():
            yield test, (f"l.lease = 0 AND l.terms IN ({marks(len(numbers))})", list(numbers))

    def _permitted(self, terms: _Terms, asker: Asker, classes: _Classes) -> _Test:
        known = self._known_of(terms, asker)
        if known.version is classes:
            return known.test
        by_residual: dict[Condition, list[int]] = {}
        for number, *told in classes.rows:
            row_class = (told[0], told[1], told[2], told[3])
            residual = known.residuals.get(row_class)
            if residual is None:
                kind, sensitivity, author, labels = row_class
                asked = PolicyClass(kind, sensitivity, author, tuple(labels.split("\n")) if labels else ())
                residual = known.residuals[row_class] = terms.decide(asker, asked)
            if residual != NEVER:
                by_residual.setdefault(residual, []).append(number)
        tests: list[str] = []
        values: list[Any] = []
        for residual, numbers in by_residual.items():
            text, of_residual = sql_of(residual)
            ranges, bounds = _ranges(numbers)
            tests.append(f"({ranges} AND {text})")
            values += [*bounds, *of_residual]
        known.version, known.test = classes, ((_any(tests) if tests else ""), tuple(values))
        return known.test

    def _known_of(self, terms: _Terms, asker: Asker) -> _Decided:
        edges = _window((*terms.ceiling, *terms.default, *terms.consents), asker.at)
        key = (terms, msgspec.structs.replace(asker, at=edges))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            known = self._known[key] = _Decided()
        return known


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
