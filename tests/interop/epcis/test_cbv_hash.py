"""The event hash of CBV 2.0: a published vector, and the text that is hashed, whatever form the event came in."""

from salus.interop.epcis.cbv_hash import cbv_hash, text_of
from salus.interop.epcis.document import read, write_json
from salus.interop.epcis.xml_writer import write_xml

from .documents import CASE, CREATED, commissioning, document, event, packing, shipping, unit
from .test_epcis import NEW, OLD

# The event and hash of epcisDocWithSensorComponent in RalphTro/epcis-event-hash-generator (MIT), expected/CBV2.0.
PUBLISHED = "ni:///sha-256;14faa21345eb49fa31e5578aed52a2c291b7dc8ded0d53c88135955173ea91fc?ver=CBV2.0"
CRS = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
PLACED = event(
    "ObjectEvent",
    10,
    eventTime="2022-04-07T12:00:00.000+02:00",
    eventTimeZoneOffset="+01:00",
    epcList=["https://id.gs1.org/8003/040123450007718765"],
    action="OBSERVE",
    bizStep="sensor_reporting",
    readPoint={"id": "urn:epc:id:sgln:4012345.00005.0"},
    sensorElementList=[
        {
            "sensorReport": [
                {
                    "type": "Angle",
                    "value": value,
                    "component": f"cbv:Comp-{name}",
                    "uom": "DD",
                    "coordinateReferenceSystem": CRS,
                }
                for name, value in (("latitude", 42.698334), ("longitude", 23.319941))
            ]
        }
    ],
)


def test_the_published_hash_comes_out():
    (one,) = read(document(PLACED))
    assert cbv_hash(one) == PUBLISHED


def test_the_text_has_the_order_of_the_standard():
    (one,) = read(document(packing(2, **{"ex:note": "7.50", "ex:more": {"ex:b": ["z", "a"]}})))
    assert text_of(one) == (
        "eventType=AggregationEventeventTime=2026-03-01T09:00:00.000ZeventTimeZoneOffset=+00:00"
        "parentID=https://id.gs1.org/00/106141412345678908"
        "childEPCsepc=https://id.gs1.org/01/10614141073464/21/0epc=https://id.gs1.org/01/10614141073464/21/1"
        "action=ADDbizStep=https://ref.gs1.org/cbv/BizStep-packing"
        "readPointid=https://id.gs1.org/414/0614141007776"
        "{https://ex.example/ns/}more{https://ex.example/ns/}b=a{https://ex.example/ns/}b=z"
        "{https://ex.example/ns/}note=7.5"
    )


def test_forms_identifiers_and_orders_make_one_hash():
    events = read(document(*OLD, *NEW))
    hashes = [cbv_hash(each) for each in events]
    assert [cbv_hash(each) for each in read(write_xml(events, CREATED))] == hashes
    assert [cbv_hash(each) for each in read(write_json(events, CREATED))] == hashes
    (first,) = read(document(shipping(epcList=[unit(2), unit(1)], recordTime=CREATED)))
    link = "https://shop.example/01/10614141073464/21/"
    (second,) = read(document(shipping(epcList=[f"{link}1", f"{link}2"], eventID="urn:uuid:other")))
    assert cbv_hash(first) == cbv_hash(second) != cbv_hash(read(document(shipping(epcList=[CASE])))[0])
    assert len({cbv_hash(each) for each in read(document(commissioning(1), commissioning(2)))}) == 2
