"""Emergency access: committed first, for one patient, answered once by each custodian asked, reviewed within 72 hours.

    request     msgpack [format, network, member, custodians, patient, purpose, reason, credential, id, time]
    commitment  mac(salt, "salus/v1/emergency", request), in the ledger row whose id is that of its transaction

A custodian answers with what its emergency summary is made of, from what it wrote itself. Care never stops because
consensus does: a member that tried five seconds in vain to commit asks all the same, marked deferred, and both sides
commit when the ledger is back. Every organisation asked learns of the emergency.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec import structs

from salus.agreements.consent.decide import Asker, Provision
from salus.contracts.records.port import (
    Emergency,
    EmergencyStatus,
    OpenEmergency,
    RecordsReason,
    ReviewEmergency,
    emergencies,
    emergency,
)
from salus.contracts.trials.port import OpenAllocation, opening
from salus.core.encoding import MalformedBytes, Message, Value, decode, encode
from salus.core.proof.digest import digest, mac
from salus.index.index import Choice, Line
from salus.interop.fhir.sensitivity import Sensitivity
from salus.node.anchoring import anchor, serving
from salus.node.desk import EmergencyKept
from salus.node.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
    reason_name,
)
from salus.node.exchange.custodian import Answered, sealed_answer
from salus.node.exchange.derived import derived_id
from salus.node.exchange.grantee import Asked, verify_answer
from salus.node.exchange.pull import Pulled, answer_digest
from salus.node.exchange.wire import RemoteRefusal
from salus.node.member import MemberNode
from salus.node.notices import EMERGENCY_READ, notify
from salus.node.people import PersonClaims, claims_of
from salus.node.submitting import LIFE_MS
from salus.vault.errors import VaultError
from salus.vault.journal import Disclosure, Side
from salus.vault.links import LinkKind, Standing
from salus.vault.sealing import Content
from salus.vault.served import Received

FORMAT: Final = 1
PATH: Final = "/exchange/emergency"
LABEL: Final = "salus/v1/emergency"
DEFERRABLE: Final[Any] = OpenEmergency | ReviewEmergency | OpenAllocation
"""What may be committed afterwards: an emergency of care and its review, an opening of a trial's allocation."""
PURPOSE: Final = "ETREAT"
REASONS: Final = ("unconscious", "life-threatening", "incapable", "other-danger")
"""Why no grant could be asked for: a structured reason, said in the patient's log."""
FRESH_MS: Final = 60 * 60 * 1000  # an emergency is answered within the hour, or it is none
COMES_MS: Final = 2 * LIFE_MS  # an opening sent before its review was kept commits earlier than this after it, or never
KEEP_MS: Final = 72 * 60 * 60 * 1000  # what was read is purged when its review is due
SECTIONS: Final = (
    ("Patient", "AllergyIntolerance"),
    ("Condition", "MedicationRequest", "MedicationStatement"),
    ("Immunization", "Device"),
    ("Procedure", "Observation", "DiagnosticReport"),
)
"""What an emergency summary is made of (the sections of the International Patient Summary): an old allergy before new results."""
BIRTH_DATE: Final = re.compile(r"(?:18|19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])")
MOST: Final = 200  # of each section the newest first: what a team reads in minutes
SHOWN: Final = frozenset({Sensitivity.GENERAL, Sensitivity.MEDICATION, Sensitivity.LABORATORY, Sensitivity.IMAGING})

_TERMS: Final = (Provision("policy.emergency", "permit", sensitivities=tuple(int(one) for one in sorted(SHOWN))),)
NOBODY: Final = "nobody here answers to that"
OTHERWISE: Final = "ask another member, or by another sign"


class Demographics(Value, frozen=True):
    """Who the patient is, as far as somebody can tell."""

    name: str
    birth_date: str
    """YYYY-MM-DD."""


class Request(Value, frozen=True):
    """What is committed to, and shown to those asked."""

    format: int
    network: bytes
    member: str
    custodians: tuple[str, ...]
    links: tuple[bytes, ...]
    """The custodians' link ids of the patient, in their order, from an emergency card; empty if there is none."""
    demographics: Demographics | None
    purpose: str
    reason: str
    credential: str
    """Person credential of who asks."""
    id: bytes
    time: int


class Ask(Value, frozen=True):
    """A request as a custodian sees it."""

    request: bytes
    salt: bytes
    emergency: bytes
    """Id of the ledger row; empty for a deferred one."""
    height: int
    """Height of its block; 0 for a deferred one."""


