"""The member's side of every question a wallet asks. What a wallet may ask is proven by what it signed, nothing else."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Final

from salus.agreements.grants import grant_id
from salus.contracts.claims.port import Appeal
from salus.contracts.consent.port import GRANTS, Grant, Revoke
from salus.contracts.membership import port as membership
from salus.contracts.records.port import RetentionReason
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.errors import SalusError
from salus.core.proof.digest import framed
from salus.core.proof.ed25519 import verify
from salus.engines.errors import NotKept
from salus.node import erasing, hosted
from salus.node.anchoring import commit, serving
from salus.node.claims import own_cells, restricting
from salus.node.claims import patients as claims
from salus.node.errors import Forbidden, Malformed, NotFound, Unauthenticated
from salus.node.exchange.delivery import deliver
from salus.node.exchange.grantee import GRANT_KIND
from salus.node.exchange.pull import Opening, Openings, Rooted, fitting
from salus.node.exchange.wire import Answer, refusal_of
from salus.node.member import MemberNode
from salus.node.patient import healthlinks, news, wishes
from salus.node.patient import messages as m
from salus.node.patient.proof import prove_member
from salus.node.patient.telling import line_of_patient, told_by_patient
from salus.node.research import patient as research
from salus.node.trials import offering as trials
from salus.vault.envelope import seal_envelope
from salus.vault.errors import EnvelopeRefused, Erased, Refused, UnknownLink, UnknownWallet
from salus.vault.journal import Line, Side

GRANT_BYTES: Final = 32
MAX_LINES: Final = 1_000
MAX_CHAIN: Final = 2_000  # openings of 200 bytes; each reads its record from disk
FRESH_MS: Final = 60_000
PROOF_SECONDS: Final = 10  # for a checkpoint that enough members cosigned: due after a second, a slow member's later
SENDABLE: Final = frozenset({GRANT_KIND, claims.APPEAL})


def _about(node: MemberNode, question: m.About) -> m.Member:
    return _member(node, node.member, question.pin)


def _find(node: MemberNode, question: m.Find) -> m.Member:
    return _member(node, question.member, question.pin)


def _member(node: MemberNode, id_: str, pin: int) -> m.Member:
    if pin <= node.ledger.head().log_size:  # anyone may ask this: a made-up size must not hold a thread
        _reach(node, pin)
    keys = node.keys_of(id_)
    row = membership.member(node.ledger.read(), id_)
    return m.Member(
        network=node.network,
        member=id_,
        name=row.name if row else id_,
        signing_key=keys.signing_key,
        receive_key=keys.receive_key,
        rounding=membership.parameters(node.ledger.read()).grant_rounding,
        proof=prove_member(node, id_),
    )


def _enrol(node: MemberNode, question: m.Enrol) -> m.Welcomed:
    try:
        welcome = node.vault.enrol(
            question.claim, network=node.network, receive=node.receive_key, sign=node.signing_key
        )
    except (EnvelopeRefused, Refused) as error:
        raise Forbidden("enrolment.refused", str(error), todo="ask for a new invitation") from error
    return m.Welcomed(welcome)


def _confirm(node: MemberNode, question: m.Confirm) -> m.Done:
    try:
        node.vault.confirm(question.link, question.signature)
    except Refused as error:
        raise Forbidden("enrolment.refused", str(error)) from error
    return m.Done()


def _instruct(node: MemberNode, question: m.Instruct) -> Value:
    """Carry out what a link key says."""
    try:
        instruction = node.vault.obey(question.signed, network=node.network)
    except Refused as error:
        if error.current:
            return m.Refusing(error.current)
        raise Forbidden("instruction.refused", str(error)) from error
    carry_out = _ACTIONS.get(instruction.action)
    if carry_out is None:
        raise Malformed("instruction.action", "no such action", expected=", ".join(sorted(_ACTIONS)))
    return carry_out(node, instruction.link, instruction.argument)


def _body(node: MemberNode, _link: bytes, argument: bytes) -> m.Built:
    asked = _argument(argument, m.BuildBody)
    message = _argument(asked.message, Grant | Revoke | Appeal)
    return m.Built(node.submitter.body(message, asked.author_key))


def _carry(node: MemberNode, _link: bytes, argument: bytes) -> m.Carried:
    asked = _argument(argument, m.Carry)
    outcome = node.submitter.carry(asked.body, asked.signature, (Grant, Revoke, Appeal))
    try:
        receipt = node.prover.receipt(outcome.tx_id, timeout=PROOF_SECONDS).encode()
    except NotKept:  # it is on the ledger, and not yet cosigned: the wallet is told just that
        receipt = b""
    return m.Carried(outcome.tx_id, outcome.height or 0, outcome.code, outcome.data, receipt)


def _grant_row(node: MemberNode, _link: bytes, argument: bytes) -> m.GrantRowShown:
    grant = _argument(argument, m.AskGrantRow).grant
    if len(grant) != GRANT_BYTES:
        raise Malformed("instruction.grant", "this is no grant id", expected=f"{GRANT_BYTES} bytes")
    shown = node.prover.row(GRANTS, grant)
    return m.GrantRowShown(shown.value or b"", shown.proof.encode())


def _send(node: MemberNode, _link: bytes, argument: bytes) -> m.Done:
    asked = _argument(argument, m.Send)
    if asked.kind not in SENDABLE:
        raise Malformed("instruction.kind", "this kind is not sent for wallets", expected=", ".join(SENDABLE))
    node.keys_of(asked.receiver)  # to nobody else is anything kept for sending
    deliver(node, asked.receiver, asked.kind, asked.body)
    return m.Done()


def _log(node: MemberNode, link: bytes, argument: bytes) -> m.Log:
    asked = _argument(argument, m.AskLog)
    return _told(node, node.vault.lines(Side.CUSTODIAN, link, asked.after, MAX_LINES), asked.pin)


def _reach(node: MemberNode, pin: int) -> bool:
    """Wait until a checkpoint here is as new as what a wallet knows; say whether it is. Before, it would prove nothing."""
    try:
        node.cosigning.covering(pin - 1, PROOF_SECONDS)
    except NotKept:  # this replica is behind, or the wallet's ledger is not this one
        return False
    return True


def _told(node: MemberNode, lines: Sequence[Line], pin: int) -> m.Log:
    told = tuple(_line(one) for one in lines)
    anchors = dict.fromkeys(one.tx_id for one in told if one.tx_id)
    receipts: list[tuple[bytes, bytes]] = []
    patience = float(PROOF_SECONDS) if not anchors or _reach(node, pin) else 0.0
    for tx_id in anchors:
        try:
            receipts.append((tx_id, node.prover.receipt(tx_id, timeout=patience).encode()))
        except NotKept:  # not cosigned yet: the line is told, and not proven
            patience = 0.0
    return m.Log(node.member, told, tuple(receipts))


def _line(one: Line) -> m.LogLine:
    if one.anchoring is None or one.place is None:
        return m.LogLine(one.number, one.line, one.salt, b"", b"", 0, 0, ())
    at, place = one.anchoring, one.place
    return m.LogLine(one.number, one.line, one.salt, at.root, at.tx_id, at.size, place.index, place.path)


def _chain(node: MemberNode, link: bytes, argument: bytes) -> m.Chain:
    found = node.vault.chain_of(link, _argument(argument, m.After).after, MAX_CHAIN)
    return m.Chain(tuple(found))


def _records(node: MemberNode, link: bytes, argument: bytes) -> m.OwnRecords:
    """Hand the patient the own records: journalled and committed like every serving, not asked twice."""
    asked = _argument(argument, m.Records)
    anchored = takewhile(lambda ref: node.vault.is_anchored(ref.number), node.vault.of_link(link, asked.after))
    refs = list(islice((ref for ref in anchored if not ref.withdrawn), m.MAX_RECORDS))  # only the end has none
    refs = refs[: fitting([size for _, size in node.vault.sizes([ref.number for ref in refs])])]
    id_ = node.entropy(16)
    try:
        pulled = node.vault.seal_for_pull([ref.number for ref in refs], retained=True)
        openings = Openings(tuple(Opening(one.data_key, one.salt) for one in pulled.records))
        envelope = seal_envelope(
            encode(openings), node.context(m.RECORDS_PURPOSE, id_), recipient=asked.receive, sign=node.signing_key
        )
    except Erased as error:
        raise Forbidden("records.closed", "the record is closed by an erasure") from error
    except EnvelopeRefused as error:
        raise Malformed("records.receive", "the receive key is none", expected="an X-Wing public key") from error
    if refs:
        own = line_of_patient(node, link, "export", (f"records {len(refs)}",))
        with serving(node, [own]) as entries:
            commit(node, entries)
    return m.OwnRecords(
        id_,
        tuple(one.without_keys() for one in pulled.records),
        tuple(Rooted(one.root, one.tx_id) for one in pulled.anchorings),
        envelope,
        refs[-1].sequence if refs else asked.after,
    )


def _erase(node: MemberNode, link: bytes, argument: bytes) -> m.ErasureOpened:
    duty = erasing.begin(node, link, _argument(argument, m.Erase).case)
    return m.ErasureOpened("", 0) if duty is None else m.ErasureOpened(duty.name, duty.until)


def _erasure_standing(node: MemberNode, link: bytes, argument: bytes) -> m.ErasureStanding:
    _argument(argument, m.AskErasureStanding)
    case, duty = erasing.newest(node, link)
    if case is None:
        return m.ErasureStanding("", 0, 0, 0, "", "", 0)
    row = case.row
    reason = RetentionReason(row.reason).name.lower().replace("_", "-") if row.reason else ""
    return m.ErasureStanding(
        status=row.status.name.lower(),
        opened=row.opened,
        earliest=row.earliest,
        due=row.due,
        reason=reason,
        duty=duty.name if duty else "",
        until=duty.until if duty else 0,
    )


def _revoke(node: MemberNode, link: bytes, argument: bytes) -> m.Done:
    """Stop a grant at this custodian, at once and for good, whatever becomes of the ledger."""
    grant = _argument(argument, m.StopHere).grant
    if len(grant) != GRANT_BYTES:
        raise Malformed("instruction.grant", "this is no grant id", expected=f"{GRANT_BYTES} bytes")
    if node.desk.stop(link, grant, node.now()):
        told_by_patient(node, link, "revoke", grant)
    return m.Done()


def _publish(node: MemberNode, question: m.Publish) -> m.Done:
    try:
        node.vault.publish_certificate(question.link, question.certificate)
    except (Refused, UnknownLink):  # in the same words: a stranger must not learn whether the link exists
        raise Forbidden("certificate.refused", "this is not the revocation certificate of a link here") from None
    told_by_patient(node, question.link, "revoke-key", b"")
    return m.Done()


def _ask_grantee(node: MemberNode, question: m.AskGrantee) -> Value:
    """Carry out what a grant's one-time key says to its grantee."""
    said = _argument(question.data, m.GrantSigned)
    if not verify(said.author, framed(m.GRANT_LABEL, (question.data,)), question.signature):
        raise Unauthenticated("grant.signature", "the instruction is not signed with the grant's key")
    if said.member != node.member or abs(said.time - node.now()) > FRESH_MS:
        raise Unauthenticated("grant.instruction", "the instruction is for another member or another minute")
    grant = grant_id(said.author)
    if not node.desk.held(grant):
        raise NotFound("grant.not-held", "this member holds no such grant")
    if said.action == "log":
        asked = _argument(said.argument, m.AskLog)
        return _told(node, node.vault.lines(Side.GRANTEE, grant, asked.after, MAX_LINES), asked.pin)
    if said.action == "erase":
        erasing.begin_lease(node, grant, _argument(said.argument, m.Erase).case)
        return m.Done()
    raise Malformed("instruction.action", "no such action", expected="log, erase")


