"""Consent by a participant's own wallet: a site's offer as a code, and what the wallet tells the site.

    code   "salus-trial:" base64url(msgpack [data, signature])
    data   msgpack [format, network, site, study, sponsor, title, form, languages, options, stays, id, expires], signed by
           the site's ledger key

The consent is a grant: its document names the sponsor and the purpose, its one slip the site, and the commitment holds the
trial part. The wallet's one-time key alone ends it.
"""

from typing import Annotated, Final, TypeVar

from msgspec import Meta, structs

from salus.agreements.grants import GrantRefused, Presented, check_presented, slip_of
from salus.agreements.trials.consenting import ConsentProof, TrialPart, check_consent
from salus.contracts.consent import port as consent
from salus.contracts.trials import port
from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.core.proof.digest import framed
from salus.core.proof.ed25519 import verify
from salus.node import codes
from salus.node.errors import Conflict, Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.trials.founding import STUDY
from salus.node.trials.kept import Subject, Superseded, keep, kept
from salus.node.trials.sight import study_of, subjects_of, terms_of
from salus.node.usecase import OPERATOR, Message, use_case
from salus.vault.enrolment import Signed
from salus.vault.errors import VaultError

FORMAT: Final = 1
SCHEME: Final = "salus-trial:"
LABEL: Final = "salus/v1/trial-offer"
LIFE_MS: Final = 24 * 3600 * 1000
MAX_CODE: Final = 2_500  # characters: what a QR code of medium density holds
PURPOSE: Final = "CLINTRCH"
STAYS: Final = "collected-data"
WALLET_WAYS: Final = ("wallet", "representative", "host")
SCOPES: Final = ("treatment", "follow-up", "data")
V = TypeVar("V", bound=Value)


class Offer(Value, frozen=True):
    """What a site offers a participant to agree to."""

    format: int
    network: bytes
    site: str
    study: bytes
    sponsor: str
    title: str
    form: bytes
    """Digest of the form of informed consent."""
    languages: tuple[str, ...]
    options: tuple[str, ...]
    stays: str
    """What stays after withdrawal."""
    id: bytes
    expires: int
    """Unix ms."""


class Consent(Value, frozen=True):
    """Action `trial-consent`: a consent on the ledger, as its wallet shows it to the site."""

    study: bytes
    shown: Presented
    proof: ConsentProof
    height: int


class Consented(Value, frozen=True):
    """The participant's name at the site, and the consents that this one takes the place of."""

    subject: bytes
    superseded: tuple[bytes, ...]


class Withdrawn(Value, frozen=True):
    """Action `trial-withdraw`: from what a participant withdraws. The ledger ends the grant."""

    grant: bytes
    scope: str


class OfferTrial(Message, frozen=True):
    """What is offered to a participant at this site."""

    study: STUDY
    languages: Annotated[
        tuple[Annotated[str, Meta(pattern="^[a-z]{2}$")], ...],
        Meta(min_length=1, max_length=8, description="Languages that the form is there in.", examples=[["en"]]),
    ] = ("en",)
    options: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(max_length=8, description="What may be agreed to beside.", examples=[["samples"]]),
    ] = ()


class TrialOffered(Message, frozen=True):
    """A code for the participant's wallet, good for a day."""

    code: Annotated[str, Meta(description="Text or QR for `salus wallet trial-consent`.")]
    form: Annotated[str, Meta(description="Digest of the form that it is a consent to.")]


@use_case("trial.offer", who=OPERATOR)
def offer_trial(node: MemberNode, request: OfferTrial) -> TrialOffered:
    """Offer a trial to a participant's wallet, under the form of consent in force at this site."""
    study = bytes.fromhex(request.study)
    form, title = form_in_force(node, study)
    row, _ = study_of(node, study)
    offer = Offer(
        FORMAT,
        node.network,
        node.member,
        study,
        row.sponsor,
        title,
        form,
        request.languages,
        request.options,
        STAYS,
        node.entropy(16),
        node.now() + LIFE_MS,
    )
    data = encode(offer)
    signed = Signed(data, node.signing_key.sign(framed(LABEL, (data,))))
    return TrialOffered(code=codes.written(SCHEME, signed), form=form.hex())


def form_in_force(node: MemberNode, study: bytes) -> tuple[bytes, str]:
    """Return the form of consent in force at this site, and the trial's title. Raises Forbidden."""
    row, _ = study_of(node, study)
    if not row.registered:
        raise Forbidden("trials.unregistered", "no consent before the trial is registered", got=row.status.name)
    site = port.site(node.ledger.read(), study, node.member)
    if site is None or site.status is not port.SiteStatus.ACTIVE:
        raise Forbidden("trials.site", "this member is no active site of the study")
    _, terms = terms_of(node, study, site.version)
    return bytes.fromhex(terms.consent_form), terms.title


