"""`salus wallet new`, `join`, `show`, `keep`, `bring-back`: the wallet itself, and the members it is tied to."""

from typing import Annotated

from msgspec import Meta, structs

from salus.core.errors import SalusError
from salus.node.errors import Forbidden
from salus.node.invitation import read
from salus.node.patient.proof import witnessed
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import NoWallet, OpenWallet

MEMBER = Annotated[
    str,
    Meta(
        pattern="^[a-z][a-z0-9-]{1,31}$",
        description="Id of a member that the wallet has joined.",
        examples=["north-hospital"],
        extra={"positional": True},
    ),
]


class NewWallet(Message, frozen=True):
    """What the wallet is to believe."""

    trust: Annotated[
        bytes,
        Meta(
            description="The network's trust file, from somebody the patient trusts (`salus network trust`).",
            examples=[b"{}"],
        ),
    ]


class WalletMade(Message, frozen=True):
    """The wallet is made."""

    network: Annotated[str, Meta(description="Network that it is for, hexadecimal.")]
    witnessed: Annotated[
        bool,
        Meta(description="Whether more than one organisation vouches for the ledger; if not, it can be rewritten."),
    ]


class JoinMember(Message, frozen=True):
    """The invitation that the member handed over."""

    invitation: Annotated[
        str,
        Meta(
            max_length=1000,
            description="Its text.",
            examples=["salus-invitation:lgE"],
            extra={"positional": True},
        ),
    ]


class MemberJoined(Message, frozen=True):
    """The wallet holds the key of this link now."""

    member: Annotated[str, Meta(description="The member.")]
    name: Annotated[str, Meta(description="Its name, as the ledger has it.")]


class ShowWallet(Message, frozen=True):
    """Asks for nothing more."""


class TiedLine(Message, frozen=True):
    """A member that the wallet is tied to."""

    member: Annotated[str, Meta(description="Its id.")]
    url: Annotated[str, Meta(description="Where its node answers.")]
    checked: Annotated[int, Meta(description="Records whose chain the wallet has followed.")]


class WalletShown(Message, frozen=True):
    """What the wallet holds."""

    network: Annotated[str, Meta(description="Network, hexadecimal.")]
    witnessed: Annotated[bool, Meta(description="Whether more than one organisation vouches for the ledger.")]
    grants: Annotated[int, Meta(description="Grants given, stopped ones too.")]
    members: Annotated[tuple[TiedLine, ...], Meta(description="Members that it is tied to.")]


class KeepWallet(Message, frozen=True):
    """Asks for nothing more."""


class KeptLine(Message, frozen=True):
    """A member that was asked to keep the state."""

    member: Annotated[str, Meta(description="Its id.")]
    kept: Annotated[bool, Meta(description="Whether it holds the newest state.")]


class WalletKept(Message, frozen=True):
    """Where the sealed state lies."""

    members: Annotated[tuple[KeptLine, ...], Meta(description="Members asked.")]


class BringBack(Message, frozen=True):
    """From whom to fetch the state."""

    member: MEMBER


class BroughtBack(Message, frozen=True):
    """The state is merged into this wallet."""

    version: Annotated[int, Meta(description="Version that the member held; 0: none.")]
    grants: Annotated[int, Meta(description="Grants known now.")]


@use_case("wallet.new", who=PATIENT)
def new(place: NoWallet, request: NewWallet) -> WalletMade:
    """Make a wallet: a fresh root in one file under a passphrase. Who loses both loses the keys."""
    made = place.make(request.trust)
    made.close()
    return WalletMade(network=made.trust.network.hex(), witnessed=witnessed(made.trust))


@use_case("wallet.join", who=PATIENT)
def join(wallet: OpenWallet, request: JoinMember) -> MemberJoined:
    """Take the key of the own link at a member, with the invitation that it handed over.

    The member's keys are checked against the ledger before anything is sent. The wallet holds the tie once all was done that it
    asks for; where an answer was lost, a fresh invitation does it again.
    """
    invitation = read(request.invitation)
    if invitation.network != wallet.trust.network:
        raise Forbidden("wallet.network", "the invitation is of another network", todo="use a wallet for that one")
    before, links = wallet.urls.get(invitation.member), wallet.holder.wallet.state.links
    wallet.urls[invitation.member] = invitation.url.rstrip("/")
    try:
        wallet.holder.join(invitation.member, invitation.code)
        wallet.joined(invitation.member)
    except SalusError:
        wallet.holder.wallet.state = structs.replace(wallet.holder.wallet.state, links=links)
        wallet.urls.pop(invitation.member)
        if before:
            wallet.urls[invitation.member] = before
        raise
    return MemberJoined(member=invitation.member, name=wallet.holder.member(invitation.member).name)


@use_case("wallet.show", who=PATIENT)
def show(wallet: OpenWallet, request: ShowWallet) -> WalletShown:  # noqa: ARG001 -- a use case
    """Show what the wallet holds, without asking anybody."""
    state = wallet.holder.wallet.state
    return WalletShown(
        network=wallet.trust.network.hex(),
        witnessed=witnessed(wallet.trust),
        grants=len(state.grants),
        members=tuple(
            TiedLine(member=tied.member, url=wallet.urls.get(tied.member, ""), checked=tied.sequence)
            for tied in state.links
        ),
    )


@use_case("wallet.keep", who=PATIENT)
def keep(wallet: OpenWallet, request: KeepWallet) -> WalletKept:  # noqa: ARG001 -- a use case
    """Leave the sealed state with every member joined: each can keep it, none can read it."""
    kept = wallet.holder.keep()
    return WalletKept(members=tuple(KeptLine(member=member, kept=held) for member, held in kept.items()))


@use_case("wallet.bring-back", who=PATIENT)
def bring_back(wallet: OpenWallet, request: BringBack) -> BroughtBack:
    """Merge the state that a member keeps into this wallet: what an older copy of the file does not know."""
    version = wallet.holder.bring_back(request.member)
    return BroughtBack(version=version, grants=len(wallet.holder.wallet.state.grants))
