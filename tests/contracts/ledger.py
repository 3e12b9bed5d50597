"""A ledger in memory, the twin of an engine: it runs the kernel block by block and keeps what a store would keep.

Keys, nonces and clocks follow from names and counters, so that every run of a test gives the same bytes.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.contracts.membership.port import Candidate, Genesis, Parameters, Role, possession_bytes
from salus.contracts.registry import REGISTRY
from salus.core.encoding import Message, encode
from salus.core.errors import Rejected
from salus.core.kernel import Block, Chain, Committed, Kernel, Result, Transition
from salus.core.log import Frontier
from salus.core.map import Root
from salus.core.rules import Registry
from salus.core.tables import MemoryReader, View
from salus.core.transaction import MAX_LIFE_MS, build_body, sign_as_author, sign_body

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
AGREEMENT = hashlib.sha256(b"agreement").digest()
SECOND = 1000
DAY = 86_400_000


def key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public(name: str) -> bytes:
    return key(name).public_key().public_bytes_raw()


def receive_key(name: str) -> bytes:
    return hashlib.shake_256(name.encode()).digest(1216)


def possession(member: str, name: str) -> bytes:
    return key(name).sign(possession_bytes(member, public(name), receive_key(name)))


def candidate(member: str, key_name: str | None = None, **changes: Any) -> Candidate:
    name = key_name or member
    fields = {
        "name": member.replace("-", " ").title(),
        "roles": (Role.PROVIDER,),
        "jurisdiction": "DE",
        "endpoint": f"https://{member}.example",
        "signing_key": public(name),
        "receive_key": receive_key(name),
        "possession": possession(member, name),
    }
    return Candidate(id=member, **(fields | changes))


def genesis(*members: str, **changes: Any) -> Genesis:
    fields = {
        "format": 1,
        "name": "test-net",
        "time": START,
        "rules": 1,
        "parameters": Parameters(agreement=AGREEMENT),
        "members": tuple(candidate(member) for member in members),
    }
    return Genesis(**(fields | changes))


@dataclass
class Ledger:
    """One ledger. `keys` says with which key a member signs now."""

    registry: Registry = REGISTRY
    rows: dict[bytes, bytes] = field(default_factory=dict)
    nodes: dict[bytes, bytes] = field(default_factory=dict)
    ids: dict[bytes, int] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    counter: int = 0

    @classmethod
    def founded(cls, *members: str, registry: Registry = REGISTRY, **changes: Any) -> "Ledger":
        named = () if "members" in changes else members or ("hospital-a",)
        document = genesis(*named, **changes)
        ledger = cls(registry)
        ledger.found(encode(document), document.time)
        ledger.keys = {member.id: member.id for member in document.members}
        return ledger

    def found(self, document: bytes, time: int) -> Transition:
        self.kernel = Kernel(self.registry)
        self.chain = Chain(b"", 0, time, Root(), Frontier())
        return self.take(self.kernel.genesis(document, time, self.committed()))

    def committed(self) -> Committed:
        return Committed(self.chain, MemoryReader(self.rows), self.nodes, self._seen)

    def _seen(self, tx_id: bytes) -> bool:
        return self.ids.get(tx_id, -MAX_LIFE_MS) > self.chain.time - MAX_LIFE_MS

    @property
    def state(self) -> View:
        return View(MemoryReader(self.rows))

    @property
    def time(self) -> int:
        return self.chain.time

    def wire(self, message: Message, by: str, author: str = "", **body: Any) -> bytes:
        """Return a signed transaction; `author` names a one-time key, `body` overrides the body's fields."""
        self.counter += 1
        fields = {
            "network": self.chain.network,
            "submitter": by,
            "submitter_key": public(self.keys.get(by, by)),
            "expiry": self.chain.time + 5 * 60 * SECOND,
            "nonce": self.counter.to_bytes(16, "big"),
            "author_key": public(author) if author else b"",
        }
        signed = build_body(message, **(fields | body))
        by_author = sign_as_author(signed, key(author)) if author else b""
        return sign_body(signed, key(self.keys.get(by, by)), author_signature=by_author)

    def block(self, *wires: bytes, later: int = SECOND) -> tuple[Result, ...]:
        """Execute a block of wire transactions, `later` ms after the last."""
        transactions = tuple(self.kernel.decode(wire) for wire in wires)
        for transaction in transactions:
            self.kernel.authenticate(transaction)
        block = Block(self.chain.height + 1, self.chain.time + later, transactions)
        return self.take(self.kernel.transition(self.committed(), block)).results

    def take(self, transition: Transition) -> Transition:
        self.rows.update(transition.rows)
        self.nodes.update(transition.nodes)
        self.leaves.extend(transition.leaves)
        for transaction in transition.block.transactions:
            self.ids[transaction.id] = transition.block.time
        self.chain = transition.chain
        return transition

    def pass_time(self, ms: int) -> None:
        self.block(later=ms)

    def send(self, message: Message, by: str = "hospital-a", author: str = "", **body: Any) -> bytes:
        """Send one message in a block of its own. Returns its result data, or raises what refused it."""
        (result,) = self.block(self.wire(message, by, author, **body))
        if result.refusal is not None:
            assert result.code == result.refusal.reason.code
            assert result.data == b""
            raise result.refusal
        return result.data

    def refuse(self, message: Message, by: str = "hospital-a", author: str = "", **body: Any) -> Any:
        """Send one message that must be refused. Returns the reason; the state must be as it was."""
        before, state = dict(self.rows), self.chain.state
        try:
            self.send(message, by, author, **body)
        except Rejected as refusal:
            assert self.rows == before
            assert self.chain.state == state
            return refusal.reason
        raise AssertionError(f"{type(message).__name__} was applied")
