"""FHIR search over the index: pages, totals, includes, versions, all of permitted rows only.

Every question takes a `Scope`; what the scope does not hold does not exist for it, in counts, orders, chains and
includes alike. Pages follow each other by the last row's sort keys and number, so that rows written meanwhile neither
shift a page nor appear twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from salus.agreements.consent.decide import Asker
from salus.index.errors import BadQuestion
from salus.index.predicates import marks
from salus.index.search_scope import Realm, Scope, Scopes
from salus.index.search_sql import FROM, LAST, Compiler, InWords, Sql, in_fts5, starts, table_of, under
from salus.index.store import Store
from salus.interop.fhir.search.query import Criterion, Include, Query, Sort, Test
from salus.interop.fhir.search.units import UCUM, asks_units, scales, widened
from salus.interop.fhir.times import EARLIEST, LATEST

PROBE: Final = 2_000
"""Rows counted at most to choose what a query starts from."""
ENOUGH: Final = 256
"""Rows that are as good a start as fewer: what is left is not counted then, which may take a walk through all values."""
MAX_INCLUDED: Final = 5_000
"""Resources added to one page."""
MAX_ROUNDS: Final = 10
"""Steps of `:iterate`."""
TOGETHER: Final = 500
"""Numbers or names in one statement."""


class Hit(msgspec.Struct, frozen=True):
    """A resource found. number: the vault's. recorded: Unix ms. gone: a deletion, in histories only."""

    number: int
    link: bytes
    lease: bool
    type: str
    id: str
    version: int
    recorded: int
    gone: bool = False

    @property
    def name(self) -> str:
        """Type/id."""
        return f"{self.type}/{self.id}"


class Found(msgspec.Struct, frozen=True):
    """A page. total: over all pages. cursor: where the next begins, None at the end. included: added to this page."""

    hits: tuple[Hit, ...]
    total: int
    cursor: tuple[Any, ...] | None
    included: tuple[Hit, ...] = ()


class Slice(msgspec.Struct, frozen=True):
    """Rows that a program is shown of those that its person may see. kind: "" for every type. links: ids; none: any."""

    kind: str
    tests: tuple[Test, ...] = ()
    links: tuple[bytes, ...] = ()


_HIT: Final = "e.number, l.id, l.lease, e.type, e.id, e.version, e.recorded"
_NAMED: Final = "entry e CROSS JOIN link l WHERE l.number = e.link AND e.name = ?"
"""From the name to its link: without CROSS a scope that begins with links leads through all of them."""


def _hit(row: Sequence[Any]) -> Hit:
    number, link, lease, kind, own, version, recorded, *rest = row
    return Hit(number, link, bool(lease), kind, own, version, recorded, bool(rest and rest[0]))


