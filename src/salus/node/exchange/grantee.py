"""The grantee's side: take a grant, pull under it, verify everything against the own ledger, keep it under a lease.

The lease is tested at each read against the own replica and is purged on revocation and expiry.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from salus.agreements.grants import Document, Grant, GrantRefused, check_document, grant_id, present, slip_of
from salus.contracts.consent import port as consent
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.batch import root_from_batch
from salus.core.proof.digest import framed
from salus.core.proof.ed25519 import verify
from salus.core.proof.errors import MalformedProof
from salus.core.proof.opening import answered_leaf
from salus.interop.fhir.compartment import HOUSE
from salus.node.desk import Held
from salus.node.errors import EdgeError, Forbidden, Malformed, NotFound, Unavailable
from salus.node.exchange.custodian import MANIFEST_LABEL
from salus.node.exchange.derived import derived_id
from salus.node.exchange.disclosed import anchor_in
from salus.node.exchange.pull import (
    DEFERRED,
    FORMAT,
    PATH,
    PURPOSE,
    Manifest,
    Openings,
    Pull,
    Pulled,
    answer_digest,
)
from salus.node.member import MemberNode
from salus.node.notices import GRANT_HELD, notify
from salus.node.people import PersonClaims, claims_of
from salus.vault.envelope import context_of, open_envelope
from salus.vault.errors import EnvelopeRefused, SealBroken, TooLarge
from salus.vault.journal import Disclosure, Side
from salus.vault.sealing import Content
from salus.vault.served import Received, Served, receive

GRANT_KIND: Final = "grant"
UNCONFIRMED_MS: Final = 24 * 3600 * 1000  # a replica that has not seen the head for longer hides what it leased


class Granted(Value, frozen=True):
    """What the wallet sends the grantee, in an envelope signed by the grant's one-time key."""

    request: bytes
    """Id of the access request that it answers, or empty."""
    height: int
    """Height of the block that holds it."""
    grant: Grant


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a pull brought."""

    records: int
    bytes: int
    custodians: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]
    """(custodian, code) of those that refused or could not be reached."""


def take_grant(node: MemberNode, _sender: str, envelope: bytes) -> None:
    """Take a grant that a wallet sent, through whichever member carried it. Raises Malformed, Forbidden."""
    try:
        author = context_of(envelope).sender
        id_ = grant_id(author)
        context = node.context(GRANT_KIND, id_, author)
        granted = decode(open_envelope(envelope, context, key=node.receive_key, sender_key=author), Granted)
    except (EnvelopeRefused, MalformedBytes) as error:
        raise Malformed("grant.envelope", "the grant does not open", got=str(error)) from error
    node.wait_for(granted.height)
    row = consent.granted(node.ledger.read(), id_)
    if row is None:
        raise NotFound("grant.unknown", "the ledger has no such grant", todo="send it again once it is granted")
    grant = granted.grant
    try:
        check_document(
            grant.document,
            grant.salt,
            grant.digests,
            network=node.network,
            grantee=node.member,
            commitment=row.commitment,
        )
    except GrantRefused as error:
        raise Forbidden("grant.refused", str(error)) from error
    if len(grant.parts) >= len(grant.digests) or len({part.custodian for part in grant.parts}) != len(grant.parts):
        raise Forbidden("grant.parts", "the grant names a custodian twice, or more than it commits to")
    fresh = not node.desk.held(id_)
    node.desk.hold(id_, encode(grant), node.now())
    if fresh and grant.link:
        notify(node, grant.link, GRANT_HELD)
    if granted.request:
        node.desk.answered(granted.request, id_)


def held_grant(node: MemberNode, id_: bytes) -> tuple[Held, Grant, Document]:
    """Return a grant that this member holds. Raises NotFound."""
    found = node.desk.held(id_)
    if not found or found[0].ended is not None:
        raise NotFound("grant.not-held", "this member holds no such grant", todo="ask the patient")
    grant = decode(found[0].body, Grant)
    return found[0], grant, decode(grant.document, Document)


def require_live(node: MemberNode, id_: bytes) -> tuple[Grant, Document]:
    """Return a grant if its lease may be read now. Raises NotFound, Forbidden, Unavailable."""
    held, grant, document = held_grant(node, id_)
    now = node.ledger_time()
    if not consent.live(node.ledger.read(), id_, now) or not document.not_before <= now < document.expiry:
        raise Forbidden("lease.ended", "the patient's permission has ended", todo="ask the patient for a new grant")
    if not _confirmed(node, held):
        raise Unavailable("lease.unconfirmed", "the ledger has not been seen for a day", todo="restore the connection")
    return grant, document


def _confirmed(node: MemberNode, held: Held) -> bool:
    """Say whether the ledger showed the grant live within a day of now, by a clock set back as little as by one ahead."""
    return abs(node.now() - max(held.confirmed, held.received)) <= UNCONFIRMED_MS


def fetch(
    node: MemberNode, id_: bytes, purpose: str, credential: str = "", told: Callable[[int], None] = lambda _: None
) -> Fetched:
    """Pull everything that a grant opens and was not pulled yet; `told` hears how many records have come.

    Raises NotFound, Forbidden, Unavailable.
    """
    grant, _document = require_live(node, id_)
    person = claims_of(credential, node.member, node.signing_keys(node.member), node.now()) if credential else None
    records = size = 0
    reading = _Reading(id_, grant, purpose, credential, person, lambda more: told(records + more))
    reached, failures = [], []
    for part in grant.parts:
        try:
            count, length = _fetch_from(node, reading, part.custodian)
        except EdgeError as error:
            failures.append((part.custodian, error.code))
            continue
        records, size = records + count, size + length
        reached.append(part.custodian)
    return Fetched(records, size, tuple(reached), tuple(failures))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Under which grant, for what, by whom."""

    id: bytes
    grant: Grant
    purpose: str
    credential: str
    person: PersonClaims | None
    """Whom the credential is of; None for the member's own program."""
    told: Callable[[int], None]
    """Hears how many records have come from the custodian that answers now."""