def _keep(node: MemberNode, question: m.Keep) -> Value:
    try:
        instruction = node.vault.obey(question.enrolled, network=node.network)
        if instruction.action != "keep" or instruction.argument != question.locator:
            raise Forbidden("wallet.refused", "the instruction is not about this file")
        node.vault.put_wallet(
            question.locator,
            question.write_key,
            question.version,
            file=question.file,
            signature=question.signature,
            link=instruction.link,
        )
    except Refused as error:
        if error.current:
            return m.Refusing(error.current)
        raise Forbidden("wallet.refused", str(error)) from error
    return m.Done()


def _return(node: MemberNode, question: m.Return) -> m.Returned:
    try:
        return m.Returned(*node.vault.get_wallet(question.locator))
    except UnknownWallet:
        return m.Returned(0, b"")


def _argument(data: bytes, kind: Any) -> Any:
    try:
        return decode(data, kind)
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error


_ACTIONS: Final[Mapping[str, Callable[[MemberNode, bytes, bytes], Value]]] = {
    "body": _body,
    "carry": _carry,
    "grant-row": _grant_row,
    "send": _send,
    "log": _log,
    "chain": _chain,
    "records": _records,
    "erase": _erase,
    "erasure-standing": _erasure_standing,
    "revoke": _revoke,
    "claim-keys": claims.tell_keys,
    "claim-notice": claims.take_notice,
    own_cells.CELLS: own_cells.tell_cells,
    "claim-self-pay": restricting.take_self_pay,
    "preview": wishes.preview,
    "correct": wishes.correct,
    "corrections": wishes.corrections,
    "trial-consent": trials.take_wallet_consent,
    "trial-withdraw": trials.take_withdrawal,
    "hosted": hosted.take,
    "health-link": healthlinks.keep,
    "health-links": healthlinks.links,
    "end-health-link": healthlinks.end,
    "research-choose": research.choose,
    "research-notices": research.notices,
    "research-object": research.object_,
    "research-where": research.where,
}
_ROUTES: Final[Mapping[str, tuple[type[Value], Callable[[MemberNode, Any], Value]]]] = {
    m.ABOUT: (m.About, _about),
    m.FIND: (m.Find, _find),
    m.NEWS: (m.AskNews, news.tell),
    m.ENROL: (m.Enrol, _enrol),
    m.CONFIRM: (m.Confirm, _confirm),
    m.INSTRUCT: (m.Instruct, _instruct),
    m.GRANT: (m.AskGrantee, _ask_grantee),
    m.KEEP: (m.Keep, _keep),
    m.RETURN: (m.Return, _return),
    m.CERTIFICATE: (m.Publish, _publish),
}
PATHS: Final = tuple(_ROUTES)


def answer(node: MemberNode, path: str, body: bytes) -> Answer:
    """Answer a wallet. A refusal is an answer too."""
    try:
        if path not in _ROUTES:
            raise NotFound("patient.no-route", "nothing is here")
        kind, handle = _ROUTES[path]
        return Answer(200, encode(handle(node, _argument(body, kind))))
    except SalusError as error:
        return refusal_of(error)
