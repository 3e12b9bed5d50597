"""Documents about patients show that their disclosure was committed, as answers to pulls do.

A document that one member sends another names, for each patient in it, the line of the sender's journal: the tag that
stands for the line, and its path to a root that the sender anchored. The line opens to this very document; a receiver
takes none that lacks one (`docs/adr/0155`).
"""

from collections.abc import Sequence
from typing import Final

from salus.contracts.records.port import Anchored, is_anchor, read_anchor
from salus.core.encoding import Value
from salus.core.proof.batch import root_from_batch
from salus.core.proof.digest import digest
from salus.core.proof.errors import MalformedProof
from salus.core.proof.opening import answered_leaf
from salus.node.errors import Forbidden, Malformed, Unavailable
from salus.node.member import MemberNode
from salus.vault.envelope import sealed_digest
from salus.vault.errors import EnvelopeRefused
from salus.vault.journal import Line

LABEL: Final = "salus/v1/delivered"


class Disclosed(Value, frozen=True):
    """A line of the sender's journal that is about a document, without what it says."""

    tx_id: bytes
    """Transaction that anchored its batch."""
    height: int
    tag: bytes
    index: int
    size: int
    path: tuple[bytes, ...]


def delivered_digest(node: MemberNode, parties: tuple[str, str], kind: str, id_: bytes, envelope: bytes) -> bytes:
    """Return what a line opens to: network, (sender, receiver), kind, the delivery's id, the sealed document.

    The signature is left out: it may be made anew. Raises Malformed on bytes that are no envelope.
    """
    sender, receiver = (one.encode("ascii") for one in parties)
    try:
        sealed = sealed_digest(envelope)
    except EnvelopeRefused as error:
        raise Malformed("delivery.envelope", str(error)) from error
    return digest(LABEL, node.network, sender, receiver, kind.encode("ascii"), id_, sealed)


def shown(line: Line) -> Disclosed:
    """Return an anchored line as its receiver may see it. Raises Unavailable for one that waits."""
    at, place = line.anchoring, line.place
    if at is None or place is None or not at.tx_id:
        raise Unavailable("delivery.uncommitted", "the disclosure could not be committed", todo="try again")
    return Disclosed(at.tx_id, at.height, line.tag, place.index, at.size, place.path)


def require_disclosed(node: MemberNode, sender: str, lines: Sequence[Disclosed], answer: bytes, owed: int) -> None:
    """Require `owed` different lines of the sender that stand on the own ledger and open to `answer`.

    Raises Forbidden on too few, Malformed on one that does not hold, Unavailable while the own replica is behind.
    """
    if len({(one.tx_id, one.index) for one in lines}) < max(owed, len(lines)):
        raise Forbidden(
            "delivery.undisclosed",
            "the document comes without a committed disclosure for each patient in it",
            expected=str(owed),
            got=str(len(lines)),
            todo="commit the disclosures first",
        )
    node.wait_for(max((one.height for one in lines), default=0))
    for one in lines:
        anchor = anchor_in(node, one.tx_id)
        try:
            root = root_from_batch(answered_leaf(one.tag, answer), one.index, one.size, one.path)
        except MalformedProof:
            root = b""
        if anchor is None or anchor.submitter != sender or anchor.root != root:
            raise Malformed(
                "delivery.disclosure", "what was committed is not a disclosure of this document", got=sender
            )


def anchor_in(node: MemberNode, tx_id: bytes) -> Anchored | None:
    """Return what a transaction anchored, as the own ledger has it, or None if it is no anchor."""
    outcome = node.ledger.outcome(tx_id)
    if outcome is None or outcome.code or not is_anchor(outcome.data):
        return None
    return read_anchor(outcome.data)
