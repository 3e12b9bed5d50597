"""A planted day of scans at a hospital: every strange pack is an alarm, and no other is."""

import pytest

from salus.agreements.supply.triage import PATIENCE_MS
from salus.contracts.supply import port
from salus.node.errors import Malformed
from salus.node.supply import moving
from salus.node.supply.answering import recall, verify
from salus.node.supply.stock import product_of
from salus.node.supply.trading import ListStock, VerifyPack, list_stock, verify_pack
from salus.node.supply.watching import alerts

from .members import GTIN, label, moved, traders

VIENNA, MUNICH, GRAZ = "geo:48.2082,16.3738", "geo:48.1372,11.5756", "geo:47.07,15.44"
HOUR = 3_600_000
UNITS = 260


def pack(number, **changes):
    return label(f"D{number:04d}", **({"lot": "DAY"} | changes))


@pytest.fixture
def together(tmp_path):
    found = traders(tmp_path)
    yield found
    found.close()


def scanned(node, *packs, place=""):
    return [verify_pack(node, VerifyPack(identifier=one, place=place)) for one in packs]


def test_a_day_of_scans_has_no_false_and_no_missed_alert(together):
    maker, whole, corner, rival = (together.nodes[name] for name in ("maker", "whole", "corner", "rival"))
    box = moving.Box("", (), tuple(f"D{number:04d}".encode() for number in range(UNITS)))
    moving.bring(maker, product_of(GTIN, "DAY", "271231"), box)
    moved(together, "maker", "whole", *[pack(n) for n in range(90)])
    moved(together, "maker", "whole", *[pack(n) for n in range(90, 120)])
    moved(together, "whole", "corner", *[pack(n) for n in range(40)])
    moved(together, "maker", "rival", *[pack(n) for n in range(200, 210)])

    # Morning: what is daily business.
    assert {one.code for one in scanned(corner, *[pack(n) for n in range(40)], place=VIENNA)} == {""}
    moving.end(corner, [pack(n) for n in range(10)], port.Reason.DISPENSED)
    assert {one.action for one in scanned(corner, *[pack(n) for n in range(10)], place=VIENNA)} == {"warning"}
    assert {one.action for one in scanned(corner, pack(20, lot="DAV"), pack(21, expiry="270101"))} == {"data"}
    assert scanned(corner, label("NONE1", lot="DAY"))[0].action == "ask again before alarming"
    late = [pack(n) for n in range(90, 120)]  # at the dock before the wholesaler has shipped them
    assert {one.action for one in scanned(corner, *late, place=VIENNA)} == {"ask again before alarming"}
    stays = [pack(n) for n in range(60, 64)]  # the wholesaler's, and never shipped
    assert {one.code for one in scanned(corner, *stays, place=VIENNA)} == {"HOLDER_MISMATCH"}
    moving.end(corner, [pack(30)], port.Reason.STOLEN)
    together.abreast()
    assert alerts(corner) == alerts(whole) == alerts(rival) == []

    # Noon: the late data comes; goods travel as goods do.
    together.clock.advance(2 * HOUR)
    moved(together, "whole", "corner", *late)
    assert {one.code for one in scanned(corner, *late, place=VIENNA)} == {""}
    assert {one.code for one in scanned(corner, *[pack(n) for n in range(10, 15)], place=GRAZ)} == {""}

    # Afternoon: a clone at two places at once, one of a dispensed pack, a stolen one, one that left and came back.
    planted = {"IMPOSSIBLE_TRAVEL": [pack(31), pack(32)], "DISPENSED": [pack(1), pack(2)], "STOLEN": [pack(30)]}
    assert {one.action for one in scanned(corner, *planted["IMPOSSIBLE_TRAVEL"], place=MUNICH)} == {"nothing"}
    together.clock.advance(10 * 60_000)
    assert {one.action for one in scanned(corner, *planted["IMPOSSIBLE_TRAVEL"], place=VIENNA)} == {"alarm"}
    assert {one.action for one in scanned(rival, *planted["DISPENSED"], *planted["STOLEN"])} == {"alarm"}
    assert {one.code for one in scanned(whole, pack(3), pack(35))} == {"DISPENSED", "HOLDER_MISMATCH"}

    # Evening: what stayed another's is asked about no more.
    together.clock.advance(PATIENCE_MS)
    assert sorted(one.code for one in alerts(corner)) == ["HOLDER_MISMATCH"] * 4 + ["IMPOSSIBLE_TRAVEL"] * 2
    assert sorted(one.code for one in alerts(rival)) == ["DISPENSED", "DISPENSED", "STOLEN"]
    assert sorted(one.code for one in alerts(whole)) == ["DISPENSED", "HOLDER_MISMATCH"]
    assert alerts(maker) == []

    # Own packs were quarantined, each is one alert, and the draft names the pack.
    assert {one.aside for one in alerts(corner) if one.code == "IMPOSSIBLE_TRAVEL"} == {True}
    assert {one.aside for one in alerts(rival)} == {False}
    assert {verify(corner, one).verdict.code for one in planted["IMPOSSIBLE_TRAVEL"]} == {"SUSPECT"}
    scanned(rival, *planted["DISPENSED"])
    assert len(alerts(rival)) == 3
    told = list_stock(rival, ListStock()).alerts
    assert sum("Serial number: D0001." in one and "Lot number: DAY." in one for one in told) == 1


def test_an_alarm_without_a_regulator_sets_the_pack_aside_later(together):
    maker = together.nodes["maker"]
    moving.bring(maker, product_of(GTIN, "DAY", "271231"), moving.Box("", (), (b"D0000", b"D0001")))
    scanned(maker, pack(0), place=VIENNA)
    together.transport.down.add("https://board.example")
    assert scanned(maker, pack(0), place=MUNICH)[0].code == "IMPOSSIBLE_TRAVEL"
    assert [one.aside for one in alerts(maker)] == [False]
    together.transport.down.clear()
    scanned(maker, pack(0), place=VIENNA)
    assert [one.aside for one in alerts(maker)] == [True]
    assert verify(maker, pack(0)).verdict.code == "SUSPECT"


def test_a_recalled_pack_is_set_aside_without_an_alarm(together):
    maker = together.nodes["maker"]
    moving.bring(maker, product_of(GTIN, "DAY", "271231"), moving.Box("", (), (b"D0000", b"D0001")))
    recall(maker, GTIN, "DAY", 1)
    assert [one.code for one in scanned(maker, pack(0), place=VIENNA)] == ["RECALLED"]
    assert alerts(maker) == []
    with pytest.raises(Malformed):
        verify_pack(maker, VerifyPack(identifier=pack(0), place="Vienna"))
