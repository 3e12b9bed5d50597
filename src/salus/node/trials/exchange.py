"""How members of a trial send each other sealed documents, and what each takes from whom."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from salus.agreements.trials.acts import Act, SignedAct, read_all
from salus.agreements.trials.payments import commitment
from salus.contracts.records.port import read_anchor
from salus.contracts.trials import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.core.proof.digest import mac
from salus.node.errors import Conflict, Forbidden, Malformed, Unavailable
from salus.node.exchange.delivery import Disclosing, Taker, deliver
from salus.node.exchange.documents import open_document, owed, seal_document
from salus.node.member import MemberNode
from salus.node.trials.anchors import content_of, proof_of
from salus.node.trials.kept import (
    ActProof,
    AskedOpening,
    Definition,
    Delegated,
    Draws,
    EnvelopeBatch,
    Evidence,
    KeptAct,
    KeyWords,
    KitBatch,
    KitGiven,
    OpeningPartial,
    PartialsBatch,
    Rows,
    SentActs,
    SentStatement,
    StratumKey,
    Supply,
    keep,
    keep_all,
    kept,
    site_key,
    statement_key,
)
from salus.node.trials.sight import block_time, plays, root_of, study_of
from salus.vault.errors import SealBroken
from salus.vault.served import Received, receive

UNOPENED: Final = "trials.envelope"
PREFIX: Final = "trial-"
ACTS: Final = PREFIX + "acts"
V = TypeVar("V", bound=Value)


def curve() -> None:
    """See that the extra with the curve is there. Raises Unavailable, which says what to install."""
    try:
        import py_arkworks_bls12381  # noqa: F401, PLC0415 -- the extra may not be installed
    except ImportError:
        raise Unavailable(
            "trials.extra", "the library of the curve is not installed", todo="install salus-health[trials]"
        ) from None


def send(node: MemberNode, receiver: str, kind: str, value: Value) -> None:
    """Seal a document to a member and send it until it is acknowledged; to oneself, take it. Raises NotFound."""
    name = PREFIX + kind
    envelope = seal_document(node, receiver, name, value)
    if receiver == node.member:
        TAKERS[name](node, node.member, envelope)
        return
    deliver(node, receiver, name, envelope)


def _taker(kind: str, type_: type[V], take: Callable[[MemberNode, str, V], None]) -> tuple[str, Taker]:
    name = PREFIX + kind

    def taker(node: MemberNode, sender: str, envelope: bytes) -> None:
        take(node, sender, open_document(node, sender, name, envelope, type_, code=UNOPENED))

    return name, taker


def _from(node: MemberNode, study: bytes, sender: str, *parts: port.Part) -> port.Roster:
    _, roster = study_of(node, study)
    if not plays(roster, sender, *parts):
        raise Forbidden("trials.sender", "this document is not that member's to send", got=sender)
    return roster


def _definition(node: MemberNode, sender: str, told: Definition) -> None:
    node.wait_for(told.height)
    _from(node, told.study, sender, port.Part.SPONSOR)
    version = port.version(node.ledger.read(), told.study, told.number)
    if version is None or version.package != root_of(told):
        raise Conflict("trials.package", "the definition is not the one committed to")
    keep(node, told.study + told.number.to_bytes(2, "big"), told)


def _key_words(node: MemberNode, sender: str, told: KeyWords) -> None:
    curve()
    from salus.node.trials.dealing import take_words  # noqa: PLC0415 -- the extra may not be installed

    take_words(node, sender, told)


def _supply(node: MemberNode, sender: str, told: Supply) -> None:
    _from(node, told.study, sender, port.Part.DISPENSER)
    keep(node, told.study, told)


def _stratum_key(node: MemberNode, sender: str, told: StratumKey) -> None:
    _from(node, told.study, sender, port.Part.DISPENSER)
    keep(node, told.study, told)


def _evidence(node: MemberNode, sender: str, told: Evidence) -> None:
    node.wait_for(told.height)
    row = port.enrolment(node.ledger.read(), told.enrolment)
    if row is None or row.site != sender or row.study != told.study:
        raise Forbidden("trials.sender", "the enrolment is not that member's", got=sender)
    keep(node, told.enrolment, told)


def _partials(node: MemberNode, sender: str, told: PartialsBatch) -> None:
    node.wait_for(told.height)
    _, roster = study_of(node, told.study)
    trustees = [trustee.member for trustee in roster.trustees]
    state = node.ledger.read()
    for one in told.partials:
        row = port.enrolment(state, one.enrolment)
        if row is None or row.study != told.study:
            raise Malformed("trials.no-event", "no enrolment on the ledger asks for these signatures", got=sender)
        if not 1 <= one.trustee <= len(trustees) or trustees[one.trustee - 1] != sender:
            raise Forbidden("trials.sender", "the signatures are not that trustee's", got=sender)
    keep_all(node, [(one.enrolment + bytes((one.trustee,)), one) for one in told.partials])


def _opening(node: MemberNode, sender: str, told: AskedOpening) -> None:
    """Take, as a trustee, which allocation an opening is of: only as the register's commitment says."""
    node.wait_for(told.height)
    row = port.opening(node.ledger.read(), told.case)
    if row is None or row.requester != sender or told.requester != sender or row.study != told.study:
        raise Forbidden("trials.sender", "the register has no such opening of that member", got=sender)
    if row.commitment != register_commitment(told.salt, told.enrolment, sender):
        raise Malformed("trials.other-opening", "the register's opening is of another allocation", got=sender)
    keep(node, told.case, told)


