"""Parties to a claim that lie, fail or fall silent: each is named, each can be shown, and no money moves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from salus.contracts.claims import port
from salus.node.claims import (
    approvals,
    approve,
    approving,
    ask_information,
    correct_claim,
    deciding,
    dispute_decision,
    dossiers,
    exchange,
    inform,
    withdraw_claim,
)
from salus.node.claims.approving import Approve
from salus.node.claims.asking import AskInformation, Inform, WithdrawClaim
from salus.node.claims.deciding import CorrectClaim, Inbox
from salus.node.claims.exchange import read_decision
from salus.node.claims.submitting import DisputeDecision
from salus.node.errors import Conflict, Refused
from salus.node.exchange.delivery import deliver_due
from salus.node.member import MemberNode
from salus.node.together import Together
from tests.agreements.claims.cases import MEMBERS, PLAN, RATES
from tests.node.claims.dying import Died
from tests.node.claims.test_approvals import asked, decided, image
from tests.node.claims.test_cases import sealed
from tests.node.claims.test_crash import remitted
from tests.node.claims.two import JSON, decide, found_two, send

DAY = 86_400_000


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    found = found_two(tmp_path)
    yield found
    found.close()


def inbox(node: MemberNode) -> Inbox:
    return Inbox(node, PLAN, [RATES], MEMBERS, JSON(PLAN))


def paid(together: Together) -> int:
    return sum(remitted(together.nodes["cedar"])[0].values())


def test_a_claim_withdrawn_after_its_decision_was_made_counts_for_nothing(together: Together) -> None:
    """The payer stops between making and committing a decision, and the provider takes the claim back."""
    case = send(together)
    harbor, cedar = together.nodes["harbor"], together.nodes["cedar"]
    stopped = inbox(harbor)
    stopped.accept()
    stopped.make()
    together.abreast()
    withdraw_claim(cedar, WithdrawClaim(case=case.hex()))
    together.abreast()

    assert decide(together) == (0, 0, 0)
    assert harbor.desk.open_claims() == []
    again = send(together, "N2")
    assert decide(together) == (1, 0, 1)
    last = dossiers.dossier_of(cedar, again).last
    assert last.decided is not None
    assert (read_decision(last.decided).status, last.difference) == ("paid", "")


def test_what_was_not_asked_or_has_ended_is_not_informed(together: Together) -> None:
    case = send(together)
    cedar = together.nodes["cedar"]
    withdraw_claim(cedar, WithdrawClaim(case=case.hex()))
    together.abreast()
    with pytest.raises(Conflict, match=r"claims\.not-asked"):
        inform(cedar, Inform(case=case.hex(), statement="see the report"))
    assert decide(together) == (0, 0, 0)


def test_nothing_is_decided_on_other_words_than_the_ledger_holds(together: Together) -> None:
    """The answer to a question is committed and still on its way: the payer waits for it, and for nothing else."""
    case = send(together)
    harbor, cedar = together.nodes["harbor"], together.nodes["cedar"]
    inbox(harbor).accept()
    together.abreast()
    ask_information(harbor, AskInformation(case=case.hex(), question="the operative report"))
    together.abreast()
    together.transport.down.add("https://harbor.example")
    inform(cedar, Inform(case=case.hex(), statement="see the report"))
    together.transport.down.clear()
    together.abreast()
    assert decide(together) == (0, 0, 0)
    together.clock.advance(3_600_000)
    exchange_due(together)
    assert decide(together) == (1, 0, 1)
    last = dossiers.dossier_of(harbor, case).last
    assert (last.statement, last.informed) == ("see the report", True)


def exchange_due(together: Together) -> None:
    for node in together.nodes.values():
        deliver_due(node)
    together.abreast()


@pytest.mark.parametrize("why", ["dispute", "appeal", "correction"])
def test_a_new_claim_that_says_it_is_contested_is_refused_by_name(together: Together, why: str) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    together.transport.down.add("https://harbor.example")
    case = send(together)
    kept = dossiers.dossier_of(cedar, case)
    lie = exchange.SentClaim(case, kept.salt, kept.last.key, kept.last.file, why=why)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match=r"claims\.round"):
        exchange.take_claim(harbor, "cedar", sealed(cedar, "harbor", exchange.CLAIM, exchange.SentClaims(1, (lie,))))
    assert dossiers.kept_cases(harbor) == []


def test_an_approval_cannot_be_taken_back_by_another_answer(together: Together) -> None:
    """A payer reopens its own approval by hand, commits a denial, and denies the service that was done meanwhile."""
    case = bytes.fromhex(asked(together))
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    approve(harbor, Approve(case=case.hex(), verdict="approve"))
    together.abreast()
    given = approvals.request_of(cedar, case)
    with pytest.raises(Refused, match="WRONG_STATUS"):
        harbor.submitter.submit(port.Reopen((port.Statement(case, bytes(32)),)))
    with pytest.raises(Refused, match="WRONG_STATUS"):
        harbor.submitter.submit(port.Decide((port.Decided(case, bytes(32), bytes(32)),)))
    approvals.keep_request(harbor, msgspec.structs.replace(approvals.request_of(harbor, case), granted=b""))
    assert decided(together, image(1, "20250302")) == ["CO-197"]
    ((_, one, _),) = dossiers.kept_cases(cedar)
    assert one.last.difference == "authorisation"
    assert approvals.request_of(cedar, case) == given


def test_an_approval_whose_payer_was_cut_off_is_told_by_the_next_run(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = asked(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    cut_off(monkeypatch, (approving, "disclose"), lambda: approve(harbor, Approve(case=case, verdict="approve")))
    together.abreast()
    assert approvals.request_of(cedar, bytes.fromhex(case)).answer == b""
    (number,) = approve(harbor, Approve(case=case, verdict="deny", reason="another mood")).numbers
    together.abreast()
    told = approvals.request_of(cedar, bytes.fromhex(case))
    assert [one.approval.number for one in approvals.granted(told)] == [number]
    with pytest.raises(Conflict, match=r"claims\.decided"):
        approve(harbor, Approve(case=case, verdict="approve"))


def cut_off(monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], act: Callable[[], object]) -> None:
    """Have the process die where a function is called."""

    def died(*_arguments: object, **_named: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(*place, died)
        with pytest.raises(Died):
            act()


@pytest.mark.parametrize(("step", "again"), [("keep", True), ("submit", True), ("submit", False)])
def test_a_correction_that_was_cut_off_is_gone_on_with(
    together: Together, monkeypatch: pytest.MonkeyPatch, step: str, *, again: bool
) -> None:
    case = send(together)
    decide(together)
    harbor = together.nodes["harbor"]
    place = (deciding, "_open_corrections") if step == "submit" else (harbor.desk, "keep_claims")
    cut_off(monkeypatch, place, lambda: correct_claim(harbor, CorrectClaim(case=case.hex())))
    if again:
        correct_claim(harbor, CorrectClaim(case=case.hex()))
        together.abreast()
    assert decide(together) == (1, 0, 1)
    assert decided_sum(together, case) == paid(together)


def test_a_dispute_takes_the_place_of_a_correction_that_was_cut_off(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = send(together)
    decide(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    place = harbor.submitter, "submit"
    cut_off(monkeypatch, place, lambda: correct_claim(harbor, CorrectClaim(case=case.hex())))
    dispute_decision(cedar, DisputeDecision(case=case.hex(), statement="rate A6 applies"))
    together.abreast()
    assert [(one.number, one.why) for one in dossiers.dossier_of(harbor, case).rounds] == [(1, "claim"), (2, "dispute")]
    assert decide(together) == (0, 1, 0)


def decided_sum(together: Together, case: bytes) -> int:
    last = dossiers.dossier_of(together.nodes["cedar"], case).last
    assert last.decided is not None
    decision = read_decision(last.decided)
    return decision.paid + decision.interest
