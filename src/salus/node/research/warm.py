"""The frame of those counted, over rows of views that the index keeps: records are opened only where none are kept yet.

What is kept is never filtered: which records a person's choice opens is decided in every question, for all persons under
the same terms at once, and the rows of the others are not read. Needs the extra `research`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from salus import __version__
from salus.agreements.consent.decide import Asker, Provision
from salus.agreements.research.document import PATIENT, Query, QueryRefused
from salus.agreements.research.frame import views_needed
from salus.core.proof.digest import digest
from salus.index.errors import Unusable
from salus.index.search_scope import Realm, Scope
from salus.interop.fhir.view import View
from salus.node.member import MemberNode
from salus.node.research import choices, figures

if TYPE_CHECKING:
    from salus.index.columns import Read

BATCH: Final = 1_000
"""Records opened, and kept in one commit."""
_TELLING: Final = ("resource", "constant", "where", "select")
"""Elements of a ViewDefinition that its rows depend on, with the program's version."""
Rows: TypeAlias = list[list[str | None]]
_READER: Final = msgspec.msgpack.Decoder(list[Rows])


def warm_frame(node: MemberNode, query: Query, persons: Sequence[choices.Person], until: int) -> figures.Frame:
    """Return the frame of `persons` over their records up to number `until`. Raises QueryRefused, ViewFailed."""
    views = figures.compiled(query)
    wanted = views_needed(query)
    running = [
        _Running(node, view, given) for (name, view), given in zip(views, query.views, strict=True) if name in wanted
    ]
    scopes = list(_scopes(node, persons))
    for one in running:
        one.read(scopes, until)
    _fill(node, running)
    # short names in the order of the links: what a database compares, hashes and sorts in place of 32 letters
    links = sorted(person.counted.link for person in persons)
    names = {link: f"{place:08}" for place, link in enumerate(links)}
    rows = {one.view.definition.name: one.rows(names) for one in running}
    found = figures.framed(query, views, rows)
    return figures.Frame(query, found.columns, tuple(links[int(name)].hex() for name in found.patients))


def _scopes(node: MemberNode, persons: Sequence[choices.Person]) -> Iterator[tuple[Scope, list[bytes]]]:
    """Yield what may be read, and of whom, for each set of terms: choices differ in their end, which is tested here."""
    now = node.ledger_time()
    asker = Asker(choices.NOBODY, "", choices.PURPOSE, now)
    groups: dict[tuple[Provision, ...], list[bytes]] = {}
    for person in persons:
        groups.setdefault(_timeless(person.terms, now), []).append(person.counted.link)
    for terms, links in groups.items():
        yield node.index.search.scope([Realm(terms, consented=True)], asker), links


def _timeless(terms: tuple[Provision, ...], now: int) -> tuple[Provision, ...]:
    return tuple(
        msgspec.structs.replace(one, active=None) if one.active and one.active[0] <= now < one.active[1] else one
        for one in terms
    )


class _Running:
    """One view: permitted records of its type, and their rows, kept or made."""

    def __init__(self, node: MemberNode, view: View, given: dict[str, Any]) -> None:
        self._index = node.index
        self.view = view
        self._number = self._registered(given)
        self._read: list[Read] = []
        self._made: dict[int, bytes] = {}

    def _registered(self, given: dict[str, Any]) -> int:
        """Return the view's number in the index, 0 where it cannot write: then nothing is kept."""
        told = msgspec.json.encode({key: given.get(key) for key in _TELLING}, order="sorted")
        try:
            return self._index.columns.view(digest("salus/v1/view", told, __version__.encode()))
        except Unusable:
            return 0

    def read(self, scopes: Iterable[tuple[Scope, list[bytes]]], until: int) -> None:
        """Find the permitted records."""
        for scope, links in scopes:
            self._read += self._index.columns.read(self._number, self.view.definition.resource, scope, links, until)
        self._read.sort()

    def missing(self) -> list[int]:
        """Return the records whose rows are not kept."""
        return [one.number for one in self._read if one.rows is None]

    def make(self, records: Sequence[tuple[int, Any]]) -> None:
        """Make the rows of some records, and keep them."""
        made = {number: msgspec.msgpack.encode(self._nameless(resource)) for number, resource in records}
        self._made |= made
        try:
            self._index.columns.keep(self._number, made.items())
        except Unusable:
            self._number = 0  # a question is answered without what it could have kept

    def _nameless(self, resource: Any) -> Rows:
        rows = [[*row] for row in figures.texts(self.view, resource)]
        if PATIENT in self.view.names:
            place = self.view.names.index(PATIENT)
            for row in rows:
                row[place] = None  # a row's person is the link that it is sealed under
        return rows

    def rows(self, names: Mapping[bytes, str]) -> Rows:
        """Return all rows, each under its person's name, in the order of the records. Raises QueryRefused beyond the bound."""
        kept = [one.rows if one.rows is not None else self._made[one.number] for one in self._read]
        read = _READER.decode(b"\xdd" + len(kept).to_bytes(4, "big") + b"".join(kept))  # one array, all records' rows
        place = self.view.names.index(PATIENT) if PATIENT in self.view.names else -1
        found: Rows = []
        for one, rows in zip(self._read, read, strict=True):
            if place >= 0:
                owner = names[one.link]
                for row in rows:
                    row[place] = owner
            found += rows
        if len(found) > figures.MAX_ROWS:
            raise QueryRefused("views", f"{self.view.definition.name} gives more than {figures.MAX_ROWS} rows")
        return found


def _fill(node: MemberNode, running: Sequence[_Running]) -> None:
    """Open each record once whose rows are not kept, whichever views want it."""
    wanting: dict[int, list[_Running]] = {}
    for one in running:
        for number in one.missing():
            wanting.setdefault(number, []).append(one)
    numbers = sorted(wanting)
    for at in range(0, len(numbers), BATCH):
        part = numbers[at : at + BATCH]
        opened = {record.ref.number: json.loads(record.content.body) for record in node.vault.open_many(part)}
        for one in running:
            records = [(number, opened[number]) for number in part if one in wanting[number]]
            if records:
                one.make(records)
