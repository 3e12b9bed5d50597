"""A wallet follows its ledger: the cosigners change, and what it believes goes on from its trust file."""

import threading
import time

import pytest
from msgspec import structs

from salus.contracts.membership.port import RotateKeys, possession_bytes
from salus.core.encoding import decode, encode
from salus.core.proof.trust import Trust
from salus.engines.follower import LedgerSource
from salus.node.anchoring import anchor
from salus.node.errors import EdgeError
from salus.node.exchange.wire import Answer
from salus.node.patient import messages as m
from salus.node.patient.news import MAX_STEPS
from tests.attacks.scene import scene


@pytest.fixture
def town(tmp_path):
    found = scene(tmp_path)
    yield found
    found.together.close()


def take_new_keys(town, member):
    """Give a member new keys on the ledger."""
    node = town.together.nodes[member]
    fresh = structs.replace(
        node.keys, sign=node.entropy(32), receive=node.entropy(32), retired=(node.keys.receive, *node.keys.retired)
    )
    public = fresh.signing_key().public_key().public_bytes_raw()
    node.cosigning.hold(public, fresh.signing_key().sign)
    node.submitter.submit(
        RotateKeys(
            public,
            fresh.receive_key().public,
            fresh.signing_key().sign(possession_bytes(member, public, fresh.receive_key().public)),
        )
    )
    node.keys, node.signing_key, node.receive_key = fresh, fresh.signing_key(), fresh.receive_key()
    node.submitter._key = node.peers._key = fresh.signing_key()


def rotate(town, member):
    """Give a member new keys on the ledger, cosigned by old and new."""
    take_new_keys(town, member)
    town.together.settle()
    owner = town.north.cosigning
    until = time.monotonic() + 120
    while not all(map(owner.complete_change, owner.book.changes())) and time.monotonic() < until:
        time.sleep(0.02)


class Lying:
    def __init__(self, honest, lie):
        self.honest, self.lie = honest, lie

    def ask(self, member, path, body):
        answer = self.honest.ask(member, path, body)
        return Answer(200, self.lie(answer.body)) if path == m.NEWS and answer.status == 200 else answer


def test_a_wallet_goes_on_when_every_cosigner_has_new_keys(town):
    before = town.holder.trust
    grant = town.grant("north")
    for member in ("south", "clinic", "north"):
        rotate(town, member)
    town.holder.known.clear()

    town.holder.stop(grant, through="north")

    assert [one.revoked for one in town.holder.permissions()] == [True]
    after = town.holder.trust
    assert after.number == before.number + 3
    assert {key for _, key in after.cosigners}.isdisjoint({key for _, key in before.cosigners})
    assert Trust.from_json(after.to_json().encode()) == after
    town.holder.follow("south")
    assert town.holder.trust.number == after.number


@pytest.mark.parametrize("lie", ["left out", "another set", "another root", "swapped"])
def test_a_wallet_follows_no_step_that_those_before_did_not_sign(town, lie):
    before = town.holder.trust
    for member in ("south", "clinic", "north"):
        rotate(town, member)

    def forged(body):
        steps = list(decode(body, m.News).steps)
        at = next(number for number, one in enumerate(steps) if one.change)
        if lie == "left out":
            del steps[at]
        elif lie == "another set":
            step = steps[at]
            wrong = bytearray(step.change)
            wrong[len(wrong) // 2] ^= 1
            steps[at] = structs.replace(step, change=bytes(wrong))
        elif lie == "another root":
            steps[0] = structs.replace(steps[0], path=(bytes(32), *steps[0].path[1:]))
        else:
            steps.reverse()
        return encode(m.News(tuple(steps)))

    town.holder.members = Lying(town.together, forged)
    with pytest.raises(EdgeError, match=r"wallet\.news"):
        town.holder.follow("north")
    assert town.holder.trust == before
    town.holder.members = town.together
    assert town.holder.follow("north")


def test_a_grant_on_its_way_at_a_rotation_still_opens(town):
    """The wallet sealed it to the receive key that it had checked before."""
    old = town.holder.member("clinic").receive_key
    for _ in range(2):
        rotate(town, "clinic")
    assert old != town.clinic.receive_key.public

    grant = town.grant("north")

    assert town.clinic.desk.held(grant)
    assert town.ask(town.pull(town.shown(grant))).records


@pytest.mark.parametrize("question", [m.AskNews(-1, 1), m.AskNews(2**40, 1), m.AskNews(0, 0)])
def test_a_question_about_no_size_of_this_ledger_is_refused(town, question):
    with pytest.raises(EdgeError, match=r"news\.pin"):
        town.holder._ask("north", m.NEWS, question, m.News)


def test_news_come_in_pages(town, monkeypatch):
    monkeypatch.setattr("salus.node.patient.news.MAX_STEPS", 2)
    for member in ("south", "clinic", "north"):
        rotate(town, member)
    rounds = 0
    while town.holder.follow("north"):
        rounds += 1
    assert rounds > 1
    assert town.holder.trust.number == 4
    assert MAX_STEPS >= 2


class Slow(LedgerSource):
    """The owner's ledger as a member hears of it whom nobody tells what others cosigned, until two questions after `heard`."""

    def __init__(self, owner):
        super().__init__(owner.ledger, owner.cosigning)
        self.heard, self.left = threading.Event(), 2

    def checkpoints(self, from_size):
        self.left -= self.heard.is_set()
        return super().checkpoints(from_size) if self.left <= 0 else []


class Hearing:
    """Says when a member is asked at a path."""

    def __init__(self, honest, member, path, heard):
        self.honest, self.member, self.path, self.heard = honest, member, path, heard

    def ask(self, member, path, body):
        if (member, path) == (self.member, self.path):
            self.heard.set()
        return self.honest.ask(member, path, body)


@pytest.mark.parametrize("path", [m.INSTRUCT, m.ABOUT])
def test_a_member_that_is_behind_the_wallet_answers_when_it_has_caught_up(town, path):
    slow = Slow(town.north)
    town.together.followers["south"]._source = slow
    grant = town.grant("south")
    town.ask(town.pull(town.shown(grant, "south")), of="south")
    anchor(town.north)
    town.north.cosigning.covering(town.north.ledger.head().log_size - 1, 30)
    town.south.wait_for(town.north.ledger.head().height)
    assert town.holder.follow("north")
    assert town.south.cosigning.newest().size < town.holder.trust.size

    town.holder.members = Hearing(town.together, "south", path, slow.heard)
    if path == m.INSTRUCT:
        log = town.holder.access_log()
        assert ([one.proven for one in log.lines if one.told_by == "south"], log.gaps) == ([True], ())
    else:
        town.holder.known.clear()
        assert town.holder.member("south").member == "south"
    assert town.south.cosigning.newest().size >= town.holder.trust.size


def test_a_size_that_no_ledger_has_holds_no_thread(town):
    beyond = town.north.ledger.head().log_size + 1
    told = decode(town.together.ask("north", m.ABOUT, encode(m.About(beyond))).body, m.Member)
    assert told.member == "north"
