"""Sealed documents between members: what every domain delivers, and how it opens what was delivered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from msgspec import structs

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.node.anchoring import commit, serving
from salus.node.errors import Malformed
from salus.node.exchange.delivery import ID_BYTES, deliver
from salus.node.exchange.disclosed import delivered_digest, shown
from salus.node.member import MemberNode
from salus.vault.envelope import context_of, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused
from salus.vault.journal import Disclosure

V = TypeVar("V", bound=Value)


def seal_document(node: MemberNode, receiver: str, kind: str, value: Value) -> bytes:
    """Return a document in an envelope that one member alone opens. Raises NotFound for a stranger."""
    return seal_envelope(
        encode(value),
        node.context(kind, node.entropy(16)),
        recipient=node.keys_of(receiver).receive_key,
        sign=node.signing_key,
    )


def seal_and_deliver(node: MemberNode, receiver: str, kind: str, value: Value) -> None:
    """Seal a document to a member and send it until it is acknowledged. Raises NotFound for a stranger."""
    deliver(node, receiver, kind, seal_document(node, receiver, kind, value))


@dataclass(frozen=True, slots=True)
class Telling:
    """A document about patients, for one member, and the line of each patient that it is about."""

    receiver: str
    kind: str
    value: Value
    lines: Sequence[Disclosure]


def disclose(node: MemberNode, *documents: Telling) -> None:
    """Seal documents about patients and send them; all their lines are committed before, in one transaction.

    Each line opens to its document and to no other. Raises NotFound for a stranger, Unavailable or Refused while the
    lines cannot be committed: then nothing leaves, and a line `not-served` for each says so.
    """
    sealed, lines = [], []
    for one in documents:
        envelope, id_ = seal_document(node, one.receiver, one.kind, one.value), node.entropy(ID_BYTES)
        answer = delivered_digest(node, (node.member, one.receiver), one.kind, id_, envelope)
        sealed.append((one, envelope, id_))
        lines += [structs.replace(line, answer=answer) for line in one.lines]
    with serving(node, lines) as entries:
        if entries:
            commit(node, entries)
        proven = iter([shown(line) for line in node.vault.lines_at(entries)])
        for one, envelope, id_ in sealed:
            deliver(node, one.receiver, one.kind, envelope, id_=id_, lines=tuple(islice(proven, len(one.lines))))


def owed(kind: str, type_: type[V], count: Callable[[V], int], *, code: str) -> Callable[[MemberNode, str, bytes], int]:
    """Return how a receiver counts the lines that a document of a kind owes: one for each patient's part of it."""

    def counted(node: MemberNode, sender: str, envelope: bytes) -> int:
        return count(open_document(node, sender, kind, envelope, type_, code=code))

    return counted


def open_document(node: MemberNode, sender: str, kind: str, envelope: bytes, type_: type[V], *, code: str) -> V:
    """Open a document from a member. Raises Malformed under `code`, NotFound for a stranger."""
    try:
        context = node.context(kind, context_of(envelope).object_id, sender)
        sender_key = node.keys_of(sender).signing_key
        return decode(open_envelope(envelope, context, key=node.receive_key, sender_key=sender_key), type_)
    except (EnvelopeRefused, MalformedBytes) as error:
        raise Malformed(code, "the document does not open", got=str(error)) from error