def read_offer(code: str) -> tuple[Offer, Signed]:
    """Return the offer in a code, its signature not checked yet. Raises Malformed."""
    try:
        signed = codes.held(code, SCHEME, Signed, most=MAX_CODE)
        offer = decode(signed.data, Offer)
    except MalformedBytes as error:
        raise Malformed("trials.offer", "this is no offer of a trial", todo="scan or paste the whole code") from error
    if offer.format != FORMAT:
        raise Malformed("trials.offer", "the offer is of another format", expected=str(FORMAT))
    return offer, signed


def check_offer(offer: Offer, signed: Signed, *, network: bytes, signing_key: bytes, now: int) -> None:
    """Check an offer under the site's key, which the ledger proved. Raises Forbidden."""
    if offer.network != network or not verify(signing_key, framed(LABEL, (signed.data,)), signed.signature):
        raise Forbidden("trials.offer", "the offer is not signed by the site it names", todo="do not answer it")
    if now >= offer.expires:
        raise Forbidden("trials.offer-expired", "the offer is too old", todo="ask for a new code")


def take_wallet_consent(node: MemberNode, link: bytes, argument: bytes) -> Consented:
    """Take a consent that a wallet put on the ledger. A newer form's takes the place of the one before; that one is kept.

    Raises Forbidden, Malformed, Conflict, NotFound.
    """
    asked = _argument(argument, Consent)
    node.wait_for(asked.height)
    form, _ = form_in_force(node, asked.study)
    part = _checked(node, link, asked)
    if part.form != form:
        raise Forbidden("trials.other-form", "the consent is to a form that is not in force")
    known = subjects_of(node, asked.study, link)
    if any(one.link != link for _, one in known):
        raise Conflict("trials.twice", "this person is in the study already, under another number of the site")
    before = next(iter(known), None)
    if before is None:
        subject = node.entropy(16)
        keep(node, asked.study + subject, Subject(link, b"", asked.proof, part.way))
        return Consented(subject, ())
    key, standing = before
    if standing.proof == asked.proof:
        return Consented(key[16:], ())
    earlier = decode(standing.proof.part, TrialPart)
    if earlier.form == form and consent.live(node.ledger.read(), standing.proof.grant, node.ledger_time()):
        raise Conflict("trials.twice", "this person is in the study already, under the same form")
    keep(node, key + standing.proof.grant, Superseded(standing.proof, standing.way))
    keep(node, key, structs.replace(standing, seed=b"", proof=asked.proof, way=part.way))
    return Consented(key[16:], (standing.proof.grant,))


def _checked(node: MemberNode, link: bytes, asked: Consent) -> TrialPart:
    row, _ = study_of(node, asked.study)
    try:
        grant = slip_of(asked.shown.signed).grant
        given = consent.granted(node.ledger.read(), grant)
        if given is None or not consent.live(node.ledger.read(), grant, node.ledger_time()):
            raise GrantRefused("unknown", "no such live grant is on the ledger")
        document, _ = check_presented(
            asked.shown,
            network=node.network,
            custodian=node.member,
            grantee=row.sponsor,
            grant=grant,
            commitment=given.commitment,
            link=link,
            link_key=node.vault.link_key(link).key,
        )
        part = check_consent(
            asked.proof, network=node.network, commitment=given.commitment, study=asked.study, site=node.member
        )
        if asked.proof.grant != grant or document.purposes != (PURPOSE,) or part.way not in WALLET_WAYS:
            raise GrantRefused("trial-part", "grant, purpose and part do not belong together")
    except (GrantRefused, VaultError) as error:
        raise Forbidden("trials.consent", "the consent does not hold", got=str(error)) from error
    return part


def take_withdrawal(node: MemberNode, link: bytes, argument: bytes) -> Withdrawn:
    """Take down from what a participant withdraws. Raises NotFound, Malformed."""
    asked = _argument(argument, Withdrawn)
    if asked.scope not in SCOPES:
        raise Malformed("trials.scope", "no such scope", expected=", ".join(SCOPES))
    for key, subject in kept(node, Subject):
        if subject.link == link and subject.proof.grant == asked.grant:
            keep(node, key, structs.replace(subject, withdrawn=asked.scope))
            return asked
    raise NotFound("trials.no-consent", "no such consent is known here")


def _argument(data: bytes, kind: type[V]) -> V:
    try:
        return decode(data, kind)
    except MalformedBytes as error:
        raise Malformed("instruction.argument", "the argument does not decode", got=str(error)) from error
