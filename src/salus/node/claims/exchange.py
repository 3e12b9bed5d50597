"""What provider and payer send each other of claims, and how each takes it: sealed, opened against the ledger.

claim        provider → payer    837s of one claim each, with the salts and keys that open address and commitment
decision     payer → provider    plan, the provider's rates, facts and decisions, with the keys of their commitments
remittance   payer → provider    the 835 of decided cases
refusal      payer → provider    TA1, 999 or 277CA of a case that the door refused
again        first payer → second payer, provider    what a claim that was handed on became by a later decision
question     payer → provider    what a case waits for; the answer comes as a claim with what completes it
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import RULES_VERSION, DayLine, Decision, Facts, TableEdits
from salus.agreements.claims.history import NO_TABLES
from salus.agreements.claims.plan import DocumentRefused, Plan, read_plan
from salus.agreements.claims.rates import read_rates
from salus.agreements.claims.recompute import first_difference
from salus.agreements.claims.same_day import OwnCase, counts, miscounted
from salus.agreements.claims.tables import Table, prices_of, rows_of
from salus.contracts.claims import port
from salus.core.encoding import Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.interop.x12.calendar import date_of, is_date
from salus.interop.x12.claim import Claim
from salus.node.claims import documents
from salus.node.claims.approvals import unhonoured
from salus.node.claims.control import beyond
from salus.node.claims.dossiers import (
    CONTESTED,
    DAY_MS,
    Batch,
    Dossier,
    Round,
    SentDecision,
    Why,
    dossier_of,
    family_of,
    keep,
    keep_come,
    kept_of,
    sent_or_decided,
)
from salus.node.claims.tables import at_hand
from salus.node.claims.versions import PublishedPlan, take_version
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.exchange.documents import open_document
from salus.node.member import MemberNode
from salus.vault.journal import Disclosure, Side

_BY_PROVIDER: Final = frozenset({"claim", "replacement", "void", "dispute"})
UNOPENED: Final = "claims.envelope"
PAYMENT: Final = "HPAYMT"  # v3-ActReason: healthcare payment
CLAIM: Final = "claim"
DECISION: Final = "claim-decision"
REMITTANCE: Final = "claim-remittance"
REFUSAL: Final = "claim-refusal"
QUESTION: Final = "claim-question"
PAID_BEFORE: Final = "paid-before/"
"""Before a case whose 835 came before its decision: the 835's name."""
MOST: Final = 200
"""Cases in one document, so that it stays far below what an exchange carries."""
V = TypeVar("V", bound=Value)
T = TypeVar("T")


class SentClaim(Value, frozen=True):
    """A claim on its way to the payer, new or what is to be decided instead."""

    case: bytes
    salt: bytes
    key: bytes
    file: bytes
    """The 837."""
    why: Why = "claim"
    statement: str = ""
    """What an appeal or dispute says, or the answer to a question."""
    informs: bool = False
    """Whether it completes the round under way instead of opening one."""
    attachment: bytes = b""
    """A document that goes with the answer, whatever its format."""


class SentClaims(Value, frozen=True):
    """Claims that one transaction or more committed."""

    height: int
    """Height of the newest block that committed one of them."""
    claims: tuple[SentClaim, ...]


class SentDecisions(Value, frozen=True):
    """Decisions under one plan, with all that the provider needs to make them again."""

    height: int
    plan: bytes
    decisions: tuple[SentDecision, ...]
    published: PublishedPlan = PublishedPlan()
    """Where the plan stands on the ledger, if it was published."""


class SentRemittance(Value, frozen=True):
    """An 835 and the cases it pays or denies."""

    cases: tuple[bytes, ...]
    height: int
    file: bytes


class SentAgain(Value, frozen=True):
    """A claim handed on again, with a later decision of its first payer."""

    height: int
    case: bytes
    """The second payer's case."""
    follows: bytes
    """The first payer's case."""
    round: int
    """The round of the first payer's case that it tells."""
    day: str
    """Day on which it was fixed, CCYYMMDD: what the second payer's interest counts from."""
    key: bytes
    file: bytes
    """The 837 with the first payer's decision; a void where the first payer took the claim back."""


