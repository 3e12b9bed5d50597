"""What lies on a node's desk: what must still go out, what came in, which grants it holds, what waits for a person.

One encrypted SQLite file beside the vault, with the vault's settings for durability. Everything here is work in
progress; records, links and the journal are the vault's.
"""

from pathlib import Path
from typing import Final

import msgspec

from salus.node.claim_tables import ClaimTables
from salus.node.domain_tables import DomainTables
from salus.node.event_tables import EVENT_TABLES, EventTables
from salus.node.health_link_tables import HEALTH_LINK_TABLES, HealthLinkTables
from salus.node.hosting_tables import HOSTING_TABLES, HostingTables

MIGRATIONS: Final = (
    """
    CREATE TABLE outgoing (
        id BLOB PRIMARY KEY, kind TEXT NOT NULL, receiver TEXT NOT NULL, body BLOB NOT NULL,
        made INTEGER NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL, failure TEXT NOT NULL DEFAULT '',
        done INTEGER) WITHOUT ROWID;
    CREATE INDEX outgoing_due ON outgoing (due) WHERE done IS NULL;
    CREATE TABLE incoming (
        sender TEXT NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL, received INTEGER NOT NULL,
        PRIMARY KEY (sender, id)) WITHOUT ROWID;
    CREATE TABLE request (
        id BLOB PRIMARY KEY, body BLOB NOT NULL, made INTEGER NOT NULL, granted BLOB) WITHOUT ROWID;
    CREATE TABLE held (
        grant_id BLOB PRIMARY KEY, body BLOB NOT NULL, received INTEGER NOT NULL, confirmed INTEGER NOT NULL,
        ended INTEGER) WITHOUT ROWID;
    CREATE TABLE cursor (
        grant_id BLOB NOT NULL, custodian TEXT NOT NULL, cursor BLOB NOT NULL,
        PRIMARY KEY (grant_id, custodian)) WITHOUT ROWID;
    CREATE TABLE emergency (
        id BLOB PRIMARY KEY, body BLOB NOT NULL, opened INTEGER NOT NULL, review BLOB, reviewed INTEGER,
        purged INTEGER) WITHOUT ROWID;
    CREATE TABLE emergency_answered (id BLOB PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE deferred (number INTEGER PRIMARY KEY AUTOINCREMENT, message BLOB NOT NULL, time INTEGER NOT NULL);
    CREATE TABLE erasure (
        case_id BLOB PRIMARY KEY, subject BLOB NOT NULL, lease INTEGER NOT NULL, opened INTEGER NOT NULL,
        done INTEGER) WITHOUT ROWID;
    """,
    "CREATE TABLE contact (link BLOB PRIMARY KEY, address TEXT NOT NULL) WITHOUT ROWID;",
    """
    CREATE TABLE stopped (
        link BLOB NOT NULL, grant_id BLOB NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (link, grant_id)) WITHOUT ROWID;
    """,
    "CREATE TABLE claim (case_id BLOB PRIMARY KEY, body BLOB NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID;",
    "CREATE TABLE research (kind TEXT NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;",
    """
    CREATE INDEX claim_number ON claim (number);
    CREATE TABLE claim_state (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE letter (
        id BLOB PRIMARY KEY, sender TEXT NOT NULL, control TEXT NOT NULL, kind TEXT NOT NULL, received INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX letter_state ON letter (state, received);
    """,
    """
    CREATE TABLE trial (
        kind TEXT NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    """,
    """
    CREATE TABLE correction (
        id BLOB PRIMARY KEY, link BLOB NOT NULL, body BLOB NOT NULL, made INTEGER NOT NULL, answered INTEGER)
        WITHOUT ROWID;
    CREATE INDEX correction_link ON correction (link);
    """,
    "CREATE TABLE supply (kind TEXT NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;",
    "CREATE TABLE followed (source TEXT PRIMARY KEY, since TEXT NOT NULL) WITHOUT ROWID;",
    """
    CREATE TABLE bulk_import (
        id BLOB PRIMARY KEY, body BLOB NOT NULL, made INTEGER NOT NULL, told BLOB NOT NULL DEFAULT x'') WITHOUT ROWID;
    """,
    "CREATE TABLE ended_export (id BLOB PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID;",
    """
    CREATE TABLE identity_pair (
        id BLOB PRIMARY KEY, one BLOB NOT NULL, other BLOB NOT NULL, standing TEXT NOT NULL, body BLOB NOT NULL)
        WITHOUT ROWID;
    CREATE INDEX identity_pair_standing ON identity_pair (standing);
    CREATE INDEX identity_pair_one ON identity_pair (one);
    CREATE INDEX identity_pair_other ON identity_pair (other);
    CREATE TABLE identity_compared (number INTEGER NOT NULL);
    """,
    "ALTER TABLE followed ADD COLUMN run BLOB NOT NULL DEFAULT x'';",
    EVENT_TABLES,
    HEALTH_LINK_TABLES,
    # A table without rowids reads a whole body to compare the key before it; a lot of a million packs is one of 20 MB.
    """
    ALTER TABLE supply RENAME TO supply_before;
    CREATE TABLE supply (kind TEXT NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id));
    INSERT INTO supply SELECT kind, id, body FROM supply_before;
    DROP TABLE supply_before;
    """,
    """
    ALTER TABLE claim ADD COLUMN open INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX claim_open ON claim (number) WHERE open = 1;
    CREATE TABLE claim_family (family BLOB NOT NULL, case_id BLOB NOT NULL, PRIMARY KEY (family, case_id)) WITHOUT ROWID;
    """,
    HOSTING_TABLES,
)


