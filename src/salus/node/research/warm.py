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
Column: TypeAlias = list[str | None]
_COUNT: Final = 4
"""Bytes of how many rows a record has, before their values."""
_READER: Final = msgspec.msgpack.Decoder(Column)


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
    columns = {one.view.definition.name: one.columns(names) for one in running}
    found = figures.framed(query, views, columns)
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
        # a row's person is the link that it is sealed under, whatever the record refers to
        self._places = [place for place, name in enumerate(view.names) if name != PATIENT]

    def _registered(self, given: dict[str, Any]) -> int:
        """Return the view's number in the index, 0 where it cannot write: then nothing is kept."""
        told = msgspec.json.encode({key: given.get(key) for key in _TELLING}, order="sorted")
        try:
            return self._index.columns.view(digest("salus/v1/view-columns", told, __version__.encode()))
        except Unusable:
            return 0

    def read(self, scopes: Iterable[tuple[Scope, list[bytes]]], until: int) -> None:
        """Find the permitted records."""
        for scope, links in scopes:
            self._read += self._index.columns.read(self._number, self.view.definition.resource, scope, links, until)
        self._read.sort()

    def missing(self) -> list[int]:
        """Return the records whose rows are not kept."""
        return [number for number, _, rows in self._read if rows is None]

    def make(self, records: Sequence[tuple[int, Any]]) -> None:
        """Make the rows of some records, and keep them."""
        made = {number: self._flat(resource) for number, resource in records}
        self._made |= made
        try:
            self._index.columns.keep(self._number, made.items())
        except Unusable:
            self._number = 0  # a question is answered without what it could have kept

    def _flat(self, resource: Any) -> bytes:
        """Return how many rows a record has, and all their values, row by row, as one run of MessagePack texts."""
        rows = list(figures.texts(self.view, resource))
        values = [row[place] for row in rows for place in self._places]
        return len(rows).to_bytes(_COUNT, "big") + b"".join(map(msgspec.msgpack.encode, values))

    def columns(self, names: Mapping[bytes, str]) -> dict[str, Column]:
        """Return all rows by column, in the order of the records, each under its person's name. Raises QueryRefused beyond the bound."""
        kept = [self._made[number] if rows is None else rows for number, _, rows in self._read]
        counts = [int.from_bytes(one[:_COUNT], "big") for one in kept]
        count, width = sum(counts), len(self._places)
        if count > figures.MAX_ROWS:
            raise QueryRefused("views", f"{self.view.definition.name} gives more than {figures.MAX_ROWS} rows")
        head = b"\xdd" + (count * width).to_bytes(4, "big")
        values = _READER.decode(b"".join((head, *(one[_COUNT:] for one in kept))))  # one array of all that is kept
        found = {self.view.names[place]: values[at::width] for at, place in enumerate(self._places)}
        if PATIENT in self.view.names:
            owners = [names[link] for _, link, _ in self._read]
            found[PATIENT] = [owner for owner, rows in zip(owners, counts, strict=True) for _ in range(rows)]
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
