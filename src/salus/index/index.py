"""A member's index: find patients, show a chart, and select the rows that a patient's terms permit.

Everything here is derived from the vault and may be dropped. Rows of hidden leases do not exist for any question.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from salus.agreements.consent.conditions import NEVER, Condition
from salus.agreements.consent.decide import Asker, Decision, PolicyClass, Provision, decide_within
from salus.agreements.consent.fhir import in_force
from salus.index import consents, writing
from salus.index.columns import Columns
from salus.index.consents import Consents
from salus.index.errors import BadQuestion
from salus.index.likely import Likely
from salus.index.people import People, Who
from salus.index.predicates import marks, sql_of
from salus.index.search import Search
from salus.index.search_scope import Scope
from salus.index.source import Source
from salus.index.store import Row, Store, ticks
from salus.index.writing import Indexed, words_of
from salus.interop.fhir.sensitivity import Rules, Sensitivity, read_rules
from salus.interop.fhir.times import interval

TIME_LIMIT: Final = 2_000
"""Milliseconds of one question: ten times the budget of a reopened chart."""
MAX_ROWS: Final = 5_000
"""Rows of one page: a chart of 2,000 records fits, a whole hospital does not."""


class Found(msgspec.Struct, frozen=True):
    """A patient found: link, row number, id, name for display, birth date as written, gender."""

    link: bytes
    number: int
    id: str
    name: str
    birth_date: str
    gender: str


class Line(msgspec.Struct, frozen=True):
    """One row of a chart. number: the vault's, to open the record. lo, hi: [lo, hi) Unix ms, equal without date.

    lease: pulled from another member. codes: (system, code, display).
    """

    number: int
    link: bytes
    lease: bool
    type: str
    id: str
    version: int
    lo: int
    hi: int
    status: str
    encounter: str
    author: str
    sensitivity: Sensitivity
    label: str
    codes: tuple[tuple[str, str, str], ...]


class Page(msgspec.Struct, frozen=True):
    """Lines, newest first; `total` over all pages; `cursor` of the next page, None at the end."""

    lines: tuple[Line, ...]
    total: int
    cursor: tuple[int, int] | None


class Permitted(msgspec.Struct, frozen=True):
    """A page of what terms permit, and the decision for each policy class asked, with its explanation."""

    page: Page
    decisions: tuple[tuple[PolicyClass, Decision], ...]


class Choice(msgspec.Struct, frozen=True):
    """Which lines: of some types, overlapping [since, until) in Unix ms (0: open), of some codes (system, code), a page.

    since and until leave out events without date. cursor: of the page before.
    """

    types: tuple[str, ...] = ()
    since: int = 0
    until: int = 0
    codes: tuple[tuple[str, str], ...] = ()
    limit: int = 100
    cursor: tuple[int, int] | None = None


_ALL: Final = Choice()
EVERYTHING: Final = Scope("(1 = 1)", ())
"""The scope of the program itself, which nobody is shown: what somebody reads is decided."""


@cache
def shipped_rules() -> Rules:
    """Return the sensitivity rules that come with the program, read once."""
    return read_rules((resources.files("salus.interop.fhir") / "sensitivity.toml").read_text(encoding="utf-8"))


class Index:
    """See the module's docstring. `path` None keeps it in memory; a context manager."""

    def __init__(
        self,
        path: Path | None,
        *,
        key: bytes,
        rules: Rules,
        time_limit: int = TIME_LIMIT,
        clock: Callable[[], int] = ticks,
    ) -> None:
        """Open or create under the 32-byte `key`. `clock` returns monotonic ms. Raises `Unusable`."""
        self._store = Store(path, key, limit=time_limit, clock=clock)
        self._rules = rules
        self._catching = threading.RLock()
        self.search = Search(self._store)
        self.consents = Consents(self._store)
        self.people = People(self._store)
        self.likely = Likely(self._store)
        self.columns = Columns(self._store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    # Keeping up

    def catch_up(self, source: Source) -> Indexed:
        """Index what the source has beyond the last record indexed. Raises `Unusable` and the source's errors."""
        with self._catching:  # two at once would each index the same records
            lost, self._store.lost = self._store.lost, False
            try:
                indexed = writing.catch_up(self._store, source, self._rules)
                lost = False
            finally:
                self._store.lost |= lost
            return indexed

    @property
    def behind(self) -> bool:
        """Tell whether records that were caught up once are missing, and have to be caught up before the next question."""
        return self._store.lost

    def rebuild(self, source: Source) -> Indexed:
        """Drop everything and index anew; leases are hidden until shown again."""
        with self._catching:
            self._store.clear()
            return self.catch_up(source)

    def position(self) -> int:
        """Return the number of the last record indexed."""
        return int(self._store.ask("SELECT vault_number FROM state")[0][0])

    def forget(self, link: bytes) -> int:
        """Delete the rows of an erased link or purged lease, with their pages; return how many."""
        return writing.forget(self._store, link)

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Delete the rows of versions that were withdrawn, with their pages."""
        writing.withdraw(self._store, numbers)

    def hide(self, link: bytes, *, hidden: bool) -> None:
        """Hide a lease's rows from every question, or show them: the node's, as its grant lives or not."""
        with self._store.transaction() as db:
            db.execute("UPDATE link SET hidden = ? WHERE id = ? AND lease = 1", (int(hidden), link))

    def join(self, parties: Iterable[Collection[bytes]]) -> None:
        """Keep which own links are of one patient: what a consent denies under one of them it denies under all.

        The node's, from its people's decisions: it survives `rebuild`, and is told anew when the node opens.
        """
        with self._catching, self._store.transaction() as db:
            consents.join(db, parties)

    def joined_with(self, link: bytes) -> list[bytes]:
        """Return the links of a link's patient: itself first, then those joined with it, ascending."""
        sql = "SELECT j.link FROM joined s JOIN joined j ON j.party = s.party WHERE s.link = ? AND j.link <> ? ORDER BY j.link"
        return [link, *(other for (other,) in self._store.ask(sql, (link, link)))]

    def hide_leases(self) -> None:
        """Hide all leases: the ledger's head was not confirmed for too long."""
        with self._store.transaction() as db:
            db.execute("UPDATE link SET hidden = 1 WHERE lease = 1")

    # Finding

    def find_patients(
        self, *, name: str = "", birth_date: str = "", limit: int = 50, scope: Scope = EVERYTHING
    ) -> list[Found]:
        """Return patients whose names start with all words of `name` and whose birth date lies in `birth_date`.

        Of the own patients only those in `scope`. Raises `BadQuestion` when neither is given or the date is none.
        """
        words = words_of(name)
        born = interval(birth_date)
        if not words and not birth_date:
            raise BadQuestion("expected a name or a birth date; a list of all patients is not given")
        if birth_date and born is None:
            raise BadQuestion("birth_date: expected a date, YYYY, YYYY-MM or YYYY-MM-DD")
        tests = ["l.hidden = 0", f"(l.lease = 1 OR {scope.text})"]
        values: list[Any] = [*scope.values]
        for word in words:
            tests.append("e.number IN (SELECT entry FROM name_word WHERE word >= ? AND word < ?)")
            values += [word, word + "\U0010ffff"]
        if born:
            # The second test says nothing new: it keeps the index from being read to its end.
            tests.append("p.birth_lo >= ? AND p.birth_lo < ? AND p.birth_hi <= ?")
            values += [born[0], born[1], born[1]]
        sql = f"{_PERSONS} WHERE {' AND '.join(tests)} ORDER BY e.label, e.number LIMIT ?"
        return [Found(*row) for row in self._store.ask(sql, [*values, _limit(limit)])]

    def find_by_identifier(self, system: str | None, value: str, scope: Scope = EVERYTHING) -> list[Found]:
        """Return patients with an identifier, of the own those in `scope`; "" for `system` means one without, None any."""
        sql = (
            f"{_PERSONS} WHERE e.number IN (SELECT entry FROM identifier WHERE value = ?1 AND (?2 IS NULL OR system = ?2)) "  # noqa: S608 -- a scope
            f"AND l.hidden = 0 AND (l.lease = 1 OR {scope.text}) ORDER BY e.number LIMIT 100"
        )
        return [Found(*row) for row in self._store.ask(sql, (value, system, *scope.values))]

    def ids_of(self, kind: str, system: str, value: str) -> list[str]:
        """Return the ids of own resources of a type with an identifier: what a conditional reference names."""
        sql = (
            "SELECT DISTINCT e.id FROM identifier i JOIN entry e ON e.number = i.entry JOIN link l ON l.number = e.link "
            "WHERE i.value = ? AND i.system = ? AND e.type = ? AND l.lease = 0 ORDER BY e.id LIMIT 2"
        )
        return [own for (own,) in self._store.ask(sql, (value, system, kind))]

    def patient_of(self, name: str) -> str:
        """Return the id of the own patient under whose link "Type/id" stands; "" for the house's and the unknown."""
        sql = (
            "SELECT DISTINCT p.id FROM entry e CROSS JOIN link l CROSS JOIN entry p WHERE e.name = ? "
            "AND l.number = e.link AND l.lease = 0 AND p.link = e.link AND p.type = 'Patient' LIMIT 2"
        )
        found = self._store.look(sql, (name,))
        return str(found[0][0]) if len(found) == 1 else ""

    # Charts

    def who(self, member: str, person: str = "", *, home: bool, at: int) -> Who:
        """Return who a member, or one of its people, is to the consents on file; see `People.who`."""
        teams = self.consents.teams() if person else ()
        return self.people.who(member, person, home=home, at=at, teams=teams)

    def chart(self, links: Sequence[bytes], choice: Choice = _ALL, scope: Scope = EVERYTHING) -> Page:
        """Return a page of what is under some links: a patient's own in `scope`, and the leases of what was pulled."""
        return self._page(links, choice, f"(l.lease = 1 OR {scope.text})", [*scope.values])

    def count_by_type(self, links: Sequence[bytes]) -> dict[str, int]:
        """Return how many rows of each type the links hold."""
        sql = f"SELECT e.type, count(*) {_FROM} WHERE l.id IN ({marks(len(links))}) AND l.hidden = 0 GROUP BY e.type"
        return dict(self._store.ask(sql + " ORDER BY e.type", list(links)))

    def permitted(self, link: bytes, terms: tuple[Provision, ...], asker: Asker, choice: Choice = _ALL) -> Permitted:
        """Return a page of what `terms` permit `asker` under a link: decided per policy class, selected by the query.

        Consents that the patient has on file narrow the terms, whichever they are.

        Total, order and paging are those of the permitted rows alone.
        """
        decisions, test, values = self._decided(link, terms, asker)
        return Permitted(self._page([link], choice, test, values), decisions)

    def permitted_numbers(
        self, link: bytes, terms: tuple[Provision, ...], asker: Asker, *, after: int, limit: int
    ) -> list[int]:
        """Return, ascending, the numbers behind `after` of the rows that `terms` permit: what a pull goes through.

        Tombstones are among them, decided by what they end: else who pulled a record would keep showing it.
        """
        _, test, values = self._decided(link, terms, asker)
        where = f"WHERE l.id = ? AND l.hidden = 0 AND e.number > ? AND {test}"
        sql = f"SELECT e.number {_FROM} {where} UNION SELECT e.number {_FROM_GONE} {where} AND e.gone = 1 ORDER BY 1"
        rows = self._store.ask(f"{sql} LIMIT ?", [link, after, *values, link, after, *values, _limit(limit)])
        return [number for (number,) in rows]

    def _decided(
        self, link: bytes, terms: tuple[Provision, ...], asker: Asker
    ) -> tuple[tuple[tuple[PolicyClass, Decision], ...], str, list[Any]]:
        """Decide for each policy class under a link; return the decisions and the test of permitted rows, with values."""
        sql = (
            f"SELECT k.number, k.type, k.sensitivity, k.author, k.labels {_FROM} WHERE l.id = ?1 AND l.hidden = 0 "
            f"UNION SELECT k.number, k.type, k.sensitivity, k.author, k.labels {_FROM_GONE} "
            "WHERE l.id = ?1 AND l.hidden = 0 AND e.gone = 1 ORDER BY 1"
        )
        decisions = []
        consents = in_force(self.consents.of(link), asker)
        by_residual: dict[Condition, list[int]] = {}
        for number, kind, sensitivity, author, labels in self._store.ask(sql, (link,)):
            row_class = PolicyClass(kind, sensitivity, author, tuple(labels.split("\n")) if labels else ())
            decision = decide_within(terms, terms, consents, asker, row_class)
            decisions.append((row_class, decision))
            if decision.residual != NEVER:
                by_residual.setdefault(decision.residual, []).append(number)
        tests: list[str] = []
        values: list[Any] = []
        for residual, classes in by_residual.items():
            text, of_residual = sql_of(residual)
            tests.append(f"(e.class IN ({marks(len(classes))}) AND {text})")
            values += [*classes, *of_residual]
        return tuple(decisions), f"({' OR '.join(tests)})" if tests else "(1 = 0)", values

    def house_of(self, link: bytes, numbers: Sequence[int], house: bytes) -> list[int]:
        """Return the numbers of the house's resources that rows `numbers` of `link` refer to, directly or through others."""
        found: set[int] = set()
        waiting = [(link, list(numbers))]
        while waiting:
            source, asked = waiting.pop()
            for at in range(0, len(asked), MAX_ROWS):
                part = asked[at : at + MAX_ROWS]
                rows = self._store.ask(_HOUSE.format(marks=marks(len(part))), [*part, source, house])
                fresh = {number for (number,) in rows} - found
                found |= fresh
                if fresh:
                    waiting.append((house, sorted(fresh)))
        return sorted(found)

    def _page(self, links: Sequence[bytes], choice: Choice, test: str, values: list[Any]) -> Page:
        limit = _limit(choice.limit)
        where = [f"l.id IN ({marks(len(links))})", "l.hidden = 0", test]
        told: list[Any] = [*links, *values]
        if choice.types:
            where.append(f"e.type IN ({marks(len(choice.types))})")
            told += choice.types
        if choice.since:
            where.append("e.lo < e.hi AND e.hi > ?")
            told.append(choice.since)
        if choice.until:
            where.append("e.lo < e.hi AND e.lo < ?")
            told.append(choice.until)
        if choice.codes:
            pairs = " OR ".join("(c.code = ? AND c.system = ?)" for _ in choice.codes)
            where.append(f"EXISTS (SELECT 1 FROM code c WHERE c.entry = e.number AND ({pairs}))")  # noqa: S608 -- only marks
            told += [part for system, code in choice.codes for part in (code, system)]
        base = f"{_FROM} WHERE {' AND '.join(where)}"
        total = int(self._store.ask(f"SELECT count(*) {base}", told)[0][0])
        if choice.cursor:
            base += " AND (e.lo < ? OR (e.lo = ? AND e.number < ?))"
            told += [choice.cursor[0], *choice.cursor]
        rows = self._store.ask(
            f"SELECT {_COLUMNS} {base} ORDER BY e.lo DESC, e.number DESC LIMIT ?", [*told, limit + 1]
        )
        more = len(rows) > limit
        rows = rows[:limit]
        codes = self._codes([row[0] for row in rows])
        lines = tuple(_line(row, codes.get(row[0], ())) for row in rows)
        return Page(lines, total, (lines[-1].lo, lines[-1].number) if more else None)

    def _codes(self, numbers: list[int]) -> dict[int, tuple[tuple[str, str, str], ...]]:
        sql = (
            f"SELECT entry, system, code, display FROM code WHERE entry IN ({marks(len(numbers))}) ORDER BY entry, code"  # noqa: S608 -- only marks
        )
        found: dict[int, tuple[tuple[str, str, str], ...]] = {}
        for entry, *coding in self._store.ask(sql, numbers):
            found[entry] = (*found.get(entry, ()), (coding[0], coding[1], coding[2]))
        return found


_FROM: Final = "FROM entry e JOIN link l ON l.number = e.link JOIN policy_class k ON k.number = e.class"
_FROM_GONE: Final = _FROM.replace("FROM entry e", "FROM version e")
_COLUMNS: Final = "e.number, l.id, l.lease, e.type, e.id, e.version, e.lo, e.hi, e.status, e.encounter, k.author, k.sensitivity, e.label"
_HOUSE: Final = (
    "SELECT DISTINCT t.number FROM reference r JOIN entry s ON s.number = r.entry JOIN link sl ON sl.number = s.link "
    "JOIN entry t ON t.name = r.target JOIN link tl ON tl.number = t.link AND tl.lease = 0 "
    "WHERE r.entry IN ({marks}) AND sl.id = ? AND tl.id = ?"
)
_PERSONS: Final = (
    "SELECT l.id, e.number, e.id, e.label, p.birth_date, p.gender FROM person p JOIN entry e ON e.number = p.entry "
    "JOIN link l ON l.number = e.link"
)


def _line(row: Row, codes: tuple[tuple[str, str, str], ...]) -> Line:
    number, link, lease, kind, own, version, lo, hi, status, encounter, author, sensitivity, label = row
    rank = Sensitivity(sensitivity)
    return Line(number, link, bool(lease), kind, own, version, lo, hi, status, encounter, author, rank, label, codes)


def _limit(limit: int) -> int:
    if not 1 <= limit <= MAX_ROWS:
        raise BadQuestion(f"limit: expected 1 to {MAX_ROWS}")
    return limit
