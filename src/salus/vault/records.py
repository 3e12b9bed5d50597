"""Writing and reading records: seal, segment to disk, `vault.db` to disk, and only then an answer."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

import msgspec

from salus.vault.errors import Damaged, Erased, SealBroken, TooLarge, UnknownRecord, VaultError
from salus.vault.journal import Disclosure, insert_lines
from salus.vault.links import LinkKind, Standing, Tie, tie_of
from salus.vault.sealing import (
    RANDOM_BYTES,
    Content,
    Fresh,
    Kind,
    Sealed,
    content_digest,
    leaf_of,
    open_sealed,
    seal,
    take_apart,
    unwrap,
    wrap_key,
)
from salus.vault.store import Row, Store

MAX_WRITE: Final = 256 * 1024 * 1024
"""Bytes of bodies in one write: it is sealed in memory and committed whole."""
_COLUMNS: Final = (
    "r.number, r.entry, l.id, r.sequence, r.kind, r.type, r.id, r.version, r.recorded, r.segment, r.offset, r.length, "
    "r.salt, r.wrap, r.leaf, l.secret, l.standing, r.link, r.chain_salt, r.previous"
)
_FROM: Final = "FROM record r JOIN link l ON l.number = r.link"
_IDENTITIES: Final = 64
"""Identities looked up by one statement; NULLs, which match nothing, fill up."""
_NEWEST: Final = (
    "SELECT link, type, id, max(version), content, number, sequence, kind, recorded FROM record "  # the max's row
    "WHERE (link, type, id) IN (VALUES {}) GROUP BY link, type, id"
)
_SELECT_NEWEST: Final = _NEWEST.format(", ".join(["(?, ?, ?)"] * _IDENTITIES))
_SELECT_ONE_NEWEST: Final = _NEWEST.format("(?, ?, ?)")
_TOGETHER: Final = 256
"""Rows fetched by one statement; record numbers begin at 1, so 0 fills up."""
_SELECT_ONE: Final = f"SELECT {_COLUMNS} {_FROM} WHERE r.number = ?"
_SELECT_MANY: Final = f"SELECT {_COLUMNS} {_FROM} WHERE r.number IN ({', '.join('?' * _TOGETHER)})"
_INSERT: Final = (
    "INSERT INTO record (number, entry, link, sequence, kind, type, id, version, recorded, content, segment, offset, "
    "length, salt, chain_salt, previous, wrap, leaf) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


_Identity = tuple[bytes, str, str]
"""Link id, type, id."""


class Ref(msgspec.Struct, frozen=True):
    """Where a record is: what `write` returns and an index keeps."""

    number: int
    """Counts all records of this vault from 1, never reused: an index catches up by it."""
    link: bytes
    sequence: int
    """Counts the link's records from 1. For its wallet only: gaps would tell a grantee what is hidden."""
    kind: Kind
    type: str
    id: str
    version: int
    recorded: int
    """Unix milliseconds."""
    fresh: bool = True
    """False when `write` found the same bytes already stored."""
    withdrawn: bool = False
    """Its key was destroyed: it stands in its chain and opens no longer."""


class Record(msgspec.Struct, frozen=True):
    """An opened record."""

    ref: Ref
    content: Content


class Stored(msgspec.Struct, frozen=True):
    """A record's row: what only the vault's own modules see."""

    ref: Ref
    entry: int | None
    standing: Standing
    secret: bytes
    segment: int
    offset: int
    length: int
    salt: bytes
    chain_salt: bytes
    previous: bytes
    wrap: bytes
    leaf: bytes


_Known = tuple[int, bytes, Ref | int]
"""Version, content digest, and the ref or the index of the plan."""


class _Plan(msgspec.Struct):
    """A record that is sealed and not stored yet."""

    tie: Tie
    content: Content
    hash: bytes
    version: int
    sequence: int
    previous: bytes
    fresh: Fresh


Lines = Callable[[Sequence[Ref]], Sequence[Disclosure]]
"""Which journal lines some new records make."""


