"""A payer's side of a patient's own accumulators: the cells of the person, and of the family for who is its subscriber.

claim-cells  instruction → each cell as its keeper signed it, its path, and the proven row with the root, sealed to the wallet
"""

from typing import Final

from salus.contracts.claims import port
from salus.core.encoding import Value
from salus.engines.errors import NotKept
from salus.interop.x12.claim import SELF
from salus.node.claims.dossiers import kept_cases
from salus.node.claims.exchange import read_decision
from salus.node.claims.keeper import YearTold, told_here
from salus.node.claims.sealed_answers import receive_key_in, seal_answer
from salus.node.errors import Unavailable
from salus.node.member import MemberNode
from salus.node.patient.messages import SealedAnswer

CELLS: Final = "claim-cells"
PAYER: Final = "urn:payer:"


class OwnYear(Value, frozen=True):
    """One plan year with the own cells, and what proves them."""

    plan: str
    told: YearTold
    row: bytes
    """The plan year's row at the height of the cells."""
    proof: bytes
    """Its state proof."""


class OwnCells(Value, frozen=True):
    """The own cells in all years."""

    years: tuple[OwnYear, ...]


def tell_cells(node: MemberNode, link: bytes, argument: bytes) -> SealedAnswer:
    """Hand the patient of a link the own accumulators. Raises Malformed, Unavailable, Forbidden."""
    receive = receive_key_in(argument)
    years = []
    for system, person in node.vault.identifiers(link):
        if system.startswith(PAYER):
            family = [person.partition("|")[0]] if _subscriber(node, link) else []
            told = told_here(node, system.removeprefix(PAYER), [person, *family])
            years += [_proven(node, plan, one) for plan, one in told if one.cells.cells]
    return seal_answer(node, CELLS, receive, OwnCells(tuple(years)))


def _subscriber(node: MemberNode, link: bytes) -> bool:
    """Tell whether the person of a link is the subscriber: family totals are for no dependent."""
    own = (one for _, one, _ in kept_cases(node, payer_side=True) if one.link == link)
    return any(
        read_decision(one.last.decided).claim.relationship == SELF for one in own if one.last.decided is not None
    )


def _proven(node: MemberNode, plan: str, told: YearTold) -> OwnYear:
    try:
        row = node.prover.row(port.PLAN_YEARS, told.year, told.cells.height)
    except NotKept as error:
        raise Unavailable("claims.year", "the ledger does not prove the plan year yet", todo="ask again") from error
    return OwnYear(plan, told, row.value or b"", row.proof.encode())
