"""`salus wallet accumulators`: what counts towards deductible and maximum, each position proven by the ledger."""

from typing import Annotated

from msgspec import Meta

from salus.agreements.claims.keeping import proven
from salus.contracts.claims import port
from salus.core.encoding import MalformedBytes, decode
from salus.core.proof import ed25519
from salus.core.proof.errors import Unproven
from salus.core.proof.statemap import MapProof
from salus.node.claims.keeper import CellTold
from salus.node.claims.own_cells import CELLS, OwnCells, OwnYear
from salus.node.claims.sealed_answers import ask_sealed
from salus.node.errors import Forbidden, Unavailable
from salus.node.exchange.wire import RemoteRefusal
from salus.node.patient.proof import check_row
from salus.node.usecase import PATIENT, Message, use_case
from salus.node.wallet.file import OpenWallet
from salus.node.wallet.holder import Holder


class AskAccumulators(Message, frozen=True):
    """Asks for nothing more."""


class AccumulatorLine(Message, frozen=True):
    """One position: how much of a deductible or maximum is taken."""

    plan: Annotated[str, Meta(description="Name of the plan.")]
    since: Annotated[str, Meta(description="First day of the plan year, CCYYMMDD.")]
    what: Annotated[str, Meta(description="deductible or out-of-pocket.")]
    whose: Annotated[str, Meta(description="member: one's own; family: the whole family's, for its subscriber.")]
    tier: Annotated[str, Meta(description="Network tier.")]
    taken: Annotated[int, Meta(description="Taken by claims of all payers of the plan, cents.", extra={"cents": True})]
    most: Annotated[
        int, Meta(description="The maximum, cents; 0 where the member asked does not keep it.", extra={"cents": True})
    ]
    number: Annotated[
        int, Meta(description="How often the position changed: one number has one value, or the keeper forked.")
    ]
    keeper: Annotated[str, Meta(description="Member id of the payer that keeps the year and signed this.")]
    told_by: Annotated[str, Meta(description="Member id of the payer that was asked.")]


class Accumulators(Message, frozen=True):
    """One's own positions, as every payer of the plan sees them."""

    positions: Annotated[tuple[AccumulatorLine, ...], Meta(description="By plan, what, whose and tier.")]
    silent: Annotated[tuple[str, ...], Meta(description="Members that could not answer.")]


@use_case("wallet.accumulators", who=PATIENT)
def list_accumulators(wallet: OpenWallet, request: AskAccumulators) -> Accumulators:  # noqa: ARG001 -- a use case
    """List what counts towards one's deductible and maximum, each signed by its keeper and under a root on the ledger.

    Raises Forbidden where a position is not proven.
    """
    lines: list[AccumulatorLine] = []
    silent: list[str] = []
    for tied in wallet.holder.wallet.state.links:
        try:
            years = asked(wallet.holder, tied.member)
        except (Unavailable, RemoteRefusal):
            silent.append(tied.member)
            continue
        lines += [line for year in years for line in held(wallet.holder, tied.member, year)]
    lines.sort(key=lambda one: (one.plan, one.since, one.what, one.whose, one.tier, one.told_by))
    return Accumulators(positions=tuple(lines), silent=tuple(silent))


def asked(holder: Holder, member: str) -> tuple[OwnYear, ...]:
    """Return what a payer tells of the own accumulators, not yet held against the ledger. Raises SealBroken, Unavailable."""
    return ask_sealed(holder, member, CELLS, OwnCells).years


def held(holder: Holder, member: str, own: OwnYear) -> list[AccumulatorLine]:
    """Return a year's positions once they hold: the row by the trust file, each cell by its signature and its path.

    Raises Forbidden, Unavailable.
    """
    told = own.told
    try:
        row = decode(check_row(holder.trust, port.PLAN_YEARS.state_key(told.year), own.row, own.proof), port.PlanYear)
    except MalformedBytes as error:
        raise _unproven(member, str(error)) from error
    if row.keeper != told.keeper:
        raise _unproven(member, "another keeper than the ledger names")
    key = holder.member(told.keeper).signing_key
    limits = {parts[:3]: parts[3] for parts in told.limits}
    return [
        _line(member, own, limits, one) for one in told.cells.cells if _holds(one, told.year, key, row.root, member)
    ]


def _holds(one: CellTold, year: bytes, key: bytes, root: bytes, member: str) -> bool:
    said = one.statement
    if said.year != year or not ed25519.verify(key, said.signed(), said.signature):
        raise _unproven(member, "a position that its keeper did not sign")
    try:
        stands = proven(MapProof(one.siblings, one.found), said, one.salt, root)
    except Unproven as error:
        raise _unproven(member, str(error)) from error
    if not stands:
        raise _unproven(member, "a position that does not stand under the ledger's root")
    return True


def _unproven(member: str, got: str) -> Forbidden:
    return Forbidden(
        "wallet.accumulators", f"{member} tells a position that is not proven", got=got, todo="do not rely on it"
    )


def _line(member: str, own: OwnYear, limits: dict[tuple[str, str, str], int], one: CellTold) -> AccumulatorLine:
    name = one.name
    return AccumulatorLine(
        plan=own.plan,
        since=name.year,
        what=name.bucket,
        whose=name.scope,
        tier=name.tier,
        taken=one.statement.cents,
        most=limits.get((name.bucket, name.scope, name.tier), 0),
        number=one.statement.number,
        keeper=own.told.keeper,
        told_by=member,
    )
