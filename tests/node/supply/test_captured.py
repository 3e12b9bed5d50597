"""Events that the repository captured: matched and traced as files are, kept for six years, and let go."""

import json

import pytest
from msgspec import structs

from salus.contracts.membership.port import Role
from salus.node.config import Config
from salus.node.errors import Conflict
from salus.node.local import Bare
from salus.node.supply import repository, subscribing
from salus.node.supply.alone import MatchDelivery, TracePack, match_delivery, trace_pack
from salus.node.supply.keeping import (
    EraseEvent,
    ExpirePapers,
    ListRetention,
    erase_event,
    expire_papers,
    list_retention,
)
from salus.node.supply.repository import EpcisProblem, NamedQuery
from salus.node.supply.working import (
    ListDockCases,
    ResolveDockCase,
    TakeDelivery,
    list_cases,
    resolve_case,
    take_delivery,
)
from salus.node.together import Clock, Founder, found_together
from tests.agreements.supply.test_goods import LABEL, SCAN_CASE
from tests.interop.epcis.documents import CASE, WHOLESALER, commissioning, document, event, packing, shipping, unit

PO = "urn:epcglobal:cbv:bt:0614141000005:42"
ORDER = f"EQ_bizTransaction_po={PO}"
FILE = document(commissioning(48), packing(48), shipping())
PALLET = "urn:epc:id:sscc:0614141.1234567999"
ONWARD = document(
    packing(parentID=PALLET, childEPCs=[CASE], hour=11),
    shipping(12, epcList=[PALLET], bizTransactionList=[]),
    packing(parentID=PALLET, childEPCs=[CASE], action="DELETE", bizStep="unpacking", hour=13),
)
OTHERS = document(
    event(
        "ObjectEvent",
        14,
        epcList=[unit(900)],
        action="OBSERVE",
        bizStep="shipping",
        bizTransactionList=[{"type": "po", "bizTransaction": PO.replace("42", "43")}],
    )
)
DAY = 86_400_000
YEARS = 6 * 366 * DAY


class Subscriber:
    """Takes what is posted while `answer` is 200."""

    def __init__(self):
        self.answer, self.bodies = 200, []

    def post(self, url, body, headers):
        if self.answer == 200:
            self.bodies.append(body)
        return self.answer


def subscribed(node, word="shipping"):
    repository.define(node, NamedQuery("goods", {"EQ_bizStep": word}))
    config = structs.replace(node.config.supply, webhooks="https://partner.example/")
    node.config = structs.replace(node.config, supply=config)
    ask = subscribing.Ask("https://partner.example/in", stream=True, initial_record_time="2020-01-01T00:00:00Z")
    return subscribing.subscribe(node, "goods", ask)


def events(node):
    return len(repository.ask(node, repository.query_of(node, {}), b"").events)


@pytest.fixture
def clock():
    return Clock(lambda: 1_772_400_000_000)


@pytest.fixture
def node(tmp_path, clock):
    together = found_together(tmp_path, (Founder("north", "North", (Role.DISTRIBUTOR,)),), clock=clock)
    node = together.nodes["north"]
    for data in (FILE, ONWARD, OTHERS):
        repository.capture(node, data, proceed=False)
    yield node
    together.close()


def test_captured_shipments_are_matched_as_files_are(node, tmp_path):
    scans = "\n".join(LABEL.format(number) for number in range(50)).encode()
    from_file = match_delivery(node, MatchDelivery(files=(FILE,), scans=scans, receiver=WHOLESALER))
    found = match_delivery(node, MatchDelivery(captured=ORDER, scans=scans, receiver=WHOLESALER))
    assert found == from_file
    assert found.summary == "50 received, 48 in the data, 2 exceptions"
    assert match_delivery(node, MatchDelivery(captured=ORDER, scans=SCAN_CASE.encode())).sound
    taken = take_delivery(node, TakeDelivery(captured=ORDER, scans=scans, receiver=WHOLESALER, order="42"))
    assert (taken.summary, len(taken.cases)) == (found.summary, 2)
    with pytest.raises(EpcisProblem):
        match_delivery(node, MatchDelivery(captured="EQ_nothing=1", scans=scans))
    with pytest.raises(Conflict):
        match_delivery(Bare(Config(data=str(tmp_path / "none"))), MatchDelivery(captured=ORDER, scans=scans))


