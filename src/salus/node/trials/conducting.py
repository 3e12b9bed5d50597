"""A site's work: `trial consent`, `withdraw`, `act`, `record`, `enrol`, `send`, `tasks`; and `trial work` for all."""

from typing import Annotated, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, structs

from salus.agreements.trials.acts import FIRST, Act, Anchored, SignedAct, act_digest, read, read_all, runs
from salus.agreements.trials.conduct import State, Status, conduct
from salus.agreements.trials.consenting import FORMAT, TrialPart, on_paper
from salus.agreements.trials.draws import stratum_tag
from salus.contracts.consent import port as consent
from salus.contracts.membership.port import parameters
from salus.contracts.trials import port
from salus.core.encoding import Message as LedgerMessage
from salus.core.encoding import decode, encode
from salus.core.proof.digest import digest, mac
from salus.core.transaction import sign_as_author
from salus.engines.ports import Outcome
from salus.node.anchoring import anchor, serving
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.exchange.documents import Telling, disclose
from salus.node.member import MemberNode
from salus.node.people import claims_of, thumbprint
from salus.node.trials.anchors import content_of
from salus.node.trials.exchange import ACTS, curve, send
from salus.node.trials.founding import STUDY, make_keys
from salus.node.trials.kept import (
    Delegated,
    Evidence,
    KitGiven,
    Rooted,
    SentActs,
    StratumKey,
    Subject,
    keep,
    kept,
    one,
    site_key,
)
from salus.node.trials.offering import STAYS, form_in_force
from salus.node.trials.sight import (
    ACT,
    conditions,
    members_of,
    numbers_of,
    own_chain,
    states,
    study_of,
    subjects_of,
    terms_of,
    twice,
)
from salus.node.trials.sourcing import RESEARCH, check_sources, reading_line
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.journal import Disclosure, Side
from salus.vault.links import Standing

YEARS: Final = 5
YEAR_MS: Final = 365 * 86_400_000
SUBJECT = Annotated[
    str,
    Meta(
        pattern=r"^([0-9a-f]{32})?$",
        description="The participant at this site; empty: the site's delegations.",
        examples=["0b" * 16],
    ),
]
PERSON = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$", description="The acting person's public key.", examples=["ab" * 32])
]


class TakeConsent(Message, frozen=True):
    """A consent on paper, witnessed at this site."""

    study: STUDY
    assigner: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="Who numbers the site's patients.", examples=["urn:mrn:north"]),
    ]
    identifier: Annotated[
        str, Meta(min_length=1, max_length=200, description="The patient's number there.", examples=["12345"])
    ]
    language: Annotated[str, Meta(pattern=r"^[a-z]{2}$", description="Language of the form.", examples=["en"])]
    options: Annotated[
        tuple[str, ...], Meta(max_length=16, description="Options agreed to.", examples=[["samples"]])
    ] = ()


class ConsentTaken(Message, frozen=True):
    """The consent stands on the ledger; what it is to, only its proof tells."""

    subject: Annotated[str, Meta(description="Stands for the participant at this site and in this study alone.")]
    grant: Annotated[str, Meta(description="Id of the grant.")]
    form: Annotated[str, Meta(description="Digest of the form of informed consent.")]
    way: Annotated[str, Meta(description="Who signed: here, paper.")]


class WithdrawConsent(Message, frozen=True):
    """Whose consent ends."""

    study: STUDY
    subject: SUBJECT


class ConsentWithdrawn(Message, frozen=True):
    """Nothing is sent from that block on; what was sent stays, as the form says."""

    height: Annotated[int, Meta(description="Block from which it holds.")]


class DraftAct(Message, frozen=True):
    """An act for a person to sign on their own device."""

    study: STUDY
    subject: SUBJECT
    person: PERSON
    kind: Annotated[str, Meta(pattern=r"^[a-z]{3,20}$", description="Kind of act.", examples=["visit"])]
    clinical: Annotated[
        str, Meta(max_length=32, description="When it happened, ISO 8601.", examples=["2026-03-01"])
    ] = ""
    fields: Annotated[tuple[str, ...], Meta(max_length=200, description="NAME=VALUE.", examples=[["visit=base"]])] = ()


