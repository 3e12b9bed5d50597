"""What provider and payer send each other of a claim, and how each takes it: sealed, opened against the ledger.

claim        provider → payer    the 837, with the salt and key that open its case's address and commitment
decision     payer → provider    plan, the provider's rates, facts and decision, with the key of their commitment
remittance   payer → provider    the 835 of decided cases
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import RULES_VERSION, Decision, Facts
from salus.agreements.claims.plan import DocumentRefused, read_plan
from salus.agreements.claims.rates import read_rates
from salus.agreements.claims.recompute import first_difference
from salus.contracts.claims import port
from salus.core.encoding import MalformedBytes, Value, encode
from salus.core.encoding import decode as decode_value
from salus.core.proof.digest import mac
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.exchange.delivery import Taker, deliver
from salus.node.member import MemberNode
from salus.vault.envelope import context_of, open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused

CLAIM: Final = "claim"
DECISION: Final = "claim-decision"
REMITTANCE: Final = "claim-remittance"
V = TypeVar("V", bound=Value)


class SentClaim(Value, frozen=True):
    """A claim on its way to the payer."""

    case: bytes
    salt: bytes
    key: bytes
    height: int
    """Height of the block that committed it."""
    file: bytes
    """The 837."""


class SentDecision(Value, frozen=True):
    """A decision with all that the provider needs to make it again."""

    case: bytes
    key: bytes
    height: int
    plan: bytes
    rates: bytes
    """JSON list with the provider's own document, or empty list."""
    facts: bytes
    decision: bytes


class SentRemittance(Value, frozen=True):
    """An 835 and the cases it pays or denies."""

    cases: tuple[bytes, ...]
    height: int
    file: bytes


class Dossier(Value, frozen=True):
    """What one party keeps of a case until it is closed."""

    payer_side: bool
    other: str
    """Member id of the other party."""
    link: bytes
    """The provider's link of the patient; empty at the payer until decided."""
    salt: bytes
    key: bytes
    file: bytes
    decided: SentDecision | None = None
    appeal_seed: bytes = b""
    """Payer: the one-time key of the decision's appeal, until the patient has it."""
    difference: str = ""
    """Provider: the step at which its own recomputation parts, or empty."""
    remittance: bytes = b""
    """The 835."""
    sent: bool = False
    """Payer: whether the 835 is in the outbox."""


def submission_commitment(key: bytes, file: bytes) -> bytes:
    """Return the commitment to a claim's bytes under a random 32-byte key."""
    return mac(key, "salus/v1/claims-submission", file)


def decision_commitment(sent: SentDecision, file: bytes) -> bytes:
    """Return the commitment over plan, rates, input, facts, output and rules version."""
    fields = (sent.plan, sent.rates, file, sent.facts, sent.decision, RULES_VERSION.encode())
    return mac(sent.key, "salus/v1/claims-decision", *fields)


def seal_and_deliver(node: MemberNode, receiver: str, kind: str, value: Value) -> None:
    """Seal a document to a member and send it until it is acknowledged. Raises NotFound for a stranger."""
    object_id = node.entropy(16)
    envelope = seal_envelope(
        encode(value),
        node.context(kind, object_id),
        recipient=node.keys_of(receiver).receive_key,
        sign=node.signing_key,
    )
    deliver(node, receiver, kind, envelope)


def _opened(node: MemberNode, sender: str, kind: str, envelope: bytes, type_: type[V]) -> V:
    try:
        context = node.context(kind, context_of(envelope).object_id, sender)
        sender_key = node.keys_of(sender).signing_key
        return decode_value(open_envelope(envelope, context, key=node.receive_key, sender_key=sender_key), type_)
    except (EnvelopeRefused, MalformedBytes) as error:
        raise Malformed("claims.envelope", "the document does not open", got=str(error)) from error


def row_of(node: MemberNode, case: bytes) -> port.Case:
    """Return a case as the own replica has it. Raises NotFound."""
    row = port.case(node.ledger.read(), case)
    if row is None:
        raise NotFound("claims.no-case", "the ledger has no such case", got=case.hex())
    return row


