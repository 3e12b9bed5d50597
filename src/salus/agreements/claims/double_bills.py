"""The same service billed to two payers, as only the patient's wallet can see it: lines of EOBs held against each other.

The rules of `duplicates` across payers: same provider, days, procedure, revenue code, place and charge, unless a modifier
that only one carries says that it was done again. A line that its payer decided after another payer is a crossover,
rightly billed twice.
"""

from collections.abc import Sequence

import msgspec

from salus.agreements.claims.duplicates import DISTINCT


class BilledLine(msgspec.Struct, frozen=True):
    """One line of an EOB."""

    payer: str
    """Member id of the payer that decided it."""
    control: str
    """The payer's number of the claim."""
    line: int
    provider: str
    first: str
    last: str
    procedure: str
    revenue: str
    place: str
    charge: int
    """Cents."""
    modifiers: frozenset[str]
    paid: int
    """What this payer paid, cents."""
    after_another: bool
    """Whether the payer decided after another one."""


class DoubleBill(msgspec.Struct, frozen=True):
    """Two lines for one service, by different payers."""

    one: BilledLine
    other: BilledLine


def double_bills(lines: Sequence[BilledLine]) -> tuple[DoubleBill, ...]:
    """Return the lines that two payers decided as if each came first, in the order of the lines."""
    found: list[DoubleBill] = []
    for place, one in enumerate(lines):
        for other in lines[place + 1 :]:
            if one.payer == other.payer or one.after_another or other.after_another:
                continue
            if _service(one) == _service(other) and not DISTINCT & (one.modifiers ^ other.modifiers):
                found.append(DoubleBill(one, other))
    return tuple(found)


def _service(line: BilledLine) -> tuple[object, ...]:
    return (line.provider, line.first, line.last, line.procedure, line.revenue, line.place, line.charge)