class Search:
    """See the module's docstring. Raises the index's errors."""

    def __init__(self, store: Store, in_words: InWords = in_fts5) -> None:
        """`in_words` is the store's own language of full text."""
        self._store = store
        self._words = in_words
        self._scopes = Scopes(store)

    def scope(self, realms: Sequence[Realm], asker: Asker) -> Scope:
        """Return what an asker may see."""
        return self._scopes.scope(realms, asker)

    def narrowed(self, scope: Scope, slices: Sequence[Slice]) -> Scope:
        """Return what is in a scope and in any of the slices; nothing without slices. Their tests are of plain parameters."""
        compiler = Compiler(scope, self._words)
        parts, values = [], list(scope.values)
        for one in slices:
            tests = ["e.type = ?"] if one.kind else ["(1 = 1)"]
            values += [one.kind] if one.kind else []
            if one.links:
                tests.append(f"l.id IN ({marks(len(one.links))})")
                values += one.links
            for test in self._in_all_units(Query(one.kind, one.tests)).tests:
                text, told = compiler.check(test, one.kind)
                tests.append(text)
                values += told
            parts.append(" AND ".join(tests))
        return Scope(f"({scope.text} AND ({' OR '.join(parts) or '1 = 0'}))", tuple(values))

    # One resource -------------------------------------------------------------------------------------------------

    def named(self, name: str, scope: Scope) -> list[Hit]:
        """Return the permitted resources "Type/id": one, but for ids that two sources gave."""
        sql = f"SELECT {_HIT} FROM {_NAMED} AND {scope.text} ORDER BY l.lease, e.number"  # noqa: S608 -- compiled parts
        return [_hit(row) for row in self._store.look(sql, [name, *scope.values])]

    def own(self, name: str) -> list[Hit]:
        """Return the member's own resources "Type/id", whoever asks: for writing alone."""
        sql = f"SELECT {_HIT} FROM {_NAMED} AND l.lease = 0 ORDER BY e.number"  # noqa: S608 -- constants
        return [_hit(row) for row in self._store.look(sql, [name])]

    def own_versions(self, name: str) -> list[Hit]:
        """Return all versions of the own resources "Type/id", whoever asks: for writing alone."""
        sql = f"SELECT {_HIT}, e.gone FROM {_NAMED.replace('entry e', 'version e')} AND l.lease = 0"  # noqa: S608 -- constants
        return [_hit(row) for row in self._store.look(sql + " ORDER BY e.number", [name])]

    # Pages --------------------------------------------------------------------------------------------------------

    def page(self, query: Query, scope: Scope, cursor: tuple[Any, ...] | None = None) -> Found:
        """Return a page of what meets a question, with its total and what the question includes."""
        source, where, values = self._compiled(query, scope)
        counting = f"{source[0]}SELECT count(*) FROM {source[1]} WHERE {where}"  # noqa: S608 -- compiled parts
        if query.count == 0 or query.summary == "count":
            return Found((), int(self._store.ask(counting, values)[0][0]), None)
        keys = [_sort_key(one, self._units) for one in query.sort]
        columns = ", ".join([_HIT, *(f"{text} AS k{at}" for at, (text, _) in enumerate(keys))])
        told = [*values[: source[2]], *(value for _, values_of in keys for value in values_of), *values[source[2] :]]
        sql = f"{source[0]}SELECT {columns} FROM {source[1]} WHERE {where}"  # noqa: S608 -- compiled parts
        if cursor is None and not keys:
            sql += " ORDER BY e.number"
        else:
            after, of_cursor = _after(query.sort, cursor)
            order = ", ".join([*(f"k{at}{' DESC' * one.descending}" for at, one in enumerate(query.sort)), "number"])
            sql = f"{source[0]}SELECT * FROM (SELECT {columns} FROM {source[1]} WHERE {where}) q WHERE {after} ORDER BY {order}"  # noqa: S608 -- compiled parts
            told += of_cursor
        rows = self._store.ask(f"{sql} LIMIT ?", [*told, query.count + 1])
        more = len(rows) > query.count
        rows = rows[: query.count]
        hits = tuple(_hit(row[:7]) for row in rows)
        total = len(hits) if cursor is None and not more else int(self._store.ask(counting, values)[0][0])
        ends = (*rows[-1][7:], rows[-1][0]) if more else None
        return Found(hits, total, ends, tuple(self._included(query, hits, scope)))

    def numbers(self, query: Query, scope: Scope, limit: int) -> list[Hit]:
        """Return up to `limit` permitted matches without total or order: for conditional requests."""
        source, where, values = self._compiled(query, scope)
        sql = f"{source[0]}SELECT {_HIT} FROM {source[1]} WHERE {where} LIMIT ?"  # noqa: S608 -- compiled parts
        return [_hit(row) for row in self._store.ask(sql, [*values, limit])]

    def _compiled(self, query: Query, scope: Scope) -> tuple[tuple[str, str, int], str, list[Any]]:
        """Return (WITH clause, FROM clause, count of the values before WHERE), WHERE text, and all values."""
        compiler, query = Compiler(scope, self._words), self._in_all_units(query)
        tests = list(query.tests)
        start = self._start(query, compiler)
        where, values = ["e.type = ?", scope.text], [query.kind, *scope.values]
        for test in tests:
            if test is not start:
                text, told = compiler.check(test, query.kind)
                where.append(text)
                values += told
        if start is None:
            return ("", FROM, 0), " AND ".join(where), values
        text, told = compiler.set_of(start, query.kind)
        source = (f"WITH d(n) AS ({text}) ", f"d CROSS JOIN {FROM}", len(told))
        return source, " AND ".join(["e.number = d.n", *where]), [*told, *values]

    def _in_all_units(self, query: Query) -> Query:
        """Return a question that names a unit in every unit that the index has seen of its dimension.

        Those of hidden rows, too: they change which rows are looked at, never which are found.
        """
        if not asks_units(query):
            return query
        return widened(query, self._units())

    def _units(self) -> list[str]:
        return [code for (code,) in self._store.ask("SELECT code FROM ucum")]

    def _start(self, query: Query, compiler: Compiler) -> Any:
        """Return the test that finds the fewest rows: probed, because no statistics are kept."""
        candidates = sorted((test for test in query.tests if starts(test)), key=_dear)
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        best, fewest = candidates[0], PROBE + 1
        for test in candidates:
            text, values = compiler.set_of(test, query.kind)
            sql = f"SELECT count(*) FROM (SELECT 1 FROM ({text}) p LIMIT ?) q"  # noqa: S608 -- compiled parts
            count = int(self._store.ask(sql, [*values, fewest])[0][0])
            if count < fewest:
                best, fewest = test, count
            if fewest <= ENOUGH:
                break
        return best

    def of_patient(
        self,
        links: Sequence[bytes],
        scope: Scope,
        *,
        house: bytes,
        since: int,
        after: int,
        limit: int,
        kinds: Sequence[str] = (),
        period: tuple[int, int] = (EARLIEST, LATEST),
    ) -> tuple[list[Hit], int]:
        """Return permitted rows under a patient's links and the house's that these refer to, behind `after`; and their total.

        kinds: of these types alone, if any are named. period: of care, [lo, hi) in Unix ms; what has no date is in every one.
        """
        own = f"l.id IN ({marks(len(links))})"
        referred = f"SELECT r.target FROM {FROM} JOIN reference r ON r.entry = e.number WHERE {own} AND {scope.text}"  # noqa: S608 -- compiled parts
        where = f"{scope.text} AND e.recorded >= ? AND ({own} OR (l.id = ? AND e.name IN ({referred})))"
        values: list[Any] = [*scope.values, since, *links, house, *links, *scope.values]
        if kinds:
            where += f" AND e.type IN ({marks(len(kinds))})"
            values += kinds
        if period != (EARLIEST, LATEST):
            where += " AND (e.lo = e.hi OR (e.lo < ? AND e.hi > ?))"
            values += [period[1], period[0]]
        total = int(self._store.ask(f"SELECT count(*) FROM {FROM} WHERE {where}", values)[0][0])  # noqa: S608 -- compiled parts
        sql = f"SELECT {_HIT} FROM {FROM} WHERE {where} AND e.number > ? ORDER BY e.number LIMIT ?"  # noqa: S608 -- compiled parts
        return [_hit(row) for row in self._store.ask(sql, [*values, after, limit])], total

    def types(self, scope: Scope) -> list[str]:
        """Return the types of which permitted own rows exist, in order."""
        sql = f"SELECT DISTINCT e.type FROM {FROM} WHERE l.lease = 0 AND {scope.text} ORDER BY e.type"  # noqa: S608 -- compiled parts
        return [kind for (kind,) in self._store.ask(sql, scope.values)]

    def exported(
        self, kind: str, scope: Scope, numbers: tuple[int, int], *, since: int, but: bytes, limit: int
    ) -> list[Hit]:
        """Return permitted own rows of a type with `numbers` in (after, until], recorded from `since` on (Unix ms).

        but: a link whose rows are left out, empty for none.
        """
        where = f"e.type = ? AND e.number > ? AND e.number <= ? AND e.recorded >= ? AND l.lease = 0 AND l.id <> ? AND {scope.text}"
        sql = f"SELECT {_HIT} FROM {FROM} WHERE {where} ORDER BY e.number LIMIT ?"  # noqa: S608 -- compiled parts
        values = [kind, *numbers, since, but, *scope.values, limit]
        return [_hit(row) for row in self._store.ask(sql, values)]

    def patients(self, scope: Scope, *links: bytes) -> list[Hit]:
        """Return the permitted Patients under links, oldest first."""
        sql = f"SELECT {_HIT} FROM {FROM} WHERE l.id IN ({marks(len(links))}) AND e.type = 'Patient' AND {scope.text} ORDER BY e.number"  # noqa: S608 -- compiled parts
        return [_hit(row) for row in self._store.ask(sql, [*links, *scope.values])]

    def visible(self, names: Sequence[str], scope: Scope) -> frozenset[str]:
        """Return which of some "Type/id" the scope holds."""
        found: set[str] = set()
        for at in range(0, len(names), TOGETHER):
            part = names[at : at + TOGETHER]
            sql = f"SELECT e.name FROM {FROM} WHERE e.name IN ({marks(len(part))}) AND {scope.text}"  # noqa: S608 -- compiled parts
            found |= {name for (name,) in self._store.ask(sql, [*part, *scope.values])}
        return frozenset(found)

    # Includes -----------------------------------------------------------------------------------------------------

    def _included(self, query: Query, hits: Sequence[Hit], scope: Scope) -> list[Hit]:
        known = {hit.number for hit in hits}
        added: list[Hit] = []
        fresh = list(hits)
        for turn in range(MAX_ROUNDS):
            asked = [one for one in query.includes if turn == 0 or one.iterate]
            found = [hit for one in asked for hit in self._one_include(one, fresh, scope)]
            fresh = []
            for hit in found:
                if hit.number not in known:
                    known.add(hit.number)
                    fresh.append(hit)
            added += fresh
            if len(added) > MAX_INCLUDED:
                raise BadQuestion(f"the page would include more than {MAX_INCLUDED} resources; ask for fewer")
            if not fresh:
                break
        return added

    def _one_include(self, include: Include, hits: Sequence[Hit], scope: Scope) -> list[Hit]:
        params = list(include.parameters)
        if not params or not hits:
            return []
        if include.reverse:
            keys: list[Any] = [hit.name for hit in hits]
            found, known, column = "entry", "target", "number"
        else:
            keys = [hit.number for hit in hits if hit.type == include.kind]
            found, known, column = "target", "entry", "name"
        param = "r.param" if include.reverse else "+r.param"  # else each reference of the parameter would be walked
        rows: dict[int, Hit] = {}
        for at in range(0, len(keys), TOGETHER):
            part = keys[at : at + TOGETHER]
            # begins with the page's references, not with all rows that the scope holds
            sql = (
                f"WITH d(n) AS (SELECT DISTINCT r.{found} FROM s_reference r WHERE r.{known} IN ({marks(len(part))}) "  # noqa: S608 -- compiled parts
                f"AND {param} IN ({marks(len(params))})) SELECT {_HIT} FROM d CROSS JOIN {FROM} WHERE e.{column} = d.n AND {scope.text}"
            )
            values = [*part, *params, *scope.values]
            if include.target and not include.reverse:
                sql += " AND e.type = ?"
                values.append(include.target)
            for row in self._store.ask(f"{sql} ORDER BY e.number LIMIT {MAX_INCLUDED + 1}", values):
                rows[row[0]] = _hit(row)
        if include.reverse and include.target:
            return list(rows.values()) if any(hit.type == include.target for hit in hits) else []
        return list(rows.values())

    # History ------------------------------------------------------------------------------------------------------

    def versions(
        self, scope: Scope, *, kind: str = "", name: str = "", since: int = 0, before: int = 0, limit: int = 100
    ) -> tuple[list[Hit], int]:
        """Return versions, newest first, and how many there are: of one resource, a type, or all.

        A version is seen when both it and the newest version of its resource are permitted. since: recorded from then
        on (Unix ms). before: the number of the last one of the page before, 0 for the first page.
        """
        tests: list[str] = ["1 = 1"]
        told: list[Any] = []
        for column, value in (("type", kind), ("name", name)):
            if value:
                tests.append(f"e.{column} = ?")
                told.append(value)
        if since:
            tests.append("e.recorded >= ?")
            told.append(since)
        inner = (
            f"SELECT {_HIT}, e.gone, e.link AS inner_link, e.name AS name FROM version e CROSS JOIN link l "  # noqa: S608 -- compiled parts
            f"WHERE l.number = e.link AND {' AND '.join(tests)} AND {scope.text}"
        )
        newest = (
            "EXISTS (SELECT 1 FROM version e CROSS JOIN link l WHERE l.number = e.link AND e.link = h.inner_link AND e.name = h.name "  # noqa: S608 -- compiled parts
            f"AND e.version = (SELECT max(x.version) FROM version x WHERE x.link = h.inner_link AND x.name = h.name) AND {scope.text})"
        )
        base = f"FROM ({inner}) h WHERE {newest}"
        values: list[Any] = [*told, *scope.values, *scope.values]
        total = int(self._store.ask(f"SELECT count(*) {base}", values)[0][0])
        if before:
            base += " AND h.number < ?"
            values.append(before)
        rows = self._store.ask(f"SELECT * {base} ORDER BY h.number DESC LIMIT ?", [*values, limit])
        return [_hit(row[:8]) for row in rows], total


