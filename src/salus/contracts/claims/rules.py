"""The claims contract, rule version 1.

Attacks, and what stops each (`tests/contracts/test_claims_story.py` runs them):

    another payer takes, refuses or decides a claim   the address opens with a salt for one member id: NOT_THE_PAYER
    a member guesses whom a claim is addressed to     16 random bytes of salt
    a payer swallows an appeal                        any member submits it; the patient's one-time key authors it
    a payer opens cases in a provider's name          the provider may withdraw it; no sealed claim opens it
    a payer decides again what nobody reopened        WRONG_STATUS
    a payer takes an approval back                    no authorisation is reopened: WRONG_STATUS
    a used appeal key appeals the next decision       each decision names a key of its own: NOT_APPEAL_KEY
    a clock is moved                                  only block time starts one; the list of durations is fixed
    one case twice in a message                       UNORDERED
    a keeper rewrites an accumulator                  each batch names the root before it, a receipt proves each

All cases of a message are carried out, or none. Result data of a message on cases: digest over its ids 32 | count u16 |
status u8 | due u64 | submitter, ASCII. Where due times differ it tells
the earliest; each row holds its own.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs

from salus.contracts.claims.messages import (
    EXAMPLES,
    Accept,
    AdvancePlanYear,
    Appeal,
    Ask,
    Cross,
    Crossing,
    Decide,
    Inform,
    Opening,
    OpenPlanYear,
    Refuse,
    Remit,
    Reopen,
    Submission,
    Submit,
    Withdraw,
)
from salus.contracts.claims.reasons import ClaimsReason
from salus.contracts.claims.state import (
    CASES,
    DAY,
    NUMBER,
    PLAN_YEARS,
    TRANSITIONS,
    Case,
    CaseStatus,
    Kind,
    PlanYear,
    appeal_key_digest,
    payer_digest,
)
from salus.contracts.contract import Contract
from salus.contracts.membership.port import Role, member
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.proof.digest import digest
from salus.core.rules import Context, Rule

_CLAIMANTS: Final = (Role.PROVIDER, Role.DISPENSER)
_OF_CLAIMS: Final = frozenset({"remit", "reopen"})
"""What is done with claims alone: an authorisation is answered once, and what was approved binds."""


def submit(ctx: Context, message: Submit) -> bytes:
    """Open cases."""
    _ascending([one.case for one in message.cases])
    if not _plays(ctx, ctx.submitter, _CLAIMANTS):
        raise Rejected(ClaimsReason.NOT_PROVIDER, submitter=ctx.submitter)
    _new(ctx, [one.case for one in message.cases])

    rows = [_opened(ctx, message.kind, ctx.submitter, message, one) for one in message.cases]
    return _put(ctx, [one.case for one in message.cases], rows)


def cross(ctx: Context, message: Cross) -> bytes:
    """Open cases for the payer that comes after; their providers are parties from the start."""
    _ascending([one.case for one in message.cases])
    for provider in dict.fromkeys(one.provider for one in message.cases):
        if not _plays(ctx, provider, _CLAIMANTS):
            raise Rejected(ClaimsReason.NOT_PROVIDER, provider=provider)
    if not _plays(ctx, ctx.submitter, (Role.PAYER,)):
        raise Rejected(ClaimsReason.NOT_PAYER, submitter=ctx.submitter)
    _new(ctx, [one.case for one in message.cases])

    rows = [_opened(ctx, Kind.CLAIM, one.provider, message, one) for one in message.cases]
    return _put(ctx, [one.case for one in message.cases], rows)


def accept(ctx: Context, message: Accept) -> bytes:
    """Take cases for decision."""
    rows = _addressed(ctx, message.cases, "accept")

    return _put(
        ctx,
        [one.case for one in message.cases],
        [structs.replace(row, payer=ctx.submitter, due=ctx.time + row.clock * DAY) for row in rows],
    )


def refuse(ctx: Context, message: Refuse) -> bytes:
    """Refuse cases at the door."""
    rows = _addressed(ctx, message.cases, "refuse")

    return _put(
        ctx, [one.case for one in message.cases], [structs.replace(row, payer=ctx.submitter, due=0) for row in rows]
    )


def ask(ctx: Context, message: Ask) -> bytes:
    """Ask for information."""
    rows = _taken(ctx, message.cases, "ask", payer=True)
    due = ctx.time + message.clock * DAY

    return _put(ctx, message.cases, [structs.replace(row, due=due) for row in rows])


def inform(ctx: Context, message: Inform) -> bytes:
    """Answer what was asked."""
    cases = [one.case for one in message.cases]
    rows = _taken(ctx, cases, "inform", payer=False)

    return _put(
        ctx,
        cases,
        [
            structs.replace(row, submission=one.commitment, due=ctx.time + row.clock * DAY)
            for one, row in zip(message.cases, rows, strict=True)
        ],
    )


def withdraw(ctx: Context, message: Withdraw) -> bytes:
    """Take back what is not decided."""
    rows = _taken(ctx, message.cases, "withdraw", payer=False)

    return _put(ctx, message.cases, [structs.replace(row, due=0) for row in rows])


def decide(ctx: Context, message: Decide) -> bytes:
    """Commit decisions. The deadline stays: the law's clock ends with the payment."""
    cases = [one.case for one in message.cases]
    rows = _taken(ctx, cases, "decide", payer=True)
    for case in cases:
        before = ctx.get(CASES, case)
        if before is not None and before.status is CaseStatus.WAITING and ctx.time <= before.due:
            raise Rejected(ClaimsReason.TOO_EARLY, due=before.due, time=ctx.time)

    return _put(
        ctx,
        cases,
        [
            structs.replace(
                row,
                decision=one.commitment,
                appeal_key=one.appeal_key,
                due=row.due if row.kind is Kind.CLAIM else 0,
            )
            for one, row in zip(message.cases, rows, strict=True)
        ],
    )