class ActDrafted(Message, frozen=True):
    """What is to be signed: Ed25519 over the framed bytes, label `salus/v1/trial-act`.

    Up to 50 acts of one person that follow each other may be signed at once: label `salus/v1/trial-acts`, over their digests.
    """

    act: Annotated[str, Meta(description="The act's bytes, hexadecimal.")]


class RecordActs(Message, frozen=True):
    """Signed acts of one chain, in order."""

    study: STUDY
    subject: SUBJECT
    acts: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=50,
            description="ACT:SIGNATURE, hexadecimal; empty signatures: the next one signs these acts too.",
            examples=[["00:11"]],
        ),
    ]
    credential: Annotated[
        str,
        Meta(
            max_length=4000,
            description="Credential of who signs, renewed at most 5 minutes before; for acts of kind sign.",
            examples=[""],
        ),
    ] = ""
    investigator: Annotated[
        str,
        Meta(
            pattern=r"^([0-9a-f]{64})?$",
            description="The principal investigator's key, with the first delegation.",
            examples=[""],
        ),
    ] = ""


class ActsRecorded(Message, frozen=True):
    """The acts are sealed and on their way to the ledger."""

    acts: Annotated[int, Meta(description="Acts in the chain.")]
    deviations: Annotated[tuple[str, ...], Meta(description="Deviations that stand now, with their arithmetic.")]
    tasks: Annotated[tuple[str, ...], Meta(description="What is due.")]


class EnrolSubject(Message, frozen=True):
    """A participant whom the investigator found eligible."""

    study: STUDY
    subject: SUBJECT
    stratum: Annotated[
        str, Meta(min_length=1, max_length=200, description="Name of the stratum.", examples=["under-65"])
    ]


class SubjectEnrolled(Message, frozen=True):
    """Enrolled; the kit comes when trustees and dispensers have done their part."""

    enrolment: Annotated[str, Meta(description="Id of the enrolment.")]


class SendActs(Message, frozen=True):
    """The study whose acts are sent."""

    study: STUDY


class ActsSent(Message, frozen=True):
    """What left, each participant's line in the access log first."""

    participants: Annotated[int, Meta(description="Participants with new acts.")]
    acts: Annotated[int, Meta(description="Acts sent.")]
    withheld: Annotated[int, Meta(description="Participants whose consent does not hold, or who asked to be erased.")]


class ListTasks(Message, frozen=True):
    """The study whose participants are asked for."""

    study: STUDY


class Tasks(Message, frozen=True):
    """The participants that this member knows, judged anew from their chains."""

    participants: Annotated[tuple[str, ...], Meta(description="Site, subject, status, visits, kit.")]
    verdicts: Annotated[tuple[str, ...], Meta(description="Acts that were not to be taken, at any site.")]
    deviations: Annotated[tuple[str, ...], Meta(description="Deviations with their arithmetic.")]
    tasks: Annotated[tuple[str, ...], Meta(description="What is due, with its window.")]


class Work(Message, frozen=True):
    """The study to work on."""

    study: STUDY


class WorkDone(Message, frozen=True):
    """What this member did as trustee and dispenser."""

    signed: Annotated[int, Meta(description="Draws signed as trustee.")]
    posted: Annotated[int, Meta(description="Allocations posted as dispenser.")]
    given: Annotated[int, Meta(description="Kits sent.")]
    waiting: Annotated[tuple[str, ...], Meta(description="Enrolments that wait, and for what.")]
    refused: Annotated[tuple[str, ...], Meta(description="Enrolments refused a kit, and why.")]
    wrong: Annotated[tuple[str, ...], Meta(description="Trustees whose signatures did not hold.")]


