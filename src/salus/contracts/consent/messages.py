"""What a patient's wallet says on the ledger, through any member, each grant with a key of its own."""

from typing import Final

from salus.contracts.fields import Digest, Time
from salus.core.encoding import Message


class Grant(Message, frozen=True, tag="consent.grant"):
    """Grant. Authored by a fresh one-time key, whose digest becomes the grant's id."""

    commitment: Digest
    """SHA-256 over the salted digests of the grant's document and slips, padded: whom, what, for what stays hidden."""
    expiry: Time
    """The block time from which the grant no longer holds, ms, rounded up as the network's parameters say."""


class Revoke(Message, frozen=True, tag="consent.revoke"):
    """Revoke the grant of the key that authors this. In force from the block that holds it."""


EXAMPLES: Final[tuple[Message, ...]] = (
    Grant(commitment=bytes(range(32)), expiry=1_767_225_600_000),
    Revoke(),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
