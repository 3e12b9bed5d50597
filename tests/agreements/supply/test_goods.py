"""Deliveries matched, packs traced, from events that came late, twice or wrong."""

import random

import pytest

from salus.agreements.supply.goods import replay
from salus.agreements.supply.matching import match
from salus.agreements.supply.tracing import trace
from salus.interop.epcis.document import read
from salus.interop.gs1.identity import canonical
from tests.interop.epcis.documents import (
    CASE,
    CREATED,
    MAKER,
    WHOLESALER,
    commissioning,
    document,
    event,
    packing,
    shipping,
    unit,
)

LABEL = "(01)10614141073464(21){}(17)271130(10)L7"
SCAN_CASE = "(00)106141412345678908"
STORY = [commissioning(), packing(), shipping()]


def goods_of(*events):
    return replay(read(document(*events)))


def kinds(found):
    return sorted((each.kind, each.code) for each in found.differences)


def test_a_case_scanned_stands_for_its_fifty_units():
    found = match(goods_of(*STORY), [SCAN_CASE], canonical(WHOLESALER))
    assert (found.announced, found.received, found.inferred, found.differences) == (50, 50, 50, ())


def test_fifty_received_forty_eight_in_the_data():
    goods = goods_of(commissioning(48), packing(48), shipping())
    found = match(goods, [LABEL.format(number) for number in range(50)])
    assert (found.announced, found.received) == (48, 50)
    assert kinds(found) == [("overages", "1-1A")] * 2
    assert [each.thing for each in found.differences] == [canonical(unit(48)), canonical(unit(49))]


@pytest.mark.parametrize(
    ("scan", "expected"),
    [
        (LABEL.format(3), []),
        (LABEL.format(3).replace("L7", "L8"), [("data_misalignment", "1-2")]),
        (LABEL.format(3).replace("271130", "271200"), [("data_misalignment", "4")]),
        (LABEL.format(3).replace("271130", "271100"), []),
        ("(01)00312345678906(21)X", [("missing_product_data", "1-5")]),
        ("(01)10614141073465(21)3", [("other_errors", "")]),
    ],
)
def test_each_difference_has_its_type(scan, expected):
    goods = goods_of(*STORY)
    rest = [LABEL.format(number) for number in range(50) if number != 3]
    found = match(goods, [*rest, scan])
    missing = [] if scan.startswith("(01)10614141073464") else [("missing_product", "2-1")]
    assert kinds(found) == sorted(expected + missing)


def test_goods_for_others_and_shipments_called_back_are_not_expected():
    other = canonical("urn:epc:id:pgln:0614141.00999")
    assert match(goods_of(*STORY), [], other).announced == 0
    assert match(goods_of(*STORY, shipping(11, bizStep="void_shipping")), []).announced == 0
    assert kinds(match(goods_of(*STORY), [LABEL.format(1)], other)) == [("data_misalignment", "1-4")]


def test_what_left_the_case_before_is_not_in_the_shipment():
    goods = goods_of(
        commissioning(), packing(), packing(hour=9, action="DELETE", childEPCs=[unit(0)], eventID="urn:x:2",
        eventTime="2026-03-01T09:30:00Z", bizStep="unpacking"), shipping()
    )  # fmt: skip
    found = match(goods, [SCAN_CASE])
    assert (found.announced, found.received, found.differences) == (49, 49, ())


def test_events_late_twice_and_taken_back_count_once():
    shuffled = [*STORY, *STORY, shipping(11)]
    random.Random(3).shuffle(shuffled)
    error = {"declarationTime": CREATED, "reason": "did_not_occur"}
    goods = goods_of(*shuffled, shipping(11, errorDeclaration=error))
    assert (goods.repeated, goods.withdrawn, goods.contradicting) == (3, 1, [])
    assert len(goods.events) == 3
    assert match(goods, [SCAN_CASE]).differences == ()


def test_two_events_of_one_id_contradict():
    goods = goods_of(*STORY, shipping(epcList=[unit(7)]))
    assert goods.contradicting == [STORY[2]["eventID"]]


def test_the_way_of_a_pack_through_containers():
    receiving = shipping(12, bizStep="receiving", disposition="in_progress")
    sold = event("ObjectEvent", 15, epcList=[unit(7)], action="OBSERVE", bizStep="dispensing", disposition="dispensed")
    found = trace(goods_of(*STORY, receiving, sold), canonical(unit(7)))
    assert [each.step for each in found.steps] == ["commissioning", "packing", "shipping", "receiving", "dispensing"]
    assert (found.lot, found.expiry) == ("L7", "2027-11-30")
    assert found.steps[2].inside == canonical(CASE)
    assert (found.steps[2].seller, found.steps[2].buyer) == (canonical(MAKER), canonical(WHOLESALER))
    assert found.breaks == ()


def test_a_chain_that_does_not_follow_is_told():
    stranger = [{"type": "owning_party", "source": "urn:epc:id:pgln:0614141.00999"}]
    found = trace(goods_of(*STORY, shipping(16, sourceList=stranger)), canonical(unit(7)))
    assert found.breaks == ("a shipment whose seller is not the last buyer",)
    sold = event("ObjectEvent", 15, epcList=[unit(7)], action="OBSERVE", bizStep="dispensing")
    again = shipping(17, epcList=[unit(7)], sourceList=[{"type": "owning_party", "source": WHOLESALER}])
    assert trace(goods_of(*STORY, sold, again), canonical(unit(7))).breaks == (
        "moved again after it was dispensed or destroyed",
    )


def test_a_cycle_of_containers_ends():
    loop = [packing(parent, 9, parentID=one, childEPCs=[two], eventID=f"urn:x:{parent}")
            for parent, (one, two) in enumerate([(unit(1), unit(2)), (unit(2), unit(1))])]  # fmt: skip
    goods = goods_of(*loop)
    assert goods.units(canonical(unit(1)))