@dataclass(frozen=True, slots=True)
class Got:
    """What an emergency access brought."""

    id: bytes
    """Id of the ledger row, or of the request while it is deferred."""
    deferred: bool
    records: int
    custodians: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]


def open_access(
    node: MemberNode,
    custodians: Sequence[str],
    *,
    reason: str,
    credential: str,
    links: Sequence[bytes] = (),
    demographics: Demographics | None = None,
) -> Got:
    """Ask custodians for one patient's emergency records. Raises Malformed, Refused (the day's limit), Forbidden."""
    if reason not in REASONS:
        raise Malformed("emergency.reason", "no such reason", expected=", ".join(REASONS), got=reason)
    if not custodians or (demographics is None) == (not links) or (links and len(links) != len(custodians)):
        raise Malformed("emergency.patient", "one patient, by card or by name and birth date, at some members")
    claims_of(credential, node.member, node.signing_keys(node.member), node.now())
    request = Request(
        format=FORMAT,
        network=node.network,
        member=node.member,
        custodians=tuple(custodians),
        links=tuple(links),
        demographics=demographics,
        purpose=PURPOSE,
        reason=reason,
        credential=credential,
        id=node.entropy(16),
        time=node.now(),
    )
    data, salt = encode(request), node.entropy(32)
    commitment = mac(salt, LABEL, data)
    try:
        outcome = node.submitter.submit(OpenEmergency(commitment=commitment, deferred=False))
        row, height = outcome.tx_id, outcome.height or 0
    except Unavailable:
        row, height = b"", 0
        node.desk.defer(encode(OpenEmergency(commitment=commitment, deferred=True)), node.now())
    id_ = row or commitment
    node.desk.keep_emergency(EmergencyKept(id_, data, node.now(), None, None))
    got, failures, count = [], [], 0
    for custodian in custodians:
        try:
            count += _ask(node, custodian, Ask(data, salt, row, height), request, id_)
            got.append(custodian)
        except (Unavailable, Malformed, RemoteRefusal) as error:
            failures.append((custodian, error.code))
    return Got(id_, not row, count, tuple(got), tuple(failures))


def _ask(node: MemberNode, custodian: str, ask: Ask, request: Request, id_: bytes) -> int:
    """Ask one custodian, verify and keep its answer; return how many records came."""
    pulled = node.peers.ask(custodian, PATH, ask, Pulled)
    _, received = verify_answer(node, Asked(custodian, id_, request.id, ask, ask.height, may_defer=True), pulled)
    _keep(node, id_, custodian, request, received)
    return len(received)


def _keep(node: MemberNode, id_: bytes, custodian: str, request: Request, received: list[Received]) -> None:
    counts = Counter(one.content.type for one in received)
    claims = claims_of(request.credential, node.member, node.signing_keys(node.member), node.now())
    told = Disclosure(
        side=Side.GRANTEE,
        subject=id_,
        member=custodian,
        person=claims.sub,
        role=claims.role,
        purpose=request.purpose,
        action="emergency",
        what=(f"reason {request.reason}", *(f"{name} {count}" for name, count in sorted(counts.items()))),
        grant=id_,
    )
    node.vault.journal([told])
    lease = node.vault.open_lease(id_)
    contents = [
        Content(
            one.content.type,
            derived_id(one.writer, one.content.type, one.content.id),
            one.content.body,
            one.content.media,
            one.content.kind,
            one.leaf,
        )
        for one in received
    ]
    node.vault.write(lease, contents)
    node.catch_up()
    node.index.hide(lease, hidden=False)


# The custodian's side ------------------------------------------------------------------------------------------------


def answer(node: MemberNode, sender: str, body: bytes) -> Pulled:
    """Answer an emergency request of member `sender`, once. Raises Malformed, Forbidden, NotFound, Conflict."""
    try:
        ask = decode(body, Ask)
        request = decode(ask.request, Request)
    except MalformedBytes as error:
        raise Malformed("emergency.bytes", "the request does not decode", got=str(error)) from error
    commitment = mac(ask.salt, LABEL, ask.request)
    id_ = ask.emergency or commitment
    _check(node, sender, request, ask, commitment)
    if not node.desk.answer_emergency(id_, node.now()):
        raise Conflict("emergency.answered", "this emergency was answered here", todo="open another one")
    link = _link_of(node, request)
    claims = claims_of(request.credential, sender, node.signing_keys(sender), node.now())
    numbers = _summary(node, link, sender, claims)
    sealed = node.vault.seal_for_pull(numbers)
    counts = Counter(type_ for type_, _ in node.vault.sizes(numbers))
    told = Disclosure(
        side=Side.CUSTODIAN,
        subject=link,
        member=sender,
        person=claims.sub,
        role=claims.role,
        purpose=request.purpose,
        action="emergency",
        what=(f"reason {request.reason}", *(f"{name} {count}" for name, count in sorted(counts.items()))),
        grant=id_,
        deferred=not ask.emergency,
        answer=answer_digest(ask, node.member, sender, [one.leaf for one in sealed.records]),
    )
    with serving(node, [told]) as (entry,):
        notify(node, link, EMERGENCY_READ)
        with contextlib.suppress(Unavailable):  # care does not wait: it is anchored, deferred, when the ledger is back
            anchor(node)
        return sealed_answer(node, Answered(sender, id_, request.id), sealed, node.vault.line(entry))


