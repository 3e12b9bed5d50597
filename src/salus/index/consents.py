"""Patients' own consents as the index keeps them: read at intake, so that they rule from the moment they are found.

Each own link has the key of its *terms*, the consents that count under it: a digest of what they say, so that links
whose consents say the same share it; empty for those without. The table is derived like everything here and changes with the row of the Consent in
one commit: there is no moment at which a Consent is found and does not rule. What a patient's consents deny under one link
they deny under the links that are joined with it; what they permit they permit under their own.
"""

from collections.abc import Collection, Iterable
from typing import Final

import apsw
import msgspec

from salus.agreements.consent.decide import Provision
from salus.agreements.consent.fhir import FhirConsent, narrowing, read_consent
from salus.core.proof.digest import digest
from salus.index.store import Store
from salus.interop.fhir.tokens import Tree

NONE: Final = b""
"""Key of links without consents."""
_DECODER: Final = msgspec.msgpack.Decoder(tuple[FhirConsent, ...])
_ONE: Final = msgspec.msgpack.Decoder(FhirConsent)


def note(db: apsw.Connection, read: Iterable[tuple[int, int, Tree]], links: Collection[int]) -> None:
    """Keep the consents (entry number, link, tree) and renew the terms of `links`, from which some came or went.

    The terms of links that are joined with one of these are renewed too.
    """
    rows = [(entry, link, msgspec.msgpack.encode(read_consent(tree))) for entry, link, tree in read]
    db.executemany("INSERT OR REPLACE INTO consent VALUES (?,?,?)", rows)
    concerned = {*links, *(other for one in links for other in partners(db, one))}
    for link in sorted(concerned):
        told = [_ONE.decode(body) for (body,) in db.execute(_OF_LINK.format(where="c.link = ?"), (link,))]
        told += [narrowing(_ONE.decode(body)) for (body,) in db.execute(_OF_PARTNERS, (link,))]
        db.execute("UPDATE link SET terms = ? WHERE number = ?", (_key(db, told), link))
    if rows or links:
        drop_unused(db)


def partners(db: apsw.Connection, link: int) -> list[int]:
    """Return the numbers of the own links that are joined with one."""
    sql = f"SELECT l.number FROM link s {_JOINED} WHERE s.number = ?"  # noqa: S608 -- constants
    return [number for (number,) in db.execute(sql, (link,))]


def join(db: apsw.Connection, parties: Iterable[Collection[bytes]]) -> None:
    """Keep which links are of one patient, each party named by its first link, and renew the terms of those concerned."""
    told = {link: min(party) for party in parties for link in party}
    known = dict(db.execute("SELECT link, party FROM joined"))
    if told == known:
        return
    db.execute("DELETE FROM joined")
    db.executemany("INSERT INTO joined VALUES (?,?)", sorted(told.items()))
    numbers = dict(db.execute("SELECT id, number FROM link WHERE lease = 0"))
    changed = {link for link in {*told, *known} if told.get(link) != known.get(link)}
    changed |= {link for link, party in known.items() if party in {known.get(one) for one in changed}}
    note(db, (), [numbers[link] for link in sorted(changed) if link in numbers])


def drop_unused(db: apsw.Connection) -> None:
    """Delete the terms of no link: they say what somebody once said."""
    db.execute("DELETE FROM terms WHERE NOT EXISTS (SELECT 1 FROM link l WHERE l.lease = 0 AND l.terms = terms.key)")


def _key(db: apsw.Connection, told: Iterable[FhirConsent]) -> bytes:
    """Return the key of some consents' terms; what they are called and whose they are makes no difference."""
    counting = sorted(msgspec.msgpack.encode(_nameless(one)) for one in told if one.counts)
    if not counting:
        return NONE
    body = msgspec.msgpack.encode([_ONE.decode(one) for one in counting])
    key = digest("salus/v1/consent-terms", body)
    db.execute("INSERT OR IGNORE INTO terms VALUES (?,?)", (key, body))
    return key


def _nameless(consent: FhirConsent) -> FhirConsent:
    return msgspec.structs.replace(
        consent,
        name="",
        patient="",
        provisions=tuple(_pathless(one) for one in consent.provisions),
        unread=(),
    )


def _pathless(provision: Provision) -> Provision:
    return msgspec.structs.replace(
        provision,
        path=provision.path.partition(": ")[2],
        exceptions=tuple(_pathless(one) for one in provision.exceptions),
    )


_JOINED: Final = (
    "JOIN joined sj ON sj.link = s.id JOIN joined j ON j.party = sj.party AND j.link <> sj.link "
    "JOIN link l ON l.id = j.link AND l.lease = 0"
)
_OF_LINK: Final = "SELECT c.told FROM consent c JOIN link l ON l.number = c.link AND l.lease = 0 WHERE {where}"
_OF_PARTNERS: Final = f"SELECT c.told FROM link s {_JOINED} JOIN consent c ON c.link = l.number WHERE s.number = ?"  # noqa: S608 -- constants


class Consents:
    """Reads the terms in use; what a key stands for never changes.

    Terms that go while they are read leave their links without any, and these unseen, until the next reading.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[bytes, tuple[FhirConsent, ...]] = {}
        self._actors: dict[bytes, frozenset[str]] = {}

    def in_use(self) -> dict[bytes, tuple[FhirConsent, ...]]:
        """Return the terms of own links by key, without those of links that have none."""
        rows = self._store.kept("SELECT key FROM terms ORDER BY key")
        keys = [key for (key,) in rows]
        for key in keys:
            if key not in self._known:
                for (body,) in self._store.look("SELECT told FROM terms WHERE key = ?", (key,)):
                    self._known[key] = _DECODER.decode(body)
        return {key: self._known[key] for key in keys if key in self._known}

    def of(self, link: bytes) -> tuple[FhirConsent, ...]:
        """Return the consents of one own link, with their names; of links joined with it, what they deny."""
        found = [_ONE.decode(body) for (body,) in self._store.ask(_OF_LINK.format(where="l.id = ?"), (link,))]
        sql = _OF_PARTNERS.replace("s.number = ?", "s.id = ?")
        found += [narrowing(_ONE.decode(body)) for (body,) in self._store.ask(sql, (link,))]
        return tuple(sorted(found, key=lambda one: one.name))

    def teams(self) -> frozenset[str]:
        """Return the groups and care teams that own patients' consents in use name as actors."""
        return frozenset(
            name
            for key, consents in self.in_use().items()
            for name in self.actors(key, consents)
            if name.startswith(("CareTeam/", "Group/")) and not name.endswith("/")
        )

    def actors(self, key: bytes, consents: Iterable[FhirConsent]) -> frozenset[str]:
        """Return what the consents under a key name as actors: names and families (see `actors_of`)."""
        known = self._actors.get(key)
        if known is None:
            known = self._actors[key] = actors_of(one for each in consents for one in each.provisions)
        return known


def actors_of(provisions: Iterable[Provision]) -> frozenset[str]:
    """Return the names of actors in some terms and the families of these names: what of an asker they can tell."""
    found: set[str] = set()
    waiting = list(provisions)
    while waiting:
        one = waiting.pop()
        waiting += one.exceptions
        found.update(text for actor in one.actors if actor.who for text in (actor.who, actor.family))
    return frozenset(found)
