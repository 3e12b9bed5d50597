"""A suspended member, end to end: its own people read on, nothing of it goes out or comes in; reinstated, all goes on."""

import pytest

from salus.node.anchoring import anchor
from salus.node.errors import EdgeError, Refused
from salus.node.exchange import grantee
from salus.node.exchange.delivery import deliver
from salus.node.network.governing import (
    CastVote,
    ProposeReinstate,
    ProposeSuspend,
    propose_reinstate,
    propose_suspend,
    vote,
)
from salus.node.records.charts import ShowChart, show_chart
from salus.node.usecase import Caller, Kind
from salus.vault.journal import Side
from tests.attacks.scene import scene, vitals

NURSE = Caller(Kind.PERSON, subject="nurse-1", role="nurse", purposes=("TREAT",))


@pytest.fixture
def town(tmp_path):
    found = scene(tmp_path)
    yield found
    found.together.close()


def decide(town, propose, request, voters):
    """Have a proposal pass: the proposer's ballot is one of them."""
    proposer, *others = voters
    told = propose(town.together.nodes[proposer], request)
    for member in others:
        if told.status == "open":
            town.together.settle()
            told = vote(town.together.nodes[member], CastVote(proposal=told.proposal, approve=True))
    assert told.status == "passed"
    for node in town.together.nodes.values():
        node.wait_for(town.north.ledger.head().height)


def chart(node, link):
    return show_chart(node, ShowChart(link=link.hex(), purpose="TREAT"), caller=NURSE)


def test_a_suspended_custodian_reads_its_own_and_serves_nobody(town):
    grant, south = town.grant("north", "south"), town.south
    shown = town.shown(grant, "south")
    link = town.links["south"]
    assert town.ask(town.pull(shown), of="south").records
    decide(town, propose_suspend, ProposeSuspend(member="south"), ("north", "clinic"))
    lines = town.served("south")

    assert chart(south, link).lines
    own = south.vault.lines(Side.CUSTODIAN, link, lines)
    assert [(one.disclosure.action, one.anchoring is None or not one.anchoring.tx_id) for one in own] == [
        ("chart", True)
    ]
    with pytest.raises(EdgeError) as refused:
        town.ask(town.pull(shown), of="south")
    assert refused.value.code == "membership.NOT_ACTIVE"
    fetched = grantee.fetch(town.clinic, grant, "TREAT")
    assert fetched.custodians == ("north",)
    assert [member for member, _ in fetched.failures] == ["south"]
    told = [one.disclosure.action for one in south.vault.lines(Side.CUSTODIAN, link, lines)]
    assert told == ["chart", "serve", "not-served", "serve", "not-served"]
    _sends_nothing(town)
    decide(town, propose_reinstate, ProposeReinstate(member="south"), ("north", "clinic"))
    _goes_on(town)


def _sends_nothing(town):
    """Nobody takes what a suspended member sends, and it commits nothing."""
    south = town.south
    head = town.north.ledger.head().height
    south.vault.write(town.links["south"], [vitals("suspended", "p1")])
    with pytest.raises(Refused):
        anchor(south)
    assert town.north.ledger.head().height == head
    waiting = south.entropy(16)
    deliver(south, "clinic", "grant", b"junk", id_=waiting)
    assert [one.id for one, _ in south.desk.waiting() if one.id == waiting] == [waiting]
    assert not town.clinic.desk.has("south", waiting)
    with pytest.raises(EdgeError, match=r"signature\.invalid"):
        town.ask(town.pull(town.shown(town.grant("north"))), by="south")


def test_a_suspended_grantee_pulls_nothing_and_reads_its_own(town):
    """The slip is for a member in good standing: also one whose grant lives on."""
    grant = town.grant("north")
    shown = town.shown(grant)
    decide(town, propose_suspend, ProposeSuspend(member="clinic"), ("north", "south"))
    lines = town.served()

    with pytest.raises(EdgeError, match=r"signature\.invalid"):
        town.ask(town.pull(shown))
    assert town.served() == lines

    decide(town, propose_reinstate, ProposeReinstate(member="clinic"), ("north", "south"))
    assert town.ask(town.pull(shown)).records


def _goes_on(town):
    """A reinstated member anchors what waited and serves again."""
    south, link = town.south, town.links["south"]

    anchor(south)

    lines = south.vault.lines(Side.CUSTODIAN, link, 0, 10_000)
    assert all(one.anchoring and one.anchoring.tx_id for one in lines)
    assert south.vault.unanchored() == []
    south.catch_up()
    assert town.ask(town.pull(town.shown(town.grant("south"), "south")), of="south").records
    log = town.holder.access_log()
    assert log.gaps == ()
    assert "chart" in {one.disclosure.action for one in log.lines if one.told_by == "south"}
