"""What a payer agreed to pay one provider: a document of its own, opened to that provider only."""

from typing import Annotated, Final, Literal

import msgspec

from salus.agreements.claims.plan import LIST_LIMIT, BasisPoints, Cents, Day, Document, Name, read_document
from salus.interop.x12.claim import Claim


class Rate(Document, frozen=True, kw_only=True):
    """One price. The first that fits a line decides."""

    method: Literal["fixed", "relative-value", "percent", "per-diem", "case", "schedule"]
    clause: Name
    procedure: str = ""
    modifier: str = ""
    """A modifier that the line must carry, empty for any."""
    revenue: str = ""
    """Beginning of the revenue code, empty for any."""
    drg: str = ""
    """For method case: the group as billed."""
    amount: Cents = 0
    """Per unit (fixed), per day (per-diem), per claim (case)."""
    percent: BasisPoints = 0
    """Of the charge (percent), of the schedule's price (schedule)."""
    schedule: str = ""
    """For method schedule: name of a fee schedule of the plan; a line that it has no price for is left to the rates behind."""
    work: Annotated[int, msgspec.Meta(ge=0, le=10**7, description="hundredths")] = 0
    practice: Annotated[int, msgspec.Meta(ge=0, le=10**7, description="hundredths, of the setting billed")] = 0
    malpractice: Annotated[int, msgspec.Meta(ge=0, le=10**7, description="hundredths")] = 0
    multiple: bool = False
    """Whether cuts for several procedures of one day touch it."""
    since: Day = "10000101"
    until: Day = "29991231"


class Locality(Document, frozen=True, kw_only=True):
    """Geographic indices (thousandths) and conversion factor (ten-thousandths of a dollar) of relative-value prices."""

    table: Name
    """Name and version of the official table."""
    source: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Where it was published."""
    date: Annotated[str, msgspec.Meta(pattern=r"^([12]\d{7})?$", description="CCYYMMDD, when")] = ""
    digest: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$", description="SHA-256 of the official file")] = ""
    work: Annotated[int, msgspec.Meta(ge=0, le=10**5)]
    practice: Annotated[int, msgspec.Meta(ge=0, le=10**5)]
    malpractice: Annotated[int, msgspec.Meta(ge=0, le=10**5)]
    factor: Annotated[int, msgspec.Meta(ge=0, le=10**8)]


class Rates(Document, frozen=True, kw_only=True):
    """The prices of one provider under one payer."""

    payer: Name
    provider: Annotated[str, msgspec.Meta(pattern=r"^\d{10}$")]
    version: Name
    tier: Name
    clause: Name
    since: Day
    until: Day
    lesser_of: bool = True
    """Whether a charge below the price is the price."""
    rates: tuple[Rate, ...]
    locality: Locality | None = None
    withhold: BasisPoints = 0
    """What is held back from each payment until settlement."""


class FeeSchedule(Document, frozen=True, kw_only=True):
    """Published prices that no single provider has agreed: plans name the document by its digest."""

    name: Name
    version: Name
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """Where it was published."""
    date: Day
    """When it was published."""
    rates: tuple[Rate, ...]
    """By fixed amount or relative value; the first that fits a line decides."""
    locality: Locality | None = None


FEW: Final = 32
"""Prices of a document that is opened whole: it is as short as what would be picked."""


def opened(rates: Rates, claim: Claim) -> Rates:
    """Return the document with those prices alone that can fit a claim, in their order: what its decision opens of it."""
    if len(rates.rates) <= FEW:
        return rates
    return msgspec.structs.replace(rates, rates=picked(rates.rates, claim))


def picked(rates: tuple[Rate, ...], claim: Claim) -> tuple[Rate, ...]:
    """Return the prices that can fit a claim by procedure, revenue code or group, in their order."""
    procedures = {line.procedure for line in claim.lines}
    revenues = {line.revenue for line in claim.lines}
    return tuple(
        rate
        for rate in rates
        if (
            rate.drg == claim.drg
            if rate.method == "case"
            else (not rate.procedure or rate.procedure in procedures)
            and (not rate.revenue or any(one.startswith(rate.revenue) for one in revenues))
        )
    )


def read_rates(text: bytes) -> tuple[Rates, ...]:
    """Read a list of rates documents. Raises DocumentRefused."""
    return read_document(text, tuple[Rates, ...], "the rates", LIST_LIMIT)
