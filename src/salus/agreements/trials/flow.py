"""The flow of participants (CONSORT 2025, figure 1): what chains tell, beside what the ledger counts.

Enrolled, allocated and refused are rows of the ledger, which everyone can count; screened, excluded, withdrawn and completed
are what the chains tell that the counting member holds. Each enrolment that a chain names must be a row, and of the chain's
site; each row of a site whose chains are all here must be named by one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from salus.agreements.trials.conduct import Status
from salus.agreements.trials.participants import Participant


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolment as the ledger has it."""

    site: str
    status: str
    """Its status: `allocated`, `refused`, or one before."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Counts of participants."""

    screened: int
    excluded: int
    reasons: tuple[tuple[str, int], ...]
    """(id of the criterion, how many did not meet it), the most frequent first; who missed two is in both."""
    pending: int
    """Screened, neither excluded nor enrolled."""
    enrolled: int
    refused: int
    waiting: int
    allocated: int
    arms: tuple[tuple[str, int], ...]
    """(arm, allocated to it); none before the draws are published here."""
    withdrawn: int
    """After allocation."""
    completed: int
    going: int
    """On study."""
    wrong: tuple[str, ...]
    """Where chains and ledger disagree."""


def flow(
    participants: Sequence[Participant],
    ledger: Mapping[str, Enrolled],
    arms: Mapping[str, str],
    whole: Sequence[str],
) -> Flow:
    """Return the counts. `ledger` and `arms` are by enrolment, hexadecimal; `whole` are sites whose chains are all here."""
    states = [(one, one.state) for one in participants]
    failed = [one for one, state in states if state.status is Status.FAILED]
    reasons = Counter(
        name for one in failed for act in one.of("fail") for name in _named(dict(act.fields).get("criteria", ""))
    )
    enrolled = [(one, state) for one, state in states if state.enrolment]
    statuses = Counter(each.status for each in ledger.values())
    after = Counter(state.status for _, state in enrolled)
    return Flow(
        screened=len(states),
        excluded=len(failed),
        reasons=tuple(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
        pending=sum(not state.enrolment and state.status is not Status.FAILED for _, state in states),
        enrolled=len(ledger),
        refused=statuses["refused"],
        waiting=len(ledger) - statuses["allocated"] - statuses["refused"],
        allocated=statuses["allocated"],
        arms=tuple(sorted(Counter(arms.values()).items())),
        withdrawn=after[Status.WITHDRAWN],
        completed=after[Status.ENDED],
        going=after[Status.ON_STUDY],
        wrong=tuple(_wrong(enrolled_named(participants), ledger, whole)),
    )


def _named(text: str) -> list[str]:
    return [each for each in text.replace(",", " ").split() if each]


def enrolled_named(participants: Sequence[Participant]) -> dict[str, list[str]]:
    """Return the sites whose chains name an enrolment, by enrolment."""
    found: dict[str, list[str]] = {}
    for one in participants:
        if one.state.enrolment:
            found.setdefault(one.state.enrolment, []).append(one.site)
    return found


def _wrong(named: Mapping[str, list[str]], ledger: Mapping[str, Enrolled], whole: Sequence[str]) -> list[str]:
    found = []
    for id_, sites in sorted(named.items()):
        row = ledger.get(id_)
        if row is None or row.status != "allocated":
            found.append(f"{sites[0]}: a chain names {id_[:16]}, which is no allocated enrolment")
        elif sites != [row.site]:
            found.append(f"{id_[:16]} is of {row.site} on the ledger, of {', '.join(sites)} in chains")
    found += [
        f"{row.site}: {id_[:16]} is allocated on the ledger, and no chain names it"
        for id_, row in sorted(ledger.items())
        if row.status == "allocated" and row.site in whole and id_ not in named
    ]
    return found
