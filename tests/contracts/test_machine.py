"""Each contract against a model of a few lines, through random lives."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from salus.contracts.consent.port import Grant, Revoke, grant_id, live, round_expiry
from salus.contracts.membership.port import (
    Admit,
    Propose,
    Reinstate,
    Remove,
    ReplaceKeys,
    RotateKeys,
    Suspend,
    Vote,
    active,
    cosigners,
    key_at,
    member,
    member_of_key,
)
from salus.contracts.records.port import (
    CancelErasure,
    ConfirmDeletion,
    ConfirmErasure,
    ErasureStatus,
    OpenErasure,
    Rank,
    RetainErasure,
    RetentionReason,
    erasure,
    overdue,
)
from salus.core.errors import Rejected

from .ledger import AGREEMENT, DAY, Ledger, candidate, possession, public, receive_key

WEEK = 7 * DAY
MEMBERS = ("hospital-a", "hospital-b", "insurer-c", "lab-d", "lab-e")
SHARES = {"admit": (2, 3), "suspend": (1, 2), "reinstate": (1, 2), "remove": (2, 3), "replace-keys": (1, 2)}


class LedgerMachine(RuleBasedStateMachine):
    """What every machine has: a ledger that never forgets, and the answer to one message."""

    founders = MEMBERS[:2]

    def __init__(self):
        super().__init__()
        self.ledger = Ledger.founded(*self.founders)
        self.keys_seen = set(self.ledger.rows)

    def applied(self, message, by, author=""):
        rows = dict(self.ledger.rows)
        try:
            self.ledger.send(message, by, author)
        except Rejected:
            assert self.ledger.rows == rows
            return False
        return True

    @rule(pause=st.sampled_from([DAY, 7 * DAY - 1000, 7 * DAY, 14 * DAY - 1000, 30 * DAY]))
    def time_passes(self, pause):
        before = self.ledger.chain.app_hash
        self.ledger.pass_time(pause)
        assert self.ledger.chain.app_hash == before

    @invariant()
    def no_row_is_deleted(self):
        assert self.keys_seen <= set(self.ledger.rows)
        self.keys_seen = set(self.ledger.rows)


class Consent(LedgerMachine):
    keys = st.sampled_from([f"key-{number}" for number in range(6)])

    def __init__(self):
        super().__init__()
        self.grants = {}
        self.revoked = set()

    @rule(key=keys, weeks=st.integers(-1, 300), by=st.sampled_from(MEMBERS[:3]))
    def grant(self, key, weeks, by):
        expiry = round_expiry(self.ledger.time + 1000, WEEK) + weeks * WEEK
        soon = expiry > self.ledger.time + 1000
        near = expiry < self.ledger.time + 1000 + 5 * 366 * DAY + WEEK
        expected = by in self.founders and key not in self.grants and soon and near
        assert self.applied(Grant(bytes(32), expiry), by, key) is expected
        if expected:
            self.grants[key] = expiry

    @rule(key=keys, by=st.sampled_from(MEMBERS[:3]))
    def revoke(self, key, by):
        expected = by in self.founders and key in self.grants and key not in self.revoked
        assert self.applied(Revoke(), by, key) is expected
        if expected:
            self.revoked.add(key)

    @invariant()
    def a_grant_is_live_from_its_making_to_its_end(self):
        for number in range(6):
            key = f"key-{number}"
            end = 0 if key in self.revoked else self.grants.get(key, 0)
            for time in (self.ledger.time, max(end - 1, 0), end):
                assert live(self.ledger.state, grant_id(public(key)), time) is (time < end)


class Records(LedgerMachine):
    cases = st.integers(0, 1).map(lambda number: bytes([number]) * 16)
    holders = st.sampled_from(MEMBERS[:2])

    def __init__(self):
        super().__init__()
        self.told = {}

    def step(self, message, by, allowed, status, due):
        """Take a step that the model allows in some states; `due` is the days to the next."""
        case = self.told.get(message.case)
        expected = case is not None and case["holder"] == by and allowed(case)
        assert self.applied(message, by) is expected
        if expected:
            case |= {"status": status, "due": due and self.ledger.time + due * DAY}

    def waited(self, case):
        return self.ledger.time + 1000 >= case["opened"] + 7 * DAY

    @rule(case=cases, by=holders, rank=st.sampled_from(Rank))
    def open(self, case, by, rank):
        expected = case not in self.told
        assert self.applied(OpenErasure(case, rank), by) is expected
        if expected:
            time = self.ledger.time
            self.told[case] = {
                "holder": by,
                "rank": rank,
                "status": "REQUESTED",
                "opened": time,
                "due": time + 30 * DAY,
            }

    @precondition(lambda self: self.told)
    @rule(early=st.sampled_from([0, 1000]))
    def the_wait_is_nearly_over(self, early):
        """The next block's time is that at which the newest case may be deleted, or the second before."""
        opened = max(told["opened"] for told in self.told.values())
        pause = opened + 7 * DAY - 1000 - early - self.ledger.time
        if pause > 0:
            self.ledger.pass_time(pause)

    @rule(case=cases, by=holders, rank=st.sampled_from(Rank))
    def cancel(self, case, by, rank):
        def allowed(told):
            kept = told["status"] == "RETAINED" or (told["status"] == "REQUESTED" and not self.waited(told))
            return kept and (rank > told["rank"] or rank == 3)

        self.step(CancelErasure(case, rank), by, allowed, "CANCELLED", 0)

    @rule(case=cases, by=holders)
    def retain(self, case, by):
        message = RetainErasure(case, RetentionReason.ARCHIVING)
        self.step(message, by, lambda told: told["status"] in {"REQUESTED", "RETAINED"}, "RETAINED", 365)

    @rule(case=cases, by=holders)
    def delete(self, case, by):
        def allowed(told):
            return told["status"] in {"REQUESTED", "RETAINED"} and self.waited(told)

        self.step(ConfirmDeletion(case), by, allowed, "DELETED", 30)

    @rule(case=cases, by=holders)
    def erase(self, case, by):
        self.step(ConfirmErasure(case), by, lambda told: told["status"] == "DELETED", "ERASED", 0)

    @invariant()
    def the_ledger_tells_what_the_model_tells(self):
        for case, told in self.told.items():
            row = erasure(self.ledger.state, case)
            assert (row.holder, row.status, row.due) == (told["holder"], ErasureStatus[told["status"]], told["due"])
            assert overdue(row, self.ledger.time) is (0 < told["due"] < self.ledger.time)