_SORTED: Final = {
    "s_token": ("code", "", LAST),
    "s_string": ("folded", "", LAST),
    "s_reference": ("target", "", LAST),
    "s_uri": ("uri", "", LAST),
    "s_date": ("lo", EARLIEST - 1, LATEST + 1),
    "s_number": ("lo", -1e308, 1e308),
    "s_quantity": ("lo", -1e308, 1e308),
}
"""Column that a table's values are ordered by, and what stands for an absent value: always last."""


def _dear(test: Test) -> bool:
    """Tell whether counting a test's rows may walk through many that do not meet it: all but plain equality of values."""
    return not isinstance(test, Criterion) or test.parameter.type not in {"reference", "token", "uri"}


def _sort_key(sort: Sort, units: Callable[[], Sequence[str]]) -> Sql:
    if sort.parameter.code == "_id":
        return "e.id", []
    if sort.parameter.code == "_lastUpdated":
        return "e.recorded", []
    table = table_of(sort.parameter)
    column, lowest, highest = _SORTED[table]
    which, absent = ("max", lowest) if sort.descending else ("min", highest)
    value, scaled = _in_base_units(units()) if table == "s_quantity" else (f"v.{column}", [])
    told, numbers = under(sort.parameter)
    text = f"coalesce((SELECT {which}({value}) FROM {table} v WHERE v.entry = e.number AND {told}), ?)"  # noqa: S608 -- constants
    return text, [*scaled, *numbers, absent]


