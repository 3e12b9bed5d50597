"""A provider and a payer as two members: from an 837 to an 835 that the provider has computed itself."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision, Facts
from salus.agreements.claims.members import person_of
from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.core.encoding import Message, Value, encode
from salus.engines.ports import Outcome
from salus.interop.x12.claim import Line
from salus.node.anchoring import anchor
from salus.node.claims import decide_claims, dossiers, exchange, list_cases, recompute_decision, submit_claims
from salus.node.claims.deciding import DecideClaims
from salus.node.claims.listing import ListCases, RecomputeDecision
from salus.node.claims.submitting import SubmitClaims
from salus.node.errors import Conflict, Forbidden, Unavailable
from salus.node.member import MemberNode
from salus.node.together import Clock, Founder, Together, found_together
from salus.vault.envelope import seal_envelope
from salus.vault.journal import Side
from tests.agreements.claims.cases import CLINIC, MEMBERS, PLAN, RATES, claim, file_of, line

JSON = msgspec.json.encode
START = 1_741_608_000_000  # 2025-03-10


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    founders = (
        Founder("cedar", "Cedar Clinic", (Role.PROVIDER,)),
        Founder("harbor", "Harbor Health", (Role.PAYER,)),
        Founder("other", "Other Payer", (Role.PAYER,)),
    )
    found = found_together(tmp_path, founders, clock=Clock(lambda: START))
    yield found
    found.close()


def submitted(together: Together, *lines: Line, **changes: str) -> bytes:
    cedar = together.nodes["cedar"]
    link = cedar.vault.open_link("urn:mrn:cedar", "7")
    made = submit_claims(cedar, SubmitClaims(link=link.hex(), payer="harbor", file=file_of(claim(*lines, **changes))))
    together.abreast()
    return bytes.fromhex(made.cases[0])


REQUEST = DecideClaims(plan=JSON(PLAN), rates=JSON([RATES]), members=JSON(MEMBERS))


def lines(together: Together, member: str) -> list[tuple[str, str, str, bool]]:
    together.abreast()
    told = list_cases(together.nodes[member], ListCases()).cases
    return [(one.side, one.status, one.differs, one.remitted) for one in told]


def test_a_claim_is_submitted_decided_recomputed_and_remitted(together: Together) -> None:
    case = submitted(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    assert lines(together, "harbor") == [("payer", "submitted", "", False)]
    assert [one.claim for one in list_cases(harbor, ListCases()).cases] == ["A1"]

    done = decide_claims(harbor, REQUEST)

    assert (done.decided, done.refused, done.waiting, done.remitted) == (1, 0, 0, 1)
    explained = harbor.index.chart([dossiers.dossier_of(harbor, case).link]).lines
    assert sorted(one.type for one in explained) == ["Coverage", "ExplanationOfBenefit"]
    assert lines(together, "cedar") == [("provider", "remitted", "", True)]
    kept = dossiers.dossier_of(cedar, case)
    assert b"CLP*" in cedar.desk.claim_state(f"835/{kept.last.remittance}")
    decision = msgspec.msgpack.decode(kept.last.decided.decision, type=Decision) if kept.last.decided else None
    assert decision is not None
    assert done.cents == decision.paid
    link = harbor.vault.open_link("urn:payer:HARBOR1", person_of(decision.claim))
    found = {harbor.vault.open(one.number).content.type: one for one in harbor.vault.of_link(link)}
    assert set(found) == {"Coverage", "ExplanationOfBenefit"}
    eob = found["ExplanationOfBenefit"]
    assert harbor.vault.is_anchored(eob.number)
    told = [one.disclosure for one in harbor.vault.lines(Side.CUSTODIAN, link)]
    assert [(one.member, one.what) for one in told] == [("cedar", ("Decision 1",)), ("cedar", ("Remittance 1",))]
    assert all(any(one.answer) for one in told)
    again = decide_claims(harbor, REQUEST)
    assert (again.decided, again.remitted, again.cents) == (0, 0, 0)


def test_a_submission_is_in_the_patients_access_log_before_it_leaves(together: Together) -> None:
    together.transport.down.add("https://harbor.example")
    submitted(together)
    cedar = together.nodes["cedar"]
    (told,) = cedar.vault.lines(Side.CUSTODIAN, cedar.vault.open_link("urn:mrn:cedar", "7"))
    assert (told.disclosure.member, told.disclosure.purpose, told.disclosure.action) == ("harbor", "HPAYMT", "claim")
    assert told.anchoring is not None
    assert lines(together, "harbor") == []


def test_a_planted_wrong_price_is_named_by_its_step(together: Together) -> None:
    case = submitted(together, line(1, "S9129", 9000))
    harbor = together.nodes["harbor"]
    low = msgspec.structs.replace(
        RATES, rates=tuple(msgspec.structs.replace(one, amount=one.amount // 2) for one in RATES.rates)
    )
    decide_claims(harbor, msgspec.structs.replace(REQUEST, rates=JSON([low])))
    cedar = together.nodes["cedar"]
    ((_, kept, _),) = dossiers.kept_cases(cedar)
    assert kept.last.difference == ""  # the payer's documents agree with themselves
    told = recompute_decision(cedar, RecomputeDecision(case=case.hex(), rates=JSON([RATES])))
    assert told.step == "pricing"
    assert told.own > told.decided
    same = recompute_decision(cedar, RecomputeDecision(case=case.hex(), rates=JSON([low])))
    assert (same.step, same.own) == ("", same.decided)


def test_a_decision_other_than_the_one_committed_is_refused(together: Together) -> None:
    case = submitted(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    decide_claims(harbor, REQUEST)
    before = dossiers.dossier_of(cedar, case)
    last = before.last
    assert last.decided is not None
    facts = msgspec.msgpack.decode(last.decided.facts, type=Facts)
    (one,) = sound_claims([last.file], facts.received)
    other = msgspec.structs.replace(last.decided, decision=msgspec.msgpack.encode(decide(one, PLAN, None, facts)))
    forged = exchange.SentDecisions(1, dossiers.plan_of(cedar, last), (other,))
    with pytest.raises(Conflict, match=r"claims\.commitment"):
        exchange.take_decision(cedar, "harbor", sealed(harbor, "cedar", exchange.DECISION, forged))
    assert dossiers.dossier_of(cedar, case) == before


def sealed(node: MemberNode, receiver: str, kind: str, value: Value) -> bytes:
    return seal_envelope(
        encode(value),
        node.context(kind, bytes(16)),
        recipient=node.keys_of(receiver).receive_key,
        sign=node.signing_key,
    )


def test_a_claim_for_another_payer_or_of_other_bytes_is_not_taken(together: Together) -> None:
    case = submitted(together)
    cedar, other = together.nodes["cedar"], together.nodes["other"]
    kept = dossiers.dossier_of(cedar, case)
    claim_ = exchange.SentClaim(case, kept.salt, kept.last.key, kept.last.file)
    sent = exchange.SentClaims(1, (claim_,))
    with pytest.raises(Forbidden, match=r"claims\.address"):
        exchange.take_claim(other, "cedar", sealed(cedar, "other", exchange.CLAIM, sent))
    dearer = exchange.SentClaims(1, (msgspec.structs.replace(claim_, key=bytes(32), file=kept.last.file + b" "),))
    harbor = together.nodes["harbor"]
    with pytest.raises(Conflict, match=r"claims\.commitment"):
        exchange.take_claim(harbor, "cedar", sealed(cedar, "harbor", exchange.CLAIM, dearer))
    assert lines(together, "other") == []


def test_nothing_of_a_claim_is_in_the_ledger(together: Together) -> None:
    case = submitted(together)
    decide_claims(together.nodes["harbor"], REQUEST)
    anchor(together.nodes["cedar"])
    together.abreast()
    row = port.case(together.owner.ledger.read(), case)
    assert row is not None
    assert row.status is port.CaseStatus.REMITTED
    ledger = (Path(together.owner.config.data) / "ledger" / "data.mdb").read_bytes()
    # Three letters alone stand in a megabyte of signatures by chance, once in sixteen runs.
    for word in (b"*DOE*", b'"DOE"', CLINIC.identifier.encode(), b"99213", b"HARBOR1", b"20100505"):
        assert word not in ledger


def test_a_file_sent_again_after_the_ledger_went_away_is_committed_once(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    request = SubmitClaims(payer="harbor", file=file_of(claim(), claim(identifier="A2")))
    submit = cedar.submitter.submit

    def lost(message: Message, *, then: bool) -> Outcome:
        if then:
            submit(message)
        raise Unavailable("ledger.away", "the ledger does not answer")

    for then in (False, True):  # nothing was committed; everything was, and nobody heard of it
        with monkeypatch.context() as patch:
            patch.setattr(cedar.submitter, "submit", partial(lost, then=then))
            with pytest.raises(Unavailable, match=r"ledger\.away"):
                submit_claims(cedar, request)
        assert len(list(port.cases(cedar.ledger.read()))) == 2 * then
        assert dossiers.kept_cases(harbor) == []
    first = submit_claims(cedar, request)
    assert submit_claims(cedar, request) == first
    together.abreast()
    assert [case.hex() for case, _, _ in dossiers.kept_cases(cedar)] == list(first.cases)
    assert sorted(case for case, _, _ in dossiers.kept_cases(harbor)) == sorted(bytes.fromhex(x) for x in first.cases)
    assert len(list(port.cases(cedar.ledger.read()))) == 2
