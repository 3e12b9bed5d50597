"""One organisation alone: an 837 with plan, rates and members in; 999, 277CA, 835, explanations and a page out.

Pure: bytes and numbers in, bytes out. The caller keeps control numbers and trace numbers and never gives one twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.eob import write_explanation
from salus.agreements.claims.history import NO_TABLES, Granted, History
from salus.agreements.claims.members import Members
from salus.agreements.claims.page import Sums, html_parts, parts_of
from salus.agreements.claims.partner import Partner, judged
from salus.agreements.claims.plan import Plan, payer_of
from salus.agreements.claims.rates import Rates, opened
from salus.agreements.claims.remit import Forwarded, remit
from salus.agreements.claims.tables import Table
from salus.interop.x12.answers import (
    ClaimAnswer,
    Verdict,
    acknowledgment,
    claim_acknowledgment_parts,
    envelope_answer,
    envelope_faults,
    swap,
    verdict,
)
from salus.interop.x12.claim import Claim, read_claim
from salus.interop.x12.codes import BUILT_IN, CodeSets
from salus.interop.x12.envelope import Stamp, interchange_parts
from salus.interop.x12.examine import Event, GroupSeen, InterchangeSeen, SetSeen, UnitSeen, examine
from salus.interop.x12.findings import REFUSE, refused
from salus.interop.x12.remittance import set_of
from salus.interop.x12.shelf import Shelf
from salus.interop.x12.splitting import claim_alone


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the world adds to a run."""

    stamp: Stamp
    """Day, time and first control number; each file written takes the next."""
    received: str
    decided: str
    prefix: str = "C"
    """Begins the payer's claim numbers."""
    first_number: int = 1
    codes: CodeSets = BUILT_IN


class Answers(Protocol):
    """Takes the files that a run writes, each whole before the next begins."""

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Write one file from its pieces. A name is a number of ours, none is a patient's or a provider's."""


class Desk(NamedTuple):
    """Where a run puts what it must read again, and what it writes."""

    waiting: Shelf[Claim]
    """Claims of the set that is being read."""
    doors: Shelf[ClaimAnswer]
    """What the door says of each claim."""
    decisions: Shelf[Decision]
    answers: Answers


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file; its answers are written: 999, 277CA, 835, explanations and a page."""

    states: dict[str, int]
    """How many decisions are paid, denied, pended, voided."""
    refused: int
    """Claims refused at the door with the 277CA."""
    paid: int
    """Sum of the remittances, cents."""
    owed: dict[str, Forwarded]
    stamped: int
    """Control numbers used."""
    files: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True):
    """What a run in memory leaves."""

    envelopes: tuple[bytes, ...]
    """TA1 interchanges, for envelopes that were refused."""
    acknowledgments: tuple[bytes, ...]
    """999, one file per interchange."""
    claim_acknowledgments: tuple[bytes, ...]
    """277CA, one file per interchange with accepted claim sets."""
    remittance: bytes
    """835, one set per payee; empty where nothing was decided."""
    explanations: tuple[tuple[str, bytes], ...]
    """Payer's claim number and ExplanationOfBenefit."""
    paid: int
    """Sum of the remittances, cents."""
    page: str
    decisions: tuple[Decision, ...]
    owed: dict[str, Forwarded]


class _Door:
    """Lets events through to the verdict and hands on the sound claims of accepted sets.

    They are handed on at the end of their interchange: until then its trailers may refuse a group, or all of it.
    """

    def __init__(self, take: Callable[[Claim], None], waiting: Shelf[Claim], files: list[bytes] | None = None) -> None:
        """`files`, where given, gets each claim handed on as an 837 of its own."""
        self._take = take
        self._waiting = waiting
        self._files = files
        self._cut: list[bytes] = []
        self._sets: list[range] = []
        """Places of the claims of accepted sets."""
        self._seen = self._before = 0
        """Claims of the sets that have ended; sets that the groups that have ended leave."""

    def through(self, events: Iterable[Event]) -> Iterable[Event]:
        for event in events:
            if isinstance(event, UnitSeen) and event.head.header.get(1) == "837" and not refused(event.findings):
                self._wait(event)
            elif isinstance(event, SetSeen):
                serious = [part for part in event.findings if part.level < 3]
                if not event.envelope and not refused(serious):
                    self._sets.append(range(self._seen, len(self._waiting)))
                self._seen = len(self._waiting)
            elif isinstance(event, GroupSeen):
                if event.envelope:
                    del self._sets[self._before :]
                self._before = len(self._sets)
            elif isinstance(event, InterchangeSeen):
                if event.code == "000":
                    self._hand_on()
                self._waiting.clear()
                self._cut.clear()
                self._sets.clear()
                self._seen = self._before = 0
            yield event

    def _hand_on(self) -> None:
        for places in self._sets:
            for place in places:
                self._take(self._waiting[place])
            if self._files is not None:
                self._files.extend(self._cut[place] for place in places)

    def _wait(self, unit: UnitSeen) -> None:
        try:
            claim = read_claim(unit.loop, unit.head.delimiters.component)
        except ValueError:
            return  # a number is none: level 1 has refused the set
        self._waiting.append(claim)
        if self._files is not None:
            self._cut.append(claim_alone(unit))


