"""The table of SMART health links in the desk's file: files that patients sealed for whoever holds a link."""

from typing import Final

from salus.node.encrypted_file import EncryptedFile

HEALTH_LINK_TABLES: Final = """
    CREATE TABLE health_link (
        id BLOB PRIMARY KEY, link BLOB NOT NULL, ends INTEGER NOT NULL, fetched INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX health_link_link ON health_link (link);
    """


class HealthLinkTables(EncryptedFile):
    """Methods over the table. Those that write are durable when they return. Thread-safe."""

    def keep_health_link(self, id_: bytes, link: bytes, body: bytes, ends: int) -> None:
        """Keep a file that a patient sealed, once."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO health_link VALUES (?, ?, ?, 0, ?)", (id_, link, ends, body))

    def health_links(self, link: bytes) -> list[tuple[bytes, int, int]]:
        """Return (id, end, how often fetched) of a patient's links, in the order of their ends."""
        sql = "SELECT id, ends, fetched FROM health_link WHERE link = ? ORDER BY ends, id"
        return self._rows(sql, (link,))  # type: ignore[return-value]

    def health_link(self, id_: bytes) -> tuple[bytes, int, bytes] | None:
        """Return (link, end, body) of a health link, or None."""
        sql = "SELECT link, ends, body FROM health_link WHERE id = ?"
        return next(iter(self._rows(sql, (id_,))), None)  # type: ignore[return-value]

    def count_health_link(self, id_: bytes) -> None:
        """Count that a health link was fetched."""
        with self._writing() as db:
            db.execute("UPDATE health_link SET fetched = fetched + 1 WHERE id = ?", (id_,))

    def drop_health_link(self, link: bytes, id_: bytes = b"") -> None:
        """Forget one health link of a patient, or all of a link that is erased."""
        with self._writing() as db:
            db.execute("DELETE FROM health_link WHERE link = ?1 AND (?2 = x'' OR id = ?2)", (link, id_))

    def end_health_links(self, now: int) -> None:
        """Forget the health links that have ended."""
        with self._writing() as db:
            db.execute("DELETE FROM health_link WHERE ends <= ?", (now,))
