"""Putting a node together: from its folder on disk, or for tests and the demo in memory, on a ledger of its own or another's.

keys.salus      keystore (passphrase, or a systemd credential)
ledger/         LMDB: blocks, state, log           checkpoints/  cosigned checkpoints
vault/          vault.db and segments              vault.erasures  the list kept out of every backup
index.db        derived, may be deleted            desk.db  work in progress
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Protocol

from salus.contracts.membership import port as membership
from salus.contracts.registry import REGISTRY
from salus.core.kernel import Kernel
from salus.core.proof.digest import mac
from salus.engines.book import CheckpointBook, lmdb_book
from salus.engines.checkpoints import Cosigner, Cosigning
from salus.engines.door import Door
from salus.engines.embedded import Embedded, day_of
from salus.engines.follower import Follower, SourceUnavailable
from salus.engines.ports import Ledger
from salus.engines.store import LedgerStore, lmdb_store
from salus.index.index import Index, shipped_rules
from salus.node import confirming, emergency, erasing, pairs
from salus.node.accounts import Accounts
from salus.node.claims import keeper as claims_keeper
from salus.node.claims import takers as claims_takers
from salus.node.config import Config
from salus.node.desk import Desk
from salus.node.errors import Conflict, NotFound
from salus.node.exchange import delivery
from salus.node.exchange.cosigning import Cosignatures
from salus.node.exchange.custodian import serve_pull
from salus.node.exchange.delivery import Taker
from salus.node.exchange.following import LedgerDoor, RemoteSource
from salus.node.exchange.grantee import GRANT_KIND, take_grant
from salus.node.exchange.light import EngineDoor
from salus.node.exchange.pull import PATH as PULL_PATH
from salus.node.exchange.wire import Address, Handler, OverHttp, Peers
from salus.node.exchange.withdrawal import WITHDRAWAL_KIND, take_withdrawal
from salus.node.local import Bare, now_ms
from salus.node.member import BACKUP_KEYS, MemberNode, Ports, address_in
from salus.node.network.cometbft import has_engine, initial_height, open_ledger, sockets_of
from salus.node.research import auditing, rounds, unmasking
from salus.node.research import receiving as research_receiving
from salus.node.research import wire as research_wire
from salus.node.supply import exchange as supply_exchange
from salus.node.supply import takers as supply_takers
from salus.node.trials import exchange as trials_exchange
from salus.node.trials import openings, unblinding
from salus.vault.backup import DayKeys
from salus.vault.errors import RestoreRefused
from salus.vault.keystore import Keys, load_credential, load_keystore
from salus.vault.vault import Vault

KERNEL: Final = Kernel(REGISTRY)
KEYSTORE: Final = "keys.salus"
NEXT_KEYSTORE: Final = "keys.next.salus"
"""Keys of a rotation that the ledger may or may not have taken yet."""
PASSPHRASE: Final = "passphrase"  # noqa: S105 - a file name
LEDGER: Final = "ledger"
VAULT: Final = "vault"
DESK: Final = "desk.db"
ACCOUNTS: Final = "accounts.db"
CHECKPOINTS: Final = "checkpoints"
NO_KEYS: Final = (
    "a new member runs `salus network card`; else put the copy of keys.salus back: without it the vault stays shut "
    "(docs/how-to/run-a-network.md, Keys)"
)
HTTP_SECONDS: Final = 30.0  # a pull's chunk of 8 MB over a slow line
TAKERS: Final[Mapping[str, Taker]] = {
    GRANT_KIND: take_grant,
    WITHDRAWAL_KIND: take_withdrawal,
    **claims_takers.TAKERS,
    **trials_exchange.TAKERS,
    **supply_takers.TAKERS,
    **research_wire.TAKERS,
    **research_receiving.TAKERS,
}
"""What is taken under each kind of delivery; a domain adds its own line."""


class Closeable(Protocol):
    """What is ended once."""

    def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True)
class OnLedger:
    """A ledger with what cosigns its checkpoints here."""

    ledger: Ledger
    cosigning: Cosigning
    cosigner: Cosigner | None = None
    """The thread that cosigns; None where the follower does it step by step."""
    source: RemoteSource | None = None
    """Where a follower gets its blocks from, if that is another process."""
    beside: tuple[Closeable, ...] = ()
    """What else runs beside the ledger and ends before it, in this order."""

    def close(self) -> None:
        """End cosigning and what else runs beside the ledger, then the ledger."""
        for one in self.beside:
            one.close()
        if self.cosigner is not None:
            self.cosigner.close()
        if self.source is not None:
            self.source.close()
        self.ledger.close()
        self.cosigning.book.close()


class Unfounded(Bare):
    """A data folder without a ledger: only what founds or joins one can be done with it."""

    MADE_BY: ClassVar[str] = (
        "name a folder that holds no node, with SALUS_DATA or data in the configuration; to take an older ledger anew from "
        "the others, stop the node and move `ledger`, `checkpoints` and `cometbft` away"
    )


def keys_of(config: Config) -> Keys:
    """Return the member's keys: from systemd's credential, else from the keystore. Raises NotFound, Conflict, WrongKey."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    folder = Path(config.data)
    if credentials and not config.passphrase_file:
        keys = load_credential(Path(credentials))
    else:
        try:
            keys = load_keystore(folder / KEYSTORE, passphrase(config))
        except FileNotFoundError as error:
            raise NotFound(
                "node.no-keys", "the data folder holds no keystore", got=config.data, todo=NO_KEYS
            ) from error
    if keys.member != config.member:
        raise Conflict(
            "node.other-member",
            "the keys are of another member than the configuration names",
            expected=config.member,
            got=keys.member,
            todo="set member, or the data folder (data) that belongs to it",
        )
    return keys