def no_lines(refs: Sequence[Ref]) -> Sequence[Disclosure]:  # noqa: ARG001 -- a `Lines`
    """Return no journal line: what is written by its source's own word has none."""
    return ()


def write_all(store: Store, items: Sequence[tuple[bytes, Content]], lines: Lines = no_lines) -> list[Ref]:
    """Seal and store `items` = (link id, content), all or none, durable on return; refs in the order given.

    `lines` says of what is stored as new which journal lines are written in the same commit.
    The same type and id under the same link with the same bytes is a no-op; other bytes are the next version.
    Raises UnknownLink, Erased, TooLarge, StorageFull, Stopped.
    """
    if sum(len(content.body) for _, content in items) > MAX_WRITE:
        raise TooLarge(f"one write takes at most {MAX_WRITE} bytes")
    with store.lock:
        store.refuse_in_doubt()
        now = store.clock()
        plans, places = _plan(store, items, now)
        if not plans:
            return [place for place in places if isinstance(place, Ref)]
        segment, offset = store.append(b"".join(plan.fresh.sealed for plan in plans))
        try:
            refs = _commit(store, plans, (segment, offset), now, lines)
        except VaultError:
            store.cut_tail(segment)
            raise
        return [place if isinstance(place, Ref) else refs[place] for place in places]


def _plan(store: Store, items: Sequence[tuple[bytes, Content]], now: int) -> tuple[list[_Plan], list[Ref | int]]:
    """Return what must be stored, and for each item its existing ref or the index of its plan."""
    ties: dict[bytes, Tie] = {}
    plans: list[_Plan] = []
    places: list[Ref | int] = []
    for link in dict.fromkeys(link for link, _ in items):
        ties[link] = tie_of(store, link)
    known = _newest(store, ties, [(link, content.type, content.id) for link, content in items])
    for link, content in items:
        tie = ties[link]
        identity = (link, content.type, content.id)
        before = known.get(identity)
        hashed = content_digest(content)
        if before and before[1] == hashed:
            known[identity] = before
            places.append(before[2])
            continue
        version = before[0] + 1 if before else 1
        tie.sequence += 1
        fresh = seal(
            content,
            hashed,
            header=tie.header,
            wrapping=tie.wrapping,
            version=version,
            recorded=now,
            sequence=tie.sequence,
            previous=tie.head,
            random=store.entropy(RANDOM_BYTES),
        )
        known[identity] = (version, hashed, len(plans))
        places.append(len(plans))
        plans.append(_Plan(tie, content, hashed, version, tie.sequence, tie.head, fresh))
        tie.head = fresh.leaf
    return plans, places


def _newest(store: Store, ties: dict[bytes, Tie], identities: Sequence[_Identity]) -> dict[_Identity, _Known]:
    """Return version, content digest and ref of the newest version of what is stored already."""
    links = {tie.number: tie.id for tie in ties.values()}
    found: dict[_Identity, _Known] = {}
    for at in range(0, len(identities), _IDENTITIES):
        some = identities[at : at + _IDENTITIES]
        values: list[bytes | int | str | None] = []
        for link, type_, id_ in some:
            values += (ties[link].number, type_, id_)
        sql = _SELECT_NEWEST
        if len(some) == 1:
            sql = _SELECT_ONE_NEWEST
        else:
            values += [None] * 3 * (_IDENTITIES - len(some))
        for row in cast("list[tuple[int, str, str, int, bytes, int, int, int, int]]", store.rows(sql, values)):
            inner, type_, id_, version, hashed, number, sequence, kind, recorded = row
            link = links[inner]
            ref = Ref(number, link, sequence, Kind(kind), type_, id_, version, recorded, fresh=False)
            found[link, type_, id_] = (version, hashed, ref)
    return found


