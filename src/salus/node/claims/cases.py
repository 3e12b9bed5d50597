"""`claims submit`, `claims decide`, `claims cases`: a provider and a payer as two members, each step on the ledger first."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision
from salus.agreements.claims.eob import write_explanation
from salus.agreements.claims.history import History
from salus.agreements.claims.members import Members, person_of
from salus.agreements.claims.plan import Plan, payer_of
from salus.agreements.claims.rates import Rates
from salus.agreements.claims.recompute import first_difference
from salus.agreements.claims.remit import remit
from salus.contracts.claims import port
from salus.core.encoding import encode
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim
from salus.interop.x12.envelope import Stamp, Trader, interchange
from salus.interop.x12.remittance import set_of
from salus.interop.x12.tokens import Unreadable
from salus.node.anchoring import anchor, commit
from salus.node.claims import documents
from salus.node.claims.exchange import (
    CLAIM,
    DECISION,
    REMITTANCE,
    Dossier,
    SentClaim,
    SentDecision,
    SentRemittance,
    decision_commitment,
    dossier_of,
    kept_cases,
    made_again,
    read_decision,
    row_of,
    seal_and_deliver,
    submission_commitment,
)
from salus.node.errors import Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.names import LINK_EXAMPLE, LINK_PATTERN
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.journal import Disclosure, Side
from salus.vault.sealing import Content

DAY_MS: Final = 86_400_000
PAYMENT: Final = "HPAYMT"  # v3-ActReason: healthcare payment


class SubmitClaim(Message, frozen=True):
    """One claim and the payer it goes to."""

    link: Annotated[str, Meta(pattern=LINK_PATTERN, description="The patient's link.", examples=[LINK_EXAMPLE])]
    payer: Annotated[str, Meta(description="Member id of the payer.", examples=["harbor"])]
    file: Annotated[bytes, Meta(description="An X12 837 file with one claim.", examples=[b"ISA"])]


class ClaimSubmitted(Message, frozen=True):
    """The claim is committed and on its way."""

    case: Annotated[str, Meta(description="Id of the case, hexadecimal.")]
    due: Annotated[str, Meta(description="By when the payer accepts or refuses, UTC.")]


class DecideClaims(Message, frozen=True):
    """The documents that decide what lies in the payer's inbox."""

    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]
    rates: Annotated[bytes, Meta(description="The rates documents, a JSON list.", examples=[b"[]"])]
    members: Annotated[bytes, Meta(description="Who is covered: a members document or an 834.", examples=[b"{}"])]


class ClaimsDecided(Message, frozen=True):
    """What became of the inbox."""

    decided: Annotated[int, Meta(description="Cases decided now.")]
    refused: Annotated[int, Meta(description="Cases refused at the door.")]
    waiting: Annotated[int, Meta(description="Cases that a person must look at.")]
    remitted: Annotated[int, Meta(description="Cases remitted now.")]
    cents: Annotated[int, Meta(description="Sum of the remittances, cents.")]


class RecomputeDecision(Message, frozen=True):
    """A decided case and the contract it is held against."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    rates: Annotated[bytes, Meta(description="One's own rates documents, a JSON list.", examples=[b"[]"])]


class DecisionRecomputed(Message, frozen=True):
    """Whether the payer's decision is what the contract gives."""

    step: Annotated[str, Meta(description="First step at which the two part; empty if they are the same.")]
    own: Annotated[int, Meta(description="What the claim pays by one's own contract, cents.")]
    decided: Annotated[int, Meta(description="What the payer decided, cents.")]


class ListCases(Message, frozen=True):
    """Asks for nothing more."""


class CaseLine(Message, frozen=True):
    """One case that this member has a part in."""

    case: Annotated[str, Meta(description="Id of the case, hexadecimal.")]
    side: Annotated[str, Meta(description="This member's part: provider or payer.")]
    other: Annotated[str, Meta(description="Member id of the other party.")]
    status: Annotated[str, Meta(description="Where it stands on the ledger.")]
    due: Annotated[str, Meta(description="By when the next step, UTC; empty if none is awaited.")]
    late: Annotated[str, Meta(description="Who is late: payer, provider, or nobody (empty).")]
    differs: Annotated[str, Meta(description="Step at which the provider's own computation parts from the decision.")]
    remitted: Annotated[bool, Meta(description="Whether the 835 is here.")]


