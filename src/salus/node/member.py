"""A member's node: its keys, ledger, vault, index, desk and peers, held together. Use cases take it as their first argument.

vault      sealed records, links, journal        (vault/)
index      what the vault holds, searchable      (index/)
desk       work in progress: outgoing, requests, grants held, erasures
accounts   who signs in with a passkey, programs that act for people
ledger     the one that all members keep         (engines/)
peers      the other members' nodes; `door` receives what they send
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from salus.contracts.membership import port as membership
from salus.core.proof.digest import mac
from salus.core.tables import View
from salus.engines.checkpoints import Cosigning
from salus.engines.cometbft.ledger import CometLedger
from salus.engines.ports import Ledger
from salus.engines.receipts import Prover
from salus.index.index import Index
from salus.index.source import NONE_FRESH, Admitted, VaultSource
from salus.node.accounts import Accounts
from salus.node.config import Config
from salus.node.desk import Desk
from salus.node.errors import EdgeError, NotFound, Unavailable
from salus.node.exchange.derived import Writers
from salus.node.exchange.wire import Address, Door, Handler, Peers, Transport
from salus.node.sessions import Sessions
from salus.node.smart.programs import Programs
from salus.node.submitting import Submitter
from salus.vault.backup import DayKeys
from salus.vault.envelope import Context, ReceiveKey
from salus.vault.keystore import Keys
from salus.vault.vault import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BACKUP_KEYS: Final = "backup.keys"
TAKING: Final = 16  # deliveries taken at the same time
MONTH_MS: Final = 30 * 24 * 3600 * 1000
REPLICA_SECONDS: Final = 5.0  # how long a question waits for a block that its asker has seen already
MAX_BEHIND: Final = 1_000  # blocks: more than the fastest engine makes in those seconds with a little to spare


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as a node needs it."""

    clock: Callable[[], int]
    """Unix milliseconds."""
    entropy: Callable[[int], bytes]
    """That many random bytes."""
    transport: Transport
    """How other members' nodes are reached."""


def address_in(state: View, member: str) -> Address:
    """Return where a member's node answers, as a state of the ledger has it."""
    row = membership.member(state, member)
    return Address("" if row is None else row.endpoint, frozenset(membership.tls_keys(state, member)))