def passphrase(config: Config) -> bytes:
    """Return the keystore's passphrase. Raises NotFound."""
    path = Path(config.passphrase_file) if config.passphrase_file else Path(config.data) / PASSPHRASE
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise NotFound(
            "node.no-passphrase",
            "the passphrase cannot be read",
            got=f"{path} ({error.strerror})",
            todo="write one line into that file, readable by this user alone (`openssl rand -hex 24`), or set passphrase_file",
        ) from error


def open_node(config: Config) -> MemberNode | Unfounded:
    """Open the node of a data folder, or say that it is not founded yet. Raises what its parts raise."""
    folder = Path(config.data)
    if not (folder / LEDGER).exists():
        return Unfounded(config)
    keys = keys_of(config)
    transport = OverHttp.with_timeout(HTTP_SECONDS, config.http.tls_authorities)
    ports = Ports(now_ms, os.urandom, transport)
    if (folder / NEXT_KEYSTORE).exists():
        node = _after_rotation(config, keys, ports)
    else:
        node = assemble(config, keys, _ledger_of(config, keys, ports), ports, folder)
    node.withholding = confirming.Confirming(node)
    ledger_goes = node.release

    def release() -> None:
        ledger_goes()
        transport.close()

    node.release = release
    return node


def _after_rotation(config: Config, old: Keys, ports: Ports) -> MemberNode:
    """Open a node beside whose keys lie the next ones: with those that the ledger has in force, cosigning with both."""
    folder = Path(config.data)
    new = load_keystore(folder / NEXT_KEYSTORE, passphrase(config))
    with contextlib.closing(lmdb_store(folder / LEDGER, map_bytes=config.ledger.map_bytes)) as store:
        row = membership.key_at(store.read(), old.member)
    taken = row is not None and row.signing_key == new.signing_key().public_key().public_bytes_raw()
    taken = taken or _obeyed(config, new, ports)
    keys, other = (new, old) if taken else (old, new)
    if taken:
        (folder / NEXT_KEYSTORE).replace(folder / KEYSTORE)
    on = _ledger_of(config, keys, ports)
    on.cosigning.hold(other.signing_key().public_key().public_bytes_raw(), other.signing_key().sign)
    return assemble(config, keys, on, ports, folder)


def _obeyed(config: Config, keys: Keys, ports: Ports) -> bool:
    """Say whether who orders the ledger knows a follower by these keys: its own replica gets no block by keys that are not in force."""
    if has_engine(config) or not config.ledger.owner:
        return False
    source = remote_source(config, keys, ports)
    try:
        source.founded()
    except SourceUnavailable:
        return False
    finally:
        source.close()
    return True


def day_keys(config: Config, keys: Keys, entropy: Callable[[int], bytes]) -> DayKeys:
    """Return the keys of this member's backups by day, in a file beside the keystore."""
    return DayKeys(Path(config.data) / BACKUP_KEYS, keys.backup, entropy)


def erasures_path(config: Config, folder: Path) -> Path:
    """Return where the list of erasures lies: better on another disk than the vault."""
    return Path(config.erasures_file) if config.erasures_file else folder / f"{VAULT}.erasures"


def remote_source(config: Config, keys: Keys, ports: Ports, store: LedgerStore | None = None) -> RemoteSource:
    """Return the owner's ledger as the configuration names it; the own replica, if there is one, knows its TLS keys."""
    url, owner = config.ledger.url.rstrip("/"), config.ledger.owner

    def address(_: str) -> Address:
        known = () if store is None else membership.tls_keys(store.read(), owner)
        return Address(url, frozenset(known))

    peers = Peers(
        keys.member,
        keys.signing_key(),
        ports.transport,
        address,
        clock=ports.clock,
        entropy=ports.entropy,
    )
    return RemoteSource(peers, owner)