class Outgoing(msgspec.Struct, frozen=True):
    """Something to be sent until its receiver acknowledges it."""

    id: bytes
    """16 random bytes; the receiver takes each once."""
    kind: str
    """What is sent: `delivery/<kind>` to a member, `notice` to a person."""
    receiver: str
    """Member id, or for a notice the address that the person gave."""
    body: bytes
    made: int
    due: int
    """Not tried again before this time, Unix ms."""
    tries: int


class Held(msgspec.Struct, frozen=True):
    """A grant that this member holds."""

    grant: bytes
    """Grant id, 32 bytes."""
    body: bytes
    """The opened grant: document, slips and openings, as the wallet sealed them."""
    received: int
    confirmed: int
    """When the node's replica last showed the grant live, Unix ms."""
    ended: int | None
    """When its lease was purged, or None."""


class Erasing(msgspec.Struct, frozen=True):
    """An erasure that this member has begun."""

    case: bytes
    subject: bytes
    """Link id, or grant id for a lease."""
    lease: bool
    opened: int
    done: int | None


class EmergencyKept(msgspec.Struct, frozen=True):
    """An emergency access that this member opened."""

    id: bytes
    body: bytes
    """The request."""
    opened: int
    purged: int | None
    """When what was read was purged, or None."""
    reviewed: int | None
    """When its review was written, or None; the ledger may still wait for it."""


class Letter(msgspec.Struct, frozen=True):
    """What the desk keeps of one message.

    body: the bytes as received while a person may still need them, b"" once taken or dropped. reason: code and place of
    the refusal, or fields that were not carried over; names only.
    """

    id: bytes
    """Digest of sender and bytes, 16 bytes."""
    sender: str
    """Application and facility (MSH-3, MSH-4)."""
    control: str
    kind: str
    received: int
    state: str
    reason: str
    body: bytes


