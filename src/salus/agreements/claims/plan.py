"""The plan document: what a payer agreed to pay, as typed JSON. Amounts in cents, shares in basis points, days CCYYMMDD.

`read_plan` refuses unknown fields, duplicate keys and numbers out of bounds; `schema` is the JSON Schema of it all.
"""

import json
import re
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar

import msgspec

from salus.agreements.claims.rounding import Mode
from salus.core.errors import SalusError
from salus.interop.x12.claim import Party

PLAN_LIMIT: Final = 1 << 20  # bytes; a plan of a hundred benefits has some 30 KB
LIST_LIMIT: Final = 1 << 26  # bytes; members, rates and numbers grow with their payer: some 300,000 members
Cents = Annotated[int, msgspec.Meta(ge=0, le=10**12, description="cents")]
BasisPoints = Annotated[int, msgspec.Meta(ge=0, le=100_000, description="hundredths of a percent; 10000 is all")]
Day = Annotated[str, msgspec.Meta(pattern=r"^[12]\d{7}$", description="CCYYMMDD")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Share = Literal["copay", "deductible", "coinsurance"]
CoverRule = Literal["medicare", "dependent", "child", "active", "continuation", "longer"]


class DocumentRefused(SalusError):
    """A plan, rates or members document that cannot be read: says where and what was expected."""


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common to all parts of documents: named fields only, unknown ones refused."""


class Address(Document, frozen=True, kw_only=True):
    """Where a payer is."""

    street: Name
    city: Name
    state: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")]
    zip: Annotated[str, msgspec.Meta(pattern=r"^\d{5}(\d{4})?$")]
    telephone: Annotated[str, msgspec.Meta(pattern=r"^\d{10}$")]


class Source(Document, frozen=True, kw_only=True):
    """Where a rule comes from."""

    law: str
    source: str
    date: Day


class Benefit(Document, frozen=True, kw_only=True):
    """What one category of care pays in one network tier."""

    category: Name
    tier: Name
    clause: Name
    """Where the plan's text says so."""
    covered: bool = True
    copay: Cents = 0
    copay_per: Literal["visit", "line"] = "visit"
    coinsurance: BasisPoints = 0
    """The patient's share."""
    deductible: bool = True
    """Whether the deductible comes first."""
    authorisation: bool = False
    limit: str = ""
    """Name of a limit, empty for none."""


class Category(Document, frozen=True, kw_only=True):
    """Which lines fall into a category; the first that fits decides, empty lists fit everything."""

    category: Name
    procedures: tuple[str, ...] = ()
    """Beginnings of procedure codes."""
    revenue: tuple[str, ...] = ()
    """Beginnings of revenue codes."""
    places: tuple[str, ...] = ()
    kind: Literal["", "P", "I"] = ""


class Limit(Document, frozen=True, kw_only=True):
    """How many units a person may use."""

    name: Name
    clause: Name
    units: Annotated[int, msgspec.Meta(ge=0, le=10**9, description="thousandths")]
    per: Literal["claim", "year", "lifetime"] = "year"


class Accumulator(Document, frozen=True, kw_only=True):
    """A maximum that cost shares count towards: the deductible, or all that a person pays in a year."""

    bucket: Literal["deductible", "out-of-pocket"]
    tier: Name
    clause: Name
    individual: Cents
    family: Cents = 0
    """0: no family maximum."""
    method: Literal["embedded", "aggregate"] = "embedded"
    """Embedded: a person's own maximum ends it too; aggregate: only the family's does."""


class Filing(Document, frozen=True, kw_only=True):
    """How many days after the service a claim must come."""

    clause: Name
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    secondary_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 365
    """Days after the primary payer's decision."""


class PairEdit(Document, frozen=True, kw_only=True):
    """Two procedures of one day of which the second is part of the first (NCCI PTP)."""

    first: Name
    second: Name
    indicator: Literal[0, 1, 9]
    """0 never both, 1 both with a modifier that says they are distinct, 9 no longer in force."""
    since: Day = "10000101"
    """First and last day of service for which the pair is in force."""
    until: Day = "29991231"


class UnitEdit(Document, frozen=True, kw_only=True):
    """How many units of a procedure one day can plausibly have (MUE)."""

    procedure: Name
    most: Annotated[int, msgspec.Meta(ge=0, le=10**10, description="thousandths")]
    per: Literal["line", "day"] = "line"


class PersonEdit(Document, frozen=True, kw_only=True):
    """For whom and where a procedure makes sense."""

    procedure: Name
    youngest: Annotated[int, msgspec.Meta(ge=0, le=150)] = 0
    oldest: Annotated[int, msgspec.Meta(ge=0, le=150)] = 150
    sex: Literal["", "F", "M"] = ""
    places: tuple[str, ...] = ()


class Coding(Document, frozen=True, kw_only=True):
    """The coding edits in force."""

    clause: Name = "coding edits"
    pairs: tuple[PairEdit, ...] = ()
    units: tuple[UnitEdit, ...] = ()
    persons: tuple[PersonEdit, ...] = ()


class Reference(Document, frozen=True, kw_only=True):
    """A published table that decides beside the plan: too large for it, so it lies in a file of its own."""

    name: Name
    version: Name
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """Where it was published."""
    date: Day
    """When it was published."""
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the table's file")]
    since: Day = "10000101"
    """First and last day of service that it decides."""
    until: Day = "29991231"

    @property
    def title(self) -> str:
        """What decisions cite."""
        return f"{self.name} {self.version}"


class TableReference(Reference, frozen=True, kw_only=True):
    """An official table of edits.

    `salus plan load-table` makes the file from what CMS publishes and prints this reference.
    """

    kind: Literal["pairs", "units"]
    """NCCI pairs (PTP), or most units (MUE)."""
    form: Literal["", "P", "I"] = ""
    """Which claims it decides: practitioners' (P), facilities' (I); empty for both. CMS publishes a table for each."""
    bills: tuple[str, ...] = ()
    """Of facilities' claims the first two digits of their type of bill (13: outpatient hospital); empty for all."""


class ScheduleReference(Reference, frozen=True, kw_only=True):
    """A fee schedule: what is allowed where no rate is agreed, and what rates refer to by its name.

    `salus plan load-schedule` keeps the file and prints this reference.
    """

    percent: BasisPoints = 10_000
    """What part of its prices is allowed where no rate is agreed; 0: rates alone refer to it."""
    places: tuple[str, ...] = ()
    """Places of service whose lines it prices, of practitioners' claims; empty for all lines."""


class Cuts(Document, frozen=True, kw_only=True):
    """How a price changes with modifiers and with more than one procedure of a day."""

    clause: Name = "price changes"
    modifiers: dict[str, BasisPoints] = {}
    """Modifier to what remains of the price."""
    multiple: tuple[BasisPoints, ...] = ()
    """What remains of the dearest, the second, the third and all further procedures."""


class InterestRate(Document, frozen=True, kw_only=True):
    """A yearly rate from a day on, in hundred-thousandths: 4625 is 4.625 %."""

    since: Day
    rate: Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class PromptPay(Document, frozen=True, kw_only=True):
    """When a clean claim is due, and what a late one costs."""

    clause: Name
    origin: Source
    due_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    rates: tuple[InterestRate, ...]


class Sequestration(Document, frozen=True, kw_only=True):
    """A cut of every payment by law."""

    clause: Name
    origin: Source
    share: BasisPoints
    since: Day
    until: Day


class Clock(Document, frozen=True, kw_only=True):
    """A deadline that somebody has."""

    name: Name
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    origin: Source


class AppealLevel(Document, frozen=True, kw_only=True):
    """One level of appeal."""

    name: Name
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    clause: Name


class Rounding(Document, frozen=True, kw_only=True):
    """How each point rounds to cents."""

    price: Mode = "half-up"
    percent: Mode = "half-up"
    cuts: Mode = "half-up"
    coinsurance: Mode = "half-up"
    withhold: Mode = "half-up"
    interest: Mode = "half-up"


class Plan(Document, frozen=True, kw_only=True):
    """One version of a plan."""

    name: Name
    version: Name
    payer: Name
    """The payer's identifier as claims write it."""
    payer_name: Name
    payer_tax: Annotated[str, msgspec.Meta(pattern=r"^\d{9}$", description="tax number, nine digits")]
    payer_address: Address
    """The remittance names it."""
    since: Day
    until: Day
    tiers: tuple[Name, ...]
    """Network tiers; the last is for providers without a contract."""
    categories: tuple[Category, ...]
    benefits: tuple[Benefit, ...]
    accumulators: tuple[Accumulator, ...] = ()
    limits: tuple[Limit, ...] = ()
    cost_share_order: tuple[Share, ...] = ("copay", "deductible", "coinsurance")
    filing: Filing
    duplicates: Literal["medicare-professional", "medicare-institutional", "tricare"] = "medicare-professional"
    """Of professional claims TRICARE's rule or Medicare's; institutional ones are always compared by Medicare's for them."""
    deliveries: Annotated[tuple[Name, ...], msgspec.Meta(max_length=100)] = ()
    """Procedures that are a delivery: under TRICARE's rule a person looks at one within eight months of another."""
    coordination: Literal["standard", "non-duplication", "medicare-secondary"] = "standard"
    cover_order: tuple[CoverRule, ...] = ("medicare", "dependent", "child", "active", "continuation", "longer")
    """Which payer comes first: the rules, in the order in which they are tried."""
    coding: Coding = Coding()
    cuts: Cuts = Cuts()
    out_of_network: BasisPoints = 10_000
    """What part of the charge is allowed where no rate is agreed."""
    out_of_network_clause: Name = "no contract"
    prompt_pay: PromptPay | None = None
    sequestration: tuple[Sequestration, ...] = ()
    appeals: tuple[AppealLevel, ...] = ()
    clocks: tuple[Clock, ...] = ()
    rounding: Rounding = Rounding()
    fee_schedules: Annotated[tuple[ScheduleReference, ...], msgspec.Meta(max_length=64)] = ()
    """Fee schedules in force; the first with a price for a line's day and place decides."""
    tables: Annotated[tuple[TableReference, ...], msgspec.Meta(max_length=64)] = ()
    """Official tables whose edits are in force beside those of `coding`."""
    steps_off: tuple[str, ...] = ()
    """Steps that this plan does without; every decision shows them."""


T = TypeVar("T")
_QUOTED: Final = re.compile(r"'[^']*'")
_UNKNOWN: Final = re.compile(r"contains unknown field `[^`]*`")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise DocumentRefused("a key stands twice in one object; expected each once")
    return dict(pairs)


def _no_float(_text: str) -> NoReturn:
    raise DocumentRefused("a number has a point or an exponent; expected integers (cents, basis points)")


def read_document(text: bytes, kind: type[T], what: str, most: int = PLAN_LIMIT) -> T:
    """Read a document of this kind. Raises DocumentRefused with the place and what was expected; `most` is in bytes."""
    if len(text) > most:
        raise DocumentRefused(f"{what} has {len(text)} bytes; expected at most {most}")
    try:
        plain = json.loads(text, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
        return msgspec.convert(plain, kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as wrong:
        place = _UNKNOWN.sub("has a field that is not known here", _QUOTED.sub("a value", str(wrong)))
        # a message goes to logs, the document's texts do not
        raise DocumentRefused(f"{what} cannot be read: {place}") from None


def read_plan(text: bytes) -> Plan:
    """Read a plan document."""
    return read_document(text, Plan, "the plan")


def payer_of(plan: Plan) -> Party:
    """Return the payer as remittances and acknowledgments name it."""
    place = plan.payer_address
    return Party(
        plan.payer_name,
        plan.payer,
        tax=plan.payer_tax,
        street=place.street,
        city=place.city,
        state=place.state,
        zip=place.zip,
        telephone=place.telephone,
    )


def schema(kind: Any = Plan) -> dict[str, Any]:
    """Return the JSON Schema of a document."""
    return msgspec.json.schema(kind)
