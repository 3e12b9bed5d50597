"""The link register: which patient's records hang on which random link id, and the secret below each."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, cast

import apsw
import msgspec

from salus.vault.errors import Erased, TooLarge, UnknownLink
from salus.vault.sealing import LINK_BYTES, SECRET_BYTES, chain_start, header_of, wrap_key
from salus.vault.store import Store

MAX_IDENTIFIER: Final = 256


class LinkKind(IntEnum):
    """Whose records a link holds."""

    HOUSE = 0
    """Resources of no patient: organisations, practitioners, locations."""
    PATIENT = 1
    """One patient of this member."""
    LEASE = 2
    """Records pulled from others under one grant: kept while the lease lives, never anchored."""


class Standing(IntEnum):
    """How far an erasure of the link has come."""

    OPEN = 0
    CLOSED = 1
    """An erasure was asked for: nothing is served to others."""
    RETAINED = 2
    """A legal reason keeps the content; closed to every grant."""
    ERASED = 3
    """Content, secret and identifiers are gone; disclosure lines remain until their term ends."""


class LinkInfo(msgspec.Struct, frozen=True):
    """A link as others may see it: never its secret."""

    id: bytes
    kind: LinkKind
    standing: Standing
    records: int
    """Records ever written: the sequence of the newest."""
    lines: int
    """Disclosure lines ever written about it."""
    opened: int
    """Unix milliseconds."""
    reason: str
    """Legal reason class while retained, else empty."""


class Tie(msgspec.Struct):
    """What writing under a link needs; moves as records are added. Stays inside the vault."""

    number: int
    id: bytes
    kind: LinkKind
    header: bytes
    wrapping: bytes
    sequence: int
    head: bytes


def open_links(store: Store, patients: Sequence[tuple[str, str]]) -> list[bytes]:
    """Return the link ids of (assigner, identifier) pairs, opening what is not open, in one durable commit.

    Raises TooLarge for an empty or overlong name.
    """
    for assigner, identifier in patients:
        if not 1 <= len(assigner) <= MAX_IDENTIFIER or not 1 <= len(identifier) <= MAX_IDENTIFIER:
            raise TooLarge(f"assigner and identifier have 1 to {MAX_IDENTIFIER} characters")
    find = "SELECT l.id FROM link_identifier i JOIN link l ON l.number = i.link WHERE assigner = ? AND identifier = ?"
    with store.lock:
        found = {pair: cast("bytes", row[0]) for pair in patients if (row := store.row(find, pair))}
        missing = [pair for pair in dict.fromkeys(patients) if pair not in found]
        if missing:
            with store.transaction() as db:
                for pair in missing:
                    number, found[pair] = _insert(store, db, LinkKind.PATIENT)
                    db.execute("INSERT INTO link_identifier VALUES (?, ?, ?)", (*pair, number))
        return [found[pair] for pair in patients]


def open_lease(store: Store, grant: bytes) -> bytes:
    """Return the link that holds what is pulled under `grant` (32 bytes)."""
    with store.lock:
        key = ("salus:grant", grant.hex())
        row = store.row(
            "SELECT l.id FROM link_identifier i JOIN link l ON l.number = i.link WHERE assigner = ? AND identifier = ?",
            key,
        )
        if row:
            return cast("bytes", row[0])
        with store.transaction() as db:
            number, link = _insert(store, db, LinkKind.LEASE)
            db.execute("INSERT INTO link_identifier VALUES (?, ?, ?)", (*key, number))
        return link


def house_link(store: Store) -> bytes:
    """Return the link of resources that belong to no patient."""
    sql, kind = "SELECT id FROM link WHERE kind = ?", (int(LinkKind.HOUSE),)
    if row := store.row(sql, kind):
        return cast("bytes", row[0])
    with store.lock:
        if row := store.row(sql, kind):
            return cast("bytes", row[0])
        with store.transaction() as db:
            return _insert(store, db, LinkKind.HOUSE)[1]


def add_identifier(store: Store, link: bytes, assigner: str, identifier: str) -> None:
    """Know a link by one more identifier. Raises UnknownLink, TooLarge (the pair belongs to another link)."""
    with store.lock:
        tie = tie_of(store, link)
        row = store.row(
            "SELECT link FROM link_identifier WHERE assigner = ? AND identifier = ?", (assigner, identifier)
        )
        if row and row[0] != tie.number:
            raise TooLarge("this identifier already belongs to another link")
        if not row:
            with store.transaction() as db:
                db.execute("INSERT INTO link_identifier VALUES (?, ?, ?)", (assigner, identifier, tie.number))


def find_link(store: Store, assigner: str, identifier: str) -> bytes | None:
    """Return the link known by an identifier, or None; opens nothing."""
    row = store.row(
        "SELECT l.id FROM link_identifier i JOIN link l ON l.number = i.link WHERE assigner = ? AND identifier = ?",
        (assigner, identifier),
    )
    return cast("bytes", row[0]) if row else None


def identifiers(store: Store, link: bytes) -> list[tuple[str, str]]:
    """Return the (assigner, identifier) pairs of a link."""
    rows = store.rows(
        "SELECT assigner, identifier FROM link_identifier i JOIN link l ON l.number = i.link WHERE l.id = ?", (link,)
    )
    return cast("list[tuple[str, str]]", rows)


def link_info(store: Store, link: bytes) -> LinkInfo:
    """Return what there is to know about a link. Raises UnknownLink."""
    row = store.row("SELECT kind, standing, sequence, lines, opened, reason FROM link WHERE id = ?", (link,))
    if row is None:
        raise UnknownLink("no such link")
    kind, standing, sequence, lines, opened, reason = cast("tuple[int, int, int, int, int, str]", row)
    return LinkInfo(link, LinkKind(kind), Standing(standing), sequence, lines, opened, reason)


def link_infos(store: Store) -> dict[bytes, LinkInfo]:
    """Return what there is to know about all links that are not erased, by id."""
    sql = "SELECT id, kind, standing, sequence, lines, opened, reason FROM link WHERE standing <> ? ORDER BY number"
    rows = cast("list[tuple[bytes, int, int, int, int, int, str]]", store.rows(sql, (int(Standing.ERASED),)))
    return {row[0]: LinkInfo(row[0], LinkKind(row[1]), Standing(row[2]), *row[3:]) for row in rows}


def links(store: Store) -> list[bytes]:
    """Return the ids of all links that are not erased, oldest first."""
    return [
        cast("bytes", row[0])
        for row in store.rows(
            "SELECT id FROM link WHERE standing <> ? ORDER BY number",
            (int(Standing.ERASED),),
        )
    ]


def secret_of(store: Store, link: bytes) -> bytes:
    """Return the link secret. For the vault's own modules alone. Raises UnknownLink, Erased."""
    row = store.row("SELECT secret FROM link WHERE id = ?", (link,))
    if row is None:
        raise UnknownLink("no such link")
    if row[0] is None:
        raise Erased("the link was erased")
    return cast("bytes", row[0])