class SentRefusal(Value, frozen=True):
    """Why a case was refused at the door."""

    height: int
    case: bytes
    file: bytes
    """TA1, 999 or 277CA."""
    codes: str = ""
    """The payer's code lists that refused it: source, date and digest; empty for those built in."""


class SentQuestion(Value, frozen=True):
    """What a case waits for."""

    height: int
    case: bytes
    question: str


def submission_commitment(key: bytes, file: bytes, statement: str = "", attachment: bytes = b"") -> bytes:
    """Return the commitment to a claim's bytes, and what is said with it, under a random 32-byte key."""
    return mac(key, "salus/v1/claims-submission", file, statement.encode(), attachment)


def submitted_as(one: Round) -> bytes:
    """Return the commitment to what a round asks to be decided."""
    return submission_commitment(one.key, one.file, one.statement, one.attachment)


def appeal_commitment(key: bytes, statement: str) -> bytes:
    """Return what the ledger holds of an appeal's statement."""
    return mac(key, "salus/v1/claims-appeal", statement.encode())


def committed_as(one: Round) -> bytes:
    """Return what the ledger holds of what a payer decides in a round."""
    return appeal_commitment(one.key, one.statement) if one.why == "appeal" else submitted_as(one)


def decision_commitment(plan: bytes, sent: SentDecision, file: bytes) -> bytes:
    """Return the commitment over plan, rates, input, facts, output and rules version."""
    fields = (plan, sent.rates, file, sent.facts, sent.decision, RULES_VERSION.encode())
    return mac(sent.key, "salus/v1/claims-decision", *fields)


def row_of(node: MemberNode, case: bytes) -> port.Case:
    """Return a case as the own replica has it. Raises NotFound."""
    row = port.case(node.ledger.read(), case)
    if row is None:
        raise NotFound("claims.no-case", "the ledger has no such case", got=case.hex())
    return row