def _fetch_from(node: MemberNode, reading: _Reading, custodian: str) -> tuple[int, int]:
    """Pull from one custodian, chunk by chunk; return how many records and bytes came."""
    id_, purpose, person = reading.id, reading.purpose, reading.person
    cursor = node.desk.cursor(id_, custodian)
    count = size = 0
    while True:
        shown = present(reading.grant, custodian)
        height = node.ledger.head().height
        pull = Pull(FORMAT, node.entropy(16), shown, purpose, reading.credential, cursor, height)
        pulled = node.peers.ask(custodian, PATH, pull, Pulled)
        manifest, received = verify_pulled(node, custodian, id_, pull, pulled)
        line = Disclosure(
            side=Side.GRANTEE,
            subject=id_,
            member=custodian,
            person=person.sub if person else "",
            role=person.role if person else "",
            purpose=purpose,
            action="pull",
            what=_counted(received),
            grant=id_,
        )
        _keep(node, line, received)
        cursor = pulled.cursor
        node.desk.note_cursor(id_, custodian, cursor)
        count += len(received)
        reading.told(count)
        size += sum(len(one.content.body) for one in received)
        if not manifest.more or not received:
            return count, size


def verify_pulled(
    node: MemberNode, custodian: str, grant: bytes, pull: Pull, pulled: Pulled
) -> tuple[Manifest, list[Received]]:
    """Verify an answer to a pull whole: manifest, keys, seals, leaves, every root on the own ledger. Raises Malformed."""
    asked = Asked(custodian, grant, pull.id, pull, pull.seen, slip_of(pull.presented.signed).link)
    return verify_answer(node, asked, pulled)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer must be the answer to."""

    custodian: str
    grant: bytes
    """Grant id, or the id of an emergency."""
    question: bytes
    """Id of the question."""
    whole: Value
    """The question as it was sent: the disclosure is bound to it."""
    seen: int
    """Height that the asker knew: the disclosure stands above it."""
    link: bytes = b""
    """The custodian's link that the records hang on; empty if the asker was not told."""
    may_defer: bool = False
    """Whether a disclosure may be committed later: in an emergency alone."""


def verify_answer(node: MemberNode, asked: Asked, pulled: Pulled) -> tuple[Manifest, list[Received]]:
    """Verify sealed records and their manifest as `asked`; count what does not hold against its sender. Raises Malformed."""
    try:
        return _verified_answer(node, asked, pulled)
    except Malformed as error:
        node.peers.faulted(asked.custodian, error.code)
        raise


def _verified_answer(node: MemberNode, asked: Asked, pulled: Pulled) -> tuple[Manifest, list[Received]]:
    custodian = asked.custodian
    keys = node.keys_of(custodian)
    if not verify(keys.signing_key, framed(MANIFEST_LABEL, (pulled.manifest,)), pulled.signature):
        raise Malformed("pull.manifest", "the manifest is not signed by the custodian", got=custodian)
    try:
        manifest = decode(pulled.manifest, Manifest)
        context = node.context(PURPOSE, asked.question, custodian)
        opened = open_envelope(pulled.envelope, context, key=node.receive_key, sender_key=keys.signing_key)
        openings = decode(opened, Openings).records
    except (MalformedBytes, EnvelopeRefused) as error:
        raise Malformed("pull.answer", "the answer does not open", got=str(error)) from error
    told = (manifest.format, manifest.network, manifest.custodian, manifest.grantee, manifest.grant, manifest.question)
    if told != (FORMAT, node.network, custodian, node.member, asked.grant, asked.question):
        raise Malformed("pull.manifest", "the manifest is of another pull", got=custodian)
    if not len(openings) == len(pulled.records) == len(manifest.leaves):
        raise Malformed("pull.answer", "records, keys and manifest do not agree in number", got=custodian)
    if not (asked.may_defer and manifest.disclosure == DEFERRED):
        _check_disclosure(node, asked, manifest)
    roots = {one.root: one.tx_id for one in pulled.roots}
    anchored = {root: _writer_of(node, root, tx_id) for root, tx_id in roots.items()}
    if asked.may_defer:  # care does not wait for the own replica: the custodian's signature names the leaves
        anchored |= {root: custodian for root, tx_id in roots.items() if node.ledger.outcome(tx_id) is None}
    received = []
    for served, opening, leaf in zip(pulled.records, openings, manifest.leaves, strict=True):
        one = _verified(served.with_keys(opening.data_key, opening.salt), leaf, anchored, custodian)
        if asked.link and one.link != asked.link and one.content.type not in HOUSE:
            raise Malformed("pull.foreign", "a record hangs on another link than the grant's", got=custodian)
        received.append(one)
    return manifest, received


