"""A member's side of enrolment: invitations, link keys, instructions; and the wallet files that it hosts."""

from enum import IntEnum
from typing import Final, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import decode, encode
from salus.core.proof import ed25519
from salus.core.proof.digest import digest
from salus.vault import enrolment
from salus.vault.enrolment import Claim, Instruction, Transcript
from salus.vault.envelope import ReceiveKey, context_of
from salus.vault.errors import EnvelopeRefused, Refused, UnknownLink, UnknownWallet
from salus.vault.links import LinkKind, link_info, secret_of
from salus.vault.opener import put_message
from salus.vault.store import Store

MAX_WALLET: Final = 4 * 1024 * 1024
"""Bytes of one hosted file: thousands of grants."""
MAX_LOCATORS: Final = 10
"""Files of one link: the wallet's, for the moment of a re-key the one at its new root's locator, and its root wrapped for
passkeys and sheets: more devices than eight is not one person's."""
MAX_DAY_WRITES: Final = 500
MAX_DAY_BYTES: Final = 64 * 1024 * 1024
"""What one link may write in a day: a patient's day is a few dozen grants, each with one write of some 16 KB."""
_DAY_MS: Final = 24 * 3600 * 1000

_NOBODY: Final = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
"""A signature over an unknown link is checked under this key, so that it takes as long; the answer is no in any case."""


class KeyStanding(IntEnum):
    """How far a link key is obeyed."""

    PENDING = 0
    """The wallet has not signed the transcript yet."""
    OBEYED = 1
    REVOKES_ONLY = 2
    """Its revocation certificate was published."""


class LinkKey(msgspec.Struct, frozen=True):
    """A patient's pairwise key at this member."""

    key: bytes
    standing: KeyStanding
    counter: int
    """Of the last instruction obeyed."""
    contacts: bytes
    certificate: bytes
    transcript: bytes


def invite(store: Store, link: bytes) -> bytes:
    """Return a fresh invitation (16 bytes) to a patient's link; valid once, for 15 minutes; earlier ones end.

    Raises UnknownLink, Erased, Refused (no patient's link).
    """
    with store.lock:
        secret_of(store, link)
        if link_info(store, link).kind != LinkKind.PATIENT:
            raise Refused("only a patient's link can be enrolled")
        code = store.entropy(enrolment.INVITATION_BYTES)
        with store.transaction() as db:
            db.execute("DELETE FROM invitation WHERE link = ? OR expires <= ?", (link, store.clock()))
            db.execute(
                "INSERT INTO invitation VALUES (?, ?, ?, NULL)",
                (enrolment.invitation_digest(code), link, store.clock() + enrolment.INVITATION_LIFE),
            )
        return code


def enrol(store: Store, envelope: bytes, *, network: bytes, receive: ReceiveKey, sign: Ed25519PrivateKey) -> bytes:
    """Answer a wallet's claim with a welcome; a new link key waits for `confirm`.

    The same claim again gets an answer again, sealed to the same wallet; another claim under a spent invitation is
    refused. A key that is obeyed may enrol again, under a fresh invitation: its wallet never got the last answer. It stays as
    it was, its counter too. Raises EnvelopeRefused, Refused.
    """
    context = context_of(envelope)
    if context.network != network:
        raise EnvelopeRefused("the claim is for another network")
    claim = enrolment.open_claim(envelope, context, key=receive)
    with store.lock:
        link, time = _spend(store, claim)
        secret = secret_of(store, link)
        transcript, welcome = enrolment.seal_welcome(
            claim, secret=secret, network=network, member=store.member, sign=sign, link=link, time=time
        )
        with store.transaction() as db:
            db.execute(
                "UPDATE invitation SET claim = ? WHERE digest = ?",
                (_claim_digest(claim), enrolment.invitation_digest(claim.invitation)),
            )
            db.execute("DELETE FROM link_key WHERE link = ? AND standing = ?", (link, int(KeyStanding.PENDING)))
            db.execute(
                "INSERT INTO link_key VALUES (?, ?, ?, 0, ?, ?, ?) ON CONFLICT (link) DO UPDATE SET transcript = excluded.transcript",
                (link, claim.link_key, int(KeyStanding.PENDING), claim.contacts, claim.certificate, transcript),
            )
        return welcome


