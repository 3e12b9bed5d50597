"""What others may use of the claims contract."""

from collections.abc import Iterable, Iterator
from typing import Final

from salus.contracts.claims.messages import (
    Accept,
    AdvancePlanYear,
    Appeal,
    Ask,
    Cross,
    Crossing,
    Decide,
    Decided,
    Inform,
    Opening,
    OpenPlanYear,
    Refuse,
    Remit,
    Reopen,
    Statement,
    Submission,
    Submit,
    Withdraw,
)
from salus.contracts.claims.reasons import ClaimsReason
from salus.contracts.claims.state import (
    CASES,
    MAX_CASES,
    PLAN_YEARS,
    TRANSITIONS,
    Case,
    CaseStatus,
    Clock,
    Kind,
    PlanYear,
    appeal_key_digest,
    payer_digest,
)
from salus.core.tables import View

__all__ = [
    "CASES",
    "MAX_CASES",
    "PLAN_YEARS",
    "TRANSITIONS",
    "Accept",
    "AdvancePlanYear",
    "Appeal",
    "Ask",
    "Case",
    "CaseStatus",
    "ClaimsReason",
    "Clock",
    "Cross",
    "Crossing",
    "Decide",
    "Decided",
    "Inform",
    "Kind",
    "OpenPlanYear",
    "Opening",
    "PlanYear",
    "Refuse",
    "Remit",
    "Reopen",
    "Statement",
    "Submission",
    "Submit",
    "Withdraw",
    "appeal_key_digest",
    "case",
    "cases",
    "cases_by",
    "overdue",
    "payer_digest",
    "plan_year",
]

_PAYERS_TURN: Final = frozenset(
    (CaseStatus.SUBMITTED, CaseStatus.ACCEPTED, CaseStatus.DECIDED, CaseStatus.REOPENED),
)


def case(state: View, id_: bytes) -> Case | None:
    """Return a case by its id (16 bytes), or None."""
    return state.get(CASES, id_)


def cases_by(state: View, ids: Iterable[bytes]) -> dict[bytes, Case]:
    """Return cases by their ids (16 bytes), those that there are."""
    return state.look_up(CASES, ids)


def cases(state: View) -> Iterator[tuple[bytes, Case]]:
    """Yield (id, case), ascending by id, ended ones too."""
    return state.range(CASES)


def overdue(row: Case, time: int) -> str:
    """Return which party is late at `time` (block time, ms): `payer`, `provider`, or empty for nobody."""
    if row.due == 0 or time <= row.due:
        return ""
    return "payer" if row.status in _PAYERS_TURN else "provider"


def plan_year(state: View, id_: bytes) -> PlanYear | None:
    """Return a plan year by its id (16 bytes), or None."""
    return state.get(PLAN_YEARS, id_)
