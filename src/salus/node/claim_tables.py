"""Tables of claims in the desk's file: claims, whose they are, and what stands beside them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from salus.node.encrypted_file import EncryptedFile

RESTORED: Final = "restored"
"""Beside the claims while it is not known yet how far the numbers had come that a restored desk has forgotten."""
NUMBERED_BEYOND: Final = "numbered-beyond"


class KeptClaim(msgspec.Struct, frozen=True):
    """A claim as it is kept. open: whether something is to be done with it. families: digests of whose it is."""

    case: bytes
    body: bytes
    open: bool
    families: tuple[bytes, ...]


class ClaimTables(EncryptedFile):
    """Methods over the tables. Those that write are durable when they return. Thread-safe."""

    def keep_claims(self, cases: Sequence[KeptClaim], states: Sequence[tuple[str, bytes]] = ()) -> None:
        """Keep claims and (name, body) of what stands beside them: all or none."""
        beyond = int(self.claim_state(NUMBERED_BEYOND) or b"0") if cases else 0
        with self._writing() as db:
            db.executemany(
                "INSERT INTO claim VALUES (?, ?, (SELECT MAX(COALESCE(MAX(number), 0), ?) + 1 FROM claim), ?)"
                " ON CONFLICT (case_id) DO UPDATE SET body = excluded.body, open = excluded.open",
                [(one.case, one.body, beyond, one.open) for one in cases],
            )
            families = [(family, one.case) for one in cases for family in one.families]
            db.executemany("INSERT OR IGNORE INTO claim_family VALUES (?, ?)", families)
            db.executemany("INSERT OR REPLACE INTO claim_state VALUES (?, ?)", states)

    def claim_states(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return (name, body) of what stands beside the claims under names that begin so, in order of the names.

        Names are of letters, digits and `/-`, so that `~` comes after each of them.
        """
        sql = "SELECT name, body FROM claim_state WHERE name >= ? AND name < ? ORDER BY name"
        return self._rows(sql, (prefix, prefix + "~"))  # type: ignore[return-value]

    def claim_state(self, name: str) -> bytes:
        """Return the body of what stands beside the claims under a name, empty where there is nothing."""
        rows = self._rows("SELECT body FROM claim_state WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else b""  # type: ignore[arg-type]

    def open_claims(self) -> list[tuple[bytes, bytes, int]]:
        """Return (case id, body, number from 1) of the claims with which something is to be done, in the order they came."""
        return self._rows("SELECT case_id, body, number FROM claim WHERE open = 1 ORDER BY number")  # type: ignore[return-value]

    def claims_of(self, families: Sequence[bytes]) -> list[tuple[bytes, bytes, int]]:
        """Return (case id, body, number from 1) of the claims of families, in the order they came."""
        sql = "SELECT c.case_id, c.body, c.number FROM claim_family f JOIN claim c USING (case_id) WHERE f.family = ?"
        rows = dict.fromkeys(row for family in families for row in self._rows(sql, (family,)))
        return sorted(rows, key=lambda row: row[2])  # type: ignore[arg-type]

    def claims(self, case: bytes | None = None) -> list[tuple[bytes, bytes, int]]:
        """Return (case id, body, number from 1) of all claims, or of the one asked for, in the order they came."""
        sql = "SELECT case_id, body, number FROM claim"
        if case is None:
            return self._rows(sql + " ORDER BY number")  # type: ignore[return-value]
        return self._rows(sql + " WHERE case_id = ?", (case,))  # type: ignore[return-value]