def _check(node: MemberNode, sender: str, request: Request, ask: Ask, commitment: bytes) -> None:
    """Check that the request is the one committed to, and its sender's. Raises Malformed, Forbidden."""
    told = (request.format, request.network, request.member, request.purpose)
    if told != (FORMAT, node.network, sender, PURPOSE) or node.member not in request.custodians:
        raise Malformed("emergency.request", "the request is not of this network, sender, purpose or custodian")
    if (request.demographics is None) == (not request.links) or request.reason not in REASONS or len(ask.salt) != 32:
        raise Malformed("emergency.request", "the request names no one patient, or no reason")
    if request.links and len(request.links) != len(request.custodians):
        raise Malformed("emergency.request", "the request names no one patient at each custodian")
    if request.demographics is not None and not _tells_one(request.demographics):
        raise Malformed("emergency.patient", "a name and a whole birth date are needed", expected="YYYY-MM-DD")
    if abs(node.now() - request.time) > FRESH_MS:
        raise Forbidden("emergency.old", "the request is not of this hour", todo="open another one")
    claims = claims_of(request.credential, sender, node.signing_keys(sender), node.now())
    if request.purpose not in claims.purposes:
        raise Forbidden("emergency.purpose", "the person's credential is not for emergencies", expected=PURPOSE)
    if not ask.emergency:
        return
    node.wait_for(ask.height)
    row = emergency(node.ledger.read(), ask.emergency)
    if row is None or (row.submitter, row.commitment) != (sender, commitment):
        raise Forbidden("emergency.uncommitted", "the ledger holds no such emergency of this member")


def _tells_one(told: Demographics) -> bool:
    """Say whether a name and a whole date are given: parts of either would be a search, not a patient."""
    return bool(told.name.strip()) and BIRTH_DATE.fullmatch(told.birth_date) is not None


def _link_of(node: MemberNode, request: Request) -> bytes:
    """Return the link of the one patient. Raises NotFound, which says no more than that nobody answers to it."""
    nobody = NotFound("emergency.nobody", NOBODY, todo=OTHERWISE)
    if request.links:
        link = request.links[request.custodians.index(node.member)]
    else:
        told = request.demographics
        found = [] if told is None else node.index.find_patients(name=told.name, birth_date=told.birth_date, limit=2)
        if len(found) != 1:
            raise nobody
        link = found[0].link
    try:
        info = node.vault.link_info(link)
    except VaultError as error:
        raise nobody from error
    if info.kind is not LinkKind.PATIENT or info.standing is not Standing.OPEN:
        raise nobody
    return link


def _summary(node: MemberNode, link: bytes, sender: str, claims: PersonClaims) -> list[int]:
    """Return the numbers of what an emergency summary is made of: by section, newest first, of classes shown in an emergency.

    Of the patient's consents those bind that speak of emergencies. Raises NotFound where they hide the patient.
    """
    now = node.ledger_time()
    who = node.index.who(sender, claims.sub, home=False, at=now)
    asker = Asker(sender, claims.role, PURPOSE, now, who.names, "disclose", who.known)
    lines: list[Line] = []
    for types in SECTIONS:
        if len(lines) < MOST:
            lines += node.index.permitted(link, _TERMS, asker, Choice(types=types, limit=MOST - len(lines))).page.lines
    if not node.index.permitted(link, _TERMS, asker, Choice(types=("Patient",))).page.total:
        raise NotFound("emergency.nobody", NOBODY, todo=OTHERWISE)
    return [line.number for line in lines if node.vault.is_anchored(line.number)]


def opened_by(node: MemberNode, one: EmergencyKept) -> tuple[Request, PersonClaims] | None:
    """Return the request of an emergency access and who made it; None once what was read is purged, or the key was rotated."""
    try:
        request = decode(one.body, Request)
        return request, claims_of(request.credential, node.member, node.signing_keys(node.member), request.time)
    except (MalformedBytes, Unauthenticated):
        return None


