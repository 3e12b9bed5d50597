"""`salus tx MESSAGE`: any message that this member may send for itself, from its readable form. For governance and debugging."""

from typing import Annotated, Any

from msgspec import Meta

from salus.contracts.readable import from_readable
from salus.contracts.registry import VERSION_1
from salus.core.encoding import MalformedBytes
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.usecase import OPERATOR, Message, use_case


class SendTransaction(Message, frozen=True):
    """What to say on the ledger."""

    message: Annotated[
        str,
        Meta(
            max_length=64,
            description="Its name, as docs/reference/messages.md lists them.",
            examples=["membership.move"],
            extra={"positional": True},
        ),
    ]
    content: Annotated[
        dict[str, Any],
        Meta(
            description="Its fields, bytes in hexadecimal.",
            examples=[{"endpoint": "https://salus.north.example"}],
        ),
    ]


class TransactionSent(Message, frozen=True):
    """It is applied and durable."""

    transaction: Annotated[str, Meta(description="Its id, hexadecimal.")]
    height: Annotated[int, Meta(description="Block that holds it.")]
    data: Annotated[str, Meta(description="Result data, hexadecimal: what its receipt proves.")]


@use_case("tx", who=OPERATOR)
def send(node: MemberNode, request: SendTransaction) -> TransactionSent:
    """Send one message of this member to the ledger, signed with its key.

    What a one-time key must author (grants) only a wallet sends.
    """
    kinds = {
        str(kind.__struct_config__.tag): kind
        for contract in VERSION_1
        for kind, rule in contract.rules.items()
        if not rule.authored
    }
    kind = kinds.get(request.message)
    if kind is None:
        raise Malformed(
            "tx.message",
            "no such message of a member",
            expected=", ".join(kinds),
            todo="see docs/reference/messages.md",
        )
    try:
        message = from_readable({**request.content, "type": request.message}, kind)
    except MalformedBytes as error:
        raise Malformed(
            "tx.content", "the message does not fit", got=str(error), todo="see docs/reference/messages.md"
        ) from error
    outcome = node.submitter.submit(message)
    return TransactionSent(transaction=outcome.tx_id.hex(), height=outcome.height or 0, data=outcome.data.hex())
