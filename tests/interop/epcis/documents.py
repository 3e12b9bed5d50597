"""EPCIS documents of one small shipment, written by us."""

import json

CREATED = "2026-03-01T12:00:00Z"
CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://ex.example/ns/"}]
MAKER, WHOLESALER = "urn:epc:id:pgln:0614141.00777", "urn:epc:id:pgln:4012345.00225"
CASE = "urn:epc:id:sscc:0614141.1234567890"


def unit(number):
    return f"urn:epc:id:sgtin:0614141.107346.{number}"


def event(kind, hour, **fields):
    return {
        "type": kind,
        "eventTime": f"2026-03-01T{hour:02d}:00:00.000Z",
        "eventTimeZoneOffset": "+00:00",
        "eventID": f"urn:uuid:00000000-0000-4000-8000-{hour:012d}",
        **fields,
    }


def document(*events, **changes):
    body = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": CREATED,
        "epcisBody": {"eventList": list(events)},
    }
    return json.dumps(body | changes).encode()


def commissioning(count=50, hour=8):
    return event(
        "ObjectEvent",
        hour,
        epcList=[unit(number) for number in range(count)],
        action="ADD",
        bizStep="commissioning",
        disposition="active",
        ilmd={"cbvmda:lotNumber": "L7", "cbvmda:itemExpirationDate": "2027-11-30"},
    )


def packing(count=50, hour=9, **changes):
    return event(
        "AggregationEvent",
        hour,
        **{
            "parentID": CASE,
            "childEPCs": [unit(number) for number in range(count)],
            "action": "ADD",
            "bizStep": "packing",
            "readPoint": {"id": "urn:epc:id:sgln:0614141.00777.0"},
        }
        | changes,
    )


def shipping(hour=10, **changes):
    return event(
        "ObjectEvent",
        hour,
        **{
            "epcList": [CASE],
            "action": "OBSERVE",
            "bizStep": "shipping",
            "disposition": "in_transit",
            "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:0614141000005:42"}],
            "sourceList": [{"type": "owning_party", "source": MAKER}],
            "destinationList": [{"type": "owning_party", "destination": WHOLESALER}],
        }
        | changes,
    )