def remit(ctx: Context, message: Remit) -> bytes:
    """Say that a remittance was sent."""
    rows = _taken(ctx, message.cases, "remit", payer=True)

    return _put(ctx, message.cases, [structs.replace(row, due=0) for row in rows])


def reopen(ctx: Context, message: Reopen) -> bytes:
    """Have cases decided again."""
    cases = [one.case for one in message.cases]
    rows = _taken(ctx, cases, "reopen", payer=None)

    return _put(
        ctx,
        cases,
        [_reopened(ctx, row, one.commitment) for one, row in zip(message.cases, rows, strict=True)],
    )


def appeal(ctx: Context, message: Appeal) -> bytes:
    """Reopen a case by its appeal key."""
    row = ctx.get(CASES, message.case)
    if row is None:
        raise Rejected(ClaimsReason.NO_SUCH_CASE, case=message.case.hex())
    status = TRANSITIONS.get((row.status, "appeal"))
    if status is None:
        raise Rejected(ClaimsReason.WRONG_STATUS, case=message.case.hex(), status=row.status.name)
    if appeal_key_digest(ctx.author) != row.appeal_key:
        raise Rejected(ClaimsReason.NOT_APPEAL_KEY, case=message.case.hex())

    return _put(ctx, [message.case], [_reopened(ctx, structs.replace(row, status=status), message.commitment)])


def open_plan_year(ctx: Context, message: OpenPlanYear) -> bytes:
    """Open a plan year. Returns year 16 | number u64 | root before 32, here zero | root 32 | keeper, ASCII."""
    if not _plays(ctx, ctx.submitter, (Role.PAYER,)):
        raise Rejected(ClaimsReason.NOT_PAYER, submitter=ctx.submitter)
    if ctx.get(PLAN_YEARS, message.year) is not None:
        raise Rejected(ClaimsReason.YEAR_EXISTS, year=message.year.hex())

    row = PlanYear(ctx.submitter, 1, message.root, ctx.height)
    ctx.insert(PLAN_YEARS, message.year, row)
    return _year_data(message.year, bytes(32), row)


def advance_plan_year(ctx: Context, message: AdvancePlanYear) -> bytes:
    """Commit a batch. Returns year 16 | number u64 | root before 32 | root 32 | keeper, ASCII."""
    row = ctx.get(PLAN_YEARS, message.year)
    if row is None:
        raise Rejected(ClaimsReason.NO_SUCH_YEAR, year=message.year.hex())
    if row.keeper != ctx.submitter:
        raise Rejected(ClaimsReason.NOT_KEEPER, keeper=row.keeper)
    if row.root != message.before:
        raise Rejected(ClaimsReason.OTHER_ROOT, number=row.number)

    after = PlanYear(row.keeper, row.number + 1, message.root, ctx.height)
    ctx.put(PLAN_YEARS, message.year, after)
    return _year_data(message.year, message.before, after)


def _year_data(year: bytes, before: bytes, row: PlanYear) -> bytes:
    return year + row.number.to_bytes(8, "big") + before + row.root + row.keeper.encode("ascii")


def _ascending(cases: Sequence[bytes]) -> None:
    for place, (one, following) in enumerate(itertools.pairwise(cases), 1):
        if one >= following:
            raise Rejected(ClaimsReason.UNORDERED, place=place)


