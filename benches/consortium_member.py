"""One member of the consortium's bench in a process of its own: ledger, application and engine, told what to do by a pipe."""

import os
import time
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benches.ledger_load import DAY, now
from salus.contracts.consent.port import Grant, Revoke, round_expiry
from salus.contracts.records.port import Anchor
from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.core.transaction import build_body, sign_as_author, sign_body
from salus.engines.book import memory_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.cometbft.ledger import CometLedger
from salus.engines.cometbft.rpc import Rpc
from salus.engines.cometbft.unit import Unit
from salus.engines.embedded import found
from salus.engines.errors import Busy
from salus.engines.ports import Outcome
from salus.engines.store import lmdb_store

STARTED_SECONDS = 30.0


class Member:
    """What the pipe's words are: each a method, called with what follows it."""

    def __init__(self, name: str, key: bytes, *, home: Path, binary: Path, document: bytes, founded: int) -> None:
        self._name = name
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self._public = self._key.public_key().public_bytes_raw()
        store, kernel = lmdb_store(home / "ledger"), Kernel(REGISTRY)
        if not store.founded:
            found(store, kernel, document, founded)
        self.ledger = CometLedger(store, kernel, now, Rpc(home / "rpc.sock"))
        cosigning = Cosigning(store, memory_book(self.ledger.network), keys={self._public: self._key.sign})
        self._cosigner = Cosigner(self.ledger, cosigning)
        self._grants: list[Ed25519PrivateKey] = []
        self._wires: deque[bytes] = deque()
        self._unit = Unit(
            lambda: self.ledger.application("bench", 1),
            binary=binary,
            home=home,
            socket=home / "app.sock",
            rpc=home / "rpc.sock",
            report=lambda _event, _facts: None,
            halted=self.ledger.halt,
        )

    def close(self) -> None:
        self._unit.close()
        self._cosigner.close()
        self.ledger.close()

    def sign(self, message: Any, author: Ed25519PrivateKey | None = None) -> bytes:
        body = build_body(
            message,
            network=self.ledger.network,
            submitter=self._name,
            submitter_key=self._public,
            expiry=now() + 590_000,
            nonce=os.urandom(16),
            author_key=author.public_key().public_bytes_raw() if author else b"",
        )
        return sign_body(body, self._key, author_signature=sign_as_author(body, author) if author else b"")

    def begin(self) -> int:
        """Commit one transaction, again while the engine starts; return its height."""
        end = time.monotonic() + STARTED_SECONDS
        while True:
            try:
                return self._one(Anchor(os.urandom(32), 6, deferred=False)).height or 0
            except Busy:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _one(self, message: Any, author: Ed25519PrivateKey | None = None) -> Outcome:
        return self.ledger.submit(self.sign(message, author)).result(30)

    def grant(self, count: int) -> int:
        """Commit grants, to be revoked one by one."""
        expiry = round_expiry(now() + 30 * DAY, 7 * DAY)
        keys = [Ed25519PrivateKey.generate() for _ in range(count)]
        sent = [self.ledger.submit(self.sign(Grant(os.urandom(32), expiry), key)) for key in keys]
        codes = {one.result(60).code for one in sent}
        if codes != {0}:
            raise ValueError(f"grants were refused: {codes}")
        self._grants += keys
        return count

    def revoke(self) -> tuple[float, float, int]:
        """Revoke a grant; return when it was sent, when it was committed here, and its height."""
        wire = self.sign(Revoke(), self._grants.pop())
        start = time.monotonic()
        outcome = self.ledger.submit(wire).result(30)
        return start, time.monotonic(), outcome.height or 0

    def seen(self, height: int) -> float:
        """Wait for a height; return when it was there."""
        while self.ledger.head().height < height:
            time.sleep(0.001)
        return time.monotonic()

    def load(self, count: int) -> int:
        """Sign transactions beforehand: 60 % anchors, 30 % grants, 10 % revocations of earlier grants."""
        expiry = round_expiry(now() + 30 * DAY, 7 * DAY)
        live: list[Ed25519PrivateKey] = []
        for number in range(count):
            roll = number % 10
            if roll in {1, 4, 7}:
                live.append(Ed25519PrivateKey.generate())
                self._wires.append(self.sign(Grant(os.urandom(32), expiry), live[-1]))
            elif roll == 9 and number > 2000:
                self._wires.append(self.sign(Revoke(), live[number // 20]))
            else:
                self._wires.append(self.sign(Anchor(os.urandom(32), 6, deferred=False)))
        return len(self._wires)

    def run(self, seconds: float, outstanding: int) -> tuple[int, float]:
        """Keep so many transactions under way for so long; return how many were committed, and CPU seconds used."""
        waiting: deque[Any] = deque()
        cpu, end, done = time.process_time(), time.monotonic() + seconds, 0
        while time.monotonic() < end and self._wires:
            while len(waiting) < outstanding and self._wires:
                waiting.append(self.ledger.submit(self._wires.popleft()))
            waiting.popleft().result(30)
            done += 1
        for one in waiting:
            one.result(60)
        return done + len(waiting), time.process_time() - cpu


def serve(pipe: Connection, name: str, key: bytes, told: dict[str, Any]) -> None:
    """Do what the pipe says until it says `close`."""
    obey(Member(name, key, **told), pipe, ("begin", "grant", "revoke", "seen", "load", "run"))


def obey(member: Member, pipe: Connection, names: tuple[str, ...]) -> None:
    """Do what the pipe says, of the words `names`, until it says `close`."""
    words: dict[str, Any] = {name: getattr(member, name) for name in names}
    while True:
        word, *rest = pipe.recv()
        if word == "close":
            break
        try:
            pipe.send(words[word](*rest))
        except Exception as error:
            pipe.send(error)
            raise
    member.close()
    pipe.send(None)
