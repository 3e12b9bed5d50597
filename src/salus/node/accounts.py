"""Who may sign in here without a link, the programs that may act for people, and what each was allowed.

One encrypted SQLite file beside the vault. It holds no secret that signs anybody in: public keys of passkeys, digests of
tokens; and the wallets of patients who chose that this member keeps them. A backup restored brings back what stood on its day.
"""

from pathlib import Path
from typing import Final

import msgspec

from salus.node.encrypted_file import EncryptedFile

STAFF: Final = "staff"
WALLET: Final = "wallet"
MIGRATIONS: Final = (
    """
    CREATE TABLE account (
        handle BLOB PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, purposes TEXT NOT NULL,
        made INTEGER NOT NULL, UNIQUE (kind, name)) WITHOUT ROWID;
    CREATE TABLE passkey (
        id BLOB PRIMARY KEY, handle BLOB NOT NULL, key BLOB NOT NULL, counter INTEGER NOT NULL, label TEXT NOT NULL,
        made INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX passkey_handle ON passkey (handle);
    """,
    """
    CREATE TABLE app (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE authorisation (
        id BLOB PRIMARY KEY, app TEXT NOT NULL, owner TEXT NOT NULL, body BLOB NOT NULL, refresh BLOB NOT NULL,
        made INTEGER NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX authorisation_owner ON authorisation (owner);
    """,
    "CREATE TABLE hosted (name TEXT PRIMARY KEY, link BLOB NOT NULL, body BLOB NOT NULL, made INTEGER NOT NULL) WITHOUT ROWID;",
)


class Account(msgspec.Struct, frozen=True):
    """Somebody who may come back: a person of this member, or the patient of a wallet that it hosts."""

    handle: bytes
    """32 random bytes: the user handle of WebAuthn, which names nobody."""
    kind: str
    """`staff` or `wallet`."""
    name: str
    """Subject of the person, or name of the wallet."""
    role: str
    purposes: tuple[str, ...]
    made: int


class Passkey(msgspec.Struct, frozen=True):
    """A public key of an account."""

    id: bytes
    handle: bytes
    key: bytes
    """COSE key (RFC 9052)."""
    counter: int
    """Signatures that the authenticator has counted; 0 if it does not count."""
    label: str
    made: int
    used: int
    """When it last signed somebody in, Unix ms; 0 if never."""


class Authorisation(msgspec.Struct, frozen=True):
    """What somebody allowed a program for longer than a token lives."""

    id: bytes
    """16 random bytes."""
    app: str
    owner: str
    """Who allowed it: `staff SUBJECT` or `wallet NAME`."""
    body: bytes
    """What was allowed, as `salus.node.smart` writes it."""
    refresh: bytes
    """Digest of the refresh token that is good next."""
    made: int
    ends: int


class HostedRow(msgspec.Struct, frozen=True):
    """A patient's wallet that this member keeps."""

    name: str
    link: bytes
    """The patient's link here."""
    body: bytes
    """Root, state and trust, as `salus.node.wallet.file` writes them."""
    made: int


