"""What a node answers, typed. Written by `make docs` from the node's use cases; the other half is `salus.client.node`."""

from typing import Any, Literal  # noqa: F401 -- not every set of use cases needs both

import msgspec

from salus.client.node import Connection


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for nothing more."""


class AboutNode(msgspec.Struct, frozen=True, kw_only=True):
    """The program and the member it runs for."""

    member: str
    """Id of the member whose node this is."""

    version: str
    """Version of Salus."""

    python: str
    """Version of Python."""


class Salus:
    """A node, as a program sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def about(self, request: About) -> AboutNode:
        """Say which program answers, and for which member. For: anyone."""
        return self._connection.ask('/api/about', request, AboutNode)
