"""`salus wallet trial-offer`, `trial-consent`, `trial-withdraw`: a participant's own part in a trial."""

from typing import Annotated

from msgspec import Meta

from salus.agreements.grants import FORMAT, Document, Grant, present
from salus.agreements.trials.consenting import FORMAT as PART_FORMAT
from salus.agreements.trials.consenting import ConsentProof, TrialPart, with_part
from salus.node.errors import Malformed
from salus.node.exchange.wire import RemoteRefusal
from salus.node.names import GRANT_EXAMPLE
from salus.node.trials.offering import (
    PURPOSE,
    SCOPES,
    WALLET_WAYS,
    Consent,
    Consented,
    Offer,
    Withdrawn,
    check_offer,
    read_offer,
)
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.holder import DAY_MS, Holder
from salus.node.wallet.sharing import THROUGH
from salus.vault.wallet import Share

CLASS = "research"  # the sensitivity of a participant's chain
CODE = Annotated[str, Meta(min_length=1, max_length=2500, description="The site's code.", examples=["salus-trial:…"])]


def offered(holder: Holder, code: str) -> Offer:
    """Return the offer in a code, signed by the site whose keys the ledger proves. Raises Malformed, Forbidden."""
    offer, signed = read_offer(code)
    told = holder.member(offer.site)
    check_offer(offer, signed, network=holder.network, signing_key=told.signing_key, now=holder.clock())
    return offer


def consent(
    holder: Holder,
    offer: Offer,
    *,
    days: int,
    through: str,
    language: str = "",
    options: tuple[str, ...] = (),
    signer: str = "wallet",
) -> tuple[bytes, Consented]:
    """Agree to a trial: on the ledger, then to the site. Earlier consents that this one replaces are ended.

    Return the grant's id and what the site says. Raises Malformed, Forbidden, Unavailable.
    """
    chosen = language or offer.languages[0]
    if chosen not in offer.languages or set(options) - set(offer.options) or signer not in WALLET_WAYS:
        raise Malformed(
            "wallet.trial",
            "language, options or signer are not of the offer",
            expected=", ".join((*offer.languages, *offer.options, *WALLET_WAYS)),
        )
    now = holder.clock()
    document = Document(FORMAT, holder.network, offer.sponsor, (), (PURPOSE,), now, now + days * DAY_MS, ())
    proofs: list[ConsentProof] = []

    def added(id_: bytes, made: Grant) -> Grant:
        part = TrialPart(
            PART_FORMAT,
            holder.network,
            offer.study,
            offer.site,
            offer.form,
            chosen,
            tuple(sorted(options)),
            offer.stays,
            signer,
        )
        whole, proof, _ = with_part(id_, made, part, holder.entropy(32))
        proofs.append(proof)
        return whole

    id_, height = holder.promise(document, [Share(offer.site, (CLASS,))], through=through, added=added)
    shown = present(holder.wallet.state.grants[-1].grant, offer.site)
    asked = Consent(offer.study, shown, proofs[0], height)
    try:
        told = holder.instruct(offer.site, "trial-consent", asked, Consented)
    except RemoteRefusal:
        holder.stop(id_, through=through)  # what its site does not take is no consent
        raise
    for earlier in told.superseded:
        if earlier in {one.id for one in holder.permissions() if not one.revoked}:
            holder.stop(earlier, through=through)
    return id_, told


def withdraw(holder: Holder, grant: bytes, scope: str, *, through: str) -> int:
    """End a consent on the ledger and tell its site from what; return the block. The ledger comes first.

    Raises Malformed, NotFound, Unavailable.
    """
    if scope not in SCOPES:
        raise Malformed("wallet.trial", "no such scope", expected=", ".join(SCOPES))
    given = next((one for one in holder.permissions() if one.id == grant), None)
    carried = holder.stop(grant, through=through)
    for site in () if given is None else given.members:
        holder.instruct(site, "trial-withdraw", Withdrawn(grant, scope), Withdrawn)
    return carried.height


