"""Deadlines of telling: serious events, and what follows them up. Overdue is computed when it is read.

Who might attack it, and how:
    a deadline is met by another          who owes it stands in the row
    a late word counts as in time         block time decides, and late stays late
    a follow-up is forgotten              what was told within seven days starts it, whoever tells
    a follow-up's id is taken before      it follows from the transaction; another transaction has another
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.trials.life import CLOCK
from salus.contracts.trials.messages import MeetClock, StartClock
from salus.contracts.trials.parts import own_site, plays, row_of, stepped, study_of
from salus.contracts.trials.reasons import TrialsReason
from salus.contracts.trials.state import (
    CLOCKS_MS,
    SAFETY_CLOCKS,
    ClockKind,
    Part,
    SafetyClock,
    follow_up_id,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule


def start_clock(ctx: Context, message: StartClock) -> bytes:
    """Start a deadline. Returns case 16 | kind u8 | due u64 | who owes it, ASCII."""
    if ctx.get(SAFETY_CLOCKS, message.case) is not None:
        raise Rejected(TrialsReason.CASE_EXISTS, case=message.case.hex())
    _, roster = study_of(ctx, message.study)
    by_site = message.kind is ClockKind.HOURS_24
    if by_site and own_site(ctx, message.study) is None:
        raise Rejected(TrialsReason.WRONG_KIND, kind=message.kind.name)
    if not by_site and not plays(roster, ctx.submitter, Part.SPONSOR):
        raise Rejected(TrialsReason.WRONG_KIND, kind=message.kind.name)
    due = ctx.time + CLOCKS_MS[message.kind]

    row = SafetyClock(
        study=message.study,
        kind=message.kind,
        owed_by=ctx.submitter,
        status=CLOCK[None, "start"],
        due=due,
        commitment=message.commitment,
        acknowledgement=b"",
        height=ctx.height,
    )
    ctx.insert(SAFETY_CLOCKS, message.case, row)
    return message.case + bytes((message.kind,)) + due.to_bytes(8, "big") + ctx.submitter.encode("ascii")


def meet_clock(ctx: Context, message: MeetClock) -> bytes:
    """Say that it was told: what was told within 7 days is followed up. Returns case 16 | status u8 | acknowledgement 32."""
    row = row_of(ctx, SAFETY_CLOCKS, message.case)
    if row.owed_by != ctx.submitter:
        raise Rejected(TrialsReason.NOT_PARTY, owed_by=row.owed_by)
    status = stepped(CLOCK, row.status, "meet" if ctx.time <= row.due else "meet-late")
    follow_up = follow_up_id(ctx.tx_id)
    if ctx.get(SAFETY_CLOCKS, follow_up) is not None:
        raise Rejected(TrialsReason.CASE_EXISTS, case=follow_up.hex())

    told = structs.replace(row, status=status, acknowledgement=message.acknowledgement, height=ctx.height)
    ctx.put(SAFETY_CLOCKS, message.case, told)
    if row.kind is ClockKind.DAYS_7:
        ctx.insert(SAFETY_CLOCKS, follow_up, _follow_up(ctx, row))
    return message.case + bytes((status,)) + message.acknowledgement


def _follow_up(ctx: Context, row: SafetyClock) -> SafetyClock:
    """Return the deadline of following up what was told: owed by the same, about the same event."""
    due = ctx.time + CLOCKS_MS[ClockKind.FOLLOW_UP]
    return SafetyClock(
        row.study, ClockKind.FOLLOW_UP, row.owed_by, CLOCK[None, "start"], due, row.commitment, b"", ctx.height
    )


RULES: Final[Mapping[type[Message], Rule]] = {
    StartClock: Rule(start_clock, authored=False),
    MeetClock: Rule(meet_clock, authored=False),
}
