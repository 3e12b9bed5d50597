"""The implementation guides that Salus reads and writes, each a table of our own in short field names."""

from functools import lru_cache
from typing import Final

from salus.interop.x12.guides import claim, eligibility, enrolment, remittance, review, status
from salus.interop.x12.tables import Guide

GUIDES: Final[tuple[Guide, ...]] = (
    claim.PROFESSIONAL,
    claim.INSTITUTIONAL,
    remittance.REMITTANCE,
    remittance.ACKNOWLEDGMENT,
    eligibility.INQUIRY,
    eligibility.ANSWER,
    status.REQUEST,
    status.RESPONSE,
    status.CLAIM_ACKNOWLEDGMENT,
    review.REQUEST,
    review.RESPONSE,
    enrolment.ENROLMENT,
)


@lru_cache(maxsize=64)  # who sends a claim a file asks once for each
def guide_for(set_id: str, version: str, function: str) -> Guide | None:
    """Find the guide of a transaction set by ST01, the version of GS08 or ST03, and BHT02 where two share both.

    Versions that senders still write for the same guide (X222, X222A2, X223A3 and the like) are read as well.
    """
    known = [guide for guide in GUIDES if guide.set_id == set_id and version[:10] == guide.version[:10]]
    for guide in known:
        if not guide.functions or function in guide.functions:
            return guide
    return known[0] if known else None
