"""X12 856 (ship notice): written beside each shipment, and read back for its counts.

    ST*856  BSN  HL*S (REF)  HL*O PRF  HL*T|P MAN*GM  HL*I LIN SN1 REF*LT DTM*036  CTT  SE

Levels are shipment, order, tare or pack, item. Of a partner's notice only what names goods and counts is read: everything
else is left to the partner agreement.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from salus.interop.x12.envelope import Stamp, Trader, interchange, words
from salus.interop.x12.tokens import Segment, Unreadable, segment, tokenize

VERSION: Final = "005010"
MAX_SEGMENTS: Final = 200_000  # a truck of cases with a line each is a few ten thousand


class Item(msgspec.Struct, frozen=True):
    """Goods of one lot in one container."""

    gtin: str
    """GTIN-14."""
    lot: str
    expiry: str
    """CCYYMMDD, or empty."""
    count: int


class Carton(msgspec.Struct, frozen=True):
    """One container of a shipment."""

    sscc: str
    """18 digits, or empty for goods that lie in none."""
    items: tuple[Item, ...]


class Despatch(msgspec.Struct, frozen=True):
    """A shipment as the notice tells it."""

    number: str
    day: str
    """CCYYMMDD."""
    time: str
    """HHMM."""
    order: str
    """Purchase order, or empty."""
    cartons: tuple[Carton, ...]


def write_despatch(despatch: Despatch, ends: tuple[Trader, Trader], stamp: Stamp) -> bytes:
    """Return the interchange with one 856. `ends`: sender, receiver."""
    body = [
        segment("ST", "856", "0001"),
        segment("BSN", "00", words(despatch.number, 30), despatch.day, despatch.time, "0001"),
        segment("HL", "1", "", "S"),
        segment("HL", "2", "1", "O"),
        segment("PRF", words(despatch.order, 22) or "NONE"),
    ]
    level, total = 2, 0
    for carton in despatch.cartons:
        level, parent = level + 1, level + 1
        body.append(segment("HL", str(level), "2", "P"))
        if carton.sscc:
            body.append(segment("MAN", "GM", carton.sscc))
        for item in carton.items:
            level += 1
            total += item.count
            body.append(segment("HL", str(level), str(parent), "I"))
            body.append(segment("LIN", "", "UK", item.gtin))
            body.append(segment("SN1", "", str(item.count), "EA"))
            if item.lot:
                body.append(segment("REF", "LT", words(item.lot, 30)))
            if item.expiry:
                body.append(segment("DTM", "036", item.expiry))
    body.append(segment("CTT", str(level), str(total)))
    return interchange(ends, stamp, "SH", VERSION, [body])


def read_despatch(data: bytes) -> Despatch:
    """Return the first 856 of an interchange. Raises Unreadable."""
    number = day = time = order = ""
    cartons: list[Carton] = []
    found = False
    for part in _set(data):
        if part.tag == "BSN":
            found, number, day, time = True, part.get(2), part.get(3), part.get(4)
        elif part.tag == "PRF":
            order = part.get(1)
        elif part.tag == "HL" and part.get(3) in {"T", "P"}:
            cartons.append(Carton("", ()))
        elif part.tag == "MAN" and part.get(1) == "GM" and cartons:
            cartons[-1] = Carton(part.get(2), cartons[-1].items)
        elif part.tag == "HL" and part.get(3) == "I":
            cartons = cartons or [Carton("", ())]
            cartons[-1] = Carton(cartons[-1].sscc, (*cartons[-1].items, Item("", "", "", 0)))
        elif cartons and cartons[-1].items:
            *before, last = cartons[-1].items
            cartons[-1] = Carton(cartons[-1].sscc, (*before, _told(last, part)))
    if not found:
        raise Unreadable("no-856", 0, "a transaction set 856 with its BSN segment")
    return Despatch(number, day, time, "" if order == "NONE" else order, tuple(cartons))


def _told(item: Item, part: Segment) -> Item:
    if part.tag == "LIN":
        names = {part.get(place): part.get(place + 1) for place in range(2, len(part.elements) - 1, 2)}
        return msgspec.structs.replace(item, gtin=names.get("UK", names.get("EN", "")).zfill(14))
    if part.tag == "SN1":
        if not part.get(2).isdecimal() or len(part.get(2)) > 9:
            raise Unreadable("sn1-quantity", part.position, "a whole number of at most 9 digits")
        return msgspec.structs.replace(item, count=int(part.get(2)))
    if part.tag == "REF" and part.get(1) == "LT":
        return msgspec.structs.replace(item, lot=part.get(2))
    if part.tag == "DTM" and part.get(1) == "036":
        return msgspec.structs.replace(item, expiry=part.get(2))
    return item


def _set(data: bytes) -> Iterator[Segment]:
    """Yield the segments of the first 856."""
    inside = False
    for count, (part, _) in enumerate(tokenize([data])):
        if count >= MAX_SEGMENTS:
            raise Unreadable("too-long", count, f"at most {MAX_SEGMENTS} segments")
        if part.tag == "ST":
            inside = part.get(1) == "856"
        elif part.tag == "SE" and inside:
            return
        elif inside:
            yield part
