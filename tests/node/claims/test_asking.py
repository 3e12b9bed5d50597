"""Between submission and decision: refused with the reason, asked and answered, withdrawn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.agreements.claims.door import door_answer
from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.interop.x12.envelope import Stamp
from salus.node.claims import (
    ask_information,
    decide_claims,
    dossiers,
    exchange,
    inform,
    list_answers,
    rule_on_claim,
    submit_claims,
    withdraw_claim,
)
from salus.node.claims.asking import AskInformation, Inform, ListAnswers, WithdrawClaim
from salus.node.claims.deciding import RuleOnClaim
from salus.node.claims.submitting import SubmitClaims
from salus.node.errors import Conflict, Forbidden, NotFound
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import PLAN, claim, file_of, line
from tests.interop.x12.oracles import pyx12_accepts
from tests.node.claims.test_cases import REQUEST, START, sealed

DAY_MS = 86_400_000


class Hands:
    now = START


@pytest.fixture
def hands() -> Hands:
    return Hands()


def founded(folder: Path, hands: Hands) -> Together:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("other", "Other Payer", (Role.PAYER,)),
    )
    return found_together(folder, founders, clock=Clock(lambda: hands.now))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """One network for the tests that leave nothing open: each has claims of a day of its own."""
    found = founded(tmp_path_factory.mktemp("asking"), Hands())
    yield found
    found.close()


@pytest.fixture
def together(tmp_path: Path, hands: Hands) -> Iterator[Together]:
    """A network of its own for a test that moves the clock or leaves a case open."""
    found = founded(tmp_path, hands)
    yield found
    found.close()


def submitted(together: Together, data: bytes) -> str:
    (case,) = submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=data)).cases
    together.abreast()
    return case


def status(together: Together, case: str) -> port.CaseStatus:
    together.abreast()
    return exchange.row_of(together.owner, bytes.fromhex(case)).status


def test_a_case_that_the_door_refuses_gets_a_277ca_that_says_why(shared: Together) -> None:
    cedar, harbor = shared.nodes["cedar"], shared.nodes["harbor"]
    case = submitted(shared, file_of(claim(line(day="20250211"))))
    kept = dossiers.dossier_of(harbor, bytes.fromhex(case))
    broken = kept.last.file.replace(b"CLM*A1*150", b"CLM*A1*151")  # as a provider's program without a check sends it
    dossiers.keep(harbor, [(bytes.fromhex(case), kept.with_last(file=broken))])
    assert decide_claims(harbor, REQUEST).refused == 1
    shared.abreast()
    assert status(shared, case) is port.CaseStatus.REFUSED
    refusal = list_answers(cedar, ListAnswers(case=case)).refusal
    assert b"STC*A7:178*" in refusal
    assert b"2300 CLM02" in refusal
    assert pyx12_accepts(refusal) is True
    before = len(harbor.desk.waiting())
    assert decide_claims(harbor, REQUEST).refused == 0
    assert len(harbor.desk.waiting()) == before  # told once


def test_the_door_answers_at_the_level_of_the_fault() -> None:
    stamp, whole = Stamp("20250310", "0000", 7), file_of(claim())
    assert b"TA1*" in door_answer(whole[: whole.index(b"SE*")], PLAN, "20250310", stamp)
    assert b"IK5*R*5" in door_answer(whole.replace(b"SBR*P*18", b"SBR*Q*18"), PLAN, "20250310", stamp)
    again = door_answer(file_of(claim(frequency="7", original="C1")), PLAN, "20250310", stamp)
    assert b"STC*A7:464*" in again


def test_a_claim_waits_for_information_and_is_decided_with_it(shared: Together) -> None:
    cedar, harbor = shared.nodes["cedar"], shared.nodes["harbor"]
    case = submitted(
        shared, file_of(claim(line(day="20250212"), line(2, charge=16000, day="20250212")))
    )  # one line twice: a person must look
    assert decide_claims(harbor, REQUEST).waiting == 1
    ask_information(harbor, AskInformation(case=case, question="were there two visits?"))
    assert status(shared, case) is port.CaseStatus.WAITING
    assert list_answers(cedar, ListAnswers(case=case)).question == "were there two visits?"
    assert decide_claims(harbor, REQUEST).waiting == 0  # it is the provider's turn

    inform(cedar, Inform(case=case, statement="yes, morning and evening", attachment=b"%PDF visit notes"))
    assert status(shared, case) is port.CaseStatus.ACCEPTED
    shown = list_answers(harbor, ListAnswers(case=case))
    assert (shown.statement, shown.attachment) == ("yes, morning and evening", b"%PDF visit notes")
    rule_on_claim(harbor, RuleOnClaim(case=case, step="duplicates", verdict="allow", basis="two visits in the notes"))
    done = decide_claims(harbor, REQUEST)
    shared.abreast()
    assert (done.decided, done.remitted) == (1, 1)
    kept = dossiers.dossier_of(cedar, bytes.fromhex(case))
    assert kept.last.decided is not None
    assert kept.last.difference == ""
    assert not exchange.read_facts(kept.last.decided).clean  # no interest on what needed development
    ledger = (Path(shared.owner.config.data) / "ledger" / "data.mdb").read_bytes()
    assert b"visit notes" not in ledger


def test_an_answer_that_changes_the_claim_or_was_not_asked_is_refused(together: Together) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    case = submitted(together, file_of(claim(line(), line(2, charge=16000))))
    decide_claims(harbor, REQUEST)
    with pytest.raises(Conflict, match=r"claims\.not-asked"):
        inform(cedar, Inform(case=case, statement="unasked"))
    ask_information(harbor, AskInformation(case=case, question="two visits?"))
    together.abreast()
    key, id_ = bytes(32), bytes.fromhex(case)
    kept = dossiers.dossier_of(cedar, id_)
    other = file_of(claim(line(1, charge=99900)))
    commitment = exchange.submission_commitment(key, other, "yes")
    cedar.submitter.submit(port.Inform((port.Statement(id_, commitment),)))
    together.abreast()
    sent = exchange.SentClaim(id_, kept.salt, key, other, "claim", "yes", informs=True)
    with pytest.raises(Conflict, match=r"claims\.information"):
        exchange.take_claim(harbor, "cedar", sealed(cedar, "harbor", exchange.CLAIM, exchange.SentClaims(1, (sent,))))
    assert dossiers.dossier_of(harbor, id_).last.file == kept.last.file


def test_a_question_left_unanswered_is_decided_without_it(together: Together, hands: Hands) -> None:
    harbor = together.nodes["harbor"]
    case = submitted(together, file_of(claim(line(), line(2, charge=16000))))
    decide_claims(harbor, REQUEST)
    ask_information(harbor, AskInformation(case=case, question="two visits?"))
    rule = RuleOnClaim(case=case, step="duplicates", verdict="deny", basis="no answer")
    rule_on_claim(harbor, rule)
    assert decide_claims(harbor, REQUEST).decided == 0
    for _ in range(2):
        hands.now += 25 * DAY_MS
        submitted(together, file_of(claim(line(day="20250101"), identifier="N")))  # a block with the new time
    assert decide_claims(harbor, REQUEST).decided >= 1
    assert status(together, case) is port.CaseStatus.REMITTED


def test_a_claim_is_withdrawn_before_it_is_decided_and_not_after(shared: Together) -> None:
    cedar, harbor = shared.nodes["cedar"], shared.nodes["harbor"]
    case, other = (
        submitted(shared, file_of(claim(line(day="20250213")))),
        submitted(shared, file_of(claim(line(day="20250213"), identifier="B1"))),
    )
    withdraw_claim(cedar, WithdrawClaim(case=case))
    shared.abreast()
    assert decide_claims(harbor, REQUEST).decided == 1
    assert status(shared, case) is port.CaseStatus.WITHDRAWN
    with pytest.raises(Conflict, match=r"claims\.decided"):
        withdraw_claim(cedar, WithdrawClaim(case=other))
    with pytest.raises(NotFound, match=r"claims\.side"):
        withdraw_claim(harbor, WithdrawClaim(case=other))


def test_a_question_of_another_payer_is_not_taken(shared: Together) -> None:
    cedar, other = shared.nodes["cedar"], shared.nodes["other"]
    case = bytes.fromhex(submitted(shared, file_of(claim(line(day="20250214")))))
    asked = exchange.SentQuestion(1, case, "your books, please")
    with pytest.raises(Forbidden, match=r"claims\.payer"):
        exchange.take_question(cedar, "other", sealed(other, "cedar", exchange.QUESTION, asked))
    assert cedar.desk.claim_state(f"question/{case.hex()}") == b""


def test_a_payer_that_asks_has_taken_the_claim(shared: Together) -> None:
    cedar, harbor = shared.nodes["cedar"], shared.nodes["harbor"]
    case = submitted(shared, file_of(claim(line(day="20250220"))))
    assert status(shared, case) is port.CaseStatus.SUBMITTED
    ask_information(harbor, AskInformation(case=case, question="the visit note?"))
    assert status(shared, case) is port.CaseStatus.WAITING
    assert list_answers(cedar, ListAnswers(case=case)).question == "the visit note?"
    decide_claims(harbor, REQUEST)  # others of this network may be decided
    assert status(shared, case) is port.CaseStatus.WAITING
    withdrawn = submitted(shared, file_of(claim(line(day="20250221"))))
    for _ in range(2):
        withdraw_claim(cedar, WithdrawClaim(case=withdrawn))
        assert status(shared, withdrawn) is port.CaseStatus.WITHDRAWN
    inform(cedar, Inform(case=case, statement="see the note"))
    shared.abreast()
    rule_on_claim(harbor, RuleOnClaim(case=case, verdict="uphold", basis="the note is in order"))
    decide_claims(harbor, REQUEST)
    assert status(shared, case) is port.CaseStatus.REMITTED
