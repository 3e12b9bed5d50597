"""The proof that a version of a plan stood before it decided: a salted digest in an anchor, opened to whoever has the plan."""

from typing import Final

from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.node.errors import Conflict
from salus.node.exchange.disclosed import anchor_in
from salus.node.member import MemberNode

PREFIX: Final = "published/"


class PublishedPlan(Value, frozen=True):
    """Where a version stands on the ledger, and what opens it."""

    salt: bytes = b""
    """32 random bytes; empty for a version that was never published."""
    tx_id: bytes = b""
    height: int = 0


def version_commitment(salt: bytes, document: bytes) -> bytes:
    """Return what the ledger holds of a plan document, its days included: without the salt nobody tests a guess."""
    return mac(salt, "salus/v1/claims-plan-version", document)


def published(node: MemberNode, document: bytes) -> PublishedPlan | None:
    """Return what is known of a version, or None."""
    body = node.desk.claim_state(_name(document))
    return decode(body, PublishedPlan) if body else None


def keep_version(node: MemberNode, document: bytes, known: PublishedPlan) -> None:
    """Keep where a version stands."""
    node.desk.keep_claims([], [(_name(document), encode(known))])


def take_version(node: MemberNode, sender: str, document: bytes, told: PublishedPlan) -> None:
    """Keep what a payer tells of its version, if the ledger holds it. Raises Conflict."""
    if not told.salt:
        return
    node.wait_for(told.height)
    anchor = anchor_in(node, told.tx_id)
    outcome = node.ledger.outcome(told.tx_id)
    if (
        anchor is None
        or outcome is None
        or (anchor.submitter, anchor.root, outcome.height)
        != (sender, version_commitment(told.salt, document), told.height)
    ):
        raise Conflict("claims.version", "the plan is not the one that was published", got=sender)
    keep_version(node, document, told)


def _name(document: bytes) -> str:
    return PREFIX + digest("salus/v1/claims-plan", document).hex()
