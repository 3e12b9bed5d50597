"""A payer's side of what a patient asks and tells about claims: appeal keys, appeals, notices of a double bill.

claim-keys    instruction → the one-time keys that may appeal the patient's latest decisions, sealed to the wallet
claim-notice  instruction → kept in the case's dossier: a person at the payer sees it
claim-appeal  delivery, through any member → the statement of an appeal that the ledger holds, opened against it
"""

from typing import Final, TypeVar

import msgspec

from salus.agreements.claims.decision import Decision
from salus.contracts.claims import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.node.claims.dossiers import Dossier, Round, dossier_of, keep_come, kept_cases
from salus.node.claims.exchange import appeal_commitment, as_committed, read_decision, row_of
from salus.node.claims.sealed_answers import receive_key_in, seal_answer
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.patient.messages import SealedAnswer
from salus.vault.envelope import context_of, open_envelope
from salus.vault.errors import EnvelopeRefused

APPEAL: Final = "claim-appeal"
KEYS: Final = "claim-keys"
MAX_STATEMENT: Final = 4_000
MAX_NOTICES: Final = 20  # of one case: beyond this a person has been told often enough
V = TypeVar("V", bound=Value)
_OPEN: Final = (port.CaseStatus.DECIDED, port.CaseStatus.REMITTED)


class AppealKey(Value, frozen=True):
    """What appeals one decision."""

    control: str
    """The payer's number of the claim, as its EOB has it."""
    case: bytes
    seed: bytes
    """32 bytes of the one-time Ed25519 key."""


class AppealKeys(Value, frozen=True):
    """All keys of one patient."""

    keys: tuple[AppealKey, ...]


class Notice(Value, frozen=True):
    """Action `claim-notice`: tells the payer of a claim what its patient found."""

    control: str
    words: str


class Noted(Value, frozen=True):
    """The notice is kept."""


class SentAppeal(Value, frozen=True):
    """An appeal's statement, in an envelope signed by the appeal key."""

    height: int
    case: bytes
    key: bytes
    """32 random bytes that open the commitment."""
    statement: str


def tell_keys(node: MemberNode, link: bytes, argument: bytes) -> SealedAnswer:
    """Hand the patient of a link the keys that may appeal the latest decisions. Raises Malformed."""
    receive = receive_key_in(argument)
    keys = [
        AppealKey(decision.control, case, kept.last.appeal_seed)
        for case, kept, decision in _of_link(node, link)
        if row_of(node, case).status in _OPEN and row_of(node, case).round == kept.last.number
    ]
    return seal_answer(node, KEYS, receive, AppealKeys(tuple(keys)))


def take_notice(node: MemberNode, link: bytes, argument: bytes) -> Noted:
    """Keep a patient's notice with the case that it is about. Raises NotFound, Malformed."""
    notice = _read(argument, Notice)
    if len(notice.words) > MAX_STATEMENT:
        raise Malformed("claims.notice", "the notice is too long", expected=f"at most {MAX_STATEMENT} characters")
    with node.claiming:
        for case, kept, decision in _of_link(node, link):
            if decision.control == notice.control:
                told = tuple(dict.fromkeys((*kept.notices, f"notice: {notice.words}")))[:MAX_NOTICES]
                keep_come(node, [(case, msgspec.structs.replace(kept, notices=told))])
                return Noted()
    raise NotFound("claims.unknown", "no claim of this patient has the number")


def _of_link(node: MemberNode, link: bytes) -> list[tuple[bytes, Dossier, Decision]]:
    """Return the decided cases of one patient at this payer."""
    return [
        (case, kept, read_decision(kept.last.decided))
        for case, kept, _ in kept_cases(node, payer_side=True)
        if kept.link == link and kept.last.decided is not None
    ]


def take_appeal(node: MemberNode, _sender: str, envelope: bytes) -> None:
    """Take the statement of an appeal that the ledger holds. Raises Malformed, Forbidden, Conflict, NotFound."""
    try:
        author = context_of(envelope).sender
        context = node.context(APPEAL, context_of(envelope).object_id, author)
        sent = decode(open_envelope(envelope, context, key=node.receive_key, sender_key=author), SentAppeal)
    except (EnvelopeRefused, MalformedBytes) as error:
        raise Malformed("claims.envelope", "the appeal does not open", got=str(error)) from error
    node.wait_for(sent.height)
    with node.claiming:
        _appealed(node, sent)


def _appealed(node: MemberNode, sent: SentAppeal) -> None:
    kept, row = dossier_of(node, sent.case), row_of(node, sent.case)
    if not kept.payer_side:
        raise Forbidden("claims.payer", "the case is another payer's")
    if any(one.key == sent.key for one in kept.rounds):
        return
    if appeal_commitment(sent.key, sent.statement) != row.submission:
        raise Conflict("claims.commitment", "the statement is not the one that was committed")
    kept = as_committed(kept, row)
    last = kept.last
    again = Round(last.file, sent.key, last.received, row.round, "appeal", sent.statement)
    keep_come(node, [(sent.case, msgspec.structs.replace(kept, rounds=(*kept.rounds, again)))])


def _read(data: bytes, kind: type[V]) -> V:
    try:
        return decode(data, kind)
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error