class ReadTrialOffer(Message, frozen=True):
    """A code from a site."""

    code: CODE


class TrialOfferRead(Message, frozen=True):
    """What is offered, as the site signed it. Nothing is agreed to yet."""

    title: Annotated[str, Meta(description="The trial.")]
    site: Annotated[str, Meta(description="Who offers it.")]
    sponsor: Annotated[str, Meta(description="Who gets the data, sealed.")]
    form: Annotated[
        str, Meta(description="Digest of the form of consent: compare it with the form that was given to you.")
    ]
    languages: Annotated[tuple[str, ...], Meta(description="Languages of the form.")]
    options: Annotated[tuple[str, ...], Meta(description="What may be agreed to beside.")]
    stays: Annotated[str, Meta(description="What stays after withdrawal.")]


class ConsentToTrial(Message, frozen=True):
    """What is agreed to."""

    code: CODE
    days: Annotated[int, Meta(ge=1, le=1830, description="For how many days from now.", examples=[730])] = 730
    language: Annotated[
        str,
        Meta(pattern="^([a-z]{2})?$", description="Language of the form; empty: the first offered.", examples=["en"]),
    ] = ""
    options: Annotated[
        tuple[str, ...], Meta(max_length=8, description="Options agreed to.", examples=[["samples"]])
    ] = ()
    signer: Annotated[str, Meta(description="wallet, representative or host: always shown.", examples=["wallet"])] = (
        "wallet"
    )
    through: THROUGH = ""


class TrialConsented(Message, frozen=True):
    """The consent stands on the ledger; what it is to, only its proof tells."""

    grant: Annotated[str, Meta(description="Its id, hexadecimal.")]
    replaced: Annotated[int, Meta(description="Earlier consents that it took the place of.")]


class WithdrawFromTrial(Message, frozen=True):
    """Which consent ends, and from what one withdraws."""

    grant: Annotated[
        str, Meta(pattern="^[0-9a-f]{64}$", description="Id of the consent, hexadecimal.", examples=[GRANT_EXAMPLE])
    ]
    scope: Annotated[
        str, Meta(description="treatment, follow-up or data: told to the site.", examples=["treatment"])
    ] = "data"
    through: THROUGH = ""


class TrialLeft(Message, frozen=True):
    """Nothing is sent from that block on. What was sent stays, as the form says."""

    height: Annotated[int, Meta(description="Block from which it holds.")]


@use_case("wallet.trial-offer", who=PATIENT)
def read_trial_offer(wallet: OpenWallet, request: ReadTrialOffer) -> TrialOfferRead:
    """Show exactly what a site's code offers, and who signed it as the ledger proves. Nothing is agreed to."""
    offer = offered(wallet.holder, request.code)
    return TrialOfferRead(
        title=offer.title,
        site=offer.site,
        sponsor=offer.sponsor,
        form=offer.form.hex(),
        languages=offer.languages,
        options=offer.options,
        stays=offer.stays,
    )


@use_case("wallet.trial-consent", who=PATIENT)
def consent_to_trial(wallet: OpenWallet, request: ConsentToTrial) -> TrialConsented:
    """Agree to a trial, or to a newer form of it. One's own one-time key speaks on the ledger and alone ends it."""
    grant, told = consent(
        wallet.holder,
        offered(wallet.holder, request.code),
        days=request.days,
        through=wallet.through(request.through),
        language=request.language,
        options=request.options,
        signer=request.signer,
    )
    return TrialConsented(grant=grant.hex(), replaced=len(told.superseded))


@use_case("wallet.trial-withdraw", who=PATIENT)
def withdraw_from_trial(wallet: OpenWallet, request: WithdrawFromTrial) -> TrialLeft:
    """Withdraw from a trial. No reasons are asked; nothing more is sent from that block on."""
    height = withdraw(
        wallet.holder, bytes.fromhex(request.grant), request.scope, through=wallet.through(request.through)
    )
    return TrialLeft(height=height)
