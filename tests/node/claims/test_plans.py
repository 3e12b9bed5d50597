"""Plans published and compared, remittances posted: over one network, which all tests share."""

from collections.abc import Iterator

import msgspec
import pytest

from salus.core.encoding import encode
from salus.node.claims import (
    compare_plans,
    decide_claims,
    dossiers,
    explain_case,
    post_remittance,
    publish_plan,
    submit_claims,
)
from salus.node.claims.exchange import SentDecisions, read_decision, take_decision
from salus.node.claims.listing import ExplainCase
from salus.node.claims.plans import ComparePlans, PublishPlan
from salus.node.claims.posting import PostRemittance
from salus.node.claims.submitting import SubmitClaims
from salus.node.claims.versions import PublishedPlan, published
from salus.node.errors import Conflict, Malformed
from salus.node.exchange.documents import seal_document
from salus.node.together import Together
from tests.agreements.claims.cases import JANE, PLAN, RATES, claim, file_of, line
from tests.node.claims.two import JSON, REQUEST, found_two


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    found = found_two(tmp_path_factory.mktemp("plans"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def cases(together: Together) -> tuple[str, ...]:
    """A published plan, and two claims decided under it."""
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    publish_plan(harbor, PublishPlan(plan=REQUEST.plan))
    file = file_of(claim(), claim(line(1, "S9129", 9000), identifier="A2"))
    made = submit_claims(cedar, SubmitClaims(payer="harbor", file=file)).cases
    together.abreast()
    decide_claims(harbor, REQUEST)
    together.abreast()
    return made


def test_a_published_plan_is_proven_to_the_provider_and_tells_nothing(
    together: Together, cases: tuple[str, ...]
) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    first = publish_plan(harbor, PublishPlan(plan=REQUEST.plan))
    assert (first.since, first.until) == (PLAN.since, PLAN.until)
    known = published(cedar, REQUEST.plan)
    assert known is not None
    assert (known.tx_id.hex(), known.height) == (first.transaction, first.height)
    assert explain_case(cedar, ExplainCase(case=cases[0])).published == "2025-03-10T12:00:00Z"
    outcome = harbor.ledger.outcome(known.tx_id)
    assert outcome is not None
    assert PLAN.name.encode() not in outcome.data


def test_a_plan_other_than_the_one_published_is_refused(together: Together, cases: tuple[str, ...]) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    last = dossiers.dossier_of(cedar, bytes.fromhex(cases[0])).last
    known = published(harbor, REQUEST.plan)
    assert last.decided is not None
    assert known is not None
    for lie in (
        msgspec.structs.replace(known, salt=bytes(32)),
        PublishedPlan(known.salt, known.tx_id, known.height - 1),
    ):
        sent = SentDecisions(known.height, REQUEST.plan, (), lie)
        with pytest.raises(Conflict, match=r"claims\.version"):
            take_decision(cedar, "harbor", seal_document(harbor, "cedar", "claim-decision", sent))
    assert published(cedar, REQUEST.plan) == known
    assert encode(known)


def test_a_new_version_is_compared_on_the_claims_that_were_decided(together: Together, cases: tuple[str, ...]) -> None:
    assert len(cases) == 2
    dearer = msgspec.structs.replace(PLAN.benefits[2], coinsurance=3000)
    new = msgspec.structs.replace(PLAN, version="2025.2", benefits=(*PLAN.benefits[:2], dearer, *PLAN.benefits[3:]))
    harbor = together.nodes["harbor"]
    told = compare_plans(harbor, ComparePlans(plan=JSON(new)))
    assert (told.replayed, told.cents) == (2, -800)
    assert [(one.paid, one.lines) for one in told.changes] == [((6400, 5600), (1,))]
    assert compare_plans(harbor, ComparePlans(plan=REQUEST.plan)).changes == ()
    other = msgspec.structs.replace(PLAN, payer="OTHER1")
    assert compare_plans(harbor, ComparePlans(plan=JSON(other))).replayed == 0


def test_a_remittance_is_posted_to_the_claims_that_were_sent(together: Together, cases: tuple[str, ...]) -> None:
    assert len(cases) == 2
    cedar = together.nodes["cedar"]
    told = post_remittance(cedar, PostRemittance(rates=JSON([RATES])))
    assert (told.sound, told.unmatched, told.missing) == (True, (), 0)
    assert {(one.claim, one.paid, one.patient, one.written_off, one.open) for one in told.posted} == {
        ("A1", 0, 10000, 5000, 0),
        ("A2", 6400, 1600, 1000, 0),
    }
    others = file_of(claim(identifier="A2"))
    by_file = post_remittance(cedar, PostRemittance(claims=others))
    assert not by_file.sound
    assert len(by_file.unmatched) == 2
    for bad in (PostRemittance(file=b"no"), PostRemittance(claims=b"no")):
        with pytest.raises(Malformed, match=r"claims\.unreadable"):
            post_remittance(cedar, bad)


def test_a_run_reads_what_is_open_and_the_families_that_it_is_of(together: Together, cases: tuple[str, ...]) -> None:
    cedar, harbor = together.nodes["cedar"], together.nodes["harbor"]
    assert harbor.desk.open_claims() == []
    stranger = msgspec.structs.replace(JANE, member="M9")
    again = claim(identifier="A9")  # what A1 has billed, in a run of its own
    other = claim(line(1, "S9129", 9000), identifier="B9", subscriber=stranger, patient=stranger)
    made = submit_claims(cedar, SubmitClaims(payer="harbor", file=file_of(again, other))).cases
    together.abreast()
    assert len(harbor.desk.open_claims()) == 2
    decide_claims(harbor, REQUEST)
    together.abreast()
    found = {
        decision.claim.identifier: {reason.code for part in decision.lines for reason in part.reasons}
        for case in made
        if (sent := dossiers.dossier_of(harbor, bytes.fromhex(case)).last.decided) is not None
        and (decision := read_decision(sent))
    }
    assert "18" in found["A9"]  # an exact duplicate of another run's claim
    assert found["B9"] == {"31"}
    families = [dossiers.family_of(number) for number in ("M1", "M9")]
    assert [len(dossiers.cases_of(harbor, [one])) for one in families] == [len(cases) + 1, 1]
    assert harbor.desk.open_claims() == []
    assert decide_claims(harbor, REQUEST).decided == 0
