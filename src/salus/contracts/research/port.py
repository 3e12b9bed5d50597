"""What others may use of the research contract."""

from salus.contracts.membership.port import parameters
from salus.contracts.research.duo import (
    DUTIES,
    Applicant,
    Match,
    Misfit,
    Policy,
    Purpose,
    UnknownClass,
    faults,
    match,
    name_of,
    number,
    purpose_faults,
)
from salus.contracts.research.duo_table import CLASSES, DuoClass, Kind
from salus.contracts.research.messages import (
    Answer,
    Apply,
    Attest,
    Begin,
    Fail,
    Offer,
    Publish,
    Refuse,
    Register,
    Release,
    Retry,
    Sign,
    Withhold,
)
from salus.contracts.research.reasons import ResearchReason
from salus.contracts.research.state import (
    BEGIN_BY,
    DATA_SETS,
    ENDED,
    MAX_ATTEMPTS,
    MAX_WITHHELD,
    PART,
    PERMIT,
    PERMITS,
    QUERIES,
    Basis,
    DataSet,
    Part,
    PartStatus,
    Permit,
    PermitStatus,
    Pool,
    Query,
    QueryPart,
    Way,
    charge,
)
from salus.contracts.research.state import PARTS as _PARTS
from salus.contracts.research.state import POOLS as _POOLS
from salus.contracts.research.state import QUERY_PARTS as _QUERY_PARTS
from salus.contracts.research.state import pool_key as _pool_key
from salus.core.tables import View

__all__ = [
    "BEGIN_BY",
    "CLASSES",
    "DATA_SETS",
    "DUTIES",
    "ENDED",
    "MAX_ATTEMPTS",
    "MAX_WITHHELD",
    "PART",
    "PERMIT",
    "PERMITS",
    "QUERIES",
    "Answer",
    "Applicant",
    "Apply",
    "Attest",
    "Basis",
    "Begin",
    "DataSet",
    "DuoClass",
    "Fail",
    "Kind",
    "Match",
    "Misfit",
    "Offer",
    "Part",
    "PartStatus",
    "Permit",
    "PermitStatus",
    "Policy",
    "Pool",
    "Publish",
    "Purpose",
    "Query",
    "QueryPart",
    "Refuse",
    "Register",
    "Release",
    "ResearchReason",
    "Retry",
    "Sign",
    "UnknownClass",
    "Way",
    "Withhold",
    "charge",
    "data_set",
    "faults",
    "match",
    "name_of",
    "number",
    "permit",
    "permit_part",
    "pool",
    "purpose_faults",
    "query",
    "query_part",
]


def data_set(state: View, id_: bytes) -> DataSet | None:
    """Return a data set by its id (16 bytes), or None."""
    return state.get(DATA_SETS, id_)


def permit(state: View, id_: bytes) -> Permit | None:
    """Return a permit by its id (16 bytes), or None."""
    return state.get(PERMITS, id_)


def permit_part(state: View, permit_id: bytes, data_set_id: bytes) -> Part | None:
    """Return how a permit stands at a data set, or None if it does not ask for it."""
    return state.get(_PARTS, permit_id + data_set_id)


def query(state: View, id_: bytes) -> Query | None:
    """Return a query by its id (16 bytes), or None."""
    return state.get(QUERIES, id_)


def query_part(state: View, query_id: bytes, data_set_id: bytes) -> QueryPart | None:
    """Return how a query stands at a data set, or None if it does not ask it."""
    return state.get(_QUERY_PARTS, query_id + data_set_id)


def pool(state: View, member: str, time: int) -> Pool:
    """Return a custodian's budget in the period of `time` (ms), whole if nothing was asked yet."""
    now = parameters(state)
    key = _pool_key(member, time - time % now.research_period)
    return state.get(_POOLS, key) or Pool(now.research_pool, now.research_pool, 0, 0)