def confirm(store: Store, link: bytes, signature: bytes) -> None:
    """Obey the link key from now on: it signed the transcript. Idempotent. Raises Refused, for an unknown link alike."""
    with store.lock:
        known = _key_or_none(store, link)
        told, key = (known.transcript, known.key) if known else (b"", _NOBODY)
        if not enrolment.confirms(told, key, signature) or known is None:
            raise Refused("the link key did not sign this transcript")
        if known.standing in {KeyStanding.PENDING, KeyStanding.OBEYED}:
            with store.transaction() as db:
                db.execute("UPDATE link_key SET standing = ? WHERE link = ?", (int(KeyStanding.OBEYED), link))
                db.execute("DELETE FROM invitation WHERE link = ?", (link,))


def link_key(store: Store, link: bytes) -> LinkKey:
    """Return the key of a link. Raises UnknownLink if nobody enrolled it."""
    row = store.row(
        "SELECT key, standing, counter, contacts, certificate, transcript FROM link_key WHERE link = ?", (link,)
    )
    if row is None:
        raise UnknownLink("nobody has enrolled this link")
    key, standing, counter, contacts, certificate, transcript = cast("tuple[bytes, int, int, bytes, bytes, bytes]", row)
    return LinkKey(key, KeyStanding(standing), counter, contacts, certificate, transcript)


def _key_or_none(store: Store, link: bytes) -> LinkKey | None:
    try:
        return link_key(store, link)
    except UnknownLink:
        return None


def obey(store: Store, signed: bytes, *, network: bytes) -> Instruction:
    """Verify an instruction, spend its counter durably, and return it for the caller to carry out.

    Raises Refused (with the current counter where the key is right), for an unknown link as for a wrong key: a stranger
    learns from neither words nor time whether a link exists.
    """
    instruction, outer = enrolment.read_instruction(signed, network=network, member=store.member)
    with store.lock:
        known = _key_or_none(store, instruction.link)
        if not enrolment.is_signed_by(outer, known.key if known else _NOBODY) or known is None:
            raise Refused("the instruction is not signed with the key of a link here")
        if known.standing == KeyStanding.PENDING:
            raise Refused("the wallet has not signed the transcript of its enrolment")
        if known.standing == KeyStanding.REVOKES_ONLY and instruction.action not in enrolment.REVOKING:
            raise Refused("the revocation certificate of this key was published: it can only revoke")
        if instruction.counter <= known.counter:
            raise Refused("the counter was used", current=known.counter)
        with store.transaction() as db:
            db.execute("UPDATE link_key SET counter = ? WHERE link = ?", (instruction.counter, instruction.link))
        return instruction


def publish_certificate(store: Store, link: bytes, certificate: bytes) -> None:
    """Obey the link key in revocation only: somebody showed its revocation certificate. Raises UnknownLink, Refused."""
    with store.lock:
        if enrolment.certificate_digest(certificate) != link_key(store, link).certificate:
            raise Refused("this is not the revocation certificate of the link")
        with store.transaction() as db:
            db.execute("UPDATE link_key SET standing = ? WHERE link = ?", (int(KeyStanding.REVOKES_ONLY), link))


