"""`salus wallet request`, `grant`, `grants`, `stop`, `erase`: who may read, and who no longer."""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from salus.node.errors import Forbidden, Malformed
from salus.node.names import GRANT_EXAMPLE, GRANT_PATTERN
from salus.node.patient import certificate
from salus.node.records.charts import moment
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.joining import MEMBER

CODE = Annotated[
    str,
    Meta(
        max_length=2000,
        description="The code that the member showed.",
        examples=["salus-access:lgE"],
        extra={"positional": True},
    ),
]
DAY = Annotated[
    str,
    Meta(
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="Only records of clinical time from (since) or before (until) this day; empty: of all times.",
        examples=["2024-01-01"],
    ),
]
THROUGH = Annotated[
    str,
    Meta(
        pattern="^([a-z][a-z0-9-]{1,31})?$",
        description="Member that submits it; it learns which row of the ledger is its patient's. Empty: the first joined.",
        examples=["north-hospital"],
    ),
]


class ReadRequest(Message, frozen=True):
    """The code to read."""

    code: CODE


class RequestRead(Message, frozen=True):
    """Exactly what is asked. Nothing is granted yet."""

    member: Annotated[str, Meta(description="Who asks, as the ledger proves.")]
    name: Annotated[str, Meta(description="Its name, as the ledger has it.")]
    purpose: Annotated[str, Meta(description="What for.")]
    roles: Annotated[tuple[str, ...], Meta(description="Roles of the persons who would read; empty: everyone there.")]
    classes: Annotated[tuple[str, ...], Meta(description="Classes of records asked for.")]
    expires: Annotated[str, Meta(description="Until when it can be answered, UTC.")]


class AnswerRequest(Message, frozen=True):
    """The request to answer with a grant."""

    code: CODE
    days: Annotated[int, Meta(ge=1, le=1830, description="For how many days from now.", examples=[30])]
    share_from: Annotated[
        tuple[str, ...],
        Meta(description="Members whose records are shared; all joined ones if empty.", examples=[["north-hospital"]]),
    ] = ()
    classes: Annotated[
        tuple[str, ...],
        Meta(description="Only these of the classes asked for; all of them if empty.", examples=[["laboratory"]]),
    ] = ()
    since: DAY = ""
    until: DAY = ""
    through: THROUGH = ""


class GrantGiven(Message, frozen=True):
    """The grant stands on the ledger and is on its way to who asked."""

    grant: Annotated[str, Meta(description="Its id, hexadecimal.")]
    member: Annotated[str, Meta(description="Who may read.")]
    until: Annotated[str, Meta(description="Until when, UTC.")]


class ListGrants(Message, frozen=True):
    """Asks for nothing more."""


class PermissionLine(Message, frozen=True):
    """A grant that this wallet gave."""

    grant: Annotated[str, Meta(description="Its id, hexadecimal.")]
    member: Annotated[str, Meta(description="Who may read.")]
    standing: Annotated[str, Meta(description="live, stopped or ended.")]
    since: Annotated[str, Meta(description="Since when, UTC.")]
    until: Annotated[str, Meta(description="Until when, UTC.")]
    classes: Annotated[tuple[str, ...], Meta(description="Classes of records that it opens.")]
    purposes: Annotated[str, Meta(description="What for.")]
    roles: Annotated[str, Meta(description="Which persons; empty: everyone there.")]
    shared_from: Annotated[str, Meta(description="Members whose records it opens.")]


class Permissions(Message, frozen=True):
    """Every grant given."""

    grants: Annotated[tuple[PermissionLine, ...], Meta(description="Oldest first.")]


class StopGrant(Message, frozen=True):
    """Which grant to stop."""

    grant: Annotated[
        str,
        Meta(
            pattern=GRANT_PATTERN,
            description="Its id, hexadecimal.",
            examples=[GRANT_EXAMPLE],
            extra={"positional": True},
        ),
    ]
    through: THROUGH = ""


