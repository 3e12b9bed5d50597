"""What a site is to be paid: the same lines at site and sponsor, from chains and terms; no arm enters into it.

visit      a planned visit that the investigator signed, without an open query, at the amount of the terms
stipend    what a participant gets for a visit that took place, in the order of visits, until the cap is reached
settled    lines of statements that were agreed to: each visit of a participant is paid once

commitment     mac(salt, "salus/v1/trial-statement", statement)
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from salus.agreements.trials.conduct import State
from salus.agreements.trials.terms import Terms
from salus.core.encoding import Value, encode
from salus.core.proof.digest import mac

VISIT: Final = "visit"
STIPEND: Final = "stipend"
Paid = Mapping[tuple[bytes, str, str], int]
"""Amount by (subject, visit, what) of what is settled."""


class Line(Value, frozen=True):
    """One amount."""

    subject: bytes
    visit: str
    what: str
    """`visit` or `stipend`."""
    amount: int
    """Minor units of the currency."""

    @property
    def of(self) -> tuple[bytes, str, str]:
        """What it is for."""
        return self.subject, self.visit, self.what


class Statement(Value, frozen=True):
    """What a site is to be paid beside what was settled before."""

    study: bytes
    site: str
    number: int
    version: int
    """The version of the protocol whose terms say the amounts."""
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """Sum of its lines, minor units."""
        return sum(line.amount for line in self.lines)


def commitment(statement: Statement, salt: bytes) -> bytes:
    """Return what the ledger holds of a statement; `salt` is 32 random bytes that site and sponsor keep."""
    return mac(salt, "salus/v1/trial-statement", encode(statement))


def lines_due(found: Sequence[tuple[bytes, State]], terms: Terms, settled: Paid) -> tuple[Line, ...]:
    """Return what is to be paid of a site's participants (subject, state) beside what is settled."""
    return tuple(
        line
        for subject, state in sorted(found, key=lambda each: each[0])
        for line in _due(subject, state, terms, settled)
    )


def _due(subject: bytes, state: State, terms: Terms, settled: Paid) -> Iterator[Line]:
    paid, stipends = ({one.visit: one.amount for one in each} for each in (terms.payments, terms.stipends))
    left = terms.stipend_cap - sum(
        amount for (whose, _, what), amount in settled.items() if (whose, what) == (subject, STIPEND)
    )
    for visit, _ in sorted(state.visits.items(), key=lambda each: (each[1], each[0])):
        if visit in paid and state.payable(visit) and (subject, visit, VISIT) not in settled:
            yield Line(subject, visit, VISIT, paid[visit])
        if visit in stipends and (subject, visit, STIPEND) not in settled:
            amount = min(stipends[visit], left)
            left -= amount
            if amount:
                yield Line(subject, visit, STIPEND, amount)


def wrong_lines(
    statement: Statement, found: Sequence[tuple[bytes, State]], terms: Terms, settled: Paid
) -> tuple[str, ...]:
    """Return what of a statement does not follow from the own chains, one text each; nothing if all of it does.

    What a statement leaves out is no fault: it may be stated next.
    """
    due = {line.of: line.amount for line in lines_due(found, terms, settled)}
    wrong, seen = [], set()
    for line in statement.lines:
        name = f"{line.subject.hex()[:8]} {line.visit} {line.what} {line.amount}"
        if line.of in seen:
            wrong.append(f"{name}: stated twice")
        elif line.of in settled:
            wrong.append(f"{name}: settled before")
        elif line.of not in due:
            wrong.append(f"{name}: not due, as the chains here tell")
        elif not 0 < line.amount <= due[line.of]:
            wrong.append(f"{name}: {due[line.of]} is due")
        seen.add(line.of)
    return tuple(wrong)
