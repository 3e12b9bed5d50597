"""Ports for processes that a test starts: below what the system hands out, and another thousand for each worker.

A port taken by binding to 0 and let go again may be given to any outgoing connection before the process listens.
"""

import itertools
import os
import socket

FIRST, EACH = 11_000, 1_000
"""Below 20,000, where the ports of `salus network create` begin."""

_next = itertools.count(os.getpid())  # two runs at once begin at different ones


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on, and that no other test is told soon."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(EACH):
        port = FIRST + worker % 8 * EACH + next(_next) % EACH
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:  # taken
            continue
        return port
    raise RuntimeError("no port is free")
