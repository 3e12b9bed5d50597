"""Claims among four members: a stranger's hand in another's case, a member suspended or under new keys, one that is silent."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.node.claims import (
    ask_information,
    decide_claims,
    dispute_decision,
    dossiers,
    exchange,
    inform,
    list_cases,
    publish_plan,
    rule_on_claim,
    submit_claims,
)
from salus.node.claims.asking import AskInformation, Inform
from salus.node.claims.deciding import Inbox, RuleOnClaim
from salus.node.claims.exchange import read_decision
from salus.node.claims.listing import CaseLine, ListCases
from salus.node.claims.plans import PublishPlan
from salus.node.claims.submitting import DisputeDecision, SubmitClaims
from salus.node.errors import EdgeError, Refused
from salus.node.exchange.delivery import deliver_due
from salus.node.network.governing import ProposeReinstate, ProposeSuspend, propose_reinstate, propose_suspend
from salus.node.together import Clock, Founder, Together, found_together
from tests.agreements.claims.cases import claim, file_of, line
from tests.attacks.test_suspended import decide as voted
from tests.node.claims.test_again import later
from tests.node.claims.test_cases import sealed
from tests.node.claims.test_crash import remitted
from tests.node.claims.two import MARCH_2025, REQUEST, decide, send
from tests.node.test_following_trust import take_new_keys

if TYPE_CHECKING:
    from salus.core.encoding import Message, Value


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("elm", "Elm Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("other", "Other Payer", (Role.PAYER,)),
    )
    found = found_together(tmp_path, founders, clock=Clock(lambda: MARCH_2025))
    yield found
    found.close()


def told(together: Together, member: str = "cedar") -> CaseLine:
    (one,) = list_cases(together.nodes[member], ListCases()).cases
    return one


def delivered(together: Together) -> None:
    together.clock.advance(3_600_000)
    for node in together.nodes.values():
        deliver_due(node)
    together.abreast()


def test_no_other_member_takes_a_step_in_a_case(together: Together) -> None:
    case = send(together)
    decide(together)
    cedar = together.nodes["cedar"]
    row, before = port.case(cedar.ledger.read(), case), dossiers.dossier_of(cedar, case)
    said = (port.Statement(case, bytes(32)),)
    steps: list[tuple[str, Message, str]] = [
        ("other", port.Accept((port.Opening(case, before.salt),)), "NOT_THE_PAYER"),
        ("other", port.Decide((port.Decided(case, bytes(32), bytes(32)),)), "NOT_PARTY"),
        ("other", port.Remit((case,)), "NOT_PARTY"),
        ("other", port.Reopen(said), "NOT_PARTY"),
        ("elm", port.Reopen(said), "NOT_PARTY"),
        ("elm", port.Inform(said), "NOT_PARTY"),
        ("elm", port.Withdraw((case,)), "NOT_PARTY"),
        ("harbor", port.Withdraw((case,)), "NOT_PARTY"),
        ("cedar", port.Decide((port.Decided(case, bytes(32), bytes(32)),)), "NOT_PARTY"),
    ]
    for member, message, reason in steps:
        with pytest.raises(Refused, match=reason):
            together.nodes[member].submitter.submit(message)
    together.abreast()
    assert port.case(cedar.ledger.read(), case) == row


def test_no_other_member_says_a_word_in_a_case(together: Together) -> None:
    case = send(together)
    decide(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    before, at_payer = dossiers.dossier_of(cedar, case), dossiers.dossier_of(harbor, case)
    decision = before.last.decided
    assert decision is not None
    file = before.last.file
    words: list[tuple[str, str, str, Value, Callable[..., None], str]] = [
        (
            "elm",
            "harbor",
            exchange.CLAIM,
            exchange.SentClaims(1, (exchange.SentClaim(case, before.salt, bytes(32), file, "void"),)),
            exchange.take_claim,
            "claims.address",
        ),
        (
            "other",
            "cedar",
            exchange.DECISION,
            exchange.SentDecisions(1, dossiers.plan_of(cedar, before.last), (decision,)),
            exchange.take_decision,
            "claims.payer",
        ),
        (
            "other",
            "cedar",
            exchange.REMITTANCE,
            exchange.SentRemittance((case,), 1, b"ISA"),
            exchange.take_remittance,
            "claims.remittance",
        ),
        ("other", "cedar", exchange.REFUSAL, exchange.SentRefusal(1, case, b""), exchange.take_refusal, "claims.payer"),
        (
            "other",
            "cedar",
            exchange.QUESTION,
            exchange.SentQuestion(1, case, "x"),
            exchange.take_question,
            "claims.payer",
        ),
    ]
    for sender, receiver, kind, value, take, code in words:
        with pytest.raises(EdgeError) as refused:
            take(together.nodes[receiver], sender, sealed(together.nodes[sender], receiver, kind, value))
        assert refused.value.code == code
    # what was sealed to one payer opens at no other, whoever brings it
    envelope = sealed(cedar, "harbor", exchange.CLAIM, exchange.SentClaims(1, ()))
    for sender in ("cedar", "elm"):
        with pytest.raises(EdgeError, match=r"claims\.envelope"):
            exchange.take_claim(together.nodes["other"], sender, envelope)
    assert (dossiers.dossier_of(cedar, case), dossiers.dossier_of(harbor, case)) == (before, at_payer)
    assert dossiers.kept_cases(together.nodes["other"]) == []


def test_one_claim_under_two_cases_is_paid_once(together: Together) -> None:
    """A provider sends a claim again in a file of its own: its cases have nothing in common on the ledger."""
    send(together)
    file = file_of(claim(line(1, "S9129", 9000), identifier="N1"))
    submit_claims(together.nodes["cedar"], SubmitClaims(payer="harbor", file=file.replace(file[90:99], b"000000077")))
    together.abreast()
    assert len(list(port.cases(together.owner.ledger.read()))) == 2
    assert decide(together) == (2, 0, 2)
    assert remitted(together.nodes["cedar"])[0] == {"C00000001": 6400, "C00000002": 0}


@pytest.mark.parametrize("member", ["harbor", "cedar"])
def test_a_member_suspended_with_claims_open_moves_no_money_until_it_is_back(together: Together, member: str) -> None:
    case = send(together)
    scene = SimpleNamespace(together=together, north=together.owner)
    others = [name for name in together.nodes if name != member]
    voted(scene, propose_suspend, ProposeSuspend(member=member), others)
    if member == "harbor":
        with pytest.raises(Refused, match="NOT_ACTIVE"):
            decide_claims(together.nodes["harbor"], REQUEST)
        with pytest.raises(EdgeError):  # a suspended payer gets no claims either
            send(together, "N2", "20250302")
    else:
        with pytest.raises(EdgeError):
            send(together, "N2", "20250302")
    together.abreast()
    assert remitted(together.nodes["cedar"]) == ({}, [])
    voted(scene, propose_reinstate, ProposeReinstate(member=member), others)
    together.abreast()
    decide(together)
    delivered(together)
    decide(together)
    delivered(together)
    assert told(together).status == "remitted"
    last = dossiers.dossier_of(together.nodes["cedar"], case).last
    assert last.decided is not None
    assert last.difference == ""
    decision = read_decision(last.decided)
    assert remitted(together.nodes["cedar"])[0] == {decision.control: decision.paid}


def test_new_keys_of_both_parties_change_nothing_of_the_claims_between_them(together: Together) -> None:
    """A claim waits to be sent, then its decision and its 835 do, while either party takes new keys."""
    scene = SimpleNamespace(together=together)
    together.transport.down.add("https://harbor.example")
    case = send(together)
    together.transport.down.clear()
    for member in ("cedar", "harbor"):
        take_new_keys(scene, member)
    together.abreast()
    delivered(together)
    together.transport.down.add("https://cedar.example")
    assert decide(together) == (1, 0, 1)
    together.transport.down.clear()
    for member in ("harbor", "cedar"):
        take_new_keys(scene, member)
    together.abreast()
    delivered(together)
    last = dossiers.dossier_of(together.nodes["cedar"], case).last
    assert last.decided is not None
    assert (last.difference, bool(last.remittance)) == ("", True)
    assert sum(remitted(together.nodes["cedar"])[0].values()) == read_decision(last.decided).paid


def test_a_provider_that_reopens_a_case_and_sends_nothing_is_the_one_that_is_late(together: Together) -> None:
    case = send(together)
    decide(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    together.transport.down.add("https://harbor.example")
    dispute_decision(cedar, DisputeDecision(case=case.hex(), statement="rate A6 applies"))
    together.transport.down.clear()
    together.abreast()
    before = remitted(cedar)
    assert decide(together) == (0, 0, 0)
    ask_information(harbor, AskInformation(case=case.hex(), question="what is disputed"))
    together.abreast()
    with pytest.raises(Refused, match="TOO_EARLY"):
        harbor.submitter.submit(port.Decide((port.Decided(case, bytes(32), bytes(32)),)))
    later(together, 50)
    assert (told(together, "harbor").status, told(together, "harbor").late) == ("waiting", "provider")
    assert decide(together) == (0, 0, 0)
    assert remitted(cedar) == before

    delivered(together)  # it comes after all
    inform(cedar, Inform(case=case.hex(), statement="rate A6 applies, see the contract"))
    together.abreast()
    assert decide(together) == (0, 1, 0)
    rule_on_claim(harbor, RuleOnClaim(case=case.hex(), verdict="uphold", basis="rate A5 applies"))
    assert decide(together) == (1, 0, 1)
    kept = dossiers.dossier_of(harbor, case)
    assert [(one.number, one.why) for one in kept.rounds] == [(1, "claim"), (2, "dispute")]
    last = dossiers.dossier_of(cedar, case).last
    assert last.decided is not None
    decision = read_decision(last.decided)
    assert remitted(cedar)[0] == {decision.control: decision.paid + decision.interest}


def test_a_plan_published_only_after_it_decided_is_told(together: Together, monkeypatch: pytest.MonkeyPatch) -> None:
    send(together)
    harbor = together.nodes["harbor"]
    honest = Inbox.decide

    def decided(self: Inbox) -> tuple[int, int]:
        done = honest(self)
        publish_plan(harbor, PublishPlan(plan=REQUEST.plan))
        return done

    monkeypatch.setattr(Inbox, "decide", decided)
    decide(together)
    assert told(together).differs == "published"
    send(together, "N2", "20250302")
    decide(together)
    assert [one.differs for one in list_cases(together.nodes["cedar"], ListCases()).cases] == ["published", ""]
