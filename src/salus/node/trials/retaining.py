"""Duties to keep a participant's records: signed terms name them, the ledger's last visit dates them."""

from collections.abc import Iterator
from dataclasses import dataclass

from salus.contracts.trials import port
from salus.node.member import MemberNode
from salus.node.trials.kept import Definition, Subject, kept
from salus.node.trials.sight import run


@dataclass(frozen=True, slots=True)
class Duty:
    """Why records are kept."""

    name: str
    """As the terms name it."""
    until: int
    """When it ends, ms; 0 while the trial has had no last visit."""


def duty_on(node: MemberNode, link: bytes) -> Duty | None:
    """Return the duty that keeps a link's records now, the one that ends last; None if none does.

    Every version that was approved counts: a later one shortens no duty. Raises Malformed.
    """
    time = node.ledger_time()
    studies = {key[:16] for key, subject in kept(node, Subject) if subject.link == link}
    standing = [one for study in studies for one in _duties(node, study) if not one.until or time < one.until]
    return max(standing, key=lambda one: (not one.until, one.until, one.name), default=None)


def _duties(node: MemberNode, study: bytes) -> Iterator[Duty]:
    state = node.ledger.read()
    row = port.study(state, study)
    for _, told in kept(node, Definition, study):
        version = port.version(state, study, told.number)
        if row is None or version is None or not version.approved:
            continue
        _, terms = run(told)
        if terms.retention is not None:
            last = port.last_visit(row)
            yield Duty(terms.retention.duty, terms.retention.ends(last) if last else 0)