def sound_claims(chunks: Iterable[bytes], received: str, codes: CodeSets | None = BUILT_IN) -> tuple[Claim, ...]:
    """Return the claims of a file that pass the door, in its order. Raises Unreadable.

    Without `codes` level 5 is not asked: a claim that a door has let in is read again whatever lists are newer by then.
    """
    claims: list[Claim] = []
    for _ in _Door(claims.append, []).through(examine(chunks, codes=codes, received=received)):
        pass  # nobody is answered
    return tuple(claims)


def sound_files(
    chunks: Iterable[bytes], received: str, codes: CodeSets = BUILT_IN
) -> tuple[tuple[tuple[Claim, bytes], ...], Verdict]:
    """Return the claims that pass the door, each with an 837 of its own, and the verdict on all. Raises Unreadable."""
    claims: list[Claim] = []
    files: list[bytes] = []
    seen = verdict(_Door(claims.append, [], files).through(examine(chunks, codes=codes, received=received)))
    return tuple(zip(claims, files, strict=True)), seen


def _control(settings: Settings, place: int) -> str:
    """Return the payer's number of the claim at a place of the run."""
    return f"{settings.prefix}{settings.first_number + place:08d}"


def _explained(control: str) -> str:
    return f"eob-{control}.json"


class _Deciding:
    """Decides claims one by one; each is in the history of the next."""

    def __init__(self, plan: Plan, rates: Sequence[Rates], history: History, settings: Settings) -> None:
        self._plan, self._history, self.settings = plan, history, settings
        self._contracts = {part.provider: part for part in rates if part.payer == plan.payer}
        self._made = 0

    def decide(self, claim: Claim) -> Decision:
        settings = self.settings
        contract = self._contracts.get(claim.billing.identifier)
        control = _control(settings, self._made)
        self._made += 1
        facts = self._history.draw(
            claim, self._plan, contract, received=settings.received, decided=settings.decided, control=control
        )
        part = opened(contract, claim) if contract is not None else None  # of a long contract, one look through it
        decision = decide(claim, self._plan, part, facts)
        self._history.record(decision)
        return decision


def decide_all(
    claims: Sequence[Claim], plan: Plan, rates: Sequence[Rates], history: History, settings: Settings
) -> tuple[Decision, ...]:
    """Decide claims in the order of the file; each is in the history of the next."""
    deciding = _Deciding(plan, rates, history, settings)
    return tuple(deciding.decide(claim) for claim in claims)


class _Run:
    """One file on its way to its answers. Explanations are written as claims are decided, the rest at the end."""

    def __init__(self, plan: Plan, settings: Settings, desk: Desk) -> None:
        self._plan, self.settings, self.desk = plan, settings, desk
        self._control = settings.stamp.control
        self._sums = Sums()
        self._voids: set[int] = set()
        """Places of decisions that have no explanation."""
        self._names: list[str] = []
        self._payees: dict[str, None] = {}
        self.states: Counter[str] = Counter()

    def take(self, decision: Decision) -> None:
        """Count a decision and write its explanation."""
        self.states[decision.status] += 1
        self._sums.add(decision)
        self._payees[decision.claim.billing.identifier] = None
        if decision.status == "voided":
            self._voids.add(len(self.desk.decisions) - 1)
        else:
            self.desk.answers.write(_explained(decision.control), [write_explanation(decision)])

    def _stamp(self) -> Stamp:
        self._control += 1
        return msgspec.structs.replace(self.settings.stamp, control=self._control - 1)

    def acknowledge(self, seen: Verdict) -> None:
        """Write TA1, 999 and 277CA of each interchange: what the TA1 refuses gets no other answer, a refused group no 277CA."""
        kinds: dict[str, list[str]] = {"ta1": [], "999": [], "277ca": []}

        def write(kind: str, parts: Iterable[bytes]) -> None:
            kinds[kind].append(f"{len(kinds[kind]) + 1:03d}.{kind}")
            self.desk.answers.write(kinds[kind][-1], parts)

        for part in seen.interchanges:
            groups = tuple(group for group in seen.groups if group.seen.interchange is part.header)
            if part.code != "000":
                write("ta1", [envelope_answer(part, self._stamp())])
            elif groups:
                write("999", [acknowledgment(groups, part.header, self._stamp())])
                sets = [answer for group in groups if not group.seen.envelope for answer in group.sets]
                if any(answer.accepted and answer.claims for answer in sets):
                    payer, received = payer_of(self._plan), self.settings.received
                    told = claim_acknowledgment_parts(sets, part.header, payer, self._stamp(), received)
                    write("277ca", told)
        self._names = [name for names in kinds.values() for name in names]

    def remit(self, seen: Verdict, owed: Mapping[str, Forwarded]) -> tuple[int, dict[str, Forwarded]]:
        """Write the 835; return its sum and what payees owe now."""
        if not self._payees or not seen.interchanges:
            return 0, dict(owed)
        stamp, decisions = self._stamp(), self.desk.decisions
        traces = {payee: f"{stamp.control:09d}{place:04d}" for place, payee in enumerate(self._payees, 1)}
        paid, carried = remit(decisions, payer_of(self._plan), self.settings.decided, traces, owed)
        if paid:
            bodies = (set_of(part, f"{place:04d}") for place, part in enumerate(paid, 1))
            ends = swap(seen.interchanges[0].header)
            parts = interchange_parts(ends, stamp, "HP", "005010X221A1", bodies)
            self.desk.answers.write("remittance.835", parts)
            self._names.append("remittance.835")
        return sum(part.paid for part in paid), carried

    def finish(self, seen: Verdict, paid: int, owed: dict[str, Forwarded]) -> Answered:
        """Write the page."""
        sound = [part.header for part in seen.interchanges if part.code == "000"]
        self._sums.refused = sum(
            not (group.goes_on(claim, one) and any(group.seen.interchange is header for header in sound))
            for group in seen.groups
            for one in group.sets
            for claim in one.claims
        )
        told = html_parts(parts_of(self.desk.decisions, self._sums, self._plan, _refusals(seen)), "Claims decided")
        self.desk.answers.write("page.html", (part.encode() for part in told))
        settings, count = self.settings, len(self.desk.decisions)
        told_of = (_control(settings, place) for place in range(count) if place not in self._voids)
        return Answered(
            states=dict(self.states),
            refused=self._sums.refused,
            paid=paid,
            owed=owed,
            stamped=self._control - self.settings.stamp.control,
            files=(*self._names, *map(_explained, told_of), "page.html"),
        )