@dataclass
class MemberNode:
    """One member's node. Close it to let go of its folder."""

    config: Config
    keys: Keys
    ledger: Ledger
    cosigning: Cosigning
    vault: Vault
    indexed: Index
    """The index as it stands; whoever asks it something takes `index`."""
    desk: Desk
    accounts: Accounts
    ports: Ports
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    release: Callable[[], None] = lambda: None
    """Lets the ledger go, and what cosigns it."""
    withholding: Callable[..., EdgeError | None] = lambda *, ask: None  # noqa: ARG005 -- a Confirming
    """The refusal of whatever is about patients, or None (`salus.node.confirming`)."""
    stopped: str = ""
    """Why the node does not serve, or empty."""
    ticking: bool = False
    """Whether a thread of this process anchors and delivers on its own (`salus.node.ticking`)."""

    def __post_init__(self) -> None:
        self.network: bytes = self.ledger.network
        self.signing_key: Ed25519PrivateKey = self.keys.signing_key()
        self.receive_key: ReceiveKey = self.keys.receive_key()
        clock, entropy = self.ports.clock, self.ports.entropy
        self.submitter = Submitter(
            self.ledger, self.network, self.member, self.signing_key, clock=clock, entropy=entropy
        )
        self.peers = Peers(
            self.member, self.signing_key, self.ports.transport, self.address_of, clock=clock, entropy=entropy
        )
        self.writers = Writers(self.vault, self.desk)
        self.prover = Prover(self.ledger.store, self.cosigning)
        self.anchoring = threading.Lock()
        """Held while batches go to the ledger: each goes once, the oldest first."""
        self.leasing = threading.Lock()
        """Held while a lease is filled or purged: what arrives after the purge is not kept."""
        self.dealing = threading.Lock()
        """Held while this member deals shares of a threshold key: once in a run."""
        self.revising = threading.RLock()
        """Held while a FHIR resource's version is compared and the next one written: one step, whichever door it came by."""
        self.deciding = threading.RLock()
        """Held while claims are decided and paid, or a person's word on one is kept: each round is paid by one 835."""
        self.claiming = threading.RLock()
        """Held while what is kept of a claim is read and changed: what comes meanwhile is not written over."""
        self.identifying = threading.Lock()
        """Held while it is decided which links are of one patient: each decision sees the one before."""
        self.taking = tuple(threading.Lock() for _ in range(TAKING))
        """By a delivery's id: held while it is taken."""
        self.sessions = Sessions(clock, entropy)
        """Who has signed in at the pages; gone when the process ends."""
        self.programs = Programs(clock, entropy)
        """What programs are in the middle of; gone when the process ends."""
        self.memory: dict[str, object] = {}
        """What domains keep in memory between use cases, by domain."""
        self._owed = self._settled = object()
        """What the index is to catch up with, and what it has: two objects while something waits."""
        self._settling = threading.RLock()
        self.door = Door(self.member, self.signing_keys, clock, self.handlers)
        self.peers.own = self.door

    @property
    def member(self) -> str:
        """The id of the member on the ledger."""
        return self.keys.member

    def now(self) -> int:
        """Return the node's clock, in Unix milliseconds."""
        return self.ports.clock()

    def ledger_time(self) -> int:
        """Return the later of the ledger's head and the own clock: what deadlines are compared with."""
        return max(self.now(), self.ledger.head().time)

    def wait_for(self, height: int) -> None:
        """Wait until the own replica has the block of `height`, a few seconds at most. Raises Unavailable.

        A height that no replica a few seconds behind can lack is refused at once: a made-up one would hold a thread.
        """
        if height > self.ledger.head().height + MAX_BEHIND:
            raise Unavailable(
                "ledger.ahead", "that block is far beyond the own replica's newest", todo="try again later"
            )
        news = threading.Event()
        end = self.ledger.subscribe(lambda header: news.set() if header.height >= height else None)
        try:
            if self.ledger.head().height < height and not news.wait(REPLICA_SECONDS):
                raise Unavailable(
                    "ledger.behind",
                    "the own replica has not reached that block",
                    expected=str(height),
                    todo="try again",
                )
        finally:
            end()

    def entropy(self, count: int) -> bytes:
        """Return random bytes."""
        return self.ports.entropy(count)

    def secret(self, label: str) -> bytes:
        """Return a 32-byte secret of this node alone, derived for one use."""
        return mac(self.keys.vault, label)

    def signing_keys(self, member: str, height: int | None = None) -> Sequence[bytes]:
        """Return the Ed25519 keys with which an active member signs now, or signed at a height; none of any other. Raises NotKept."""
        state = self.ledger.read(height)
        row = membership.member(state, member)
        keys = membership.key_at(state, member)
        if row is None or keys is None or row.standing is not membership.Standing.ACTIVE:
            return ()
        return (keys.signing_key,)

    def keys_of(self, member: str) -> membership.Keys:
        """Return an active member's keys in force. Raises NotFound."""
        state = self.ledger.read()
        keys = membership.key_at(state, member)
        row = membership.member(state, member)
        if row is None or keys is None or row.standing is not membership.Standing.ACTIVE:
            raise NotFound(
                "member.unknown", "no active member has this id", got=member, todo="see `salus network members`"
            )
        return keys

    def endpoint_of(self, member: str) -> str:
        """Return where a member's node answers, or nothing."""
        row = membership.member(self.ledger.read(), member)
        return "" if row is None else row.endpoint

    def address_of(self, member: str) -> Address:
        """Return where a member's node answers, and under which TLS keys."""
        return address_in(self.ledger.read(), member)

    def context(self, purpose: str, object_id: bytes, sender: str | bytes | None = None) -> Context:
        """Return what an envelope of a member or of a one-time key is bound to; by default one sent from here."""
        told = self.member if sender is None else sender
        return Context(self.network, told.encode("ascii") if isinstance(told, str) else told, purpose, object_id)

    def day_keys(self) -> DayKeys:
        """Return the keys of this member's backups by day."""
        return DayKeys(Path(self.config.data) / BACKUP_KEYS, self.keys.backup, self.entropy)

    def sound_time(self) -> int:
        """Return the own clock, or the ledger's head where the two are a month apart: for what cannot be undone."""
        head = self.ledger.head().time
        return self.now() if abs(self.now() - head) <= MONTH_MS else head

    def catch_up(self, fresh: Mapping[int, Admitted] = NONE_FRESH) -> None:
        """Index what the vault holds beyond what is indexed. fresh: what the caller wrote just now, by record number."""
        self.indexed.catch_up(VaultSource(self.vault, self.writers.rename, fresh))

    def catch_up_later(self) -> None:
        """Have what the vault holds by now indexed before the next question, or by itself where the node ticks.

        For many records that nobody waits for. A node that opens catches up first, so nothing needs to be kept of it.
        """
        self._owed = object()

    def settle_index(self) -> None:
        """Index what `catch_up_later` left, or the index has lost. Raises the index's errors; then it is still left."""
        if self._owed is self._settled and not self.indexed.behind:
            return
        with self._settling:
            owed = self._owed
            if owed is not self._settled or self.indexed.behind:
                self.catch_up()
                self._settled = owed

    @property
    def index(self) -> Index:
        """The index for a question: no record that was told of, now or for later, is missing from it."""
        self.settle_index()
        return self.indexed

    def trouble(self) -> str:
        """Return "" while the node serves, else the code of what keeps it from serving."""
        return self.stopped or self.ledger.stopped

    def withheld(self, *, ask: bool) -> EdgeError | None:
        """Return the refusal of whatever is about patients, or None; `ask`: ask the others first, a few seconds at most."""
        return self.withholding(ask=ask)

    def measures(self) -> Mapping[str, int | float]:
        """Return the present value of each figure: numbers about no person."""
        head = self.ledger.head()
        faults = self.ledger.faults if isinstance(self.ledger, CometLedger) else {}
        return {
            "ledger_height": head.height,
            "ledger_log_size": head.log_size,
            "ledger_head_age_seconds": max(0, self.now() - head.time) / 1000,
            "outgoing_waiting": len(self.desk.waiting()),
            "ledger_reachable": int(self.ledger.reachable),
            "batches_unanchored": len(self.vault.unanchored()),
            **{
                f'validator_faults_total{{member="{who}",fault="{what}"}}': count
                for (who, what), count in faults.items()
            },
            **{
                f'peer_faults_total{{member="{who}",code="{code}"}}': count
                for (who, code), count in tuple(self.peers.faults.items())
            },
        }

    def close(self) -> None:
        """Finish what is under way and let everything go."""
        self.release()
        self.indexed.close()
        self.desk.close()
        self.accounts.close()
        self.vault.close()
