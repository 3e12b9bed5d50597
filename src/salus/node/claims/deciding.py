"""`claims decide`, `claims rule`, `claims correct`: a payer's side, from the inbox to the committed decision."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from salus.agreements.claims.decide import RULABLE, decide
from salus.agreements.claims.decision import Cell, Decision
from salus.agreements.claims.door import door_answer
from salus.agreements.claims.history import NO_TABLES, History
from salus.agreements.claims.keeping import Amount, CellName, Take, Verdict
from salus.agreements.claims.members import Members, person_of
from salus.agreements.claims.plan import Plan
from salus.agreements.claims.rates import Rates, opened
from salus.agreements.claims.tables import Table
from salus.contracts.claims import port
from salus.core.proof.digest import digest
from salus.interop.x12.calendar import date_of
from salus.interop.x12.claim import Claim
from salus.interop.x12.envelope import Stamp
from salus.interop.x12.tokens import Unreadable
from salus.node.claims import documents
from salus.node.claims.approvals import granted_here
from salus.node.claims.code_lists import InForce, lists_on
from salus.node.claims.crossing import cross_over
from salus.node.claims.dossiers import (
    CONTESTED,
    DAY_MS,
    Dossier,
    KeptRuling,
    Round,
    SentDecision,
    cases_of,
    control_of,
    current,
    dossier_of,
    family_of,
    keep,
    keep_come,
    open_cases,
    plan_of,
    take_id,
)
from salus.node.claims.exchange import (
    REFUSAL,
    SentRefusal,
    committed_as,
    decision_commitment,
    parts,
    read_decision,
    read_facts,
    row_of,
)
from salus.node.claims.following import follow, take_up
from salus.node.claims.keeper import MAX_HOLDERS, accumulators_of
from salus.node.claims.remitting import Remitter
from salus.node.claims.tables import TABLES, tables_of
from salus.node.errors import Conflict, Malformed, NotFound, Unavailable
from salus.node.exchange.documents import seal_and_deliver
from salus.node.member import MemberNode
from salus.node.records.charts import moment
from salus.node.usecase import OPERATOR, Message, use_case

TRIES: Final = 3  # accumulators that move so often while one run decides are left to the next run


class DecideClaims(Message, frozen=True):
    """The documents that decide what lies in the payer's inbox."""

    plan: Annotated[bytes, Meta(description="The plan document, JSON.", examples=[b"{}"])]
    rates: Annotated[bytes, Meta(description="The rates documents, a JSON list.", examples=[b"[]"])]
    members: Annotated[bytes, Meta(description="Who is covered: a members document or an 834.", examples=[b"{}"])]
    tables: TABLES = ""


