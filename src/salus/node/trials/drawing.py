"""Trustees sign what final enrolments ask for, dispensers draw; each goes on where it stopped. Needs the extra `trials`."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from salus.agreements.grants import GrantRefused
from salus.agreements.trials.acts import delegations, may, read
from salus.agreements.trials.allocation import (
    Kit,
    Partials,
    Signed,
    allocate,
    arm_of,
    combined,
    next_kit,
    open_allocation,
    posted_digest,
)
from salus.agreements.trials.conduct import PHYSICIANS
from salus.agreements.trials.consenting import check_consent
from salus.agreements.trials.draws import DrawRefused, Scheme
from salus.agreements.trials.terms import scheme_of, size_commitment
from salus.agreements.trustees import ThresholdRefused
from salus.contracts.consent import port as consent
from salus.contracts.trials import port
from salus.core.proof.digest import mac
from salus.node.errors import Forbidden, NotFound, Refused
from salus.node.member import MemberNode
from salus.node.trials.exchange import send
from salus.node.trials.kept import (
    Dealing,
    Envelope,
    EnvelopeBatch,
    Evidence,
    KitBatch,
    KitGiven,
    PartialsBatch,
    SentPartials,
    Supply,
    keep,
    keep_all,
    kept,
    one,
)
from salus.node.trials.sight import in_order, members_of, place_of, plays, study_of, terms_of
from salus.vault.threshold import TrusteeKey, accept, sign

FINAL_SECONDS: Final = 10.0
MOST_SENT: Final = 500  # documents in one delivery: some 100 KB


@dataclass
class Worked:
    """What was done in one study."""

    signed: int = 0
    """Enrolments signed as trustee."""
    posted: int = 0
    """Allocations posted as dispenser."""
    given: int = 0
    """Kits sent to sites."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Why an enrolment waits, by its id: trustees missing, evidence that does not hold."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why a kit was refused, by the enrolment's id."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Partial signatures that did not hold, by trustee."""


def trustee_key(node: MemberNode, study: bytes) -> tuple[TrusteeKey, Dealing]:
    """Return the own share of a study's key, from all dealings. Raises NotFound while one is missing."""
    dealings = [value for _, value in kept(node, Dealing, study)]
    if not dealings:
        raise NotFound("trials.dealings", "the key is not made yet", todo="`salus trial deal` tells who is waited for")
    first = dealings[0]
    dealt = {value.dealer: (value.commitments, value.share) for value in dealings}
    own = first.trustees.index(node.member) + 1
    return accept(own, len(first.trustees), first.threshold, dealt), first


def work(node: MemberNode, study: bytes) -> Worked:
    """Do what is this member's to do for every enrolment that is not allocated. Raises Unavailable, Refused."""
    done = Worked()
    _, roster = study_of(node, study)
    numbers = [number for number, trustee in enumerate(roster.trustees, 1) if trustee.member == node.member]
    if numbers:
        _sign(node, study, roster, numbers[0], done)
    if plays(roster, node.member, port.Part.DISPENSER):
        _dispense(node, study, roster, done)
    return done


def _final(node: MemberNode) -> int:
    """Return the height up to which blocks are cosigned by enough members: what may be signed for."""
    head = node.ledger.head()
    node.cosigning.covering(head.log_size - 1, FINAL_SECONDS)
    return head.height


def _sign(node: MemberNode, study: bytes, roster: port.Roster, number: int, done: Worked) -> None:
    """Sign, as trustee, both messages of each enrolment on the ledger, once, and of nothing else."""
    due = [
        (id_, row)
        for id_, row in port.enrolments(node.ledger.read(), study)
        if row.status in {port.EnrolmentStatus.WAITING, port.EnrolmentStatus.POSTED}
        and not list(kept(node, SentPartials, id_ + bytes((number,))))
    ]
    if not due:
        return
    final = _final(node)
    key, _ = trustee_key(node, study)
    made: list[SentPartials] = []
    for id_, row in due:
        if row.height > final:
            continue
        _, place = place_of(node, id_)
        made.append(SentPartials(id_, number, sign(key, place.draw), sign(key, place.seal)))
    for at in range(0, len(made), MOST_SENT):
        told = PartialsBatch(study, final, tuple(made[at : at + MOST_SENT]))
        for dispenser in members_of(roster, port.Part.DISPENSER):
            send(node, dispenser, "partials", told)
    keep_all(node, [(each.enrolment + bytes((number,)), each) for each in made])
    done.signed += len(made)