class Desk(ClaimTables, DomainTables, EventTables, HealthLinkTables, HostingTables):
    """See the module's docstring. Methods that write are durable when they return. Thread-safe."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or create the file under its 32-byte key. Raises the vault's WrongKey or Damaged."""
        super().__init__(path, key, MIGRATIONS)

    # What goes out ----------------------------------------------------------------------------------------------

    def send_later(self, one: Outgoing) -> None:
        """Keep something until it is acknowledged."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO outgoing (id, kind, receiver, body, made, due, tries) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (one.id, one.kind, one.receiver, one.body, one.made, one.due, one.tries),
            )

    def due(self, now: int, kinds: str, limit: int = 100) -> list[Outgoing]:
        """Return what is to be sent now of the kinds that begin with `kinds`, the longest waiting first."""
        sql = (
            "SELECT id, kind, receiver, body, made, due, tries FROM outgoing "
            "WHERE done IS NULL AND due <= ? AND substr(kind, 1, ?) = ? ORDER BY due LIMIT ?"
        )
        return [Outgoing(*row) for row in self._rows(sql, (now, len(kinds), kinds, limit))]  # type: ignore[arg-type]

    def waiting(self) -> list[tuple[Outgoing, str]]:
        """Return everything not yet acknowledged, with the code of the last failure, the longest waiting first."""
        sql = (
            "SELECT id, kind, receiver, body, made, due, tries, failure FROM outgoing WHERE done IS NULL ORDER BY made"
        )
        return [(Outgoing(*row[:7]), str(row[7])) for row in self._rows(sql)]  # type: ignore[arg-type]

    def sent(self, id_: bytes, now: int) -> None:
        """Note an acknowledgement; body and receiver are not kept."""
        with self._writing() as db:
            db.execute("UPDATE outgoing SET done = ?, body = x'', receiver = '' WHERE id = ?", (now, id_))

    def again(self, id_: bytes, due: int, failure: str) -> None:
        """Note a failed try with its refusal's code."""
        with self._writing() as db:
            db.execute("UPDATE outgoing SET tries = tries + 1, due = ?, failure = ? WHERE id = ?", (due, failure, id_))

    # Where patients are told ------------------------------------------------------------------------------------

    def set_contact(self, link: bytes, address: str) -> None:
        """Keep the address of a link's patient; an empty one forgets it, and what waits to be sent there."""
        with self._writing() as db:
            for (old,) in db.execute("SELECT address FROM contact WHERE link = ?", (link,)).fetchall():
                db.execute("DELETE FROM outgoing WHERE kind = 'notice' AND receiver = ? AND done IS NULL", (old,))
            db.execute("DELETE FROM contact WHERE link = ?", (link,))
            if address:
                db.execute("INSERT INTO contact VALUES (?, ?)", (link, address))

    def contact(self, link: bytes) -> str:
        """Return the address of a link's patient, or nothing."""
        rows = self._rows("SELECT address FROM contact WHERE link = ?", (link,))
        return str(rows[0][0]) if rows else ""

    def contacted(self) -> set[bytes]:
        """Return the links whose patient's address is known."""
        return {link for (link,) in self._rows("SELECT link FROM contact", ())}  # type: ignore[misc]

    # What came in -----------------------------------------------------------------------------------------------

    def has(self, sender: str, id_: bytes) -> bool:
        """Say whether a delivery was taken already."""
        return bool(self._rows("SELECT 1 FROM incoming WHERE sender = ? AND id = ?", (sender, id_)))

    def take(self, sender: str, id_: bytes, kind: str, now: int) -> None:
        """Note that a delivery was taken."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO incoming VALUES (?, ?, ?, ?)", (sender, id_, kind, now))

    # Requests for access ----------------------------------------------------------------------------------------

    def ask(self, id_: bytes, body: bytes, now: int) -> None:
        """Keep a request for access that this member has signed."""
        with self._writing() as db:
            db.execute("INSERT INTO request VALUES (?, ?, ?, NULL)", (id_, body, now))

    def answered(self, id_: bytes, grant: bytes) -> None:
        """Note the grant that answers a request; an unknown request, or one answered before, changes nothing."""
        with self._writing() as db:
            db.execute("UPDATE request SET granted = ? WHERE id = ? AND granted IS NULL", (grant, id_))

    def requests(self) -> list[tuple[bytes, bytes, int, bytes | None]]:
        """Return (id, body, made, grant id or None) of all requests, oldest first."""
        return self._rows("SELECT id, body, made, granted FROM request ORDER BY made")  # type: ignore[return-value]

    # Grants held ------------------------------------------------------------------------------------------------

    def hold(self, grant: bytes, body: bytes, now: int) -> None:
        """Keep a grant."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, NULL)", (grant, body, now, now))

    def held(self, grant: bytes | None = None) -> list[Held]:
        """Return the grants held, or the one asked for, ended ones too."""
        sql = "SELECT grant_id, body, received, confirmed, ended FROM held"
        rows = self._rows(sql) if grant is None else self._rows(sql + " WHERE grant_id = ?", (grant,))
        return [Held(*row) for row in rows]  # type: ignore[arg-type]

    def confirm(self, grant: bytes, now: int) -> None:
        """Note that the ledger shows the grant live."""
        with self._writing() as db:
            db.execute("UPDATE held SET confirmed = ? WHERE grant_id = ?", (now, grant))

    def end(self, grant: bytes, now: int) -> None:
        """Note that a grant's lease is purged; what the grant said is forgotten."""
        with self._writing() as db:
            db.execute("UPDATE held SET ended = ?, body = x'' WHERE grant_id = ?", (now, grant))
            db.execute("DELETE FROM cursor WHERE grant_id = ?", (grant,))

    def cursor(self, grant: bytes, custodian: str) -> bytes:
        """Return where the next pull from a custodian goes on, empty for the beginning."""
        rows = self._rows("SELECT cursor FROM cursor WHERE grant_id = ? AND custodian = ?", (grant, custodian))
        return rows[0][0] if rows else b""  # type: ignore[return-value]

    def note_cursor(self, grant: bytes, custodian: str, cursor: bytes) -> None:
        """Keep where the next pull from a custodian goes on."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (grant, custodian, cursor))

    # Grants stopped by a link key --------------------------------------------------------------------------------

    def stop(self, link: bytes, grant: bytes, now: int) -> bool:
        """Open a link to a grant no more; False if it was stopped before. Another link's key stops nothing of it."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO stopped VALUES (?, ?, ?)", (link, grant, now))
            return db.changes() == 1

    def is_stopped(self, link: bytes, grant: bytes) -> bool:
        """Say whether a link's key stopped a grant here."""
        return bool(self._rows("SELECT 1 FROM stopped WHERE link = ? AND grant_id = ?", (link, grant)))

    # Erasures ---------------------------------------------------------------------------------------------------

    def begin_erasure(self, one: Erasing) -> None:
        """Keep an erasure that was asked for."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO erasure VALUES (?, ?, ?, ?, NULL)",
                (one.case, one.subject, one.lease, one.opened),
            )

    def erasures(self) -> list[Erasing]:
        """Return all erasures, oldest first."""
        rows = self._rows("SELECT case_id, subject, lease, opened, done FROM erasure ORDER BY opened")
        return [Erasing(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows]  # type: ignore[arg-type]

    def end_erasure(self, case: bytes, now: int) -> None:
        """Note that an erasure is done; whom it was about is forgotten."""
        with self._writing() as db:
            db.execute("UPDATE erasure SET done = ?, subject = x'' WHERE case_id = ?", (now, case))

    # Corrections ------------------------------------------------------------------------------------------------

    def keep_correction(self, id_: bytes, link: bytes, body: bytes, now: int) -> int:
        """Keep a patient's request to correct, once; return how many of the link wait."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO correction VALUES (?, ?, ?, ?, NULL)", (id_, link, body, now))
        sql = "SELECT count(*) FROM correction WHERE link = ? AND answered IS NULL"
        return int(self._rows(sql, (link,))[0][0])  # type: ignore[arg-type]

    def corrections(self, link: bytes | None = None) -> list[tuple[bytes, bytes, bytes, int]]:
        """Return (id, link, body, made) of all requests to correct, or of one link, oldest first."""
        sql = "SELECT id, link, body, made FROM correction"
        if link is None:
            return self._rows(sql + " ORDER BY made, id")  # type: ignore[return-value]
        return self._rows(sql + " WHERE link = ? ORDER BY made, id", (link,))  # type: ignore[return-value]

    def answer_correction(self, id_: bytes, body: bytes, now: int) -> bool:
        """Put the answered request in its place; False if it was answered before."""
        with self._writing() as db:
            db.execute(
                "UPDATE correction SET body = ?, answered = ? WHERE id = ? AND answered IS NULL", (body, now, id_)
            )
            return db.changes() == 1

    def drop_corrections(self, link: bytes) -> None:
        """Forget the requests to correct of a link that is erased."""
        with self._writing() as db:
            db.execute("DELETE FROM correction WHERE link = ?", (link,))

    # Who is who -------------------------------------------------------------------------------------------------

    def keep_pair(self, id_: bytes, links: tuple[bytes, bytes], standing: str, body: bytes) -> None:
        """Keep what is known of two links that may be of one patient; the newest replaces what was."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO identity_pair VALUES (?, ?, ?, ?, ?)", (id_, *links, standing, body))

    def pair(self, id_: bytes) -> bytes | None:
        """Return what is known of a pair."""
        rows = self._rows("SELECT body FROM identity_pair WHERE id = ?", (id_,))
        return rows[0][0] if rows else None  # type: ignore[return-value]

    def pairs(self, standing: str) -> list[bytes]:
        """Return the pairs in a standing, in order of ids."""
        sql = "SELECT body FROM identity_pair WHERE standing = ? ORDER BY id"
        return [body for (body,) in self._rows(sql, (standing,))]  # type: ignore[misc]

    def drop_pair(self, id_: bytes) -> None:
        """Forget a pair."""
        with self._writing() as db:
            db.execute("DELETE FROM identity_pair WHERE id = ?", (id_,))

    def drop_pairs(self, link: bytes) -> None:
        """Forget every pair of a link that is erased."""
        with self._writing() as db:
            db.execute("DELETE FROM identity_pair WHERE one = ? OR other = ?", (link, link))

    def compared(self) -> int:
        """Return the number of the last Patient that was compared with the others."""
        rows = self._rows("SELECT number FROM identity_compared")
        return int(rows[0][0]) if rows else 0  # type: ignore[arg-type]

    def note_compared(self, number: int) -> None:
        """Keep the number of the last Patient that was compared."""
        with self._writing() as db:
            db.execute("DELETE FROM identity_compared")
            db.execute("INSERT INTO identity_compared VALUES (?)", (number,))

    # Emergencies ------------------------------------------------------------------------------------------------

    def keep_emergency(self, one: EmergencyKept) -> None:
        """Keep an emergency access that was opened."""
        with self._writing() as db:
            db.execute("INSERT INTO emergency (id, body, opened) VALUES (?, ?, ?)", (one.id, one.body, one.opened))

    def emergencies(self, id_: bytes | None = None) -> list[EmergencyKept]:
        """Return the emergency accesses opened here, or the one asked for, oldest first."""
        sql = "SELECT id, body, opened, purged, reviewed FROM emergency"
        rows = self._rows(sql + " ORDER BY opened") if id_ is None else self._rows(sql + " WHERE id = ?", (id_,))
        return [EmergencyKept(*row) for row in rows]  # type: ignore[arg-type]

    def keep_review(self, id_: bytes, review: bytes, message: bytes, now: int) -> bytes:
        """Keep a review's salt and text and, deferred, what commits it, unless one is kept; return the one that stands."""
        with self._writing() as db:
            db.execute(
                "UPDATE emergency SET review = ?, reviewed = ? WHERE id = ? AND review IS NULL", (review, now, id_)
            )
            if db.changes():
                db.execute("INSERT INTO deferred (message, time) VALUES (?, ?)", (message, now))
        ((standing,),) = self._rows("SELECT review FROM emergency WHERE id = ?", (id_,))
        return bytes(standing)  # type: ignore[arg-type]

    def purged_emergency(self, id_: bytes, now: int) -> None:
        """Note that what was read is purged; whom it was about is forgotten."""
        with self._writing() as db:
            db.execute("UPDATE emergency SET purged = ?, body = x'' WHERE id = ?", (now, id_))

    def answer_emergency(self, id_: bytes, now: int) -> bool:
        """Note that an emergency is answered here; False if it was before."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO emergency_answered VALUES (?, ?)", (id_, now))
            return db.changes() == 1

    # What waits for the ledger ----------------------------------------------------------------------------------

    def defer(self, message: bytes, now: int) -> None:
        """Keep a message for the ledger until it is back."""
        with self._writing() as db:
            db.execute("INSERT INTO deferred (message, time) VALUES (?, ?)", (message, now))

    def deferred(self) -> list[tuple[int, bytes, int]]:
        """Return (number, message, when it was kept) of everything that waits, oldest first."""
        return self._rows("SELECT number, message, time FROM deferred ORDER BY number")  # type: ignore[return-value]

    def settled(self, number: int) -> None:
        """Note that a message is on the ledger."""
        with self._writing() as db:
            db.execute("DELETE FROM deferred WHERE number = ?", (number,))

    # Servers that are followed -------------------------------------------------------------------------------------

    def followed(self, source: str) -> str:
        """Return from when on a followed server is asked for changes, "" for one that is new."""
        rows = self._rows("SELECT since FROM followed WHERE source = ?", (source,))
        return str(rows[0][0]) if rows else ""

    def follow(self, source: str, since: str) -> None:
        """Note from when on to ask next time; the run that told it has ended."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO followed VALUES (?, ?, x'')", (source, since))

    def run_of(self, source: str) -> bytes:
        """Return how far a run has come that did not end, b"" without."""
        rows = self._rows("SELECT run FROM followed WHERE source = ?", (source,))
        return rows[0][0] if rows else b""  # type: ignore[return-value]

    def keep_run(self, source: str, run: bytes) -> None:
        """Keep how far a run has come."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO followed VALUES (?, '', x'')", (source,))
            db.execute("UPDATE followed SET run = ? WHERE source = ?", (run, source))

    # Bulk imports ----------------------------------------------------------------------------------------------------

    def keep_import(self, id_: bytes, body: bytes, now: int) -> None:
        """Keep an order until it is forgotten."""
        with self._writing() as db:
            db.execute("INSERT INTO bulk_import (id, body, made) VALUES (?, ?, ?)", (id_, body, now))

    def imports(self) -> list[tuple[bytes, bytes, bytes]]:
        """Return (id, order, report or b"") of all imports, the oldest first."""
        return self._rows("SELECT id, body, told FROM bulk_import ORDER BY made, id")  # type: ignore[return-value]

    def report_import(self, id_: bytes, told: bytes) -> None:
        """Keep what came of an import."""
        with self._writing() as db:
            db.execute("UPDATE bulk_import SET told = ? WHERE id = ?", (told, id_))

    def forget_import(self, id_: bytes) -> None:
        """Forget an import."""
        with self._writing() as db:
            db.execute("DELETE FROM bulk_import WHERE id = ?", (id_,))

    def forget_imports(self, made: int) -> None:
        """Forget the imports that ended and are older."""
        with self._writing() as db:
            db.execute("DELETE FROM bulk_import WHERE told <> x'' AND made < ?", (made,))

    def end_export(self, id_: bytes, made: int, *, since: int, most: int) -> bool:
        """Remember that an export made at `made` (Unix ms) was deleted, and forget those made before `since`.

        Returns False, remembering nothing, if `most` are remembered already.
        """
        with self._writing() as db:
            db.execute("DELETE FROM ended_export WHERE made < ?", (since,))
            sql = "INSERT OR REPLACE INTO ended_export SELECT ?, ? WHERE (SELECT count(*) FROM ended_export) < ?"
            db.execute(sql, (id_, made, most))
            return db.changes() == 1

    def export_ended(self, id_: bytes) -> bool:
        """Return whether an export was deleted."""
        return bool(self._rows("SELECT 1 FROM ended_export WHERE id = ?", (id_,)))

    # Messages of HL7 v2 ------------------------------------------------------------------------------------------

    def keep_letter(self, one: Letter) -> None:
        """Keep a message in its present state."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO letter VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(one))

    def letter(self, id_: bytes) -> Letter | None:
        """Return a message, None for an unknown id."""
        rows = self._rows("SELECT * FROM letter WHERE id = ?", (id_,))
        return Letter(*rows[0]) if rows else None  # type: ignore[arg-type]

    def forget_letters(self, state: str, since: int) -> None:
        """Forget the messages in a state that came before `since` (Unix ms)."""
        with self._writing() as db:
            db.execute("DELETE FROM letter WHERE state = ? AND received < ?", (state, since))

    def letters(self, state: str, limit: int) -> list[Letter]:
        """Return messages in a state, the newest first."""
        sql = "SELECT * FROM letter WHERE state = ? ORDER BY received DESC, id LIMIT ?"
        return [Letter(*row) for row in self._rows(sql, (state, limit))]  # type: ignore[arg-type]
