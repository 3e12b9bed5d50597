"""What a member may ask: to propose and to vote, and three acts that are its own affair.

What can be proposed stands in `constitution.py`; how it is carried out in `acts.py`.
"""

from typing import Final

from salus.contracts.fields import Digest, ReceiveKey, Signature, SigningKey
from salus.contracts.membership.constitution import ACT_EXAMPLES, Act, Admit, Endpoint, TlsKeys
from salus.core.encoding import Message


class Propose(Message, frozen=True, tag="membership.propose"):
    """Propose an act; the proposer's ballot for it is counted at once. The transaction's id is the proposal's."""

    act: Act
    """What is to happen."""


class Vote(Message, frozen=True, tag="membership.vote"):
    """Vote on an open proposal, once. The ballot that makes the count decisive carries out the act."""

    proposal: Digest
    """Id of the proposal."""
    approve: bool
    """Whether the member wants the act."""


class RotateKeys(Message, frozen=True, tag="membership.rotate-keys"):
    """Exchange the submitter's own keys. Signed with the old one, so it needs no ballot; holds for the next transaction."""

    signing_key: SigningKey
    """The submitter's new Ed25519 key, never used on this ledger."""
    receive_key: ReceiveKey
    """The submitter's new X-Wing key."""
    possession: Signature
    """By the new signing key over (id, signing key, receive key)."""


class Move(Message, frozen=True, tag="membership.move"):
    """Change the address of the submitter's own node."""

    endpoint: Endpoint
    """An https URL, or empty."""


class Certify(Message, frozen=True, tag="membership.certify"):
    """Say with which TLS keys the submitter's own node answers: others then talk to no other, whatever certificate it shows.

    During a rotation both keys stand here; the old one leaves with the next message.
    """

    keys: TlsKeys
    """The keys, ascending, each once; none: others check the certificate by its authority alone."""


EXAMPLES: Final[tuple[Message, ...]] = (
    Propose(ACT_EXAMPLES[Admit]),
    Vote(proposal=bytes(32), approve=True),
    RotateKeys(bytes(range(32)), bytes(1216), bytes(64)),
    Move("https://salus.hospital-b.example"),
    Certify((bytes(range(32)),)),
)
"""One example of each message, for the reference, `salus tx` and the tests."""
