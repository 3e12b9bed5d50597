"""A tiny set of rules: notes that a member writes, seals that a one-time key sets and breaks, and a planted bug."""

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.core.encoding import Message, Value, decode, encode
from salus.core.errors import InvariantBroken, Reason, Rejected, numbered
from salus.core.rules import Context, Registry, Rule, RuleSet
from salus.core.tables import Table, View
from salus.core.transaction import build_body, sign_as_author, sign_body


class Note(Message, frozen=True, tag="small.note"):
    """Write `text` under `name`, over what stood there."""

    name: bytes
    text: bytes


class Seal(Message, frozen=True, tag="small.seal"):
    """Set a seal under the author's key."""

    commitment: bytes


class Break(Message, frozen=True, tag="small.break"):
    """Break the author's seal."""


class Bug(Message, frozen=True, tag="small.bug"):
    """Break an invariant."""


class NoteRow(Value, frozen=True):
    text: bytes
    height: int


class SealRow(Value, frozen=True):
    commitment: bytes
    broken: bool


class MemberRow(Value, frozen=True):
    key: bytes


class Parameters(Value, frozen=True):
    members: int


class Genesis(Value, frozen=True):
    members: tuple[tuple[str, bytes], ...]
    salt: bytes = b""


@numbered(900)
class SmallReason(Reason):
    NO_MEMBER = 1
    SEALED = 2
    NOT_SEALED = 3


MEMBERS = Table(900, "members", MemberRow)
NOTES = Table(901, "notes", NoteRow)
SEALS = Table(902, "seals", SealRow)


def _note(ctx: Context, message: Note) -> bytes:
    ctx.put(NOTES, message.name, NoteRow(message.text, ctx.height))
    return message.text[:32]


def _seal(ctx: Context, message: Seal) -> bytes:
    if ctx.get(SEALS, ctx.author) is not None:
        raise Rejected(SmallReason.SEALED)
    ctx.insert(SEALS, ctx.author, SealRow(message.commitment, broken=False))
    return message.commitment


def _break(ctx: Context, message: Break) -> bytes:  # noqa: ARG001
    row = ctx.get(SEALS, ctx.author)
    if row is None or row.broken:
        raise Rejected(SmallReason.NOT_SEALED)
    ctx.put(SEALS, ctx.author, SealRow(row.commitment, broken=True))
    return b""


def _bug(ctx: Context, message: Bug) -> bytes:  # noqa: ARG001
    raise InvariantBroken("planted")


def authorise(view: View, member: str, key: bytes) -> None:
    row = view.get(MEMBERS, member.encode())
    if row is None or row.key != key:
        raise Rejected(SmallReason.NO_MEMBER, member=member)


def _genesis(ctx: Context, document: bytes) -> None:
    for name, key in decode(document, Genesis).members:
        ctx.insert(MEMBERS, name.encode(), MemberRow(key))


def cosigners(view: View) -> dict[bytes, str]:
    """Key → member id of everyone whose signature counts."""
    return {row.key: name.decode() for name, row in view.range(MEMBERS)}


RULES = RuleSet(
    {
        Note: Rule(_note, authored=False),
        Seal: Rule(_seal, authored=True),
        Break: Rule(_break, authored=True),
        Bug: Rule(_bug, authored=False),
    },
    (MEMBERS, NOTES, SEALS),
    authorise,
    lambda view: Parameters(sum(1 for _ in view.range(MEMBERS))),
)
REGISTRY = Registry(Note | Seal | Break | Bug, {1: RULES}, lambda _view, _height: 1, _genesis)

NAMES = ("alpha", "beta", "gamma")
KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([at]) * 32) for at, name in enumerate(NAMES, 1)}
START = 1_790_000_000_000


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def document(*members: str, salt: bytes = b"") -> bytes:
    names = members or ("alpha",)
    return encode(Genesis(tuple((name, public(KEYS[name])) for name in names), salt))


def sign(network, message, *, time, member="alpha", author=None, nonce=None, life=60_000, key=None):
    """Wire bytes of `message`, valid at block time `time`."""
    key = key or KEYS[member]
    body = build_body(
        message,
        network=network,
        submitter=member,
        submitter_key=public(key),
        expiry=time + life,
        nonce=nonce or os.urandom(16),
        author_key=public(author) if author else b"",
    )
    return sign_body(body, key, author_signature=sign_as_author(body, author) if author else b"")


class Clock:
    """A clock that is told the time."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        self.now += 1
        return self.now