# Afterwards ----------------------------------------------------------------------------------------------------------


def on_ledger(node: MemberNode, id_: bytes) -> list[tuple[bytes, Emergency]]:
    """Return (id, row) of an emergency access as the ledger has it: none while it waits, two after an answer that was lost."""
    state = node.ledger.read()
    row = emergency(state, id_)
    if row is not None:
        return [(id_, row)]
    return [found for found in emergencies(state) if (found[1].submitter, found[1].commitment) == (node.member, id_)]


def review(node: MemberNode, id_: bytes, findings: str) -> bool:
    """Keep the review of an emergency access and commit its digest; its text stays here. Return whether the ledger has it.

    It is kept first, and committed when the ledger is back: no answer that is lost leaves a digest without its text. The same
    review may be sent again. Raises NotFound, Conflict (another stands, or the ledger has not the access yet), Refused.
    """
    found = node.desk.emergencies(id_)
    if not found:
        raise NotFound("emergency.unknown", "this member opened no such emergency")
    if not on_ledger(node, id_):
        raise Conflict(
            "emergency.waiting", "the ledger has not this access yet", todo="review it when the ledger is back"
        )
    text, salt = findings.encode(), node.entropy(32)
    told = digest(LABEL + "/review", salt, text)
    message = encode(ReviewEmergency(emergency=id_, findings=told))
    standing = node.desk.keep_review(id_, salt + text, message, node.ledger_time())
    try:
        _commit_deferred(node)
    except Unavailable:
        committed = False
    except Refused:
        committed = all(row.status is EmergencyStatus.REVIEWED for _, row in on_ledger(node, id_))
        if not committed:
            raise  # of this review, or of what nobody knows: the others went on
    else:
        committed = True
    if standing[32:] != text:
        raise Conflict("emergency.reviewed", "it was reviewed before, and that review stands", got=id_.hex())
    return committed


def settle(node: MemberNode) -> int:
    """Commit what was deferred, purge what was read longer ago than its review is due; return how many cases moved.

    What is due is purged whatever comes of the ledger. Raises Unavailable, Refused.
    """
    try:
        moved = _commit_deferred(node)
    finally:
        purged = _purge(node)
    return moved + purged


def _purge(node: MemberNode) -> int:
    moved = 0
    for one in node.desk.emergencies():
        if one.purged is None and node.ledger_time() >= one.opened + KEEP_MS:
            lease = node.vault.open_lease(one.id)
            node.index.forget(lease)
            node.vault.erase_link(lease)
            node.desk.purged_emergency(one.id, node.now())
            moved += 1
    return moved


def _commit_deferred(node: MemberNode) -> int:
    """Commit what waits for the ledger, oldest first; return how much waits no more. Raises Unavailable, Refused.

    What is refused goes on waiting and keeps nothing behind it: the first refusal is raised when all others were tried.
    """
    settled, refused = 0, None
    for key, data, kept in node.desk.deferred():
        message = decode(data, DEFERRABLE)
        ended = node.ledger.head().time > kept + COMES_MS  # asked before the rows are read
        for one in _missing(node, message):
            try:
                node.submitter.submit(one)
            except Refused as error:
                if error.code != reason_name(RecordsReason.ALREADY_REVIEWED):
                    refused = refused or error
                    break
                # Only this member reviews it, and keeps one review: what the ledger has is this one, its answer was lost.
        else:
            if ended or not _comes_again(node, message):
                node.desk.settled(key)
                settled += 1
    if refused is not None:
        raise refused
    return settled


def _missing(node: MemberNode, message: Any) -> list[Message]:
    """Return what the ledger lacks of a message that waits: an opening may have been taken though the answer was lost.

    A review names the access as this member knows it, and is committed for each of its rows.
    """
    if isinstance(message, OpenAllocation):
        row = opening(node.ledger.read(), message.case)
        taken = row is not None and (row.requester, row.commitment) == (node.member, message.commitment)
        return [] if taken else [message]
    if isinstance(message, OpenEmergency):
        return [] if on_ledger(node, message.commitment) else [message]
    rows = on_ledger(node, message.emergency)
    if not rows:
        return [message]
    return [structs.replace(message, emergency=id_) for id_, row in rows if row.status is EmergencyStatus.OPEN]


def _comes_again(node: MemberNode, message: Any) -> bool:
    """Tell whether a review is of an access that is known by its commitment: an opening sent before may still commit."""
    return isinstance(message, ReviewEmergency) and emergency(node.ledger.read(), message.emergency) is None
