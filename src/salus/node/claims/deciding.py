"""`claims decide`, `claims rule`, `claims correct`: a payer's side, from the inbox to the committed decision."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.decide import RULABLE, decide
from salus.agreements.claims.history import History
from salus.agreements.claims.members import Members
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates
from salus.contracts.claims import port
from salus.core.proof.digest import digest
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.dossiers import (
    CONTESTED,
    DAY_MS,
    Dossier,
    KeptRuling,
    Round,
    SentDecision,
    control_of,
    dossier_of,
    keep,
    kept_cases,
    plan_of,
)
from salus.node.claims.exchange import decision_commitment, parts, read_decision, row_of, submission_commitment
from salus.node.claims.remitting import Remitter
from salus.node.errors import Conflict, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case


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


class RuleOnClaim(Message, frozen=True):
    """A case that waits for a person, and what the person decided."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]
    verdict: Annotated[
        Literal["allow", "deny", "uphold"],
        Meta(description="allow: the step does not apply; deny: it does; uphold: as decided.", examples=["allow"]),
    ]
    basis: Annotated[str, Meta(min_length=3, max_length=500, description="Why.", examples=["record shows two visits"])]
    step: Annotated[str, Meta(description="Step that denies or waits; empty with uphold.", examples=["duplicates"])] = (
        ""
    )
    line: Annotated[int, Meta(ge=0, le=999, description="Line; 0 for every one.", examples=[1])] = 0


class Ruled(Message, frozen=True):
    """The ruling is kept; `claims decide` decides by it."""

    rulings: Annotated[int, Meta(description="Rulings on this round of the case.")]


class CorrectClaim(Message, frozen=True):
    """A decided case that the payer decides again."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id of the case.", examples=["00" * 16])]


class CorrectionOpened(Message, frozen=True):
    """The case is open; `claims decide` decides it by the documents given then."""

    due: Annotated[str, Meta(description="By when, UTC.")]


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
    remitted, cents = Remitter(node, plan, request.plan).remit()
    return ClaimsDecided(decided=decided, refused=refused, waiting=waiting, remitted=remitted, cents=cents)


@use_case("claims.rule", who=OPERATOR)
def rule_on_claim(node: MemberNode, request: RuleOnClaim) -> Ruled:
    """Keep what a person decided on a claim that waits, or that is contested; it shows in the decision."""
    case = bytes.fromhex(request.case)
    kept = _of_payer(node, case)
    if kept.last.decided is not None:
        raise Conflict("claims.decided", "the case is decided", todo="open a correction first")
    if (request.verdict == "uphold") != (request.step == "") or (request.step and request.step not in RULABLE):
        told = "a person rules on a step that judges, not on one that reckons"
        raise Malformed("claims.step", told, expected=", ".join(sorted(RULABLE)), got=request.step[:20])
    ruling = KeptRuling(request.step, request.line, request.verdict, request.basis)
    last = msgspec.structs.replace(kept.last, rulings=(*kept.last.rulings, ruling))
    keep(node, [(case, msgspec.structs.replace(kept, rounds=(*kept.rounds[:-1], last)))])
    return Ruled(rulings=len(last.rulings))


@use_case("claims.correct", who=OPERATOR)
def correct_claim(node: MemberNode, request: CorrectClaim) -> CorrectionOpened:
    """Open a decided case for the payer's own correction: the same claim, decided again by the next `claims decide`."""
    case = bytes.fromhex(request.case)
    kept = _of_payer(node, case)
    last = kept.last
    if last.decided is None:
        raise Conflict("claims.open", "the case is being decided already", todo="run `salus claims decide`")
    if row_of(node, case).round == last.number:
        fresh = Round(last.file, node.entropy(32), last.received, last.number + 1, "correction")
        node.submitter.submit(port.Reopen((port.Statement(case, submission_commitment(fresh.key, fresh.file)),)))
        keep(node, [(case, msgspec.structs.replace(kept, rounds=(*kept.rounds, fresh)))])
    return CorrectionOpened(due=moment(row_of(node, case).due))


def _of_payer(node: MemberNode, case: bytes) -> Dossier:
    kept = dossier_of(node, case)
    if not kept.payer_side:
        raise NotFound("claims.payer", "the case is not this member's to decide", got=case.hex())
    return kept