def authored(node: MemberNode, message: LedgerMessage, key: Ed25519PrivateKey) -> Outcome:
    """Send a message that a one-time key authors. Raises Refused, Unavailable."""
    body = node.submitter.body(message, key.public_key().public_bytes_raw())
    return node.submitter.carry(body, sign_as_author(body, key), (type(message),))


@use_case("trial.consent", who=OPERATOR)
def take_consent(node: MemberNode, request: TakeConsent) -> ConsentTaken:
    """Put a consent signed on paper with a witness on the ledger. The same person twice at one site is refused."""
    study = bytes.fromhex(request.study)
    form, _ = form_in_force(node, study)
    link = node.vault.open_link(request.assigner, request.identifier)
    if subjects_of(node, study, link):
        raise Conflict("trials.twice", "this person is in the study already", todo="see the site's participants")
    subject, seed = node.entropy(16), node.entropy(32)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    grant = consent_id(key)
    part = TrialPart(FORMAT, node.network, study, node.member, form, request.language, request.options, STAYS, "paper")
    proof, commitment = on_paper(grant, part, node.entropy(8 * 32))
    in_force = parameters(node.ledger.read())
    longest = min(YEARS * YEAR_MS, in_force.grant_longest)
    expiry = consent.round_expiry(node.ledger_time() + longest - in_force.grant_rounding, in_force.grant_rounding)
    authored(node, consent.Grant(commitment, expiry), key)
    keep(node, study + subject, Subject(link, seed, proof, part.way))
    return ConsentTaken(subject=subject.hex(), grant=grant.hex(), form=form.hex(), way=part.way)


def consent_id(key: Ed25519PrivateKey) -> bytes:
    """Return the id of the grant that a one-time key authors."""
    return consent.grant_id(key.public_key().public_bytes_raw())


@use_case("trial.withdraw", who=OPERATOR)
def withdraw_consent(node: MemberNode, request: WithdrawConsent) -> ConsentWithdrawn:
    """End a consent on paper on the ledger: nothing is sent from that block on. The act `withdraw` says from what."""
    subject = one(node, Subject, bytes.fromhex(request.study + request.subject))
    if not subject.seed:
        raise Forbidden(
            "trials.wallet-consent",
            "the participant's wallet gave this consent and alone ends it",
            todo="salus wallet trial-withdraw",
        )
    outcome = authored(node, consent.Revoke(), Ed25519PrivateKey.from_private_bytes(subject.seed))
    return ConsentWithdrawn(height=outcome.height or 0)


def _chain(node: MemberNode, study: bytes, subject: bytes) -> tuple[bytes, list[Anchored]]:
    """Return (link, chain) of a participant, or of the site's delegations."""
    if subject:
        return one(node, Subject, study + subject).link, own_chain(node, study, subject)
    told = next((value for _, value in kept(node, Delegated, site_key(study, node.member))), None)
    acts = () if told is None else told.acts
    return node.vault.house_link(), [Anchored(act, 0) for act in acts]


@use_case("trial.act", who=OPERATOR)
def draft_act(node: MemberNode, request: DraftAct) -> ActDrafted:
    """Draft the next act of a chain, for a person to sign with their own key."""
    study, subject = bytes.fromhex(request.study), bytes.fromhex(request.subject)
    _, chain = _chain(node, study, subject)
    fields = tuple(sorted((name, value) for name, _, value in (each.partition("=") for each in request.fields)))
    act = Act(
        study=study,
        site=node.member,
        subject=subject,
        number=len(chain) + 1,
        previous=act_digest(chain[-1].signed.act) if chain else FIRST,
        entered=node.now(),
        clinical=request.clinical,
        kind=request.kind,
        by=bytes.fromhex(request.person),
        fields=fields,
    )
    return ActDrafted(act=encode(act).hex())


