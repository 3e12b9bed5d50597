"""Catching up: records to rows of facts, each under its policy class, in the order of the vault's numbers."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import msgspec

from salus.index import consents, people, search_tables
from salus.index.rows import insert
from salus.index.source import Entry, Source
from salus.index.store import Row, Store
from salus.interop.fhir.facts import Facts, Person, facts
from salus.interop.fhir.gate import read_resource
from salus.interop.fhir.refusal import Refused
from salus.interop.fhir.search.definitions import version as parameters_version
from salus.interop.fhir.search.values import Rows, as_written, values
from salus.interop.fhir.search.words import Texts, texts
from salus.interop.fhir.sensitivity import Rules, Sensitivity, classes, classify, label_of, labels_of, names_class
from salus.interop.fhir.teams import TEAMS, Membership, members_of
from salus.interop.fhir.times import interval
from salus.interop.fhir.tokens import Tree

BATCH: Final = 1_000
"""Records per transaction at most: it costs as much as some hundred rows, and who asks meanwhile waits for it."""
TELLING: Final = frozenset({"Consent", "Organization", *people.PEOPLE, *TEAMS})
"""Types of which `Store.kept` answers: who somebody is, who is in a team, and what patients said."""


class Indexed(msgspec.Struct, frozen=True):
    """What `catch_up` did: records read, and records whose body is no FHIR resource that the gate admits."""

    records: int
    unread: int


def catch_up(store: Store, source: Source, rules: Rules) -> Indexed:
    """Index what the source has beyond the last record indexed; start over when the rules have another version."""
    ((number, version, _),) = store.look("SELECT vault_number, rules, unread FROM state")
    known = f"{rules.version} {parameters_version()}"
    if version != known:
        store.clear()
        number = 0
    records = unread = 0
    while True:
        entries = source.after(number, BATCH)
        if not entries:
            return Indexed(records, unread)
        number = entries[-1].number
        read = [(entry, _read(entry, rules)) for entry in entries]
        missed = sum(found is None and entry.fhir and not entry.tombstone for entry, found in read)
        with store.transaction(later=len(entries)) as db:
            if _Writer(db, rules).write(read):
                store.holds()
            db.execute("UPDATE state SET vault_number = ?, rules = ?, unread = unread + ?", (number, known, missed))
        records += len(entries)
        unread += missed
        if len(entries) < BATCH:
            return Indexed(records, unread)


def words_of(text: str) -> list[str]:
    """Return a name's words for search: NFKD, marks dropped, case folded (R4 string search)."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return plain.casefold().replace("-", " ").replace(",", " ").split()


class _Read(msgspec.Struct, frozen=True):
    facts: Facts
    sensitivity: Sensitivity
    labels: str
    values: Rows
    words: Texts
    consent: Tree | None
    members: tuple[Membership, ...]


def _read(entry: Entry, rules: Rules) -> _Read | None:
    if entry.tombstone or not entry.fhir:
        return None
    rename = entry.rename or as_written
    if entry.admitted is not None:
        resource, found = entry.admitted.resource, entry.admitted.facts
    else:
        try:
            resource = read_resource(entry.body)
        except Refused:
            return None
        found = facts(resource, {text: rename(text) for text in resource.references}, entry.id)
    rank = classify(found, resource.codings, rules)
    labels: Sequence[str] = labels_of(found.security)
    consent = resource.tree if resource.type == "Consent" else None
    if rank >= rules.inherited_from:
        labels = sorted({*labels, *map(label_of, classes(found, resource.codings, rules))})
    members = tuple(members_of(resource.tree, rename)) if resource.type in TEAMS else ()
    return _Read(found, rank, "\n".join(labels), values(resource.tree, rename), texts(resource.tree), consent, members)