def day_at(node: MemberNode, height: int) -> str:
    """Return the day of a block, CCYYMMDD: what deadlines and interest count from."""
    return date_of(node.ledger.store.header(height).time // DAY_MS)


def day_now(node: MemberNode) -> str:
    """Return the day of the ledger's head, CCYYMMDD."""
    return date_of(node.ledger_time() // DAY_MS)


def line_of(link: bytes, receiver: str, what: str, purpose: str = PAYMENT) -> Disclosure:
    """Return the line of a patient whose claim, decision or remittance is sent."""
    return Disclosure(Side.CUSTODIAN, link, receiver, "", "", purpose, "claim", (f"{what} 1",))


def take_claim(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take claims that open to their cases: address, provider, commitment. Raises Malformed, Forbidden, NotFound."""
    sent = open_document(node, sender, CLAIM, envelope, SentClaims, code=UNOPENED)
    node.wait_for(sent.height)
    beyond(node)
    with node.claiming:
        keep_come(node, [taken for one in sent.claims if (taken := _taken(node, sender, one)) is not None])


def _taken(node: MemberNode, sender: str, sent: SentClaim) -> tuple[bytes, Dossier] | None:
    row = row_of(node, sent.case)
    addressed = port.payer_digest(sent.salt, sent.case, node.member) == row.payer_digest
    if not addressed or row.provider != sender:
        raise Forbidden("claims.address", "the case is not the sender's or not addressed here")
    kept = kept_of(node, sent.case)
    if kept is not None and any(one.key == sent.key for one in kept.rounds):
        return None
    if submission_commitment(sent.key, sent.file, sent.statement, sent.attachment) != row.submission:
        raise Conflict("claims.commitment", "the claim is not the one that was committed")
    if sent.informs and kept is not None and kept.last.number == row.round:
        if kept.last.file != sent.file:
            raise Conflict("claims.information", "an answer leaves the claim as it is", todo="send a replacement")
        done = {"key": sent.key, "statement": sent.statement, "attachment": sent.attachment}
        made = kept.last.decided if kept.last.taken else None  # without these words, but what it took stands
        return sent.case, kept.with_last(**done, informed=True, pends=(), decided=made)
    if sent.why not in (_BY_PROVIDER if kept is not None else {"claim", "replacement", "void"}):
        told = "a provider sends a claim, replaces or voids it, or disputes what was decided"
        raise Conflict("claims.round", told, got=sent.why, todo="send the claim that the case began with")
    before = as_committed(kept, row) if kept is not None else Dossier(True, sender, b"", sent.salt)
    came = before.last.received if sent.why in CONTESTED else day_at(node, row.height)
    fresh = Round(
        sent.file,
        sent.key,
        came,
        row.round,
        sent.why,
        sent.statement,
        attachment=sent.attachment,
        informed=sent.informs,
    )
    return sent.case, msgspec.structs.replace(before, rounds=(*before.rounds, fresh))


def take_decision(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take decisions that open to their commitments, and make them again. Raises Malformed, Forbidden, Conflict."""
    sent = open_document(node, sender, DECISION, envelope, SentDecisions, code=UNOPENED)
    node.wait_for(max(sent.height, sent.published.height))
    plan = documents.plan(sent.plan)
    tables = at_hand(node, plan)
    with node.claiming:
        taken = {one.case: _decided(node, sender, sent.plan, one, tables) for one in sent.decisions}
        take_version(node, sender, sent.plan, sent.published)
        for case, kept in taken.items():
            if not kept.last.difference and miscounts(node, case, kept, plan, tables=tables, fresh=taken):
                taken[case] = kept.with_last(difference="coding")
            elif not kept.last.difference and sent.published.height > decided_at(node, case, row_of(node, case)):
                taken[case] = kept.with_last(difference="published")  # only after it had decided
        states = {f"plan/{digest('salus/v1/claims-plan', sent.plan).hex()}": sent.plan}
        for case, kept in taken.items():
            paid = node.desk.claim_state(PAID_BEFORE + case.hex())
            if paid and kept.last.decided is not None:
                taken[case] = remitted(kept, paid.decode())
                states[PAID_BEFORE + case.hex()] = b""
        keep(node, taken.items(), states)


def _decided(node: MemberNode, sender: str, plan: bytes, sent: SentDecision, tables: Mapping[str, Table]) -> Dossier:
    kept, row = dossier_of(node, sent.case), row_of(node, sent.case)
    if row.payer != sender or kept.payer_side:
        raise Forbidden("claims.payer", "the case is another payer's")
    if sent.round < row.round:
        return kept  # a later round was opened since: its decision follows, and takes this one back by itself
    kept = as_committed(kept, row)
    last = kept.last
    if last.number < row.round:
        last = _opened_there(node, sent.case, last, row)
        kept = msgspec.structs.replace(kept, rounds=(*kept.rounds, last))
    if decision_commitment(plan, sent, last.file) != row.decision:
        raise Conflict("claims.commitment", "the decision is not the one that was committed")
    step = recomputed(plan, sent, last.file, last.received, tables)
    if not step and unhonoured(node, sender, read_decision(sent)):
        step = "authorisation"  # facts that leave out an approval agree with themselves
    if not step and not _on_its_day(node, sent, row):
        step = "decided"  # the day of payment, which interest runs to, is another than the ledger's
    done = msgspec.structs.replace(last, decided=sent, difference=step, plan=digest("salus/v1/claims-plan", plan))
    return msgspec.structs.replace(kept, rounds=(*kept.rounds[:-1], done))


def miscounts(
    node: MemberNode,
    case: bytes,
    kept: Dossier,
    plan: Plan,
    *,
    tables: Mapping[str, Table],
    fresh: Mapping[bytes, Dossier],
) -> bool:
    """Tell whether the newest decision of a case counts other lines of the day than this provider's own claims have.

    `fresh`: dossiers newer than those kept. `tables`: the provider's own, by digest; of others the payer's rows are believed.
    """
    sent = kept.last.decided
    if sent is None or not counts(plan):
        return False
    decision, facts = read_decision(sent), read_facts(sent)
    families = [family_of(decision.claim.subscriber.member)]
    others = [
        _own_case(node, other, fresh.get(other, one))
        for other, one in sent_or_decided(node, families, payer_side=False)
        if other != case and one.other == kept.other
    ]

    def rows(claim: Claim, facts: Facts, lines: tuple[DayLine, ...]) -> tuple[TableEdits, ...]:
        return rows_of(plan, claim, facts.edits, tables, lines)

    return miscounted(plan, decision, facts, others, rows)


def _own_case(node: MemberNode, case: bytes, kept: Dossier) -> OwnCase:
    last = kept.last
    decided = tuple(read_decision(one.decided) for one in kept.rounds if one.decided is not None)
    if last.decided is None:
        return OwnCase(decided, None, documents.claim_in(last.file, last.received or day_now(node)))
    settled = row_of(node, case).round == last.number
    return OwnCase(decided, read_facts(last.decided) if settled else None, None)


def decided_at(node: MemberNode, case: bytes, row: port.Case) -> int:
    """Return the height of the block that committed the decision of a case, decided or remitted."""
    before = port.case(node.ledger.read(row.height - 1), case) if row.status is port.CaseStatus.REMITTED else None
    return (before or row).height


def _on_its_day(node: MemberNode, sent: SentDecision, row: port.Case) -> bool:
    """Tell whether a decision names the day of the block that committed it, or the day before: a run may cross midnight."""
    day = node.ledger.store.header(decided_at(node, sent.case, row)).time // DAY_MS
    return read_facts(sent).decided in {date_of(day), date_of(day - 1)}


def _opened_there(node: MemberNode, case: bytes, last: Round, row: port.Case) -> Round:
    """Return a round that the payer opened, or the patient: the claim as it was, or as its first payer decided it anew."""
    for _, body in node.desk.claim_states(f"followed/{case.hex()}/"):
        again = decode(body, SentAgain)
        if submission_commitment(again.key, again.file) == row.submission:
            return Round(again.file, again.key, again.day, row.round, "correction", told=True)
    return Round(last.file, b"", last.received, row.round, "correction")


def as_committed(kept: Dossier, row: port.Case) -> Dossier:
    """Drop a round that was prepared here while another opened one of the same number."""
    rounds = tuple(
        one for one in kept.rounds if one.number < row.round or not one.key or committed_as(one) == row.submission
    )
    return msgspec.structs.replace(kept, rounds=rounds)


def recomputed(
    plan: bytes, sent: SentDecision, file: bytes, received: str, tables: Mapping[str, Table] = NO_TABLES
) -> str:
    """Return where an own computation parts from a decision: a step, `received` for another day; empty if nowhere.

    Raises Malformed.
    """
    theirs = read_decision(sent)
    if read_facts(sent).received != received:
        return "received"
    return first_difference(made_again(plan, sent, file, tables), theirs)


def read_decision(sent: SentDecision) -> Decision:
    """Return a decision as it was sent. Raises Malformed."""
    try:
        return msgspec.msgpack.decode(sent.decision, type=Decision)
    except msgspec.DecodeError as error:
        raise Malformed("claims.decision", "the decision does not decode") from error


def read_facts(sent: SentDecision) -> Facts:
    """Return the facts of a decision as they were sent. Raises Malformed."""
    try:
        return msgspec.msgpack.decode(sent.facts, type=Facts)
    except msgspec.DecodeError as error:
        raise Malformed("claims.decision", "the decision's facts do not decode") from error


def plan_in(document: bytes) -> Plan:
    """Return a plan as it was sent. Raises Malformed."""
    try:
        return read_plan(document)
    except DocumentRefused as error:
        raise Malformed("claims.decision", "the decision's documents do not decode") from error


def made_again(plan: bytes, sent: SentDecision, file: bytes, tables: Mapping[str, Table] = NO_TABLES) -> Decision:
    """Return the decision that plan, rates and facts as sent give for the claim in `file`. Raises Malformed.

    `tables`, one's own by digest, take the place of the rows of them that were sent.
    """
    facts, document = read_facts(sent), plan_in(plan)
    if not (is_date(facts.received) and is_date(facts.decided)):
        raise Malformed("claims.decision", "the facts name a day that the calendar lacks", expected="CCYYMMDD")
    try:
        rates = read_rates(sent.rates)
    except DocumentRefused as error:
        raise Malformed("claims.decision", "the decision's documents do not decode") from error
    (claim,) = sound_claims([file], facts.received, None)  # its codes were judged at the payer's door
    payer = document.payer
    own = next((one for one in rates if one.provider == claim.billing.identifier and one.payer == payer), None)
    if tables:
        rows = rows_of(document, claim, facts.edits, tables, facts.same_day)
        contract = own if facts.provider == "contracted" else None
        prices = prices_of(document, claim, contract, tables, facts.schedules)
        facts = msgspec.structs.replace(facts, edits=rows, schedules=prices)
    return decide(claim, document, own, facts)


def take_remittance(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take an 835 for cases that the sender has decided. Raises Malformed, Forbidden, NotFound."""
    sent = open_document(node, sender, REMITTANCE, envelope, SentRemittance, code=UNOPENED)
    node.wait_for(sent.height)
    name = digest("salus/v1/claims-835", sent.file).hex()
    with node.claiming:
        kept = [(case, dossier_of(node, case)) for case in sent.cases]
        for case, _ in kept:
            row = row_of(node, case)
            if row.payer != sender or row.provider != node.member or not row.decision:
                raise Forbidden("claims.remittance", "a case is not the sender's, or not remitted")
        paid = [(case, remitted(dossier, name)) for case, dossier in kept]
        batch = Batch(sender, sent.cases, sent.file, sent=True)
        early = {PAID_BEFORE + case.hex(): name.encode() for case, one in paid if one.last.decided is None}
        keep(node, paid, {f"835/{name}": encode(batch), **early})


def take_refusal(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Keep why a case was refused. Raises Malformed, Forbidden, NotFound."""
    sent = open_document(node, sender, REFUSAL, envelope, SentRefusal, code=UNOPENED)
    _of_provider(node, sender, sent.case, sent.height)
    node.desk.keep_claims(
        [], [(f"refused/{sent.case.hex()}", sent.file), (f"refused-by/{sent.case.hex()}", sent.codes.encode())]
    )


def take_question(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Keep what a case waits for. Raises Malformed, Forbidden, NotFound."""
    sent = open_document(node, sender, QUESTION, envelope, SentQuestion, code=UNOPENED)
    _of_provider(node, sender, sent.case, sent.height)
    node.desk.keep_claims([], [(f"question/{sent.case.hex()}", sent.question.encode())])


def _of_provider(node: MemberNode, payer: str, case: bytes, height: int) -> None:
    node.wait_for(height)
    if row_of(node, case).payer != payer or dossier_of(node, case).payer_side:
        raise Forbidden("claims.payer", "the case is another payer's")


def remitted(dossier: Dossier, name: str) -> Dossier:
    """Note an 835 in every round that is decided and was not remitted yet."""
    rounds = tuple(
        msgspec.structs.replace(one, remittance=name) if one.decided is not None and not one.remittance else one
        for one in dossier.rounds
    )
    return msgspec.structs.replace(dossier, rounds=rounds)


def parts(items: Sequence[T], most: int = MOST) -> list[Sequence[T]]:
    """Cut what is sent into documents of at most so many cases."""
    return [items[start : start + most] for start in range(0, len(items), most)]
