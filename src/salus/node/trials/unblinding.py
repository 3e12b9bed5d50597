"""Openings: `trial unblind` at a site, answered by the emergency service at once; `trial assess` by the sponsor.

The service commits the opening before it answers; with the ledger away it answers the signed request and commits the
opening, marked deferred, when the ledger is back. Only the one allocation asked for is in the answer.
"""

import threading
from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.trials import port
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import mac
from salus.node.emergency import DEFERRABLE
from salus.node.errors import Forbidden, Malformed, NotFound, Unavailable
from salus.node.exchange.wire import Handler
from salus.node.member import MemberNode
from salus.node.trials.exchange import curve, register_commitment
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import Envelope, Subject, kept, one
from salus.node.trials.sight import definition, members_of, run, study_of
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.envelope import open_envelope, seal_envelope
from salus.vault.errors import EnvelopeRefused

PATH: Final = "/exchange/trial-emergency"
PURPOSE: Final = "trial-emergency"
_DEFERRING: Final = threading.Lock()
REASONS: Final = {reason.name.lower().replace("_", "-"): reason for reason in port.ReasonClass}


class AskArm(Value, frozen=True):
    """What a site asks the emergency service."""

    id: bytes
    """16 random bytes: the case."""
    enrolment: bytes
    reason: int
    salt: bytes
    """Of the register's commitment."""


class ArmTold(Value, frozen=True):
    """The answer: the arm's number and the kit, sealed to the site."""

    envelope: bytes


class Arm(Value, frozen=True):
    """What the envelope holds."""

    arm: int
    kit: str
    deferred: bool


class Unblind(Message, frozen=True):
    """Whose treatment must be known now."""

    study: STUDY
    subject: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="The participant.", examples=["0b" * 16])]
    reason: Annotated[str, Meta(description=f"One of {', '.join(sorted(REASONS))}.", examples=["treatment"])] = (
        "treatment"
    )


class Unblinded(Message, frozen=True):
    """What this participant gets. Nothing else was opened."""

    arm: Annotated[str, Meta(description="Id of the arm.")]
    kit: Annotated[str, Meta(description="The kit.")]
    case: Annotated[str, Meta(description="Id in the unblinding register.")]
    deferred: Annotated[bool, Meta(description="Whether the ledger was away and learns of it later.")]


class Assess(Message, frozen=True):
    """An opening that was assessed."""

    case: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id in the register.", examples=["0c" * 16])]
    assessment: Annotated[
        str, Meta(max_length=2000, description="What was found; only a commitment is public.", examples=["sound"])
    ]


class Assessed(Message, frozen=True):
    """The register says so."""

    status: Annotated[str, Meta(description="Status of the opening.")]


@use_case("trial.unblind", who=OPERATOR)
def unblind(node: MemberNode, request: Unblind) -> Unblinded:
    """Learn one participant's arm in an emergency. The register shows it; the sponsor assesses it."""
    study, reason = bytes.fromhex(request.study), REASONS.get(request.reason)
    if reason is None:
        raise Malformed("trials.reason", "no such reason", expected=", ".join(sorted(REASONS)))
    subject = one(node, Subject, study + bytes.fromhex(request.subject))
    if not subject.enrolment:
        raise NotFound("trials.not-enrolled", "this participant is not enrolled")
    _, roster = study_of(node, study)
    ask = AskArm(node.entropy(16), subject.enrolment, reason, node.entropy(32))
    services = members_of(roster, port.Part.EMERGENCY)
    for place, service in enumerate(services, 1):
        try:
            told = node.peers.ask(service, PATH, ask, ArmTold)
        except Unavailable:
            if place == len(services):
                raise
            continue
        try:
            context = node.context(PURPOSE, ask.id, service)
            key = node.keys_of(service).signing_key
            arm = decode(open_envelope(told.envelope, context, key=node.receive_key, sender_key=key), Arm)
        except (EnvelopeRefused, MalformedBytes) as error:
            raise Malformed("trials.envelope", "the answer does not open", got=str(error)) from error
        number = next(row.version for row in (port.enrolment(node.ledger.read(), subject.enrolment),) if row)
        definition_ = definition(node, study, number)
        _, terms = run(definition_)
        name = terms.randomisation.arms[arm.arm]
        return Unblinded(arm=name, kit=arm.kit, case=ask.id.hex(), deferred=arm.deferred)
    raise NotFound("trials.no-service", "the study names no emergency service")


def answer(node: MemberNode, sender: str, body: bytes) -> ArmTold:
    """Answer a site's emergency. Raises Forbidden, NotFound, Malformed."""
    curve()
    from salus.node.trials.drawing import opened_envelope  # noqa: PLC0415 -- the extra may not be installed

    try:
        ask = decode(body, AskArm)
        reason = port.ReasonClass(ask.reason)
    except (MalformedBytes, ValueError) as error:
        raise Malformed("trials.ask", "the question does not decode", got=str(error)) from error
    if len(ask.id) != 16 or len(ask.salt) != 32:
        raise Malformed("trials.ask", "the question is not whole")
    row = port.enrolment(node.ledger.read(), ask.enrolment)
    if row is None or row.site != sender:
        raise Forbidden("trials.not-own", "a site asks for its own participants", got=sender)
    envelope = next((value for _, value in kept(node, Envelope, ask.enrolment)), None)
    if envelope is None:
        raise NotFound("trials.no-envelope", "no allocation of this enrolment is here", todo="ask the dispenser")
    commitment = register_commitment(ask.salt, ask.enrolment, sender)
    message = port.OpenAllocation(row.study, ask.id, port.Kind.EMERGENCY, reason, commitment, deferred=False)
    deferred = False
    try:
        node.submitter.submit(message)
    except Unavailable:  # care never stops because consensus does
        _defer(node, port.OpenAllocation(row.study, ask.id, port.Kind.EMERGENCY, reason, commitment, deferred=True))
        deferred = True
    arm, kit = opened_envelope(envelope)
    sealed = seal_envelope(
        encode(Arm(arm, kit, deferred)),
        node.context(PURPOSE, ask.id),
        recipient=node.keys_of(sender).receive_key,
        sign=node.signing_key,
    )
    return ArmTold(sealed)


def _defer(node: MemberNode, message: port.OpenAllocation) -> None:
    """Keep an opening for the ledger, once. Raises Malformed under the case of another: one row would stand for two openings."""
    with _DEFERRING:
        row = port.opening(node.ledger.read(), message.case)
        known = [] if row is None else [(row.requester, row.commitment)]
        waiting = (decode(data, DEFERRABLE) for _, data, _ in node.desk.deferred())
        known += [
            (node.member, each.commitment)
            for each in waiting
            if isinstance(each, port.OpenAllocation) and each.case == message.case
        ]
        if any(each != (node.member, message.commitment) for each in known):
            raise Malformed("trials.ask", "another opening has this case", todo="ask under a case of its own")
        if not known:
            node.desk.defer(encode(message), node.now())


@use_case("trial.assess", who=OPERATOR)
def assess(node: MemberNode, request: Assess) -> Assessed:
    """Say, as the sponsor, that an opening was assessed."""
    case = bytes.fromhex(request.case)
    commitment = mac(node.entropy(32), "salus/v1/trial-assessment", request.assessment.encode())
    node.submitter.submit(port.AssessOpening(case, commitment))
    row = port.opening(node.ledger.read(), case)
    if row is None:
        raise NotFound("trials.no-opening", "the register has no such opening")
    return Assessed(status=row.status.name.lower())


def handler(node: MemberNode) -> Handler:
    """Return what answers emergencies at a node."""
    return lambda sender, body: answer(node, sender, body)