def _in_base_units(units: Sequence[str]) -> Sql:
    """Return a quantity for comparison with others: in the base units of its dimension, else as it is written."""
    told = scales(units)
    if not told:
        return "v.lo", []
    cases = " ".join(["WHEN v.code = ? THEN (v.lo + ?) * ?"] * len(told))
    return f"CASE WHEN v.system <> ? THEN v.lo {cases} ELSE v.lo END", [UCUM, *(part for one in told for part in one)]


def _after(sort: Sequence[Sort], cursor: tuple[Any, ...] | None) -> Sql:
    """Return the test of rows behind the cursor: (k0, k1, ..., number) in the order asked for."""
    if cursor is None:
        return "(1 = 1)", []
    if len(cursor) != len(sort) + 1:
        raise BadQuestion("the page's cursor is none of this question")
    names = [*(f"k{at}" for at in range(len(sort))), "number"]
    marks_ = [*("<" if one.descending else ">" for one in sort), ">"]
    tests, values = [], []
    for at, (name, mark) in enumerate(zip(names, marks_, strict=True)):
        equal = " AND ".join([*(f"{one} = ?" for one in names[:at]), f"{name} {mark} ?"])
        tests.append(f"({equal})")
        values += [*cursor[:at], cursor[at]]
    return f"({' OR '.join(tests)})", values