@use_case("trial.record", who=OPERATOR)
def record_acts(node: MemberNode, request: RecordActs) -> ActsRecorded:
    """Take signed acts of one chain, each judged by the conduct rules first; all are taken, or none."""
    study, subject = bytes.fromhex(request.study), bytes.fromhex(request.subject)
    try:
        signed = [SignedAct(*(bytes.fromhex(part) for part in each.split(":"))) for each in request.acts]
    except (TypeError, ValueError):
        raise Malformed("trials.acts", "acts are ACT:SIGNATURE in hexadecimal") from None
    link, chain = _chain(node, study, subject)
    if not subject:
        return _delegate(node, study, bytes.fromhex(request.investigator), [each.signed for each in chain], signed)
    acts = [act for act in read_all(signed) if act is not None]
    _check_alone(signed)
    _check_renewed(node, request.credential, acts)
    for act in acts:
        check_sources(node, study, link, act)
    anchored = node.ledger_time()  # when they would be anchored now
    state = judged(node, study, [*chain, *(Anchored(each, anchored) for each in signed)])
    refused = [one_ for one_ in state.verdicts if one_.number > len(chain)]
    if refused:
        code = refused[0].code.lower().replace("_", "-")
        raise Forbidden(f"trials.{code}", refused[0].told, got=f"act {refused[0].number}")
    contents = [content_of(study, subject, number, each) for number, each in enumerate(signed, len(chain) + 1)]
    # A monitor verifies by reading the site's records: the participant's log says so before the act stands.
    verified = [(act.by, dict(act.fields)["item"]) for act in acts if act.kind == "verify"]
    with serving(node, [reading_line(node, study, link, by, "trial-verify", (item,)) for by, item in verified]):
        node.vault.write(link, contents)
    if not node.ticking:
        anchor(node)
    return ActsRecorded(
        acts=state.acts,
        deviations=tuple(f"{each.code}: {each.told}" for each in state.deviations),
        tasks=tuple(f"{each.what} {each.first} to {each.last}".strip() for each in state.tasks),
    )


def _check_alone(signed: list[SignedAct]) -> None:
    """Check that eligibility has a signature of its own: dispensers are shown that act and no other. Raises Forbidden."""
    for run in runs(signed):
        if len(run) > 1 and any(act.kind == "eligible" for act in read_all(run) if act is not None):
            raise Forbidden("trials.signed-together", "eligibility is signed by itself", todo="sign that act alone")


def _check_renewed(node: MemberNode, credential: str, acts: list[Act]) -> None:
    """Check that each signature names the credential shown, bound to the key that signs. Raises Forbidden, Unauthenticated.

    How old it may be, the conduct rules say, here and at everyone who judges the act again.
    """
    signing = [act for act in acts if act.kind == "sign"]
    if not signing:
        return
    claims = claims_of(credential, node.member, node.signing_keys(node.member), node.now())
    told = {"credential": credential_digest(credential), "renewed": str(claims.iat * 1000)}
    for act in signing:
        fields = dict(act.fields)
        if claims.cnf.jkt != thumbprint(act.by) or any(fields.get(name) != value for name, value in told.items()):
            raise Forbidden(
                "trials.not-renewed", "the signature is not under the credential shown", todo="sign in again"
            )


def credential_digest(credential: str) -> str:
    """Return how a signature names the credential that it was made under, hexadecimal."""
    return digest("salus/v1/trial-credential", credential.encode()).hex()


def judged(node: MemberNode, study: bytes, chain: list[Anchored]) -> State:
    """Return a chain of the own site, judged now."""
    return conduct(chain, conditions(node, study, node.member))