def _commit(store: Store, plans: list[_Plan], place: tuple[int, int], now: int, lines: Lines) -> list[Ref]:
    segment, offset = place
    records, entries = cast("tuple[int, int]", store.row("SELECT records, entries FROM counter"))
    rows: list[Row] = []
    pending: list[Row] = []
    refs = []
    for plan in plans:
        records += 1
        entry = None
        if plan.tie.kind != LinkKind.LEASE:
            entries += 1
            entry = entries
            pending.append((entry, 0, plan.fresh.leaf))
        content, fresh, tie = plan.content, plan.fresh, plan.tie
        length = len(fresh.sealed)
        rows.append(
            (
                *(records, entry, tie.number, plan.sequence),
                *(int(content.kind), content.type, content.id, plan.version, now, plan.hash),
                *(segment, offset, length, fresh.salt, fresh.chain_salt, plan.previous, fresh.wrap, fresh.leaf),
            )
        )
        refs.append(Ref(records, tie.id, plan.sequence, content.kind, content.type, content.id, plan.version, now))
        offset += length
    heads = {plan.tie.number: plan.tie for plan in plans}
    with store.transaction() as db:
        db.executemany(_INSERT, rows)
        db.executemany("INSERT INTO pending VALUES (?, ?, ?)", pending)
        db.executemany(
            "UPDATE link SET sequence = ?, head = ? WHERE number = ?",
            [(tie.sequence, tie.head, tie.number) for tie in heads.values()],
        )
        db.execute("UPDATE counter SET records = ?, entries = ?", (records, entries))
        store.moved_end(segment, offset)
        if told := lines(refs):
            insert_lines(store, db, told)
    return refs


def open_record(store: Store, number: int) -> Record:
    """Return a record's content, every byte verified against its leaf. Raises UnknownRecord, Erased, Damaged."""
    return open_records(store, [number])[0]


def open_records(store: Store, numbers: Iterable[int]) -> list[Record]:
    """As `open_record`, for many."""
    keys: dict[bytes, bytes] = {}
    return [_read_where_it_lies(store, row, keys) for row in stored_all(store, list(numbers))]


def _read_where_it_lies(store: Store, row: Stored, keys: dict[bytes, bytes]) -> Record:
    """Read a record; once more if an erasure of another link moved it to a new segment meanwhile."""
    try:
        return read_stored(store, row, keys)
    except Damaged:
        now = stored(store, row.ref.number)
        if (now.segment, now.offset) == (row.segment, row.offset):
            raise
        return read_stored(store, now, keys)


def read_stored(store: Store, row: Stored, keys: dict[bytes, bytes]) -> Record:
    """Open a row's record. `keys` caches wrap keys by link secret. Raises Damaged naming the record."""
    sealed, data_key = sealed_and_key(store, row, keys)
    try:
        meta, body = open_sealed(sealed, data_key)
    except SealBroken as error:
        raise Damaged(f"record {row.ref.number}: {error}") from None
    ref = row.ref
    if (meta.type, meta.id, meta.version, meta.recorded) != (ref.type, ref.id, ref.version, ref.recorded):
        raise Damaged(f"record {ref.number} holds another record than its row says")
    return Record(ref, Content(meta.type, meta.id, body, meta.media, Kind(meta.kind), meta.source))


def sealed_and_key(store: Store, row: Stored, keys: dict[bytes, bytes]) -> tuple[Sealed, bytes]:
    """Return a record's sealed bytes, checked against its leaf, and its data key. Raises Damaged, Erased (withdrawn)."""
    from_disk = store.segments.read(row.segment, row.offset, row.length)
    wrapping = keys.get(row.secret)
    if wrapping is None:
        wrapping = keys[row.secret] = wrap_key(row.secret)
    try:
        sealed = take_apart(from_disk)
        if sealed.link != row.ref.link or leaf_of(sealed, row.salt) != row.leaf:
            raise Damaged(f"record {row.ref.number}: it is not the one that its leaf stands for")
        if row.ref.withdrawn:
            raise Erased(f"record {row.ref.number} was withdrawn")
        return sealed, unwrap(wrapping, row.wrap)
    except SealBroken as error:
        raise Damaged(f"record {row.ref.number}: {error}") from None


