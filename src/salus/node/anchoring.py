"""Batches of leaves go to the ledger, and their place on it comes back to the vault."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import structs

from salus.contracts.records.port import Anchor, count_bucket
from salus.engines.ports import Outcome
from salus.node.errors import Refused, Unavailable
from salus.node.member import MemberNode
from salus.vault.batches import Batch
from salus.vault.errors import VaultError
from salus.vault.journal import NO_ANSWER, Disclosure, Line

NOT_SERVED: Final = "not-served"


def anchor(node: MemberNode, *, deferred: bool = False) -> Outcome | None:
    """Anchor everything that is pending, oldest batch first; return the last outcome, or None if nothing was.

    Raises Unavailable or Refused; what was closed into a batch is anchored by a later call.
    """
    outcome = None
    with node.anchoring:
        for late in node.vault.unanchored():
            outcome = _send(node, late, deferred=True)
        while (batch := node.vault.next_batch()) is not None:
            outcome = _send(node, batch, deferred=deferred)
    return outcome


def anchor_reading(node: MemberNode) -> None:
    """See that what was journalled is anchored: at the next tick, or now where nothing ticks.

    Care does not wait for consensus: what cannot be anchored now, because the ledger is away or takes nothing from a
    suspended member, stays journalled and is anchored, marked deferred, when that is over.
    """
    if node.ticking:
        return
    with contextlib.suppress(Unavailable, Refused):
        anchor(node)


def commit(node: MemberNode, entries: Sequence[int]) -> tuple[int, bytes]:
    """Anchor journal lines before what they tell of is served; return height and id of the last one's transaction.

    Raises Unavailable or Refused: then nothing may be served.
    """
    anchor(node)
    anchoring = node.vault.line(entries[-1]).anchoring
    if anchoring is None or not anchoring.tx_id:
        raise Unavailable("pull.uncommitted", "the disclosure could not be committed", todo="try again")
    return anchoring.height, anchoring.tx_id


@contextlib.contextmanager
def serving(node: MemberNode, told: Sequence[Disclosure]) -> Iterator[list[int]]:
    """Write down, durably, what is about to leave; yield the lines' entries. What then fails is written down too.

    A line that nothing follows was served, as far as this member can tell; one that a line `not-served` names was not.
    """
    entries = node.vault.journal(told)
    left = False
    try:
        yield entries
        left = True
    finally:
        if not left:
            with contextlib.suppress(VaultError):  # what went wrong first is what is raised
                node.vault.journal(
                    [_undone(one, node.vault.line(entry)) for one, entry in zip(told, entries, strict=True)]
                )


def _undone(told: Disclosure, line: Line) -> Disclosure:
    return structs.replace(told, action=NOT_SERVED, what=(f"line {line.number}",), answer=NO_ANSWER, time=0)


def _send(node: MemberNode, batch: Batch, *, deferred: bool) -> Outcome:
    message = Anchor(root=batch.root, count_bucket=count_bucket(batch.records + batch.disclosures), deferred=deferred)
    outcome = node.submitter.submit(message)
    if outcome.height is None:
        raise Unavailable("ledger.no-height", "the anchor stands in no block", todo="try again")
    node.vault.anchored(batch.number, outcome.tx_id, outcome.height)
    return outcome