class SharingStopped(Message, frozen=True):
    """In force everywhere from that block. What was read cannot be unread."""

    grant: Annotated[str, Meta(description="The grant.")]
    height: Annotated[
        int, Meta(description="Block of the ledger; 0: it is proven that there was nothing left to revoke.")
    ]


class StopAt(Message, frozen=True):
    """Which grant one member is to serve no more."""

    grant: Annotated[
        str,
        Meta(
            pattern=GRANT_PATTERN,
            description="Its id, hexadecimal.",
            examples=[GRANT_EXAMPLE],
            extra={"positional": True},
        ),
    ]
    member: MEMBER


class StoppedAt(Message, frozen=True):
    """The member serves nothing more under the grant. Others do until it is stopped on the ledger."""

    grant: Annotated[str, Meta(description="The grant.")]
    member: Annotated[str, Meta(description="The member.")]


class ShowCertificate(Message, frozen=True):
    """For which member's link."""

    member: MEMBER


class CertificateShown(Message, frozen=True):
    """Keep it apart from the wallet: whoever holds it can make the link key good for revocation only."""

    certificate: Annotated[str, Meta(description="Its text.")]


class PublishCertificate(Message, frozen=True):
    """The certificate to publish."""

    certificate: Annotated[
        str,
        Meta(
            max_length=1000,
            description="Its text.",
            examples=["salus-revocation:lgE"],
            extra={"positional": True},
        ),
    ]


class CertificatePublished(Message, frozen=True):
    """From now the member obeys that link key in revocation only."""

    member: Annotated[str, Meta(description="The member.")]


class AskErasure(Message, frozen=True):
    """What is to be erased: the own record at a member, or what was pulled under a grant."""

    member: Annotated[
        str,
        Meta(
            pattern="^([a-z][a-z0-9-]{1,31})?$",
            description="Member whose record of the patient is to be erased.",
            examples=["north-hospital"],
        ),
    ] = ""
    grant: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{64})?$",
            description="Grant under which something was pulled.",
            examples=[GRANT_EXAMPLE],
        ),
    ] = ""


class ErasureAsked(Message, frozen=True):
    """The request stands on the ledger. Nothing is deleted for some days; then it is, or a reason in law is named."""

    case: Annotated[str, Meta(description="Its case, hexadecimal.")]
    retained: Annotated[str, Meta(description="The duty in law by which it is kept for now; empty without one.")] = ""
    until: Annotated[
        str, Meta(description="When that duty ends, UTC; empty without one, or before the trial's last visit.")
    ] = ""


@use_case("wallet.request", who=PATIENT)
def read_request(wallet: OpenWallet, request: ReadRequest) -> RequestRead:
    """Show exactly what a code asks for, and who asks as the ledger proves it. Nothing is granted."""
    asked = wallet.holder.read_request(request.code)
    return RequestRead(
        member=asked.member,
        name=wallet.holder.member(asked.member).name,
        purpose=asked.purpose,
        roles=asked.roles,
        classes=asked.classes,
        expires=moment(asked.expires),
    )


@use_case("wallet.grant", who=PATIENT)
def grant(wallet: OpenWallet, request: AnswerRequest) -> GrantGiven:
    """Grant what a code asks for, for some days, of the records at all members joined or at some.

    A one-time key speaks on the ledger: the row says that a grant lives, not whose it is or for whom.
    """
    asked = wallet.holder.read_request(request.code)
    id_ = wallet.holder.answer(
        asked,
        days=request.days,
        through=wallet.through(request.through),
        share_from=request.share_from,
        classes=chosen_of(asked.classes, request.classes),
        since=day_ms(request.since),
        until=day_ms(request.until),
    )
    given = next(one for one in wallet.holder.permissions() if one.id == id_)
    return GrantGiven(grant=id_.hex(), member=given.grantee, until=moment(given.document.expiry))


