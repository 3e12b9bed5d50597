"""Several members in one process, each with a folder, keys and a replica of its own: what the demo and the tests run.

One member orders the ledger; each other replays, checks and cosigns it, as it would over HTTP. They share one clock,
which can be moved: no command of a real node has that switch.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from salus.contracts.membership.port import Candidate, Genesis, Parameters, Role, possession_bytes
from salus.core.encoding import encode
from salus.core.proof.digest import digest
from salus.core.proof.trust import Trust
from salus.engines.book import lmdb_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.embedded import Embedded, found
from salus.engines.follower import Follower, LedgerSource, join
from salus.engines.store import lmdb_store
from salus.node.config import Config, Http
from salus.node.errors import Unavailable
from salus.node.exchange.wire import Answer, InProcess
from salus.node.member import MemberNode, Ports
from salus.node.opening import KERNEL, OnLedger, assemble
from salus.node.patient import door
from salus.node.wallet.holder import Holder
from salus.vault.keystore import Keys, new_keys
from salus.vault.wallet import Wallet

COSIGN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Founder:
    """A member of the founding."""

    id: str
    name: str
    roles: tuple[Role, ...]
    jurisdiction: str = "US-MA"


class Clock:
    """A clock that can be moved ahead. Unix milliseconds."""

    def __init__(self, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._now = now
        self._ahead = 0

    def __call__(self) -> int:
        """Return the time."""
        return self._now() + self._ahead

    def advance(self, milliseconds: int) -> None:
        """Move the clock ahead."""
        self._ahead += milliseconds


def candidate(founder: Founder, keys: Keys) -> Candidate:
    """Return what the genesis document says of a founder."""
    signing, receiving = keys.signing_key(), keys.receive_key()
    public = signing.public_key().public_bytes_raw()
    return Candidate(
        id=founder.id,
        name=founder.name,
        roles=tuple(sorted(founder.roles)),
        jurisdiction=founder.jurisdiction,
        endpoint=f"https://{founder.id}.example",
        signing_key=public,
        receive_key=receiving.public,
        possession=signing.sign(possession_bytes(founder.id, public, receiving.public)),
    )


@dataclass
class Together:
    """The members, by id. Close it to let go of every folder."""

    clock: Clock
    transport: InProcess
    nodes: dict[str, MemberNode] = field(default_factory=dict)
    followers: dict[str, Follower] = field(default_factory=dict)

    @property
    def owner(self) -> MemberNode:
        """The member that orders the ledger."""
        return next(iter(self.nodes.values()))

    def ask(self, member: str, path: str, body: bytes) -> Answer:
        """Carry a wallet's question to a member's node. Raises Unavailable."""
        node = self.nodes.get(member)
        if node is None or node.endpoint_of(member) in self.transport.down:
            raise Unavailable("exchange.unreachable", "the node cannot be reached", got=member, todo="try again")
        return door.answer(node, path, body)

    def trust(self) -> Trust:
        """Return what a verifier of today starts from, as the owner's book has it."""
        self.settle()
        return self.owner.cosigning.trust()

    def abreast(self) -> None:
        """Wait until every replica has the newest block; a second or two less than for its cosignatures. Raises Unavailable."""
        head = self.owner.ledger.head()
        for node in self.nodes.values():
            node.wait_for(head.height)

    def settle(self) -> None:
        """Wait until every replica has the newest block, cosigned by enough members. Raises Unavailable, NotKept."""
        head = self.owner.ledger.head()
        self.abreast()
        for node in self.nodes.values():  # each proves with the checkpoints that it has heard of itself
            node.cosigning.covering(head.log_size - 1, COSIGN_SECONDS)

    def holder(self, *, entropy: Callable[[int], bytes] = os.urandom) -> Holder:
        """Return a patient with a fresh wallet, who trusts this network."""
        return Holder(Wallet.new(clock=self.clock, entropy=entropy), self.trust(), self, self.clock, entropy)

    def close(self) -> None:
        """Let go of everything: the followers before the owner."""
        for follower in self.followers.values():
            follower.stop()
        for node in reversed(self.nodes.values()):
            node.close()


def found_together(folder: Path, founders: tuple[Founder, ...], *, clock: Clock, name: str = "salus-demo") -> Together:
    """Found a ledger kept by `founders` (the first orders it), each in a folder of its own below `folder`."""
    keys = {one.id: new_keys(one.id, os.urandom) for one in founders}
    genesis = Genesis(
        format=1,
        name=name,
        time=clock(),
        rules=1,
        parameters=Parameters(agreement=digest("salus/v1/agreement", name.encode())),
        members=tuple(candidate(one, keys[one.id]) for one in sorted(founders, key=lambda one: one.id)),
    )
    together = Together(clock, InProcess())
    source: LedgerSource | None = None
    for one in founders:
        home = folder / one.id
        home.mkdir(mode=0o700, parents=True)
        on, source = _ledger(home, keys[one.id], genesis, source, together)
        http = Http(public_url=f"https://{one.id}.example")
        ports = Ports(clock, os.urandom, together.transport)
        node = assemble(Config(member=one.id, data=str(home), http=http), keys[one.id], on, ports, home)
        together.nodes[one.id] = node
        together.transport.doors[f"https://{one.id}.example"] = node.door
        together.transport.wallets[f"https://{one.id}.example"] = partial(door.answer, node)
    return together


def _ledger(
    home: Path, keys: Keys, genesis: Genesis, source: LedgerSource | None, together: Together
) -> tuple[OnLedger, LedgerSource]:
    """Open a member's replica: the first founds and orders, the others follow it."""
    store = lmdb_store(home / "ledger")
    signing = keys.signing_key()
    cosigning_keys = {signing.public_key().public_bytes_raw(): signing.sign}
    if source is None:
        document = encode(genesis)
        found(store, KERNEL, document, genesis.time)
        ledger = Embedded(store, KERNEL, together.clock)
        cosigning = Cosigning(store, lmdb_book(home / "checkpoints", ledger.network), keys=cosigning_keys)
        return OnLedger(ledger, cosigning, Cosigner(ledger, cosigning)), LedgerSource(ledger, cosigning)
    join(store, KERNEL, source, together.owner.network)
    cosigning = Cosigning(store, lmdb_book(home / "checkpoints", together.owner.network), keys=cosigning_keys)
    follower = Follower(store, KERNEL, source, cosigning, together.clock)
    follower.start()
    together.followers[keys.member] = follower
    return OnLedger(follower, cosigning), source