def dossier_of(node: MemberNode, case: bytes) -> Dossier:
    """Return what this member keeps of a case. Raises NotFound."""
    found = node.desk.claims(case)
    if not found:
        raise NotFound("claims.unknown", "this member keeps no such case", got=case.hex())
    return decode_value(found[0][1], Dossier)


def take_claim(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a claim that opens to its case: address, provider and commitment. Raises Malformed, Forbidden, NotFound."""
    sent = _opened(node, sender, CLAIM, envelope, SentClaim)
    node.wait_for(sent.height)
    row = row_of(node, sent.case)
    addressed = port.payer_digest(sent.salt, sent.case, node.member) == row.payer_digest
    if not addressed or row.provider != sender:
        raise Forbidden("claims.address", "the case is not the sender's or not addressed here")
    if submission_commitment(sent.key, sent.file) != row.submission:
        raise Conflict("claims.commitment", "the claim is not the one that was committed")
    if not node.desk.claims(sent.case):
        node.desk.keep_claim(sent.case, encode(Dossier(True, sender, b"", sent.salt, sent.key, sent.file)))


def take_decision(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take a decision that opens to its commitment, and make it again. Raises Malformed, Forbidden, Conflict."""
    sent = _opened(node, sender, DECISION, envelope, SentDecision)
    node.wait_for(sent.height)
    kept, row = dossier_of(node, sent.case), row_of(node, sent.case)
    if row.payer != sender or kept.payer_side:
        raise Forbidden("claims.payer", "the case is another payer's")
    if decision_commitment(sent, kept.file) != row.decision:
        raise Conflict("claims.commitment", "the decision is not the one that was committed")
    step = recomputed(sent, kept.file)
    node.desk.keep_claim(sent.case, encode(msgspec.structs.replace(kept, decided=sent, difference=step)))


def recomputed(sent: SentDecision, file: bytes) -> str:
    """Return the step at which an own computation parts from a decision; empty if it is the same. Raises Malformed."""
    theirs = read_decision(sent)
    return first_difference(made_again(sent, file), theirs)


def read_decision(sent: SentDecision) -> Decision:
    """Return a decision as it was sent. Raises Malformed."""
    try:
        return msgspec.msgpack.decode(sent.decision, type=Decision)
    except msgspec.DecodeError as error:
        raise Malformed("claims.decision", "the decision does not decode") from error


def made_again(sent: SentDecision, file: bytes) -> Decision:
    """Return the decision that plan, rates and facts as sent give for the claim in `file`. Raises Malformed."""
    try:
        facts = msgspec.msgpack.decode(sent.facts, type=Facts)
        plan, rates = read_plan(sent.plan), read_rates(sent.rates)
    except (msgspec.DecodeError, DocumentRefused) as error:
        raise Malformed("claims.decision", "the decision's documents do not decode") from error
    (claim,) = sound_claims([file], facts.received)
    own = next((one for one in rates if one.provider == claim.billing.identifier and one.payer == plan.payer), None)
    return decide(claim, plan, own, facts)


def take_remittance(node: MemberNode, sender: str, envelope: bytes) -> None:
    """Take an 835 for cases that the sender has decided. Raises Malformed, Forbidden, NotFound."""
    sent = _opened(node, sender, REMITTANCE, envelope, SentRemittance)
    node.wait_for(sent.height)
    kept = [(case, dossier_of(node, case)) for case in sent.cases]
    for case, _ in kept:
        row = row_of(node, case)
        if row.payer != sender or row.provider != node.member or row.status is not port.CaseStatus.REMITTED:
            raise Forbidden("claims.remittance", "a case is not the sender's, or not remitted")
    for case, dossier in kept:
        node.desk.keep_claim(case, encode(msgspec.structs.replace(dossier, remittance=sent.file)))


def kept_cases(node: MemberNode, *, payer_side: bool | None = None) -> Sequence[tuple[bytes, Dossier, int]]:
    """Return (case id, dossier, number) in the order in which the cases came, of one side or of both."""
    found = [(case, decode_value(body, Dossier), number) for case, body, number in node.desk.claims()]
    return [one for one in found if payer_side is None or one[1].payer_side is payer_side]


TAKERS: Final[Mapping[str, Taker]] = {CLAIM: take_claim, DECISION: take_decision, REMITTANCE: take_remittance}
"""What is taken of claims, by kind of delivery."""