def _partial(node: MemberNode, sender: str, told: OpeningPartial) -> None:
    """Take a trustee's signature for an opening that this member asked for and the trustee agreed to."""
    node.wait_for(told.height)
    row = port.opening(node.ledger.read(), told.case)
    if row is None or row.requester != node.member or told.trustee not in row.granted:
        raise Malformed("trials.no-event", "no opening on the ledger asks for this signature", got=sender)
    _, roster = study_of(node, row.study)
    if roster.trustees[told.trustee - 1].member != sender:
        raise Forbidden("trials.sender", "the signature is not that trustee's", got=sender)
    keep(node, told.case + bytes((told.trustee,)), told)


def register_commitment(salt: bytes, enrolment: bytes, who: str) -> bytes:
    """Return what the register says of an opening: neither enrolment nor who can be told from it without the salt."""
    return mac(salt, "salus/v1/trial-opening", enrolment, who.encode("ascii"))


def _envelope(node: MemberNode, sender: str, told: EnvelopeBatch) -> None:
    _from(node, told.study, sender, port.Part.DISPENSER)
    keep_all(node, [(one.enrolment, one) for one in told.envelopes if one.study == told.study])


def _kit(node: MemberNode, sender: str, told: KitBatch) -> None:
    _from(node, told.study, sender, port.Part.DISPENSER)
    state = node.ledger.read()
    for one in told.kits:
        row = port.enrolment(state, one.enrolment)
        if row is None or row.site != node.member or row.study != told.study:
            raise Forbidden("trials.sender", "the enrolment is not of this site", got=sender)
        for _, before in kept(node, KitGiven, one.enrolment):
            if before.kit != one.kit:
                raise Conflict("trials.kit", "another kit was given for this enrolment", todo="give neither, call both")
    keep_all(node, [(one.enrolment, one) for one in told.kits])


def _anchored(node: MemberNode, sender: str, told: SentActs) -> dict[bytes, tuple[int, bytes]]:
    """Return (block time, transaction) by root of what the site anchored. Raises Malformed."""
    times: dict[bytes, tuple[int, bytes]] = {}
    for one in told.roots:
        outcome = node.ledger.outcome(one.tx_id)
        anchored = None if outcome is None or outcome.code or outcome.height is None else read_anchor(outcome.data)
        if outcome is None or outcome.height is None or anchored is None or anchored.submitter != sender:
            raise Malformed("trials.unanchored", "a root is not one that the site anchored", got=sender)
        times[anchored.root] = (block_time(node, outcome.height), one.tx_id)
    return times


