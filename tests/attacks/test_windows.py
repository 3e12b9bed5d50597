"""Where a process can end amid a pull, a delivery, a purge, an erasure: what comes after goes on, nothing lost or twice.

`Killed` stands for `kill -9`: it passes every handler, and what is not on the disk by then is gone.
"""

import threading
import time

import pytest

from salus.contracts.records.port import ErasureStatus
from salus.core.encoding import encode
from salus.engines.errors import StoreFull
from salus.node import erasing
from salus.node.errors import EdgeError, Malformed
from salus.node.exchange import delivery, grantee
from salus.node.exchange.delivery import Delivery, Taken
from salus.node.records.charts import ShowChart, show_chart
from salus.node.records.intake import Intake
from salus.vault.journal import Side
from salus.vault.links import Standing
from tests.attacks.scene import DAY, patient, taken_in, vitals
from tests.attacks.test_suspended import NURSE


class Killed(BaseException):
    """The process ended here."""


def dying(monkeypatch, where, name, *, after):
    """Let the process end before or after a step, once."""
    step = getattr(where, name)

    def last(*args, **named):
        if after:
            step(*args, **named)
        monkeypatch.setattr(where, name, step)
        raise Killed

    monkeypatch.setattr(where, name, last)


WINDOWS = [False, True]


@pytest.mark.parametrize("after", WINDOWS)
@pytest.mark.parametrize("step", ["vault.journal", "vault.write", "index.hide", "desk.note_cursor"])
def test_a_pull_that_was_cut_off_goes_on(town, monkeypatch, step, after):
    grant = town.grant("north")
    part, name = step.split(".")
    dying(monkeypatch, getattr(town.clinic, part), name, after=after)
    with pytest.raises(Killed):
        grantee.fetch(town.clinic, grant, "TREAT")

    grantee.fetch(town.clinic, grant, "TREAT")

    lease = town.clinic.vault.open_lease(grant)
    assert sorted(one.type for one in town.clinic.vault.of_link(lease)) == ["Observation", "Observation", "Patient"]
    assert town.clinic.index.count_by_type([lease]) == {"Observation": 2, "Patient": 1}
    assert grantee.fetch(town.clinic, grant, "TREAT").records == 0


@pytest.mark.parametrize("after", WINDOWS)
@pytest.mark.parametrize("step", ["vault.seal_for_pull", "vault.journal", "vault.anchored"])
def test_a_custodian_cut_off_amid_a_pull_serves_the_next_and_says_all(town, monkeypatch, step, after):
    grant = town.grant("north")
    shown, before = town.shown(grant), town.served()
    part, name = step.split(".")
    dying(monkeypatch, getattr(town.north, part), name, after=after)
    with pytest.raises(Killed):
        town.ask(town.pull(shown))

    assert len(town.ask(town.pull(shown)).records) >= 3

    lines = town.north.vault.lines(Side.CUSTODIAN, town.links["north"], before)
    assert lines[-1].disclosure.action == "serve"
    assert all(one.anchoring and one.anchoring.tx_id for one in lines)
    assert town.north.vault.unanchored() == []


@pytest.mark.parametrize("after", WINDOWS)
@pytest.mark.parametrize("who", ["clinic.hold", "clinic.take", "north.send_later", "north.sent"])
def test_a_delivery_that_was_cut_off_arrives_once(town, monkeypatch, who, after):
    member, name = who.split(".")
    held = len(town.clinic.desk.held())
    dying(monkeypatch, town.together.nodes[member].desk, name, after=after)
    with pytest.raises(Killed):
        town.grant("north")
    town.together.clock.advance(60_000)
    delivery.deliver_due(town.north)

    arrived = 0 if (who, after) == ("north.send_later", False) else 1  # what was never acknowledged to the wallet
    assert len(town.clinic.desk.held()) == held + arrived
    assert town.north.desk.waiting() == []


@pytest.mark.parametrize("after", WINDOWS)
@pytest.mark.parametrize("step", ["index.forget", "vault.erase_link", "desk.end"])
def test_a_purge_that_was_cut_off_is_finished(town, monkeypatch, step, after):
    grant = town.grant("north")
    grantee.fetch(town.clinic, grant, "TREAT")
    town.holder.stop(grant, through="north")
    town.together.settle()
    part, name = step.split(".")
    dying(monkeypatch, getattr(town.clinic, part), name, after=after)
    with pytest.raises(Killed):
        grantee.confirm_and_purge(town.clinic)

    grantee.confirm_and_purge(town.clinic)

    assert town.leased(grant) == {"records": 0}
    assert [one.ended is not None for one in town.clinic.desk.held(grant)] == [True]


