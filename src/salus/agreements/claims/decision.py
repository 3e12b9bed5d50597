"""What goes into a decision beside claim, plan and rates (facts), and what comes out (decision). All frozen values."""

from typing import Literal

import msgspec

from salus.agreements.claims.plan import PairEdit, UnitEdit
from salus.agreements.claims.rates import Locality, Rate
from salus.agreements.claims.reasons import text_of
from salus.interop.x12.claim import Claim

RULES_VERSION = "claims/1"
Scope = Literal["member", "family"]
Status = Literal["active", "retired", "continued"]
Custody = Literal["", "decree", "custodial", "custodial-spouse", "other", "other-spouse"]
Medicare = Literal["", "age", "disability", "kidney"]


class Cell(msgspec.Struct, frozen=True, order=True, gc=False):
    """One accumulator: whose, of which bucket and tier, in which plan year."""

    bucket: str
    scope: Scope
    tier: str
    year: str


class Balance(msgspec.Struct, frozen=True, gc=False):
    """What a cell has taken so far, cents."""

    cell: Cell
    taken: int


class Move(msgspec.Struct, frozen=True, gc=False):
    """What a decision takes from a cell (negative: returns), cents."""

    cell: Cell
    amount: int


class Used(msgspec.Struct, frozen=True, gc=False):
    """Units of a limit used before this claim, thousandths."""

    limit: str
    units: int


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """A line that matches one already known."""

    line: int
    kind: Literal["exact", "suspect", "crossover"]
    other: str
    """The payer's number of the other claim, or `this claim`."""


class Approval(msgspec.Struct, frozen=True, gc=False):
    """A live prior authorisation."""

    number: str
    procedure: str
    provider: str
    since: str
    until: str
    units: int
    """Units left, thousandths."""


class UnitMove(msgspec.Struct, frozen=True, gc=False):
    """Units that a decision takes from an approval or a limit (negative: returns), thousandths."""

    kind: Literal["approval", "limit"]
    name: str
    units: int


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What a person at the payer decided where a step denies or waits: it enters the decision as a fact and shows in it."""

    step: str
    """Name of the step; empty with `uphold`, which rules on the decision as a whole."""
    line: int
    """0: every line."""
    verdict: Literal["allow", "deny", "uphold"]
    basis: str
    """Why, in the person's words."""


class Cover(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One of a person's covers: the least that says which payer comes first."""

    payer: str
    """Its identifier in claims."""
    relationship: str
    """Of the person to the holder: 18 self, 01 spouse, 19 child, G8 other."""
    birthday: str = ""
    """The holder's, month and day (MMDD): for a child."""
    status: Status = "active"
    """The holder's: working, retired or laid off, or on cover continued by law."""
    since: str = ""
    """Day on which the person's cover began."""
    holder_since: str = ""
    """Day on which the holder's cover began."""
    custody: Custody = ""
    """Of a child whose parents are apart: who the holder is; empty where they are not, or share it."""
    medicare: Medicare = ""
    """What entitles the person, where the payer is Medicare."""
    employees: int = 0
    """Size of the employer; 0: not known."""


class TableEdits(msgspec.Struct, frozen=True, gc=False):
    """The rows of one of the plan's tables that touch a claim."""

    digest: str
    """Of the table, as the plan names it."""
    pairs: tuple[PairEdit, ...]
    units: tuple[UnitEdit, ...]


class DayLine(msgspec.Struct, frozen=True, gc=False):
    """A line of another claim of the same person, provider and day that stands: coding edits count it."""

    other: str
    """The payer's number of that claim."""
    day: str
    procedure: str
    modifiers: tuple[str, ...]
    units: int
    """Thousandths."""


class SchedulePrices(msgspec.Struct, frozen=True, gc=False):
    """The prices of one of the plan's fee schedules that can fit a claim."""

    digest: str
    """Of the schedule, as the plan names it."""
    rates: tuple[Rate, ...]
    locality: Locality | None


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The least that a claim needs beside plan and rates. Drawn by `history.draw`, never by `decide`."""

    received: str
    decided: str
    """Day of payment: what interest counts to."""
    control: str
    """The payer's number of this claim."""
    coverage: Literal["active", "before", "after", "unknown", "other-payer"]
    provider: Literal["contracted", "outside", "not-admitted"]
    family: bool = False
    """Whether family maxima apply."""
    balances: tuple[Balance, ...] = ()
    used: tuple[Used, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    approvals: tuple[Approval, ...] = ()
    covers: tuple[Cover, ...] = ()
    """This payer's cover and the others on file for the day of service; empty where there is no other."""
    original: "Decision | None" = None
    """The decision that a replacement or void refers to."""
    clean: bool = True
    """Whether the claim needed nothing more: no interest on one that did."""
    rulings: tuple[Ruling, ...] = ()
    edits: tuple[TableEdits, ...] = ()
    """Of the plan's tables, in its order."""
    same_day: tuple[DayLine, ...] = ()
    """Lines of other claims that an edit holds against this one."""
    schedules: tuple[SchedulePrices, ...] = ()
    """Of the plan's fee schedules that price the claim, in its order."""
    codes: str = ""
    """The code lists that let the claim in: source, date and digest; empty for those built in."""


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an amount is not paid."""

    group: str
    code: str
    amount: int
    step: str
    clause: str
    remark: str = ""

    @property
    def words(self) -> str:
        """Our own short words."""
        return text_of(self.group, self.code).words

    @property
    def remedy(self) -> str:
        """What would mend it."""
        return text_of(self.group, self.code).remedy


class DecidedLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a decision: charge - sum of reasons = paid."""

    number: int
    charge: int
    allowed: int
    paid: int
    patient: int
    denied: bool
    category: str
    tier: str
    reasons: tuple[Reason, ...]


class Trace(msgspec.Struct, frozen=True, gc=False):
    """One thing that a step did: amount still payable before and after, cents."""

    step: str
    line: int
    """0: the whole claim."""
    rule: str
    clause: str
    before: int
    after: int


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a claim pays and why."""

    control: str
    claim: Claim
    status: Literal["paid", "denied", "pended", "voided"]
    lines: tuple[DecidedLine, ...]
    moves: tuple[Move, ...]
    units: tuple[UnitMove, ...]
    trace: tuple[Trace, ...]
    pends: tuple[str, ...]
    interest: int
    secondary: bool
    steps_off: tuple[str, ...]
    plan: str
    """Name and version of the plan."""
    received: str
    decided: str
    reverses: "Decision | None" = None
    """The decision that this one takes back first."""
    rules: str = RULES_VERSION

    @property
    def charge(self) -> int:
        """Sum of charges."""
        return sum(line.charge for line in self.lines)

    @property
    def paid(self) -> int:
        """Sum paid, without interest."""
        return sum(line.paid for line in self.lines)

    @property
    def patient(self) -> int:
        """What the patient owes."""
        return sum(line.patient for line in self.lines)