class Accounts(EncryptedFile):
    """See the module's docstring. Methods that write are durable when they return. Thread-safe."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or create the file under its 32-byte key. Raises the vault's WrongKey or Damaged."""
        super().__init__(path, key, MIGRATIONS)

    def account(self, kind: str, name: str) -> Account | None:
        """Return the account of this name."""
        return self._account("kind = ? AND name = ?", kind, name)

    def account_of(self, handle: bytes) -> Account | None:
        """Return the account with this handle."""
        return self._account("handle = ?", handle)

    def accounts(self) -> list[Account]:
        """Return all accounts by kind and name."""
        rows = self._rows("SELECT handle, kind, name, role, purposes, made FROM account ORDER BY kind, name")
        return [_account(row) for row in rows]

    def keep_account(self, one: Account) -> None:
        """Keep an account; role and purposes of one with the same kind and name change, its handle stays."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (kind, name) DO UPDATE SET role = excluded.role, purposes = excluded.purposes",
                (one.handle, one.kind, one.name, one.role, " ".join(one.purposes), one.made),
            )

    def drop_account(self, handle: bytes) -> None:
        """Forget an account and its passkeys."""
        with self._writing() as db:
            db.execute("DELETE FROM passkey WHERE handle = ?", (handle,))
            db.execute("DELETE FROM account WHERE handle = ?", (handle,))

    def passkeys(self, handle: bytes) -> list[Passkey]:
        """Return an account's passkeys, oldest first."""
        sql = "SELECT id, handle, key, counter, label, made, used FROM passkey WHERE handle = ? ORDER BY made, id"
        return [Passkey(*row) for row in self._rows(sql, (handle,))]  # type: ignore[arg-type]

    def passkey(self, id_: bytes) -> Passkey | None:
        """Return the passkey with this credential id."""
        sql = "SELECT id, handle, key, counter, label, made, used FROM passkey WHERE id = ?"
        return next((Passkey(*row) for row in self._rows(sql, (id_,))), None)  # type: ignore[arg-type]

    def keep_passkey(self, one: Passkey) -> bool:
        """Keep a new passkey; False if its id is known already."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO passkey VALUES (?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(one))
            return db.changes() == 1

    def used_passkey(self, id_: bytes, counter: int, now: int) -> None:
        """Note that a passkey has signed somebody in."""
        with self._writing() as db:
            db.execute("UPDATE passkey SET counter = ?, used = ? WHERE id = ?", (counter, now, id_))

    def drop_passkey(self, handle: bytes, id_: bytes) -> None:
        """Forget a passkey of an account."""
        with self._writing() as db:
            db.execute("DELETE FROM passkey WHERE handle = ? AND id = ?", (handle, id_))

    # Programs -----------------------------------------------------------------------------------------------------

    def keep_app(self, id_: str, body: bytes) -> None:
        """Keep a program's registration in place of the one before."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO app VALUES (?, ?)", (id_, body))

    def apps(self, id_: str | None = None) -> list[bytes]:
        """Return all registrations by id, or the one asked for."""
        everything, one = "SELECT body FROM app ORDER BY id", "SELECT body FROM app WHERE id = ?"
        rows = self._rows(everything) if id_ is None else self._rows(one, (id_,))
        return [row[0] for row in rows]  # type: ignore[misc]

    def drop_app(self, id_: str) -> bool:
        """Forget a program and what it was allowed; False if it was not known."""
        with self._writing() as db:
            db.execute("DELETE FROM authorisation WHERE app = ?", (id_,))
            db.execute("DELETE FROM app WHERE id = ?", (id_,))
            return db.changes() == 1

    def keep_authorisation(self, one: Authorisation) -> None:
        """Keep what somebody allowed a program; forget what has ended meanwhile."""
        with self._writing() as db:
            db.execute("DELETE FROM authorisation WHERE ends <= ?", (one.made,))
            db.execute("INSERT INTO authorisation VALUES (?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(one))

    def authorisation(self, id_: bytes) -> Authorisation | None:
        """Return what somebody allowed a program."""
        sql = "SELECT id, app, owner, body, refresh, made, ends FROM authorisation WHERE id = ?"
        return next((Authorisation(*row) for row in self._rows(sql, (id_,))), None)  # type: ignore[arg-type]

    def authorisations(self, owner: str) -> list[Authorisation]:
        """Return what an owner allowed, oldest first."""
        sql = "SELECT id, app, owner, body, refresh, made, ends FROM authorisation WHERE owner = ? ORDER BY made, id"
        return [Authorisation(*row) for row in self._rows(sql, (owner,))]  # type: ignore[arg-type]

    def rotate(self, id_: bytes, before: bytes, after: bytes) -> bool:
        """Put a new refresh digest in place of the one before; False if another came first."""
        with self._writing() as db:
            db.execute("UPDATE authorisation SET refresh = ? WHERE id = ? AND refresh = ?", (after, id_, before))
            return db.changes() == 1

    def drop_authorisation(self, id_: bytes) -> None:
        """End what somebody allowed a program."""
        with self._writing() as db:
            db.execute("DELETE FROM authorisation WHERE id = ?", (id_,))

    def drop_authorisations(self, owner: str) -> None:
        """End everything that an owner allowed."""
        with self._writing() as db:
            db.execute("DELETE FROM authorisation WHERE owner = ?", (owner,))

    def keep_hosted(self, one: HostedRow) -> None:
        """Keep a patient's wallet as it is now."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO hosted VALUES (?, ?, ?, ?)", (one.name, one.link, one.body, one.made))

    def hosted(self, name: str) -> HostedRow | None:
        """Return a patient's wallet by its name."""
        return next(iter(self._hosted("WHERE name = ?", name)), None)

    def hosted_for(self, link: bytes) -> HostedRow | None:
        """Return the wallet that is kept here for the patient of a link."""
        return next(iter(self._hosted("WHERE link = ?", link)), None)

    def all_hosted(self) -> list[HostedRow]:
        """Return the wallets that are kept here, oldest first."""
        return self._hosted("ORDER BY made, name")

    def drop_hosted(self, name: str) -> None:
        """Forget a patient's wallet."""
        with self._writing() as db:
            db.execute("DELETE FROM hosted WHERE name = ?", (name,))

    def _hosted(self, rest: str, *values: bytes | str) -> list[HostedRow]:
        rows = self._rows(f"SELECT name, link, body, made FROM hosted {rest}", values)  # noqa: S608 -- ours
        return [HostedRow(*row) for row in rows]  # type: ignore[arg-type]

    def _account(self, where: str, *values: bytes | str) -> Account | None:
        sql = f"SELECT handle, kind, name, role, purposes, made FROM account WHERE {where}"  # noqa: S608 -- ours
        return next((_account(row) for row in self._rows(sql, values)), None)


def _account(row: tuple[bytes | int | str | None, ...]) -> Account:
    handle, kind, name, role, purposes, made = row
    return Account(handle, kind, name, role, tuple(str(purposes).split()), made)  # type: ignore[arg-type]
