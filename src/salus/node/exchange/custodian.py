"""The custodian's side of a pull: check, commit the disclosure, check again in the block that holds it, serve.

No receipt, no data: who cannot commit cannot serve.
"""

import struct
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from salus.agreements.consent.decide import Asker, PolicyClass, Provision, decide
from salus.agreements.consent.slip import BadTerms, SlipTerms, provisions
from salus.agreements.grants import Document, GrantRefused, Slip, check_presented, slip_of
from salus.contracts.consent import port as consent
from salus.contracts.membership import port as membership
from salus.core.encoding import MalformedBytes, decode, encode
from salus.core.proof.digest import framed
from salus.core.tables import View
from salus.node import hosted
from salus.node.anchoring import commit, serving
from salus.node.errors import Forbidden, Malformed, Unavailable
from salus.node.exchange.pull import (
    DEFERRED,
    FORMAT,
    MAX_RECORDS,
    PURPOSE,
    Manifest,
    Opening,
    Openings,
    Pull,
    Pulled,
    Rooted,
    answer_digest,
    fitting,
)
from salus.node.member import MemberNode
from salus.node.people import PersonClaims, claims_of
from salus.vault.batches import Anchoring, Place
from salus.vault.enrolled import KeyStanding
from salus.vault.envelope import seal_envelope
from salus.vault.errors import VaultError
from salus.vault.journal import Disclosure, Line, Side
from salus.vault.links import Standing
from salus.vault.served import Pulled as Served

MANIFEST_LABEL: Final = "salus/v1/manifest"
NOT_NOW: Final = "the grant does not open this now"
ASK: Final = "ask the patient for a grant"
ASKER_AXES: Final = frozenset({"members", "roles", "purposes", "active"})  # what keeps an asker, not a record, out


@dataclass(frozen=True, slots=True)
class _Asked:
    """A pull that holds: who asks for what under which grant."""

    sender: str
    pull: Pull
    person: PersonClaims | None
    document: Document
    slip: Slip

    @property
    def asker(self) -> tuple[str, str]:
        """Pairwise subject and role of the person, empty for the member's own program."""
        return (self.person.sub, self.person.role) if self.person else ("", "")


def serve_pull(node: MemberNode, sender: str, body: bytes) -> Pulled:
    """Answer a pull of member `sender`. Raises Malformed, Forbidden, Unavailable; then nothing was served."""
    try:
        pull = decode(body, Pull)
    except MalformedBytes as error:
        raise Malformed("pull.bytes", "the question does not decode", got=str(error)) from error
    if pull.format != FORMAT or len(pull.id) != 16:
        raise Malformed("pull.format", "the question is of another format", expected=str(FORMAT), got=str(pull.format))
    if node.stopped:
        raise Unavailable("node.stopped", "this node serves nothing now", todo="try again later")
    node.wait_for(pull.seen)
    asked = _check(node, node.ledger.read(), sender, pull)
    hosted.require_word(node, sender, asked.document, asked.slip)
    numbers, more = _permitted(node, asked)
    sealed = _sealed(node, asked, numbers)  # before it is written down: what is damaged is not served
    with serving(node, [_disclosure(asked, sealed, node.member)]) as (entry,):
        height, _ = commit(node, [entry])
        _check(node, node.ledger.read(height), sender, pull)
        cursor = _cursor(node, asked.slip.grant, numbers[-1]) if numbers else pull.cursor
        told = Answered(sender, asked.slip.grant, pull.id, more, cursor)
        return sealed_answer(node, told, sealed.pulled, node.vault.line(entry))


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What is about to be served."""

    types: tuple[str, ...]
    pulled: Served


def _check(node: MemberNode, state: View, sender: str, pull: Pull) -> _Asked:
    """Check grant, slip, link and grantee in `state`. A refusal says no more than that it is one.

    What a stranger learns must not tell whether the grant, the link or the patient exists. Time, role and purpose are
    decided by the terms (`agreements.consent`), here as for each record.
    """
    try:
        slip = slip_of(pull.presented.signed)
        row = consent.granted(state, slip.grant)
        link_key = node.vault.link_key(slip.link)
        stopped = node.desk.is_stopped(slip.link, slip.grant)
        if row is None or stopped or link_key.standing is not KeyStanding.OBEYED:
            raise GrantRefused("unknown", NOT_NOW)
        document, slip = check_presented(
            pull.presented,
            network=node.network,
            custodian=node.member,
            grantee=sender,
            grant=slip.grant,
            commitment=row.commitment,
            link=slip.link,
            link_key=link_key.key,
        )
        standing = node.vault.link_info(slip.link).standing
    except (GrantRefused, VaultError) as error:
        raise Forbidden("pull.refused", NOT_NOW, todo=ASK) from error
    member = membership.member(state, sender)
    if member is None or member.standing is not membership.Standing.ACTIVE or standing is not Standing.OPEN:
        raise Forbidden("pull.refused", NOT_NOW, todo=ASK)
    if not consent.live(state, slip.grant, node.ledger_time()):
        raise Forbidden("pull.ended", NOT_NOW, todo="ask the patient for a new grant")
    person = None
    if pull.credential:
        person = claims_of(pull.credential, sender, node.signing_keys(sender), node.now())
        if pull.purpose not in person.purposes:
            raise Forbidden("pull.purpose", "the person's credential is not for this purpose", got=pull.purpose)
    asked = _Asked(sender, pull, person, document, slip)
    for step in decide(_terms(asked), _asker(node, asked), PolicyClass("Patient", 0, "", ())).explanation:
        if step.kept_by in ASKER_AXES:
            raise Forbidden(f"pull.{step.kept_by}", NOT_NOW, todo="ask the patient for a grant that fits")
    return asked


def _terms(asked: _Asked) -> tuple[Provision, ...]:
    """Return what document and slip say together."""
    document, slip = asked.document, asked.slip
    try:
        return provisions(
            SlipTerms(
                grantee=document.grantee,
                roles=document.roles,
                purposes=document.purposes,
                not_before=document.not_before,
                expiry=document.expiry,
                classes=slip.classes,
                since=slip.since,
                until=slip.until,
                filters=slip.filters,
            )
        )
    except BadTerms as error:
        raise Forbidden("pull.terms", str(error), todo="ask the patient for a grant that this program reads") from error


def _asker(node: MemberNode, asked: _Asked) -> Asker:
    subject, role = asked.asker
    now = node.ledger_time()
    who = node.index.who(asked.sender, subject, home=False, at=now)
    return Asker(asked.sender, role, asked.pull.purpose, now, who.names, "disclose", who.known)


def _permitted(node: MemberNode, asked: _Asked) -> tuple[list[int], bool]:
    """Return the next record numbers that the slip opens, and whether there are more."""
    link, after = asked.slip.link, _read_cursor(node, asked.slip.grant, asked.pull.cursor)
    found = node.index.permitted_numbers(link, _terms(asked), _asker(node, asked), after=after, limit=MAX_RECORDS + 1)
    numbers = list(takewhile(node.vault.is_anchored, found))  # the cursor would pass what is anchored later
    taken = fitting([length for _, length in node.vault.sizes(numbers[:MAX_RECORDS])])
    return numbers[:taken], taken < len(numbers)


def _sealed(node: MemberNode, asked: _Asked, numbers: list[int]) -> _Sealed:
    """Seal records; resources of no patient that they refer to come with them, under the house's link."""
    house = node.index.house_of(asked.slip.link, numbers, node.vault.house_link())
    every = [*numbers, *(one for one in house if node.vault.is_anchored(one))]
    return _Sealed(tuple(type_ for type_, _ in node.vault.sizes(every)), node.vault.seal_for_pull(every))


