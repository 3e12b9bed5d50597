"""From the trust that a wallet has to the ledger of today: each step signed by those whom the step before names."""

from dataclasses import replace
from typing import Final

from salus.core.proof import merkle
from salus.core.proof.checkpoint import Checkpoint, CosignerChange
from salus.core.proof.errors import Unwitnessed
from salus.core.proof.trust import Trust
from salus.node.errors import Malformed
from salus.node.member import MemberNode
from salus.node.patient import messages as m
from salus.node.patient.proof import witnessed

MAX_STEPS: Final = 32  # a wallet that was away for more changes asks again


def tell(node: MemberNode, question: m.AskNews) -> m.News:
    """Return the steps from a pinned size and cosigner set on, as far as enough cosigners signed. Raises Malformed."""
    newest = node.cosigning.newest()
    if newest is None or not 0 <= question.size <= newest.size or question.number < 1:
        raise Malformed("news.pin", "this ledger has no such size", expected="a size that a checkpoint here covers")
    steps: list[m.Step] = []
    pin = question.size
    for change in node.cosigning.book.changes()[question.number - 1 :]:
        if change.size > newest.size or len(steps) >= MAX_STEPS or not node.cosigning.complete_change(change):
            break
        if change.size > pin:
            at = node.cosigning.book.at(change.size)
            if at is None or not node.cosigning.complete(at):
                break
            steps.append(m.Step(at.encode(), b"", node.prover.consistency(pin, at.size)))
            pin = at.size
        steps.append(m.Step(b"", change.encode(), node.prover.consistency(change.size, pin)))
    else:
        if newest.size > pin:
            steps.append(m.Step(newest.encode(), b"", node.prover.consistency(pin, newest.size)))
    return m.News(tuple(steps))


def follow(trust: Trust, news: m.News) -> Trust:
    """Return the trust after the steps. Raises Unproven; then nothing of them is believed."""
    for step in news.steps[: MAX_STEPS + 2]:
        if step.change:
            trust = trust.followed(CosignerChange.decode(step.change), step.path)
        else:
            trust = _advanced(trust, Checkpoint.decode(step.checkpoint), step.path)
    return trust


def _advanced(trust: Trust, checkpoint: Checkpoint, path: tuple[bytes, ...]) -> Trust:
    """Return the trust pinned to a newer checkpoint.

    A ledger of one without a witness proves nothing against its owner, here as for keys (`proof.check_member`): it is
    taken with the cosignature alone.
    """
    try:
        return trust.advanced(checkpoint, path)
    except Unwitnessed:
        if witnessed(trust) or trust.witnesses_needed:
            raise
    merkle.verify_consistency(trust.size, checkpoint.size, path, trust.root, checkpoint.root)
    return replace(trust, size=checkpoint.size, root=checkpoint.root)
