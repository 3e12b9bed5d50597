"""The TCP socket that a node listens on."""

import socket


def open_listener(host: str, port: int) -> socket.socket:
    """Open it; port 0 takes a free one. Every connection sends at once. Raises OSError.

    An answer leaves as head and body. Without `TCP_NODELAY` the body of the second answer on a connection waits for the
    caller's acknowledgement of the head, which its system delays by 40 ms. asyncio sets the option only on sockets of its own
    making; those accepted here have it from this one.
    """
    made = socket.create_server((host, port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