@pytest.mark.parametrize("after", WINDOWS)
@pytest.mark.parametrize("step", ["index.forget", "vault.erase_link", "desk.set_contact", "submitter.submit"])
def test_an_erasure_that_was_cut_off_is_finished(town, monkeypatch, step, after):
    name = f"cut-{step}-{after}"
    link = taken_in(town.north, name, [patient(name), vitals(f"o-{name}", name)])
    case = town.north.entropy(16)
    erasing.begin(town.north, link, case)
    town.together.clock.advance(8 * DAY)
    part, name = step.split(".")
    dying(monkeypatch, getattr(town.north, part), name, after=after)
    with pytest.raises(Killed):
        erasing.advance(town.north)

    erasing.advance(town.north)
    erasing.advance(town.north)

    assert [one.row.status for one in erasing.cases(town.north) if one.erasing.case == case] == [ErasureStatus.DELETED]
    assert town.north.vault.link_info(link).standing is Standing.ERASED
    assert town.north.vault.of_link(link) == []
    assert town.north.index.count_by_type([link]) == {}


def test_one_document_delivered_by_many_at_once_is_taken_once(town):
    taken, failed = [], []

    def slow(_node, _sender, body):
        taken.append(body)
        time.sleep(0.05)

    body = encode(Delivery(bytes(range(16)), "slow", b"one"))

    def bring():
        try:
            told.append(delivery.take(town.clinic, {"slow": slow}, "north", body))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            failed.append(repr(error))

    told = []
    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (taken, failed) == ([b"one"], [])
    assert told == [Taken(bytes(range(16)))] * 8


@pytest.mark.parametrize("id_", [b"", bytes(15), bytes(17), bytes(10_000)])
def test_a_delivery_of_an_odd_id_is_not_kept(town, id_):
    with pytest.raises(Malformed, match=r"delivery\.id"):
        delivery.take(town.clinic, {"any": lambda *_: None}, "north", encode(Delivery(id_, "any", b"")))
    assert not town.clinic.desk.has("north", id_)


def test_with_a_full_ledger_nothing_is_served_and_own_people_read_on(town, monkeypatch):
    grant = town.grant("north")
    shown = town.shown(grant)
    before = town.served()
    store = town.north.ledger.store

    def full(_transition):
        raise StoreFull("the ledger's map is full")

    monkeypatch.setattr(store, "commit", full)
    with pytest.raises(EdgeError, match=r"ledger\.full"):
        town.ask(town.pull(shown))
    chart = show_chart(town.north, ShowChart(link=town.links["north"].hex(), purpose="TREAT"), caller=NURSE)
    assert chart.lines
    monkeypatch.undo()

    assert town.ask(town.pull(shown)).records
    actions = [one.disclosure.action for one in town.north.vault.lines(Side.CUSTODIAN, town.links["north"], before)]
    assert actions == ["serve", "not-served", "chart", "serve"]
    assert town.north.vault.unanchored() == []


@pytest.mark.parametrize("years", [-30, 5])
def test_a_custodian_whose_clock_is_years_off_serves_nothing_it_should_not(town, monkeypatch, years):
    ended = town.grant("north", expiry=town.together.clock() + 2 * DAY)
    shown_ended, live = town.shown(ended), town.shown(town.grant("north"))
    town.together.clock.advance(4 * DAY)
    town.grant("north")  # the ledger has moved on
    before, right = town.served(), town.together.clock
    off = lambda: right() + years * 365 * DAY  # noqa: E731
    monkeypatch.setattr(town.north, "now", off)

    for shown in (shown_ended,) if years < 0 else (shown_ended, live):
        with pytest.raises(EdgeError, match=r"pull\.(ended|active)"):
            town.ask(town.pull(shown))
    assert town.served() == before


def test_a_grantee_whose_clock_is_years_ahead_hides_what_it_pulled_and_purges_nothing(town, monkeypatch):
    grant = town.grant("north")
    grantee.fetch(town.clinic, grant, "TREAT")
    lease, kept = town.clinic.vault.open_lease(grant), town.leased(grant)
    right = town.together.clock
    monkeypatch.setattr(town.clinic, "now", lambda: right() + 5 * 365 * DAY)

    grantee.confirm_and_purge(town.clinic)
    with pytest.raises(EdgeError, match=r"lease\.ended"):
        grantee.require_live(town.clinic, grant)
    assert town.clinic.index.count_by_type([lease]) == {}
    monkeypatch.undo()

    grantee.confirm_and_purge(town.clinic)
    assert grantee.require_live(town.clinic, grant)
    assert town.leased(grant) == kept


def test_records_taken_in_by_a_clock_years_off_are_kept_and_anchored_once_it_is_right(town, tmp_path):
    clock = town.together.clock
    (tmp_path / "in.ndjson").write_text('{"resourceType":"Patient","id":"p9"}')
    clock.advance(3 * 365 * DAY)
    with pytest.raises(EdgeError, match=r"ledger\.clock"):
        Intake(town.north, "urn:off").run([tmp_path])
    link = town.north.vault.find_link("urn:off", "p9")
    assert len(town.north.vault.of_link(link)) == 1
    clock.advance(-3 * 365 * DAY)

    again = Intake(town.north, "urn:off").run([tmp_path])
    assert (again.stored, again.unchanged, town.north.vault.unanchored()) == (0, 1, [])
