"""Packing, cold chain and triage: what parties compute alike."""

import pytest

from salus.agreements.supply.coldchain import Leg, Reading, leg
from salus.agreements.supply.packing import Box, lead_to, packed
from salus.agreements.supply.triage import Call, Scan, judge
from salus.core.proof.goods import above, container_key, unit_key

PRODUCT = b"09506000134352|A1|271231"
BOX = Box("", (Box("c1", (), (b"S1", b"S2", b"S3")), Box("c2", (), (b"S4",))))
SOUND = {
    "known": True,
    "lot_agrees": True,
    "expiry_agrees": True,
    "ended": "",
    "recalled": False,
    "suspect": False,
    "expired": False,
    "ours": True,
    "ours_ended": True,
}


def test_every_unit_opens_its_key_and_leads_to_the_lot():
    tree = packed(BOX, PRODUCT, bytes(32))
    for case, unit, serial in ((0, 0, b"S1"), (0, 2, b"S3"), (1, 0, b"S4")):
        key, way = lead_to(tree, (case, unit))
        assert key == unit_key(tree.inside[case].salt(unit), PRODUCT, serial)
        for position, path in way:
            key = above(key, position, path)
        assert key == tree.key == container_key(tree.root, tree.depth)


def test_three_units_take_four_places_and_a_case_says_nothing_of_its_neighbour():
    tree = packed(BOX, PRODUCT, bytes(32))
    assert len(tree.inside[0].keys()) == 4
    assert tree.inside[0].secret != tree.inside[1].secret
    assert packed(BOX.boxes[0], PRODUCT, tree.inside[0].secret).key == tree.inside[0].key
    assert packed(BOX, PRODUCT, bytes([1]) * 32).key != tree.key


@pytest.mark.parametrize("box", [Box(""), Box("", (BOX,), (b"S9",))])
def test_an_empty_or_twofold_container_is_refused(box):
    with pytest.raises(ValueError, match="units or containers"):
        packed(box, PRODUCT, bytes(32))


def test_a_spike_hardly_moves_the_mean_and_its_minutes_tell():
    """29 days at 22 C and one at 40: 23.60 C; 7 days at 5 C, six hours of them at 15: 5.66 C (USP 1160)."""
    day = 86_400
    assert leg([Reading(295_150, 29 * day), Reading(313_150, day)], 288_150, 303_150) == Leg(296_750, 1440)
    assert leg([Reading(278_150, 7 * day - 21_600), Reading(288_150, 21_600)], 275_150, 281_150) == Leg(278_809, 360)
    assert leg([Reading(278_150, 90), Reading(282_000, 61)], 275_150, 281_150).minutes_out == 2
    for wrong in ([], [Reading(0, 1)], [Reading(1, 0)]):
        with pytest.raises(ValueError, match="readings"):
            leg(wrong, 1, 2)


@pytest.mark.parametrize(
    ("changes", "code", "call"),
    [
        ({}, "", Call.NOTHING),
        ({"known": False, "ended": "DISPENSED"}, "No_match_GTIN_Serial", Call.RETRY),
        ({"ended": "DISPENSED", "lot_agrees": False}, "DISPENSED", Call.WARNING),
        ({"ended": "STOLEN", "ours_ended": False}, "STOLEN", Call.ALARM),
        ({"lot_agrees": False, "expiry_agrees": False, "recalled": True}, "No_match_GTIN_Serial_Lot_Expiry", Call.DATA),
        ({"recalled": True, "ours": False}, "RECALLED", Call.SET_ASIDE),
        ({"suspect": True, "ours": False}, "SUSPECT", Call.SET_ASIDE),
        ({"ours": False, "expired": True}, "HOLDER_MISMATCH", Call.ALARM),
        ({"ours": False, "awaited": True}, "HOLDER_MISMATCH", Call.RETRY),
        ({"far": True, "recalled": True}, "IMPOSSIBLE_TRAVEL", Call.ALARM),
        ({"far": True, "ended": "DISPENSED"}, "DISPENSED", Call.ALARM),
        ({"expired": True}, "EXPIRED", Call.SET_ASIDE),
    ],
)
def test_the_gravest_thing_is_told_and_only_the_strange_alarms(changes, code, call):
    verdict = judge(Scan(**{**SOUND, **changes}))
    assert (verdict.code, verdict.call) == (code, call)
