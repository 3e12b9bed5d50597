"""One organisation alone: an 837 with plan, rates and members in; 999, 277CA, 835, explanations and a page out.

Pure: bytes and numbers in, bytes out. The caller keeps control numbers and trace numbers and never gives one twice.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.eob import write_explanation
from salus.agreements.claims.history import Granted, History
from salus.agreements.claims.members import Members
from salus.agreements.claims.page import page
from salus.agreements.claims.partner import Partner, judged
from salus.agreements.claims.plan import Plan, payer_of
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.remit import Forwarded, remit
from salus.interop.x12.answers import Verdict, acknowledgment, claim_acknowledgment, envelope_answer, swap, verdict
from salus.interop.x12.claim import Claim, read_claim
from salus.interop.x12.codes import BUILT_IN, CodeSets
from salus.interop.x12.envelope import Stamp, interchange
from salus.interop.x12.examine import Event, SetSeen, UnitSeen, examine
from salus.interop.x12.findings import refused
from salus.interop.x12.remittance import set_of
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


class Outcome(msgspec.Struct, frozen=True):
    """What a run leaves."""

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
    verdict: Verdict
    owed: dict[str, Forwarded]


class _Door:
    """Lets events through to the verdict and keeps the sound claims of accepted sets."""

    def __init__(self, *, cut: bool = False) -> None:
        self.claims: list[Claim] = []
        self.files: list[bytes] = []
        """With `cut`, each claim as a file of its own."""
        self._cut = cut
        self._waiting: list[tuple[Claim, bytes]] = []

    def through(self, events: Iterable[Event]) -> Iterable[Event]:
        for event in events:
            if isinstance(event, UnitSeen) and event.head.header.get(1) == "837" and not refused(event.findings):
                self._take(event)
            elif isinstance(event, SetSeen):
                serious = [part for part in event.findings if part.level < 3]
                if not event.envelope and not refused(serious):
                    self.claims.extend(claim for claim, _ in self._waiting)
                    self.files.extend(file for _, file in self._waiting)
                self._waiting = []
            yield event

    def _take(self, unit: UnitSeen) -> None:
        try:
            claim = read_claim(unit.loop, unit.head.delimiters.component)
        except ValueError:
            return  # a number is none: level 1 has refused the set
        self._waiting.append((claim, claim_alone(unit) if self._cut else b""))


def sound_claims(chunks: Iterable[bytes], received: str, codes: CodeSets = BUILT_IN) -> tuple[Claim, ...]:
    """Return the claims of a file that pass the door, in its order. Raises Unreadable."""
    door = _Door()
    verdict(door.through(examine(chunks, codes=codes, received=received)))
    return tuple(door.claims)


def sound_files(
    chunks: Iterable[bytes], received: str, codes: CodeSets = BUILT_IN
) -> tuple[tuple[tuple[Claim, bytes], ...], Verdict]:
    """Return the claims that pass the door, each with an 837 of its own, and the verdict on all. Raises Unreadable."""
    door = _Door(cut=True)
    seen = verdict(door.through(examine(chunks, codes=codes, received=received)))
    return tuple(zip(door.claims, door.files, strict=True)), seen


def decide_all(
    claims: Sequence[Claim], plan: Plan, rates: Sequence[Rates], history: History, settings: Settings
) -> tuple[Decision, ...]:
    """Decide claims in the order of the file; each is in the history of the next."""
    contracts = {part.provider: part for part in rates if part.payer == plan.payer}
    decisions: list[Decision] = []
    for number, claim in enumerate(claims, settings.first_number):
        contract = contracts.get(claim.billing.identifier)
        control = f"{settings.prefix}{number:08d}"
        facts = history.draw(
            claim, plan, contract, received=settings.received, decided=settings.decided, control=control
        )
        decision = decide(claim, plan, contract, facts)
        history.record(decision)
        decisions.append(decision)
    return tuple(decisions)


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
) -> Outcome:
    """Take a file of 837s to its answers. Raises Unreadable where no interchange can be read."""
    door = _Door()
    events: Iterable[Event] = examine(chunks, codes=settings.codes, received=settings.received)
    seen = verdict(door.through(judged(events, partner) if partner is not None else events))
    history = History(members, granted)
    decisions = decide_all(door.claims, plan, rates, history, settings)
    control = settings.stamp.control

    def next_stamp() -> Stamp:
        nonlocal control
        control += 1
        return msgspec.structs.replace(settings.stamp, control=control - 1)

    envelopes: list[bytes] = []
    answers: list[bytes] = []
    statuses: list[bytes] = []
    for part in seen.interchanges:
        groups = tuple(group for group in seen.groups if group.seen.interchange is part.header)
        if part.code != "000":
            envelopes.append(envelope_answer(part, next_stamp()))
        if groups:
            answers.append(acknowledgment(groups, part.header, next_stamp()))
            sets = [answer for group in groups for answer in group.sets]
            told = claim_acknowledgment(sets, part.header, payer_of(plan), next_stamp())
            if told is not None:
                statuses.append(told)
    carried, remittance, total = dict(owed or {}), b"", 0
    if decisions and seen.interchanges:
        stamp = next_stamp()
        payees = dict.fromkeys(part.claim.billing.identifier for part in decisions)
        traces = {payee: f"{stamp.control:09d}{place:04d}" for place, payee in enumerate(payees, 1)}
        paid, carried = remit(decisions, payer_of(plan), settings.decided, traces, owed)
        total = sum(part.paid for part in paid)
        bodies = [set_of(part, f"{place:04d}") for place, part in enumerate(paid, 1)]
        ends = swap(seen.interchanges[0].header)
        remittance = interchange(ends, stamp, "HP", "005010X221A1", bodies) if bodies else b""
    explained = tuple((part.control, write_explanation(part)) for part in decisions if part.status != "voided")
    told_why = page(decisions, plan, _refusals(seen))
    return Outcome(
        tuple(envelopes),
        tuple(answers),
        tuple(statuses),
        remittance,
        explained,
        total,
        told_why,
        decisions,
        seen,
        carried,
    )


def _refusals(seen: Verdict) -> tuple[str, ...]:
    said: list[str] = []
    for part in seen.interchanges:
        if part.code != "000":
            said.extend(f"envelope: {finding.place()}: {finding.rule}, {finding.fix}" for finding in part.findings)
    for group in seen.groups:
        for answer in group.sets:
            if not answer.accepted:
                said.append(f"set {answer.head.header.get(2)}: {', '.join(answer.envelope) or 'faults in the guide'}")
                said.extend(
                    f"set {answer.head.header.get(2)}: {finding.place()}: {finding.rule}, {finding.fix}"
                    for finding in answer.findings
                    if finding.severity == "refuse"
                )
                continue
            said.extend(
                f"claim {claim.identifier}: {finding.place()}: {finding.rule}, {finding.fix}"
                for claim in answer.claims
                if not claim.accepted
                for finding in claim.findings
                if finding.severity == "refuse"
            )
    return tuple(said)
