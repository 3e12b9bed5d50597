"""Research on the ledger, as a story and as attacks; a model goes through random lives in test_research_machine.py."""

import pytest

from salus.contracts.membership.port import Parameters, Role
from salus.contracts.research.port import (
    MAX_ATTEMPTS,
    MAX_WITHHELD,
    PART,
    PERMIT,
    Answer,
    Apply,
    Attest,
    Basis,
    Begin,
    Fail,
    Offer,
    PartStatus,
    PermitStatus,
    Policy,
    Pool,
    Publish,
    Purpose,
    Refuse,
    Register,
    Release,
    ResearchReason,
    Retry,
    Sign,
    Way,
    Withhold,
    charge,
    data_set,
    permit,
    permit_part,
    pool,
    query,
    query_part,
)
from salus.contracts.research.state import POOLS, pool_key
from salus.core.errors import InvariantBroken
from salus.core.tables import Overlay

from .ledger import AGREEMENT, DAY, START, Ledger, candidate

POOL, PERIOD = 10_000_000, 90 * DAY  # as the parameters stand
A, B = bytes([1]) * 16, bytes([2]) * 16
PERMIT_ID, QUERY = bytes([9]) * 16, bytes([7]) * 16
ROOT, ANSWER = bytes([3]) * 32, bytes([4]) * 32
BOTH = (Way.EXACT, Way.NOISY)
STUDY = Purpose((37,), non_profit=True, commercial=False)
ENDS = START + 365 * DAY
NOISY = (Way.NOISY, 1, 50)  # 10,000 micro-ρ


def founded():
    roles = {"company": Role.RESEARCHER, "university": Role.RESEARCHER}
    names = ("body", "company", "hospital-a", "hospital-b", "university")
    members = tuple(candidate(name, roles=(roles.get(name, Role.PROVIDER),)) for name in names)
    return Ledger.founded(members=members)


@pytest.fixture
def ledger():
    return founded()


def offer(id_=A, policy=None, **changes):
    fields = {"ways": BOTH, "smallest": 10, "permit_rho": 1_000_000, "co_signers": ()} | changes
    return Offer(id_, bytes(32), policy or Policy(6, (46,)), Basis.CONSENT, **fields)


def agreed(ledger, *, rho=1_000_000, ways=BOTH, records=False):
    ledger.send(offer(A, permit_rho=rho, ways=ways))
    ledger.send(offer(B, permit_rho=rho, ways=ways, co_signers=("body",)), "hospital-b")
    ledger.send(Apply(PERMIT_ID, (A, B), STUDY, "A study.", ENDS, records=records), "university")
    ledger.send(Sign(PERMIT_ID, A))
    ledger.send(Sign(PERMIT_ID, B), "hospital-b")
    ledger.send(Sign(PERMIT_ID, B), "body")
    return ledger


def register(id_=QUERY, data_sets=(A, B), noise=NOISY):
    return Register(id_, PERMIT_ID, data_sets, bytes(32), *noise)


def test_a_question_from_offer_to_publication(ledger):
    agreed(ledger)
    assert permit(ledger.state, PERMIT_ID).applicant == "university"
    assert permit_part(ledger.state, PERMIT_ID, B).signed == ("body", "hospital-b")
    ledger.send(register(), "university")
    assert query(ledger.state, QUERY).charge == 10_000
    assert pool(ledger.state, "hospital-a", ledger.time) == Pool(POOL, POOL - 10_000, 10_000, 0)
    ledger.send(Begin(QUERY, A, ROOT))
    assert pool(ledger.state, "hospital-a", ledger.time) == Pool(POOL, POOL - 10_000, 0, 10_000)
    ledger.send(Answer(QUERY, A, ANSWER))
    assert data_set(ledger.state, A).uses == 1
    assert ledger.refuse(Publish(QUERY, ROOT), "university") is ResearchReason.WRONG_STATUS
    ledger.send(Withhold(QUERY, B), "hospital-b")
    assert pool(ledger.state, "hospital-b", ledger.time) == Pool(POOL, POOL, 0, 0)
    ledger.send(Publish(QUERY, ROOT), "university")
    assert query(ledger.state, QUERY).result == ROOT
    assert query_part(ledger.state, QUERY, A).answer == ANSWER
    assert ledger.refuse(Publish(QUERY, ROOT), "university") is ResearchReason.WRONG_STATUS


