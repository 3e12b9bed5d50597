"""Openings by trustees: `trial ask-opening`, `agree`, `opened`; what must not wait for them is `trial unblind`.

    1 who asks keeps the case, then commits it: the register shows kind, reason and who, not whose arm
    2 it sends each trustee, sealed, the enrolment and the salt that the register's commitment opens with
    3 a trustee who agrees commits that, and only then sends its partial signature of this one allocation's *seal*
    4 who asked combines the threshold's partials and opens the ciphertext whose digest the ledger holds

A seal is of one enrolment: nobody else's arm follows from it, and no draw. Each step is repeated after a crash and
does nothing twice. A mishap (`inadvertent`) is entered in the register and asks for nothing.
"""

from typing import Annotated, Final

from msgspec import Meta

from salus.contracts.trials import port
from salus.core.encoding import MalformedBytes, Value, decode
from salus.node.errors import Forbidden, Malformed, NotFound, Refused, Unavailable
from salus.node.exchange.wire import Handler
from salus.node.member import MemberNode
from salus.node.trials.exchange import curve, register_commitment, send
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import AskedOpening, Envelope, OpeningPartial, Subject, keep, kept, one
from salus.node.trials.sight import members_of, place_of, plays, study_of, terms_of
from salus.node.trials.unblinding import REASONS
from salus.node.usecase import OPERATOR, Message, use_case

PATH: Final = "/exchange/trial-ciphertext"
KINDS: Final = {
    "susar": port.Kind.SUSAR,
    "board": port.Kind.BOARD,
    "agreed": port.Kind.AGREED,
    "inadvertent": port.Kind.INADVERTENT,
}
CASE = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Id in the register.", examples=["0c" * 16])]


class AskCiphertext(Value, frozen=True):
    """What who may open an allocation asks a dispenser."""

    enrolment: bytes


class CiphertextTold(Value, frozen=True):
    """The ciphertext of an arm and a kit: nothing without the trustees' seal."""

    ciphertext: bytes


class AskOpening(Message, frozen=True):
    """Whose arm is to be known, and why."""

    study: STUDY
    kind: Annotated[
        str,
        Meta(
            description="susar (regulator, ethics board), board (safety board), agreed (any party), "
            "inadvertent (somebody learned an arm by mishap).",
            examples=["susar"],
        ),
    ]
    reason: Annotated[str, Meta(description=f"One of {', '.join(sorted(REASONS))}.", examples=["safety-report"])]
    enrolment: Annotated[
        str, Meta(pattern=r"^([0-9a-f]{64})?$", description="The enrolment, or:", examples=["0d" * 32])
    ] = ""
    subject: Annotated[
        str, Meta(pattern=r"^([0-9a-f]{32})?$", description="the participant at this site.", examples=[""])
    ] = ""


class OpeningAsked(Message, frozen=True):
    """The register shows that it is asked for."""

    case: Annotated[str, Meta(description="Id in the register.")]
    status: Annotated[str, Meta(description="requested, or opened for a mishap.")]
    needed: Annotated[int, Meta(description="Trustees that must agree.")]


class AgreeToOpening(Message, frozen=True):
    """The opening that a trustee agrees to."""

    case: CASE


class OpeningAgreed(Message, frozen=True):
    """What stands after it."""

    status: Annotated[str, Meta(description="requested while trustees are missing, then opened.")]
    agreed: Annotated[int, Meta(description="Trustees that agreed.")]


class ReadOpening(Message, frozen=True):
    """An opening that this member asked for."""

    case: CASE


class OpeningRead(Message, frozen=True):
    """One participant's arm and kit. No other follows from it."""

    arm: Annotated[str, Meta(description="Id of the arm.")]
    kit: Annotated[str, Meta(description="The kit.")]
    wrong: Annotated[tuple[str, ...], Meta(description="Trustees whose signatures do not hold.")]


class ListOpenings(Message, frozen=True):
    """The study whose openings this member is asked to agree to."""

    study: STUDY


class OpeningsListed(Message, frozen=True):
    """What waits for this trustee."""

    openings: Annotated[tuple[str, ...], Meta(description="Case, kind, reason, who asks, enrolment.")]