def _disclosure(asked: _Asked, sealed: _Sealed, custodian: str) -> Disclosure:
    """Return the disclosure as it is written down, durably, before anything leaves: everything that is served."""
    counts = Counter(sealed.types)
    subject, role = asked.asker
    return Disclosure(
        side=Side.CUSTODIAN,
        subject=asked.slip.link,
        member=asked.sender,
        person=subject,
        role=role,
        purpose=asked.pull.purpose,
        action="serve",
        what=tuple(f"{name} {count}" for name, count in sorted(counts.items())),
        grant=asked.slip.grant,
        answer=answer_digest(asked.pull, custodian, asked.sender, [one.leaf for one in sealed.pulled.records]),
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """Whom an answer is for, and to what."""

    receiver: str
    grant: bytes
    """Grant id, or the id of an emergency."""
    question: bytes
    more: bool = False
    cursor: bytes = b""


def sealed_answer(node: MemberNode, told: Answered, pulled: Served, line: Line) -> Pulled:
    """Return sealed records with one envelope of their keys and a signed manifest that shows the disclosure's line.

    A line that waits for its batch is shown as deferred. Raises NotFound, EnvelopeRefused.
    """
    at, place = line.anchoring, line.place
    if at is None or place is None or not at.tx_id:
        at, place = Anchoring(0, b"", 0, DEFERRED, 0, b""), Place(0, 0, ())
    openings = Openings(tuple(Opening(one.data_key, one.salt) for one in pulled.records))
    envelope = seal_envelope(
        encode(openings),
        node.context(PURPOSE, told.question),
        recipient=node.keys_of(told.receiver).receive_key,
        sign=node.signing_key,
    )
    manifest = encode(
        Manifest(
            format=FORMAT,
            network=node.network,
            custodian=node.member,
            grantee=told.receiver,
            grant=told.grant,
            question=told.question,
            disclosure=at.tx_id,
            height=at.height,
            tag=line.tag,
            index=place.index,
            size=at.size,
            path=place.path,
            leaves=tuple(one.leaf for one in pulled.records),
            more=told.more,
        )
    )
    return Pulled(
        records=tuple(one.without_keys() for one in pulled.records),
        roots=tuple(Rooted(one.root, one.tx_id) for one in pulled.anchorings),
        envelope=envelope,
        manifest=manifest,
        signature=node.signing_key.sign(framed(MANIFEST_LABEL, (manifest,))),
        cursor=told.cursor,
    )


def _cursor(node: MemberNode, grant: bytes, number: int) -> bytes:
    """Return a record number as the grantee may carry it: gaps between numbers would tell what it may not see."""
    nonce = node.entropy(12)
    return nonce + AESGCM(node.secret("salus/v1/cursor")).encrypt(nonce, struct.pack(">Q", number), grant)


def _read_cursor(node: MemberNode, grant: bytes, cursor: bytes) -> int:
    """Return the record number in a cursor, 0 for the beginning. Raises Malformed."""
    if not cursor:
        return 0
    try:
        plain = AESGCM(node.secret("salus/v1/cursor")).decrypt(cursor[:12], cursor[12:], grant)
    except (InvalidTag, ValueError) as error:
        raise Malformed("pull.cursor", "the cursor is not one of this node for this grant") from error
    return int(struct.unpack(">Q", plain)[0])