class Membership(LedgerMachine):
    founders = MEMBERS[:3]
    members = st.sampled_from(MEMBERS)

    def __init__(self):
        super().__init__()
        self.standing = dict.fromkeys(self.founders, "active")
        self.pending = {name: name for name in MEMBERS}
        self.proposals = []
        self.serial = 0

    def possible(self, act, subject):
        standing = self.standing.get(subject)
        others = any(name != subject for name in self.active())
        return {
            "admit": standing is None,
            "suspend": standing == "active" and others,
            "reinstate": standing == "suspended",
            "remove": standing in {"active", "suspended"} and others,
            "replace-keys": standing in {"active", "suspended"},
        }[act]

    def active(self):
        return [name for name, standing in sorted(self.standing.items()) if standing == "active"]

    def fresh(self, subject):
        self.serial += 1
        name = f"{subject}-{self.serial}"
        return name, (public(name), receive_key(name), possession(subject, name))

    @rule(by=members, act=st.sampled_from(sorted(SHARES)), subject=members)
    def propose(self, by, act, subject):
        name, keys = self.fresh(subject)
        message = {
            "admit": Admit(candidate(subject, name), AGREEMENT),
            "suspend": Suspend(subject),
            "reinstate": Reinstate(subject),
            "remove": Remove(subject),
            "replace-keys": ReplaceKeys(subject, *keys),
        }[act]
        expected = by in self.active() and self.possible(act, subject)
        try:
            data = self.ledger.send(Propose(message), by)
        except Rejected:
            assert not expected
            return
        assert expected
        closes = self.ledger.time + 14 * DAY
        told = {"id": data[:32], "act": act, "subject": subject, "key": name, "cast": {by: True}, "closes": closes}
        self.proposals.append(told)
        self.count(told)
        assert data[32] == told["status"]

    def count(self, told):
        electorate = self.active()
        above, below = SHARES[told["act"]]
        needed = min(len(electorate) * above // below + 1, len(electorate))
        votes = [told["cast"].get(name) for name in electorate]
        told["status"] = 1 if votes.count(True) >= needed else 2 if len(votes) - votes.count(False) < needed else 0
        if told["status"] == 1:
            act, subject = told["act"], told["subject"]
            if act in {"admit", "replace-keys"}:
                self.ledger.keys[subject] = told["key"]
            changes = {"admit": "active", "suspend": "suspended", "reinstate": "active", "remove": "removed"}
            if act in changes:
                self.standing[subject] = changes[act]

    @precondition(lambda self: self.proposals)
    @rule(back=st.integers(1, 3), by=members, approve=st.sampled_from([True, True, False]))
    def vote(self, back, by, approve):
        told = self.proposals[-min(back, len(self.proposals))]
        open_ = told["status"] == 0 and self.ledger.time + 1000 <= told["closes"]
        trial = told | {"cast": told["cast"] | {by: approve}}
        expected = by in self.active() and open_ and by not in told["cast"]
        if expected:
            keys, standing = dict(self.ledger.keys), dict(self.standing)
            self.count(trial)
            after = self.ledger.keys, self.standing
            self.ledger.keys, self.standing = keys, standing
            expected = trial["status"] != 1 or self.possible(told["act"], told["subject"])
        assert self.applied(Vote(told["id"], approve), by) is expected
        if expected:
            self.ledger.keys, self.standing = after
            told |= trial

    @rule(by=members)
    def rotate(self, by):
        name, keys = self.fresh(by)
        expected = by in self.active()
        assert self.applied(RotateKeys(*keys), by) is expected
        if expected:
            self.ledger.keys[by] = name

    @invariant()
    def the_ledger_tells_what_the_model_tells(self):
        state = self.ledger.state
        assert [name for name, _ in active(state)] == self.active() != []
        for name, standing in self.standing.items():
            assert member(state, name).standing.value == standing
            assert key_at(state, name).signing_key == public(self.ledger.keys[name])
            assert member_of_key(state, public(self.ledger.keys[name])) == name
        expected = [(name, public(self.ledger.keys[name])) for name in self.active()]
        assert [(c.member, c.signing_key) for c in cosigners(state)] == expected


SHORT = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestConsent, TestRecords, TestMembership = Consent.TestCase, Records.TestCase, Membership.TestCase
TestConsent.settings = TestRecords.settings = TestMembership.settings = SHORT
