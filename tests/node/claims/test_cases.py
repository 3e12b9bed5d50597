"""A provider and a payer as two members: from an 837 to an 835 that the provider has computed itself."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from salus.agreements.claims.alone import sound_claims
from salus.agreements.claims.decide import decide
from salus.agreements.claims.decision import Decision, Facts
from salus.agreements.claims.members import person_of
from salus.contracts.claims import port
from salus.contracts.membership.port import Role
from salus.core.encoding import Value, encode
from salus.interop.x12.claim import Line
from salus.node.anchoring import anchor
from salus.node.claims import decide_claims, exchange, list_cases, recompute_decision, submit_claim
from salus.node.claims.cases import DecideClaims, ListCases, RecomputeDecision, SubmitClaim
from salus.node.errors import Conflict, Forbidden, Malformed
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
    made = submit_claim(cedar, SubmitClaim(link=link.hex(), payer="harbor", file=file_of(claim(*lines, **changes))))
    together.settle()
    return bytes.fromhex(made.case)


REQUEST = DecideClaims(plan=JSON(PLAN), rates=JSON([RATES]), members=JSON(MEMBERS))


def lines(together: Together, member: str) -> list[tuple[str, str, str, bool]]:
    together.settle()
    told = list_cases(together.nodes[member], ListCases()).cases
    return [(one.side, one.status, one.differs, one.remitted) for one in told]


def test_a_claim_is_submitted_decided_recomputed_and_remitted(together: Together) -> None:
    case = submitted(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    assert lines(together, "harbor") == [("payer", "submitted", "", False)]

    done = decide_claims(harbor, REQUEST)

    assert (done.decided, done.refused, done.waiting, done.remitted) == (1, 0, 0, 1)
    assert lines(together, "cedar") == [("provider", "remitted", "", True)]
    kept = exchange.dossier_of(cedar, case)
    assert b"CLP*" in kept.remittance
    decision = msgspec.msgpack.decode(kept.decided.decision, type=Decision) if kept.decided else None
    assert decision is not None
    assert done.cents == decision.paid
    link = harbor.vault.open_link("urn:payer:HARBOR1", person_of(decision.claim))
    (eob,) = harbor.vault.of_link(link)
    assert harbor.vault.is_anchored(eob.number)
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
    ((_, kept, _),) = exchange.kept_cases(cedar)
    assert kept.difference == ""  # the payer's documents agree with themselves
    told = recompute_decision(cedar, RecomputeDecision(case=case.hex(), rates=JSON([RATES])))
    assert told.step == "pricing"
    assert told.own > told.decided
    same = recompute_decision(cedar, RecomputeDecision(case=case.hex(), rates=JSON([low])))
    assert (same.step, same.own) == ("", same.decided)


def test_a_decision_other_than_the_one_committed_is_refused(together: Together) -> None:
    case = submitted(together)
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    decide_claims(harbor, REQUEST)
    before = exchange.dossier_of(cedar, case)
    assert before.decided is not None
    facts = msgspec.msgpack.decode(before.decided.facts, type=Facts)
    (one,) = sound_claims([before.file], facts.received)
    forged = msgspec.structs.replace(before.decided, decision=msgspec.msgpack.encode(decide(one, PLAN, None, facts)))
    with pytest.raises(Conflict, match=r"claims\.commitment"):
        exchange.take_decision(cedar, "harbor", sealed(harbor, "cedar", exchange.DECISION, forged))
    assert exchange.dossier_of(cedar, case) == before


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
    kept = exchange.dossier_of(cedar, case)
    sent = exchange.SentClaim(case, kept.salt, kept.key, 1, kept.file)
    with pytest.raises(Forbidden, match=r"claims\.address"):
        exchange.take_claim(other, "cedar", sealed(cedar, "other", exchange.CLAIM, sent))
    dearer = msgspec.structs.replace(sent, file=kept.file + b" ")
    harbor = together.nodes["harbor"]
    with pytest.raises(Conflict, match=r"claims\.commitment"):
        exchange.take_claim(harbor, "cedar", sealed(cedar, "harbor", exchange.CLAIM, dearer))
    assert lines(together, "other") == []


def test_nothing_of_a_claim_is_in_the_ledger(together: Together) -> None:
    case = submitted(together)
    decide_claims(together.nodes["harbor"], REQUEST)
    anchor(together.nodes["cedar"])
    together.settle()
    row = port.case(together.owner.ledger.read(), case)
    assert row is not None
    assert row.status is port.CaseStatus.REMITTED
    ledger = (Path(together.owner.config.data) / "ledger" / "data.mdb").read_bytes()
    # Three letters alone stand in a megabyte of signatures by chance, once in sixteen runs.
    for word in (b"*DOE*", b'"DOE"', CLINIC.identifier.encode(), b"99213", b"HARBOR1", b"20100505"):
        assert word not in ledger


def test_a_replacement_is_not_sent_yet(together: Together) -> None:
    with pytest.raises(Malformed, match=r"claims\.original"):
        submitted(together, frequency="7", original="C00000001")
