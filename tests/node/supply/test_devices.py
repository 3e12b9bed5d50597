"""Devices: master data from GUDID, the implant card, and a recall that reaches the patient and names nobody."""

import gzip
import json

import pytest

from salus.agreements.supply.packing import Box
from salus.contracts.supply import port
from salus.index.index import EVERYTHING
from salus.interop.fhir.search.query import read_query
from salus.interop.gs1.digits import hibc_character
from salus.node.errors import Forbidden, Malformed, NotFound
from salus.node.links import SetContact, contact
from salus.node.records.intake import Intake
from salus.node.supply import moving, repository
from salus.node.supply.answering import recall, recalled_here
from salus.node.supply.devices import (
    CheckImplants,
    ImportDevices,
    ShowCard,
    check_due,
    check_implants,
    import_devices,
    show_card,
)
from salus.node.supply.stock import product_of
from salus.node.supply.trading import (
    EndGoods,
    ListRecalls,
    OrderRecall,
    RecallLot,
    end_goods,
    list_recalls,
    order_recall,
    recall_lot,
)
from salus.node.ticking import Ticker
from tests.interop.epcis.documents import document, event
from tests.interop.gs1.test_gudid import device as gudid_device
from tests.interop.gs1.test_gudid import release

from .members import GTIN, brought, label, moved, traders

DAY = 86_400_000
LINK = f"https://id.gs1.org/01/{GTIN}/21/H001"


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    found = traders(tmp_path_factory.mktemp("devices"))
    brought(found, Box("", (), (b"H001", b"H002", b"H003")), lot="HIP1")
    moved(found, "maker", "whole", *(label(each, lot="HIP1") for each in ("H001", "H002", "H003")))
    moved(found, "whole", "corner", *(label(each, lot="HIP1") for each in ("H001", "H002")))
    end_goods(found.nodes["corner"], EndGoods(identifiers=(label("H001", lot="HIP1"),), reason="dispensed"))
    found.settle()
    yield found
    found.close()


def patient(number):
    return {"resourceType": "Patient", "id": f"p{number}", "name": [{"family": f"Canary{number}"}]}


def implant(number, carrier, **more):
    return {
        "resourceType": "Device",
        "id": f"d{number}",
        "patient": {"reference": f"Patient/p{number}"},
        **({"udiCarrier": [carrier]} if carrier else {}),
        **more,
    }


def taken(node, *resources):
    intake = Intake(node, "urn:ward")
    intake.take([b"\n".join(json.dumps(each).encode() for each in resources)])
    return intake.finish()


def test_master_data_and_the_card_of_a_label_or_a_resource(together):
    corner = together.nodes["corner"]
    hibc = "+A123BJC5D6E71"
    data = release(
        gudid_device(GTIN, "MR Conditional"),
        gudid_device(hibc[1:], "MR Unsafe").replace(">GS1<", ">HIBCC<"),
    )
    for file in (data, gzip.compress(data)):
        told = import_devices(corner, ImportDevices(file=file))
        assert (told.devices, told.identifiers, told.mri) == (2, 4, {"conditional": 1, "unsafe": 1})
    repository.capture(
        corner,
        document(
            event("ObjectEvent", 9, epcList=[LINK], action="OBSERVE", bizStep="receiving"),
            event("ObjectEvent", 11, epcList=[LINK], action="OBSERVE", bizStep="installing", disposition="active"),
        ),
        proceed=False,
    )
    resource = implant(1, {"carrierHRF": label("H001", lot="HIP1")})
    by_resource = show_card(corner, ShowCard(device=json.dumps(resource).encode()))
    assert by_resource == show_card(corner, ShowCard(udi=label("H001", lot="HIP1")))
    assert (by_resource.name, by_resource.maker, by_resource.lot, by_resource.serial, by_resource.expiry) == (
        "Hip & Co",
        "Maker",
        "HIP1",
        "H001",
        "2027-12-31",
    )
    assert by_resource.mri == "MR Conditional: only under the conditions of its instructions"
    assert (by_resource.latex, by_resource.recall) == (True, 0)
    assert by_resource.way == (
        "2026-03-01T09:00:00.000Z receiving",
        "2026-03-01T11:00:00.000Z installing active",
    )
    text = f"{hibc}/$LOT9"
    other = show_card(corner, ShowCard(udi=text + hibc_character(text)))
    assert (other.issuer, other.mri, other.lot) == ("hibcc", "MR Unsafe", "LOT9")
    unknown = show_card(corner, ShowCard(udi="(01)00844588018930(21)1"))
    assert (unknown.name, unknown.mri) == ("", "no master data: ask the maker")


@pytest.mark.parametrize(
    "request_",
    [
        ShowCard(),
        ShowCard(udi="(01)00844588018923", device=b"{}"),
        ShowCard(udi="(01)00844588018924"),
        ShowCard(device=b'{"resourceType":"Patient"}'),
        ShowCard(device=b'{"resourceType":"Device","udiCarrier":[{"carrierHRF":"none"}]}'),
        ShowCard(device=b"\xff"),
    ],
    ids=range(6),
)
def test_what_is_no_device_is_refused(together, request_):
    with pytest.raises(Malformed):
        show_card(together.nodes["corner"], request_)


