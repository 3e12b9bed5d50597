"""Tables of a node's EPCIS repository, in the desk's file: events, the names in them, jobs, queries and subscriptions."""

from collections.abc import Sequence
from typing import Final

import msgspec

from salus.node.encrypted_file import EncryptedFile, Value

EVENT_TABLES: Final = """
    CREATE TABLE epcis_event (
        number INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, time INTEGER NOT NULL,
        recorded INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX epcis_event_time ON epcis_event (time, number);
    CREATE INDEX epcis_event_recorded ON epcis_event (recorded, number);
    CREATE TABLE epcis_name (
        role TEXT NOT NULL, name TEXT NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (role, name, event)) WITHOUT ROWID;
    CREATE TABLE epcis_thing (
        kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
    """

AWAY: Final = "away"
AWAY_BYTES: Final = 16  # of an event's hash: as much as the list of erasures has room for


class NewEvent(msgspec.Struct, frozen=True):
    """An event about to be kept."""

    hash: bytes
    """Of the event as it came, 32 bytes: the same event again changes nothing."""
    time: int
    body: bytes
    names: tuple[tuple[str, str], ...]
    """(role, name) of everything that it can be found by."""


class KeptEvent(msgspec.Struct, frozen=True):
    """An event that is kept."""

    number: int
    """Ascending in the order of capture, from 1."""
    time: int
    recorded: int
    body: bytes
    hash: bytes
    """As in `NewEvent`."""


class Within(msgspec.Struct, frozen=True):
    """Which events to look at."""

    upto: int
    """None captured after this number."""
    seeks: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """(roles, names): an event has one of the names in one of the roles; of several pairs, all."""
    order: str = "number"
    """`number`, `time` or `recorded`."""
    ascending: bool = True
    after: tuple[int, int] | None = None
    """(value of the order, number) of the last event already seen."""


class EventTables(EncryptedFile):
    """Methods over the tables. Those that write are durable when they return. Thread-safe."""

    def keep_events(self, events: Sequence[NewEvent], recorded: int) -> int:
        """Keep events, all or none; return how many are new."""
        new = 0
        with self._writing() as db:
            for one in events:
                db.execute(
                    "INSERT OR IGNORE INTO epcis_event (hash, time, recorded, body) VALUES (?, ?, ?, ?)",
                    (one.hash, one.time, recorded, one.body),
                )
                if not db.changes():
                    continue
                new += 1
                number = db.last_insert_rowid()
                rows = [(role, name, number) for role, name in one.names]
                db.executemany("INSERT OR IGNORE INTO epcis_name VALUES (?, ?, ?)", rows)
        return new

    def drop_events(self, numbers: Sequence[int]) -> None:
        """Let events go, with the names that they were found by, all or none."""
        with self._writing() as db:
            db.executemany("DELETE FROM epcis_name WHERE event = ?", [(each,) for each in numbers])
            db.executemany("DELETE FROM epcis_event WHERE number = ?", [(each,) for each in numbers])

    def keep_event_away(self, start: bytes, reason: str = "") -> None:
        """Let the event go whose hash begins so, and take none that does."""
        rows = self._rows("SELECT number FROM epcis_event WHERE substr(hash, 1, ?) = ?", (len(start), start))
        self.drop_events([int(row[0]) for row in rows])  # type: ignore[arg-type]
        self.keep_epcis(AWAY, start.hex(), reason.encode("ascii"))

    def is_kept_away(self, hash_: bytes) -> bool:
        """Tell whether an event is not to be taken."""
        return self.epcis(AWAY, hash_[:AWAY_BYTES].hex()) is not None

    def last_event(self) -> int:
        """Return the number of the newest event, 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM epcis_event")[0][0] or 0)

    def events_within(self, within: Within, limit: int) -> list[KeptEvent]:
        """Return up to `limit` events, in order."""
        values: list[Value] = [within.upto]
        sql = "SELECT number, time, recorded, body, hash FROM epcis_event WHERE number <= ?"
        for roles, names in within.seeks:
            sql += (
                f" AND number IN (SELECT event FROM epcis_name WHERE role IN ({_marks(roles)})"  # noqa: S608 -- marks alone
                f" AND name IN ({_marks(names)}))"
            )
            values += [*roles, *names]
        direction, than = ("ASC", ">") if within.ascending else ("DESC", "<")
        if within.after is not None:
            sql += f" AND ({within.order}, number) {than} (?, ?)"
            values += within.after
        sql += f" ORDER BY {within.order} {direction}, number {direction} LIMIT ?"
        return [KeptEvent(*row) for row in self._rows(sql, [*values, limit])]  # type: ignore[arg-type]

    def event_names(self, role: str, after: str, limit: int) -> list[str]:
        """Return names that events have in a role, ascending, those after `after`."""
        sql = "SELECT DISTINCT name FROM epcis_name WHERE role = ? AND name > ? ORDER BY name LIMIT ?"
        return [str(row[0]) for row in self._rows(sql, (role, after, limit))]

    def has_event_name(self, role: str, name: str) -> bool:
        """Tell whether any event has a name in a role."""
        return bool(self._rows("SELECT 1 FROM epcis_name WHERE role = ? AND name = ? LIMIT 1", (role, name)))

    def keep_epcis(self, kind: str, name: str, body: bytes) -> None:
        """Keep a capture job, query or subscription; a later one replaces it."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO epcis_thing VALUES (?, ?, ?)", (kind, name, body))

    def epcis(self, kind: str, name: str) -> bytes | None:
        """Return one of them, or None."""
        rows = self._rows("SELECT body FROM epcis_thing WHERE kind = ? AND name = ?", (kind, name))
        return rows[0][0] if rows else None  # type: ignore[return-value]

    def epcis_after(self, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Return (name, body) of those of a kind, by name ascending, after `after`."""
        sql = "SELECT name, body FROM epcis_thing WHERE kind = ? AND name > ? ORDER BY name LIMIT ?"
        return self._rows(sql, (kind, after, limit))  # type: ignore[return-value]

    def drop_epcis(self, kind: str, name: str) -> bool:
        """Let one go; return whether there was one."""
        with self._writing() as db:
            db.execute("DELETE FROM epcis_thing WHERE kind = ? AND name = ?", (kind, name))
            return bool(db.changes())


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