def put_wallet(
    store: Store, locator: bytes, write_key: bytes, version: int, *, file: bytes, signature: bytes, link: bytes
) -> None:
    """Store a wallet's sealed file if it is the next version (compare and swap), durably.

    The first write of a locator pins its Ed25519 `write_key` and the `link` whose key asked for it; `signature` is over
    `put_message`. That a stranger may not store here at all is the caller's to check. Raises Refused, with the current
    version where that is what is wrong; number of files, size and writes of a day are limited for each link.
    """
    if len(locator) != 32 or len(file) > MAX_WALLET:
        raise Refused(f"a locator has 32 bytes, a wallet's file at most {MAX_WALLET}")
    with store.lock:
        row = store.row("SELECT version, write_key, coalesce(link, ?2) FROM wallet WHERE locator = ?1", (locator, link))
        current, pinned, owner = cast("tuple[int, bytes, bytes]", row) if row else (0, write_key, link)
        if (pinned, owner) != (write_key, link) or not ed25519.verify(
            write_key, put_message(locator, version, file), signature
        ):
            raise Refused("the write is not signed with the key of this locator")
        if version != current + 1:
            raise Refused("another version was written meanwhile: read, merge, write again", current=current)
        held = store.row("SELECT count(*) FROM wallet WHERE link = ? AND locator <> ?", (link, locator))
        if cast("tuple[int]", held)[0] >= MAX_LOCATORS:
            raise Refused(f"a link keeps at most {MAX_LOCATORS} wallet files")
        day = _counted(store, link, len(file))
        with store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO wallet VALUES (?, ?, ?, ?, ?)", (locator, write_key, version, file, link)
            )
            db.execute("INSERT OR REPLACE INTO wallet_day VALUES (?, ?, ?, ?)", (link, *day))


def _counted(store: Store, link: bytes, length: int) -> tuple[int, int, int]:
    """Return day, writes and bytes of a link with one more write. Raises Refused when the day's are used up."""
    today = store.clock() // _DAY_MS
    row = store.row("SELECT day, writes, bytes FROM wallet_day WHERE link = ?", (link,))
    day, writes, size = cast("tuple[int, int, int]", row) if row else (today, 0, 0)
    if day != today:
        writes = size = 0
    if writes >= MAX_DAY_WRITES or size + length > MAX_DAY_BYTES:
        raise Refused(f"a link writes its wallet file at most {MAX_DAY_WRITES} times and {MAX_DAY_BYTES} bytes a day")
    return today, writes + 1, size + length


def get_wallet(store: Store, locator: bytes) -> tuple[int, bytes]:
    """Return version and sealed file. Raises UnknownWallet."""
    row = store.row("SELECT version, file FROM wallet WHERE locator = ?", (locator,))
    if row is None:
        raise UnknownWallet("no wallet file under this locator")
    return cast("tuple[int, bytes]", row)


def drop_wallet(store: Store, locator: bytes, signature: bytes) -> None:
    """Delete a wallet's file: it moved to a new root, or is erased. `signature` is over `put_message(locator, 0, b"")`.

    Raises UnknownWallet, Refused.
    """
    with store.lock:
        row = store.row("SELECT write_key FROM wallet WHERE locator = ?", (locator,))
        if row is None:
            raise UnknownWallet("no wallet file under this locator")
        if not ed25519.verify(cast("bytes", row[0]), put_message(locator, 0, b""), signature):
            raise Refused("the deletion is not signed with the key of this locator")
        with store.transaction() as db:
            db.execute("DELETE FROM wallet WHERE locator = ?", (locator,))
        store.truncate_log()


def _spend(store: Store, claim: Claim) -> tuple[bytes, int]:
    """Return the link that the invitation is for, and the transcript's time: the first answer's, on a repetition."""
    row = store.row(
        "SELECT link, expires, claim FROM invitation WHERE digest = ?",
        (enrolment.invitation_digest(claim.invitation),),
    )
    if row is None:
        raise Refused("the invitation is unknown or spent")
    link, expires, spent_by = cast("tuple[bytes, int, bytes | None]", row)
    if store.clock() >= expires:
        raise Refused("the invitation has expired")
    if spent_by not in {None, _claim_digest(claim)}:
        raise Refused("the invitation is unknown or spent")
    known = _key_or_none(store, link)
    if (
        known
        and known.standing != KeyStanding.PENDING
        and (known.standing, known.key) != (KeyStanding.OBEYED, claim.link_key)
    ):
        raise Refused("the link is enrolled; a new key takes a re-key")
    if known and spent_by is not None:
        return link, decode(known.transcript, Transcript).time
    return link, store.clock()


def _claim_digest(claim: Claim) -> bytes:
    return digest("salus/v1/enrolment-claim", encode(claim))