@use_case("trial.ask-opening", who=OPERATOR)
def ask_opening(node: MemberNode, request: AskOpening) -> OpeningAsked:
    """Ask the trustees to open one allocation, or enter a mishap. The register shows it before anybody agrees."""
    curve()
    study, kind, reason = bytes.fromhex(request.study), KINDS.get(request.kind), REASONS.get(request.reason)
    if kind is None or reason is None:
        raise Malformed("trials.reason", "no such kind or reason", expected=f"{', '.join(KINDS)}; {', '.join(REASONS)}")
    _, roster = study_of(node, study)
    enrolment = _enrolment(node, study, request)
    asked = next(
        (each for _, each in kept(node, AskedOpening) if _goes_on(node, each, study, enrolment, kind)), None
    ) or AskedOpening(study, node.entropy(16), enrolment, node.entropy(32), int(kind), node.member, 0)
    keep(node, asked.case, asked)  # first, so that a crash repeats this case and opens no second one
    if port.opening(node.ledger.read(), asked.case) is None:
        commitment = register_commitment(asked.salt, enrolment, node.member)
        node.submitter.submit(port.OpenAllocation(study, asked.case, kind, reason, commitment, deferred=False))
    row = _row(node, asked.case)
    if row.status is port.OpeningStatus.REQUESTED:
        height = node.ledger.head().height
        told = AskedOpening(study, asked.case, enrolment, asked.salt, int(kind), node.member, height)
        for name in dict.fromkeys(trustee.member for trustee in roster.trustees):
            send(node, name, "opening", told)
    return OpeningAsked(case=asked.case.hex(), status=row.status.name.lower(), needed=roster.threshold)


def _enrolment(node: MemberNode, study: bytes, request: AskOpening) -> bytes:
    if bool(request.enrolment) == bool(request.subject):
        raise Malformed("trials.enrolment", "it is not said whose", expected="either --enrolment or --subject")
    if request.subject:
        enrolment = one(node, Subject, study + bytes.fromhex(request.subject)).enrolment
    else:
        enrolment = bytes.fromhex(request.enrolment)
    row = port.enrolment(node.ledger.read(), enrolment) if enrolment else None
    if row is None or row.study != study or not row.allocation:
        raise NotFound("trials.not-allocated", "the study has no such allocation")
    return enrolment


def _goes_on(node: MemberNode, asked: AskedOpening, study: bytes, enrolment: bytes, kind: port.Kind) -> bool:
    """Say whether an opening asked for here before is this one, and not yet open."""
    if (asked.study, asked.enrolment, asked.kind, asked.requester) != (study, enrolment, int(kind), node.member):
        return False
    row = port.opening(node.ledger.read(), asked.case)
    return row is None or row.status is port.OpeningStatus.REQUESTED


def _row(node: MemberNode, case: bytes) -> port.Opening:
    row = port.opening(node.ledger.read(), case)
    if row is None:
        raise NotFound("trials.no-opening", "the register has no such opening")
    return row


@use_case("trial.openings", who=OPERATOR)
def list_openings(node: MemberNode, request: ListOpenings) -> OpeningsListed:
    """List the openings that this trustee is asked to agree to."""
    study = bytes.fromhex(request.study)
    found = []
    for case, asked in kept(node, AskedOpening):
        row = port.opening(node.ledger.read(), case)
        if asked.study == study and row is not None and row.status is port.OpeningStatus.REQUESTED:
            told = (case.hex(), row.kind.name.lower(), row.reason.name.lower(), row.requester, asked.enrolment.hex())
            found.append(", ".join(told))
    return OpeningsListed(openings=tuple(found))