def _ledger_of(config: Config, keys: Keys, ports: Ports) -> OnLedger:
    """Open the ledger: ordered here, or followed. What cannot be opened whole is let go."""
    folder = Path(config.data)
    with contextlib.ExitStack() as undo:
        store = lmdb_store(folder / LEDGER, map_bytes=config.ledger.map_bytes)
        undo.callback(store.close)
        book = lmdb_book(folder / CHECKPOINTS, store.chain().network)
        undo.callback(book.close)
        found = _on_ledger(config, keys, ports, store, book)
        undo.pop_all()
    return found


def _on_ledger(config: Config, keys: Keys, ports: Ports, store: LedgerStore, book: CheckpointBook) -> OnLedger:
    signing = keys.signing_key()
    cosigning = Cosigning(store, book, keys={signing.public_key().public_bytes_raw(): signing.sign})
    if has_engine(config):
        return _consortium(config, keys, ports, store, cosigning)
    if not config.ledger.owner:
        told = config.ledger.accept_clock == day_of(ports.clock())
        ledger = Embedded(store, KERNEL, ports.clock, accept_clock=told)
        return OnLedger(ledger, cosigning, Cosigner(ledger, cosigning))
    source = remote_source(config, keys, ports, store)
    follower = Follower(store, KERNEL, source, cosigning, ports.clock)
    follower.start()
    return OnLedger(follower, cosigning, source=source)


def _consortium(config: Config, keys: Keys, ports: Ports, store: LedgerStore, cosigning: Cosigning) -> OnLedger:
    """Open the ledger that CometBFT orders, with its engine and the exchange of cosignatures."""
    ledger, start = open_ledger(config, store, KERNEL, ports.clock)

    def address(member: str) -> Address:
        return address_in(ledger.read(), member)

    peers = Peers(keys.member, keys.signing_key(), ports.transport, address, clock=ports.clock, entropy=ports.entropy)
    exchange = Cosignatures(ledger, cosigning, keys.member, lambda member: RemoteSource(peers, member))
    return OnLedger(ledger, cosigning, Cosigner(ledger, cosigning), beside=(exchange, start()))


def assemble(config: Config, keys: Keys, on: OnLedger, ports: Ports, folder: Path) -> MemberNode:
    """Return a member's node over its ledger, with vault, index and desk in `folder`. Raises the vault's errors."""
    vault = Vault(
        folder / VAULT,
        member=keys.member,
        key=keys.vault,
        clock=ports.clock,
        entropy=ports.entropy,
        erasures=erasures_path(config, folder),
    )
    index = Index(folder / "index.db", key=keys.index, rules=shipped_rules())
    desk = Desk(folder / DESK, mac(keys.vault, "salus/v1/desk"))
    accounts = Accounts(folder / ACCOUNTS, mac(keys.vault, "salus/v1/accounts"))
    handlers: dict[str, Handler] = {}
    node = MemberNode(
        config=config,
        keys=keys,
        ledger=on.ledger,
        cosigning=on.cosigning,
        vault=vault,
        indexed=index,
        desk=desk,
        accounts=accounts,
        ports=ports,
        handlers=handlers,
        release=on.close,
    )
    if isinstance(on.ledger, Door):
        last = initial_height(config) - 1 if has_engine(config) else None
        handlers.update(LedgerDoor(on.ledger, on.cosigning, last).handlers())
    if has_engine(config):
        handlers.update(EngineDoor(sockets_of(config).rpc).handlers())
    handlers[PULL_PATH] = lambda sender, body: serve_pull(node, sender, body)
    handlers[emergency.PATH] = lambda sender, body: emergency.answer(node, sender, body)
    handlers.update(claims_keeper.handlers(node))
    handlers[unblinding.PATH] = unblinding.handler(node)
    handlers[openings.PATH] = openings.handler(node)
    handlers.update(supply_exchange.handlers(node))
    handlers.update(confirming.handlers(node))
    handlers[delivery.PATH] = lambda sender, body: delivery.take(node, TAKERS, sender, body)
    if erasing.forgotten(node):
        node.close()
        raise RestoreRefused(f"{erasing.FORGOTTEN}: restore with the newest list")
    handlers[rounds.PATH] = rounds.Rounds(node).answer
    handlers[auditing.PATH] = lambda sender, body: auditing.answer(node, sender, body)
    handlers[unmasking.PATH] = lambda sender, body: unmasking.answer(node, sender, body)
    pairs.tell_index(node)
    node.catch_up()
    return node