def chosen_of(asked: tuple[str, ...], chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes chosen of those asked for; all if none are. Raises Malformed for one that was not asked for."""
    if set(chosen) - set(asked):
        raise Malformed("wallet.classes", "a class was chosen that is not asked for", expected=", ".join(asked))
    return chosen or asked


def day_ms(day: str) -> int:
    """Return the start of a day (ISO, UTC) in Unix ms, 0 for none. Raises Malformed."""
    try:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000) if day else 0
    except ValueError as error:
        raise Malformed("wallet.day", "this is no day", expected="YYYY-MM-DD") from error


@use_case("wallet.grants", who=PATIENT)
def list_grants(wallet: OpenWallet, request: ListGrants) -> Permissions:  # noqa: ARG001 -- a use case
    """List every grant that this wallet gave, without asking anybody."""
    now = wallet.holder.clock()
    lines = []
    for one in wallet.holder.permissions():
        standing = "stopped" if one.revoked else "live" if now < one.document.expiry else "ended"
        lines.append(
            PermissionLine(
                grant=one.id.hex(),
                member=one.grantee,
                standing=standing,
                since=moment(one.document.not_before),
                until=moment(one.document.expiry),
                classes=one.classes,
                purposes=" ".join(one.document.purposes),
                roles=" ".join(one.document.roles),
                shared_from=" ".join(one.members),
            )
        )
    return Permissions(grants=tuple(lines))


@use_case("wallet.stop", who=PATIENT)
def stop(wallet: OpenWallet, request: StopGrant) -> SharingStopped:
    """Stop sharing. In force at every member from the block that holds it; what was read cannot be unread."""
    carried = wallet.holder.stop(bytes.fromhex(request.grant), through=wallet.through(request.through))
    return SharingStopped(grant=request.grant, height=carried.height)


@use_case("wallet.stop-at", who=PATIENT)
def stop_at(wallet: OpenWallet, request: StopAt) -> StoppedAt:
    """Have one member serve nothing more under a grant, at once, with the link key and without the ledger."""
    wallet.holder.stop_at(wallet.through(request.member), bytes.fromhex(request.grant))
    return StoppedAt(grant=request.grant, member=request.member)


@use_case("wallet.certificate", who=PATIENT)
def show_certificate(wallet: OpenWallet, request: ShowCertificate) -> CertificateShown:
    """Show the revocation certificate of the own link key at a member, to be kept apart from the wallet."""
    shown = wallet.holder.certificate(wallet.through(request.member))
    told = certificate.Certificate(certificate.FORMAT, wallet.trust.network, request.member, shown)
    return CertificateShown(certificate=certificate.write(told))


@use_case("wallet.publish", who=PATIENT)
def publish(wallet: OpenWallet, request: PublishCertificate) -> CertificatePublished:
    """Publish a revocation certificate: for a stolen wallet, from any other one that knows the member."""
    told = certificate.read(request.certificate)
    if told.network != wallet.trust.network:
        raise Forbidden("wallet.network", "the certificate is of another network", todo="use a wallet for that one")
    wallet.holder.publish(told.member, told.published)
    return CertificatePublished(member=told.member)


@use_case("wallet.erase", who=PATIENT)
def erase(wallet: OpenWallet, request: AskErasure) -> ErasureAsked:
    """Ask a member to erase the own record, or what it pulled under a grant.

    Deletion elsewhere is attested on the ledger, not proven.
    """
    if bool(request.member) == bool(request.grant):
        raise Malformed("wallet.erase", "it is not said what to erase", expected="either --member or --grant")
    if request.grant:
        return ErasureAsked(case=wallet.holder.erase_lease(bytes.fromhex(request.grant)).hex())
    case, told = wallet.holder.ask_erasure(wallet.through(request.member))
    return ErasureAsked(case=case.hex(), retained=told.duty, until=moment(told.until) if told.until else "")