class _Writer:
    """One batch inside one transaction."""

    def __init__(self, db: apsw.Connection, rules: Rules) -> None:
        self._db = db
        self._rules = rules
        self._links: dict[bytes, int] = {}
        self._fresh: set[int] = set()
        self._classes: dict[tuple[str, int, str, str], int] = {}
        self._new = False

    def write(self, many: Sequence[tuple[Entry, _Read | None]]) -> bool:
        """Write a batch; tell whether nothing changed of who is who, of terms, links and policy classes."""
        newest = {(self._link(entry), f"{entry.type}/{entry.id}"): (entry, read) for entry, read in many}
        self._versions(many, self._remove(newest))
        rows: list[tuple[Any, ...]] = []
        identifiers: list[tuple[Any, ...]] = []
        members: list[tuple[int, str, int, int]] = []
        searched: list[tuple[int, Rows, Texts]] = []
        for (link, name), (entry, read) in newest.items():
            if read is None:
                continue
            found, number = read.facts, entry.number
            row_class = self._class_of(found.type, read.sensitivity, found.author, read.labels)
            rows.append(
                (number, link, name, entry.type, entry.id, entry.version, row_class, found.lo, found.hi, found.status,
                 found.encounter, found.label, entry.recorded)
            )  # fmt: skip
            searched.append((number, read.values, read.words))
            identifiers += [(value, system, number) for system, value in found.identifiers]
            members += [(number, one.member, one.lo, one.hi) for one in read.members]
            if found.person:
                self._person(number, found.person)
        insert(self._db, "INSERT INTO entry", rows)
        search_tables.insert(self._db, searched)
        insert(self._db, "INSERT OR IGNORE INTO identifier", identifiers)
        people.note(self._db, members)
        self._inherit([row[0] for row in rows])
        trees = [(entry.number, link, read.consent) for (link, _), (entry, read) in newest.items() if read]
        ruling = [(number, link, tree) for number, link, tree in trees if tree is not None]
        told = {link for link, name in newest if name.startswith("Consent/")}
        consents.note(self._db, ruling, told | {link for link in self._fresh if consents.partners(self._db, link)})
        self._fresh.clear()
        kinds = {entry.type for entry, _ in many} | {read.facts.type for _, read in many if read is not None}
        return not self._new and kinds.isdisjoint(TELLING)

    def _versions(self, many: Sequence[tuple[Entry, _Read | None]], kept: dict[tuple[int, str], Row]) -> None:
        """Keep each version's policy facts, codes and references: history and vread are decided by them."""
        rows: list[tuple[Any, ...]] = []
        codes: list[tuple[Any, ...]] = []
        references: list[tuple[Any, ...]] = []
        ended: list[tuple[int, int]] = []
        for entry, read in many:
            link, name = self._link(entry), f"{entry.type}/{entry.id}"
            if read is not None:
                found = read.facts
                row_class = self._class_of(found.type, read.sensitivity, found.author, read.labels)
                told = (row_class, found.lo, found.hi, found.encounter)
                kept[link, name] = (entry.number, *told)
                codes += [(entry.number, coding.code, coding.system, coding.display) for coding in found.codes]
                references += [(entry.number, target, int(target in found.authors)) for target in found.references]
            elif not entry.tombstone or (link, name) not in kept:
                continue
            before, *told_before = kept[link, name]
            if read is None:
                ended.append((entry.number, before))
            rows.append(
                (entry.number, link, name, entry.type, entry.id, entry.version, *told_before, entry.recorded,
                 int(read is None))
            )  # fmt: skip
        insert(self._db, "INSERT OR REPLACE INTO version", rows)
        insert(self._db, "INSERT OR IGNORE INTO code", codes)
        insert(self._db, "INSERT OR IGNORE INTO reference", references)
        self._db.executemany(  # a tombstone is decided by what it ends
            "INSERT OR IGNORE INTO code SELECT ?, code, system, display FROM code WHERE entry = ?", ended
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO reference SELECT ?, target, made FROM reference WHERE entry = ?", ended
        )

    def _link(self, entry: Entry) -> int:
        """Return a link's number; a lease is hidden until the node has found it live."""
        number = self._links.get(entry.link)
        if number is None:
            number = self._known("SELECT number FROM link WHERE id = ?", (entry.link,))
            number = self._links[entry.link] = self._new_link(entry) if number is None else number
        return number

    def _new_link(self, entry: Entry) -> int:
        values = (entry.link, int(entry.lease), int(entry.lease))
        self._db.execute("INSERT INTO link (id, lease, hidden, terms) VALUES (?,?,?,x'')", values)
        number = self._db.last_insert_rowid()
        self._fresh.add(number)
        self._new = True
        return number

    def _class_of(self, kind: str, sensitivity: int, author: str, labels: str) -> int:
        key = (kind, int(sensitivity), author, labels)
        number = self._classes.get(key)
        if number is None:
            number = self._known(_CLASS, key)
            if number is None:
                sql = "INSERT INTO policy_class (type, sensitivity, author, labels) VALUES (?,?,?,?)"
                self._db.execute(sql, key)
                number = self._db.last_insert_rowid()
                self._new = True
            self._classes[key] = number
        return number

    def _known(self, sql: str, key: tuple[Any, ...]) -> int | None:
        rows: list[Row] = list(self._db.execute(sql, key))
        return rows[0][0] if rows else None

    def _person(self, number: int, person: Person) -> None:
        lo, hi = interval(person.birth_date) or (0, 0)
        values = (number, lo, hi, person.birth_date, person.gender)
        self._db.execute("INSERT INTO person VALUES (?,?,?,?,?)", values)
        words = {word for name in person.names for part in name for word in words_of(part)}
        self._db.executemany("INSERT INTO name_word VALUES (?,?)", [(word, number) for word in sorted(words)])

    def _remove(self, names: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Row]:
        """Delete older versions: search knows the newest, `version` all. Return number and policy facts of each."""
        sql = "SELECT number, class, lo, hi, encounter FROM entry WHERE link = ? AND name = ?"
        found: dict[tuple[int, str], Row] = {}
        old: list[int] = []
        for key in names:
            for row in self._db.execute(sql, key):
                found[key] = row
                old.append(row[0])
        delete(self._db, old, past=False)
        return found

    def _inherit(self, numbers: list[int]) -> None:
        """Raise narrating rows to the class of what they refer to, until nothing rises: ranks and labels only grow, so it ends."""
        changed = set(numbers)
        while changed:
            self._db.execute("CREATE TEMP TABLE IF NOT EXISTS changed (entry INTEGER PRIMARY KEY)")
            self._db.execute("DELETE FROM changed")
            insert(self._db, "INSERT OR IGNORE INTO changed", [(number,) for number in sorted(changed)])
            changed = set()
            for number, kind, own, author, labels, highest, theirs in list(
                self._db.execute(_RISING, (self._rules.inherited_from,))
            ):
                told = set(labels.split("\n")) - {""}
                more = told | {label for label in theirs.split("\n") if names_class(label)}
                if kind in self._rules.inheriting and (highest > own or more > told):
                    values = (self._class_of(kind, max(highest, own), author, "\n".join(sorted(more))), number)
                    self._db.execute("UPDATE entry SET class = ? WHERE number = ?", values)
                    self._db.execute("UPDATE version SET class = ? WHERE number = ?", values)
                    changed.add(number)


