"""A shipment's EPCIS events as an X12 856, and a partner's 856 held against its events: the counts must be the same."""

from collections import Counter
from collections.abc import Iterator, Sequence

from salus.agreements.supply.goods import Goods, party, step, things
from salus.interop.epcis import times
from salus.interop.epcis.vocabulary import bare
from salus.interop.gs1.digital_link import read_link
from salus.interop.gs1.refusal import Gs1Refused
from salus.interop.x12.despatch import Carton, Despatch, Item

Line = tuple[str, str, str]
"""SSCC of the outermost container named by the event, GTIN, lot."""


def despatches(goods: Goods, receiver: str = "") -> Iterator[Despatch]:
    """Yield a notice for each shipping event (to a receiver, a Digital Link; "" for any), by time."""
    for event in goods.events:
        told = party(event, "destinationList", "owning_party", "possessing_party", "location")
        if step(event) != "shipping" or (receiver and told and told != receiver):
            continue
        papers = {
            bare("bizTransaction", item.get("type", "")): item["bizTransaction"]
            for item in event.fields.get("bizTransactionList", [])
        }
        counts: Counter[tuple[str, str, str, str]] = Counter()
        for thing in things(event):
            for unit in goods.units(thing):
                lot, expiry = goods.lots.get(unit, ("", ""))
                top = _element(thing, "00") if unit != thing else ""
                counts[top, _element(unit, "01"), lot, expiry.replace("-", "")[:8]] += 1
        cartons = [
            Carton(top, tuple(Item(g, lot, day, n) for (t, g, lot, day), n in sorted(counts.items()) if t == top))
            for top in dict.fromkeys(top for top, _, _, _ in sorted(counts))
        ]
        moment = times.text(event.time)
        day, time = moment[:10].replace("-", ""), moment[11:16].replace(":", "")
        number = str(papers.get("desadv", event.fields.get("eventID", "")))
        yield Despatch(number[-30:], day, time, str(papers.get("po", ""))[-22:], tuple(cartons))


def despatch_of(
    number: str, moment: str, documents: Sequence[str], goods: Sequence[tuple[str, bytes, int]]
) -> Despatch:
    """Return the notice of a shipment between members: (SSCC or empty, `GTIN|lot|YYMMDD`, units) of each of its parts."""
    cartons = []
    for sscc, product, count in goods:
        gtin, lot, expiry = product.decode("ascii").split("|")
        cartons.append(Carton(sscc, (Item(gtin, lot, f"20{expiry}" if expiry else "", count),)))
    order = next((paper.removeprefix("po ") for paper in documents if paper.startswith("po ")), "")
    return Despatch(number, moment[:10].replace("-", ""), moment[11:16].replace(":", ""), order[:22], tuple(cartons))


def disagreements(goods: Goods, notice: Despatch) -> list[str]:
    """Return each line on which a notice and the events count differently, with both counts; unnamed lots count as one."""
    by_events = _lines(one for each in despatches(goods) for one in each.cartons)
    by_notice = _lines(iter(notice.cartons))
    found = []
    for line in sorted(by_events.keys() | by_notice.keys()):
        if by_events[line] != by_notice[line]:
            sscc, gtin, lot = line
            place = f"in {sscc}" if sscc else "loose"
            found.append(
                f"{gtin} lot {lot or 'unnamed'} {place}: {by_notice[line]} in the notice, {by_events[line]} in the data"
            )
    return found


def _lines(cartons: Iterator[Carton]) -> Counter[Line]:
    counts: Counter[Line] = Counter()
    for carton in cartons:
        for item in carton.items:
            counts[carton.sscc, item.gtin, item.lot] += item.count
    return counts


def _element(thing: str, ai: str) -> str:
    try:
        return read_link(thing).get(ai, "")
    except Gs1Refused:
        return ""