def test_a_misfit_is_refused_by_its_class(ledger):
    ledger.send(offer())
    commercial = Apply(PERMIT_ID, (A,), Purpose((37,), commercial=True), "A product.", ENDS)
    assert ledger.refuse(commercial, "company") is ResearchReason.DOES_NOT_FIT
    assert permit(ledger.state, PERMIT_ID) is None


def test_the_charge_is_never_rounded_down():
    assert [charge(1, 2500), charge(1, 3), charge(4, 1), charge(1, 10**12)] == [200, 166_667, 2_000_000, 1]


def test_a_spent_budget_is_refused_whoever_asks_under_whatever_name(ledger):
    ledger.send(offer(A, permit_rho=POOL))
    ledger.send(offer(B, permit_rho=POOL))  # a second data set of the same custodian
    for name, id_, asked in (("university", PERMIT_ID, A), ("company", bytes([8]) * 16, B)):
        ledger.send(Apply(id_, (asked,), STUDY, "A study.", ENDS), name)
        ledger.send(Sign(id_, asked))
    ledger.send(Register(QUERY, PERMIT_ID, (A,), bytes(32), Way.NOISY, 20, 1), "university")
    ledger.send(Begin(QUERY, A, ROOT))
    renamed = Register(bytes(16), bytes([8]) * 16, (B,), bytes(32), Way.NOISY, 1, 500_000)
    assert ledger.refuse(renamed, "company") is ResearchReason.POOL_SPENT
    ledger.pass_time(PERIOD)
    assert pool(ledger.state, "hospital-a", ledger.time).free == POOL
    assert ledger.send(renamed, "company")


def test_two_questions_of_one_block_cannot_share_the_last_of_it(ledger):
    agreed(ledger, rho=15_000)
    first, second = (ledger.wire(register(id_), "university") for id_ in (QUERY, bytes(16)))
    results = ledger.block(first, second)
    assert [result.code for result in results] == [0, ResearchReason.PERMIT_SPENT.code]
    assert pool(ledger.state, "hospital-b", ledger.time).reserved == 10_000


def test_a_charge_is_reserved_everywhere_or_nowhere(ledger):
    agreed(ledger)
    ledger.send(register(bytes(16), (B,), (Way.NOISY, 199, 100)), "university")
    assert ledger.refuse(register(), "university") is ResearchReason.PERMIT_SPENT
    assert pool(ledger.state, "hospital-a", ledger.time).free == POOL


def test_the_fifth_withheld_question_suspends(ledger):
    agreed(ledger)
    for serial in range(MAX_WITHHELD + 1):
        ledger.send(register(bytes([serial]) * 16, (A,), (Way.EXACT, 0, 0)), "university")
        if serial == MAX_WITHHELD - 1:
            ledger.send(register(bytes([99]) * 16, (A,)), "university")
        if serial < MAX_WITHHELD:
            ledger.send(Begin(bytes([serial]) * 16, A, ROOT))
        if serial == MAX_WITHHELD - 1:
            break
        ledger.send(Withhold(bytes([serial]) * 16, A))
    ledger.send(Withhold(bytes([4]) * 16, A))
    part = permit_part(ledger.state, PERMIT_ID, A)
    assert (part.status, part.withheld) == (PermitStatus.SUSPENDED, MAX_WITHHELD)
    assert ledger.refuse(register(bytes([50]) * 16, (A,)), "university") is ResearchReason.WRONG_STATUS
    assert ledger.refuse(Begin(bytes([99]) * 16, A, ROOT)) is ResearchReason.WRONG_STATUS
    ledger.send(Withhold(bytes([99]) * 16, A))  # what waits there still ends, and its charge returns
    assert pool(ledger.state, "hospital-a", ledger.time) == Pool(POOL, POOL, 0, 0)
    ledger.send(Refuse(PERMIT_ID, A))


