"""Services that a patient paid in full: no payer is told of them (45 CFR 164.522(a)(1)(vi)).

claim-self-pay   instruction → the restriction stands at the provider from the next moment; the answer lists all of the link
claims restrictions        provider: what stands, for which services
claims lift-restriction    provider: ends one whose condition does not hold, with a reason that the patient reads

What a restriction covers is refused wherever a claim or a request for authorisation would go to a payer; a void passes, which
takes back what a payer knows already. It covers the patient's other links at this member where these are joined.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from salus.core.encoding import MalformedBytes, Value, decode, encode
from salus.interop.x12.calendar import is_date
from salus.interop.x12.claim import Claim
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.member import MemberNode
from salus.node.pairs import joined_with
from salus.node.usecase import OPERATOR, Message, use_case

PREFIX: Final = "self-pay/"
MOST: Final = 200
"""Restrictions of one link: more than a person keeps by hand."""
VOID: Final = "8"
Service = tuple[str, str, str]
"""Procedure or revenue code, first and last day (CCYYMMDD)."""


class SelfPay(Value, frozen=True):
    """Action `claim-self-pay`: asks that no payer be told of services; without a first day, only what stands."""

    first: str = ""
    """CCYYMMDD."""
    last: str = ""
    codes: tuple[str, ...] = ()
    """Procedure or revenue codes; none for every service of the days."""
    payer: str = ""
    """Member id of the payer; empty for every one."""


class Restriction(Value, frozen=True):
    """What a patient asked for."""

    id: bytes
    """16 random bytes."""
    link: bytes
    asked: SelfPay
    since: int
    """When it came, ms."""
    lifted: str = ""
    """Why it stands no more; empty while it does."""

    def covers(self, services: Iterable[Service], payer: str) -> bool:
        """Tell whether it forbids telling a payer of one of the services."""
        asked = self.asked
        return (
            not self.lifted
            and asked.payer in {"", payer}
            and any(
                first <= asked.last and last >= asked.first and (not asked.codes or code in asked.codes)
                for code, first, last in services
            )
        )


class Restrictions(Value, frozen=True):
    """All that a link asked for."""

    restrictions: tuple[Restriction, ...]


class ListRestrictions(Message, frozen=True):
    """Asks for nothing more."""


class RestrictionLine(Message, frozen=True):
    """One restriction."""

    id: Annotated[str, Meta(description="Its id, hexadecimal.")]
    link: Annotated[str, Meta(description="The patient's link, hexadecimal.")]
    first: Annotated[str, Meta(description="First day of service, CCYYMMDD.")]
    last: Annotated[str, Meta(description="Last day of service, CCYYMMDD.")]
    codes: Annotated[tuple[str, ...], Meta(description="Procedure or revenue codes; none for every one.")]
    payer: Annotated[str, Meta(description="Member id of the payer; empty for every one.")]
    lifted: Annotated[str, Meta(description="Why it stands no more; empty while it does.")]


class RestrictionsListed(Message, frozen=True):
    """What no payer is told of."""

    restrictions: Annotated[tuple[RestrictionLine, ...], Meta(description="By link, in the order they came.")]


class LiftRestriction(Message, frozen=True):
    """A restriction whose condition does not hold."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", description="Its id, hexadecimal.", examples=["00" * 16])]
    reason: Annotated[
        str, Meta(min_length=3, max_length=500, description="Why, for the patient.", examples=["was not paid in full"])
    ]


class RestrictionLifted(Message, frozen=True):
    """It stands no more; the patient reads why."""


@use_case("claims.restrictions", who=OPERATOR)
def list_restrictions(node: MemberNode, request: ListRestrictions) -> RestrictionsListed:  # noqa: ARG001 -- a use case
    """List the services that patients paid in full and of which no payer is told."""
    return RestrictionsListed(
        restrictions=tuple(
            RestrictionLine(
                id=one.id.hex(),
                link=one.link.hex(),
                first=one.asked.first,
                last=one.asked.last,
                codes=one.asked.codes,
                payer=one.asked.payer,
                lifted=one.lifted,
            )
            for one in _kept(node, PREFIX)
        )
    )


@use_case("claims.lift-restriction", who=OPERATOR)
def lift_restriction(node: MemberNode, request: LiftRestriction) -> RestrictionLifted:
    """End a restriction whose condition does not hold: the service was not paid in full. Raises NotFound."""
    found = next((one for one in _kept(node, PREFIX) if one.id.hex() == request.id), None)
    if found is None:
        raise NotFound("claims.no-restriction", "there is no such restriction", got=request.id)
    _keep(node, msgspec.structs.replace(found, lifted=request.reason))
    return RestrictionLifted()


def take_self_pay(node: MemberNode, link: bytes, argument: bytes) -> Restrictions:
    """Keep what a patient asks, and answer all that stands or stood. Raises Malformed."""
    try:
        asked = decode(argument, SelfPay)
    except MalformedBytes as error:
        raise Malformed("patient.bytes", "the question does not decode", got=str(error)) from error
    kept = _of_link(node, link)
    if asked.first and all(one.lifted or one.asked != asked for one in kept):
        sound = is_date(asked.first) and is_date(asked.last) and asked.first <= asked.last and len(asked.codes) <= MOST
        if not sound or len(kept) >= MOST:
            raise Malformed("claims.self-pay-days", "the days or codes are none", expected="CCYYMMDD, first to last")
        _keep(node, Restriction(node.entropy(16), link, asked, node.now()))
    return Restrictions(tuple(_of_link(node, link)))


def services_of(claim: Claim) -> list[Service]:
    """Return the services of a claim; a void tells of none that the payer does not know."""
    if claim.frequency == VOID:
        return []
    codes = [(code, line) for line in claim.lines for code in (line.procedure, line.revenue) if code]
    return [(code, line.first, line.last) for code, line in codes]


def withheld(node: MemberNode, link: bytes, services: Callable[[], list[Service]], payer: str) -> bool:
    """Tell whether a payer must not be told of one of the services, which are asked for only if there is any such."""
    standing = {one.link for one in _kept(node, PREFIX)}
    if not standing:
        return False
    found = [one for name in joined_with(node, link) if name in standing for one in _of_link(node, name)]
    return bool(found) and any(one.covers(services(), payer) for one in found)


def require_told(node: MemberNode, link: bytes, services: Callable[[], list[Service]], payer: str) -> None:
    """Require that a payer may be told. Raises Forbidden."""
    if withheld(node, link, services, payer):
        raise Forbidden(
            "claims.self-pay",
            "the patient paid for a service in full and asked that no payer be told",
            todo="leave it out; see `salus claims restrictions`",
        )


def _of_link(node: MemberNode, link: bytes) -> list[Restriction]:
    return _kept(node, f"{PREFIX}{link.hex()}/")


def _kept(node: MemberNode, prefix: str) -> list[Restriction]:
    found = [decode(body, Restriction) for _, body in node.desk.claim_states(prefix)]
    return sorted(found, key=lambda one: (one.link, one.since, one.id))


def _keep(node: MemberNode, one: Restriction) -> None:
    node.desk.keep_claims([], [(f"{PREFIX}{one.link.hex()}/{one.id.hex()}", encode(one))])
