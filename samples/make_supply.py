# ruff: noqa: INP001
"""Make the sample delivery: a fictional maker's EPCIS files, a wholesaler's own, the scans at its dock. Same bytes always.

Usage, in an environment with Salus: `python samples/make_supply.py`. What is planted is listed in `supply-planted.json.gz`.
"""

import gzip
import json
from pathlib import Path
from typing import Any

from salus.interop.epcis.document import Event, write_json
from salus.interop.epcis.xml_writer import write_xml
from salus.interop.gs1.digits import check_digit
from salus.interop.gs1.identity import gtin_of_ndc, name_of

HERE = Path(__file__).parent
GTIN = gtin_of_ndc("9999912345")
FOREIGN = gtin_of_ndc("9999954321")
CREATED = "2026-03-02T06:00:00.000Z"
MAKER, WHOLESALER, CUSTOMER = (
    f"https://id.gs1.org/417/{body}{check_digit(body)}" for body in ("039999900000", "039999800000", "039999700000")
)
CASES, PER_CASE = 50, 100
MDA = "{urn:epcglobal:cbv:mda}"


def sscc(number: int) -> str:
    """Return the Digital Link of a container."""
    body = f"0039999900{number:07d}"
    return f"https://id.gs1.org/00/{body}{check_digit(body)}"


def serial(number: int) -> str:
    """Return a serial that cannot be counted on from another."""
    return f"{(number * 2_654_435_761 + 97) % (1 << 40):X}"


def unit(number: int) -> str:
    """Return the Digital Link of a unit."""
    return name_of({"01": GTIN, "21": serial(number)})


def event(kind: str, number: int, day: int, hour: int, **fields: Any) -> Event:
    """Return an event with an id of its own."""
    head = {
        "eventTime": f"2026-03-{day:02d}T{hour:02d}:{number % 60:02d}:00.000Z",
        "eventTimeZoneOffset": "+00:00",
        "eventID": f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
    }
    return Event(kind, head | fields)


def parties(seller: str, buyer: str) -> dict[str, Any]:
    """Return who sells and who buys."""
    return {
        "sourceList": [{"type": "owning_party", "source": seller}],
        "destinationList": [{"type": "owning_party", "destination": buyer}],
        "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:0399999000004:4711"}],
    }


def maker() -> list[Event]:
    """Return what the maker sends: two lots commissioned, fifty cases packed on two pallets, shipped."""
    units = [unit(number) for number in range(CASES * PER_CASE)]
    half = len(units) // 2
    events = [
        event(
            "ObjectEvent", lot, 1, 8, epcList=units[lot * half : (lot + 1) * half], action="ADD",
            bizStep="commissioning", disposition="active",
            ilmd={f"{MDA}lotNumber": f"SAMPLE-{lot + 1}", f"{MDA}itemExpirationDate": "2028-02-29"},
        )
        for lot in range(2)
    ]  # fmt: skip
    for case in range(CASES):
        children = units[case * PER_CASE : (case + 1) * PER_CASE]
        events.append(
            event("AggregationEvent", 10 + case, 1, 10, parentID=sscc(case), childEPCs=children, action="ADD",
                  bizStep="packing")
        )  # fmt: skip
    for pallet in range(2):
        cases = [sscc(case) for case in range(pallet * 25, pallet * 25 + 25)]
        events.append(
            event("AggregationEvent", 100 + pallet, 1, 12, parentID=sscc(900 + pallet), childEPCs=cases, action="ADD",
                  bizStep="packing")
        )  # fmt: skip
    pallets = [sscc(900), sscc(901)]
    shipped = event("ObjectEvent", 110, 1, 15, epcList=pallets, action="OBSERVE", bizStep="shipping",
                    disposition="in_transit", **parties(MAKER, WHOLESALER))  # fmt: skip
    return [*events, shipped]


def wholesaler() -> list[Event]:
    """Return the wholesaler's own files: received, one unit dispensed by a customer, and shipped to another again."""
    return [
        event("ObjectEvent", 200, 2, 7, epcList=[sscc(900), sscc(901)], action="OBSERVE", bizStep="receiving",
              disposition="in_progress", **parties(MAKER, WHOLESALER)),
        event("ObjectEvent", 201, 3, 9, epcList=[unit(42)], action="OBSERVE", bizStep="dispensing",
              disposition="dispensed"),
        event("ObjectEvent", 202, 9, 9, epcList=[unit(42)], action="OBSERVE", bizStep="shipping",
              disposition="in_transit", **parties(WHOLESALER, CUSTOMER)),
    ]  # fmt: skip


def label(number: int, **changes: str) -> str:
    """Return a label's element string."""
    content = {"lot": f"SAMPLE-{1 if number < CASES * PER_CASE // 2 else 2}", "gtin": GTIN, "serial": serial(number)}
    content |= changes
    return f"]d201{content['gtin']}17280229" + f"10{content['lot']}\x1d21{content['serial']}"


def scans() -> tuple[list[str], dict[str, list[str]]]:
    """Return the labels scanned, and each planted difference: PDG list to units."""
    lines = [f"]C1{sscc(case).replace('https://id.gs1.org/00/', '00')}" for case in range(CASES - 1)]
    last = range((CASES - 1) * PER_CASE, CASES * PER_CASE)
    short, wrong = (last[3], last[70]), last[50]
    lines += [
        label(number, lot="SAMPLE-9") if number == wrong else label(number) for number in last if number not in short
    ]
    lines += [label(9_001), label(9_002), label(1, gtin=FOREIGN), f"]d201{GTIN[:-1]}{(int(GTIN[-1]) + 1) % 10}21X"]
    return lines, {
        "missing_product": [unit(number) for number in short],
        "data_misalignment": [unit(wrong)],
        "overages": [unit(9_001), unit(9_002)],
        "missing_product_data": [name_of({"01": FOREIGN, "21": serial(1)})],
        "other_errors": [f"line {len(lines)}"],
    }


def main() -> None:
    """Write the files beside this one."""
    lines, planted = scans()
    story = {"receiver": WHOLESALER, "differences": planted, "sound": unit(7), "dispensed": unit(42)}
    files = {
        "supply-maker-1.2.xml.gz": write_xml(maker(), CREATED, "1.2"),
        "supply-wholesaler.json.gz": write_json(wholesaler(), CREATED),
        "supply-scans.txt.gz": "\n".join(lines).encode(),
        "supply-planted.json.gz": json.dumps(story, sort_keys=True).encode(),
    }
    for name, data in files.items():
        (HERE / name).write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main()
