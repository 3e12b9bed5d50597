"""What others may use of the supply contract."""

from collections.abc import Iterator

from salus.contracts.supply.holdings import Found, Shelf, id_of, recall_of
from salus.contracts.supply.licensing import terms, ticket_bytes
from salus.contracts.supply.messages import (
    MAX_TARGETS,
    MAX_UNITS,
    Acknowledge,
    Cancel,
    Clear,
    Commission,
    End,
    Excepted,
    Hand,
    Licence,
    Open,
    OrderRecall,
    Pack,
    Place,
    Quarantine,
    Recall,
    Receive,
    Refuse,
    ReportTemperature,
    SetTerms,
    Settle,
    Ship,
    Take,
    Target,
    Ticket,
    Transform,
    Undo,
    Unpack,
    VoidTickets,
)
from salus.contracts.supply.reasons import SupplyReason
from salus.contracts.supply.state import (
    ACKNOWLEDGEMENTS,
    DEFAULT_TERMS,
    HOLDINGS,
    LICENSES,
    LOTS,
    MARKS,
    OPENINGS,
    TEMPERATURES,
    TRANSITIONS,
    UNDOABLE,
    VOIDED,
    Acknowledgement,
    Holding,
    Kind,
    License,
    Licensed,
    Lot,
    Mark,
    Opening,
    Reason,
    Share,
    Status,
    Temperature,
    Terms,
    holding_id,
    license_key,
    lot_id,
    mix_id,
    owner_of,
)
from salus.core.errors import Rejected
from salus.core.tables import View

__all__ = [
    "ACKNOWLEDGEMENTS",
    "DEFAULT_TERMS",
    "HOLDINGS",
    "LICENSES",
    "LOTS",
    "MARKS",
    "MAX_TARGETS",
    "MAX_UNITS",
    "OPENINGS",
    "TEMPERATURES",
    "TRANSITIONS",
    "UNDOABLE",
    "VOIDED",
    "Acknowledge",
    "Acknowledgement",
    "Cancel",
    "Clear",
    "Commission",
    "End",
    "Excepted",
    "Found",
    "Hand",
    "Holding",
    "Kind",
    "Licence",
    "License",
    "Licensed",
    "Lot",
    "Mark",
    "Open",
    "Opening",
    "OrderRecall",
    "Pack",
    "Place",
    "Quarantine",
    "Reason",
    "Recall",
    "Receive",
    "Refuse",
    "ReportTemperature",
    "SetTerms",
    "Settle",
    "Share",
    "Ship",
    "Status",
    "SupplyReason",
    "Take",
    "Target",
    "Temperature",
    "Terms",
    "Ticket",
    "Transform",
    "Undo",
    "Unpack",
    "VoidTickets",
    "acknowledgements",
    "find",
    "holding_id",
    "holdings_of",
    "id_of",
    "licence_of",
    "license_key",
    "lot",
    "lot_id",
    "mix_id",
    "owner_of",
    "recall_of",
    "terms",
    "ticket_bytes",
]


def find(state: View, target: Target) -> Found | None:
    """Return goods as they stand, or None if no row is theirs and no proof leads to one."""
    try:
        return Shelf(state).find(target)
    except Rejected:
        return None


def lot(state: View, id_: bytes) -> Lot | None:
    """Return a lot by its id, or None."""
    return state.get(LOTS, id_)


def holdings_of(state: View, lot_: bytes) -> Iterator[tuple[bytes, Holding]]:
    """Yield (id, row) of every holding with goods of a lot, or of a lot made of it. Reads the whole table."""
    lots = {id_ for id_, row in state.range(LOTS) if id_ == lot_ or lot_ in row.sources}
    for id_, row in state.range(HOLDINGS):
        if any(share.lot in lots for share in row.lots):
            yield id_, row


def acknowledgements(state: View, lot_: bytes) -> Iterator[tuple[bytes, Acknowledgement]]:
    """Yield (digest of the owner's key, answer) of a lot's recall."""
    return ((key[32:], row) for key, row in state.range(ACKNOWLEDGEMENTS, lot_))


def licence_of(state: View, issuer: str, member: str) -> Licensed | None:
    """Return a member's licence from an issuer as it stands, or None."""
    return state.get(LICENSES, license_key(issuer, member))
