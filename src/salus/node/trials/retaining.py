"""What binds a trial to a participant's records: duties to keep them, which signed terms name; and what of it goes with the records."""

from collections.abc import Iterator
from dataclasses import dataclass

from salus.contracts.trials import port
from salus.node.member import MemberNode
from salus.node.trials.kept import (
    Definition,
    ErasedAct,
    ErasedSubject,
    Evidence,
    Subject,
    Superseded,
    kept,
    replace_all,
)
from salus.node.trials.sight import numbers_of, run


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


def forget(node: MemberNode, link: bytes) -> None:
    """Drop, before a link is erased, what ties it to its trials; keep the leaves of its acts, which stay anchored. Idempotent.

    Consent proofs, one-time keys and the subject's code go. What was sent stays with its receivers, as the form says; the kit of
    an enrolment stays, under an id from which nobody is told.
    """
    for key, subject in list(kept(node, Subject)):
        if subject.link == link:
            earlier = [(Superseded, before) for before, _ in kept(node, Superseded, key)]
            left = ErasedSubject(leaves_left(node, key, subject))
            shown = [(Evidence, subject.enrolment)] if subject.enrolment else []  # where the site dispenses too
            replace_all(node, [(Subject, key), *earlier, *shown], [(key[:16] + node.entropy(16), left)])


def leaves_left(node: MemberNode, key: bytes, subject: Subject) -> tuple[ErasedAct, ...]:
    """Return where the leaves of a participant's acts lie, as far as they were sent."""
    numbers = numbers_of(node, subject.link, key)[: subject.sent]
    return tuple(ErasedAct(leaf, at.batch, at.index) for leaf, at in node.vault.leaves_of(numbers))


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
