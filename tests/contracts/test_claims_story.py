"""How a claim goes through the ledger, who may take which step, and what each attack meets."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from salus.contracts.claims.port import (
    CASES,
    MAX_CASES,
    TRANSITIONS,
    Accept,
    AdvancePlanYear,
    Appeal,
    Ask,
    Case,
    CaseStatus,
    Clock,
    Cross,
    Crossing,
    Decide,
    Decided,
    Inform,
    Kind,
    Opening,
    OpenPlanYear,
    Refuse,
    Remit,
    Reopen,
    Statement,
    Submission,
    Submit,
    Withdraw,
    appeal_key_digest,
    case,
    cases,
    overdue,
    payer_digest,
    plan_year,
)
from salus.contracts.claims.port import ClaimsReason as Reason
from salus.contracts.membership.port import Role
from salus.core.encoding import encode
from salus.core.errors import InvariantBroken
from salus.core.tables import MemoryReader, Overlay, View
from salus.core.transaction import MAX_WIRE_BYTES

from .ledger import DAY, Ledger, candidate, public
from .test_machine import LedgerMachine

CASE, SALT = bytes(range(16)), b"s" * 16
ONE, TWO, NEXT = b"\1" * 32, b"\2" * 32, b"\3" * 32
CLINIC, PAYER, OTHER = "clinic-a", "payer-b", "payer-c"
MEMBERS = (candidate(CLINIC), candidate(PAYER, roles=(Role.PAYER,)), candidate(OTHER, roles=(Role.PAYER,)))


def submission(id_=CASE, payer=PAYER):
    return Submission(id_, payer_digest(SALT, id_, payer), ONE)


def decided(key="appeal-1"):
    return Decide((Decided(CASE, TWO, appeal_key_digest(public(key))),))


SUBMIT = Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, (submission(),))
OPENING = (Opening(CASE, SALT),)
SAYS = (Statement(CASE, NEXT),)
CROSS = Cross(Clock.DAYS_3, Clock.DAYS_30, (Crossing(CASE, CLINIC, payer_digest(SALT, CASE, PAYER), ONE),))
STEPS = {
    "submit": (SUBMIT, CLINIC, ""),
    "cross": (CROSS, OTHER, ""),
    "accept": (Accept(OPENING), PAYER, ""),
    "refuse": (Refuse(OPENING), PAYER, ""),
    "ask": (Ask(Clock.DAYS_45, (CASE,)), PAYER, ""),
    "inform": (Inform(SAYS), CLINIC, ""),
    "withdraw": (Withdraw((CASE,)), CLINIC, ""),
    "decide": (decided(), PAYER, ""),
    "remit": (Remit((CASE,)), PAYER, ""),
    "reopen": (Reopen(SAYS), CLINIC, ""),
    "appeal": (Appeal(CASE, NEXT), OTHER, "appeal-1"),
}
WAYS = {
    None: [],
    CaseStatus.SUBMITTED: ["submit"],
    CaseStatus.ACCEPTED: ["submit", "accept"],
    CaseStatus.REFUSED: ["submit", "refuse"],
    CaseStatus.WAITING: ["submit", "accept", "ask"],
    CaseStatus.DECIDED: ["submit", "accept", "decide"],
    CaseStatus.REMITTED: ["submit", "accept", "decide", "remit"],
    CaseStatus.WITHDRAWN: ["submit", "withdraw"],
    CaseStatus.REOPENED: ["submit", "accept", "decide", "reopen"],
}


@pytest.fixture
def ledger():
    return founded()


def founded():
    return Ledger.founded(members=MEMBERS)


def go(ledger, *steps):
    for step in steps:
        if step == "decide" and (row := case(ledger.state, CASE)) and row.status is CaseStatus.WAITING:
            ledger.pass_time(45 * DAY)
        ledger.send(*STEPS[step])


@pytest.mark.parametrize(("status", "step"), list(itertools.product(WAYS, STEPS)))
def test_a_case_steps_as_its_table_says(ledger, status, step):
    go(ledger, *WAYS[status])
    after = TRANSITIONS.get((status, step))
    if after is not None:
        go(ledger, step)
        assert case(ledger.state, CASE).status is after
        return
    reason = ledger.refuse(*STEPS[step])
    if step in {"submit", "cross"}:
        assert reason is Reason.CASE_EXISTS
    elif status is None:
        assert reason is Reason.NO_SUCH_CASE
    else:
        assert reason in {Reason.WRONG_STATUS, Reason.NOT_PARTY}
        unaddressed = status in {CaseStatus.SUBMITTED, CaseStatus.WITHDRAWN}
        assert (reason is Reason.NOT_PARTY) is (unaddressed and step in {"ask", "decide", "remit"})


def test_the_ways_lead_to_every_status():
    assert set(WAYS) == {None, *CaseStatus}
    assert {step for _, step in TRANSITIONS} == set(STEPS)


def test_a_claim_is_submitted_decided_and_remitted_in_time(ledger):
    data = ledger.send(*STEPS["submit"])
    row = case(ledger.state, CASE)
    assert data[32:] == (1).to_bytes(2, "big") + b"\1" + row.due.to_bytes(8, "big") + CLINIC.encode()
    assert (row.payer, row.due, row.round) == ("", ledger.time + 3 * DAY, 1)
    go(ledger, "accept")
    accepted = case(ledger.state, CASE)
    assert (accepted.payer, accepted.due) == (PAYER, ledger.time + 30 * DAY)
    go(ledger, "decide")
    assert case(ledger.state, CASE).due == accepted.due
    assert case(ledger.state, CASE).decision == TWO
    go(ledger, "remit")
    assert case(ledger.state, CASE).due == 0
    assert not overdue(case(ledger.state, CASE), ledger.time + 1000 * DAY)
    assert [id_ for id_, _ in cases(ledger.state)] == [CASE]


def test_a_first_payer_hands_a_claim_on_and_its_provider_is_a_party(ledger):
    data = ledger.send(CROSS, OTHER)
    assert data[43:] == OTHER.encode()
    row = case(ledger.state, CASE)
    assert (row.provider, row.payer, row.due) == (CLINIC, "", ledger.time + 3 * DAY)
    assert ledger.refuse(Accept(OPENING), OTHER) is Reason.NOT_THE_PAYER
    assert ledger.refuse(*STEPS["cross"]) is Reason.CASE_EXISTS
    ledger.send(Withdraw((CASE,)), CLINIC)


def test_only_a_payer_hands_on_and_only_in_a_providers_name(ledger):
    assert ledger.refuse(CROSS, CLINIC) is Reason.NOT_PAYER
    for named in (OTHER, "stranger"):
        one = Crossing(CASE, named, payer_digest(SALT, CASE, PAYER), ONE)
        assert ledger.refuse(Cross(Clock.DAYS_3, Clock.DAYS_30, (one,)), OTHER) is Reason.NOT_PROVIDER
    twice = Cross(Clock.DAYS_3, Clock.DAYS_30, CROSS.cases * 2)
    assert ledger.refuse(twice, OTHER) is Reason.UNORDERED
    assert case(ledger.state, CASE) is None


def test_who_is_late_is_read_from_the_row(ledger):
    go(ledger, "submit")
    row = case(ledger.state, CASE)
    assert [overdue(row, row.due + late) for late in (0, 1)] == ["", "payer"]
    go(ledger, "accept", "ask")
    row = case(ledger.state, CASE)
    assert row.due == ledger.time + 45 * DAY
    assert overdue(row, row.due + 1) == "provider"
    go(ledger, "inform")
    assert case(ledger.state, CASE).due == ledger.time + 30 * DAY
    assert case(ledger.state, CASE).submission == NEXT


def test_nothing_is_decided_for_lack_of_information_before_that_is_overdue(ledger):
    go(ledger, "submit", "accept", "ask")
    assert ledger.refuse(*STEPS["decide"]) is Reason.TOO_EARLY
    go(ledger, "decide")
    assert case(ledger.state, CASE).status is CaseStatus.DECIDED


def test_an_authorisation_is_decided_and_never_remitted(ledger):
    ask = Submit(Kind.AUTHORISATION, Clock.DAYS_3, Clock.DAYS_7, (submission(),))
    ledger.send(ask, CLINIC)
    go(ledger, "accept", "decide")
    assert case(ledger.state, CASE).due == 0
    assert ledger.refuse(*STEPS["remit"]) is Reason.WRONG_STATUS
    assert ledger.refuse(*STEPS["reopen"]) is Reason.WRONG_STATUS
    assert ledger.refuse(STEPS["reopen"][0], PAYER) is Reason.WRONG_STATUS


def test_a_payer_cannot_swallow_an_appeal_and_a_used_key_is_spent(ledger):
    go(ledger, "submit", "accept", "decide", "remit")
    assert ledger.refuse(Appeal(CASE, NEXT), OTHER, "stranger") is Reason.NOT_APPEAL_KEY
    go(ledger, "appeal")
    row = case(ledger.state, CASE)
    assert (row.status, row.round, row.submission, row.appeal_key) == (CaseStatus.REOPENED, 2, NEXT, b"")
    assert row.due == ledger.time + 30 * DAY
    ledger.send(decided("appeal-2"), PAYER)
    assert ledger.refuse(*STEPS["appeal"]) is Reason.NOT_APPEAL_KEY
    ledger.send(Appeal(CASE, NEXT), CLINIC, "appeal-2")


def test_only_the_payer_addressed_takes_a_claim(ledger):
    go(ledger, "submit")
    assert ledger.refuse(Accept(OPENING), OTHER) is Reason.NOT_THE_PAYER
    assert ledger.refuse(Refuse(OPENING), OTHER) is Reason.NOT_THE_PAYER
    assert ledger.refuse(Accept((Opening(CASE, bytes(16)),)), PAYER) is Reason.NOT_THE_PAYER
    assert ledger.refuse(Accept(OPENING), CLINIC) is Reason.NOT_PAYER
    go(ledger, "accept")
    for step in ("ask", "decide", "remit"):
        assert ledger.refuse(STEPS[step][0], OTHER) is Reason.NOT_PARTY
    for step in ("withdraw", "reopen"):
        assert ledger.refuse(STEPS[step][0], OTHER) is Reason.NOT_PARTY
    assert ledger.refuse(SUBMIT, PAYER) is Reason.NOT_PROVIDER


def test_a_thousand_cases_under_one_signature_are_carried_out_or_none(ledger):
    ids = [number.to_bytes(16, "big") for number in range(MAX_CASES)]
    message = Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, tuple(submission(id_) for id_ in ids))
    wire = ledger.wire(message, CLINIC)
    assert len(wire) < MAX_WIRE_BYTES
    (result,) = ledger.block(wire)
    assert result.code == 0
    assert len(list(cases(ledger.state))) == MAX_CASES
    openings = tuple(Opening(id_, SALT if id_ != ids[-1] else bytes(16)) for id_ in ids)
    assert ledger.refuse(Accept(openings), PAYER) is Reason.NOT_THE_PAYER
    ledger.send(Accept(tuple(Opening(id_, SALT) for id_ in ids)), PAYER)
    assert {row.status for _, row in cases(ledger.state)} == {CaseStatus.ACCEPTED}


def test_one_case_stands_once_in_a_message(ledger):
    twice = Submit(Kind.CLAIM, Clock.DAYS_3, Clock.DAYS_30, (submission(), submission()))
    assert ledger.refuse(twice, CLINIC) is Reason.UNORDERED
    go(ledger, "submit")
    assert ledger.refuse(Withdraw((CASE, CASE)), CLINIC) is Reason.UNORDERED
    assert ledger.refuse(Accept(OPENING * 2), PAYER) is Reason.UNORDERED


def test_a_case_never_takes_more_than_256_bytes_of_state():
    """Key and row, with the longest names and the largest numbers that the rules let in, after many rounds."""
    most = (1 << 53) - 1
    digests = (bytes(32), bytes(32), bytes(32))
    clock = (Clock.DAYS_90, most, most)
    row = Case(Kind.AUTHORISATION, "c" * 32, "p" * 32, bytes(32), CaseStatus.REOPENED, 1 << 31, *digests, *clock)
    assert len(CASES.state_key(CASE)) + len(encode(row)) <= 256


def test_a_keeper_advances_its_year_root_by_root(ledger):
    data = ledger.send(OpenPlanYear(CASE, ONE), PAYER)
    assert data == CASE + (1).to_bytes(8, "big") + bytes(32) + ONE + PAYER.encode()
    ledger.send(AdvancePlanYear(CASE, ONE, TWO), PAYER)
    row = plan_year(ledger.state, CASE)
    assert (row.keeper, row.number, row.root) == (PAYER, 2, TWO)
    assert ledger.refuse(AdvancePlanYear(CASE, ONE, NEXT), PAYER) is Reason.OTHER_ROOT
    assert ledger.refuse(AdvancePlanYear(CASE, TWO, NEXT), OTHER) is Reason.NOT_KEEPER
    assert ledger.refuse(OpenPlanYear(CASE, ONE), OTHER) is Reason.YEAR_EXISTS
    assert ledger.refuse(OpenPlanYear(b"n" * 16, ONE), CLINIC) is Reason.NOT_PAYER
    assert ledger.refuse(AdvancePlanYear(b"n" * 16, ONE, TWO), PAYER) is Reason.NO_SUCH_YEAR


def test_a_row_that_changes_its_parties_stops_the_node(ledger):
    go(ledger, "submit", "accept")
    row = case(ledger.state, CASE)
    for change in ({"payer": OTHER}, {"provider": OTHER}, {"status": CaseStatus.DECIDED}):
        overlay = Overlay(View(MemoryReader(ledger.rows)))
        fields = {name: getattr(row, name) for name in row.__struct_fields__}
        overlay.put(CASES, CASE, type(row)(**(fields | {"status": CaseStatus.WAITING} | change)))
        with pytest.raises(InvariantBroken):
            overlay.verify()


class Claims(LedgerMachine):
    """One case against a model that knows only the table and whose turn it is."""

    def __init__(self):
        super().__init__()
        self.ledger = founded()
        self.keys_seen = set(self.ledger.rows)
        self.status, self.payer, self.key, self.round, self.due, self.made = None, "", "", 0, 0, 0

    def turn(self, step):
        owner = {CLINIC} if step in {"submit", "inform", "withdraw"} else {PAYER}
        if step == "cross":
            return {PAYER, OTHER}
        return owner | ({CLINIC} if step == "reopen" else set())

    @rule(step=st.sampled_from(sorted(STEPS)), by=st.sampled_from((CLINIC, PAYER, OTHER)), old=st.booleans())
    def step(self, step, by, old):
        message, _, author = STEPS[step]
        time = self.ledger.time + 1000
        after = TRANSITIONS.get((self.status, step))
        expected = after is not None and (by in self.turn(step) or step == "appeal")
        if step == "decide":
            message = decided(f"appeal-{self.made}")
            expected = expected and (self.status is not CaseStatus.WAITING or time > self.due)
        if step == "reopen":
            expected = expected and by in {CLINIC, self.payer}
        if step == "appeal":
            author = "never" if old else self.key or "never"
            expected = expected and author == self.key
        assert self.applied(message, by, author) is expected
        if expected:
            self.take(step, after)

    def take(self, step, after):
        self.status, time = after, self.ledger.time
        days = {"submit": 3, "cross": 3, "accept": 30, "ask": 45, "inform": 30, "reopen": 30, "appeal": 30}
        if step in {"submit", "cross", "reopen", "appeal"}:
            self.round, self.key = self.round + 1, ""
        if step in {"accept", "refuse"}:
            self.payer = PAYER
        if step == "decide":
            self.key, self.made = f"appeal-{self.made}", self.made + 1
        elif step in days:
            self.due = time + days[step] * DAY
        else:
            self.due = 0

    @invariant()
    def the_ledger_tells_what_the_model_tells(self):
        row = case(self.ledger.state, CASE)
        assert (row is None) is (self.status is None)
        if row is not None:
            assert (row.status, row.payer, row.round, row.due) == (self.status, self.payer, self.round, self.due)
            assert row.appeal_key == (appeal_key_digest(public(self.key)) if self.key else b"")


TestClaims = Claims.TestCase
TestClaims.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
