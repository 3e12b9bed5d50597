"""What sites are paid: a story, and attacks that each end in a named refusal."""

from salus.contracts.trials import paying
from salus.contracts.trials.life import PAYMENT
from salus.contracts.trials.port import (
    PaymentStatus,
    PaymentStep,
    SiteStep,
    StatePayment,
    StepPayment,
    StepSite,
    payment,
    payments,
)
from salus.contracts.trials.port import TrialsReason as Reason

from . import trials_scene as scene
from .test_trials_story import ID, NORTH, ONE, SOUTH, SPONSOR, STATS, TWO, ledger, play  # noqa: F401 -- a fixture


def test_a_site_is_paid_what_both_computed(ledger):  # noqa: F811
    play(ledger, *scene.OPEN)
    stated = ledger.send(StatePayment(ID, 1, ONE), NORTH)
    assert stated == ID + b"\0\1\1" + ONE + NORTH.encode()
    assert ledger.refuse(StatePayment(ID, 2, TWO), NORTH) is Reason.WRONG_STATUS
    play(ledger, (answered(PaymentStep.DISPUTE), SPONSOR, ""), (StatePayment(ID, 1, TWO), NORTH, ""))
    play(ledger, (answered(PaymentStep.AGREE, TWO), SPONSOR, ""), (answered(PaymentStep.PAY, TWO), SPONSOR, ""))
    play(ledger, (StatePayment(ID, 2, ONE), NORTH, ""))
    told = [(site, number, row.status) for site, number, row in payments(ledger.state, ID)]
    assert told == [(NORTH, 1, PaymentStatus.PAID), (NORTH, 2, PaymentStatus.STATED)]
    assert payment(ledger.state, ID, NORTH, 1).commitment == TWO
    assert {step for _, step in PAYMENT} == {"state", "agree", "dispute", "pay"}


def answered(step, commitment=ONE, number=1):
    return StepPayment(ID, NORTH, number, step, commitment)


def test_attack_a_payment_that_was_not_agreed_to(ledger):  # noqa: F811
    play(ledger, *scene.OPEN, (StepSite(ID, SOUTH, SiteStep.NOMINATE, ONE), SPONSOR, ""))
    assert ledger.refuse(StatePayment(ID, 1, ONE), STATS) is Reason.NOT_PARTY
    assert ledger.refuse(StatePayment(ID, 1, ONE), SOUTH) is Reason.WRONG_STATUS  # nobody contracted it yet
    assert ledger.refuse(StatePayment(ID, 2, ONE), NORTH) is Reason.NO_SUCH_CASE
    assert ledger.refuse(answered(PaymentStep.AGREE), SPONSOR) is Reason.NO_SUCH_CASE
    play(ledger, (StatePayment(ID, 1, ONE), NORTH, ""))
    assert ledger.refuse(answered(PaymentStep.PAY), SPONSOR) is Reason.WRONG_STATUS
    assert ledger.refuse(answered(PaymentStep.AGREE, TWO), SPONSOR) is Reason.NOT_NEWEST
    assert ledger.refuse(answered(PaymentStep.AGREE), NORTH) is Reason.NOT_PARTY
    play(ledger, (answered(PaymentStep.AGREE), SPONSOR, ""))
    assert ledger.refuse(StatePayment(ID, 1, TWO), NORTH) is Reason.WRONG_STATUS
    assert ledger.refuse(answered(PaymentStep.DISPUTE), SPONSOR) is Reason.WRONG_STATUS


def test_a_site_has_no_more_statements_than_it_may(ledger, monkeypatch):  # noqa: F811
    monkeypatch.setattr(paying, "MAX_STATEMENTS", 3)
    play(ledger, *scene.OPEN)
    for number in (1, 2, 3):
        play(
            ledger,
            (StatePayment(ID, number, ONE), NORTH, ""),
            (answered(PaymentStep.AGREE, number=number), SPONSOR, ""),
        )
    assert ledger.refuse(StatePayment(ID, 4, ONE), NORTH) is Reason.TOO_MANY
