"""The consortium's engine in a member's data folder: opened beside the ledger, watched, and reported on.

cometbft/     CometBFT's folder: its keys (plain files, for this user alone), genesis, blocks
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from salus import __version__
from salus.core.kernel import Kernel
from salus.engines.cometbft.binary import find
from salus.engines.cometbft.home import Peer, Settings, read_peers, write_config
from salus.engines.cometbft.ledger import CometLedger
from salus.engines.cometbft.pruning import Retention
from salus.engines.cometbft.rpc import Rpc
from salus.engines.cometbft.snapshotting import Snapshots
from salus.engines.cometbft.unit import Unit
from salus.engines.store import LedgerStore
from salus.node.config import Config
from salus.node.errors import Malformed, NotFound
from salus.node.local import socket_path

HOME: Final = "cometbft"
SNAPSHOTS: Final = "snapshots"
DAY_MS: Final = 86_400_000
_log = structlog.get_logger()


def home_of(config: Config) -> Path:
    """Return where a data folder keeps its engine."""
    return Path(config.data) / HOME


def has_engine(config: Config) -> bool:
    """Return whether the data folder's ledger is ordered by CometBFT."""
    return (home_of(config) / "config" / "genesis.json").exists()


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where application and engine meet: beside the node's own socket, in its short folder."""

    application: Path
    rpc: Path


def sockets_of(config: Config) -> Sockets:
    """Return the paths. Raises what `socket_path` raises."""
    own = socket_path(config, os.environ)
    return Sockets(own.with_suffix(".app"), own.with_suffix(".rpc"))


def peers_of(config: Config) -> dict[str, Peer]:
    """Return other engines by member, or by number where the configuration names them. Raises Malformed."""
    peers = {}
    for number, text in enumerate(filter(None, (part.strip() for part in config.consensus.peers.split(",")))):
        node_id, _, address = text.partition("@")
        if not address:
            raise Malformed(
                "config.peer",
                "this is no engine's address",
                expected="id@host:port",
                got=text,
                todo="mend consensus.peers",
            )
        peers[str(number)] = Peer(node_id, address)
    known = peers or read_peers(home_of(config))
    return {member: peer for member, peer in known.items() if member != config.member}


def settings_of(config: Config) -> Settings:
    """Return what the engine is configured with. Raises Malformed."""
    sockets = sockets_of(config)
    peers = tuple(peers_of(config).values())
    return Settings(config.member, sockets.application, sockets.rpc, config.consensus.listen, peers)


def initial_height(config: Config) -> int:
    """Return the height of the first block that the engine orders."""
    genesis: dict[str, Any] = json.loads((home_of(config) / "config" / "genesis.json").read_text())
    return int(genesis["initial_height"])


def open_ledger(
    config: Config, store: LedgerStore, kernel: Kernel, clock: Callable[[], int]
) -> tuple[CometLedger, Callable[[], Unit]]:
    """Return the ledger, and what starts its engine. Raises NotFound without the engine's program, or Malformed."""
    binary = find(os.environ)
    if binary is None:
        raise NotFound("engine.missing", "CometBFT is not here", todo="run `salus engine install`")
    write_config(home_of(config), settings_of(config))
    sockets, first = sockets_of(config), initial_height(config)

    def heard(event: str, who: str) -> None:
        _log.warning(event, member=config.member, **{"type" if event == "snapshot.failed" else "peer": who})

    snapshots = Snapshots(store, Path(config.data) / SNAPSHOTS, report=heard)
    retain = Retention(store, snapshots.heights, config.consensus.keep_days * DAY_MS)
    ledger = CometLedger(store, kernel, clock, Rpc(sockets.rpc), snapshots, report=heard, retain=retain)

    def report(event: str, facts: Mapping[str, str | int]) -> None:
        _log.info(event, member=config.member, type=facts.get("why", ""))

    def start() -> Unit:
        return Unit(
            lambda: ledger.application(__version__, first),
            binary=binary,
            home=home_of(config),
            socket=sockets.application,
            rpc=sockets.rpc,
            report=report,
            halted=ledger.halt,
            height=lambda: store.head().height,
        )

    return ledger, start
