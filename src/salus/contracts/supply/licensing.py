"""Who may trade: licences by name, tickets by one-time key, and what only a regulator says."""

from collections.abc import Sequence
from typing import Final

from msgspec import structs

from salus.contracts.membership.port import Role, Standing, key_at, member
from salus.contracts.supply.holdings import ascending
from salus.contracts.supply.messages import Licence, Open, SetTerms, Ticket, VoidTickets
from salus.contracts.supply.reasons import SupplyReason
from salus.contracts.supply.state import (
    DEFAULT_TERMS,
    LICENSES,
    OPENINGS,
    SINGLE,
    TERMS,
    VOIDED,
    License,
    Licensed,
    Opening,
    Terms,
    Voided,
    license_key,
    owner_of,
)
from salus.core.errors import Rejected
from salus.core.proof.digest import digest, framed
from salus.core.proof.ed25519 import verify
from salus.core.rules import Context
from salus.core.tables import View

TRADER: Final = (License.MAKER, License.REPACKAGER, License.DISTRIBUTOR, License.DISPENSER)
ANYONE: Final = (*TRADER, License.CARRIER)


def ticket_bytes(key: bytes, kinds: Sequence[License], until: int) -> bytes:
    """Return what an issuer signs: digest of the one-time key (`port.owner_of`), kinds, end (ms)."""
    return framed("salus/v1/supply-ticket", (key, bytes(kinds), until.to_bytes(8, "big")))


def terms(view: View) -> Terms:
    """Return the terms in force."""
    return view.get(TERMS, SINGLE) or DEFAULT_TERMS


def licensed(ctx: Context, ticket: Ticket, kinds: tuple[License, ...]) -> bytes:
    """Return the digest of the author's key if its ticket covers one of the kinds. Raises Rejected."""
    key = owner_of(ctx.author)
    row = member(ctx.state, ticket.issuer)
    signing = key_at(ctx.state, ticket.issuer)
    if row is None or signing is None or row.standing is not Standing.ACTIVE or Role.REGULATOR not in row.roles:
        raise Rejected(SupplyReason.TICKET_INVALID, issuer=ticket.issuer)
    if not verify(signing.signing_key, ticket_bytes(key, ticket.kinds, ticket.until), ticket.signature):
        raise Rejected(SupplyReason.TICKET_INVALID, issuer=ticket.issuer)
    if not ctx.time < ticket.until <= ctx.time + terms(ctx.state).ticket:
        raise Rejected(SupplyReason.TICKET_OVER, until=ticket.until, time=ctx.time)
    if ctx.get(VOIDED, key + ticket.issuer.encode("ascii")) is not None:
        raise Rejected(SupplyReason.TICKET_VOID, issuer=ticket.issuer)
    if not any(kind in kinds for kind in ticket.kinds):
        raise Rejected(SupplyReason.NOT_LICENSED, needed=", ".join(kind.name.lower() for kind in kinds))
    return key


def regulator(ctx: Context) -> None:
    """Raise Rejected(NOT_REGULATOR) unless the submitter is one."""
    row = member(ctx.state, ctx.submitter)
    if row is None or Role.REGULATOR not in row.roles:
        raise Rejected(SupplyReason.NOT_REGULATOR, submitter=ctx.submitter)


def licence(ctx: Context, message: Licence) -> bytes:
    """License a member. Returns until u64 | kinds, one byte each | `/` | issuer | `/` | member."""
    ascending(bytes((kind,)) for kind in message.kinds)
    regulator(ctx)
    if member(ctx.state, message.member) is None:
        raise Rejected(SupplyReason.NO_SUCH_MEMBER, member=message.member)

    key = license_key(ctx.submitter, message.member)
    ctx.put(LICENSES, key, Licensed(message.kinds, message.until, ctx.height))
    return message.until.to_bytes(8, "big") + bytes(message.kinds) + b"/" + key


def void_tickets(ctx: Context, message: VoidTickets) -> bytes:
    """Take tickets back. Returns digest over the keys 32 | count u16 | issuer."""
    ascending(message.keys)
    regulator(ctx)
    keys = [key + ctx.submitter.encode("ascii") for key in message.keys]
    fresh = [key for key in keys if ctx.get(VOIDED, key) is None]

    for key in fresh:
        ctx.put(VOIDED, key, Voided(ctx.height))
    count = len(message.keys).to_bytes(2, "big")
    return digest("salus/v1/supply-voided", *message.keys) + count + ctx.submitter.encode("ascii")


def open_hops(ctx: Context, message: Open) -> bytes:
    """Put an opening on record. Returns digest over the records 32 | count u16 | purpose 32 | member."""
    ascending(message.hops)
    regulator(ctx)
    keys = [hop + ctx.submitter.encode("ascii") for hop in message.hops]
    fresh = [key for key in keys if ctx.get(OPENINGS, key) is None]

    for key in fresh:
        ctx.put(OPENINGS, key, Opening(message.purpose, ctx.height))
    told = digest("salus/v1/supply-opened", *message.hops) + len(keys).to_bytes(2, "big")
    return told + message.purpose + ctx.submitter.encode("ascii")


def set_terms(ctx: Context, message: SetTerms) -> bytes:
    """Set the terms. Returns undo u64 | answer u64 | ticket u64."""
    regulator(ctx)

    ctx.put(TERMS, SINGLE, message.terms)
    return b"".join(each.to_bytes(8, "big") for each in structs.astuple(message.terms))
