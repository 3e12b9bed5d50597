"""The disclosure journal: who read what, when, why, under which grant; a salted leaf of every line in the batch.

    line   msgpack [format = 1, side, subject, line number, time, member, person, role, purpose, action, grant,
                    deferred, what, answer 32]
    leaf   `salus.core.proof.opening.disclosure_leaf`: it opens to the answer alone, without the line

A custodian numbers its lines per link, a grantee per grant: a line that one of the two hides shows at the other.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, cast

import apsw
import msgspec

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.opening import ANSWER_BYTES, answered_leaf, line_tag
from salus.core.proof.opening import disclosure_leaf as leaf_of_line
from salus.vault.batches import Anchoring, Place, Trees, places
from salus.vault.errors import Damaged, TooLarge, UnknownLink
from salus.vault.store import Row, Store

_TOGETHER: Final = 200  # lines of one query: a document of claims is about as many patients at most
MAX_LINE: Final = 64 * 1024
"""Bytes of one line: a pull of thousands of records names them by digest in its manifest, not one by one."""


NO_ANSWER: Final = bytes(ANSWER_BYTES)
"""The answer of a line that no other member's question led to."""


class Side(IntEnum):
    """Whose view a line is, and by what it is numbered."""

    CUSTODIAN = 1
    """Subject: the link id, 16 bytes."""
    GRANTEE = 2
    """Subject: the grant id, 32 bytes."""


class Disclosure(msgspec.Struct, frozen=True):
    """One reading or serving, as the member that saw it happen tells it."""

    side: Side
    subject: bytes
    """Link id (custodian) or grant id (grantee)."""
    member: str
    """Member id of who received: the own id for own staff."""
    person: str
    """Pairwise subject of the person's credential, or empty for a program."""
    role: str
    purpose: str
    """v3-ActReason code: `TREAT`."""
    action: str
    """`read`, `serve`, `emergency`, `export`, ..."""
    what: tuple[str, ...]
    """What was disclosed: `Observation/bp-1/2`, or digests of a manifest."""
    grant: bytes = b""
    """Grant id, if it happened under one."""
    deferred: bool = False
    """It was shown before the ledger could be told."""
    time: int = 0
    """Unix milliseconds; 0 takes the vault's clock."""
    answer: bytes = NO_ANSWER
    """Digest of the question and of what was answered, 32 bytes: whoever asked can tell that the line is about that."""


class Line(msgspec.Struct, frozen=True):
    """A journal line with its proof."""

    entry: int
    number: int
    """Counts the subject's lines from 1."""
    disclosure: Disclosure
    line: bytes
    """The bytes that the leaf is over."""
    salt: bytes
    tag: bytes
    """What stands for the line to whoever asked and may not read it: `answered_leaf` makes the leaf of it."""
    leaf: bytes
    place: Place | None
    """None while the line waits for its batch."""
    anchoring: Anchoring | None


class Detail(Value, frozen=True):
    """A line's bytes, in this order."""

    format: int
    side: int
    subject: bytes
    number: int
    time: int
    member: str
    person: str
    role: str
    purpose: str
    action: str
    grant: bytes
    deferred: bool
    what: tuple[str, ...]
    answer: bytes


def disclosure_leaf(salt: bytes, line: bytes) -> bytes:
    """Return the leaf that stands for a journal line in its batch."""
    return leaf_of_line(line, salt)


def read_line(line: bytes) -> Disclosure:
    """Return what a line says. Raises Damaged on bytes that are no line of format 1."""
    try:
        detail = decode(line, Detail)
        side = Side(detail.side)
    except (MalformedBytes, ValueError):
        raise Damaged("these bytes are no journal line") from None
    if detail.format != 1 or len(detail.answer) != ANSWER_BYTES:
        raise Damaged("these bytes are no journal line of format 1")
    return Disclosure(
        side=side,
        subject=detail.subject,
        member=detail.member,
        person=detail.person,
        role=detail.role,
        purpose=detail.purpose,
        action=detail.action,
        what=detail.what,
        grant=detail.grant,
        deferred=detail.deferred,
        time=detail.time,
        answer=detail.answer,
    )


def append_lines(store: Store, disclosures: Sequence[Disclosure]) -> list[int]:
    """Write lines, all or none, durable on return; return their entries, for `lines_at`.

    Raises UnknownLink, TooLarge, StorageFull, Stopped.
    """
    if not disclosures:
        return []
    with store.transaction() as db:
        return insert_lines(store, db, disclosures)


