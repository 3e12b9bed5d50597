"""What a payer answers to a wallet alone: sealed to a key that the wallet made for the question, signed by the payer."""

from typing import TypeVar

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.patient.messages import AskSealed, SealedAnswer
from salus.node.wallet.holder import Holder
from salus.vault.envelope import Context, ReceiveKey, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused, SealBroken

V = TypeVar("V", bound=Value)


def receive_key_in(argument: bytes) -> bytes:
    """Return the key that a wallet's question gives. Raises Malformed."""
    try:
        return decode(argument, AskSealed).receive
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error


def seal_answer(node: MemberNode, action: str, receive: bytes, told: Value) -> SealedAnswer:
    """Seal what a question's `action` is answered by. Raises Malformed where the key is none."""
    id_ = node.entropy(16)
    try:
        envelope = seal_envelope(encode(told), node.context(action, id_), recipient=receive, sign=node.signing_key)
    except EnvelopeRefused as error:
        raise Malformed("claims.receive", "the receive key is none", expected="an X-Wing public key") from error
    return SealedAnswer(id_, envelope)


def ask_sealed(holder: Holder, member: str, action: str, kind: type[V]) -> V:
    """Have a member answer by a link-signed instruction. Raises SealBroken, RemoteRefusal, Unavailable."""
    receive = ReceiveKey(holder.entropy(32))
    told = holder.instruct(member, action, AskSealed(receive.public), SealedAnswer)
    context = Context(holder.network, member.encode("ascii"), action, told.id)
    try:
        opened = open_envelope(told.envelope, context, key=receive, sender_key=holder.member(member).signing_key)
        return decode(opened, kind)
    except (EnvelopeRefused, MalformedBytes) as error:
        raise SealBroken(f"{member} answered {action} with what does not open") from error
