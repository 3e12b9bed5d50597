"""The consent contract, rule version 1.

Attacks, and what stops each (`tests/contracts/test_consent_story.py` runs them):

    another member sends the same grant again      the author signed the whole body, submitter and nonce included
    a seen transaction is sent again               its id is remembered by the kernel
    a used key grants again                        the row stands: ALREADY_GRANTED, revoked or not
    a member revokes a patient's grant             the id is the author's key; no other key reaches the row
    a revoked or expired grantee revives a grant   no message leads back, an invariant of the table says so
    the exact end of a grant marks it              NOT_ROUNDED: the message itself is seen by every member
    a grant for ever                               EXPIRY_TOO_FAR
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.consent.messages import EXAMPLES, Grant, Revoke
from salus.contracts.consent.reasons import ConsentReason
from salus.contracts.consent.state import GRANTS, NUMBER, GrantRow, GrantStatus, grant_id
from salus.contracts.contract import Contract
from salus.contracts.membership.port import parameters
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule


def grant(ctx: Context, message: Grant) -> bytes:
    """Record a grant. Returns grant id 32 | commitment 32 | expiry u64."""
    id_ = grant_id(ctx.author)
    if ctx.get(GRANTS, id_) is not None:
        raise Rejected(ConsentReason.ALREADY_GRANTED, grant=id_.hex())
    in_force = parameters(ctx.state)
    if message.expiry % in_force.grant_rounding:
        raise Rejected(ConsentReason.NOT_ROUNDED, rounding=in_force.grant_rounding)
    if message.expiry <= ctx.time:
        raise Rejected(ConsentReason.ALREADY_OVER, expiry=message.expiry, time=ctx.time)
    latest = ctx.time + in_force.grant_longest + in_force.grant_rounding
    if message.expiry >= latest:
        raise Rejected(ConsentReason.EXPIRY_TOO_FAR, expiry=message.expiry, latest=latest)

    ctx.insert(GRANTS, id_, GrantRow(message.commitment, message.expiry, GrantStatus.GRANTED, ctx.height))
    return id_ + message.commitment + message.expiry.to_bytes(8, "big")


def revoke(ctx: Context, _message: Revoke) -> bytes:
    """Record a revocation. Returns grant id 32 | status u8 (2)."""
    id_ = grant_id(ctx.author)
    row = ctx.get(GRANTS, id_)
    if row is None:
        raise Rejected(ConsentReason.NOT_GRANTED, grant=id_.hex())
    if row.status is GrantStatus.REVOKED:
        raise Rejected(ConsentReason.ALREADY_REVOKED, grant=id_.hex())

    ctx.put(GRANTS, id_, structs.replace(row, status=GrantStatus.REVOKED, height=ctx.height))
    return id_ + bytes((GrantStatus.REVOKED,))


RULES: Final[Mapping[type[Message], Rule]] = {
    Grant: Rule(grant, authored=True),
    Revoke: Rule(revoke, authored=True),
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="consent",
    rules=RULES,
    tables=(GRANTS,),
    reasons=ConsentReason,
    examples=EXAMPLES,
)