class _Drawing:
    """A dispenser's replay of a study's draws in the order of the log."""

    def __init__(self, node: MemberNode, study: bytes, supply: Supply) -> None:
        self._node, self._study, self._supply = node, study, supply
        self._kits = {site: [Kit(number, arm) for number, arm in kits] for site, kits in supply.kits}
        self._arms: dict[bytes, list[int]] = {}
        self._used: dict[str, list[str]] = {}

    def taken(self, row: port.Enrolment, arm: int, kit: str) -> None:
        """Note an allocation, so that the next is drawn after it."""
        self._arms.setdefault(row.stratum, []).append(arm)
        self._used.setdefault(row.site, []).append(kit)

    def next(self, id_: bytes, row: port.Enrolment, signed: Signed) -> Envelope:
        """Draw an enrolment's arm and kit, and seal them. Raises DrawRefused when a kit is missing."""
        scheme = self._scheme(row.version)
        arm = arm_of(scheme, row.stratum, self._arms.get(row.stratum, []), signed)
        used = self._used.get(row.site, [])
        kit = next_kit(self._supply.kit_key, row.site, self._kits.get(row.site, []), used, arm)
        made = allocate(id_, signed, arm, kit.number)
        return Envelope(self._study, id_, signed.draw, signed.seal, made.ciphertext, arm, kit.number)

    def _scheme(self, version: int) -> Scheme:
        _, terms = terms_of(self._node, self._study, version)
        return scheme_of(terms.randomisation, self._supply.sizes, self._supply.size_key)


def _dispense(node: MemberNode, study: bytes, roster: port.Roster, done: Worked) -> None:
    supply = one(node, Supply, study)
    drawing = _Drawing(node, study, supply)
    ready: list[Envelope] = []
    for id_, row in in_order(node, study):
        if row.status is port.EnrolmentStatus.REFUSED:
            continue
        envelope = next((value for _, value in kept(node, Envelope, id_)), None)
        if envelope is None:
            try:
                envelope = _drawn(node, roster, drawing, (id_, row), done)
            except Forbidden as refused:
                _refuse(node, id_, refused.code, done)
                continue
            except DrawRefused as refused:  # no kit of its arm: it waits, and what comes later with it
                done.waiting[id_.hex()] = str(refused)
                break
            if envelope is None:
                break  # what comes later is drawn after it
            keep(node, id_, envelope)
        drawing.taken(row, envelope.arm, envelope.kit)
        try:
            _post(node, (id_, row), envelope, done)
        except Refused as refused:  # the other dispenser refused it meanwhile: the next run draws on without it
            done.waiting[id_.hex()] = refused.code
            break
        ready.append(envelope)
    _give(node, study, roster, ready, done)


def _refuse(node: MemberNode, id_: bytes, code: str, done: Worked) -> None:
    """Refuse a kit on the ledger: draws go on without this enrolment, at both dispensers alike."""
    reason = mac(node.entropy(32), "salus/v1/trial-refusal", code.encode())
    with suppress(Refused):  # the other dispenser refused it first
        node.submitter.submit(port.RefuseEnrolment(id_, reason))
    done.refused[id_.hex()] = code


def _drawn(
    node: MemberNode, roster: port.Roster, drawing: _Drawing, enrolment: tuple[bytes, port.Enrolment], done: Worked
) -> Envelope | None:
    """Return an enrolment's allocation, or None with why it waits."""
    id_, row = enrolment
    try:
        check_evidence(node, id_, row)  # Forbidden: no kit, whatever comes later
    except NotFound as late:
        done.waiting[id_.hex()] = late.code
        return None
    _, place = place_of(node, id_)
    partials = {value.trustee: Partials(value.draw, value.seal) for _, value in kept(node, SentPartials, id_)}
    shares = {number: trustee.share for number, trustee in enumerate(roster.trustees, 1)}
    try:
        signed, wrong = combined(place, partials, shares, roster.threshold, roster.group_key)
    except ThresholdRefused:
        missing = [trustee.member for number, trustee in enumerate(roster.trustees, 1) if number not in partials]
        done.waiting[id_.hex()] = f"trustees missing: {', '.join(missing)}"
        return None
    done.wrong |= {roster.trustees[number - 1].member: why for number, why in wrong.items()}
    return drawing.next(id_, row, signed)


