"""What a node says of itself."""

import platform
from typing import Annotated

from msgspec import Meta

from salus import __version__
from salus.node.usecase import ANYONE, Message, Node, use_case


class About(Message, frozen=True):
    """Asks for nothing more."""


class AboutNode(Message, frozen=True):
    """The program and the member it runs for."""

    member: Annotated[str, Meta(description="Id of the member whose node this is.")]
    version: Annotated[str, Meta(description="Version of Salus.")]
    python: Annotated[str, Meta(description="Version of Python.")]


@use_case("about", who=ANYONE)
def about(node: Node, request: About) -> AboutNode:  # noqa: ARG001 -- every use case takes a request
    """Say which program answers, and for which member."""
    return AboutNode(member=node.config.member, version=__version__, python=platform.python_version())