def _delegate(
    node: MemberNode, study: bytes, investigator: bytes, before: list[SignedAct], signed: list[SignedAct]
) -> ActsRecorded:
    told = next((value for _, value in kept(node, Delegated, site_key(study, node.member))), None)
    key = investigator if told is None else told.investigator
    chain, previous = [*before, *signed], act_digest(before[-1].act) if before else FIRST
    for number, each in enumerate(signed, len(before) + 1):
        act = read(each)
        if act is None or (act.number, act.previous, act.by, act.subject) != (number, previous, key, b""):
            raise Forbidden("trials.not-delegated", "only the principal investigator delegates", got=f"act {number}")
        previous = act_digest(each.act)
    keep(node, site_key(study, node.member), Delegated(key, tuple(chain)))
    return ActsRecorded(acts=len(chain), deviations=(), tasks=())


@use_case("trial.enrol", who=OPERATOR)
def enrol_subject(node: MemberNode, request: EnrolSubject) -> SubjectEnrolled:
    """Enrol a participant: the ledger gets a one-time key, a stratum tag and commitments; dispensers get the evidence.

    Where that was cut off it is done again: one enrolment stands on the ledger whatever happens.
    """
    from salus.node.trials.drawing import consent_commitment, eligibility_commitment  # noqa: PLC0415 -- the extra

    curve()
    study, subject_id = bytes.fromhex(request.study), bytes.fromhex(request.subject)
    subject, chain = one(node, Subject, study + subject_id), own_chain(node, study, subject_id)
    state = judged(node, study, chain)
    stands = bool(subject.enrolment) and port.enrolment(node.ledger.read(), subject.enrolment) is not None
    if stands and subject.evidenced:
        raise Conflict("trials.enrolled", "this participant is enrolled already")
    if state.status is not Status.ELIGIBLE or state.verdicts:
        raise Forbidden("trials.not-eligible", "only who is eligible is enrolled", got=state.status.value)
    _, terms = terms_of(node, study, 1)
    if request.stratum not in terms.randomisation.strata:
        raise Malformed("trials.stratum", "no such stratum", expected=", ".join(terms.randomisation.strata))
    eligible = next(each.signed for each in reversed(chain) if decode(each.signed.act, Act).kind == "eligible")
    seed = subject.enrolment_seed or node.entropy(32)
    salts, key = (mac(seed, "consent"), mac(seed, "eligibility")), Ed25519PrivateKey.from_private_bytes(seed)
    message = port.Enrol(
        study,
        stratum_tag(one(node, StratumKey, study).key, request.stratum),
        consent_commitment(salts[0], subject.proof.grant),
        eligibility_commitment(salts[1], eligible.act),
    )
    id_ = port.enrolment_id(key.public_key().public_bytes_raw())
    subject = structs.replace(subject, enrolment=id_, enrolment_seed=seed)
    keep(node, study + subject_id, subject)
    if not stands:
        authored(node, message, key)
    told = one(node, Delegated, site_key(study, node.member))
    height = node.ledger.head().height
    evidence = Evidence(study, id_, height, subject.proof, *salts, eligible, told.investigator, told.acts)
    _, roster = study_of(node, study)
    for dispenser in members_of(roster, port.Part.DISPENSER):
        send(node, dispenser, "evidence", evidence)
    keep(node, study + subject_id, structs.replace(subject, evidenced=True))
    return SubjectEnrolled(enrolment=id_.hex())


