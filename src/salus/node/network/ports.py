"""Ports for nodes that are started later, and started again."""

import random
import socket
from pathlib import Path
from typing import Final

from salus.node.errors import Unavailable

EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST: Final = 20_000
LAST: Final = 32_767
"""The last below what Linux and macOS hand out by themselves (32768 and 49152 on)."""


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address on which nobody listens now, none of them handed out by the system.

    A port that the system chose may be given to any outgoing connection once it is let go, and the node that is to
    listen on it then cannot start. Raises Unavailable if so many are not free.
    """
    last = _last()
    kept: list[socket.socket] = []
    try:
        for port in random.sample(range(FIRST, last + 1), last + 1 - FIRST):
            if len(kept) == count:
                break
            try:
                kept.append(socket.create_server(("127.0.0.1", port)))
            except OSError:  # taken
                continue
        if len(kept) < count:
            raise Unavailable("network.ports", "no port is free", got=f"{FIRST} to {last}", todo="end what listens")
        return [int(one.getsockname()[1]) for one in kept]
    finally:
        for one in kept:
            one.close()


def _last() -> int:
    """Return the last port below the system's own range, or of ours where that begins too low to leave any."""
    try:
        low = int(EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return LAST
    return min(LAST, low - 1) if low > FIRST + 1_000 else LAST