@use_case("trial.agree", who=OPERATOR)
def agree_to_opening(node: MemberNode, request: AgreeToOpening) -> OpeningAgreed:
    """Agree, as a trustee, to open one allocation. Committed first; then this one's partial signature goes to who asked."""
    curve()
    from salus.node.trials.drawing import trustee_key  # noqa: PLC0415 -- the extra may not be installed
    from salus.vault.threshold import sign  # noqa: PLC0415

    case = bytes.fromhex(request.case)
    asked, row = one(node, AskedOpening, case), _row(node, case)
    if row.commitment != register_commitment(asked.salt, asked.enrolment, row.requester):
        raise Forbidden("trials.other-opening", "the register's opening is of another allocation")
    key, _ = trustee_key(node, row.study)
    if key.number not in row.granted:
        try:
            node.submitter.submit(port.GrantOpening(case, key.number))
        except Refused:
            if key.number not in _row(node, case).granted:
                raise
    row = _row(node, case)
    _, place = place_of(node, asked.enrolment)
    height = node.ledger.head().height
    send(node, row.requester, "partial", OpeningPartial(case, key.number, height, sign(key, place.seal)))
    return OpeningAgreed(status=row.status.name.lower(), agreed=len(row.granted))


@use_case("trial.opened", who=OPERATOR)
def read_opening(node: MemberNode, request: ReadOpening) -> OpeningRead:
    """Open the one allocation that enough trustees agreed to open. Who sent a wrong signature is named."""
    curve()
    from salus.agreements.trials.allocation import open_allocation, posted_digest, sealed_by  # noqa: PLC0415

    case = bytes.fromhex(request.case)
    asked, row = one(node, AskedOpening, case), _row(node, case)
    if row.requester != node.member or row.status is port.OpeningStatus.REQUESTED:
        raise Forbidden(
            "trials.not-opened", "the trustees have not agreed to show this to this member", got=row.status.name
        )
    _, roster = study_of(node, row.study)
    enrolment, place = place_of(node, asked.enrolment)
    partials = {each.trustee: each.seal for _, each in kept(node, OpeningPartial, case)}
    shares = {number: trustee.share for number, trustee in enumerate(roster.trustees, 1)}
    seal, wrong = sealed_by(place, partials, shares, roster.threshold)
    names = tuple(f"{roster.trustees[number - 1].member}: {why}" for number, why in sorted(wrong.items()))
    if not seal:
        raise NotFound(
            "trials.partials",
            "too few signatures of trustees hold",
            expected=str(roster.threshold),
            got="; ".join(names) or f"{len(partials)}",
            todo="wait for them",
        )
    ciphertext = _ciphertext(node, roster, asked.enrolment)
    if posted_digest(asked.enrolment, ciphertext) != enrolment.allocation:
        raise Malformed("trials.ciphertext", "the dispenser's ciphertext is not the one on the ledger")
    arm, kit = open_allocation(asked.enrolment, ciphertext, seal)
    _, terms = terms_of(node, row.study, enrolment.version)
    return OpeningRead(arm=terms.randomisation.arms[arm], kit=kit, wrong=names)


def _ciphertext(node: MemberNode, roster: port.Roster, enrolment: bytes) -> bytes:
    dispensers = members_of(roster, port.Part.DISPENSER)
    for place, dispenser in enumerate(dispensers, 1):
        if dispenser == node.member:
            return one(node, Envelope, enrolment).ciphertext
        try:
            return node.peers.ask(dispenser, PATH, AskCiphertext(enrolment), CiphertextTold).ciphertext
        except Unavailable:
            if place == len(dispensers):
                raise
    raise NotFound("trials.no-dispenser", "the study names no dispenser")


def answer(node: MemberNode, sender: str, body: bytes) -> CiphertextTold:
    """Tell a party or site of the study one ciphertext. Raises Forbidden, NotFound, Malformed."""
    try:
        ask = decode(body, AskCiphertext)
    except MalformedBytes as error:
        raise Malformed("trials.ask", "the question does not decode", got=str(error)) from error
    row = port.enrolment(node.ledger.read(), ask.enrolment)
    if row is None:
        raise NotFound("trials.no-enrolment", "the ledger has no such enrolment")
    _, roster = study_of(node, row.study)
    if sender != row.site and not plays(roster, sender, *port.Part):
        raise Forbidden("trials.sender", "ciphertexts are for parties of the study", got=sender)
    return CiphertextTold(one(node, Envelope, ask.enrolment).ciphertext)


def handler(node: MemberNode) -> Handler:
    """Return what answers questions for ciphertexts at a node."""
    return lambda sender, body: answer(node, sender, body)