def secrets_of(store: Store, wanted: Sequence[bytes]) -> list[bytes]:
    """As `secret_of` for many links, read at once."""
    rows = cast("list[tuple[bytes, bytes | None]]", store.rows("SELECT id, secret FROM link"))
    known = dict(rows)
    found = [known.get(link) for link in wanted]
    return [secret if secret is not None else secret_of(store, wanted[place]) for place, secret in enumerate(found)]


def tie_of(store: Store, link: bytes) -> Tie:
    """Return what writing and reading under a link needs. Raises UnknownLink, Erased."""
    row = store.row("SELECT number, kind, secret, sequence, head FROM link WHERE id = ?", (link,))
    if row is None:
        raise UnknownLink("no such link")
    number, kind, secret, sequence, head = cast("tuple[int, int, bytes | None, int, bytes]", row)
    if secret is None:
        raise Erased("the link was erased")
    return Tie(number, link, LinkKind(kind), header_of(link, store.member), wrap_key(secret), sequence, head)


def _insert(store: Store, db: apsw.Connection, kind: LinkKind) -> tuple[int, bytes]:
    link, secret = store.entropy(LINK_BYTES), store.entropy(SECRET_BYTES)
    db.execute(
        "INSERT INTO link (id, kind, secret, sequence, head, lines, standing, opened) VALUES (?, ?, ?, 0, ?, 0, 0, ?)",
        (link, int(kind), secret, chain_start(link), store.clock()),
    )
    return db.last_insert_rowid(), link