def _plays(ctx: Context, id_: str, roles: tuple[Role, ...]) -> bool:
    row = member(ctx.state, id_)
    return row is not None and any(role in row.roles for role in roles)


def _new(ctx: Context, cases: Sequence[bytes]) -> None:
    for case in cases:
        if ctx.get(CASES, case) is not None:
            raise Rejected(ClaimsReason.CASE_EXISTS, case=case.hex())


def _opened(ctx: Context, kind: Kind, provider: str, message: Submit | Cross, one: Submission | Crossing) -> Case:
    return Case(
        kind=kind,
        provider=provider,
        payer="",
        payer_digest=one.payer,
        status=CaseStatus.SUBMITTED,
        round=1,
        submission=one.commitment,
        decision=b"",
        appeal_key=b"",
        clock=message.decide,
        due=ctx.time + message.answer * DAY,
        height=ctx.height,
    )


def _step(ctx: Context, case: bytes, step: str) -> Case:
    """Return a case as it stands, its status already that after the step."""
    row = ctx.get(CASES, case)
    if row is None:
        raise Rejected(ClaimsReason.NO_SUCH_CASE, case=case.hex())
    status = TRANSITIONS.get((row.status, step))
    if status is None or (step in _OF_CLAIMS and row.kind is Kind.AUTHORISATION):
        raise Rejected(ClaimsReason.WRONG_STATUS, case=case.hex(), status=row.status.name)
    return structs.replace(row, status=status)


def _addressed(ctx: Context, openings: tuple[Opening, ...], step: str) -> list[Case]:
    """Return cases that open to the submitter, a payer."""
    _ascending([one.case for one in openings])
    if not _plays(ctx, ctx.submitter, (Role.PAYER,)):
        raise Rejected(ClaimsReason.NOT_PAYER, submitter=ctx.submitter)
    rows = []
    for one in openings:
        before = ctx.get(CASES, one.case)
        if before is not None and payer_digest(one.salt, one.case, ctx.submitter) != before.payer_digest:
            raise Rejected(ClaimsReason.NOT_THE_PAYER, case=one.case.hex())
        rows.append(_step(ctx, one.case, step))
    return rows


def _taken(ctx: Context, cases: Sequence[bytes], step: str, *, payer: bool | None) -> list[Case]:
    """Return cases on which the submitter may take a step: as payer, as provider, or (None) as either."""
    _ascending(cases)
    rows = []
    for case in cases:
        before = ctx.get(CASES, case)
        if before is not None:
            parties = {True: {before.payer}, False: {before.provider}, None: {before.payer, before.provider}}[payer]
            if ctx.submitter not in parties:
                raise Rejected(ClaimsReason.NOT_PARTY, case=case.hex())
        rows.append(_step(ctx, case, step))
    return rows


def _reopened(ctx: Context, row: Case, commitment: bytes) -> Case:
    return structs.replace(
        row, submission=commitment, appeal_key=b"", round=row.round + 1, due=ctx.time + row.clock * DAY
    )


def _put(ctx: Context, cases: Sequence[bytes], rows: list[Case]) -> bytes:
    """Write the cases, and return the result data."""
    for case, row in zip(cases, rows, strict=True):
        ctx.put(CASES, case, structs.replace(row, height=ctx.height))
    told = bytes((rows[0].status,)) + min(row.due for row in rows).to_bytes(8, "big")
    return (
        digest("salus/v1/claims-cases", *cases) + len(cases).to_bytes(2, "big") + told + ctx.submitter.encode("ascii")
    )


RULES: Final[Mapping[type[Message], Rule]] = {
    Submit: Rule(submit, authored=False),
    Cross: Rule(cross, authored=False),
    Accept: Rule(accept, authored=False),
    Refuse: Rule(refuse, authored=False),
    Ask: Rule(ask, authored=False),
    Inform: Rule(inform, authored=False),
    Withdraw: Rule(withdraw, authored=False),
    Decide: Rule(decide, authored=False),
    Remit: Rule(remit, authored=False),
    Reopen: Rule(reopen, authored=False),
    Appeal: Rule(appeal, authored=True),
    OpenPlanYear: Rule(open_plan_year, authored=False),
    AdvancePlanYear: Rule(advance_plan_year, authored=False),
}
CONTRACT: Final = Contract(
    number=NUMBER,
    name="claims",
    rules=RULES,
    tables=(CASES, PLAN_YEARS),
    reasons=ClaimsReason,
    examples=EXAMPLES,
)
