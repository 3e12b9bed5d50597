"""What others may use of the consent contract."""

from salus.contracts.consent.messages import Grant, Revoke
from salus.contracts.consent.reasons import ConsentReason
from salus.contracts.consent.state import GRANTS, GrantRow, GrantStatus, grant_id
from salus.core.tables import View

__all__ = [
    "GRANTS",
    "ConsentReason",
    "Grant",
    "GrantRow",
    "GrantStatus",
    "Revoke",
    "grant_id",
    "granted",
    "live",
    "round_expiry",
]


def granted(state: View, id_: bytes) -> GrantRow | None:
    """Return a grant by its id (SHA-256 of its one-time key), live or not, or None."""
    return state.get(GRANTS, id_)


def live(state: View, id_: bytes, time: int) -> bool:
    """Return whether a grant holds in `state` at `time` (ms): made, not revoked, not expired."""
    row = state.get(GRANTS, id_)
    return row is not None and row.status is GrantStatus.GRANTED and time < row.expiry


def round_expiry(expiry: int, rounding: int) -> int:
    """Return the first expiry (ms) at or after `expiry` that the ledger takes under `Parameters.grant_rounding`."""
    return -(-expiry // rounding) * rounding
