"""Sealing and indexing what was found good: writes that arrive together share one commit of the vault and one of the index.

A write is prepared under the node's lock, because versions are compared and written as one step. One that looks at no
more than its own resource lets the lock go before the disk is waited for (`beside`), so that others are prepared
meanwhile and go with the next commit. Whatever looks further (conditions, Bundles, patients, consents, staff) has the
lock alone, after all that was enlisted has been indexed (`with turns`): it never decides on less than what was promised.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import msgspec

from salus.index.errors import IndexFailure
from salus.index.source import Admitted
from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.vault.grouping import Grouping, Ticket
from salus.vault.journal import Disclosure
from salus.vault.records import Ref
from salus.vault.sealing import Content

MOST: Final = 64
"""Writes in one commit: as many as threads that answer requests, and some more."""
KEPT: Final = "fhir.turns"
"""Under which name a node keeps the turns of all its FHIR servers."""


class Sealing(msgspec.Struct, frozen=True):
    """One request's writes. admitted: what the index need not read again, beside the first of `items`.

    lines: which journal lines the new ones among its records make. identifiers: (link, system, value) by which patients
    are known from now on.
    """

    items: Sequence[tuple[bytes, Content]]
    admitted: Sequence[Admitted | None]
    lines: Callable[[Sequence[Ref]], Sequence[Disclosure]]
    identifiers: Sequence[tuple[bytes, str, str]] = ()

    @property
    def names(self) -> list[str]:
        """The "Type/id" that are written."""
        return [f"{content.type}/{content.id}" for _, content in self.items]


Enlisted = Ticket[Sealing, list[Ref]]


class Turns:
    """Who may write when, on one node. As a context manager: alone."""

    def __init__(self, node: MemberNode) -> None:
        self._node = node
        self._lock = node.revising
        self._grouping = Grouping(self._seal, MOST)
        self._listed: Counter[str] = Counter()
        self._listing = threading.Lock()

    def __enter__(self) -> None:
        with ExitStack() as held:
            held.enter_context(self._lock)
            self._grouping.settle()
            held.pop_all()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @contextmanager
    def beside(self, name: str) -> Iterator[None]:
        """Hold the lock beside what is enlisted and not yet indexed; `name` ("Type/id") is not among it."""
        with self._lock:
            if name in self._listed:
                self._grouping.settle()
            yield

    def enlist(self, sealing: Sealing) -> Enlisted:
        """Take writes up. Call with the lock, and `finish` without it where it is not held alone."""
        with self._listing:
            self._listed.update(sealing.names)
        return self._grouping.enlist(sealing)

    def finish(self, ticket: Enlisted) -> Sequence[Ref]:
        """Return the refs of what is durable and can be found now. Raises the errors of vault and index."""
        try:
            return self._grouping.finish(ticket)
        finally:
            with self._listing:
                self._listed -= Counter(ticket.item.names)

    def _seal(self, many: Sequence[Sealing]) -> list[list[Ref]]:
        node = self._node

        def lines(fresh: Sequence[Ref]) -> list[Disclosure]:
            known = {(ref.link, ref.type, ref.id): ref for ref in fresh}
            told: list[Disclosure] = []
            for one in many:
                keys = [(link, content.type, content.id) for link, content in one.items]
                told += one.lines([known[key] for key in keys if key in known])
            return told

        refs = iter(node.vault.write_all([item for one in many for item in one.items], lines))
        found = [[next(refs) for _ in one.items] for one in many]
        for one in many:
            for link, system, value in one.identifiers:
                if node.vault.find_link(system, value) is None:
                    node.vault.add_identifier(link, system, value)
        fresh = {
            ref.number: admitted
            for one, of_one in zip(many, found, strict=True)
            for ref, admitted in zip(of_one, one.admitted, strict=False)
            if admitted is not None
        }
        try:
            node.catch_up(fresh)
        except IndexFailure as error:
            raise Unavailable(
                "fhir.not-indexed",
                "it is stored, and cannot be found until the index can be written",
                todo="do not send it again; make room on the node's disk, the next write or start indexes it",
            ) from error
        return found


def turns_of(node: MemberNode) -> Turns:
    """Return the turns of a node: one for all its FHIR servers."""
    with node.revising:
        found = node.memory.setdefault(KEPT, Turns(node))
    if not isinstance(found, Turns):
        raise TypeError(KEPT)
    return found