class ClaimsDecided(Message, frozen=True):
    """What became of the inbox."""

    decided: Annotated[int, Meta(description="Cases decided now.")]
    refused: Annotated[int, Meta(description="Cases refused at the door.")]
    waiting: Annotated[int, Meta(description="Cases that a person must look at.")]
    remitted: Annotated[int, Meta(description="Cases remitted now.")]
    crossed: Annotated[
        int, Meta(description="Claims, and later decisions of them, handed on to the payer that comes after.")
    ]
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

    What is paid for a person with a payer on file that comes after is handed on to it, and what is decided anew later
    follows; a case that was handed on here is decided again when its first payer has.

    Each part goes on where it stopped: what the ledger holds already is not done again.
    """
    plan = documents.plan(request.plan)
    rates, members = documents.rates(request.rates), documents.members(request.members, plan.payer)
    tables = tables_of(node, plan, request.tables)
    with node.deciding:  # one run at a time
        _open_corrections(node)
        take_up(node)
        inbox = Inbox(node, plan, rates, members, request.plan, tables=tables)
        refused = inbox.accept()
        decided, waiting = inbox.decide()
        remitted, cents = Remitter(node, plan, request.plan, members, inbox.made).remit()
        crossed = cross_over(node) + follow(node)
    return ClaimsDecided(
        decided=decided, refused=refused, waiting=waiting, remitted=remitted, crossed=crossed, cents=cents
    )


@use_case("claims.rule", who=OPERATOR)
def rule_on_claim(node: MemberNode, request: RuleOnClaim) -> Ruled:
    """Keep what a person decided on a claim that waits, or that is contested; it shows in the decision."""
    case = bytes.fromhex(request.case)
    if (request.verdict == "uphold") != (request.step == "") or (request.step and request.step not in RULABLE):
        told = "a person rules on a step that judges, not on one that reckons"
        raise Malformed("claims.step", told, expected=", ".join(sorted(RULABLE)), got=request.step[:20])
    ruling = KeptRuling(request.step, request.line, request.verdict, request.basis)
    with node.deciding, node.claiming:
        kept = _of_payer(node, case)
        if kept.last.decided is not None:
            raise Conflict("claims.decided", "the case is decided", todo="open a correction first")
        rulings = (*kept.last.rulings, ruling)
        keep(node, [(case, kept.with_last(rulings=rulings))])
    return Ruled(rulings=len(rulings))


@use_case("claims.correct", who=OPERATOR)
def correct_claim(node: MemberNode, request: CorrectClaim) -> CorrectionOpened:
    """Open a decided case for the payer's own correction: the same claim, decided again by the next `claims decide`."""
    case = bytes.fromhex(request.case)
    with node.deciding:
        with node.claiming:
            kept, row = _of_payer(node, case), row_of(node, case)
            last = kept.last
            if last.decided is None and not _prepared(last, row):
                raise Conflict("claims.open", "the case is being decided already", todo="run `salus claims decide`")
            if row.round == last.number:
                fresh = Round(last.file, node.entropy(32), last.received, last.number + 1, "correction")
                keep_come(node, [(case, msgspec.structs.replace(kept, rounds=(*kept.rounds, fresh)))])
        _open_corrections(node)
    return CorrectionOpened(due=moment(row_of(node, case).due))


def _prepared(last: Round, row: port.Case) -> bool:
    """Tell whether a correction is kept that the ledger does not have."""
    opens = row.status in {port.CaseStatus.DECIDED, port.CaseStatus.REMITTED} and last.number == row.round + 1
    return opens and last.why == "correction" and last.decided is None


def _open_corrections(node: MemberNode) -> None:
    """Tell the ledger of the corrections that are kept and that it does not have."""
    state = node.ledger.read()
    for case, kept, _ in open_cases(node, payer_side=True):
        row = port.case(state, case)
        if row is not None and _prepared(kept.last, row):
            node.submitter.submit(port.Reopen((port.Statement(case, committed_as(kept.last)),)))


def _of_payer(node: MemberNode, case: bytes) -> Dossier:
    kept = dossier_of(node, case)
    if not kept.payer_side:
        raise NotFound("claims.payer", "the case is not this member's to decide", got=case.hex())
    return kept