def test_an_exact_question_goes_on_without_who_dropped_out(ledger):
    agreed(ledger)
    for serial in range(MAX_ATTEMPTS + 1):
        ledger.send(offer(bytes([20 + serial]) * 16))
    sets = tuple(bytes([20 + serial]) * 16 for serial in range(MAX_ATTEMPTS + 1))
    other = bytes([8]) * 16
    ledger.send(Apply(other, sets, STUDY, "A study.", ENDS), "university")
    for each in sets:
        ledger.send(Sign(other, each))
    ledger.send(Register(QUERY, other, sets, bytes(32), Way.EXACT), "university")
    for each in sets:
        ledger.send(Begin(QUERY, each, ROOT))
    for serial in range(1, MAX_ATTEMPTS):
        ledger.send(Retry(QUERY, (sets[serial],)), "university")
        assert query(ledger.state, QUERY).attempt == serial + 1
        assert query_part(ledger.state, QUERY, sets[serial]).status is PartStatus.FAILED
        assert ledger.refuse(Answer(QUERY, sets[serial], ANSWER)) is ResearchReason.WRONG_STATUS
    assert ledger.refuse(Retry(QUERY, (sets[0],)), "university") is ResearchReason.WRONG_STATUS
    noisy = bytes([6]) * 16
    ledger.send(register(noisy), "university")
    ledger.send(Begin(noisy, A, ROOT))
    assert ledger.refuse(Retry(noisy, (A,)), "university") is ResearchReason.WRONG_STATUS


def test_what_was_begun_is_never_returned(ledger):
    agreed(ledger)
    ledger.send(register(), "university")
    ledger.send(Begin(QUERY, A, ROOT))
    ledger.pass_time(8 * DAY)
    assert ledger.refuse(Release(QUERY, A), "university") is ResearchReason.WRONG_STATUS
    assert ledger.refuse(Begin(QUERY, B, ROOT), "hospital-b") is ResearchReason.TOO_LATE
    ledger.send(Release(QUERY, B), "company")
    assert pool(ledger.state, "hospital-b", ledger.time).free == POOL
    ledger.send(Fail(QUERY, A))
    assert pool(ledger.state, "hospital-a", ledger.time).spent == 10_000
    assert ledger.refuse(Publish(QUERY, ROOT), "university") is ResearchReason.WRONG_STATUS


def test_a_permit_that_was_ended_returns_what_waits(ledger):
    agreed(ledger)
    ledger.send(register(), "university")
    ledger.send(Refuse(PERMIT_ID, B), "body")
    ledger.pass_time(8 * DAY)
    ledger.send(Release(QUERY, B), "university")
    assert pool(ledger.state, "hospital-b", ledger.time).free == POOL


def test_a_custodian_answers_only_what_was_begun(ledger):
    agreed(ledger)
    assert ledger.refuse(Begin(QUERY, A, ROOT)) is ResearchReason.NO_SUCH_QUERY
    ledger.send(register(), "university")
    assert ledger.refuse(Answer(QUERY, A, ANSWER)) is ResearchReason.WRONG_STATUS
    assert ledger.refuse(Begin(QUERY, A, ROOT), "hospital-b") is ResearchReason.NOT_ENTITLED


EXTRACT = (Way.EXTRACT, 0, 0)


def test_an_extract_needs_the_word_of_offer_and_permit(ledger):
    agreed(ledger, ways=(Way.EXTRACT, Way.NOISY))
    assert ledger.refuse(register(noise=EXTRACT), "university") is ResearchReason.NOT_OFFERED
    other = founded()
    agreed(other, records=True)
    assert other.refuse(register(noise=EXTRACT), "university") is ResearchReason.NOT_OFFERED
    both = founded()
    agreed(both, ways=(Way.EXTRACT,), records=True)
    assert permit(both.state, PERMIT_ID).records
    assert both.refuse(register(noise=(Way.EXTRACT, 1, 50)), "university") is ResearchReason.WRONG_NOISE
    both.send(register(noise=EXTRACT), "university")
    assert query(both.state, QUERY).charge == 0