def _post(node: MemberNode, enrolment: tuple[bytes, port.Enrolment], envelope: Envelope, done: Worked) -> None:
    id_, _ = enrolment
    row = port.enrolment(node.ledger.read(), id_)
    open_ = row is not None and row.status in {port.EnrolmentStatus.WAITING, port.EnrolmentStatus.POSTED}
    if row is not None and open_ and row.dispenser != node.member:
        node.submitter.submit(port.Allocate(id_, posted_digest(id_, envelope.ciphertext)))
        done.posted += 1


def _give(node: MemberNode, study: bytes, roster: port.Roster, ready: list[Envelope], done: Worked) -> None:
    """Send kits to their sites and envelopes to the emergency service, of all that both dispensers agree on."""
    state = node.ledger.read()
    given = {key for key, _ in kept(node, KitGiven)}
    by_site: dict[str, list[Envelope]] = {}
    for envelope in ready:
        row = port.enrolment(state, envelope.enrolment)
        if row is not None and row.status is port.EnrolmentStatus.ALLOCATED and envelope.enrolment not in given:
            by_site.setdefault(row.site, []).append(envelope)
    for site, envelopes in by_site.items():
        kits = tuple(KitGiven(each.enrolment, each.kit) for each in envelopes)
        send(node, site, "kit", KitBatch(study, kits))
        for service in members_of(roster, port.Part.EMERGENCY):
            if service != node.member:
                opening = tuple(structs.replace(each, draw=b"") for each in envelopes)
                send(node, service, "envelope", EnvelopeBatch(study, opening))
        if site != node.member:
            keep_all(node, [(each.enrolment, each) for each in kits])
        done.given += len(kits)


def check_evidence(node: MemberNode, id_: bytes, row: port.Enrolment) -> None:
    """Check consent and eligibility behind an enrolment: without them no kit. Raises Forbidden, NotFound.

    The consent's grant is live, is to this study, site and form in force, and older than the enrolment; the
    investigator, or someone with that role, signed eligibility; both are what the enrolment commits to.
    """
    told = one(node, Evidence, id_)
    state = node.ledger.read()
    grant, version = consent.granted(state, told.consent.grant), port.version(state, row.study, row.version)
    act = read(told.eligible)
    if grant is None or version is None or not consent.live(state, told.consent.grant, node.ledger_time()):
        raise Forbidden("trials.no-consent", "no live consent stands behind the enrolment")
    try:
        part = check_consent(
            told.consent, network=node.network, commitment=grant.commitment, study=row.study, site=row.site
        )
    except GrantRefused as refused:
        raise Forbidden("trials.no-consent", str(refused)) from None
    if part.form != version.consent_form:
        raise Forbidden("trials.other-form", "the consent is to a form that is not in force")
    enrolled = node.ledger.outcome(row.transaction)
    if enrolled is None or enrolled.height is None or grant.height >= enrolled.height:
        raise Forbidden("trials.late-consent", "the consent is not older than the enrolment")
    given = delegations(told.delegated, told.investigator)
    if act is None or act.kind != "eligible" or not may(given, act.by, PHYSICIANS, act.entered):
        raise Forbidden("trials.not-eligible", "no physician of the site signed eligibility")
    if consent_commitment(told.consent_salt, told.consent.grant) != row.consent:
        raise Forbidden("trials.no-consent", "the enrolment commits to another consent")
    if eligibility_commitment(told.eligibility_salt, told.eligible.act) != row.eligibility:
        raise Forbidden("trials.not-eligible", "the enrolment commits to another eligibility")


def consent_commitment(salt: bytes, grant: bytes) -> bytes:
    """Return what an enrolment commits to of its consent."""
    return mac(salt, "salus/v1/trial-enrolled-consent", grant)


def eligibility_commitment(salt: bytes, act: bytes) -> bytes:
    """Return what an enrolment commits to of its eligibility."""
    return mac(salt, "salus/v1/trial-enrolled-eligibility", act)


def check_sizes(node: MemberNode, study: bytes, supply: Supply) -> None:
    """Check that block sizes are those that the terms commit to. Raises Forbidden."""
    _, terms = terms_of(node, study, 1)
    randomisation = terms.randomisation
    if (
        randomisation.method == "blocks"
        and size_commitment(supply.sizes, supply.size_key) != randomisation.size_commitment
    ):
        raise Forbidden("trials.sizes", "the block sizes are not those that the terms commit to")


def opened_envelope(envelope: Envelope) -> tuple[int, str]:
    """Return (arm, kit) that an envelope opens to. Raises DrawRefused."""
    return open_allocation(envelope.enrolment, envelope.ciphertext, envelope.seal)
