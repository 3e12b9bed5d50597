"""A delivery held against its data: what was scanned, what the partner's events announced, and each difference typed.

Types are the lists of the PDG exceptions report (dscsagovernance/ExceptionsSchemas) and the codes of GS1 US, "Applying
GS1 Standards for DSCSA and Traceability", addendum on serialized exceptions; resolutions are PDG's words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from salus.agreements.supply.goods import Goods, party, step, things
from salus.interop.epcis.document import Event
from salus.interop.gs1.digital_link import read_link
from salus.interop.gs1.elements import Elements
from salus.interop.gs1.identity import name_of, read_identifier
from salus.interop.gs1.refusal import Gs1Refused


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which goods and data do not agree."""

    kind: str
    """PDG list: `missing_product_data`, `missing_product`, `data_misalignment`, `overages` or `other_errors`."""
    code: str
    """GS1 US code, or "" where it has none."""
    thing: str
    """The identifier as a Digital Link; for an unreadable scan its line, `line 7`."""
    told: str
    resolution: str
    """What PDG offers to end it."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a delivery stands."""

    announced: int
    """Units in the partner's shipping events."""
    received: int
    """Units scanned, by themselves or in a scanned container."""
    inferred: int
    """Of these, units not scanned themselves (completeness_inferred of CBV 2.0)."""
    differences: tuple[Difference, ...]


def match(goods: Goods, scans: Iterable[str], receiver: str = "") -> Match:
    """Hold scans, one label a line, against what was shipped to `receiver` (a Digital Link; "" for anybody)."""
    announced = _announced(goods, receiver)
    gtins = {gtin for unit in announced if (gtin := _gtin(unit))}
    known = announced.keys() | goods.lots.keys()
    received: dict[str, bool] = {}
    found: list[Difference] = []
    for number, line in enumerate(scans, 1):
        if not line.strip():
            continue
        try:
            label = read_identifier(line.strip("\r\n"))
            thing = name_of(label)
        except Gs1Refused as refused:
            told = f"{refused.rule} at {refused.at}, expected {refused.expected}"
            found.append(Difference("other_errors", "", f"line {number}", told, "scan again; if it stays, quarantine"))
            continue
        units = goods.units(thing)
        for unit in units:
            received[unit] = received.get(unit, False) or unit == thing
        if units == [thing]:
            found.extend(_misaligned(goods, thing, label))
    found.extend(_unannounced(unit, gtins, unit in known) for unit in received if unit not in announced)
    found.extend(
        Difference("missing_product", "2-1", unit, "in the data, not scanned", "Send product or Credit account")
        for unit in announced
        if unit not in received
    )
    inferred = sum(not scanned for scanned in received.values())
    return Match(len(announced), len(received), inferred, tuple(found))


def _announced(goods: Goods, receiver: str) -> dict[str, None]:
    """Return the units shipped to the receiver and not called back, by the contents at that time."""
    units: dict[str, None] = {}
    for event, moved in zip(goods.events, goods.places, strict=True):
        word = step(event)
        if word not in {"shipping", "void_shipping"} or not _for(event, receiver):
            continue
        for unit in _moved(event, moved):
            if word == "shipping":
                units[unit] = None
            else:
                units.pop(unit, None)
    return units


def _moved(event: Event, inner: Mapping[str, str]) -> list[str]:
    full = {*inner.values()}
    return [thing for thing in dict.fromkeys([*things(event), *inner]) if thing not in full]


def _for(event: Event, receiver: str) -> bool:
    told = party(event, "destinationList", "owning_party", "possessing_party", "location")
    return not receiver or not told or told == receiver


def _gtin(unit: str) -> str:
    try:
        return read_link(unit).get("01", "")
    except Gs1Refused:
        return ""


def _misaligned(goods: Goods, unit: str, label: Elements) -> list[Difference]:
    lot, expiry = goods.lots.get(unit, ("", ""))
    found = []
    if lot and "10" in label and label["10"] != lot:
        found.append(
            Difference("data_misalignment", "1-2", unit, "the lot on the label is not the data's", "Send new data")
        )
    written = expiry.replace("-", "")[2:8]
    if written and "17" in label and label["17"] not in {written, written[:4] + "00"}:
        found.append(
            Difference("data_misalignment", "4", unit, "the expiry on the label is not the data's", "Send new data")
        )
    return found


def _unannounced(unit: str, gtins: set[str], known: bool) -> Difference:
    if known:
        return Difference("data_misalignment", "1-4", unit, "in the data, but not shipped to us", "Send new data")
    if _gtin(unit) in gtins:
        return Difference(
            "overages", "1-1A", unit, "more than the data of this product says", "Send new data or Return product"
        )
    return Difference("missing_product_data", "1-5", unit, "no data came for it", "Send new data")