def insert_lines(store: Store, db: apsw.Connection, disclosures: Sequence[Disclosure]) -> list[int]:
    """Write lines within a transaction of the store; return their entries. Raises UnknownLink, TooLarge."""
    numbers: dict[tuple[int, bytes], int] = {}
    ((entry,),) = cast("list[tuple[int]]", list(db.execute("SELECT entries FROM counter")))
    rows: list[Row] = []
    for one in disclosures:
        key = (int(one.side), one.subject)
        numbers[key] = number = numbers.get(key, -1) + 1 if key in numbers else _lines(db, one) + 1
        entry += 1
        time = one.time or store.clock()
        detail = encode(detail_of(one, number, time))
        if len(detail) > MAX_LINE or len(one.answer) != ANSWER_BYTES:
            raise TooLarge(f"a journal line has at most {MAX_LINE} bytes, its answer {ANSWER_BYTES}")
        salt = store.entropy(32)
        rows.append((entry, int(one.side), one.subject, number, time, detail, salt, disclosure_leaf(salt, detail)))
    db.executemany("INSERT INTO disclosure VALUES (?,?,?,?,?,?,?,?)", rows)
    db.executemany("INSERT INTO pending VALUES (?, 1, ?)", [(row[0], row[7]) for row in rows])
    db.executemany(
        "UPDATE link SET lines = ? WHERE id = ?",
        [(number, subject) for (side, subject), number in numbers.items() if side == Side.CUSTODIAN],
    )
    db.execute("UPDATE counter SET entries = ?", (entry,))
    return [cast("int", row[0]) for row in rows]


def lines_at(store: Store, trees: Trees, entries: Sequence[int]) -> list[Line]:
    """Return the lines of some entries in their order, with proofs. Raises Damaged if one is not there or its leaf does not fit."""
    found: dict[int, Row] = {}
    for at in range(0, len(entries), _TOGETHER):
        some = entries[at : at + _TOGETHER]
        marks = ",".join("?" * len(some))
        sql = f"SELECT entry, line, detail, salt, leaf FROM disclosure WHERE entry IN ({marks})"  # noqa: S608 -- marks alone
        found.update((cast("int", row[0]), row) for row in store.rows(sql, some))
    rows = []
    for entry in entries:
        if entry not in found:
            raise Damaged(f"no journal line {entry}")
        rows.append(found[entry])
    return _proven(store, trees, rows)


def lines(store: Store, trees: Trees, side: Side, subject: bytes, *, after: int, limit: int) -> list[Line]:
    """Return a subject's lines behind line number `after`, in order, with proofs. Raises Damaged."""
    rows = store.rows(
        "SELECT entry, line, detail, salt, leaf FROM disclosure WHERE side = ? AND subject = ? AND line > ? "
        "ORDER BY line LIMIT ?",
        (int(side), subject, after, limit),
    )
    return _proven(store, trees, rows)


def forget_lines(store: Store, before: int) -> int:
    """Delete the lines older than `before` (Unix ms), whose legal term has ended; return how many."""
    with store.lock:
        with store.transaction() as db:
            db.execute("DELETE FROM disclosure WHERE time < ?", (before,))
            gone = db.changes()
        store.truncate_log()
        return gone


def check_lines(store: Store) -> tuple[int, list[str]]:
    """Recompute every line's leaf; return count and damage found."""
    damage = []
    count = 0
    for entry, detail, salt, leaf in cast(
        "list[tuple[int, bytes, bytes, bytes]]", store.rows("SELECT entry, detail, salt, leaf FROM disclosure")
    ):
        count += 1
        if disclosure_leaf(salt, detail) != leaf:
            damage.append(f"disclosure {entry}: its leaf does not stand for its line")
    return count, damage


def _lines(db: apsw.Connection, one: Disclosure) -> int:
    """Return how many lines a subject has."""
    if one.side == Side.CUSTODIAN:
        found = list(db.execute("SELECT lines FROM link WHERE id = ?", (one.subject,)))
        if not found:
            raise UnknownLink("a custodian's line is about one of its links")
        return cast("int", found[0][0])
    if len(one.subject) != 32:
        raise TooLarge("a grantee's line is about a grant id of 32 bytes")
    sql = "SELECT coalesce(max(line), 0) FROM disclosure WHERE side = ? AND subject = ?"
    return cast("int", next(iter(db.execute(sql, (int(one.side), one.subject))))[0])


def detail_of(one: Disclosure, number: int, time: int) -> Detail:
    """Return a disclosure as the line with that number, at that time (Unix ms), whose bytes the leaf is over."""
    return Detail(
        format=1,
        side=int(one.side),
        subject=one.subject,
        number=number,
        time=time,
        member=one.member,
        person=one.person,
        role=one.role,
        purpose=one.purpose,
        action=one.action,
        grant=one.grant,
        deferred=one.deferred,
        what=one.what,
        answer=one.answer,
    )


def _proven(store: Store, trees: Trees, rows: Sequence[Row]) -> list[Line]:
    known = cast("Sequence[tuple[int, int, bytes, bytes, bytes]]", rows)
    found = []
    for (entry, number, detail, salt, leaf), (at, of_batch) in zip(
        known, places(store, trees, (row[0] for row in known)), strict=True
    ):
        tag = line_tag(detail, salt)
        if answered_leaf(tag, detail[-ANSWER_BYTES:]) != leaf:
            raise Damaged(f"disclosure {entry}: its leaf does not stand for its line")
        found.append(Line(entry, number, read_line(detail), detail, salt, tag, leaf, at, of_batch))
    return found
