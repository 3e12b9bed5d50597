"""Delivery: a sealed document from one member to another, sent again until acknowledged, taken once.

Every domain sends this way (a grant, a claim, a remittance, trial data, a hop record): it names a kind, and the
receiver's domain takes what comes under that kind. The document is an envelope; the desk keeps it until it is
acknowledged, and the receiver keeps what it took under (sender, id), so that a second arrival changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from salus.contracts.membership import port as membership
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.node.desk import Outgoing
from salus.node.errors import Malformed, Unavailable
from salus.node.exchange.disclosed import Disclosed, delivered_digest, require_disclosed
from salus.node.exchange.wire import RemoteRefusal
from salus.node.member import MemberNode
from salus.vault.envelope import context_of, sign_anew
from salus.vault.errors import EnvelopeRefused

PATH: Final = "/exchange/deliver"
ID_BYTES: Final = 16
PREFIX: Final = "delivery/"
FIRST_RETRY_MS: Final = 2_000
LAST_RETRY_MS: Final = 10 * 60 * 1000


class Delivery(Value, frozen=True):
    """A document on its way."""

    id: bytes
    """16 random bytes."""
    kind: str
    """What it is, named by its domain: `grant`."""
    body: bytes
    """An envelope, sealed to the receiver."""
    lines: tuple[Disclosed, ...] = ()
    """The sender's lines that disclose what is in it."""


class Parcel(Value, frozen=True):
    """A document as it waits on the desk."""

    envelope: bytes
    lines: tuple[Disclosed, ...]


class Taken(Value, frozen=True):
    """The acknowledgement: the document is durable at the receiver."""

    id: bytes


Taker = Callable[[MemberNode, str, bytes], None]
"""(node, sender, body) → None: takes a document of one kind, idempotently. Raises EdgeError to refuse it."""


@dataclass(frozen=True, slots=True)
class Disclosing:
    """A taker of documents about patients: none is taken without a committed line for each patient's part of it."""

    taker: Taker
    owed: Callable[[MemberNode, str, bytes], int]
    """How many lines a document must show. Raises what the taker raises."""

    def __call__(self, node: MemberNode, sender: str, body: bytes) -> None:
        """Take it."""
        self.taker(node, sender, body)


def deliver(
    node: MemberNode, receiver: str, kind: str, body: bytes, *, id_: bytes = b"", lines: tuple[Disclosed, ...] = ()
) -> None:
    """Keep a sealed document for sending, durably, and try at once. `id_` is random unless `lines` open to it."""
    parcel = encode(Parcel(body, lines))
    one = Outgoing(id_ or node.entropy(ID_BYTES), PREFIX + kind, receiver, parcel, node.now(), node.now(), 0)
    node.desk.send_later(one)
    _try(node, one)


def deliver_due(node: MemberNode) -> int:
    """Try everything that is due; return how many were acknowledged."""
    return sum(_try(node, one) for one in node.desk.due(node.now(), PREFIX))


def _try(node: MemberNode, one: Outgoing) -> bool:
    parcel = decode(one.body, Parcel)
    envelope = _in_force(node, one.receiver, parcel.envelope)
    question = Delivery(one.id, one.kind.removeprefix(PREFIX), envelope, parcel.lines)
    try:
        node.peers.ask(one.receiver, PATH, question, Taken)
    except (Unavailable, RemoteRefusal) as error:
        wait = min(LAST_RETRY_MS, FIRST_RETRY_MS << min(one.tries, 16))
        node.desk.again(one.id, node.now() + wait, error.code)
        return False
    node.desk.sent(one.id, node.now())
    return True


def _in_force(node: MemberNode, receiver: str, envelope: bytes) -> bytes:
    """Return the document signed with the key in force: one that waited while the own keys rotated was not.

    A receiver believes no key but the one in force. What others signed, such as a patient's grant, goes as it came.
    """
    state = node.ledger.read()
    earlier = membership.key_history(state, node.member)[1:]
    recipients = (keys.receive_key for keys in membership.key_history(state, receiver))
    try:
        if not earlier or context_of(envelope).sender != node.member.encode("ascii"):
            return envelope
        return sign_anew(envelope, recipients, (keys.signing_key for keys in earlier), sign=node.signing_key)
    except EnvelopeRefused:
        return envelope  # a wallet's, and no envelope: the receiver says so


def take(node: MemberNode, takers: Mapping[str, Taker], sender: str, body: bytes) -> Taken:
    """Take a delivery: the domain's part first, then the note that it came, so that a crash between repeats the part."""
    try:
        delivery = decode(body, Delivery)
    except MalformedBytes as error:
        raise Malformed("delivery.bytes", "the delivery does not decode", got=str(error)) from error
    taker = takers.get(delivery.kind)
    if taker is None:
        raise Malformed(
            "delivery.kind", "this kind is not taken here", expected=", ".join(sorted(takers)), got=delivery.kind[:32]
        )
    if len(delivery.id) != ID_BYTES:
        raise Malformed("delivery.id", "a delivery's id has another length", expected=f"{ID_BYTES} bytes")
    with node.taking[delivery.id[0] % len(node.taking)]:  # brought twice at once, it is taken once
        if not node.desk.has(sender, delivery.id):
            if isinstance(taker, Disclosing):
                owed, parties = taker.owed(node, sender, delivery.body), (sender, node.member)
                answer = delivered_digest(node, parties, delivery.kind, delivery.id, delivery.body)
                require_disclosed(node, sender, delivery.lines, answer, owed)
            taker(node, sender, delivery.body)
            node.desk.take(sender, delivery.id, delivery.kind, node.now())
    return Taken(delivery.id)


def failing(node: MemberNode) -> list[tuple[Outgoing, str]]:
    """Return what has been tried and not been acknowledged, with the code of the last failure."""
    return [(one, code) for one, code in node.desk.waiting() if one.tries]