@use_case("trial.send", who=OPERATOR)
def send_acts(node: MemberNode, request: SendActs) -> ActsSent:
    """Send anchored acts to sponsor and statistician, each participant's line in the access log committed first."""
    study = bytes.fromhex(request.study)
    _, roster = study_of(node, study)
    receivers = [*members_of(roster, port.Part.SPONSOR), *members_of(roster, port.Part.STATISTICIAN)]
    receivers = [name for name in dict.fromkeys(receivers) if name != node.member]
    told = next((value for _, value in kept(node, Delegated, site_key(study, node.member))), Delegated(bytes(32), ()))
    anchor(node)
    due, withheld = [], 0
    for key, subject in list(kept(node, Subject, study)):
        numbers = [each for each in numbers_of(node, subject.link, key) if node.vault.is_anchored(each)]
        if len(numbers) <= subject.sent:
            continue
        live = consent.live(node.ledger.read(), subject.proof.grant, node.ledger_time())
        if not live or node.vault.link_info(subject.link).standing is Standing.CLOSED:
            withheld += 1
            continue
        due.append((key, subject, numbers))
    documents = []
    for key, subject, numbers in due:
        pulled = node.vault.seal_for_pull(numbers[subject.sent :], retained=True)
        roots = tuple(Rooted(each.root, each.tx_id) for each in pulled.anchorings)
        sent = SentActs(study, key[16:], node.ledger.head().height, told.investigator, told.acts, pulled.records, roots)
        what = (f"{ACT} {len(numbers) - subject.sent}",)
        for name in receivers:
            line = Disclosure(Side.CUSTODIAN, subject.link, name, "", "", RESEARCH, "trial", what)
            documents.append(Telling(name, ACTS, sent, [line]))
    disclose(node, *documents)
    for key, subject, numbers in due:
        keep(node, key, structs.replace(subject, sent=len(numbers)))
    acts = sum(len(numbers) - subject.sent for _, subject, numbers in due)
    return ActsSent(participants=len(due), acts=acts, withheld=withheld)


@use_case("trial.tasks", who=OPERATOR)
def list_tasks(node: MemberNode, request: ListTasks) -> Tasks:
    """List participants as their chains tell, at the site and at everyone the acts were sent to: verdicts, tasks."""
    study = bytes.fromhex(request.study)
    people, verdicts, deviations, tasks = [], [], [], []
    own = {key[16:]: subject for key, subject in kept(node, Subject, study)}
    for one_, other in twice(node, study):
        tasks.append(
            f"{node.member} {one_.hex()[:8]}: {other.hex()[:8]} is the same person, found after both consented"
        )
    for site, subject, state in states(node, study):
        name = f"{site} {subject.hex()[:8]}"
        kit = f", kit {state.kit}" if state.kit else ""
        signed = own.get(subject) if site == node.member else None
        way = "" if signed is None else f", consent: {signed.way}"
        people.append(f"{name}: {state.status.value}, {len(state.visits)} visits{kit}{way}")
        if signed is not None and signed.withdrawn and state.status is not Status.WITHDRAWN:
            tasks.append(f"{name}: enter the withdrawal from {signed.withdrawn}, as the wallet said")
        verdicts += [f"{name}: act {each.number} {each.code}, {each.told}" for each in state.verdicts]
        deviations += [f"{name}: {each.code}, {each.told}" for each in state.deviations]
        tasks += [f"{name}: {each.what} {each.first} to {each.last}" for each in state.tasks]
    return Tasks(participants=tuple(people), verdicts=tuple(verdicts), deviations=tuple(deviations), tasks=tuple(tasks))


@use_case("trial.work", who=OPERATOR)
def do_work(node: MemberNode, request: Work) -> WorkDone:
    """Do this member's part of every draw: sign as trustee, draw and post as dispenser. What waits is told with why."""
    curve()
    from salus.node.trials.drawing import work  # noqa: PLC0415 -- the extra may not be installed

    make_keys(node)
    done = work(node, bytes.fromhex(request.study))
    return WorkDone(
        signed=done.signed,
        posted=done.posted,
        given=done.given,
        waiting=tuple(f"{id_}: {why}" for id_, why in sorted(done.waiting.items())),
        refused=tuple(f"{id_}: {why}" for id_, why in sorted(done.refused.items())),
        wrong=tuple(f"{name}: {why}" for name, why in sorted(done.wrong.items())),
    )


def kit_of(node: MemberNode, study: bytes, subject: bytes) -> str:
    """Return the kit that was given for a participant. Raises NotFound."""
    enrolment = one(node, Subject, study + subject).enrolment
    if not enrolment:
        raise NotFound("trials.not-enrolled", "this participant is not enrolled")
    return one(node, KitGiven, enrolment).kit