def answer(
    chunks: Iterable[bytes],
    plan: Plan,
    rates: Sequence[Rates],
    members: Members,
    settings: Settings,
    *,
    desk: Desk,
    granted: tuple[Granted, ...] = (),
    owed: Mapping[str, Forwarded] | None = None,
    partner: Partner | None = None,
    tables: Mapping[str, Table] = NO_TABLES,
) -> Answered:
    """Take a file of 837s to its answers, holding one claim at a time and a few words of each before.

    `tables` are those that the plan names, by digest.

    Raises Unreadable where no interchange can be read.
    """
    run = _Run(plan, settings, desk)
    history = History(members, granted, desk.decisions, tables)
    seen = _decided(chunks, _Deciding(plan, rates, history, settings), run, partner)
    run.acknowledge(seen)
    paid, carried = run.remit(seen, owed or {})
    return run.finish(seen, paid, carried)


def _decided(chunks: Iterable[bytes], deciding: _Deciding, run: _Run, partner: Partner | None) -> Verdict:
    """Read the file and decide what passes the door. What it is decided from is let go here: the rest needs none of it."""
    settings, desk = run.settings, run.desk
    events: Iterable[Event] = examine(chunks, codes=settings.codes, received=settings.received)
    told = judged(events, partner) if partner is not None else events
    door = _Door(lambda claim: run.take(deciding.decide(claim)), desk.waiting)
    return verdict(door.through(told), desk.doors)


class _Held:
    """Answers in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        self.files[name] = b"".join(parts)

    def of(self, kind: str) -> tuple[bytes, ...]:
        return tuple(text for name, text in self.files.items() if name.endswith(f".{kind}"))


def adjudicate(
    chunks: Iterable[bytes],
    plan: Plan,
    rates: Sequence[Rates],
    members: Members,
    settings: Settings,
    *,
    granted: tuple[Granted, ...] = (),
    owed: Mapping[str, Forwarded] | None = None,
    partner: Partner | None = None,
    tables: Mapping[str, Table] = NO_TABLES,
) -> Outcome:
    """Answer a file in memory. Raises Unreadable where no interchange can be read."""
    held, decisions = _Held(), list[Decision]()
    desk = Desk([], [], decisions, held)
    done = answer(
        chunks, plan, rates, members, settings, desk=desk, granted=granted, owed=owed, partner=partner, tables=tables
    )
    explained = (
        (name.removeprefix("eob-").removesuffix(".json"), text)
        for name, text in held.files.items()
        if name.startswith("eob-")
    )
    return Outcome(
        held.of("ta1"),
        held.of("999"),
        held.of("277ca"),
        held.files.get("remittance.835", b""),
        tuple(explained),
        done.paid,
        held.files["page.html"].decode(),
        tuple(decisions),
        done.owed,
    )


def _refusals(seen: Verdict) -> tuple[str, ...]:
    said: list[str] = []
    for part in seen.interchanges:
        if part.code != "000":
            said.extend(f"envelope: {finding.told()}" for finding in part.findings if finding.severity == REFUSE)
    for group in seen.groups:
        said.extend(envelope_faults(group.seen))
        for answer in group.sets:
            if not answer.accepted:
                name = f"set {answer.head.header.get(2)}"
                said.extend(envelope_faults(answer) or [f"{name}: faults in the guide"])
                said.extend(f"{name}: {one.told()}" for one in answer.findings if one.severity == REFUSE)
                continue
            said.extend(
                f"claim {claim.identifier}: {finding.told()}"
                for claim in answer.claims
                if not claim.accepted
                for finding in claim.findings
                if finding.severity == REFUSE
            )
    return tuple(said)