class Cases(Message, frozen=True):
    """The cases of this member."""

    cases: Annotated[tuple[CaseLine, ...], Meta(description="In the order in which they came.")]


@use_case("claims.submit", who=OPERATOR)
def submit_claim(node: MemberNode, request: SubmitClaim) -> ClaimSubmitted:
    """Send one claim to a payer: journalled and committed before its first byte leaves, in the patient's access log."""
    link = bytes.fromhex(request.link)
    node.vault.link_info(link)
    node.keys_of(request.payer)
    try:
        sound = sound_claims([request.file], date_of(node.now() // DAY_MS))
    except Unreadable as broken:
        raise Malformed("claims.unreadable", broken.rule, expected=broken.expected) from None
    if len(sound) != 1:
        raise Malformed(
            "claims.one", "one sound claim is sent at a time", expected="1", got=str(len(sound)), todo="check the file"
        )
    if sound[0].frequency in {"7", "8"}:
        raise Malformed(
            "claims.original", "replacements and voids are not sent between members yet", expected="a new claim"
        )
    case, salt, key = node.entropy(16), node.entropy(16), node.entropy(32)
    told = Disclosure(Side.CUSTODIAN, link, request.payer, "", "", PAYMENT, "claim", ("Claim 1",))
    commit(node, node.vault.journal([told]))
    submission = port.Submission(
        case, port.payer_digest(salt, case, request.payer), submission_commitment(key, request.file)
    )
    node.desk.keep_claim(case, encode(Dossier(False, request.payer, link, salt, key, request.file)))
    node.submitter.submit(port.Submit(port.Kind.CLAIM, port.Clock.DAYS_3, port.Clock.DAYS_30, (submission,)))
    height = node.ledger.head().height
    seal_and_deliver(node, request.payer, CLAIM, SentClaim(case, salt, key, height, request.file))
    return ClaimSubmitted(case=case.hex(), due=moment(row_of(node, case).due))


@use_case("claims.decide", who=OPERATOR)
def decide_claims(node: MemberNode, request: DecideClaims) -> ClaimsDecided:
    """Accept, decide and remit what lies in the payer's inbox; EOBs become records of the patients, sealed and anchored.

    Each part goes on where it stopped: what the ledger holds already is not done again.
    """
    plan = documents.plan(request.plan)
    rates, members = documents.rates(request.rates), documents.members(request.members, plan.payer)
    inbox = _Inbox(node, plan, rates, members, request.plan)
    refused = inbox.accept()
    decided, waiting = inbox.decide()
    remitted, cents = inbox.remit()
    return ClaimsDecided(decided=decided, refused=refused, waiting=waiting, remitted=remitted, cents=cents)


@use_case("claims.recompute", who=OPERATOR)
def recompute_decision(node: MemberNode, request: RecomputeDecision) -> DecisionRecomputed:
    """Make a decision again from plan and facts as sent and one's own contract; name the step where the two part."""
    documents.rates(request.rates)
    kept = dossier_of(node, bytes.fromhex(request.case))
    if kept.decided is None:
        raise NotFound("claims.undecided", "no decision of this case is here", got=request.case)
    theirs = read_decision(kept.decided)
    mine = made_again(msgspec.structs.replace(kept.decided, rates=request.rates), kept.file)
    return DecisionRecomputed(step=first_difference(mine, theirs), own=mine.paid, decided=theirs.paid)


@use_case("claims.cases", who=OPERATOR)
def list_cases(node: MemberNode, request: ListCases) -> Cases:  # noqa: ARG001 -- a use case
    """List the claims that this member has a part in, with status, deadline, and where a recomputation parts."""
    now = node.ledger_time()
    lines = []
    for case, dossier, _ in kept_cases(node):
        row = port.case(node.ledger.read(), case)
        if row is not None:
            lines.append(
                CaseLine(
                    case=case.hex(),
                    side="payer" if dossier.payer_side else "provider",
                    other=dossier.other,
                    status=row.status.name.lower(),
                    due=moment(row.due) if row.due else "",
                    late=port.overdue(row, now),
                    differs=dossier.difference,
                    remitted=bool(dossier.remittance),
                )
            )
    return Cases(cases=tuple(lines))


class _Inbox:
    """A payer's claims under one plan, from acceptance to remittance."""

    def __init__(self, node: MemberNode, plan: Plan, rates: Sequence[Rates], members: Members, document: bytes) -> None:
        self._node, self._plan, self._document = node, plan, document
        self._rates = {one.provider: one for one in rates if one.payer == plan.payer}
        self._history = History(members)
        self._today = date_of(node.now() // DAY_MS)

    def _in(self, *statuses: port.CaseStatus) -> list[tuple[bytes, Dossier, int]]:
        state = self._node.ledger.read()
        found = []
        for case, dossier, number in kept_cases(self._node, payer_side=True):
            row = port.case(state, case)
            if row is not None and row.status in statuses:
                found.append((case, dossier, number))
        return found

    def accept(self) -> int:
        """Take what passes the door, refuse the rest; return how many were refused."""
        taken: list[port.Opening] = []
        refused: list[port.Opening] = []
        for case, dossier, _ in self._in(port.CaseStatus.SUBMITTED):
            into = taken if _claim(dossier, self._today) is not None else refused
            into.append(port.Opening(case, dossier.salt))
        for start in range(0, len(taken), port.MAX_CASES):
            self._node.submitter.submit(port.Accept(_sorted(taken[start : start + port.MAX_CASES])))
        for start in range(0, len(refused), port.MAX_CASES):
            self._node.submitter.submit(port.Refuse(_sorted(refused[start : start + port.MAX_CASES])))
        return len(refused)

    def decide(self) -> tuple[int, int]:
        """Decide what was accepted, in the order of arrival; return how many, and how many wait for a person."""
        node, waiting, fresh = self._node, 0, []
        for _, dossier, _ in kept_cases(node, payer_side=True):
            if dossier.decided is not None:
                self._history.record(msgspec.msgpack.decode(dossier.decided.decision, type=Decision))
        for case, dossier, number in self._in(port.CaseStatus.ACCEPTED):
            kept = dossier if dossier.decided is not None else self._decided(case, dossier, number)
            if kept is None:
                waiting += 1
                continue
            node.desk.keep_claim(case, encode(kept))
            fresh.append((case, kept))
        for start in range(0, len(fresh), port.MAX_CASES):
            self._commit(fresh[start : start + port.MAX_CASES])
        return len(fresh), waiting

    def _decided(self, case: bytes, dossier: Dossier, number: int) -> Dossier | None:
        claim = _claim(dossier, self._today)
        if claim is None or claim.frequency in {"7", "8"}:
            return None
        contract, control = self._rates.get(claim.billing.identifier), f"C{number:08d}"
        facts = self._history.draw(
            claim, self._plan, contract, received=self._today, decided=self._today, control=control
        )
        decision = decide(claim, self._plan, contract, facts)
        if decision.status == "pended":
            return None
        self._history.record(decision)
        sent = SentDecision(
            case=case,
            key=self._node.entropy(32),
            height=0,
            plan=self._document,
            rates=msgspec.json.encode([contract] if contract is not None else []),
            facts=msgspec.msgpack.encode(facts),
            decision=msgspec.msgpack.encode(decision),
        )
        return msgspec.structs.replace(dossier, decided=sent, appeal_seed=self._node.entropy(32))

    def _commit(self, fresh: Sequence[tuple[bytes, Dossier]]) -> None:
        self._node.submitter.submit(
            port.Decide(
                tuple(
                    port.Decided(case, decision_commitment(kept.decided, kept.file), _appeal_digest(kept.appeal_seed))
                    for case, kept in sorted(fresh, key=lambda one: one[0])
                    if kept.decided is not None
                )
            )
        )

    def _tell(self, kept: Dossier) -> None:
        """Make a decision's EOB a record of the patient, and send the decision to the provider."""
        node = self._node
        if kept.decided is None:
            return
        decision = msgspec.msgpack.decode(kept.decided.decision, type=Decision)
        link = node.vault.open_link(f"urn:payer:{self._plan.payer}", person_of(decision.claim))
        if node.vault.newest(link, "ExplanationOfBenefit", decision.control) is None:
            content = Content("ExplanationOfBenefit", decision.control, write_explanation(decision))
            node.vault.write(link, [content])
        height = node.ledger.head().height
        seal_and_deliver(node, kept.other, DECISION, msgspec.structs.replace(kept.decided, height=height))

    def remit(self) -> tuple[int, int]:
        """Tell and pay what is decided: one 835 per provider. Return how many cases, and the sum in cents."""
        grouped: dict[str, list[tuple[bytes, Dossier]]] = {}
        for case, kept, _ in self._in(port.CaseStatus.DECIDED):
            self._tell(kept)
            grouped.setdefault(kept.other, []).append((case, kept))
        anchor(self._node)
        self._node.catch_up()
        count = cents = 0
        for provider, cases in grouped.items():
            for start in range(0, len(cases), port.MAX_CASES):
                part = cases[start : start + port.MAX_CASES]
                cents += self._remit(provider, part)
                count += len(part)
        self._send()
        return count, cents

    def _send(self) -> None:
        """Send every 835 that stands as remitted and was not sent yet."""
        node = self._node
        files: dict[tuple[str, bytes], list[tuple[bytes, Dossier]]] = {}
        for case, kept, _ in self._in(port.CaseStatus.REMITTED):
            if not kept.sent:
                files.setdefault((kept.other, kept.remittance), []).append((case, kept))
        for (provider, file), cases in files.items():
            ids = tuple(case for case, _ in cases)
            seal_and_deliver(node, provider, REMITTANCE, SentRemittance(ids, node.ledger.head().height, file))
            for case, kept in cases:
                node.desk.keep_claim(case, encode(msgspec.structs.replace(kept, sent=True)))

    def _remit(self, provider: str, cases: list[tuple[bytes, Dossier]]) -> int:
        node = self._node
        decisions = [
            msgspec.msgpack.decode(kept.decided.decision, type=Decision)
            for _, kept in cases
            if kept.decided is not None
        ]
        control = max(int(one.control[1:]) for one in decisions)  # of a case that is remitted once
        payees = dict.fromkeys(one.claim.billing.identifier for one in decisions)
        traces = {payee: f"{control:09d}{place:04d}" for place, payee in enumerate(payees, 1)}
        paid, _ = remit(decisions, payer_of(self._plan), self._today, traces)
        ends = (Trader("ZZ", self._plan.payer[:15]), Trader("ZZ", provider[:15].upper()))
        bodies = [set_of(one, f"{place:04d}") for place, one in enumerate(paid, 1)]
        file = interchange(ends, Stamp(self._today, "0000", control), "HP", "005010X221A1", bodies)
        ids = tuple(sorted(case for case, _ in cases))
        for case, kept in cases:
            node.desk.keep_claim(case, encode(msgspec.structs.replace(kept, remittance=file)))
        node.submitter.submit(port.Remit(ids))
        return sum(one.paid for one in paid)


def _claim(dossier: Dossier, day: str) -> Claim | None:
    """Return the one sound claim of a file, or None where the door refuses it."""
    try:
        sound = sound_claims([dossier.file], day)
    except Unreadable:
        return None
    return sound[0] if len(sound) == 1 else None


def _sorted(openings: list[port.Opening]) -> tuple[port.Opening, ...]:
    return tuple(sorted(openings, key=lambda one: one.case))


def _appeal_digest(seed: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return port.appeal_key_digest(key)
