"""Tables in the desk's file: whose wallets other members keep, and what patients are to confirm about them."""

from typing import Final

import msgspec

from salus.node.encrypted_file import EncryptedFile

HOSTING_TABLES: Final = """
    CREATE TABLE host (link BLOB PRIMARY KEY, member TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE question (
        link BLOB NOT NULL, grant_id BLOB NOT NULL, code BLOB NOT NULL, body BLOB NOT NULL, made INTEGER NOT NULL,
        ends INTEGER NOT NULL, answer TEXT NOT NULL DEFAULT '', PRIMARY KEY (link, grant_id)) WITHOUT ROWID;
    CREATE INDEX question_code ON question (code);
    """


class Question(msgspec.Struct, frozen=True):
    """A permission in favour of the member that keeps the patient's wallet, and the patient's word on it."""

    link: bytes
    grant: bytes
    code: bytes
    """Digest of the code that the patient was sent; empty: no address is known yet."""
    body: bytes
    """What would be allowed, as `salus.node.hosted` writes it."""
    made: int
    ends: int
    """When the permission ends, Unix ms: no word is needed after."""
    answer: str
    """`yes`, `no`, or empty while it waits."""


class HostingTables(EncryptedFile):
    """Methods over the tables. Those that write are durable when they return. Thread-safe."""

    def set_host(self, link: bytes, member: str) -> None:
        """Keep which member keeps the wallet of a link's patient; none forgets it."""
        with self._writing() as db:
            db.execute("DELETE FROM host WHERE link = ?", (link,))
            if member:
                db.execute("INSERT INTO host VALUES (?, ?)", (link, member))

    def host_of(self, link: bytes) -> str:
        """Return the member that keeps the wallet of a link's patient, or nothing."""
        rows = self._rows("SELECT member FROM host WHERE link = ?", (link,))
        return str(rows[0][0]) if rows else ""

    def ask_patient(self, one: Question) -> bool:
        """Keep a question once, and once more when a code is sent; say whether it is new."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO question VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET code = excluded.code"
                " WHERE code = x'' AND excluded.code != x'' AND answer = ''",
                (one.link, one.grant, one.code, one.body, one.made, one.ends, one.answer),
            )
            return bool(db.changes())

    def question(self, link: bytes, grant: bytes) -> Question | None:
        """Return the question about a permission, or None."""
        return next(iter(self._questions("link = ? AND grant_id = ?", link, grant)), None)

    def question_of(self, code: bytes) -> Question | None:
        """Return the question whose code has this digest, or None."""
        return next(iter(self._questions("code = ?", code)), None)

    def questions(self, now: int) -> list[Question]:
        """Return the questions that wait for a word, oldest first."""
        return self._questions("answer = '' AND ends > ? ORDER BY made", now)

    def answer_question(self, link: bytes, grant: bytes, answer: str) -> bool:
        """Keep the patient's word, the first one; say whether it is."""
        with self._writing() as db:
            db.execute(
                "UPDATE question SET answer = ? WHERE link = ? AND grant_id = ? AND answer = ''", (answer, link, grant)
            )
            return bool(db.changes())

    def drop_hosting(self, link: bytes) -> None:
        """Forget the host and the questions of a link that is erased."""
        with self._writing() as db:
            db.execute("DELETE FROM host WHERE link = ?", (link,))
            db.execute("DELETE FROM question WHERE link = ?", (link,))

    def _questions(self, where: str, *values: bytes | int) -> list[Question]:
        sql = f"SELECT link, grant_id, code, body, made, ends, answer FROM question WHERE {where}"  # noqa: S608 -- ours
        return [Question(*row) for row in self._rows(sql, values)]  # type: ignore[arg-type]
