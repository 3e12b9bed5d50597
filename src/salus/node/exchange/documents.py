"""Sealed documents between members: what every domain delivers, and how it opens what was delivered."""

from typing import TypeVar

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.node.errors import Malformed
from salus.node.exchange.delivery import deliver
from salus.node.member import MemberNode
from salus.vault.envelope import context_of, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused

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


def open_document(node: MemberNode, sender: str, kind: str, envelope: bytes, type_: type[V], *, code: str) -> V:
    """Open a document from a member. Raises Malformed under `code`, NotFound for a stranger."""
    try:
        context = node.context(kind, context_of(envelope).object_id, sender)
        sender_key = node.keys_of(sender).signing_key
        return decode(open_envelope(envelope, context, key=node.receive_key, sender_key=sender_key), type_)
    except (EnvelopeRefused, MalformedBytes) as error:
        raise Malformed(code, "the document does not open", got=str(error)) from error