def _verified(
    sender: str, told: SentActs, times: Mapping[bytes, tuple[int, bytes]]
) -> list[tuple[Act, KeptAct, ActProof]]:
    opened: list[tuple[SignedAct, Received]] = []
    for served in told.records:
        try:
            received = receive(served)
            signed = decode(received.content.body, SignedAct)
        except (SealBroken, MalformedBytes) as error:
            raise Malformed("trials.record", "a record does not hold", got=sender) from error
        opened.append((signed, received))
    found = []
    acts = read_all([signed for signed, _ in opened])
    for served, (signed, received), act in zip(told.records, opened, acts, strict=True):
        if received.writer != sender or received.root not in times or act is None:
            raise Malformed("trials.record", "a record is not an act that the site anchored", got=sender)
        if (act.study, act.site, act.subject) != (told.study, sender, told.subject):
            raise Malformed("trials.record", "an act is of another chain", got=sender)
        if received.content != content_of(told.study, told.subject, act.number, signed):
            raise Malformed("trials.record", "an act is sealed in another form", got=sender)
        at, tx_id = times[received.root]
        found.append((act, KeptAct(signed.act, signed.signature, at), proof_of(served, received, tx_id)))
    return found


def _acts(node: MemberNode, sender: str, told: SentActs) -> None:
    """Take anchored acts: each record lies under a root that its site anchored on the own ledger."""
    node.wait_for(told.height)
    if port.site(node.ledger.read(), told.study, sender) is None:
        raise Forbidden("trials.sender", "the sender is no site of the study", got=sender)
    found = _verified(sender, told, _anchored(node, sender, told))
    begin = site_key(told.study, sender)
    keep(node, begin, Delegated(told.investigator, told.delegated))
    fresh: list[tuple[bytes, Value]] = []
    for act, told_act, proof in found:
        key = begin + told.subject + act.number.to_bytes(4, "big")
        for _, before in kept(node, KeptAct, key):
            if before.act != told_act.act:
                raise Conflict("trials.two-chains", "the site sent another act under this number before", got=sender)
        fresh.append((key, told_act))
        fresh += [(key, proof)] if told_act.signature else []
    keep_all(node, fresh)


def _rows(node: MemberNode, sender: str, told: Rows) -> None:
    node.wait_for(told.height)
    _from(node, told.study, sender, port.Part.STATISTICIAN)
    if not told.rows or not told.tables:
        raise Malformed("trials.rows", "a lock has rows and tables", got=sender)
    keep(node, told.study, told)


def _draws(node: MemberNode, sender: str, told: Draws) -> None:
    node.wait_for(told.height)
    _from(node, told.study, sender, port.Part.DISPENSER)
    study, _ = study_of(node, told.study)
    if study.status not in {port.StudyStatus.UNBLINDED, port.StudyStatus.ANALYSED, port.StudyStatus.REPORTED}:
        raise Forbidden("trials.blind", "draws are published after the unblinding", got=study.status.name)
    keep(node, told.study + sender.encode("ascii"), told)


def _statement(node: MemberNode, sender: str, told: SentStatement) -> None:
    """Take what a site is to be paid: only as the ledger commits to it, and its own."""
    node.wait_for(told.height)
    statement = told.statement
    row = port.payment(node.ledger.read(), statement.study, statement.site, statement.number)
    if row is None or statement.site != sender:
        raise Forbidden("trials.sender", "this statement is not that member's to send", got=sender)
    if row.commitment != commitment(statement, told.salt):
        raise Malformed("trials.statement", "the statement is not the one committed to", got=sender)
    keep(node, statement_key(statement), told)


TAKERS: Final[Mapping[str, Taker]] = dict(
    (
        _taker("definition", Definition, _definition),
        _taker("key-words", KeyWords, _key_words),
        _taker("supply", Supply, _supply),
        _taker("stratum-key", StratumKey, _stratum_key),
        _taker("evidence", Evidence, _evidence),
        _taker("partials", PartialsBatch, _partials),
        _taker("opening", AskedOpening, _opening),
        _taker("partial", OpeningPartial, _partial),
        _taker("envelope", EnvelopeBatch, _envelope),
        _taker("kit", KitBatch, _kit),
        _taker("rows", Rows, _rows),
        _taker("draws", Draws, _draws),
        _taker("statement", SentStatement, _statement),
        (ACTS, Disclosing(_taker("acts", SentActs, _acts)[1], owed(ACTS, SentActs, lambda _: 1, code=UNOPENED))),
    )
)
"""What is taken of trials, by kind of delivery."""
