"""A patient's own wallet: one file under a passphrase, and the members' nodes that it speaks to over HTTP.

    file     `salus.vault.locked`, magic "SALUSWAL", content msgpack [format, root 32, state, trust file, [[member, url]]]

The file is written before every question that follows a change, so that nothing is sent that a crash would forget.
"""

import os
import threading
from pathlib import Path
from typing import ClassVar, Final

import httpx

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.errors import Unproven
from salus.core.proof.trust import Trust
from salus.node.errors import Forbidden, Malformed, NotFound, Unavailable
from salus.node.exchange.wire import MEDIA_TYPE, Answer, post, read_answer
from salus.node.local import now_ms
from salus.node.patient import messages as m
from salus.node.patient.proof import check_member
from salus.node.wallet.holder import Holder
from salus.vault.errors import WrongKey
from salus.vault.locked import Lock, unlock, write_whole
from salus.vault.wallet import State, Wallet

MAGIC: Final = b"SALUSWAL"
FORMAT: Final = 1
HTTP_SECONDS: Final = 60.0


class Kept(Value, frozen=True):
    """What the file holds."""

    format: int
    root: bytes
    state: State
    trust: bytes
    urls: tuple[tuple[str, str], ...]
    """(member, URL of its node) of those that the wallet joined."""


class NoWallet:
    """A place where no wallet is yet: `salus wallet new` makes one."""

    MADE_BY: ClassVar[str] = "name another --wallet FILE"

    def __init__(self, path: Path, passphrase: bytes) -> None:
        self.path = path
        self.passphrase = passphrase

    def make(self, trust: bytes, root: bytes = b"") -> "OpenWallet":
        """Make a wallet that starts from this trust file, with a fresh root or one brought back. Raises Malformed, OSError."""
        lock = Lock.new(MAGIC, self.passphrase, entropy=os.urandom)
        root = root or os.urandom(32)
        state = Wallet(root, clock=now_ms, entropy=os.urandom).state
        made = OpenWallet(self.path, lock, Kept(FORMAT, root, state, trust, ()))
        made.save()
        return made

    def close(self) -> None:
        """Have nothing to let go."""


class OpenWallet:
    """A wallet's file, opened: `salus wallet new` makes it."""

    MADE_BY: ClassVar[str] = "make one with `salus wallet new --trust FILE`"

    def __init__(self, path: Path, lock: Lock, kept: Kept) -> None:
        """Take what the file holds. Raises Malformed for a trust file that is none."""
        self._path = path
        self._lock = lock
        self._kept = kept
        try:
            trust = Trust.from_json(kept.trust)
        except Unproven as error:
            raise Malformed("wallet.trust", "this is no trust file", got=str(error)) from error
        self.urls = dict(kept.urls)
        self.turn = threading.RLock()
        self._http = httpx.Client(timeout=HTTP_SECONDS, follow_redirects=False)
        wallet = Wallet(kept.root, kept.state, clock=now_ms, entropy=os.urandom)
        self.holder = Holder(wallet, trust, self, now_ms, os.urandom)

    @property
    def trust(self) -> Trust:
        """What the wallet believes of the ledger: its trust file, followed to today."""
        return self.holder.trust

    def ask(self, member: str, path: str, body: bytes) -> Answer:
        """Carry a question to a member's node (`salus.node.wallet.holder.Members`). Raises Unavailable, NotFound."""
        self.save()
        return self._post(member, self.place_of(member) + path, body)

    def place_of(self, member: str) -> str:
        """Return where a member's node answers. Raises NotFound, Unavailable."""
        return self.urls.get(member) or self._locate(member)

    def through(self, member: str) -> str:
        """Return the member that submits for this wallet: the one named, else the first joined. Raises NotFound."""
        known = [tied.member for tied in self.holder.wallet.state.links]
        if member and member not in known:
            raise NotFound("wallet.not-joined", "the wallet has no link with this member", got=member)
        if not known:
            raise NotFound("wallet.no-member", "the wallet has joined no member", todo="`salus wallet join INVITATION`")
        return member or known[0]

    def joined(self, member: str) -> None:
        """Do what a new tie asks for: nothing, for a wallet that its patient keeps."""

    def save(self) -> None:
        """Write the file if anything changed. Raises Unavailable."""
        trust = self.trust.to_json().encode()
        kept = Kept(FORMAT, self._kept.root, self.holder.wallet.state, trust, tuple(self.urls.items()))
        if kept != self._kept or not self._path.exists():
            try:
                write_whole(self._path, self._lock.seal(encode(kept), entropy=os.urandom))
            except OSError as error:
                raise Unavailable(
                    "wallet.file", "the wallet's file cannot be written", got=str(error.strerror)
                ) from error
            self._kept = kept

    def close(self) -> None:
        """Write what changed and let go."""
        self._http.close()
        self.save()

    def _locate(self, member: str) -> str:
        """Return where a member's node answers, as the ledger says, asked of the members that are known."""
        for known, url in list(self.urls.items()):
            try:
                answer = self._post(known, url + m.FIND, encode(m.Find(member, self.trust.size)))
                told = decode(read_answer(known, answer), m.Member)
            except (Unavailable, MalformedBytes):
                continue
            row = check_member(self.trust, member, told.signing_key, told.receive_key, told.proof)
            if row.endpoint:
                return row.endpoint.rstrip("/")
        raise NotFound("wallet.nowhere", "no member that the wallet knows says where this one answers", got=member)

    def _post(self, member: str, url: str, body: bytes) -> Answer:
        return post(self._http, member, url, {"content-type": MEDIA_TYPE}, body)


def open_place(path: Path, passphrase: bytes) -> NoWallet | OpenWallet:
    """Open the wallet at `path`, or the place for one. Raises WrongKey, Forbidden, Malformed."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return NoWallet(path, passphrase)
    except OSError as error:
        raise Unavailable("wallet.file", "the wallet's file cannot be read", got=str(error.strerror)) from error
    try:
        lock, content = unlock(data, MAGIC, passphrase, f"{path.name} is not a wallet")
        kept = decode(content, Kept)
    except MalformedBytes:
        raise Malformed("wallet.format", "the file holds no wallet of format 1") from None
    except WrongKey as error:
        raise Forbidden("wallet.passphrase", str(error), todo="type it again, or name the right file") from None
    if kept.format != FORMAT:
        raise Malformed("wallet.format", "the wallet is of another format", expected=str(FORMAT))
    return OpenWallet(path, lock, kept)