def test_a_file_that_does_not_read_is_refused(together):
    corner = together.nodes["corner"]
    for file in (b"<a>", gzip.compress(release(gudid_device()))[:-9], b"\x1f\x8b nothing"):
        with pytest.raises(Malformed) as refused:
            import_devices(corner, ImportDevices(file=file))
        assert refused.value.code == "supply.gudid"


def test_a_recall_reaches_the_patient_once_by_the_own_record_and_names_nobody(together):
    corner, maker = together.nodes["corner"], together.nodes["maker"]
    taken(
        corner,
        *(patient(number) for number in (1, 2, 3, 4)),
        implant(1, {"carrierHRF": label("H001", lot="HIP1")}),
        implant(2, {"deviceIdentifier": GTIN}, lotNumber="HIP1"),
        implant(3, {"deviceIdentifier": GTIN}, lotNumber="OTHER"),
        implant(4, None),
    )
    links = {corner.index.find_patients(name=f"Canary{number}")[0].link: number for number in (1, 2, 3, 4)}
    for link, number in links.items():
        contact(corner, SetContact(link=link.hex(), address=f"p{number}@example.org"))
    assert check_due(corner) is None
    before = check_implants(corner, CheckImplants())
    assert (before.devices, before.unread, before.recalled, before.told) == (4, 1, 0, 0)
    rows = len(list(maker.ledger.read().range(port.ACKNOWLEDGEMENTS)))
    recall(maker, GTIN, "HIP1", 1)
    together.settle()
    told = check_due(corner)
    assert (told.devices, told.unread, told.recalled, told.told) == (4, 1, 2, 2)
    assert check_due(corner) is None
    again = check_implants(corner, CheckImplants())
    assert (again.recalled, again.told) == (2, 0)
    corner.catch_up()
    flags = [links[hit.link] for hit in flagged(corner)]
    assert sorted(flags) == [1, 2]
    sent = {one.receiver: one.body for one, _ in corner.desk.waiting() if one.kind == "notice"}
    assert sent == {"p1@example.org": b"device-recalled", "p2@example.org": b"device-recalled"}
    # The maker learns that the pharmacy answered, and nothing of patients: neither on the ledger nor at its own desk.
    list_recalls(corner, ListRecalls(acknowledge=True))
    together.settle()
    assert len(list(maker.ledger.read().range(port.ACKNOWLEDGEMENTS))) == rows + 1
    assert [one.serials for one in recalled_here(corner)] == [("H002",)]
    for name in ("Canary1", "p1@example.org"):
        for kind in ("hop", "stock", "inbound", "alert"):
            assert all(name.encode() not in body for _, body in maker.desk.supply(kind))
        assert all(name.encode() not in value for _, value in maker.ledger.store.rows(b"", maker.ledger.head().height))
    card = show_card(corner, ShowCard(udi=label("H001", lot="HIP1")))
    assert card.recall == 1


def flagged(node):
    return node.index.search.page(read_query("Flag", (), now=node.now()), EVERYTHING).hits


def test_a_device_recorded_after_a_recall_is_held_against_it_within_a_day(together):
    corner, maker = together.nodes["corner"], together.nodes["maker"]
    recall(maker, GTIN, "HIP1", 1)
    together.settle()
    check_due(corner)
    taken(corner, patient(5), implant(5, {"carrierHRF": label("H001", lot="HIP1")}))
    assert check_due(corner) is None
    together.clock.advance(DAY)
    assert check_due(corner).told == 1
    assert "implants" in [name for name, _, _ in Ticker._jobs(None, corner)]


def test_a_recall_by_device_identifier_reaches_every_lot_and_package_of_it(together):
    board, maker, corner, rival = (together.nodes[name] for name in ("board", "maker", "corner", "rival"))
    other, package = "09506000134369", "10844588018920"
    brought(together, Box("", (), (b"K001", b"K002")), lot="HIP2")
    moving.bring(maker, product_of(package, "HIP3", "271231"), Box("", (), (b"P001",)))
    moving.bring(maker, product_of(other, "HIP2", "271231"), Box("", (), (b"Q001",)))
    together.abreast()
    moved(together, "maker", "rival", label("K001", lot="HIP2"))
    import_devices(maker, ImportDevices(file=release(gudid_device(GTIN))))
    recall(maker, GTIN, "", 0)
    together.abreast()
    assert recalled_here(rival) == []
    done = recall_lot(maker, RecallLot(gtin=GTIN, recall_class=2))
    assert done.units == 6
    together.abreast()
    held = {
        name: sorted(serial for one in recalled_here(node) for serial in one.serials)
        for name, node in together.nodes.items()
    }
    assert (held["rival"], held["maker"]) == (["K001"], ["K002", "P001"])
    assert "Q001" not in held["maker"]
    recall(maker, GTIN, "", 0)
    together.abreast()
    with pytest.raises(Forbidden):
        order_recall(maker, OrderRecall(gtin=GTIN, recall_class=1))
    with pytest.raises(NotFound):
        order_recall(board, OrderRecall(gtin="0" * 14, recall_class=1))
    assert order_recall(board, OrderRecall(gtin=GTIN, recall_class=1)).lots == 2
    together.abreast()
    assert [one.serials for one in recalled_here(rival)] == [("K001",)]
    assert recalled_here(corner)
    order_recall(board, OrderRecall(gtin=GTIN, recall_class=0))
    together.abreast()
    assert recalled_here(rival) == []