_CLASS: Final = "SELECT number FROM policy_class WHERE type = ? AND sensitivity = ? AND author = ? AND labels = ?"
_PAIRS: Final = """
    SELECT s.number, sc.type, sc.sensitivity AS own, sc.author, sc.labels, tc.sensitivity AS theirs, tc.labels AS told
    FROM changed h {path} AND sc.number = s.class AND tc.number = t.class
    AND tc.sensitivity >= ?1"""
"""CROSS JOIN keeps the order: from the few that changed, never through all references."""
_REFERRED: Final = """CROSS JOIN entry s CROSS JOIN reference r CROSS JOIN entry t CROSS JOIN policy_class sc
    CROSS JOIN policy_class tc WHERE s.number = h.entry AND r.entry = s.number AND t.link = s.link AND t.name = r.target"""
_REFERRING: Final = """CROSS JOIN entry t CROSS JOIN reference r CROSS JOIN entry s CROSS JOIN policy_class sc
    CROSS JOIN policy_class tc WHERE t.number = h.entry AND r.target = t.name AND s.number = r.entry AND s.link = t.link"""
_RISING: Final = (
    "SELECT number, type, own, author, labels, max(theirs), group_concat(told, char(10)) FROM ("  # noqa: S608 -- constants
    + _PAIRS.format(path=_REFERRED)
    + " UNION ALL "
    + _PAIRS.format(path=_REFERRING)
    + ") GROUP BY number, type, own, author, labels"
)


def delete(db: apsw.Connection, numbers: Sequence[int], *, past: bool = True) -> None:
    """Delete entries and all that hangs on them; codes and references only with `past`: their version is decided by them."""
    if not numbers:
        return
    many = [(number,) for number in numbers]
    search_tables.delete(db, many)
    for table in (
        "identifier",
        "membership",
        "person",
        "name_word",
        "consent",
        "view_rows",
        *(("code", "reference") if past else ()),
    ):
        db.executemany(f"DELETE FROM {table} WHERE entry = ?", many)  # noqa: S608 -- names above
    db.executemany("DELETE FROM entry WHERE number = ?", many)


def withdraw(store: Store, numbers: Sequence[int]) -> None:
    """Delete every row of versions that no longer open, and truncate the write-ahead log."""
    with store.transaction() as db:
        sql = "SELECT link FROM consent WHERE entry = ?"
        ruled = [link for number in numbers for (link,) in list(db.execute(sql, (number,)))]
        delete(db, numbers)
        db.executemany("DELETE FROM version WHERE number = ?", [(number,) for number in numbers])
        consents.note(db, (), ruled)
        search_tables.settle(db)
    store.truncate()


def forget(store: Store, link: bytes) -> int:
    """Delete every row of a link (an erasure, a purged lease) and truncate the write-ahead log; return how many."""
    with store.transaction() as db:
        sql = "SELECT e.number FROM entry e JOIN link l ON l.number = e.link WHERE l.id = ?"
        numbers = [number for (number,) in list(db.execute(sql, (link,)))]
        delete(db, numbers)
        of_link = "FROM version WHERE link = (SELECT number FROM link WHERE id = ?)"
        for table in ("code", "reference"):
            db.execute(f"DELETE FROM {table} WHERE entry IN (SELECT number {of_link})", (link,))  # noqa: S608 -- constants
        db.execute(f"DELETE {of_link}", (link,))
        sql = "SELECT number FROM link WHERE id = ?"
        others = [other for (number,) in list(db.execute(sql, (link,))) for other in consents.partners(db, number)]
        db.execute("DELETE FROM joined WHERE link = ?", (link,))
        db.execute("DELETE FROM link WHERE id = ?", (link,))
        consents.note(db, (), others)
        consents.drop_unused(db)
        db.execute("DELETE FROM policy_class WHERE number NOT IN (SELECT class FROM version)")
        search_tables.settle(db)
    store.truncate()
    return len(numbers)