def withdraw(store: Store, link: bytes, type_: str, id_: str) -> list[Ref]:
    """Destroy the keys of every version of a resource but tombstones, for good; return what no longer opens.

    Sealed bytes, leaves and chain stay, so that what the ledger and the link's wallet were shown still holds. Idempotent.
    Raises StorageFull, Stopped.
    """
    with store.lock:
        refs = [one for one in refs_of(store, link, type_, id_) if one.kind is not Kind.TOMBSTONE]
        numbers = [(one.number,) for one in refs if not one.withdrawn]
        if numbers:
            with store.transaction() as db:
                db.executemany("UPDATE record SET wrap = x'', content = x'' WHERE number = ?", numbers)
            store.truncate_log()
        return refs


def stored(store: Store, number: int) -> Stored:
    """Return a record's row. Raises UnknownRecord, Erased."""
    row = store.row(_SELECT_ONE, (number,))
    if row is None:
        raise UnknownRecord(f"no record {number}")
    return _stored(row)


def stored_all(store: Store, numbers: Sequence[int]) -> list[Stored]:
    """Return the rows of many records in the order asked for. Raises UnknownRecord, Erased."""
    rows: dict[int, Stored] = {}
    for at in range(0, len(numbers), _TOGETHER):
        some = numbers[at : at + _TOGETHER]
        if len(some) == 1:
            found = store.rows(_SELECT_ONE, some)
        else:
            found = store.rows(_SELECT_MANY, (*some, *[0] * (_TOGETHER - len(some))))
        rows.update((cast("int", row[0]), _stored(row)) for row in found)
    missing = next((number for number in numbers if number not in rows), None)
    if missing is not None:
        raise UnknownRecord(f"no record {missing}")
    return [rows[number] for number in numbers]


def stored_of_link(store: Store, link: bytes, after: int = 0, limit: int = -1) -> list[Stored]:
    """Return the rows of a link's records behind sequence `after`, in order."""
    sql = f"SELECT {_COLUMNS} {_FROM} WHERE l.id = ? AND r.sequence > ? ORDER BY r.sequence LIMIT ?"
    return [_stored(row) for row in store.rows(sql, (link, after, limit))]


def stored_since(store: Store, after: int, limit: int) -> list[Stored]:
    """Return up to `limit` rows behind record number `after`, in order."""
    sql = f"SELECT {_COLUMNS} {_FROM} WHERE r.number > ? ORDER BY r.number LIMIT ?"
    return [_stored(row) for row in store.rows(sql, (after, limit))]


def refs_of(store: Store, link: bytes, type_: str, id_: str) -> list[Ref]:
    """Return all versions of a resource under a link, oldest first; the last may be a tombstone."""
    sql = f"SELECT {_COLUMNS} {_FROM} WHERE l.id = ? AND r.type = ? AND r.id = ? ORDER BY r.version"
    return [_stored(row).ref for row in store.rows(sql, (link, type_, id_))]


def _stored(row: Row) -> Stored:
    (number, entry, link, sequence, kind, type_, id_, version, recorded, segment, offset, length) = row[:12]
    salt, wrap, leaf, secret, standing, _, chain_salt, previous = row[12:]
    if secret is None:
        raise Erased("the link was erased")
    return Stored(
        Ref(
            cast("int", number),
            cast("bytes", link),
            cast("int", sequence),
            Kind(cast("int", kind)),
            cast("str", type_),
            cast("str", id_),
            cast("int", version),
            cast("int", recorded),
            withdrawn=not wrap,
        ),
        cast("int | None", entry),
        Standing(cast("int", standing)),
        cast("bytes", secret),
        cast("int", segment),
        cast("int", offset),
        cast("int", length),
        cast("bytes", salt),
        cast("bytes", chain_salt),
        cast("bytes", previous),
        cast("bytes", wrap),
        cast("bytes", leaf),
    )