def test_a_tracing_request_is_answered_from_what_was_captured(node):
    ask = TracePack(identifier=LABEL.format(7), captured=True)
    found = trace_pack(node, ask)
    assert found == structs.replace(
        trace_pack(node, TracePack(identifier=LABEL.format(7), files=(FILE, ONWARD, OTHERS))), answer_by=found.answer_by
    )
    assert [line.split()[1].rstrip(",") for line in found.steps] == [
        "commissioning",
        "packing",
        "shipping",
        "packing",
        "shipping",
        "unpacking",
    ]
    assert (found.lot, found.breaks) == ("L7", ("a shipment whose seller is not the last buyer",))
    assert trace_pack(node, structs.replace(ask, files=(FILE,))) == found
    assert not trace_pack(node, structs.replace(ask, captured=False)).found


def test_what_is_older_than_six_years_goes_when_told_and_never_before(node, clock):
    taken = take_delivery(node, TakeDelivery(files=(FILE,), scans=LABEL.format(1).encode(), order="4711"))
    number = taken.cases[0].split()[0]
    resolve_case(node, ResolveDockCase(case=number, resolution="Credit account"))
    clock.advance(6 * 365 * DAY)
    later = document(shipping(15, epcList=[unit(901)]))
    repository.capture(node, later, proceed=False)
    due = list_retention(node, ListRetention())
    assert (due.papers, due.cases, due.events, due.jobs, due.held) == (0, 0, 0, 0, 0)
    assert due.next == "2032-03-05T21:20:00Z"
    clock.advance(6 * DAY + 1)
    due = list_retention(node, ListRetention())
    assert (due.papers, due.cases, due.events, due.jobs, due.held) == (2, 1, 7, 3, 0)
    assert events(node) == 8
    done = expire_papers(node, ExpirePapers())
    assert (done.papers, done.cases, done.events, done.jobs) == (2, 1, 7, 3)
    assert events(node) == 1
    assert not trace_pack(node, TracePack(identifier=LABEL.format(7), captured=True)).found
    assert expire_papers(node, ExpirePapers()) == type(done)(papers=0, cases=0, events=0, jobs=0)
    listed = list_cases(node, ListDockCases())
    assert (len(listed.open), listed.papers) == (46, 0)
    assert not node.desk.event_names("parentID", "", 10)


def test_an_event_that_waits_for_a_subscriber_outlives_its_six_years(node, clock):
    one, partner = subscribed(node), Subscriber()
    partner.answer = 500
    assert subscribing.notify_due(node, partner) == 0
    clock.advance(YEARS + 1)
    due = list_retention(node, ListRetention())
    assert (due.events, due.held, due.queue) == (0, 7, (f"{one.id} goods 7 1",))
    assert expire_papers(node, ExpirePapers()).events == 0
    partner.answer = 200
    assert subscribing.notify_due(node, partner) == 1
    assert partner.bodies[0].count(b'"ObjectEvent"') == 3
    assert list_retention(node, ListRetention()).queue == (f"{one.id} goods 0 0",)
    assert expire_papers(node, ExpirePapers()).events == 7


def test_an_event_is_erased_and_stays_away(node):
    one, partner = subscribed(node), Subscriber()
    name = "urn:uuid:00000000-0000-4000-8000-000000000014"
    assert subscribing.notify_due(node, partner) == 1
    done = erase_event(node, EraseEvent(event=name, reason="personal-data"))
    assert (done.events, done.told) == (1, (one.id,))
    assert erase_event(node, EraseEvent(event=name, reason="personal-data")).events == 0
    assert events(node) == 6
    assert not node.desk.has_event_name("epcList", "https://id.gs1.org/01/10614141073464/21/900")
    with pytest.raises(EpcisProblem):
        repository.event_named(node, name)
    assert not repository.capture(node, OTHERS, proceed=True).success
    with pytest.raises(EpcisProblem):
        repository.capture_event(node, json.dumps(json.loads(OTHERS)["epcisBody"]["eventList"][0]).encode())
    assert events(node) == 6


def test_what_a_subscriber_was_not_told_before_is_not_told_after_an_erasure(node):
    subscribed(node)
    partner = Subscriber()
    name = "urn:uuid:00000000-0000-4000-8000-000000000014"
    assert erase_event(node, EraseEvent(event=name, reason="not-ours")).told == ()
    subscribing.notify_due(node, partner)
    assert partner.bodies
    assert name.encode() not in b"".join(partner.bodies)
