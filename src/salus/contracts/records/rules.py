"""The records contract, rule version 1.

Every step of an erasure is the holder's: it alone knows the link that the request was signed for. What the patient has
against a holder that does nothing is the case id: the wallet chose it, and can show that no such case was opened.
Result data of every step: case id 16 | status u8 | due u64 | holder, ASCII.

An emergency access is committed before anybody answers it. A stranger's flood is bounded by the day's limit, and each
one is its submitter's to review, publicly overdue after 72 hours.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.contract import Contract
from salus.contracts.membership.port import parameters
from salus.contracts.records.messages import (
    EXAMPLES,
    Anchor,
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    OpenEmergency,
    OpenErasure,
    RetainErasure,
    ReviewEmergency,
)
from salus.contracts.records.reasons import RecordsReason
from salus.contracts.records.state import (
    EMERGENCIES,
    EMERGENCY,
    EMERGENCY_DAYS,
    ERASURE,
    ERASURES,
    NUMBER,
    REVIEW,
    Emergency,
    EmergencyDay,
    Erasure,
    ErasureStatus,
    Rank,
    day_key,
)
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule


def anchor(ctx: Context, message: Anchor) -> bytes:
    """Commit a batch. Returns root 32 | count bucket u8 | deferred u8 | submitter, ASCII."""
    return message.root + bytes((message.count_bucket, message.deferred)) + ctx.submitter.encode("ascii")


def open_erasure(ctx: Context, message: OpenErasure) -> bytes:
    """Start a case and its clocks."""
    if ctx.get(ERASURES, message.case) is not None:
        raise Rejected(RecordsReason.CASE_EXISTS, case=message.case.hex())
    in_force = parameters(ctx.state)

    row = Erasure(
        holder=ctx.submitter,
        rank=message.rank,
        status=ERASURE[None, "open-erasure"],
        reason=0,
        opened=ctx.time,
        earliest=ctx.time + in_force.erasure_wait,
        due=ctx.time + in_force.erasure_decide,
        height=ctx.height,
    )
    return _put(ctx, message.case, row)


def cancel_erasure(ctx: Context, message: CancelErasure) -> bytes:
    """Call a case off: before it may be deleted, or while it is retained, when nothing is."""
    row, status = _step(ctx, message.case, "cancel-erasure")
    if row.status is not ErasureStatus.RETAINED and ctx.time >= row.earliest:
        raise Rejected(RecordsReason.TOO_LATE, earliest=row.earliest, time=ctx.time)
    # Nothing ranks above a person who was proofed in person, so that person can change their own mind.
    if message.rank <= row.rank and message.rank is not Rank.IN_PERSON:
        raise Rejected(RecordsReason.RANK_TOO_LOW, expected=min(row.rank + 1, Rank.IN_PERSON), got=message.rank)

    return _put(ctx, message.case, structs.replace(row, status=status, reason=0, due=0, height=ctx.height))


def retain_erasure(ctx: Context, message: RetainErasure) -> bytes:
    """Keep for a reason in law until the next review."""
    row, status = _step(ctx, message.case, "retain-erasure")
    due = ctx.time + parameters(ctx.state).retention_review

    changed = structs.replace(row, status=status, reason=int(message.reason), due=due, height=ctx.height)
    return _put(ctx, message.case, changed)


def confirm_deletion(ctx: Context, message: ConfirmDeletion) -> bytes:
    """Attest that all but backups is deleted."""
    row, status = _step(ctx, message.case, "confirm-deletion")
    if ctx.time < row.earliest:
        raise Rejected(RecordsReason.TOO_EARLY, earliest=row.earliest, time=ctx.time)
    due = ctx.time + parameters(ctx.state).erasure_backups

    return _put(ctx, message.case, structs.replace(row, status=status, reason=0, due=due, height=ctx.height))


def confirm_erasure(ctx: Context, message: ConfirmErasure) -> bytes:
    """Attest that the last backup has expired."""
    row, status = _step(ctx, message.case, "confirm-erasure")

    return _put(ctx, message.case, structs.replace(row, status=status, due=0, height=ctx.height))


def _step(ctx: Context, case: bytes, step: str) -> tuple[Erasure, ErasureStatus]:
    """Return a case of the submitter's and the status that `step` leads to. Raises Rejected."""
    row = ctx.get(ERASURES, case)
    if row is None:
        raise Rejected(RecordsReason.NO_SUCH_CASE, case=case.hex())
    if row.holder != ctx.submitter:
        raise Rejected(RecordsReason.NOT_HOLDER, holder=row.holder)
    status = ERASURE.get((row.status, step))
    if status is None:
        raise Rejected(RecordsReason.WRONG_STATUS, status=row.status.name, step=step)
    return row, status


