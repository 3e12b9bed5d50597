"""A participant as exports and counts need one: the acts that were taken, in order, beside the state that they give."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from salus.agreements.trials.acts import Act, Anchored, read_all
from salus.agreements.trials.conduct import Conditions, State, conduct


@dataclass(frozen=True, slots=True)
class Participant:
    """One participant of one site."""

    site: str
    subject: str
    """Hexadecimal; stands for the participant at this site and in this study alone."""
    acts: tuple[Act, ...]
    """Those that no verdict refused, in the order of the chain."""
    state: State
    versions: dict[str, int]
    """Number of the protocol version in force when a visit was entered, by id of the visit."""

    def of(self, kind: str) -> Iterator[Act]:
        """Yield the acts of a kind that were taken, in order."""
        return (act for act in self.acts if act.kind == kind)

    def first(self, kind: str) -> Act | None:
        """Return the first act of a kind, or None."""
        return next(self.of(kind), None)


def participant(site: str, subject: bytes, chain: Sequence[Anchored], under: Conditions) -> Participant:
    """Return a participant from the chain, judged."""
    state = conduct(chain, under)
    refused = {each.number for each in state.verdicts}
    read = read_all([each.signed for each in chain])
    acts = tuple(act for act in read if act is not None and act.number not in refused)
    versions = {}
    for act in acts:
        if act.kind == "visit":
            name = dict(act.fields)["visit"]
            number = under.version_at(act.entered)
            known = under.plans[number][0].visit(name) is not None
            versions[name if known else f"unscheduled-{act.number}"] = number
    return Participant(site, subject.hex(), acts, state, versions)