class Inbox:
    """A payer's claims under one plan, from acceptance to the committed decision."""

    def __init__(
        self,
        node: MemberNode,
        plan: Plan,
        rates: Sequence[Rates],
        members: Members,
        document: bytes,
        *,
        tables: Mapping[str, Table] = NO_TABLES,
    ) -> None:
        self._node, self._plan = node, plan
        self._document, self._digest = document, digest("salus/v1/claims-plan", document)
        self._rates = {one.provider: one for one in rates if one.payer == plan.payer}
        self._written = {provider: msgspec.json.encode([one]) for provider, one in self._rates.items()}
        self._members = members
        self._claims: dict[bytes, Claim | None] = {}
        self._codes: dict[str, InForce] = {}
        self.made: dict[bytes, Decision] = {}
        """What this run decided, by the key of its commitment."""
        self._tables = tables
        self._history = History(members, tables=tables)
        self._shared = accumulators_of(node, plan)
        self._today = date_of(node.ledger_time() // DAY_MS)

    def _in(self, *statuses: port.CaseStatus) -> list[tuple[bytes, Dossier, int, port.Case]]:
        found, open_ = [], open_cases(self._node, payer_side=True)
        rows = port.cases_by(self._node.ledger.read(), (case for case, _, _ in open_))
        for case, dossier, number in open_:
            row = rows.get(case)
            if row is not None and row.status in statuses:
                found.append((case, dossier, number, row))
        return found

    def _claim(self, one: Round) -> Claim | None:
        """Return the one sound claim of a round's file, or None where the door refuses it; each is read once a run."""
        if one.key not in self._claims:
            self._claims[one.key] = documents.claim_in(one.file, one.received, self._lists(one.received).sets)
        return self._claims[one.key]

    def _lists(self, received: str) -> InForce:
        """Return the code lists that judge what came on a day."""
        if received not in self._codes:
            self._codes[received] = lists_on(self._node, received)
        return self._codes[received]

    def accept(self) -> int:
        """Take what passes the door, refuse the rest; return how many were refused.

        A replacement or void that comes as a new case is refused: it reopens the case that it names, or none.
        """
        taken: list[port.Opening] = []
        refused: list[port.Opening] = []
        untold = False
        self._close_withdrawn()
        for case, dossier, _, row in self._in(port.CaseStatus.SUBMITTED, port.CaseStatus.REFUSED):
            if row.status is port.CaseStatus.REFUSED:
                untold = True
                continue
            claim = self._claim(dossier.last)
            sound = claim is not None and claim.frequency not in {"7", "8"}
            (taken if sound else refused).append(port.Opening(case, dossier.salt))
        for some in parts(_sorted(taken), port.MAX_CASES):
            self._node.submitter.submit(port.Accept(tuple(some)))
        for some in parts(_sorted(refused), port.MAX_CASES):
            self._node.submitter.submit(port.Refuse(tuple(some)))
        if refused or untold:
            self._tell_refused()
        return len(refused)

    def _close_withdrawn(self) -> None:
        """Forget what was made of a case that was taken back before it stood, and give back what it took."""
        withdrawn = [(case, kept) for case, kept, _, _ in self._in(port.CaseStatus.WITHDRAWN)]
        taken = [(case, kept.last.number) for case, kept in withdrawn if kept.last.taken]
        if taken and self._shared is not None:
            try:
                self._shared.take(
                    [Take(take_id(case, number + 1), take_id(case, number), (), ()) for case, number in taken]
                )
            except Unavailable:
                return  # the next run gives it back
        with self._node.claiming:
            now = current(self._node, withdrawn)
            keep(self._node, [(case, kept.with_last(decided=None, told=True, pends=())) for case, kept in now])

    def _tell_refused(self) -> None:
        """Send what the door answers: a case that the ledger holds as refused and whose provider was not told."""
        node = self._node
        for case, kept, number, _ in self._in(port.CaseStatus.REFUSED):
            if not kept.last.told:
                lists = self._lists(kept.last.received)
                try:
                    stamp = Stamp(self._today, "0000", number)
                    file = door_answer(kept.last.file, self._plan, kept.last.received, stamp, lists.sets)
                except Unreadable:
                    file = b""  # no envelope to answer: the ledger's word is all
                seal_and_deliver(
                    node, kept.other, REFUSAL, SentRefusal(node.ledger.head().height, case, file, lists.told)
                )
                with node.claiming:
                    keep(node, [(case, now.with_last(told=True)) for case, now in current(node, [(case, kept)])])

    def decide(self) -> tuple[int, int]:
        """Decide what was accepted, in the order of arrival; return how many, and how many wait for a person.

        With a keeper, each decision stands only once its takes do: what saw accumulators that moved is made again.
        """
        self.take()
        for _ in range(TRIES):
            stands = self.make()
            if not self.take() and stands:
                break
        ready, waiting = [], 0
        for case, kept, _ in self._open():
            if kept.last.decided is not None and (self._shared is None or kept.last.taken):
                ready.append((case, kept))
            else:
                waiting += 1
        for some in parts(sorted(ready, key=lambda one: one[0]), port.MAX_CASES):
            self._commit(some)
        return len(ready), waiting

    def _open(self) -> list[tuple[bytes, Dossier, int]]:
        """Return the cases that wait for a decision, or whose decision the ledger does not hold yet."""
        now, silent = self._node.ledger_time(), port.CaseStatus.WAITING
        return [
            (case, kept, number)
            for case, kept, number, row in self._in(port.CaseStatus.ACCEPTED, port.CaseStatus.REOPENED, silent)
            # where the ledger holds another round, or other words, what opens them is still on its way; who did not
            # answer in time is decided on without it, by a person
            if kept.last.number == row.round
            and (port.overdue(row, now) if row.status is silent else _opens(kept.last, row))
        ]

    def make(self) -> bool:
        """Make and keep the decisions that are not made yet; none, and False, where one of the cases changed meanwhile."""
        node = self._node
        made: list[tuple[bytes, Dossier]] = []
        open_ = [(case, kept, number) for case, kept, number in self._open() if kept.last.decided is None]
        if not open_:
            return True
        self._history = History(self._members, granted_here(node), tables=self._tables)
        claims = [claim for _, kept, _ in open_ if (claim := self._claim(kept.last)) is not None]
        for dossier in cases_of(node, (family_of(one.subscriber.member) for one in claims)):
            for one in dossier.rounds:
                if one.decided is not None:
                    self._history.record(read_decision(one.decided))
        unreachable = self._read_cells([kept for _, kept, _ in open_])
        for case, kept, number in open_:
            made.append((case, _waiting(kept, unreachable) if unreachable else self._decided(case, kept, number)))
        read = [(case, kept) for case, kept, _ in open_]
        with node.claiming:
            stands = all(now is kept for (_, now), (_, kept) in zip(current(node, read), read, strict=True))
            if stands:
                keep(node, made, {f"plan/{self._digest.hex()}": self._document})
        return stands

    def _read_cells(self, cases: Sequence[Dossier]) -> str:
        """Bring what other payers took into the history; return why it cannot be, or nothing."""
        if self._shared is None:
            return ""
        claims = [claim for kept in cases if (claim := self._claim(kept.last)) is not None]
        holders = sorted({holder for one in claims for holder in (person_of(one), one.subscriber.member)})
        try:
            for some in parts(holders, MAX_HOLDERS):
                for name, cents in self._shared.cells(some):
                    self._history.set_taken(name.holder, name.cell, cents)
        except Unavailable as error:
            return f"keeper: {error.code}: the claim waits for the accumulators"
        return ""

    def take(self) -> int:
        """Have the keeper carry out the takes of fresh decisions; forget those that it refused, return how many."""
        if self._shared is None:
            return 0
        fresh = [
            (case, kept, take)
            for case, kept, _ in self._open()
            if not kept.last.taken and (take := _take_of(case, kept)) is not None
        ]
        refused = 0
        for some in parts(fresh, port.MAX_CASES):
            try:
                verdicts = self._shared.take([take for _, _, take in some])
            except Unavailable:
                return 0  # the decisions stay, and with them what they saw: the next run sends them again
            refused += self._took([(case, kept) for case, kept, _ in some], verdicts)
        return refused

    def _took(self, cases: Sequence[tuple[bytes, Dossier]], verdicts: Sequence[Verdict]) -> int:
        """Keep what the keeper said of takes; return how many it refused."""
        refused, done = 0, []
        with self._node.claiming:
            for (case, kept), verdict in zip(current(self._node, cases), verdicts, strict=True):
                if verdict == "taken":
                    done.append((case, kept.with_last(taken=True)))
                elif verdict in {"moved", "over"}:
                    done.append((case, kept.with_last(decided=None)))
                    refused += 1
                else:
                    raise Conflict("claims.take", "the keeper knows another take of this claim", got=verdict)
            keep(self._node, done)
        return refused

    def _decided(self, case: bytes, dossier: Dossier, number: int) -> Dossier:
        """Return the dossier with the decision of its last round, or with why a person must look."""
        last, claim = dossier.last, self._claim(dossier.last)
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
            clean=not (last.informed or (denied and last.why in CONTESTED)),
            rulings=tuple(one.ruling() for one in last.rulings),
            codes=self._lists(last.received).told,
        )
        part = opened(contract, claim) if contract is not None else None
        decision = decide(claim, self._plan, part, facts)
        if decision.status == "pended":
            if not before:
                self._history.record(decision)  # a claim in process: those after it are compared with it
            return _waiting(dossier, *decision.pends)
        self._history.record(decision)
        sent = SentDecision(
            case=case,
            round=last.number,
            key=self._node.entropy(32),
            rates=self._opening(part),
            facts=msgspec.msgpack.encode(facts),
            decision=msgspec.msgpack.encode(decision),
        )
        self.made[sent.key] = decision
        seed = self._node.entropy(32)
        done = dossier.with_last(decided=sent, plan=self._digest, appeal_seed=seed, pends=())
        family = family_of(claim.subscriber.member)
        return msgspec.structs.replace(done, families=tuple(dict.fromkeys((*dossier.families, family))))

    def _opening(self, part: Rates | None) -> bytes:
        """Return as a document what a decision opens of a contract; a short one is written once."""
        if part is None:
            return b"[]"
        whole = self._rates[part.provider]
        return self._written[part.provider] if part is whole else msgspec.json.encode([part])

    def _commit(self, fresh: Sequence[tuple[bytes, Dossier]]) -> None:
        plans: dict[bytes, bytes] = {}
        for _, kept in fresh:
            if kept.last.plan not in plans:
                plans[kept.last.plan] = plan_of(self._node, kept.last)
        decided = [
            port.Decided(
                case,
                decision_commitment(plans[kept.last.plan], kept.last.decided, kept.last.file),
                _appeal_digest(kept.last.appeal_seed),
            )
            for case, kept in fresh
            if kept.last.decided is not None
        ]
        self._node.submitter.submit(port.Decide(tuple(decided)))