class _Inbox:
    """A payer's claims under one plan, from acceptance to the committed decision."""

    def __init__(self, node: MemberNode, plan: Plan, rates: Sequence[Rates], members: Members, document: bytes) -> None:
        self._node, self._plan = node, plan
        self._document, self._digest = document, digest("salus/v1/claims-plan", document)
        self._rates = {one.provider: one for one in rates if one.payer == plan.payer}
        self._history = History(members)
        self._today = date_of(node.ledger_time() // DAY_MS)

    def _in(self, *statuses: port.CaseStatus) -> list[tuple[bytes, Dossier, int, port.Case]]:
        state = self._node.ledger.read()
        found = []
        for case, dossier, number in kept_cases(self._node, payer_side=True):
            row = port.case(state, case)
            if row is not None and row.status in statuses:
                found.append((case, dossier, number, row))
        return found

    def accept(self) -> int:
        """Take what passes the door, refuse the rest; return how many were refused.

        A replacement or void that comes as a new case is refused: it reopens the case that it names, or none.
        """
        taken: list[port.Opening] = []
        refused: list[port.Opening] = []
        for case, dossier, _, _ in self._in(port.CaseStatus.SUBMITTED):
            claim = _claim(dossier.last)
            sound = claim is not None and claim.frequency not in {"7", "8"}
            (taken if sound else refused).append(port.Opening(case, dossier.salt))
        for some in parts(_sorted(taken), port.MAX_CASES):
            self._node.submitter.submit(port.Accept(tuple(some)))
        for some in parts(_sorted(refused), port.MAX_CASES):
            self._node.submitter.submit(port.Refuse(tuple(some)))
        return len(refused)

    def decide(self) -> tuple[int, int]:
        """Decide what was accepted, in the order of arrival; return how many, and how many wait for a person."""
        node = self._node
        fresh: list[tuple[bytes, Dossier]] = []
        for _, dossier, _ in kept_cases(node, payer_side=True):
            for one in dossier.rounds:
                if one.decided is not None:
                    self._history.record(read_decision(one.decided))
        waiting: list[tuple[bytes, Dossier]] = []
        for case, dossier, number, row in self._in(port.CaseStatus.ACCEPTED, port.CaseStatus.REOPENED):
            if dossier.last.number != row.round:
                continue  # what reopened it is still on its way
            kept = dossier if dossier.last.decided is not None else self._decided(case, dossier, number)
            (waiting if kept.last.decided is None else fresh).append((case, kept))
        keep(node, [*fresh, *waiting], {f"plan/{self._digest.hex()}": self._document})
        for some in parts(sorted(fresh, key=lambda one: one[0]), port.MAX_CASES):
            self._commit(some)
        return len(fresh), len(waiting)

    def _decided(self, case: bytes, dossier: Dossier, number: int) -> Dossier:
        """Return the dossier with the decision of its last round, or with why a person must look."""
        last, claim = dossier.last, _claim(dossier.last)
        if claim is None:
            return _waiting(dossier, "door: the claim that is to be decided instead is not sound")
        if last.why in CONTESTED and not last.rulings:
            return _waiting(dossier, f"{last.why}: {last.statement}")
        contract, before = self._rates.get(claim.billing.identifier), dossier.rounds[:-1]
        control = control_of(number)
        facts = self._history.draw(
            claim,
            self._plan,
            contract,
            received=last.received,
            decided=self._today,
            control=control,
            again=control if before else "",
        )
        denied = before and before[-1].decided is not None and read_decision(before[-1].decided).status == "denied"
        facts = msgspec.structs.replace(
            facts,
            clean=not (denied and last.why in CONTESTED),
            rulings=tuple(one.ruling() for one in last.rulings),
        )
        decision = decide(claim, self._plan, contract, facts)
        if decision.status == "pended":
            return _waiting(dossier, *decision.pends)
        self._history.record(decision)
        sent = SentDecision(
            case=case,
            round=last.number,
            key=self._node.entropy(32),
            rates=msgspec.json.encode([contract] if contract is not None else []),
            facts=msgspec.msgpack.encode(facts),
            decision=msgspec.msgpack.encode(decision),
        )
        done = msgspec.structs.replace(
            last, decided=sent, plan=self._digest, appeal_seed=self._node.entropy(32), pends=()
        )
        return msgspec.structs.replace(dossier, rounds=(*before, done))

    def _commit(self, fresh: Sequence[tuple[bytes, Dossier]]) -> None:
        decided = [
            port.Decided(
                case,
                decision_commitment(plan_of(self._node, kept.last), kept.last.decided, kept.last.file),
                _appeal_digest(kept.last.appeal_seed),
            )
            for case, kept in fresh
            if kept.last.decided is not None
        ]
        self._node.submitter.submit(port.Decide(tuple(decided)))


def _waiting(dossier: Dossier, *why: str) -> Dossier:
    last = msgspec.structs.replace(dossier.last, pends=why)
    return msgspec.structs.replace(dossier, rounds=(*dossier.rounds[:-1], last))


def _claim(one: Round) -> Claim | None:
    """Return the one sound claim of a file, or None where the door refuses it."""
    try:
        sound = sound_claims([one.file], one.received)
    except Unreadable:
        return None
    return sound[0] if len(sound) == 1 else None


def _sorted(openings: list[port.Opening]) -> list[port.Opening]:
    return sorted(openings, key=lambda one: one.case)


def _appeal_digest(seed: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return port.appeal_key_digest(key)