def _put(ctx: Context, case: bytes, row: Erasure) -> bytes:
    """Write a case and return the result data of the step."""
    ctx.put(ERASURES, case, row)
    return case + bytes((row.status,)) + row.due.to_bytes(8, "big") + row.holder.encode("ascii")


def open_emergency(ctx: Context, message: OpenEmergency) -> bytes:
    """Open an emergency access. Returns its id 32 | commitment 32 | due u64 | submitter, ASCII.

    What was answered while the ledger was out of reach is never refused: what happened must stand.
    """
    day = day_key(ctx.submitter, ctx.time)
    counted = ctx.get(EMERGENCY_DAYS, day)
    count = 1 if counted is None else counted.count + 1
    limit = parameters(ctx.state).emergency_daily_limit
    if count > limit and not message.deferred:
        raise Rejected(RecordsReason.EMERGENCY_LIMIT, limit=limit)

    row = Emergency(
        submitter=ctx.submitter,
        commitment=message.commitment,
        deferred=message.deferred,
        status=EMERGENCY[None, "open-emergency"],
        opened=ctx.time,
        due=ctx.time + REVIEW,
        height=ctx.height,
    )
    ctx.put(EMERGENCY_DAYS, day, EmergencyDay(count))
    ctx.insert(EMERGENCIES, ctx.tx_id, row)
    return ctx.tx_id + row.commitment + row.due.to_bytes(8, "big") + ctx.submitter.encode("ascii")


def review_emergency(ctx: Context, message: ReviewEmergency) -> bytes:
    """Record a review. Returns the emergency's id 32 | findings 32 | submitter, ASCII."""
    row = ctx.get(EMERGENCIES, message.emergency)
    if row is None:
        raise Rejected(RecordsReason.NO_SUCH_EMERGENCY, emergency=message.emergency.hex())
    if row.submitter != ctx.submitter:
        raise Rejected(RecordsReason.NOT_SUBMITTER, submitter=row.submitter)
    status = EMERGENCY.get((row.status, "review-emergency"))
    if status is None:
        raise Rejected(RecordsReason.ALREADY_REVIEWED, emergency=message.emergency.hex())

    ctx.put(EMERGENCIES, message.emergency, structs.replace(row, status=status, height=ctx.height))
    return message.emergency + message.findings + ctx.submitter.encode("ascii")


RULES: Final[Mapping[type[Message], Rule]] = {
    Anchor: Rule(anchor, authored=False),
    OpenErasure: Rule(open_erasure, authored=False),
    CancelErasure: Rule(cancel_erasure, authored=False),
    RetainErasure: Rule(retain_erasure, authored=False),
    ConfirmDeletion: Rule(confirm_deletion, authored=False),
    ConfirmErasure: Rule(confirm_erasure, authored=False),
    OpenEmergency: Rule(open_emergency, authored=False),
    ReviewEmergency: Rule(review_emergency, authored=False),
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="records",
    rules=RULES,
    tables=(ERASURES, EMERGENCIES, EMERGENCY_DAYS),
    reasons=RecordsReason,
    examples=EXAMPLES,
)
