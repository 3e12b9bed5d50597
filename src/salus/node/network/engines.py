"""What members' engines say of themselves: who they are, where they listen, from which block on they keep headers."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from salus.engines.cometbft.home import Peer
from salus.node.errors import EdgeError, Unavailable
from salus.node.exchange.light import ask
from salus.node.exchange.wire import Peers

AT_ONCE: Final = 8
ANY_HOST: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what listens everywhere does not say where it is met


@dataclass(frozen=True, slots=True)
class Engine:
    """A member's engine, as it says itself."""

    node_id: str
    listen: str
    """tcp://host:port, whose host may stand for every address of its machine."""
    earliest: int
    """The first block that it has: a member that joined, or drops old blocks, has none before."""

    def met_at(self, endpoint: str) -> Peer:
        """Return where to meet it; where it does not say on which host, on that of its member's node."""
        told = urlsplit(self.listen)
        host = told.hostname or ""
        if host in ANY_HOST:
            host = urlsplit(endpoint).hostname or ""
        return Peer(self.node_id, f"[{host}]:{told.port}" if ":" in host else f"{host}:{told.port}")


def engine_of(status: Mapping[str, Any]) -> Engine:
    """Return what an engine's answer to `status` says. Raises Unavailable."""
    try:
        node, sync = status["node_info"], status["sync_info"]
        return Engine(str(node["id"]), str(node["listen_addr"]), int(sync["earliest_block_height"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("engine.status", "an engine does not say how it stands", todo="try again") from error


def engine_at(peers: Peers, member: str) -> Engine:
    """Ask a member's engine. Raises RemoteRefusal or Unavailable."""
    told = ask(peers, member, "status")
    try:
        return engine_of(msgspec.json.decode(told.result or b"{}"))
    except msgspec.DecodeError as error:
        raise Unavailable("engine.status", "an engine does not say how it stands", todo="try again") from error


def engines_at(peers: Peers, members: Iterable[str]) -> dict[str, Engine]:
    """Ask several members' engines at once; return what those that answer say."""

    def told(member: str) -> Engine | None:
        try:
            return engine_at(peers, member)
        except EdgeError:  # it is counted at the exchange, and another one may do
            return None

    asked = sorted(members)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return {member: one for member, one in zip(asked, threads.map(told, asked), strict=True) if one is not None}


def refreshed(
    known: Mapping[str, Peer], engines: Mapping[str, Engine], endpoints: Mapping[str, str]
) -> dict[str, Peer]:
    """Return where engines are met: as known, but under the id that each has now, and with those not known yet.

    An engine whose folder was lost comes back under another id; one that joined later stands in no founding.
    """
    now = dict(known)
    for member, engine in engines.items():
        here = known.get(member)
        now[member] = engine.met_at(endpoints[member]) if here is None else Peer(engine.node_id, here.address)
    return now
