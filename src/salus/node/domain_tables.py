"""Tables of supply, research and trials in the desk's file: each keeps bodies of its own under kinds and ids."""

from collections.abc import Sequence

from salus.node.encrypted_file import EncryptedFile


class DomainTables(EncryptedFile):
    """Methods over the tables. Those that write are durable when they return. Thread-safe."""

    # Supply -----------------------------------------------------------------------------------------------------

    def keep_supply(self, kind: str, *things: tuple[bytes, bytes]) -> None:
        """Keep (id, body) of things of the supply chain under their kind; a later one replaces it."""
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO supply VALUES (?, ?, ?)", [(kind, *one) for one in things])

    def drop_supply(self, kind: str, id_: bytes) -> None:
        """Let one go."""
        with self._writing() as db:
            db.execute("DELETE FROM supply WHERE kind = ? AND id = ?", (kind, id_))

    def supply(self, kind: str, id_: bytes | None = None) -> list[tuple[bytes, bytes]]:
        """Return (id, body) of what is kept of a kind, in order of ids, or of the one asked for."""
        sql = "SELECT id, body FROM supply WHERE kind = ?"
        if id_ is None:
            return self._rows(sql + " ORDER BY id", (kind,))  # type: ignore[return-value]
        return self._rows(sql + " AND id = ?", (kind, id_))  # type: ignore[return-value]

    # Research ---------------------------------------------------------------------------------------------------

    def keep_research(self, kind: str, id_: bytes, body: bytes) -> None:
        """Keep one thing of research under its kind and id; a later one replaces it."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO research VALUES (?, ?, ?)", (kind, id_, body))

    def research(self, kind: str, prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
        """Return (id, body) of what is kept of a kind, in order of ids, of those that begin with `prefix`."""
        sql = "SELECT id, body FROM research WHERE kind = ? AND substr(id, 1, ?) = ? ORDER BY id"
        return self._rows(sql, (kind, len(prefix), prefix))  # type: ignore[return-value]

    def keep_research_once(self, kind: str, id_: bytes, body: bytes) -> bytes:
        """Keep one thing of research unless something is kept there already; return what is kept."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO research VALUES (?, ?, ?)", (kind, id_, body))
        return self.research(kind, id_)[0][1]

    def forget_research(self, kind: str, id_: bytes) -> None:
        """Drop one thing of research."""
        with self._writing() as db:
            db.execute("DELETE FROM research WHERE kind = ? AND id = ?", (kind, id_))

    def drop_choices(self, link: bytes) -> None:
        """Drop what the patient of a link said of research."""
        with self._writing() as db:
            db.execute(
                "DELETE FROM research WHERE kind IN ('choice', 'notices', 'objection') AND substr(id, 1, ?) = ?",
                (len(link), link),
            )

    # Trials -----------------------------------------------------------------------------------------------------

    def keep_trial(self, kind: str, key: bytes, body: bytes) -> None:
        """Keep what this member knows in a trial: one body of a kind under a key, the newest."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO trial VALUES (?, ?, ?)", (kind, key, body))

    def keep_trials(self, items: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Keep several bodies, each (kind, key, body), all or none."""
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO trial VALUES (?, ?, ?)", items)

    def replace_trials(self, gone: Sequence[tuple[str, bytes]], items: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Drop bodies, each (kind, key), and keep others in their place, all or none; nothing of what is dropped stays on the disk."""
        with self._writing() as db:
            db.executemany("DELETE FROM trial WHERE kind = ? AND key = ?", gone)
            db.executemany("INSERT OR REPLACE INTO trial VALUES (?, ?, ?)", items)
        with self._lock:
            self._truncate_log()

    def trials(self, kind: str, prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
        """Return (key, body) of a kind under a prefix, ascending by key."""
        sql = "SELECT key, body FROM trial WHERE kind = ? AND key >= ? AND key < ? ORDER BY key"
        return self._rows(sql, (kind, prefix, prefix + b"\xff" * 64))  # type: ignore[return-value]
