"""The folder of a CometBFT node: keys, genesis and configuration for a handful of known organisations.

Keys are made on the node that owns them. Only what differs from CometBFT's defaults is written, each line with its reason.
"""

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

EMPTY_BLOCK_INTERVAL: Final = "10s"  # bounds how far a proposer of an idle chain can date its own transaction back
MAX_BLOCK_BYTES: Final = 4 * 1024 * 1024
APP_VERSION: Final = 1
PEERS: Final = "peers.json"
TRUST_PERIOD: Final = "168h0m0s"  # members are known organisations; an invitation is used within days

_CONFIG: Final = """\
# Written by Salus. Only what differs from the defaults of CometBFT stands here.
proxy_app = "unix://{app_socket}"
moniker = "{moniker}"
log_level = "{log_level}"

[rpc]
laddr = "unix://{rpc_socket}"                     # never on the open network
max_request_batch_size = 100                      # the node hands transactions over in batches

[p2p]
laddr = "tcp://{listen}"
persistent_peers = "{peers}"
pex = false                                       # known organisations only
addr_book_strict = false
allow_duplicate_ip = true
flush_throttle_timeout = "5ms"                    # the default of 100 ms is most of a commit
send_rate = 51200000
recv_rate = 51200000

[mempool]
size = 20000
cache_size = 50000
max_tx_bytes = 262144
recheck = true                                    # answered from the application's cache

[consensus]
timeout_propose = "1s"                            # a dead proposer costs this and timeout_precommit; rounds add to it
timeout_prevote = "500ms"
timeout_precommit = "500ms"
timeout_commit = "0s"
skip_timeout_commit = true
create_empty_blocks = false
create_empty_blocks_interval = "{interval}"
peer_gossip_sleep_duration = "5ms"                # the default of 100 ms makes four nodes five times slower
peer_query_maj23_sleep_duration = "100ms"
double_sign_check_height = 0

[statesync]
{statesync}

[storage]
discard_abci_responses = true                     # the ledger keeps results itself

[tx_index]
indexer = "null"

[instrumentation]
prometheus = {metrics}
prometheus_listen_addr = "{metrics_listen}"
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another organisation's node."""

    node_id: str
    """Hex of the first 20 bytes of SHA-256 of its node key."""
    address: str
    """host:port of its peer-to-peer listener."""


@dataclass(frozen=True, slots=True)
class Validator:
    """A vote in the genesis."""

    key: bytes
    """Ed25519 public key, 32 bytes."""
    power: int
    name: str


@dataclass(frozen=True, slots=True)
class Sync:
    """How a node without blocks takes a snapshot: what it trusts, and whom it asks about headers."""

    servers: tuple[str, ...]
    """Two URLs or more that answer CometBFT's RPC."""
    height: int
    header_hash: str
    """Hex of the header at that height, from somebody who is trusted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one node's configuration needs."""

    moniker: str
    app_socket: Path
    rpc_socket: Path
    listen: str
    """host:port for peers."""
    peers: tuple[Peer, ...] = ()
    log_level: str = "error"
    metrics_listen: str = ""
    sync: Sync | None = None


def node_id(key: Ed25519PrivateKey) -> str:
    """Return the id by which peers know a node."""
    return hashlib.sha256(key.public_key().public_bytes_raw()).digest()[:20].hex()


def _private(key: Ed25519PrivateKey) -> dict[str, str]:
    raw = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    return {"type": "tendermint/PrivKeyEd25519", "value": base64.b64encode(raw).decode()}


def _public(raw: bytes) -> dict[str, str]:
    return {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(raw).decode()}


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What a node's engine is known by."""

    consensus_key: bytes
    """Ed25519 key of its votes, 32 bytes."""
    node_id: str


def made_keys(home: Path) -> PublicKeys:
    """Make the engine's keys in its folder unless they are there, and return the public ones.

    A key whose last signature is not known any more is not used again: it could sign twice.
    """
    config = home / "config"
    kept = (config / "priv_validator_key.json", config / "node_key.json", home / "data" / "priv_validator_state.json")
    if not all(path.exists() for path in kept):
        write_keys(home, node_key=Ed25519PrivateKey.generate(), vote_key=Ed25519PrivateKey.generate())
    told = json.loads((config / "priv_validator_key.json").read_text())
    raw = base64.b64decode(json.loads((config / "node_key.json").read_text())["priv_key"]["value"])
    node_key = Ed25519PrivateKey.from_private_bytes(raw[:32])
    return PublicKeys(base64.b64decode(told["pub_key"]["value"]), node_id(node_key))