def _waiting(dossier: Dossier, *why: str) -> Dossier:
    return dossier.with_last(pends=why)


def _opens(one: Round, row: port.Case) -> bool:
    """Tell whether what is to be decided is what the ledger holds; what is decided was, when it was made."""
    return one.decided is not None or committed_as(one) == row.submission


def _take_of(case: bytes, kept: Dossier) -> Take | None:
    """Return what a decision takes at the keeper, and what it saw; None where nothing is decided."""
    sent = kept.last.decided
    if sent is None:
        return None
    decision, facts = read_decision(sent), read_facts(sent)
    before = kept.rounds[-2] if len(kept.rounds) > 1 else None

    def amount(cell: Cell, cents: int) -> Amount:
        holder = person_of(decision.claim) if cell.scope == "member" else decision.claim.subscriber.member
        return Amount(CellName(holder, cell.bucket, cell.scope, cell.tier, cell.year), cents)

    return Take(
        take_id(case, kept.last.number),
        take_id(case, before.number) if before is not None and before.taken else b"",
        tuple(amount(one.cell, one.amount) for one in decision.moves),
        tuple(amount(one.cell, one.taken) for one in facts.balances),
    )


def _sorted(openings: list[port.Opening]) -> list[port.Opening]:
    return sorted(openings, key=lambda one: one.case)


def _appeal_digest(seed: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return port.appeal_key_digest(key)
