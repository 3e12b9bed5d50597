"""Sessions of the pages: who has signed in at a browser, in memory only, ended by idling, by time, or by leaving.

A session is opened with a code that is good once, for ten minutes. Codes and tokens are kept as digests; what an
address of a page names (a patient, a record) is known to the session alone, so the address tells nothing elsewhere.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from salus.core.proof.digest import digest, mac
from salus.node.errors import NotFound, Unauthenticated
from salus.node.usecase import NOBODY, Caller

CODE_MS: Final = 10 * 60 * 1000  # long enough to walk to the ward, too short to be found in a mailbox
IDLE_MS: Final = 30 * 60 * 1000  # an unattended screen
MOST: Final = 2_000  # sessions at once: a hospital's shift; the longest idle makes room
MOST_THINGS: Final = 20_000  # what one session's addresses may name: four full charts
LABEL: Final = "salus/v1/session"


@dataclass
class Session:
    """One browser that has signed in: as a person of this member, or as the patient of a wallet that it hosts."""

    caller: Caller
    ends: int
    """When it ends at the latest, Unix ms."""
    key: bytes
    """32 random bytes: forms and addresses of this session are made with it."""
    wallet: str = ""
    """Name of the hosted wallet that the session is for; empty for a person of the member."""
    handle: bytes = b""
    """The account that may make and drop its passkeys in this session; empty: none."""
    seen: int = 0
    search: Any = None
    """The last search, so that its result has an address that says nothing."""
    two: Any = None
    """The last two searches of who compares patients by hand."""
    done: dict[str, str] = field(default_factory=dict)
    """Forms that are good once and were sent, with what came of them."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while such a form is carried out."""
    _things: dict[str, Any] = field(default_factory=dict)

    def form_token(self, path: str) -> str:
        """Return the token that a form with this action carries."""
        return mac(self.key, LABEL + "/form", path.encode()).hex()[:32]

    def name(self, thing: Any, *parts: str) -> str:
        """Return the name, in addresses of this session, of a thing told apart by `parts`. Raises Unauthenticated."""
        name = mac(self.key, LABEL + "/thing", *(part.encode() for part in parts)).hex()[:20]
        if name not in self._things and len(self._things) >= MOST_THINGS:
            raise Unauthenticated("session.full", "this session has seen too much", todo="sign in again")
        self._things[name] = thing
        return name

    def thing(self, name: str) -> Any:
        """Return what an address of this session names. Raises NotFound."""
        try:
            return self._things[name]
        except KeyError:
            raise NotFound("session.address", "this address is not one of this session", todo="find it again") from None


class Sessions:
    """The sessions of one node. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], int], entropy: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._codes: dict[bytes, tuple[Caller, int, int, bytes, str]] = {}
        self._open: dict[bytes, Session] = {}

    def invite(self, caller: Caller, ends: int, *, handle: bytes = b"", wallet: str = "") -> str:
        """Return a code that opens a session of `caller` once, within ten minutes; the session ends at `ends` (Unix ms).

        `handle` is the account that may make passkeys in it, if one may; `wallet` the hosted wallet that it is for.
        """
        code, now = self._entropy(24).hex(), self._clock()
        with self._lock:
            self._codes = {key: kept for key, kept in self._codes.items() if kept[2] > now}
            self._codes[digest(LABEL, code.encode())] = (caller, ends, now + CODE_MS, handle, wallet)
        return code

    def redeem(self, code: str) -> str:
        """Open the session of a code and return its token. Raises Unauthenticated."""
        with self._lock:
            kept = self._codes.pop(digest(LABEL, code.encode()), None)
        if kept is None or kept[2] <= self._clock():
            raise Unauthenticated("session.code", "this sign-in link is used up or too old", todo="ask for a new one")
        return self.open(kept[0], kept[1], handle=kept[3], wallet=kept[4])

    def open(self, caller: Caller = NOBODY, ends: int = 0, *, wallet: str = "", handle: bytes = b"") -> str:
        """Open a session and return its token, for the browser's cookie alone."""
        token, now = self._entropy(32).hex(), self._clock()
        session = Session(caller, ends, self._entropy(32), wallet, handle, seen=now)
        with self._lock:
            if len(self._open) >= MOST:
                self._open.pop(min(self._open, key=lambda one: self._open[one].seen))
            self._open[digest(LABEL, token.encode())] = session
        return token

    def find(self, token: str) -> Session | None:
        """Return the session of a token, or None when it has ended."""
        key, now = digest(LABEL, token.encode()), self._clock()
        with self._lock:
            session = self._open.get(key)
            if session is None:
                return None
            if now >= session.ends or now - session.seen > IDLE_MS:
                del self._open[key]
                return None
            session.seen = now
            return session

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(digest(LABEL, token.encode()), None)

    def end_all_of(self, subject: str) -> None:
        """End every session and forget every code of a person of this member."""
        with self._lock:
            self._codes = {key: kept for key, kept in self._codes.items() if kept[0].subject != subject}
            self._open = {key: one for key, one in self._open.items() if one.caller.subject != subject}

    def end_all_of_wallet(self, name: str) -> None:
        """End every session and forget every code of a hosted wallet."""
        with self._lock:
            self._codes = {key: kept for key, kept in self._codes.items() if kept[4] != name}
            self._open = {key: one for key, one in self._open.items() if one.wallet != name}