def _check_disclosure(node: MemberNode, asked: Asked, manifest: Manifest) -> None:
    """Check that the disclosure was committed after the question could be asked, by the custodian. Raises Malformed."""
    custodian = asked.custodian
    node.wait_for(manifest.height)
    committed = node.ledger.outcome(manifest.disclosure)
    if committed is None or committed.height != manifest.height or manifest.height <= asked.seen:
        raise Malformed("pull.disclosure", "no disclosure of this pull is on the ledger", got=custodian)
    disclosed = anchor_in(node, manifest.disclosure)
    if disclosed is None or disclosed.submitter != custodian:
        raise Malformed("pull.disclosure", "the transaction named is no disclosure of the custodian", got=custodian)
    answer = answer_digest(asked.whole, custodian, node.member, manifest.leaves)
    try:
        root = root_from_batch(answered_leaf(manifest.tag, answer), manifest.index, manifest.size, manifest.path)
    except MalformedProof:
        root = b""
    if root != disclosed.root:
        raise Malformed("pull.disclosure", "what was committed is not a disclosure of this answer", got=custodian)


def _verified(served: Served, leaf: bytes, anchored: dict[bytes, str], custodian: str) -> Received:
    """Return one record, opened, if it is what its writer anchored."""
    try:
        one = receive(served)
    except SealBroken as error:
        raise Malformed("pull.record", "a record does not hold", got=f"{custodian}: {error}") from error
    if one.leaf != leaf or anchored.get(one.root) != one.writer or one.writer != custodian:
        raise Malformed("pull.unproven", "a record is not one that its writer anchored", got=custodian)
    return one


def _writer_of(node: MemberNode, root: bytes, tx_id: bytes) -> str:
    """Return who anchored `root` in that transaction, as the own ledger has it, or nobody."""
    anchor = anchor_in(node, tx_id)
    return anchor.submitter if anchor is not None and anchor.root == root else ""


def _counted(received: Sequence[Received]) -> tuple[str, ...]:
    counts = Counter(one.content.type for one in received)
    return tuple(f"{name} {count}" for name, count in sorted(counts.items()))


def _keep(node: MemberNode, pulled: Disclosure, received: Sequence[Received]) -> None:
    """Journal the pull, keep its records sealed under the grant's lease, and index them.

    Not if the grant has ended meanwhile. Raises Forbidden, NotFound, Malformed, Unavailable.
    """
    grant, custodian = pulled.grant, pulled.member
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
    with node.leasing:
        require_live(node, grant)
        try:
            node.vault.journal([pulled])
            lease = node.vault.open_lease(grant)
            node.vault.write(lease, contents)
        except TooLarge as error:
            raise Malformed("pull.record", "a record is larger than one may be", got=custodian) from error
        node.catch_up()
        node.index.hide(lease, hidden=False)


def confirm_and_purge(node: MemberNode) -> int:
    """Confirm the grants that the ledger shows live, purge the leases of the others; return how many were purged.

    What has ended by a clock alone that is a month from the ledger's is hidden: a wrong clock must purge nothing.
    """
    state, now, purged = node.ledger.read(), node.ledger_time(), 0
    sound = max(node.sound_time(), node.ledger.head().time)
    for held in node.desk.held():
        if held.ended is not None:
            continue
        document = decode(decode(held.body, Grant).document, Document)
        if not consent.live(state, held.grant, sound) or sound >= document.expiry:
            purge(node, held.grant)
            purged += 1
        elif consent.live(state, held.grant, now) and now < document.expiry:
            if node.ledger.reachable:
                node.desk.confirm(held.grant, node.now())
            seen = node.ledger.reachable or _confirmed(node, held)
            node.index.hide(node.vault.open_lease(held.grant), hidden=not seen)
        else:
            node.index.hide(node.vault.open_lease(held.grant), hidden=True)
    return purged


def purge(node: MemberNode, grant: bytes) -> None:
    """Delete what is kept under a grant: the lease's records with their keys, their index rows, the grant's content."""
    with node.leasing:
        lease = node.vault.open_lease(grant)
        node.index.forget(lease)
        node.vault.erase_link(lease)
        node.desk.end(grant, node.now())
