"""What sites are paid: statements, and the sponsor's answer to them.

Who might attack it, and how:
    a site bills a visit twice            a statement follows one that is agreed to or paid; both parties compute what is new
    a site changes what was agreed to     a statement changes in dispute alone
    a sponsor agrees to another sum       the step names the commitment that stands
    a stranger states or settles          the site states its own; the sponsor answers
    an arm shows in what is paid          neither amounts nor visits are here, and terms know no arm
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from salus.contracts.trials.life import PAYMENT, PaymentStatus, SiteStatus
from salus.contracts.trials.messages import PaymentStep, StatePayment, StepPayment
from salus.contracts.trials.parts import own_site, require, row_of, stepped, study_of
from salus.contracts.trials.reasons import TrialsReason
from salus.contracts.trials.state import MAX_STATEMENTS, PAYMENTS, Part, Payment, payment_key
from salus.core.encoding import Message
from salus.core.errors import Rejected
from salus.core.rules import Context, Rule

_SETTLED: Final = frozenset((PaymentStatus.AGREED, PaymentStatus.PAID))
_STEPS: Final[Mapping[PaymentStep, str]] = {
    PaymentStep.AGREE: "agree",
    PaymentStep.DISPUTE: "dispute",
    PaymentStep.PAY: "pay",
}


def state_payment(ctx: Context, message: StatePayment) -> bytes:
    """State what is to be paid. Returns study 16 | number u16 | status u8 | commitment 32 | site, ASCII."""
    study_of(ctx, message.study)
    site = own_site(ctx, message.study)
    if site is None:
        raise Rejected(TrialsReason.NOT_PARTY, needed="SITE")
    if site.status is SiteStatus.CANDIDATE:
        raise Rejected(TrialsReason.WRONG_STATUS, status=site.status.name, step="state")
    key = payment_key(message.study, ctx.submitter, message.number)
    row = ctx.get(PAYMENTS, key)
    status = stepped(PAYMENT, None if row is None else row.status, "state")
    if message.number > 1:
        before = row_of(ctx, PAYMENTS, payment_key(message.study, ctx.submitter, message.number - 1))
        if before.status not in _SETTLED:
            raise Rejected(TrialsReason.WRONG_STATUS, status=before.status.name, step="state")
    if message.number > MAX_STATEMENTS:
        raise Rejected(TrialsReason.TOO_MANY, most=MAX_STATEMENTS)

    ctx.put(PAYMENTS, key, Payment(status, message.commitment, ctx.time, ctx.height))
    return _result(message.study, message.number, status, message.commitment, ctx.submitter)


def step_payment(ctx: Context, message: StepPayment) -> bytes:
    """Answer a statement. Returns study 16 | number u16 | status u8 | commitment 32 | site, ASCII."""
    _, roster = study_of(ctx, message.study)
    require(ctx, roster, Part.SPONSOR)
    key = payment_key(message.study, message.site, message.number)
    row = row_of(ctx, PAYMENTS, key)
    status = stepped(PAYMENT, row.status, _STEPS[message.step])
    if row.commitment != message.commitment:
        raise Rejected(TrialsReason.NOT_NEWEST, number=message.number)

    ctx.put(PAYMENTS, key, structs.replace(row, status=status, height=ctx.height))
    return _result(message.study, message.number, status, message.commitment, message.site)


def _result(study: bytes, number: int, status: PaymentStatus, commitment: bytes, site: str) -> bytes:
    return study + number.to_bytes(2, "big") + bytes((status,)) + commitment + site.encode("ascii")


RULES: Final[Mapping[type[Message], Rule]] = {
    StatePayment: Rule(state_payment, authored=False),
    StepPayment: Rule(step_payment, authored=False),
}
