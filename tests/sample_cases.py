"""Use cases of every shape, for the tests of the edges that derive from them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from salus.core.errors import InvariantBroken
from salus.node.config import Config
from salus.node.errors import NotFound
from salus.node.usecase import ANYONE, OPERATOR, Caller, Message, Progress, person, use_case


@dataclass
class SampleNode:
    """An in-memory node with one member's keys and a clock that tests set."""

    config: Config = field(default_factory=Config)
    keys: dict[str, list[bytes]] = field(default_factory=dict)
    time: int = 1_700_000_000_000
    wrong: str = ""
    closed: bool = False

    def now(self):
        return self.time

    def signing_keys(self, member):
        return self.keys.get(member, [])

    def trouble(self):
        return self.wrong

    def withheld(self, *, ask):
        return None

    def measures(self):
        return {"ledger_height": 7}

    def close(self):
        self.closed = True


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part."""

    name: Annotated[str, Meta(description="Name of the part.", examples=["left"])]
    size: Annotated[int, Meta(description="Size in bytes.", examples=[3])]


class Colour(Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Shape(Message, frozen=True):
    """A request with a field of each kind."""

    patient: Annotated[str, Meta(description="Whose it is.", examples=["p-1"])]
    kind: Annotated[Literal["round", "square"], Meta(description="Form.", examples=["round"])]
    count: Annotated[int, Meta(ge=1, description="How many; 100 % is all.", examples=[2])] = 1
    urgent: Annotated[bool, Meta(description="Whether it hurries.", examples=[True])] = False
    content: Annotated[bytes, Meta(description="What it is made of.", examples=[b"x"])] = b""
    purposes: Annotated[tuple[str, ...], Meta(description="What for.", examples=[("TREAT",)])] = ()
    parts: Annotated[tuple[Part, ...], Meta(description="What it consists of.")] = ()
    colour: Annotated[Colour, Meta(description="Colour.", examples=[Colour.BLUE])] = Colour.RED
    sizes: Annotated[tuple[int, ...], Meta(description="Sizes to choose from.", examples=[(1, 2)])] = (1, 2)
    extra: Annotated[dict[str, int], Meta(description="More numbers.", examples=[{"a": 1}])] = msgspec.field(
        default_factory=dict
    )
    note: Annotated[str | None, Meta(description="A word to it.", examples=["soon"])] = None


class Shaped(Message, frozen=True):
    """What became of it."""

    echo: Annotated[str, Meta(description="What was asked, in one line.")]
    digest: Annotated[bytes, Meta(description="Of the content.")]
    parts: Annotated[tuple[Part, ...], Meta(description="The parts.")]
    first: Annotated[Part | None, Meta(description="The first part.")] = None


class Nothing(Message, frozen=True):
    """Asks for nothing more."""


class Said(Message, frozen=True):
    """Who asked."""

    who: Annotated[str, Meta(description="Kind, member, subject, role, purposes of the caller.")]


@use_case("shape.make", who=ANYONE)
def make(node, request: Shape, *, progress: Progress) -> Shaped:
    """Make a shape.

    The longer story of how a shape is made.
    """
    progress(1, 2, "shaping")
    progress(2, 2, "shaping")
    told = (
        f"{request.patient} {request.kind} {request.count} {request.urgent} {' '.join(request.purposes)} {request.note}"
    )
    return Shaped(
        echo=told, digest=request.content, parts=request.parts, first=request.parts[0] if request.parts else None
    )


@use_case("shape.find", who=ANYONE)
def find(node, request: Nothing) -> Said:
    """Find no shape."""
    raise NotFound("shape.unknown", "there is no such shape", expected="a shape", got="none", todo="make one")


@use_case("shape.break", who=ANYONE)
def break_(node, request: Nothing) -> Said:
    """Fail by a bug."""
    raise KeyError("Mrs Canary of Ward 7")


@use_case("shape.doubt", who=ANYONE)
def doubt(node, request: Nothing) -> Said:
    """Break an invariant."""
    raise InvariantBroken("Mrs Canary of Ward 7")


@use_case("caller.operator", who=OPERATOR)
def operator(node, request: Nothing, *, caller: Caller) -> Said:
    """Say who asked, to the operator."""
    return Said(who=str(caller))


@use_case("caller.nurse", who=person("nurse", "physician"))
def nurse(node, request: Nothing, *, caller: Caller) -> Said:
    """Say who asked, to a nurse or physician."""
    return Said(who=" ".join([caller.kind.value, caller.member, caller.subject, caller.role, *caller.purposes]))


CASES = [make, find, break_, doubt, operator, nurse]