def key_files(home: Path) -> tuple[Path, ...]:
    """Return the files that hold private keys."""
    return (home / "config" / "priv_validator_key.json", home / "config" / "node_key.json")


def write_home(home: Path, *, node_key: Ed25519PrivateKey, vote_key: Ed25519PrivateKey, settings: Settings) -> None:
    """Create the folder's keys and configuration."""
    write_keys(home, node_key=node_key, vote_key=vote_key)
    write_config(home, settings)


def write_keys(home: Path, *, node_key: Ed25519PrivateKey, vote_key: Ed25519PrivateKey) -> None:
    """Create the folder with its keys. The last-signed state is never overwritten: it prevents double votes."""
    (home / "config").mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    public = vote_key.public_key().public_bytes_raw()
    _write(home / "config" / "node_key.json", {"priv_key": _private(node_key)})
    _write(
        home / "config" / "priv_validator_key.json",
        {
            "address": hashlib.sha256(public).digest()[:20].hex().upper(),
            "pub_key": _public(public),
            "priv_key": _private(vote_key),
        },
    )
    state = home / "data" / "priv_validator_state.json"
    if not state.exists():
        _write(state, {"height": "0", "round": 0, "step": 0})


def write_config(home: Path, settings: Settings) -> None:
    """Write `config.toml`."""
    text = _CONFIG.format(
        app_socket=settings.app_socket,
        rpc_socket=settings.rpc_socket,
        moniker=settings.moniker,
        listen=settings.listen,
        peers=",".join(f"{peer.node_id}@{peer.address}" for peer in settings.peers),
        log_level=settings.log_level,
        interval=EMPTY_BLOCK_INTERVAL,
        statesync=_sync(settings.sync),
        metrics="true" if settings.metrics_listen else "false",
        metrics_listen=settings.metrics_listen or ":0",
    )
    (home / "config" / "config.toml").write_text(text)


def _sync(sync: Sync | None) -> str:
    if sync is None:
        return "enable = false"
    lines = {
        "enable": True,
        "rpc_servers": ",".join(sync.servers),
        "trust_height": sync.height,
        "trust_hash": sync.header_hash,
        "trust_period": TRUST_PERIOD,
        "discovery_time": "5s",  # the shortest that CometBFT takes
        "chunk_request_timeout": "10s",
        "chunk_fetchers": "4",
    }
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items())


def genesis_json(
    document: bytes,
    *,
    chain_id: str,
    time: int,
    validators: Sequence[Validator],
    initial_height: int = 1,
    app_hash: bytes = b"",
) -> dict[str, Any]:
    """Return CometBFT's genesis for a ledger founded by `document`; `time` in Unix ms is the first block's.

    A ledger that another engine has ordered up to `initial_height` - 1 goes on from `app_hash`, its digest there.
    """
    moment = datetime.fromtimestamp(time // 1000, UTC) + timedelta(milliseconds=time % 1000)
    return {
        "genesis_time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "chain_id": chain_id,
        "initial_height": str(initial_height),
        "consensus_params": {
            "block": {"max_bytes": str(MAX_BLOCK_BYTES), "max_gas": "-1"},
            "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "65536"},
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": str(APP_VERSION)},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": [
            {"pub_key": _public(found.key), "power": str(found.power), "name": found.name} for found in validators
        ],
        "app_hash": "",
        "app_state": {"document": document.hex(), "app_hash": app_hash.hex()},
    }


def write_peers(home: Path, peers: Mapping[str, Peer]) -> None:
    """Keep where members' engines are met, this one's too, for a configuration that does not name them."""
    _write(home / PEERS, {member: [peer.node_id, peer.address] for member, peer in peers.items()})


def read_peers(home: Path) -> dict[str, Peer]:
    """Return what was kept, by member, or nothing."""
    path = home / PEERS
    return {member: Peer(*pair) for member, pair in json.loads(path.read_text()).items()} if path.exists() else {}


def forget_blocks(home: Path) -> None:
    """Remove everything that the engine keeps but its keys and what it signed last, which prevents double votes."""
    for path in (home / "data").glob("*"):
        if path.name != "priv_validator_state.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (home / "config" / "genesis.json").unlink(missing_ok=True)


def write_genesis(home: Path, genesis: dict[str, Any]) -> None:
    """Write the network's genesis, the same bytes on every node."""
    _write(home / "config" / "genesis.json", genesis)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
    path.chmod(0o600)