def test_an_extract_is_attested_deleted_by_who_has_it_and_once(ledger):
    agreed(ledger, ways=(Way.EXTRACT, Way.NOISY), records=True)
    ledger.send(register(noise=EXTRACT), "university")
    ledger.send(Begin(QUERY, A, ROOT))
    assert ledger.refuse(Attest(QUERY, A), "university") is ResearchReason.WRONG_STATUS
    ledger.send(Answer(QUERY, A, ANSWER))
    assert ledger.refuse(Attest(QUERY, A)) is ResearchReason.NOT_ENTITLED
    ledger.send(Attest(QUERY, A), "university")
    assert query_part(ledger.state, QUERY, A).status is PartStatus.DELETED
    assert ledger.refuse(Attest(QUERY, A), "university") is ResearchReason.WRONG_STATUS
    noisy = bytes([6]) * 16
    ledger.send(register(noisy), "university")
    ledger.send(Begin(noisy, A, ROOT))
    ledger.send(Answer(noisy, A, ANSWER))
    assert ledger.refuse(Attest(noisy, A), "university") is ResearchReason.WRONG_STATUS


def test_a_pool_that_does_not_add_up_breaks_the_invariant(ledger):
    for wrong in (Pool(POOL, POOL, 1, 0), Pool(POOL, POOL - 1, 0, 0)):
        overlay = Overlay(ledger.state)
        overlay.put(POOLS, pool_key("hospital-a", 1), wrong)
        with pytest.raises(InvariantBroken):
            overlay.verify()


def test_every_state_is_reached_and_left_by_the_tables():
    assert set(PERMIT.values()) == set(PermitStatus)
    assert set(PART.values()) == set(PartStatus)
    ends = set(PartStatus) - {start for (start, _), end in PART.items() if end is not start}
    assert ends == {PartStatus.WITHHELD, PartStatus.FAILED, PartStatus.RELEASED, PartStatus.DELETED}


@pytest.mark.parametrize(("step", "status"), [(Withhold, PartStatus.WITHHELD), (Fail, PartStatus.FAILED)])
def test_a_run_goes_on_without_who_withheld_or_failed(ledger, step, status):
    agreed(ledger)
    ledger.send(register(noise=(Way.EXACT, 0, 0)), "university")
    ledger.send(Begin(QUERY, A, ROOT))
    ledger.send(step(QUERY, A))
    ledger.send(Retry(QUERY, (A,)), "university")
    assert query(ledger.state, QUERY).attempt == 2
    assert query_part(ledger.state, QUERY, A).status is status


def test_a_published_question_is_not_tried_again(ledger):
    """Written, it would change a row that stays: every node would stop on it."""
    agreed(ledger)
    ledger.send(Register(QUERY, PERMIT_ID, (A, B), bytes(32), Way.EXACT), "university")
    ledger.send(Begin(QUERY, A, ROOT))
    ledger.send(Answer(QUERY, A, ANSWER))
    ledger.send(Withhold(QUERY, B), "hospital-b")
    ledger.send(Publish(QUERY, bytes(32)), "university")
    assert ledger.refuse(Retry(QUERY, (B,)), "university") is ResearchReason.WRONG_STATUS
    assert query(ledger.state, QUERY).attempt == 1


def test_pool_and_period_are_the_networks_parameters():
    roles = {"university": Role.RESEARCHER}
    members = tuple(
        candidate(name, roles=(roles.get(name, Role.PROVIDER),))
        for name in ("body", "hospital-a", "hospital-b", "university")
    )
    small = Parameters(agreement=AGREEMENT, research_pool=15_000, research_period=30 * DAY)
    ledger = agreed(Ledger.founded(members=members, parameters=small))
    ledger.send(register(), "university")
    assert pool(ledger.state, "hospital-a", ledger.time) == Pool(15_000, 5_000, 10_000, 0)
    assert ledger.refuse(register(bytes(16)), "university") is ResearchReason.POOL_SPENT
    ledger.pass_time(30 * DAY)
    ledger.send(register(bytes(16)), "university")
    assert query(ledger.state, bytes(16)).period % (30 * DAY) == 0
    assert (query(ledger.state, QUERY).sensitivity, query(ledger.state, QUERY).variance) == (1, 50)
