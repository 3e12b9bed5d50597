"""One firm's dock: notices with cross-checked counts, exceptions as PDG has them, clocks, answers, six years."""

import json

import pytest
from msgspec import structs

from salus.contracts.membership.port import Role
from salus.interop.x12.despatch import Carton, Despatch, Item, read_despatch, write_despatch
from salus.interop.x12.envelope import Stamp, Trader
from salus.interop.x12.tokens import Unreadable
from salus.node.errors import Malformed, NotFound
from salus.node.supply.working import (
    CheckNotice,
    DraftNotification,
    ListDockCases,
    ResolveDockCase,
    TakeDelivery,
    WriteNotices,
    check_notice,
    draft_notification,
    list_cases,
    resolve_case,
    take_delivery,
    write_notices,
)
from salus.node.together import Clock, Founder, found_together
from tests.agreements.supply.test_goods import LABEL
from tests.interop.epcis.documents import WHOLESALER, commissioning, document, packing, shipping

FILE = document(commissioning(48), packing(48), shipping())
SCANS = "\n".join(LABEL.format(number) for number in range(2, 50)).encode() + b"\nnonsense"
DAY = 86_400_000
ENDS = Trader("ZZ", "A"), Trader("ZZ", "B")
STAMP = Stamp("20260302", "0800", 7)


@pytest.fixture
def node(tmp_path):
    together = found_together(
        tmp_path, (Founder("north", "North", (Role.DISTRIBUTOR,)),), clock=Clock(lambda: 1_772_400_000_000)
    )
    yield together.nodes["north"]
    together.close()


def taken(node):
    return take_delivery(node, TakeDelivery(files=(FILE,), scans=SCANS, receiver=WHOLESALER, order="4711"))


def test_a_delivery_opens_a_case_for_each_difference_once(node):
    done = taken(node)
    assert done.summary == "48 received, 48 in the data, 5 exceptions"
    assert len(done.cases) == 5
    told = json.loads(done.report)
    assert {name: len(value) for name, value in told.items() if isinstance(value, list) and value} == {
        "missing_product": 2,
        "overages": 2,
        "other_errors": 1,
    }
    assert told["po_number"] == "4711"
    assert told["missing_product"][0]["resolution"] == "Send product"
    assert not told["case_resolved"]
    assert taken(node).cases == ()
    assert len(list_cases(node, ListDockCases()).open) == 5


def test_the_worklist_runs_by_the_clock_and_ends_by_answers(node):
    taken(node)
    first = list_cases(node, ListDockCases()).open
    assert first[0].split()[1:4] == ["24", "h", "other_errors"]
    number = next(line.split()[0] for line in first if "missing_product " in line)
    answer = json.loads(resolve_case(node, ResolveDockCase(case=number, resolution="Credit account")).response)
    assert answer["items"][0]["response"] == "Accept"
    other = json.loads(resolve_case(node, ResolveDockCase(case=number, resolution="Debit account")).response)
    assert other["items"][0] | {"product_identifier": ""} == {
        "product_identifier": "",
        "response": "Reject",
        "alternative": "Debit account",
    }
    listed = list_cases(node, ListDockCases())
    assert (len(listed.open), listed.resolved) == (4, 1)
    with pytest.raises(NotFound):
        resolve_case(node, ResolveDockCase(case="0" * 16, resolution="Credit account"))


def test_a_notice_is_written_beside_a_shipment_and_its_counts_hold(node):
    (notice,) = write_notices(node, WriteNotices(files=(FILE,), sender="NORTH", receiver="CORNER", control=7)).notices
    read = read_despatch(notice)
    assert [(len(carton.sscc), [item.count for item in carton.items]) for carton in read.cartons] == [(18, [48])]
    assert check_notice(node, CheckNotice(files=(FILE,), notice=notice)).sound
    fewer = notice.replace(b"SN1**48*EA", b"SN1**50*EA")
    found = check_notice(node, CheckNotice(files=(FILE,), notice=fewer))
    assert not found.sound
    assert "50 in the notice, 48 in the data" in found.differences[0]
    for wrong in (b"ISA", notice.replace(b"SN1**48", b"SN1**4x"), notice.replace(b"ST*856", b"ST*857")):
        with pytest.raises(Malformed):
            check_notice(node, CheckNotice(files=(FILE,), notice=wrong))


def test_a_notice_comes_back_as_it_was_written():
    despatch = Despatch(
        "D1",
        "20260302",
        "0800",
        "PO 4711",
        (
            Carton(
                "106141412345678908", (Item("00312345678906", "L1", "20271231", 5), Item("00312345678906", "L2", "", 1))
            ),
            Carton("", (Item("00312345678906", "", "", 2),)),
        ),
    )
    written = write_despatch(despatch, ENDS, STAMP)
    assert read_despatch(written) == despatch
    assert read_despatch(write_despatch(structs.replace(despatch, order=""), ENDS, STAMP)).order == ""
    with pytest.raises(Unreadable):
        read_despatch(written[:-30])


def test_a_notification_is_drafted_for_a_person(node):
    told = draft_notification(
        node, DraftNotification(identifier=LABEL.format(7), code="STOLEN", told="seen at a market", company="North")
    )
    assert "Classification of notification: stolen" in told.fields
    assert "Description of event or issue: seen at a market" in told.fields
    assert told.send_by.startswith("2026-03-02")
